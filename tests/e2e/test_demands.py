"""What the loader refuses although the file is there and whole: its mount, the processor, static TLS, the stack."""

import pathlib
import subprocess

import broken
import pytest

from test_static import cached_root, inside, report_of, static  # noqa: F401  (fixtures)

AT_START = ["program_itself", "library_of_library", "three_shells_deep"]
LATER = ["opened_while_running", "survived"]


def _loader():
    lines = subprocess.run(["ldd", "/bin/true"], capture_output=True, text=True, check=True).stdout.splitlines()
    return pathlib.Path(next(line.split()[0] for line in lines if "/ld-" in line))


# From 2.41 on the loader makes no stack executable for a dlopen; the tunable came with it.
KEEPS_STACK = b"glibc.rtld.execstack" in _loader().read_bytes()
CASES = [(way, position) for way in ("noexec", "cpu_level") for position in AT_START + LATER]
CASES += [("static_tls", position) for position in LATER]
CASES += [("execstack", position) for position in LATER if KEEPS_STACK]
HEALTHY = [(way, position, True) for way in broken.DEMANDS for position in AT_START + LATER]
HEALTHY += [("static_tls", position, False) for position in AT_START]
HEALTHY += [("execstack", position, False) for position in AT_START + ([] if KEEPS_STACK else LATER)]


@pytest.fixture
def place(tmp_path, cc):
    top = tmp_path / "case"
    top.mkdir()
    return broken.Place(top, cc)


def _check(result, case):
    cause, expected = result.first, case.expected
    found = (cause["kind"], cause["subject"], cause["missing"], cause["impact"])
    assert found == (expected.kind, case.subject, expected.missing, case.impact)
    assert cause["provider"] == expected.provider
    assert cause["chain"] == case.chain
    assert cause["confidence"] > 0.6
    assert cause["evidence"]
    assert expected.words in cause["words"]
    assert len(result.causes) == 1, [(c["kind"], c["missing"]) for c in result.causes]
    assert result.report["reproduction"]["status"] == expected.reproduction, result.report["reproduction"]


@pytest.mark.parametrize("way, position", CASES)
def test_refused(run, place, tmp_path, way, position):
    case = broken.POSITIONS[position](place, way, False)
    result = run("--", *case.command, env=case.expected.env, cwd=tmp_path, under=case.expected.under)
    assert result.returncode != 0 or case.impact == "degraded"
    _check(result, case)


RUNNERS = {
    "directly": ["{path}"],
    "sh": ["sh", "-c", "{path}; exit $?"],
    "python": ["/usr/bin/python3", "-c", "import subprocess; subprocess.run(['{path}'], check=True)"],
}


@pytest.mark.parametrize("option", ["noexec", "exec"])
@pytest.mark.parametrize("what", ["program", "script"])
@pytest.mark.parametrize("runner", RUNNERS)
def test_executed_from_a_mount(run, cc, script, tmp_path, runner, what, option):
    file = script("tool", "#!/bin/sh\nexit 0\n") if what == "script" else cc("int main(void) { return 0; }\n", name="tool")
    mount = tmp_path / "sealed"
    mount.mkdir()
    command = [word.format(path=mount / "tool") for word in RUNNERS[runner]]
    result = run("--", *command, under=broken.mounted(option, mount, file))
    if option == "exec":
        assert (result.returncode, result.causes) == (0, [])
        return
    cause = result.first
    assert (cause["kind"], cause["subject"], cause["missing"], cause["impact"]) == (
        "noexec-mount", str(mount / "tool"), str(mount), "fatal")
    assert len(result.causes) == 1
    assert result.report["reproduction"]["status"] == "verified", result.report["reproduction"]


def test_bind_mount_with_options_of_its_own(run, cc, tmp_path):
    """The same file system inside and outside: only the mount differs."""
    prog = cc("int main(void) { return 0; }\n", name="sealed/prog")
    seal = 'mount --bind "$1" "$1" && mount -o remount,bind,noexec "$1" && shift && exec "$@"'
    result = run("--", prog, under=[*broken.OWN_MOUNTS, "sh", "-c", seal, "sh", prog.parent])
    assert (result.first["kind"], result.first["missing"]) == ("noexec-mount", str(prog.parent))


@pytest.mark.parametrize("way, position, sound", HEALTHY)
def test_healthy_twin(run, place, tmp_path, way, position, sound):
    case = broken.POSITIONS[position](place, way, sound)
    result = run("--", *case.command, env=case.expected.env, cwd=tmp_path, under=case.expected.under)
    assert result.causes == []
    assert (result.returncode, result.stdout) == (0, "started\n")


# As a hardened system does it (a security module, PR_SET_MDWE): mprotect(2) of a stack (PROT_GROWSDOWN) is refused.
KEEP_STACKS = ["/usr/bin/python3", "-c", """
import ctypes, os, struct, sys
LOAD, EQUAL, ANY, RETURN = 0x20, 0x15, 0x45, 0x06
rows = [(LOAD, 0, 0, 0), (EQUAL, 0, 3, 10), (LOAD, 0, 0, 32), (ANY, 0, 1, 0x01000000), (RETURN, 0, 0, 0x50000 | 13),
        (RETURN, 0, 0, 0x7fff0000)]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *row) for row in rows))
program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(rows), ctypes.addressof(code)))
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, program):
    sys.exit(99)
os.execvp(sys.argv[1], sys.argv[1:])
"""]


@pytest.mark.parametrize("position", AT_START + LATER)
@pytest.mark.parametrize("sound", [False, True])
def test_stack_refused_by_the_kernel(run, place, tmp_path, position, sound):
    """Nothing but the loader's words tells of it, whichever glibc it is."""
    case = broken.POSITIONS[position](place, "execstack", sound)
    result = run("--", *KEEP_STACKS, *case.command, cwd=tmp_path)
    assert result.returncode != 99, "no seccomp filter could be set"
    if sound:
        assert (result.returncode, result.stdout, result.causes) == (0, "started\n", [])
        return
    cause = result.first
    assert (cause["kind"], cause["missing"], cause["impact"]) == (
        "execstack-refused", case.expected.missing, case.impact)
    assert "cannot enable executable stack" in cause["words"]
    assert len(result.causes) == 1, [(c["kind"], c["missing"]) for c in result.causes]


# 2.36 and older make the stack executable, 2.31 does not look at the level; room for static TLS has each.
IN_ROOTS = [(root, "execstack", root in ("trixie", "forky")) for root in ("bullseye", "trixie", "forky")]
IN_ROOTS += [(root, "cpu_level", root != "bullseye") for root in ("bullseye", "trixie", "forky")]
IN_ROOTS += [(root, "static_tls", True) for root in ("bullseye", "trixie", "forky")]
PLAIN = r"""
#include <dlfcn.h>
#include <string.h>
#include <unistd.h>
void begin(char **argv)
{
    const char *said = dlopen(argv[1], RTLD_NOW) ? "started" : dlerror();
    _exit(write(2, said, strlen(said)) < 0 || write(2, "\n", 1) < 0 || strcmp(said, "started") != 0);
}
__asm__(".globl _start\n_start: lea 8(%rsp),%rdi; and $-16,%rsp; call begin");
"""


@pytest.mark.parametrize("root, way, refused", IN_ROOTS)
def test_in_a_root(inside, cc, root, way, refused):  # noqa: F811
    """Each release of glibc has its own idea of what it refuses."""
    place = broken.Place(inside.work, cc)
    oldest = cached_root("bullseye") / "lib" / "x86_64-linux-gnu"  # what asks for nothing newer runs in all of them
    libraries = [oldest / "libc.so.6", oldest / "libdl.so.2"]
    expected = broken.DEMANDS[way](
        place, lambda: cc(PLAIN, "-nostdlib", "-fno-stack-protector", *libraries, name="opener", cwd=inside.work), False)
    status, output = inside(cached_root(root), ["-o", "/tmp/r.json", "--", "/tmp/opener", "/tmp/lib/libdep.so.1"])
    report = report_of(inside)
    if not refused:
        assert (status, report["causes"]) == (0, []), output
        return
    assert report["causes"], output
    cause = report["causes"][0]
    missing = expected.missing.replace(str(inside.work), "/tmp")
    assert (cause["kind"], cause["subject"], cause["missing"], cause["impact"]) == (
        expected.kind, "/tmp/opener", missing, "fatal"), output
    assert expected.words in cause["words"]
    assert len(report["causes"]) == 1
    assert report["reproduction"]["status"] == "verified", report["reproduction"]
