# SPDX-License-Identifier: MIT
# One boot of the hypervisor in QEMU: what came over the serial line, and what to make of it.
#
# Lines of the hypervisor begin with "(socle) ", of other domains than dom0 with "(dN) "; everything
# else is dom0's, raw.
package Boot;
use strict;
use warnings;
use File::Path qw(make_path);
use IO::Select;
use POSIX qw(:sys_wait_h);
use Time::HiRes qw(time sleep);

# run(name => ..., modules => [...], smp, memory, cpu, machine, options, qemu => [...], timeout,
#     kernel ('': none), input => [[after-this-pattern, text], ...]): boots, waits for the end, returns a Boot.
sub run {
    my ($class, %o) = @_ % 2 ? @_ : (__PACKAGE__, @_);
    my $out = $ENV{O} || 'build';
    my $self = bless {name => $o{name}, lines => [], timeout => $o{timeout} || 90}, $class;
    my @modules = @{$o{modules} || []};
    my @command = (
        $ENV{QEMU} || 'qemu-system-x86_64',
        '-machine', $o{machine} || 'pc', '-cpu', $o{cpu} || 'qemu64', '-m', $o{memory} || 512,
        '-smp', $o{smp} || 1, qw(-display none -serial stdio -monitor none -no-reboot -net none),
        @{$o{qemu} || []});
    my $kernel = $o{kernel} // $ENV{SOCLE} // "$out/socle-debug";

    push @command, '-kernel', $kernel, '-append', "console=com1 com1=115200,8n1 " . ($o{options} // '') if $kernel;
    push @command, '-initrd', join(',', map { s/,/,,/gr } @modules) if @modules;

    make_path("$out/log");
    open my $log, '>', "$out/log/$o{name}.log" or die "$out/log/$o{name}.log: $!\n";
    $log->autoflush(1);
    print $log '# ', join(' ', map { /[^\w.,\/=-]/ ? "'$_'" : $_ } @command), "\n";
    pipe(my $in_r, my $in_w) && pipe(my $out_r, my $out_w) or die "pipe: $!\n";
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        open STDIN, '<&', $in_r;
        open STDOUT, '>&', $out_w;
        open STDERR, '>&', $log;
        close $_ for $in_w, $out_r;
        exec @command or POSIX::_exit(127);
    }
    close $_ for $in_r, $out_w;
    $in_w->autoflush(1);
    local $SIG{PIPE} = 'IGNORE';
    $self->_collect($pid, $out_r, $log, $in_w, @{$o{input} || []});
    return $self;
}

sub _collect {
    my ($self, $pid, $from, $log, $to, @input) = @_;
    my $end = time + $self->{timeout};
    my ($text, $seen) = ('', '');

    while (1) {
        my $left = $end - time;
        my $n = $left > 0 && IO::Select->new($from)->can_read($left) ? sysread($from, my $new, 65536) : undef;
        if (!defined $n) {
            $self->{ended} = "no end within $self->{timeout} s";
            kill 'KILL', $pid;
            last;
        }
        last if !$n;
        $new =~ s/\r//g;
        print $log $new;
        $text .= $new;
        $seen .= $new;
        while (@input && $seen =~ /$input[0][0]/g) {
            $seen = substr($seen, pos $seen);
            print $to $input[0][1];
            shift @input;
        }
    }
    waitpid $pid, 0;
    $self->{status} = $?;
    $self->{ended} //= "QEMU ended with status " . ($? >> 8) . " signal " . ($? & 127) if $?;
    $self->{lines} = [split /\n/, $text];
}

sub lines { @{$_[0]{lines}} }
sub hypervisor_lines { map { /^\(socle\) (.*)/ ? $1 : () } $_[0]->lines }
sub guest_lines { grep { !/^\((?:socle|d\d+)\) / } $_[0]->lines }
sub ended { $_[0]{ended} }
sub has { my ($self, $re) = @_; scalar grep { $_ =~ $re } $self->lines }

# dom0's TAP as {ok, name, skip, notes}; the comments before a failure are its notes.
sub results {
    my ($self) = @_;
    my (@results, @notes);

    for ($self->guest_lines) {
        if (/^(not )?ok\b\s*\d*\s*-?\s*(.*?)(?:\s*#\s*SKIP\b\s*(.*))?$/i) {
            push @results, {ok => !$1, name => $2, skip => $3, notes => [@notes]};
            @notes = ();
        } elsif (/^#\s?(.*)/) {
            push @notes, $1;
        }
    }
    return @results;
}

# What else must be true of a boot whose dom0 printed TAP.
sub verdicts {
    my ($self) = @_;
    my $count = () = $self->results;
    my ($plan) = map { /^1\.\.(\d+)/ ? $1 : () } $self->guest_lines;
    my @bail = grep { /^Bail out!/ } $self->guest_lines;
    my @hv = $self->hypervisor_lines;
    my @bad = grep { /^panic|\bBUG\b|audit: FAILED|lock order/ } @hv;
    my @last = @hv > 12 ? @hv[-12 .. -1] : @hv;

    return ({ok => defined $plan && $plan == $count && !@bail, name => 'all tests ran',
             notes => [@bail, 'planned ' . ($plan // 'nothing') . ", saw $count"]},
            {ok => !@bad && !$self->ended, name => 'the hypervisor survived',
             notes => [$self->ended // (), @bad, @last]},
            {ok => !!grep({ /^audit: ok/ } @hv), name => 'the auditor agrees',
             notes => [grep { /audit/ } @hv]});
}

1;
