#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# Multiboot 1 and 2 by GRUB, from BIOS and from UEFI.
use strict;
use warnings;
use FindBin;
use File::Copy qw(copy);
use File::Path qw(make_path);
use lib "$FindBin::Bin/..";
use Boot;
use Test::More;

my $out = $ENV{O} || 'build';
my $dir = "$out/tests/boot/grub";
my @firmware = (['BIOS', []], ['UEFI', ['-bios', '/usr/share/ovmf/OVMF.fd']]);

sub image {
    my ($version, $module) = @_;
    my $command = $version == 1 ? '' : $version;

    make_path("$dir/boot/grub");
    copy("$out/socle-debug", "$dir/boot/socle") && copy("$out/guests/hello.elf", "$dir/boot/hello") or die $!;
    open my $fh, '>', "$dir/boot/grub/grub.cfg" or die $!;
    print $fh "set timeout=0\nmenuentry socle {\n  multiboot$command /boot/socle console=com1,vga com1=115200,8n1\n",
        "  module$command /boot/hello $module\n}\n";
    close $fh;
    system("grub-mkrescue -o $out/tests/boot/grub$version.iso $dir >$out/log/grub-mkrescue.log 2>&1") == 0
        or return;
    return "$out/tests/boot/grub$version.iso";
}

make_path("$out/log");
for my $version (2, 1) {
    my $iso = image($version, 'once') or die "grub-mkrescue failed\n";
    for (@firmware) {
        my ($name, $options) = @$_;
        next if $version == 1 && $name eq 'UEFI'; # GRUB passes no memory map there
        my $boot = Boot::run(name => "grub-$version-$name", kernel => '', smp => 2,
                             qemu => ['-cdrom', $iso, @$options]);
        ok($boot->has(qr/^\(socle\) CPUs: 2/), "Multiboot $version, $name: CPUs are found");
        ok($boot->has(qr/^hello from/), "Multiboot $version, $name: dom0 runs");
        ok($boot->has(qr/audit: ok/) && !$boot->ended, "Multiboot $version, $name: powers off");
    }
}
done_testing;
