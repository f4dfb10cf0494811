"""`glibctrace check --against`: what a program would lack on another C library is what it fails of when it is run there."""

import json
import os
import pathlib
import shutil
import subprocess

import pytest

from conftest import HANGS_AFTER, TOP, load_report

CLEAN = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
ROOTS = {"bullseye": "2.31", "trixie": "2.41", "forky": None, "musl": None}
ENTER = ["unshare", "-m", "--propagation", "unchanged"] if os.geteuid() == 0 else ["unshare", "-r", "-m"]
RUN = """
mount --make-rprivate / 2>/dev/null || true
mount --bind "$1" "$2/mnt" && mount --rbind /proc "$2/proc"
for name in $3; do
    chroot "$2" "/mnt/$name" >/dev/null 2>"$1/$name.err" </dev/null; echo $? >"$1/$name.status"
done
"""
# What is linked with are libraries that are made here, so that the versions are these wherever the tests run.
SOURCES = {
    "old": "int main(void) { return 0; }",
    "new": 'extern int arc4random(void); int main(void) { return arc4random() == 1; }',
    "newer": 'extern long __isoc23_strtol(const char *, char **, int); int main(void) { return __isoc23_strtol("0", 0, 0); }',
    "weak": 'extern int arc4random(void) __attribute__((weak)); int main(void) { return arc4random && arc4random() == 1; }',
    "carries": "extern int own(void); int main(void) { return own(); }",
    "lacks": "extern int own(void); int main(void) { return own(); }",
    "carried": "extern int own(void); int main(void) { return own(); }",
    "musl": "int main(void) { return 0; }",
    "static": "int main(void) { return 0; }",
}
STUBS = {"new": ("GLIBC_2.36", "arc4random"), "newer": ("GLIBC_2.38", "__isoc23_strtol")}
FAILS_ON = {"new": {"2.17", "2.28", "2.31", "2.35"}, "newer": {"2.17", "2.28", "2.31", "2.35", "2.36"}}


def _cc(directory, *words, compiler="cc"):
    subprocess.run([compiler, "-Wl,--allow-shlib-undefined", *map(str, words)], check=True, cwd=directory)


def _make_weak(file, version):
    """Sets VER_FLG_WEAK of its need for VERSION, which ld does not do."""
    value = 0
    for byte in version.encode():  # elf_hash() of the System V ABI
        value = (value << 4) + byte
        value = (value ^ (value & 0xf0000000) >> 24) & 0xfffffff
    data, need = file.read_bytes(), value.to_bytes(4, "little") + b"\0\0"
    assert data.count(need) == 1
    file.write_bytes(data.replace(need, need[:4] + b"\2\0"))


def _build(folder):
    """Programs that need nothing newer than 2.2.5 but for what is meant: they begin at a _start of their own."""
    start = folder / "start.c"
    start.write_text('void exit(int) __attribute__((noreturn)); int main(void);\n'
                     'void begin(void) { exit(main()); }\n'
                     '__asm__(".globl _start\\n_start: and $-16, %rsp\\n call begin\\n");\n')
    (folder / "own.c").write_text("extern int arc4random(void); int own(void) { return arc4random() == 1; }")
    (folder / "lib").mkdir()
    for name, (version, symbol) in STUBS.items():
        stub = folder / f"stub-{name}"
        stub.mkdir()
        (stub / "map").write_text(f"GLIBC_2.2.5 {{ global: exit; local: *; }};\n{version} {{ global: {symbol}; }} GLIBC_2.2.5;\n")
        (stub / "s.c").write_text(f"void exit(int n) {{ for (;;); }} void {symbol}(void) {{}}")
        _cc(stub, "-shared", "-nostdlib", "-fPIC", "-fno-builtin", "-o", "libstub.so", "s.c", "-Wl,-soname,libc.so.6", "-Wl,--version-script=map")
    plain = ["-nostdlib", "-fno-stack-protector", start]
    _cc(folder, "-shared", "-nostdlib", "-fPIC", "-o", "lib/libagainst.so", "own.c", "stub-new/libstub.so",
        "-Wl,-soname,libagainst.so")
    for name, source in SOURCES.items():
        (folder / f"{name}.c").write_text(source)
        if name == "musl":
            _cc(folder, "-o", name, f"{name}.c", compiler="musl-gcc")
        elif name == "static":
            _cc(folder, "-static", "-o", name, f"{name}.c")
        elif name in ("carries", "lacks", "carried"):
            where = {"carries": ["-Wl,-rpath,$ORIGIN/lib"], "lacks": [], "carried": ["-Wl,-rpath,/mnt/lib"]}[name]
            _cc(folder, *plain, "-o", name, f"{name}.c", "lib/libagainst.so", "stub-new/libstub.so", *where)
        else:
            stub = "newer" if name == "newer" else "new"
            _cc(folder, *plain, "-o", name, f"{name}.c", f"stub-{stub}/libstub.so")
    _make_weak(folder / "weak", "GLIBC_2.36")
    return folder


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = _build(tmp_path_factory.mktemp("against"))
    for path in (folder, *folder.parents[:2]):
        path.chmod(0o755)
    return folder


@pytest.fixture
def check(tool, tmp_path):
    def check(*words):
        out = tmp_path / "r.json"
        out.unlink(missing_ok=True)
        ended = subprocess.run([tool, "check", "--no-redact", "-o", out, *words], capture_output=True, text=True,
                               timeout=HANGS_AFTER, cwd=tmp_path, env=CLEAN)
        return ended.returncode, load_report(out) if out.exists() else None, ended.stdout + ended.stderr
    return check


def _root(name):
    ended = subprocess.run(["bash", TOP / "tests" / "roots.sh", name], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return pathlib.Path(ended.stdout.strip())


def _said(causes):
    return {(cause["kind"], pathlib.Path(cause["subject"]).name, cause["missing"]) for cause in causes}


@pytest.mark.parametrize("name", ROOTS)
def test_as_it_runs_in_the_root(check, built, tmp_path, name):
    """It fails there if and only if it is said to, and of what is said."""
    root = _root(name)
    names = [n for n in SOURCES if n != "carried"]  # its path is another one here
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-r", built, copy], check=True)
    subprocess.run([*ENTER, "sh", "-c", RUN, "run", copy, root, " ".join(names)], check=True, env=CLEAN)
    for program in names:
        ended, words = int((copy / f"{program}.status").read_text()), (copy / f"{program}.err").read_text()
        status, report, said = check(built / program, "--against", root)
        assert (status == 1) == (ended != 0), (program, ended, words, said)
        if not ended:
            assert report["causes"] == []
        elif name == "musl" or program == "musl":
            assert [c["kind"] for c in report["causes"]] == ["libc-family-mismatch"] and ended in (126, 127)
        else:
            cause = report["causes"][0]
            assert cause["missing"] in words and pathlib.Path(cause["subject"]).name in words, (words, said)
            assert cause["chain"][0] == str(built / program) and "this system" not in cause["summary"]


@pytest.mark.parametrize("libc", ["2.17", "2.31", "2.36", "2.41"])
def test_release(check, built, libc):
    for program in ("old", "new", "newer", "weak", "carries", "static"):
        status, report, said = check(built / program, "--against", libc)
        on = "new" if program == "carries" else program
        assert (status == 1) == (libc in FAILS_ON.get(on, ())), said
        if status:
            cause, = report["causes"]
            assert (cause["kind"], cause["provider"]) == ("symbol-version-missing", f"glibc {libc}")
            assert pathlib.Path(cause["subject"]).name == ("libagainst.so" if program == "carries" else program)
            assert cause["missing"] == ("GLIBC_2.38" if program == "newer" else "GLIBC_2.36")
            assert cause["symbols"] == ["__isoc23_strtol" if program == "newer" else "arc4random"]
            assert f"on glibc {libc}" in said and cause["confidence"] > 0.9
        assert report["system"]["libc"] | {"from": ""} == {"family": "glibc", "version": libc, "path": None, "from": ""}


@pytest.mark.parametrize("program", ["new", "newer", "carries"])
def test_release_root_and_file_agree(check, built, program):
    root = _root("bullseye")
    answers = [check(built / program, "--against", against)
               for against in ("2.31", root, root / "lib/x86_64-linux-gnu/libc.so.6", root / "lib/x86_64-linux-gnu")]
    assert [status for status, _, _ in answers] == [1] * 4
    assert len({json.dumps(sorted(_said(report["causes"]))) for _, report, _ in answers}) == 1
    assert answers[2][1]["causes"][0]["provider"] == str(root / "lib/x86_64-linux-gnu/libc.so.6")


@pytest.mark.parametrize("libc,program,missing", [
    ("musl", "old", "libc.so.6"), ("musl", "musl", None), ("musl", "static", None), ("2.41", "musl", "libc.so")])
def test_family(check, built, libc, program, missing):
    status, report, said = check(built / program, "--against", libc)
    assert [(c["kind"], c["missing"]) for c in report["causes"]] == (
        [("libc-family-mismatch", missing)] if missing else []), said
    assert status == (1 if missing else 0)


@pytest.mark.parametrize("symbol,missing", [("getpid", None), ("__snprintf_chk", "__snprintf_chk"), ("__res_search", "libresolv.so.2")])
def test_a_library_for_glibc_on_musl(check, tmp_path, symbol, missing):
    """Of one that takes nothing that only glibc has it is not known: musl stands for libc.so.6 itself."""
    (tmp_path / "l.c").write_text(f"extern int {symbol}(); void *taken = &{symbol};")
    _cc(tmp_path, "-shared", "-fPIC", "-fno-builtin", "-o", "l.so", "l.c", "-Wl,--no-as-needed", *(["-lresolv"] if missing and "lib" in missing else []))
    status, report, said = check(tmp_path / "l.so", "--against", "musl")
    assert [(c["kind"], c["missing"]) for c in report["causes"]] == ([("libc-family-mismatch", missing)] if missing else []), said
    assert status == (1 if missing else 0) and (missing or "whether musl has all that l.so takes" in " ".join(said.split()))


@pytest.mark.parametrize("libc,words", [
    ("2.99", "not known here"), ("3.1", "no release of glibc"), ("/etc/passwd", "no C library"), ("nowhere", "no file"),
    ("/var", "no root of a system")])
def test_no_libc(check, built, libc, words):
    status, report, said = check(built / "old", "--against", libc)
    assert status == 2 and words in said and report is None


@pytest.fixture(scope="module")
def build_dir(built, tmp_path_factory):
    """A build that has its library where a run path of its own names it, and a script that no root has the program of."""
    folder = tmp_path_factory.mktemp("build") / "app-1.0"
    (folder / "bin").mkdir(parents=True)
    for program in ("old", "new", "carries", "lacks"):
        shutil.copy(built / program, folder / "bin")
    shutil.copytree(built / "lib", folder / "bin/lib")
    (folder / "bin/script").write_text("#!/usr/bin/nowhere\n")
    (folder / "bin/good").write_text("#!/bin/sh\n")
    for script in ("script", "good"):
        (folder / "bin" / script).chmod(0o755)
    subprocess.run(["tar", "-czf", folder.parent / "app.tar.gz", "-C", folder, "bin"], check=True)
    return folder


def _places(report, folder):
    """What is said, with the paths below FOLDER as they are in an archive of it."""
    return sorted((c["kind"], c["subject"].removeprefix(f"{folder}/"), c["missing"], c["provider"],
                   c["summary"].replace(f"{folder}/", "")) for c in report["causes"])


def test_directory_and_archive(check, built, build_dir):
    """Against a root: as each file is told of alone, in the same words; so is the same in an archive, from outside the
    root and inside it."""
    root = _root("bullseye")
    status, report, said = check(build_dir, "--against", root)
    assert status == 1
    alone = [check(build_dir / "bin" / name, "--against", root) for name in ("new", "carries", "lacks", "script")]
    assert _places(report, build_dir) == sorted(p for _, r, _ in alone for p in _places(r, build_dir)), said
    assert [(kind, subject, missing) for kind, subject, missing, *_ in _places(report, build_dir)] == [
        ("library-off-path", "bin/lacks", "libagainst.so"), ("script-interpreter-missing", "bin/script", "/usr/bin/nowhere"),
        ("symbol-version-missing", "bin/lib/libagainst.so", "GLIBC_2.36"),
        ("symbol-version-missing", "bin/new", "GLIBC_2.36")]
    assert f"stands near it as {build_dir}/bin/lib/libagainst.so" in said.replace("\n     ", " ")
    assert report["causes"][0]["provider"] and "that system's libc.so.6" in said

    packed = check(build_dir.parent / "app.tar.gz", "--against", root)
    assert packed[0] == 1 and _places(packed[1], build_dir) == _places(report, build_dir)
    assert check(build_dir.parent / "app.tar.gz", "--root", root)[0] == 2  # it is not in there
    inside = root / "tmp" / f"app-{os.getpid()}.tar.gz"
    try:
        shutil.copy(build_dir.parent / "app.tar.gz", inside)
        packed = check(f"/tmp/{inside.name}", "--root", root)
    finally:
        inside.unlink(missing_ok=True)
    assert packed[0] == 1 and _places(packed[1], build_dir) == _places(report, build_dir)


def test_directory_and_archive_on_a_release(check, build_dir):
    answers = [check(build_dir, "--against", "2.31"), check(build_dir.parent / "app.tar.gz", "--against", "2.31")]
    assert [status for status, _, _ in answers] == [1, 1]
    said = [_places(report, build_dir) for _, report, _ in answers]
    assert said[0] == said[1] and [subject for _, subject, *_ in said[0]] == ["bin/lib/libagainst.so", "bin/new"]
    alone = check(build_dir / "bin/new", "--against", "2.31")[1]
    assert _places(alone, build_dir)[0] in said[0]
