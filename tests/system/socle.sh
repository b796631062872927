# SPDX-License-Identifier: MIT
# Commands of socle about domains. Domain 1 was started by the hypervisor.
if [ $hv = xen ]; then
    mkdir -p /var/lib/xenstored /run/xenstored
    xenstored --pid-file=/run/xenstored.pid
fi
until_true xenstore-write /local/domain/0/name Domain-0
is "the guest is made" socle create /etc/socle/hello.json name=guest

# field NAME COLUMN: of a domain's line
field() {
    socle list "$1" | awk -v c="$2" 'NR == 2 { print $c }'
}
state_has() {
    field guest 5 | grep -q "$1"
}
state_lacks() {
    ! state_has "$1"
}
logged() {
    socle dmesg | grep -q "$1"
}

is "two domains" equal "$(socle list | wc -l)" 3
is "the header of the list" equal "$(socle list | head -n 1)" \
    "Name                                        ID   Mem VCPUs$(printf '\t')State$(printf '\t')Time(s)"
is "names and ids" equal "$(socle list | awk 'NR > 1 { print $1, $2 }' | xargs)" "Domain-0 0 guest 1"
is "memory" equal "$(field guest 3)" 32
is "vcpus" equal "$(field guest 4) $(field 0 4)" "1 2"
is "dom0 runs" equal "$(field 0 5)" "r-----"
is "by id" equal "$(field 1 1)" guest
is "as JSON" equal "$(socle list --json 1 | grep -E '"(domid|name|memory|vcpus)"' | tr -d ' \n')" \
    '"domid":1,"name":"guest","memory":32,"vcpus":1,'
is "with UUIDs" equal "$(socle list --verbose 1 | tail -n 1 | grep -cE '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12} +- +-$')" 1
is "id of a name" equal "$(socle domid guest)" 1
is "name of an id" equal "$(socle domname 1)" guest
is "an unknown name" refused "socle: there is no domain other" socle pause other
is "an unknown id" refused "socle: there is no domain 7" socle domname 7
is "too large an id" refused "socle: there is no domain 65537" socle destroy 65537
is "an empty name" refused "socle: there is no domain " socle destroy ""

is "pause" socle pause guest
is "it is paused" state_has p
time=$(field guest 6)
sleep 1
is "it does not run" equal "$(field guest 6)" "$time"
is "unpause" socle unpause guest
is "it is not paused" state_lacks p

is "vcpus of all" equal "$(socle vcpu-list | awk 'NR > 1 { print $1, $2, $3 }' | xargs)" "Domain-0 0 0 Domain-0 0 1 guest 1 0"
is "vcpus of one" equal "$(socle vcpu-list guest | awk 'NR > 1 { print NF, $7, $8, $9 }')" "9 all / all"

extra=$(cat /sys/hypervisor/version/extra)
is "info" equal "$(socle info | sed -n 's/^\(nr_cpus\|xen_version\|xen_pagesize\|host\) *: //p' | xargs)" "dom0 2 4.17$extra 4096"
is "memory of the machine" at_least "$(socle info | sed -n 's/^total_memory *: //p')" 900
is "log" logged .
is "a debug key" socle debug-key h
is "an answer in the log" until_true logged "run queues"
is "log, emptied" socle dmesg --clear
is "what was there is gone" equal "$(socle dmesg | grep -c 'run queues')" 0

is "dom0 is not destroyed" refused "socle: 0: Operation not permitted" socle destroy 0
free_before=$(socle info | sed -n 's/^free_memory *: //p')
is "destroy" socle destroy guest
is "it is gone" until_true eval 'equal "$(socle list | wc -l)" 2'
is "its memory is back" at_least "$(socle info | sed -n 's/^free_memory *: //p')" $((free_before + 31))
is "and its name leads nowhere" refused "socle: there is no domain guest" socle pause guest
check_dmesg
finish
