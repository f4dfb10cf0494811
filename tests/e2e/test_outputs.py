"""The forms of a report, and that none of them gives away what it must not."""

import io
import json
import os
import subprocess
import tarfile

import pytest

from conftest import load_report

SECRETS = {"DEPLOY_TOKEN": "Zk81-planted-token", "DB_PASSWORD": "plantedpassword", "SOME_API_KEY": "pl4nted,with;marks"}


@pytest.fixture
def broken(cc, tmp_path):
    """A program in a home directory of somebody, whose library is nowhere."""
    home = tmp_path / "home" / "rosalinde"
    home.mkdir(parents=True)
    library = cc("int f(void) { return 3; }", "-Wl,-soname,libplanted.so.1", name="libplanted.so", cwd=home)
    program = cc("int f(void); int main(void) { return f(); }", library, name="prog", cwd=home)
    library.unlink()
    return home, program


def unpacked(path):
    """The bundle's files as {name: bytes}; zstd is read by its own program."""
    tar = subprocess.run(["zstd", "-dcq", path], stdout=subprocess.PIPE, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        members = archive.getmembers()
        for member in members:
            assert (member.uid, member.gid, member.mtime) == (0, 0, 0), member.name
        return {m.name: archive.extractfile(m).read() if m.isfile() else b"" for m in members}


def test_every_form_tells_the_same(run, broken, tmp_path):
    _, program = broken
    forms = {ending: tmp_path / f"out{ending}" for ending in (".txt", ".json", ".md", ".html", ".tar.zst")}
    result = run(*[word for path in forms.values() for word in ("-o", path)], "--", program)
    assert result.returncode == 127
    assert result.first["kind"] == "library-missing"
    assert "The cause is known" not in result.stderr  # the text report has a file of its own
    report = load_report(forms[".json"])
    assert report == result.report
    for ending in (".txt", ".md", ".html"):
        text = forms[ending].read_text()
        assert "prog ended with status 127. The cause is known" in text
        assert "libplanted.so.1" in text
    files = unpacked(forms[".tar.zst"])
    assert set(files) >= {f"out/{name}" for name in ("report.json", "report.txt", "report.html", "trace.jsonl",
                                                     "system.json", "repro/repro.sh")}
    assert json.loads(files["out/report.json"]) == report
    listed = files["out/report.txt"].decode().split("\n\n")[0]
    for name, data in files.items():
        if data or name.endswith("trace.jsonl"):
            assert name.removeprefix("out/") in listed, f"{name} is not listed"


def test_nothing_planted_is_left(run, broken, tmp_path):
    home, program = broken
    env = {"HOME": home, "USER": "rosalinde", "LOGNAME": "rosalinde", **SECRETS}
    bundle = tmp_path / "case.tar.zst"
    outputs = [tmp_path / f"r{ending}" for ending in (".txt", ".md", ".html")]
    result = run(*[word for path in [bundle, *outputs] for word in ("-o", path)],
                 "--", program, "--password", "Planted-word", env=env, redact=True)
    assert result.first["missing"] == "libplanted.so.1"  # what the report is about stays
    assert result.first["subject"] == "$HOME/prog"
    assert result.report["redacted"]
    texts = {path.name: path.read_bytes() for path in [*outputs, result.report_path]}
    texts.update(unpacked(bundle))
    for name, data in texts.items():
        for word in (*SECRETS.values(), "rosalinde", str(home), "Planted-word", os.uname().nodename):
            assert word.encode() not in data, f"{word} is left in {name}"


def test_no_redact_keeps_names(run, broken):
    home, program = broken
    result = run("--", program, env={"HOME": home, "USER": "rosalinde"}, redact=False)
    assert result.first["subject"] == str(program)
    assert result.report["redacted"] == []


def test_an_unknown_ending_is_said_before_the_program_runs(run, tmp_path):
    result = run("-o", tmp_path / "r.pdf", "--", "sh", "-c", "echo ran", report=False)
    assert result.returncode == 125
    assert "ran" not in result.stdout
    for ending in (".txt", ".json", ".md", ".html", ".tar.zst"):
        assert ending in result.stderr
    assert not (tmp_path / "r.pdf").exists()


def test_standard_output_takes_the_text(run, broken):
    result = run("-o", "-", "--", broken[1])
    assert result.stdout.startswith("prog ended with status 127. The cause is known")
    assert "The cause is known" not in result.stderr


def test_hostile_names_reach_no_terminal(run, broken, tmp_path):
    """A name is bytes that its maker chose; the report shows them as text."""
    evil = tmp_path / os.fsdecode(b"x\033]0;title\a\033[31m\xff\xc2\x9b")
    evil.mkdir()
    program = evil / "prog"
    program.write_bytes(broken[1].read_bytes())
    program.chmod(0o755)
    result = run("-o", "-", "-o", tmp_path / "r.md", "--", program)
    assert result.first["kind"] == "library-missing"
    for text in (result.stdout, (tmp_path / "r.md").read_text()):
        assert all(c == "\n" or c.isprintable() for c in text), ascii(text)
        assert "\\x1b" in text and "\\xff" in text
