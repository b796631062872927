# SPDX-License-Identifier: MIT
# Debian's own toolstack in dom0: xenstored, xenconsoled and xl, as they are. /guest has kernels and
# configurations. $hv: socle or xen.
mkdir -p /var/lib/xen /var/lib/xenstored /var/log/xen/console /var/run/xen /var/run/xenstored /var/lock /run/xen /run/xenstored
for module in xen-evtchn xen-gntdev xen-gntalloc xen-privcmd xenfs xen-blkback xen-netback loop bridge; do
    modprobe $module 2>/dev/null
done
ln -s /proc/self/fd /dev/fd # what udev would do
ln -s fd/0 /dev/stdin
grep -q " /proc/xen " /proc/mounts || mount -t xenfs xenfs /proc/xen
ip link add name xenbr0 type bridge
ip addr add 10.9.8.1/24 dev xenbr0
ip link set xenbr0 up

is "xenstored starts" xenstored --pid-file=/run/xenstored.pid
is "dom0 is entered into the store" xen-init-dom0
is "xenconsoled starts" xenconsoled --log=guest --pid-file=/run/xenconsoled.pid

free_memory() {
    equal "$(xl info free_memory)" "$before"
}
only_dom0() {
    equal "$(xl list | grep -c .)" 2
}
in_use() {
    ! "$@"
}
all_online() {
    equal "$(xl vcpu-list "$1" | grep -c -- '--p')" 0
}
log=/var/log/xen/console/guest
logged() { # logged NAME COUNT PATTERN: so many lines of its console are like that
    at_least "$(grep -cE -- "$3" $log-$1.log)" "$2"
}
# typed NAME COMMAND PATTERN: the command, typed at the guest's console, makes it show such a line
typed() {
    : >/tmp/console
    (
        echo "$2"
        until_true grep -qE -- "$3" /tmp/console
        printf '\035' # Ctrl-], which ends xl console
    ) | timeout 400 script -qc "xl console $1" /dev/null >/tmp/console 2>&1
    grep -qE -- "$3" /tmp/console || { tail -n 15 /tmp/console; return 1; }
}

# ---- the machine ----

is "xl info" shows '^xen_scheduler *: credit2' xl info
is "xl info -n: topology" shows '^ *0: *0 *0 *0' xl info -n
is "xl info -n: nodes" shows '^ *0: +[0-9]+ +[0-9]+ +10' xl info -n
is "xl list" shows '^Domain-0 +0 .* r-----' xl list
is "xl list -v" shows '^Domain-0 +0 .*00000000-0000-0000-0000-000000000000' xl list -v
is "xl list -n" shows '^Domain-0 +0 .* (all|0)$' xl list -n
is "xl dmesg" shows '^\((socle|XEN)\)' xl dmesg
is "xl debug-keys" xl debug-keys q
[ $hv = xen ] || is "they are heard" shows '\(socle\) .*d0' xl dmesg
is "xl cpupool-list" shows '^Pool-0 +2 +credit2 +y +1' xl cpupool-list
is "xl cpupool-list -c" shows '^Pool-0 +0,1' xl cpupool-list -c
is "xl claims" shows "^Domain-0 .* 0$" xl claims
is "xl uptime" shows '^Domain-0 +0 ' xl uptime
is "xentop" shows '^ +Domain-0 -----r' xentop -b -i 1
before=$(xl info free_memory)

# ---- a small guest ----

is "a small guest is made, paused" xl create -p /guest/hello.cfg
is "it waits" shows '^hello .* --p---' xl list
is "it is let go" xl unpause hello
is "it speaks" until_true grep -q 'hello from a paravirtual guest' $log-hello.log
is "it knows the time" until_true grep -q 'day [1-9][0-9]* since' $log-hello.log
is "it echoes at xl console" typed hello 'so it is' 'You typed 8 characters: so it is'
is "it sleeps" until_true shows '^hello .* -b----' xl list
is "shares are changed" xl sched-credit2 -d hello -w 512 -c 30
is "and shown" shows '^hello .* 512 +30' xl sched-credit2
is "its vcpu is pinned" xl vcpu-pin hello 0 1
is "and shown" shows '^hello .* 1 / all' xl vcpu-list
is "xentop shows it" shows '^ +hello --b---' xentop -b -i 1
is "it is renamed" xl rename hello other
is "and found by its new name" equal "$(xl domname $(xl domid other))" other
is "it is paused" xl pause other
is "and shown" shows '^other .*p--' xl list
is "it is destroyed" xl destroy other
is "its memory is back" until_true free_memory

# ---- pools of CPUs, and parts of the machine ----

is "a CPU leaves its pool" xl cpupool-cpu-remove Pool-0 1
is "a pool is made of it" xl cpupool-create 'name="side"' 'cpus="1"'
is "both are shown" shows '^side +1 +credit2 +y +0' xl cpupool-list
is "with their CPUs" equal "$(xl cpupool-list -c | tail -n 2 | xargs)" "Pool-0 0 side 1"
is "a guest is made there, with ports, device memory and an interrupt" \
    xl create /guest/hello.cfg 'pool="side"' 'ioports=["80-83"]' 'iomem=["fed40,1"]' 'irqs=[5]'
is "it is there" shows '^hello .* side$' xl list -c
is "it runs there" shows '^hello +[0-9]+ +0 +1 ' xl vcpu-list
is "the pool is not removed while it is in use" in_use xl cpupool-destroy side
is "it goes to the other one" xl cpupool-migrate hello Pool-0
is "and runs there" shows '^hello +[0-9]+ +0 +0 ' xl vcpu-list
is "it still answers" typed hello 'here I am' 'You typed 9 characters: here I am'
is "and back" xl cpupool-migrate hello side
is "it is destroyed" xl destroy hello
is "its memory is back" until_true free_memory
is "the pool is removed" xl cpupool-destroy side
is "its CPU is free" shows '^free_cpus *: 1' xl info
is "and goes back" xl cpupool-cpu-add Pool-0 1
is "all is as it was" equal "$(xl cpupool-list -c | tail -n 1 | xargs)" "Pool-0 0,1"

# ---- stock Linux ----

truncate -s 4M /guest/disk.img
mke2fs -q -F /guest/disk.img 4096 2>/dev/null
is "a stock kernel is made a guest" xl create /guest/linux.cfg
is "it comes up" until_true logged linux 1 'userland: 2 CPUs'
is "it is described as JSON" shows '"name": "linux"' xl list -l linux
is "its disks are listed" until_true shows '^51728 .* 4 ' xl block-list linux
is "its network card is listed" until_true shows '00:16:3e:01:02:03 +0 +4 ' xl network-list linux
is "it mounts its disk and writes" typed linux 'until mount /dev/xvda /mnt; do sleep 1; done && date >/mnt/file && umount /mnt && echo wrote $((40 + 2))' 'wrote 42'
is "it reads the other one" typed linux 'until mount -r /dev/xvdb /mnt; do sleep 1; done; echo $(ls /mnt/boot); umount /mnt' '^grub initrd vmlinuz'
is "which it may not write" typed linux 'dd if=/dev/zero of=/dev/xvdb count=1; echo status $?' 'status 1'
is "it reaches dom0" typed linux 'until ping -c 1 -W 5 10.9.8.1; do :; done' '1 packets received'
is "dom0 reaches it" until_true ping -c 1 -W 5 10.9.8.2
is "a disk is added" xl block-attach linux phy:/dev/vda,xvdc,r
is "which it finds" typed linux 'until [ -e /dev/xvdc ]; do sleep 1; done; echo found $((40 + 3))' 'found 43'
is "and is removed" xl block-detach linux xvdc
is "it gives memory back" xl mem-set linux 120
is "and shows it" until_true shows '^linux +[0-9]+ +120 ' xl list
is "it gives a vcpu back" xl vcpu-set linux 1
is "and shows it" until_true shows '^linux .* --p ' xl vcpu-list
is "and may have it again" xl vcpu-set linux 2
is "which it takes" typed linux 'until echo 1 >/sys/devices/system/cpu/cpu1/online; do sleep 1; done; echo now $(nproc)' 'now 2'
is "and shows it" until_true all_online linux
is "its memory is dumped" xl dump-core linux /tmp/core
is "all of it" at_least "$(stat -c %s /tmp/core)" $((120 << 20))
is "into an ELF file" equal "$(head -c 4 /tmp/core | tail -c 3)" ELF
rm -f /tmp/core
is "it hears sysrq" xl sysrq linux h
is "and answers" until_true logged linux 1 'sysrq: HELP'
is "it gets an NMI" xl trigger linux nmi 0
is "xl uptime shows it" shows '^linux +[0-9]+ +[0-9]:' xl uptime
id=$(xl domid linux)
is "it reboots" typed linux 'echo rebooting $((40 + 4)); sleep 1; reboot -f' 'rebooting 44'
is "and comes up again" eval "until_true logged linux 2 'userland: 2 CPUs' || { cat /var/log/xen/xl-linux.log; false; }"
is "as another domain" at_least "$(xl domid linux)" $((id + 1))
is "what it wrote is still there" typed linux 'until mount /dev/xvda /mnt; do sleep 1; done && wc -l /mnt/file; umount /mnt' '^1 /mnt/file'

is "it is saved" xl save linux /tmp/saved
is "and gone" until_true only_dom0
is "its memory is back" until_true free_memory
is "it is restored" xl restore /tmp/saved
rm -f /tmp/saved
is "and goes on" typed linux 'cat /mnt/file /proc/uptime; until mount /dev/xvda /mnt; do sleep 1; done && wc -l /mnt/file; umount /mnt' '^1 /mnt/file'
is "it reaches dom0 again" typed linux 'until ping -c 1 -W 5 10.9.8.1; do :; done' '1 packets received'

is "it crashes when it is told to" typed linux 'echo c >/proc/sysrq-trigger' 'sysrq triggered crash'
is "and is kept" until_true shows '^linux .* ---.c-' xl list
is "until it is destroyed" xl destroy linux
is "it is gone" until_true only_dom0
is "its memory is back" until_true free_memory
is "its loop devices are free" until_true eval 'equal "$(losetup -a)" ""'
is "its network cards are gone" until_true eval 'equal "$(ls /sys/class/net | grep vif)" ""'

# ---- other kernels, at once ----

is "pvgrub is made a guest" xl create /guest/grub.cfg
is "Debian's kernel for clouds is made a guest" xl create /guest/cloud.cfg
is "it comes up" until_true logged cloud 1 'userland: 1 CPUs, .*cloud'
is "pvgrub boots what it finds on its disk" until_true logged grub 1 'userland: 1 CPUs'
is "with the command line that it found" typed grub 'cat /proc/cmdline' 'from=pvgrub'
is "they shut down when they are asked to" xl shutdown -w -a
is "it is gone" until_true only_dom0
is "its memory is back" until_true free_memory
finish
