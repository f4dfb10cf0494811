"""The loader's own words, on every libc that can be had: the table of failures, and that each is told once and rightly.

Every cell is a real failure in a real root. The program's own message, said without a tracer, is the judge of the
words; loader_cases.py says what must be had apart from them. All cells of a libc are run in one go, in a mount namespace.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import threading

import pytest

import loader_files
from conftest import TOP, load_report, without_stack
from loader_cases import GLIBCS, LIBCS, ROOT_OF, ROWS, cells

CELLS = list(cells())
IDS = [f"{row.name}-{libc}" for row, libc, _, _ in CELLS]
HANGS_AFTER = 100

# As root of one's own user namespace where one is not root. A chroot's / is no mount point, hence "unchanged".
ENTER = ["unshare", "-m", "--propagation", "unchanged"] if os.geteuid() == 0 else ["unshare", "-r", "-m"]
MOUNTS = """
set -e
mount --make-rprivate / 2>/dev/null || true
mount --bind "$1" "$2/mnt"
mount -t tmpfs -o noexec tmpfs "$2/mnt/noexec"
cp "$2/mnt/open/libgood.so" "$2/mnt/noexec/"
[ "$2" = "" ] || mount --rbind /proc "$2/proc"
exec sh "$3"
"""


def roots():
    """libc -> directory of its root; the system itself is the root that is left out."""
    made = {}
    for libc, name in ROOT_OF.items():
        if name:
            ended = subprocess.run(["bash", TOP / "tests" / "roots.sh", name], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
            assert ended.returncode == 0, ended.stderr
            made[libc] = pathlib.Path(ended.stdout.strip())
    return made


def script(libc, root, tool, folder):
    """Runs each cell of LIBC twice: alone, and traced."""
    for number, (row, of, command, _) in enumerate(CELLS):
        if of == libc:
            inside = f"chroot '{root or '/'}' {command} </dev/null"
            trace = f"'{tool}' -q --no-repro -o '{folder}/{number}.tar.zst' -o '{folder}/{number}.json' --no-redact -- "
            for what, tracer in (("alone", ""), ("traced", trace)):
                yield (f"timeout {HANGS_AFTER} {tracer}{inside} >'{folder}/{number}.{what}.out' "
                       f"2>'{folder}/{number}.{what}.err'; echo $? >'{folder}/{number}.{what}.status'\n")


def run_all(libc, root, tool, built, folder, complaints):
    text = folder / f"{libc}.sh"
    text.write_text("".join(script(libc, root, tool, folder)))
    ended = subprocess.run([*ENTER, "sh", "-c", MOUNTS, "enter", built, root or "", text], stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True, start_new_session=True,
                           env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"})
    if ended.returncode:
        complaints.append(f"{libc}: {ended.stdout}")


@pytest.fixture(scope="module")
def ran(tool, tmp_path_factory):
    """The folder with what every cell left. As many libcs at once as there are processors."""
    folder = tmp_path_factory.mktemp("table")
    built = folder / "built"
    (built / "noexec").mkdir(parents=True)
    made = roots()
    loader_files.build_all(built, made)
    complaints, left = [], list(LIBCS)

    def work():
        while left:
            libc = left.pop()
            run_all(libc, made.get(libc), tool, built, folder, complaints)

    workers = [threading.Thread(target=work) for _ in range(len(os.sched_getaffinity(0)))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not complaints, complaints
    yield folder
    shutil.rmtree(built)


def said(folder, number, how):
    """(status, output, error output); what a wrapper says of itself is left out, and addresses are as in no other run."""
    out, err = [re.sub(r"0x[0-9a-f]{8,}", "0x…", (folder / f"{number}.{how}.{stream}").read_text())
                for stream in ("out", "err")]
    err = err.removesuffix("Bus error\n")  # the shell's, of a command that a signal ended
    return (folder / f"{number}.{how}.status").read_text().strip(), out, err


def events_of(folder, number):
    unpacked = subprocess.run(["tar", "--zstd", "-xOf", folder / f"{number}.tar.zst", f"{number}/trace.jsonl"],
                              stdout=subprocess.PIPE, check=True).stdout
    return [json.loads(line) for line in unpacked.decode().splitlines()]


def told(event):
    """Of a loader event what an Error says."""
    by = event.get("by")
    return {"outcome": event.get("outcome"), "object": event.get("object") or None, "format": event.get("format"),
            "args": tuple(a or "" for a in event.get("args", [])), "errno": event.get("errno"),
            "occasion": event.get("occasion"), "by": by}


def differences(events, errors):
    """What is not as it should be, in words."""
    if len(events) != len(errors):
        yield f"{len(events)} events, not {len(errors)}: {[(e.get('format'), e.get('args')) for e in events]}"
        return
    for event, error in zip(events, errors):
        for key, seen in told(event).items():
            wanted = getattr(error, key)
            if key == "args":
                # Empty ones at the end are no loss.
                seen, wanted = [" ".join(each).rstrip() for each in (seen, wanted)]
            if key in ("occasion", "by") and wanted is None:
                continue
            if seen != wanted:
                yield f"{key}: {seen!r}, not {wanted!r}"


def unsaid(events, err):
    """Messages that the program itself did not say."""
    for event in events:
        message = event.get("message")
        if message and message.strip() not in err:
            yield f"never said: {message!r}; but {err!r}"


def judged(ran, number, errors):
    alone, traced = said(ran, number, "alone"), said(ran, number, "traced")
    if alone != traced:
        return f"not the same: alone {alone}, traced {traced}"
    stackless = without_stack(load_report(ran / f"{number}.json"))
    events = [e for e in events_of(ran, number) if e["type"] == "loader" and e.get("what", "error") == "error"]
    complaints = [*differences(events, errors), *unsaid(events, alone[2])]
    return "; ".join([*complaints, *(f"{kind} has no stack" for kind in stackless)])


@pytest.mark.parametrize("number", range(len(CELLS)), ids=IDS)
def test_cell(ran, number, record_property):
    row, libc, _, errors = CELLS[number]
    wrong = judged(ran, number, errors)
    record_property("cell", [row.name, libc, "WRONG" if wrong else f"{len(errors)}" if errors else "silent"])
    assert not wrong, f"{row.what}: {wrong}"


def test_every_row_is_there():
    assert len({row.name for row in ROWS}) == len(ROWS)
    assert all(libc in row.errors for row in ROWS for libc in GLIBCS)


def table(cells):
    """For conftest.py's summary, the cells (row, libc, what came of it) as lines: how many errors were told, each as
    expected; "silent" where there is nothing to be had."""
    seen = {(row, libc): got for row, libc, got in cells}
    width = max(len(row.what) for row in ROWS)
    lines = [f"{'':10} {'':{width}} " + " ".join(f"{libc:>6}" for libc in LIBCS)]
    for row in ROWS:
        lines.append(f"{row.name:10} {row.what:{width}} " +
                     " ".join(f"{seen.get((row.name, libc), '-'):>6}" for libc in LIBCS))
    return lines
