"""Commands that are looked for on PATH: by many kinds of search, named in the words or not, and what a login shell has."""

import os
import shutil

import pytest

PYTHON = "/usr/bin/python3"
NAME = "no-such-command-anywhere"
SPAWNS = r"""
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
extern char **environ;
int main(int argc, char **argv)
{
    char *words[] = {argv[1], 0};
    pid_t pid;
    int error = posix_spawnp(&pid, argv[1], 0, 0, words, environ);
    if (error && argc > 2)
        fprintf(stderr, argv[2], strerror(error));
    return error ? 3 : 0;
}
"""
GO = """package main
import ("fmt"; "os"; "os/exec")
func main() {
    if err := exec.Command(os.Args[1]).Run(); err != nil {
        fmt.Fprintln(os.Stderr, "cannot format:", err)
        os.Exit(1)
    }
}
"""
WHO = {
    "dash": (["dash", "-c", f"{NAME}; exit 3"], "dash", 0.9),
    "bash, login": (["bash", "-lc", f"{NAME} --version"], "bash", 0.9),
    "env": (["env", "A=b", NAME], "env", 0.9),
    "xargs": (["xargs", NAME], "xargs", 0.9),
    "nice": (["nice", NAME], "nice", 0.9),
    "timeout": (["timeout", "5", NAME], "timeout", 0.9),
    "nohup": (["nohup", NAME], "nohup", 0.9),
    "posix_spawn, named": (["./prog", NAME, f"{NAME}: %s\n"], "prog", 0.9),
    "posix_spawn, only the error": (["./prog", NAME, "cannot start the helper: %s\n"], "prog", 0.8),
    "go": (["./look", NAME], "look", 0.9),
    "python": ([PYTHON, "-c", f"import subprocess; subprocess.run(['{NAME}'])"], PYTHON, 0.9),
    "python, by a shell": ([PYTHON, "-c", f"import subprocess; subprocess.run('{NAME}', shell=True, check=True)"], "sh", 0.9),
    "node": (["node", "-e", f"require('child_process').execFileSync('{NAME}')"], "node", 0.9),
    "node, in its own words": (["node", "-e", f"require('child_process').spawn('{NAME}').on('error', () => "
                                "{ console.error('cannot start the language server'); process.exit(1) })"], "node", 0.6),
    "perl": (["perl", "-e", f"system('{NAME}') == 0 or die \"failed: $!\""], "perl", 0.8),
    "git, alias": (["git", "-c", f"alias.zz=!{NAME}", "zz"], "git", 0.9),
    "a script that checks": (["sh", "-c", f"command -v {NAME} >/dev/null || {{ echo 'error: {NAME} is required' >&2; exit 1; }}"],
                             "sh", 0.9),
}


@pytest.fixture(scope="session")
def look(tmp_path_factory):
    import subprocess
    top = tmp_path_factory.mktemp("look")
    (top / "look.go").write_text(GO)
    subprocess.run(["go", "build", "-o", top / "look", top / "look.go"], check=True)
    return top / "look"


@pytest.mark.parametrize("who", WHO)
def test_not_found(run, cc, look, tmp_path, who):
    cc(SPAWNS)
    shutil.copy(look, tmp_path / "look")
    command, subject, confidence = WHO[who]
    result = run("--", *command)
    first = result.first
    assert (first["kind"], first["missing"], first["impact"]) == ("command-not-found", NAME, "fatal")
    assert os.path.basename(first["subject"]) == os.path.basename(os.path.realpath(shutil.which(subject) or subject))
    assert first["confidence"] >= confidence
    assert len(result.causes) == 1, [(c["kind"], c["missing"]) for c in result.causes]
    assert result.report["reproduction"]["status"] == "verified", result.report["reproduction"]


def test_git_subcommand(run):
    result = run("--", "git", NAME)
    assert (result.first["kind"], result.first["missing"]) == ("command-not-found", f"git-{NAME}")


def test_git_subcommand_where_a_variable_says(run, tmp_path):
    result = run("--", "git", NAME, env={"GIT_EXEC_PATH": f"{tmp_path}/no"})
    assert (result.first["kind"], result.first["missing"]) == ("environment-wrong", f"GIT_EXEC_PATH={tmp_path}/no")


def test_a_variable_that_names_it(run, tmp_path):
    run("--", "git", "init", "-q", ".")
    result = run("--", "git", "-c", "user.name=x", "-c", "user.email=x@y", "commit", "--allow-empty",
                 env={"EDITOR": NAME, "VISUAL": None, "GIT_EDITOR": None, "TERM": "xterm"})
    assert (result.first["kind"], result.first["missing"]) == ("command-not-found", NAME)
    assert f"named by     EDITOR={NAME}" in result.stderr


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_a_path_that_the_shell_has_set_itself(run, shell, tmp_path):
    result = run("--", shell, "-c", f"PATH={tmp_path}/a:{tmp_path}/b; {NAME}; exit 3")
    assert (result.first["kind"], result.first["missing"]) == ("command-not-found", NAME)


@pytest.mark.parametrize("who", ["sh", "python"])
def test_one_file_in_a_directory_of_path_is_a_file(run, tmp_path, who):
    (tmp_path / "bin").mkdir()
    file = f"{tmp_path}/bin/tool.conf"
    command = {"sh": ["sh", "-c", f"test -e {file} || {{ echo 'error: {file} is missing' 1>&2; exit 3; }}"],
               "python": [PYTHON, "-c", f"import os; os.stat('{file}')"]}[who]
    result = run("--", *command, env={"PATH": f"{tmp_path}/bin:{os.environ['PATH']}"})
    assert (result.first["kind"], result.first["missing"]) == ("file-missing", file)


def test_empty_path(run):
    result = run("--", "/bin/sh", "-c", NAME, env={"PATH": ""})
    assert (result.first["kind"], result.first["missing"]) == ("command-not-found", NAME)


@pytest.mark.parametrize("how", ["profile", "sourced", "desktop"])
@pytest.mark.parametrize("who", ["sh", "python"])
def test_login_shell_has_it(run, script, tmp_path, how, who):
    """A tool that a login shell finds: a program that a desktop session started does not."""
    home = tmp_path / "home"
    script("home/.tool/bin/mytool", "#!/bin/sh\nexit 0\n")
    text = 'export TOOL="$HOME/.tool"\nif [ -d "$TOOL" ]; then\n  PATH="$TOOL/bin:$PATH"\nfi\n'
    file = {"profile": ".profile", "sourced": ".tool/env", "desktop": ".config/environment.d/tool.conf"}[how]
    script(f"home/{file}", text if how != "desktop" else "PATH=$HOME/.tool/bin:$PATH\n")
    if how == "sourced":
        script("home/.bashrc", '[ -f "$HOME/.tool/env" ] && . "$HOME/.tool/env"\n')
    command = ["sh", "-c", "mytool"] if who == "sh" else [PYTHON, "-c", "import subprocess; subprocess.run(['mytool'])"]
    result = run("--", *command, env={"HOME": str(home)})
    assert (result.first["kind"], result.first["missing"]) == ("command-not-found", "mytool")
    assert f"{home}/.tool/bin, which a login shell has on PATH ({home}/{file})" in result.first["summary"]
    assert f"{home}/.tool/bin:" in result.first["remedies"][0]["commands"][0]
    assert run("--", *command, env={"HOME": str(home), "PATH": f"{home}/.tool/bin:{os.environ['PATH']}"}).causes == []


def test_the_files_are_read_and_never_run(run, script, tmp_path):
    script("home/.profile", f"touch {tmp_path}/ran\nPATH=\"$(touch {tmp_path}/ran; echo /x):$PATH\"\n")
    run("--", "sh", "-c", NAME, env={"HOME": str(tmp_path / "home")})
    assert not (tmp_path / "ran").exists()


HEALTHY = {
    "command -v": ["sh", "-c", f"command -v {NAME} || echo other way"],
    "which": ["sh", "-c", f"which {NAME} || true"],
    "type": ["bash", "-c", f"type {NAME} >/dev/null 2>&1 || echo other way"],
    "found later on PATH": ["sh", "-c", "ls / >/dev/null"],
    "many compilers": ["sh", "-c", "for c in gcc-99 clang-99 icc-99 cc; do command -v $c >/dev/null && exec $c --version; done"],
    "python which": [PYTHON, "-c", f"import shutil; assert shutil.which('{NAME}') is None"],
    "node, optional": ["node", "-e", f"require('child_process').spawn('{NAME}').on('error', () => {{}})"],
    "another name of it": [PYTHON, "-c", f"import subprocess\nfor c in '{NAME}', 'cat':\n try: subprocess.run([c, '/dev/null'], "
                           "check=True); break\n except OSError as e: print(e)\nraise SystemExit(3)"],
    "another name of it, no arguments": [PYTHON, "-c", f"import subprocess\nfor c in '{NAME}', 'true':\n try: subprocess.run([c])"
                                         "\n except OSError as e: print(e)"],
    "node's next shell": ["node", "-e", "const t = l => { const c = require('child_process').spawn(l[0], ['-c', 'exit 0']); "
                          f"c.on('error', e => {{ console.error(e.message); t(l.slice(1)) }}) }}; t(['{NAME}', 'sh'])"],
    "a subshell's log": ["sh", "-c", f"cd $(mktemp -d); for c in {NAME} true; do (eval $c) >log 2>&1 && break; done; rm log"],
    "says what is done instead": [PYTHON, "-c", f"import subprocess, sys\ntry: subprocess.run(['{NAME}'])\n"
                                  "except OSError as e: print(e, '- falling back to the file', file=sys.stderr)"],
    "ignored by make": ["sh", "-c", f"printf 'a:\\n\\t-{NAME} x\\n\\t@echo done\\n' | make -f -"],
    "another takes its place": ["sh", "-c", f"{NAME} x || ls /dev/null"],
    "another, in bash": ["bash", "-c", f"set -e\n{NAME} -v |\n sort || cat /dev/null\necho 1"],
    "no matter": ["sh", "-ec", f"{{ {NAME} a; }} || true; echo 2"],
    "a condition": ["bash", "-ec", f"if {NAME}; then echo yes; else echo no; fi"],
    "not so": ["sh", "-c", f"! {NAME}"],
    "a subshell": ["dash", "-c", f"x=$(cd /; {NAME}) || x=none; echo $x"],
    "an end of its own": ["sh", "-c", f"command -v {NAME} >/dev/null; grep -q nothing-like-it /etc/passwd"],
}


GOES_ON = {
    "another work": [PYTHON, "-c", f"import subprocess\ntry: subprocess.run(['{NAME}', 'build'])\nexcept OSError as e: print(e)\n"
                     "subprocess.run(['true', 'clean'])"],
    "a shell": ["sh", "-c", f"{NAME} x; true x; exit 0"],
    "behind a fallback": ["sh", "-c", f"true || false; {NAME}; exit 0"],
    "only said so": ["sh", "-c", f"{NAME} || echo no such thing"],
    "the other one fails, too": ["sh", "-c", f"{NAME} || false || cat /nowhere/x 2>/dev/null || sh -c 'exit 3'"],
    "the next has no arguments either, and all ends badly": [
        PYTHON, "-c", f"import subprocess, sys\ntry: subprocess.run(['{NAME}'])\nexcept OSError as e: print(e)\n"
        "subprocess.run(['true']); sys.exit(1)"],
}


@pytest.mark.parametrize("name", GOES_ON)
def test_what_follows_is_something_else(run, name):
    assert [(c["kind"], c["missing"]) for c in run("--", *GOES_ON[name]).causes] == [("command-not-found", NAME)]


@pytest.mark.parametrize("name", HEALTHY)
def test_probes(run, cc, name):
    cc(SPAWNS)
    env = {"PATH": f"/nowhere-1:/nowhere-2:{os.environ['PATH']}"} if name == "found later on PATH" else {}
    assert run("--", *HEALTHY[name], env=env).causes == []


TEXT = "#!/bin/{shell}\n# {name}\nset -e\necho begin\n{how}\necho end\n"


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_a_script_is_read(run, script, tmp_path, shell):
    """Its line says whether the command was to be done without."""
    for how, causes in ((f"{NAME} -x || true", 0), (f"if ! {NAME}; then\n  cat /dev/null\nfi", 0),
                        (f"{NAME} || echo none", 1), (f"true\n{NAME} &\nwait", 1)):
        path = script("tool.sh", TEXT.format(shell=shell, name=NAME, how=how))
        for command in ([path], [shell, "-e", path.name]):
            result = run("--", *command)
            assert result.returncode == 0 and NAME in result.stderr
            assert [c["missing"] for c in result.causes] == [NAME] * causes
            assert (f"{NAME}: " in result.stderr.split("not it")[-1]) == (causes == 0) or causes


SPAWN_THERE = "require('child_process').spawn('ls', {cwd: process.argv[1]}).on('error', e => %s)"


def test_node_says_spawn_ls_enoent_of_a_directory(run, tmp_path):
    """ls is there; the directory that it was to run in is not."""
    there = tmp_path / "gone"
    complain, cope = SPAWN_THERE % "{ console.error(e.message); process.exit(1) }", SPAWN_THERE % "console.error(e.message)"
    result = run("--", "node", "-e", complain, there)
    assert "spawn ls ENOENT" in result.stderr
    assert [(c["kind"], c["missing"], c["impact"]) for c in result.causes] == [("file-missing", str(there), "fatal")]
    assert result.first["words"] == "spawn ls ENOENT"
    assert run("--", "node", "-e", cope, there).causes == []
    there.mkdir()
    assert run("--", "node", "-e", complain, there).causes == []
