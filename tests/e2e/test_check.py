"""`glibctrace check`: what would fail is told without running anything, and as the run itself would tell it."""

import json
import os
import re
import shutil
import subprocess

import broken
import pytest

from conftest import HANGS_AFTER, load_report
from test_static import cached_root
from test_load_causes import _open_to_all, place  # noqa: F401 (a fixture)

CLEAN = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
AT_START = {name: broken.POSITIONS[name] for name in ("program_itself", "library_of_library")}


@pytest.fixture
def check(tool, tmp_path):
    """Runs the subcommand: (its exit status, the checked report.json, what it printed)."""
    def check(*words, under=(), env=None):
        out = tmp_path / "checked" / "r.json"
        out.parent.mkdir(exist_ok=True)
        out.parent.chmod(0o777)
        out.unlink(missing_ok=True)
        ended = subprocess.run([*under, tool, "check", "--no-redact", "-o", out, *words], capture_output=True, text=True,
                               timeout=HANGS_AFTER, cwd=tmp_path, env=CLEAN | (env or {}))
        return ended.returncode, load_report(out) if out.exists() else None, ended.stdout + ended.stderr
    return check


def _user(case, tmp_path):
    if not case.expected.user or os.getuid() != 0:
        return []
    _open_to_all(tmp_path)
    _open_to_all(tmp_path / "case")
    return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


@pytest.mark.parametrize("position", AT_START)
@pytest.mark.parametrize("way", broken.WAYS)
def test_as_a_run_would_tell(check, place, tmp_path, way, position):  # noqa: F811
    case = AT_START[position](place, way, False)
    status, report, said = check(*case.command, under=_user(case, tmp_path), env=case.expected.env)
    assert status == 1, said
    assert [(c["kind"], c["subject"], c["missing"]) for c in report["causes"]] == [
        (case.expected.kind, case.subject, case.expected.missing)]
    cause = report["causes"][0]
    assert cause["chain"] == case.chain and cause["impact"] == "fatal" and cause["confidence"] > 0.9
    assert cause["provider"] == case.expected.provider or case.expected.provider is None
    assert report["input"]["how"] == "static" and "would not load here" in said
    assert report["system"]["libc"]["family"] == "glibc"
    assert cause["evidence"] == [] and report["reproduction"] is None


@pytest.mark.parametrize("position", AT_START)
@pytest.mark.parametrize("way", broken.WAYS)
def test_healthy_twin(check, place, way, position):  # noqa: F811
    case = AT_START[position](place, way, True)
    status, report, said = check(*case.command, env=case.expected.env)
    assert (status, report["causes"]) == (0, []), said
    assert "loads here" in said


def test_all_that_is_missing_at_once(check, place):  # noqa: F811
    library = place.library(broken.SOUND)
    other = place.cc("int other(void) { return 0; }", "-Wl,-soname,libother.so.2", name="libother.so.2", cwd=place.top)
    prog = place.cc("int dep(void); int other(void); int main(void) { return dep() + other(); }", library, other, name="prog",
                    cwd=place.top)
    library.unlink(), other.unlink()
    status, report, said = check(prog)
    assert status == 1
    assert [(c["kind"], c["missing"]) for c in report["causes"]] == [("library-missing", "libdep.so.1"),
                                                                     ("library-missing", "libother.so.2")]
    assert [(row["name"], row["found"]) for row in report["objects"] if row["by"] == str(prog) and not row["path"]] == [
        ("libdep.so.1", "not found"), ("libother.so.2", "not found")]
    assert "├── libdep.so.1" in said and "└── libother.so.2" in said


@pytest.mark.parametrize("first, kind, missing", [
    ("#!/nowhere/perl6\n", "script-interpreter-missing", "/nowhere/perl6"),
    ("#!/bin/sh\r\n", "script-interpreter-missing", "/bin/sh\r"),
    ("#!/bin/sh\n", None, None),
])
def test_scripts(check, script, first, kind, missing):
    path = script("tool", f"{first}exit 0\n".encode())
    status, report, said = check(path)
    assert [(c["kind"], c["missing"], c["subject"]) for c in report["causes"]] == ([(kind, missing, str(path))] if kind else [])
    assert status == bool(kind), said


def test_a_library_takes_symbols_from_who_loads_it(check, cc):
    library = cc("int host_gives(void); int f(void) { return host_gives(); }", name="libaddon.so")
    status, report, said = check(library)
    assert (status, report["causes"]) == (0, []) and "takes 1 symbol from who loads it" in said
    assert [row["symbol"] for row in report["unbound"] if row["strength"] == "strong"] == ["host_gives"]


def test_notes(check, cc, tmp_path):
    everybodys = tmp_path / "all"
    everybodys.mkdir(mode=0o777)
    everybodys.chmod(0o777)
    library = cc("int f(void) { return 0; }", "-Wl,-z,execstack", f"-Wl,-rpath,:lib:{everybodys}:$ORIGIN/x", name="libnote.so")
    status, report, said = check(library)
    notes = [row["note"] for row in report["notes"]]
    assert status == 0
    for part in ("executable stack", "an empty entry in its RUNPATH", "lib in its RUNPATH is relative",
                 f"{everybodys} in its RUNPATH can be written to by everybody"):
        assert sum(part in note for note in notes) == 1, notes
    assert len(notes) == 4
    assert check(cc("int f(void) { return 0; }", "-Wl,-rpath,$ORIGIN/x:/usr/lib", name="libplain.so"))[1].get("notes", []) == []


@pytest.mark.parametrize("path, words", [("/etc/passwd", "neither an ELF file nor a script"), ("/no/such", "No such file")])
def test_what_cannot_be_checked(check, path, words):
    status, report, said = check(path)
    assert status == 2 and report is None and words in said and said.count("\n") == 1


def test_in_a_root(check, cc, tmp_path):
    """Nothing of this system counts there."""
    root, old = tmp_path / "root", cached_root("bullseye")
    prog = cc("#include <math.h>\n#include <stdlib.h>\nint main(int n, char **v) { return (int)fmod(atof(v[0]), n); }", "-lm")
    libraries = old / "lib" / "x86_64-linux-gnu"
    for path, file in (("lib64/ld-linux-x86-64.so.2", next(libraries.glob("ld-*.so"))),
                       ("lib/x86_64-linux-gnu/libc.so.6", libraries / "libc.so.6"),
                       ("lib/x86_64-linux-gnu/libm.so.6", libraries / "libm.so.6")):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, root / path)
    shutil.copy(prog, root / "prog")
    status, report, said = check("--root", root, "/prog")
    assert status == 1, said
    assert [(c["kind"], c["missing"], c["subject"], c["provider"]) for c in report["causes"]] == [
        ("symbol-version-missing", "GLIBC_2.34", "/prog", "/lib/x86_64-linux-gnu/libc.so.6")]
    assert "__libc_start_main" in report["causes"][0]["symbols"]
    assert [(row["of"], row["version"]) for row in report["wants"]] == [("glibc", "GLIBC_2.34")]
    assert check(prog)[0] == 0


def test_the_same_objects_as_the_loader(check):
    """Of programs of this system, what the loader itself lists."""
    programs = [path for name in ("git", "node", "gcc", "perl", "python3", "tar", "gdb", "ssh", "curl", "bash", "gopls", "ls")
                if (path := shutil.which(name, path="/usr/bin:/bin"))]
    assert len(programs) > 5
    for program in map(os.path.realpath, programs):
        listed = subprocess.run(["/lib64/ld-linux-x86-64.so.2", "--list", program], capture_output=True, text=True)
        wanted = re.findall(r"^\t(?:\S+ => )?(/\S+) \(0x", listed.stdout, re.M)
        status, report, said = check(program)
        assert status == 0, said
        found = [row["path"] for row in report.get("objects", []) if row["path"] != program]
        assert sorted(found) == sorted(wanted), program


def test_forms(check, tool, place, tmp_path):  # noqa: F811
    case = broken.POSITIONS["program_itself"](place, "library_missing", False)
    for ending in ("dot", "mmd", "sarif", "html", "md"):
        subprocess.run([tool, "check", "-q", "-o", tmp_path / f"r.{ending}", *case.command], timeout=HANGS_AFTER, env=CLEAN)
    assert "[label=\"libdep.so.1\"" in (tmp_path / "r.dot").read_text()
    assert "[\"libdep.so.1\"]:::broken" in (tmp_path / "r.mmd").read_text()
    run = json.loads((tmp_path / "r.sarif").read_text())["runs"][0]
    assert [(r["ruleId"], r["level"]) for r in run["results"]] == [("library-missing", "error")]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["library-missing"]
    assert "<table class=\"grid\">" in (tmp_path / "r.html").read_text()
    assert "| needed as | file | found by |" in (tmp_path / "r.md").read_text()


def _foreign(path, machine=183):
    """As if it were of another machine."""
    data = bytearray(path.read_bytes())
    data[18] = machine
    path.write_bytes(data)


@pytest.mark.parametrize("sound", [False, True])
def test_a_root_of_another_machine(check, place, tmp_path, sound):  # noqa: F811
    """All that is in it is for aarch64: that it is not for this machine is no fault, but what is missing there is."""
    library = place.library(broken.SOUND)
    prog = place.cc("int dep(void); int main(void) { return dep(); }", library, name="prog", cwd=place.top)
    root = tmp_path / "root"
    listed = {"/prog": prog, "/lib64/ld-linux-x86-64.so.2": "/lib64/ld-linux-x86-64.so.2",
              "/lib/libc.so.6": os.path.realpath("/lib/x86_64-linux-gnu/libc.so.6"), "/lib/libdep.so.1": library}
    for path, file in listed.items():
        (root / path[1:]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, root / path[1:])
        _foreign(root / path[1:])
    if not sound:
        (root / "lib/libdep.so.1").unlink()
    status, report, said = check("--root", root, "/prog")
    assert [(c["kind"], c["missing"]) for c in report["causes"]] == ([] if sound else [("library-missing", "libdep.so.1")]), said
    assert report["files"][0]["machine"] == "aarch64"
    shutil.copy(root / "prog", tmp_path / "prog")
    assert [c["kind"] for c in check(tmp_path / "prog")[1]["causes"]] == ["wrong-architecture"]


def test_a_file_of_debug_information_is_no_program(check, cc, tmp_path):
    prog = cc("int main(void) { return 0; }", "-g")
    subprocess.run(["objcopy", "--only-keep-debug", prog, tmp_path / "prog.debug"], check=True)
    status, report, said = check(tmp_path / "prog.debug")
    assert status == 2 and report is None, said


@pytest.mark.parametrize("compiler, kind", [("cc", "library-missing"), ("musl-gcc", "library-off-path")])
def test_a_library_for_the_other_c_library_is_not_the_one(check, tmp_path, compiler, kind):
    """It is called the same (libstdc++.so.6, libz.so.1), but where it lies is no help to a program that is linked to musl."""
    (tmp_path / "app/elsewhere").mkdir(parents=True)
    (tmp_path / "own.c").write_text("#include <stdlib.h>\nint own(void) { return abs(0); }")
    (tmp_path / "prog.c").write_text("int own(void); int main(void) { return own(); }")
    library = ["-shared", "-fPIC", "-fno-builtin", "-Wl,-soname,libown.so.1", "-Wl,--no-as-needed", "own.c", "-o"]
    subprocess.run(["musl-gcc", *library, "libown.so.1"], check=True, cwd=tmp_path)
    subprocess.run(["musl-gcc", "prog.c", "libown.so.1", "-o", "app/prog"], check=True, cwd=tmp_path)
    (tmp_path / "libown.so.1").unlink()
    subprocess.run([compiler, *library, "app/elsewhere/libown.so.1"], check=True, cwd=tmp_path)
    status, report, said = check(tmp_path / "app/prog")
    assert (status, [(c["kind"], c["missing"]) for c in report["causes"]]) == (1, [(kind, "libown.so.1")]), said


def test_more_causes_than_are_told(check, tmp_path):
    """Of what is left out the number is told."""
    names, count = [f"f{i}" for i in range(150)], {}
    (tmp_path / "l.c").write_text("".join(f"int {n}(void) {{ return 0; }}" for n in names))
    (tmp_path / "p.c").write_text("".join(f"int {n}(void);" for n in names) + "int main(void) { return "
                                  + " + ".join(f"{n}()" for n in names) + "; }")
    make = ["cc", "-shared", "-fPIC", "-Wl,-soname,libmany.so", "-Wl,--version-script=map", "l.c", "-o", "libmany.so"]
    for kept in (150, 1):
        (tmp_path / "map").write_text("".join(f"V_{i} {{ global: {n}; }};" for i, n in enumerate(names[:kept])))
        subprocess.run(make, check=True, cwd=tmp_path)
        if kept == 150:
            subprocess.run(["cc", "p.c", "-L.", "-lmany", "-Wl,-rpath,$ORIGIN", "-o", "prog"], check=True, cwd=tmp_path)
        status, report, said = check(tmp_path / "prog")
        count[kept] = len({c["missing"] for c in report["causes"]}), "21 more causes" in " ".join(said.split())
    assert count == {150: (0, False), 1: (128, True)}
