#!/bin/sh
# `run.sh GLIBCTRACE DIR`: runs the demo's program, built in DIR, under glibctrace, prints the report, and fails when
# the report is not the right one.
set -eu
tool=$1
dir=$(cd "$2" && pwd)
report=$dir/report.json
rm -f "$report"

echo "\$ ./viewer"
"$dir/viewer" || echo "(status $?: why?)"
echo
echo "\$ glibctrace -- ./viewer"
status=0
"$tool" -o "$report" -- "$dir/viewer" || status=$?
echo

fail() {
    echo "demo: $*" >&2
    exit 1
}
[ "$status" -eq 3 ] || fail "glibctrace ended with $status, not with the program's own 3"
[ -s "$report" ] || fail "no report was written"
# No tool that reads JSON is needed on a bare machine: the first value of a key is taken, and the first cause comes
# before all others. Paths are compared by their ends, a home directory may have been redacted.
flat=$(tr -d '\n' <"$report" | sed 's/": */":/g')
expect() {
    rest=${flat#*\"$1\":}
    value=${rest#*\"$2\":\"}
    value=${value%%\"*}
    case $value in
    *"$3") ;;
    *) fail "$2 should be $3, and is $value" ;;
    esac
}
expect causes kind symbol-version-missing
expect causes missing PICTURE_2.4
expect causes subject /plugins/sharpen.so
expect causes provider /lib/libpicture.so.2
expect reproduction status verified
echo "demo: the report is right, and its reproduction was run and verified."
