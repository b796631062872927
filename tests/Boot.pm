# SPDX-License-Identifier: MIT
# One boot of the hypervisor in QEMU: what came over the serial line, and what to make of it.
#
# Lines of the hypervisor begin with "(socle) ", of other domains than dom0 with "(dN) "; everything
# else is dom0's, raw. Environment:
#   O     where the build is, and its log/ (default: build)
#   QEMU  another QEMU
#   HV    another hypervisor. With Xen there is no auditor, and dom0 must reboot for QEMU to end.
package Boot;
use strict;
use warnings;
use File::Path qw(make_path);
use IO::Select;
use Time::HiRes qw(time);

my $running; # QEMU's process group
my @unclear; # boots that did not end well or lacked what they were asked for
$SIG{$_} = sub { kill 'KILL', -$running if $running; exit 1 } for qw(INT TERM HUP);

# run(name => ..., modules => [...], smp, memory, cpu, machine, options, qemu => [...], timeout,
#     command (what to run, in place of QEMU with the above), kernel ('': none), foreign (it is not ours), network (it brings its own), input => [[after-this-pattern, text], ...],
#     until => pattern, linger => seconds): boots, waits for the end, or for the pattern, which is just as
# good, and if asked some seconds more, whether it ends after all (`lingered`, if not). Returns a Boot.
sub run {
    my (%o) = @_;
    my $out = $ENV{O} || 'build';
    my $self = bless {name => $o{name}, log => "$out/log/$o{name}.log", lines => [], timeout => $o{timeout} || 1800, until => $o{until}, linger => $o{linger},
                      foreign => $o{foreign} || !!$ENV{HV}};

    make_path("$out/log");
    open my $log, '>', $self->{log} or die "$self->{log}: $!\n";
    $log->autoflush(1);
    # Should we be gone, timeout(1) still ends QEMU.
    my @command = ('timeout', '--foreground', '-s', 'KILL', $self->{timeout} + 10,
                   $o{command} ? @{$o{command}} : command($out, %o));
    print $log '# ', join(' ', map { /[^\w.,\/=-]/ ? "'$_'" : $_ } @command), "\n";
    pipe(my $in_r, my $in_w) && pipe(my $out_r, my $out_w) or die "pipe: $!\n";
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        setpgrp;
        open STDIN, '<&', $in_r;
        open STDOUT, '>&', $out_w;
        open STDERR, '>&', $log;
        close $_ for $in_w, $out_r;
        exec @command or die "timeout: $!\n";
    }
    $running = $pid;
    close $_ for $in_r, $out_w;
    $in_w->autoflush(1);
    local $SIG{PIPE} = 'IGNORE';
    $self->_collect($pid, $out_r, $log, $in_w, @{$o{input} || []});
    undef $running;
    push @unclear, $self if $self->ended;
    return $self;
}

# The hypervisor's command line.
sub options {
    join ' ', 'console=com1 com1=115200,8n1 loglvl=all guest_loglvl=all', $_[0] // ();
}

sub command {
    my ($out, %o) = @_;
    my @modules = @{$o{modules} || []};
    my $kernel = $o{kernel} // $ENV{HV} // "$out/socle-debug";
    $modules[0] .= ' shutdown=reboot' if $ENV{HV} && @modules;
    return ($ENV{QEMU} || 'qemu-system-x86_64',
            '-machine', $o{machine} || 'pc', '-cpu', $o{cpu} || 'qemu64', '-m', $o{memory} || 512,
            '-smp', $o{smp} || 1, qw(-display none -serial stdio -monitor none -no-reboot), $o{network} ? () : qw(-net none),
            $kernel ? ('-kernel', $kernel, '-append', options($o{options})) : (),
            @modules ? ('-initrd', join(',', map { s/,/,,/gr } @modules)) : (),
            @{$o{qemu} || []});
}

sub _collect {
    my ($self, $pid, $from, $log, $to, @input) = @_;
    my $end = time + $self->{timeout};
    my ($text, $seen, $lingering, $enough) = ('', '');

    while (!$enough) {
        my $left = $end - time;
        my $n = $left > 0 && IO::Select->new($from)->can_read($left) ? sysread($from, my $new, 65536) : undef;
        if (!defined $n) {
            last if $self->{lingered} = $lingering;
            $self->{ended} = "no end within $self->{timeout} s";
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
        next if $lingering || !$self->{until} || $text !~ $self->{until};
        $enough = !$self->{linger};
        $end = time + $self->{linger} if $lingering = $self->{linger};
    }
    $enough ||= $self->{lingered};
    kill 'KILL', -$pid if $enough || $self->{ended};
    waitpid $pid, 0;
    $self->{ended} //= "QEMU ended with status " . ($? >> 8) . " signal " . ($? & 127) if $? && !$enough;
    $self->{lines} = [map { s/.*\e\[K//r } split /\n/, $text]; # as they look, what was erased is gone
}

sub lines { @{$_[0]{lines}} }
sub hypervisor_lines { map { /^\((?:socle|XEN)\) (.*)/ ? $1 : () } $_[0]->lines }
sub guest_lines { grep { !/^\((?:socle|XEN|d\d+)\) / } $_[0]->lines }

sub has {
    my ($self, $re) = @_;
    my $n = grep { $_ =~ $re } $self->lines;

    push @unclear, $self if !$n;
    return $n;
}

# Why it was not a regular end; undef if it was one.
sub ended { $_[0]{ended} }

# dom0's TAP as {ok, name, skip, notes}; the comments before a failure are its notes.
sub results {
    my ($self) = @_;
    my (@results, @notes);

    for ($self->guest_lines) {
        if (/^(not )?ok\b\s*\d*\s*-?\s*(.*?)(?:\s*#\s*SKIP\b\s*(.*))?$/i) {
            push @results, {ok => !$1, name => $2, skip => $3, notes => [folded(@notes)]};
            @notes = ();
        } elsif (/^#\s?(.*)/) {
            push @notes, $1;
        }
    }
    return @results;
}

# Lines of which each is there only once; those that differ in nothing but numbers are one.
sub folded {
    my (%count, @first);

    for (@_) {
        my $kind = s/0x[0-9a-f]+|\d+/0/gr;
        push @first, [$kind, $_] if !$count{$kind}++;
    }
    return map { $count{$_->[0]} > 1 ? "$_->[1] (and so on, $count{$_->[0]} times)" : $_->[1] } @first;
}

# The last lines of all, and what QEMU had to complain of.
sub tail {
    my ($self) = @_;

    open my $fh, '<', $self->{log} or return "$self->{log}: $!";
    my @lines = grep { /\S/ } map { chomp; s/.*\e\[K//r } readline $fh;
    return ('last on the console:', @lines > 15 ? @lines[-15 .. -1] : @lines);
}

# What else must be true of a boot whose dom0 printed TAP.
sub verdicts {
    my ($self) = @_;

    @unclear = grep { $_ != $self } @unclear;
    my $count = () = $self->results;
    my ($plan) = map { /^1\.\.(\d+)/ ? $1 : () } $self->guest_lines;
    my @bail = grep { /^Bail out!/ } $self->guest_lines;
    my @hv = $self->hypervisor_lines;
    my @bad = grep { /\bpanic\b|\bBUG\b|audit: FAILED|lock order/i } @hv;
    my $all = defined $plan && $plan == $count && !@bail;
    my @verdicts = (
        {ok => $all, name => 'all tests ran',
         notes => [@bail, 'planned ' . ($plan // 'nothing') . ", saw $count", $self->tail]},
        {ok => !@bad && !$self->ended, name => 'the hypervisor survived',
         notes => [$self->ended // (), @bad, $all ? $self->tail : ()]});

    push @verdicts, {ok => !!grep({ /^audit: ok/ } @hv), name => 'the auditor agrees',
                     notes => [grep({ /audit/ } @hv), 'without its lines the machine was reset before']} if !$self->{foreign};
    return @verdicts;
}

# If the test has failed by then, how those ended for which there are no verdicts.
END {
    my %seen;
    for my $boot ($? ? grep { !$seen{$_}++ } @unclear : ()) {
        print STDERR "# $boot->{name}: failed: ", $boot->ended // 'it lacks something', "\n", map { "# $_\n" } $boot->tail;
    }
}

1;
