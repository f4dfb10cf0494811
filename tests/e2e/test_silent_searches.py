"""Searches on PATH of which the program says nothing, or not by the command's own name: what is left is the order of things."""

import pytest

from test_commands import GO, NAME, PYTHON, SPAWNS

LOOKS = GO.replace('fmt.Fprintln(os.Stderr, "cannot format:", err)', "_ = err")
WHICH = f"import shutil, sys\nif not shutil.which('{NAME}'): "
NODE = f"require('child_process').spawn('{NAME}', ['x']).on('error', e => "
TITLE = NAME.capitalize()

# what is run, and the least confidence
SILENT = {
    "c": (["./prog", NAME], 0.6),
    "python, which": ([PYTHON, "-c", WHICH + "sys.exit(1)"], 0.6),
    "python, 127": ([PYTHON, "-c", f"import subprocess, sys\ntry: subprocess.run(['{NAME}'])\nexcept OSError: sys.exit(127)"], 0.8),
    "go": (["./look", NAME], 0.6),
    "perl": (["perl", "-e", f"system('{NAME}', 'x'); exit($? >> 8 & 255)"], 0.6),
    "perl, captured": (["perl", "-e", f"$x = `{NAME} --version`; $x or exit 1"], 0.6),
    "node": (["node", "-e", NODE + "{ process.exitCode = 1 })"], 0.6),
    "bash, hash": (["bash", "-c", f"hash {NAME} 2>/dev/null || exit 4"], 0.5),
    "dash": (["sh", "-c", f"{NAME} x 2>/dev/null"], 0.8),
    "dash, command -v": (["sh", "-c", f"command -v {NAME} >/dev/null || exit 1"], 0.5),
    "dash, which": (["sh", "-c", f"which {NAME} >/dev/null || exit 1"], 0.5),
    "perl's shell": (["perl", "-e", f"system('{NAME} x >/dev/null 2>&1') == 0 or exit $? >> 8"], 0.8),
    "make": (["sh", "-c", f"printf 'a:\\n\\t@{NAME} x >/dev/null 2>&1\\n' | make -f -"], 0.8),
    "env -i": (["env", "-i", "sh", "-c", f"{NAME} x 2>/dev/null"], 0.8),
}
SAYS = {
    "by its title": [PYTHON, "-c", WHICH + f"sys.exit('Please install {TITLE} first.')"],
    "none at all": [PYTHON, "-c", WHICH + "sys.exit('no formatter')"],
    "PATH": ["perl", "-e", f"`{NAME} --version`; print STDERR \"no acceptable formatter found in \\$PATH\\n\"; exit 1"],
    "what the search gave back": [PYTHON, "-c", f"import shutil, subprocess\nsubprocess.run([shutil.which('{NAME}'), 'x'])"],
    "a parent's": ["sh", "-c", f"which {NAME} >/dev/null || {{ echo 'Please install {NAME}' >&2; exit 1; }}"],
    "on standard output": ["bash", "-c", f"type {NAME} >/dev/null 2>&1 || {{ echo 'please install {NAME}'; exit 1; }}"],
    "in the words of node": ["node", "-e", NODE + "{ console.error('Cannot format:', e.code); process.exit(1) })"],
}
HEALTHY = {
    "a question": ["which", NAME],
    "a login shell": ["bash", "-lc", "exit 3"],
    "it ended well": ["sh", "-c", f"{NAME} 2>/dev/null; true"],
    "another was there": ["sh", "-c", f"which {NAME} || which cat >/dev/null; exit 1"],
    "another was there, in python": [PYTHON, "-c", f"import shutil, sys\nshutil.which('{NAME}') or shutil.which('cat'); sys.exit(1)"],
    "another was there, in go": ["./two", NAME],
    "another did it": ["sh", "-c", f"{NAME} 2>/dev/null || cat /dev/null; exit 2"],
    "it failed of a test": ["sh", "-c", f"{NAME} 2>/dev/null; test -f /nonexistent"],
    "it read something": [PYTHON, "-c", f"import shutil, sys\nshutil.which('{NAME}'); open('/etc/passwd').read(); sys.exit(1)"],
    "it said why": [PYTHON, "-c", f"import shutil, sys\nshutil.which('{NAME}'); sys.exit('config: bad value 3')"],
    "a shell said why": ["sh", "-c", f"if which {NAME}; then x=1; fi; echo 'error: app.conf is bad' >&2; exit 1"],
    "it took another, and said why": [PYTHON, "-c", f"import shutil, sys\nshutil.which('{NAME}')\nprint('{NAME} not found, using cat instead',"
                                                     "file=sys.stderr)\nsys.exit('main.c:3: error: bad token')"],
    "its words only look so": [PYTHON, "-c", "import shutil, sys\nshutil.which('make99')\nsys.exit('Make99 sure that app.conf exists')"],
    "perl, usage": ["perl", "-e", f"`{NAME}`; print STDERR \"usage: x [-f]\\n\"; exit 2"],
}


@pytest.fixture(scope="session")
def look(tmp_path_factory):
    import subprocess
    top = tmp_path_factory.mktemp("look")
    (top / "look.go").write_text(LOOKS.replace('"fmt"; ', ""))
    (top / "two.go").write_text('package main\nimport ("os"; "os/exec")\nfunc main() {\n    if _, err := exec.LookPath(os.Args[1]); err != nil '
                                '{\n        exec.LookPath("cat")\n    }\n    os.Exit(1)\n}\n')
    for name in "look", "two":
        subprocess.run(["go", "build", "-o", top / name, top / f"{name}.go"], check=True)
    return top


@pytest.fixture
def programs(cc, look, tmp_path):
    cc(SPAWNS)
    for name in "look", "two":
        (tmp_path / name).symlink_to(look / name)


def _only(result):
    assert [(c["kind"], c["missing"], c["impact"]) for c in result.causes] == [("command-not-found", NAME, "fatal")]
    assert result.report["reproduction"]["status"] == "verified", result.report["reproduction"]
    return result.first


@pytest.mark.parametrize("who", SILENT)
def test_nothing_is_said(run, programs, who):
    command, least = SILENT[who]
    assert least <= _only(run("--", *command))["confidence"] < 0.9


@pytest.mark.parametrize("how", SAYS)
def test_it_is_not_named_or_by_another(run, programs, how):
    first = _only(run("--", *SAYS[how]))
    assert first["words"] and first["confidence"] >= 0.6


@pytest.mark.parametrize("how", HEALTHY)
def test_got_over(run, programs, how):
    assert run("--", *HEALTHY[how]).causes == []
