"""Loading: every way of being broken, in every position, and its healthy twin."""

import os
import stat

import broken
import pytest


def _open_to_all(path):
    """An ordinary user must get at the case: tmp_path's parents are private to root."""
    while path != path.parent:
        path.chmod(path.stat().st_mode | stat.S_IXOTH | stat.S_IROTH)
        path = path.parent
        if path == path.parent or path.stat().st_uid != os.getuid() or path.stat().st_mode & stat.S_ISVTX:
            break


@pytest.fixture
def place(tmp_path, cc):
    top = tmp_path / "case"
    top.mkdir()
    return broken.Place(top, cc)


def _run(run, case, tmp_path):
    arguments = []
    if case.expected.user and os.getuid() == 0:
        _open_to_all(tmp_path)
        _open_to_all(tmp_path / "case")
        arguments = ["-u", "nobody"]
    return run(*arguments, "--", *case.command, env=case.expected.env, cwd=tmp_path)


@pytest.mark.parametrize("position", broken.POSITIONS)
@pytest.mark.parametrize("way", broken.WAYS)
def test_broken(run, place, tmp_path, way, position):
    case = broken.POSITIONS[position](place, way, False)
    result = _run(run, case, tmp_path)
    cause, expected = result.first, case.expected
    found = (cause["kind"], cause["subject"], cause["missing"], cause["impact"])
    assert found == (expected.kind, case.subject, expected.missing, case.impact)
    assert cause["provider"] == expected.provider or expected.provider is None
    assert cause["chain"] == case.chain
    assert cause["confidence"] > 0.6
    assert cause["evidence"]
    assert result.returncode != 0 or case.impact == "degraded"
    if expected.words and case.impact == "fatal":
        assert expected.words in cause["words"]
    assert len(result.causes) == 1, [(c["kind"], c["missing"]) for c in result.causes]
    assert result.report["reproduction"]["status"] == "verified", result.report["reproduction"]


@pytest.mark.parametrize("position", broken.POSITIONS)
@pytest.mark.parametrize("way", broken.WAYS)
def test_healthy_twin(run, place, tmp_path, way, position):
    case = broken.POSITIONS[position](place, way, True)
    result = _run(run, case, tmp_path)
    assert result.returncode == 0
    assert result.stdout == "started\n"
    assert result.causes == []
