"""`glibctrace explain` of strace's output: what the loader did is known by the order of its calls, however short the
words were cut, and what stands in the log nowhere is not made up."""

import shutil
import subprocess

import pytest

from conftest import load_report

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
DEP = "int dep(void) { return 0; }"
USER = "int dep(void); int user(void) { return dep(); }"
# open WORD FILE...: the first that can be opened will do. WORD: q says little, else it says all.
OPENER = r"""
#include <dlfcn.h>
#include <stdio.h>
int main(int argc, char **argv) {
    for (int i = 2; i < argc; i++)
        if (dlopen(argv[i], RTLD_NOW))
            return puts("done"), 0;
    fprintf(stderr, "opener: %s\n", *argv[1] == 'q' ? "plugin failed" : dlerror());
    return 3;
}"""
LIMITED = ["-e", "trace=open,openat,execve"]


@pytest.fixture
def place(cc, tmp_path):
    """A program that opens libraries, and libraries of all sorts."""
    def library(name, source, *flags):
        return cc(source, f"-Wl,-soname,{name}", *flags, name=name)

    cc(OPENER, "-ldl", name="opener")
    gone = library("libgone.so.3", DEP)
    library("needs.so", USER, gone)
    library("libmid.so", USER, gone)
    cc("int user(void); int main(void) { return user(); }", tmp_path / "libmid.so", "-Wl,-rpath," + str(tmp_path),
       "-Wl,--allow-shlib-undefined", name="deep")
    cc("int dep(void); int main(void) { return dep(); }", gone, name="direct")
    gone.unlink()
    library("hole.so", "int hole(void); int dep(void) { return hole(); }")
    (tmp_path / "text.so").write_text("<html>404</html>\n" * 50)
    whole = bytearray(library("sound.so", "static char data[20000] = {1}; char *dep(void) { return data; }").read_bytes())
    (tmp_path / "cut.so").write_bytes(whole[:5000])
    whole[18] = 183
    (tmp_path / "arm.so").write_bytes(whole)
    return tmp_path


@pytest.fixture
def explained(tool, tmp_path):
    def explained(flags, *command, env=None):
        log, out = tmp_path / "log", tmp_path / "explained.json"
        subprocess.run(["strace", *flags, "-o", log, *command], capture_output=True, cwd=tmp_path, timeout=60,
                       env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", **(env or {})})
        subprocess.run([tool, "explain", "-q", "-o", out, log], capture_output=True, timeout=60)
        return load_report(out)["causes"]
    return explained


def shown(cause, *names):
    return tuple(cause[name].rsplit("/", 1)[-1] if cause[name] else None for name in names)


@pytest.mark.parametrize("flags", [[], ["-s", "300"], ["-s", "6"], LIMITED], ids=["plain", "long", "short", "limited"])
@pytest.mark.parametrize("word", ["say", "q"])
def test_what_a_plugin_needs(place, explained, flags, word):
    cause, = explained(flags, place / "opener", word, place / "needs.so")
    assert shown(cause, "kind", "missing", "subject") == ("library-missing", "libgone.so.3", "needs.so")
    assert cause["impact"] == "fatal"


@pytest.mark.parametrize("flags", [[], LIMITED], ids=["plain", "limited"])
def test_what_a_library_needs_at_the_start(place, explained, flags):
    cause, = explained(flags, place / "deep")
    assert shown(cause, "kind", "missing", "subject") == ("library-missing", "libgone.so.3", "libmid.so")


@pytest.mark.parametrize("word", ["say", "q"])
@pytest.mark.parametrize("file,kind,missing", [("text.so", "object-corrupt", "text.so"), ("arm.so", "wrong-architecture", "x86_64")])
def test_what_no_loader_takes(place, explained, word, file, kind, missing):
    cause, = explained([], place / "opener", word, place / file)
    assert shown(cause, "kind", "missing", "provider", "subject") == (kind, missing, file, "opener")


def test_a_library_that_is_cut(place, explained):
    cause, = explained([], place / "opener", "say", place / "cut.so")
    assert shown(cause, "kind", "missing") == ("object-corrupt", "cut.so")


def test_a_symbol_that_the_words_name(place, explained):
    cause, = explained(["-s", "300"], place / "opener", "say", place / "hole.so")
    assert shown(cause, "kind", "missing", "subject") == ("symbol-missing", "hole", "hole.so")


@pytest.mark.parametrize("word", ["say", "q"])
def test_a_symbol_that_they_do_not(place, explained, word):
    cause, = explained([], place / "opener", word, place / "hole.so")
    assert shown(cause, "kind", "missing", "subject") == ("symbol-missing", "...", "hole.so")
    assert cause["confidence"] < 0.5


def test_another_one_would_do(place, explained):
    for flags in ([], ["-s", "6"], LIMITED):
        assert explained(flags, place / "opener", "say", "libnowhere.so.7", place / "hole.so", place / "sound.so") == []


def test_the_loader_run_itself(place, explained):
    loader = next(line.split()[0] for line in subprocess.run(["ldd", "/bin/sh"], capture_output=True, text=True).stdout
                  .splitlines() if line.strip().startswith("/lib"))
    cause, = explained([], loader, "./direct")
    assert shown(cause, "kind", "missing", "subject") == ("library-missing", "libgone.so.3", "direct")


def test_a_variable_put_a_copy_first(cc, place, explained):
    """env(1) looks for its own libraries there, too, and has no RPATH."""
    (place / "good").mkdir()
    (place / "first").mkdir()
    (place / "new.map").write_text("V1 { }; V2 { global: dep; local: *; };")
    (place / "old.map").write_text("V1 { global: dep; };")
    for folder, version in (("good", "new"), ("first", "old")):
        cc(DEP, "-Wl,-soname,libver.so", f"-Wl,--version-script={place / version}.map", name=f"{folder}/libver.so")
    cc("int dep(void); int main(void) { return dep(); }", place / "good/libver.so",
       f"-Wl,--enable-new-dtags,-rpath,{place / 'good'}", name="versioned")
    cause, = explained([], "env", place / "versioned", env={"LD_LIBRARY_PATH": str(place / "first")})
    assert shown(cause, "kind", "missing", "subject", "provider") == ("library-shadowed", "V2", "versioned", "libver.so")
    assert 0.5 <= cause["confidence"] < 0.9


@pytest.mark.parametrize("shell", ["sh", "bash"])
@pytest.mark.parametrize("at,kind", [(18, "wrong-architecture"), (None, "object-corrupt")], ids=["machine", "cut"])
def test_a_shell_looks_at_a_program(place, explained, shell, at, kind):
    whole = bytearray((place / "direct").read_bytes())
    if at:
        whole[at] = 183
    (place / "tool").write_bytes(whole if at else whole[:60])
    (place / "tool").chmod(0o755)
    cause, = explained(["-f"], shell, "-c", "./tool; exit $?")
    assert shown(cause, "kind", "subject") == (kind, "tool")


def test_a_shell_reads_a_script_without_a_first_line(place, explained):
    (place / "script").write_text("exit 0\n")
    (place / "script").chmod(0o755)
    assert explained(["-f"], "sh", "-c", "./script") == []


def test_a_program_that_is_there(place, explained):
    """bash asks for the file, which is there: what it wants to be run by is not, and stands in the log nowhere."""
    (place / "script").write_text("#!/nowhere/python9 -u\n")
    (place / "script").chmod(0o755)
    cause, = explained(["-f"], "bash", "-c", "./script; exit $?")
    assert shown(cause, "kind", "missing", "subject") == ("script-interpreter-missing", "...", "script")
    assert cause["confidence"] < 0.5


MUSL = """\
execve("/opt/prog", ["/opt/prog"], 0x7ffd60463868 /* 3 vars */) = 0
arch_prctl(ARCH_SET_FS, 0x7f22663d1a08) = 0
set_tid_address(0x7f22663d1e70)   = 20283
open("/opt/libdep.so", O_RDONLY|O_LARGEFILE|O_CLOEXEC) = 3
fcntl(3, F_SETFD, FD_CLOEXEC)     = 0
fstat(3, {st_mode=S_IFREG|0755, st_size=13336, ...}) = 0
read(3, "\\177ELF\\2\\1\\1\\0\\0\\0\\0\\0\\0\\0\\0\\0\\3\\0>\\0\\1\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0"..., 960) = 960
mmap(NULL, 16384, PROT_READ, MAP_PRIVATE, 3, 0) = 0x7f2266317000
"""
MUSL_ENDS = {
    "noexec": ("""\
mmap(0x7f2266318000, 4096, PROT_READ|PROT_EXEC, MAP_PRIVATE|MAP_FIXED, 3, 0x1000) = -1 EPERM (Operation not permitted)
munmap(0x7f2266317000, 16384)     = 0
close(3)                          = 0
writev(2, [{iov_base="Error loading shared library lib"..., iov_len=76}, {iov_base="/opt/prog", iov_len=9}], 2) = 85
writev(2, [{iov_base=")", iov_len=1}, {iov_base=NULL, iov_len=0}], 2) = 1
writev(2, [{iov_base="\\n", iov_len=1}, {iov_base=NULL, iov_len=0}], 2) = 1
""", "noexec-mount", "/opt", 0.6),
    "symbol": ("""\
close(3)                          = 0
mprotect(0x7f22663ce000, 4096, PROT_READ) = 0
writev(2, [{iov_base="Error relocating /opt/prog: a_na"..., iov_len=54}, {iov_base=NULL, iov_len=0}], 2) = 54
writev(2, [{iov_base="\\n", iov_len=1}, {iov_base=NULL, iov_len=0}], 2) = 1
""", "symbol-missing", "a_na...", 0.45),
}


@pytest.mark.parametrize("case", MUSL_ENDS)
def test_musl(tool, tmp_path, case):
    text, kind, missing, sure = MUSL_ENDS[case]
    (tmp_path / "log").write_text(MUSL + text + "exit_group(127)                   = ?\n+++ exited with 127 +++\n")
    subprocess.run([tool, "explain", "-q", "-o", tmp_path / "out.json", tmp_path / "log"], capture_output=True, timeout=60)
    cause, = load_report(tmp_path / "out.json")["causes"]
    assert (cause["kind"], cause["missing"], cause["subject"]) == (kind, missing, "/opt/prog")
    assert cause["confidence"] <= sure
