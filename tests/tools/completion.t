#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# Completion for bash: offers what `socle help` tells of each command. There are domains to be offered because bash
# is told so.
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Path qw(make_path remove_tree);
use Test::More;

my $out = abs_path($ENV{O} || 'build');
my $home = abs_path('.');
my $tool = "$out/dom0-tools/socle";
my $dir = "$out/tests/tools/completion";
plan skip_all => 'needs bash' if !grep { -x "$_/bash" } split /:/, $ENV{PATH};

remove_tree($dir);
make_path("$dir/folder");
for ('guest.json', 'other.cfg') {
    open my $fh, '>', "$dir/$_" or die "$dir/$_: $!\n";
}

open my $fh, '>', "$dir/ask" or die $!;
print $fh <<"END";
socle() {
    if [ "\$1" = list ]; then
        printf 'Name ID\\nDomain-0 0\\nweb 1\\nwatch 2\\n'
    elif [ "\$1" = cpupool-list ]; then
        printf 'Name CPUs\\nPool-0 1\\nside 1\\n'
    else
        $tool "\$@"
    fi
}
. $home/dom0-tools/completion/socle.bash
COMP_WORDS=("\$@")
COMP_CWORD=\$((\$# - 1))
_socle 2>&1
printf '%s\\n' "\${COMPREPLY[\@]}"
END
close $fh;

# What is offered when the last of these words is being typed.
sub offers {
    my @words = @_;
    my $pid = open(my $from, '-|') // die $!;
    if (!$pid) {
        chdir $dir;
        exec 'bash', "$dir/ask", @words or die $!;
    }
    my @offers = sort map { chomp $_; length ? $_ : () } readline $from;
    return "@offers";
}

my @commands = map { /^  (\S+)/ ? $1 : () } `$tool help`;
my $all = 'Domain-0 watch web';

is(offers('socle', ''), join(' ', sort @commands), 'all commands');
is(offers('socle', 'mem-'), 'mem-max mem-set', 'some commands');
for my $command (@commands) {
    my $help = `$tool help $command`;
    my @options = sort $help =~ /^  -., (--[a-z-]+)/mg;
    my $first = $help =~ /^usage: socle \S+ (?:\[-[^\]]*\] ?)*\[*(DOMAIN|FILE|COMMAND|POOL)?/ ? $1 // '' : '';

    is(offers('socle', $command, '-'), "@options", "$command: options");
    is(offers('socle', $command, ''), {DOMAIN => $all, POOL => 'Pool-0 side', FILE => 'ask folder guest.json other.cfg', COMMAND => join(' ', sort @commands),
                                       '' => ''}->{$first}, "$command: arguments");
}
is(offers('socle', 'pause', 'w'), 'watch web', 'names that begin so');
is(offers('socle', 'pause', 'web', ''), '', 'one is enough');
is(offers('socle', 'shutdown', 'web', ''), $all, 'or there may be more');
is(offers('socle', 'shutdown', '--wait', ''), $all, 'options are no arguments');
is(offers('socle', 'shutdown', '--timeout', ''), '', 'a number is not offered');
is(offers('socle', 'shutdown', '-t', '5', ''), $all, 'nor is it an argument');
is(offers('socle', 'sched', '--domain', 'we'), 'web', 'a domain is, after an option');
is(offers('socle', 'trigger', 'web', ''), 'init nmi power reset sleep', 'words');
is(offers('socle', 'vcpu-pin', 'web', 'a'), 'all', 'one word');
is(offers('socle', 'cpupool-migrate', 'web', 's'), 'side', 'a pool');
is(offers('socle', 'crea', 'g'), 'guest.json', 'a command that was cut short');
is(offers('socle', 'frobnicate', ''), '', 'a command that is none');
remove_tree($dir);
done_testing;
