#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# Guests that attack the store's daemon in all ways that they have, and get nothing by it but what is theirs.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Dom0;
use Test::More;

my @configs = map {
    my $config = Dom0::put("hostile-$_.json", 0644, qq({"name": "$_", "kernel": "$_.elf", "memory": 16}\n));
    ("guest/$_.json=$config", "guest/$_.elf=$Dom0::out/guests/system-$_.elf");
} qw(attacker mortal);

my $gcc = '/lib/x86_64-linux-gnu/libgcc_s.so.1'; # which a client loads by itself when it ends
my $boot = Dom0::boot(
    name => 'hostile', smp => 2, memory => 1024, options => 'dom0_mem=512M', scripts => ['hostile'],
    programs => ['request'],
    files => [map({ "$Dom0::out/dom0-tools/$_" } qw(socle socle-stored)), @configs, "$gcc=$gcc",
              map({ "/usr/bin/xenstore-$_" } qw(exists list read rm write))]);
Dom0::report($boot, 'hostile');
done_testing;
