# SPDX-License-Identifier: MIT
# Guests of /etc/socle, all at once.
log=/var/log/socle

# said GUEST PATTERN: it has, on its console.
said() {
    grep -qE "$2" $log/$1.log || { tail -n 5 $log/$1.log; return 1; }
}
# says GUEST TEXT COMMAND: the shell of a guest, when it is told to do that.
says() {
    echo "$3" | socle console $1 >/dev/null &
    until_true said $1 "^$2"
    set -- $?
    kill $!
    return $1
}
field() {
    socle list "$1" | awk -v c="$2" 'NR == 2 { print $c }'
}
free_memory() {
    socle info | sed -n 's/^free_memory *: //p'
}
memory_is_back() {
    at_least "$(free_memory)" $((free - 1))
}
only_dom0() {
    equal "$(socle list | awk 'NR > 1 { print $1 }' | xargs)" Domain-0
}
# File of a guest's disk, when the guest is gone.
content() { # IMAGE FILE [OFFSET]
    mount -o loop,ro,offset=${3:-0} /var/lib/socle/$1.img /mnt && cat /mnt/$2
    umount /mnt
}

is "the store is there" until_true test -S /run/xenstored/socket
is "what the hypervisor says is kept" until_true grep -q '(socle)\|(XEN)' /var/log/socle/hypervisor.log
free=$(free_memory)

is "ours is made" socle create /etc/socle/hello.json
is "GRUB is made" socle create /etc/socle/pvgrub.json vcpus=2
is "a kernel for clouds is made" socle create /etc/socle/demo.json
is "with other values" socle create /etc/socle/demo.json name=four vcpus=4 "disks=[]"
is "a kernel for all machines is made" socle create /etc/socle/debian.json
is "and its console says all" until_true said hello '^hello from a paravirtual guest'

up='^Linux 6.* on .*; CPUs: '
is "the kernel for clouds has a disk" until_true said demo "${up}1, .* disks: xvda"
is "or four CPUs, and no disk" until_true said four "${up}4, .* disks: none"
is "the kernel for all machines has two CPUs, and two disks" until_true said debian "${up}2, .* disks: xvda xvdb"
is "GRUB has booted Linux from its disk" until_true said pvgrub "${up}2, .* disks: xvda"
for guest in demo four debian pvgrub; do
    is "$guest gets an address" says $guest " *inet 10.77" "until ip addr show eth0 | grep 'inet '; do sleep 1; done"
done

is "a guest reaches the outside" says demo "1 packets transmitted, 1 packets received" "until ping -c 1 -W 5 10.0.2.2; do :; done"
is "and another guest" says four "1 packets transmitted, 1 packets received" \
    "until ping -c 1 -W 5 $(sed -n 's/^ *inet \(10[.0-9]*\).*/\1/p' $log/demo.log | tail -n 1); do :; done"
is "it reads its second disk" says debian "$iso_sum" "head -c 1048576 /dev/xvdb | md5sum"
is "and may not write to it" says debian ".*not permitted|.*[Rr]ead-only" "echo x >/dev/xvdb"
is "it writes to its first one" says debian "written debian" "hostname >/mnt/who && sync && echo written debian"
is "the first one too" says demo "written demo" "echo demo >/mnt/who && sync && echo written demo"

is "all are asked to end" socle shutdown --wait --timeout 1500 demo four debian pvgrub
is "ours is ended" socle destroy hello
is "they are gone" until_true only_dom0
is "their memory is back" until_true memory_is_back
is "what was written is on the disk" equal "$(content demo who)" demo
is "and in the partition" equal "$(content debian who 1048576)" guest
check_dmesg
finish
