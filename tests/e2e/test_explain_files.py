"""`glibctrace explain --here` and `--root DIR`: the log of another tool, or words alone, with the files at hand: what is
said is what is said of the run itself, and nothing outside the root is looked at."""

import os
import shutil
import subprocess

import pytest

from conftest import load_report
from test_static import cached_root

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
CALLS = "int dep(void); int main(void) { return dep(); }"
NAMES = ("kind", "subject", "missing", "provider")


@pytest.fixture
def explain(tool, tmp_path):
    def explain(text, *options):
        log = tmp_path / "pasted"
        log.write_text(text)
        out = tmp_path / "explained.json"
        subprocess.run([tool, "explain", "-q", "--no-redact", "-o", out, *options, log], check=False, timeout=60)
        return load_report(out)
    return explain


def traced(tmp_path, *command, env=()):
    log = tmp_path / "log"
    ended = subprocess.run(["strace", "-f", "-o", log, *command], capture_output=True, text=True, timeout=60,
                           env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", **dict(env)})
    return log.read_text(errors="replace"), ended.stderr


def first(report):
    return [report["causes"][0][name] for name in NAMES] if report["causes"] else None


@pytest.fixture
def apart(cc, tmp_path):
    """A program, and its library where nobody looks."""
    library = cc("int dep(void) { return 0; }", "-Wl,-soname,libglibctracetest.so", name="libglibctracetest.so")
    program = cc(CALLS, library, name="prog")
    (tmp_path / "parts").mkdir()
    return program, library.rename(tmp_path / "parts" / library.name)


def test_off_path(run, explain, tmp_path, apart):
    program, library = apart
    live = run("--", program).first
    log, words = traced(tmp_path, program)
    for text in (log, words):
        alone, here = explain(text), explain(text, "--here")
        assert first(alone)[0] == "library-missing" and alone["input"]["files"] == "none"
        assert first(here) == [live[name] for name in NAMES] and live["kind"] == "library-off-path"
        assert here["input"]["files"] == "here"
        assert [one["title"] for one in here["causes"][0]["remedies"]] == [one["title"] for one in live["remedies"]]
    assert any("on this machine" in phrase for phrase in here["unseen"])
    assert here["system"]["libc"]["family"] == "glibc" and here["system"]["kernel"]


def test_a_program_without_its_directory(explain, tmp_path, apart):
    """"./prog": nobody knows where; what stands in our own directory by that name is another."""
    program, library = apart
    report = explain(traced(tmp_path, program)[0].replace(str(program), "./prog"), "--here")
    assert first(report)[:3] == ["library-missing", "./prog", library.name]


def test_a_copy_that_stands_before(run, explain, cc, tmp_path):
    """strace does not show the environment: where the loader looked does."""
    for name, source in (("good", "int dep(void) { return 0; }"), ("wrong", "int other(void) { return 0; }")):
        cc(source, "-Wl,-soname,libglibctracetest.so", name=f"{name}/libglibctracetest.so")
    good, wrong = tmp_path / "good", tmp_path / "wrong"
    program = cc(CALLS, good / "libglibctracetest.so", f"-Wl,-rpath,{good},-z,now", name="prog")
    live = run("--", program, env={"LD_LIBRARY_PATH": wrong}).first
    report = explain(traced(tmp_path, program, env={"LD_LIBRARY_PATH": str(wrong)})[0], "--here")
    assert first(report) == [live[name] for name in NAMES] and live["kind"] == "library-shadowed"
    assert f"LD_LIBRARY_PATH={wrong}" in report["causes"][0]["detail"]


def test_nobody(run, explain, cc, open_to_all, tmp_path):
    """Whose run it was no log of strace's says: a refusal is read as a stranger's."""
    library = cc("int dep(void) { return 0; }", name="libglibctracetest.so", cwd=open_to_all)
    program = cc(CALLS, library, f"-Wl,-rpath,{open_to_all}", name="prog", cwd=open_to_all)
    log, _ = traced(tmp_path, program)
    assert explain(log, "--here")["causes"] == []
    library.chmod(0o640)
    line = f'"{library}", O_RDONLY|O_CLOEXEC) = '
    begin, end = log.split(line, 1)
    refused = f"{begin}{line}-1 EACCES (Permission denied)\n" + "".join(
        f'1 openat(AT_FDCWD, "{place}/{library.name}", O_RDONLY|O_CLOEXEC) = -1 ENOENT (No such file or directory)\n'
        for place in ("/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu"))
    words = f"{program}: error while loading shared libraries: {library.name}: cannot open shared object file: No such file or directory"
    pid = log.split()[0]
    refused = refused.replace("\n1 openat", f"\n{pid} openat") + "".join(
        f"{pid} {rest}\n" for rest in (f'writev(2, [{{iov_base="{words}\\n", iov_len={len(words) + 1}}}], 1) = {len(words) + 1}',
                                       "exit_group(127) = ?", "+++ exited with 127 +++"))
    assert first(explain(refused, "--here"))[::2] == ["permission-denied", str(library)]


def test_a_dangling_link(run, explain, cc, tmp_path, apart):
    program, library = apart
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "tool").symlink_to("tool-1.2")
    command = ["/bin/sh", "-c", f"{tmp_path}/app/tool"]
    live = run("--", *command).first
    report = explain(traced(tmp_path, *command)[0], "--here")
    assert first(report) == [live[name] for name in NAMES] and live["kind"] == "symlink-dangling"


def test_a_healthy_run(explain, tmp_path):
    report = explain(traced(tmp_path, "/bin/sh", "-c", "ls / >/dev/null; cat /nowhere 2>/dev/null; true")[0], "--here")
    assert report["causes"] == []


def test_links_do_not_lead_out_of_a_root(explain, tmp_path, apart):
    program, library = apart
    root = tmp_path / "root"
    (root / "opt").mkdir(parents=True)
    (root / "usr" / "lib").mkdir(parents=True)
    shutil.copy(program, root / "opt" / "prog")
    words = f"/opt/prog: error while loading shared libraries: {library.name}: cannot open shared object file: " \
            "No such file or directory\n"
    for place in ("opt/parts", "usr/lib/parts"):
        (root / place).symlink_to(library.parent)
    assert first(explain(words, "--root", root))[0] == "library-missing"
    (root / "usr" / "lib" / "parts").unlink()
    shutil.copytree(library.parent, root / "usr" / "lib" / "parts")
    assert first(explain(words, "--root", root))[0] == "library-off-path"


IN_THE_ROOT = """set -e
mount --make-rprivate / 2>/dev/null || true
mount --bind "$2" "$1/mnt"
strace -f -o "$2/log" chroot "$1" /mnt/prog 2>"$2/words" || true
for what in log words; do
    "$3" explain -q --root "$1" -o "$2/$what.json" "$2/$what" || true
done
umount "$1/mnt" """


def test_the_root_of_another_system(tool, cc, tmp_path):
    """A program of this system in Debian 11, read with the files of that root."""
    root = cached_root("bullseye")
    work = tmp_path / "work"
    work.mkdir()
    shutil.copy(cc("int main(void) { return 0; }", name="prog"), work)
    enter = ["unshare", "-m", "--propagation", "unchanged"] if os.geteuid() == 0 else ["unshare", "-r", "-m"]
    ended = subprocess.run([*enter, "sh", "-c", IN_THE_ROOT, "enter", root, work, tool], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    for report in (load_report(work / "log.json"), load_report(work / "words.json")):
        assert first(report) == ["symbol-version-missing", "/mnt/prog", "GLIBC_2.34", "/lib/x86_64-linux-gnu/libc.so.6"]
        assert report["system"]["libc"]["version"] == "2.31" and "Debian" in report["system"]["distribution"]
        assert report["input"]["files"] == "root" and report["system"]["context"] == "root"
        assert report["system"]["kernel"] is None
        assert any(str(root) in phrase for phrase in report["unseen"])


@pytest.mark.parametrize("options", [("--root", "/nowhere"), ("--here", "--root", "/usr")])
def test_a_wrong_root(tool, tmp_path, options):
    (tmp_path / "file").write_text("x: command not found\n")
    ended = subprocess.run([tool, "explain", *options, tmp_path / "file"], capture_output=True, text=True)
    assert ended.returncode == 2 and ended.stderr.count("\n") == 1
