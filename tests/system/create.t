#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# socle create and socle destroy in a stock dom0: guests of our library and of Debian's kernel, and nothing is left
# of them afterwards, nor of those that could not be made.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Dom0;
use Test::More;

my $bin = $Dom0::debian;
my $hello = Dom0::put('create-hello.json', 0644, <<'END');
{"name": "hello", "kernel": "hello.elf", "memory": 8}
END
my $linux = Dom0::put('create-linux.json', 0644, <<'END');
{"name": "linux", "kernel": "vmlinuz", "ramdisk": "initrd", "cmdline": "console=hvc0 quiet", "memory": 128,
 "maxmem": 160, "vcpus": 2, "maxvcpus": 4}
END
my $init = Dom0::put('create-init', 0755, <<'END');
#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t sysfs sys /sys
/bin/busybox echo "userland: $(/bin/busybox nproc) CPUs of $(/bin/busybox cat /sys/devices/system/cpu/possible)"
/bin/busybox echo "memory: $(/bin/busybox cat /sys/devices/system/xen_memory/xen_memory0/info/current_kb) kb"
while /bin/busybox sleep 1; do :; done
END
my $busybox = qx(which busybox) =~ s/\n//r;
system('dom0-tools/image/make-initramfs', '-o', "$Dom0::dir/create-guest.cpio", "bin/busybox=$busybox", "init=$init",
       "sys/.keep=$hello") == 0 or die "make-initramfs failed\n";
my ($vmlinuz, $cloud) = map { glob "$Dom0::out/kernel/$_/boot/vmlinuz-*" } qw(stable cloud);

my $boot = Dom0::boot(
    name => 'create', smp => 2, memory => 1024, options => 'dom0_mem=512M', scripts => ['create'],
    values => $Dom0::xen ? {many => 20, step => 7} : {many => 200, step => 1}, # the same tools, so some are enough
    files => [map({ "$Dom0::out/dom0-tools/$_" } qw(socle socle-stored socle-consoled)), "$bin/lsevtchn", '/usr/bin/xenstore-ls',
              "guest/hello.json=$hello", "guest/linux.json=$linux", "guest/hello.elf=$Dom0::out/guests/hello.elf",
              "usr/lib/trip.so=$Dom0::out/tests/system/trip.so", "guest/cloud=$cloud",
              "guest/pvgrub=$Dom0::out/package/grub-xen-host/usr/lib/grub-xen/grub-x86_64-xen.bin",
              "guest/vmlinuz=$vmlinuz", "guest/initrd=$Dom0::dir/create-guest.cpio"]);
Dom0::report($boot, 'create');
done_testing;
