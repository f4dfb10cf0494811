"""C libraries that do not go together: parts of glibc of different builds, and objects of the other family.

The parts come from the roots of tests/roots.sh, the musl objects from musl-gcc.
"""

import os
import pathlib
import shutil
import subprocess

import pytest

from test_static import cached_root, inside, report_of, static  # noqa: F401  (fixtures)

CALLS = '#include <stdio.h>\nint dep(void);\nint main(void) { puts("started"); return dep(); }\n'
OPENER = r"""
#include <dlfcn.h>
#include <stdio.h>
int main(int argc, char **argv)
{
    if (!dlopen(argv[1], RTLD_NOW))
        fprintf(stderr, "plugin: %s\n", dlerror());
    else
        argc = 3;
    printf("started\n");
    return argc > 2 ? 0 : 1;
}
"""
# Asks for nothing newer than the first release, so that every glibc's loader takes it.
OLD = r"""
extern int puts(const char *);
extern void exit(int);
void _start(void) { __asm__("and $-16, %rsp"); puts("started"); exit(0); }
"""


def _file(root, name):
    """NAME among the libraries of the root (2.31's are in /lib, newer ones in /usr/lib)."""
    for top in ("usr/lib", "lib"):
        path = root / top / "x86_64-linux-gnu" / name
        if path.exists():
            return path.resolve()
    raise AssertionError(f"{root} has no {name}")


@pytest.fixture(scope="session")
def roots():
    return {name: cached_root(name) for name in ("bullseye", "trixie", "forky")}


@pytest.fixture
def bundle(roots, tmp_path):
    """bundle(root, *names): a directory with copies of those libraries, as programs are shipped."""

    def make(root, *names):
        target = tmp_path / f"bundled-{root}"
        target.mkdir(exist_ok=True)
        for name in names:
            shutil.copy(_file(roots[root], name), target / name)
        return target

    return make


def _loader_of(roots, name):
    return str(_file(roots[name], "ld-linux-x86-64.so.2"))


def _only(result):
    assert len(result.causes) == 1, [(c["kind"], c["subject"], c["missing"]) for c in result.causes]
    return result.first


# The loader, the C library put first, and what the loader finds wrong: who lacks what, in whose words.
SKEWS = [
    (None, "bullseye", "__libc_early_init@GLIBC_PRIVATE", "dl-call-libc-early-init", "verified"),
    (None, "trixie", "__tunable_is_initialized@GLIBC_PRIVATE", "__tunable_is_initialized", "verified"),
    (None, "forky", "__tunable_is_initialized@GLIBC_PRIVATE", "__tunable_is_initialized", "verified"),
    ("bullseye", "trixie", "GLIBC_2.35", "GLIBC_2.35", "verified"),
    ("bullseye", "forky", "GLIBC_2.35", "GLIBC_2.35", "verified"),
    ("trixie", "bullseye", "__libc_early_init@GLIBC_PRIVATE", "dl-call-libc-early-init", "verified"),
    ("forky", "bullseye", "__libc_early_init@GLIBC_PRIVATE", "dl-call-libc-early-init", "verified"),
    ("forky", "trixie", "GLIBC_PRIVATE", None, "not-attempted"),
]


@pytest.fixture
def old(cc):
    return cc(OLD, "-nostartfiles", name="old")


@pytest.mark.parametrize("below", [False, True], ids=["directly", "three shells deep"])
@pytest.mark.parametrize("loader, libc, missing, words, reproduction", SKEWS)
def test_libc_of_another_build(run, bundle, roots, old, loader, libc, missing, words, reproduction, below):
    if loader:
        subprocess.run(["patchelf", "--set-interpreter", _loader_of(roots, loader), old], check=True)
    first = bundle(libc, "libc.so.6")
    call = f"LD_LIBRARY_PATH={first} {old}; exit \\$?"
    command = ["sh", "-c", f"sh -c 'sh -c \"{call}\"; exit $?'; exit $?"] if below else [old]
    result = run(*([] if below else ["-E", f"LD_LIBRARY_PATH={first}"]), "--", *command)
    cause = _only(result)
    assert (cause["kind"], cause["missing"], cause["impact"]) == ("loader-libc-skew", missing, "fatal")
    assert {pathlib.Path(cause["subject"]).name, pathlib.Path(cause["provider"]).name} == {
        "libc.so.6", "ld-linux-x86-64.so.2" if loader != "bullseye" else "ld-2.31.so"}
    assert str(first / "libc.so.6") in (cause["subject"], cause["provider"])
    assert cause["confidence"] > 0.85
    assert words is None or words in cause["words"]
    assert result.returncode != 0
    assert result.report["reproduction"]["status"] == reproduction, result.report["reproduction"]


def test_newer_program_with_an_older_libc_first(run, bundle, cc):
    """The loader complains of a version before it finds that the two do not go together; one change mends both."""
    first = bundle("bullseye", "libc.so.6")
    result = run("-E", f"LD_LIBRARY_PATH={first}", "--", cc("int main(void) { return 0; }\n"))
    cause = _only(result)
    assert (cause["kind"], cause["missing"]) == ("library-shadowed", "GLIBC_2.34")
    assert cause["provider"] == str(first / "libc.so.6") and "GLIBC_2.34" in cause["words"]
    assert result.report["reproduction"]["status"] == "verified"


@pytest.mark.parametrize("tags", ["--enable-new-dtags", "--disable-new-dtags"])
def test_by_run_path(run, bundle, old, cc, tags):
    first = bundle("trixie", "libc.so.6")
    prog = cc(OLD, "-nostartfiles", f"-Wl,-rpath,{first}", f"-Wl,{tags}")
    cause = _only(run("--", prog))
    assert (cause["kind"], cause["subject"]) == ("loader-libc-skew", str(first / "libc.so.6"))
    assert cause["missing"] == "__tunable_is_initialized@GLIBC_PRIVATE"


def test_library_that_only_lacks_a_version_is_shadowed(run, cc, tmp_path):
    """libm.so.6 put first lacks what the program needs of it, and asks for nothing itself: no two builds that fight."""
    (tmp_path / "m.map").write_text("GLIBC_2.2.5 { global: older; local: *; };")
    prog = cc("#include <math.h>\nint main(int argc, char **argv) { (void)argv; return pow(argc, 2) > 1; }\n", "-lm",
              "-fno-builtin")
    cc("int older(void) { return 0; }\n", "-Wl,-soname,libm.so.6", f"-Wl,--version-script={tmp_path}/m.map", "-nostdlib",
       name="first/libm.so.6")
    cause = _only(run("-E", f"LD_LIBRARY_PATH={tmp_path}/first", "--", prog))
    assert (cause["kind"], cause["missing"]) == ("library-shadowed", "GLIBC_2.29")


@pytest.mark.parametrize("loader", ["trixie", "forky"])
def test_loader_of_another_build(run, roots, cc, loader):
    """Only PT_INTERP is of another build: it starts, and is ended by a signal without a word of the loader."""
    prog = cc("#include <stdio.h>\nint main(void) { puts(\"started\"); return 0; }\n",
              f"-Wl,--dynamic-linker={_loader_of(roots, loader)}")
    result = run("--", prog)
    cause = _only(result)
    assert (cause["kind"], cause["missing"], cause["impact"]) == ("loader-libc-skew", "GLIBC_PRIVATE", "fatal")
    assert cause["provider"] == _loader_of(roots, loader)


def test_two_builds_that_go_together(run, bundle, roots, old):
    """2.43's libc.so.6 under 2.41's loader: nothing that a simple program does fails."""
    subprocess.run(["patchelf", "--set-interpreter", _loader_of(roots, "trixie"), old], check=True)
    result = run("-E", f"LD_LIBRARY_PATH={bundle('forky', 'libc.so.6')}", "--", old)
    assert (result.returncode, result.stdout, result.causes) == (0, "started\n", [])


@pytest.mark.parametrize("name", ["bullseye", "trixie", "forky"])
def test_all_of_one_build(run, roots, old, name):
    directory = _file(roots[name], "libc.so.6").parent
    result = run("--", _loader_of(roots, name), "--library-path", directory, old)
    assert (result.returncode, result.stdout, result.causes) == (0, "started\n", [])


# A part that came with the program, from another build than the system's: what it asks of the rest.
PARTS = [
    ("bullseye", "libpthread.so.0", "__libc_pthread_init@GLIBC_PRIVATE", "libc.so.6"),
    ("bullseye", "librt.so.1", "GLIBC_PRIVATE", "libpthread.so.0"),
    ("forky", "libm.so.6", "GLIBC_ABI_DT_X86_64_PLT", "libc.so.6"),
    ("bullseye", "libm.so.6", None, None),
    ("trixie", "libm.so.6", None, None),
    ("trixie", "libpthread.so.0", None, None),
]


def _needs(cc, part, kind):
    """A program that needs PART itself, or by a library of its own; or an opener and a library that needs it."""
    if kind == "program":
        prog = cc(CALLS.replace("dep()", "0"))
        subprocess.run(["patchelf", "--add-needed", part, prog], check=True)
        return prog, [prog]
    library = cc("int dep(void) { return 0; }\n", "-Wl,-soname,libdep.so.1", name="libdep.so.1")
    if kind == "library":
        prog = cc(CALLS, library, "-Wl,-rpath,$ORIGIN")
        command = [prog]
    else:
        prog = cc(OPENER, name="opener")
        command = [prog, library] + (["goes-on"] if kind == "survived" else [])
    subprocess.run(["patchelf", "--add-needed", part, library], check=True)
    return prog, command


def test_part_whose_functions_are_never_called(run, bundle, cc):
    """2.31's libdl.so.2 lacks a private symbol of its libc.so.6, but only where it is called, or bound at once."""
    _, command = _needs(cc, "libdl.so.2", "library")
    directory = bundle("bullseye", "libdl.so.2")
    result = run("-E", f"LD_LIBRARY_PATH={directory}", "--", *command)
    assert (result.returncode, result.stdout, result.causes) == (0, "started\n", [])
    result = run("-E", f"LD_LIBRARY_PATH={directory}", "-E", "LD_BIND_NOW=1", "--", *command)
    cause = _only(result)
    assert (cause["kind"], cause["subject"], cause["missing"], cause["impact"]) == (
        "loader-libc-skew", str(directory / "libdl.so.2"), "_dl_vsym@GLIBC_PRIVATE", "fatal")


@pytest.mark.parametrize("kind", ["program", "library", "opened", "survived"])
@pytest.mark.parametrize("root, part, missing, provider", PARTS)
def test_part_of_another_build(run, bundle, cc, root, part, missing, provider, kind):
    _, command = _needs(cc, part, kind)
    directory = bundle(root, part)
    result = run("-E", f"LD_LIBRARY_PATH={directory}", "--", *command)
    if not missing:
        assert (result.returncode, result.stdout, result.causes) == (0, "started\n", [])
        return
    cause = _only(result)
    if "@" in missing and kind in ("opened", "survived"):  # all are bound at once: another one is the first
        missing = next(symbol + "@GLIBC_PRIVATE" for symbol in cause["symbols"] if symbol in cause["words"])
    assert (cause["kind"], cause["subject"], cause["missing"]) == ("loader-libc-skew", str(directory / part), missing)
    assert pathlib.Path(cause["provider"]).name == provider
    assert cause["impact"] == ("degraded" if kind == "survived" else "fatal")
    assert missing.split("@")[0] in cause["words"]
    assert result.report["reproduction"]["status"] == "verified", result.report["reproduction"]


# ---- musl objects in glibc processes ----

@pytest.fixture
def musl_cc(cc, monkeypatch):
    def compile_(*args, **how):
        with monkeypatch.context() as context:
            context.setenv("CC", "musl-gcc")
            return cc(*args, **how)

    return compile_


ADDON = "int dep(void) { return 0; }\nvoid *napi_register_module_v1(void *env, void *exports) { return exports; }\n"
ACTORS = {
    "c": ["./opener", "{path}"],
    "python": ["/usr/bin/python3", "-c", "import ctypes; ctypes.CDLL('{path}')"],
    "node": ["node", "-e", "process.dlopen({{exports: {{}}}}, '{path}')"],
    "three shells deep": ["sh", "-c", "sh -c \"sh -c './opener {path}; exit \\$?'; exit \\$?\"; exit $?"],
}


@pytest.mark.parametrize("flavour", ["musl's own soname", "Alpine's soname", "Alpine's, after another", "made for glibc"])
@pytest.mark.parametrize("actor", ACTORS)
def test_musl_addon(run, cc, musl_cc, tmp_path, actor, flavour):
    make = cc if flavour == "made for glibc" else musl_cc
    addon = make(ADDON, "-Wl,-soname,addon.node", name="addon.node")
    missing = "libc.so"
    if flavour.startswith("Alpine"):
        missing = "libc.musl-x86_64.so.1"
        subprocess.run(["patchelf", "--replace-needed", "libc.so", missing, addon], check=True)
    if flavour.endswith("another"):  # which the loader complains of first
        subprocess.run(["patchelf", "--add-needed", "libvips-cpp.so.42", addon], check=True)
    cc(OPENER, name="opener")
    result = run("--", *[word.format(path=addon) for word in ACTORS[actor]])
    if flavour == "made for glibc":
        assert (result.returncode, result.causes) == (0, [])
        return
    cause = _only(result)
    assert (cause["kind"], cause["subject"], cause["missing"], cause["impact"]) == (
        "libc-family-mismatch", str(addon), missing, "fatal")
    assert "musl" in cause["summary"] and cause["words"]
    assert ("misleading" in result.stderr) == flavour.endswith("another")
    assert result.report["reproduction"]["status"] == "verified", result.report["reproduction"]


def test_musl_addon_survived(run, cc, musl_cc):
    addon = musl_cc(ADDON, name="addon.node")
    result = run("--", cc(OPENER, name="opener"), addon, "goes-on")
    assert result.returncode == 0
    cause = _only(result)
    assert (cause["kind"], cause["missing"], cause["impact"]) == ("libc-family-mismatch", "libc.so", "degraded")


@pytest.mark.parametrize("depth", ["program", "library"])
def test_musl_library_at_the_start(run, cc, musl_cc, tmp_path, depth):
    """Linked into a glibc program by mistake: the program itself, or a library of its own, needs it."""
    addon = musl_cc("int dep(void) { return 0; }\n", "-Wl,-soname,libdep.so.1", name="libdep.so.1")
    how = ["-Wl,-rpath,$ORIGIN", "-Wl,--allow-shlib-undefined"]
    if depth == "library":
        cc("int dep(void);\nint middle(void) { return dep(); }\n", addon, *how, name="libmid.so")
        prog = cc(CALLS.replace("dep", "middle"), tmp_path / "libmid.so", *how)
    else:
        prog = cc(CALLS, addon, *how)
    subprocess.run(["patchelf", "--replace-needed", "libc.so", "libc.musl-x86_64.so.1", addon], check=True)
    result = run("--", prog)
    cause = _only(result)
    assert (cause["kind"], cause["subject"], cause["missing"], cause["impact"]) == (
        "libc-family-mismatch", str(addon), "libc.musl-x86_64.so.1", "fatal")
    assert cause["chain"][-1] == str(addon)
    assert result.report["reproduction"]["status"] == "verified", result.report["reproduction"]


# ---- glibc objects in musl processes ----

FORTIFIED = r"""
#include <string.h>
char block[10];
int dep(int n) { char from[20] = "x"; memcpy(block, from, n + 1); strcpy(block, from); return block[0] != 'x'; }
"""
MUSL_CALLS = "int dep(int);\n#include <stdio.h>\nint main(void) { puts(\"started\"); return dep(0); }\n"
NEEDS = {"a function": (None, "__memcpy_chk"), "the loader": ("ld-linux-x86-64.so.2", "ld-linux-x86-64.so.2"),
         "a part": ("libresolv.so.2", "libresolv.so.2"), "a function, after a library": ("libnowhere.so.3", "__memcpy_chk")}


@pytest.mark.parametrize("what", [*NEEDS, "nothing"])
@pytest.mark.parametrize("how", ["at the start", "opened", "survived"])
def test_glibc_library_in_a_musl_process(run, cc, musl_cc, tmp_path, how, what):
    library = (musl_cc if what == "nothing" else cc)(FORTIFIED, "-O2", "-D_FORTIFY_SOURCE=2", "-Wl,-soname,libdep.so.1",
                                                     "-fno-stack-protector", name="libdep.so.1")
    if how == "at the start":
        command = [musl_cc(MUSL_CALLS, library, "-Wl,-rpath,$ORIGIN", "-Wl,--allow-shlib-undefined")]
    else:
        command = [musl_cc(OPENER, name="opener"), library] + (["goes-on"] if how == "survived" else [])
    if what != "nothing" and NEEDS[what][0]:
        subprocess.run(["patchelf", "--add-needed", NEEDS[what][0], library], check=True)
    result = run("--", *command)
    if what == "nothing":
        assert (result.returncode, result.stdout, result.causes) == (0, "started\n", [])
        return
    cause = _only(result)
    assert (cause["kind"], cause["subject"], cause["missing"]) == (
        "libc-family-mismatch", str(library), NEEDS[what][1])
    assert cause["impact"] == ("degraded" if how == "survived" else "fatal")
    assert cause["words"].startswith(("Error ", "plugin: Error "))
    assert result.report["reproduction"]["status"] == "verified", result.report["reproduction"]


def test_own_library_of_a_glibc_addon_is_just_missing(run, cc, musl_cc):
    """Nothing of glibc's is missed: musl has all that the add-on asks of the C library."""
    library = cc("int dep(void) { return 0; }\n", "-fno-stack-protector", name="libdep.so.1")
    subprocess.run(["patchelf", "--add-needed", "libnowhere.so.3", library], check=True)
    result = run("--", musl_cc(OPENER, name="opener"), library)
    assert (_only(result)["kind"], result.first["missing"]) == ("library-missing", "libnowhere.so.3")


def test_musl_addon_on_a_system_of_musl(inside, musl_cc):
    """The same add-on where its C library is: in musl's own root."""
    os.environ.pop("CC", None)
    addon = musl_cc(ADDON, name="addon.so", cwd=inside.work)
    musl_cc(OPENER, name="opener", cwd=inside.work)
    status, output = inside(cached_root("musl"), ["-o", "/tmp/r.json", "--", "/tmp/opener", f"/tmp/{addon.name}"])
    assert status == 0 and "started" in output, output
    assert report_of(inside)["causes"] == []
