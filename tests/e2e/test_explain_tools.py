"""`glibctrace explain` of other tracers' output: ltrace's and perf trace's, recorded from real runs (testdata/traces), and our
own lines of -t."""

import json
import pathlib
import subprocess

import pytest

from conftest import load_report

TRACES = pathlib.Path(__file__).parents[2] / "testdata" / "traces"
RECORDED = {  # kind, subject, missing; how it ended
    "ltrace-dlopen": ("library-missing", "the program", "libgone.so.3"),
    "ltrace-calls": ("library-missing", "./prog", "libdep.so"),
    "ltrace-crash": ("crash", "the program", "SIGSEGV"),
    "ltrace-healthy": None,
    "perf-words": ("library-missing", "prog", "libdep.so"),
    "perf-healthy": None,
}


@pytest.fixture
def explain(tool, tmp_path):
    def explain(text):
        out = tmp_path / "explained.json"
        ended = subprocess.run([tool, "explain", "-q", "--no-redact", "-o", out, "-"], input=text, capture_output=True,
                               text=True, check=False)
        assert ended.returncode in (0, 1), ended.stderr
        return load_report(out)
    return explain


def told(report):
    return [tuple(cause[name] for name in ("kind", "subject", "missing")) for cause in report["causes"]]


@pytest.mark.parametrize("name", RECORDED)
def test_recorded(explain, name):
    report = explain((TRACES / f"{name}.txt").read_text())
    assert told(report) == ([RECORDED[name]] if RECORDED[name] else [])
    assert report["input"]["how"] == "strace-log"
    if name == "perf-words":
        assert report["outcome"] == {"status": "exited", "code": 127, "signal": None}


def test_a_path_that_perf_could_read(explain):
    """With its BPF programs perf shows names; the calls are then what strace shows."""
    line = "{ms:10.3f} ( 0.003 ms): cat/417 {call}\n"
    calls = ('... [continued]: execve()) = 0', 'openat(dfd: CWD, filename: "/etc/ld.so.cache", flags: RDONLY|CLOEXEC) = 3',
             'openat(dfd: CWD, filename: "/etc/locale.alias", flags: RDONLY) = -1 ENOENT (No such file or directory)',
             'openat(dfd: CWD, filename: "/srv/data/table", flags: RDONLY) = -1 EACCES (Permission denied)',
             "write(fd: 2, buf: 0x7ffd, count: 41) = 41", "exit_group(error_code: 1) = ?")
    text = "".join(line.format(ms=n / 10, call=call) for n, call in enumerate(calls))
    report = explain(text.replace("     0.500", "cat: /srv/data/table: Permission denied\n     0.500"))
    assert told(report) == [("permission-denied", "cat", "/srv/data/table")]
    assert report["outcome"]["code"] == 1


@pytest.mark.parametrize("what", ["missing", "file", "crash", "healthy"])
def test_our_own_lines(run, cc, explain, tmp_path, what):
    """-t all shows what the report stands on."""
    source = {"missing": "int dep(void); int main(void) { return dep(); }", "healthy": "int main(void) { return 0; }",
              "file": '#include <stdio.h>\nint main(void) { FILE *f = fopen("/nowhere/table", "r"); '
                      'if (!f) perror("/nowhere/table"); return !f; }',
              "crash": "int main(void) { return *(volatile int *)8; }"}[what]
    library = cc("int dep(void) { return 0; }", "-Wl,-soname,libglibctracetest.so", name="libglibctracetest.so")
    program = cc(source, library, name="prog")
    library.unlink()
    live = run("-t", "all", "-q", "--", program)
    report = explain(live.stderr)
    assert told(report)[:1] == told(live.report) and bool(report["causes"]) == (what != "healthy")
    assert report["outcome"] == live.report["outcome"]


@pytest.mark.parametrize("text", ["_exit(0)                                = ?\n", "_exit(0) = 24\n", "SYS_write(2,\n", "SYS_write(2, \"x\n)     = 1\n", "dlerror() = \"\n", "SYS_(\n", "->(\n",
                                  "dlopen(\"x\", 2) = 0\n" * 3000, "0.1 ( 0.1 ms): a/1 b(\n", "? (): a/1 ... [continued]: )\n",
                                  "1.0 ( ms): x/1 open(flags: |||, : , \" = \n", "+++ exited (status 0) +++\n"])
def test_rubbish(explain, text):
    assert explain(text)["causes"] == []
