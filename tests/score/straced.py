"""What strace's log of each case says alone: of the real failing program, explained, against what is right."""

import collections
import json
import os
import subprocess

NAMES = ("kind", "subject", "missing")
FORMATS = {"strace": ("strace -f -o {out}.strace ", "{out}.strace"),
           "strace -y": ("strace -f -yy -tt -s 200 -o {out}.yy ", "{out}.yy")}


def runs(out):
    """What runs a command so that a log of it is there afterwards, one text each."""
    return [before.format(out=out) for before, _ in FORMATS.values()]


def said(program, path):
    """The causes that are read from the log at PATH; None where there was no report."""
    report = path + ".explained.json"
    ended = subprocess.run([program, "explain", "-q", "-o", report, path], stderr=subprocess.PIPE, text=True)
    if ended.returncode not in (0, 1) or not os.path.exists(report):
        print(f"  {path}: status {ended.returncode}: {ended.stderr.strip()}")
        return None
    with open(report, encoding="utf-8") as file:
        return json.load(file)["causes"]


def agreement(folder, cells, program, expected):
    """A table, kind by kind: how many of the cells' logs say kind, subject's name and missing thing as is right."""
    for name, (_, path) in FORMATS.items():
        count, right, false = collections.Counter(), collections.Counter(), 0
        for cell in cells:
            wanted = expected(cell)
            causes = said(program, path.format(out=f"{folder}/{cell.name}.bad"))
            twin = said(program, path.format(out=f"{folder}/{cell.name}.good"))
            false += bool(twin)
            for cause in twin or ():
                print(f"  {name}: {cell.libc} {cell.case.name}: the twin has a cause: {cause['kind']} {cause['missing']}")
            top = causes[0] if causes else None
            same = {what: bool(top) and os.path.basename(top[what] or "") == os.path.basename(wanted[what] or "")
                    for what in NAMES}
            count[wanted["kind"], ""] += 1
            for what in NAMES:
                right[wanted["kind"], what] += same[what]
            right[wanted["kind"], "silent"] += top is None
            if not all(same.values()):
                print(f"  {name}: {cell.libc} {cell.case.name}: {[wanted[what] for what in NAMES]}, it says "
                      f"{[top[what] for what in NAMES] if top else None}")
        print(f"\n{name + ' alone':27} {'cases':>6} {'kind':>6} {'subject':>8} {'missing':>8} {'silent':>7}")
        for kind in dict.fromkeys(kind for kind, _ in count):
            print(f"{kind:27} {count[kind, '']:6} " + " ".join(f"{right[kind, what]:{n}}" for what, n in
                                                              zip((*NAMES, "silent"), (6, 8, 8, 7))))
        total = sum(count.values())
        sums = [sum(n for (_, what), n in right.items() if what == wanted) for wanted in (*NAMES, "silent")]
        print(f"{'all':27} {total:6} " + " ".join(f"{n:{w}}" for n, w in zip(sums, (6, 8, 8, 7))) +
              f"   {false} of {total} twins with a false cause\n")
