"""`glibctrace check`: whether the kernel would execute the file, and what runs a script, as a run of it would tell."""

import os
import pathlib
import subprocess

import pytest

from conftest import HANGS_AFTER, load_report
from test_check_tree import build, check, library  # noqa: F401 (a fixture)

LOADER = "/lib64/ld-linux-x86-64.so.2"


def linked(path, loader):
    return build(path, "int main(void) { return 0; }", f"-Wl,--dynamic-linker,{loader}")


def script(path, line):
    path.write_text(f"#!{line}\nexit 0\n", newline="")
    path.chmod(0o755)
    return path


def loader_copy(top, size=None, mode=0o755):
    path = top / "ld.so"
    path.write_bytes(pathlib.Path(LOADER).read_bytes()[:size])
    path.chmod(mode)
    return path


def other_machine(top):
    path = loader_copy(top)
    data = bytearray(path.read_bytes())
    data[18] = 183
    path.write_bytes(data)
    return path


def text(top):
    path = top / "ld.so"
    path.write_text("this is no loader\n" * 8)
    path.chmod(0o755)
    return path


# how its loader is broken: kind, who is the subject, missing, provider ("L" the loader, "P" the program)
LOADERS = {
    "no x bit": (lambda top: loader_copy(top, mode=0o644), "permission-denied", "L", "L", None),
    "cut off": (lambda top: loader_copy(top, size=3000), "object-corrupt", "P", "L", "L"),
    "text": (text, "object-corrupt", "P", "L", "L"),
    "for another machine": (other_machine, "wrong-architecture", "P", "x86_64", "L"),
    "a directory": (lambda top: pathlib.Path("/usr/lib"), "permission-denied", "L", "L", None),
}


@pytest.mark.parametrize("how", LOADERS)
def test_loader_that_cannot_be_used(check, tool, tmp_path, how):  # noqa: F811
    make, kind, subject, missing, provider = LOADERS[how]
    loader = make(tmp_path)
    prog = linked(tmp_path / "prog", loader)
    named = {"L": str(loader), "P": str(prog)}
    status, report, said = check(prog)
    told = [(kind, named[subject], named.get(missing, missing), named.get(provider))]
    assert [(c["kind"], c["subject"], c["missing"], c["provider"]) for c in report["causes"]] == told, said
    assert status == 1 and "would not load" in said
    if how != "cut off":  # the kernel starts what it can map
        out = tmp_path / "run.json"
        subprocess.run([tool, "--no-redact", "--no-repro", "-q", "-o", out, "--", prog], timeout=HANGS_AFTER)
        assert [(c["kind"], c["subject"], c["missing"], c["provider"]) for c in load_report(out)["causes"]] == told


def test_sound_loader_elsewhere(check, tmp_path):  # noqa: F811
    status, report, said = check(linked(tmp_path / "prog", loader_copy(tmp_path)))
    assert (status, report["causes"]) == (0, []), said


def test_mode_of_a_program(check, tmp_path):  # noqa: F811
    """One that is named must be executable; one of many may be for whoever installs it; a library need not be."""
    prog, so = linked(tmp_path / "d/prog", LOADER), library(tmp_path / "d/libx.so.1")
    prog.chmod(0o644), so.chmod(0o644)
    status, report, said = check(prog)
    assert status == 1, said
    assert [(c["kind"], c["subject"], c["missing"]) for c in report["causes"]] == [
        ("permission-denied", str(prog), str(prog))]
    status, report, said = check(so)
    assert (status, report["causes"], len(report["files"])) == (0, [], 1), said
    status, report, said = check(tmp_path / "d")
    assert (status, report["causes"]) == (0, []), said
    assert [(row["file"], row["mark"]) for row in report["files"]] == [(str(prog), "warning"), (str(so), "good")]
    assert "its mode lets nobody execute it" in said


def test_a_row_each(check, tmp_path):  # noqa: F811
    """A library that may not be executed and does not load is one file."""
    gone = library(tmp_path / "libgone.so.1")
    so = library(tmp_path / "libx.so.1", "int f(void); int g(void) { return f(); }", gone)
    so.chmod(0o644), gone.unlink()
    status, report, said = check(so)
    assert status == 1 and [row["what"] for row in report["files"]] == ["library"], said


@pytest.mark.parametrize("size", [0, 10, 64, 200])
def test_cut_off(check, tmp_path, size):  # noqa: F811
    prog = linked(tmp_path / "prog", LOADER)
    os.truncate(prog, size)
    status, report, said = check(prog)
    assert status == 1, said
    assert [(c["kind"], c["missing"], c["provider"]) for c in report["causes"]] == [
        ("object-corrupt", str(prog), str(prog))]


@pytest.mark.parametrize("content", [b"", b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n", b"\x7fELF\2"])
@pytest.mark.parametrize("name", ["build/Release/a.node", "lib/libx.so.1"])
def test_no_library_of_that_name(check, tmp_path, name, content):  # noqa: F811
    """What is called a library and is none is told of, in a directory as by itself."""
    file = tmp_path / "tree" / name
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    for asked in (tmp_path / "tree", file):
        status, report, said = check(asked)
        assert status == 1, said
        assert [(c["kind"], c["missing"]) for c in report["causes"]] == [("object-corrupt", str(file))]


@pytest.mark.parametrize("content", [b"\xcf\xfa\xed\xfe" + b"x" * 60, b"MZ\x90" + b"x" * 60, b"GROUP ( libc.so.6 )\n",
                                     b"/* GNU ld script */\n", b"\0asm\1\0\0\0", b"!<arch>\n"])
def test_what_others_call_so(check, tmp_path, content):  # noqa: F811
    (tmp_path / "t").mkdir()
    (tmp_path / "t/libx.so").write_bytes(content)
    (tmp_path / "t/README.for-libx.so.3").write_text("see there\n")
    linked(tmp_path / "t/prog", LOADER)
    status, report, said = check(tmp_path / "t")
    assert (status, report["causes"], len(report["files"])) == (0, [], 1), said


# ---- scripts ----

SCRIPTS = {  # first line: kind, subject, missing ("S" the script)
    "/usr/bin/env nonesuch": ("command-not-found", "/usr/bin/env", "nonesuch"),
    "/usr/bin/env -S X=1 nonesuch -x": ("command-not-found", "/usr/bin/env", "nonesuch"),
    "/usr/bin/env sh -e": ("command-not-found", "/usr/bin/env", "sh -e"),
    "/usr/bin/env sh\r": ("script-interpreter-missing", "S", "sh\r"),
    "/usr/lib": ("permission-denied", "/usr/lib", "/usr/lib"),
}


@pytest.mark.parametrize("line", SCRIPTS)
def test_script(check, tmp_path, line):  # noqa: F811
    kind, subject, missing = SCRIPTS[line]
    file = script(tmp_path / "d/s" if (tmp_path / "d").mkdir() is None else None, line)
    for asked in (file, tmp_path / "d"):
        status, report, said = check(asked, env={"PATH": "/usr/bin:/bin"})
        assert status == 1, said
        assert [(c["kind"], c["subject"], c["missing"], c["words"]) for c in report["causes"]] == [
            (kind, str(file) if subject == "S" else subject, missing, None)]


@pytest.mark.parametrize("line", ["/usr/bin/env sh", "/usr/bin/env -S sh -e", "/usr/bin/env -S X=1 sh", "/bin/sh -e ",
                                  "/usr/bin/env -i", "/usr/bin/env /bin/sh", "/usr/bin/env -S \"a b\"",
                                  "/bin/" + "./" * 150 + "sh"])
def test_sound_script(check, tmp_path, line):  # noqa: F811
    (tmp_path / "d").mkdir()
    script(tmp_path / "d/s", line)
    status, report, said = check(tmp_path / "d", env={"PATH": "/usr/bin:/bin"})
    assert (status, report["causes"]) == (0, []), said


def test_program_of_a_script(check, tmp_path):  # noqa: F811
    """What its program fails of, the script does; through another script and env(1), too."""
    (tmp_path / "bin").mkdir()
    gone = library(tmp_path / "libgone.so.1")
    prog = build(tmp_path / "bin/prog", "int f(void); int main(void) { return f(); }", gone)
    gone.unlink()
    script(tmp_path / "inner", "/usr/bin/env prog")
    outer = script(tmp_path / "outer", tmp_path / "inner")
    path = {"PATH": f"{tmp_path}/bin:/usr/bin:/bin"}
    for file in (tmp_path / "inner", outer):
        status, report, said = check(file, env=path)
        assert status == 1, said
        assert [(c["kind"], c["subject"], c["missing"]) for c in report["causes"]] == [
            ("library-missing", str(prog), "libgone.so.1")]
    (tmp_path / "inner").chmod(0o644)
    status, report, said = check(outer, env=path)
    assert [(c["kind"], c["missing"]) for c in report["causes"]] == [("permission-denied", str(tmp_path / "inner"))], said


def test_command_that_the_tree_brings(check, tmp_path):  # noqa: F811
    script(tmp_path / "tool", "/usr/bin/env mine")
    script(tmp_path / "mine", "/bin/sh")
    status, report, said = check(tmp_path)
    assert (status, report["causes"]) == (0, []), said


def _patched(path, size, first=None):
    """A program whose PT_INTERP has another size."""
    build(path, "int main(void) { return 0; }")
    data = bytearray(path.read_bytes())
    header = next(at for at in range(64, 64 + 56 * data[56], 56) if data[at] == 3)
    offset, old = (int.from_bytes(data[at:at + 8], "little") for at in (header + 8, header + 32))
    data[header + 32:header + 40] = size(old).to_bytes(8, "little")
    data[offset] = data[offset] if first is None else first
    path.write_bytes(data)
    return path


def _nested(top, scripts, itself=False):
    """So many scripts, each the program of the next, the first one's is true(1) or the last."""
    names = [top / f"s{k}" for k in range(scripts)]
    for path, program in zip(names, [names[-1] if itself else "/bin/true", *names]):
        script(path, program)
    return names[-1]


REFUSED = {
    "no name of a loader": (lambda top: _patched(top / "prog", lambda size: 0), "object-corrupt", "is empty"),
    "an empty name": (lambda top: _patched(top / "prog", lambda size: size, first=0), "object-corrupt", "is empty"),
    "a name without an end": (lambda top: _patched(top / "prog", lambda size: size - 1), "object-corrupt", "zero byte"),
    "six scripts": (lambda top: _nested(top, 6), "symlink-loop", "five deep"),
    "itself": (lambda top: _nested(top, 1, itself=True), "symlink-loop", "names itself"),
    "text": (lambda top: script(top / "s", text(top)), "object-corrupt", "not an ELF file"),
    "five scripts": (lambda top: _nested(top, 5), None, "loads here"),
}


@pytest.mark.parametrize("how", REFUSED)
def test_what_the_kernel_refuses(check, tool, tmp_path, how):  # noqa: F811
    make, kind, words = REFUSED[how]
    path = make(tmp_path)
    about = str(tmp_path / "ld.so" if how == "text" else path)
    status, report, said = check(path)
    told = [(kind, about, about)] if kind else []
    assert [(c["kind"], c["subject"], c["missing"]) for c in report["causes"]] == told, said
    assert words in " ".join(said.split())  # wherever the lines are broken
    assert status == bool(kind)
    out = tmp_path / "run.json"  # where execve(2) fails there is no shell behind it
    subprocess.run([tool, "--no-redact", "--no-repro", "-q", "-o", out, "--", "setpriv", path], timeout=HANGS_AFTER,
                   env={"PATH": "/usr/bin:/bin"})
    if how != "text":  # execvp(3) gives it to a shell
        assert [(c["kind"], c["subject"], c["missing"]) for c in load_report(out)["causes"]] == told


def test_names_as_the_kernel_has_them(check, tmp_path):  # noqa: F811
    """Below ".." is where the links before it lead; an empty name is none."""
    linked(tmp_path / "real/one/prog", "/nowhere/ld.so")
    (tmp_path / "link").symlink_to("real/one")
    status, report, said = check(f"{tmp_path}/link/../one/prog")
    told, = report["causes"]
    assert (status, told["subject"], told["chain"]) == (1, f"{tmp_path}/real/one/prog", [f"{tmp_path}/real/one/prog"])
    status, report, said = check("")
    assert status == 2 and report is None and "No such file" in said and said.count("\n") == 1
