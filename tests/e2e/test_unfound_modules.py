"""Modules that a runtime says it found nowhere: behind a dangling link, in a directory that may not be read, where an argument or a
variable says. Their words name no path; and what is simply not installed is not made up."""

import os

import pytest

PYTHON = "/usr/bin/python3"


def _python(*words):
    return lambda top: ([PYTHON, *words], {"PYTHONPATH": f"{top}/site"})


def _node(*words):
    return lambda top: (["node", *words], {})


def _perl(*words):
    return lambda top: (["perl", *words], {"PERL5LIB": f"{top}/site"})


# who: command and environment, the link, where it leads
LINKS = {
    "python, package": (_python("-c", "import foo"), "site/foo", "../gone/foo"),
    "python, from a package": (_python("-c", "import foo.sub"), "site/foo", "../gone/foo"),
    "python, module": (_python("-c", "import bar"), "site/bar.py", "../gone/bar.py"),
    "python, in a package": (_python("-c", "import pkg.mod"), "site/pkg/mod.py", "../../gone/mod.py"),
    "python, extension": (_python("-c", "import ext"), "site/ext.so", "ext.so.1"),
    "python -m": (_python("-m", "foo"), "site/foo", "../gone/foo"),
    "python, its directory": (_python("-c", "import foo"), "site", "elsewhere"),
    "node": (_node("-e", "require('foo')"), "node_modules/foo", "../store/foo"),
    "node, scoped": (_node("-e", "require('@s/p')"), "node_modules/@s/p", "../../store/p"),
    "node, ES modules": (_node("--input-type=module", "-e", "import 'foo'"), "node_modules/foo", "../store/foo"),
    "node -r": (_node("-r", "foo", "-e", "1"), "node_modules/foo", "../store/foo"),
    "node, its directory": (_node("-e", "require('foo')"), "node_modules", "elsewhere"),
    "perl": (_perl("-MFoo", "-e", "1"), "site/Foo.pm", "../gone/Foo.pm"),
    "perl, directory": (_perl("-MFoo::Bar", "-e", "1"), "site/Foo", "../gone/Foo"),
}


@pytest.mark.parametrize("who", LINKS)
def test_behind_a_dangling_link(run, tmp_path, who):
    command, link, target = LINKS[who]
    at = tmp_path / link
    at.parent.mkdir(parents=True, exist_ok=True)
    if at.parent.name == "pkg":
        (at.parent / "__init__.py").touch()
    at.symlink_to(target)
    words, env = command(tmp_path)
    result = run("--", *words, env=env)
    missing = os.path.normpath(at.parent / target)
    assert [(c["kind"], c["missing"], c["impact"]) for c in result.causes] == [("symlink-dangling", missing, "fatal")]
    assert result.first["words"] and result.first["confidence"] >= 0.8


TWINS = {
    "python, tried": [PYTHON, "-c", "try: import foo\nexcept ImportError: pass"],
    "python, tried, and ended of another thing": [PYTHON, "-c", "try: import foo\nexcept ImportError: pass\nraise SystemExit('bad option')"],
    "node, tried": ["node", "-e", "try { require('foo') } catch (e) { process.exitCode = 3 }"],
    "perl, tried": ["perl", "-e", "eval { require foo }; exit 3"],
    "another module": [PYTHON, "-c", "import nosuch"],
}


@pytest.mark.parametrize("how", TWINS)
def test_got_over(run, tmp_path, how):
    for folder in "site", "node_modules":
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "foo").symlink_to("../gone")
    assert run("--", *TWINS[how], env={"PYTHONPATH": f"{tmp_path}/site", "PERL5LIB": f"{tmp_path}/site"}).causes == []


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user to be")
@pytest.mark.parametrize("mode", [0o711, 0o700])
def test_a_directory_that_may_not_be_read(run, open_to_all, mode):
    (open_to_all / "site").mkdir()
    (open_to_all / "site" / "hidden.py").touch()
    (open_to_all / "site").chmod(mode)
    env = {"PYTHONPATH": f"{open_to_all}/site", "PYTHONDONTWRITEBYTECODE": "1"}
    result = run("-u", "nobody", "--", PYTHON, "-c", "import hidden", env=env)
    assert [(c["kind"], c["missing"]) for c in result.causes] == [("permission-denied", f"{open_to_all}/site")]
    assert run("-u", "nobody", "--", PYTHON, "-c", "import nosuch", env=env).causes == []
    (open_to_all / "site").chmod(0o755)
    assert run("-u", "nobody", "--", PYTHON, "-c", "import hidden", env=env).causes == []
