"""`glibctrace check`: what would fail is told without running anything, and as the run itself would tell it."""

import json
import os
import subprocess

import broken
import pytest

from conftest import HANGS_AFTER, load_report
from test_load_causes import _open_to_all, place  # noqa: F401 (a fixture)

CLEAN = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
AT_START = {name: broken.POSITIONS[name] for name in ("program_itself", "library_of_library")}


@pytest.fixture
def check(tool, tmp_path):
    """Runs the subcommand: (its exit status, the checked report.json, what it printed)."""
    def check(*words, under=(), env=None):
        out = tmp_path / "checked" / "r.json"
        out.parent.mkdir(exist_ok=True)
        out.parent.chmod(0o777)
        out.unlink(missing_ok=True)
        ended = subprocess.run([*under, tool, "check", "--no-redact", "-o", out, *words], capture_output=True, text=True,
                               timeout=HANGS_AFTER, cwd=tmp_path, env=CLEAN | (env or {}))
        return ended.returncode, load_report(out) if out.exists() else None, ended.stdout + ended.stderr
    return check


def _user(case, tmp_path):
    if not case.expected.user or os.getuid() != 0:
        return []
    _open_to_all(tmp_path)
    _open_to_all(tmp_path / "case")
    return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


@pytest.mark.parametrize("position", AT_START)
@pytest.mark.parametrize("way", broken.WAYS)
def test_as_a_run_would_tell(check, place, tmp_path, way, position):  # noqa: F811
    case = AT_START[position](place, way, False)
    status, report, said = check(*case.command, under=_user(case, tmp_path), env=case.expected.env)
    assert status == 1, said
    assert [(c["kind"], c["subject"], c["missing"]) for c in report["causes"]] == [
        (case.expected.kind, case.subject, case.expected.missing)]
    cause = report["causes"][0]
    assert cause["chain"] == case.chain and cause["impact"] == "fatal" and cause["confidence"] > 0.9
    assert cause["provider"] == case.expected.provider or case.expected.provider is None
    assert report["input"]["how"] == "static" and "would not load here" in said
    assert cause["evidence"] == [] and report["reproduction"] is None


@pytest.mark.parametrize("position", AT_START)
@pytest.mark.parametrize("way", broken.WAYS)
def test_healthy_twin(check, place, way, position):  # noqa: F811
    case = AT_START[position](place, way, True)
    status, report, said = check(*case.command, env=case.expected.env)
    assert (status, report["causes"]) == (0, []), said
    assert "loads here" in said
