"""`check PROGRAM --root NEW --against OLD`: what a newer suite's node, gopls, dlv and others would fail of on older C libraries,
before anything is run there; compared with what running them there tells, and the loader itself.
"""

import os
import pathlib
import re
import subprocess

import pytest

PROGRAMS = {"node": "--version", "gopls": "version", "dlv": "version", "go": "version", "gofmt": "-h", "git": "--version", "apt": "--version",
            "strace": "--version", "findmnt": "--version", "chage": "--help", "perl": "-v", "python3": "--version", "ls": "--version"}
SUITES = {"trixie": ("trixie", "go-trixie"), "forky": ("forky", "go-forky")}
OLDER = {"glibc-2.17": "2.17", "glibc-2.28": "2.28", "bullseye": "2.31", "bookworm": "2.36", "trixie": "2.41"}
VERSION = re.compile(r"(\S+): version `([^']+)' not found \(required by (\S+)\)")
OF_OLD = re.compile(r"(lib(c|m|dl|rt|pthread|util|resolv|anl|mvec|BrokenLocale|thread_db|nss_.*|gcc_s|stdc\+\+)|ld-linux-x86-64)\.so")


def demand(cause):
    return cause["kind"], cause["missing"], os.path.basename(cause["subject"]), os.path.basename(cause["provider"] or "")


def told(causes):
    return "; ".join(sorted({c["missing"] for c in causes})) or "loads"


@pytest.fixture
def carried(tmp_path):
    """carried(new) -> a directory of links to all of its libraries, but those that come with a C library, in /mnt."""

    def make(new):
        folder = tmp_path / new.name
        if not folder.exists():
            folder.mkdir()
            for file in (new / "usr" / "lib" / "x86_64-linux-gnu").glob("*.so*"):
                if not OF_OLD.match(file.name):
                    (folder / file.name).symlink_to(f"/mnt/usr/lib/x86_64-linux-gnu/{file.name}")
            for file in (new / "lib" / "x86_64-linux-gnu").glob("*.so*"):
                if not OF_OLD.match(file.name) and not (folder / file.name).is_symlink():
                    (folder / file.name).symlink_to(f"/mnt/lib/x86_64-linux-gnu/{file.name}")
        return folder

    return make


def faults(enter, path, *settings):
    """What the old loader lists, going on after the first: {(version, needer, provider)}, {library}."""
    ended = subprocess.run([*enter, *settings, "--setenv", "LD_TRACE_LOADED_OBJECTS", "1", path], capture_output=True, text=True)
    text = ended.stdout + ended.stderr
    return ({(v, os.path.basename(n), os.path.basename(p)) for p, v, n in VERSION.findall(text)},
            set(re.findall(r"^\s*(\S+) => not found", text, re.M)))


def run_in(root, *words):
    return subprocess.run(["chroot", root, *words], capture_output=True, text=True, check=True)


@pytest.mark.parametrize("old", OLDER)
@pytest.mark.parametrize("suite", SUITES)
def test_newer_on_older(run, root_of, carried, capsys, suite, old):
    for program, argument in PROGRAMS.items():
        new = next((root_of(n) for n in SUITES[suite] if os.path.lexists(root_of(n) / "usr" / "bin" / program)), None)
        if not new or suite == old:
            continue
        file = pathlib.Path(run_in(new, "readlink", "-f", f"/usr/bin/{program}").stdout.strip())
        inside = ["bwrap", "--bind", root_of(old), "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp", "--clearenv",
                  "--setenv", "HOME", "/dev", "--setenv", "PATH", "/usr/bin:/bin"]
        path, mounted = f"/tmp/{file.name}", f"/mnt{file}"
        enter = [*inside, "--ro-bind", new / file.relative_to("/"), path]
        ran = subprocess.run([*enter, path, argument], capture_output=True, text=True)
        runs = ran.returncode in (0, 2)  # gofmt's help is 2
        result = run("check", "--root", new, "--against", root_of(old), file)
        release = run("check", "--root", new, "--against", OLDER[old], file)
        with capsys.disabled():
            seen = "runs" if runs else f"status {ran.returncode}: {ran.stderr.strip()}"
            print(f"\n  {program} of {suite} on {old}: said {told(result.causes)}, of {OLDER[old]} alone {told(release.causes)} / seen {seen}",
                  end="")
        assert (result.returncode == 0) == (not result.causes) == runs
        versions, libraries = faults(enter, path) if not runs else (set(), set())
        assert {demand(c)[1:] for c in result.causes if c["kind"] == "symbol-version-missing"} == versions
        assert {c["missing"] for c in result.causes if c["kind"] == "library-missing"} == libraries
        if not runs:
            traced = run("-q", "--no-repro", "--", *enter, path, argument)
            assert demand(result.first) == demand(traced.first)
        # of a release alone it is as if everything else came along
        enter = [*inside, "--ro-bind", new, "/mnt", "--ro-bind", carried(new), "/tmp"]
        versions, libraries = faults(enter, mounted, "--setenv", "LD_LIBRARY_PATH", "/tmp")
        assert not libraries and {demand(c)[1:3] for c in release.causes} == {(v, n) for v, n, _ in versions}
