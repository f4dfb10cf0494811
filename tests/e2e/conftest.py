"""What every end-to-end test stands on: running the built binary, checking its report, building small programs.

The binary is build/glibctrace, or what the environment variable GLIBCTRACE names. Every report.json that `run`
sees is checked against testdata/report.schema.json, so a test that only looks at one cause still fails where the
contract is broken elsewhere.
"""

import dataclasses
import itertools
import json
import os
import pathlib
import signal
import subprocess
import tempfile

import jsonschema
import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
SUBCOMMANDS = {"explain", "repro", "diff", "check", "libc", "matrix", "sandbox", "rollback", "verify", "doctor",
               "bundle"}
# A test means the environment it names, not what the person who runs it happens to have set.
DROPPED = ("LD_LIBRARY_PATH", "LD_PRELOAD", "LD_DEBUG", "LD_BIND_NOW", "LD_AUDIT", "GLIBC_TUNABLES", "LANGUAGE",
           "DEBUGINFOD_URLS", "DEBUGINFOD_CACHE_PATH")
# Whoever started the tests in the background (nohup(1), sh's "&") had these ignored, and so would all that they run.
for ignored in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(ignored) == signal.SIG_IGN:
        signal.signal(ignored, signal.SIG_DFL)
HANGS_AFTER = 120  # seconds; nothing is measured with it, it only ends a test that would never end


def pytest_configure(config):
    """Each of the processes that share the tests is a session of its own: what one test's program has sent to its whole group (a
    signal, the kernel's SIGHUP to a group with a stopped process) does not reach those of the others, nor make."""
    if hasattr(config, "workerinput"):
        os.setsid()


def pytest_collection_modifyitems(config, items):
    """GLIBCTRACE_PART=K/N: every Nth test, from the Kth on. Whoever goes through all K has run all of them."""
    part, parts = map(int, os.environ.get("GLIBCTRACE_PART", "0/1").split("/"))
    config.hook.pytest_deselected(items=[item for i, item in enumerate(items) if i % parts != part % parts])
    items[:] = [item for i, item in enumerate(items) if i % parts == part % parts]


def pytest_terminal_summary(terminalreporter):
    """Behind the tests: the table of loader failures by libc, if it was run. The cells come with the tests' reports,
    whichever process ran them."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, [])]
    cells = [value for report in reports for name, value in report.user_properties if name == "cell"]
    if cells:
        import test_loader_table  # the tests' directory is on the path only once they are collected
        for line in test_loader_table.table(cells):
            terminalreporter.write_line(line)


@dataclasses.dataclass
class Result:
    """What one run of glibctrace left: bytes that are not UTF-8 stand as surrogates in the two texts."""

    returncode: int
    stdout: str
    stderr: str
    report: dict | None  # the checked report.json, None where none was asked for or written
    report_path: pathlib.Path | None

    @property
    def causes(self):
        return self.report["causes"]

    @property
    def first(self):
        """The most likely cause; fails the test where there is none."""
        assert self.report is not None, f"no report was written; standard error:\n{self.stderr}"
        assert self.report["causes"], f"no cause was found; standard error:\n{self.stderr}"
        return self.report["causes"][0]


def schema():
    return json.loads((TOP / "testdata" / "report.schema.json").read_text())


def check_report(report):
    """Fails with every breach of the contract that REPORT (a parsed report.json) holds, not only with the first."""
    validator = jsonschema.Draft202012Validator(schema())
    breaches = [f"{'/'.join(map(str, e.absolute_path)) or '(top)'}: {e.message}" for e in validator.iter_errors(report)]
    assert not breaches, "report.json breaks the contract:\n" + "\n".join(breaches)
    return report


def without_stack(report):
    """The kinds of REPORT's causes that have none though the program had begun; in one that was attached to, a dlsym or
    a successful call may be all that there is."""
    return [cause["kind"] for cause in report["causes"]
            if not cause["stack"] and cause["process"]["exe"] and report["input"]["how"] == "launch"]


def load_report(path):
    """Reads and checks a report.json. Numbers such as NaN, and keys given twice, are no JSON here."""

    def no_duplicates(pairs):
        keys = [key for key, _ in pairs]
        assert len(keys) == len(set(keys)), f"a key stands twice in {path}: {keys}"
        return dict(pairs)

    def no_constant(name):
        raise AssertionError(f"{name} is no JSON number")

    text = pathlib.Path(path).read_bytes().decode("utf-8")
    return check_report(json.loads(text, object_pairs_hook=no_duplicates, parse_constant=no_constant))


@pytest.fixture(scope="session")
def tool():
    """The binary under test."""
    path = pathlib.Path(os.environ.get("GLIBCTRACE", TOP / "build" / "glibctrace")).resolve()
    assert os.access(path, os.X_OK), f"{path} is not there: run make first"
    return path


@pytest.fixture
def environment():
    """Builds an environment: the caller's without what would change a loader, English messages, then CHANGES (a value
    of None drops the variable)."""

    def build(changes=None):
        env = {key: value for key, value in os.environ.items() if key not in DROPPED}
        env.update(LC_ALL="C.UTF-8", NO_COLOR="1")
        for key, value in (changes or {}).items():
            if value is None:
                env.pop(key, None)
            else:
                env[key] = str(value)
        return env

    return build


@pytest.fixture
def open_to_all():
    """A directory that another user may enter, which pytest's own may not be."""
    with tempfile.TemporaryDirectory(prefix="glibctrace-test-") as path:
        os.chmod(path, 0o755)
        yield pathlib.Path(path)


@pytest.fixture
def run(tool, environment, tmp_path):
    """run(*args, env=None, cwd=None, stdin="", report=True, redact=False, under=()) -> Result

    Runs glibctrace with ARGS (a subcommand may come first). Unless REPORT is false, `-o FILE.json` is added and the
    report is checked; unless REDACT is true, `--no-redact` too, since tmp_path may hold the user's name. CWD is
    tmp_path unless given; ENV holds changes, see `environment`. UNDER: words of a command that runs glibctrace.
    """
    numbers = itertools.count(1)

    def run_(*args, env=None, cwd=None, stdin="", report=True, redact=False, under=()):
        words = [os.fspath(arg) if isinstance(arg, os.PathLike) else str(arg) for arg in args]
        path = None
        if report:
            folder = tmp_path / "glibctrace-reports"
            folder.mkdir(exist_ok=True)
            path = folder / f"r{next(numbers)}.json"
            at = 1 if words and words[0] in SUBCOMMANDS else 0
            words[at:at] = ["-o", str(path)] + ([] if redact else ["--no-redact"])
        process = subprocess.Popen([*map(str, under), str(tool), *words], cwd=cwd or tmp_path, env=environment(env),
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True, encoding="utf-8", errors="surrogateescape", start_new_session=True)
        try:
            out, err = process.communicate(stdin, timeout=HANGS_AFTER)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            pytest.fail(f"glibctrace {words} did not end; standard error so far:\n{err}")
        loaded = load_report(path) if path and path.exists() else None
        narrow = "none: it is a 32-bit program" in " ".join(err.split())
        assert not loaded or narrow or not without_stack(loaded), without_stack(loaded)
        return Result(process.returncode, out, err, loaded, path if loaded else None)

    return run_


@pytest.fixture
def cc(tmp_path):
    """cc(source, *flags, name="prog", cwd=None) -> path of what was built

    SOURCE is C text. A NAME that ends in .so, .node or has ".so." in it becomes a shared object, one in .o an object
    file. FLAGS come after the source, so "-lname" works; relative paths in them start at tmp_path. The compiler is $CC
    or cc.
    """

    def compile_(source, *flags, name="prog", cwd=None):
        directory = pathlib.Path(cwd or tmp_path)
        target = directory / name
        target.parent.mkdir(parents=True, exist_ok=True)
        text = target.with_name(target.name + ".c")
        text.write_text(source)
        how = []
        if name.endswith((".so", ".node")) or ".so." in target.name:
            how = ["-shared", "-fPIC"]
        elif name.endswith(".o"):
            how = ["-c", "-fPIC"]
        command = [*os.environ.get("CC", "cc").split(), *how, "-o", str(target), str(text), *map(str, flags)]
        built = subprocess.run(command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert built.returncode == 0, f"{' '.join(command)}\n{built.stdout}"
        text.unlink()
        return target

    return compile_


@pytest.fixture
def script(tmp_path):
    """script(name, text, mode=0o755) -> path; TEXT may be bytes, and keeps its line ends."""

    def write(name, text, mode=0o755):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(mode)
        return path

    return write
