#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# Guests that power off, reboot and crash are dealt with as configured; and whatever is killed meanwhile, tools or
# daemons, all is as it should be afterwards.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Dom0;
use Test::More;

my $config = Dom0::put('mortal.json', 0644, qq({"name": "mortal", "kernel": "mortal.elf", "memory": 16}\n));

my $gcc = '/lib/x86_64-linux-gnu/libgcc_s.so.1'; # which a client loads by itself when it ends
my $boot = Dom0::boot(
    name => 'endings', smp => 2, memory => 1024, options => 'dom0_mem=512M', scripts => ['endings'],
    programs => ['request'],
    files => [map({ "$Dom0::out/dom0-tools/$_" } qw(socle socle-stored socle-consoled)),
              "usr/bin/socle-watchd=$Dom0::out/dom0-tools/socle-watchd", # not where init would find it
              map({ "/usr/bin/xenstore-$_" } qw(exists list read write)), "$gcc=$gcc",
              "guest/mortal.json=$config", "guest/mortal.elf=$Dom0::out/guests/system-mortal.elf"]);
Dom0::report($boot, 'endings');
done_testing;
