"""`glibctrace repro`: a reproduction that somebody made is shown, run here, and compared with what it should fail of."""

import json
import os
import shutil
import subprocess
import tarfile

import pytest

from test_outputs import broken  # noqa: F401 (a fixture)


@pytest.fixture
def bundle(run, broken, tmp_path):  # noqa: F811
    path = tmp_path / "case.tar.zst"
    result = run("-o", path, "--", broken[1])
    assert result.report["reproduction"]["status"] == "verified"
    return path


@pytest.fixture
def folder(bundle, tmp_path):
    """The bundle, unpacked."""
    tar = subprocess.run(["zstd", "-dcq", bundle], stdout=subprocess.PIPE, check=True).stdout
    subprocess.run(["tar", "-x", "-C", tmp_path], input=tar, check=True)
    return tmp_path / "case"


@pytest.fixture
def repro(run, tmp_path):
    """repro(*words) -> Result; nothing is left where temporary files are made."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    def run_(*words, **env):
        result = run("repro", *words, report=False, env={"TMPDIR": scratch, **env})
        assert list(scratch.iterdir()) == []
        return result

    return run_


def test_it_still_fails_alike(repro, bundle, folder):
    script = (folder / "repro" / "repro.sh").read_text()
    for path in (bundle, folder, folder / "repro"):
        result = repro(path)
        assert result.returncode == 0
        assert "fails alike" in result.stdout and "library-missing" in result.stdout and "libplanted.so.1" in result.stdout
        for line in script.splitlines():  # shown before it is run
            assert f"    {line}\n" in result.stderr
        quiet = repro("-q", path)
        assert (quiet.returncode, quiet.stderr, quiet.stdout) == (0, "", result.stdout)


def test_it_passes_here_and_what_differs(repro, folder):
    report = json.loads((folder / "report.json").read_text())
    report["system"]["libc"]["version"] = "2.99"
    report["system"]["distribution"] = "Elsewhere 1"
    (folder / "report.json").write_text(json.dumps(report))
    shutil.copy(folder / "repro" / "control.sh", folder / "repro" / "repro.sh")
    result = repro(folder)
    assert result.returncode == 1
    assert "does not fail here" in result.stdout
    assert "there glibc 2.99, here " in result.stdout
    assert "there Elsewhere 1, here " in result.stdout
    assert "kernel" not in result.stdout  # the same


def test_a_file_that_is_here_is_told(repro, folder, tmp_path):
    here = tmp_path / "libplanted.so.1"
    here.write_text("it came meanwhile")
    report = json.loads((folder / "report.json").read_text())
    report["causes"][0]["places"][0]["path"] = str(here)
    (folder / "report.json").write_text(json.dumps(report))
    shutil.copy(folder / "repro" / "control.sh", folder / "repro" / "repro.sh")
    result = repro(folder)
    assert result.returncode == 1
    line = next(line for line in result.stdout.splitlines() if line.startswith(f"  {here}  "))
    assert "there not there" in line and line.endswith("here there is a file")


@pytest.mark.parametrize("command, said", [
    ("exec no-such-command-anywhere", "command-not-found"),
    ("exit 7", "status 7, and no cause was found"),
])
def test_it_fails_differently(repro, folder, command, said, tmp_path):
    (folder / "repro" / "repro.sh").write_text(f"#!/bin/sh\n{command}\n")
    result = repro("-o", tmp_path / "here.json", folder)
    assert result.returncode == 1
    assert "fails differently" in result.stdout and said in result.stdout and "It was: library-missing" in result.stdout
    assert json.loads((tmp_path / "here.json").read_text())["outcome"]["status"] == "exited"


def test_a_report_that_lies_there_is_not_believed(repro, folder):
    """What a run leaves is its report; one that came with the bundle is none."""
    shutil.copy(folder / "report.json", folder / "repro" / ".report.json")
    (folder / "repro" / "repro.sh").write_text("#!/bin/sh\nexit 0\n")
    assert repro(folder).returncode == 1


@pytest.mark.parametrize("how", ["none", "long", "binary", "no cause"])
def test_nothing_to_be_run(repro, folder, how):
    script = folder / "repro" / "repro.sh"
    if how == "none":
        shutil.rmtree(folder / "repro")
    elif how == "long":
        script.write_text("#!/bin/sh\n" + "# nobody reads that far\n" * 5000 + "touch ran\n")
    elif how == "binary":
        script.write_bytes(b"#!/bin/sh\n\0exit 1\n")
    else:
        report = json.loads((folder / "report.json").read_text())
        (folder / "report.json").write_text(json.dumps({**report, "causes": []}))
    result = repro(folder)
    assert result.returncode == 2 and result.stdout == ""
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("name, make", [
    ("out", lambda path: path.symlink_to("/etc")),
    (".said", lambda path: path.symlink_to("../../../victim")),
    ("pipe", os.mkfifo),
])
def test_a_hostile_folder_is_refused(repro, folder, tmp_path, name, make):
    (tmp_path / "victim").write_text("precious")
    make(folder / "repro" / name)
    result = repro(folder)
    assert result.returncode == 2
    assert name in result.stderr and "refused" in result.stderr
    assert (tmp_path / "victim").read_text() == "precious"


def test_a_hostile_bundle_is_refused(repro, folder, tmp_path):
    plain = tmp_path / "evil.tar"
    with tarfile.open(plain, "w") as tar:
        tar.add(folder, "case")
        entry = tarfile.TarInfo("case/../../escaped")
        tar.addfile(entry)
    subprocess.run(["zstd", "-q", plain, "-o", tmp_path / "evil.tar.zst"], check=True)
    result = repro(tmp_path / "evil.tar.zst")
    assert result.returncode == 2
    assert "case/../../escaped" in result.stderr and "refused" in result.stderr
    assert not (tmp_path.parent / "escaped").exists()


def test_what_is_shown_is_plain(repro, folder):
    (folder / "repro" / "repro.sh").write_bytes(b"#!/bin/sh\n# \x1b]0;title\x07 \x1b[2K hidden\nexit 3\n")
    result = repro(folder)
    assert "\x1b" not in result.stderr and "\\x1b" in result.stderr


def test_it_has_no_network(repro, folder):
    """But a loopback interface, on which nobody listens."""
    (folder / "repro" / "repro.sh").write_text("#!/bin/sh\nset -- $(tail -n +3 /proc/net/dev | cut -d: -f1)\nexit $#\n")
    result = repro(folder)
    assert "it ends with status 1, and no cause was found" in result.stdout


def test_nobody_listens_there(run, repro, tmp_path):
    bundle = tmp_path / "port.tar.zst"
    code = "import socket; socket.create_connection(('127.0.0.1', 1))"
    made = run("-o", bundle, "--", "/usr/bin/python3", "-c", code)
    assert (made.first["kind"], made.report["reproduction"]["status"]) == ("connection-refused", "verified")
    result = repro(bundle)
    assert result.returncode == 0, result.stdout


def test_it_runs_outside_the_home_directory(repro, bundle, tmp_path):
    result = repro(bundle, HOME=tmp_path)  # where TMPDIR lies as well
    assert result.returncode == 0
    where = result.stderr.splitlines()[0]
    assert "this is run now, in /" in where and str(tmp_path) not in where
