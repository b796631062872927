# SPDX-License-Identifier: MIT
# vcpus go offline and come back; memory goes to the hypervisor and comes back.
cpu=/sys/devices/system/cpu
memory=/sys/devices/system/xen_memory/xen_memory0

offline_and_back() {
    for round in 1 2 3; do
        for i in 1 2 3; do
            echo 0 >$cpu/cpu$i/online || return
        done
        equal "$(nproc)" 1 && equal "$(cat $cpu/online)" 0 || return
        for i in 3 1 2; do
            echo 1 >$cpu/cpu$i/online || return
        done
        equal "$(nproc)" 4 && equal "$(cat $cpu/online)" 0-3 || return
    done
}

each_cpu_works() {
    for i in 0 1 2 3; do
        equal "$(taskset -c $i sh -c 'n=0; while [ $n -lt 2000 ]; do n=$((n + 1)); done; echo $n')" 2000 || return
    done
}

is "four CPUs" equal "$(cat $cpu/online)" 0-3
is "each of them works" each_cpu_works
is "they go offline and come back" offline_and_back
is "each of them still works" each_cpu_works
(while :; do :; done) &
(while :; do md5sum /bin/busybox; done >/dev/null) &
is "the same under load" offline_and_back
is "and works" each_cpu_works
kill %1 %2
interrupted() {
    before=$(interrupts timer3)
    taskset -c 3 sleep 1
    at_least $(($(interrupts timer3) - before)) 1
}
is "a CPU that came back has a timer" interrupted

real=/sys/devices/system/xen_cpu/xen_cpu3/online
shows() {
    equal "$(cat $real)" $1
}
echo 0 >$real
is "a real CPU goes off line" until_true shows 0
is "all vcpus work on the others" each_cpu_works
echo 1 >$real
is "it comes back" until_true shows 1
is "and they work" each_cpu_works

current() {
    cat $memory/info/current_kb
}
is "the balloon driver knows its memory" at_least "$(current)" 400000
start=$(cat $memory/target_kb)
reaches() {
    d=$(($(current) - $1))
    [ ${d#-} -le 1024 ] || { echo "$(current) KiB, not $1"; return 1; }
}
free() {
    sed -n 's/^MemFree: *\([0-9]*\).*/\1/p' /proc/meminfo
}
for round in 1 2; do
    was_free=$(free)
    echo $((start - 131072)) >$memory/target_kb
    is "128 MiB go ($round)" until_true reaches $((start - 131072))
    is "the kernel has less ($round)" at_most "$(free)" $((was_free - 100000))
    echo $start >$memory/target_kb
    is "and come back ($round)" until_true reaches $start
done
# Pages that came back are as good as any.
fill() {
    mount -t tmpfs -o size=200m tmpfs /mnt && dd if=/dev/zero of=/mnt/file bs=1M count=160 2>/dev/null &&
        equal "$(md5_of </mnt/file)" f5ffba20ce077a9f789a61ff8aedb471 && umount /mnt
}
is "what came back can be used" fill
check_dmesg
finish
