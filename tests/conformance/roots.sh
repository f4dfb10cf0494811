#!/bin/bash
# Roots as tests/roots.sh makes them, but with larger programs, for `make conformance CONFORMANCE_ARGS=--more`: about half a
# minute and half a gigabyte each, cached. `roots.sh [NAME...]` prints their paths; what cannot be made is reported, and the
# exit status is 1.
set -u -o pipefail
. "$(dirname "$0")/../debian.sh"
cache=${XDG_CACHE_HOME:-/var/tmp}/glibctrace-conformance
# bookworm has this system's glibc: it is there for what should not be installed for a test.
declare -A packages_of=([bookworm]=base-files,libc6,libc-bin,bash,dash,coreutils,chromium,delve)
packages=base-files,libc6,libc-bin,bash,dash,coreutils,findutils,grep,sed,mawk,tar,xz-utils,procps,iproute2,binutils,make
packages+=,apt,gnupg,curl,ca-certificates,git,openssl,openssh-client,sqlite3,perl,python3,gdb,nodejs

make_one() {
    unpack_suite "$1" "${packages_of[$1]:-$packages}" "$2"
}

[ $# -gt 0 ] || set -- bullseye bookworm trixie forky
make_cached "$cache" "$@"
