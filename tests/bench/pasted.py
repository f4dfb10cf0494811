"""How fast `glibctrace explain` reads strace's output, and what room it needs for it.

The log is a real one, of a shell and some programs, again and again with other numbers of processes. Times are the
processor's (the machine does other work), of runs that take turns with grep(1) over the same file; and there is one with
no end of processes and paths, of which none ends.
"""

import os
import pathlib
import re
import statistics
import subprocess

SIZE = 1_000_000_000  # bytes
PROCESSES = 1_000_000
LEAST = 100  # MB/s
MEMORY_LIMIT = 64  # MB
GREP = r"""grep -c -E '= -1 E[A-Z]+ \(' "$1" | cat"""  # into /dev/null it would stop at the first line
SCRIPT = ("for i in 1 2 3; do ls /etc >/dev/null; cat /etc/hostname /nonexistent; perl -e 1; "
          "python3 -c 'import json, ssl'; git --version; /bin/true | cat; done")


def write_log(top, size):
    """The log as a list of pieces between which numbers of processes stand, written until there is enough."""
    once, log = top / "once", top / "log"
    subprocess.run(["strace", "-f", "-o", once, "sh", "-c", SCRIPT], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    text = once.read_bytes()
    numbers = sorted({int(n) for n in re.findall(rb"^(\d+) ", text, re.M)})
    parts = re.compile(rb"\b(" + b"|".join(b"%d" % n for n in numbers) + rb")\b").split(text)
    first, span = numbers[0], numbers[-1] - numbers[0] + 1
    with open(log, "wb") as out:
        for turn in range(size // len(text) + 1):
            out.write(b"".join(b"%d" % (int(part) - first + 1000 + turn * span) if i % 2 else part for i, part in enumerate(parts)))
    return log, (size // len(text) + 1) * len(numbers)


def write_endless(top):
    log = top / "endless"
    with open(log, "w") as out:
        for i in range(PROCESSES):
            out.write(f'{i + 10} openat(AT_FDCWD, "/srv/{i}", O_RDONLY) = -1 ENOENT (No such file or directory)\n')
    return log


def cost(helpers, command):
    """(processor seconds, MB) of COMMAND, which may find causes."""
    running = subprocess.Popen([helpers / "timed", *command], stdout=subprocess.PIPE, text=True)
    told = running.stdout.read()
    _, _, used = os.wait4(running.pid, 0)
    running.returncode = 0
    _, kib, status = map(int, told.split())
    assert os.waitstatus_to_exitcode(status) in (0, 1), command
    return used.ru_utime + used.ru_stime, kib / 1024


def verdict(reached):
    return "reached" if reached else "NOT reached"


def print_pasted(program, helpers, top, rounds):
    top = pathlib.Path(top)
    log, processes = write_log(top, SIZE)
    size = log.stat().st_size / 1e6
    ours, theirs, memory = [], [], 0
    for _ in range(max(1, rounds // 3)):
        seconds, megabytes = cost(helpers, [program, "explain", "-q", log])
        ours.append(seconds)
        memory = max(memory, megabytes)
        theirs.append(cost(helpers, ["sh", "-c", GREP, "sh", log])[0])
    seconds, grep = statistics.median(ours), statistics.median(theirs)
    print(f"explain: {size:.0f} MB of strace's lines, {processes:,} processes: {size / seconds:.0f} MB/s (>= {LEAST}: "
          f"{verdict(size / seconds >= LEAST)}), {memory:.1f} MB (< {MEMORY_LIMIT}: {verdict(memory < MEMORY_LIMIT)}); "
          f"{seconds / grep:.1f} times grep's time ({size / grep:.0f} MB/s)", flush=True)
    log.unlink()
    endless = write_endless(top)
    seconds, memory = cost(helpers, [program, "explain", "-q", endless])
    print(f"explain: {PROCESSES:,} processes that do not end, as many paths: {memory:.1f} MB (< {MEMORY_LIMIT}: "
          f"{verdict(memory < MEMORY_LIMIT)}), {seconds:.1f} s", flush=True)
    endless.unlink()
