#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# Does it come up on every kind of machine that QEMU makes, with all CPUs, and go down again?
# Every pair of two properties occurs in one boot at least; with FULL=1, every combination does.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Boot;
use Test::More;

my $hello = ($ENV{O} || 'build') . '/guests/hello.elf';
my @cpus = qw(qemu64 Haswell-noTSX EPYC max);
my @smps = (1, 2, 4, 8);
my @memories = (128, 512, 4096, 20480);
my @machines;

# A Latin square of CPU models, numbers and memory; the orthogonal one halved for the machine.
for my $i (0 .. 3) {
    for my $j (0 .. 3) {
        push @machines, [$cpus[$i], ($i ^ $j) & 1 ? 'q35' : 'pc', $smps[$j], $memories[$i ^ times2($j)]];
    }
}
@machines = map { my $m = $_; map { my $smp = $_; map { my $memory = $_;
    map { [$_, $m, $smp, $memory] } @cpus } @memories } @smps } qw(pc q35) if $ENV{FULL};

# j times 2 in the field of four elements, so that i ^ j and i ^ 2j make orthogonal squares.
sub times2 { (0, 2, 3, 1)[$_[0]] }

for (@machines) {
    my ($cpu, $machine, $smp, $memory) = @$_;
    my $boot = Boot::run(name => "machine-$cpu-$machine-$smp-$memory", cpu => $cpu, machine => $machine,
                         smp => $smp, memory => $memory, modules => ["$hello once"],
                         options => join ' ', $memory > 512 ? 'dom0_mem=128M' : (), # to touch less of ours
                                              $cpu eq 'max' ? 'smap=1' : ());
    my $name = "$cpu, $machine, $smp CPUs, $memory MiB";
    my $usable = $memory - 1; # firmware has its part

    ok($boot->has(qr/^\(socle\) CPUs: $smp$/), "$name: all CPUs run");
    ok($boot->has(qr/^\(socle\) memory: (?:$memory|$usable) MiB/), "$name: all memory is there");
    ok($boot->has(qr/processors +$smp,/), "$name: dom0 has as many vcpus");
    ok($boot->has(qr/^\(socle\) audit: ok/), "$name: counts are right at the end");
    ok(!$boot->ended, "$name: it powers off") or diag $boot->ended;
}
done_testing;
