#!/usr/bin/python3
"""The scoreboard: every case of cases.py on every libc, against what a right report says; and the reliability table, how
often the causes that are told with a confidence are right; and what the reproductions are worth (proof.py).
`run.py [--only WORD] [--libc L] [--reproductions] [--minimal] [--explain] [--strace[=all]] [--redacted]`.

Each cell is three runs in that root: the failing case without a tracer (whose status is the judge of ours), the failing
case traced, and its healthy twin traced. Ends with 1 where a cell is wrong.
"""

import argparse
import concurrent.futures
import dataclasses
import json
import os
import pathlib
import re
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile

import build
import proof
import straced
from cases import ALL, CASES, ROOT_OF

TOP = pathlib.Path(__file__).resolve().parents[2]
ENDS_AFTER = 100  # seconds; it only ends what would never end
ENTER = ["unshare", "-m", "--propagation", "unchanged"] if os.geteuid() == 0 else ["unshare", "-r", "-m"]
MOUNTS = r"""
set -e
mount --make-rprivate / 2>/dev/null || true
mount --bind "$1" "$2/mnt"
if [ "$2" != "" ]; then mount --rbind /proc "$2/proc"; mount --rbind /dev "$2/dev"; fi
mount -t tmpfs -o size=1m tmpfs "$2/mnt/full"
for noexec in "$2"/mnt/*/*/*/noexec; do
    mount -t tmpfs -o noexec tmpfs "$noexec"
    cp "$noexec/../addon.so" "$noexec/"
done
exec sh "$3"
"""
BINS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.01)


@dataclasses.dataclass
class Cell:
    number: int
    libc: str
    texts: dict  # of the case, with its places filled in
    redacted: bool

    @property
    def case(self):
        return CASES[self.number]

    @property
    def name(self):
        return f"{self.number}.{self.libc}"


def roots(wanted):
    """libc -> directory; None is this system. A root that cannot be made ends everything: its column would be missing."""
    made = {}
    for libc in wanted:
        made[libc] = None
        if ROOT_OF[libc]:
            ended = subprocess.run(["bash", TOP / "tests" / "roots.sh", ROOT_OF[libc]], stdout=subprocess.PIPE, text=True)
            if ended.returncode:
                sys.exit(f"score: no root for {libc}")
            made[libc] = ended.stdout.strip()
    return made


def resolved(root, path):
    """What PATH leads to in ROOT, links being followed inside it."""
    for _ in range(40):
        folder, name = os.path.split(path)
        folder = resolved(root, folder) if folder != "/" else "/"
        path = os.path.join(folder, name)
        there = (root or "") + path
        if not os.path.islink(there):
            return path
        path = os.path.normpath(os.path.join(folder, os.readlink(there)))
    return path


def cell_of(number, libc, root, redacted):
    family = "musl" if libc == "musl" else "glibc"
    folder = f"{build.SEEN_AS}/{family}/{number}"
    env = "/bin/env" if family == "musl" else "/usr/bin/env"
    texts = {"bad": f"{folder}/bad", "good": f"{folder}/good", "actor": f"{build.SEEN_AS}/{family}/actor",
             "shell": resolved(root, "/bin/sh"), "env": resolved(root, env), "run env": env,
             "other libc": "gnu_get_libc_version" if family == "musl" else "libc.so"}
    return Cell(number, libc, texts, redacted)


def fill(text, cell, state):
    for name, value in {**cell.texts, "here": cell.texts[state]}.items():
        text = text.replace("{" + name + "}", value)
    return text


HOME, USER = build.SEEN_AS, "glibc"  # of --redacted: every path has both


def hidden(text):
    """TEXT as a report may show it that is redacted."""
    return re.sub(rf"\b{USER}\b", "user1", text.replace(HOME, "$HOME", 1))


def lines(cell, root, options, folder):
    """The three runs of CELL, for the shell that is inside the mounts; for --explain with a bundle of its twin, too, and
    with what the loader says when it is asked to; for --strace under that, too."""
    case, program, bundles, logs = cell.case, options.program.resolve(), options.explain, options.strace
    shown, who = ("", f"HOME={HOME} USER={USER}") if options.redacted else ("--no-redact ", "HOME=/")
    user = "--userspec=65534:65534 " if case.nobody else ""
    for what, state, command, tracer in (
            ("alone", "bad", case.command, ""), ("bad", "bad", case.command, "bad"),
            ("good", "good", case.twin or case.command, "good"),
            *([("debug", "bad", case.command, ""), ("debug-good", "good", case.twin or case.command, "")] if bundles else [])):
        variables = {name: fill(value, cell, state) for name, value in case.env.items()}
        if what.startswith("debug"):
            variables["LD_DEBUG"] = "all"
        out = f"{folder}/{cell.name}.{what}"
        bundle = f"-o {out}.tar.zst " if tracer == "bad" or (bundles and tracer) else ""
        trace = f"{shlex.quote(str(program))} -q -o {out}.json {bundle}{shown}-- " if tracer else ""
        words = " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items())
        under = f"cd /; env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C {who} {words} timeout {ENDS_AFTER} "
        run = f"chroot {user}{shlex.quote(root or '/')} {fill(command, cell, state)} </dev/null "
        yield f"{under}{trace}{run}>{out}.out 2>{out}.err; echo $? >{out}.status\n"
        for tool, to in straced.runs(out, logs) if logs and tracer else ():
            yield f"{under}{tool}{run}{to}\n"
        if tracer == "bad" and cell.libc in case.inside:
            trace = f"{build.SEEN_AS}/glibctrace -q -o {build.SEEN_AS}/inside.json -o {build.SEEN_AS}/inside.tar.zst {shown}--"
            yield f"{under}chroot {user}{shlex.quote(root)} {trace} {fill(command, cell, state)} </dev/null >/dev/null 2>&1\n"
            yield "".join(f"mv {shlex.quote(root)}{build.SEEN_AS}/inside.{kind} {folder}/{cell.name}.inside.{kind}\n"
                          for kind in ("json", "tar.zst"))
        if logs and tracer:
            yield f"{under}{straced.with_files(shlex.quote(str(program)), shlex.quote(root or '/'), out)} 2>&1\n"


def run_libc(libc, root, cells, options, built, folder):
    script = folder / f"{libc}.sh"
    script.write_text("".join(line for cell in cells for line in lines(cell, root, options, folder)))
    ended = subprocess.run([*ENTER, "sh", "-c", MOUNTS, "enter", built, root or "", script], stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True, start_new_session=True)
    return f"{libc}: {ended.stdout}" if ended.returncode else None


def reproduced(cell):
    """The run that CELL's reproduction is taken from."""
    return "inside" if cell.libc in cell.case.inside else "bad"


def told(folder, cell, what):
    path = folder / f"{cell.name}.{what}.json"
    return json.loads(path.read_text()) if path.exists() else None


def status(folder, cell, what):
    return (folder / f"{cell.name}.{what}.status").read_text().strip()


def expected(cell):
    texts = {name: fill(getattr(cell.case, name), cell, "bad") for name in ("kind", "missing", "subject", "impact")}
    return {name: hidden(text) for name, text in texts.items()} if cell.redacted else texts


def is_right(cause, wanted):
    return all(cause[name] == wanted[name] for name in ("kind", "missing"))


def libcs_of(cell, version):
    """What the report may call the C library of who failed: musl's root has a static shell."""
    if cell.libc != "musl":
        return [("glibc", cell.libc)]
    return [("none", None)] if fill(cell.case.subject, cell, "bad") == "/bin/busybox" or "/tool" in cell.case.command \
        else [("musl", version)]


def judged(folder, cell):
    """What is wrong with a cell, one text each."""
    report, healthy, wanted = told(folder, cell, "bad"), told(folder, cell, "good"), expected(cell)
    if not report or not healthy:
        return ["no report"]
    wrong = []
    if not report["causes"]:
        wrong.append("no cause")
    for name in wanted if report["causes"] else ():
        if report["causes"][0][name] != wanted[name]:
            wrong.append(f"{name} {report['causes'][0][name]} is not {wanted[name]}")
    wrong += [f"told besides: {cause['kind']} {cause['missing']}" for cause in report["causes"][1:]]
    wrong += [f"the twin has a cause: {cause['kind']} {cause['missing']}" for cause in healthy["causes"]]
    libc = report["system"]["libc"]
    if (libc["family"], libc["version"]) not in libcs_of(cell, libc["version"]):
        wrong.append(f"libc {libc['family']} {libc['version']}")
    alone, traced = status(folder, cell, "alone"), status(folder, cell, "bad")
    if alone != traced:
        wrong.append(f"status {traced}, alone {alone}")
    proof = ((told(folder, cell, reproduced(cell)) or report)["reproduction"] or {}).get("status")
    if cell.libc not in cell.case.unproved and report["causes"] and proof != "verified":
        wrong.append(f"reproduction {proof}")
    return wrong


def board(folder, cells, libcs):
    """Prints the table; returns the number of wrong cells."""
    by_place = {(cell.number, cell.libc): judged(folder, cell) for cell in cells}
    width = max(len(case.name) for case in CASES)
    print(f"{'kind':27} {'case':{width}} " + " ".join(f"{libc:>10}" for libc in libcs) + "   exit status behind each")
    for number, case in enumerate(CASES):
        row = [cell for cell in cells if cell.number == number]
        if not row:
            continue
        texts = []
        for libc in libcs:
            wrong = by_place.get((number, libc))
            cell = next((cell for cell in row if cell.libc == libc), None)
            texts.append("-" if wrong is None else ("WRONG " if wrong else "ok ") + status(folder, cell, "bad"))
        print(f"{case.kind:27} {case.name:{width}} " + " ".join(f"{text:>10}" for text in texts))
    for cell in cells:
        for wrong in by_place[cell.number, cell.libc]:
            print(f"  {cell.libc} {cell.case.name}: {wrong}")
    bad = sum(bool(wrong) for wrong in by_place.values())
    print(f"{len(by_place) - bad} of {len(by_place)} cells are right")
    return bad


def summary(folder, cells):
    reports = [(cell, told(folder, cell, "bad")) for cell in cells]
    reports = [(cell, report) for cell, report in reports if report]
    for name in ("kind", "subject", "missing", "impact"):
        right = sum(bool(r["causes"]) and r["causes"][0][name] == expected(cell)[name] for cell, r in reports)
        print(f"  {name:13} {right} of {len(reports)}")
    asked = [told(folder, cell, reproduced(cell)) or r for cell, r in reports if cell.libc not in cell.case.unproved]
    print(f"  {'reproduction':13} {sum((r['reproduction'] or {}).get('status') == 'verified' for r in asked)} of "
          f"{len(asked)} verified")
    print(f"  {'exit status':13} {sum(status(folder, c, 'alone') == status(folder, c, 'bad') for c in cells)} of "
          f"{len(cells)} as without a tracer")
    healthy = [told(folder, cell, "good") for cell in cells]
    print(f"  {'healthy':13} {sum(bool(r and r['causes']) for r in healthy)} of {len(healthy)} with a false cause")


@dataclasses.dataclass
class Proof:
    """Of one cell: what report.json says of its reproduction, and what was found by running it."""

    kind: str
    status: str
    files: int = 0
    size: int = 0
    seconds: float = 0.0
    wrong: list = dataclasses.field(default_factory=list)


def measured(folder, cell, minimal, program, known, made):
    """The reproduction of CELL, unpacked and run. KNOWN: what equal ones were found to be. MADE: the roots."""
    which = reproduced(cell)
    report, root = told(folder, cell, which), made[cell.libc] if which == "inside" else None
    if not report or not report["causes"]:
        return None
    said = report["reproduction"] or {"status": "not-attempted"}
    found = Proof(expected(cell)["kind"], said["status"], said.get("files") or 0, said.get("bytes") or 0)
    if found.status == "verified":
        repro = proof.unpack(folder / f"{cell.name}.{which}.tar.zst", folder / f"{cell.name}.repro")
        # Where nothing was said there is no line to look for, but a sentence of ours.
        line = said["expect"] if any(cause["words"] for cause in report["causes"]) else None
        same = proof.same_as(repro), line, root
        if same not in known:
            wrong, seconds = proof.alone(repro, line, root)
            wrong += [f"{text} can be taken away" for text in (proof.excess(repro, program) if minimal and not root else ())]
            known[same] = wrong, seconds
        found.wrong, found.seconds = known[same]
    return found


def reproductions(folder, cells, options, made):
    """Runs them all, prints what they are worth kind by kind, and returns the number of those that are wrong."""
    program, known = options.program.resolve(), {}
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(lambda cell: measured(folder, cell, options.minimal, program, known, made), cells))
    proofs = {cell.name: one for cell, one in zip(cells, found) if one}
    if options.reproductions:
        print(f"\n{'reproduction of':40} {'libc':>5} {'status':>13} {'files':>5} {'bytes':>6} {'seconds':>7}")
        for cell in cells:
            one = proofs.get(cell.name)
            if one:
                print(f"{cell.case.name:40} {cell.libc:>5} {one.status:>13} {one.files:5} {one.size:6} {one.seconds:7.3f}")
    print(f"\n{'reproductions':27} {'cases':>5} {'verified':>8} {'differs':>7} {'not made':>8}   files      bytes         seconds"
          "\n" + 60 * " " + "median max  median    max   median   max")
    kinds = list(dict.fromkeys(one.kind for one in proofs.values()))
    for kind in [*kinds, "all"]:
        worth(kind, [one for one in proofs.values() if kind in ("all", one.kind)])
    for cell in cells:
        for wrong in proofs[cell.name].wrong if cell.name in proofs else ():
            print(f"  {cell.libc} {cell.case.name}: {wrong}")
    bad = sum(bool(one.wrong) for one in proofs.values())
    shown = sum(one.status == "verified" for one in proofs.values())
    print(f"{shown - bad} of {shown} fail alike as nobody and without glibctrace, pass when mended, and have no file to spare"
          + (", nor anything else" if options.minimal else ""))
    return bad


def worth(kind, proofs):
    def both(values, form):
        values = list(values) or [0]
        return f"{format(statistics.median(values), form)} {format(max(values), form)}"

    made = [one for one in proofs if one.status == "verified"]
    count = [sum(one.status == status for one in proofs) for status in ("verified", "differs", "not-attempted")]
    print(f"{kind:27} {len(proofs):5} {count[0]:8} {count[1]:7} {count[2]:8}   {both((o.files for o in made), '3.0f')}  "
          f"{both((o.size for o in made), '6.0f')}   {both((o.seconds for o in made), '6.3f')}")


def identities(report):
    return [tuple(cause[name] for name in ("kind", "subject", "missing", "impact")) for cause in report["causes"]]


def explained(folder, cells, program):
    """What the log of each bundle says alone, when the files are not to be had, against what was said of the run."""
    alike, twins = 0, 0
    for cell in cells:
        for what in ("bad", "good"):
            out = folder / f"{cell.name}.{what}.again.json"
            subprocess.run([program, "explain", "-q", "-o", out, folder / f"{cell.name}.{what}.tar.zst"], check=False)
            report, again = told(folder, cell, what), told(folder, cell, f"{what}.again")
            same = bool(report and again) and identities(report) == identities(again)
            alike += same and what == "bad"
            twins += same and what == "good"
            if not same:
                print(f"  {cell.libc} {cell.case.name}, {what}: the log alone says {identities(again) if again else None}")
    print(f"\n  explain       {alike} of {len(cells)} causes, {twins} of {len(cells)} healthy runs: the log alone says the same")


# What else there may be of a failure, and of its healthy twin: the words alone, with LD_DEBUG's lines between them.
FORMATS = {"stderr": ("alone.err", "good.err"), "LD_DEBUG=all": ("debug.err", "debug-good.err")}


def named(cause):
    return cause and (cause["kind"], os.path.basename(cause["subject"]), cause["missing"])


def of_words(program, path):
    """The causes that are read from the words at PATH."""
    out = path.with_suffix(".pasted.json")
    out.unlink(missing_ok=True)
    subprocess.run([program, "explain", "-q", "-o", out, path], check=False, stderr=subprocess.DEVNULL)
    return json.loads(out.read_text())["causes"] if out.exists() else []


def pasted(folder, cells, program):
    """What the words of each case say alone, against what was said of the run: agreement by format and C library. A path is
    known as it stands in the words, so subjects are compared by their names."""
    names = ("cases", "kind", "subject", "missing", "all", "silent")
    print(f"\n{'the words alone, as live':25} " + " ".join(f"{name:>7}" for name in names))
    for form, (bad, good) in FORMATS.items():
        counts, told_surely, wrong, healthy = {}, 0, 0, 0
        for cell in cells:
            live = (told(folder, cell, "bad") or {"causes": []})["causes"][:1]
            said = of_words(program, folder / f"{cell.name}.{bad}")[:1]
            pairs = list(zip(named(live[0]), named(said[0]))) if live and said else []
            same = [a == b for a, b in pairs] or [False] * 3
            count = counts.setdefault(cell.libc, dict.fromkeys(names, 0))
            for name, one in zip(names, (True, *same, all(same), not said)):
                count[name] += one
            if said and said[0]["confidence"] >= 0.9:
                told_surely += 1
                wrong += not same[0]
            healthy += any(c["confidence"] >= 0.5 for c in of_words(program, folder / f"{cell.name}.{good}"))
            if not all(same):
                print(f"  {cell.libc} {cell.case.name}, {form}: " +
                      (f"{named(said[0])} {said[0]['confidence']:.2f}" if said else "nothing"))
        counts["all"] = {name: sum(count[name] for count in counts.values()) for name in names}
        for libc, count in counts.items():
            print(f"{form:18} {libc:>6} " + " ".join(f"{count[name]:7}" for name in names))
        print(f"  {form}: {wrong} of {told_surely} said with 0.9 or more are of another kind; "
              f"{healthy} of {len(cells)} healthy with a cause\n")


def reliability(folder, cells):
    """Of the causes that were told with a confidence, how many are right: twins count, where every cause is wrong."""
    points = []
    for cell in cells:
        for state in ("bad", "good"):
            for cause in (told(folder, cell, state) or {"causes": []})["causes"]:
                points.append((cause["confidence"], state == "bad" and is_right(cause, expected(cell))))
    print("\nconfidence     causes   said on average   right")
    for low, high in zip(BINS, BINS[1:]):
        inside = [point for point in points if low <= point[0] < high]
        if inside:
            said = sum(point[0] for point in inside) / len(inside)
            print(f"{low:4.2f} to {min(high, 1):4.2f} {len(inside):8} {said:17.2f} "
                  f"{sum(point[1] for point in inside) / len(inside):7.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", type=pathlib.Path, default=TOP / "build" / "glibctrace")
    parser.add_argument("--libc", action="append", choices=ALL)
    parser.add_argument("--only", default="", help="cases whose kind or name has this in it")
    parser.add_argument("--explain", action="store_true", help="what the logs of their bundles, and their words, say alone, too")
    parser.add_argument("--strace", nargs="?", const="usual", choices=("usual", "all"),
                        help="what strace's log of each case says alone, by the usual flags or by all kinds of them")
    parser.add_argument("--redacted", action="store_true",
                        help="with redaction, as is the default, and a user whose home and name are in every path")
    parser.add_argument("--keep", action="store_true", help="leave the reports there and say where")
    parser.add_argument("--reproductions", action="store_true", help="a line for the reproduction of every case")
    parser.add_argument("--minimal", action="store_true",
                        help="take everything out of the reproductions, one thing at a time (minutes)")
    options = parser.parse_args()
    made = roots(options.libc or ALL)
    oldest = pathlib.Path(made.get("2.31") or roots(["2.31"])["2.31"])
    cells = [cell_of(number, libc, made[libc], options.redacted) for number, case in enumerate(CASES) for libc in made
             if libc in case.libcs and (options.only in case.name or options.only in case.kind)]
    folder = pathlib.Path(tempfile.mkdtemp(prefix="glibctrace-score-"))
    folder.chmod(0o755)
    built = folder / "built"
    (built / "full").mkdir(parents=True)
    build.build_all(CASES, built, oldest)
    shutil.copy(options.program, built / "glibctrace")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        complaints = pool.map(lambda libc: run_libc(libc, made[libc], [c for c in cells if c.libc == libc], options, built,
                                                    folder), made)
    for complaint in filter(None, complaints):
        print(f"score: {complaint}")
    bad = board(folder, cells, list(made))
    summary(folder, cells)
    bad += reproductions(folder, cells, options, made)
    if options.explain:
        explained(folder, cells, options.program.resolve())
        pasted(folder, cells, options.program.resolve())
    if options.strace:
        straced.agreement(folder, cells, options.program.resolve(), expected, lambda cell: told(folder, cell, "bad"),
                          options.strace)
    reliability(folder, cells)
    build.remove(built if options.keep else folder)
    if options.keep:
        print(f"\nthe reports are in {folder}")
    return bad > 0


if __name__ == "__main__":
    sys.exit(main())
