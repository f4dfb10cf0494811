"""What a reproduction is worth, measured: unpacked in an empty directory it fails alike as an ordinary user without
glibctrace and its control passes; and nothing can be taken out of it without a change.

What is taken out, one at a time: each file and link; each variable and argument of the scripts; of each ELF file each
needed library, run path, version (needed, defined), symbol (undefined, defined), segment that asks for something.
"""

import dataclasses
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import time

import stubfile

AS_NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
PLAIN = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
ENDS_AFTER = 60  # seconds; it only ends what would never end
WORD = r"""(?:'[^']*'|"[^"]*"|\\.|[^\s'"\\])+"""


@dataclasses.dataclass
class Ran:
    status: int
    said: str  # on standard error; what it prints shows files and their owners
    printed: bool
    seconds: float

    @property
    def outcome(self):
        return self.status, self.said


def unpack(bundle, folder):
    """The directory of BUNDLE's reproduction, in FOLDER (made here), nobody's; None where it has none."""
    folder.mkdir(parents=True)
    subprocess.run(["tar", "--zstd", "-xf", bundle, "-C", folder], check=True)
    repro = next(folder.iterdir()) / "repro"
    if not repro.exists():
        return None
    give(folder)
    return repro


def give(top):
    if os.geteuid() == 0:
        for path in [top, *top.rglob("*")]:
            os.chown(path, 65534, 65534, follow_symlinks=False)


def within(root, case):
    """The words that run a command as nobody in ROOT, where the directory CASE is /mnt."""
    enter = ('mount --make-rprivate / 2>/dev/null; mount --bind "$1" "$2/mnt" && mount --rbind /dev "$2/dev" && '
             'mount --rbind /proc "$2/proc" && root=$2 && shift 2 && exec chroot $as "$root" "$@"')
    user = "--userspec=65534:65534" if os.geteuid() == 0 else ""
    return ["unshare", *([] if user else ["-r"]), "-m", "--propagation", "unchanged", "env", f"as={user}",
            "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "sh", "-c", enter, "sh", str(case), str(root)]


def run(script, shell=("sh",), under=(), root=None):
    """As nobody, from another directory, with next to no environment; in ROOT, or here."""
    start = time.monotonic()
    seen_as = pathlib.Path("/mnt") / script.parent.name if root else script.parent
    words = within(root, script.parents[1]) if root else [*AS_NOBODY, *under]
    done = subprocess.run([*words, *shell, str(seen_as / script.name)], cwd="/", env=PLAIN, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=ENDS_AFTER)
    said = done.stderr.decode(errors="surrogateescape").replace(f"{seen_as}/", "")
    return Ran(done.returncode, said, bool(done.stdout), time.monotonic() - start)


def alone(repro, expect, root=None):
    """How REPRO does without glibctrace: what is wrong with it, one text each; and the seconds of repro.sh."""
    wrong, failed, control = [], run(repro / "repro.sh", root=root), run(repro / "control.sh", root=root)
    if failed.status == 0:
        wrong.append("repro.sh ends with 0")
    if control.outcome != (0, "") or control.printed:
        wrong.append(f"control.sh ends with {control.status}: {control.said}")
    if expect and (expect not in failed.said or not failed.said):
        wrong.append(f"repro.sh says {failed.said!r}, not {expect!r}")
    for file in files(repro):
        with taken(repro, file) as less:
            if (run(less / "repro.sh", root=root).outcome, run(less / "control.sh", root=root).outcome) == (
                    failed.outcome, control.outcome):
                wrong.append(f"{file.relative_to(repro)} can be taken away")
    return wrong, failed.seconds


def same_as(repro):
    """A text that is equal for reproductions whose every byte is."""
    whole = hashlib.sha256()
    for path in sorted(repro.rglob("*")):
        whole.update(repr((path.relative_to(repro), path.lstat().st_mode)).encode())
        if path.is_symlink():
            whole.update(os.readlink(path).encode(errors="surrogateescape"))
        elif path.is_file():
            whole.update(path.read_bytes())
    return whole.hexdigest()


def files(repro):
    return [path for path in sorted(repro.rglob("*")) if (path.is_symlink() or path.is_file()) and path.suffix != ".sh"]


class taken:  # noqa: N801 (a context, used as a word)
    """A copy of REPRO without FILE, or with other BYTES in it."""

    def __init__(self, repro, file, data=None):
        self.repro, self.file, self.data = repro, file, data
        self.copy = repro.parent / "less"

    def __enter__(self):
        shutil.copytree(self.repro, self.copy, symlinks=True)
        less = self.copy / self.file.relative_to(self.repro)
        if self.data is None:
            less.unlink()
        else:
            less.write_bytes(self.data)
        give(self.copy)
        return self.copy

    def __exit__(self, *_):
        shutil.rmtree(self.copy)


def parts(repro):
    """(text, file, its bytes without it or None: without the file), of all that is in REPRO."""
    for file in files(repro):
        name = file.relative_to(repro)
        yield str(name), file, None
        if file.is_symlink():
            continue
        data = file.read_bytes()
        for number, (text, _) in enumerate(stubfile.Stub(data).parts() if data[:4] == b"\x7fELF" and len(data) > 64 else ()):
            less = stubfile.Stub(data)
            list(less.parts())[number][1]()
            yield f"{name}: {text}", file, bytes(less.data)
    yield from words(repro)


def words(repro):
    """The variables and arguments behind `env -i`, without the program's name; of control.sh, only what repro.sh has not
    too: for the rest it is the same command."""
    same = ()
    for script in (repro / "repro.sh", repro / "control.sh"):
        text = script.read_text(errors="surrogateescape")
        command = re.search(rf"env -i((?: {WORD})+)", text)
        found = [(command.start(1) + word.start(), word[0]) for word in re.finditer(WORD, command[1])] if command else []
        program = next((i for i, (_, word) in enumerate(found) if not re.match(r"'?\w+=", word)), len(found))
        for at, word in found[:program] + found[program + 1:]:
            if word not in same:
                yield f"{script.name}: {word}", script, (text[:at] + text[at + len(word):]).encode(errors="surrogateescape")
        same = [word for _, word in found]


def last(path):
    return path and path.rsplit("/", 1)[-1]


def seen(folder, script, program):
    """The causes of SCRIPT under glibctrace, as what makes them the same ones; and its status."""
    report = folder.parent / "less.json"
    done = subprocess.run([program, "-q", "--confined", "--no-repro", "--no-redact", "-o", report, "--", "sh", script],
                          cwd=folder, env=PLAIN, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=open(folder.parent / "less.said", "w"), timeout=ENDS_AFTER)
    causes = json.loads(report.read_text())["causes"] if report.exists() else []
    report.unlink(missing_ok=True)
    return {(c["kind"], last(c["subject"]), last(c["missing"])) for c in causes}, done.returncode


# The command is absent from the whole of a machine's default PATH only by chance: it is the variable that makes it so.
EXCUSED = ('repro.sh: PATH=bin',)


def excess(repro, program):
    """What can be taken out of REPRO while it fails alike all the same and its control passes. Other words or another
    status are another failure; only of those that look alike glibctrace is asked."""
    whole, (wanted, _) = run(repro / "repro.sh").outcome, seen(repro, "repro.sh", program)
    for text, file, data in parts(repro):
        if text in EXCUSED:
            continue
        with taken(repro, file, data) as less:
            if (run(less / "repro.sh").outcome == whole and run(less / "control.sh").outcome == (0, "") and
                    seen(less, "repro.sh", program)[0] == wanted):
                yield text
