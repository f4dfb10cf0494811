"""Programs of newer suites on older C libraries: every version that is missing is told, and every library.

The judge is the real loader: with LD_TRACE_LOADED_OBJECTS it goes on after the first fault and prints them all (ldd(1)).
"""

import os
import re
import shutil
import subprocess

import pytest

PROGRAMS = ["ls", "git", "node", "strace", "findmnt", "chage", "apt", "getconf"]
PAIRS = [("forky", "bullseye"), ("forky", "bookworm"), ("trixie", "bullseye"), ("trixie", "bookworm")]
RELEASE = {"bullseye": "2.31", "bookworm": "2.36"}
VERSION = re.compile(r"(\S+): version `([^']+)' not found \(required by (\S+)\)")
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="chroot(2) wants root")
WAYS = {
    "chroot": lambda root: (["chroot", root], "chroot"),
    "bwrap": lambda root: (["bwrap", "--bind", root, "/", "--dev", "/dev", "--proc", "/proc"], "container"),
}


@pytest.fixture
def placed(fetched):
    """placed(suite, root, name) -> (root, path inside it) of that suite's program; or None where the suite has none."""

    def place(suite, root, name):
        source, target = fetched(suite) / "usr" / "bin" / name, fetched(root)
        if not source.exists():
            return None
        folder = target / "opt" / suite / "bin"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(source.resolve(), folder / name)
        return target, f"/opt/{suite}/bin/{name}"

    return place


def faults(root, path):
    """What the loader of ROOT itself says: {(version, needer, provider's name)}, {library}."""
    told = subprocess.run(["chroot", root, "/usr/bin/env", "LD_TRACE_LOADED_OBJECTS=1", path], capture_output=True, text=True)
    text = told.stdout + told.stderr
    versions = {(version, needer, os.path.basename(provider)) for provider, version, needer in VERSION.findall(text)}
    return versions, set(re.findall(r"^\s*(\S+) => not found", text, re.M))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("suite, name", PAIRS)
def test_newer_programs(run, placed, summary, suite, name, way):
    root, seen = name, 0
    for program in PROGRAMS:
        found = placed(suite, root, program)
        if not found:
            continue
        top, path = found
        versions, libraries = faults(top, path)
        words, context = WAYS[way](top)
        result = run("-q", "--", *words, path, "--version")
        summary(result, f"{program} of {suite} in {root} by {way}")
        if not versions and not libraries:
            assert (result.returncode, result.causes) == (0, []), program
            continue
        seen += 1
        told = {(c["missing"], c["subject"], os.path.basename(c["provider"])) for c in result.causes
                if c["kind"] == "symbol-version-missing"}
        assert told == versions, program
        assert {c["missing"] for c in result.causes if c["kind"] == "library-missing"} == libraries, program
        assert {c["impact"] for c in result.causes} == {"fatal"} and result.returncode == (127 if libraries else 1)
        first = result.first
        assert first["kind"] == ("library-missing" if libraries else "symbol-version-missing")
        assert first["subject"] == path and first["chain"][-1] == path and first["missing"] in first["words"]
        system = result.report["system"]
        assert system["context"] == context
        assert (system["libc"]["family"], system["libc"]["version"]) == ("glibc", RELEASE[root])
        if not libraries:
            assert system["libc"]["from"] == "the banner in its memory"
        assert result.report["reproduction"]["status"] == "verified", program
    assert seen or (suite, root) == ("trixie", "trixie")
