# SPDX-License-Identifier: MIT
# Each command of socle, good and bad, on two guests: hello, which watches no nodes of the store, and a stock Linux
# with 2 of 4 vcpus, 112 of 160 MiB, a disk and a network card.
# What xl says of the same is compared.
mkdir -p /var/lib/xen /var/run/xen /run/xen
until_true xenstore-exists /
xen-init-dom0 >/dev/null
log=/var/log/socle/linux.log

misused() {
    "$@" >/dev/null 2>&1
    equal $? 2
}
row() { # row DOMAIN KEY
    socle dominfo "$1" "$2"
}
row_is() {
    equal "$(row "$1" "$2")" "$3"
}
said() { # said PATTERN: the guest
    grep -qa "$1" $log
}
take_up() { # udev's part, where there is one: a CPU that is there is taken into use
    echo 1 >/sys/devices/system/cpu/cpu1/online
    row_is 0 vcpus 2
}
another() { # than $before has come up
    [ "$(socle domid linux)" != "$before" ] && [ "$(grep -ca 'userland: begins' $log)" = 2 ]
}
gone() {
    ! socle domid "$1" >/dev/null 2>&1
}
free_is() {
    equal "$(socle info free_memory)" "$1"
}
node() {
    xenstore-read "/local/domain/$(socle domid "$1")/$2"
}

truncate -s 4M /guest/disk
free=$(socle info free_memory)
is "hello is made" socle create /guest/hello.json
is "Linux is made, paused" socle create -p /guest/linux.json

same_values() {
    for tool in socle xl; do
        $tool info | grep -v 'cpu_mhz\|^free_mem\|^$\|^xenstore' >/tmp/info.$tool
    done
    diff /tmp/info.socle /tmp/info.xl
}
is "the rows of info are those of xl" equal "$(socle info | cut -d : -f 1)" "$(xl info | cut -d : -f 1 | grep -v '^$\|^xenstore')"
is "and their values" same_values
is "info as JSON" shows '"xen_pagesize": 4096,' socle info --json
is "info with nodes" shows '^ *0: +[0-9]+ +[0-9]+$' socle info -n
is "the list is that of xl" equal "$(socle list | sed 's/ .....-.*//')" "$(xl list | sed 's/ .....-.*//')"
is "with UUIDs, too" equal "$(socle list -v linux | tail -n 1 | awk '{ print $7 }')" "$(xl list -v linux | tail -n 1 | awk '{ print $7 }')"
is "paused" row_is linux doing paused
is "a paused guest does not react" refused "socle: linux: no reaction for 0 seconds: it is paused" socle shutdown -t 0 linux
is "the request is taken back" xenstore-write "/local/domain/$(socle domid linux)/control/shutdown" ""
is "a paused one is not unpaused twice" socle unpause linux
is "really" refused "socle: linux: is not paused" socle unpause linux
is "pause" socle pause hello
is "paused" shows '^hello .* -.p---' socle list
is "unpause" socle unpause hello
is "dom0 is not paused" refused "socle: Domain-0: the control domain could not be unpaused by anybody" socle pause Domain-0

is "rename" socle rename hello "hi.1"
is "the new name counts" row_is hi.1 name hi.1
is "the old one does not" refused "socle: there is no domain hello" socle domid hello
is "xl sees it as well" shows '^hi.1 ' xl list
is "not another's name" refused "socle: linux: that is the name of domain $(socle domid linux)" socle rename hi.1 linux
is "not digits only" misused socle rename hi.1 17
is "not dom0" refused "socle: 0: the control domain keeps its name" socle rename 0 zero
is "its configuration has it" shows '"name": "hi.1"' socle list --long hi.1
is "back" socle rename hi.1 hello

is "shares" socle sched hello --weight 512 --cap 40
is "are shown" shows '^hello +[0-9]+ +512 +40$' socle sched
is "and by xl" shows '^hello +[0-9]+ +512 +40$' xl sched-credit2
is "shares as JSON" shows '"weight": 512,' socle sched --json hello
is "the pool's parameters" shows '^Cpupool Pool-0: ratelimit=[0-9]+us$' socle sched
is "too much" refused "socle: --cap: expected a number from 0 to 100, not 101" socle sched -d hello -c 101
is "no weight" refused "socle: --weight: expected a number from 1 to 65535, not 0" socle sched hello -w 0

is "it comes up" until_true said 'userland: 2 CPUs'
is "vcpus" equal "$(socle vcpu-list linux | awk 'NR > 1 { print $3, $(NF-2) }' | xargs)" "0 all 1 all 2 all 3 all"
is "all are pinned" socle vcpu-pin linux all 1
is "one is pinned otherwise, and has a wish" socle vcpu-pin linux 0 0-1 0
is "that is shown" equal "$(socle vcpu-list linux | awk 'NR > 1 { print $(NF-2), $(NF-1), $NF }' | xargs)" "all / 0 1 / all 1 / all 1 / all"
is "and by xl" equal "$(socle vcpu-list linux | awk '{ print $3, $NF }')" "$(xl vcpu-list linux | awk '{ print $3, $NF }')"
is "no such vcpu" refused "socle: expected a vcpu from 0 to 3, or all, not 4" socle vcpu-pin linux 4 0
is "no such CPU" refused "socle: expected CPUs from 0 to 1 such as 0-3,^1, or all, or -, not 2" socle vcpu-pin linux 0 2
is "free again" socle vcpu-pin linux all all all

is "a third vcpu" socle vcpu-set linux 3 -i
is "it is used" until_true said 'userland: 3 CPUs'
is "it shows" row_is linux vcpus 3
is "one is enough" socle vcpu-set linux 1
is "the others rest" until_true row_is linux vcpus 1
is "not more than it has" refused "socle: linux: expected a number of vcpus from 1 to 4, not 5" socle vcpu-set linux 5
is "not more than the machine has" refused \
    "socle: linux: this machine has 2 CPUs; --ignore-host gives a domain more vcpus" socle vcpu-set linux 3
is "two again" socle vcpu-set linux 2
is "they are used" until_true row_is linux vcpus 2

is "memory as it was made" row_is linux memory 112
is "it gives memory back" socle mem-set linux 100m
is "it shows" until_true row_is linux memory 100
is "xl knows" shows '^linux +[0-9]+ +100 ' xl list
is "it takes more than it began with" socle mem-set linux 131072k
is "it shows" until_true row_is linux memory 128
is "not more than its limit" refused "socle: linux: 164864 KiB are more than its limit, 163840 KiB" socle mem-set linux 161
is "a lower limit" socle mem-max linux 128
is "counts" refused "socle: linux: 132096 KiB are more than its limit, 131072 KiB" socle mem-set linux 129
is "not below what it has" refused "socle: linux: 102400 KiB are less than its target, 131072 KiB" socle mem-max linux 100
is "no size" misused socle mem-set linux 1x
is "dom0 needs some" refused "socle: 0: the control domain needs 131072 KiB" socle mem-set 0 1

is "dom0 gives memory back, too" socle mem-set 0 490
is "it shows" until_true row_is 0 memory 490
is "it takes it back" socle mem-set 0 512
is "it shows" until_true row_is 0 memory 512
is "and a vcpu" socle vcpu-set 0 1
is "it shows" until_true row_is 0 vcpus 1
is "it gets it back" socle vcpu-set Domain-0 2
is "it shows" until_true take_up

is "a magic key" socle sysrq -t 1500 linux h
is "Linux knows it" until_true said 'sysrq: HELP'
is "hello does not" refused \
    "socle: hello: no reaction for 0 seconds: it may be booting, or have no driver for requests" socle sysrq -t 0 hello h
is "one letter" misused socle sysrq linux hh
is "an NMI" socle trigger linux nmi 1
is "Linux gets it" until_true said 'NMI received.* on CPU 1'
is "no reset button" refused "socle: linux: a paravirtual domain has no reset" socle trigger linux reset
is "nor any power button" refused "socle: linux: a paravirtual domain has no power" socle trigger linux power
is "no such button" misused socle trigger linux bell

is "uptime" at_least "$(row linux uptime)" 1
is "of all" equal "$(socle uptime | awk 'NR > 1 { print $1 }' | xargs)" "Domain-0 hello linux"
is "dom0's is that of its kernel" at_most "$(($(row 0 uptime) - $(cut -d . -f 1 /proc/uptime)))" 2
is "as JSON" shows '"uptime": [0-9]+' socle uptime -j hello
is "briefly" shows ' up +[0-9]+:[0-9][0-9]:[0-9][0-9], hello \([0-9]+\)$' socle uptime -s hello

numbers() { # of a table of top that will be the same a moment later
    awk '$1 != "Domain-0" { print $1, $5, $7, $9, $13 }'
}
is "top" equal "$(socle top -b -i 1 | head -n 1)" "$(xentop -b -i 1 | head -n 1)"
is "its numbers are those of xentop" equal "$(socle top -b -i 1 | numbers)" "$(xentop -b -i 1 | numbers)"
traffic() { # cards, disks, and whether there was something to count: KiB sent, received; reads, sectors
    socle top -b -i 1 | awk '$1 == "linux" { print $10, $13, ($11 >= 2), ($12 >= 2), ($15 > 0), ($17 >= 2048) }'
}
traffic_is() {
    equal "$(traffic)" "$1"
}
is "what went through devices is counted" until_true traffic_is "1 1 1 1 1 1"
is "loads come with the second look" at_least "$(socle top -b -i 2 -d 1 | awk '$1 == "Domain-0" { print int($4 * 10) }' | tail -n 1)" 1
is "top as JSON" shows '"cpu_percent": [0-9]+\.[0-9],' socle top --json -i 1
is "vcpus in top" shows '^VCPUs\(sec\):  0: +[0-9]+s  1: +[0-9]+s$' socle top -b -v -i 1
is "top without a terminal" refused "socle: this is no terminal; --batch needs none" socle top -i 1

is "hello does not react" refused \
    "socle: hello: no reaction for 1 seconds: it may be booting, or have no driver for requests" socle shutdown -w -t 1 hello
is "dom0 is not asked" refused "socle: 0: the control domain is shut down by its own commands, such as poweroff" socle shutdown 0
is "a CPU leaves its pool" socle cpupool-cpu-remove Pool-0 1
is "another pool is made of it" socle cpupool-create side 1
is "Linux goes there" socle cpupool-migrate linux side
is "a guest is made there" socle create /guest/hello.json name=third pool=side
is "the pools are those of xl" equal "$(socle cpupool-list)" "$(xl cpupool-list)"
is "with their CPUs" equal "$(socle cpupool-list -c)" "$(xl cpupool-list -c)"
is "who is where, too" equal "$(socle list -c | awk '{ print $1, $NF }')" "$(xl list -c | awk '{ print $1, $NF }')"
is "they run there" equal "$(socle vcpu-list linux third | awk 'NR > 1 && $4 != "-" { print $4 }' | sort -u)" 1
is "no such pool" refused "socle: fourth: pool: there is none called other" socle create /guest/hello.json name=fourth pool=other
is "it is not made" gone fourth
is "a pool in use stays" refused "socle: side: 2 domains are in it" socle cpupool-destroy side
is "and has a CPU" refused "socle: side: CPU 1 is the last one, and there are domains" socle cpupool-cpu-remove side 1
is "one is destroyed" socle destroy third
before=$(socle domid linux) started=$(($(row linux start_time) + 1))
is "reboot" socle reboot --wait -t 1500 linux
is "another one comes up" until_true another
is "it is as the former one was left" equal "$(row linux memory) $(row linux memory_limit) $(row linux vcpus)" "128 129 2"
is "it is in its pool" shows '^linux .* side$' socle list -c
is "from which it goes" socle cpupool-migrate linux Pool-0
is "the pool is removed" socle cpupool-destroy side
is "its name, too" refused "" xenstore-exists /local/pool/1
is "its CPU is free" equal "$(socle info free_cpus)" 1
is "and goes back" socle cpupool-cpu-add Pool-0 1
is "it is younger" at_least "$(row linux start_time)" "$started"
is "destroy" socle destroy hello
is "it is gone" until_true gone hello
is "all are shut down" socle shutdown --all --wait --timeout 1500
is "and gone" until_true gone linux
is "their memory is back" until_true free_is "$free"
check_dmesg
finish
