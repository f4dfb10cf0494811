"""How fast `glibctrace check` is against the tools that show a program's tree of libraries: the same programs, all in one
run of each, in turns. libtree is asked for all of the tree (-vvv), as the others show it; none but check resolves symbols."""

import os
import pathlib
import statistics
import subprocess

MOST = 300  # programs
LIBTREE = 1.5  # times its time, at most
FOLDER = pathlib.Path("/usr/bin")
CLEAN = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}


def programs():
    """Of this system: dynamic ones, each once."""
    found = []
    for path in sorted(FOLDER.iterdir()):
        if path.is_symlink() or not path.is_file() or not os.access(path, os.R_OK):
            continue
        with open(path, "rb") as file:
            head = file.read(20)
        if head[:5] == b"\x7fELF\x02" and subprocess.run(["ldd", path], capture_output=True).returncode == 0:
            found.append(str(path))
        if len(found) == MOST:
            break
    return found


def seconds_of(helpers, command):
    told = subprocess.run([helpers / "timed", *command], stdout=subprocess.PIPE, text=True, env=CLEAN, check=True).stdout
    nanoseconds, _, status = map(int, told.split())
    return nanoseconds / 1e9 if os.waitstatus_to_exitcode(status) in (0, 1) else None


def print_checked(program, helpers, rounds):
    files = programs()
    ways = {"check": [program, "check"], "libtree": ["libtree", "-vvv"], "ldd": ["ldd"], "lddtree": ["lddtree"]}
    times = {way: [] for way in ways}
    for _ in range(max(1, rounds // 3)):
        for way, command in ways.items():
            seconds = seconds_of(helpers, [*command, *files])
            if seconds:
                times[way].append(seconds)
    median = {way: statistics.median(values) for way, values in times.items() if values}
    ours = median["check"]
    ratios = ", ".join(f"{ours / theirs:.2f} of {way}'s ({theirs:.2f} s)" for way, theirs in median.items() if way != "check")
    reached = ours <= LIBTREE * median["libtree"] and all(ours < median[way] for way in ("ldd", "lddtree") if way in median)
    print(f"check: {len(files)} programs of {FOLDER}, every symbol resolved, in {ours:.2f} s: {ratios} "
          f"(<= {LIBTREE} of libtree's, less than the others': {'reached' if reached else 'NOT reached'})", flush=True)
