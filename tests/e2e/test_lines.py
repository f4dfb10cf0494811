"""The live view is judged by strace: the same program under `strace -f` and under `glibctrace -t all`, process by
process, must give the same lines but for process numbers and addresses."""

import difflib
import itertools
import os
import platform
import re
import shutil
import subprocess

import pytest

CALLS = """open openat openat2 creat readlink readlinkat stat lstat newfstatat statx access faccessat faccessat2 mmap
execve execveat connect getsockopt chdir fchdir chroot pivot_root unshare setns clone clone3 fork vfork exit exit_group
inotify_init inotify_init1 inotify_add_watch memfd_create prctl seccomp ptrace mkdir mkdirat rmdir unlink unlinkat
rename renameat renameat2 link linkat symlink symlinkat chmod fchmodat chown lchown fchownat truncate""".split()
NARROW_CALLS = "stat64 lstat64 fstatat64 mmap2".split()  # 32-bit x86 only: strace elsewhere knows no such names
HANGS_AFTER = 120

GROUPS = """opens changes openat2s accesses links stats maps places memory_files executions connections watches rules clones
tracers signals threads""".split()

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


def built(tmp_path_factory, name, *flags):
    source = os.path.join(os.path.dirname(__file__), f"{name}.c")
    program = tmp_path_factory.mktemp("lines") / name
    subprocess.run(["cc", "-w", *flags, "-D_GNU_SOURCE", "-o", program, source], check=True)
    return program


@pytest.fixture(scope="session")
def every_call(tmp_path_factory):
    return built(tmp_path_factory, "every_call", "-O0", "-pthread")


def joined(lines):
    """strace tells a call that others came between in two halves: puts them together, in the place of the second."""
    begun = {}
    for pid, line in lines:
        if line.endswith("<unfinished ...>"):
            begun[pid] = line[: -len("<unfinished ...>")].rstrip(" ")
            continue
        resumed = re.match(r"<\.\.\. \w+ resumed>(.*)", line)
        if resumed:
            tail = resumed[1].lstrip(" ") if resumed[1].lstrip(" ").startswith(")") else resumed[1]
            head = begun.pop(pid)
            line = head + (" " if head.endswith(",") and not tail.startswith(" ") else "") + tail
        yield pid, line


def wanted(line):
    """Left out are calls that cannot fail for want of anything, which glibctrace never stops, and those lines of strace's
    that are about itself."""
    if line.startswith(("---", "+++")):
        return line.startswith(("--- SIG", "+++ exited", "+++ killed"))
    name = line.split("(", 1)[0]
    if name == "getsockopt":
        return "SO_ERROR" in line
    if name == "mmap":
        return "MAP_ANONYMOUS" not in line
    if name in ("newfstatat", "statx"):
        return "AT_EMPTY_PATH" not in line
    if name == "prctl":
        return line.startswith(("prctl(PR_SET_SECCOMP", "prctl(PR_SET_NO_NEW_PRIVS"))
    return name in CALLS + NARROW_CALLS


class Names:
    """Numbers that differ from run to run, each replaced by the order in which it was first seen."""

    def __init__(self):
        self.pids = {}

    def pid(self, number):
        return self.pids.setdefault(number, f"P{len(self.pids)}")

    def line(self, text):
        text = re.sub(r"0x[0-9a-f]{6,16}\b", "ADDRESS", text)
        text = re.sub(r"\b(si_[us]time)=\d+( /\* [\d.]+ s \*/)?", r"\1=N", text)
        text = re.sub(r"\[(\d{2,})\]", lambda m: f"[{self.pids.get(m[1], m[1])}]", text)
        # pthread_create(3) has it be the word that its thread clears when it ends, maybe before it is read
        text = re.sub(r"parent_tid=\[(P\d+|\d+)\]", "parent_tid=[N]", text)
        text = re.sub(r"si_pid=(\d+)", lambda m: f"si_pid={self.pids.get(m[1], m[1])}", text)
        # a tmpfs counts in a directory's size what others make in it
        text = re.sub(r"(stx?_mode=S_IFDIR[^,]*), (stx?_size)=\d+", r"\1, \2=N", text)
        # The column of "=" depends on the length of what was replaced.
        text = re.sub(r"\) += ", ") = ", text)
        if re.match(r"(clone3?|v?fork)\(", text):
            text = re.sub(r"= (\d+)$", lambda m: f"= {self.pids.get(m[1], m[1])}", text)
        return text


def by_process(lines):
    """Lines by process, in the order in which the processes were first heard of."""
    lines = [(pid, line) for pid, line in lines if wanted(line)]
    names = Names()
    order = {}
    for pid, line in lines:
        order.setdefault(pid, []).append(line)
    for pid in order:
        names.pid(pid)
    return [[names.line(line) for line in told] for told in order.values()]


# The program's own standard error must not mix with the view: it gets another one.
QUIET = ["/bin/sh", "-c", 'exec "$@" 2>/dev/null', "sh"]


def fresh(tmp_path):
    folder = tmp_path / "empty"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def start(tmp_path, command, env, err):
    subprocess.run(command, cwd=fresh(tmp_path), env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=err, timeout=HANGS_AFTER, check=False)


def with_strace(tmp_path, command, env):
    traced = CALLS + (NARROW_CALLS if platform.machine() == "x86_64" else [])
    out = tmp_path / "strace.out"
    start(tmp_path, ["strace", "-f", "-o", out, "-e", "trace=" + ",".join(traced), "--", *QUIET, *command], env,
          subprocess.DEVNULL)
    lines = [line.split(None, 1) for line in out.read_text(errors="surrogateescape").splitlines()]
    return list(joined(lines))


def with_glibctrace(tool, tmp_path, command, env):
    """A line without a prefix is of the only process that is there."""
    out = tmp_path / "glibctrace.out"
    with open(out, "wb") as file:
        start(tmp_path, [tool, "-t", "all", "-q", "--no-repro", "--", *QUIET, *command], env, file)
    lines, alive = [], ["first"]
    for line in out.read_text(errors="surrogateescape").splitlines():
        attached = re.fullmatch(r"glibctrace: Process (\d+) attached", line)
        prefix = re.match(r"\[pid +(\d+)\] (.*)", line)
        if attached:
            alive.append(attached[1])
            continue
        if prefix and prefix[1] not in alive:
            assert "first" in alive, f"a process that nobody told of: {line}"
            lines = [(prefix[1] if pid == "first" else pid, told) for pid, told in lines]
            alive[alive.index("first")] = prefix[1]
        assert prefix or len(alive) == 1, f"whose line is this, of {alive}? {line}"
        pid, told = (prefix[1], prefix[2]) if prefix else (alive[0], line)
        if told.startswith("+++"):
            alive.remove(pid)
        lines.append((pid, told))
    return lines


def compare(tool, tmp_path, command, env):
    for name in ("strace.out", "glibctrace.out"):  # a tmpfs counts a directory's entries in its size, which is shown
        (tmp_path / name).touch()
    expected = by_process(with_strace(tmp_path, command, env))
    seen = by_process(with_glibctrace(tool, tmp_path, command, env))
    assert sum(map(len, expected)) > 5, "strace saw nothing: the comparison would mean nothing"
    difference = [line for a, b in itertools.zip_longest(expected, seen, fillvalue=[])
                  for line in difflib.unified_diff(a, b, "strace", "glibctrace", lineterm="", n=0)]
    assert not difference, "\n".join(difference)


@pytest.mark.parametrize("group", GROUPS)
def test_every_call(tool, environment, tmp_path, every_call, group):
    compare(tool, tmp_path, [every_call, group], environment())


@pytest.mark.skipif(platform.machine() != "x86_64", reason="32-bit x86 programs run on x86-64 only")
def test_narrow_calls(tool, environment, tmp_path, tmp_path_factory):
    flags = "-m32 -nostdlib -static -O1 -fno-pic -fno-stack-protector".split()
    compare(tool, tmp_path, [built(tmp_path_factory, "narrow_calls", *flags)], environment())


@pytest.mark.parametrize("command", [
    ["/bin/cat", "/absent/file"],
    ["/bin/ls", "/"],
    ["/bin/sh", "-c", "cat /absent; ls /; (exit 3); kill -TERM $$"],
    ["/usr/bin/python3", "-S", "-c", "1"],
    ["/usr/bin/env", "-i", "/absent/program"],
    ["/usr/bin/perl", "-e", "open F, '<', '/absent'; system 'true'; exec '/absent/program'"],
    ["/bin/bash", "-c", "shopt -s nullglob; for f in /etc/*.conf; do test -r $f; done; . /absent"],
    ["/usr/bin/git", "--no-pager", "log"],
    ["/usr/bin/gcc", "-E", "-x", "c", "/dev/null"],
])
def test_programs(tool, environment, tmp_path, command):
    compare(tool, tmp_path, command, environment())


def test_columns(tool, environment, tmp_path, every_call):
    """Without a second process there is no prefix, and the results stand in strace's column."""
    told = {}
    for name, command in {"strace": ["strace", "-o", tmp_path / "strace", "-e", "trace=open,access,openat,exit_group"],
                          "glibctrace": [tool, "-t", "all", "-q"]}.items():
        with open(tmp_path / f"{name}.err", "wb") as err:
            start(tmp_path, [*command, "--", every_call, "opens"], environment(), err)
        out = tmp_path / ("strace" if name == "strace" else "glibctrace.err")
        told[name] = [line for line in out.read_text().splitlines()
                      if line.startswith(("open(", "access(", "openat(", "exit_group(", "+++"))]
    assert len(told["strace"]) > 40
    assert told["glibctrace"] == told["strace"]


@pytest.mark.parametrize("words, there, not_there", [
    ("failed", "= -1 ENOENT", "= 3\n"),
    ("files", "access(", "mmap("),
    ("process", "+++ exited with 1 +++", "access("),
    ("loader", "ld.so.cache", "/absent/file"),
])
def test_sets(tool, environment, tmp_path, words, there, not_there):
    with open(tmp_path / "err", "wb") as err:
        start(tmp_path, [tool, "-t", words, "-q", "--", "/bin/sh", "-c", "cat /absent/file 2>/dev/null"],
              environment(), err)
    text = (tmp_path / "err").read_text()
    assert there in text
    assert not_there not in text


def test_an_unknown_set_is_refused(tool, environment, tmp_path):
    with open(tmp_path / "err", "wb") as err:
        start(tmp_path, [tool, "--trace=file", "--", "touch", "ran"], environment(), err)
    assert "'file'" in (tmp_path / "err").read_text()
    assert not (tmp_path / "empty" / "ran").exists()
