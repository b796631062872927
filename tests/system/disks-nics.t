#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# Disks and network cards of a stock guest: images, a block device, a bridge behind NAT, addresses by DHCP, data
# there and back. What cannot be is refused with a line, and of whatever ends, however, nothing is left.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Dom0;
use Test::More;

my $bin = $Dom0::debian;
my $linux = Dom0::put("disks-nics.json", 0644, <<'END');
{"name": "linux", "kernel": "vmlinuz", "ramdisk": "initrd", "cmdline": "console=hvc0 quiet", "memory": 144, "vcpus": 2,
 "disks": [{"path": "/img/a", "vdev": "xvda"}, {"path": "/img/b", "vdev": "xvdb", "readonly": true},
           {"path": "/dev/vda", "vdev": "xvdc"}],
 "nics": [{"mac": "00:16:3e:00:00:01"}, {"ifname": "second", "rate": "100Mb/s", "ip": ["10.77.0.222", "fd00::7"]}]}
END
my $hello = Dom0::put("disks-nics-hello.json", 0644, <<'END');
{"name": "hello", "kernel": "hello.elf", "memory": 16}
END

# What the guest does; dom0 reads it on its console.
my $init = Dom0::put("disks-nics-init", 0755, <<'END');
#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
dmesg -n 1
modprobe -a xen-blkfront xen-netfront ext4
wait_for() { until [ -e $1 ]; do sleep 0.1; done; }
sum() { md5sum | cut -d ' ' -f 1; }
for disk in xvda xvdb xvdc; do wait_for /dev/$disk; done
mount /dev/xvda /mnt && echo "xvda has $(sum </mnt/data)"
case $(cat /proc/cmdline) in *crash*)
    while :; do cat /dev/xvda >/dev/xvdc; done &
    sleep 1
    echo "crashing"
    echo c >/proc/sysrq-trigger ;;
esac
cp /mnt/data /mnt/copy && umount /mnt && echo "xvda takes a copy"
echo "xvdb is $(cat /sys/block/xvdb/ro), has $(sum </dev/xvdb)"
dd if=/dev/xvda of=/dev/xvdb bs=4k count=1 conv=fsync 2>/dev/null || echo "xvdb takes nothing"
dd if=/dev/xvdb of=/dev/xvdc bs=64k conv=fsync 2>/dev/null && echo "xvdc takes data"
for nic in eth1 eth0; do
    wait_for /sys/class/net/$nic
    ip link set $nic up
    until udhcpc -i $nic -q -n -t 20 -T 1 -s /etc/udhcpc.script >/dev/null 2>&1; do :; done
    echo "$nic $(cat /sys/class/net/$nic/address) $(ip -4 addr show $nic | sed -n 's/ *inet \([^ ]*\) .*/\1/p')"
    ip link set eth1 down
done
for try in $(seq 60); do ping -c 1 -W 2 10.77.0.1 >/dev/null && echo "dom0 answers" && break; done
until ping -c 1 -W 5 10.0.2.2 >/dev/null; do :; done && echo "the outside answers"
echo "got $(nc 10.0.2.100 1000 </dev/null | sum)"
echo "back came $(nc 10.0.2.100 1001 </dev/xvdb | sum)"
# What it is not: eth1 has an address that is listed, then that of eth0, which dom0 knows how to answer; eth0 that of
# no card at all.
answers() { for try in $(seq 60); do ping -c 1 -W 2 10.77.0.1 >/dev/null && echo "$1: an answer" && return; done; }
is_silent() { ping -c 3 -W 3 10.77.0.1 >/dev/null || echo "$1: silence"; }
own=$(ip -4 addr show eth0 | sed -n 's/ *inet \([^/ ]*\).*/\1/p')
ip link set eth1 up
ip addr flush dev eth1
ip addr add 10.77.0.222/32 dev eth1
ip route replace 10.77.0.1 dev eth1 src 10.77.0.222
answers "listed address"
ip route replace 10.77.0.1 dev eth1 src $own
is_silent "another card's IP address"
ip link set eth1 down
ip link set eth0 down
ip link set eth0 address 00:16:3e:00:00:77
ip link set eth0 up
is_silent "no card's address"
ip link set eth0 down
ip link set eth0 address 00:16:3e:00:00:01
ip link set eth0 up
answers "its own"
poweroff -f
END
system('dom0-tools/image/make-initramfs', '-o', "$Dom0::dir/disks-nics-guest.cpio", '-k', "$Dom0::out/kernel/stable",
       '-m', 'dom0-tools/image/modules-guest', "init=$init") == 0 or die "make-initramfs failed\n";
my ($vmlinuz) = glob "$Dom0::out/kernel/stable/boot/vmlinuz-*";
my ($disk, $net) = map { "$Dom0::dir/disks-nics.$_" } qw(disk net);
my $net_sum = Dom0::make_data($net, 1 << 20, 'net');
Dom0::make_data($disk, 4 << 20, 'disk');

my $boot = Dom0::boot(
    name => 'disks-nics', smp => 2, memory => 1024, options => 'dom0_mem=640M', scripts => ['disks-nics'],
    programs => ['dhcp'],
    disk => ['virtio', $disk],
    nic => ['virtio-net-pci', "guestfwd=tcp:10.0.2.100:1000-cmd:cat $net", 'guestfwd=tcp:10.0.2.100:1001-cmd:cat'],
    values => {net_sum => $net_sum},
    files => [map({ "$Dom0::out/dom0-tools/$_" } qw(socle socle-stored socle-network)), "$bin/xenconsoled", '/usr/sbin/nft',
              map({ "/usr/bin/xenstore-$_" } qw(ls read rm write)), "guest/linux.json=$linux", "guest/hello.json=$hello",
              "guest/hello.elf=$Dom0::out/guests/hello.elf", "guest/vmlinuz=$vmlinuz",
              "guest/initrd=$Dom0::dir/disks-nics-guest.cpio"]);
Dom0::report($boot, 'disks-nics');
unlink $disk, $net;
done_testing;
