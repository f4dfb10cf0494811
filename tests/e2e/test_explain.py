"""`glibctrace explain`: the report again from a bundle's log, on a machine that need not be the one it was made on."""

import json
import os
import re
import shutil
import subprocess

import pytest

from conftest import load_report
from test_outputs import unpacked

OPENS = r"""
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <dlfcn.h>
#include <errno.h>
#include <string.h>
int main(int argc, char **argv)
{
    if (!strcmp(argv[1], "dlopen")) {
        if (!dlopen(argv[2], RTLD_NOW)) { fprintf(stderr, "prog: %s\n", dlerror()); return 3; }
    } else if (!strcmp(argv[1], "crash")) {
        *(volatile int *)8 = 1;
    } else if (open(argv[2][0] == '$' ? getenv(argv[2] + 1) : argv[2], O_RDONLY) < 0) {
        perror(argv[2][0] == '$' ? getenv(argv[2] + 1) : argv[2]);
        return 3;
    }
    return 0;
}
"""
CALLS = "int dep(void); int main(void) { return dep(); }"


@pytest.fixture
def place(cc, tmp_path):
    """Where a case is made: absolute paths of its parts, and a program that opens what it is told to."""
    top = tmp_path / "case"
    top.mkdir()
    cc(OPENS, "-ldl", name="opens", cwd=top)
    return top


def library(cc, place, source="int dep(void) { return 0; }", *flags):
    return cc(source, "-Wl,-soname,libdep.so", *flags, name="libdep.so", cwd=place)


def missing(cc, place, script):
    lib = library(cc, place)
    program = cc(CALLS, lib, name="prog", cwd=place)
    lib.unlink()
    return [program]


def off_path(cc, place, script):
    lib = library(cc, place)
    program = cc(CALLS, lib, name="prog", cwd=place)
    (place / "other").mkdir()
    lib.rename(place / "other" / "libdep.so")
    return [program]


def version(cc, place, script):
    text = place / "v.map"
    text.write_text("V1 { }; V2 { global: dep; local: *; };")
    lib = library(cc, place, "int dep(void) { return 0; }", f"-Wl,--version-script={text}")
    program = cc(CALLS, lib, f"-Wl,-rpath,{place}", name="prog", cwd=place)
    text.write_text("V1 { global: dep; };")
    library(cc, place, "int dep(void) { return 0; }", f"-Wl,--version-script={text}")
    return [program]


def symbol(cc, place, script):
    lib = library(cc, place)
    program = cc(CALLS, lib, f"-Wl,-rpath,{place}", "-Wl,-z,now", name="prog", cwd=place)
    library(cc, place, "int other(void) { return 0; }")
    return [program]


def machine(cc, place, script):
    lib = library(cc, place)
    program = cc(CALLS, lib, f"-Wl,-rpath,{place}", name="prog", cwd=place)
    data = bytearray(lib.read_bytes())
    data[18:20] = (183).to_bytes(2, "little")
    lib.write_bytes(data)
    return [program]


def corrupt(cc, place, script):
    lib = library(cc, place)
    program = cc(CALLS, lib, f"-Wl,-rpath,{place}", name="prog", cwd=place)
    lib.write_text("<html>")
    return [program]


def dangling(cc, place, script):
    lib = library(cc, place)
    program = cc(CALLS, lib, f"-Wl,-rpath,{place}", name="prog", cwd=place)
    lib.unlink()
    lib.symlink_to("libdep.so.1")
    return [program]


def addon(cc, place, script):
    lib = library(cc, place)
    made = cc("int dep(void); int mid(void) { return dep(); }", lib, name="addon.so", cwd=place)
    lib.unlink()
    return [place / "opens", "dlopen", made]


def interpreter(cc, place, script):
    return ["/bin/sh", "-c", f"{cc('int main(void) { return 0; }', '-Wl,--dynamic-linker=/nowhere/ld.so', cwd=place)}; exit $?"]


def shebang(cc, place, script):
    return ["/bin/sh", "-c", f"{script('case/tool', '#!/nowhere/python9' + chr(10))}; exit $?"]


def command(cc, place, script):
    return ["/bin/sh", "-c", "no-such-command-anywhere"]


def file_(cc, place, script):
    return [place / "opens", "open", place / "app.conf"]


def file_link(cc, place, script):
    (place / "app.conf").symlink_to("app.conf.old")
    return [place / "opens", "open", place / "app.conf"]


def variable(cc, place, script):
    return [place / "opens", "open", "$PLACE_OF_ALL"]


def crash(cc, place, script):
    return [place / "opens", "crash"]


CASES = {made.__name__: made for made in (missing, off_path, version, symbol, machine, corrupt, dangling, addon, interpreter,
                                          shebang, command, file_, file_link, variable, crash)}


def identity(report):
    return [(cause["kind"], cause["subject"], cause["missing"], cause["impact"]) for cause in report["causes"]]


@pytest.mark.parametrize("redact", [False, True], ids=["as it is", "redacted"])
@pytest.mark.parametrize("case", CASES)
def test_the_log_alone_says_the_same(run, cc, script, place, tmp_path, case, redact):
    """The files are gone by the time that it is asked."""
    bundle = tmp_path / "case.tar.zst"
    words = CASES[case](cc, place, script)
    env = {"PLACE_OF_ALL": place / "app" / "etc", "HOME": tmp_path}
    live = run("-o", bundle, "--no-repro", "--", *words, env=env, redact=redact)
    assert live.causes
    shutil.rmtree(place)
    again = run("explain", bundle, redact=redact)
    assert again.returncode == 1
    assert identity(again.report) == identity(live.report)
    assert again.report["input"] == {**live.report["input"], "how": "bundle", "files": "none"}
    assert again.report["outcome"] == live.report["outcome"]
    assert again.report["system"] == live.report["system"]
    assert again.report["counts"]["events"] == live.report["counts"]["events"]
    assert again.report["counts"]["failed"] == live.report["counts"]["failed"]
    assert again.report["reproduction"] is None
    for cause in again.causes:
        assert cause["confidence"] >= 0.5 and cause["summary"] and cause["detail"]
    assert "not seen     the files themselves" in again.stderr


@pytest.fixture
def bundle(run, cc, place, script, tmp_path):
    path = tmp_path / "case.tar.zst"
    run("-o", path, "--no-repro", "--", *missing(cc, place, script))
    return path


@pytest.mark.parametrize("way", ["folder", "trace", "pipe", "bundle in a pipe"])
def test_whatever_it_comes_in(run, bundle, tmp_path, tool, environment, way):
    subprocess.run(["tar", "-x", "-C", tmp_path / "glibctrace-reports"],
                   input=subprocess.run(["zstd", "-dcq", bundle], stdout=subprocess.PIPE, check=True).stdout, check=True)
    folder = tmp_path / "glibctrace-reports" / "case"
    out = tmp_path / "again.json"
    words, data = {"folder": (folder, b""), "trace": (folder / "trace.jsonl", b""),
                   "pipe": ("-", (folder / "trace.jsonl").read_bytes()), "bundle in a pipe": ("-", bundle.read_bytes())}[way]
    done = subprocess.run([tool, "explain", "-q", words, "-o", out], input=data, env=environment(), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", b"")
    report = load_report(out)
    assert identity(report) == identity(run("explain", bundle).report)
    if way in ("trace", "pipe"):  # nothing says which system it was
        assert report["system"]["libc"]["family"] == "unknown"


def test_no_file_of_this_machine_is_looked_at(run, cc, place, script, tmp_path, tool):
    """It is told of libraries and files that are here, by a log of a machine where they were not."""
    bundle = tmp_path / "case.tar.zst"
    run("-o", bundle, "--no-repro", "--", *missing(cc, place, script))
    library(cc, place)
    outer = tmp_path / "outer.tar.zst"
    run("-o", outer, "--no-repro", "--", tool, "explain", "-q", bundle)
    asked = [event["path"] for event in map(json.loads, unpacked(outer)["outer/trace.jsonl"].decode().splitlines())
             if event.get("path")]
    assert str(bundle) in asked
    assert not [path for path in asked if path.startswith(f"{place}/")]
    assert not [path for path in asked if re.match(r"/etc/passwd|/var/lib/dpkg|/etc/os-release", path)]
    told = json.loads(unpacked(bundle)["case/report.json"])["causes"][0]["process"]["pid"]
    assert not [path for path in asked if path.startswith(f"/proc/{told}/")]


def test_a_healthy_run_has_no_cause(run, tmp_path):
    bundle = tmp_path / "case.tar.zst"
    run("-o", bundle, "--", "sh", "-c", "cat /absent/file 2>/dev/null; true")
    result = run("explain", bundle)
    assert (result.returncode, result.causes) == (0, [])


@pytest.mark.parametrize("text, causes", [("no-such-command-anywhere || true", 0), ("no-such-command-anywhere", 1)])
def test_what_a_script_does_without_is_noted(run, script, tmp_path, text, causes):
    """The script is not in the log; what was read in it is."""
    bundle, path = tmp_path / "case.tar.zst", script("tool.sh", f"#!/bin/sh\n{text}\nexit 0\n")
    live = run("-o", bundle, "--no-repro", "--", path)
    assert len(live.causes) == causes
    path.unlink()
    again = run("explain", bundle)
    assert identity(again.report) == identity(live.report)
    assert "|| true" not in unpacked(bundle)["case/trace.jsonl"].decode()


def test_what_has_come_since_is_no_cause(run, tmp_path):
    """The file was not there when it was asked for, and was when the words about it were said."""
    code = ("import os, sys\ntry: open('app.conf')\nexcept OSError: pass\n"
            "os.system(': > app.conf'); sys.exit('required app.conf is made')")
    bundle = tmp_path / "case.tar.zst"
    live = run("-o", bundle, "--no-repro", "--", "/usr/bin/python3", "-c", code)
    assert (live.causes, run("explain", bundle).causes) == ([], [])


def test_variables_that_nothing_hangs_on_are_not_noted(run, cc, place, script, tmp_path):
    bundle = tmp_path / "case.tar.zst"
    run("-o", bundle, "--no-repro", "--", *file_(cc, place, script), env={"MY_PLACE": f"{tmp_path}/planted-place"})
    assert b"planted-place" not in unpacked(bundle)["case/trace.jsonl"]


def test_a_report_is_no_log(run, bundle, tmp_path):
    file = tmp_path / "report.json"
    file.write_bytes(unpacked(bundle)["case/report.json"])
    result = run("explain", file, report=False)
    assert result.returncode == 2 and "trace.jsonl" in result.stderr and len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("how", ["cut", "no event", "noise"])
def test_a_broken_log_names_its_line(run, bundle, tmp_path, how):
    lines = unpacked(bundle)["case/trace.jsonl"].splitlines(keepends=True)
    lines[7] = {"cut": lines[7][:20] + b"\n", "no event": b'{"type":"syscall"}\n', "noise": b"\0\xff\n"}[how]
    file = tmp_path / "trace.jsonl"
    file.write_bytes(b"".join(lines))
    result = run("explain", file, report=False)
    assert result.returncode == 2 and "line 8" in result.stderr and len(result.stderr.splitlines()) == 1


def test_a_hostile_log_hurts_nobody(run, bundle, tmp_path):
    """Roots and working directories are not this machine's, whatever the log says; strange types are passed over."""
    lines = [json.loads(line) for line in unpacked(bundle)["case/trace.jsonl"].decode().splitlines()]
    for line in lines:
        line["root"] = "/"
        line["cwd"] = "/etc"
        for key in ("args", "argv", "env", "needed", "versions", "copies", "limit", "walk", "at", "soname"):
            line.setdefault(key, [1, None, {"a": []}, "A" * 5000, "=", ""])
        line.setdefault("crash", "SIGSEGV")
    lines += [{"n": 10 ** 6, "pid": 1, "tid": 1, "type": "nonsense"}]
    file = tmp_path / "trace.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    result = run("explain", file, report=False)
    assert result.returncode in (0, 1), result.stderr


def test_every_form(run, bundle, tmp_path):
    forms = [tmp_path / f"again{ending}" for ending in (".txt", ".md", ".html", ".tar.zst")]
    result = run("explain", bundle, *[word for form in forms for word in ("-o", form)])
    assert result.stderr == ""
    for form in forms[:3]:
        assert "libdep.so" in form.read_text()
    files = unpacked(forms[3])
    assert files["again/trace.jsonl"] == unpacked(bundle)["case/trace.jsonl"]
    assert identity(json.loads(files["again/report.json"])) == identity(result.report)
