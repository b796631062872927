# SPDX-License-Identifier: MIT
# Disks and cards of guests. /guest has kernels and configurations; what port 1000 of 10.0.2.100 sends has net_sum,
# port 1001 sends all back.
mkdir -p /var/log/xen/console /img
until_true xenstore-ls /
until_true test -b /dev/vda
xenconsoled --log=guest --pid-file=/run/xenconsoled.pid
log=/var/log/xen/console/guest

says() { # the guest, on its console
    tr -d '\r' <$log-linux.log | grep -qx "$1" || { tail -n 5 $log-linux.log; return 1; }
}
# What devices leave where: nodes, loop devices, interfaces, the kernel's back ends.
traces() {
    xenstore-ls -f / | grep -E '^/local/domain/[0-9]*/(backend|error|device)|^/libxl/[0-9]'
    losetup -a
    ls /sys/class/net /sys/bus/xen-backend/devices
    nft list ruleset | grep chain
}
nothing_left() {
    equal "$(traces)" "$before"
}
sum_of() {
    md5_of <$1
}
# hello KEY=VALUE...: a guest that waits
hello() {
    socle create --paused /guest/hello.json "$@"
}

truncate -s 8M /img/a
mke2fs -F /img/a >/dev/null 2>&1
mount -o loop /img/a /mnt && dd if=/dev/urandom of=/mnt/data bs=64k count=32 2>/dev/null
a_sum=$(sum_of /mnt/data)
umount /mnt
dd if=/dev/urandom of=/img/b bs=64k count=32 2>/dev/null
b_sum=$(sum_of /img/b)
until_true eval 'equal "$(losetup -a)" ""'

is "there is no bridge" shows '^xenbr0 +down +nat 10.77.0.1/24' socle-network list
is "a card" hello nics='[{}]' # and with it the bridge, modules, and a server that does not keep our output open
is "its guest ends" socle destroy hello
is "it has brought its bridge" shows '^xenbr0 +up' socle-network list
before=$(traces)
modprobe tun
is "ten at once have an address, whatever a neighbour claims" dhcp xenbr0 10 30

# A guest that uses all it has.
is "a guest with disks and cards" socle create /guest/linux.json
id=$(socle domid linux)
back=/local/domain/0/backend
is "its image is a loop device" shows '/img/a' losetup -a
is "the cards are on the bridge" equal "$(ls /sys/class/net/xenbr0/brif | xargs)" "second vif$id.0"
is "the guest reads its disk" until_true says "xvda has $a_sum"
is "and writes it" until_true says "xvda takes a copy"
is "the second one is read-only" until_true says "xvdb is 1, has $b_sum"
is "really" until_true says "xvdb takes nothing"
is "the third is a block device" until_true says "xvdc takes data"
is "the address that is listed, by DHCP" until_true says "eth1 00:16:3e:.* 10.77.0.222/24"
is "and for one whose name is given" until_true says "eth0 00:16:3e:00:00:01 10.77.0.[0-9]*/24"
is "dom0 is reached" until_true says "dom0 answers"
is "and what is beyond" until_true says "the outside answers"
is "a transfer" until_true says "got $net_sum"
is "one there and back" until_true says "back came $b_sum"
is "a guest may be what is listed" until_true says "listed address: an answer"
is "its frames are filtered where they come in" shows 'device "second"' nft list chain netdev socle guest_second
is "it is not answered as another" until_true says "another card's IP address: silence"
is "nor as another card" until_true says "no card's address: silence"
is "as what it is, it is" until_true says "its own: an answer"
is "it powers off" until_true shows '^linux .* ---s--' socle list
is "its disks are listed" shows "^51712 +0 +$id +[0-9]+ .* $back/vbd/$id/51712" socle disk-list linux
is "and its cards" shows "^0 +0 +00:16:3e:00:00:01 +0 +[0-9]+ .* $back/vif/$id/0" socle nic-list linux
is "as JSON" shows '"path": "/img/b"' socle disk-list --json linux
is "destroy" socle destroy linux
is "nothing is left" until_true nothing_left
mount -o loop,ro /img/a /mnt
is "what it has written is there" equal "$(sum_of /mnt/copy)" $a_sum
umount /mnt
is "on the block device as well" equal "$(dd if=/dev/vda bs=64k count=32 2>/dev/null | md5_of)" $b_sum
is "what it could not write is as it was" equal "$(sum_of /img/b)" $b_sum

# A guest that crashes while it reads and writes.
socle create /guest/linux.json 'extra=crash'
is "a guest crashes" until_true shows '^linux .* ---sc-' socle list
is "destroy" socle destroy linux
is "nothing is left" until_true nothing_left

# What cannot be.
hello 'disks=[{"path":"/img/a","vdev":"xvda"},{"path":"/img/b","vdev":"xvdb","readonly":true}]' \
    'nics=[{"mac":"00:16:3e:00:00:02","ifname":"web"}]'
id=$(socle domid hello)
one=$(traces)
is "an image that is written by another" refused "socle: two: disk xvda: /img/a is in use by domain $id (hello)" \
    hello name=two 'disks=[{"path":"/img/a","vdev":"xvda","readonly":true}]'
is "one that is read by another" refused "socle: two: disk sda: /img/b is in use by domain $id (hello)" \
    hello name=two 'disks=[{"path":"/img/b","vdev":"sda"}]'
is "two may read it" hello name=two 'disks=[{"path":"/img/b","vdev":"sda","readonly":true}]'
is "one of them ends" socle destroy two
is "an address that another has" refused "socle: two: nic 0: the address 00:16:3e:00:00:02 is that of domain $id (hello)" \
    hello name=two 'nics=[{"mac":"00:16:3e:00:00:02"}]'
is "a name that another interface has" refused "socle: two: nic 0: there is an interface web already" \
    hello name=two 'nics=[{"ifname":"web"}]'
is "a bridge that nobody knows" \
    refused "socle-network: br7 is not in the configuration
socle: two: nic 0: there is no bridge br7, and socle-network could not make it" hello name=two 'nics=[{"bridge":"br7"}]'
is "what is no bridge" refused "socle: two: nic 0: eth0 is no bridge" hello name=two 'nics=[{"bridge":"eth0"}]'
mke2fs -F /dev/vda 1024 >/dev/null 2>&1 && mount /dev/vda /mnt
is "what dom0 has mounted" refused "socle: two: disk xvda: /dev/vda is in use in the control domain" \
    hello name=two 'disks=[{"path":"/dev/vda","vdev":"xvda"}]'
umount /mnt
is "and nothing is left of these" until_true eval 'equal "$(traces)" "$one"'

# A guest may write what it likes to its own nodes.
xenstore-write /keep/this 1 /local/domain/$id/device/vbd/51712/backend /keep \
    /local/domain/$id/device/vif/0/backend /keep/this /local/domain/$id/device/vbd/51712/state 6
is "nodes of the guest are not believed" socle destroy hello
is "nothing is left" until_true nothing_left
is "nothing else is gone" equal "$(xenstore-read /keep/this)" 1
xenstore-rm /keep

# What ends has let go of all when it says so.
again() {
    for n in 1 2 3 4 5 6; do
        hello 'disks=[{"path":"/img/a","vdev":"xvda"}]' 'nics=[{"ifname":"web"}]' && socle destroy hello || return 1
    done
}
is "the same devices again and again" again

# Scripts of users.
cat >/tmp/script <<'END'
#!/bin/sh
echo "$*: $XENBUS_PATH $vif $type_if" >>/tmp/script.log
case $1 in
add) xenstore-write $XENBUS_PATH/physical-device $(cat /tmp/device) ;;
online) brctl addif xenbr0 $vif; [ ! -e /tmp/slow ] || { touch /tmp/slow.started; sleep 1000; } ;;
esac
[ ! -e /tmp/fail ] || { xenstore-write $XENBUS_PATH/hotplug-error "no such luck"; exit 3; }
END
chmod +x /tmp/script
script='"script":"/tmp/script"'
scripted() {
    hello "disks=[{\"path\":\"x:y\",\"vdev\":\"xvda\",$script}]" "nics=[{$script}]"
}
printf '%x:%x' $(stat -c '0x%t 0x%T' /dev/vda) >/tmp/device
is "scripts connect devices" scripted
id=$(socle domid hello)
is "the card is on the bridge" test -e /sys/class/net/xenbr0/brif/vif$id.0
socle destroy hello
is "they are called as by Xen" equal "$(cat /tmp/script.log)" "add: $back/vbd/$id/51712  
online type_if=vif: $back/vif/$id/0 vif$id.0 vif
offline type_if=vif: $back/vif/$id/0 vif$id.0 vif
remove: $back/vbd/$id/51712  "
is "nothing is left" until_true nothing_left
touch /tmp/fail
is "a script that fails" refused "socle: hello: disk xvda: /tmp/script add: exit status 3: no such luck" scripted
rm /tmp/fail
echo f0:0 >/tmp/device
is "a back end that fails" refused "socle: hello: disk xvda: the back end failed: 2 creating vbd structure" scripted
is "nothing is left" until_true nothing_left

# Tools that are told to end, and killed ones.
printf '%x:%x' $(stat -c '0x%t 0x%T' /dev/vda) >/tmp/device
touch /tmp/slow
hello 'disks=[{"path":"/img/a","vdev":"xvda"}]' "nics=[{$script}]" >/tmp/said 2>&1 &
told=$!
is "a tool waits for a script" until_true test -e /tmp/slow.started
kill $(pidof socle)
wait $told
is "it gives up when it is told to" equal "$? $(cat /tmp/said)" "1 socle: hello: interrupted"
is "nothing is left" until_true nothing_left
rm /tmp/slow.started
hello 'disks=[{"path":"/img/a","vdev":"xvda"}]' "nics=[{$script}]" >/dev/null 2>&1 &
killed=$!
is "another one waits" until_true test -e /tmp/slow.started
kill -9 $(pidof socle)
wait $killed 2>/dev/null
rm /tmp/slow
is "it is killed, and the next one cleans up" hello name=two
socle destroy two
is "nothing is left" until_true nothing_left

# An uplink in place of NAT: the bridge gets the address that the interface had.
socle-network down
is "the bridge is gone" shows '^xenbr0 +down' socle-network list
mkdir -p /etc/socle
echo '{ "bridges": [ { "name": "xenbr0", "uplink": "eth0" } ] }' >/etc/socle/network.json
is "a bridge with an uplink" socle-network up
is "it has the address" shows 'inet 10.0.2.15/24' ip addr show xenbr0
is "and the routes" shows '^default via 10.0.2.2 dev xenbr0' ip route
is "the outside is reached" until_true ping -c 1 -W 5 10.0.2.2
is "and back" socle-network down
is "the interface has it again" shows '^default via 10.0.2.2 dev eth0' ip route
is "the outside is reached" until_true ping -c 1 -W 5 10.0.2.2

# No back end at all.
modprobe -r xen-blkback
mv /lib/modules /lib/none
is "a kernel without a back end" \
    refused "socle: hello: disk xvda: the kernel has no back end for disks (module xen-blkback)" \
    hello 'disks=[{"path":"/img/a","vdev":"xvda"}]'
check_dmesg
finish
