# SPDX-License-Identifier: MIT
# For fetch-kernel and fetch-package: packages from where this machine's apt gets them, by its mirrors and
# proxies, but with lists and a cache of our own in O/apt, so no root is needed and apt's own state stays as
# it is. Environment: O, the build directory; SOCLE_CACHE, a directory where packages are kept (O/apt);
# APT_ETC, in place of /etc/apt.
me=${0##*/}

die() {
    echo "$me: $*" >&2
    exit 1
}

command -v apt-get >/dev/null || die "this needs apt-get; see README for kernels from elsewhere"
apt=$(realpath -m "${O:-build}/apt")
cache=$(realpath -m "${SOCLE_CACHE:-$apt}")

# apt with lists of its own in $apt/NAME, and with the sources that the further arguments name.
use_apt() {
    state=$apt/$1
    shift
    mkdir -p "$state/lists/partial" "$state/cache/archives/partial" "$cache"
    # What other packages hang on apt's updates does not concern ours.
    printf '#clear APT::Update::%s;\n' Post-Invoke Post-Invoke-Success Pre-Invoke >"$state/conf"
    options="-c $state/conf -o Dir::State=$state -o Dir::State::Lists=$state/lists -o Dir::Cache=$state/cache
        -o Dir::State::status=/dev/null -o APT::Sandbox::User=root -o Acquire::Languages=none
        -o Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false
        -o Acquire::Retries=2 -o Acquire::http::Timeout=30 -o Acquire::https::Timeout=30 $*"
}

# "FIELD: ..." of the newest PACKAGE.
show() { # FIELD PACKAGE
    # shellcheck disable=SC2086
    apt-cache $options show --no-all-versions "$2" 2>/dev/null | sed -n "s/^$1: //p"
}

# A source that fails is no matter as long as another one has the package. An hour old lists will do.
update() { # PACKAGE WHERE
    [ -z "$(find "$state/updated" -mmin -60 2>/dev/null)" ] || return 0
    echo "$me: reading package lists ($2)"
    # shellcheck disable=SC2086
    apt-get $options update -q >"$state/update.log" 2>&1 || true
    [ -z "$(show Version "$1")" ] || touch "$state/updated"
}

use_release() { # PACKAGE
    # One at a time.
    mkdir -p "$apt"
    exec 9>"$apt/lock"
    flock 9
    # This machine's sources of binary packages. Those of sources of packages are of no use here, and where
    # somebody added them carelessly apt refuses to read the rest.
    rm -rf "$apt/sources"
    mkdir -p "$apt/sources"
    etc=${APT_ETC:-/etc/apt}
    for list in "$etc/sources.list" "$etc"/sources.list.d/*.list "$etc"/sources.list.d/*.sources; do
        [ ! -r "$list" ] || grep -v '^ *deb-src' "$list" >"$apt/sources/${list##*/}" || true
    done
    use_apt stable -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$apt/sources"
    update "$1" "the release"
}

not_found() { # PACKAGE
    tail -n 5 "$state/update.log" >&2
    die "no package $1 to be had; is there a network, and is this Debian? ($state/update.log)"
}

# Sets deb, the file.
download() { # PACKAGE VERSION
    deb=$cache/$1_$(echo "$2" | sed 's/:/%3a/g')_amd64.deb
    [ ! -e "$deb" ] || return 0
    echo "$me: $1 $2"
    mkdir -p "$state/download"
    # shellcheck disable=SC2086
    (cd "$state/download" && apt-get $options download "$1=$2") || die "$1 could not be fetched"
    mv "$state/download/${deb##*/}" "$deb"
}

# Paths of the package $deb, or all of it, become DIR.
unpack() { # DIR PATH...
    into=$1
    shift
    echo "$me: unpacking into $into"
    rm -rf "$into.new"
    mkdir -p "$into.new"
    dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$into.new" --no-same-owner "$@" ||
        { rm -f "$deb" && die "the package is damaged; run this again"; }
}

# It is there, with its version.
finish() { # DIR VERSION
    echo "$2" >"$1.new/version"
    rm -rf "$1"
    mv "$1.new" "$1"
}
