#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# Does it come up on every kind of machine that QEMU makes, with all CPUs, and go down again?
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Boot;
use Test::More;

my $hello = ($ENV{O} || 'build') . '/guests/hello.elf';
my @machines = ( # CPU model, machine, CPUs, memory
    [qw(qemu64        pc  1 128)],
    [qw(qemu64        q35 8 512)],
    [qw(qemu64        pc  2 20480)],
    [qw(Haswell-noTSX pc  4 256)],
    [qw(Haswell-noTSX q35 1 3072)],
    [qw(EPYC          q35 2 1024)],
    [qw(EPYC          pc  8 128)],
    [qw(max           q35 4 20480)],
    [qw(max           pc  1 4096)],
);

for (@machines) {
    my ($cpu, $machine, $smp, $memory) = @$_;
    my $boot = Boot::run(name => "machine-$cpu-$machine-$smp-$memory", cpu => $cpu, machine => $machine,
                         smp => $smp, memory => $memory, modules => ["$hello once"],
                         options => $memory > 4096 ? 'dom0_mem=256M' : ''); # to touch less of ours
    my $name = "$cpu, $machine, $smp CPUs, $memory MiB";

    ok($boot->has(qr/^\(socle\) CPUs: $smp$/), "$name: all CPUs run");
    ok($boot->has(qr/^\(socle\) memory: $memory MiB/), "$name: all memory is there");
    ok($boot->has(qr/processors +$smp,/), "$name: dom0 has as many vcpus");
    ok($boot->has(qr/^\(socle\) audit: ok/), "$name: counts are right at the end");
    ok(!$boot->ended, "$name: it powers off") or diag $boot->ended;
}
done_testing;
