#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# The initramfs of dom0, and that of guests: the same bytes each time, and all in it that its parts need.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Dom0;
use Test::More;

my $make = 'dom0-tools/image/make-initramfs';
my @tools = grep { -f && -x } glob "$Dom0::out/dom0-tools/socle-*";
my @drivers = qw(virtio_blk virtio_net ahci nvme e1000 e1000e sd_mod ext4 xen-evtchn xen-gntdev xen-privcmd
                 xen-blkback xen-netback bridge tun loop);

sub slurp {
    my ($file) = @_;
    open my $fh, '<:raw', $file or die "$file: $!\n";
    local $/;
    return scalar readline $fh;
}

# Names and contents in an archive.
sub unpack_archive {
    my ($data) = @_;
    my (%files, $at);

    for ($at = 0; substr($data, $at, 6) eq '070701';) {
        my ($size, $length) = map { hex } unpack 'x54 a8 x32 a8', substr $data, $at, 110;
        my $name = substr $data, $at + 110, $length - 1;
        $at = ($at + 110 + $length + 3) & ~3;
        last if $name eq 'TRAILER!!!';
        $files{$name} = substr $data, $at, $size;
        $at = ($at + $size + 3) & ~3;
    }
    return %files;
}

check_image($_, undef, @drivers) for qw(stable backports);
check_image($_, 'dom0-tools/image/modules-guest', qw(xen-blkfront xen-netfront ext4)) for qw(stable cloud);

sub check_image {
    my ($suite, $modules, @wanted) = @_;
    my @list = $modules ? ('-m', $modules) : ();
    my @made = map { "$Dom0::dir/image-$suite-$_" } 1, 2;
    for (@made) {
        is(system($make, '-o', $_, '-k', "$Dom0::out/kernel/$suite", @list, @tools, 'etc/extra=README.md'), 0, "$suite: made");
    }
    my ($one, $two) = map { slurp($_) } @made;
    ok($one eq $two, "$suite: the same bytes each time");

    my %files = unpack_archive($one);
    my ($version) = slurp("$Dom0::out/kernel/$suite/version") =~ /(\S+)/;
    ok(exists $files{$_}, "$suite: $_ is there")
        for qw(init bin/busybox bin/sh sbin/init sbin/modprobe etc/inittab), map { 'usr/sbin/' . s{.*/}{}r } @tools;
    is($files{'etc/extra'}, slurp('README.md'), "$suite: a file that was named");
    ok(exists $files{'lib64/ld-linux-x86-64.so.2'}, "$suite: what starts programs with libraries");

    # modprobe loads from the end of a line: whatever a module needs must come behind it.
    my %line = map { /^([^:]+): ?(.*)/ ? ($1 => [split ' ', $2]) : () }
        split /\n/, $files{"lib/modules/$version/modules.dep"};
    my %builtin = map { s{.*/}{}r =~ tr/-/_/r => 1 } split /\n/, slurp("$Dom0::out/kernel/$suite/lib/modules/$version/modules.builtin");
    my %path = map { s{.*/}{}r =~ tr/-/_/r => $_ } keys %line;
    ok($path{"$_.ko" =~ tr/-/_/r} || $builtin{"$_.ko" =~ tr/-/_/r}, "$suite: $_") for @wanted;
    is(!!$path{'xen_netback.ko'}, !$modules, "$suite: back ends are dom0's");
    my @wrong;
    for my $module (keys %line) {
        my @order = ($module, @{$line{$module}});
        push @wrong, "$module is missing" if !$files{"lib/modules/$version/$module"};
        for my $i (0 .. $#order) {
            my %behind = map { $_ => 1 } @order[$i + 1 .. $#order];
            push @wrong, "$module: $order[$i] before what it needs" if grep { !$behind{$_} } @{$line{$order[$i]} || ['?']};
        }
    }
    ok(!@wrong, "$suite: modules come with what they need, in order") or diag "@wrong";
    unlink @made;
}

isnt(system("$make -o $Dom0::dir/none -k $Dom0::dir/nowhere 2>/dev/null"), 0, 'no kernel, no image');
ok(!-e "$Dom0::dir/none", 'and no half of one');
isnt(system("$make -o $Dom0::dir/none -k $Dom0::out/kernel/stable no/such/tool 2>/dev/null"), 0, 'a tool that is missing');
ok(!-e "$Dom0::dir/none", 'the same');
done_testing;
