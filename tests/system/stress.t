#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# A minute of fork, exec, mmap, mprotect, copy-on-write, signals, pipes, files and threads on two vcpus, all of
# which check what they do (stress.c). At the end the auditor recounts every reference to every frame.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Dom0;
use Test::More;

my ($rounds, $sum) = $ENV{FULL} ? (100, '1f121adc11391ed1') : (20, '0325196c5d92541b');

for my $suite ('stable', $ENV{FULL} ? 'backports' : ()) {
    my $boot = Dom0::boot(name => "stress-$suite", suite => $suite, smp => 2, scripts => ['stress'],
                          programs => ['stress'], parallel => 1, values => {rounds => $rounds, sum => $sum});
    Dom0::report($boot, $suite);
}
done_testing;
