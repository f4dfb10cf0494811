"""Sandboxes that cannot start: no user namespaces, or a helper that is not set-user-ID root. The actors do as Chromium
and bubblewrap do; the twins ask for the same, do not get it, and go on."""

import os
import subprocess

import pytest

PYTHON = "/usr/bin/python3"
CLONES = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
/* prog WAY: a child in a user namespace, as Chromium makes one to see whether it could. abort: ends as Chromium does;
 * say: exits; go: goes on; later: goes on, and fails for a reason of its own */
int main(int argc, char **argv)
{
    long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0)
        _exit(0);
    if (pid > 0)
        return waitpid((pid_t)pid, NULL, 0) < 0;
    switch (argv[1][0]) {
    case 'a':
        fprintf(stderr, "[1:1:FATAL:zygote_host_impl_linux.cc(127)] No usable sandbox! Update your kernel or see the "
                        "documentation on how to enable the sandbox.\n");
        abort();
    case 's':
        fprintf(stderr, "cannot make a namespace: %s\n", strerror(errno));
        return 1;
    case 'l':
        fprintf(stderr, "the configuration is wrong\n");
        return 2;
    }
    return 0;
}
"""
UNSHARES = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
if libc.unshare(0x10000000):
    e = ctypes.get_errno()
    if len(sys.argv) < 2:
        raise OSError(e, os.strerror(e))
"""
PRINTS = r"""
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
    fprintf(stderr, "%s\n", argv[1]);
    if (argv[2][0] == 'a')
        abort();
    return 1;
}
"""
HELPER = ("[9:9:FATAL:setuid_sandbox_host.cc(158)] The SUID sandbox helper binary was found, but is not configured "
          "correctly. Rather than run without sandboxing I'm aborting now. You need to make sure that {} is owned by "
          "root and has mode 4755.")
ROOT = ("[8:8:ERROR:zygote_host_impl_linux.cc(100)] Running as root without --no-sandbox is not supported. See "
        "https://crbug.com/638180.")


def kinds(result):
    return [(c["kind"], c["missing"], c["impact"]) for c in result.causes]


def without_namespaces(*command):
    """COMMAND where nobody gets user namespaces: within a chroot that is so, elsewhere one is made that allows none."""
    words = ["unshare", "-Ur", "sh", "-c", 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"', "sh"]
    there = subprocess.run([*words, "true"], capture_output=True).returncode == 0
    return [*(words if there else []), *map(str, command)]


ACTORS = {
    "c": lambda cc: [cc(CLONES), "say"],
    "like chromium": lambda cc: [cc(CLONES), "abort"],
    "python": lambda cc: [PYTHON, "-c", UNSHARES],
    "unshare": lambda cc: ["unshare", "-U", "true"],
    "bwrap": lambda cc: ["bwrap", "--unshare-user", "--bind", "/", "/", "true"],
    "node": lambda cc: ["node", "-e", "const r = require('child_process').spawnSync('unshare', ['-U', 'true'], "
                                      "{stdio: 'inherit'}); process.exit(r.status)"],
}


@pytest.mark.parametrize("actor", ACTORS)
def test_no_namespaces(run, cc, actor):
    result = run("--", *without_namespaces(*ACTORS[actor](cc)))
    assert kinds(result) == [("sandbox-unavailable", "user namespaces", "fatal")]
    first = result.first
    assert first["words"] and first["confidence"] >= 0.9
    if "unshare" in first["chain"][0] and actor != "unshare":
        assert "max_user_namespaces is 0" in first["summary"]
    assert first["remedies"]


@pytest.mark.parametrize("command", [["c", "go"], ["c", "later"], ["python", "go"]])
def test_goes_on_without(run, cc, command):
    actor = [cc(CLONES), command[1]] if command[0] == "c" else [PYTHON, "-c", UNSHARES, "go"]
    result = run("--", *without_namespaces(*actor))
    assert kinds(result) == []
    assert "user namespaces:" in result.stderr


def words_of(actor, text, end, cc=None):
    if actor == "node":
        node = "process.abort()" if "ABRT" in end else "process.exit(1)"
        return ["node", "-e", f"require('fs').writeSync(2, process.argv[1] + '\\n'); {node}", text]
    if actor == "c":
        return [cc(PRINTS), text, "abort" if "ABRT" in end else "exit"]
    python = "os.abort()" if "ABRT" in end else "sys.exit(1)"
    return [PYTHON, "-c", f"import os, sys; print(sys.argv[1], file=sys.stderr, flush=True); {python}", text]


@pytest.mark.parametrize("end", ["kill -ABRT $$", "exit 1"])
@pytest.mark.parametrize("actor", ["node", "c", "python"])
def test_helper_without_its_rights(run, cc, tmp_path, actor, end):
    helper = tmp_path / "chrome-sandbox"
    helper.write_text("")
    helper.chmod(0o755)
    result = run("--", *words_of(actor, HELPER.format(helper), end, cc))
    assert kinds(result) == [("sandbox-unavailable", str(helper), "fatal")]
    assert f"chmod 4755 {helper}" in str(result.first["remedies"])


def test_helper_with_its_rights(run):
    result = run("--", *words_of("python", HELPER.format("/bin/su"), "exit 1"))
    assert kinds(result) == []


def test_as_root(run):
    result = run("--", *words_of("python", ROOT, "exit 1"))
    assert kinds(result)[:1] == [("sandbox-unavailable", "a user other than root", "fatal")]
    if os.getuid() == 0:
        assert result.first["confidence"] >= 0.95
