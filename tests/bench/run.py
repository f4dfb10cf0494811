"""The bench: what glibctrace costs, against strace with a filter for the same calls and against no tracer.

Every number of one table comes from one run: the ways of running a row take turns (native, strace, ours, native, …),
so that what else the machine does hits all alike, and the medians are compared. Times of different runs, machines or
tables are not comparable; the ratios are. `make bench`, or with BENCH_ARGS="--rounds 3 --only getppid".
"""

import argparse
import dataclasses
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from checked import print_checked
from pasted import print_pasted

# The calls that glibctrace looks at (README), as strace's -e trace= takes them on x86-64.
CALLS = ("open,openat,openat2,creat,readlink,readlinkat,stat,lstat,newfstatat,statx,access,faccessat,faccessat2,mmap,"
         "execve,execveat,connect,chdir,chroot,pivot_root,unshare,setns,clone,clone3,fork,vfork,exit,exit_group,"
         "inotify_init,inotify_init1,inotify_add_watch,memfd_create,prctl,seccomp,write,writev,sendmsg")
MEMORY_EVENTS = 1_000_000
MEMORY_LIMIT = 64  # MB


@dataclasses.dataclass
class Row:
    name: str
    command: list
    most: float  # our added time, as a part of strace's, may be at most this
    rounds: int
    prepare: object = None  # called before each single run
    cwd: object = None  # working directory, the scratch directory where none is given
    native_most: float | None = None  # our time may be at most this many times the native one


def write_go_module(top):
    module = top / "module"
    (module / "words").mkdir(parents=True)
    (module / "go.mod").write_text("module example.org/small\n\ngo 1.19\n")
    (module / "words" / "words.go").write_text(
        'package words\n\nimport "strings"\n\nfunc Loud(s string) string { return strings.ToUpper(s) }\n')
    (module / "main.go").write_text(
        'package main\n\nimport (\n\t"fmt"\n\n\t"example.org/small/words"\n)\n\n'
        'func main() { fmt.Println(words.Loud("small")) }\n')
    return module


def write_node_modules(top):
    names = [f"part{i}" for i in range(12)]
    for name in names:
        package = top / "node_modules" / name
        package.mkdir(parents=True)
        (package / "package.json").write_text(f'{{"name": "{name}", "version": "1.0.0", "main": "lib/index"}}\n')
        (package / "lib").mkdir()
        (package / "lib" / "index.js").write_text('"use strict";\nmodule.exports = require("path").sep;\n')
    main = top / "main.js"
    main.write_text("".join(f'require("{name}");\n' for name in ["fs", "http", "crypto", "zlib", *names]))
    return main


def build_rows(helpers, top, rounds):
    cache = top / "go-cache"

    def cold():
        shutil.rmtree(cache, ignore_errors=True)

    os.environ.update(GOCACHE=str(cache), GOPATH=str(top / "go"), GOTOOLCHAIN="local", GOFLAGS="-mod=mod",
                      GOPROXY="off", HOME=str(top))
    module = write_go_module(top)
    main = write_node_modules(top)
    short = 3 * rounds  # what takes a tenth of a second needs more turns for a steady median
    shell = "i=0; while [ $i -lt 200 ]; do /bin/true; i=$((i+1)); done"
    return [
        Row("50,000 failing openat", [str(helpers / "failing_openat"), "50000"], 0.85, rounds),
        Row("1,000,000 getppid", [str(helpers / "getppid"), "1000000"], 0.75, short, native_most=1.05),
        Row("gopls version", ["gopls", "version"], 0.75, short),
        Row("go build, cold cache", ["go", "build", "-o", str(top / "small"), "."], 0.75, rounds,
            prepare=cold, cwd=module),
        Row("node, a few modules", ["node", str(main)], 0.75, short),
        Row("sh, 200 processes", ["sh", "-c", shell], 0.75, rounds),
    ]


def time_one(helpers, command, cwd):
    """Runs COMMAND once: (seconds, MB). A command that fails measures nothing, so it ends the bench."""
    done = subprocess.run([str(helpers / "timed"), *command], stdout=subprocess.PIPE, text=True, check=True, cwd=cwd)
    nanoseconds, kib, status = map(int, done.stdout.split())
    if status:
        sys.exit(f"bench: wait status {status} from: {' '.join(command)}")
    return nanoseconds / 1e9, kib / 1024


def measure(row, program, helpers, cwd):
    """The medians in seconds, by way of running."""
    ways = {"native": row.command,
            "strace": ["strace", "-f", "--seccomp-bpf", "-e", f"trace={CALLS}", "-o", "/dev/null", *row.command],
            "ours": [program, "-q", "--", *row.command],
            "filter": [str(helpers / "filtered"), *row.command]}
    times = {way: [] for way in ways}
    for turn in range(row.rounds + 1):
        for way, command in ways.items():
            if row.prepare:
                row.prepare()
            seconds, _ = time_one(helpers, command, row.cwd or cwd)
            if turn:  # the first turn only warms the caches
                times[way].append(seconds)
    return {way: statistics.median(values) for way, values in times.items()}


def verdict(reached):
    return "reached" if reached else "NOT reached"


def print_row(row, median):
    native, strace, ours = median["native"], median["strace"], median["ours"]
    added, theirs = ours - native, strace - native
    part = f"{added / theirs:.2f}" if theirs > 0 else "-"
    # Where the machine's other work hides what strace adds, there is nothing to compare with.
    targets = [f"added <= {row.most:.2f} of strace's: "
               + (verdict(added <= row.most * theirs) if theirs > 0 else "lost in the noise, run it again")]
    if row.native_most:
        targets.append(f"<= {row.native_most:.2f} native: {verdict(ours <= row.native_most * native)}")
    print(f"{row.name:<23}{native * 1e3:>9.1f}{median['filter'] * 1e3:>9.1f}{strace * 1e3:>9.1f}{ours * 1e3:>9.1f}"
          f"{median['filter'] / native:>9.2f}{strace / native:>9.2f}{ours / native:>9.2f}{part:>8}  "
          f"{'; '.join(targets)}", flush=True)


def print_memory(program, helpers, top):
    """A bundle keeps every event, so none of them can be counted and forgotten."""
    report = top / "report.json"
    command = [program, "-q", "-o", str(top / "events.tar.zst"), "-o", str(report), "--",
               str(helpers / "failing_openat"), str(MEMORY_EVENTS)]
    seconds, megabytes = time_one(helpers, command, top)
    counts = json.loads(report.read_text())["counts"]
    print(f"peak memory: {megabytes:.1f} MB with {counts['events']:,} events in a bundle, {counts['lost']} lost, in "
          f"{seconds:.1f} s  (< {MEMORY_LIMIT} MB: {verdict(megabytes < MEMORY_LIMIT)})", flush=True)


def print_stacks(program, helpers, top, rounds):
    """What a printed stack costs: the same failing calls with -k and with -t alone, and with strace's -k."""
    count = 5000
    loop = [str(helpers / "failing_openat"), str(count)]
    ways = {"-t": [program, "-q", "-t", "--", *loop], "-k": [program, "-q", "-k", "--", *loop],
            "strace": ["strace", "-e", "trace=openat", *loop], "strace -k": ["strace", "-k", "-e", "trace=openat", *loop]}
    times = {way: [] for way in ways}
    for turn in range(rounds + 1):
        for way, command in ways.items():
            start = time.monotonic()
            subprocess.run(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=top, check=True)
            if turn:
                times[way].append(time.monotonic() - start)
    median = {way: statistics.median(values) for way, values in times.items()}
    ours, theirs = ((median[a] - median[b]) / count * 1e6 for a, b in (("-k", "-t"), ("strace -k", "strace")))
    print(f"a stack: {ours:.0f} us with -k, {theirs:.0f} us with strace -k ({count:,} failing openat; first ones, with "
          f"the files of names, included)", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True)
    parser.add_argument("--helpers", required=True, type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", default="", help="rows whose name has this in it; 'stack', 'memory', 'explain', 'check' for the last lines")
    args = parser.parse_args()
    program, helpers = os.path.abspath(args.program), args.helpers.resolve()
    with tempfile.TemporaryDirectory(prefix="glibctrace-bench-") as temporary:
        top = pathlib.Path(temporary)
        version = subprocess.run(["strace", "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout
        print(f"glibctrace against {version.splitlines()[0].replace(' -- version', '')}, Linux {os.uname().release}, "
              f"{os.cpu_count()} processors; medians of {args.rounds} or more interleaved runs, in milliseconds")
        print(f"{'':<23}{'native':>9}{'filter':>9}{'strace':>9}{'ours':>9}{'flt/nat':>9}{'str/nat':>9}{'our/nat':>9}"
              f"{'added':>8}  targets")
        for row in build_rows(helpers, top, args.rounds):
            if args.only in row.name:
                print_row(row, measure(row, program, helpers, top))
        if args.only in "a stack":
            print_stacks(program, helpers, top, args.rounds)
        if args.only in "peak memory":
            print_memory(program, helpers, top)
        if args.only in "explain":
            print_pasted(program, helpers, top, args.rounds)
        if args.only in "check":
            print_checked(program, helpers, args.rounds)
        print("filter: untraced, under a seccomp filter of one instruction; no tracer that uses a filter costs less. added: "
              "the time that\nglibctrace adds, divided by the time that strace adds")


if __name__ == "__main__":
    main()
