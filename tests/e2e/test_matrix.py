"""`glibctrace matrix`: each cell is what `check --against` says, and the last line the newest build that runs here."""

import json
import os
import re
import shutil
import subprocess
import tarfile
import zipfile

import pytest

from conftest import HANGS_AFTER, load_report
from test_against import CLEAN, FAILS_ON, _root, built  # noqa: F401 (a fixture)


@pytest.fixture
def matrix(tool, tmp_path):
    def matrix(*words):
        out = tmp_path / "r.json"
        out.unlink(missing_ok=True)
        ended = subprocess.run([tool, "matrix", "--no-redact", "-o", out, *words], capture_output=True, text=True,
                               timeout=HANGS_AFTER, cwd=tmp_path, env=CLEAN)
        return ended.returncode, load_report(out) if out.exists() else None, ended.stdout + ended.stderr
    return matrix


@pytest.fixture
def builds(built, tmp_path):  # noqa: F811
    """Three versions: the middle one needs a newer library, the newest no system has, and one has variants."""
    for version, program in (("1.9.0", "old"), ("1.10.0", "new"), ("1.11.0", "lacks")):
        (tmp_path / f"ext-{version}" / "bin").mkdir(parents=True)
        shutil.copy(built / program, tmp_path / f"ext-{version}" / "bin")
    both = tmp_path / "both-2.0"
    for family, program in (("linux-x64-glibc", "new"), ("linux-x64-musl", "musl")):
        (both / "prebuilds" / family).mkdir(parents=True)
        shutil.copy(built / program, both / "prebuilds" / family / "addon.node")
    return tmp_path


def test_cells_and_newest(matrix, builds):
    bullseye = str(_root("bullseye"))
    columns = ["2.17", "2.31", "2.36", "2.41", "musl", bullseye]
    status, report, said = matrix("ext-1.9.0", "ext-1.10.0", "ext-1.11.0", "both-2.0", "--libcs", ",".join(columns))
    rows = {row["build"]: row for row in report["matrix"]}
    needs = "fails: arc4random@GLIBC_2.36"
    for libc in columns[:4]:
        assert rows["ext-1.9.0"][libc] == "loads"
        assert rows["ext-1.10.0"][libc] == (needs if libc in FAILS_ON["new"] else "loads")
        assert rows["both-2.0"][libc] == rows["ext-1.10.0"][libc]
    assert rows["ext-1.10.0"][bullseye] == needs and rows["ext-1.11.0"][bullseye] == "fails: libagainst.so"
    assert rows["ext-1.9.0"]["musl"] == "fails: libc.so.6" and rows["both-2.0"]["musl"] == "loads"
    # too wide for a page, the columns have a word each, and the reasons stand below
    assert re.search(r"^  ext-1\.10\.0 +fails +fails +loads +loads +fails +fails", said, re.MULTILINE)
    assert "warning" in rows["ext-1.11.0"]["2.41"]  # who has that library nobody knows
    reason = next(r for r in report["reasons"] if r["build"] == "ext-1.10.0" and r["libc"] == "2.31")
    assert (reason["kind"], reason["missing"], reason["provider"]) == (
        "symbol-version-missing", "GLIBC_2.36", "glibc 2.31")
    assert reason["subject"].endswith("ext-1.10.0/bin/new")
    assert status == 0 and [row["build"] for row in report["newest"]] == [said.rstrip().splitlines()[-1].split()[0]]


def test_usage(matrix, builds):
    assert matrix("ext-1.11.0")[0] == 1  # none runs here
    for words in (("nowhere",), ("ext-1.9.0", "--libcs", "2.99"), ("ext-1.9.0", "--libcs", ","), ()):
        status, report, said = matrix(*words)
        assert status == 2 and report is None and said


def _vsix(path, version, program):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        if version:
            archive.writestr("extension/package.json", json.dumps({"publisher": "p", "name": "ext", "version": version}))
        info = zipfile.ZipInfo("extension/bin/tool")
        info.external_attr = 0o100755 << 16
        archive.writestr(info, program.read_bytes())


def test_archives(matrix, built, tmp_path, monkeypatch):  # noqa: F811
    """Each is judged as the directory it unpacks to; an extension's version is what its manifest says."""
    monkeypatch.setitem(CLEAN, "TMPDIR", str(tmp_path))
    for name, version, program in (("a", "1.9.0", "old"), ("b", "1.10.0", "new"), ("c-9.0", "1.9.1", "old"),
                                   ("d", "1.11.0", "lacks")):
        _vsix(tmp_path / f"{name}.vsix", version, built / program)
    (tmp_path / "pack/opt/x").mkdir(parents=True)
    shutil.copy(built / "musl", tmp_path / "pack/opt/x")
    with tarfile.open(tmp_path / "x-0.1.tar.xz", "w:xz") as archive:  # xz(1) is not on every system
        archive.add(tmp_path / "pack/opt", "opt")
    columns = ["2.31", "2.41", "musl", str(_root("bullseye"))]
    archives = ["a.vsix", "b.vsix", "c-9.0.vsix", "d.vsix", "x-0.1.tar.xz"]
    status, report, said = matrix(*archives, "--libcs", ",".join(columns))
    cells = {row["build"]: [row[c] for c in columns] for row in report["matrix"]}
    loads, needs, other = "loads", "fails: arc4random@GLIBC_2.36", "fails: libc.so.6"
    assert cells["a.vsix"] == cells["c-9.0.vsix"] == [loads, loads, other, loads]
    assert cells["b.vsix"] == [needs, loads, other, needs]
    assert cells["x-0.1.tar.xz"] == ["fails: libc.so", "fails: libc.so", loads, "fails: libc.so"]
    assert {(r["build"], r["subject"]) for r in report["reasons"]} == {
        *((name, "extension/bin/tool") for name in archives[:4]), ("x-0.1.tar.xz", "opt/x/musl")}
    assert [row["build"] for row in report["newest"]] == ["b.vsix"] and status == 0
    assert not [name for name in os.listdir(tmp_path) if name.startswith("glibctrace-")]

    (tmp_path / "cut.vsix").write_bytes((tmp_path / "a.vsix").read_bytes()[:-30])
    status, report, said = matrix("a.vsix", "cut.vsix")
    assert status == 2 and report is None and "cut off" in said
    assert not [name for name in os.listdir(tmp_path) if name.startswith("glibctrace-")]


def test_nothing_in_it(matrix, tmp_path):
    """A build without an ELF file runs nowhere."""
    (tmp_path / "empty-2.0").mkdir()
    status, report, said = matrix("empty-2.0", "--libcs", "2.31")
    assert status == 1 and "0 of them run here" in said and "none of these builds runs here" in " ".join(said.split())
