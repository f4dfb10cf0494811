"""`glibctrace check`: symbols that nobody defines, the release that is wanted, rights that a loader heeds."""

import os
import pathlib
import shutil
import subprocess

import pytest

from conftest import HANGS_AFTER, load_report
from test_check_tree import build, check, library  # noqa: F401 (a fixture)
from test_static import cached_root

CALLS = "int a(void); int b(void); int main(int c, char **v) { return c > 5 ? a() + b() : 0; }"
HERE = "-Wl,-rpath,$ORIGIN"


def program(top, source=CALLS, now=False):
    """It calls two functions that its library had when it was built."""
    whole = library(top / "libx.so.1", "int a(void) { return 0; } int b(void) { return 0; }")
    prog = build(top / "prog", source, whole, HERE, "-Wl,-z," + ("now" if now else "lazy"))
    return prog, library(top / "libx.so.1", "int other(void) { return 0; }")


@pytest.mark.parametrize("now", [False, True])
def test_called_in_vain(check, tmp_path, now):  # noqa: F811
    """What is only called shows when it is called; both are told of, the second as something that still starts."""
    prog, _ = program(tmp_path, now=now)
    status, report, said = check(prog)
    assert status == 1, said
    cause, = report["causes"]
    assert (cause["kind"], cause["subject"], cause["missing"] in "ab") == ("symbol-missing", str(prog), True)
    assert sorted(cause["symbols"]) == ["a", "b"]
    assert (cause["confidence"] > 0.9) == now
    assert report["files"][0]["mark"] == ("bad" if now else "warning")
    assert ("prog would not load here." if now else "prog loads here, but calls what nobody defines.") in said
    assert subprocess.run([prog], stderr=subprocess.DEVNULL, timeout=HANGS_AFTER).returncode == (127 if now else 0)
    status, report, said = check(tmp_path)
    assert status == 1 and len(report["causes"]) == 1, said
    assert now or "all load here; 1 calls what nobody defines." in said


def test_taken_from_elsewhere(check, tmp_path):  # noqa: F811
    """A library may leave symbols to whoever loads it, but for those that are to be of a library that it needs."""
    versions = tmp_path / "v"
    versions.write_text("V1 { global: a; b; };")
    script = f"-Wl,--version-script,{versions}"
    whole = library(tmp_path / "libx.so.1", "int a(void) { return 0; } int b(void) { return 0; }", script)
    so = library(tmp_path / "liby.so.1", "int a(void); int b(void); int host(void);"
                 "int f(void) { return host() + a() + b(); }", whole, HERE)
    status, report, said = check(so)
    assert (status, report["causes"]) == (0, []), said
    assert "takes 1 symbol from who loads it" in " ".join(said.split())
    library(tmp_path / "libx.so.1", "int other(void) { return 0; } int b(void) { return 0; }", script)
    status, report, said = check(so)
    assert status == 1, said
    assert [(c["kind"], c["subject"], c["missing"], c["symbols"]) for c in report["causes"]] == [
        ("symbol-missing", str(so), "a@V1", ["a"])]


def test_parts_of_another_build(check, tmp_path):  # noqa: F811
    """Everything that the loader lacks for a C library of another build is named, though it is only called."""
    loader = tmp_path / "ld.so"
    shutil.copy(os.path.join(cached_root("trixie"), "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"), loader)
    prog = build(tmp_path / "prog", "int main(void) { return 0; }", f"-Wl,--dynamic-linker,{loader}")
    status, report, said = check(prog)
    assert status == 1, said
    cause, = report["causes"]
    words = subprocess.run(["env", "-i", "LD_WARN=1", "LD_TRACE_LOADED_OBJECTS=1", "LD_BIND_NOW=1", prog],
                           capture_output=True, text=True, timeout=HANGS_AFTER)
    lacked = {line.split("undefined symbol: ")[1].split(",")[0]
              for line in (words.stdout + words.stderr).splitlines() if "undefined symbol: " in line}
    assert cause["kind"] == "loader-libc-skew" and lacked and set(cause["symbols"]) == lacked


def test_version_that_no_symbol_carries(check, tmp_path):  # noqa: F811
    """Packed relocations want glibc 2.36, whatever symbols are used."""
    source = "static int x; int *y[] = {&x, &x, &x}; int main(void) { return y[1] == 0; }"
    flags = {"packed": ["-Wl,-z,pack-relative-relocs"], "plain": []}
    for name, words in flags.items():
        status, report, said = check(build(tmp_path / name, source, *words))
        assert (status, report["causes"]) == (0, []), said
        want, = (row for row in report["wants"] if row["of"] == "glibc")
        assert (want["version"] == "GLIBC_ABI_DT_RELR") == (name == "packed")
        assert (report["files"][0]["libc"] == "glibc 2.36") == (name == "packed")
        assert name == "plain" or want["systems"].startswith("Debian 12, Ubuntu 24.04")


def test_versions_and_their_providers(check, tmp_path):  # noqa: F811
    prog = build(tmp_path / "prog", "#include <stdio.h>\nint main(void) { return puts(\"\") < 0; }")
    _, report, _ = check(prog)
    own = [row for row in report["versions"] if row["by"] == str(prog)]
    assert own and all(row["library"] == "libc.so.6" and row["strength"] == "strong" and row["of"] == str(prog)
                       and row["version"].startswith("GLIBC_") and row["provider"].endswith("/libc.so.6") for row in own)


@pytest.mark.parametrize("how", ["run path", "variable"])
def test_rights_of_another(check, tmp_path, how):  # noqa: F811
    """A program with another's rights is not led by the environment, nor to where only $ORIGIN leads (ld.so(8))."""
    so = library(tmp_path / "l/libx.so.1")
    prog = build(tmp_path / "prog", "int f(void); int main(void) { return f() == 0; }", so,
                 *(["-Wl,-rpath,$ORIGIN/l"] if how == "run path" else []))
    env = {"LD_LIBRARY_PATH": str(tmp_path / "l")} if how == "variable" else {}
    assert check(prog, env=env)[0] == 0
    os.chown(prog, 65534 if os.getuid() == 0 else os.getuid(), -1)
    prog.chmod(0o4755)
    status, report, said = check(prog, env=env)
    if os.getuid() != 0:
        assert status == 0, said
        return
    assert [(c["kind"], c["subject"], c["missing"]) for c in report["causes"]] == [
        ("library-off-path", str(prog), "libx.so.1")], said


@pytest.mark.parametrize("flag", ["-Wl,-F", "-Wl,-f"])
def test_filter(check, tmp_path, flag):  # noqa: F811
    """What a library is a filter of is asked before it; without it one of the two kinds does not load."""
    behind = library(tmp_path / "libbehind.so.1", "int f(void) { return 0; } int more(void) { return 0; }")
    front = library(tmp_path / "libfront.so.1", "int f(void) { return 1; }", f"{flag},libbehind.so.1", HERE)
    prog = build(tmp_path / "prog", "int f(void); int more(void); int main(void) { return f() + more(); }", front, behind, HERE,
                 "-Wl,-z,now", "-Wl,--as-needed")
    subprocess.run(["patchelf", "--remove-needed", "libbehind.so.1", prog], check=True, stderr=subprocess.DEVNULL)
    for there in (True, False):
        if not there:
            behind.unlink()
        ran = subprocess.run([prog], stderr=subprocess.PIPE, text=True, timeout=HANGS_AFTER)
        status, report, said = check(prog)
        assert (status, ran.returncode) == ((0, 0) if there else (1, 127)), said + ran.stderr
        assert [(c["kind"], c["subject"], c["missing"]) for c in report["causes"]] == (
            [] if there else [("library-missing", str(front), "libbehind.so.1")] if flag == "-Wl,-F" else
            [("symbol-missing", str(prog), "more")]), said


@pytest.mark.parametrize("ways, kind, missing", [
    (["--remove-needed libx.so.1"], "symbol-missing", "f@V1"),
    (["--replace-needed libx.so.1 libplain.so.1"], "symbol-version-missing", "V1"),
    (["--remove-needed libx.so.1", "--add-needed libplain.so.1"], "symbol-missing", "f@V1"),
    (["--add-needed libplain.so.1"], None, None),
])
def test_assertions_of_the_loader(check, tool, tmp_path, ways, kind, missing):  # noqa: F811
    """A version of a library that is not loaded, or has none at all: a failed assertion, which names nothing."""
    (tmp_path / "map").write_text("V1 { f; };")
    versioned = library(tmp_path / "libx.so.1", "int f(void) { return 0; }", f"-Wl,--version-script={tmp_path / 'map'}")
    library(tmp_path / "libplain.so.1", "int f(void) { return 0; }")
    prog = build(tmp_path / "prog", "int f(void); int main(void) { return f(); }", versioned, HERE)
    for way in ways:
        subprocess.run(["patchelf", *way.split(), prog], check=True, stderr=subprocess.DEVNULL)
    status, report, said = check(prog)
    told = [(kind, str(prog), missing)] if kind else []
    assert [(c["kind"], c["subject"], c["missing"]) for c in report["causes"]] == told, said
    out = tmp_path / "run.json"
    ran = subprocess.run([tool, "--no-redact", "--no-repro", "-q", "-o", out, "--", prog], timeout=HANGS_AFTER,
                         stderr=subprocess.DEVNULL)
    assert ran.returncode == (127 if kind else 0) and status == bool(kind)
    assert [(c["kind"], c["subject"], c["missing"]) for c in load_report(out)["causes"]] == told


@pytest.mark.parametrize("variable", ["LD_PRELOAD", "LD_AUDIT"])
def test_what_the_loader_goes_on_without(check, tool, tmp_path, variable):  # noqa: F811
    prog = build(tmp_path / "prog", "int main(void) { return 0; }")
    status, report, said = check(prog, env={variable: "libnowhere.so"})
    told = [("environment-wrong", str(prog), f"{variable}=libnowhere.so", "degraded")]
    assert [(c["kind"], c["subject"], c["missing"], c["impact"]) for c in report["causes"]] == told and status == 1
    assert "loads here" in " ".join(said.split()) and report["causes"][0]["words"] is None
    out = tmp_path / "run.json"
    subprocess.run([tool, "--no-redact", "--no-repro", "-q", "-o", out, "-E", f"{variable}=libnowhere.so", "--", prog],
                   timeout=HANGS_AFTER, stderr=subprocess.DEVNULL)
    assert [(c["kind"], c["subject"], c["missing"], c["impact"]) for c in load_report(out)["causes"]] == told
    assert check(tmp_path, env={variable: "libnowhere.so"})[0] == 0  # of the environment, not of the files


PYTHON = pathlib.Path("/usr/bin/python3").resolve()
ABI = "cpython-" + PYTHON.name.removeprefix("python").replace(".", "")


@pytest.mark.parametrize("name, asks, missing", [
    (f"x.{ABI}-x86_64-linux-gnu.so", "PyLong_FromLong", None),
    (f"x.{ABI}-x86_64-linux-gnu.so", "PyNoSuch_Thing", ABI),
    (f"x.{ABI}-x86_64-linux-gnu.so", "of_another_module", None),
    ("x.cpython-36m-x86_64-linux-gnu.so", "PyLong_FromLong", ABI),
    ("x.so", "PyNoSuch_Thing", None),
])
def test_module_of_python(check, tmp_path, name, asks, missing):  # noqa: F811
    """Its name says for which Python it is; that one has what it takes, or no other looks for it."""
    module = library(tmp_path / "site-packages" / name, f"void *{asks}(long); void *PyInit_x(void) {{ return {asks}(0); }}")
    status, report, said = check(module, env={"PATH": "/usr/bin:/bin"})
    assert [(c["kind"], c["subject"], c["missing"]) for c in report["causes"]] == (
        [("module-abi-mismatch", str(module), missing)] if missing else []), said
    assert status == bool(missing)
    if name != "x.so":
        assert report["files"][0]["what"] == "module" and str(PYTHON) in report["files"][0]["verdict"]
    shim = tmp_path / "shims" / "python3.6m"  # pyenv's start any Python
    shim.parent.mkdir()
    for path in (shim, shim.with_name("python3")):
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    if "36m" in name:
        assert check(module, env={"PATH": f"{shim.parent}:/usr/bin:/bin"})[0] == 0
