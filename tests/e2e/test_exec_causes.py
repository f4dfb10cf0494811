"""Executing: files that cannot be executed, names that are not on PATH, by several actors; and their healthy twins."""

import os
import shutil

import pytest

TRUE = "int main(void) { return 0; }\n"


def _patched(path, *changes):
    data = bytearray(path.read_bytes())
    for at, new in changes:
        data[at:at + len(new)] = new
    path.write_bytes(data)
    return path


def interpreter_missing(cc, script, top):
    path = cc(TRUE, "-Wl,--dynamic-linker=/nowhere/ld-none.so.1")
    return path, "interpreter-missing", "/nowhere/ld-none.so.1"


def script_interpreter_missing(cc, script, top):
    return script("tool", "#!/nowhere/perl6 -w\nexit 0\n"), "script-interpreter-missing", "/nowhere/perl6"


def carriage_return(cc, script, top):
    return script("tool", b"#!/bin/sh\r\nexit 0\r\n"), "script-interpreter-missing", "/bin/sh\r"


def other_machine(cc, script, top):
    return _patched(cc(TRUE), (18, (183).to_bytes(2, "little"))), "wrong-architecture", "x86_64"


def cut_program(cc, script, top):
    path = cc(TRUE)
    path.write_bytes(path.read_bytes()[:100])
    return path, "object-corrupt", str(path)


def not_executable(cc, script, top):
    return script("tool", "#!/bin/sh\nexit 0\n", mode=0o644), "permission-denied", str(top / "tool")


def link_to_itself(cc, script, top):
    (top / "tool").symlink_to("tool")
    return top / "tool", "symlink-loop", str(top / "tool")


def dangling_link(cc, script, top):
    (top / "tool").symlink_to("gone/tool-1.2")
    return top / "tool", "symlink-dangling", str(top / "gone" / "tool-1.2")


FILES = {f.__name__: f for f in (interpreter_missing, script_interpreter_missing, carriage_return, other_machine,
                                 cut_program, not_executable, link_to_itself, dangling_link)}
ACTORS = {
    "directly": lambda path: [path],
    "sh": lambda path: ["sh", "-c", f"'{path}'; exit $?"],
    "bash": lambda path: ["bash", "-c", f"'{path}'; exit $?"],
    "python": lambda path: ["/usr/bin/python3", "-c", f"import subprocess; subprocess.run(['{path}'], check=True)"],
    "perl": lambda path: ["perl", "-e", f"exec('{path}') or die \"cannot run {path}: $!\\n\""],
    "env": lambda path: ["env", "A=b", str(path)],
    "node": lambda path: ["node", "-e", f"const r = require('child_process').spawnSync('{path}');"
                                        "if (r.error) throw r.error; process.exit(r.status)"],
}


@pytest.mark.parametrize("actor", ACTORS)
@pytest.mark.parametrize("way", FILES)
def test_file_that_cannot_be_executed(run, cc, script, tmp_path, way, actor):
    path, kind, missing = FILES[way](cc, script, tmp_path)
    command = ACTORS[actor](path)
    if actor != "directly" and not shutil.which(command[0]):
        pytest.skip(f"{command[0]} is not installed")
    result = run("--", *command)
    assert (result.first["kind"], result.first["missing"], result.first["impact"]) == (kind, missing, "fatal")
    assert result.returncode != 0
    assert len(result.causes) == 1, [(c["kind"], c["missing"]) for c in result.causes]
    if kind not in ("symlink-loop", "symlink-dangling"):
        assert result.first["subject"] == str(path)
        assert result.report["reproduction"]["status"] == "verified", result.report["reproduction"]


def test_status_of_a_command_that_cannot_be_executed(run, script, tmp_path):
    assert run("--", script("tool", "#!/nowhere/x\n")).returncode == 126
    assert run("--", script("other", "exit 3\n", mode=0o644)).returncode == 126
    assert run("--", tmp_path / "absent").returncode == 127
    result = run("--", "no-such-command-anywhere")
    assert result.returncode == 127
    assert result.report["outcome"]["status"] == "exec-failed"


@pytest.mark.parametrize("actor", ACTORS)
def test_file_that_can_be_executed(run, cc, actor):
    command = ACTORS[actor](cc(TRUE))
    if actor != "directly" and not shutil.which(command[0]):
        pytest.skip(f"{command[0]} is not installed")
    result = run("--", *command)
    assert result.returncode == 0
    assert result.causes == []


@pytest.mark.parametrize("text", ["exit 0\n", "\n", "# a comment\n:\n"])
@pytest.mark.parametrize("actor", ["directly", "sh", "bash"])
def test_script_without_a_first_line_runs_as_in_a_shell(run, script, actor, text):
    result = run("--", *ACTORS[actor](script("plain", text)))
    assert result.returncode == 0
    assert result.causes == []


NAME = "no-such-command-anywhere"
SEARCHERS = {
    "directly": ([NAME], None),
    "sh": (["sh", "-c", f"{NAME}; exit $?"], "sh"),
    "bash": (["bash", "-c", f"{NAME} --version; exit $?"], "bash"),
    "sh three deep": (["sh", "-c", f"sh -c \"sh -c '{NAME}; exit 3'; exit 3\"; exit 3"], "sh"),
    "env": (["env", NAME], "env"),
    "python": (["/usr/bin/python3", "-c", f"import subprocess; subprocess.run(['{NAME}'])"], "python3"),
    "perl": (["perl", "-e", f"exec('{NAME}') or die \"{NAME}: $!\""], "perl"),
    "node": (["node", "-e", f"require('child_process').spawn('{NAME}')"], "node"),
    "make": (["make", "-f", "-"], "make"),
}


@pytest.mark.parametrize("who", SEARCHERS)
def test_command_not_found(run, who):
    command, actor = SEARCHERS[who]
    if not actor or shutil.which(actor):
        result = run("--", *command, stdin=f"all:\n\t{NAME} x\n" if who == "make" else "")
        assert (result.first["kind"], result.first["missing"]) == ("command-not-found", NAME)
        assert result.returncode != 0
        if actor:
            assert result.first["subject"] == os.path.realpath(shutil.which(command[0]))
            assert result.first["impact"] == "fatal"
        assert len(result.causes) == 1, [(c["kind"], c["missing"]) for c in result.causes]


def test_command_not_found_and_survived(run):
    result = run("--", "sh", "-c", f"{NAME}; echo went on")
    assert result.stdout == "went on\n"
    assert [(c["kind"], c["impact"]) for c in result.causes] == [("command-not-found", "degraded")]


@pytest.mark.parametrize("text", [f"{NAME} 2>/dev/null || echo other way", f"command -v {NAME} || echo other way",
                                  f"if which {NAME} >/dev/null 2>&1; then exit 3; fi; echo other way"])
@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_probing_for_a_command_is_no_failure(run, shell, text):
    result = run("--", shell, "-c", text)
    assert result.stdout == "other way\n"
    assert result.returncode == 0
    assert result.causes == []


# ---- another user ----

EMPTY = "glibctrace: : command not found"


@pytest.fixture
def closed(script, open_to_all):
    """closed/in/tool, which only root may come to."""
    (open_to_all / "closed" / "in").mkdir(parents=True)
    shutil.copy(script("tool", "#!/bin/sh\nexit 0\n"), open_to_all / "closed" / "in" / "tool")
    (open_to_all / "closed").chmod(0o700)
    return open_to_all / "closed"


def _as_nobody(run, *command, **how):
    return run("-u", "nobody", "--", *command, **how)


AS_USER = {
    "by its path": lambda closed: (["{}/in/tool"], {}),
    "from within": lambda closed: (["./in/tool"], {"cwd": closed}),
    "by PATH": lambda closed: (["tool"], {"env": {"PATH": f"{closed}/in:/usr/bin:/bin"}}),
    "by a shell": lambda closed: (["sh", "-c", "exec {}/in/tool"], {}),
    "by python": lambda closed: (["/usr/bin/python3", "-c", "import subprocess; subprocess.run(['{}/in/tool'])"], {}),
    "by env": lambda closed: (["env", "A=b", "{}/in/tool"], {}),
}


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user to be")
@pytest.mark.parametrize("how", AS_USER)
def test_a_directory_that_the_user_may_not_enter(run, closed, how):
    words, options = AS_USER[how](closed)
    words = [word.replace("{}", str(closed)) for word in words]
    result = _as_nobody(run, *words, **options)
    assert result.returncode == (1 if "python" in how else 126)
    assert [(c["kind"], c["missing"], c["subject"]) for c in result.causes] == [
        ("permission-denied", f"{closed}/in/tool", f"{closed}/in/tool")]
    assert f"may not enter {closed}." in result.first["summary"]
    assert any(str(closed) in command for remedy in result.first["remedies"] for command in remedy["commands"])
    closed.chmod(0o755)
    assert _as_nobody(run, *words, **options).causes == []


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user to be")
def test_a_closed_directory_on_path_keeps_nothing_back(run, closed):
    result = _as_nobody(run, "no-such-command", env={"PATH": f"{closed}/in:/usr/bin:/bin"})
    assert result.returncode == 127
    assert [(c["kind"], c["missing"]) for c in result.causes] == [("command-not-found", "no-such-command")]


def test_no_name_at_all(run):
    result = run("--", "")
    assert result.returncode == 127 and EMPTY in result.stderr
