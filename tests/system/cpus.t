#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# Stock Linux as dom0 turns its vcpus off and on, and gives memory away and takes it back.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Dom0;
use Test::More;

for my $suite ($ENV{FULL} ? qw(stable backports) : 'stable') {
    my $boot = Dom0::boot(name => "cpus-$suite", suite => $suite, smp => 4, memory => 768, options => 'dom0_mem=512M',
                          scripts => ['cpus']);
    Dom0::report($boot, $suite);
}
done_testing;
