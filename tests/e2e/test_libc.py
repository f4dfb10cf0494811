"""`glibctrace libc`: which C library is really in use, by its memory or by what its loader would find."""

import contextlib
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from conftest import HANGS_AFTER, load_report
from loader_cases import ROOT_OF
from test_static import cached_root
from test_system import copy_of, needs_root, own_release  # noqa: F401 (a fixture)

ROOTS = {name: version for version, name in ROOT_OF.items() if name not in (None, "musl")}
LIBC = pathlib.Path("lib/x86_64-linux-gnu/libc.so.6")
WAITS = ["/bin/sh", "-c", "echo ready; read x"]
C_WAITS = '#include <unistd.h>\nint main(void) { char c; write(1, "ready\\n", 6); return read(0, &c, 1) < 0; }\n'
GO_WAITS = ('package main\n\nimport "os"\n\n'
            'func main() { os.Stdout.WriteString("ready\\n"); os.Stdin.Read(make([]byte, 1)) }\n')


@pytest.fixture
def libc(tool, tmp_path, environment):
    """libc(*words, under=(), env=None) -> (exit status, the checked report.json or None, its two outputs as one)"""
    def ask(*words, under=(), env=None):
        out = tmp_path / "asked" / "r.json"
        out.parent.mkdir(exist_ok=True)
        out.parent.chmod(0o777)
        out.unlink(missing_ok=True)
        ended = subprocess.run([*under, tool, "libc", "--no-redact", "-o", out, *map(str, words)], text=True,
                               capture_output=True, timeout=HANGS_AFTER, cwd=tmp_path, env=environment(env))
        return ended.returncode, load_report(out) if out.exists() else None, ended.stdout + ended.stderr
    return ask


@pytest.fixture
def waiting():
    """waiting(command) -> its Popen, once it has said that it is ready; it ends with the test."""
    with contextlib.ExitStack() as stack:
        def start(*command, **how):
            process = stack.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **how))
            stack.callback(process.stdin.close)
            assert process.stdout.readline() == b"ready\n"
            return process
        yield start


def healthy(answer):
    """The one row of an ANSWER that found nothing wrong, and system.libc, which agrees with it."""
    status, report, text = answer
    assert (status, report["causes"], report["input"]["how"]) == (0, [], "static"), text
    row, said = report["libcs"][0], report["system"]["libc"]
    assert (said["family"], said["version"] or "", said["path"] or "") == (row["family"], row["release"], row["path"])
    assert said["from"] == row["from"] and row["from"] and (row["sure"] > 0) == (row["family"] != "unknown")
    return row


def one_line(answer, status=2):
    assert answer[0] == status and answer[1] is None
    line, = answer[2].splitlines()
    return line


# ---- this system, files ----

def test_this_system_and_its_shell(libc):
    row, shell = healthy(libc()), healthy(libc("/bin/sh"))
    assert (row["family"], row["release"]) == (shell["family"], shell["release"]) == ("glibc", own_release())
    assert "banner" in row["from"] and pathlib.Path(shell["path"]).name == "libc.so.6"


@pytest.mark.parametrize("name", [*ROOTS, "musl"])
def test_a_root_and_a_program_in_it(libc, name):
    root = cached_root(name)
    row, inside = healthy(libc(root)), healthy(libc("--root", root))
    family, release = ("musl", row["release"]) if name == "musl" else ("glibc", ROOTS[name])
    assert (row["family"], row["release"]) == (inside["family"], inside["release"]) == (family, release)
    assert re.fullmatch(r"\d+(\.\d+)+", row["release"])
    if name == "musl":
        assert healthy(libc("--root", root, "/bin/busybox"))["family"] == "none"
    else:
        assert healthy(libc("--root", root, "/bin/cat"))["release"] == release


def test_versions_are_a_lower_bound(libc, cc, tmp_path):
    """A libc.so.6 without a banner: what it defines says only that it is no older."""
    script = tmp_path / "map"
    script.write_text("GLIBC_2.2.5 { global: __libc_start_main; local: *; };\n"
                      "GLIBC_2.34 { global: fresh; } GLIBC_2.2.5;\nGLIBC_PRIVATE { global: __libc_early_init; };\n")
    cc("void fresh(void) {}\nvoid __libc_start_main(void) {}\nvoid __libc_early_init(void) {}\n", "-nostdlib", f"-Wl,--version-script={script}",
       "-Wl,-soname,libc.so.6", name="bare/libc.so.6")
    bare = cc("int main(void) { return 0; }\n", f"-Wl,-rpath,{tmp_path}/bare", name="prog")
    status, report, text = libc(bare)
    said = report["system"]["libc"]
    assert (status, said["family"], said["version"], said["path"]) == (0, "glibc", None, f"{tmp_path}/bare/libc.so.6")
    assert report["libcs"][0]["release"] == "at least 2.34" and "at least 2.34" in said["from"]
    assert healthy(libc(cc("int main(void) { return 0; }\n", name="whole")))["release"] == own_release()


@pytest.mark.parametrize("ours", [True, False])
def test_loader_and_libc_of_two_builds(libc, cc, tmp_path, ours):
    """Another root's libc.so.6 by the run path: with this system's loader, and with its own."""
    root = cached_root("trixie")
    (tmp_path / "other").mkdir()
    copy = shutil.copy((root / LIBC).resolve(), tmp_path / "other" / "libc.so.6")
    loader = shutil.copy((root / LIBC.with_name("ld-linux-x86-64.so.2")).resolve(), tmp_path / "other")
    flags = [] if ours else [f"-Wl,--dynamic-linker={loader}"]
    prog = cc("int main(void) { return 0; }\n", f"-Wl,-rpath,{tmp_path}/other", *flags)
    status, report, text = libc(prog)
    assert (report["system"]["libc"]["version"], report["system"]["libc"]["path"]) == (ROOTS["trixie"], str(copy))
    assert (status, [c["kind"] for c in report["causes"]]) == ((1, ["loader-libc-skew"]) if ours else (0, []))
    if ours:
        cause, = report["causes"]
        assert cause["subject"] == str(copy) and pathlib.Path(cause["provider"]).name.startswith("ld-linux")


@pytest.mark.parametrize("command", ["libc", "check"])
def test_an_older_libc_that_hides_the_systems(tool, cc, tmp_path, environment, command):
    """As a run is told: of a version of it that the program lacks, before the two builds."""
    (tmp_path / "old").mkdir()
    copy = shutil.copy((cached_root("bullseye") / LIBC).resolve(), tmp_path / "old" / "libc.so.6")
    prog = cc("int main(void) { return 0; }\n", f"-Wl,-rpath,{tmp_path}/old")
    out = tmp_path / "r.json"
    ended = subprocess.run([tool, command, "-q", "--no-redact", "-o", out, prog], timeout=HANGS_AFTER, env=environment(None))
    cause, = load_report(out)["causes"]
    assert (ended.returncode, cause["kind"], cause["missing"]) == (1, "library-shadowed", "GLIBC_2.34")
    assert (cause["subject"], cause["provider"]) == (str(prog), str(copy))


@pytest.mark.parametrize("directory", ["lib/x86_64-linux-gnu", "usr/lib64"])
def test_a_root_that_has_no_loader(libc, tmp_path, directory):
    (tmp_path / "root" / directory).mkdir(parents=True)
    shutil.copy(pathlib.Path("/", LIBC).resolve(), tmp_path / "root" / directory / "libc.so.6")
    row = healthy(libc("--root", tmp_path / "root"))
    assert (row["family"], row["release"], row["path"]) == ("glibc", own_release(), f"/{directory}/libc.so.6")
    assert "no loader" in row["from"] and row["sure"] <= 80


def test_a_tree_of_programs(libc, cc, tmp_path):
    (tmp_path / "tree" / "deep").mkdir(parents=True)
    (tmp_path / "tree" / "notes.txt").write_text("no program\n")
    for name in ("one", "deep/two"):
        cc("int main(void) { return 0; }\n", name=f"tree/{name}")
    cc("int main(void) { return 0; }\n", "-static", name="tree/deep/static")
    status, report, text = libc(tmp_path / "tree")
    assert status == 0
    rows = {row["family"]: (row["release"], row["of"]) for row in report["libcs"]}
    assert rows == {"glibc": (own_release(), f"2 like {tmp_path}/tree/deep/two"),
                    "none": ("", f"{tmp_path}/tree/deep/static")}


# ---- processes ----

@pytest.mark.parametrize("where", [None, *ROOTS])
@pytest.mark.parametrize("how", ["chroot", "bwrap"])
def test_process(libc, waiting, how, where):
    """By its memory, wherever it lives; the twin (None) lives here."""
    how = how if os.getuid() == 0 else "bwrap"  # chroot(2) wants root
    under = [] if not where else ["chroot", cached_root(where)]
    if how == "bwrap" and where:
        under = ["bwrap", "--ro-bind", cached_root(where), "/", "--proc", "/proc", "--dev", "/dev", "--unshare-pid"]
        if subprocess.run([*under, "/bin/sh", "-c", "exit 0"], capture_output=True).returncode:
            under = ["chroot", cached_root(where)]  # inside a chroot: pivot_root(2) wants a mount point to leave
    process = waiting(*under, *WAITS)
    answer = libc("--tree", process.pid)
    assert answer[0] == 0, answer[2]
    row = answer[1]["libcs"][-1]  # bwrap's child
    assert (row["family"], row["release"], row["how"]) == ("glibc", ROOTS.get(where, own_release()), "memory")
    assert pathlib.Path(row["path"]).name == "libc.so.6" and not row["path"].startswith("/var")
    alone = healthy(libc(row["pid"]))
    assert (alone["release"], alone["path"]) == (row["release"], row["path"])
    if where:
        context = "container" if "bwrap" in under else "chroot"
        assert libc(row["pid"])[1]["system"]["context"] == context


@needs_root
@pytest.mark.parametrize("how", ["replaced", "gone", "same"])
def test_replaced_under_a_running_process(libc, waiting, copy_of, how):  # noqa: F811
    """The memory is believed; what stands at the path now is told. The twin was installed again, and is the same."""
    root = copy_of("bullseye")
    process = waiting("chroot", root, "/bin/dash", "-c", WAITS[2])
    old = root / LIBC
    new = old.with_name("libc.so.6.new")
    shutil.copy((cached_root("trixie") / LIBC).resolve() if how == "replaced" else old, new)
    old.unlink()
    if how != "gone":
        new.rename(old)
    row = healthy(libc(process.pid))
    assert (row["release"], row["how"], row["path"]) == ("2.31", "memory", f"/{LIBC}")
    assert ("replaced" in row["from"]) == (how != "same") == bool(row["note"])
    assert how != "replaced" or "glibc 2.41" in row["note"]


@pytest.mark.parametrize("kind", ["dynamic", "static", "static-pie", "go", "musl"])
def test_kinds_of_programs(libc, waiting, cc, tmp_path, kind):
    """As a process and as a file: a static program has no C library of its own, whatever language it is of."""
    prog = tmp_path / "prog"
    if kind == "go":
        (tmp_path / "prog.go").write_text(GO_WAITS)
        subprocess.run(["go", "build", "-o", prog, "prog.go"], cwd=tmp_path, check=True,
                       env=os.environ | {"CGO_ENABLED": "0", "GO111MODULE": "off", "GOCACHE": str(tmp_path / "cache"),
                                         "HOME": str(tmp_path)})
    elif kind == "musl":
        (tmp_path / "prog.c").write_text(C_WAITS)
        subprocess.run(["musl-gcc", "-o", prog, "prog.c"], cwd=tmp_path, check=True)
    else:
        cc(C_WAITS, *([] if kind == "dynamic" else [f"-{kind}"]))
    family = {"dynamic": "glibc", "musl": "musl"}.get(kind, "none")
    process = waiting(prog)
    for answer in (libc(process.pid), libc(prog)):
        row = healthy(answer)
        assert (row["family"], row["of"], bool(row["release"])) == (family, str(prog), family != "none")
        assert family != "none" or ("static" in row["from"] and ("Go" in row["from"]) == (kind == "go"))
        assert ("a glibc is linked into it" in row["from"]) == kind.startswith("static")
        assert ("being static" in answer[2]) == (family == "none")


def test_a_file_that_is_only_looked_at_is_none(libc, waiting, cc):
    """A static program that has a libc.so.6 mapped to read it; with code it is loaded."""
    looks = cc('#include <fcntl.h>\n#include <sys/mman.h>\n#include <unistd.h>\nint main(int argc, char **argv)\n'
               '{\n  char c;\n  mmap(0, 1 << 20, PROT_READ, MAP_PRIVATE, open(argv[1], O_RDONLY), 0);\n'
               '  write(1, "ready\\n", 6);\n  return read(0, &c, 1) < 0;\n}\n', "-static")
    path = healthy(libc("/bin/sh"))["path"]
    assert healthy(libc(waiting(looks, path).pid))["family"] == "none"


@needs_root
@pytest.mark.parametrize("enters", [True, False])
def test_what_has_entered_another_root_itself(libc, waiting, cc, enters):
    """It keeps what it has loaded: nothing was replaced, though another file stands in its root. The twin stays."""
    prog = cc('#include <unistd.h>\nint main(int argc, char **argv) { char c; if (argc > 1 && chroot(argv[1])) return 1;\n'
              '  write(1, "ready\\n", 6); return read(0, &c, 1) < 0; }\n')
    row = healthy(libc(waiting(prog, *([cached_root("trixie")] if enters else [])).pid))
    assert (row["release"], row["how"]) == (own_release(), "memory") and "replaced" not in row["from"]
    assert ("another root" in row["note"] and "glibc 2.41" in row["note"]) == enters == bool(row["note"])


@pytest.mark.parametrize("second", [True, False])
def test_program_of_a_loader_that_is_run_itself(libc, waiting, cc, tmp_path, second):
    """The program is told, not the loader; and a second C library, which dlmopen(3) brings, beside the first."""
    prog = cc('#define _GNU_SOURCE\n#include <dlfcn.h>\n#include <unistd.h>\nint main(int argc, char **argv) { char c;\n'
              '  if (argc > 1 && !dlmopen(LM_ID_NEWLM, argv[1], RTLD_NOW)) return 1;\n'
              '  write(1, "ready\\n", 6); return read(0, &c, 1) < 0; }\n')
    path = healthy(libc(prog))["path"]
    row = healthy(libc(waiting(healthy(libc(prog))["loader"], prog, *([path] if second else [])).pid))
    assert (row["of"], row["release"]) == (str(prog), own_release())
    assert ("second C library" in row["note"]) == second == bool(row["note"])


# ---- what cannot be answered ----

def test_refusals(libc, waiting, tmp_path):
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert "no process" in one_line(libc(ended.pid))
    assert "no process" in one_line(libc("99999999999999999999"))
    zombie = subprocess.Popen(["sh", "-c", "echo ended"], stdout=subprocess.PIPE)
    assert zombie.stdout.read() == b"ended\n"
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
    assert "has ended" in one_line(libc(zombie.pid))
    zombie.wait()
    (tmp_path / "text").write_text("words\n")
    (tmp_path / "script").write_text("#!/bin/sh\n")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    (tmp_path / "cut").write_bytes(pathlib.Path("/bin/sh").read_bytes()[:4000])
    for name, words in {"text": "no ELF", "script": "script", "empty": "empty", "folder": "no ELF", "cut": "cut",
                        "nowhere": "No such file"}.items():
        assert words in one_line(libc(name))
    status, report, text = libc("/bin/sh", "text")
    assert status == 2 and len(report["libcs"]) == 1 and "no ELF" in text


@needs_root
def test_no_permission(libc, waiting, open_to_all, tool):
    """Of another user's process; the user's own is answered."""
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    ours, theirs = waiting(*WAITS), waiting(*nobody, *WAITS)
    copy = shutil.copy(tool, open_to_all / "glibctrace")

    def ask(pid):
        ended = subprocess.run([*nobody, copy, "libc", str(pid)], capture_output=True, text=True, timeout=HANGS_AFTER)
        return ended.returncode, ended.stdout, ended.stderr
    status, out, err = ask(ours.pid)
    assert (status, out, err.count("\n")) == (2, "", 1) and "may not be looked at" in err
    status, out, err = ask(theirs.pid)
    assert (status, err) == (0, "") and f"glibc {own_release()}" in out and "memory" in out


def test_what_a_person_reads(tool, environment, tmp_path):
    """On standard output, with nothing of the user in it unless asked for."""
    shutil.copy("/bin/sh", tmp_path / "shell")
    text = subprocess.run([tool, "libc", tmp_path / "shell"], capture_output=True, text=True,
                          env=environment({"HOME": str(tmp_path)})).stdout
    assert text.startswith(f"$HOME/shell gets glibc {own_release()} (") and str(tmp_path) not in text
    assert re.search(r"known by +the banner", text)
