"""Every call of dlopen and its family is seen, whichever way a program was linked and however many threads call.

The program says itself what it called and what it got; the trace must hold the same calls. Breakpoints in a program's
PLT see nothing of some of these (-fno-plt, IBT with BIND_NOW), and have crashed programs with threads.
"""

import collections
import json
import os
import pathlib
import re
import subprocess

import pytest

from test_outputs import unpacked

SOURCE = pathlib.Path(__file__).with_name("caller.c")
FLAVOURS = {
    "lazy": ["-Wl,-z,lazy"],
    "now": ["-Wl,-z,now"],
    "IBT": ["-fcf-protection=full", "-Wl,-z,ibtplt", "-Wl,-z,lazy"],
    "IBT now": ["-fcf-protection=full", "-Wl,-z,ibtplt", "-Wl,-z,now"],
    "no PLT": ["-fno-plt"],
    "gold": ["-fuse-ld=gold"],
    "lld": ["-fuse-ld=lld"],
    "no PIE": ["-fno-pie", "-no-pie"],
    "static PIE": ["-static-pie"],
}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """built(flavour) -> path"""
    folder = tmp_path_factory.mktemp("flavours")

    def build(flavour):
        target = folder / flavour.replace(" ", "-")
        if not target.exists():
            made = subprocess.run([*os.environ.get("CC", "cc").split(), "-O1", "-w", "-pthread", "-o", target, SOURCE,
                                   *FLAVOURS[flavour], "-ldl"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            assert made.returncode == 0, made.stdout
        return target

    return build


@pytest.fixture
def calls(run, tmp_path):
    """calls(program, *arguments) -> (Result, events of calls)"""

    def run_(*command):
        bundle = tmp_path / "case.tar.zst"
        result = run("-o", bundle, "-o", tmp_path / "r.txt", "--no-repro", "-t", "lookups", "--", *command)
        events = [json.loads(text) for text in unpacked(bundle)["case/trace.jsonl"].decode().splitlines()]
        return result, [e for e in events if e["type"] == "loader" and e.get("what") == "call"]

    return run_


def number(value):
    return value if isinstance(value, int) else int(value or "0", 0)


def shown(event):
    """An event as the program says it."""
    what = event.get("symbol") or event.get("file") or ""
    ret = number(event["ret"])
    return f"{event['name']} {what} {hex(ret) if ret else '(nil)'}"


def without_addresses(text):
    return re.sub(r"0x[0-9a-f]+", "0x…", text)


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("stripped", [False, True], ids=["", "stripped"])
def test_every_call_of_a_flavour(built, calls, environment, flavour, stripped, tmp_path):
    program = built(flavour)
    if stripped:
        copy = tmp_path / program.name
        subprocess.run(["strip", "-o", copy, program], check=True)
        program = copy
    native = subprocess.run([program, "3"], stdout=subprocess.PIPE, text=True, env=environment())
    result, events = calls(program, "3")
    assert result.returncode == native.returncode == 3
    assert without_addresses(result.stdout) == without_addresses(native.stdout)
    if stripped and flavour == "static PIE" and not events:
        return  # its dlopen is a function like any other of its own, and no name of it is left
    assert [shown(e) for e in events] == result.stdout.splitlines()
    assert {e["object"] for e in events} == {str(program)}


def test_every_call_of_many_threads(built, calls, environment):
    program = built("lazy")
    result, events = calls(program, "250", "6")
    assert result.returncode == 3
    said = result.stdout.splitlines()
    assert len(said) == 250 * 6 * 7
    assert collections.Counter(map(shown, events)) == collections.Counter(said)
    assert result.report["counts"]["lost"] == 0
    assert len({e["tid"] for e in events}) == 6
