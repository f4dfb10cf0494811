"""What strace's log of each case says, alone and with the files at hand: of the real failing program, explained, against
what is right."""

import collections
import concurrent.futures
import json
import os
import subprocess

NAMES = ("kind", "subject", "missing", "provider", "impact")
WIDTHS = (6, 8, 8, 9, 7)
# How people run it. Two are asked for by --strace; all of them, by --strace=all.
USUAL = {"-f": "-f", "-f -yy -tt -s 200": "-f -yy -tt -s 200"}
FORMATS = {**USUAL,
           "(no -f)": "", "-f -s 10": "-f -s 10", "-f -s 4096 -v -T -r": "-f -s 4096 -v -T -r", "-f -y -ttt -x": "-f -y -ttt -x",
           "-f -xx -t": "-f -xx -t", "-f -k -s 60": "-f -k -s 60", "-f -e trace=file": "-f -e trace=file",
           "-f -e trace=open,openat,execve": "-f -e trace=open,openat,execve",
           "-f, on standard error": None}
THERE = "-f, with the files"


def names(which):
    return [*{"all": FORMATS, "usual": USUAL}[which], THERE]


def log(out, name):
    if name == THERE:
        return f"{out}.there.json"
    return f"{out}.strace-{list(FORMATS).index(name)}"


def runs(out, which):
    """What runs a command so that a log of it is there afterwards, one text each, and where its words go."""
    for name in names(which)[:-1]:
        flags = FORMATS[name]
        if flags is None:
            yield "strace -f ", f">/dev/null 2>{log(out, name)}"
        else:
            yield f"strace {flags} -o {log(out, name)} ", ">/dev/null 2>&1"


def with_files(program, root, out):
    """What explains such a log where the files still are."""
    return f"{program} explain -q --root {root} -o {log(out, THERE)} {log(out, '-f')}"


def said(program, path):
    """The causes that are read from the log at PATH, or were where it was made; None where there was no report."""
    if path.endswith(".json") and os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            return json.load(file)["causes"]
    report = path + ".explained.json"
    ended = subprocess.run([program, "explain", "-q", "-o", report, path], stderr=subprocess.PIPE, text=True)
    if ended.returncode not in (0, 1) or not os.path.exists(report):
        print(f"  {path}: status {ended.returncode}: {ended.stderr.strip()}")
        return None
    with open(report, encoding="utf-8") as file:
        return json.load(file)["causes"]


def base(value):
    return os.path.basename(value or "")


def compared(name, cell, causes, wanted):
    """Which of NAMES are as is right, of the first cause; says what is not."""
    top = causes[0] if causes else None
    same = {what: bool(top) and base(top[what]) == base(wanted[what]) for what in NAMES}
    if not all(same.values()):
        print(f"  {name}: {cell.libc} {cell.case.name}: {[wanted[what] for what in NAMES]}, it says "
              f"{[top[what] for what in NAMES] + [top['confidence']] if top else None}")
    return same


def agreement(folder, cells, program, expected, live, which):
    """A table for each set of flags, kind by kind: how many of the cells' logs say what is right, or nothing. EXPECTED:
    what is right of a cell; LIVE: what the report of the live run says, for what is not written down there."""
    for name in names(which):
        count, right, false = collections.Counter(), collections.Counter(), 0
        paths = [log(f"{folder}/{cell.name}.{what}", name) for cell in cells for what in ("bad", "good")]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            told = list(pool.map(lambda path: said(program, path), paths))
        for cell, causes, twin in zip(cells, told[::2], told[1::2]):
            report = live(cell)
            first = (report["causes"] if report else []) or [{"provider": None}]
            wanted = {**expected(cell), "provider": first[0]["provider"]}
            false += bool(twin)
            for cause in twin or ():
                print(f"  {name}: {cell.libc} {cell.case.name}: the twin has a cause: {cause['kind']} {cause['missing']}")
            same = compared(name, cell, causes, wanted)
            count[wanted["kind"], "cases"] += 1
            for what in NAMES:
                count[wanted["kind"], what] += same[what]
            count[wanted["kind"], "silent"] += not causes
            count[wanted["kind"], "sure"] += bool(causes) and not same["kind"] and causes[0]["confidence"] >= 0.5
        show(name, count, len(cells), false)


def show(name, count, total, false):
    columns = (*NAMES, "silent", "sure")
    widths = (*WIDTHS, 7, 11)
    print(f"\nstrace {name}")
    print(f"{'':27} {'cases':>6} " + " ".join(f"{'sure, wrong' if what == 'sure' else what:>{width}}"
                                               for what, width in zip(columns, widths)))
    kinds = dict.fromkeys(kind for kind, _ in count)
    for kind in (*kinds, "all"):
        sums = {what: sum(n for (of, column), n in count.items() if column == what and kind in (of, "all"))
                for what in ("cases", *columns)}
        print(f"{kind:27} {sums['cases']:6} " + " ".join(f"{sums[what]:{width}}" for what, width in zip(columns, widths)))
    print(f"{false} of {total} twins with a false cause\n")
