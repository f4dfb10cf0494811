"""The C libraries that the comparison runs on: this system's, and those of the roots that tests/roots.sh makes.

A program of a root runs inside it: root enters it with chroot in a mount namespace of its own, anyone else with bwrap;
a directory of the caller's is /tmp there.
"""

import os
import pathlib
import shlex
import subprocess

TOP = pathlib.Path(__file__).resolve().parents[2]
ROOTS = ("bullseye", "trixie", "forky")
MORE_ROOTS = ("bullseye", "bookworm", "trixie", "forky")  # tests/conformance/roots.sh
PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
HANGS_AFTER = 120  # seconds; it only ends a run that would never end


class Libc:
    def __init__(self, name, root=""):
        self.name, self.root = name, str(root)

    def where(self, word):
        """The absolute path, in the root, of the program that a shell there finds as WORD, or None."""
        if "/" in word:
            return word if word.startswith("/") and self.file(word) else None
        found = (os.path.join(d, word) for d in PATH.split(":") if self.file(os.path.join(d, word)))
        return next(found, None)

    def file(self, path):
        """From here, the file that is PATH in the root (an absolute link starts there), or None."""
        for _ in range(40):
            there = self.root + path
            if not os.path.islink(there):
                return there if os.path.isfile(there) else None
            path = os.path.normpath(os.path.join(os.path.dirname(path), os.readlink(there)))
        return None

    def run(self, argv, work, env):
        """Runs ARGV, WORK being its directory (and /tmp where there is a root). Returns (status, output)."""
        env = {"PATH": PATH, "LC_ALL": "C.UTF-8", "HOME": "/tmp", **env}
        if self.root and os.geteuid() == 0:
            # In a chroot / is no mount point, so its propagation cannot be changed, and what is mounted is taken away
            # again in case it does propagate.
            words = " ".join(map(shlex.quote, ["env", "-i", *(f"{k}={v}" for k, v in env.items()), *argv]))
            enter = ('mount --make-rprivate / 2>/dev/null; mount --bind "$1" "$2/tmp" && mount -t proc proc "$2/proc" && '
                     f'{{ chroot "$2" {words}; status=$?; umount "$2/proc" "$2/tmp"; exit $status; }}')
            argv = ["unshare", "-m", "--propagation", "unchanged", "sh", "-c", enter, "enter", str(work), self.root]
            env = {"PATH": PATH}
        elif self.root:
            argv = ["bwrap", "--ro-bind", self.root, "/", "--bind", str(work), "/tmp", "--proc", "/proc", "--dev", "/dev",
                    "--chdir", "/", "env", "-i", *(f"{k}={v}" for k, v in env.items()), *argv]
            env = {"PATH": PATH}
        try:
            ended = subprocess.run(argv, cwd=work, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, timeout=HANGS_AFTER, start_new_session=True)
        except subprocess.TimeoutExpired:
            return None, ""
        return ended.returncode, ended.stdout.decode("utf-8", "replace")

    def inside(self, work, name):
        """The path by which the program sees the file NAME of its directory WORK."""
        return f"/tmp/{name}" if self.root else f"{work}/{name}"


def host():
    return Libc("host")


def root(name, script="tests/roots.sh"):
    """The root called NAME, made where it is not there yet; an OSError says why it cannot be had."""
    made = subprocess.run(["bash", str(TOP / script), name], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if made.returncode:
        raise OSError(made.stderr.strip())
    return Libc(name, made.stdout.strip())


def named(name, more=False):
    """MORE: the root with larger programs."""
    if name == "host":
        return host()
    return root(name, "tests/conformance/roots.sh") if more else root(name)
