"""Remedies: that they fit what was seen, that those called "tried" were, and that nothing is changed by it.

Where a remedy has a command, the test does to a copy of the case what the report says, and looks whether it helps.
"""

import os
import pathlib
import shutil
import stat
import subprocess

import broken
import pytest

from test_repro import OPENS, _open_up
from test_static import cached_root


def everything(top):
    """What stands below TOP: kinds, modes, owners, contents and targets."""
    seen = {}
    for path in sorted([top, *top.rglob("*")]):
        st = path.lstat()
        content = os.readlink(path) if path.is_symlink() else path.read_bytes() if stat.S_ISREG(st.st_mode) else None
        seen[str(path.relative_to(top))] = (st.st_mode, st.st_uid, st.st_gid, st.st_ino, st.st_mtime_ns, content)
    return seen


@pytest.fixture
def case(tmp_path, cc):
    """Where a case is built, apart from whatever else a test writes."""
    (tmp_path / "case").mkdir()
    return tmp_path / "case"


@pytest.fixture
def unchanged(run, case):
    """run(), and all of the case is byte for byte and bit for bit the same afterwards."""

    def run_(*args, **more):
        before = everything(case)
        result = run(*args, **more)
        assert everything(case) == before
        return result

    return run_


def remedies(result, proof=None):
    return [r for r in result.first["remedies"] if proof in (None, r["proof"])]


def command(result, proof, word):
    """The one command with WORD in it among the remedies of that proof."""
    found = [c for r in remedies(result, proof) for c in r["commands"] if word in c]
    assert len(found) == 1, result.first["remedies"]
    return found[0]


def helps(text, cwd, env, again=None):
    """Does what a remedy says; AGAIN is run after it, unless the command runs the program itself."""
    for words in [text, again]:
        if words:
            done = subprocess.run(["sh", "-c", words], cwd=cwd, env=env({}), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# ---- libraries ----

@pytest.mark.parametrize("position", ["program_itself", "library_of_library", "opened_while_running", "three_shells_deep"])
def test_off_path(unchanged, case, cc, environment, position):
    made = broken.POSITIONS[position](broken.Place(case, cc), "off_path", False)
    result = unchanged("--", *made.command)
    assert result.first["kind"] == "library-off-path"
    line = command(result, "tried", "LD_LIBRARY_PATH=")
    assert f"LD_LIBRARY_PATH={case}/elsewhere " in line
    if position == "program_itself":
        helps(line, case, environment)
        helps(command(result, "tried", "ln -s "), case, environment, again=made.command[0])


def test_off_path_behind_another_directory(unchanged, case, cc, environment):
    """What the variable holds already stays in it."""
    made = broken.program_itself(broken.Place(case, cc), "off_path", False)
    (case / "more").mkdir()
    result = unchanged("--", *made.command, env={"LD_LIBRARY_PATH": case / "more"})
    line = command(result, "tried", "LD_LIBRARY_PATH=")
    assert f"LD_LIBRARY_PATH={case}/elsewhere:{case}/more " in line


def test_off_path_and_no_good(unchanged, case, cc):
    """The copy elsewhere needs something that is nowhere: nobody is sent there."""
    place = broken.Place(case, cc)
    made = broken.program_itself(place, "off_path", False)
    place.library("int gone(void) { return 0; }\n", name="libgone.so.7")
    (case / "lib" / "libgone.so.7").rename(case / "libgone.so.7")
    cc("int gone(void); int dep(void) { return gone(); }\n", "libgone.so.7", broken.SONAME, "-Wl,-z,now",
       name="elsewhere/libdep.so.1", cwd=case)
    (case / "libgone.so.7").unlink()
    result = unchanged("--", *made.command)
    assert result.first["kind"] == "library-off-path"
    assert not any("LD_LIBRARY_PATH" in c for r in remedies(result) for c in r["commands"])
    assert "would not load either" in remedies(result)[0]["title"]


def test_shadowed_by_one_of_several(unchanged, case, cc, environment):
    made = broken.program_itself(broken.Place(case, cc), "shadowed", False)
    for name in ("a", "b"):
        (case / name).mkdir()
    result = unchanged("--", *made.command, env={"LD_LIBRARY_PATH": f"{case}/a:{case}/first/:{case}/b"})
    assert result.first["kind"] == "library-shadowed"
    line = command(result, "tried", "LD_LIBRARY_PATH")
    assert f"LD_LIBRARY_PATH={case}/a:{case}/b " in line
    helps(line, case, environment)


def test_shadowed_by_all_of_it(unchanged, case, cc, environment):
    made = broken.program_itself(broken.Place(case, cc), "shadowed", False)
    result = unchanged("--", *made.command, env=made.expected.env)
    line = command(result, "tried", "LD_LIBRARY_PATH")
    assert line == f"env -u LD_LIBRARY_PATH {made.command[0]}"
    helps(line, case, environment)


def test_shadowed_by_run_path(unchanged, case, cc, environment):
    place = broken.Place(case, cc)
    broken._versioned(place)
    (case / "first").mkdir()
    prog = cc(broken.MAIN.replace("FUNCTION", "dep"), "lib/libdep.so.1", "-Wl,-rpath,$ORIGIN/first:$ORIGIN/lib",
              "-Wl,--enable-new-dtags", name="prog", cwd=case)
    broken._old(place, where="first")
    result = unchanged("--", prog)
    assert result.first["kind"] == "library-shadowed"
    helps(command(result, "tried", "LD_LIBRARY_PATH="), case, environment)
    helps(command(result, "tried", "mv "), case, environment, again=str(prog))


def test_a_copy_elsewhere_has_the_version(unchanged, case, cc, environment):
    place = broken.Place(case, cc)
    made = broken.program_itself(place, "version_missing", False)
    (case / "lib" / "libdep.so.1").rename(case / "kept")
    broken._versioned(place)
    (case / "vendor").mkdir()
    (case / "lib" / "libdep.so.1").rename(case / "vendor" / "libdep.so.1")
    (case / "kept").rename(case / "lib" / "libdep.so.1")
    result = unchanged("--", *made.command)
    assert result.first["kind"] == "symbol-version-missing"
    line = command(result, "tried", "LD_LIBRARY_PATH=")
    assert f"LD_LIBRARY_PATH={case}/vendor " in line
    helps(line, case, environment)


def test_no_copy_elsewhere_has_the_version(unchanged, case, cc):
    place = broken.Place(case, cc)
    made = broken.program_itself(place, "version_missing", False)
    (case / "vendor").mkdir()
    shutil.copy(case / "lib" / "libdep.so.1", case / "vendor")
    result = unchanged("--", *made.command)
    assert result.first["kind"] == "symbol-version-missing"
    assert not any("LD_LIBRARY_PATH" in c for r in remedies(result) for c in r["commands"])


def test_a_link_to_an_older_file(unchanged, case, cc, environment):
    made = broken.program_itself(broken.Place(case, cc), "dangling", True)
    (case / "lib" / "libdep.so.1.2.3").rename(case / "lib" / "libdep.so.1.2.4")
    result = unchanged("--", *made.command)
    assert result.first["kind"] == "symlink-dangling"
    line = command(result, "tried", "ln -sfn")
    assert line == f"ln -sfn libdep.so.1.2.4 {case}/lib/libdep.so.1"
    helps(line, case, environment, again=made.command[0])


def test_another_library_of_nearly_that_name(unchanged, case, cc):
    """libdep.so.2 is no libdep.so.1: no link may lead there."""
    place = broken.Place(case, cc)
    made = broken.program_itself(place, "dangling", False)
    cc("int dep(void) { return 0; }\n", "-Wl,-soname,libdep.so.2", name="lib/libdep.so.2", cwd=case)
    result = unchanged("--", *made.command)
    assert result.first["kind"] == "symlink-dangling"
    assert not any("libdep.so.2" in c for r in remedies(result) for c in r["commands"])
    assert remedies(result, "tried")  # that the target is put back


@pytest.mark.parametrize("way", ["empty", "text", "cut"])
def test_a_sound_copy_of_a_broken_file(unchanged, case, cc, environment, way):
    place = broken.Place(case, cc)
    place.library(broken.SOUND, where="vendor")
    made = broken.program_itself(place, way, False)
    result = unchanged("--", *made.command)
    assert result.first["kind"] == "object-corrupt"
    line = command(result, "tried", "cp ")
    assert line == f"cp {case}/vendor/libdep.so.1 {case}/lib/libdep.so.1"
    helps(line, case, environment, again=made.command[0])


def test_a_copy_for_the_right_machine(unchanged, case, cc, environment):
    place = broken.Place(case, cc)
    place.library(broken.SOUND, where="vendor")
    made = broken.program_itself(place, "wrong_machine", False)
    result = unchanged("--", *made.command)
    assert result.first["kind"] == "wrong-architecture"
    helps(command(result, "tried", "LD_LIBRARY_PATH="), case, environment)


def test_a_symbol_that_a_copy_elsewhere_has(unchanged, case, cc, environment):
    place = broken.Place(case, cc)
    made = broken.program_itself(place, "shadowed", False)  # prog needs dep@DEP_2
    (case / "lib" / "libdep.so.1").rename(case / "kept")
    place.library("int older(void) { return 0; }\n", place.versions("both", "DEP_1 { }; DEP_2 { global: older; local: *; };"))
    (case / "vendor").mkdir()
    (case / "kept").rename(case / "vendor" / "libdep.so.1")
    shutil.rmtree(case / "first")
    result = unchanged("--", *made.command)
    assert (result.first["kind"], result.first["missing"]) == ("symbol-missing", "dep@DEP_2")
    helps(command(result, "tried", "LD_LIBRARY_PATH="), case, environment)


@pytest.mark.parametrize("way", ["static_tls"])
def test_what_is_refused_while_the_program_runs(unchanged, case, cc, environment, way):
    made = broken.opened_while_running(broken.Place(case, cc), way, False)
    result = unchanged("--", *made.command)
    assert result.first["kind"] == "static-tls-exhausted"
    opener, library = made.command
    for word in ("LD_PRELOAD=", "GLIBC_TUNABLES="):
        line = command(result, "tried", word)
        assert line.endswith(f" {opener}")
        helps(f"{line} {library}", case, environment)


@pytest.mark.parametrize("source", [True, False])
def test_an_addon_that_can_be_built(unchanged, case, cc, source):
    """npm builds what came with its sources, and nothing else."""
    place = broken.Place(case, cc)
    (case / "v.map").write_text("GLIBC_9.9 { global: one; local: *; };\n")
    fake = cc("int one(void) { return 0; }\n", "-nostdlib", "-Wl,-soname,libc.so.6",
              f"-Wl,--version-script={case}/v.map", name="fake/libc.so.6", cwd=case.parent)
    addon = cc("int one(void); int two(void) { return one(); }\n", "-nostdlib", fake,
               name="app/node_modules/@scope/thing/build/Release/thing.node", cwd=case)
    if source:
        (case / "app/node_modules/@scope/thing/binding.gyp").write_text("{}")
    result = unchanged("--", cc(broken.OPENER, "-ldl", name="opener", cwd=place.top), addon)
    assert result.first["missing"] == "GLIBC_9.9"
    expected = [f"npm --prefix {case}/app rebuild --build-from-source @scope/thing"] if source else []
    assert [c for r in remedies(result) for c in r["commands"]] == expected


def test_a_program_with_other_rights(unchanged, case, cc):
    """LD_LIBRARY_PATH does not count there, and a directory of nobody in particular must not be written into it."""
    if os.getuid() != 0:
        pytest.skip("takes two users")
    made = broken.program_itself(broken.Place(case, cc), "off_path", False)
    prog = pathlib.Path(made.command[0])
    os.chown(prog, 65534, 65534)
    prog.chmod(0o4755)
    _open_up(case / "elsewhere")
    for path in case.parents:
        if path.stat().st_uid == 0 and not path.stat().st_mode & stat.S_IXOTH:
            path.chmod(path.stat().st_mode | stat.S_IXOTH)
    result = unchanged("--", prog)
    assert result.first["kind"] == "library-off-path"
    assert not [c for r in remedies(result) for c in r["commands"] if "LD_LIBRARY_PATH" in c or "patchelf" in c]
    assert remedies(result)


def test_a_loader_in_a_place_of_its_own(unchanged, case, cc, environment):
    prog = cc("int main(void) { return 0; }", "-Wl,--dynamic-linker=/gnu/store/abc/lib/ld-linux-x86-64.so.2", name="prog",
              cwd=case)
    result = unchanged("--", prog)
    assert result.first["kind"] == "interpreter-missing"
    helps(remedies(result, "modelled")[0]["commands"][0], case, environment)
    command(result, "modelled", "patchelf --set-interpreter")


def test_a_loader_of_no_system(unchanged, case, cc):
    """One of this name is there, but the program needs more than it finds."""
    gone = cc("int gone(void) { return 0; }", "-Wl,-soname,libgone.so.3", name="libgone.so.3", cwd=case)
    prog = cc("int gone(void); int main(void) { return gone(); }", gone,
              "-Wl,--dynamic-linker=/gnu/store/abc/lib/ld-linux-x86-64.so.2", name="prog", cwd=case)
    gone.unlink()
    result = unchanged("--", prog)
    assert result.first["kind"] == "interpreter-missing"
    assert not [c for r in remedies(result) for c in r["commands"]]


# ---- commands ----

@pytest.mark.parametrize("program", [["sh", "-c", "a-tool; exit $?"],
                                     ["/usr/bin/python3", "-c", "import subprocess; subprocess.run(['a-tool'])"],
                                     ["perl", "-e", "exec('a-tool') or die \"a-tool: $!\\n\""]])
def test_a_command_of_the_users_own(unchanged, case, environment, program):
    (case / ".local" / "bin").mkdir(parents=True)
    tool = case / ".local" / "bin" / "a-tool"
    tool.write_text("#!/bin/sh\nexit 0\n")
    tool.chmod(0o644)
    result = unchanged("--", *program, env={"HOME": case, "PATH": "/usr/bin:/bin"})
    assert result.first["kind"] == "command-not-found"
    assert not any("PATH=" in c for r in remedies(result) for c in r["commands"])  # it cannot be run
    tool.chmod(0o755)
    result = unchanged("--", *program, env={"HOME": case, "PATH": "/usr/bin:/bin"})
    assert command(result, "tried" if program[0] == "sh" else "known", "PATH=").startswith(f"PATH=/usr/bin:/bin:{case}/.local/bin ")


# ---- scripts and modes ----

def test_carriage_returns(unchanged, case, environment):
    tool = case / "it's a tool"
    tool.write_bytes(b"#!/bin/sh\r\nexit 0\r\n")
    tool.chmod(0o755)
    result = unchanged("--", tool)
    assert result.first["kind"] == "script-interpreter-missing"
    helps(command(result, "tried", "sed -i"), case, environment, again=f"'{case}/it'\\''s a tool'")


@pytest.mark.parametrize("line", ["#!/opt/nowhere/bin/perl -w", "#! /usr/local/nowhere/perl"])
def test_interpreter_in_another_place(unchanged, case, environment, line):
    tool = case / "tool"
    tool.write_text(f"{line}\nexit 0;\n")
    tool.chmod(0o755)
    result = unchanged("--", tool)
    assert result.first["kind"] == "script-interpreter-missing"
    helps(command(result, "tried", "sed -i"), case, environment, again=str(tool))
    assert tool.read_text().startswith("#!") and tool.read_text().split("\n")[0].endswith(("perl", "perl -w"))


def test_interpreter_nowhere(unchanged, case):
    tool = case / "tool"
    tool.write_text("#!/nowhere/perl-of-the-future\n")
    tool.chmod(0o755)
    result = unchanged("--", tool)
    assert not any(r["commands"] for r in remedies(result))


def test_not_executable(unchanged, case, environment):
    tool = case / "tool"
    tool.write_text("#!/bin/sh\nexit 0\n")
    tool.chmod(0o644)
    result = unchanged("--", tool)
    assert result.first["kind"] == "permission-denied"
    line = command(result, "tried", "chmod ")
    assert line.endswith(f"+x {tool}")
    helps(line, case, environment, again=str(tool))


def test_a_directory_above_is_closed(unchanged, case, cc, tmp_path):
    """The file may be read; the directory may not be entered. No mode of the file is at fault."""
    prog = cc(OPENS, name="prog", cwd=case)
    (case / "closed").mkdir()
    (case / "closed" / "app.conf").write_text("x")
    user = []
    if os.getuid() == 0:
        _open_up(case)
        user = ["-u", "nobody"]
    (case / "closed").chmod(0o600)
    result = unchanged(*user, "--", prog, case / "closed" / "app.conf", env={"HOME": "/"})
    assert result.first["kind"] == "permission-denied"
    line = command(result, "tried", "chmod ")
    assert line == f"chmod u+x {case}/closed"


AT_HOME = r"""
#include <stdio.h>
#include <stdlib.h>
int main(void)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/.app.conf", getenv("HOME"));
    if (fopen(path, "r"))
        return 0;
    perror(path);
    return 1;
}
"""


def test_somebody_elses_home(unchanged, case, cc):
    """HOME was kept from another user: its directory is right to be closed."""
    if os.getuid() != 0:
        pytest.skip("takes two users")
    prog = cc(AT_HOME, name="prog", cwd=case)
    _open_up(case)
    (case / "root").mkdir(mode=0o700)
    (case / "root" / ".app.conf").write_text("x")
    result = unchanged("-u", "nobody", "-E", f"HOME={case}/root", "--", prog)
    assert result.first["kind"] == "environment-wrong"
    assert not any("chmod" in c or "setfacl" in c for r in remedies(result) for c in r["commands"])
    assert any("HOME" in r["title"] for r in remedies(result))


def test_a_file_kept_from_others(unchanged, case, cc):
    """Nobody is told to open a private file to everybody."""
    if os.getuid() != 0:
        pytest.skip("takes two users")
    prog = cc(OPENS, name="prog", cwd=case)
    _open_up(case)
    secret = case / "key.pem"
    secret.write_text("x")
    secret.chmod(0o600)
    result = unchanged("-u", "nobody", "--", prog, secret, env={"HOME": "/"})
    assert command(result, "known", "setfacl") == f"setfacl -m u:nobody:r {secret}"
    assert remedies(result)[0]["risk"]
    os.chown(secret, 0, 4)  # adm
    secret.chmod(0o640)
    result = unchanged("-u", "nobody", "--", prog, secret, env={"HOME": "/"})
    assert command(result, "known", "usermod") == "usermod -aG adm nobody"


@pytest.mark.parametrize("position", ["program_itself", "opened_while_running"])
def test_noexec(run, case, cc, position):
    made = broken.POSITIONS[position](broken.Place(case, cc), "noexec", False)
    result = run("--", *made.command, env=made.expected.env, under=made.expected.under)
    assert result.first["kind"] == "noexec-mount"
    assert command(result, "tried", "mount -o remount,exec") == f"mount -o remount,exec {case}/sealed"
    assert len(remedies(result, "tried")) == 2


@pytest.mark.parametrize("kind", ["file-missing", "symlink-dangling", "symlink-loop"])
def test_files_of_the_program(unchanged, case, cc, kind):
    prog = cc(OPENS, name="prog", cwd=case)
    file = case / "app.conf"
    if kind == "symlink-loop":
        file.symlink_to(file.name)
    elif kind == "symlink-dangling":
        file.symlink_to("gone.conf")
    result = unchanged("--", prog, file)
    assert result.first["kind"] == kind
    assert remedies(result, "tried")


def test_without_a_reproduction_nothing_is_tried(unchanged, case, cc):
    made = broken.program_itself(broken.Place(case, cc), "off_path", False)
    result = unchanged("--no-repro", "--", *made.command)
    assert remedies(result, "modelled") and not remedies(result, "tried")


# ---- versions of the C library ----

STRLCPY = ("unsigned long strlcpy(char *, const char *, unsigned long);\n"
           'int main(void) { char b[4]; return (int)strlcpy(b, "", sizeof b); }\n')


def newer_libc(root, to):
    """All of a root's C library, copied to a directory."""
    to.mkdir(parents=True)
    for file in (root / "lib" / "x86_64-linux-gnu").glob("*.so*"):
        if (found := file.resolve()).is_relative_to(root) and found.exists():
            shutil.copy(found, to / file.name)
    return to


@pytest.fixture
def old_system(case, cc):
    """A program that needs glibc 2.38; this system's is older."""
    libc = newer_libc(cached_root("trixie"), case.parent / "build") / "libc.so.6"
    return cc(STRLCPY, libc, "-Wl,--allow-shlib-undefined", name="prog", cwd=case)


def test_the_oldest_system_that_has_it(unchanged, case, cc, old_system):
    result = unchanged("--", old_system)
    assert (result.first["kind"], result.first["missing"]) == ("symbol-version-missing", "GLIBC_2.38")
    titles = [r["title"] for r in remedies(result)]
    assert any("glibc 2.38 or newer" in t and "Debian 13" in t and "Ubuntu 24.04" in t for t in titles), titles
    assert not any("Debian 12" in t or "Ubuntu 22.04" in t for t in titles)


def test_the_newest_of_all_that_is_lacking(unchanged, case, cc):
    """Two versions at once: the system must have both."""
    (case / "v.map").write_text("GLIBC_2.38 { global: one; local: *; };\nGLIBC_2.43 { global: two; };\n")
    fake = cc("int one(void) { return 0; }\nint two(void) { return 0; }\n", "-nostdlib", "-Wl,-soname,libc.so.6",
              f"-Wl,--version-script={case}/v.map", name="fake/libc.so.6", cwd=case.parent)
    addon = cc("int one(void), two(void); int both(void) { return one() + two(); }\n", "-nostdlib", fake, name="addon.so",
               cwd=case)
    result = unchanged("--", cc(broken.OPENER, "-ldl", name="opener", cwd=case), addon)
    assert result.first["kind"] == "symbol-version-missing"
    titles = [r["title"] for r in remedies(result)]
    assert any("glibc 2.43 or newer" in t and "Debian testing" in t and "Debian 13" not in t for t in titles), titles


def test_a_version_of_no_release(unchanged, case, cc):
    (case / "v.map").write_text("GLIBC_9.9 { global: one; local: *; };\n")
    fake = cc("int one(void) { return 0; }\n", "-nostdlib", "-Wl,-soname,libc.so.6",
              f"-Wl,--version-script={case}/v.map", name="fake/libc.so.6", cwd=case.parent)
    addon = cc("int one(void); int two(void) { return one(); }\n", "-nostdlib", fake, name="addon.so", cwd=case)
    result = unchanged("--", cc(broken.OPENER, "-ldl", name="opener", cwd=case), addon)
    assert (result.first["kind"], result.first["missing"]) == ("symbol-version-missing", "GLIBC_9.9")
    titles = [r["title"] for r in remedies(result)]
    assert any("no system that is known here has it" in t for t in titles)
    assert not any("Debian" in t or "Ubuntu" in t for t in titles)


def test_a_whole_libc_beside_it(unchanged, case, cc, old_system, environment):
    """One that stands there whole, with its loader, does; a libc.so.6 alone does not."""
    (case / "runtime").mkdir()
    shutil.copy(case.parent / "build" / "libc.so.6", case / "runtime")
    result = unchanged("--", old_system)
    assert not [c for r in remedies(result) for c in r["commands"]]
    shutil.rmtree(case / "runtime")
    newer_libc(cached_root("trixie"), case / "runtime")
    result = unchanged("--", old_system)
    line = command(result, "modelled", "--library-path")
    assert line == f"{case}/runtime/ld-linux-x86-64.so.2 --library-path {case}/runtime {old_system}"
    helps(line, case, environment)
