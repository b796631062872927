#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# Debian's xl, xenstored and xenconsoled, unchanged, in a stock dom0: they make guests, of our library, of
# Debian's kernels and by pvgrub, with disks, networks and consoles, look at them, change them and end them,
# and everything comes back.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Dom0;
use File::Path qw(make_path remove_tree);
use Test::More;

my $utils = $Dom0::debian;
my $common = "$Dom0::out/package/xen-utils-common";
my $pvgrub = "$Dom0::out/package/grub-xen-host/usr/lib/grub-xen/grub-x86_64-xen.bin";

# What `which` finds, to be found at the same place in dom0.
sub host_programs {
    return map { my $path = qx(which $_) =~ s/\n//r; $path or die "no $_\n"; "$path=$path" =~ s{^/}{}r } @_;
}

sub make_initramfs {
    my ($name, @files) = @_;

    system('dom0-tools/image/make-initramfs', '-o', "$Dom0::dir/$name", @files) == 0 or die "make-initramfs failed\n";
    return "$Dom0::dir/$name";
}

# ---- what guests are made of ----

my $init = Dom0::put('guest-init', 0755, <<'END');
#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /mnt
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
for module in xen-blkfront xen-netfront crc16 crc32c_generic mbcache jbd2 ext4; do
    [ ! -e /$module.ko ] || insmod /$module.ko
done
set -- $(cat /proc/cmdline)
ip link set eth0 up 2>/dev/null && ip addr add ${address:-10.9.8.2}/24 dev eth0
echo "userland: $(nproc) CPUs, $(uname -r)"
while :; do setsid cttyhack sh; done
END

my $poweroff = Dom0::put('guest-poweroff', 0755, "#!/bin/busybox sh\n/bin/busybox poweroff -f\n");

# The userland of guests with the kernel $suite, which has its front ends, and perhaps ext4, as modules.
sub guest_initramfs {
    my ($suite) = @_;
    my %modules = map { chomp; m{/((xen-blkfront|xen-netfront|crc16|crc32c_generic|mbcache|jbd2|ext4)\.ko)} ? ($1 => $_) : () }
        qx(find $Dom0::out/kernel/$suite/lib -name '*.ko*');
    my @modules;

    for my $name (sort keys %modules) {
        my $file = $modules{$name};
        my $plain = "$Dom0::dir/$suite-$name";
        my $unpack = $file =~ /\.xz$/ ? 'xz -dc' : 'cat';
        system("$unpack $file >$plain") == 0 or die "$file\n";
        push @modules, "$name=$plain";
    }
    my $busybox = qx(which busybox) =~ s/\n//r;
    return make_initramfs("guest-$suite.cpio", "bin/busybox=$busybox", "init=$init", "sbin/poweroff=$poweroff", @modules);
}

sub kernel_of {
    my ($suite) = @_;
    my ($file) = glob "$Dom0::out/kernel/$suite/boot/vmlinuz-*";
    return $file;
}

my %initramfs = map { $_ => guest_initramfs($_) } qw(stable cloud);

# A disk that pvgrub finds a system on.
my $root = "$Dom0::dir/xl-root";
remove_tree($root);
make_path("$root/boot/grub");
system("cp $initramfs{stable} $root/boot/initrd && cp " . kernel_of('stable') . " $root/boot/vmlinuz") == 0 or die "cp\n";
Dom0::put('xl-root/boot/grub/grub.cfg', 0644, <<'END');
set timeout=0
menuentry linux {
    linux /boot/vmlinuz console=hvc0 quiet from=pvgrub
    initrd /boot/initrd
}
END
unlink "$Dom0::dir/xl-disk.img";
system("mke2fs -q -t ext2 -d $root $Dom0::dir/xl-disk.img 32M") == 0 or die "mke2fs failed\n";

# ---- configurations ----

sub config {
    my ($name, $kernel, $memory, $more) = @_;
    my $file = Dom0::put("$name.cfg", 0644, <<"END" . $more);
name = "$name"
type = "pv"
kernel = "/guest/$kernel"
memory = $memory
END
    return "guest/$name.cfg=$file";
}

my $hotplug = "etc/xen/scripts";
my @files = (
    config('hello', 'hello.elf', 32, ''),
    config('linux', 'vmlinuz', 136, <<'END'),
ramdisk = "/guest/initrd"
extra = "console=hvc0 quiet xen_legacy_crash"
vcpus = 2
disk = [ "format=raw,vdev=xvda,access=rw,target=/guest/disk.img", "phy:/dev/vda,xvdb,r" ]
vif = [ "bridge=xenbr0,mac=00:16:3e:01:02:03" ]
on_crash = "preserve"
END
    config('cloud', 'vmlinuz-cloud', 96, <<'END'),
ramdisk = "/guest/initrd-cloud"
extra = "console=hvc0 quiet"
END
    config('grub', 'pvgrub', 128, <<'END'),
disk = [ "phy:/dev/vda,xvda,r" ]
END
    'etc/xen/xl.conf=' . Dom0::put('xl.conf', 0644, qq(autoballoon="off"\n)),
    (map { "bin/$_=$utils/$_" } qw(xl xenstored xenconsoled xen-init-dom0 xentop)),
    (map { "usr/lib/xen-4.17/bin/$_=$utils/$_" } qw(xenconsole libxl-save-helper)),
    (map { "$hotplug/" . s{.*/}{}r . "=$_" } grep { -f } glob "$common/$hotplug/*"),
    'bin/bash=/bin/bash',
    host_programs(qw(script flock losetup ip xenstore-read xenstore-write xenstore-list xenstore-exists xenstore-rm)),
    "guest/hello.elf=$Dom0::out/guests/hello.elf", 'guest/vmlinuz=' . kernel_of('stable'), "guest/initrd=$initramfs{stable}",
    'guest/vmlinuz-cloud=' . kernel_of('cloud'), "guest/initrd-cloud=$initramfs{cloud}", "guest/pvgrub=$pvgrub",
    # looked for only when a thread ends
    (map { s{^/}{}r . "=$_" } glob '/lib/x86_64-linux-gnu/libgcc_s.so.1'));

my $boot = Dom0::boot(
    name => 'xl', smp => 2, memory => 1536, options => 'dom0_mem=768M', scripts => ['xl'],
    disk => ['virtio', "$Dom0::dir/xl-disk.img"], files => \@files);
Dom0::report($boot, 'xl');
ok($boot->has(qr/audit: ok/), 'counts are right') if !$Dom0::xen;
done_testing;
