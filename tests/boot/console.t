#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# Serial input reaches dom0 or, after three times Ctrl-A, the debug keys; several domains from one
# command line; reboot.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Boot;
use Test::More;

my $hello = ($ENV{O} || 'build') . '/guests/hello.elf';

my $boot = Boot::run(
    name => 'console-input', modules => [$hello], smp => 2,
    input => [[qr/^> /m, "abc\r"], [qr/You typed 3/, "\x01\x01\x01"], [qr/goes to the hyper/, 'h'],
              [qr/key 'h'/, "\x01\x01\x01"], [qr/goes to dom0/, "q\r"]]);
ok($boot->has(qr/You typed 3 characters: abc/), 'a line reaches dom0');
ok($boot->has(qr/^\(socle\) key 'h'/), 'the debug keys can be listed');
ok($boot->has(qr/^bye/), 'and dom0 has the input back');
ok(!$boot->ended, 'the machine powers off');

# Key, what it prints first and last.
my @keys = (['d', qr/rip.*/, qr/pcpu 1/], ['0', qr/d0v0, \w+ mode/, qr/d0v1, \w+ mode/],
            ['q', qr/d0 \(dom0\): \d+ pages.*privileged/, qr/v1 pcpu \d.*VIRQ_DEBUG/],
            ['r', qr/scheduler credit/, qr/d0v1 pcpu/], ['a', qr/pcpu 0: .*timer/, qr/pcpu 1: .*timer/],
            ['e', qr/d0: \d+ event channels/, qr/d0: \d+ event channels/],
            ['g', qr/d0: grant table/, qr/d0: grant table/], ['m', qr/memory: \d+ pages, \d+ free/, qr/d0: \d+ pages/],
            ['i', qr/interrupts: \d+ pins/, qr/interrupts: \d+ pins/],
            ['l', qr/pcpu 0: ranks held/, qr/d0: in line for life cycle/], ['%', qr/no debug key '%'/, qr/no debug key/]);
$boot = Boot::run(
    name => 'console-keys', modules => [$hello], smp => 2,
    input => [[qr/^> /m, "\x01\x01\x01"], [qr/goes to the hyper/, 'd'],
              (map { [qr/$keys[$_][2]/m, $_ < $#keys ? $keys[$_ + 1][0] : "\x01\x01\x01"] } 0 .. $#keys),
              [qr/goes to dom0/, "q\r"]]);
ok($boot->has($_->[1]) && $boot->has($_->[2]), "key $_->[0] prints") for @keys;
ok($boot->has(qr/^\(socle\) audit: ok/) && !$boot->ended, 'and the machine powers off');

$boot = Boot::run(
    name => 'console-domains', smp => 2,
    modules => [$hello, "$hello domu name=one mem=16M -- once", "$hello domu name=two mem=24M vcpus=2 -- once"],
    input => [[qr/^\(d[12]\) bye.*^\(d[12]\) bye/ms, "q\r"]]);
ok($boot->has(qr/^\(socle\) domain $_/), "domain $_ is built") for '1 (one)' =~ s/([()])/\\$1/gr, '2 \(two\)';
ok($boot->has(qr/^\(d$_\) hello from/), "domain $_ runs") for 1, 2;
ok($boot->has(qr/^\(d2\)   processors +2,/), 'with the vcpus that were asked for');
ok($boot->has(qr/^\(socle\) audit: ok/), 'counts are right at the end');

$boot = Boot::run(name => 'console-reboot', modules => ["$hello once shutdown=reboot"]);
ok($boot->has(qr/dom0 reboots/) && !$boot->ended, 'dom0 can reboot the machine');

my @hang = ([qr/^> /m, "\x01\x01\x01"], [qr/goes to the hyper/, 'H']);
$boot = Boot::run(name => 'console-watchdog', modules => [$hello], smp => 2, options => 'watchdog',
                  input => \@hang);
ok($boot->has(qr/panic: watchdog: pcpu \d has been stuck/),
   'the watchdog finds a CPU that hangs');
ok($boot->has(qr/\bhang\+/), 'and says where');
ok(!$boot->ended, 'and reboots');
done_testing;
