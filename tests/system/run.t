#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# `make run`, as the README's tour goes: a guest comes up by itself, and the shell is there to look at it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Boot;
use Dom0;
use Test::More;

my $prompt = qr/dom0:\S*# /;
my $guest = qr/guest:\S*# /;
my $disk = "$Dom0::dir/run.img";
unlink $disk;
delete @ENV{qw(MAKEFLAGS MAKELEVEL MFLAGS)}; # by hand, as it were
my $boot = Boot::run(
    name => 'system-run', command => ['make', "O=$Dom0::out", 'run', "RUN_DISK=$disk"],
    input => [[$prompt, "socle console demo\n"],
              [$guest, "df -h /mnt; until ping -c 1 -W 5 10.0.2.2; do sleep 1; done\n"],
              [$guest, "\x1d"],
              [$prompt, "socle shutdown --wait demo; while socle domid demo; do sleep 1; done; socle list\n"],
              [$prompt, "socle create -c /etc/socle/hello.json\n"],
              [qr/hello from .*\n(?s:.*)command line/, "\x1d"],
              [$prompt, "poweroff\n"]]);
unlink $disk;
my $said = join "\n", $boot->lines;
my $row = qr/^demo +\d+ +192 +1 +[-rb]{6} +[\d.]+$/m;

is($boot->ended, undef, 'it ends by itself');
like($said, qr/^socle create .*\n(?s:.*)^Name .*\nDomain-0 +0 .*\n$row/m, 'a guest is made, and listed');
like($said, qr/^Linux .* on Socle; CPUs: 2, memory: \d+ MiB, disks: vda(?:, eth0 10\.0\.2\.15)?\nTry socle console demo.*\n.*\n$prompt/m,
     'a hint of two lines, and a shell');
like($said, qr/^Linux .* on Socle; CPUs: 1, memory: \d+ MiB, disks: xvda.*\n(?s:.*)^\/dev\/xvda .* \/mnt$/m,
     'the guest has a shell, too, a disk, a network card');
like($said, qr/^1 packets transmitted, 1 packets received/m, 'and reaches the outside');
like($said, qr/socle shutdown --wait demo; (?s:.*)there is no domain demo\nName .*\nDomain-0 .*\ndom0:/m, 'it ends when it is asked to');
like($said, qr/^\(socle\) dom0 powers off/m, 'the end');
done_testing;
