#!/bin/bash
# Roots as tests/roots.sh makes them, but with larger programs, for `make conformance CONFORMANCE_ARGS=--more`: about half a
# minute and half a gigabyte each, cached. `roots.sh [NAME...]` prints their paths; what cannot be made is reported, and the
# exit status is 1.
set -u -o pipefail
cache=${XDG_CACHE_HOME:-/var/tmp}/glibctrace-conformance
# bookworm has this system's glibc: it is there for what should not be installed for a test.
declare -A packages_of=([bookworm]=base-files,libc6,libc-bin,bash,dash,coreutils,chromium,delve)
packages=base-files,libc6,libc-bin,bash,dash,coreutils,findutils,grep,sed,mawk,tar,xz-utils,procps,iproute2,binutils,make
packages+=,apt,gnupg,curl,ca-certificates,git,openssl,openssh-client,sqlite3,perl,python3,gdb,nodejs

mirror() {
    apt-get indextargets --format '$(ORIGIN)|$(COMPONENT)|$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
        sed -n 's/^Debian|main|//p' | grep -v -e security -e updates | head -n 1
}

make_root() {
    local suite=$1 target=$2
    mkdir -p "$target" || return 1
    mmdebstrap --mode="$([ "$(id -u)" -eq 0 ] && echo root || echo unshare)" --variant=extract --skip=check/empty \
        --aptopt='Acquire::Check-Valid-Until "false"' --include="${packages_of[$suite]:-$packages}" --extract-hook='chroot "$1" ldconfig' \
        --format=tar "$suite" - "deb $(mirror) $suite main" |
        tar -x --no-same-owner --exclude='./dev/*' -C "$target" || return 1
    mkdir -p "$target"/{proc,dev,tmp,mnt}
}

failed=0
[ $# -gt 0 ] || set -- bullseye bookworm trixie forky
made_by=$(cksum <"$0")
mkdir -p "$cache" || exit 1
exec 9>"$cache/lock"
flock 9
for name in "$@"; do
    if [ "$(cat "$cache/$name.made-by" 2>/dev/null)" != "$made_by" ]; then
        echo "roots: making $name with more programs in $cache (once)" >&2
        rm -rf "$cache/$name" "$cache/$name.new"
        if make_root "$name" "$cache/$name.new" >"$cache/$name.log" 2>&1; then
            mv "$cache/$name.new" "$cache/$name" && echo "$made_by" >"$cache/$name.made-by"
        else
            echo "roots: $name could not be made, $cache/$name.log says why" >&2
            rm -rf "$cache/$name.new"
            failed=1
            continue
        fi
    fi
    echo "$cache/$name"
done
exit $failed
