"""`glibctrace explain` of what is no log, or no whole one: one clear line, or an honest report; never more time or memory
than its size is worth."""

import contextlib
import gzip
import os
import pty
import re
import resource
import select
import subprocess

import pytest

from conftest import HANGS_AFTER, load_report
from test_explain_strace import OLD

HEALTHY = '5 execve("/bin/true", ["true"], 0x7 /* 9 vars */) = 0\n5 brk(NULL) = 0x5\n5 exit_group(0) = ?\n5 +++ exited with 0 +++\n'
MEMORY = 400 << 20  # of address space: a reader that kept what it reads would need more; not for sanitized builds


def zstd(data):
    return subprocess.run(["zstd", "-q", "-c"], input=data, capture_output=True, check=True).stdout


@pytest.fixture
def explain(tool, tmp_path):
    def explain(data, *, how="file"):
        """(exit status, what is said on standard error, the report or None)."""
        file, out = tmp_path / "evidence", tmp_path / "explained.json"
        out.unlink(missing_ok=True)
        if how == "file":
            file.write_bytes(data)
        elif how == "fifo":
            os.mkfifo(file)
        command = [tool, "explain", "-q", "-o", out, "-" if how == "pipe" else file]
        ended = subprocess.Popen(command, stdin=subprocess.PIPE if how == "pipe" else subprocess.DEVNULL, stderr=subprocess.PIPE)
        if how == "fifo":
            with contextlib.suppress(BrokenPipeError), open(file, "wb") as fifo:  # it reads no more than it needs to know
                fifo.write(data)
        said = ended.communicate(data if how == "pipe" else None, timeout=HANGS_AFTER)[1].decode()
        return ended.returncode, said, load_report(out) if out.exists() else None
    return explain


def refused(result, *words):
    status, said, report = result
    assert status == 2 and report is None and said.count("\n") == 1, said
    assert said.startswith("glibctrace: ") and all(word in said for word in words)


@pytest.mark.parametrize("how", ["file", "pipe", "fifo"])
@pytest.mark.parametrize("data", [b"", bytes(range(256)) * 400, b"\0" * 100_000, b"\x7fELF\2\1\1" + b"\0" * 4000,
                                  gzip.compress(b"\0" * 1_000_000), gzip.compress(b"", mtime=0)],
                         ids=["empty", "bytes", "zeros", "elf", "packed zeros", "packed nothing"])
def test_what_is_no_text(explain, data, how):
    refused(explain(data, how=how), "evidence" if how != "pipe" else "-")


@pytest.mark.parametrize("how", ["file", "pipe", "fifo"])
@pytest.mark.parametrize("pack", [lambda b: b, gzip.compress, zstd, lambda b: b.decode().encode("utf-16"),
                                  lambda b: b.decode().encode("utf-16-le"), lambda b: b.decode().encode("utf-16-be"),
                                  lambda b: gzip.compress(b.decode().encode("utf-16")),
                                  lambda b: gzip.compress(b[:300]) + gzip.compress(b[300:]),
                                  lambda b: zstd(b[:300]) + zstd(b[300:])],
                         ids=["plain", "gzip", "zstd", "utf16", "le", "be", "both", "members", "frames"])
def test_whatever_it_is_packed_in(explain, pack, how):
    status, _, report = explain(pack(OLD.encode()), how=how)
    assert status == 1 and report["causes"][0]["missing"] == "libdep.so.1" and report["input"]["how"] == "strace-log"


@pytest.mark.parametrize("pack", [gzip.compress, zstd], ids=["gzip", "zstd"])
def test_packed_and_cut(tool, tmp_path, explain, pack):
    """What there is of it is read, and that it is not all is said."""
    noise = "".join(f'7 openat(AT_FDCWD, "/usr/share/{i * 7919 % 1000003}", O_RDONLY) = 3\n' for i in range(60_000))
    packed = pack((OLD + noise).encode())
    cut = packed[:len(packed) * 3 // 4]
    assert explain(cut)[2]["causes"][0]["missing"] == "libdep.so.1"
    said = subprocess.run([tool, "explain", tmp_path / "evidence"], capture_output=True, text=True).stderr
    assert "cut off or damaged" in " ".join(said.split())
    damaged = bytearray(packed)
    damaged[len(packed) * 3 // 4:len(packed) * 3 // 4 + 4000] = bytes(4000)
    assert explain(bytes(damaged))[0] in (0, 1)
    refused(explain(packed[:12]))


@pytest.mark.parametrize("way", ["zeros", "text"])
def test_a_bomb(tool, tmp_path, way):
    """A gigabyte of a megabyte; its reader has no more room than it needs."""
    if way == "zeros":
        data = gzip.compress(bytes(1 << 20)) * 1000
    else:
        data = gzip.compress(OLD.encode() + b"a" * (1 << 20)) * 100
    (tmp_path / "bomb").write_bytes(data)
    limit = None if b"__asan_init" in open(tool, "rb").read() else lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    ended = subprocess.run([tool, "explain", tmp_path / "bomb"], capture_output=True, text=True, timeout=HANGS_AFTER, preexec_fn=limit)
    assert ended.returncode == (2 if way == "zeros" else 1), ended.stderr
    assert "libdep.so.1" in ended.stderr or ended.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["/dev/zero", "/dev/null", "/proc/self/mem", "no such file"])
def test_what_cannot_be_read(tool, name):
    ended = subprocess.run([tool, "explain", name], capture_output=True, text=True, timeout=HANGS_AFTER)
    assert ended.returncode == 2 and ended.stderr.count("\n") == 1 and name in ended.stderr


def test_without_permission(tool, tmp_path):
    file = tmp_path / "log"
    file.write_text(OLD)
    file.chmod(0)
    become = (lambda: (os.setgid(65534), os.setuid(65534))) if os.getuid() == 0 else None
    ended = subprocess.run([tool, "explain", f"/proc/self/fd/{os.open(tmp_path, os.O_PATH)}/log" if become is None else file],
                           capture_output=True, text=True, preexec_fn=become)
    assert ended.returncode == 2 and ended.stderr.count("\n") == 1 and "Permission denied" in ended.stderr


def test_cut_anywhere(explain):
    """Nothing that the whole log does not say."""
    for end in range(0, len(OLD), 23):
        status, _, report = explain(OLD[:end].encode())
        assert status == 2 if not end else status in (0, 1)
        assert all(c["missing"] == "libdep.so.1" for c in (report or {"causes": []})["causes"])


@pytest.mark.parametrize("rest", ["x" * 10_000_000, "7 openat(AT_FDCWD, \"" + "/x" * 5_000_000, "\0" * 3000, "\x1b[" * 1_000_000,
                                  "&amp" * 1_000_000, "'" * 1_000_000, "[pid " * 1_000_000, "1 +++ " * 1_000_000],
                         ids=["letters", "call", "nul", "escapes", "entities", "quotes", "numbers", "ends"])
def test_one_long_line(explain, rest):
    before = explain((OLD + rest + "\n").encode())
    after = explain((rest + "\n" + OLD).encode())
    assert before[2]["causes"][0]["missing"] == "libdep.so.1"
    assert after[2]["causes"][0]["missing"] == "libdep.so.1"


def test_two_machines(explain):
    """Two logs behind each other, with the same numbers: one went well, the other did not."""
    one, other = HEALTHY, "".join(f"5 {line}\n" for line in OLD.splitlines())
    for text in (one + other, other + one, other * 2):
        report = explain(text.encode())[2]
        assert [c["missing"] for c in report["causes"]] == ["libdep.so.1"]
    assert explain((one * 2).encode())[2]["causes"] == []


@pytest.mark.parametrize("kind", ["processes that do not end", "processes that fail", "paths", "loader", "words"])
def test_no_end_of_it(tool, tmp_path, kind):
    """More processes and paths than there is room for, and what matters at the end."""
    lines = {
        "processes that do not end": lambda i: f'{i + 10} openat(AT_FDCWD, "/a/{i}", O_RDONLY) = -1 ENOENT (No such file or directory)\n',
        "processes that fail": lambda i: f'{i + 10} execve("/bin/x{i}", ["x{i}"], 0x7 /* 9 vars */) = -1 ENOENT (No such file or '
                                         f'directory)\n{i + 10} exit_group(127) = ?\n{i + 10} +++ exited with 127 +++\n',
        "paths": lambda i: f'7 openat(AT_FDCWD, "/a/{i}", O_RDONLY) = -1 ENOENT (No such file or directory)\n',
        "loader": lambda i: f"{i + 10:10d}:\tfind library=libx{i}.so [0]; searching\n{i + 10:10d}:\t  trying file=/lib/libx{i}.so\n",
        "words": lambda i: f"./p{i}: error while loading shared libraries: lib{i}.so: cannot open shared object file: No such "
                           "file or directory\n",
    }[kind]
    log = tmp_path / "log"
    with open(log, "w") as out:
        for i in range(15_000):
            out.write(lines(i))
        if kind != "words":
            out.write("".join(f"7 {line}\n" for line in OLD.splitlines()))
    limit = None if b"__asan_init" in open(tool, "rb").read() else lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    ended = subprocess.run([tool, "explain", "-q", "-o", tmp_path / "out.json", log], capture_output=True, text=True, timeout=HANGS_AFTER,
                           preexec_fn=limit)
    assert ended.returncode in (0, 1) and not ended.stderr, ended.stderr
    causes = [c["missing"] for c in load_report(tmp_path / "out.json")["causes"]]
    assert "libdep.so.1" in causes or kind != "paths"


def test_progress_on_a_terminal(tool, tmp_path):
    """A line that comes after a second and is gone when the report comes; none where nobody looks."""
    ours, theirs = pty.openpty()
    running = subprocess.Popen([tool, "explain", "-"], stdin=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    said = b""
    try:
        running.stdin.write(OLD.encode())
        while b"reading" not in said:  # until it comes
            running.stdin.write(b"7 close(3) = 0\n" * 1000)
            running.stdin.flush()
            if select.select([ours], [], [], 0.02)[0]:
                said += os.read(ours, 4096)
        running.stdin.close()
        while True:
            said += os.read(ours, 4096)
    except OSError:  # EIO: the other side is closed
        pass
    assert running.wait(HANGS_AFTER) == 1
    lines, report = said.decode().rsplit("\r \r" if "\r \r" in said.decode() else " \r", 1)
    assert re.search(r"\rglibctrace: reading -: \d+\.\d MB", lines) and "reading" not in report and "libdep.so.1" in report
    os.close(ours)
    quiet = subprocess.run([tool, "explain", "-"], input=OLD.encode(), capture_output=True)
    assert b"reading" not in quiet.stderr
