"""Seccomp policies that refuse a system call: put on by a launcher, by the program itself, or there before glibctrace.
The answers are EPERM, ENOSYS, SIGSYS by the kernel (kill) and SIGSYS that could be handled (trap). Nothing here is
mended by the error number alone: ENOSYS is what the C library has an older way for."""

import os
import subprocess

import pytest

PYTHON = "/usr/bin/python3"
POLICY = r"""
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
/* policy ANSWER NUMBER... [-- COMMAND...]: ANSWER is an errno value, "kill" or "trap" */
static int put_on(const char *answer, char **numbers)
{
    struct sock_filter code[64];
    unsigned short n = 0;
    unsigned action = !strcmp(answer, "kill")   ? SECCOMP_RET_KILL_PROCESS
                      : !strcmp(answer, "trap") ? SECCOMP_RET_TRAP
                                                : SECCOMP_RET_ERRNO | (unsigned)atoi(answer);

    code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (; *numbers && strcmp(*numbers, "--"); numbers++) {
        code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)atoi(*numbers), 0, 1);
        code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action);
    }
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {n, code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}
#ifndef OWN
int main(int argc, char **argv)
{
    int at = 2;
    if (put_on(argv[1], argv + 2))
        return 99;
    while (strcmp(argv[at], "--"))
        at++;
    execvp(argv[at + 1], argv + at + 1);
    return 98;
}
#endif
"""
THREAD = r"""
#include <pthread.h>
#include <stdio.h>
#include <string.h>
static void *nothing(void *p) { return p; }
static int thread(void)
{
    pthread_t t;
    int error = pthread_create(&t, NULL, nothing, NULL);
    if (error)
        return fprintf(stderr, "no thread: %s\n", strerror(error)), 1;
    return pthread_join(t, NULL);
}
"""
USES_THREAD = THREAD + "int main(void) { return thread(); }\n"
OWN = "#define OWN\n" + POLICY + THREAD + r"""
int main(int argc, char **argv)
{
    if (put_on(argv[1], argv + 2))
        return 99;
    return thread();
}
"""
STATS = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
/* prog COPES: asks statx for a file, and stat(2) instead if it copes */
int main(int argc, char **argv)
{
    struct statx sx;
    struct stat st;
    if (!statx(AT_FDCWD, "/etc/passwd", 0, STATX_SIZE, &sx))
        return 0;
    if (argc > 1)
        return stat("/etc/passwd", &st) ? 3 : argv[1][0] == 'f';
    fprintf(stderr, "statx: %s\n", strerror(errno));
    return 4;
}
"""
NUMBERS = {"clone3": 435, "statx": 332, "faccessat2": 439, "openat2": 437, "io_uring_setup": 425, "memfd_create": 319,
           "personality": 135, "sethostname": 170, "sched_setaffinity": 203, "setresuid": 117, "listen": 50, "kill": 62,
           "unshare": 272, "vfork": 58, "clone": 56}
SH = "/bin/sh"


def kinds(result):
    return [(c["kind"], c["missing"], c["impact"]) for c in result.causes]


@pytest.fixture
def policy(cc):
    launcher = cc(POLICY, name="policy")

    def words(answer, *calls):
        return [launcher, answer, *[NUMBERS[call] for call in calls], "--"]

    return words


ACTORS = {  # call, command
    "c thread": ("clone3", lambda cc: [cc(USES_THREAD, "-pthread")]),
    "c statx": ("statx", lambda cc: [cc(STATS)]),
    "python thread": ("clone3", lambda cc: [PYTHON, "-c", "import threading; threading.Thread(target=print).start()"]),
    "python memfd": ("memfd_create", lambda cc: [PYTHON, "-c", "import os; os.memfd_create('x')"]),
    "node": ("clone3", lambda cc: ["node", "-e", "0"]),
    "ls": ("statx", lambda cc: ["ls", "-l", "/"]),
    "bash test": ("faccessat2", lambda cc: ["bash", "-c", "[ -x /bin/sh ] || { echo no shell >&2; exit 1; }"]),
}


@pytest.mark.parametrize("actor", ACTORS)
@pytest.mark.parametrize("outside", [False, True])
def test_refused(run, cc, policy, actor, outside):
    """OUTSIDE: the policy was there before glibctrace, as in a container."""
    call, command = ACTORS[actor]
    if call == "memfd_create" and outside:
        return  # such a policy is not known to be harsh: calls that few programs make are not asked for beforehand
    if outside:
        result = run("--", *command(cc), under=policy(1, call))
    else:
        result = run("--", *policy(1, call), *command(cc))
    assert kinds(result) == [("syscall-blocked", call, "fatal")]
    first = result.first
    assert "EPERM" in first["summary"]
    assert ("started under" in first["summary"]) == outside
    assert first["confidence"] >= (0.7 if actor in ("bash test", "node") else 0.9)


RARE = {  # calls that few programs make; command
    "setarch": ("personality", ["setarch", "-R", "true"]),
    "python host name": ("sethostname", [PYTHON, "-c", "import socket; socket.sethostname(socket.gethostname())"]),
    "taskset": ("sched_setaffinity", ["taskset", "1", "true"]),
    "setpriv": ("setresuid", ["setpriv", "--reuid=0", "true"]),
    "node listens": ("listen", ["node", "-e", "require('net').createServer().listen(0, '127.0.0.1')"]),
    "perl kill": ("kill", ["perl", "-e", "kill(0, $$) or die qq(signal: $!\\n)"]),
    "unshare": ("unshare", ["unshare", "-U", "true"]),
}


@pytest.mark.parametrize("actor", RARE)
def test_rare_call_refused(run, policy, actor):
    call, command = RARE[actor]
    result = run("--", *policy(1, call), *command)
    assert kinds(result) == [("syscall-blocked", call, "fatal")]


@pytest.mark.parametrize("call", ["sethostname", "kill"])
def test_the_kernel_itself_refuses(run, call):
    """For want of a right: no policy."""
    tried = {"sethostname": "socket.sethostname('x')", "kill": "os.kill(os.getppid(), 0)"}[call]
    script = f"import os, socket; os.setresuid(9999, 9999, 9999); {tried}"
    result = run("--", PYTHON, "-c", script)
    assert result.returncode == 1
    assert not [c for c in result.causes if c["kind"] == "syscall-blocked"]


def test_the_second_way_is_what_was_wanted(run, policy):
    """Python forks where it gets no vfork(2): neither it got, and the one that would have done is told."""
    script = "import subprocess; subprocess.run(['true'])"
    result = run("--", *policy(1, "vfork", "clone"), PYTHON, "-c", script)
    assert kinds(result) == [("syscall-blocked", "clone", "fatal")]
    assert kinds(run("--", *policy(1, "vfork"), PYTHON, "-c", script)) == []


@pytest.mark.parametrize("actor", ["c thread", "python thread", "ls"])
def test_refused_where_every_call_stops(run, cc, policy, actor):
    """Nothing shows there that the kernel did not answer itself, but what it never answers."""
    call, command = ACTORS[actor]
    result = run("--seccomp=no", "--", *policy(1, call), *command(cc))
    assert kinds(result) == [("syscall-blocked", call, "fatal")]


@pytest.mark.parametrize("actor", ACTORS)
def test_refused_with_enosys(run, cc, policy, actor):
    call, command = ACTORS[actor]
    result = run("--", *policy(38, call), *command(cc))
    if call == "memfd_create":  # there is no older way
        assert kinds(result) == [("syscall-blocked", call, "fatal")]
    else:
        assert (result.returncode, kinds(result)) == (0, [])


@pytest.mark.parametrize("actor", ACTORS)
def test_allowed(run, cc, policy, actor):
    result = run("--", *policy(1, "io_uring_setup"), *ACTORS[actor][1](cc))
    assert (result.returncode, kinds(result)) == (0, [])


@pytest.mark.parametrize("answer", ["kill", "trap"])
@pytest.mark.parametrize("actor", ["c thread", "python thread", "ls", "node"])
def test_ended_by_the_policy(run, cc, policy, answer, actor):
    call, command = ACTORS[actor]
    result = run("--", *policy(answer, call), *command(cc))
    assert kinds(result) == [("syscall-blocked", call, "fatal")]
    assert "SIGSYS" in result.first["summary"]


def test_sigsys_by_hand_is_no_policy(run):
    result = run("--", SH, "-c", "kill -SYS $$")
    assert not [c for c in result.causes if c["kind"] == "syscall-blocked"]


def test_own_policy_is_called_so(run, cc):
    prog = cc(OWN, "-pthread")
    result = run("--", prog, 1, NUMBERS["clone3"])
    assert kinds(result) == [("syscall-blocked", "clone3", "fatal")]
    assert "has put on itself" in result.first["summary"]
    assert kinds(run("--", prog, 1, NUMBERS["statx"])) == []
    assert kinds(run("--", prog, 38, NUMBERS["clone3"])) == []


@pytest.mark.parametrize("way", ["copes", "fails for a reason of its own"])
def test_done_without(run, cc, policy, way):
    result = run("--", *policy(1, "statx"), cc(STATS), way)
    assert kinds(result) == []
    assert "statx: prog got over it" in result.stderr


def test_a_program_with_a_policy_goes_on_as_before(run, policy, tool, environment):
    """What it does is the same as without a tracer, and what it does not do is told."""
    script = "import os, sys, subprocess; print(os.cpu_count() > 0, subprocess.check_output(['echo', 'x']))"
    plain = subprocess.run([*map(str, policy(1, "statx", "faccessat2")), PYTHON, "-c", script], capture_output=True)
    result = run("--", *policy(1, "statx", "faccessat2"), PYTHON, "-c", script)
    assert (result.returncode, result.stdout) == (plain.returncode, plain.stdout.decode())
    assert kinds(result) == []
