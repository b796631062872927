#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# The hypervisor's own page tables while a guest runs, as QEMU's monitor lists them: nothing is writable
# and executable, no code is writable under any address, and of all of it the guest may read the
# machine-to-phys table alone.
use strict;
use warnings;
no warnings "portable"; # 64-bit numbers
use FindBin;
use IPC::Open2;
use Test::More;

chdir "$FindBin::Bin/../..";
my $out = $ENV{O} || 'build';
my ($start, $end) = (0xffff800000000000, 0xffff880000000000);
my $m2p_end = 0xffff808000000000;

my $log = "$out/log/mappings.log";
unlink $log;
my $pid = open2(my $from, my $to, $ENV{QEMU} || 'qemu-system-x86_64',
                qw(-cpu max -smp 2 -m 512 -display none -no-reboot -net none -monitor stdio -kernel),
                "$out/socle", '-serial', "file:$log", '-initrd', "$out/guests/hello.elf", '-append', 'console=com1');
local $SIG{ALRM} = sub { kill 'KILL', $pid; die "QEMU does not answer\n" };
alarm 1800;

# One answer of the monitor: all lines up to the marker, which is no command.
sub ask {
    my @lines;

    print $to "$_[0]\nmark\n";
    $to->flush;
    while (<$from>) {
        last if /unknown command: 'mark'/;
        push @lines, $_;
    }
    return @lines;
}

sub said {
    my ($what) = @_;

    open my $fh, '<', $log or return 0;
    local $/;
    return (<$fh> // '') =~ $what;
}

sub hypervisor_entries {
    return grep { $_->{va} >= $start && $_->{va} < $end } map {
        /^\s*([0-9a-f]{16}): ([0-9a-f]{16}) (\S{9})/ ? {va => hex $1, pa => hex $2, flags => $3} : ()
    } ask('info tlb');
}

# dom0 waits for input, and nothing changes any more.
sleep 1 until said(qr/^> /m);
my ($before, @entries) = ('');
for (my $now = 'none'; $now ne $before;) {
    sleep 1;
    $before = $now;
    @entries = hypervisor_entries();
    $now = join ' ', map { %$_{qw(va pa flags)} } @entries;
}
print $to "q\n";
close $to;
waitpid $pid, 0;

sub writable { $_[0]{flags} =~ /W/ }
sub executable { $_[0]{flags} !~ /X/ }    # QEMU shows the bit that forbids it
sub users { $_[0]{flags} =~ /U/ }
sub list { map { sprintf "%x -> %x %s", @$_{qw(va pa flags)} } @_ }

my @code = grep { executable($_) } @entries;
my %is_code = map { $_->{pa} => 1 } @code;
my @both = grep { writable($_) && executable($_) } @entries;
my @alias = grep { writable($_) && $is_code{$_->{pa}} } @entries;
my @wrong = grep { users($_) && (writable($_) || executable($_) || $_->{va} >= $m2p_end) } @entries;

cmp_ok(scalar @entries, '>', 100, 'the tables can be read');
cmp_ok(scalar @code, '>', 10, 'there is code');
is(scalar @both, 0, 'nothing is writable and executable') or diag list(@both);
is(scalar @alias, 0, 'no code is writable at another address') or diag list(@alias);
is(scalar @wrong, 0, 'guests see the machine-to-phys table only, and cannot write it') or diag list(@wrong);
cmp_ok(scalar(grep { users($_) } @entries), '>', 0, 'which they do see');
done_testing;
