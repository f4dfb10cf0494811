"""Real programs of other suites and registries: `make real`. What is fetched is cached (fetch.sh); no test of `make check`.

The fixtures are those of tests/e2e.
"""

import importlib.util
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))
spec = importlib.util.spec_from_file_location("e2e_conftest", HERE.parent / "e2e" / "conftest.py")
e2e = importlib.util.module_from_spec(spec)
spec.loader.exec_module(e2e)
tool, environment, run, cc, script = e2e.tool, e2e.environment, e2e.run, e2e.cc, e2e.script


def made_by(script):
    def make(name):
        made = subprocess.run(["bash", str(HERE / script), name], stdout=subprocess.PIPE, text=True)
        assert made.returncode == 0
        return pathlib.Path(made.stdout.strip())

    return make


@pytest.fixture(scope="session")
def fetched():
    """fetched(name) -> the folder of that name, made now if it is not there."""
    return made_by("fetch.sh")


@pytest.fixture(scope="session")
def built_here():
    """The same of builds.sh."""
    return made_by("builds.sh")


@pytest.fixture(scope="session")
def root_of(fetched, built_here):
    """root_of(name) -> that root, of whichever script; a real suite's has node."""

    def find(name):
        if name == "musl":
            return made_by(e2e.TOP / "tests" / "roots.sh")(name)
        return built_here(name) if name.startswith(("glibc-", "go-")) else fetched(name)

    return find


@pytest.fixture
def summary(capsys):
    """Prints what was found, one line a case, whatever pytest captures."""

    def say(result, what):
        with capsys.disabled():
            causes = "; ".join(f"{c['kind']} {c['missing']} ({c['impact']})" for c in result.causes) or "no causes"
            print(f"\n  {what}: {causes}", end="")

    return say
