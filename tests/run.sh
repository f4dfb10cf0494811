#!/bin/bash
# Runs the tests and says how they went: `tests/run.sh unit|all UNIT_TEST...`. Called by the Makefile, which has built
# the unit tests (programs that end with 0 when they pass); `all` adds the layering check and pytest on tests/e2e.
# The last lines are the runners' own summaries and one of ours; the exit status is 1 when anything failed.
set -u
cd "$(dirname "$0")/.." || exit 1
what=$1
shift
python=${PYTHON:-/usr/bin/python3}
failed=()
summary=()

# Sanitizers: what they find must end the test, whatever it thinks of its status.
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1:halt_on_error=1}
export LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1

for test in "$@"; do
    output=$(timeout 600 "$test" 2>&1)
    status=$?
    printf '%s\n' "$output"
    line=$(printf '%s\n' "$output" | grep -E '^[0-9]+%: Checks: ' | tail -n 1)
    if [ $status -ne 0 ]; then
        failed+=("$(basename "$test") (status $status)")
        line="FAILED (status $status) $line"
    fi
    summary+=("$(printf '%-24s %s' "$(basename "$test")" "${line:-passed}")")
done

if [ "$what" = all ]; then
    if bash tests/layering.sh; then
        summary+=("$(printf '%-24s %s' layering passed)")
    else
        failed+=(layering)
    fi
    output=$(mktemp)
    trap 'rm -f "$output"' EXIT
    # A file's tests share what they have built, so a file goes to one of the processes as a whole.
    $python -m pytest -q -p no:cacheprovider -n "$(nproc)" --dist loadfile -rfEs tests/e2e 2>&1 | tee "$output"
    status=${PIPESTATUS[0]}
    [ "$status" -eq 0 ] || failed+=("tests/e2e (status $status)")
    summary+=("$(printf '%-24s %s' tests/e2e "$(tail -n 1 "$output")")")
fi

echo "--- summary"
[ ${#summary[@]} -eq 0 ] || printf '%s\n' "${summary[@]}"
[ ${#summary[@]} -gt 0 ] || failed+=("there are no tests")
if [ ${#failed[@]} -gt 0 ]; then
    printf 'FAILED: %s\n' "${failed[@]}"
    exit 1
fi
echo "All ${#summary[@]} passed."
