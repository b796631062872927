#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# The store daemon in a stock dom0: for programs on its socket and for the kernel, while it is killed again and
# again.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Dom0;
use Test::More;

my $gcc = '/lib/x86_64-linux-gnu/libgcc_s.so.1'; # which a client loads by itself when it ends
my $boot = Dom0::boot(name => 'store', smp => 2, scripts => ['store'], programs => ['request', 'storm'],
                      options => 'dom0_mem=512M',
                      domus => ["$Dom0::out/guests/system-store.elf domu name=s mem=16M"],
                      files => ["$Dom0::out/dom0-tools/socle-stored", "$gcc=$gcc",
                                map { "/usr/bin/xenstore-$_" } qw(chmod exists list ls read rm watch write)]);
Dom0::report($boot, 'store');
Dom0::check_warnings($boot, 'store');
done_testing;
