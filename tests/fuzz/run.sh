#!/bin/bash
# Fuzzes the readers, one after the other: `tests/fuzz/run.sh BUILD [TARGET...]`, for FUZZ_SECONDS each, with the inputs
# of testdata/fuzz/TARGET (and the pastes) as seeds. A line for each says how it went; what was found stays in
# BUILD/found, and the status is 1 then. What was learnt stays in BUILD/learnt, where the next run goes on.
set -u
cd "$(dirname "$0")/../.." || exit 2
build=$(realpath "${1:?usage: tests/fuzz/run.sh BUILD [TARGET...]}") || exit 2
shift
all="trace strace lddebug words clean decode set elf bundle archive report"
bad=0
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:allocator_may_return_null=0}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1:halt_on_error=1}

# Number NAME of libFuzzer's final statistics.
stat_of() {
    sed -n "s/^stat::$1: *//p" "$log" | tail -n 1
}

[ $# -gt 0 ] || set -- $all
mkdir -p "$build/found"
for target in "$@"; do
    log=$build/$target.log
    learnt=$build/learnt/$target
    seeds=("testdata/fuzz/$target")
    case $target in
    strace | lddebug | words | clean) seeds+=(testdata/pastes) ;;
    esac
    mkdir -p "$learnt"
    ln -sf fuzz "$build/$target"
    "$build/$target" -max_total_time="${FUZZ_SECONDS:-60}" -timeout=10 -report_slow_units=3 -rss_limit_mb=1024 \
        -max_len=16384 -dict="testdata/fuzz/$target.dict" -artifact_prefix="$build/found/$target-" \
        -print_final_stats=1 "$learnt" "${seeds[@]}" >"$log" 2>&1
    status=$?
    runs=$(stat_of number_of_executed_units)
    covered=$(grep -oE ' cov: [0-9]+' "$log" | tail -n 1)
    line="${runs:-0} runs,${covered:- cov: 0} edges, $(find "$learnt" -type f | wc -l) inputs, $(stat_of peak_rss_mb) MB"
    if [ $status -eq 0 ]; then
        printf 'ok     %-8s %s\n' "$target" "$line"
    else
        printf 'FOUND  %-8s %s: %s\n' "$target" "$line" \
            "$(grep -m 1 -E '^SUMMARY|ERROR:|Test unit written' "$log" || echo "status $status, see $log")"
        sed -n 's/.*Test unit written to /       /p' "$log"
        bad=1
    fi
done
exit $bad
