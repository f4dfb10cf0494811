"""`glibctrace explain` of what people paste: the words of real programs that failed, as a terminal, a mail, a web form or
a log leaves them (testdata/pastes); beside each the answer that was known when it was made."""

import json
import os
import pathlib
import subprocess

import pytest

PASTES = pathlib.Path(__file__).parents[2] / "testdata" / "pastes"


def explain(tool, tmp_path, text):
    """report.json of TEXT, by way of standard input."""
    out = tmp_path / "report.json"
    ended = subprocess.run([tool, "explain", "-q", "-o", out, "-"], input=text, capture_output=True, check=False)
    report = json.loads(out.read_text())
    assert ended.returncode == (1 if report["causes"] else 0), ended.stderr
    return report


@pytest.mark.parametrize("name", sorted(file.stem for file in PASTES.glob("*.txt")))
def test_paste(tool, tmp_path, name):
    """Kind and missing thing to the letter, or to the last component of a path; a healthy one has no causes, and where words
    do not tell enough nothing is said with confidence."""
    expected = json.loads((PASTES / f"{name}.json").read_text())
    report = explain(tool, tmp_path, (PASTES / f"{name}.txt").read_bytes())
    assert report["input"]["how"] == ("ld-debug-log" if "-debug-" in name else "text")
    assert report["outcome"]["status"] == "unknown"
    if "unsure" in expected:
        assert all(cause["confidence"] < 0.5 for cause in report["causes"])
        return
    if "kind" not in expected:
        assert not report["causes"]
        return
    others = expected.pop("others", [])  # kinds of what else is told
    assert [cause["kind"] for cause in report["causes"][1:]] == others
    cause = report["causes"][0]
    found = (cause["kind"], os.path.basename(cause["subject"]), cause["missing"])
    missing = cause["missing"] if "/" in expected["missing"] else os.path.basename(cause["missing"])
    assert (cause["kind"], os.path.basename(cause["subject"]), missing) == tuple(expected.values()), found
    assert 0.5 <= cause["confidence"] < 0.96
    assert cause["words"]


def test_there_are_enough():
    """Of each sort: real failures, and texts that show none."""
    expected = [json.loads(file.read_text()) for file in PASTES.glob("*.json")]
    assert sum("kind" in one for one in expected) >= 40
    assert sum("kind" not in one for one in expected) >= 8


@pytest.mark.parametrize("text", [b"\n", b"\xff\xfe\x80 :: not found\n", b"a" * 3_000_000, b": not found\n" * 5000,
                                  b"     12345:\t" + b"find library=" * 9999, b": version `" * 20000 + b"\n",
                                  b"=> not found\n(needed by \n: : : : : : :\n",
                                  b"-ash: ./alarm: not found\nbox:~# .\\alarm\n-ash: .alarm: not found\n"],
                         ids=["blank", "bytes", "long", "many", "search", "version", "brackets", "typed"])
def test_rubbish(tool, tmp_path, text):
    """Whatever it is, it is read to its end, and no cause is made of it with confidence."""
    report = explain(tool, tmp_path, text)
    assert all(cause["confidence"] < 0.5 for cause in report["causes"])
