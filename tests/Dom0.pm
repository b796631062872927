# SPDX-License-Identifier: MIT
# Boots a stock kernel as dom0 with scripts of tests/system instead of a shell, and takes over their TAP. With
# PEER=xen it does so on Xen 4.17, which Debian has as well: NAME.t@xen in the Makefile. Nothing else differs, but
# Xen starts no domain besides dom0, and has no auditor. Scripts find the hypervisor's name in $hv.
package Dom0;
use strict;
use warnings;
use Digest::MD5;
use File::Path qw(make_path remove_tree);
use FindBin;
use lib "$FindBin::Bin/..";
use Boot;
use Test::More;

chdir "$FindBin::Bin/../..";
our $out = $ENV{O} || 'build';
our $xen = ($ENV{PEER} // '') eq 'xen';
our $dir = "$out/tests/system" . ($xen ? '/xen' : ''); # the same test may run on both at once
# Programs of Debian's own toolstack, unpacked; who takes one along gets their libraries, too.
our $debian = "$out/package/xen-utils-4.17/usr/lib/xen-4.17/bin";
make_path($dir, "$out/log");

# What `make run` has.
my %disks = (virtio => ['virtio-blk-pci,drive=disk'], ahci => ['ahci,id=ahci', 'ide-hd,drive=disk,bus=ahci.0'],
             nvme => ['nvme,drive=disk,serial=socle'], ide => ['ide-hd,drive=disk']);

# An initramfs with the scripts as its session, preceded by values; and programs that they need.
sub initramfs {
    my ($name, $suite, $values, $scripts, $programs, $files) = @_;
    my $session = "$dir/$name.sh";
    my $libs = 'usr/lib/x86_64-linux-gnu';
    my @libs = "@$files" =~ /\Q$debian\E/ ? glob "$out/package/libxenmisc4.17/$libs/*.so.4.17 /$libs/libgcc_s.so.1" : ();

    open my $fh, '>', $session or die "$session: $!\n";
    print $fh "#!/bin/sh\n", map { "$_='$values->{$_}'\n" } sort keys %$values;
    for my $script ('check', @$scripts) {
        open my $from, '<', "tests/system/$script.sh" or die "$script.sh: $!\n";
        print {$fh} readline $from;
    }
    close $fh or die "$session: $!\n";
    chmod 0755, $session;
    system('dom0-tools/image/make-initramfs', '-o', "$dir/$name.cpio", '-k', "$out/kernel/$suite",
           "etc/session=$session", @$files, (map { "$libs/" . s{.*/}{}r . "=$_" } @libs), map { "bin/$_=$out/tests/system/$_" } @$programs) == 0 or die "make-initramfs failed\n";
    return "$dir/$name.cpio";
}

# boot(name => ..., scripts => [...], and all of these optional: values => {}, programs => [...],
#      files => [what make-initramfs takes], domus => [modules that become domains], suite, kargs, disk => [kind, file], nic => [model, options], iso,
#      parallel, and what Boot::run takes)
# vcpus take turns in one thread of QEMU, so that a busy host does not stop one while others wait for it; with
# `parallel` each has its own thread.
sub boot {
    my (%o) = @_;
    my $suite = $o{suite} || 'stable';
    my $hv = $xen ? 'xen' : 'socle';
    $o{name} .= '-xen' if $xen;
    my $initramfs = initramfs($o{name}, $suite, {hv => $hv, %{$o{values} || {}}}, $o{scripts}, $o{programs} || [], $o{files} || []);
    my @kernel = ("$out/dom0/vmlinux-$suite console=hvc0 " . ($o{kargs} // ''), $initramfs, $xen ? () : @{$o{domus} || []});
    my @qemu = ($o{parallel} ? () : ('-accel', 'tcg,thread=single'), @{$o{qemu} || []});

    push @qemu, '-drive', "if=none,id=disk,format=raw,file=$o{disk}[1]", map { ('-device', $_) } @{$disks{$o{disk}[0]}}
        if $o{disk};
    push @qemu, '-nic', join ',', 'user', "model=$o{nic}[0]", @{$o{nic}}[1 .. $#{$o{nic}}] if $o{nic};
    push @qemu, '-cdrom', iso($o{name}, $o{options}, @kernel) if $o{iso};
    @o{qw(kernel foreign)} = ("$out/dom0/xen", 1) if $xen;
    return Boot::run(timeout => 3600, memory => 1024, %o, name => "system-$o{name}", qemu => \@qemu,
                     network => !!$o{nic}, $o{iso} ? (kernel => '') : (modules => \@kernel));
}

# A disc like that of `make iso`, with the debug build.
sub iso {
    my ($name, $options, $kernel, $initramfs) = @_;
    my $tree = "$dir/$name.iso.d";
    my ($vmlinux, $kargs) = split / /, $kernel, 2;

    make_path("$tree/boot/grub");
    for ([$ENV{HV} || "$out/socle-debug", 'socle'], [$vmlinux, 'vmlinux'], [$initramfs, 'initramfs']) {
        unlink "$tree/boot/$_->[1]";
        link $_->[0], "$tree/boot/$_->[1]" or die "$_->[0]: $!\n";
    }
    open my $fh, '>', "$tree/boot/grub/grub.cfg" or die $!;
    print $fh "set timeout=0\nmenuentry socle {\n  multiboot2 /boot/socle ", Boot::options($options),
        "\n  module2 /boot/vmlinux $kargs\n  module2 /boot/initramfs\n}\n";
    close $fh;
    system("grub-mkrescue -o $dir/$name.iso $tree >$out/log/$name-mkrescue.log 2>&1") == 0
        or die "grub-mkrescue failed, see $out/log/$name-mkrescue.log\n";
    return "$dir/$name.iso";
}

# Each result of dom0, and how it all ended, as tests of ours.
sub report {
    my ($boot, $name) = @_;

    for my $r ($boot->results, $boot->verdicts) {
        SKIP: {
            skip "$name: $r->{name}: $r->{skip}", 1 if $r->{skip};
            ok($r->{ok}, "$name: $r->{name}") or diag map { "  $_\n" } @{$r->{notes}};
        }
    }
}

# The kernel's warnings that tests/system/warnings does not list: what it says on Xen 4.17 as well.
sub check_warnings {
    my ($boot, $name) = @_;

    open(my $fh, '<', 'tests/system/warnings') or die "warnings: $!\n";
    my @known = map { chomp $_; /^(#|$)/ ? () : qr/^$_$/ } readline $fh;
    my @new = grep { my $w = $_; !grep { $w =~ $_ } @known } map { /^# warning: (.*)/ ? $1 : () } $boot->guest_lines;

    ok(!@new, "$name: the kernel warns of nothing unusual") or diag map { "  $_\n" } @new;
}

# filesystem(FILE, MIB, what mke2fs takes, {path in it => file}): an ext4 file system.
sub filesystem {
    my ($image, $mib, @options) = @_;
    my $files = pop @options;
    my $tree = "$image.d";
    my $kib = ($mib << 10) - ("@options" =~ /offset=(\d+)/ ? $1 >> 10 : 0);

    remove_tree($tree);
    unlink $image;
    for (keys %$files) {
        make_path("$tree/$_" =~ s{/[^/]*$}{}r);
        link $files->{$_}, "$tree/$_" or die "$files->{$_}: $!\n";
    }
    make_path($tree);
    open my $fh, '>', $image or die "$image: $!\n";
    truncate $fh, $mib << 20;
    close $fh;
    local $ENV{PATH} = "$ENV{PATH}:/sbin";
    system('mke2fs', '-q', '-t', 'ext4', '-d', $tree, @options, $image, "${kib}k") == 0 or die "mke2fs failed\n";
    remove_tree($tree);
}

# A file of the tests', for dom0 or its guests; returns its path.
sub put {
    my ($name, $mode, $text) = @_;

    open my $fh, '>', "$dir/$name" or die "$name: $!\n";
    print $fh $text;
    close $fh or die "$name: $!\n";
    chmod $mode, "$dir/$name";
    return "$dir/$name";
}

# A file of pseudo-random bytes; returns its MD5.
sub make_data {
    my ($file, $bytes, $seed) = @_;
    my ($data, $block) = ('', "$seed");

    while (length $data < $bytes) {
        $block = Digest::MD5::md5($block);
        $data .= $block;
    }
    open my $fh, '>:raw', $file or die "$file: $!\n";
    print $fh substr $data, 0, $bytes;
    close $fh or die "$file: $!\n";
    return Digest::MD5::md5_hex(substr $data, 0, $bytes);
}

# MD5 of a part of a file.
sub sum_of {
    my ($file, $offset, $bytes) = @_;
    open my $fh, '<:raw', $file or return "$!";
    my $data = '';
    seek $fh, $offset, 0;
    read $fh, $data, $bytes;
    return Digest::MD5::md5_hex($data);
}

1;
