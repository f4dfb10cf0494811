"""`glibctrace sandbox`: a copy that runs on a C library of its own, and nothing else is touched."""

import hashlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from broken import mounted
from conftest import HANGS_AFTER, load_report
from test_check_archive import apk, rpm_zst
from test_static import cached_root

CLEAN = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
# Says on which C library it is, opens a module, converts a text, and starts itself and a program of the system.
PROGRAM = r"""
#include <dlfcn.h>
#include <gnu/libc-version.h>
#include <iconv.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
const char *dep(void);
int main(int argc, char **argv)
{
    char own[4096] = {0}, module[4200];
    ssize_t size = readlink("/proc/self/exe", own, sizeof own - 1);
    void *handle;
    printf("%s %s\n", argc > 1 ? argv[1] : "parent", gnu_get_libc_version());
    if (argc > 1)
        return 0;
    fflush(stdout);
    *strrchr(own, '/') = '\0';
    snprintf(module, sizeof module, "%s/../plugin.so", own);
    handle = dlopen(module, RTLD_NOW);
    if (!handle)
        return fprintf(stderr, "%s\n", dlerror()), 1;
    printf("%s %s\n", dep(), ((const char *(*)(void))dlsym(handle, "plugin"))());
    printf("%s %s\n", iconv_open("UTF-8", "ISO-8859-15") == (iconv_t)-1 ? "no gconv" : "gconv", getpwuid(0) ? "root" : "nobody");
    fflush(stdout);
    strcat(own, "/prog");
    return size < 0 || system("exec \"$SELF\" child") || system("exec /bin/true");
}
"""


def digest(tree):
    return {p: (p.lstat().st_mtime_ns, hashlib.sha256(p.read_bytes()).hexdigest()) for p in sorted(tree.rglob("*")) if p.is_file()}


@pytest.fixture
def sandbox(tool, tmp_path):
    """Runs the subcommand: (its exit status, report.json or None, what it printed)."""
    def sandbox_(*words, env=None, under=()):
        out = tmp_path / "made.json"
        out.unlink(missing_ok=True)
        front = words[:words.index("--")] if "--" in words else words
        ended = subprocess.run([*under, tool, "sandbox", *front, "--no-redact", "-o", out, *words[len(front):]], capture_output=True,
                               text=True, timeout=HANGS_AFTER, cwd=tmp_path, env=CLEAN | (env or {}))
        return ended.returncode, load_report(out) if out.exists() else None, ended.stdout + ended.stderr
    return sandbox_


@pytest.fixture
def app(cc, tmp_path):
    """An application: bin/prog, lib/libdep.so by an absolute RUNPATH, plugin.so with one of its own, a script and links."""
    top = tmp_path / "app"
    for part in ("bin", "lib", "private"):
        (top / part).mkdir(parents=True)
    inner = cc('const char *inner(void) { return "inner"; }', name="libinner.so", cwd=top / "private")
    cc("const char *inner(void); const char *plugin(void) { return inner(); }", inner, "-Wl,-rpath,$ORIGIN/private",
       name="plugin.so", cwd=top)
    dep = cc('const char *dep(void) { return "dep"; }', "-Wl,-soname,libdep.so", name="libdep.so", cwd=top / "lib")
    cc(PROGRAM, dep, f"-Wl,-rpath,{top}/lib", name="prog", cwd=top / "bin")
    (top / "script").write_text("#!/bin/sh\nexit 0\n")
    (top / "script").chmod(0o755)
    (top / "inside").symlink_to(top / "script")
    (top / "outside").symlink_to("/etc/passwd")
    (top / "nowhere").symlink_to("not/there")
    return top


def release(root):
    return {"bullseye": "2.31", "trixie": "2.41"}.get(root) or re.search(
        rb"stable release version (2\.\d+)", (cached_root(root) / "lib/x86_64-linux-gnu/libc.so.6").read_bytes())[1].decode()


@pytest.mark.parametrize("root", ["forky", "trixie"])
def test_an_application(sandbox, tool, app, tmp_path, root):
    before, copy, number = digest(app), tmp_path / "copy", release(root)
    status, report, said = sandbox(app, "-o", copy, "--libc", cached_root(root), "--", "prog",
                                   env={"SELF": str(copy / "app/bin/prog")})
    assert (status, report["causes"]) == (0, []), said
    assert report["runs"] == [{"command": "prog", "status": "exit status 0", "libc": f"{copy}/lib/libc.so.6", "proof": "tried"}]
    assert report["system"]["libc"]["version"] == number and report["input"]["how"] == "static"
    rows = {row["file"]: row for row in report["copied"]}
    assert rows["app/bin/prog"]["interpreter"] == f"{copy}/lib/ld-linux-x86-64.so.2"
    assert rows["app/bin/prog"]["run_path"] == f"$ORIGIN/../../app/lib:$ORIGIN/../../lib:{copy}/lib"
    assert rows["app/plugin.so"]["run_path"] == "$ORIGIN/private:$ORIGIN/../lib"
    assert rows["app/lib/libdep.so"]["run_path"] == "" and all(row["verdict"] == "loads" for row in rows.values())
    assert {"lib/libc.so.6", "lib/libnss_files.so.2"} <= {row["file"] for row in report["libc_files"]}
    env = CLEAN | {"SELF": str(copy / "app/bin/prog"), "LD_LIBRARY_PATH": "/lib/x86_64-linux-gnu"}
    ended = subprocess.run([copy / "run"], env=env, capture_output=True, text=True)
    assert ended.stdout.split("\n")[:4] == [f"parent {number}", "dep inner", "gconv root", f"child {number}"], ended
    assert ended.returncode == 0
    for against in (["--against", "2.17"], ["--against", cached_root("bullseye")], ["--against", "musl"], []):
        checked = subprocess.run([tool, "check", *against, copy], env=CLEAN, capture_output=True, text=True)
        assert checked.returncode == 0, checked.stdout  # it brings its C library along
    assert digest(app) == before
    assert (copy / "app/inside").resolve() == copy / "app/script" and os.readlink(copy / "app/nowhere") == "not/there"
    assert os.readlink(copy / "app/outside") == "/etc/passwd" and os.access(copy / "app/script", os.X_OK)


def package(tmp_path, name, *files):
    """A .deb file that holds FILES of forky's root, each at its place."""
    tree = tmp_path / f"{name}.tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(f"Package: {name}\nVersion: 1\nArchitecture: amd64\nMaintainer: a <a@example>\nDescription: x\n")
    for file in files:
        (tree / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(cached_root("forky") / file, tree / file)
    subprocess.run(["dpkg-deb", "-b", "--root-owner-group", tree, tmp_path / f"-{name}.deb"], check=True, capture_output=True)
    shutil.rmtree(tree)
    return f"-{name}.deb"


def test_packages(sandbox, cc, tmp_path):
    cc("#include <math.h>\n#include <zlib.h>\nint main(int n, char **v) { return !zlibVersion() || fmod(n, 2) != 1; }", "-lm", "-l:libz.so.1")
    libraries = "usr/lib/x86_64-linux-gnu/"
    words = ["--libc", package(tmp_path, "libc", *(libraries + f for f in ("ld-linux-x86-64.so.2", "libc.so.6", "libm.so.6"))),
             "--libc", package(tmp_path, "zlib", libraries + "libz.so.1")]
    status, report, said = sandbox("prog", "-o", "copy", *words, "--", "prog")
    assert (status, report["runs"][0]["proof"], report["system"]["libc"]["version"]) == (0, "tried", release("forky")), said
    assert {row["file"]: row["from"] for row in report["copied"]} == {
        "bin/prog": f"{tmp_path}/prog", "lib/libz.so.1": f"(packages)/{libraries}libz.so.1"}
    (tmp_path / "cut.deb").write_bytes((tmp_path / words[1]).read_bytes()[:5000])
    status, report, said = sandbox("prog", "-o", "copy2", "--libc", "cut.deb")
    assert (status, report, said.count("\n")) == (2, None, 1) and "a broken one" in said
    assert not (tmp_path / "copy2").exists()


@pytest.mark.parametrize("form, ending", [(rpm_zst, "rpm"), (apk, "apk")])
def test_any_archive(sandbox, cc, tmp_path, form, ending):
    """The C library of a package of another system, and a BUILD that is an archive: the same reader has them all."""
    cc("#include <math.h>\nint main(int n, char **v) { return fmod(n, 2) != 1; }", "-lm")
    libraries = "usr/lib/x86_64-linux-gnu/"
    root = cached_root("forky")
    (tmp_path / f"libc.{ending}").write_bytes(form({libraries + f: ((root / libraries / f).read_bytes(), 0o755) for f in (
        "ld-linux-x86-64.so.2", "libc.so.6", "libm.so.6")}))
    (tmp_path / f"app.{ending}").write_bytes(form({"opt/app/prog": ((tmp_path / "prog").read_bytes(), 0o755),
                                                   "opt/app/text": (b"of no program\n", 0o644)}))
    words = [f"app.{ending}", "-o", "copy", "--libc", f"libc.{ending}"]
    status, report, said = sandbox(*words, "--", "prog", env=CLEAN | {"TMPDIR": str(tmp_path)})
    assert (status, report["runs"][0]["proof"], report["system"]["libc"]["version"]) == (0, "tried", release("forky")), said
    assert {row["file"]: row["from"] for row in report["copied"]} == {"app/opt/app/prog": "(unpacked)/app/opt/app/prog"}
    assert (tmp_path / "copy/app/opt/app/text").read_text() == "of no program\n"
    assert not [name for name in os.listdir(tmp_path) if name.startswith("glibctrace-")]


def test_moved(sandbox, app, tmp_path):
    copy, moved = tmp_path / "copy", tmp_path / "moved here"
    assert sandbox(app / "bin" / "prog", "-o", copy, "--libc", cached_root("forky"))[0] == 0
    copy.rename(moved)
    assert subprocess.run([moved / "bin/prog", "direct"], env=CLEAN, capture_output=True, check=False,
                          executable="/usr/bin/env").returncode == 127
    ended = subprocess.run([moved / "run", "by its run"], env=CLEAN, capture_output=True, text=True)
    assert (ended.stdout, ended.returncode) == (f"by its run {release('forky')}\n", 0)
    (tmp_path / "link").symlink_to(moved / "run")
    ended = subprocess.run([tmp_path / "link", "by a link"], env=CLEAN, capture_output=True, text=True)
    assert (ended.stdout, ended.returncode) == (f"by a link {release('forky')}\n", 0)


@pytest.mark.parametrize("long", [False, True])
def test_conversions_are_that_c_librarys_own(sandbox, tmp_path, long):
    """Where DIR's path is short, without run and its variables as well: those here need another C library."""
    top = tempfile.mkdtemp(prefix="s", dir="/tmp")
    try:
        copy = tmp_path / "copy" if long else Path(top, "c")
        status, _, said = sandbox("--root", cached_root("bullseye"), "/usr/bin/iconv", "-o", copy)
        assert status == 0 and ("GCONV_PATH and LOCPATH" in " ".join(said.split())) == long, said
        for start in (copy / "run",) if long else (copy / "run", copy / "bin/iconv"):
            ended = subprocess.run([start, "-f", "cp1252", "-t", "cp850"], input=b"\xe4", env=CLEAN, capture_output=True)
            assert (ended.returncode, ended.stdout) == (0, b"\x84"), ended
    finally:
        shutil.rmtree(top)


@pytest.mark.skipif(os.geteuid() != 0, reason="chroot(2) wants root")
def test_a_newer_systems_programs_here_and_on_an_older_one(sandbox, tmp_path):
    """forky's bash and coreutils, at the same path on this system and in bullseye's root, whose C library they cannot use."""
    forky, old = cached_root("forky"), tmp_path / "old"
    copy = tmp_path / "copy"
    status, report, said = sandbox("--root", forky, "/usr/bin/bash", "/usr/bin/stat", "/usr/bin/sort", "-o", copy,
                                   "--", "stat", "/")  # without --libc: that root's
    assert (status, report["runs"][0]["proof"]) == (0, "tried"), said
    subprocess.run(["cp", "-a", "--reflink=auto", cached_root("bullseye"), old], check=True)
    (old / str(tmp_path)[1:]).mkdir(parents=True)
    subprocess.run(["cp", "-a", copy, f"{old}{copy}"], check=True)
    script = f'"{copy}/bin/stat" -c %F / && printf "b\\na\\n" | "{copy}/run" bin/sort'
    for front in ([], ["/usr/sbin/chroot", old]):
        ended = subprocess.run([*front, copy / "run", "bin/bash", "-c", script], env=CLEAN, capture_output=True, text=True)
        assert (ended.stdout, ended.returncode) == ("directory\na\nb\n", 0), ended.stderr
    alone = subprocess.run(["/usr/sbin/chroot", old, "/usr/bin/env", "LD_TRACE_LOADED_OBJECTS=1", f"{copy}/bin/stat"], env=CLEAN,
                           capture_output=True, text=True)
    assert f"=> {copy}/lib/libc.so.6" in alone.stdout


def test_libraries_that_are_needed_by_an_absolute_path(sandbox, cc, tmp_path):
    """They would be the original's, in the copy as well."""
    inside, outside = tmp_path / "app" / "parts", tmp_path / "outside"
    for folder in inside, outside:
        folder.mkdir(parents=True)
    one = cc("int one(void) { return 1; }", f"-Wl,-soname,{inside}/libone.so", name="libone.so", cwd=inside)
    cc("int one(void); int two(void) { return one(); }", one, f"-Wl,-soname,{outside}/libtwo.so", name="libtwo.so", cwd=outside)
    cc("int one(void); int two(void); int main(void) { return one() - two(); }", one, outside / "libtwo.so", name="prog",
       cwd=tmp_path / "app")
    copy = tmp_path / "copy"
    status, report, said = sandbox(tmp_path / "app", "-o", copy, "--libc", cached_root("forky"), "--", "prog")
    assert (status, report["runs"][0]["proof"]) == (0, "tried"), said
    shutil.rmtree(tmp_path / "app"), shutil.rmtree(outside)
    assert subprocess.run([copy / "run"], env=CLEAN).returncode == 0
    assert subprocess.run([copy / "app/prog"], env=CLEAN).returncode == 0


def test_without_a_libc_it_gets_this_systems(sandbox, cc, tmp_path):
    """For a system that has an older one."""
    prog = cc("int main(void) { return 0; }")
    copy = tmp_path / "copy"
    status, report, said = sandbox(prog, "-o", copy, "--", "prog")
    assert (status, report["runs"][0]["proof"]) == (0, "tried"), said
    assert f"interpreter: {copy}/" in subprocess.run(["readelf", "-lW", copy / "bin" / "prog"], capture_output=True, text=True).stdout


@pytest.mark.parametrize("program", ["gopls", "dlv"])
def test_gos_programs(sandbox, tmp_path, program):
    """Go's linker leaves space before the code, where patchelf puts what the loader wants to write to."""
    status, report, said = sandbox(shutil.which(program), "-o", tmp_path / "copy", "--libc", cached_root("forky"), "--", program,
                                   "version")
    assert (status, report["runs"][0]["proof"]) == (0, "tried"), said


def test_what_would_not_load_is_told(sandbox, cc, tmp_path):
    cc("int dep(void) { return 0; }", "-Wl,-soname,libgone.so.1", name="libgone.so.1")
    prog = cc("int dep(void); int main(void) { return dep(); }", tmp_path / "libgone.so.1", name="prog")
    (tmp_path / "libgone.so.1").unlink()
    status, report, said = sandbox(prog, "-o", tmp_path / "copy", "--libc", cached_root("forky"))
    assert status == 1 and [(c["kind"], c["missing"]) for c in report["causes"]] == [("library-missing", "libgone.so.1")], said
    assert report["runs"][0]["proof"] == "modelled" and report["copied"][0]["verdict"] == "would not load"


def test_what_was_checked_and_seen_is_told_once(sandbox, cc, tmp_path):
    lib = cc("int f(void) { return 0; }", "-Wl,-soname,libf.so", name="libf.so")
    cc("int f(void); int main(void) { return f(); }", lib)
    lib.unlink()
    _, report, said = sandbox("prog", "-o", "copy", "--", "prog")
    (cause,) = report["causes"]
    assert (cause["kind"], cause["missing"]) == ("library-missing", "libf.so") and cause["evidence"], said


def test_where_nothing_may_be_executed(sandbox, cc, tmp_path):
    prog = cc("int main(void) { return 0; }")
    (tmp_path / "m").mkdir()
    status, report, said = sandbox("prog", "-o", "m/copy", under=mounted("noexec", tmp_path / "m", prog))
    assert (status, [(c["kind"], c["missing"]) for c in report["causes"]]) == (1, [("noexec-mount", f"{tmp_path}/m")]), said


def test_a_command_that_fails_is_no_proof(sandbox, cc, tmp_path):
    prog = cc("int main(int argc, char **argv) { return argc; }")
    status, report, said = sandbox(prog, "-o", tmp_path / "copy", "--libc", cached_root("forky"), "--", "prog", "-o", "--")
    assert status == 1 and (report["runs"][0]["status"], report["runs"][0]["proof"]) == ("exit status 3", "failed"), said


@pytest.mark.parametrize("case, words", [
    ("static", "static program"), ("musl", "made for musl"), ("foreign", "for another machine"), ("text", "neither a program"),
    ("full", "no empty directory"), ("no patchelf", "patchelf"), ("no libc", "no glibc for x86_64"), ("no -o", "-o DIR"),
    ("no such command", "none of the programs"), ("script", "is a script"), ("inside", "to stay as it is")])
def test_where_it_cannot_work_nothing_is_made(sandbox, cc, tmp_path, case, words):
    copy, libc, env, command = tmp_path / "copy", ["--libc", cached_root("forky")], {}, []
    build = tmp_path / "prog"
    flags = {"static": ["-static"], "foreign": ["-m32", "-nostdlib", "-static"]}.get(case, [])
    if case in ("text", "script"):
        build.write_text("hello\n" if case == "text" else "#!/bin/sh\n")
    elif case == "musl":
        build = cc("int main(void) { return 0; }", "-Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1")
    else:
        cc("void _start(void) { for (;;); }" if case == "foreign" else "int main(void) { return 0; }", *flags)
    if case == "full":
        copy.mkdir()
        (copy / "mine").touch()
    if case == "no patchelf":
        env = {"PATH": str(tmp_path)}
    if case == "inside":
        build = tmp_path
    if case == "no libc":
        libc = ["--libc", tmp_path]
    if case == "no such command":
        command = ["--", "ls"]
    before = sorted(tmp_path.rglob("*"))
    status, report, said = sandbox(build, *([] if case == "no -o" else ["-o", copy]), *libc, *command, env=env)
    assert (status, report, said.count("\n")) == (2, None, 1) and words in said, said
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("was_there", [False, True])
@pytest.mark.parametrize("way", ["fails", "interrupted"])
def test_a_half_made_copy_is_taken_away(sandbox, app, tmp_path, way, was_there):
    tools = tmp_path / "tools"
    tools.mkdir()
    fake = tools / "patchelf"
    fake.write_text("#!/bin/sh\n" + ('echo "cannot do it" >&2\nexit 1\n' if way == "fails" else "kill -INT $PPID\n"))
    fake.chmod(0o755)
    (app / "private").chmod(0o555)
    copy = tmp_path / "copy"
    if was_there:
        copy.mkdir()
    status, report, said = sandbox(app, "-o", copy, "--libc", cached_root("forky"), env={"PATH": f"{tools}:/usr/bin:/bin"})
    (app / "private").chmod(0o755)
    assert report is None and status == (2 if way == "fails" else -signal.SIGINT)
    assert way == "interrupted" or "cannot do it" in said
    assert copy.exists() == was_there and (not was_there or not list(copy.iterdir()))


def test_a_servers_own_way(sandbox, app, tmp_path):
    script = app / "bin" / "any-server"
    script.write_text('#!/bin/sh\nif [ -n "$VSCODE_SERVER_CUSTOM_GLIBC_LINKER" ]; then exit 0; fi\n')
    script.chmod(0o755)
    copy = tmp_path / "copy"
    report = sandbox(app, "-o", copy, "--libc", cached_root("forky"))[1]
    assert {row["name"]: row["value"] for row in report["variables"]} == {
        "VSCODE_SERVER_CUSTOM_GLIBC_LINKER": f"{copy}/lib/ld-linux-x86-64.so.2",
        "VSCODE_SERVER_CUSTOM_GLIBC_PATH": f"{copy}/lib", "VSCODE_SERVER_PATCHELF_PATH": shutil.which("patchelf", path="/usr/bin:/bin")}


def test_data_of_the_other_system_goes_along(sandbox, cc, tmp_path):
    """What a program names by a path that is long enough for another one; the rest is told, and state stays where it is."""
    root, far = tmp_path / "root", "/opt/" + "far-away/" * 20 + "text"
    for path in (far, "/opt/data/there", "/var/lib/state", "/opt/data/executable"):
        (root / path[1:]).parent.mkdir(parents=True, exist_ok=True)
        (root / path[1:]).write_text("from the other system\n")
    (root / "opt/data/executable").chmod(0o755)
    cc(f"""#include <stdio.h>
        const char much[5000] = "much", far[] = "{far}";
        int main(void) {{
            char line[100]; FILE *file = fopen(far, "r");
            puts(much); puts("/opt/data/there"); puts("/opt/data/neither"); puts("/var/lib/state"); puts("/opt/data/executable");
            return !file || !fgets(line, sizeof line, file) || fputs(line, stdout) < 0; }}""", name="prog", cwd=root)
    before = digest(root)
    status, report, said = sandbox("--root", root, "/prog", "-o", tmp_path / "copy", "--libc", cached_root("forky"), "--", "prog")
    assert (status, report["runs"][0]["proof"]) == (0, "tried"), said
    row, = report["data"]
    assert (row["file"], row["named"], len(row["names"])) == ("bin/prog", far, len(far))
    assert os.path.normpath(row["names"]) == f"{tmp_path}/copy/lib/text"
    assert {row["note"] for row in report["notes"] if "not on this system" in row["note"]} == {
        f"bin/prog names /opt/data/there, which is in {root}, and not on this system; with a shorter path of the copy it would go along",
        f"bin/prog names /var/lib/state, which is in {root}, and not on this system",
        f"bin/prog names /opt/data/executable, which is in {root}, and not on this system"}
    ended = subprocess.run([tmp_path / "copy/bin/prog"], env=CLEAN, capture_output=True, text=True)
    assert ended.returncode == 0 and ended.stdout.endswith("from the other system\n") and digest(root) == before


def test_a_string_table_that_patchelf_put_across_two_segments(tool, cc, tmp_path):
    """Of a program at a fixed address whose table grows beyond the page that is put before it."""
    names = "".join(f"int a_name_that_is_exported_{i}(void) {{ return {i}; }}\n" for i in range(200))
    prog = cc(names + "int main(void) { return 0; }", "-no-pie", "-rdynamic")
    subprocess.run(["patchelf", "--set-rpath", "/" + "x" * 3000, prog], check=True)
    assert subprocess.run([prog], check=False).returncode == 0
    assert subprocess.run([tool, "check", "-q", prog], env=CLEAN).returncode == 0


@pytest.mark.parametrize("old", ["$ORIGIN/lib", "$ORIGIN/lib:/" + "x" * 4000 + "/lib"], ids=["short", "long"])
def test_names_that_are_a_part_of_the_old_run_path(sandbox, cc, tmp_path, old):
    """ld keeps "lib" as the end of the run path alone, and patchelf writes over that."""
    build = tmp_path / "build"
    (build / "lib").mkdir(parents=True)
    lib = cc("int lib(void) { return 0; }", "-Wl,-soname,liblib.so", name="liblib.so", cwd=build / "lib")
    prog = cc("int lib(void); int main(void) { return lib(); }", lib, f"-Wl,-rpath,{old}", name="prog", cwd=build)
    assert old.encode() + b"\0" in prog.read_bytes()
    status, report, _ = sandbox(build, "-o", tmp_path / "copy", "--libc", cached_root("forky"), "--", "prog")
    assert (status, report["runs"][0]["proof"], report["causes"]) == (0, "tried", [])


def test_a_script_of_the_build_is_run_by_the_copys_program(sandbox, app, tmp_path):
    for name, first in ("own", f"#! {app}/bin/prog -x\n"), ("others", "#!/bin/sh\nexit 0\n"):
        (app / name).write_text(first + "rest\n")
        (app / name).chmod(0o755)
    (app / "bin/prog").chmod(0o4755)
    copy = tmp_path / "copy"
    notes = [row["note"] for row in sandbox(app, "-o", copy, "--libc", cached_root("forky"))[1]["notes"]]
    assert (copy / "app/own").read_text() == f"#!{copy}/app/bin/prog -x\nrest\n"
    assert (copy / "app/others").read_text() == (app / "others").read_text()
    assert "app/own is run by the copy's program: its first line names that one" in notes
    assert f"{app}/bin/prog is set-user-ID, and the copy is not: it runs with the rights of its caller" in notes
    assert (app / "bin/prog").stat().st_mode & 0o7777 == 0o4755 and (copy / "app/bin/prog").stat().st_mode & 0o7777 == 0o755


def test_the_words_of_a_command_that_fails_for_its_own_reason(sandbox, cc, tmp_path):
    cc('#include <stdio.h>\nint main(void) { fputs("the licence has expired\\n", stderr); return 3; }', name="prog")
    status, report, said = sandbox("prog", "-o", "copy", "--libc", cached_root("forky"), "--", "prog")
    assert (status, report["runs"][0]["proof"], report["causes"]) == (1, "failed", [])
    assert report["said"] == ["the licence has expired"] and "the licence has expired" in said
