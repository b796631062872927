# SPDX-License-Identifier: MIT
# The console daemon, and socle console. /guest has kernels and configurations.
mkdir -p /var/lib/xen /var/log/xen /var/lock /run/xen
log=/var/log/socle
run=/run/socle/console
kib=64 # of each log file

# This script starts and kills it by itself.
if grep -q consoled /etc/inittab; then
    sed -i /consoled/d /etc/inittab
    kill -HUP 1
    killall socle-consoled
fi
start() {
    until_true socle-consoled --daemon --hypervisor-log --history 512 --log-size $kib --log-keep 30
}
kill_it() {
    kill -9 $(cat /run/socle/consoled.pid)
}
fds() {
    ls /proc/$(cat /run/socle/consoled.pid)/fd | wc -l
}
# create NAME CONFIGURATION
create() {
    xl create -q /guest/$2.cfg "name=\"$1\""
}
# say NAME TEXT: as if typed
say() {
    printf '%s\r' "$2" | timeout 300 socle console "$1" >/dev/null 2>&1 &
}
# All of a domain's log, the oldest first.
whole_log() {
    for n in $(seq 30 -1 1); do
        cat "$log/$1.log.$n" 2>/dev/null
    done
    cat "$log/$1.log"
}
# lines NR: the input has exactly these, in order
lines() {
    tr -d '\r' | awk -v nr="$1" '
        /^line / { n++; if ($2 != sprintf("%06u", n)) { print "line " n " is " $0; bad = 1; exit 1 } }
        END { if (!bad && n != nr) { print n " lines, not " nr; exit 1 } }'
}
up_to_done() {
    sed '/done/q' | wc -c
}
# On a busy host it may be slow to read, and is told so: then this much is missing, and no more.
all_or_told() {
    told=$(sed -n 's/^socle: \([0-9]*\) bytes are missing here.*/\1/p' /tmp/one.err | awk '{ n += $1 } END { print n + 0 }')
    [ $told != 0 ] || lines 40000 </tmp/one || return
    equal $(($(up_to_done </tmp/one) + told)) $(up_to_done </tmp/log)
}
log_has() {
    grep -qa "$2" "$log/$1.log"
}
ended() { # or is a zombie, for this script has not asked for it yet
    [ ! -d /proc/$1 ] || grep -q '^State:.*Z' /proc/$1/status
}
goes_on() {
    log_has a done || [ "$(cat $log/a.log* | wc -c)" -gt "$seen" ]
}
no_reader_left() {
    for p in $(pidof socle); do
        ended $p || { tr '\0' ' ' </proc/$p/cmdline; ls -l /proc/$p/fd; return 1; }
    done
}
no_descriptor_left() {
    equal "$(fds)" "$fds_before"
}
no_console_left() {
    equal "$(ls $run | grep -v hypervisor | xargs)" ""
}

if [ "$hv" = xen ]; then
    mkdir -p /var/lib/xenstored /run/xenstored
    is "Debian's store daemon starts" xenstored --pid-file=/run/xenstored.pid
fi
until_true xenstore-exists /
is "dom0 is entered into the store" xen-init-dom0
is "the daemon starts" start
is "a second one does not" refused "socle-consoled: it runs already: Device or resource busy" socle-consoled
is "the hypervisor's log is kept" until_true log_has hypervisor "[Dd]om0"
fds_before=$(fds)
before=$(xl info free_memory)

is "a guest is made" create a console
id=$(xl domid a)
is "it speaks" until_true log_has a ready
is "its log is for root only" equal "$(stat -c %a $log/a.log)" 600
is "input comes to it, with an echo" say a hello
is "and its answer" until_true log_has a "what is hello?"
socle console a </dev/null >/tmp/one 2>/tmp/one.err &
socle console "$id" </dev/null >/tmp/two &
is "a reader has what was before" until_true grep -qa ready /tmp/one
is "another one, too" until_true grep -qa ready /tmp/two
say a again
is "both go on" until_true grep -qa "what is again?" /tmp/one
is "both go on" until_true grep -qa "what is again?" /tmp/two
is "with all of it" until_true cmp /tmp/one $log/a.log
is "with all of it" until_true cmp /tmp/two $log/a.log

is "it has a terminal" until_true xenstore-exists /local/domain/$id/console/tty
tty=$(xenstore-read /local/domain/$id/console/tty)
cat "$tty" >/tmp/three &
cat=$!
is "the terminal has it, too" until_true grep -qa "what is again?" /tmp/three
printf 'by tty\r' >"$tty"
is "and takes input" until_true log_has a "what is by tty?"
kill $cat
xl console a </dev/null >/tmp/four 2>&1 & # which takes input from a terminal only
until_true pidof xenconsole
say a "xl console"
is "xl console works" until_true grep -qa "what is xl console?" /tmp/four
kill $(pidof xenconsole)

# Many lines, while the daemon is killed again and again: nothing is lost, nothing is there twice.
until_true test -S $run/$id
mkfifo /tmp/slowly
sleep 10000 </tmp/slowly &
holder=$!
socle console a </dev/null >/tmp/slowly 2>/tmp/slow.err &
say a "lines 40000"
is "many lines come" until_true log_has a "line 0"
for n in 1 2 3 4 5; do
    seen=$(cat $log/a.log* | wc -c)
    is "killed" kill_it
    is "started" start
    is "it goes on" until_true goes_on
done
is "all are written" until_true log_has a done
whole_log a >/tmp/log
is "the log has each line once" lines 40000 </tmp/log
is "so has a reader that was there all the time" until_true grep -qa done /tmp/one
is "each once" all_or_told
is "logs are bounded" at_most "$(stat -c %s $log/a.log.1)" $((kib * 1024))
is "and rotated" test -e $log/a.log.4
is "no longer than needed" equal "$(ls $run | xargs)" "$id $id.history hypervisor.history"

cat /tmp/slowly >/tmp/slow &
until_true test -s /tmp/slow
kill $holder
is "gets what is new" until_true grep -qa done /tmp/slow
is "and is told that it missed something" grep -q "bytes are missing here" /tmp/slow.err

is "a guest is made" create b console
is "another guest speaks" until_true log_has b ready
is "a flood begins" say b flood
is "it is logged" until_true log_has b "All work and no play"
is "more than there is room for" until_true test -e $log/b.log.4
is "other guests have their say" say a meanwhile
is "and are heard" until_true log_has a "what is meanwhile?"
is "the flood is destroyed" xl destroy b
is "what it said stays" log_has b "All work and no play"

for side in out in; do
    is "a guest is made" create bad-$side console
    is "it speaks" until_true log_has bad-$side ready
    socle console bad-$side </dev/null >/tmp/bad &
    reader=$!
    is "it spoils its indexes" say bad-$side "bad $side"
    say bad-$side more
    is "its readers are told" until_true grep -qa "indexes make no sense" /tmp/bad
    is "it is destroyed" xl destroy bad-$side
    is "its reader ends" until_true ended $reader
done
is "others go on" say a "still here"
is "as before" until_true log_has a "what is still here?"

mv $log/a.log /tmp/aside
is "files are opened anew" kill -HUP $(cat /run/socle/consoled.pid)
is "as they are" until_true test -e $log/a.log
say a anew
is "and go on" until_true log_has a "what is anew?"

is "destroyed" xl destroy a
is "its readers end" until_true no_reader_left
is "no console is left" until_true no_console_left
is "no descriptor is left" until_true no_descriptor_left

socle create --console /guest/quick.json </dev/null >/tmp/five 2>&1 &
is "a guest that is over at once is shown" until_true grep -qa bye /tmp/five
is "all of it" until_true grep -qa 'hello from a paravirtual guest' /tmp/five
is "it has a log of its own" until_true grep -qa bye /tmp/quick.log
is "destroyed" socle destroy quick
is "who looked on is done" until_true no_reader_left

is "stock Linux is a guest" create linux linux
is "it comes up" until_true log_has linux "userland is up"
is "its log begins at its beginning" equal "$(grep -ac 'Linux version 6' $log/linux.log)" 1
socle console linux </dev/null >/tmp/late &
is "a late reader has it all" until_true grep -qa 'Linux version 6' /tmp/late
is "up to the end" until_true grep -qa 'userland is up' /tmp/late
is "its shell hears" say linux 'echo $((6 * 7)) is it'
is "and answers" until_true log_has linux '^42 is it'
is "destroyed" xl destroy linux
free_memory() {
    equal "$(xl info free_memory)" "$before"
}
is "all memory is back" until_true free_memory
is "no descriptor is left" until_true no_descriptor_left
pid=$(cat /run/socle/consoled.pid)
is "the daemon is told to end" kill $pid
is "and ends" until_true ended $pid
check_dmesg
finish
