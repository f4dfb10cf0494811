#!/bin/bash
# Small root directories with other libcs, for the tests: `tests/roots.sh [NAME...]`, all by default. Each is made once
# from Debian's packages, out of the machine's own configured mirror, and cached; a later run only prints the paths.
#   bullseye  glibc 2.31        trixie  glibc 2.41        forky  a glibc newer than Debian 13's
#   musl      musl's loader and a static busybox, and no glibc at all
# A root that cannot be made is reported, and the exit status is 1.
set -u -o pipefail
. "$(dirname "$0")/debian.sh"
cache=${XDG_CACHE_HOME:-/var/tmp}/glibctrace-roots
glibc_packages=base-files,libc6,libc-bin,bash,dash,coreutils
declare -A suite_of=([bullseye]=bullseye [trixie]=trixie [forky]=forky [musl]=bookworm)
declare -A packages_of=([bullseye]=$glibc_packages [trixie]=$glibc_packages [forky]=$glibc_packages [musl]=musl,busybox-static)

make_one() {
    local name=$1 target=$2 hook='chroot "$1" ldconfig' loader=lib64/ld-linux-x86-64.so.2
    if [ -z "${suite_of[$name]:-}" ]; then
        echo "there is no root called $name" >&2
        return 1
    fi
    if [ "$name" = musl ]; then
        hook='chroot "$1" /bin/busybox --install -s /bin' loader=lib/ld-musl-x86_64.so.1
    fi
    unpack_suite "${suite_of[$name]}" "${packages_of[$name]}" "$target" "$hook" || return 1
    [ -L "$target/bin/sh" ] || ln -s bash "$target/bin/sh"
    # The loader may be an absolute link, which leads nowhere from out here.
    [ -L "$target/$loader" ] || [ -e "$target/$loader" ]
}

[ $# -gt 0 ] || set -- bullseye trixie forky musl
make_cached "$cache" "$@"
