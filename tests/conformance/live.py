#!/usr/bin/env python3
"""Programs x libcs: what `glibctrace -t lookups` prints while a program runs against what its ld.so says it bound
(LD_DEBUG=bindings), line by line; part of `make conformance`.

Each program of run.py runs twice under glibctrace, binding lazily and (LD_BIND_NOW) at once, on this system and, with
chroot, inside the roots of tests/roots.sh. All processes of a program are compared together, as what was bound how often;
objects are told by the last part of their paths. Ends with 1 where there is a difference.
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

SAID = re.compile(r"\s*\d+:\tbinding file (\S+) \[\d+\] to (\S+) \[\d+\]: \w+ symbol `(.+?)'(?: \[(.+)\])?$")
SHOWN = re.compile(r"(?:\[pid +\d+\] )?(\S+) → (.+?)(?:@([^@ ]+))? = (\S+)$")


def said(libc, log):
    """(from, to, symbol, version) -> how often; a program goes by the name of its file, not by what it was called."""
    found, name, file = collections.Counter(), None, None
    with open(log, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if "Initial object scopes" in line:
                image = re.match(r"\s*\d+:\tobject=(.*) \[0\]$", next(lines, ""))
                name = image[1] if image else None
                path = libc.file(libc.where(name)) if name and libc.where(name) else name
                file = os.path.basename(os.path.realpath(path)) if path else None
            match = SAID.match(line)
            if match:
                a, b = (file if part == name else os.path.basename(part) for part in match.group(1, 2))
                found[a, b, match[3], match[4]] += 1
    return found


def shown(text):
    found = collections.Counter()
    for match in filter(None, map(SHOWN.match, text.splitlines())):
        if match[4] not in ("none", "none:"):
            found[match[1], match[4], match[2], match[3]] += 1
    return found


def run_program(tool, libc, argv, env):
    """(equal, lines that differ). The loader of chroot(1) is outside the root, and writes there: by the same name."""
    with tempfile.TemporaryDirectory(prefix="glibctrace-conformance-", dir="/tmp") as name:
        work = pathlib.Path(name)
        folders = [(libcs.host(), work / "log")] + ([(libc, pathlib.Path(f"{libc.root}{work}/log"))] if libc.root else [])
        for _, folder in folders:
            folder.mkdir(parents=True)
        env = {**env, "LD_DEBUG": "bindings,scopes", "LD_DEBUG_OUTPUT": f"{work}/log/l"}
        options = [f"--env={key}={value}" for key, value in env.items()]
        # What the program says there must not stand between the lines.
        command = [*(["chroot", libc.root] if libc.root else []), "/bin/sh", "-c", 'exec "$@" 2>/dev/null', "sh", *argv]
        try:
            text = subprocess.run([str(tool), "-q", "--no-repro", "-t", "lookups", *options, "--", *command], cwd=work,
                                  env={"PATH": libcs.PATH, "LC_ALL": "C.UTF-8", "HOME": "/tmp"}, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=libcs.HANGS_AFTER).stderr
        except subprocess.TimeoutExpired:
            text = None
        expected = sum((said(of, log) for of, folder in folders for log in folder.iterdir()), collections.Counter())
        if libc.root:
            subprocess.run(["rm", "-rf", f"{libc.root}{work}"], check=True)
    if text is None:
        return 0, ["it did not end"]
    seen = shown(text.decode("utf-8", "replace"))
    missing, more = expected - seen, seen - expected
    return sum((expected & seen).values()), ([f"only ld.so: {n} x {key}" for key, n in missing.items()] +
                                             [f"only live: {n} x {key}" for key, n in more.items()])


# (command, expression that its line matches): differences that are known and stay, with the reason.
KNOWN = {
    ("ssh", "only live"): "ssh closes all descriptors that it does not know, the log's too: what it binds later is not in it",
    ("gdb", "only live"): "two of its threads write into one log, and now and then into one line",
}


def reason_of(words, line):
    return next((why for (command, expression), why in KNOWN.items()
                 if words.startswith(command + " ") and re.match(expression, line)), None)


def main():
    tool, systems, programs, missing = run.traced(__doc__.splitlines()[0])
    equal_in_all, differ_in_all, unknown = 0, 0, 0
    print(f"{'libc':9} {'program':44} {'equal':>8} {'differ':>6}")
    for name, libc in systems:
        for words, argv in run.commands(libc, programs):
            equal, lines = 0, []
            for env in ({}, {"LD_BIND_NOW": "1"}):
                n, more = run_program(tool, libc, argv, env)
                equal, lines = equal + n, lines + more
            print(f"{name:9} {words[:44]:44} {equal:8} {len(lines):6}", flush=True)
            print(*(f"          {line}{' (known)' if reason_of(words, line) else ''}\n" for line in lines[:10]), sep="", end="")
            unknown += sum(not reason_of(words, line) for line in lines)
            equal_in_all, differ_in_all = equal_in_all + equal, differ_in_all + len(lines)
    for line in missing:
        print(f"could not run: {line}")
    for (command, _), why in KNOWN.items():
        print(f"known of {command}: {why}")
    print(f"live: {equal_in_all} lookups equal, {differ_in_all} differ, {unknown} of them for no known reason")
    return 1 if unknown or missing or not equal_in_all else 0


if __name__ == "__main__":
    sys.exit(main())
