"""The command line of the subcommands: help, wrong use (one clear line, status 2), and `bundle --list`."""

import re

import pytest

from conftest import schema
from test_outputs import SECRETS, broken, unpacked  # noqa: F401 (a fixture)

NAMES = ("explain", "repro", "diff", "bundle", "check", "libc", "matrix", "rollback", "sandbox", "verify", "doctor",
         "help")
STATIC = ("check", "libc", "matrix", "rollback", "sandbox", "verify", "doctor")


@pytest.mark.parametrize("name", NAMES)
def test_each_has_its_help(run, name):
    told = run(name, "--help", report=False)
    assert told.returncode == 0 and told.stdout.startswith(f"Usage: glibctrace {name}")
    if name != "bundle":  # which is a topic as well
        assert run("help", name, report=False).stdout == told.stdout
    assert name in run("help", report=False).stdout


@pytest.mark.parametrize("topic", ["kinds", "bundle", "redaction", "exit-status"])
def test_topics(run, topic):
    told = run("help", topic, report=False)
    assert told.returncode == 0 and len(told.stdout.splitlines()) > 5
    assert re.search(rf"^  {topic} ", run("help", report=False).stdout, re.MULTILINE)


def test_every_kind_is_explained(run):
    told = run("help", "kinds", report=False).stdout
    for kind in schema()["$defs"]["cause"]["properties"]["kind"]["enum"]:
        assert f"  {kind}\n" in told
        assert kind in run("help", kind, report=False).stdout


@pytest.mark.parametrize("words, said", [
    (["repro"], "BUNDLE|DIR"),
    (["repro", "a", "b"], "b is one too many"),
    (["repro", "--nonsense", "a"], "nonsense"),
    (["repro", "/no/such/file"], "/no/such/file"),
    (["repro", "-o", "x.tar.zst", "a"], "x.tar.zst"),
    (["diff", "a"], "GOOD BAD"),
    (["diff", "-o", "x.html", "a", "b"], "x.html"),
    (["explain"], "FILE"),
    (["explain", "-o", "x.pdf", "a"], "x.pdf"),
    (["explain", "/no/such/file"], "/no/such/file"),
    (["bundle"], "--list FILE"),
    (["bundle", "a"], "bundle --list a"),
    (["bundle", "--list", "/no/such/file"], "/no/such/file"),
    (["help", "nonsense"], "nonsense"),
])
def test_wrong_use_gets_one_line(run, words, said):
    result = run(*words, report=False)
    assert result.returncode == 2
    assert result.stdout == "" and len(result.stderr.splitlines()) == 1
    assert said in result.stderr and "glibctrace" in result.stderr


@pytest.mark.parametrize("name", STATIC)
def test_no_bundle_is_made_without_a_run(run, tmp_path, name):
    more = {"check": ["/bin/true"], "matrix": ["/bin/true"], "rollback": ["."],
            "sandbox": ["--libc", "/", "-o", tmp_path / "dir", "/bin/true"]}.get(name, [])
    result = run(name, "-o", tmp_path / "x.tar.zst", *more, report=False)
    assert result.returncode == 2 and len(result.stderr.splitlines()) == 1 and "x.tar.zst" in result.stderr
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["explain", "repro", "diff", "bundle"])
@pytest.mark.parametrize("data", [b"", b"neither this nor that\n", b"{}\n", b"\x28\xb5\x2f\xfd garbage", b"\0" * 5000,
                                  b'{"schema": "glibctrace.report/1"'])
def test_what_is_no_evidence_is_told_so(run, tmp_path, name, data):
    file = tmp_path / "thing"
    file.write_bytes(data)
    words = {"explain": [file], "repro": [file], "diff": [file, file], "bundle": ["--list", file]}[name]
    result = run(name, *words, report=False)
    if name == "explain" and data.isascii() and data.strip(b"\0") and not data.startswith(b"{\"schema"):
        assert result.returncode == 0 and "Nothing here shows a failure" in result.stderr  # text may be a paste
        return
    assert result.returncode == 2 and result.stdout == ""
    assert len(result.stderr.splitlines()) == 1 and "thing" in result.stderr


def test_a_bundle_is_listed_with_what_was_replaced(run, broken, tmp_path):  # noqa: F811
    home, program = broken
    bundle = tmp_path / "case.tar.zst"
    env = {"HOME": home, "USER": "rosalinde", "LOGNAME": "rosalinde", **SECRETS}
    run("-o", bundle, "--", program, "--password", "Planted-word", env=env, redact=True)
    result = run("bundle", "--list", bundle, report=False)
    assert (result.returncode, result.stderr) == (0, "")
    files = {name: data for name, data in unpacked(bundle).items() if not name.endswith("/") and data}
    listed, replaced = result.stdout.split("\nReplaced in it:\n")
    for name in files:
        assert re.search(rf"^ +[\d.,]+ (bytes|KB)  {re.escape(name)} +\S", listed, re.MULTILINE), name
    assert "home directory" in replaced and "secret" in replaced
    for word in ("$HOME", "[redacted]"):
        line = next(line for line in replaced.splitlines() if line.strip().startswith(f"{word} in "))
        told = {name: int(count) for name, count in re.findall(r"(\S+) \((\d+)\)", line)}
        pattern = re.escape(word.encode()) + (rb"(?!\d)" if word == "$HOME" else b"")
        really = {name.removeprefix("case/"): len(re.findall(pattern, data)) for name, data in files.items()}
        assert told == {name: count for name, count in really.items() if count}


def test_nothing_was_replaced(run, broken, tmp_path):  # noqa: F811
    bundle = tmp_path / "case.tar.zst"
    run("-o", bundle, "--no-repro", "--", broken[1])
    result = run("bundle", "--list", bundle, report=False)
    assert result.returncode == 0
    assert result.stdout.endswith("Replaced in it:\n  nothing\n")
