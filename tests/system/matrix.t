#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# Stock Linux as dom0 on machines of all kinds: it finds its CPUs, memory, disk and network card, and data go
# through them unharmed. Each property of a machine occurs in a row at least; with FULL=1 each pair of two
# properties does.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Dom0;
use Test::More;

my @properties = (
    [machine => qw(pc q35)],
    [smp => 1, 2, 4],
    [memory => 512, 1024, 4096, 16384],
    [cpu => qw(qemu64 Haswell-noTSX EPYC max)],
    [boot => qw(kernel bios uefi)],
    [disk => qw(virtio ahci nvme)],
    [nic => qw(virtio-net-pci e1000 e1000e)],
    [suite => qw(stable backports)],
);
my @rows = (
    ['pc', 1, 512, 'qemu64', 'kernel', 'virtio', 'virtio-net-pci', 'stable'],
    ['q35', 2, 4096, 'Haswell-noTSX', 'uefi', 'ahci', 'e1000e', 'backports'],
    ['pc', 4, 1024, 'EPYC', 'bios', 'nvme', 'e1000', 'stable'],
    ['q35', 2, 16384, 'max', 'kernel', 'virtio', 'virtio-net-pci', 'backports'],
);
my %disk = (virtio => 'vda', ahci => 'sda', nvme => 'nvme0n1');
my %driver = ('virtio-net-pci' => 'virtio_net', e1000 => 'e1000', e1000e => 'e1000e');
my $mib = 4; # of data

@rows = all_pairs(@rows) if $ENV{FULL};
@rows = map { [split /,/] } split / /, $ENV{ROWS} if $ENV{ROWS}; # ROWS="pc,1,512,..." for one of interest
check_row(@$_) for @rows;
done_testing;

sub check_row {
    my ($machine, $smp, $memory, $cpu, $boot, $disk, $nic, $suite) = @_;
    my $name = join '-', @_;
    my ($image, $net) = map { "$Dom0::dir/$name.$_" } qw(disk net);
    my $sum = Dom0::make_data($image, $mib << 20, $name);
    my $net_sum = Dom0::make_data($net, 1 << 20, "net $name");
    my $dom0 = $memory > 2048 && !$ENV{FULL} ? 2048 : 0; # touches less of ours

    truncate $image, $mib << 21;
    my $b = Dom0::boot(
        name => $name, machine => $machine, smp => $smp, memory => $memory, cpu => $cpu, suite => $suite,
        scripts => ['devices'], programs => ['clock'], disk => [$disk, $image],
        nic => [$nic, "guestfwd=tcp:10.0.2.100:1000-cmd:cat $net", "guestfwd=tcp:10.0.2.100:1001-cmd:cat"],
        iso => $boot ne 'kernel', qemu => $boot eq 'uefi' ? ['-bios', '/usr/share/ovmf/OVMF.fd'] : [],
        options => $dom0 ? "dom0_mem=${dom0}M" : '',
        values => {smp => $smp, memory => $dom0 || $memory, disk_mib => $mib, disk_sum => $sum, net_sum => $net_sum,
                   disk => $disk{$disk}, nic_driver => $driver{$nic}});
    Dom0::report($b, $name);
    Dom0::check_warnings($b, $name);
    is(Dom0::sum_of($image, $mib << 20, $mib << 20), $sum, "$name: what was written is on the disk");
    unlink $image, $net, map { "$Dom0::dir/$name.$_" } qw(cpio iso);
}

# Adds rows until every pair of values of two properties is in one: each time the row, of some tried, that has
# most of the pairs still missing.
sub all_pairs {
    my @rows = @_;
    my %missing;

    for my $i (0 .. $#properties) {
        for my $j (0 .. $i - 1) {
            for my $v (@{$properties[$i]}[1 .. $#{$properties[$i]}]) {
                $missing{"$i $v $j $_"} = 1 for @{$properties[$j]}[1 .. $#{$properties[$j]}];
            }
        }
    }
    my $pairs = sub { my $r = shift; map { my $i = $_; map { "$i $r->[$i] $_ $r->[$_]" } 0 .. $i - 1 } 0 .. $#properties };
    delete @missing{$pairs->($_)} for @rows;
    srand 1;
    while (%missing) {
        my ($best, $most) = (undef, 0);
        my ($i, $v, $j, $w) = split / /, (sort keys %missing)[0];
        for (1 .. 100) {
            my @row = map { $_->[1 + int rand $#$_] } @properties;
            @row[$i, $j] = ($v, $w);
            my $n = grep { $missing{$_} } $pairs->(\@row);
            ($best, $most) = (\@row, $n) if $n > $most;
        }
        delete @missing{$pairs->($best)};
        push @rows, $best;
    }
    return @rows;
}
