"""trace.jsonl in a bundle: contract.md section 4, and that the report's evidence points into it."""

import errno
import json

import jsonschema
import pytest

from test_outputs import unpacked

NAME = {"type": "string", "minLength": 1}
TEXT = {"type": ["string", "null"]}
HEAD = {"n": {"type": "integer", "minimum": 1}, "t": {"type": "number", "minimum": 0},
        "pid": {"type": "integer", "minimum": 1}, "tid": {"type": "integer", "minimum": 1},
        "type": {"enum": ["syscall", "signal", "process", "loader", "lookup", "output"]}}
OF_TYPE = {
    "syscall": {"name": NAME, "args": {"type": "array", "items": {"type": "string"}, "maxItems": 6},
                "ret": {"type": ["integer", "null"]}},
    "lookup": {"symbol": NAME, "from": TEXT, "to": TEXT},
    "process": {"what": NAME},
    "signal": {"name": {"type": "string", "pattern": "^SIG"}},
    "output": {"fd": {"enum": [1, 2]}, "data": {"type": "string"}, "size": {"type": "integer"}},
    "loader": {"what": {"enum": ["error", "loaded", "unloaded", "call"]}},
}
OBJECT = {"object": NAME, "base": NAME, "namespace": {"type": "integer", "minimum": 0}}
OF_LOADER = {"error": {"format": NAME, "args": {"type": "array"}}, "call": {"name": NAME, "ret": NAME},
             "loaded": OBJECT | {"reason": NAME}, "unloaded": OBJECT}


def checked(data):
    """The lines of a trace.jsonl, each as the contract has it."""
    head = jsonschema.Draft202012Validator({"type": "object", "properties": HEAD, "required": list(HEAD)})
    bodies = {kind: jsonschema.Draft202012Validator({"properties": keys, "required": list(keys)})
              for kind, keys in (OF_TYPE | OF_LOADER).items()}
    events = []
    before = 0
    for number, line in enumerate(data.decode("utf-8").splitlines(), 1):
        event = json.loads(line)
        head.validate(event)
        bodies[event["type"]].validate(event)
        if event["type"] == "loader":
            bodies[event["what"]].validate(event)
        assert event["n"] == number
        assert event["t"] >= before
        before = event["t"]
        if event["type"] == "syscall":
            assert ("errno" in event) == (event["ret"] == -1), line
            assert event.get("errno", "ENOENT") in errno.errorcode.values() or event["errno"].startswith("ERESTART")
            assert event.get("path", "/").startswith("/")
        events.append(event)
    return events


@pytest.fixture
def trace(run, tmp_path):
    """trace(*command, env=None) -> (events, result)"""

    def run_(*command, env=None):
        bundle = tmp_path / "case.tar.zst"
        bundle.unlink(missing_ok=True)
        result = run("-o", bundle, "--no-repro", "--", *command, env=env)
        return checked(unpacked(bundle)["case/trace.jsonl"]), result

    return run_


def test_a_failed_program(trace, cc):
    library = cc("int f(void) { return 3; }", "-Wl,-soname,libnothere.so.3", name="libnothere.so")
    program = cc("int f(void); int main(void) { return f(); }", library)
    library.unlink()
    events, result = trace(program)
    assert result.report["counts"]["events"] == len(events)
    assert result.report["counts"]["failed"] == sum(e["type"] == "syscall" and "errno" in e for e in events)
    told = {e["n"]: e for e in events}
    assert result.first["evidence"]
    for n in result.first["evidence"]:
        assert "libnothere.so.3" in json.dumps(told[n]), f"event {n} is no evidence"
    missed = [e for e in events if e["type"] == "syscall" and e["name"] == "openat" and "libnothere" in e["path"]]
    assert missed and all(e["errno"] == "ENOENT" and e["by"] == "loader" for e in missed)
    assert json.dumps(missed[0]["path"])[1:-1] in missed[0]["args"][1]
    executed = [e for e in events if e["type"] == "process" and e["what"] == "exec"]
    assert [e["exe"] for e in executed] == [str(program)]
    assert executed[0]["argv"] == [str(program)]


def test_strange_bytes(trace, cc, tmp_path):
    program = cc(r"""
#include <fcntl.h>
#include <unistd.h>
int main(void)
{
    open("/absent/\xff\n\"\\\x01\xc3\xa9", O_RDONLY);
    return write(2, "a\0b\n\xff\x1b[2J", 9) != 9;
}""")
    events, result = trace(program)
    assert result.returncode == 0
    paths = [e["path"] for e in events if e["type"] == "syscall" and e.get("path", "").startswith("/absent/")]
    assert paths == ["/absent/\ufffd\n\"\\\x01\u00e9"]
    written = [e for e in events if e["type"] == "output"]
    assert [e["data"] for e in written] == ["a\0b\n\ufffd\x1b[2J"]
    assert written[0]["size"] == 9


def test_processes_and_signals(trace):
    events, _ = trace("sh", "-c", "sh -c 'kill -SEGV $$'; cat /absent/file; exit 5")
    started = {e["pid"]: e for e in events if e["type"] == "process" and e["what"] == "start"}
    ended = {e["pid"]: e for e in events if e["type"] == "process" and e["what"] == "exit"}
    assert started.keys() == ended.keys() and len(started) == 3
    first = min(started, key=lambda pid: started[pid]["n"])
    assert all(started[pid]["parent"] == first for pid in started if pid != first)
    assert ended[first]["code"] == 5
    assert sorted(e.get("signal", "") for e in ended.values()) == ["", "", "SIGSEGV"]
    fatal = [e for e in events if e["type"] == "signal" and e.get("fatal")]
    assert [e["name"] for e in fatal] == ["SIGSEGV"]
    assert any(e["type"] == "output" and "No such file" in e["data"] for e in events)
