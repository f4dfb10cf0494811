#!/bin/bash
# The house's rules that a machine can check: includes run one way (probes <- reports <- tracer), no file is longer
# than 600 lines, each foreign library stands behind one file, nothing stands outside the rooms. Prints what breaks
# one and fails. `tests/layering.sh DIR` checks the tree at DIR (the check's own test uses that).
set -u
cd "${1:-$(dirname "$0")/..}" || exit 2
bad=0

complain() {
    echo "layering: $*"
    bad=1
}

# Committed or about to be: what git would add; without git (an unpacked archive) every file but build/.
files() {
    if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
        git ls-files --cached --others --exclude-standard
    else
        find . \( -path ./build -o -name __pycache__ \) -prune -o -type f -print | sed 's,^\./,,'
    fi
}

# No file of room $1 includes anything that matches $2.
must_not_include() {
    local hits
    hits=$(grep -nE "^[[:space:]]*#[[:space:]]*include[[:space:]]*[<\"](\.\./)*($2)/" "$1"/*.[ch] 2>/dev/null)
    [ -z "$hits" ] || while read -r hit; do complain "$1 includes upwards: $hit"; done <<<"$hits"
}
must_not_include probes 'reports|tracer'
must_not_include reports 'tracer'

hits=$(grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"[^"]*/' {probes,reports,tracer}/*.[ch] 2>/dev/null)
[ -z "$hits" ] || while read -r hit; do complain "another room is included as <room/x.h>: $hit"; done <<<"$hits"

while read -r file; do
    [ -f "$file" ] || continue
    case $file in
    tracer/* | probes/* | reports/* | testdata/* | tests/* | .*) ;;
    Makefile | README.md | LICENSE | CHANGELOG.md) ;;
    *) complain "$file stands outside the house" ;;
    esac
    case $file in
    *.c | *.h | *.py | *.sh)
        lines=$(wc -l <"$file")
        [ "$lines" -le 600 ] || complain "$file has $lines lines, more than 600"
        ;;
    esac
done < <(files)

# One library, one file of ours that includes its headers.
at_most_one() {
    local what=$1 users=$2 count
    count=$(printf '%s' "$users" | grep -c .)
    [ "$count" -le 1 ] || complain "$what by $count files: $(echo $users)"
}
one_file() {
    at_most_one "$1 is included" \
        "$(grep -lE "^[[:space:]]*#[[:space:]]*include[[:space:]]*<($2)>" {probes,reports,tracer}/*.[ch] 2>/dev/null)"
}
# Its header also holds the constants that a classifier of stops reads; the call is what only one file makes.
at_most_one 'ptrace(2) is called' \
    "$(grep -lE '^[^"*/]*(\<SYS_ptrace\>|\<ptrace[[:space:]]*\()' {probes,reports,tracer}/*.c 2>/dev/null)"
one_file libseccomp 'seccomp\.h'
one_file libelf 'libelf\.h|gelf\.h'
one_file libdw '(elfutils/)?libdw(fl)?\.h|dwarf\.h'
one_file libunwind 'libunwind.*\.h'
one_file capstone 'capstone(/.*)?\.h'
one_file jansson 'jansson\.h'
one_file libarchive 'archive(_entry)?\.h'
one_file libsquashfs 'sqfs/.*\.h'

exit $bad
