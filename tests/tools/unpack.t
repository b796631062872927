#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# socle-unpack as its users see it: every format as the command line compressors write it, and the
# kernel of a distribution if there is one; what it says of bad files; what it leaves on the disk.
use strict;
use warnings;
use File::Path qw(make_path remove_tree);
use Test::More;

my $out = $ENV{O} || 'build';
my $tool = "$out/dom0-tools/socle-unpack";
my $dir = "$out/tests/tools/unpack";
my $elf = "$out/guests/hello.elf";

remove_tree($dir);
make_path($dir);

sub slurp {
    local $/;
    open my $fh, '<:raw', $_[0] or return undef;
    return <$fh> // '';
}

sub file {
    my ($name, $content) = @_;
    open my $fh, '>:raw', "$dir/$name" or die "$dir/$name: $!";
    print $fh $content;
    close $fh or die $!;
    return "$dir/$name";
}

# exit status, standard output, standard error
sub run {
    my $rc = system("$tool @_ >$dir/stdout 2>$dir/stderr </dev/null");
    return ($rc & 127 ? "signal $rc" : $rc >> 8, slurp("$dir/stdout"), slurp("$dir/stderr"));
}

# The smallest thing that is a bzImage around this payload.
sub bzimage {
    my ($payload, %o) = @_;
    my $head = "\0" x 1536;

    substr($head, 0x1f1, 1) = "\2";
    substr($head, 0x1fe, 2) = "\x55\xaa";
    substr($head, 0x202, 6) = "HdrS" . pack('v', $o{protocol} // 0x20f);
    substr($head, 0x248, 8) = pack('VV', 64, $o{length} // length $payload);
    return $head . "\0" x 64 . $payload . "\0" x 100;
}

my $plain = slurp($elf);
my %by = (
    gzip => 'gzip -9c', bzip2 => 'bzip2 -9c', xz => 'xz -c --check=crc32 --x86 --lzma2=dict=32MiB',
    lzma => 'xz -c --format=lzma', lzo => 'lzop -9c', lz4 => 'lz4 -qc -9', 'lz4 (legacy)' => 'lz4 -qlc -9',
    zstd => 'zstd -qc -22 --ultra',
);

for my $format (sort keys %by) {
    my $packed = `$by{$format} $elf`;
    my $size = pack 'V', length $plain;
    my $bare = file('bare', $packed);
    my $image = file('image', bzimage($packed . $size));

    is_deeply([run($bare, '-o', '-')], [0, $plain, ''], "$format: a file of its own");
    is_deeply([run($image, '-o', "$dir/elf")], [0, '', ''], "$format: in a bzImage");
    is(slurp("$dir/elf"), $plain, "$format: the same bytes");
    my ($rc, $told) = run('--info', '--json', $image);
    like($told, qr/"container": "bzImage".*"format": "\Q$format\E".*"pv": true/s, "$format: told so");
    my $cut = file('cut', bzimage(substr($packed, 0, length($packed) / 2)));
    my @got = run($cut, '-o', "$dir/none");
    like($got[2], qr/^socle-unpack: \Q$cut\E: [^\n]+\n\z/, "$format: half of it: one line");
    ok($got[0] == 1 && !-e "$dir/none", "$format: half of it: nothing written");
}
is_deeply([run($elf, '-o', '-')], [0, $plain, ''], 'an ELF file is written as it is');

my $large = file('large', "\177ELF\2\1\1" . join('', map { chr($_ * $_ % 251) x 4096 } 1 .. 5000));
for my $format (sort keys %by) { # several blocks
    system("$by{$format} $large >$dir/packed");
    is((run("$dir/packed", '-o', "$dir/elf"))[0], 0, "$format: 20 MB");
    is(system('cmp', '-s', $large, "$dir/elf"), 0, "$format: the same bytes");
}

# ---- what it says ----

my ($rc, $text) = run('--info', $elf);
like($text, qr/^format +ELF\n/m, '--info: format');
like($text, qr/^elf-size +@{[length $plain]}\n/m, '--info: size');
like($text, qr/^virt-base +0x[0-9a-f]+\n/m, '--info: notes');
my $odd = file('od"d\\', $plain);
SKIP: {
    ($rc, $text) = run('--info', '--json', "'$odd'");
    skip 'no JSON::PP', 2 if !eval { require JSON::PP };
    my $json = eval { JSON::PP::decode_json($text) };
    is($json->{file}, $odd, '--json: any file name');
    is($json->{'file-size'}, length $plain, '--json: numbers');
}
my $foreign = file('foreign', "\177ELF" . "\1" x 100);
like((run('--info', $foreign))[1], qr/^pv +no\npv-refused +\S/m, '--info: no kernel for a domain');

my @bad = (
    [file('empty', ''), qr/is empty/],
    [file('text', "hello\n" x 500), qr/neither a bzImage/],
    [file('old', bzimage($plain, protocol => 0x207)), qr/boot protocol 2\.07/],
    [file('long', bzimage($plain, length => 1 << 30)), qr/outside of the file/],
    [file('other', bzimage("hello\n" x 100)), qr/unknown format/],
    ["$dir/missing", qr/No such file/],
    [$dir, qr/directory/i],
);
system("echo hello | gzip >$dir/hello.gz");
push @bad, ["$dir/hello.gz", qr/no ELF file/];
for (@bad) {
    my ($file, $why) = @$_;
    my @got = run($file, '-o', "$dir/none");

    like($got[2], qr/^socle-unpack: \Q$file\E: [^\n]*$why[^\n]*\n\z/, "$file: $why");
    ok($got[0] == 1 && !-e "$dir/none", "$file: exit status, no output");
}
for ('', $elf, "$elf -o", "$elf -o x y", "$elf -o x --info", "$elf --json -o x", '--nonsense', "--info") {
    my @got = run($_);
    is("$got[0] $got[1]", '2 ', "usage: $_");
    like($got[2], qr/usage: socle-unpack/, "usage: $_: told");
}
like((run('--help'))[1], qr/^usage/, '--help');
like((run('--version'))[1], qr/^socle-unpack \d/, '--version');

# ---- what it leaves ----

my $kept = file('kept', 'as before');
run(file('torn', substr(bzimage($plain), 0, 3000)), '-o', $kept);
is(slurp($kept), 'as before', 'a failure leaves the old file');
umask 022;
run($elf, '-o', $kept);
is(slurp($kept), $plain, 'success replaces it');
is(sprintf('%o', (stat $kept)[2] & 07777), '644', 'with the usual mode');
symlink 'kept', "$dir/link";
file('kept', 'old');
run($elf, '-o', "$dir/link");
ok(-l "$dir/link" && slurp($kept) eq $plain, 'a link stays one');
is((run($elf, '-o', '/dev/null'))[0], 0, 'a device is written to');
ok(-c '/dev/null', 'and stays one');
my @got = run($elf, '-o', "$dir/no/such/folder");
is($got[0], 1, 'a folder that is missing');
like($got[2], qr{^socle-unpack: \Q$dir\E/no/such/folder: No such file or directory\n\z}, 'told');
@got = run($elf, '-o', '/dev/full');
is_deeply([@got[0, 2]], [1, "socle-unpack: /dev/full: No space left on device\n"], 'a full disk');
is(join(' ', map { s{.*/}{}r } glob "$dir/*.??????"), '', 'no temporary file is left');

# ---- the real thing ----

for my $kernel (grep { -r } glob '/boot/vmlinuz-*-amd64 /opt/ref/linux/x/boot/vmlinuz-*-amd64') {
    is_deeply([run($kernel, '-o', "$dir/vmlinux")], [0, '', ''], $kernel);
    like((run('--info', "$dir/vmlinux"))[1], qr/^pv +yes$/m, "$kernel: is one for domains");
}
remove_tree($dir);
done_testing;
