"""`glibctrace explain` of several files that are one log: strace -ff, LD_DEBUG_OUTPUT, texts given together."""

import gzip
import os
import shutil
import subprocess

import pytest

from conftest import HANGS_AFTER, load_report

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
CLEAN = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
# What fails is a child's child, behind a pipeline.
NESTED = 'cat /dev/null | cat; sh -c "{prog}; exit \\$?" || exit 9'
# A thread fails while the main one waits.
THREAD = """
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
static void *run(void *unused)
{
    (void)unused;
    if (!fopen("/nonexistent/settings", "r")) {
        fputs("tool: /nonexistent/settings: No such file or directory\\n", stderr);
        exit(3);
    }
    return NULL;
}
int main(void) { pthread_t t; pthread_create(&t, NULL, run, NULL); pthread_join(t, NULL); return 0; }
"""


@pytest.fixture
def explain(tool, tmp_path):
    def explain(*files, cwd=None):
        out = tmp_path / "explained.json"
        ended = subprocess.run([tool, "explain", "-q", "-o", out, *files], capture_output=True, text=True, timeout=HANGS_AFTER, cwd=cwd)
        report = load_report(out)
        assert ended.returncode == (1 if report["causes"] else 0) and not ended.stderr, ended.stderr
        return report
    return explain


@pytest.fixture
def command(cc, tmp_path):
    def command(case):
        if case == "thread":
            return [cc(THREAD, "-pthread", name="tool")]
        library = cc("int dep(void) { return 0; }", "-Wl,-soname,libdep.so", name="libdep.so")
        program = cc("int dep(void); int main(void) { return dep(); }", library, name="prog")
        library.unlink()
        return ["sh", "-c", NESTED.format(prog=program)]
    return command


def said(report):
    return ([(c["kind"], c["impact"], c["missing"], c["subject"], c["chain"], c["words"]) for c in report["causes"]],
            report["outcome"], report["input"]["how"], report["counts"]["processes"])


@pytest.mark.parametrize("flags", [[], ["-t"], ["-tt"], ["-ttt", "-yy"]], ids=["plain", "seconds", "times", "stamps"])
@pytest.mark.parametrize("case", ["nested", "thread"])
def test_as_one_log(command, explain, tmp_path, flags, case):
    """What one file of all says, a file for each says, by whatever they are called."""
    argv = command(case)
    logs = tmp_path / "logs"
    logs.mkdir()
    for follow, file in (["-f", tmp_path / "all"], ["-ff", logs / "log"]):
        subprocess.run(["strace", follow, *flags, "-o", file, *argv], capture_output=True, env=CLEAN, timeout=HANGS_AFTER)
    one = explain(tmp_path / "all")
    assert one["causes"][0]["missing"] in ("libdep.so", "/nonexistent/settings")
    several = sorted(logs.iterdir(), reverse=True)
    assert len(several) == one["counts"]["threads"]
    for way in ([logs], [logs / "log"], several):
        assert said(explain(*way)) == said(one)
    assert said(explain("log", cwd=logs)) == said(one)


def test_a_thread_that_ends_all_before_the_call_that_made_it_returns(explain, tmp_path):
    """strace has no number for such a call then; a process that nobody is known to have made is another matter where two are."""
    def run(*others):
        folder = tmp_path / str(len(others))
        folder.mkdir()
        (folder / "log.10").write_text('execve("/opt/tool", ["tool"], 0x7 /* 9 vars */) = 0\n'
                                       "clone3({flags=CLONE_VM|CLONE_SIGHAND|CLONE_THREAD} <unfinished ...>) = ?\n+++ exited with 3 +++\n")
        for pid in (12, *others):
            (folder / f"log.{pid}").write_text(
                'openat(AT_FDCWD, "/nonexistent/settings", O_RDONLY) = -1 ENOENT (No such file or directory)\n'
                'write(2, "tool: /nonexistent/settings: No such file or directory\\n", 55) = 55\n'
                "exit_group(3) = ?\n+++ exited with 3 +++\n")
        return explain(folder)

    report = run()
    assert report["counts"]["processes"] == 1 and report["counts"]["threads"] == 2
    assert [(c["kind"], c["subject"]) for c in report["causes"]] == [("file-missing", "/opt/tool")]
    assert run(14)["counts"]["processes"] == 3


def test_packed_ones(command, explain, tmp_path):
    subprocess.run(["strace", "-ff", "-o", tmp_path / "log", *command("nested")], capture_output=True, env=CLEAN, timeout=HANGS_AFTER)
    plain = said(explain(tmp_path / "log"))
    for file in tmp_path.glob("log.*"):
        (tmp_path / f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
        file.unlink()
    assert said(explain(tmp_path / "log")) == plain


@pytest.mark.parametrize("variable", ["libs", "all"])
def test_the_loaders_own_files(command, explain, tmp_path, variable):
    argv = command("nested")
    subprocess.run(argv, capture_output=True, env={**CLEAN, "LD_DEBUG": variable, "LD_DEBUG_OUTPUT": tmp_path / "debug"}, timeout=HANGS_AFTER)
    assert len(list(tmp_path.glob("debug.*"))) > 2
    for way in ([tmp_path / "debug"], sorted(tmp_path.glob("debug.*"))):
        report = explain(*way)
        assert [(c["kind"], c["missing"]) for c in report["causes"]] == [("library-missing", "libdep.so")]
        assert report["input"]["how"] == "ld-debug-log"


EXEC = 'execve("{0}", ["{0}"], 0x7 /* 9 vars */) = 0\nbrk(NULL) = 0x5\ngetpid() = 9\n'
FAILS = ('openat(AT_FDCWD, "/opt/data", O_RDONLY) = -1 EACCES (Permission denied)\n'
         'write(2, "tool: /opt/data: Permission denied\\n", 35) = 35\nexit_group(2) = ?\n+++ exited with 2 +++\n')


def test_whose_child_it_is(explain, tmp_path):
    """Numbers have come round: the child's is the lower one."""
    (tmp_path / "log.500").write_text(EXEC.format("/usr/bin/starter") + "vfork() = 70\n"
                                      "wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 2}], 0, NULL) = 70\n"
                                      "exit_group(2) = ?\n+++ exited with 2 +++\n")
    (tmp_path / "log.70").write_text(EXEC.format("/opt/tool") + FAILS)
    report = explain(tmp_path / "log")
    cause = report["causes"][0]
    assert (cause["kind"], cause["missing"], cause["process"]["pid"]) == ("permission-denied", "/opt/data", 70)
    assert cause["chain"][0] == "/usr/bin/starter" and report["input"]["pid"] == 500
    assert report["outcome"]["code"] == 2


def test_a_log_and_what_the_terminal_showed(explain, tmp_path):
    (tmp_path / "log").write_text("7 " + EXEC.format("/opt/tool").replace("\n", "\n7 ") + "exit_group(127) = ?\n7 +++ exited with 127 +++")
    (tmp_path / "terminal").write_text("/opt/tool: error while loading shared libraries: libx.so.1: cannot open shared object "
                                       "file: No such file or directory\n")
    report = explain(tmp_path / "log", tmp_path / "terminal")
    assert [(c["kind"], c["missing"]) for c in report["causes"]] == [("library-missing", "libx.so.1")]


@pytest.mark.parametrize("what", ["nothing", "other files", "one is no text", "one is not there", "no such name"])
def test_what_is_none(tool, tmp_path, what):
    files = tmp_path / "files"
    files.mkdir()
    (files / "a.1").write_bytes(b"\0\1\2" * 100 if what == "one is no text" else b"rotated\n")
    (files / "b.log").write_text("x\n")
    if what == "nothing":
        (files / "a.1").unlink()
    os.mkfifo(files / "c.3")
    named = {"one is no text": [files / "b.log", files / "a.1"], "one is not there": [files / "b.log", files / "d.4"],
             "no such name": [files / "e"]}.get(what, [files])
    ended = subprocess.run([tool, "explain", *named], capture_output=True, text=True, timeout=HANGS_AFTER)
    assert ended.returncode == 2 and ended.stderr.count("\n") == 1, ended.stderr
    assert "No such file" in ended.stderr if what in ("one is not there", "no such name") else "log" in ended.stderr or "a.1" in ended.stderr
