"""Reproductions of failures that come of a state, not of files: limits, policies, watches. Each is made from a real program
that fails so, is run twice by glibctrace itself, and here once more by a plain shell; its control passes."""

import os
import signal
import subprocess

import pytest

from test_limits import has_namespaces, inside
from test_outputs import unpacked

ENTER = ("unshare", *([] if os.geteuid() == 0 else ["-r"]), "-m", "--propagation", "unchanged")
PYTHON = "/usr/bin/python3"
INOTIFY = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def must(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), "inotify")
    return result
"""
REFUSE = """
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    unsigned answer = atoi(argv[2]) ? SECCOMP_RET_ERRNO | atoi(argv[2]) : SECCOMP_RET_TRAP;
    struct sock_filter filter[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
                                   BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, atoi(argv[1]), 0, 1),
                                   BPF_STMT(BPF_RET | BPF_K, answer), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog program = {4, filter};
    if (argc < 4 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
        return 99;
    execv(argv[3], argv + 3);
    return 98;
}
"""
CALL = """
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    if (argc > 2 && syscall(atoi(argv[1]), CLONE_NEWUSER, 0, 0, 0, 0) < 0) {
        fprintf(stderr, "%s: %s\\n", argv[2], strerror(errno));
        return 1;
    }
    return 0;
}
"""
MEMFD_CREATE, OPENAT2, UNSHARE = 319, 437, 272

# What is run, and the kind and the missing thing that have to be told.
LIMITS = {
    "descriptors": (["sh", "-c", "ulimit -n 20; exec python3 -c 'x = [open(\"/etc/passwd\") for _ in range(99)]'"],
                    "resource-limit", "RLIMIT_NOFILE"),
    "address space": (["sh", "-c", "ulimit -v 500000; exec python3 -c 'x = bytearray(1 << 32)'"],
                      "resource-limit", "RLIMIT_AS"),
    "data": (["sh", "-c", "ulimit -d 500000; exec python3 -c 'x = bytearray(1 << 32)'"],
             "resource-limit", "RLIMIT_DATA"),
    "file size": (["sh", "-c", "ulimit -f 8; exec head -c 100000 /dev/zero >big"], "resource-limit", "RLIMIT_FSIZE"),
}
WATCH_LIMITS = {
    "instances": "for _ in range(9): must(libc.inotify_init1(0))",
    "watches": ("fd = must(libc.inotify_init1(0))\n"
                "for name in (b\"/\", b\"/usr\", b\"/etc\", b\"/var\"): must(libc.inotify_add_watch(fd, name, 2))"),
}


def shown(tmp_path, bundle, result, kind, missing):
    """The reproduction of BUNDLE, run by a shell alone: it fails with the line that was promised, and its control is
    well."""
    assert (result.first["kind"], result.first["missing"]) == (kind, missing)
    proof = result.report["reproduction"]
    assert proof["status"] == "verified", proof
    assert proof["bytes"] < 65536
    folder = tmp_path / "unpacked"
    for name, data in unpacked(bundle).items():
        if "/repro/" in name and data:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            path.chmod(0o755)
    repro = folder / "case" / "repro"
    failing, good = (subprocess.run(["sh", repro / script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                    check=False) for script in ("repro.sh", "control.sh"))
    assert failing.returncode not in (0, 125), failing
    assert good.returncode == 0, good
    return failing, proof


@pytest.mark.parametrize("limit", LIMITS)
def test_limits(run, tmp_path, limit):
    command, kind, missing = LIMITS[limit]
    bundle = tmp_path / "case.tar.zst"
    result = run("-o", bundle, "--", *command)
    failing, proof = shown(tmp_path, bundle, result, kind, missing)
    assert failing.stderr.strip() == proof["expect"] or failing.returncode == -signal.SIGXFSZ  # which says nothing


@pytest.mark.parametrize("limit", WATCH_LIMITS)
def test_watch_limits(run, tmp_path, limit):
    """In a chroot nobody has a namespace to set such a limit in, so that the user's own is met, and the report says that
    the reproduction cannot be run there."""
    bundle = tmp_path / "case.tar.zst"
    if has_namespaces():
        result = run("-o", bundle, "--", *inside(limit, 2, PYTHON, "-c", INOTIFY + WATCH_LIMITS[limit]))
        failing, proof = shown(tmp_path, bundle, result, "watch-limit", f"fs.inotify.max_user_{limit}")
        assert failing.stderr.strip() == proof["expect"]
    else:
        result = run("-o", bundle, "--", PYTHON, "-c", INOTIFY + "while True: must(libc.inotify_init1(0))")
        assert (result.first["kind"], result.first["missing"]) == ("watch-limit", "fs.inotify.max_user_instances")
        assert result.report["reproduction"]["status"] == "not-attempted"
        assert "it cannot be run here: this needs a user namespace" in result.report["reproduction"]["why"]


def test_processes(run, tmp_path):
    """The limit does not bind root, so an ordinary user it is."""
    bundle = tmp_path / "case.tar.zst"
    become = ["setpriv", "--reuid", "65534", "--clear-groups"] if os.geteuid() == 0 else []
    result = run("-o", bundle, "--", *become, "bash", "-c", "ulimit -u 0; /bin/true; exit 1")
    shown(tmp_path, bundle, result, "resource-limit", "RLIMIT_NPROC")


def test_a_full_file_system(run, tmp_path):
    bundle = tmp_path / "case.tar.zst"
    small = tmp_path / "small"
    small.mkdir()
    fill = f'open("{small}/x", "wb").write(b"x" * 100000)'
    result = run("-o", bundle, "--", *ENTER, "sh", "-c",
                 f"mount --make-rprivate / 2>/dev/null; mount -t tmpfs -o size=8k none {small}; exec {PYTHON} -c '{fill}'")
    shown(tmp_path, bundle, result, "resource-limit", f"ENOSPC:{small}")


@pytest.mark.parametrize("name,number,answer", [("memfd_create", MEMFD_CREATE, 1), ("openat2", OPENAT2, 38),
                                                ("memfd_create", MEMFD_CREATE, 0)])
def test_a_policy(run, cc, tmp_path, name, number, answer):
    refuse, call = cc(REFUSE, name="refuse"), cc(CALL, name="call")
    bundle = tmp_path / "case.tar.zst"
    result = run("-o", bundle, "--", refuse, number, answer, call, number, name)
    assert result.first["subject"] == str(call)
    failing, proof = shown(tmp_path, bundle, result, "syscall-blocked", name)
    assert failing.returncode == -signal.SIGSYS if not answer else failing.stderr.strip() == proof["expect"]


def test_no_namespaces(run, cc, tmp_path):
    refuse, call = cc(REFUSE, name="refuse"), cc(CALL, name="call")
    bundle = tmp_path / "case.tar.zst"
    result = run("-o", bundle, "--", refuse, UNSHARE, 1, call, UNSHARE, "no sandbox without user namespaces")
    shown(tmp_path, bundle, result, "sandbox-unavailable", "user namespaces")
