#!/bin/bash
# Small root directories with other libcs, for the tests: `tests/roots.sh [NAME...]`, all by default. Each is made once
# from Debian's packages, out of the machine's own configured mirror, and cached; a later run only prints the paths.
#   bullseye  glibc 2.31        trixie  glibc 2.41        forky  a glibc newer than Debian 13's
#   musl      musl's loader and a static busybox, and no glibc at all
# A root that cannot be made is reported, and the exit status is 1.
set -u -o pipefail
cache=${XDG_CACHE_HOME:-/var/tmp}/glibctrace-roots
glibc_packages=base-files,libc6,libc-bin,bash,dash,coreutils
declare -A suite_of=([bullseye]=bullseye [trixie]=trixie [forky]=forky [musl]=bookworm)
declare -A packages_of=([bullseye]=$glibc_packages [trixie]=$glibc_packages [forky]=$glibc_packages [musl]=musl,busybox-static)

# Where this machine fetches Debian's packages from, or nothing.
mirror() {
    apt-get indextargets --format '$(ORIGIN)|$(COMPONENT)|$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
        sed -n 's/^Debian|main|//p' | grep -v -e security -e updates | head -n 1
}

# An older release's index may be past its date, and so the date is not checked; the signature is. Through tar, so that
# the files belong to the caller and there are no devices, whether or not root makes it.
make_root() {
    local name=$1 from=$2 target=$3 hook='chroot "$1" ldconfig' loader=lib64/ld-linux-x86-64.so.2
    if [ "$name" = musl ]; then
        hook='chroot "$1" /bin/busybox --install -s /bin' loader=lib/ld-musl-x86_64.so.1
    fi
    mkdir -p "$target" || return 1
    mmdebstrap --mode="$([ "$(id -u)" -eq 0 ] && echo root || echo unshare)" --variant=extract --skip=check/empty \
        --aptopt='Acquire::Check-Valid-Until "false"' --include="${packages_of[$name]}" --extract-hook="$hook" \
        --format=tar "${suite_of[$name]}" - "deb $from ${suite_of[$name]} main" |
        tar -x --no-same-owner --exclude='./dev/*' -C "$target" || return 1
    mkdir -p "$target"/{proc,dev,tmp,mnt} || return 1
    [ -L "$target/bin/sh" ] || ln -s bash "$target/bin/sh"
    # The loader may be an absolute link, which leads nowhere from out here.
    [ -L "$target/$loader" ] || [ -e "$target/$loader" ]
}

failed=0
[ $# -gt 0 ] || set -- bullseye trixie forky musl
made_by=$(cksum <"$0") # another version of this script makes other roots
mkdir -p "$cache" || exit 1
# Two runs at once (tests in parallel) must not make the same root twice.
exec 9>"$cache/lock"
flock 9
for name in "$@"; do
    if [ -z "${suite_of[$name]:-}" ]; then
        echo "roots: there is no root called $name" >&2
        failed=1
        continue
    fi
    if [ ! -e "$cache/$name" ] || [ "$(cat "$cache/$name.made-by" 2>/dev/null)" != "$made_by" ]; then
        from=$(mirror)
        if ! command -v mmdebstrap >/dev/null || [ -z "$from" ]; then
            echo "roots: $name cannot be made: it takes mmdebstrap and a configured Debian mirror" >&2
            failed=1
            continue
        fi
        echo "roots: making $name in $cache (once)" >&2
        rm -rf "$cache/$name" "$cache/$name.new"
        if make_root "$name" "$from" "$cache/$name.new" >"$cache/$name.log" 2>&1; then
            mv "$cache/$name.new" "$cache/$name" && echo "$made_by" >"$cache/$name.made-by"
        else
            echo "roots: $name could not be made, $cache/$name.log says why:" >&2
            tail -n 5 "$cache/$name.log" >&2
            rm -rf "$cache/$name.new"
            failed=1
            continue
        fi
    fi
    echo "$cache/$name"
done
exit $failed
