#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# A person at dom0's console; and the ways in which it ends: poweroff, reboot and halt do what they say, and after
# a crash the machine starts again or stays as it is.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Dom0;
use Test::More;

# What `make run` boots. Ctrl-C reaches what runs, jobs can be put into the background, and the hypervisor's keys
# are there behind three times Ctrl-A.
my $prompt = qr/dom0:[^\n]*# /;
my $boot = Boot::run(
    name => 'life-console', smp => 2, memory => 1024,
    qemu => ['-accel', 'tcg,thread=single'],
    modules => ["$Dom0::out/dom0/vmlinux-stable console=hvc0", "$Dom0::out/dom0/initramfs-stable"],
    input => [[$prompt, "echo \$((6 * 7))\r"], [qr/^42.*$prompt/ms, "sh -c 'echo st\"\"arted; exec sleep 1000'\r"],
              [qr/^started/m, "\x03"],
              [$prompt, "sleep 2000 &\r"], [$prompt, "jobs\r"], [qr/Running *sleep 2000/, "\x01\x01\x01"],
              [qr/goes to the hyper/, 'h'], [qr/key 'h'/, "\x01\x01\x01"],
              [qr/goes to dom0/, "seq 1 2000 | md5sum\r"], [qr/^[0-9a-f]{32} /m, "poweroff\r"]]);
ok($boot->has(qr/^Linux 6\.1\..* on Socle; CPUs: 2, memory: \d+ MiB, disks: none/), 'it says what it is');
ok($boot->has(qr/^42/), 'what is typed reaches the shell');
ok($boot->has(qr/Running *sleep 2000/), 'jobs go to the background, after Ctrl-C ended the one before');
ok(!$boot->has(qr/can't access tty/), 'the console is the terminal of the shell');
ok($boot->has(qr/^\(socle\) key 'h'/), 'debug keys are there');
ok($boot->has(qr/^ea4d0a24dabcaa11f9aa979b872d162b /), 'and dom0 has the keyboard back');
ok($boot->has(qr/dom0 powers off/) && !$boot->ended, 'poweroff ends it') or diag $boot->ended;

my $again = qr/\(socle\) Socle .*\(socle\) Socle /s;
for (['poweroff -f', qr/dom0 powers off/], ['halt -f', qr/dom0 powers off/], ['reboot', qr/dom0 reboots/, $again],
     $ENV{FULL} ? ['reboot -f', qr/dom0 reboots/, $again] : (),
     ['crash', qr/dom0 ended with reason 3; rebooting/, $again]) {
    my ($action, $says, $until) = @$_;
    $boot = Dom0::boot(name => 'life-' . $action =~ s/ //r, memory => 512, scripts => ['life'],
                       values => {action => $action}, until => $until,
                       qemu => $until ? ['-action', 'reboot=reset'] : []);
    ok($boot->has($says), "$action: the hypervisor knows");
    ok($boot->has(qr/^audit: ok|^\(socle\) audit: ok/), "$action: counts are right");
    ok(!$boot->ended, $until ? "$action: the machine starts again" : "$action: the machine ends") or diag $boot->ended;
    next if $action ne 'crash';
    ok($boot->has(qr/sysrq triggered crash/), 'crash: the kernel says why');
    ok($boot->has(qr/^\(socle\) d0v0, kernel mode/), 'crash: and where it was, the hypervisor');
}

$boot = Dom0::boot(name => 'life-noreboot', memory => 512, scripts => ['life'], values => {action => 'crash'},
                   options => 'noreboot', until => qr/; halted/, linger => 10);
ok($boot->has(qr/dom0 ended with reason 3; halted/), 'crash with noreboot: the hypervisor knows');
ok($boot->{lingered}, 'and stays as it is');
done_testing;
