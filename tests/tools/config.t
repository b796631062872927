#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# socle as its users see it, as far as no domain is needed: the table of commands, configurations. The tables
# in config/ say which ones are right and what the others get; the schema must say the same.
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Path qw(make_path remove_tree);
use JSON::PP;
use Test::More;

my $out = abs_path($ENV{O} || 'build');
my $home = abs_path('.');
my $tool = "$out/dom0-tools/socle";
my $dir = "$out/tests/tools/config";

remove_tree($dir);
make_path("$dir/dir");

sub slurp {
    local $/;
    open my $fh, '<:raw', $_[0] or return undef;
    return <$fh> // '';
}

sub file {
    my ($name, $content) = @_;
    open my $fh, '>:raw', "$dir/$name" or die "$dir/$name: $!";
    print $fh $content;
    close $fh or die $!;
    return $name;
}

# exit status, standard output, standard error; in the folder with the files
sub run {
    my @args = @_;
    my $pid = fork // die $!;
    if (!$pid) {
        chdir $dir or die $!;
        open STDOUT, '>', "$dir/stdout";
        open STDERR, '>', "$dir/stderr";
        exec $tool, @args;
        die $!;
    }
    waitpid $pid, 0;
    return ($? & 127 ? "signal $?" : $? >> 8, slurp("$dir/stdout"), slurp("$dir/stderr"));
}

file($_, '') for qw(k r d.img e.img prog);
chmod 0755, "$dir/prog";

# [kind, text, what follows =>]
sub cases {
    my ($name, %short) = @_;
    my @cases;

    for (split /\n/, slurp("$home/tests/tools/config/$name.cases")) {
        next if /^(#|$)/;
        my ($kind, $text, $line) = /^(\w+) (.*?)(?:\s*=> (.*))?$/ or die "$name.cases: $_";
        # Only where it is no part of a name or text.
        $text =~ s/(?<![\w"])$_(?=[,}~;]|$)/$short{$_}/ for keys %short;
        $text =~ s/~/\n/g if $text !~ /az\{\|\}~/;
        $text =~ s/DIR/$dir/g;
        $line =~ s/DIR/$dir/g if defined $line;
        push @cases, [$kind, $text, $line];
    }
    return @cases;
}

# ---- JSON, by the parser and by the schema ----

my @json = cases('json', '@' => '"name": "n", "kernel": "k", "memory": 64', '%' => '"name": "n", "kernel": "k"');
cmp_ok(scalar @json, '>', 150, 'there are many cases');
my @names = map { file("case$_.json", $json[$_][1]) } 0 .. $#json;
my %schema = map { /^(\w+) .*?(case\d+\.json)$/ ? ($2 => $1) : () }
    `$home/tests/tools/config/schema-check $home/config/socle.schema.json @{[map { "$dir/$_" } @names]}`;

for my $i (0 .. $#json) {
    my ($kind, $text, $line) = @{$json[$i]};
    my $name = $names[$i];
    my @want = $kind eq 'good' ? (0, "$name: ok\n", '') : (1, '', "$name:$line\n");

    is_deeply([run('config-check', $name)], \@want, "json: $text");
    is($schema{$name}, $kind eq 'schema' ? 'invalid' : 'valid', "schema: $text");
    next if $kind ne 'good';
    my ($rc, $normal) = run('config-check', '--json', $name);
    file('normal.json', $normal);
    is_deeply([run('config-check', '--json', 'normal.json')], [0, $normal, ''], "normal form: $text");
}

# ---- xl.cfg ----

for (cases('cfg', '@' => 'name="n"; kernel="k"; memory=64')) {
    my ($kind, $text, $line) = @$_;
    my $name = file('case.cfg', $text);
    my $said = $kind eq 'good' ? '' : ($line =~ /^\d/ ? "$name:$line\n" : "$name: " . $line =~ s/^ +//r . "\n");
    my @want = $kind eq 'bad' ? (1, '', $said) : (0, "$name: ok\n", $said);

    is_deeply([run('config-check', $name)], \@want, "cfg: $text");
    next if $kind ne 'good';
    my $got = decode_json((run('config-check', '--json', $name))[1]);
    my $wanted = decode_json(join(',', '{"name":"n","kernel":"' . "$dir/k" . '","memory":64', $line || ()) . '}');
    is_deeply($got, $wanted, "cfg: normal form: $text");
}

# ---- values from the command line ----

file('a.json', '{"name": "a", "kernel": "k", "memory": 64, "cmdline": "one", "disks": [{"path": "none", "vdev": "xvda"}]}');
file('a.cfg', "name='a'\nkernel='k'\nmemory=64\ncmdline='one'\ndisk=['none,raw,xvda,r']\n");
my @over = qw(memory=128 name=b2 extra=3);
my %want = (name => 'b2', kernel => "$dir/k", memory => 128);
is_deeply(decode_json((run('config-check', '--json', 'a.json', @over, 'disks=[]'))[1]), {%want, cmdline => 'one 3'}, 'JSON');
is_deeply(decode_json((run('config-check', '--json', 'a.cfg', @over, 'disk=[]', 'cmdline="two"'))[1]),
    {%want, cmdline => 'two'}, 'xl.cfg');
for (
    ['a.json', 'disks=[]', 'memory=0', '$.memory: expected MiB from 1 to 16777216, not "0"'],
    ['a.json', 'disks=[]', 'memory=', '$.memory: expected MiB from 1 to 16777216, not ""'],
    ['a.json', 'disks=[{', '$.disks[0]: expected JSON: premature EOF'],
    ['a.json', 'disks=[{"path":"d.img","vdev":"xvda","x":1}]', '$.disks[0].x: expected a known key'],
    ['a.json', 'disks=[{"path":"d.img","path":"d.img","vdev":"xvda"}]', '$.disks[0]: expected each key once'],
    ['a.json', 'disks=[]', 'memory', 'expected KEY=VALUE, not "memory"'],
    ['a.json', 'disks=[]', '=1', 'expected KEY=VALUE, not "=1"'],
    ['a.json', 'disks=[]', 'cpu_weight=1', '$.cpu_weight: expected a known key'],
    ['a.cfg', 'disk=[]', 'memory=0', 'memory: expected MiB from 1 to 16777216, not "0"'],
    ['a.cfg', "disk=['d.img'", 'disk: expected a comma or ], not the end'],
    ['a.cfg', "disk=[] x", "disk: expected the end, not 'x'"],
    ['a.cfg', 'disk=[]', 'weight=1', 'weight: expected a known key, such as cpu_weight'],
) {
    my ($line, @args) = (pop @$_, @$_);
    is_deeply([(run('config-check', @args))[0, 2]], [1, "command line: $line\n"], "@args");
}

# ---- files ----

is_deeply([run('config-check', 'absent.json')], [1, '', "absent.json: No such file or directory\n"], 'no file');
is_deeply([run('config-check', 'dir')], [1, '', "dir: Is a directory\n"], 'a folder');
file('large.json', ' ' x 300_000);
is_deeply([run('config-check', 'large.json')], [1, '', "large.json: File too large\n"], 'a large file');
file('many.json', '[' . '0,' x 20_000 . '0]');
is_deeply([run('config-check', 'many.json')], [1, '', "many.json:1: \$: expected fewer values\n"], 'a full file');
file('plain', " {\"name\": \"n\"}");
like((run('config-check', 'plain'))[2], qr/^plain:1: \$: expected the key kernel as well\n/, 'JSON by its look');
file('wrong.json', '{' . join(',', map { "\"$_\": 1" } 'aa' .. 'zz') . '}');
my @lines = split /\n/, (run('config-check', 'wrong.json'))[2];
is(scalar @lines, 64, 'no more lines than somebody may read');
my $deep = file('dir/deep.json', '{"name": "n", "kernel": "../k", "memory": 1}');
is((run('config-check', $deep))[0], 0, 'paths are relative to the folder of a JSON file');
is((run('config-check', $deep, 'kernel=../k'))[0], 1, 'and those on the command line to ours');

# ---- the examples ----

for my $name (qw(hello demo debian pvgrub)) {
    my $text = slurp("$home/config/examples/$name.json");
    my $check = "$home/tests/tools/config/schema-check $home/config/socle.schema.json";
    like(`$check $home/config/examples/$name.json`, qr/^valid /, "$name.json: by the schema");
}
for my $name (qw(hello.json demo.json debian.json debian.cfg pvgrub.json)) {
    my $text = slurp("$home/config/examples/$name");
    my %seen; # its files, here
    $text =~ s{"((?:/|\.\./\.\./)[\w/.-]*/)([\w.-]+)(?="|, raw)}{"$dir/$2}g;
    $text =~ s{target=/[\w/]*/}{target=$dir/}g;
    $seen{$_}++ or file($_, '') for $text =~ m{\Q$dir\E/([\w.-]+)}g;
    file("example-$name", $text =~ s{^(root\s*=\s*)"\Q$dir\E/}{$1"/dev/}mr);
    is_deeply([run('config-check', "example-$name")], [0, "example-$name: ok\n", ''], "$name: by the parser");
}
is((run('config-check', '--json', 'example-debian.json'))[1], (run('config-check', '--json', 'example-debian.cfg'))[1],
    'both forms of an example say the same');

# ---- the commands ----

my ($rc, $list) = run('help');
my @commands = $list =~ /^  (\S+)/mg;
my @functions = map { tr/_/-/r } slurp("$home/dom0-tools/socle/commands.h") =~ /^int cmd_(\w+)\(/mg;
is_deeply(\@commands, [sort @functions], 'help lists the commands');
for (@commands) {
    my @help = run('help', $_);
    like($help[1], qr/^usage: socle \Q$_\E/, "help $_");
    is_deeply([run($_, '--help')], \@help, "$_ --help");
    is_deeply([run($_, 'x', '-h')], \@help, "$_ x -h");
    my @bad = run($_, '--nonsense', 'x', 'y');
    is("$bad[0] $bad[1]", '2 ', "$_ --nonsense");
    like($bad[2], qr/usage: socle \Q$_\E/, "$_ --nonsense: told");
    like(slurp("$home/dom0-tools/man/socle.1"), qr/^\.SS $_\b/m, "$_: in the manual");
}
is_deeply([run('--help')], [run('help')], '--help');
is_deeply([run('--version')], [run('version')], '--version');
like((run('version'))[1], qr/^socle \d+\.\d+\n\z/, 'version');
is((run('vers'))[0], 0, 'cut short');
is_deeply([run('d')], [2, '', "socle: d could be debug-key, destroy, disk-list, dmesg, domid, dominfo, domname\n"], 'cut too short');
is_deeply([run('create', '--dry-run', 'example-debian.json')], [run('config-check', '--json', 'example-debian.json')], 'create --dry-run');
is_deeply([run('config-chekc')], [2, '', "socle: there is no command config-chekc; did you mean config-check?\n"], 'a slip');
is_deeply([run('frobnicate')], [2, '', "socle: there is no command frobnicate; `socle help` lists them\n"], 'unknown');
is_deeply([run('')], [2, '', "socle: there is no command ; `socle help` lists them\n"], 'an empty one');
is((run('help', 'nonsense'))[0], 2, 'help for what is not there');
is((run())[0], 2, 'no command');
is((run('config-check'))[0], 2, 'no file named');
SKIP: {
    skip 'there is a hypervisor', 4 if -e '/dev/xen/privcmd' || -e '/proc/xen/privcmd';
    for (['list'], ['info'], ['pause', '1'], ['dmesg']) {
        is_deeply([run(@$_)], [1, '', "socle: no way to the hypervisor: No such file or directory\n"], "$_->[0] without a hypervisor");
    }
}
is(system("$tool help >/dev/full 2>/dev/null") >> 8, 1, 'a full disk');

remove_tree($dir);
done_testing;
