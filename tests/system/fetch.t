#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# fetch-kernel and fetch-package, from an archive of our own in place of Debian's: it takes the kernel that linux-image-amd64 stands
# for, says what is wrong if it cannot, and never leaves half of a kernel behind.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Cwd qw(abs_path);
use Dom0;
use File::Path qw(make_path remove_tree);
use Test::More;

my $dir = abs_path($Dom0::dir) . '/fetch';
my $repo = "$dir/repo";
my $kernel = "$dir/kernel";

sub spew {
    my ($file, $text) = @_;
    open my $fh, '>', $file or die "$file: $!\n";
    print $fh $text;
    close $fh or die "$file: $!\n";
}

sub content {
    my ($file) = @_;
    open my $fh, '<', $file or return "no $file";
    local $/;
    return scalar readline $fh;
}

sub make_package {
    my ($name, $version, $depends, %files) = @_;
    remove_tree("$dir/tree");
    make_path("$dir/tree/DEBIAN");
    spew("$dir/tree/DEBIAN/control", "Package: $name\nVersion: $version\nArchitecture: amd64\nMaintainer: nobody\n"
         . ($depends ? "Depends: $depends\n" : '') . "Description: a test\n");
    for (keys %files) {
        make_path("$dir/tree/" . s{/[^/]*$}{}r);
        spew("$dir/tree/$_", $files{$_});
    }
    my $deb = "pool/${name}_${version}_amd64.deb";
    system("dpkg-deb --root-owner-group -b $dir/tree $repo/$deb >/dev/null") == 0 or die "dpkg-deb\n";
    my ($md5) = `md5sum $repo/$deb` =~ /(\w+)/;
    my ($sha256) = `sha256sum $repo/$deb` =~ /(\w+)/;
    return content("$dir/tree/DEBIAN/control") =~ s/(?=Description)/"Filename: $deb\nSize: " . (-s "$repo\/$deb") .
        "\nMD5sum: $md5\nSHA256: $sha256\n"/er . "\n";
}

# An archive with one kernel.
sub publish {
    my ($version) = @_;
    my $dists = "$repo/dists/bookworm";
    remove_tree($repo);
    make_path("$repo/pool", "$dists/main/binary-amd64");
    spew("$dists/main/binary-amd64/Packages",
         make_package('linux-image-amd64', "$version-1", "linux-image-$version-amd64 (= $version-1)")
         . make_package("linux-image-$version-amd64", "$version-1", '', "boot/vmlinuz-$version-amd64" => "kernel $version",
                         "lib/modules/$version-amd64/one.ko" => 'module', 'usr/share/doc/linux/copyright' => 'free'));
    my ($size, $sum) = (-s "$dists/main/binary-amd64/Packages", `sha256sum $dists/main/binary-amd64/Packages` =~ /(\w+)/);
    spew("$dists/Release", "Origin: Debian\nCodename: bookworm\nSuite: stable\nComponents: main\nArchitectures: amd64\n"
         . "Date: Sat, 21 Nov 2026 10:00:00 UTC\nSHA256:\n $sum $size main/binary-amd64/Packages\n");
}

# Exit status and what it said; lists are read anew.
sub run_anew {
    my ($command) = @_;
    remove_tree("$dir/build/apt/stable");
    my $said = `APT_ETC=$dir/etc O=$dir/build SOCLE_CACHE= dom0-tools/image/$command 2>&1`;
    return ($? >> 8, $said);
}

sub fetch {
    return run_anew("fetch-kernel stable $kernel");
}

remove_tree($dir);
make_path("$dir/etc");
spew("$dir/etc/sources.list", "deb [trusted=yes] file:$repo bookworm main\ndeb-src [signed-by=/odd] file:$repo bookworm main\n");

publish('9.8.7');
my ($rc, $said) = fetch();
is($rc, 0, 'a kernel is fetched') or diag $said;
is(content("$kernel/version"), "9.8.7-amd64\n", 'its version is known');
is(content("$kernel/boot/vmlinuz-9.8.7-amd64"), 'kernel 9.8.7', 'its image is there');
is(content("$kernel/lib/modules/9.8.7-amd64/one.ko"), 'module', 'its modules are there');
ok(!-e "$kernel/usr", 'and nothing else');

($rc, $said) = run_anew("fetch-package linux-image-9.8.7-amd64 $dir/package");
is($rc, 0, 'a package is fetched') or diag $said;
is(content("$dir/package/version"), "9.8.7-1\n", 'its version is known');
is(content("$dir/package/usr/share/doc/linux/copyright"), 'free', 'all of it is there');
($rc, $said) = run_anew("fetch-package nonesuch $dir/nonesuch");
isnt($rc, 0, 'a package that there is not');
like($said, qr/^fetch-package: no package nonesuch to be had/m, 'is named');
ok(!-e "$dir/nonesuch", 'and nothing made');

publish('9.9.0');
($rc, $said) = fetch();
is($rc, 0, 'a newer one takes its place') or diag $said;
is(join(' ', map { s{.*/}{}r } glob "$kernel/boot/*"), 'vmlinuz-9.9.0-amd64', 'alone');

my ($deb) = glob "$dir/build/apt/linux-image-9.9.0*.deb";
spew($deb, 'not a package');
($rc, $said) = fetch();
isnt($rc, 0, 'a damaged package is noticed');
like($said, qr/damaged; run this again/, 'with advice');
is(content("$kernel/version"), "9.9.0-amd64\n", 'the kernel of before is still there');
($rc, $said) = fetch();
is($rc, 0, 'which helps') or diag $said;

remove_tree($repo);
($rc, $said) = fetch();
isnt($rc, 0, 'an archive that cannot be read');
like($said, qr/no package linux-image-amd64 to be had; is there a network/, 'is named');
is(content("$kernel/version"), "9.9.0-amd64\n", 'the kernel of before is still there');
remove_tree($dir);
done_testing;
