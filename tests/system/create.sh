# SPDX-License-Identifier: MIT
# socle create and socle destroy. /guest has kernels and configurations. The host says how many guests it shall be
# ($many), and which of the calls go wrong, each $step-th.
until_true xenstore-ls /
log=/var/log/socle

refused_like() { # refused_like PATTERN COMMAND...: and that is all it says
    pattern=$1
    shift
    "$@" >/tmp/shown 2>&1 && { echo "not refused"; return 1; }
    [ "$(grep -c . /tmp/shown)" = 1 ] && grep -qE "^socle: $pattern\$" /tmp/shown || { cat /tmp/shown; return 1; }
}
free_memory() {
    socle info | sed -n 's/^free_memory *: //p'
}
# What there is of domains, in the hypervisor, the store, the tools' files and the daemons.
world() {
    echo "$(socle list | wc -l) domains, $(ls /run/socle/*.json /run/socle/*.lock 2>/dev/null | wc -l) files"
    echo "$(lsevtchn 0 2>/dev/null | wc -l) ports"
    for daemon in socle-stored socle-consoled; do
        echo "$daemon $(ls /proc/$(pidof $daemon)/fd | wc -l)"
    done
    xenstore-ls -f / | grep -v '^/local/domain/0/'
}
all_is_back() {
    equal "$(world)" "$before"
}
# A MiB more or less is what the hypervisor keeps at hand.
memory_is_back() {
    at_least "$(free_memory)" $((memory - 1))
}

hello() { # as few daemons as possible write to the console in the midst
    socle create /guest/hello.json "$@" 2>/dev/null
}
hello && socle destroy hello # so that the store has its first folders
all_is_quiet() {
    before=$(world)
    sleep 1
    all_is_back
}
until_true all_is_quiet
memory=$(free_memory)

is "a small guest is made, paused" socle create --paused /guest/hello.json
is "it waits" shows '^hello .* --p---' socle list
is "its name is taken" refused_like 'hello: there is a domain hello already: its id is [0-9]+' socle create /guest/hello.json
is "it is let go" socle unpause hello
is "it speaks" until_true grep -q 'hello from a paravirtual guest' $log/hello.log
is "destroy" socle destroy hello
is "all is back" until_true all_is_back

is "memory that is not there" \
    refused_like 'hello: not enough memory: 9000 MiB are wanted, [0-9]+ MiB are free, [0-9]+ MiB are missing \(socle mem-set 0 .*\)' \
    socle create /guest/hello.json memory=9000
is "a kernel that is none" refused_like 'hello: /guest/initrd: neither a bzImage nor .*' socle create /guest/hello.json kernel=/guest/initrd
is "all is back" until_true all_is_back

# Each call to hypervisor and store fails once: nothing is left, at once.
trip() { # trip HOW AT
    LD_PRELOAD=/usr/lib/trip.so TRIP=$1 TRIP_AT=$2 socle create --paused /guest/hello.json
}
all_fail() {
    good=0
    for n in $(seq 1 $step 400); do
        trip fail $n 2>/dev/null
        case $? in
        0) socle destroy hello || return 1; good=$((good + 1)); [ $good -lt 4 ] || break ;;
        1) good=0 ;;
        *) echo "status $? at $n"; return 1 ;;
        esac
        [ "$(socle list | wc -l)" = 2 ] || { socle list; echo "after $n"; return 1; }
    done
    at_least $n 25
}
is "each call fails" all_fail
is "all is back" until_true all_is_back

# Killed before each call: whoever comes next cleans up.
all_killed() {
    good=0
    for n in $(seq 1 $((step * 2)) 400); do
        trip kill $n 2>/dev/null
        case $? in
        0) socle destroy hello || return 1; good=$((good + 1)); [ $good -lt 2 ] || break ;;
        137) good=0 ;;
        *) echo "status $? at $n"; return 1 ;;
        esac
        [ "$(socle list | wc -l)" -le 3 ] || { socle list; echo "after $n"; return 1; }
    done
    hello && socle destroy hello
    at_least $n 25
}
is "killed before every other call" all_killed
is "all is back" until_true all_is_back
is "Ctrl-C" refused_like 'hello: interrupted' trip int 20
is "all is back" until_true all_is_back

many() {
    for n in $(seq $many); do
        hello || { echo "number $n"; return 1; }
        socle destroy hello || { echo "number $n"; return 1; }
    done
}
is "$many guests, one after the other" many
is "all is back" until_true all_is_back
is "and memory" until_true memory_is_back

is "a stock kernel is made a guest" socle create /guest/linux.json
is "it comes up" until_true grep -q 'userland: 2 CPUs of 0-3' $log/linux.log
is "destroy" socle destroy linux
is "all is back" until_true all_is_back
is "its kernel is kept" test -n "$(ls /var/cache/socle)"
is "another one, for clouds" socle create /guest/linux.json vcpus=4 kernel=/guest/cloud
is "it comes up" until_true grep -q 'userland: 4 CPUs of 0-3' $log/linux.log
is "destroy" socle destroy linux
is "a boot loader" socle create /guest/hello.json kernel=/guest/pvgrub memory=64
is "it asks what to do" until_true grep -q 'grub>' $log/hello.log
is "destroy" socle destroy hello
is "all is back" until_true all_is_back
is "memory is back" until_true memory_is_back
check_dmesg
finish
