# SPDX-License-Identifier: MIT
# Disk, network card, clock, CPUs and memory of one machine.
#   smp memory                 what the machine has (memory in MiB, of dom0)
#   disk disk_mib disk_sum     its disk, so much data on it and room for as much again
#   nic_driver net_sum         its card, and what port 1000 of 10.0.2.100 sends; port 1001 sends all back

is "all CPUs" equal "$(nproc)" "$smp"
total=$(($(sed -n 's/^MemTotal: *\([0-9]*\).*/\1/p' /proc/meminfo) / 1024))
is "most of the memory is there" at_least $total $((memory * 7 / 10 - 64))
is "it is a control domain" grep -q control_d /proc/xen/capabilities

is "the disk is found" until_true test -b /dev/$disk
disk_irq="^ *[0-9].* ($(basename "$(readlink /sys/block/$disk/device)")(-req|$)|ahci|nvme0q)"
before=$(interrupts "$disk_irq")
is "data of the disk, cached" equal "$(dd if=/dev/$disk bs=64k count=$((disk_mib * 16)) 2>/dev/null | md5_of)" $disk_sum
is "data of the disk, directly" \
    equal "$(dd if=/dev/$disk bs=256k count=$((disk_mib * 4)) iflag=direct 2>/dev/null | md5_of)" $disk_sum
copy() {
    dd if=/dev/$disk of=/dev/$disk bs=128k count=$((disk_mib * 8)) seek=$((disk_mib * 8)) conv=notrunc "$@" &&
        sync && echo 3 >/proc/sys/vm/drop_caches
}
is "the disk is written, directly" copy iflag=direct oflag=direct
is "what was written is there" \
    equal "$(dd if=/dev/$disk bs=64k skip=$((disk_mib * 16)) count=$((disk_mib * 16)) 2>/dev/null | md5_of)" $disk_sum
is "the disk interrupts" at_least $(($(interrupts "$disk_irq") - before)) 10

file_system() {
    mke2fs -F /dev/$disk $((disk_mib * 1024)) && mount /dev/$disk /mnt && cp -r /etc /bin/busybox /mnt/ && umount /mnt &&
        echo 3 >/proc/sys/vm/drop_caches && mount -o ro /dev/$disk /mnt && cmp /bin/busybox /mnt/busybox && umount /mnt
}
is "a file system on it" file_system

is "the card's driver" equal "$(basename "$(readlink /sys/class/net/eth0/device/driver)")" "$nic_driver"
nic_irq="^ *[0-9].* ($(basename "$(readlink /sys/class/net/eth0/device)")(-input|-output|$)|eth0)"
before=$(interrupts "$nic_irq")
is "it has an address" until_true sh -c 'ip -4 addr show eth0 | grep -q 10.0.2.15'
is "ping" until_true ping -c 3 -W 5 10.0.2.2
is "a large ping" until_true ping -c 2 -W 5 -s 1400 10.0.2.2
is "a transfer" equal "$(nc 10.0.2.100 1000 </dev/null | md5_of)" $net_sum
sent() {
    dd if=/dev/$disk bs=64k skip=$((disk_mib * 16)) count=16 2>/dev/null
}
is "one there and back" equal "$(sent | nc 10.0.2.100 1001 | md5_of)" "$(sent | md5_of)"
is "the card interrupts" at_least $(($(interrupts "$nic_irq") - before)) 10

# On a busy host the hypervisor cannot learn the TSC's frequency well; clock.t looks closer.
is "the clock runs like the PM timer" clock 5 200000
clock_is_right() {
    before=$(cat /sys/class/rtc/rtc0/since_epoch)
    now=$(date +%s)
    at_least $now $((before - 3)) && at_most $now $(($(cat /sys/class/rtc/rtc0/since_epoch) + 3))
}
is "the clock is right" clock_is_right
check_dmesg
finish
