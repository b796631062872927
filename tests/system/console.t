#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# The console daemon in a stock dom0: consoles of guests that Debian's xl makes, while the daemon is killed, while
# a guest floods, and of guests that break the rules. On Xen with Debian's store daemon, too.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Dom0;
use Test::More;

my $bin = $Dom0::debian;

my $conf = Dom0::put("console-xl.conf", 0644, qq(autoballoon="off"\n));
my $guest = Dom0::put("console-guest.cfg", 0644, <<'END');
type = "pv"
kernel = "/guest/console.elf"
memory = 16
END
my $quick = Dom0::put("console-quick.json", 0644, <<'END');
{"name": "quick", "kernel": "/guest/hello.elf", "memory": 32, "cmdline": "once", "console": {"log": "/tmp/quick.log"}}
END
my $linux = Dom0::put("console-linux.cfg", 0644, <<'END');
type = "pv"
kernel = "/guest/vmlinuz"
ramdisk = "/guest/initrd"
extra = "console=hvc0"
memory = 128
END
my $init = Dom0::put("console-init", 0755, <<'END');
#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox echo "userland is up"
exec /bin/busybox setsid /bin/busybox cttyhack /bin/busybox sh </dev/hvc0 >/dev/hvc0 2>&1
END
my $busybox = qx(which busybox) =~ s/\n//r;
system('dom0-tools/image/make-initramfs', '-o', "$Dom0::dir/console-guest.cpio", "bin/busybox=$busybox", "init=$init") == 0
    or die "make-initramfs failed\n";
my ($vmlinuz) = glob "$Dom0::out/kernel/stable/boot/vmlinuz-*";

my $boot = Dom0::boot(
    name => 'console', smp => 2, memory => 1024, options => 'dom0_mem=512M', scripts => ['console'],
    files => ["etc/xen/xl.conf=$conf", (map { "$bin/$_" } qw(xl xen-init-dom0)), "usr/lib/xen-4.17/bin/xenconsole=$bin/xenconsole",
              (map { "$Dom0::out/dom0-tools/$_" } qw(socle socle-consoled)),
              $Dom0::xen ? "$bin/xenstored" : "$Dom0::out/dom0-tools/socle-stored",
              (map { "/usr/bin/xenstore-$_" } qw(exists read write)), "guest/console.cfg=$guest",
              "guest/linux.cfg=$linux", "guest/console.elf=$Dom0::out/guests/system-console.elf",
              "guest/quick.json=$quick", "guest/hello.elf=$Dom0::out/guests/hello.elf", "guest/vmlinuz=$vmlinuz",
              "guest/initrd=$Dom0::dir/console-guest.cpio"]);
Dom0::report($boot, 'console');
Dom0::check_warnings($boot, 'console');
done_testing;
