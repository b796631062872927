#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# Is the hypervisor as small as it promises to be: image, and what it keeps of a machine's memory?
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Boot;
use Test::More;

my $out = $ENV{O} || 'build';
my ($text, $data) = qx(size $out/socle) =~ /^\s*(\d+)\s+(\d+)/m;
cmp_ok($text + $data, '<', 300 << 10, 'text and data stay below 300 KiB');

my $boot = Boot::run(name => 'size', memory => 1024, kernel => "$out/socle",
                     modules => ["$out/guests/hello.elf once"]);
my ($kib) = map { /^memory: 102[34] MiB, (\d+) KiB for the hypervisor/ ? $1 : () } $boot->hypervisor_lines;
ok($kib, 'it says what it keeps of 1 GiB');
cmp_ok($kib // 0, '<', 24 << 10, 'which is below 24 MiB');
done_testing;
