"""A wrong copy before a good one: by a variable, a run path or a preload; with versions and without. And what only looks so."""

import pytest

CALLS = "int dep(void);\nint main(void) { return dep(); }\n"


class Copies:
    """Directories with libdep.so.1 in them: good ones define dep (at DEP_2 where versioned), wrong ones do not."""

    def __init__(self, cc, top, versioned):
        self.cc, self.top, self.versioned = cc, top, versioned
        (top / "good.map").write_text("DEP_1 { }; DEP_2 { global: dep; local: *; };")
        (top / "wrong.map").write_text("DEP_1 { global: older; local: *; };")

    def make(self, directory, good):
        (self.top / directory).mkdir(exist_ok=True)
        source = f"int {'dep' if good else 'older'}(void) {{ return 0; }}\n"
        script = [f"-Wl,--version-script={self.top}/{'good' if good else 'wrong'}.map"] if self.versioned else []
        return self.cc(source, "-Wl,-soname,libdep.so.1", *script, name=f"{directory}/libdep.so.1")

    def program(self, *flags):
        return self.cc(CALLS, "good/libdep.so.1", "-Wl,-z,now", *flags)

    @property
    def missing(self):
        return "DEP_2" if self.versioned else "dep"


@pytest.fixture(params=[True, False], ids=["versioned", "unversioned"])
def copies(cc, tmp_path, request):
    made = Copies(cc, tmp_path, request.param)
    made.make("good", True)
    made.make("wrong", False)
    return made


def _runpath(*directories):
    return ["-Wl,-rpath," + ":".join(f"$ORIGIN/{d}" for d in directories), "-Wl,--enable-new-dtags"]


def _check(result, copies, tmp_path):
    cause = result.first
    assert (cause["kind"], cause["missing"], cause["impact"]) == ("library-shadowed", copies.missing, "fatal")
    assert cause["provider"] == str(tmp_path / "wrong" / "libdep.so.1")
    assert cause["subject"] == str(tmp_path / "prog")
    assert str(tmp_path / "good") in cause["summary"]
    assert len(result.causes) == 1
    assert result.report["reproduction"]["status"] == "verified", result.report["reproduction"]


def test_by_library_path(run, copies, tmp_path):
    prog = copies.program(*_runpath("good"))
    _check(run("--", prog, env={"LD_LIBRARY_PATH": tmp_path / "wrong"}), copies, tmp_path)
    _check(run("--", prog, env={"LD_LIBRARY_PATH": f"{tmp_path}/wrong:{tmp_path}/good"}), copies, tmp_path)


def test_by_run_path(run, copies, tmp_path):
    _check(run("--", copies.program(*_runpath("wrong", "good"))), copies, tmp_path)


def test_by_old_run_path(run, copies, tmp_path):
    prog = copies.program("-Wl,-rpath,$ORIGIN/wrong:$ORIGIN/good", "-Wl,--disable-new-dtags")
    _check(run("--", prog), copies, tmp_path)


def test_by_preload(run, copies, tmp_path):
    prog = copies.program(*_runpath("good"))
    # by -E, for the command only: the sanitizers' runtime refuses to be preloaded after another
    _check(run("-E", f"LD_PRELOAD={tmp_path}/wrong/libdep.so.1", "--", prog), copies, tmp_path)


def test_the_good_one_comes_first(run, copies, tmp_path):
    prog = copies.program(*_runpath("wrong"))
    assert run("--", prog, env={"LD_LIBRARY_PATH": tmp_path / "good"}).causes == []


def test_no_good_one_behind(run, copies, tmp_path):
    """The copy is wrong, but nothing is hidden by it: the library itself lacks what is needed."""
    prog = copies.program(*_runpath("nowhere"))
    result = run("--", prog, env={"LD_LIBRARY_PATH": tmp_path / "wrong"})
    expected = "symbol-version-missing" if copies.versioned else "symbol-missing"
    assert [(c["kind"], c["missing"]) for c in result.causes] == [(expected, copies.missing)]
