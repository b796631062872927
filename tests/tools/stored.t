#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# socle-stored under Debian's own clients, and clients that behave badly.
use strict;
use warnings;
use File::Path qw(make_path remove_tree);
use IO::Select;
use IO::Socket::UNIX;
use POSIX qw(WNOHANG);
use Test::More;
use Time::HiRes qw(sleep time);

my $out = $ENV{O} || 'build';
my $dir = "$out/tests/tools/stored";
remove_tree($dir);
make_path($dir);
my $path = "$dir/socket";
my $pid;
END { kill 'KILL', $pid if $pid }

sub start {
    my (@more) = @_;
    unlink "$dir/pid";
    $pid = fork // die $!;
    if (!$pid) {
        open STDERR, '>>', "$dir/log";
        exec "$out/dom0-tools/socle-stored", '--no-domains', '--socket', $path, '--pid-file', "$dir/pid", @more or exit 1;
    }
    my $until = time + 300;
    until (-s "$dir/pid") {
        die "socle-stored does not start\n" if waitpid($pid, WNOHANG) > 0 || time > $until;
        sleep 0.01;
    }
}

# What a client prints, both streams.
sub ask {
    my (@command) = @_;
    local $ENV{XENSTORED_PATH} = $path;
    my $quoted = join ' ', map { "'$_'" } @command;
    my $text = `timeout 300 $quoted 2>&1`;
    return $text;
}

start();
is(ask(qw(xenstore-write /a/b hello /a/c/d 2)), '', 'write');
is(ask(qw(xenstore-read /a/b)), "hello\n", 'read');
is(ask(qw(xenstore-read -p /a/b /a/c/d)), "/a/b: hello\n/a/c/d: 2\n", 'read several');
is(ask(qw(xenstore-list /a)), "b\nc\n", 'list');
is(ask(qw(xenstore-ls /a)), "b = \"hello\"\nc = \"\"\n d = \"2\"\n", 'ls');
like(ask(qw(xenstore-read /none)), qr/couldn't read path \/none/, 'a node that is not there');
is(ask(qw(xenstore-exists /a/b)), '', 'exists');
is(ask(qw(xenstore-chmod /a n5 r6)), '', 'chmod');
like(ask(qw(xenstore-ls -p -f /)), qr{^/a = ""\s+\(n5,r6\)$}m, 'permissions');
is(ask(qw(xenstore-chmod -r /a b0)), '', 'chmod below');
is(ask(qw(xenstore-rm /a/c)), '', 'rm');
is(ask(qw(xenstore-ls -f /a)), qq{/a/b = "hello"\n}, 'and gone it is');
{
    local $ENV{XENSTORED_PATH} = $path;
    open my $watch, '-|', 'timeout', 300, 'xenstore-watch', '-n', 3, '/w' or die;
    is(scalar <$watch>, "/w\n", 'watch: at once');
    ask(qw(xenstore-write /w/x 1));
    is(scalar <$watch>, "/w/x\n", 'watch: a change');
    ask(qw(xenstore-rm /w));
    is(scalar <$watch>, "/w\n", 'watch: a removal');
    close $watch;
}
ask('xenstore-write', map { ("/many/a-node-with-a-long-name-$_", $_) } 1 .. 300);
is(() = ask(qw(xenstore-list /many)) =~ /^a-node/mg, 300, 'a directory of more than a message');

# ---- by hand ----

sub client {
    my $s = IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => $path) or die "$path: $!";
    $s->autoflush(1);
    return $s;
}

sub message {
    my ($type, $payload, $tx) = @_;
    return pack('V4', $type, 9, $tx // 0, length $payload) . $payload;
}

# type and payload of the next message, () when the connection has ended or nothing comes
sub answer {
    my ($s) = @_;
    my $data = '';
    my $want = 16;
    while (length $data < $want) {
        IO::Select->new($s)->can_read(20) or return ();
        sysread($s, $data, $want - length $data, length $data) or return ();
        $want = 16 + unpack('x12 V', $data) if length $data == 16;
    }
    return (unpack('V', $data), substr $data, 16);
}

my ($READ, $WATCH, $WRITE, $ERROR, $EVENT) = (2, 4, 11, 16, 15);
my $good = client();
sub is_served {
    my ($what) = @_;
    syswrite $good, message($READ, "/a/b\0");
    is_deeply([answer($good)], [$READ, 'hello'], "$what: others are served");
}

sub control {
    syswrite $good, message(0, join '', map { "$_\0" } @_);
    return (answer($good))[1];
}

my $s = client();
syswrite $s, $_ for split //, message($READ, "/a/b\0");
is_deeply([answer($s)], [$READ, 'hello'], 'byte by byte');
syswrite $s, message($READ, "/a/b\0") x 100;
is(scalar(grep { (answer($s))[1] eq 'hello' } 1 .. 100), 100, 'a hundred at once');
syswrite $s, message(99, 'x' x 4096);
is_deeply([answer($s)], [$ERROR, "ENOSYS\0"], 'an unknown request');
syswrite $s, pack('V4', $READ, 0, 0, 4097);
is_deeply([answer($s)], [], 'a message that is too long ends the connection');
is_served('too long');
$s = client();
syswrite $s, pack('V4', $WRITE, 0, 0, 100) . 'half';
close $s;
is_served('half a message');

# One that asks and never reads: it stops being read, and everybody else is served.
$s = client();
$s->blocking(0);
my ($sent, $data) = (0, message($READ, "/a/b\0") x 1000);
for (1 .. 2000) {
    my $n = syswrite $s, $data or last;
    $sent += $n;
}
cmp_ok($sent, '<', 40 << 20, 'one that never reads cannot go on asking');
is_served('never reads');
like(control('info'), qr/bytes queued +(\d{1,6})$/m, 'and not much waits for it');
close $s;

# One that watches and never reads, while another writes new nodes.
$s = client();
syswrite $s, message($WATCH, "/\0t\0");
syswrite $good, message($WRITE, "/flood/$_\0x") for 1 .. 3000;
is(scalar(grep { (answer($good))[0] == $WRITE } 1 .. 3000), 3000, 'one that watches and never reads');
is_served('never reads its events');
close $s;

my @many = map { client() } 1 .. 200;
syswrite $_, message($READ, "/a/b\0") for @many;
is(scalar(grep { (answer($_))[1] eq 'hello' } @many), 200, 'two hundred clients');
undef @many;

# ---- killed, and started again ----

my $before = ask(qw(xenstore-ls -f -p /a));
my $writer = fork // die $!;
if (!$writer) { # until it is cut off
    my $w = client();
    for (my $i = 1;; $i++) {
        syswrite $w, message($WRITE, "/count\0$i") or exit;
        my @got = answer($w) or exit;
        open my $fh, '>', "$dir/count.new";
        print $fh $i;
        close $fh;
        rename "$dir/count.new", "$dir/count";
    }
}
sleep 0.01 until -s "$dir/count";
for my $round (1 .. 3) {
    sleep 0.2;
    kill 'KILL', $pid;
    waitpid $pid, 0;
    start();
    is(ask(qw(xenstore-ls -f -p /a)), $before, "killed ($round): the tree is there");
}
kill 'KILL', $writer;
waitpid $writer, 0;
open my $fh, '<', "$dir/count";
my $answered = <$fh> // 0;
my $kept = ask(qw(xenstore-read /count)) + 0;
cmp_ok($answered, '>', 0, 'killed: there was a write');
ok($kept == $answered || $kept == $answered + 1, "killed: what was answered was kept ($answered, $kept)");
$good = client();
is_served('killed');
open $fh, '+<', "$dir/state";
sysseek $fh, 20, 0;
kill 'KILL', $pid;
waitpid $pid, 0;
syswrite $fh, 'damage';
close $fh;
start();
like(`cat $dir/log`, qr/^socle-stored: \S+: what it has makes no sense; the store is empty\n\z/, 'a damaged file: told');
ok(-s "$dir/state.bad", 'and kept');
unlink "$dir/log";
is(ask(qw(xenstore-write /a/b hello)), '', 'a damaged file: goes on');
$good = client();

like(control('check'), qr/consistent/, 'the tree is still consistent');
kill 'TERM', $pid;
waitpid $pid, 0;
is($?, 0, 'SIGTERM ends it');
undef $pid;
ok(!-e $path, 'and the socket goes');
ok(!-s "$dir/log", 'nothing to complain of') or diag `cat $dir/log`;
start();
is(ask(qw(xenstore-read /a/b)), "hello\n", 'stopped and started: the tree is there');
kill 'TERM', $pid;
waitpid $pid, 0;
start('--no-state');
like(ask(qw(xenstore-read /a/b)), qr/couldn't/, '--no-state: an empty store');
kill 'TERM', $pid;
waitpid $pid, 0;
undef $pid;
for (['--nonsense'], ['x'], ['--socket']) {
    is(system("$out/dom0-tools/socle-stored @$_ 2>/dev/null") >> 8, 2, "usage: @$_");
}
is(system("$out/dom0-tools/socle-stored --no-domains --socket /no/such/folder/s 2>/dev/null") >> 8, 1, 'no socket, no daemon');

# ---- in the background ----

my $daemon = "timeout 600 $out/dom0-tools/socle-stored --no-domains --no-state --daemon --socket $path --pid-file $dir/bg";
is(system("$daemon >$dir/out 2>&1"), 0, '--daemon: who starts it comes back');
is(ask(qw(xenstore-write /a/b 1)), '', 'when it is ready');
open $fh, '<', "$dir/bg";
chomp(my $bg = readline $fh);
like(readlink "/proc/$bg/exe", qr/socle-stored$/, 'its pid is in the file');
is(readlink "/proc/$bg/fd/2", '/dev/null', 'it has let go of what is ours');
is(system("$daemon 2>$dir/err") >> 8, 1, 'another one does not start');
like(`cat $dir/err`, qr/^socle-stored: \S+bg: Device or resource busy\n\z/, 'and says why');
is(ask(qw(xenstore-read /a/b)), "1\n", 'the first one goes on');
kill 'TERM', $bg;
my $patience = time + 300;
sleep 0.01 while kill(0, $bg) && -e "/proc/$bg/exe" && time < $patience;
is(system("$daemon >$dir/out 2>&1"), 0, 'when it has ended, another one starts');
open $fh, '<', "$dir/bg";
chomp($bg = readline $fh);
kill 'TERM', $bg;
remove_tree($dir);
done_testing;
