# SPDX-License-Identifier: MIT
# Start of every script that runs in dom0 as /etc/session and prints TAP. Values that the host knows
# stand before it, as shell variables.
dmesg -n 1 # the console is for results
trap 'echo "Bail out! the script has ended"; poweroff -f' EXIT
count=0

# is NAME COMMAND...: a test, right if the command succeeds; what it prints are notes.
is() {
    count=$((count + 1))
    name=$1
    shift
    result=ok
    notes=$("$@" 2>&1) || result="not ok"
    [ -z "$notes" ] || echo "$notes" | tail -n 20 | sed 's/^/# /'
    echo "$result $count - $name"
}

skip() {
    count=$((count + 1))
    echo "ok $count - $1 # SKIP $2"
}

equal() {
    [ "$1" = "$2" ] || { echo "'$1', not '$2'"; return 1; }
}

at_least() {
    [ "$1" -ge "$2" ] || { echo "$1, less than $2"; return 1; }
}

at_most() {
    [ "$1" -le "$2" ] || { echo "$1, more than $2"; return 1; }
}

# shows PATTERN COMMAND...: its output has a line like that
shows() {
    pattern=$1
    shift
    "$@" >/tmp/shown 2>&1
    grep -qE -- "$pattern" /tmp/shown || { cat /tmp/shown; return 1; }
}

# refused LINE COMMAND...: it fails, and says nothing but that
refused() {
    text=$1
    shift
    said=$("$@" 2>&1) && { echo "not refused: $said"; return 1; }
    equal "$said" "$text"
}

# until_true COMMAND...: waits for it to succeed. No limit tells how long something may take, for the host may be busy
# with other things; this one is for what never comes.
until_true() {
    tries=1500
    while ! "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || { "$@"; return; }
        sleep 0.2
    done
}

md5_of() {
    md5sum | cut -d ' ' -f 1
}

# How many interrupts lines of /proc/interrupts that match $1 have had, on all CPUs.
interrupts() {
    awk -v re="$1" 'BEGIN { n = 0 } $0 ~ re { for (i = 2; $i ~ /^[0-9]+$/; i++) n += $i } END { print n }' \
        /proc/interrupts
}

# What the kernel has complained of, and all its warnings for the host to compare.
check_dmesg() {
    is "no complaint of the kernel" no_complaint
    dmesg -r | sed -n 's/^<[0-4]>\[[^]]*\] */# warning: /p'
}

no_complaint() {
    # (What a kernel says of this flaw, it says in capitals.)
    ! dmesg | grep -v 'Speculative Return Stack Overflow' |
        grep -E 'WARNING|BUG|Oops|bad page|IRQ .*nobody cared|soft lockup|blocked for more'
}

# The last line of a script: how many tests there were, and an end in order.
finish() {
    echo "1..$count"
    ${1:-poweroff}
    sleep 1000
}
