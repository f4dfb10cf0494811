"""Limits: descriptors, processes, memory, room and watches that are used up, by programs of several languages that come
to harm by it, and by twins that meet the same limit and get over it."""

import os
import shutil
import subprocess

import pytest

PYTHON = "/usr/bin/python3"
NOFILE = r"""
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
/* prog WAY: opens 30 things with a limit of 20. fail: and says so; silent: and does not; raise: raises the limit and goes
 * on; close: closes some and goes on */
int main(int argc, char **argv)
{
    struct rlimit limit = {20, 60};
    setrlimit(RLIMIT_NOFILE, &limit);
    for (int i = 0; i < 30; i++) {
        int fd = i % 2 ? open("/dev/null", O_RDONLY) : socket(AF_UNIX, SOCK_STREAM, 0);
        if (fd >= 0)
            continue;
        switch (argv[1][0]) {
        case 'f':
            fprintf(stderr, "prog: %s\n", strerror(errno));
            return 3;
        case 's':
            return 3;
        case 'r':
            limit.rlim_cur = 60;
            setrlimit(RLIMIT_NOFILE, &limit);
            break;
        default:
            close(10), close(11), close(12);
        }
        fd = i % 2 ? open("/dev/null", O_RDONLY) : socket(AF_UNIX, SOCK_STREAM, 0);
        if (fd < 0)
            return 4;
    }
    return argc > 2;
}
"""
GO_FILES = """package main
import ("fmt"; "os")
func main() {
    var keep []*os.File
    for i := 0; i < 50; i++ {
        f, err := os.Open("/dev/null")
        if err != nil { fmt.Fprintln(os.Stderr, "cannot go on:", err); os.Exit(2) }
        keep = append(keep, f)
    }
    fmt.Println(len(keep))
}
"""


@pytest.fixture(scope="session")
def go_files(tmp_path_factory):
    directory = tmp_path_factory.mktemp("go")
    (directory / "files.go").write_text(GO_FILES)
    env = dict(os.environ, GO111MODULE="off", GOFLAGS="", GOTOOLCHAIN="local", GOCACHE=str(directory / "cache"))
    subprocess.run(["go", "build", "-o", "files", "files.go"], cwd=directory, env=env, check=True)
    return directory / "files"


def ulimit(letter, value, *command):
    return ["bash", "-c", f'ulimit -{letter} {value} && exec "$@"', "bash", *map(str, command)]


def kinds(result):
    return [(c["kind"], c["missing"], c["impact"]) for c in result.causes]


DESCRIPTORS = {
    "python": lambda: [PYTHON, "-c", "l = [open('/dev/null') for i in range(40)]"],
    "python sockets": lambda: [PYTHON, "-c", "import socket; l = [socket.socketpair() for i in range(40)]"],
    "perl": lambda: ["perl", "-e", "for (1 .. 40) { open($f[$_], '<', '/dev/null') or die qq(open: $!) }"],
    "node": lambda: ["node", "-e", "for (let i = 0; i < 80; i++) require('fs').openSync('/dev/null')"],
    "bash": lambda: ["bash", "-c", "for i in {1..40}; do exec {fd}</dev/null || exit 1; done"],
}


@pytest.mark.parametrize("actor", DESCRIPTORS)
def test_descriptors(run, actor):
    command = DESCRIPTORS[actor]()
    limit = 60 if actor == "node" else 25
    result = run("--", *ulimit("n", limit, *command))
    first = result.first
    assert (first["kind"], first["missing"], first["impact"]) == ("resource-limit", "RLIMIT_NOFILE", "fatal")
    assert len(result.causes) == 1, kinds(result)
    assert first["subject"] == os.path.realpath(shutil.which(command[0]))
    assert first["words"] and first["confidence"] >= 0.9
    assert str(limit) in first["summary"]
    twin = run("--", *ulimit("n", 500, *command))
    assert (twin.returncode, kinds(twin)) == (0, [])


def test_descriptors_of_go(run, go_files):
    """Go raises its soft limit to the hard one at its start, so both are set."""
    result = run("--", *ulimit("n", 25, go_files))
    assert kinds(result) == [("resource-limit", "RLIMIT_NOFILE", "fatal")]
    assert "too many open files" in result.first["words"]
    assert kinds(run("--", go_files)) == []


@pytest.mark.parametrize("way, status, expected", [
    ("fail", 3, [("resource-limit", "RLIMIT_NOFILE", "fatal")]),
    ("silent", 3, [("resource-limit", "RLIMIT_NOFILE", "fatal")]),
    ("raise", 0, []),
    ("close", 0, []),
])
def test_descriptors_of_c(run, cc, way, status, expected):
    prog = cc(NOFILE)
    result = run("--", prog, way)
    assert (result.returncode, kinds(result)) == (status, expected)
    if not expected:  # got over it, and then failed for a reason of its own
        assert kinds(run("--", prog, way, "later")) == []
        assert "RLIMIT_NOFILE: prog got over it" in result.stderr


COPES_WITH_FEW = r"""
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>
/* prog WAY END: opens all that it may have, closes some (and says so, uses a socket), ends in another way */
int main(int argc, char **argv)
{
    int fd, last = -1;
    while ((fd = open("/dev/null", O_RDONLY)) >= 0)
        last = fd;
    if (strstr(argv[1], "says"))
        fprintf(stderr, "prog: %s, trying with fewer\n", strerror(errno));
    for (int i = 0; i < 5 && !strstr(argv[1], "keeps"); i++)
        close(last - i);
    if (strstr(argv[1], "socket"))
        socket(AF_UNIX, SOCK_STREAM, 0);
    if (argv[2][0] == 'm')
        fprintf(stderr, "prog: line 3 of the rules is not valid\n");
    if (argv[2][0] == 'a')
        abort();
    return argc > 2 ? 3 : 0;
}
"""
COPING = {
    "python": [PYTHON, "-c", "import os, sys\nl = []\ntry:\n    while True: l.append(os.open('/dev/null', 0))\n"
               "except OSError: pass\nfor f in l: os.close(f)\nsys.exit(sys.argv[1])"],
    "perl": ["perl", "-e", "for (1 .. 40) { open(my $h, '<', '/dev/null') or last; push @f, $h } @f = (); die $ARGV[0]"],
    "node": ["node", "-e", "const fs = require('fs'), l = []; try { for (;;) l.push(fs.openSync('/dev/null')) } catch {}\n"
             "l.forEach(fs.closeSync); console.error(process.argv[1]); process.exit(3)"],
    "bash": ["bash", "-c", "for i in {1..40}; do { exec {f}</dev/null; } 2>/dev/null || break; l+=($f); done\n"
             "for f in ${l[@]}; do exec {f}<&-; done; echo $0 >&2; exit 3"],
}


@pytest.mark.parametrize("end", ["message", "quiet", "abort"])
@pytest.mark.parametrize("way", ["closes", "closes socket", "closes says"])
def test_descriptors_that_are_given_back(run, cc, way, end):
    """What the program ended of is not the limit that it had got over."""
    result = run("--", *ulimit("n", 20, cc(COPES_WITH_FEW), way, end))
    assert [kind for kind, _, _ in kinds(result)] == (["crash"] if end == "abort" else [])
    assert "RLIMIT_NOFILE: prog got over it" in result.stderr


def test_descriptors_that_are_kept(run, cc):
    assert kinds(run("--", *ulimit("n", 20, cc(COPES_WITH_FEW), "keeps", "message"))) == []
    assert kinds(run("--", *ulimit("n", 20, cc(COPES_WITH_FEW), "keeps", "quiet"))) == [
        ("resource-limit", "RLIMIT_NOFILE", "fatal")]


@pytest.mark.parametrize("actor", COPING)
def test_descriptors_that_others_give_back(run, actor):
    result = run("--", *ulimit("n", 60 if actor == "node" else 20, *COPING[actor], "the rules are not valid"))
    assert (result.returncode != 0, kinds(result)) == (True, [])


MEMORY = {
    "python": [PYTHON, "-c", "b = bytearray(3 << 30)"],
    "python in pieces": [PYTHON, "-c", "l = []\nwhile len(l) < 4000: l.append(bytearray(1 << 20))"],
    "perl": ["perl", "-e", "my $x = 'a' x (3 << 30); print length $x"],
}


@pytest.mark.parametrize("actor", ["python", "python in pieces", "perl"])
@pytest.mark.parametrize("letter, name", [("v", "RLIMIT_AS"), ("d", "RLIMIT_DATA")])
def test_memory(run, actor, letter, name):
    result = run("--", *ulimit(letter, 400000, *MEMORY[actor]))
    first = result.first
    assert (first["kind"], first["missing"], first["impact"]) == ("resource-limit", name, "fatal")
    assert len(result.causes) == 1, kinds(result)
    assert first["words"]


COPES = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
int main(int argc, char **argv)
{
    void *p = mmap(NULL, 1L << 46, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        p = mmap(NULL, 1L << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *big = malloc(1L << 40);
    if (big)
        memset(big, 1, 1);
    big = malloc(1000);
    return p == MAP_FAILED || !big ? 9 : argc > 1;
}
"""
CRASHES = r"""
#include <stdlib.h>
#include <string.h>
int main(void)
{
    char *big = malloc(1L << 46);
    memset(big, 1, 64);
    return big[3];
}
"""
THROWS = "#include <vector>\nint main() { std::vector<char> v(1UL << 46); return v[5]; }\n"


def test_memory_that_nobody_limits(run, cc, tmp_path):
    """No limit is set: the kernel itself says no, and the program says so, crashes or throws."""
    (tmp_path / "t.cc").write_text(THROWS)
    subprocess.run(["c++", "-o", "throws", "t.cc"], cwd=tmp_path, check=True)
    for command in (["./throws"], ["perl", "-e", "my $n = 1 << 46; my $x = 'a' x $n; print length $x"],
                    [PYTHON, "-c", "bytearray(1 << 46)"], [cc(CRASHES, "-O0", name="crashes")]):
        result = run("--", *command)
        assert kinds(result)[:1] == [("resource-limit", "ENOMEM", "fatal")], command
        assert len(result.causes) == 1, kinds(result)


@pytest.mark.parametrize("limited", [False, True])
@pytest.mark.parametrize("status", [0, 1])
def test_memory_that_is_tried_for(run, cc, limited, status):
    command = [cc(COPES), *["x"] * status]
    result = run("--", *(ulimit("v", 100000, *command) if limited else command))
    assert (result.returncode, kinds(result)) == (status, [])


MAPS = r"""
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
int main(int argc, char **argv)
{
    long n = 0;
    while (mmap(NULL, 4096, n & 1 ? PROT_READ : PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
        n++;
    fprintf(stderr, argc > 1 ? "prog: %ld will do\n" : "prog: cannot map: %2$s\n", n, strerror(errno));
    return argc > 1 ? 0 : 2;
}
"""
LOCKS = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
static char room[1 << 22];
int main(int argc, char **argv)
{
    int r = argv[1][0] == 'a' ? mlockall(MCL_CURRENT) : argv[1][0] == '2' ? mlock2(room, sizeof room, 0) : mlock(room, sizeof room);
    if (r < 0)
        fprintf(stderr, "prog: cannot keep it in memory: %s\n", strerror(errno));
    return r < 0 ? 2 : 0;
}
"""
PYTHON_MAPS = "import mmap\nl = []\nwhile True: l.append(mmap.mmap(-1, 4096, prot=1 if len(l) & 1 else 3))"
PERL_LOCKS = "$b = 'x' x (1 << 22); syscall(149, $b, 1 << 22) == 0 or die qq(mlock: $!)"
PYTHON_LOCKS = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
if libc.mlockall(1) < 0: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
"""


def test_mappings(run, cc):
    """65,530 small pieces, by calls that are not followed."""
    for command in ([cc(MAPS, "-w")], [PYTHON, "-c", PYTHON_MAPS]):
        result = run("--", *command)
        assert kinds(result) == [("resource-limit", "vm.max_map_count", "fatal")]
        assert "Cannot allocate memory" in result.first["words"]
    assert kinds(run("--", cc(MAPS, "-w"), "few")) == []


@pytest.mark.parametrize("size", [0, 64])
@pytest.mark.parametrize("way", ["one", "2", "all", "perl", "python"])
def test_locked_memory(run, cc, way, size):
    command = {"perl": ["perl", "-e", PERL_LOCKS], "python": [PYTHON, "-c", PYTHON_LOCKS]}.get(way, [cc(LOCKS), way])
    bound = ["setpriv", "--bounding-set=-ipc_lock"] if os.getuid() == 0 else []
    result = run("--", *bound, *ulimit("l", size, *command))
    assert kinds(result) == [("resource-limit", "RLIMIT_MEMLOCK", "fatal")]
    small = cc(LOCKS.replace("1 << 22", "1 << 12"), name="small")
    assert kinds(run("--", *bound, *ulimit("l", 64, small, "one"))) == []


def as_somebody(*command):
    """Root is bound by no number of processes. A user of this test process's own is wanted, so that no other's count."""
    if os.getuid() == 0:
        user = 54321 + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
        return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *command]
    return list(command)


THREADS = """
import threading, sys, time
for i in range(400):
    threading.Thread(target=time.sleep, args=(100,), daemon=True).start()
"""
RETRIES = """
import os, sys, resource
try:
    os.fork()
    sys.exit(9)
except BlockingIOError as e:
    print("fork:", e, file=sys.stderr)
resource.setrlimit(resource.RLIMIT_NPROC, (2000, 2000))
if os.fork() == 0:
    os._exit(0)
os.wait()
"""


@pytest.mark.parametrize("actor", [
    [PYTHON, "-c", "import os; os.fork()"],
    [PYTHON, "-c", THREADS],
    ["perl", "-e", "defined(fork) or die qq(cannot fork: $!)"],
    ["dash", "-c", "/bin/true; echo after"],
])
def test_processes(run, actor):
    result = run("--", *as_somebody(*ulimit("u", 1, *actor)))
    assert kinds(result) == [("resource-limit", "RLIMIT_NPROC", "fatal")]


FEWER = """
import sys, threading
ready, threads = threading.Event(), []
try:
    for i in range(400):
        threads.append(threading.Thread(target=ready.wait, daemon=True))
        threads[-1].start()
except RuntimeError:
    threads.pop()
ready.set()
for thread in threads:
    thread.join()
sys.exit(sys.argv[1] if len(sys.argv) > 1 else 3)
"""


@pytest.mark.parametrize("end", [["the rules are not valid"], []])
def test_threads_that_are_fewer(run, end):
    result = run("--", *as_somebody(*ulimit("u", 20, PYTHON, "-c", FEWER, *end)))
    assert (result.returncode != 0, kinds(result)) == (True, [])
    assert "RLIMIT_NPROC: python3" in result.stderr


def test_fork_that_is_tried_again(run):
    result = run("--", *as_somebody("bash", "-c", f'ulimit -S -u 1 && exec {PYTHON} -c "$1"', "bash", RETRIES))
    assert (result.returncode, kinds(result)) == (0, [])


@pytest.mark.parametrize("actor", [
    ["bash", "-c", "echo text > /dev/full"],
    ["bash", "-c", "cat /etc/passwd > /dev/full"],
    [PYTHON, "-c", "f = open('/dev/full', 'w'); f.write('x'); f.close()"],
    ["node", "-e", "require('fs').writeFileSync('/dev/full', 'text')"],
    ["perl", "-e", "open(F, '>', '/dev/full'); print F 'x'; close(F) or die qq(close: $!)"],
])
def test_no_room(run, actor):
    result = run("--", *actor)
    assert kinds(result) == [("resource-limit", "ENOSPC:/dev/full", "fatal")]
    assert "ENOSPC" in result.first["words"] or "o space left on device" in result.first["words"]


@pytest.mark.parametrize("actor", [
    ["bash", "-c", "cat /etc/passwd > /dev/full 2>/dev/null || cat /etc/passwd > /dev/null"],
    [PYTHON, "-c", "import sys; print('No space left on device is what ENOSPC means', file=sys.stderr); sys.exit(4)"],
    ["bash", "-c", "if ! echo text > /dev/full; then echo text > file; fi 2>/dev/null; cat file; exit 5"],
])
def test_room_elsewhere(run, actor):
    assert kinds(run("--", *actor)) == []


@pytest.mark.parametrize("actor", [
    ["bash", "-c", "touch m/1 m/2 m/3 m/4 m/5 m/6"],
    [PYTHON, "-c", "for i in range(6): open(f'm/{i}', 'w')"],
    ["perl", "-e", "for (1 .. 6) { mkdir(qq(m/$_)) or die qq(mkdir: $!) }"],
])
def test_no_room_for_files(run, tmp_path, actor):
    """Inodes are used up: told by the file system, whichever file was to be made."""
    inside_one = ["unshare", "-rm", "sh", "-c", 'mount -t tmpfs -o nr_inodes=4 none m && exec "$@"', "sh"]
    (tmp_path / "m").mkdir()
    if subprocess.run([*inside_one, "true"], cwd=tmp_path, capture_output=True).returncode:
        return  # no mounts in a chroot
    result = run("--", *inside_one, *actor)
    assert kinds(result) == [("resource-limit", f"ENOSPC:{tmp_path}/m", "fatal")]
    assert kinds(run("--", *inside_one, "touch", "m/1")) == []


@pytest.mark.parametrize("actor", [
    ["bash", "-c", "ulimit -f 1; trap '' XFSZ; head -c 100000 /dev/zero > big"],
    ["bash", "-c", "ulimit -f 1; head -c 100000 /dev/zero > big"],
    ["bash", "-c", f"ulimit -f 1; exec {PYTHON} -c \"open('big', 'wb').write(bytes(100000))\""],
])
def test_file_size(run, actor):
    result = run("--", *actor)
    assert kinds(result) == [("resource-limit", "RLIMIT_FSIZE", "fatal")]


def test_processor_time(run):
    result = run("--", "bash", "-c", "ulimit -t 1; while :; do :; done")
    assert kinds(result) == [("resource-limit", "RLIMIT_CPU", "fatal")]


WATCHES = r"""
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>
/* prog WAY: f: ends with words; p: polls instead, with words; q: polls instead */
int main(int argc, char **argv)
{
    char name[32];
    int fd = inotify_init1(IN_CLOEXEC);
    int failed = fd < 0 ? errno : 0;
    for (int i = 0; i < 40 && !failed; i++) {
        snprintf(name, sizeof name, "watched%d", i);
        mkdir(name, 0755);
        if (inotify_add_watch(fd, name, IN_MODIFY) < 0)
            failed = errno;
    }
    if (failed && argv[1][0] != 'q')
        fprintf(stderr, "cannot watch: %s\n", strerror(failed));
    return failed && argv[1][0] == 'f' ? 2 : 0;
}
"""
CTYPES = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
fd = libc.inotify_init1(0)
for i in range(40):
    os.makedirs(f'd{i}', exist_ok=True)
    if fd < 0 or libc.inotify_add_watch(fd, f'd{i}'.encode(), 2) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
"""
FS_WATCH = """
const fs = require('fs');
for (let i = 0; i < 40; i++) {
    fs.mkdirSync('d' + i, { recursive: true });
    fs.watch('d' + i, () => 0);
}
process.exit(0);
"""


def inside(what, number, *command):
    """COMMAND in a user namespace of its own with NUMBER inotify watches or instances."""
    return ["unshare", "-Ur", "sh", "-c", f'echo {number} > /proc/sys/user/max_inotify_{what}; exec "$@"', "sh",
            *map(str, command)]


def has_namespaces():
    """Nobody has user namespaces within a chroot (user_namespaces(7))."""
    return subprocess.run(inside("watches", 1, "true"), capture_output=True).returncode == 0


HOGS = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
while libc.inotify_init1(0) >= 0:
    pass
os.execvp(sys.argv[1], sys.argv[1:])
"""


def watched(what, *command):
    """COMMAND where the user has nothing left of it: (words to run it, the name of the limit). A user namespace has a
    number of its own, which goes by another name outside the first one."""
    if has_namespaces():
        return inside(what, 5 if what == "watches" else 0, *command), f"fs.inotify.max_user_{what}"
    return [PYTHON, "-c", HOGS, *map(str, command)], "fs.inotify.max_user_instances"


ACTORS = {
    "c": lambda cc: [cc(WATCHES), "fail"],
    "python": lambda cc: [PYTHON, "-c", CTYPES],
    "node": lambda cc: ["node", "-e", FS_WATCH],
}


@pytest.mark.parametrize("what", ["watches", "instances"])
@pytest.mark.parametrize("actor", ACTORS)
def test_watches(run, cc, tmp_path, actor, what):
    tmp_path.chmod(0o777)
    command, missing = watched(what, *ACTORS[actor](cc))
    result = run("--", *command)
    assert kinds(result) == [("watch-limit", missing, "fatal")]
    assert result.first["words"]
    assert kinds(run("--", *ACTORS[actor](cc))) == []


@pytest.mark.parametrize("way, expected", [("poll", "degraded"), ("quietly", None)])
def test_watches_that_are_done_without(run, cc, tmp_path, way, expected):
    tmp_path.chmod(0o777)
    command, missing = watched("watches", cc(WATCHES), way)
    result = run("--", *command)
    assert result.returncode == 0
    assert kinds(result) == ([("watch-limit", missing, expected)] if expected else [])


def test_who_watches_is_told(run, cc, tmp_path):
    tmp_path.chmod(0o777)
    command, _ = watched("watches", cc(WATCHES), "fail")
    text = run("--", *command).stderr
    assert "used by" in text and "instances" in text
