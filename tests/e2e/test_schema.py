"""The schema of report.json can fail: one report that keeps the contract, and breaches of it one at a time."""

import copy
import json

import jsonschema
import pytest

from conftest import TOP, check_report, load_report, schema

GOOD = {
    "schema": "glibctrace.report/1",
    "tool": {"version": "0.1.0"},
    "input": {"how": "launch", "argv": ["node"], "pid": 1},
    "outcome": {"status": "exited", "code": 1, "signal": None},
    "system": {"libc": {"family": "glibc", "version": "2.36", "path": "/lib/libc.so.6", "from": "its banner"},
               "context": "host", "kernel": "6.1", "machine": "x86_64", "distribution": "Debian 12"},
    "causes": [{
        "kind": "symbol-version-missing", "impact": "fatal", "confidence": 0.97, "subject": "/opt/x/addon.node",
        "missing": "GLIBC_2.38", "provider": "/lib/libm.so.6", "process": {"pid": 1, "exe": "/bin/node", "argv": []},
        "chain": ["/bin/node"], "summary": "It needs it.", "detail": "", "words": None, "symbols": ["fmod"],
        "stack": [{"ip": "0x1f", "object": "/bin/node", "offset": "0x1"}], "evidence": [812],
        "remedies": [{"title": "x", "commands": ["y"], "proof": "known", "risk": None}]}],
    "counts": {"events": 1, "failed": 0, "processes": 1, "threads": 1, "lost": 0},
    "reproduction": {"status": "verified", "command": "sh repro/repro.sh", "files": 2, "bytes": 3, "expect": "a line"},
}


def changed(path, value):
    """GOOD with the thing at PATH ("causes/0/kind") set to VALUE; deleted where VALUE is ...."""
    report = copy.deepcopy(GOOD)
    *parents, last = [int(part) if part.isdigit() else part for part in path.split("/")]
    at = report
    for part in parents:
        at = at[part]
    if value is ...:
        del at[last]
    else:
        at[last] = value
    return report


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(schema())


def test_a_good_report_and_unknown_keys_pass():
    check_report(GOOD)
    check_report(changed("causes/0/more", {"x": 1}))
    check_report(changed("causes", []))
    check_report(changed("reproduction", None))
    check_report(changed("causes/0/provider", None))


def test_every_named_key_is_required():
    def paths(value, prefix=""):
        items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, below in items:
            if isinstance(value, dict):
                yield f"{prefix}{key}"
            yield from paths(below, f"{prefix}{key}/")

    optional = {"causes/0/stack/0/object", "causes/0/stack/0/offset"}
    for path in set(paths(GOOD)) - optional:
        with pytest.raises(AssertionError):
            check_report(changed(path, ...))


@pytest.mark.parametrize("path, value", [
    ("schema", "glibctrace.report/2"), ("input/how", "guess"), ("input/pid", "1"), ("input/argv", "node"),
    ("outcome/code", None), ("outcome/code", 1.5), ("outcome/code", 256), ("outcome/status", "signaled"),
    ("outcome/signal", "SIGSEGV"), ("system/libc/family", "bionic"), ("system/context", "moon"),
    ("causes", None), ("causes/0/kind", "symbol-version"), ("causes/0/impact", "bad"),
    ("causes/0/confidence", 1.01), ("causes/0/confidence", "0.9"), ("causes/0/missing", None),
    ("causes/0/missing", ""), ("causes/0/missing", "fmod@GLIBC_2.38"), ("causes/0/evidence", [0]),
    ("causes/0/evidence", ["812"]), ("causes/0/stack/0/ip", "1f"), ("causes/0/summary", ""),
    ("causes/0/remedies/0/proof", "hoped"), ("causes/0/process/pid", -1), ("counts/lost", -1),
    ("counts/events", 1.5), ("reproduction/status", "maybe"), ("reproduction/expect", None), ("reproduction/files", 0),
])
def test_breaches_fail(path, value):
    with pytest.raises(AssertionError):
        check_report(changed(path, value))


@pytest.mark.parametrize("kind, good, bad", [
    ("symbol-missing", "f@V_1", "f @V"), ("library-off-path", "libx.so.1", "/opt/libx.so.1"),
    ("wrong-architecture", "aarch64", "AArch64 (ARM)"), ("object-corrupt", "/x/y.so", "y.so"),
    ("syscall-blocked", "clone3", "clone3()"), ("environment-wrong", "DISPLAY=:7", "DISPLAY"),
    ("watch-limit", "fs.inotify.max_user_watches", "max_user_watches"), ("crash", "SIGSEGV", "11"),
    ("resource-limit", "ENOSPC:/tmp", "no space left"), ("module-abi-mismatch", "NODE_MODULE_VERSION 115", "115"),
])
def test_missing_is_spelled_as_its_kind_says(kind, good, bad):
    report = changed("causes/0/kind", kind)
    report["causes"][0]["missing"] = good
    check_report(report)
    report["causes"][0]["missing"] = bad
    with pytest.raises(AssertionError):
        check_report(report)


def test_the_kinds_are_the_ones_of_the_source():
    """The schema and the table of names list the same kinds, in the contract's order."""
    source = (TOP / "reports" / "report.c").read_text().split("kind_names[CAUSE_KIND_COUNT] = {")[1].split("};")[0]
    names = [line.split('"')[1] for line in source.splitlines() if '"' in line]
    assert names == schema()["$defs"]["cause"]["properties"]["kind"]["enum"]


def test_files_that_are_no_json_fail(tmp_path):
    path = tmp_path / "r.json"
    for text in [json.dumps(GOOD).replace("0.97", "NaN"), json.dumps(GOOD)[:-1] + ', "schema": "glibctrace.report/1"}']:
        path.write_text(text)
        with pytest.raises(AssertionError):
            load_report(path)
    path.write_text(json.dumps(GOOD))
    load_report(path)
