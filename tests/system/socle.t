#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# What socle tells of domains and does to them, in a stock dom0 beside a small guest; on Xen with Debian's xenstored.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Dom0;
use Test::More;

my $store = $Dom0::xen ? "$Dom0::debian/xenstored" : "$Dom0::out/dom0-tools/socle-stored";
my $boot = Dom0::boot(name => 'socle', smp => 2, options => 'dom0_mem=512M', scripts => ['socle'],
                      files => ["$Dom0::out/dom0-tools/socle", $store, '/usr/bin/xenstore-write',
                                "usr/lib/socle/hello.elf=$Dom0::out/guests/hello.elf", "etc/socle/hello.json=config/examples/hello.json"]);
Dom0::report($boot, 'socle');
done_testing;
