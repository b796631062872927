#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# A machine or a configuration that cannot work: is there one clear line that says why, and then what
# the command line asked for?
use strict;
use warnings;
use FindBin;
use File::Path qw(make_path);
use lib "$FindBin::Bin/..";
use Boot;
use Test::More;

my $out = $ENV{O} || 'build';
my $hello = "$out/guests/hello.elf";

sub file {
    my ($name, $content) = @_;
    make_path("$out/tests/boot");
    open my $fh, '>:raw', "$out/tests/boot/$name" or die $!;
    print $fh $content;
    close $fh;
    return "$out/tests/boot/$name";
}

sub read_file {
    local $/;
    open my $fh, '<:raw', $_[0] or die "$_[0]: $!";
    return <$fh>;
}

my $elf = read_file($hello);
my @cases = ( # name, what is said, how to boot
    ['no module', qr/no module/, modules => [], until => undef], # this one sees the reset
    ['text for a kernel', qr/domain 0 .*ELF/, modules => [file('text', "hello\n" x 100)]],
    ['half a kernel', qr/domain 0 /, modules => [file('half', substr($elf, 0, 8192))]],
    ['a 32-bit kernel', qr/domain 0 /, modules => [file('elf32', $elf =~ s/^(....)\x02/$1\x01/sr)]],
    ['a bzImage', qr/domain 0 .*bzImage/, modules => [file('bzimage', "\0" x 0x202 . 'HdrS' . "\0" x 512)]],
    ['a kernel without notes', qr/domain 0 /, modules => [file('plain', $elf =~ s/Xen\0/Yen\0/gr)]],
    ['too little for dom0', qr/too little memory/, modules => [$hello], options => 'dom0_mem=1M'],
    ['a CPU without PAT', qr/lacks .*PAT/, cpu => 'qemu64,-pat', modules => [$hello]],
);

for (@cases) {
    my ($name, $says, %how) = @$_;
    my $boot = Boot::run(name => "refusal-$name" =~ tr/ /-/r, until => qr/rebooting in \d/, %how);

    is(scalar(grep { $_ =~ $says } $boot->hypervisor_lines), 1, "$name: said once") or diag $boot->hypervisor_lines;
    ok(!grep({ /panic/ } $boot->hypervisor_lines), "$name: no panic");
    ok(!$boot->ended, "$name: is about to reboot");
}

my $boot = Boot::run(name => 'refusal-noreboot', options => 'noreboot', until => qr/halted/, linger => 8);
ok($boot->has(qr/no module/) && $boot->has(qr/halted/), 'noreboot: halts');
ok($boot->{lingered}, 'noreboot: and stays');

for (['qemu32', qr/no 64-bit mode/], ['qemu64,-nx', qr/NX/]) {
    my $early = Boot::run(name => "refusal-$_->[0]", cpu => $_->[0], modules => [$hello], until => $_->[1]);
    ok($early->has($_->[1]), "$_->[0]: says what is missing");
}

$boot = Boot::run(name => 'refusal-options', modules => ["$hello once"],
                  options => 'nonsense=1 com2=7baud maxcpus=0 sched=lottery no-noreboot');
ok($boot->has(qr/unknown option: nonsense/), 'an unknown option is named');
ok($boot->has(qr/com2=7baud is not understood/), 'so is a bad serial line');
ok($boot->has(qr/out of range: maxcpus/), 'and a number out of range');
ok($boot->has(qr/sched=lottery/), 'and an unknown scheduler');
ok($boot->has(qr/^hello from/), 'and all of them are survived');
done_testing;
