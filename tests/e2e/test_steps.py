"""Functions whose first instruction only the processor can do have breakpoints all the same, and no program notices.

The library of steps_dl.c stands before the C library's own dlopen and its like: each call is seen twice, once in each.
What the program of steps.c says and how it ends is compared with a run that nobody traces.
"""

import collections
import json
import os
import pathlib
import re
import subprocess

import pytest

from lines import HANGS_AFTER
from test_breakpoints import COUNTS
from test_outputs import unpacked

HERE = pathlib.Path(__file__).parent
VERSIONS = "STEPS_1 { global: dlopen; dlsym; dlvsym; dlclose; dl_mend; local: *; };\n"


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    folder = tmp_path_factory.mktemp("steps")
    cc = os.environ.get("CC", "cc").split()
    (folder / "versions").write_text(VERSIONS)
    for command in ([*cc, "-shared", "-fPIC", "-o", folder / "libdl.so.2", "-Wl,-soname,libdl.so.2",
                     f"-Wl,--version-script={folder}/versions", HERE / "steps_dl.c"],
                    [*cc, "-w", "-O1", "-pthread", "-o", folder / "steps", HERE / "steps.c", folder / "libdl.so.2",
                     f"-Wl,-rpath,{folder}"]):
        built = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert built.returncode == 0, built.stdout
    return folder / "steps"


@pytest.fixture
def outcome(environment):
    """outcome(*command) -> (status, what was written)"""

    def run(*command):
        ended = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True, env=environment(), timeout=3 * HANGS_AFTER)
        return ended.returncode if ended.returncode >= 0 else 128 - ended.returncode, ended.stdout

    return run


def loader_events(bundle):
    lines = unpacked(bundle)["case/trace.jsonl"].decode().splitlines()
    return [e for e in map(json.loads, lines) if e["type"] == "loader"]


@pytest.mark.parametrize("mode", ["auto", "no"])
@pytest.mark.parametrize("company", ["threads", "faults", "stops", "children", "traps", "crash", "exit", "exec", "kill"])
def test_like_a_run_that_nobody_traces(tool, program, outcome, tmp_path, company, mode):
    bundle = tmp_path / "case.tar.zst"
    alone = outcome(program, company)
    traced = outcome(tool, "-q", "--no-repro", f"--seccomp={mode}", "-o", bundle, "--", program, company)
    assert traced == alone


@pytest.mark.parametrize("mode", ["auto", "no"])
def test_every_call_of_many_threads(tool, program, outcome, tmp_path, mode):
    """More threads than there are places to step at, with two functions in each call: none is lost, none told twice."""
    bundle = tmp_path / "case.tar.zst"
    command = [tool, "-q", "--no-repro", "--no-redact", f"--seccomp={mode}", "-o", bundle, "--", program, "threads"]
    assert outcome(*command) == (0, "8000\n")
    events = loader_events(bundle)
    seen = collections.Counter((e["name"], e["symbol"], e["object"]) for e in events if e["what"] == "call")
    callers = (program, program.with_name("libdl.so.2"))
    assert seen == {("dlsym", name, str(caller)): 4000 for name in ("nothing", "none") for caller in callers}
    assert sum(e["what"] == "error" for e in events) == 8000


def test_what_comes_between_is_told_once(tool, program, outcome, tmp_path):
    """A fault in the stepped instruction, mended by the program's handler, is one call; one that a jump leaves is none
    that returned."""
    bundle = tmp_path / "case.tar.zst"
    assert outcome(tool, "-q", "--no-repro", "-o", bundle, "--", program, "faults")[0] == 0
    calls = collections.Counter((e["name"], e.get("symbol")) for e in loader_events(bundle) if e["what"] == "call")
    assert calls[("dlsym", "main")] == 3
    assert calls[("dlsym", None)] == 1  # its name cannot be read when it is called
    assert calls[("dlvsym", "malloc")] == 2
    assert calls[("dlclose", None)] == 2
    assert calls[("dlsym", "nothing")] == 2


def test_a_crash_in_a_step(run, program):
    """The report tells of the function, not of the place where its instruction was done, and shows its own bytes."""
    result = run("--no-repro", "--", program, "crash")
    assert result.returncode == 128 + 11
    cause = result.first
    assert (cause["kind"], cause["missing"]) == ("crash", "SIGSEGV")
    assert cause["stack"][0]["object"].endswith("libdl.so.2")
    assert re.search(r"→ 0x[0-9a-f]+  movzbl \(%rsi\), %eax$", result.stderr, re.MULTILINE)
    assert "int3" not in result.stderr


def test_code_is_as_it_was_afterwards(tool, program, environment):
    """A python3 that calls through the same library: neither traps nor stepped instructions stay behind."""
    counts = COUNTS.replace("import os, re, sys", "import ctypes, os, re, sys") \
        .replace("print(differing(), flush=True)",
                 "[ctypes.CDLL(None).dlsym(None, b'nothing') for i in range(9)]\n    print(differing(), flush=True)")
    preload = f"LD_PRELOAD={program.with_name('libdl.so.2')}"
    command = [tool, "--no-repro", "--for", "2", "-o", "-", "-E", preload, "--", "/usr/bin/python3", "-c", counts]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                          bufsize=1, env=environment(), start_new_session=True) as traced:
        traced.stdin.write("\n")
        # The traps, and of the instruction that was stepped over at least one byte in the loader's last page.
        before = int(traced.stdout.readline())
        assert before >= 6
        assert traced.stdout.readline()
        traced.stdin.write("\n")
        numbers = (line for line in traced.stdout if line.strip().isdigit())
        assert int(next(numbers)) == 0
        traced.stdin.close()
        assert traced.wait(HANGS_AFTER) == 0
