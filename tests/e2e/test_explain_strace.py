"""`glibctrace explain` of strace's output, of every age, flag and damage: what the log says, and nothing more."""

import gzip
import json
import re
import shutil
import subprocess

import pytest

from conftest import load_report

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
CALLS = "int dep(void); int main(void) { return dep(); }"
FLAGS = {"plain": [], "times": ["-tt"], "stamps": ["-ttt", "-T"], "since": ["-r"], "paths": ["-yy", "-v"],
         "short": ["-s", "8"], "whole": ["-s", "4096"], "addresses": ["-i"], "stacks": ["-k"], "seconds": ["-t"]}


@pytest.fixture
def explain(tool, tmp_path):
    def explain(text, how="strace-log"):
        log = tmp_path / "pasted"
        log.write_bytes(text if isinstance(text, bytes) else text.encode())
        out = tmp_path / "explained.json"
        ended = subprocess.run([tool, "explain", "-q", "-o", out, log], capture_output=True, text=True, timeout=60)
        report = load_report(out)
        assert ended.returncode == (1 if report["causes"] else 0), ended.stderr
        assert report["input"]["how"] == how
        return report
    return explain


@pytest.fixture
def gone(cc, tmp_path):
    """A program whose library is not there any more."""
    library = cc("int dep(void) { return 0; }", "-Wl,-soname,libdep.so", name="libdep.so")
    program = cc(CALLS, library, name="prog")
    library.unlink()
    return program


def traced(tmp_path, flags, *command):
    log = tmp_path / "log"
    subprocess.run(["strace", *flags, "-o", log, *command], capture_output=True, env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
                   timeout=60)
    return log.read_text(errors="replace")


def top(report):
    return report["causes"][0] if report["causes"] else {"kind": None, "missing": None}


@pytest.mark.parametrize("flags", FLAGS.values(), ids=FLAGS)
@pytest.mark.parametrize("follow", [[], ["-f"]], ids=["one", "all"])
def test_flags(gone, explain, tmp_path, flags, follow):
    report = explain(traced(tmp_path, [*follow, *flags], gone))
    assert (top(report)["kind"], top(report)["missing"]) == ("library-missing", "libdep.so")
    assert top(report)["impact"] == "fatal" and report["outcome"] == {"status": "exited", "code": 127, "signal": None}


def test_between_the_words_of_the_program(gone, explain, tmp_path):
    """On a terminal both write to the same place, one in the middle of the other's line."""
    ended = subprocess.run(["strace", "-f", gone], capture_output=True, text=True, errors="replace", env={"LC_ALL": "C"})
    assert re.search(r"\d\S*prog: error while", ended.stderr)
    assert top(explain(ended.stderr))["missing"] == "libdep.so"


def test_a_healthy_run_has_no_cause(explain, tmp_path):
    report = explain(traced(tmp_path, ["-f"], "/bin/sh", "-c", "ls / >/dev/null; cat /etc/hostname | sort"))
    assert report["causes"] == [] and report["counts"]["processes"] >= 3


def test_children(explain, tmp_path):
    report = explain(traced(tmp_path, ["-f"], "/bin/bash", "-c", "(exec /bin/cat /nowhere/file); exit 4"))
    assert (top(report)["kind"], top(report)["missing"]) == ("file-missing", "/nowhere/file")
    assert top(report)["process"]["exe"].endswith("/cat")


OLD = """\
execve("./prog", ["./prog"], [/* 31 vars */]) = 0
uname({sys="Linux", node="box", ...})   = 0
brk(0)                                  = 0x804a000
old_mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x40017000
open("/etc/ld.so.preload", O_RDONLY)    = -1 ENOENT (No such file or directory)
open("/etc/ld.so.cache", O_RDONLY)      = 3
fstat64(3, {st_mode=S_IFREG|0644, st_size=20484, ...}) = 0
mmap2(NULL, 20484, PROT_READ, MAP_PRIVATE, 3, 0) = 0x40018000
close(3)                                = 0
open("/lib/libdep.so.1", O_RDONLY)      = -1 ENOENT (No such file or directory)
open("/usr/lib/libdep.so.1", O_RDONLY)  = -1 ENOENT (No such file or directory)
writev(2, [{"./prog", 6}, {": ", 2}, {"error while loading shared libra"..., 36}, {": ", 2}, {"libdep.so.1", 11}, {": ", 2}, {"cannot open shared object file", 30}, {": ", 2}, {"No such file or directory", 25}, {"\\n", 1}], 10) = 116
exit_group(127)                         = ?
"""


def test_old(explain):
    report = explain(OLD)
    assert (top(report)["kind"], top(report)["missing"]) == ("library-missing", "libdep.so.1")
    assert report["outcome"]["code"] == 127


@pytest.mark.parametrize("damage", [
    lambda t: t.replace("\n", "\r\n"),
    lambda t: "".join(f"> {line}\n" for line in t.splitlines()),
    lambda t: f"It fails:\n\n```console\n$ strace ./prog\n{t}```\n\nWhy?\n",
    lambda t: t.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;"),
    lambda t: "".join(f"2024-05-01T10:00:00.1234567Z {line}\n" for line in t.splitlines()),
    lambda t: "".join(f"\033[32m{line}\033[0m\n" for line in t.splitlines()),
    lambda t: "\n".join(line[i:i + 80] for line in t.splitlines() for i in range(0, len(line), 80)),
    lambda t: "\ufeff" + t,
], ids=["crlf", "quoted", "fenced", "html", "stamped", "coloured", "wrapped", "bom"])
def test_damage(explain, damage):
    report = explain(damage(OLD))
    assert (top(report)["kind"], top(report)["missing"]) == ("library-missing", "libdep.so.1")


@pytest.mark.parametrize("pack", [gzip.compress, lambda b: b.decode().encode("utf-16"),
                                  lambda b: b"\xfe\xff" + b.decode().encode("utf-16-be")], ids=["gzip", "utf16", "utf16be"])
def test_packed(explain, pack):
    assert top(explain(pack(OLD.encode())))["missing"] == "libdep.so.1"


def test_a_wrapped_errno(explain):
    text = OLD.replace("= -1 ENOENT (No such file or directory)", "= -1\nENOENT (No such file or\ndirectory)")
    assert top(explain(text))["missing"] == "libdep.so.1"


def test_interrupted_calls(explain):
    report = explain("""\
[pid   101] execve("/usr/bin/make", ["make"], 0x7ffc /* 9 vars */) = 0
[pid   101] vfork( <unfinished ...>
[pid   102] execve("/opt/tool", ["tool", "-x"], 0x7ffc /* 9 vars */ <unfinished ...>
[pid   101] <... vfork resumed>)        = 102
[pid   102] <... execve resumed>)       = 0
[pid   102] brk(NULL)                   = 0x55
[pid   101] wait4(102,  <unfinished ...>
[pid   102] openat(AT_FDCWD, "/etc/locale.alias", O_RDONLY) = 3
[pid   102] openat(AT_FDCWD, "/opt/data/table", O_RDONLY <unfinished ...>
[pid   102] <... openat resumed>)       = -1 EACCES (Permission denied)
[pid   102] write(2, "tool: /opt/data/table: Permission denied\\n", 41) = 41
[pid   102] exit_group(2)               = ?
[pid   102] +++ exited with 2 +++
[pid   101] <... wait4 resumed>[{WIFEXITED(s) && WEXITSTATUS(s) == 2}], 0, NULL) = 102
[pid   101] --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=102, si_uid=0, si_status=2, si_utime=0, si_stime=0} ---
[pid   101] exit_group(2)               = ?
[pid   101] +++ exited with 2 +++
""")
    assert (top(report)["kind"], top(report)["missing"]) == ("permission-denied", "/opt/data/table")
    assert top(report)["process"]["pid"] == 102 and report["counts"]["processes"] == 2


@pytest.mark.parametrize("line", [
    "--- SIGSEGV {si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=NULL} ---", "--- SIGSEGV (Segmentation fault) @ 0 (0) ---"])
def test_a_crash(explain, line):
    report = explain(f'execve("/opt/x", ["x"], 0x7 /* 9 vars */) = 0\nbrk(NULL) = 0x5\ngetpid() = 9\n{line}\n'
                     "+++ killed by SIGSEGV (core dumped) +++\nSegmentation fault\n")
    assert (top(report)["kind"], top(report)["missing"], top(report)["subject"]) == ("crash", "SIGSEGV", "/opt/x")
    assert report["outcome"]["signal"] == "SIGSEGV"


def test_half_a_name_is_no_name(explain):
    text = OLD.replace('{"libdep.so.1", 11}', '{"/opt/x/libuser.so", 17}').replace(
        '{"cannot open shared object file", 30}', '{"undefined symbol: a_symbol_with_"..., 44}')
    cause = top(explain(text))
    assert (cause["kind"], cause["missing"]) == ("symbol-missing", "a_symbol_with_...") and cause["confidence"] < 0.5


def test_a_log_that_ends_in_the_middle(explain):
    for end in (200, 1000, len(OLD) - 30):
        explain(OLD[:end])


def test_one_long_line(tool, tmp_path, explain):
    report = explain(OLD + "x" * 10_000_000 + "\n")
    assert top(report)["missing"] == "libdep.so.1"


@pytest.mark.parametrize("data", [b"", bytes(range(256)) * 100, b"\x7fELF" + b"\0" * 4000], ids=["empty", "bytes", "elf"])
def test_no_text(tool, tmp_path, data):
    (tmp_path / "file").write_bytes(data)
    ended = subprocess.run([tool, "explain", tmp_path / "file"], capture_output=True, text=True)
    assert ended.returncode == 2 and ended.stderr.count("\n") == 1


def test_no_bundle_is_made_of_text(run, tmp_path):
    """Nothing in a log of another tool was hidden, and it is no trace.jsonl: a bundle would give it away as one."""
    log = tmp_path / "log"
    log.write_text('1 execve("./prog", ["./prog"], 0x7ffd /* 1 var */) = 0\n1 exit_group(3) = ?\n+++ exited with 3 +++\n')
    bundle = tmp_path / "case.tar.zst"
    result = run("explain", "-o", bundle, log, report=False)
    assert result.returncode == 2 and not bundle.exists()
    assert len(result.stderr.splitlines()) == 1 and "bundle" in result.stderr
    page = tmp_path / "page.html"
    assert run("explain", "-o", page, log, report=False).returncode in (0, 1)
    assert "broken" not in page.read_text().split("</style>")[1].split("<script")[0]


RUN = ('execve("/opt/tool", ["tool", "/srv/data"], 0x7ffc /* 9 vars */) = 0\nbrk(NULL) = 0x55\n'
       'rt_sigaction(SIGINT, NULL, {sa_handler=SIG_DFL}, 8) = 0\n')
END = "exit_group(3) = ?\n+++ exited with 3 +++\n"


def told(report):
    return [(cause["kind"], cause["subject"], cause["missing"], cause["impact"]) for cause in report["causes"]]


@pytest.mark.parametrize("lines, kind, missing", [
    ('prlimit64(0, RLIMIT_NPROC, {rlim_cur=7, rlim_max=7}, NULL) = 0\nclone(child_stack=NULL, flags=CLONE_CHILD_SETTID|'
     'SIGCHLD) = -1 EAGAIN (Resource temporarily unavailable)\nwrite(2, "tool: fork: Resource temporarily"..., 45) = 45',
     "resource-limit", "RLIMIT_NPROC"),
    ('openat(AT_FDCWD, "/srv/data", O_WRONLY|O_CREAT, 0666) = 3\nwrite(3, "\\0\\0"..., 65536) = -1 ENOSPC (No space left '
     'on device)\nwrite(2, "tool: /srv/data: No space left o"..., 41) = 41', "resource-limit", "ENOSPC:/srv"),
    ('write(3</srv/data>, "\\0\\0"..., 65536) = -1 EFBIG (File too large)\nwrite(2, "tool: File too large\\n", 21) = 21',
     "resource-limit", "RLIMIT_FSIZE"),
    ('openat(AT_FDCWD, "/srv/data", O_WRONLY) = 4\ncopy_file_range(3, NULL, 4, NULL, 4096, 0) = -1 EDQUOT (Disk quota '
     'exceeded)\nwrite(2, "tool: Disk quota exceeded\\n", 26) = 26', "resource-limit", "EDQUOT:/srv"),
    ('setrlimit(RLIMIT_AS, {rlim_cur=200000*1024, rlim_max=RLIM_INFINITY}) = 0\nmmap(NULL, 1073741824, PROT_READ|PROT_WRITE,'
     ' MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = -1 ENOMEM (Cannot allocate memory)\nwrite(2, "tool: C"..., 30) = 30',
     "resource-limit", "RLIMIT_AS"),
    ('mlock(0x7f00, 1048576) = -1 ENOMEM (Cannot allocate memory)\nwrite(2, "mlock: Cannot allocate memory\\n", 30) = 30',
     "resource-limit", "RLIMIT_MEMLOCK"),
    ('inotify_init1(IN_CLOEXEC) = -1 EMFILE (Too many open files)\nwrite(2, "tool: Too many open files\\n", 26) = 26',
     "watch-limit", "fs.inotify.max_user_instances"),
    ('prlimit64(0, RLIMIT_NOFILE, {rlim_cur=9, rlim_max=9}, NULL) = 0\nopenat(AT_FDCWD, "/dev/null", O_RDONLY) = 8\n'
     'inotify_init1(IN_CLOEXEC) = -1 EMFILE (Too many open files)\nwrite(2, "tool: Too many open files\\n", 26) = 26',
     "resource-limit", "RLIMIT_NOFILE"),
    ('memfd_create("x", MFD_CLOEXEC) = -1 EPERM (Operation not permitted)\nwrite(2, "tool: memfd_create: O"..., 45) = 45',
     "syscall-blocked", "memfd_create"),
    ('connect(3, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("\\x31\\x32\\x37\\x2e\\x30\\x2e\\x30\\x2e\\x31")}, '
     '16) = -1 ECONNREFUSED (Connection refused)\nwrite(2, "tool: connect: Connection refused\\n", 34) = 34',
     "connection-refused", "127.0.0.1:80"),
    ('readlink("/srv/data", "data.old", 4096) = 8\nopenat(AT_FDCWD, "/srv/data", O_RDONLY) = -1 ENOENT (No such file or '
     'directory)\nwrite(2, "tool: /srv/data: No such file or directory\\n", 43) = 43', "symlink-dangling", "/srv/data.old"),
    ('fcntl(1, F_GETFL) = 0x8002 (flags O_RDWR|O_LARGEFILE)\ninotify_init() = -1 EMFILE (Too many open files)\n'
     'write(2, "tool: cannot watch\\n", 19) = 19', "watch-limit", "fs.inotify.max_user_instances"),
    ('bind(3, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("127.0.0.1")}, 16) = -1 EACCES (Permission denied)\n'
     'write(2, "bind: Permission denied\\n", 24) = 24', "permission-denied", "127.0.0.1:80"),
    ('statx(AT_FDCWD, "/srv/data", 0, STATX_MODE, 0x7ffc) = -1 EPERM (Operation not permitted)\n'
     'write(2, "tool: /srv/data: Operation not permitted\\n", 41) = 41', "syscall-blocked", "statx"),
], ids=["processes", "room", "size", "quota", "memory", "locked", "instances", "descriptors", "policy", "hex", "link", "flags", "port", "statx"])
def test_what_a_call_says(explain, lines, kind, missing):
    assert told(explain(RUN + lines + "\n" + END)) == [(kind, "/opt/tool", missing, "fatal")]


@pytest.mark.parametrize("place", ["$ORIGIN/.", "$ORIGIN/lib-1.2"])
def test_a_search_that_looks_at_directories_with_dots(explain, cc, tmp_path, place):
    """It is one search, of one who asks."""
    library = cc("int dep(void) { return 0; }", "-Wl,-soname,libdep.so.1", name="libdep.so.1")
    cc("int dep(void); int f(void) { return dep(); }", library, f"-Wl,-rpath,{place}", name="plug.so")
    library.unlink()
    (tmp_path / "lib-1.2").mkdir()
    cc("#include <dlfcn.h>\nint main(void) { return !dlopen(PLUG, RTLD_NOW); }", f'-DPLUG="{tmp_path}/plug.so"', name="host")
    causes = explain(traced(tmp_path, [], tmp_path / "host"))["causes"]
    assert [(cause["kind"], cause["missing"]) for cause in causes] == [("library-missing", "libdep.so.1")]
    assert causes[0]["subject"].endswith("plug.so")


def test_the_kernel_ends_it_for_a_limit(explain):
    report = explain(RUN + "--- SIGXFSZ {si_signo=SIGXFSZ, si_code=SI_USER, si_pid=1, si_uid=0} ---\n"
                     "+++ killed by SIGXFSZ +++\n")
    assert told(report) == [("resource-limit", "/opt/tool", "RLIMIT_FSIZE", "fatal")]


@pytest.mark.parametrize("words, missing", [
    ('write(2, "tool: cannot open \'/srv/d"..., 60)', "/srv/data.json"),      # has begun, and how it ends is not known
    ('write(2, "OSError: [Errno 2] No "..., 63)', "/srv/data.json"),         # python: its length fits
    ('write(2, "loading the table of all"..., 90)', "/srv/data.json"),       # nothing seen of it
], ids=["begun", "numbered", "unseen"])
def test_words_that_are_cut(explain, words, missing):
    failed = 'openat(AT_FDCWD, "/srv/data.json", O_RDONLY) = -1 ENOENT (No such file or directory)\n'
    report = explain(RUN + failed + words + " = 1\n" + END)
    assert told(report) == [("file-missing", "/opt/tool", missing, "fatal")]
    assert (top(report)["confidence"] < 0.7) == ("loading" in words)


def test_lengths_that_are_alike_by_chance(explain):
    tried = "".join(f'openat(AT_FDCWD, "/etc/{name}.cfg", O_RDONLY) = -1 ENOENT (No such file or directory)\n'
                    for name in ("tool", "site", "user")) + 'openat(AT_FDCWD, "/srv/data", O_RDONLY) = 3\n'
    report = explain(RUN + tried + 'write(2, "tool: bad table "..., 48) = 48\n' + END)
    assert told(report) == []


def test_a_log_that_begins_in_the_middle(explain):
    report = explain('strace: Process 4711 attached\nread(3, "x", 1) = 1\n'
                     'openat(AT_FDCWD, "/srv/data", O_RDONLY) = -1 EACCES (Permission denied)\n'
                     'write(2, "tool: /srv/data: Permission denied\\n", 36) = 36\n' + END)
    assert [cause["missing"] for cause in report["causes"]] == ["/srv/data"]
    assert top(report)["kind"] == "permission-denied" and top(report)["subject"].startswith("process ")


def test_a_child_whose_beginning_is_not_in_the_log(explain):
    """-e trace=file: that it was forked, and by whom, and what anybody said, is not there."""
    report = explain('101 execve("/opt/tool", ["tool"], 0x7ffc /* 9 vars */) = 0\n101 openat(AT_FDCWD, "/srv/x", O_RDONLY) = 3\n'
                     '102 execve("/usr/bin/helper", ["helper"], 0x7f /* 9 vars */) = -1 ENOENT (No such file or directory)\n'
                     '102 execve("/bin/helper", ["helper"], 0x7f /* 9 vars */) = -1 ENOENT (No such file or directory)\n'
                     '102 +++ exited with 255 +++\n101 +++ exited with 0 +++\n')
    assert told(report) == []


def test_mapped_from_a_noexec_mount(explain):
    report = explain(RUN + 'openat(AT_FDCWD, "/media/x/plug.so", O_RDONLY|O_CLOEXEC) = 3\n'
                     'mmap(0x7f1000, 4096, PROT_READ|PROT_EXEC, MAP_PRIVATE|MAP_FIXED|MAP_DENYWRITE, 3, 0x1000) = -1 EPERM '
                     '(Operation not permitted)\nwrite(2, "tool: /media/x/plug.so: failed t"..., 65) = 65\n' + END)
    assert told(report) == [("noexec-mount", "/opt/tool", "/media/x", "fatal")]


# --- as of a run ---

OTHERS = """execve("/home/rosalinde/prog", ["/home/rosalinde/prog", "--password", "hunter22"], 0x7ffd /* 10 vars */) = 0
openat(AT_FDCWD, "/home/rosalinde/x.conf", O_RDONLY) = -1 ENOENT (No such file or directory)
write(2, "prog: /home/rosalinde/x.conf: No such file or directory\\n", 57) = 57
exit_group(1)                           = ?
+++ exited with 1 +++
"""


@pytest.mark.parametrize("redact", [True, False], ids=["redacted", "as it is"])
def test_what_others_sent_is_redacted(run, tmp_path, redact):
    (tmp_path / "log").write_text(OTHERS)
    result = run("explain", "-o", tmp_path / "r.html", tmp_path / "log", redact=redact)
    assert result.first["missing"] == ("/home/user1/x.conf" if redact else "/home/rosalinde/x.conf")
    for text in (result.stderr, (tmp_path / "r.html").read_text(), result.report_path.read_text()):
        assert ("rosalinde" in text) == (not redact) and not (redact and "hunter22" in text)
    assert not redact or "user name, as user1: " in " ".join(result.report["redacted"])


@pytest.mark.parametrize("told, said", [("si_code=SEGV_MAPERR, si_addr=NULL", "it used a null pointer"),
                                        ("si_code=SEGV_ACCERR, si_addr=0x7f00dead000", "0x7f00dead000 does not allow"),
                                        ("si_code=SI_KERNEL, si_addr=NULL", "crashed")])
def test_a_crash_of_which_the_log_says_little(run, tmp_path, told, said):
    """No register is made up."""
    (tmp_path / "log").write_text('execve("/opt/prog", ["/opt/prog"], 0x7ffd /* 10 vars */) = 0\n'
                                  f"--- SIGSEGV {{si_signo=SIGSEGV, {told}}} ---\n+++ killed by SIGSEGV (core dumped) +++\n")
    result = run("explain", tmp_path / "log")
    assert result.first["kind"] == "crash" and said in result.first["summary"]
    assert "(null)" not in result.stderr and "0x0" not in result.first["summary"]
    assert "registers" not in result.stderr and "instruction 0x0" not in result.stderr


def test_made_and_taken_away_again(explain):
    """As git-clone does: what was not there at first was made by the program itself, and is gone because it failed."""
    report = explain(RUN + 'stat("/srv/new", 0x7ffc) = -1 ENOENT (No such file or directory)\nmkdir("/srv/new", 0777) = 0\n'
                     'write(2, "tool: cannot fill \'/srv/new\'\\n", 29) = 29\nrmdir("/srv/new") = 0\n' + END)
    assert told(report) == []


def test_a_child_that_ends_before_it_is_known_to_be_one(tool, tmp_path):
    """strace tells of its end before it tells that the call that made it has returned: it is one process all the same."""
    log = tmp_path / "log"
    log.write_text('10 execve("/usr/bin/starter", ["starter"], 0x7 /* 9 vars */) = 0\n'
                   "10 vfork( <unfinished ...>\n"
                   '11 execve("/bin/true", ["true"], 0x7 /* 9 vars */) = 0\n'
                   "11 exit_group(0) = ?\n11 +++ exited with 0 +++\n"
                   "10 <... vfork resumed>) = 11\n"
                   "10 --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=11, si_uid=0, si_status=0} ---\n"
                   "10 exit_group(0) = ?\n10 +++ exited with 0 +++\n")
    out = tmp_path / "report.json"
    subprocess.run([tool, "explain", "-q", "-o", out, log], check=True)
    assert json.loads(out.read_text())["counts"]["processes"] == 2
