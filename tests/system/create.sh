# SPDX-License-Identifier: MIT
# socle create and destroy. /guest has kernels and configurations.
mkdir -p /var/log/xen/console
until_true 20 xenstore-ls /
is "the console's daemon starts" xenconsoled --log=guest --pid-file=/run/xenconsoled.pid
log=/var/log/xen/console/guest

shows() { # shows PATTERN COMMAND...: its output has a line like that
    pattern=$1
    shift
    "$@" >/tmp/shown 2>&1
    grep -qE "$pattern" /tmp/shown || { cat /tmp/shown; return 1; }
}
refused() {
    text=$1
    shift
    said=$("$@" 2>&1) && { echo "not refused: $said"; return 1; }
    equal "$said" "$text"
}
free_memory() {
    socle info | sed -n 's/^free_memory *: //p'
}
all_is_back() {
    equal "$(free_memory) $(socle list | wc -l) $(ls /run/socle | xargs)" "$before 2 last-id lock"
    equal "$(xenstore-ls -f /)" "$tree"
}
before=$(free_memory)

socle create --paused /guest/hello.json 2>/dev/null && socle destroy hello # so that the tree has its first folders
tree=$(xenstore-ls -f /)
is "a small guest is made, paused" socle create --paused /guest/hello.json
is "it waits" shows '^hello .* --p---' socle list
is "it is let go" socle unpause hello
is "it speaks" until_true 60 grep -q 'hello from a paravirtual guest' $log-hello.log
is "destroy" socle destroy hello
is "all is back" until_true 20 all_is_back

is "a stock kernel is made a guest" socle create /guest/linux.json
is "it comes up" until_true 240 grep -q 'userland: 2 CPUs of 0-3' $log-linux.log
is "destroy" socle destroy linux
is "all is back" until_true 20 all_is_back
check_dmesg
finish
