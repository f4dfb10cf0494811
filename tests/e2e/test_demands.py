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
