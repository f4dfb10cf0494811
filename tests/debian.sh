# Roots made from Debian's packages, and a cache for what is made once; sourced by the scripts that say which (tests/roots.sh,
# tests/conformance/roots.sh, tests/real/fetch.sh).

# Where this machine fetches Debian's packages from, or nothing.
mirror() {
    apt-get indextargets --format '$(ORIGIN)|$(COMPONENT)|$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
        sed -n 's/^Debian|main|//p' | grep -v -e security -e updates | head -n 1
}

# unpack_suite SUITE PACKAGES TARGET [HOOK]: unpacks them, unconfigured, into the directory TARGET; HOOK is run in there by a
# shell whose $1 is the root. An older release's index may be past its date, and so the date is not checked; the signature
# is. Through tar, so that the files belong to the caller and there are no devices, whether or not root makes it.
unpack_suite() {
    local suite=$1 packages=$2 target=$3 hook=${4:-'chroot "$1" ldconfig'} from
    from=$(mirror)
    [ -n "$from" ] && command -v mmdebstrap >/dev/null || {
        echo "it takes mmdebstrap and a configured Debian mirror" >&2
        return 1
    }
    mkdir -p "$target" || return 1
    mmdebstrap --mode="$([ "$(id -u)" -eq 0 ] && echo root || echo unshare)" --variant=extract --skip=check/empty \
        --aptopt='Acquire::Check-Valid-Until "false"' --include="$packages" --extract-hook="$hook" \
        --format=tar "$suite" - "deb $from $suite main" |
        tar -x --no-same-owner --exclude='./dev/*' -C "$target" || return 1
    mkdir -p "$target"/{proc,dev,tmp,mnt}
}

# make_cached CACHE NAME...: what the caller's function `make_one NAME TARGET` makes, once, in the directory CACHE/NAME; prints
# the paths. Other scripts make other things, so it is made again where they have changed. What cannot be made is reported,
# and the status is 1.
make_cached() {
    local cache=$1 name made_by failed=0
    shift
    made_by=$(cat "$0" "${BASH_SOURCE[0]}" | cksum)
    mkdir -p "$cache" || return 1
    # Two runs at once (tests in parallel) must not make the same thing twice.
    exec 9>"$cache/lock"
    flock 9
    for name in "$@"; do
        case $name in
        '' | .* | */*) # it would be made, and removed, somewhere else
            echo "\"$name\" is no name" >&2
            failed=1
            continue
            ;;
        esac
        if [ ! -e "$cache/$name" ] || [ "$(cat "$cache/$name.made-by" 2>/dev/null)" != "$made_by" ]; then
            echo "making $name in $cache (once)" >&2
            rm -rf "$cache/$name" "$cache/$name.new"
            if ! make_one "$name" "$cache/$name.new" >"$cache/$name.log" 2>&1 || ! mv "$cache/$name.new" "$cache/$name"; then
                echo "$name could not be made, $cache/$name.log says why:" >&2
                tail -n 5 "$cache/$name.log" >&2
                rm -rf "$cache/$name.new"
                failed=1
                continue
            fi
            echo "$made_by" >"$cache/$name.made-by"
        fi
        echo "$cache/$name"
    done
    return $failed
}
