"""What a report says where its cause is not known, and where the words of a program contradict what was seen: in every form."""

import json
import re
import shutil

import pytest

import broken
from test_by_the_contract import NOBODY

COMPLAINS = r"""
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
int main(int argc, char **argv)
{
    if (open(argv[1], O_RDONLY) < 0) {
        fprintf(stderr, argv[2], argv[1], strerror(argc > 3 ? ENOENT : errno));
        return 3;
    }
    return 0;
}
"""


@pytest.fixture
def forms(run, tmp_path):
    """run() with a report of every form: (result, {ending: text})."""

    def run_(*args, **how):
        paths = {ending: tmp_path / f"report.{ending}" for ending in ("txt", "md", "html")}
        words = [word for path in paths.values() for word in ("-o", path)]
        result = run(*words, *args, **how)
        return result, {ending: path.read_text() for ending, path in paths.items()}

    return run_


def misleading(result):
    return [f["text"] for f in result.first["facts"] if f["label"] == "misleading"]


def check_in_all(texts, words):
    for ending, text in texts.items():
        plain = " ".join(re.sub(r"<[^>]*>|\\|&#?\w+;|\"", " ", text).split())
        wanted = " ".join(re.sub(r"[\"]", " ", words).split())
        assert wanted in plain, (ending, words, plain[:2000])


# ---- words that contradict ----

MAKES = ("import os, sys\nplace = os.environ['APP_DATA']\nassert not os.path.exists(place)\ntry:\n    os.mkdir(os.path.dirname(place))\n"
         "except OSError as e:\n    sys.exit(f'cannot use {place}: mkdir {os.path.dirname(place)}: {e.strerror}')\n")


def test_what_another_call_was_answered_is_no_contradiction(run):
    """The variable leads to nothing (ENOENT), and what was to be made instead was refused (EACCES): both are true."""
    result = run("--", *NOBODY, "/usr/bin/python3", "-c", MAKES, env={"APP_DATA": "/nonexistent/data"}, cwd="/")
    assert (result.first["kind"], result.first["missing"]) == ("environment-wrong", "APP_DATA=/nonexistent/data")
    assert "Permission denied" in result.first["words"] and misleading(result) == []


def test_not_found_of_a_loop(forms, cc, tmp_path):
    file = tmp_path / "app.conf"
    file.symlink_to("app.conf")
    result, texts = forms("--", cc(COMPLAINS), file, "configuration %s not found\n")
    assert result.first["kind"] == "symlink-loop"
    (text,) = misleading(result)
    assert "ELOOP" in text and "not found" in text
    check_in_all(texts, "but what the kernel answered was")


def test_an_errno_of_another_call(forms, cc, tmp_path):
    file = tmp_path / "app.conf"
    file.symlink_to("app.conf")
    result, _ = forms("--", cc(COMPLAINS), file, "%s: %s\n", "late")
    assert "ELOOP" in misleading(result)[0]


@pytest.mark.parametrize("form", ["%s: %s\n", "cannot read the configuration %s (%s)\n", "%s is bad\n"])
def test_words_that_are_right(run, cc, tmp_path, form):
    file = tmp_path / "app.conf"
    file.symlink_to("app.conf")
    result = run("--", cc(COMPLAINS), file, form)
    assert result.first["kind"] == "symlink-loop"
    assert misleading(result) == []
    missing = run("--", cc(COMPLAINS), tmp_path / "gone.conf", form)
    assert missing.first["kind"] == "file-missing"
    assert misleading(missing) == []


@pytest.mark.parametrize("program", [["sh", "-c", "./tool; exit $?"],
                                     ["/usr/bin/python3", "-c", "import subprocess; subprocess.run(['./tool'])"],
                                     ["perl", "-e", "exec('./tool') or die \"./tool: $!\\n\""]])
def test_not_found_of_a_script_that_is_there(forms, script, tmp_path, program):
    script("tool", "#!/nowhere/interpreter\n")
    result, texts = forms("--", *program, cwd=tmp_path)
    assert result.first["kind"] == "script-interpreter-missing"
    assert "itself is there" in misleading(result)[0]
    check_in_all(texts, "itself is there")


def test_permission_of_a_mount(forms, cc, tmp_path):
    (tmp_path / "case").mkdir()
    tool = tmp_path / "case" / "tool"
    tool.write_text("#!/bin/sh\nexit 0\n")
    tool.chmod(0o755)
    mount = tmp_path / "case" / "sealed"
    mount.mkdir()
    result, texts = forms("--", "sh", "-c", f"{mount}/tool; exit $?", under=broken.mounted("noexec", mount, tool))
    assert result.first["kind"] == "noexec-mount"
    assert "the options of the mount" in misleading(result)[0]
    check_in_all(texts, "the options of the mount")


def test_the_current_directory_is_not_to_blame(forms, tmp_path):
    words = "no-such-tool resolves to executable in current directory (./no-such-tool)"
    result, texts = forms("--", "perl", "-e", f'exec("no-such-tool") or die "{words}\\n"', cwd=tmp_path)
    assert result.first["kind"] == "command-not-found"
    assert str(tmp_path) in misleading(result)[0]
    check_in_all(texts, "there is no no-such-tool in the current directory")


# ---- not known ----

def test_not_known_says_what_was_ruled_out(forms, cc):
    """It ends badly of its own will, or of a file of which it says nothing: nobody can tell, so nothing is blamed, and
    what could have been is named as not it."""
    prog = cc("#include <fcntl.h>\nint main(void) { open(\"/nowhere/optional.conf\", O_RDONLY); return 9; }\n")
    result, texts = forms("--", prog)
    assert result.causes == []
    ruled_out = result.report["ruled_out"]
    assert any("/nowhere/optional.conf: ENOENT" in line for line in ruled_out)
    assert any(line.startswith("a library: prog loaded") for line in ruled_out)
    assert any(line.startswith("a crash: prog ended itself, with status 9") for line in ruled_out)
    for ending, text in texts.items():
        first = [line for line in text.splitlines() if "prog" in line][0]
        assert "The cause is not known." in first, ending
    check_in_all(texts, "a library: prog loaded")


def test_through_shells_the_program_is_meant(run, cc):
    prog = cc("int main(void) { return 9; }\n")
    result = run("--", "sh", "-c", f"sh -c '{prog}; exit $?'; exit $?")
    assert result.causes == []
    assert any(line.startswith("a crash: prog ended itself, with status 9") for line in result.report["ruled_out"])


@pytest.mark.parametrize("command", [["true"], ["sh", "-c", "cat /nowhere/x 2>/dev/null; exit 0"]])
def test_a_healthy_end_rules_out_nothing(run, command):
    result = run("--", *command)
    assert result.causes == []
    assert result.report["ruled_out"] == []


MODULES = {
    "python": (["/usr/bin/python3", "-c", "import nosuch"], "ModuleNotFoundError: No module named 'nosuch'", "/usr/lib/python3"),
    "python -m": (["/usr/bin/python3", "-m", "nosuch"], "/usr/bin/python3: No module named nosuch", "/usr/lib/python3"),
    "node": (["node", "-e", "require('nosuch')"], "Error: Cannot find module 'nosuch'", "{}/node_modules, which is not there"),
}


@pytest.mark.parametrize("who", MODULES)
def test_a_module_that_is_nowhere_is_quoted(run, tmp_path, who):
    """No path can be named for it: then the words are told, and where was looked."""
    command, words, place = MODULES[who]
    result = run("--", *command)
    assert result.causes == []
    assert words in result.report["said"] and f"it said      {words}" in result.stderr
    assert any(at.startswith(place.format(tmp_path)) for at in result.report["looked_in"])
    assert "it looked in" in result.stderr


@pytest.mark.parametrize("name, code, known", [
    ("@addons/native-gnu", "require('@addons/native-gnu')", True),
    ("@nosuch/native-gnu", "require('@nosuch/native-gnu')", False),
    ("@addons/native-gnu", "try { require('@addons/native-gnu') } catch (e) { require('@addons/native-musl') }", False),
], ids=["beside another", "no such scope", "got over"])
def test_a_module_beside_another_variant(run, tmp_path, name, code, known):
    """Where the directory of its scope is there with others in it, there is one place where it would be."""
    other = tmp_path / "node_modules" / "@addons" / "native-musl"
    other.mkdir(parents=True)
    (other / "index.js").write_text("module.exports = 1\n")
    result = run("--", "node", "-e", code)
    assert [(c["kind"], c["missing"], c["impact"]) for c in result.causes] == (
        [("file-missing", str(tmp_path / "node_modules" / name), "fatal")] if known else [])
