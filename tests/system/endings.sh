# SPDX-License-Identifier: MIT
# Guests end, and tools and daemons are killed. /guest/mortal.elf does as its node data/end says.
until_true xenstore-exists /tool
watchd() {
    while :; do
        socle-watchd --restarts "$1" --within 3600
        sleep 0.2
    done 2>>/tmp/watchd.log
}
kill_watchd() {
    kill -9 $(pidof socle-watchd) 2>/dev/null
}
# guest NAME [KEY=VALUE...]: makes one.
guest() {
    name=$1
    shift
    socle create /guest/mortal.json name="$name" "$@"
}
# ids NAME...: theirs, or failure if one of them is not there. ask NODE NAME... tell ENDING NAME...
ids() {
    ids=$(socle list | awk -v names=" $* " 'NR > 1 && index(names, " " $1 " ") { print $2 }')
    [ $(echo "$ids" | wc -w) = $# ] && echo "$ids"
}
ask() {
    node=$1
    shift
    asked=$(ids "$@") && timeout 300 xenstore-read $(printf "/local/domain/%s/data/$node " $asked)
}
tell() {
    ending=$1
    shift
    told=$(ids "$@") && timeout 300 xenstore-write $(printf "/local/domain/%s/data/end $ending " $told)
}
state() {
    socle list "$1" 2>/dev/null | awk 'NR == 2 { print $5 }'
}
# Each has counted on since it had counted to these.
are_past() {
    past=$(echo $1)
    shift
    now=$(ask beat "$@") &&
        echo "$now" | awk -v past="$past" 'BEGIN { split(past, p) } $1 <= p[NR] { bad = 1 } END { exit bad }'
}
# lives NAME...: each counts on, and has never seen anything wrong.
lives() {
    [ $# != 0 ] || return 0
    until_true ask faults "$@" && beats=$(ask beat "$@") && until_true are_past "$beats" "$@" &&
        equal "$(ask faults "$@" | sort -u)" 0
}
# reborn NAME ID: it lives, as another domain than that.
reborn() {
    until_true is_other $1 $2 && lives $1
}
is_other() {
    id=$(socle domid $1 2>/dev/null) && [ "$id" != $2 ]
}
gone() {
    ! socle domid "$1" >/dev/null 2>&1
}
has_vcpus() {
    [ "$(ask vcpus $1)" = $2 ]
}
has_state() {
    state $1 | grep -q $2
}
uuid_of() {
    socle list --verbose $1 | grep -oE '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}'
}
free_memory() {
    socle info | sed -n 's/^free_memory *: //p'
}
names() {
    { xenstore-list /local/domain; xenstore-list /vm; } 2>&1 | grep -vx 0 | xargs
}
# Nothing of any guest.
all_is_back() {
    equal "$(socle list | wc -l)" 2 && equal "$(ls /run/socle | grep -E '^[0-9]+\.(json|lock|life|restart)' | xargs)" "" || return 1
    equal "$(names)" "$names" || return 1
    at_least "$(free_memory)" $((before - 1))
}

guest first && socle destroy first # so that the store has its first folders
before=$(free_memory) names=$(names)
watchd 4 &
is "a guest lives" eval 'guest a vcpus=2 && lives a'
is "only one socle-watchd" eval 'until_true pidof socle-watchd && ! socle-watchd 2>/dev/null'

is "told to power off" tell poweroff a
is "it is destroyed" until_true gone a
is "nothing is left" until_true all_is_back

guest b weight=300 cpus=1 vcpus=2 on_crash=preserve
id=$(socle domid b) uuid=$(uuid_of b)
is "told to reboot" eval 'lives b && tell reboot b'
is "it is there again" reborn b $id
is "with its uuid" equal "$(uuid_of b)" "$uuid"
is "with its vcpus" until_true has_vcpus b 2
is "and its pins" equal "$(socle vcpu-list b | awk 'NR == 2 { print $7 }')" 1
is "saved" tell suspend b
is "it stays" until_true has_state b s
socle destroy b

guest c on_crash=preserve
is "told to crash" eval 'lives c && tell crash c'
is "it is kept" until_true has_state c c
socle destroy c

guest d on_crash=rename-restart
id=$(socle domid d) uuid=$(uuid_of d)
is "ended by its watchdog" eval 'lives d && tell watchdog d'
is "it is there again" reborn d $id
is "the old one has another name" until_true has_state d-$id w
is "and uuid" eval '[ "$(uuid_of d-$id)" != $uuid ] && equal "$(uuid_of d)" $uuid'
socle destroy d
socle destroy d-$id
is "nothing is left" until_true all_is_back

guest e on_crash=restart cmdline=end=crash
is "one that crashes at once stays after some times" until_true grep -q "^socle-watchd: e .* stays as it is" /tmp/watchd.log
is "as many as allowed" equal "$(grep -c "^socle-watchd: e: is domain" /tmp/watchd.log)" 4
is "it is kept" has_state e c
socle destroy e

guest f on_crash=destroy
is "another tool's domain" eval 'lives f && rm /run/socle/$(socle domid f).json'
is "crashes" tell crash f
guest g
is "and one of ours" eval 'lives g && tell poweroff g'
is "ours is destroyed" until_true gone g
is "the other one is left alone" has_state f c
socle destroy f

# Ten guests, and everything is killed.
ten=$(seq 10 | sed s/^/n/)
make_ten() {
    for n in $(seq 10); do
        guest n$n vcpus=$((n % 4 + 1)) || return 1
    done
}
is "ten guests are made" make_ten
is "they live" lives $ten
is "the store is killed" kill -9 $(pidof socle-stored)
is "they live on" lives $ten
is "socle-watchd and socle-consoled are killed" eval 'kill_watchd; kill -9 $(pidof socle-consoled)'
is "they live on" lives $ten
# Nobody hears the last words of a domain that ends while there is no daemon. A terminal for each: it has them again.
all_heard() {
    at_least "$(ls -l /proc/$(pidof socle-consoled)/fd | grep -c ptmx)" 10
}
is "socle-consoled has all their consoles again" until_true all_heard
old=$(ids $ten)
is "all reboot" tell reboot $ten
is "while socle-watchd is killed again and again" eval 'for n in $(seq 12); do sleep 0.$((n % 7)); kill_watchd; done; true'
all_reborn() {
    new=$(ids $ten) && ! { echo "$old"; echo "$new"; } | sort | uniq -d | grep .
}
is "each is there again" until_true all_reborn
is "and lives" lives $ten
is "once" equal "$(socle list | grep -c '^n[0-9]')" 10
said() {
    for n in $ten; do
        equal "$n: $(grep -c "mortal: lives" /var/log/socle/$n.log), $(grep -c "mortal: reboot" /var/log/socle/$n.log)" "$n: 2, 1" ||
            return 1
    done
}
is "all that they have said is in their logs" until_true said
is "all power off" tell poweroff $ten
is "while all is killed" eval 'for n in $(seq 8); do sleep 0.$((n % 7)); kill_watchd; [ $n != 4 ] || kill -9 $(pidof socle-stored); done; true'
is "nothing is left" until_true all_is_back

# Tools are killed at any moment: what they were making is gone, or is there as a whole.
kill_tools() {
    for n in $(seq 20); do
        guest k$n &
        sleep $((n % 2)).$((n * 7 % 10))
        kill -9 $! 2>/dev/null
        kill -9 $(pidof socle) 2>/dev/null
    done
}
is "socle create is killed" kill_tools
guests() { # column $1 of the list
    socle list | awk -v c=$1 'NR > 2 { print $c }'
}
whole() {
    for id in $(guests 2); do
        [ -e /run/socle/$id.json ] || return 1
    done
}
is "what is half-built is taken away" until_true whole
for guest in $(guests 1); do
    socle unpause $guest # that was to be the last step
done 2>/dev/null
is "who is there lives" lives $(guests 1)
for guest in $(guests 1); do
    socle destroy $guest
done
is "and nothing else is left" until_true all_is_back
is "the store is consistent" equal "$(timeout 300 request 0 check)" "the store is consistent"
sed 's/^/# /' /tmp/watchd.log | tail -n 60
check_dmesg
finish
