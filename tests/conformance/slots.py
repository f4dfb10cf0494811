#!/usr/bin/env python3
"""Programs x libcs: what `glibctrace --bindings` reads from a process at its end against what its ld.so says it bound
(LD_DEBUG=bindings), reference by reference; part of `make conformance`.

Each program of run.py runs twice under glibctrace, binding lazily and (LD_BIND_NOW) at once, on this system and, with
chroot, inside the roots of tests/roots.sh; every process that ends with an image of its own is compared. Objects are told by
the last part of their paths. Prints a line for each program, and totals; ends with 1 where there is a difference.
"""

import collections
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import libcs
import run

SAID = re.compile(r"\s*(\d+):\tbinding file (\S+) \[\d+\] to (\S+) \[\d+\]: \w+ symbol `(.+?)'(?: \[(.+)\])?$")
SHOWN = re.compile(r"\[pid +(\d+)\] (\S+) → (.+?)(?:@([^@ ]+))? = (\S.*)$")


def said(path, pid):
    """Of the image that process PID ran last: what its log calls the program; (from, symbol, version) -> the objects
    that it was bound to; and the same with what its children wrote into the log: a fork's bindings are its own, those
    of a vfork its parent's too."""
    program, own, all_ = None, collections.defaultdict(set), collections.defaultdict(set)
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if "Initial object scopes" in line and line.lstrip().startswith(f"{pid}:"):
                image = re.match(r"\s*\d+:\tobject=(.*) \[0\]$", next(lines, ""))
                program = os.path.basename(image[1]) if image else None
                own.clear(), all_.clear()
            match = SAID.match(line)
            for found in (own, all_) if match and match[1] == pid else (all_,) if match else ():
                found[os.path.basename(match[2]), match[4], match[5]].add(os.path.basename(match[3]))
    return program, own, all_


def shown(path):
    """The same of --bindings, for each process; and what is not bound."""
    found = collections.defaultdict(lambda: collections.defaultdict(set))
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            match = SHOWN.match(line)
            if match:
                found[match[1]][match[2], match[3], match[4]].add(match[5])
    return found


# (command, expression that its line matches): differences that are known and stay, with the reason.
KNOWN = {
    ("ssh", r"the log says nothing"): "ssh closes all descriptors that it does not know, the log's too: what it binds later is not in it",
    ("gdb", r"the log says nothing"): "two of its threads write into one log, and now and then into one line",
}

# ld.so looks these up for itself, in the name of the program (__rtld_malloc_init_real() of elf/rtld-malloc.c).
OWN = ("malloc", "calloc", "realloc", "free")


def compare(table, log, counts):
    """One process: the lines that differ."""
    program, *logs = log
    lines = []
    froms = {key[0] for key in table}
    own = next(iter(table))[0]  # the first object is the program, which the log calls as it was run

    def renamed(found):
        named = collections.defaultdict(set)
        for (a, symbol, version), to in found.items():
            named[own if a == program else a, symbol, version] |= {own if t == program else t for t in to}
        return named

    must, may = map(renamed, logs)
    for key, to in table.items():
        for one in to:
            if one == "not bound yet":
                counts["lazy"] += 1
            elif one.startswith("none"):
                counts["none"] += 1
                if key in must or one != "none":
                    lines.append(f"{key} = {one}, the log says {must.get(key, 'nothing')}")
            elif one in may.get(key, ()):
                counts["equal"] += 1
            else:
                lines.append(f"{key} = {one}, the log says {may.get(key, 'nothing')}")
    for key, to in must.items():
        if key[0] not in froms or {one for one in table.get(key, ()) if one != "not bound yet"}:
            continue
        if key in table and not (key[0] == own and key[1] in OWN):
            lines.append(f"{key} = {table[key]}, the log says {to}")
        else:
            counts["other"] += 1
    counts["differ"] += len(lines)
    return lines


def run_program(tool, libc, argv, env, counts):
    lines = []
    with tempfile.TemporaryDirectory(prefix="glibctrace-conformance-") as name:
        work = pathlib.Path(name)
        where = f"{libc.root}/tmp/{work.name}" if libc.root else name
        os.makedirs(where, exist_ok=True)
        inside = f"/tmp/{work.name}" if libc.root else name
        env = {**env, "LD_DEBUG": "bindings,scopes", "LD_DEBUG_OUTPUT": f"{inside}/log"}
        words = [f"{key}={value}" for key, value in env.items()]
        command = ["chroot", libc.root, "/usr/bin/env", *words, *argv] if libc.root else argv
        options = [] if libc.root else [f"--env={word}" for word in words]
        try:
            subprocess.run([tool, "-q", "--no-repro", f"--bindings={work}/table", *options, "--", *command], cwd=work,
                           env={"PATH": libcs.PATH, "LC_ALL": "C.UTF-8", "HOME": "/tmp"}, stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=libcs.HANGS_AFTER)
        except subprocess.TimeoutExpired:
            lines.append("it did not end")
        if (work / "table").exists():
            for pid, table in shown(work / "table").items():
                log = pathlib.Path(where) / f"log.{pid}"
                if log.exists():
                    counts["runs"] += 1
                    lines += compare(table, said(log, pid), counts)
        if libc.root:
            subprocess.run(["rm", "-rf", where], check=True)
    return lines


def print_line(libc, what, counts):
    print(f"{libc:9} {what[:44]:44} {counts['runs']:4} {counts['equal'] + counts['differ']:8} {counts['equal']:8} "
          f"{counts['differ']:6} {counts['lazy']:8} {counts['none']:6} {counts['other']:6}", flush=True)


def main():
    tool, systems, programs, missing = run.traced(__doc__.splitlines()[0])
    total = collections.Counter()
    print(f"{'libc':9} {'program':44} {'runs':>4} {'bound':>8} {'equal':>8} {'differ':>6} {'not yet':>8} {'weak':>6} {'other':>6}")
    for name, libc in systems:
        of_libc = collections.Counter()
        for words, argv in run.commands(libc, programs):
            counts, lines = collections.Counter(), []
            for env in ({}, {"LD_BIND_NOW": "1"}):
                lines += run_program(tool, libc, argv, env, counts)
            print_line(name, words, counts)
            for i, line in enumerate(lines):
                reason = next((why for (command, expression), why in KNOWN.items()
                               if command == os.path.basename(argv[0]) and re.search(expression, line)), None)
                counts["known"] += reason is not None
                if i < 20:
                    print(f"          {line}" + (f" (known: {reason})" if reason else ""))
            of_libc.update(counts)
        print_line(name, "total", of_libc)
        total.update(of_libc)
    print_line("all", "total", total)
    print(f"other: {total['other']} lines of the log that no relocation stands behind (dlsym, and what ld.so looks up for itself)")
    for line in missing:
        print(f"could not run: {line}")
    unknown = total["differ"] - total["known"]
    print(f"{total['equal']} bindings equal, {total['differ']} differ, {unknown} of them for no known reason")
    return 1 if unknown or missing or not total["equal"] else 0


if __name__ == "__main__":
    sys.exit(main())
