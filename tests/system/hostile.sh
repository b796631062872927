# SPDX-License-Identifier: MIT
# Two guests attack the store (guest/attacker.c) while dom0 and a third guest use it.
until_true xenstore-exists /tool
node() {
    timeout 300 xenstore-read /local/domain/$(socle domid $2)/data/$1
}
guest() {
    socle create /guest/$1.json name=$2
}
rounds() {
    [ "$(node rounds $1)" -ge $2 ]
}
is_past() {
    [ "$(node beat $1)" -gt $2 ]
}
count() {
    timeout 300 request 0 info | sed -n "s/^$1 *//p"
}
# Again and again: what is written is there, on either way.
work() {
    for n in $(seq 50); do
        timeout 300 xenstore-write /work/$n $n && equal "$(timeout 300 xenstore-read /work/$n)" $n || return 1
        [ $((n % 10)) != 0 ] || equal "$(XENSTORED_PATH=/dev/xen/xenbus timeout 300 xenstore-read /work/$n)" $n || return 1
    done
}

guest mortal m
until_true node beat m
nodes=$(count nodes)
is "attackers are made" eval 'guest attacker a && guest attacker b'
is "they attack" until_true eval 'node attack a && node attack b'
beat=$(node beat m)
is "dom0 works" work
is "another guest works" until_true is_past m $beat
is "the attackers have done all they can" until_true eval 'rounds a 1 && rounds b 1'
is "nothing was wrong for them" equal "$(node faults a) $(node faults b)" "0 0"
is "nor for the other guest" equal "$(node faults m)" 0
is "the store is consistent" equal "$(timeout 300 request 0 check)" "the store is consistent"
is "what it keeps is bounded" at_most "$(stat -c %s /run/xenstored/state)" 20000000
is "and its memory" at_most "$(awk '/^VmRSS/ { print $2 }' /proc/$(pidof socle-stored)/status)" 60000
is "dom0 works while they are destroyed" eval 'socle destroy a && work && socle destroy b'
timeout 300 xenstore-rm /work
as_before() {
    at_most "$(count nodes)" $nodes && equal "$(count transactions) $(timeout 300 request 0 info | sed -n "s/^bytes queued *//p")" "0 0"
}
is "nothing of theirs is left" until_true as_before
check_dmesg
finish
