"""`glibctrace explain` of strace's output, of every age, flag and damage: what the log says, and nothing more."""

import gzip
import re
import shutil
import subprocess

import pytest

from conftest import load_report

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
CALLS = "int dep(void); int main(void) { return dep(); }"
FLAGS = {"plain": [], "times": ["-tt"], "stamps": ["-ttt", "-T"], "since": ["-r"], "paths": ["-yy", "-v"],
         "short": ["-s", "8"], "whole": ["-s", "4096"], "addresses": ["-i"], "stacks": ["-k"], "seconds": ["-t"]}


@pytest.fixture
def explain(tool, tmp_path):
    def explain(text, how="strace-log"):
        log = tmp_path / "pasted"
        log.write_bytes(text if isinstance(text, bytes) else text.encode())
        out = tmp_path / "explained.json"
        ended = subprocess.run([tool, "explain", "-q", "-o", out, log], capture_output=True, text=True, timeout=60)
        report = load_report(out)
        assert ended.returncode == (1 if report["causes"] else 0), ended.stderr
        assert report["input"]["how"] == how
        return report
    return explain


@pytest.fixture
def gone(cc, tmp_path):
    """A program whose library is not there any more."""
    library = cc("int dep(void) { return 0; }", "-Wl,-soname,libdep.so", name="libdep.so")
    program = cc(CALLS, library, name="prog")
    library.unlink()
    return program


def traced(tmp_path, flags, *command):
    log = tmp_path / "log"
    subprocess.run(["strace", *flags, "-o", log, *command], capture_output=True, env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
                   timeout=60)
    return log.read_text(errors="replace")


def top(report):
    return report["causes"][0] if report["causes"] else {"kind": None, "missing": None}


@pytest.mark.parametrize("flags", FLAGS.values(), ids=FLAGS)
@pytest.mark.parametrize("follow", [[], ["-f"]], ids=["one", "all"])
def test_flags(gone, explain, tmp_path, flags, follow):
    report = explain(traced(tmp_path, [*follow, *flags], gone))
    assert (top(report)["kind"], top(report)["missing"]) == ("library-missing", "libdep.so")
    assert top(report)["impact"] == "fatal" and report["outcome"] == {"status": "exited", "code": 127, "signal": None}


def test_between_the_words_of_the_program(gone, explain, tmp_path):
    """On a terminal both write to the same place, one in the middle of the other's line."""
    ended = subprocess.run(["strace", "-f", gone], capture_output=True, text=True, errors="replace", env={"LC_ALL": "C"})
    assert re.search(r"\d\S*prog: error while", ended.stderr)
    assert top(explain(ended.stderr))["missing"] == "libdep.so"


def test_a_healthy_run_has_no_cause(explain, tmp_path):
    report = explain(traced(tmp_path, ["-f"], "/bin/sh", "-c", "ls / >/dev/null; cat /etc/hostname | sort"))
    assert report["causes"] == [] and report["counts"]["processes"] >= 3


def test_children(explain, tmp_path):
    report = explain(traced(tmp_path, ["-f"], "/bin/bash", "-c", "(exec /bin/cat /nowhere/file); exit 4"))
    assert (top(report)["kind"], top(report)["missing"]) == ("file-missing", "/nowhere/file")
    assert top(report)["process"]["exe"].endswith("/cat")


OLD = """\
execve("./prog", ["./prog"], [/* 31 vars */]) = 0
uname({sys="Linux", node="box", ...})   = 0
brk(0)                                  = 0x804a000
old_mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x40017000
open("/etc/ld.so.preload", O_RDONLY)    = -1 ENOENT (No such file or directory)
open("/etc/ld.so.cache", O_RDONLY)      = 3
fstat64(3, {st_mode=S_IFREG|0644, st_size=20484, ...}) = 0
mmap2(NULL, 20484, PROT_READ, MAP_PRIVATE, 3, 0) = 0x40018000
close(3)                                = 0
open("/lib/libdep.so.1", O_RDONLY)      = -1 ENOENT (No such file or directory)
open("/usr/lib/libdep.so.1", O_RDONLY)  = -1 ENOENT (No such file or directory)
writev(2, [{"./prog", 6}, {": ", 2}, {"error while loading shared libra"..., 36}, {": ", 2}, {"libdep.so.1", 11}, {": ", 2}, {"cannot open shared object file", 30}, {": ", 2}, {"No such file or directory", 25}, {"\\n", 1}], 10) = 116
exit_group(127)                         = ?
"""


def test_old(explain):
    report = explain(OLD)
    assert (top(report)["kind"], top(report)["missing"]) == ("library-missing", "libdep.so.1")
    assert report["outcome"]["code"] == 127


@pytest.mark.parametrize("damage", [
    lambda t: t.replace("\n", "\r\n"),
    lambda t: "".join(f"> {line}\n" for line in t.splitlines()),
    lambda t: f"It fails:\n\n```console\n$ strace ./prog\n{t}```\n\nWhy?\n",
    lambda t: t.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;"),
    lambda t: "".join(f"2024-05-01T10:00:00.1234567Z {line}\n" for line in t.splitlines()),
    lambda t: "".join(f"\033[32m{line}\033[0m\n" for line in t.splitlines()),
    lambda t: "\n".join(line[i:i + 80] for line in t.splitlines() for i in range(0, len(line), 80)),
    lambda t: "\ufeff" + t,
], ids=["crlf", "quoted", "fenced", "html", "stamped", "coloured", "wrapped", "bom"])
def test_damage(explain, damage):
    report = explain(damage(OLD))
    assert (top(report)["kind"], top(report)["missing"]) == ("library-missing", "libdep.so.1")


@pytest.mark.parametrize("pack", [gzip.compress, lambda b: b.decode().encode("utf-16"),
                                  lambda b: b"\xfe\xff" + b.decode().encode("utf-16-be")], ids=["gzip", "utf16", "utf16be"])
def test_packed(explain, pack):
    assert top(explain(pack(OLD.encode())))["missing"] == "libdep.so.1"


def test_a_wrapped_errno(explain):
    text = OLD.replace("= -1 ENOENT (No such file or directory)", "= -1\nENOENT (No such file or\ndirectory)")
    assert top(explain(text))["missing"] == "libdep.so.1"


def test_interrupted_calls(explain):
    report = explain("""\
[pid   101] execve("/usr/bin/make", ["make"], 0x7ffc /* 9 vars */) = 0
[pid   101] vfork( <unfinished ...>
[pid   102] execve("/opt/tool", ["tool", "-x"], 0x7ffc /* 9 vars */ <unfinished ...>
[pid   101] <... vfork resumed>)        = 102
[pid   102] <... execve resumed>)       = 0
[pid   102] brk(NULL)                   = 0x55
[pid   101] wait4(102,  <unfinished ...>
[pid   102] openat(AT_FDCWD, "/etc/locale.alias", O_RDONLY) = 3
[pid   102] openat(AT_FDCWD, "/opt/data/table", O_RDONLY <unfinished ...>
[pid   102] <... openat resumed>)       = -1 EACCES (Permission denied)
[pid   102] write(2, "tool: /opt/data/table: Permission denied\\n", 41) = 41
[pid   102] exit_group(2)               = ?
[pid   102] +++ exited with 2 +++
[pid   101] <... wait4 resumed>[{WIFEXITED(s) && WEXITSTATUS(s) == 2}], 0, NULL) = 102
[pid   101] --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=102, si_uid=0, si_status=2, si_utime=0, si_stime=0} ---
[pid   101] exit_group(2)               = ?
[pid   101] +++ exited with 2 +++
""")
    assert (top(report)["kind"], top(report)["missing"]) == ("permission-denied", "/opt/data/table")
    assert top(report)["process"]["pid"] == 102 and report["counts"]["processes"] == 2


@pytest.mark.parametrize("line", [
    "--- SIGSEGV {si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=NULL} ---", "--- SIGSEGV (Segmentation fault) @ 0 (0) ---"])
def test_a_crash(explain, line):
    report = explain(f'execve("/opt/x", ["x"], 0x7 /* 9 vars */) = 0\nbrk(NULL) = 0x5\ngetpid() = 9\n{line}\n'
                     "+++ killed by SIGSEGV (core dumped) +++\nSegmentation fault\n")
    assert (top(report)["kind"], top(report)["missing"], top(report)["subject"]) == ("crash", "SIGSEGV", "/opt/x")
    assert report["outcome"]["signal"] == "SIGSEGV"


def test_half_a_name_is_no_name(explain):
    text = OLD.replace('{"libdep.so.1", 11}', '{"/opt/x/libuser.so", 17}').replace(
        '{"cannot open shared object file", 30}', '{"undefined symbol: a_symbol_with_"..., 44}')
    assert not any("a_symbol" in (cause["missing"] or "") for cause in explain(text)["causes"])


def test_a_log_that_ends_in_the_middle(explain):
    for end in (200, 1000, len(OLD) - 30):
        explain(OLD[:end])


def test_one_long_line(tool, tmp_path, explain):
    report = explain(OLD + "x" * 10_000_000 + "\n")
    assert top(report)["missing"] == "libdep.so.1"


@pytest.mark.parametrize("data", [b"", bytes(range(256)) * 100, b"\x7fELF" + b"\0" * 4000], ids=["empty", "bytes", "elf"])
def test_no_text(tool, tmp_path, data):
    (tmp_path / "file").write_bytes(data)
    ended = subprocess.run([tool, "explain", tmp_path / "file"], capture_output=True, text=True)
    assert ended.returncode == 2 and ended.stderr.count("\n") == 1


def test_no_bundle_is_made_of_text(run, tmp_path):
    """Nothing in a log of another tool was hidden, and it is no trace.jsonl: a bundle would give it away as one."""
    log = tmp_path / "log"
    log.write_text('1 execve("./prog", ["./prog"], 0x7ffd /* 1 var */) = 0\n1 exit_group(3) = ?\n+++ exited with 3 +++\n')
    bundle = tmp_path / "case.tar.zst"
    result = run("explain", "-o", bundle, log, report=False)
    assert result.returncode == 2 and not bundle.exists()
    assert len(result.stderr.splitlines()) == 1 and "bundle" in result.stderr
    page = tmp_path / "page.html"
    assert run("explain", "-o", page, log, report=False).returncode in (0, 1)
    assert "broken" not in page.read_text().split("</style>")[1].split("<script")[0]
