#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# Debian's xl, xenstored and xenconsoled, unchanged, in a stock dom0: they make guests, of our library and of
# Debian's kernel, and end them, and everything comes back.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Dom0;
use Test::More;

my $bin = '/usr/lib/xen-4.17/bin';
plan skip_all => 'needs xen-utils-4.17' if !-x "$bin/xl";

sub put {
    my ($name, $mode, $text) = @_;

    open my $fh, '>', "$Dom0::dir/$name" or die "$name: $!\n";
    print $fh $text;
    close $fh or die "$name: $!\n";
    chmod $mode, "$Dom0::dir/$name";
    return "$Dom0::dir/$name";
}

my $hello = put('hello.cfg', 0644, <<'END');
name = "hello"
type = "pv"
kernel = "/guest/hello.elf"
memory = 32
END
my $conf = put('xl.conf', 0644, qq(autoballoon="off"\n));
my $linux = put('linux.cfg', 0644, <<'END');
name = "linux"
type = "pv"
kernel = "/guest/vmlinuz"
ramdisk = "/guest/initrd"
extra = "console=hvc0 quiet"
memory = 128
vcpus = 2
END
my $init = put('guest-init', 0755, <<'END');
#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox echo "userland: $(/bin/busybox nproc) CPUs"
while /bin/busybox sleep 1; do :; done
END
my $poweroff = put('guest-poweroff', 0755, "#!/bin/busybox sh\n/bin/busybox poweroff -f\n");
my $busybox = qx(which busybox) =~ s/\n//r;
system('dom0-tools/image/make-initramfs', '-o', "$Dom0::dir/guest.cpio", "bin/busybox=$busybox", "init=$init",
       "sbin/poweroff=$poweroff", "sys/.keep=$hello") == 0 or die "make-initramfs failed\n";
my ($vmlinuz) = glob "$Dom0::out/kernel/stable/boot/vmlinuz-*";

my $boot = Dom0::boot(
    name => 'xl', smp => 2, memory => 1024, options => 'dom0_mem=512M', scripts => ['xl'], timeout => 600,
    files => ["etc/xen/xl.conf=$conf", (map { "$bin/$_" } qw(xl xenstored xenconsoled xen-init-dom0)), "guest/hello.cfg=$hello",
              "guest/linux.cfg=$linux", "guest/hello.elf=$Dom0::out/guests/hello.elf", "guest/vmlinuz=$vmlinuz",
              "guest/initrd=$Dom0::dir/guest.cpio",
              # looked for only when a thread ends
              map { s{^/}{}r . "=$_" } glob '/lib/x86_64-linux-gnu/libgcc_s.so.1']);
Dom0::report($boot, 'xl');
ok($boot->has(qr/audit: ok/), 'counts are right');
done_testing;
