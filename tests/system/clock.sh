# SPDX-License-Identifier: MIT
# Time, where a virtual second is a second: under -icount with sleep=off.
is "ten seconds" clock 10 20
is "a while" clock $seconds 12
rtc() {
    drift=$(($(date +%s) - $(cat /sys/class/rtc/rtc0/since_epoch)))
    [ ${drift#-} -le 2 ] || { echo "$drift s"; return 1; }
}
is "the battery clock agrees" rtc
slept() {
    before=$(cut -d . -f 1 /proc/uptime)
    sleep 100
    equal $(($(cut -d . -f 1 /proc/uptime) - before)) 100
}
is "sleep takes as long as it should" slept
before=$(interrupts timer)
sleep 60
n=$(($(interrupts timer) - before))
echo "# $n timer interrupts in 60 s"
is "idle, it sleeps" at_most $n $wakeups
check_dmesg
finish
