#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# Each command of socle on real guests, of our library and of Debian's kernel, in a stock dom0.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Dom0;
use Test::More;

my $bin = $Dom0::debian;

my $conf = Dom0::put("commands-xl.conf", 0644, qq(autoballoon="off"\n));
my $hello = Dom0::put("commands-hello.json", 0644, <<'END');
{"name": "hello", "kernel": "hello.elf", "memory": 32}
END
my $linux = Dom0::put("commands-linux.json", 0644, <<'END');
{"name": "linux", "kernel": "vmlinuz", "ramdisk": "initrd", "cmdline": "console=hvc0 quiet", "memory": 112, "maxmem": 160,
 "vcpus": 2, "maxvcpus": 4, "disks": [{"path": "/guest/disk", "vdev": "xvda"}], "nics": [{"mac": "00:16:3e:00:00:01"}]}
END
# It tells its CPUs and memory whenever they change.
my $init = Dom0::put("commands-init", 0755, <<'END');
#!/bin/busybox sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t devtmpfs dev /dev
mount -t sysfs sysfs /sys
mount -t proc proc /proc
modprobe -a xen-blkfront xen-netfront
dd if=/dev/xvda of=/dev/null bs=64k count=16 2>/dev/null
ip link set eth0 up
ip addr add 10.77.0.2/24 dev eth0
ping -q -s 1000 10.77.0.1 >/dev/null &
echo "userland: begins"
while :; do
    now="$(nproc) CPUs, $(($(sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo) / 1024)) MiB"
    # udev's part: a CPU that is there is taken into use
    for cpu in /sys/devices/system/cpu/cpu[0-9]*/online; do
        [ "$(cat $cpu)" = 1 ] || echo 1 >$cpu
    done 2>/dev/null
    [ "$now" = "$last" ] || echo "userland: $now"
    last=$now
    sleep 1
done
END
my $poweroff = Dom0::put("commands-poweroff", 0755, "#!/bin/busybox sh\n/bin/busybox poweroff -f\n");
my $reboot = Dom0::put("commands-reboot", 0755, "#!/bin/busybox sh\n/bin/busybox reboot -f\n");
system('dom0-tools/image/make-initramfs', '-o', "$Dom0::dir/commands-guest.cpio", '-k', "$Dom0::out/kernel/stable",
       '-m', 'dom0-tools/image/modules-guest', "init=$init", "sbin/poweroff=$poweroff", "sbin/reboot=$reboot") == 0
    or die "make-initramfs failed\n";
my ($vmlinuz) = glob "$Dom0::out/kernel/stable/boot/vmlinuz-*";

my $boot = Dom0::boot(
    name => 'commands', smp => 2, memory => 1024, options => 'dom0_mem=512M', scripts => ['commands'],
    files => [map({ "$Dom0::out/dom0-tools/$_" } qw(socle socle-stored socle-consoled socle-watchd socle-network)),
              "etc/xen/xl.conf=$conf", (map { "/usr/bin/xenstore-$_" } qw(exists read write)),
              (map { "$bin/$_" } qw(xl xen-init-dom0 xentop)), "guest/hello.json=$hello",
              "guest/linux.json=$linux", "guest/hello.elf=$Dom0::out/guests/hello.elf", "guest/vmlinuz=$vmlinuz",
              "guest/initrd=$Dom0::dir/commands-guest.cpio",
              map { s{^/}{}r . "=$_" } glob '/lib/x86_64-linux-gnu/libgcc_s.so.1']);
Dom0::report($boot, 'commands');
done_testing;
