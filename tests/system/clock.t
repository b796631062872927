#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# dom0's clock against the PM timer and the battery clock, and how often an idle dom0 wakes up. Virtual time: an
# idle machine goes on to its next event at once, so an hour takes seconds; with FULL=1 a day.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Dom0;
use Test::More;

my $seconds = $ENV{FULL} ? 86400 : 1800;

for my $smp (1, $ENV{FULL} ? 2 : ()) {
    my $boot = Dom0::boot(name => "clock-$smp", smp => $smp, scripts => ['clock'], programs => ['clock'],
                          qemu => ['-icount', 'shift=0,sleep=off', '-rtc', 'clock=vm'],
                          values => {seconds => $seconds, wakeups => 600 * $smp});
    Dom0::report($boot, "$smp CPUs");
}
done_testing;
