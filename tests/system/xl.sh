# SPDX-License-Identifier: MIT
# Debian's own toolstack in dom0: xenstored, xenconsoled and xl, as they are. /guest has kernels and
# configurations.
mkdir -p /var/lib/xen /var/lib/xenstored /var/log/xen/console /var/run/xen /var/run/xenstored /var/lock /run/xen /run/xenstored
for module in xen-evtchn xen-gntdev xen-gntalloc xen-privcmd xenfs; do
    modprobe $module 2>/dev/null
done
mountpoint -q /proc/xen || mount -t xenfs xenfs /proc/xen

is "xenstored starts" xenstored --pid-file=/run/xenstored.pid
is "dom0 is entered into the store" xen-init-dom0
is "xenconsoled starts" xenconsoled --log=guest --pid-file=/run/xenconsoled.pid

shows() { # shows PATTERN COMMAND...: its output has a line like that
    pattern=$1
    shift
    "$@" >/tmp/shown 2>&1
    grep -qE "$pattern" /tmp/shown || { cat /tmp/shown; return 1; }
}
free_memory() {
    equal "$(xl info free_memory)" "$before"
}
only_dom0() {
    equal "$(xl list | grep -c .)" 2
}
log=/var/log/xen/console/guest

is "xl info" shows '^xen_scheduler *: credit2' xl info
is "xl info -n" shows '^ *0: *0 *0 *0' xl info -n
is "xl list" shows '^Domain-0 +0 .* r-----' xl list
is "xl dmesg" shows 'Socle' xl dmesg
is "xl cpupool-list" shows '^Pool-0 +2 +credit2 +y +1' xl cpupool-list
before=$(xl info free_memory)

is "a small guest is made, paused" xl create -p /guest/hello.cfg
is "it waits" shows '^hello .* --p---' xl list
is "it is let go" xl unpause hello
is "it speaks" until_true 60 grep -q 'hello from a paravirtual guest' $log-hello.log
is "it knows the time" until_true 10 grep -q 'day [1-9][0-9]* since' $log-hello.log
is "it sleeps" until_true 20 shows '^hello .* -b----' xl list
is "shares are changed" xl sched-credit2 -d hello -w 512 -c 30
is "and shown" shows '^hello .* 512 +30' xl sched-credit2
is "its vcpu is pinned" xl vcpu-pin hello 0 1
is "and shown" shows '^hello .* 1 / all' xl vcpu-list
is "it is paused" xl pause hello
is "and shown" shows '^hello .*p--' xl list
is "it is destroyed" xl destroy hello
is "its memory is back" until_true 20 free_memory

is "a stock kernel is made a guest" xl create /guest/linux.cfg
is "it comes up" until_true 240 grep -q 'userland: 2 CPUs' $log-linux.log
is "it gives memory back" xl mem-set linux 100
is "and shows it" until_true 60 shows '^linux +[0-9]+ +100 ' xl list
is "it gives a vcpu back" xl vcpu-set linux 1
is "and shows it" until_true 60 shows '^linux .* --p ' xl vcpu-list
is "it shuts down when it is asked to" xl shutdown -w linux
is "it is gone" until_true 30 only_dom0
is "its memory is back" until_true 20 free_memory
finish
