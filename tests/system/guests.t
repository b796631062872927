#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# The guests of config/examples, as they are: ours, Debian's kernels for all machines and for clouds, and GRUB, which
# finds another one on its disk. They use their disks and network cards, and end when they are asked to.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Dom0;
use File::Path qw(make_path);
use Test::More;

my $gcc = '/lib/x86_64-linux-gnu/libgcc_s.so.1'; # which a client loads by itself when it ends
my ($generic, $cloud) = map { glob "$Dom0::out/kernel/$_/boot/vmlinuz-*" } qw(stable cloud);
my $initrd = "$Dom0::out/guests/initramfs-stable";

sub put {
    my ($file, $text) = @_;

    open my $fh, '>', $file or die "$file: $!\n";
    print $fh $text;
    close $fh or die "$file: $!\n";
    return $file;
}

# Disks of guests: a whole one that GRUB can boot from, one with a partition, one that is only read.
my $store = "$Dom0::dir/guests.d";
make_path($store);
my $menu = put("$Dom0::dir/guests.grub", <<'END');
set timeout=0
menuentry Linux {
    linux /boot/vmlinuz console=hvc0
    initrd /boot/initrd.img
}
END
Dom0::filesystem("$store/pvgrub.img", 32, '-L', 'pvgrub',
                 {'boot/grub/grub.cfg' => $menu, 'boot/vmlinuz' => $generic, 'boot/initrd.img' => $initrd});
Dom0::filesystem("$store/debian.img", 16, '-L', 'debian', '-E', 'offset=1048576', {});
open my $fh, '+<', "$store/debian.img" or die $!;
seek $fh, 446, 0;
print $fh pack('C8 V2', 0, 0, 0, 0, 0x83, 0, 0, 0, 2048, 15 << 11), "\0" x 48, "\x55\xaa"; # one partition, from 1 MiB on
close $fh;
my $sum = Dom0::make_data("$store/install.iso", 1 << 20, 'iso');
Dom0::filesystem("$store/demo.img", 16, '-L', 'demo', {});
Dom0::filesystem("$Dom0::dir/guests.img", 96, '-L', 'socle', {map { ($_ => "$store/$_") } qw(pvgrub.img debian.img demo.img install.iso)});

my $boot = Dom0::boot(
    name => 'guests', smp => 2, memory => 2048, options => 'dom0_mem=512M', scripts => ['guests'],
    values => {iso_sum => $sum}, disk => ['virtio', "$Dom0::dir/guests.img"], nic => ['virtio-net-pci'],
    files => [(grep { -f && -x } glob "$Dom0::out/dom0-tools/socle*"), "$gcc=$gcc",
              (map { 'etc/socle/' . s{.*/}{}r . "=$_" } glob 'config/examples/*'),
              "usr/lib/socle/hello.elf=$Dom0::out/guests/hello.elf", "usr/lib/socle/vmlinuz=$cloud",
              "usr/lib/socle/initramfs=$Dom0::out/guests/initramfs-cloud", "boot/vmlinuz=$generic", "boot/initrd.img=$initrd",
              "usr/lib/grub-xen/grub-x86_64-xen.bin=$Dom0::out/package/grub-xen-host/usr/lib/grub-xen/grub-x86_64-xen.bin"]);
Dom0::report($boot, 'guests');
Dom0::check_warnings($boot, 'guests');
done_testing;
