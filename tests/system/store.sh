# SPDX-License-Identifier: MIT
# The store daemon. init starts it, and starts it again.
socket=/run/xenstored/socket

# by_socket CLIENT..., by_kernel CLIENT...: the same file by either way.
by_socket() {
    timeout 300 "$@"
}
by_kernel() {
    XENSTORED_PATH=/dev/xen/xenbus timeout 300 "$@"
}
kill_it() {
    kill -9 $(pidof socle-stored)
}
# Again and again, but each time it has come up in between: on a busy host that takes its time.
kill_on() {
    while :; do
        until_true by_socket xenstore-exists /a/b
        sleep $1
        kill_it
    done 2>/dev/null
}

is "it is started" until_true test -S $socket
is "a program writes" by_socket xenstore-write /a/b 1
is "the kernel reads" equal "$(by_kernel xenstore-read /a/b)" 1
is "the kernel writes" by_kernel xenstore-write /a/c 2
is "a program reads" equal "$(by_socket xenstore-list /a | xargs)" "b c"
is "the kernel uses it for itself" until_true by_socket xenstore-exists /local/domain/0/control/feature-poweroff

tree=$(by_socket xenstore-ls -f -p /)
is "killed" kill_it
is "it is started again" until_true by_socket xenstore-exists /a/b
is "the tree is the same" equal "$(by_socket xenstore-ls -f -p /)" "$tree"

# The kernel waits for answers as long as it takes: each request is done, once, and each change is told of.
is "clients of the kernel, while it is killed at any moment" storm 2 12
is "it is up again" until_true by_socket xenstore-write /list/x 1
is "the kernel removes" by_kernel xenstore-rm /list
is "and a program goes on" until_true by_socket xenstore-write /a/d 3

# Domain 1 has granted its ring, and waits. Its port is one of the first.
introduce() {
    for port in $(seq 20); do
        request 8 1 0 $port >/dev/null && return
    done
    request 8 1 0 1
}
if [ $hv = socle ]; then
    is "the domain gets its folder" by_socket xenstore-write /local/domain/1/data ""
    is "that is its own" by_socket xenstore-chmod -r /local/domain/1 n1
    kill_on 1 &
    killer=$!
    is "the domain is introduced" until_true introduce
    is "it works, while the daemon is killed" until_true by_socket xenstore-exists /local/domain/1/data/result
    kill $killer
    is "each answer was right" equal "$(by_kernel xenstore-read /local/domain/1/data/result)" \
        "150 rounds, 151 events, 0 faults"
fi
check_dmesg
finish
