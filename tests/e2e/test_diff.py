"""`glibctrace diff`: the first difference that leads to the failure on top, and none between runs that are alike."""

import json
import os
import shutil
import subprocess

import pytest

from test_outputs import unpacked
from test_static import cached_root

PYTHON = "/usr/bin/python3"
CALLS = "int dep(void); int main(void) { return dep(); }"
PARTS = ("libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "ld-linux-x86-64.so.2")
ADDON = r"""
unsigned long strlcpy(char *, const char *, unsigned long);
void *napi_register_module_v1(void *env, void *exports)
{
    char b[4];
    strlcpy(b, "", sizeof b);
    return exports;
}
"""


@pytest.fixture
def traced(run, tmp_path):
    """traced(name, *command, env=None) -> a bundle of that run"""

    def trace(name, *command, env=None, redact=False):
        bundle = tmp_path / f"{name}.tar.zst"
        run("-o", bundle, "--no-repro", "--", *command, env=env, redact=redact)
        return bundle

    return trace


@pytest.fixture
def diff(run, tmp_path):
    """diff(good, bad) -> (differences, status, text)"""

    def compare(good, bad):
        out = tmp_path / "diff.json"
        result = run("diff", "-o", out, good, bad, report=False)
        assert result.stderr == "", result.stderr
        told = json.loads(out.read_text())
        assert told["schema"] == "glibctrace.diff/1"
        for entry in told["differences"]:
            assert set(entry) == {"kind", "what", "good", "bad", "explains"}
            assert entry["good"] != entry["bad"]
        assert result.returncode == bool(told["differences"])
        quiet = run("diff", "-q", good, bad, report=False)
        assert (quiet.returncode, quiet.stdout, quiet.stderr) == (result.returncode, "", "")
        return told["differences"], result.stdout

    return compare


@pytest.fixture(scope="module")
def newer_libc(tmp_path_factory):
    """The C library of Debian 13, in a directory."""
    folder = tmp_path_factory.mktemp("newer")
    root = cached_root("trixie")
    for name in PARTS:
        shutil.copy((root / "usr" / "lib" / "x86_64-linux-gnu" / name).resolve(), folder / name)
    return folder


def test_node_on_two_libcs(traced, diff, cc, newer_libc):
    """The same add-on, the same node, which is run by each C library's own loader."""
    node = os.path.realpath(shutil.which("node"))
    addon = cc(ADDON, "-nostdlib", newer_libc / "libc.so.6", "-Wl,--allow-shlib-undefined", name="addon.node")
    words = [node, "-e", f"require('{addon}')"]
    good = traced("good", newer_libc / PARTS[-1], "--library-path", newer_libc, *words)
    bad = traced("bad", f"/lib64/{PARTS[-1]}", *words)
    differences, text = diff(good, bad)
    first = differences[0]
    assert (first["kind"], first["what"], first["explains"]) == ("symbol-version-missing", "GLIBC_2.38", True)
    assert first["good"].startswith(f"{newer_libc}/libc.so.6 (glibc 2.") and "has it" in first["good"]
    assert "GLIBC_2.38" in first["bad"] and "addon.node" in first["bad"]
    second = differences[1]
    assert (second["kind"], second["explains"]) == ("libc", True)
    assert second["good"] != second["bad"] and second["bad"].startswith("glibc 2.")
    library = next(d for d in differences if (d["kind"], d["what"]) == ("library", "libc.so.6"))
    assert library["explains"] and "GLIBC_2.4" in library["good"] and "GLIBC_2.36" in library["bad"]
    assert "  1. symbol-version-missing: addon.node, GLIBC_2.38\n" in text
    # the other way round it is the good one that fails
    first = diff(bad, good)[0][0]
    assert (first["kind"], first["what"]) == ("symbol-version-missing", "GLIBC_2.38")
    assert "has it" in first["bad"]


@pytest.fixture
def moved(cc, tmp_path):
    """A program, and the directory in which its library now is."""
    library = cc("int dep(void) { return 0; }", "-Wl,-soname,libdep.so.1", name="libdep.so.1")
    program = cc(CALLS, library)
    (tmp_path / "other").mkdir()
    library.rename(tmp_path / "other" / "libdep.so.1")
    return program, tmp_path / "other"


@pytest.mark.parametrize("redact", [False, True], ids=["as it is", "redacted"])
@pytest.mark.parametrize("what", ["bundle", "trace", "folder"])
def test_a_variable_that_explains_it(traced, diff, moved, tmp_path, what, redact):
    program, other = moved
    home = {"HOME": tmp_path}
    sides = [traced("good", program, env={**home, "LD_LIBRARY_PATH": other}, redact=redact),
             traced("bad", program, env=home, redact=redact)]
    if what != "bundle":
        for i, bundle in enumerate(sides):
            files = unpacked(bundle)
            folder = tmp_path / f"unpacked{i}"
            folder.mkdir()
            for name, data in files.items():
                if data:
                    (folder / os.path.basename(name)).write_bytes(data)
            sides[i] = folder if what == "folder" else folder / "trace.jsonl"
    differences, _ = diff(*sides)
    place = "$HOME/other" if redact else str(other)
    assert differences[0]["kind"] in ("library-off-path", "library-missing") and differences[0]["what"] == "libdep.so.1"
    assert differences[0]["good"] == f"{place}/libdep.so.1"
    assert differences[1] == {"kind": "environment", "what": "LD_LIBRARY_PATH", "good": place, "bad": "not set",
                              "explains": True}
    assert {"kind": "exit-status", "what": "prog", "good": "status 0", "bad": "status 127", "explains": False} in differences


def test_a_search_path_that_explains_it(traced, diff, script, tmp_path):
    script("bin/mytool", "#!/bin/sh\nexit 0\n")
    path = os.environ["PATH"]
    words = ["sh", "-c", "mytool"]
    differences, _ = diff(traced("good", *words, env={"PATH": f"{tmp_path}/bin:{path}"}), traced("bad", *words))
    assert (differences[0]["kind"], differences[0]["what"]) == ("command-not-found", "mytool")
    assert differences[0]["good"] == f"{tmp_path}/bin/mytool was executed"
    assert (differences[1]["kind"], differences[1]["what"], differences[1]["explains"]) == ("environment", "PATH", True)


def test_a_variable_without_a_known_cause(traced, diff, script, tmp_path):
    """node says that there is no such module; the other run found it by NODE_PATH."""
    script("modules/mine/index.js", "module.exports = 1\n")
    words = ["node", "-e", "require('mine')"]
    differences, _ = diff(traced("good", *words, env={"NODE_PATH": f"{tmp_path}/modules"}), traced("bad", *words))
    first = next(d for d in differences if d["kind"] == "environment")
    assert (first["what"], first["bad"], first["explains"]) == ("NODE_PATH", "not set", True)
    assert differences.index(first) <= 1


def test_an_update_that_took_a_file_away(traced, diff, cc, tmp_path):
    source = """
#include <stdio.h>
int main(int argc, char **argv) { if (!fopen(argv[1], "r")) { perror(argv[1]); return 3; } return 0; }
"""
    program, conf = cc(source), tmp_path / "app.conf"
    conf.write_text("on\n")
    good = traced("good", program, conf)
    conf.unlink()
    differences, _ = diff(good, traced("bad", program, conf))
    assert (differences[0]["kind"], differences[0]["what"]) == ("file-missing", str(conf))
    assert differences[0]["good"] == f"{conf} is there"
    assert {"kind": "file", "what": str(conf), "good": "there", "bad": "ENOENT", "explains": True} in differences


def test_reports_alone(run, diff, moved):
    program, other = moved
    good = run("--no-repro", "--", program, env={"LD_LIBRARY_PATH": other})
    bad = run("--no-repro", "--", program)
    differences, _ = diff(good.report_path, bad.report_path)
    assert [d["kind"] for d in differences] == ["library-off-path", "exit-status"]
    assert diff(bad.report_path, bad.report_path)[0] == []


TEMPORARY = """
import os, subprocess, tempfile, threading
with tempfile.TemporaryDirectory() as folder, tempfile.NamedTemporaryFile() as file:
    threads = [threading.Thread(target=lambda: open("/proc/%d/stat" % os.getpid()).read()) for _ in range(8)]
    for thread in threads:
        thread.start()
    subprocess.run(["sh", "-c", "echo $$ >$0/log.$$; cat $0/log.$$; f=$(mktemp); ls -l $f /proc/$$/fd; rm $f", folder])
"""
ALIKE = {
    "shell": ["sh", "-c", "f=$(mktemp -d /tmp/x.XXXXXX); echo $$ >$f/$$; (ls $f & ls /; wait); rm -r $f; test -e /absent"],
    "python": [PYTHON, "-c", TEMPORARY],
    "node": ["node", "-e", "const f = require('fs'); const d = f.mkdtempSync('/tmp/x-'); f.rmdirSync(d);"
                           "require('child_process').execSync('ls /proc/$$/fd')"],
    "compiler": ["cc", "-x", "c", "/dev/null", "-E", "-o", "/dev/null"],
    "that fails": ["sh", "-c", "no-such-command-anywhere; cat /absent/file.$$"],
    "that crashes": ["sh", "-c", "kill -SEGV $$"],
}


@pytest.mark.parametrize("redact", [False, True], ids=["as it is", "redacted"])
@pytest.mark.parametrize("what", ALIKE)
def test_runs_that_are_alike(traced, diff, what, redact):
    subprocess.run(["true"])  # the numbers of processes differ by more than they would
    good = traced("good", *ALIKE[what], redact=redact)
    for _ in range(3):
        subprocess.run(["true"])
    differences, text = diff(good, traced("bad", *ALIKE[what], redact=redact))
    assert differences == []
    assert text.endswith("\nNo difference.\n")


@pytest.mark.parametrize("path, told", [(os.path.realpath(shutil.which("perl")), []),
                                        ("/lib/x86_64-linux-gnu/libc.so.6", []), ("/etc/passwd", ["file"])])
def test_a_program_that_opens_what_it_maps(traced, diff, path, told):
    """Whether it reads its own file is the chance of its threads (node's do); whether it reads another is not."""
    opens = f"$ARGV[0] and open(F, '<', '{path}')"
    sides = [traced(name, "perl", "-e", opens, number) for name, number in (("good", 0), ("bad", 1))]
    for pair in (sides, sides[::-1]):
        assert [d["kind"] for d in diff(*pair)[0] if d["kind"] != "argument"] == told


def test_names_of_temporary_files_are_no_excuse(traced, diff, script, tmp_path):
    """A library of another directory is another one, wherever that stands."""
    differences, _ = diff(traced("good", "sh", "-c", "exit 0", "one"), traced("bad", "sh", "-c", "exit 0", "two"))
    assert [(d["kind"], d["good"], d["bad"]) for d in differences] == [("argument", "sh -c exit 0 one", "sh -c exit 0 two")]


def test_hostile_names_reach_no_terminal(traced, run, script, tmp_path):
    evil = script("x\033]0;title\a\033[31m", "#!/bin/sh\nexit 0\n")
    result = run("diff", traced("good", evil), traced("bad", "true"), report=False)
    assert result.returncode == 1
    assert all(c == "\n" or c.isprintable() for c in result.stdout), ascii(result.stdout)
