#!/bin/bash
# What `make real` runs, fetched once from the package registries that this machine is configured for, and cached:
# `tests/real/fetch.sh [NAME...]` prints their paths, all by default.
#   bullseye bookworm trixie forky   roots with real programs of that suite (coreutils, git, nodejs, strace, apt, …)
#   server    VS Code Server (npm packages code-server and node), native modules compiled on this machine
#   addons    native add-ons of the npm registry, each for glibc, for musl and for another processor
# Nothing is executed that a package brings for its installation, but node-gyp for the server's own modules. What cannot be
# made is reported, and the exit status is 1.
set -u -o pipefail
cache=${XDG_CACHE_HOME:-/var/tmp}/glibctrace-real
packages=base-files,base-passwd,libc6,libc-bin,bash,dash,coreutils,findutils,grep,sed,mawk,procps,util-linux,mount,passwd,login
packages+=,apt,git,nodejs,strace,libstdc++6,libgcc-s1,libkrb5-3,libgssapi-krb5-2,libsecret-1-0,libuuid1,perl-base,python3-minimal

mirror() {
    apt-get indextargets --format '$(ORIGIN)|$(COMPONENT)|$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
        sed -n 's/^Debian|main|//p' | grep -v -e security -e updates | head -n 1
}

# As tests/roots.sh makes its roots.
make_root() {
    local suite=$1 target=$2 from
    from=$(mirror)
    [ -n "$from" ] || return 1
    mkdir -p "$target" || return 1
    mmdebstrap --mode="$([ "$(id -u)" -eq 0 ] && echo root || echo unshare)" --variant=extract --skip=check/empty \
        --aptopt='Acquire::Check-Valid-Until "false"' --include="$packages" --extract-hook='chroot "$1" ldconfig' \
        --format=tar "$suite" - "deb $from $suite main" |
        tar -x --no-same-owner --exclude='./dev/*' -C "$target" || return 1
    mkdir -p "$target"/{proc,dev,tmp,mnt,opt}
    # what the packages' own scripts would have made
    [ -e "$target/etc/passwd" ] || printf 'root:x:0:0:root:/root:/bin/bash\n' >"$target/etc/passwd"
    [ -e "$target/etc/group" ] || printf 'root:x:0:\n' >"$target/etc/group"
    [ -e "$target/bin/sh" ] || ln -s dash "$target/bin/sh"
}
