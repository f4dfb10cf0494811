"""The report's "system": which C library the process that failed runs on, told from its memory; in which kind of root."""

import os
import pathlib
import shutil
import subprocess

import pytest

from loader_cases import ROOT_OF
from broken import Place
from conftest import load_report
from test_static import cached_root

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="chroot(2) wants root")
IN_MEMORY = "the banner in its memory"
ROOTS = {name: version for version, name in ROOT_OF.items() if name not in (None, "musl")}


def own_release():
    return os.confstr("CS_GNU_LIBC_VERSION").split()[1]


@pytest.fixture
def copy_of(tmp_path):
    """copy_of(name) -> what a shell needs of that root, as a root of the test's own."""

    def build(name):
        root, source = tmp_path / f"root-{name}", cached_root(name)
        for folder in ("bin", "etc", "proc", "tmp"):
            (root / folder).mkdir(parents=True)
        shutil.copy(source / "etc" / "os-release", root / "etc" / "os-release", follow_symlinks=True)
        for folder in ("lib/x86_64-linux-gnu", "lib64"):
            (root / folder).mkdir(parents=True)
            for file in ("libc.so.6", "ld-linux-x86-64.so.2"):
                if (found := (source / folder / file).resolve()).is_relative_to(source) and found.exists():
                    shutil.copy(found, root / folder / file)
        shutil.copy(source / "bin" / "dash", root / "bin" / "dash")
        loader = root / "lib64" / "ld-linux-x86-64.so.2"
        if not loader.exists():
            shutil.copy(next(source.glob("lib/x86_64-linux-gnu/ld-*.so*")).resolve(), loader)
        return root

    return build


def test_host(run):
    libc = run("--", "true").report["system"]["libc"]
    assert (libc["family"], libc["version"], libc["from"]) == ("glibc", own_release(), IN_MEMORY)
    assert pathlib.Path(libc["path"]).name == "libc.so.6"


def test_attached(run, tool, environment, tmp_path):
    with subprocess.Popen(["sh", "-c", "echo ready; read x"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as shell:
        assert shell.stdout.readline() == b"ready\n"
        result = run("--for", "0.2", "-p", shell.pid)
        shell.stdin.close()
    libc = result.report["system"]["libc"]
    assert (libc["version"], libc["from"]) == (own_release(), IN_MEMORY)


@needs_root
@pytest.mark.parametrize("name", ROOTS)
def test_in_a_chroot(run, name):
    system = run("--", "chroot", cached_root(name), "/bin/sh", "-c", "exit 3").report["system"]
    libc = system["libc"]
    assert (system["context"], libc["family"], libc["from"]) == ("chroot", "glibc", IN_MEMORY)
    assert libc["version"] == ROOTS[name]
    assert "Debian GNU/Linux" in system["distribution"]


@needs_root
def test_musl_in_a_chroot(run, tmp_path):
    source = cached_root("musl")
    system = run("--", source / "lib" / "ld-musl-x86_64.so.1").report["system"]
    assert (system["libc"]["family"], system["libc"]["from"]) == ("musl", IN_MEMORY)


@pytest.mark.parametrize("name", ROOTS)
def test_in_a_mount_namespace(run, name):
    root = cached_root(name)
    words = ["bwrap", "--ro-bind", root, "/", "--proc", "/proc", "--dev", "/dev"]
    if subprocess.run([*words, "/bin/sh", "-c", "exit 0"], capture_output=True).returncode:
        words = ["chroot", root]  # inside a chroot: pivot_root(2) wants a mount point to leave
    system = run("--", *words, "/bin/sh", "-c", "/bin/sh /nowhere/script").report["system"]
    libc = system["libc"]
    context = "container" if words[0] == "bwrap" else "chroot"
    assert (system["context"], libc["version"], libc["from"]) == (context, ROOTS[name], IN_MEMORY)


@pytest.mark.parametrize("how", ["replaced", "gone"])
@needs_root
def test_library_that_was_replaced_while_the_process_ran(tool, copy_of, environment, tmp_path, how):
    """What an upgrade does: another file under the old name. The process still has the old one."""
    root = copy_of("bullseye")
    command = ["chroot", root, "/bin/dash", "-c", "echo ready; read x; . /nowhere/settings"]
    report = tmp_path / "report.json"
    with subprocess.Popen([tool, "-q", "-o", report, "--", *command], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()) as traced:
        assert traced.stdout.readline() == b"ready\n"
        old = root / "lib" / "x86_64-linux-gnu" / "libc.so.6"
        if how == "gone":
            old.unlink()
        else:
            new = old.with_name("libc.so.6.new")
            shutil.copy((cached_root("trixie") / "lib" / "x86_64-linux-gnu" / "libc.so.6").resolve(), new)
            new.rename(old)
        traced.communicate(b"x\n")
    found = load_report(report)
    assert [(c["kind"], c["missing"]) for c in found["causes"]] == [("file-missing", "/nowhere/settings")]
    libc = found["system"]["libc"]
    assert libc["version"] == "2.31"
    assert libc["from"].startswith(IN_MEMORY) and "replaced" in libc["from"]


WAITS = r"""
#include <dlfcn.h>
#include <stdio.h>
int main(int argc, char **argv)
{
    if (!dlopen(argv[1], RTLD_NOW)) return 2;
    puts("ready"); fflush(stdout); getchar();
    if (dlopen(argv[2], RTLD_NOW)) return 0;
    fprintf(stderr, "prog: %s\n", dlerror());
    return 1;
}
"""
WAITING = {
    "c": lambda cc: [cc(WAITS, "-ldl")],
    "python": lambda cc: ["/usr/bin/python3", "-c", "import ctypes, sys; ctypes.CDLL(sys.argv[1]); print('ready', flush=True); "
                                                    "input(); ctypes.CDLL(sys.argv[2])"],
    "perl": lambda cc: ["perl", "-MDynaLoader", "-e", "$| = 1; sub load { DynaLoader::dl_load_file($_[0], 0) or die DynaLoader::dl_error() }"
                                                      "load($ARGV[0]); print qq(ready\\n); <STDIN>; load($ARGV[1]); exit 0"],
}


@pytest.mark.parametrize("replaced", [True, False])
@pytest.mark.parametrize("actor", WAITING)
def test_plugin_after_an_upgrade(tool, cc, environment, tmp_path, actor, replaced):
    """A plug-in for the new build of a library, in a process that still has the old one, which no file shows any more."""
    place = Place(tmp_path, cc)
    one, two = (place.versions(name, text) for name, text in (
        ("one", "DEP_1 { global: older; local: *; };"), ("two", "DEP_1 { global: older; local: *; }; DEP_2 { global: dep; };")))
    source = "int older(void) { return 0; } int dep(void) { return 0; }\n"
    new, old = place.library(source, two, where="new"), place.library(source, one if replaced else two)
    plugin = cc("int dep(void); int plugin(void) { return dep(); }\n", new, "-Wl,-rpath,$ORIGIN", name="lib/plugin.so")
    report = tmp_path / "report.json"
    with subprocess.Popen([tool, "-q", "-o", report, "--no-redact", "--", *WAITING[actor](cc), old, plugin],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()) as traced:
        assert traced.stdout.readline() == b"ready\n"
        new.rename(old)
        traced.communicate(b"x\n")
    found = load_report(report)
    if not replaced:
        assert (traced.returncode, found["causes"]) == (0, [])
        return
    assert traced.returncode != 0
    cause, = found["causes"]
    assert (cause["kind"], cause["missing"], cause["impact"]) == ("symbol-version-missing", "DEP_2", "fatal")
    assert (cause["subject"], cause["provider"], cause["symbols"]) == (str(plugin), str(old), ["dep"])
    assert "replaced" in cause["summary"] and "start it again" in cause["remedies"][0]["title"]
    assert found["reproduction"]["status"] == "verified"


@needs_root
@pytest.mark.parametrize("of", ["glibc", "musl"])
def test_musl_loader_that_is_run_itself(run, cc, monkeypatch, of):
    """By its link's target it is called libc.so, and has neither a soname nor a PT_INTERP."""
    loader = cached_root("musl") / "lib" / "ld-musl-x86_64.so.1"
    if of == "musl":
        monkeypatch.setenv("CC", "musl-gcc")
    prog = cc('#include <stdio.h>\nint main(void) { puts("runs"); return 0; }\n', "-D_FORTIFY_SOURCE=2", "-O2", name="prog")
    program = prog if of == "musl" else "/bin/true"
    result = run("--", loader, program)
    if of == "musl":
        assert (result.returncode, result.stdout, result.causes) == (0, "runs\n", [])
        return
    cause, = result.causes
    assert (cause["kind"], cause["subject"], cause["impact"]) == ("libc-family-mismatch", "/bin/true", "fatal")
    assert result.report["system"]["libc"]["family"] == "musl"
