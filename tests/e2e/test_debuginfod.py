"""Debug information that is not installed: from a client's cache, and from servers only where the user has named any."""

import os
import re
import subprocess

import pytest

from test_stacks import C_PROGRAM, LEVELS, has_run, missed, names

# Stands for debuginfod-find(1): notes that it was asked, and for what, and has what is in a folder.
CLIENT = """#!/bin/sh
echo "$@" >> {folder}/asked
[ -f {folder}/$2.debug ] && echo {folder}/$2.debug
"""


@pytest.fixture
def stripped(cc, tmp_path):
    """(program, its debug information, its build-id)"""
    prog = cc(C_PROGRAM, "-O2", "-g", "-Wl,--build-id")
    debug = tmp_path / "elsewhere.debug"
    subprocess.run(["objcopy", "--only-keep-debug", prog, debug], check=True)
    subprocess.run(["strip", prog], check=True)
    notes = subprocess.run(["readelf", "-n", prog], stdout=subprocess.PIPE, text=True, check=True).stdout
    return prog, debug, re.search(r"Build ID: (\w+)", notes)[1]


@pytest.fixture
def client(tmp_path):
    """The environment in which the stand-in is found; its folder."""
    folder = tmp_path / "client"
    folder.mkdir()
    (folder / "debuginfod-find").write_text(CLIENT.format(folder=folder))
    (folder / "debuginfod-find").chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}", "DEBUGINFOD_CACHE_PATH": tmp_path / "no-cache"}, folder


def test_cache(run, stripped, tmp_path):
    prog, debug, build_id = stripped
    (tmp_path / "cache" / build_id).mkdir(parents=True)
    debug.rename(tmp_path / "cache" / build_id / "debuginfo")
    stack = missed(run("--", prog, env={"DEBUGINFOD_CACHE_PATH": tmp_path / "cache"}))
    assert has_run(stack, LEVELS)
    assert [frame["line"] for frame in stack if frame.get("symbol") == "level_four"] == [9]
    assert all(frame["object"] == str(prog) and "offset" in frame for frame in stack if frame.get("symbol") in LEVELS)


def test_cache_with_something_else(run, stripped, cc, tmp_path):
    """A file of another build, an empty one (which is how a client notes that nobody had it), and no ELF file."""
    prog, _, build_id = stripped
    folder = tmp_path / "cache" / build_id
    folder.mkdir(parents=True)
    other = cc(C_PROGRAM.replace("level_two", "level_xxx"), "-O2", "-g", "-Wl,--build-id", name="other")
    for data in (other.read_bytes(), b"", b"no ELF file\n"):
        (folder / "debuginfo").write_bytes(data)
        stack = missed(run("--", prog, env={"DEBUGINFOD_CACHE_PATH": tmp_path / "cache"}))
        assert set(names(stack, prog)) == {None}


def test_servers_are_asked_where_there_are_any(run, stripped, client):
    prog, debug, build_id = stripped
    env, folder = client
    debug.rename(folder / f"{build_id}.debug")
    assert has_run(missed(run("--", prog, env={**env, "DEBUGINFOD_URLS": "http://127.0.0.1:1"})), LEVELS)
    asked = (folder / "asked").read_text().splitlines()
    assert asked.count(f"debuginfo {build_id}") == 1


@pytest.mark.parametrize("urls", [None, ""])
def test_nobody_is_asked_otherwise(run, stripped, client, urls):
    prog, debug, build_id = stripped
    env, folder = client
    debug.rename(folder / f"{build_id}.debug")
    stack = missed(run("--", prog, env={**env, "DEBUGINFOD_URLS": urls}))
    assert set(names(stack, prog)) == {None}
    assert not (folder / "asked").exists()
