"""--minimize: the command itself is run again, bounded and shut away, to find which variables and arguments matter."""

import os
import pathlib
import shutil
import signal
import subprocess

import pytest

VARIABLES = {f"NOISE_{number}": f"value {number}" for number in range(28)}
C = r"""
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(int argc, char **argv)
{
    const char *one = getenv("APP_ONE"), *two = getenv("APP_TWO");
    char path[300];
    int seen = 0;
    for (int i = 1; i < argc; i++)
        seen += !strcmp(argv[i], "--strict") || !strcmp(argv[i], "--config");
    if (!one || !two || seen < 2)
        return 0;
    snprintf(path, sizeof path, "/nowhere/%s-%s.conf", one, two);
    if (open(path, O_RDONLY) < 0) {
        perror(path);
        return 3;
    }
    return 0;
}
"""
SHELL = r"""#!/bin/sh
seen=0
for word; do case $word in --strict|--config) seen=$((seen + 1)) ;; esac; done
[ -n "$APP_ONE" ] && [ -n "$APP_TWO" ] && [ $seen -ge 2 ] || exit 0
cat "/nowhere/$APP_ONE-$APP_TWO.conf"
"""
PYTHON = r"""#!/usr/bin/python3
import os, sys
if os.environ.get("APP_ONE") and os.environ.get("APP_TWO") and {"--strict", "--config"} <= set(sys.argv):
    open("/nowhere/%s-%s.conf" % (os.environ["APP_ONE"], os.environ["APP_TWO"]))
"""
MATTERS = {"APP_ONE": "a b", "APP_TWO": "it's"}
ARGUMENTS = ["w1", "w2", "--strict", "w 3", "w'4", "", "--config", "-x", "w7", "w8"]


@pytest.fixture
def bare():
    """Words that run glibctrace in an environment of exactly what follows."""
    def words(**variables):
        return ["env", "-i", "PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", *(f"{k}={v}" for k, v in variables.items())]
    return words


def _program(kind, cc, script):
    return cc(C, name="program") if kind == "c" else script("program", SHELL if kind == "shell" else PYTHON)


@pytest.mark.parametrize("kind", ["c", "shell", "python"])
def test_two_of_thirty_variables_and_two_of_ten_arguments(run, cc, script, bare, tmp_path, kind):
    program = _program(kind, cc, script)
    result = run("--minimize", "-o", "case.tar.zst", "--", program, *ARGUMENTS, under=bare(**VARIABLES, **MATTERS))
    assert result.first["missing"] == "/nowhere/a b-it's.conf"
    minimal = result.report["minimal"]
    variables, words = minimal["words"][:minimal["variables"]], minimal["words"][minimal["variables"]:]
    assert sorted(variables) == ["APP_ONE=a b", "APP_TWO=it's"]
    assert words == [str(program), "--strict", "--config"]
    assert 1 < minimal["runs"] <= 100
    assert f"--minimize: {minimal['runs']} runs; what matters is 2 of 32 variables and 2 of 10 arguments" in result.stderr
    assert "is run again, 100 times and 60 seconds at most" in result.stderr
    # The script of the bundle does it, and the text names it.
    subprocess.run(["tar", "--zstd", "-xf", "case.tar.zst"], cwd=tmp_path, check=True)
    ended = subprocess.run(["sh", tmp_path / "case/repro/minimal.sh"], cwd=tmp_path, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, text=True)
    assert ended.returncode == result.returncode
    assert "/nowhere/a b-it's.conf" in ended.stderr
    assert "the same with" in (tmp_path / "case/report.txt").read_text()


def test_the_causes_are_those_of_the_first_run(run, cc, bare):
    program = cc(C, name="program")
    under = bare(**VARIABLES, **MATTERS)
    plain = run("--", program, *ARGUMENTS, under=under).report["causes"]
    minimized = run("--minimize", "--", program, *ARGUMENTS, under=under).report["causes"]
    assert [(c["kind"], c["missing"], c["process"]["argv"]) for c in plain] == [
        (c["kind"], c["missing"], c["process"]["argv"]) for c in minimized]
    assert minimized[0]["process"]["argv"][1:] == ARGUMENTS


def test_runs_are_counted_and_bounded(run, script, bare, tmp_path):
    """Every variable matters: what can be tried is tried, and no more."""
    names = [f"V{number}" for number in range(60)]
    program = script("program", f"#!/bin/sh\necho run >>{tmp_path}/runs\n" +
                     "".join(f'[ -n "${name}" ] || exit 0\n' for name in names) + "cat /nowhere/x.conf\n")
    result = run("--minimize", "--", program, under=bare(**dict.fromkeys(names, "1")))
    runs = len((tmp_path / "runs").read_text().split())
    assert runs == result.report["minimal"]["runs"] + 1
    assert runs <= 101
    assert f"{runs - 1} runs;" in result.stderr


@pytest.mark.parametrize("command", [["true"], ["sh", "-c", "exit 3"]])
def test_nothing_to_minimise(run, command):
    result = run("--minimize", "--", *command)
    assert result.report["causes"] == []
    assert "minimal" not in result.report
    assert "--minimize: no cause was found: it is not run again" in result.stderr


def test_without_it_the_command_runs_once(run, script, tmp_path):
    program = script("program", f"#!/bin/sh\necho run >>{tmp_path}/runs\ncat /nowhere/x.conf\n")
    assert "minimal" not in run("--", program).report
    assert (tmp_path / "runs").read_text() == "run\n"


def test_nothing_of_the_home_is_touched(run, script, tmp_path):
    """HOME, TMPDIR and the XDG directories of the first run are the user's; of the others, new ones that go again."""
    home = tmp_path / "home"
    home.mkdir()
    places = ["HOME", "TMPDIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"]
    program = script("program", f"""#!/bin/sh
for place in {' '.join(f'"${name}"' for name in places)}; do
    echo "$place" >>{tmp_path}/seen
    [ ! -e "$place/again" ] || echo again >>{tmp_path}/kept
    echo x >>"$place/touched"
done
cat /nowhere/x.conf
""")
    result = run("--minimize", "--", program, "a", "b", env=dict.fromkeys(places, home))
    assert result.report["minimal"]["runs"] > 1
    assert (home / "touched").read_text() == "x\n" * 7
    seen = (tmp_path / "seen").read_text().split("\n")[7:-1]
    assert str(home) not in seen
    assert not any(os.path.exists(place) for place in seen)


def test_it_must_fail_alike_with_a_new_home(run, script, tmp_path):
    """What the failure comes of is in the home directory: then nothing is said to be superfluous."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "rc").write_text("/nowhere/x.conf\n")
    program = script("program", '#!/bin/sh\n[ -e "$HOME/rc" ] || exit 0\ncat "$(cat "$HOME/rc")"\n')
    result = run("--minimize", "--", program, "a", env={"HOME": home})
    assert result.first["missing"] == "/nowhere/x.conf"
    assert "minimal" not in result.report
    assert "--minimize: 1 run; it does not fail alike in a home directory that is new" in result.stderr


def _alive(mark):
    """Processes that have MARK in their command lines."""
    found = []
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (process / "cmdline").read_bytes():
                found.append(process.name)
        except OSError:
            pass
    return found


@pytest.mark.parametrize("way", ["hangs", "leaves one behind", "leaves a daemon behind"])
def test_what_hangs_or_stays_is_ended(run, script, tmp_path, way):
    """Only in the runs that have a home of their own; the first one is nobody's business."""
    mark = f"77{os.getpid()}.{abs(hash(way)) % 10000}"  # seconds, which nobody else sleeps
    stay = {"hangs": f"exec sleep {mark}", "leaves one behind": f"sleep {mark} >/dev/null 2>&1 &",
            "leaves a daemon behind": f"setsid sh -c 'trap \"\" HUP TERM; sleep {mark}; true' >/dev/null 2>&1 </dev/null &"}
    program = script("program", f"""#!/bin/sh
case $HOME in */glibctrace-repro-*) {stay[way]}
esac
cat /nowhere/x.conf
""")
    result = run("--minimize", "--", program, "a", env={"HOME": tmp_path, "TMPDIR": None})
    assert result.first["missing"] == "/nowhere/x.conf"
    assert _alive(mark) == []


@pytest.mark.skipif(os.getuid() != 0, reason="only root may become another user")
def test_as_another_user(run, script, tmp_path):
    program = script("program", '#!/bin/sh\necho x >"$HOME/mine" || exit 0\n[ "$1" ] || exit 0\ncat /nowhere/x.conf\n')
    for path in [program, *program.parents]:
        if path.stat().st_uid == 0 and not path.stat().st_mode & 1:
            path.chmod(path.stat().st_mode | 0o11)
    (tmp_path / "home").mkdir()
    shutil.chown(tmp_path / "home", 65534, 65534)
    result = run("--minimize", "-u", "nobody", "--", program, "a", "b", env={"HOME": tmp_path / "home"})
    assert result.first["missing"] == "/nowhere/x.conf"
    assert len(result.report["minimal"]["words"]) - result.report["minimal"]["variables"] == 2


def test_secrets_are_not_in_it(run, cc, bare, tmp_path):
    program = cc(C, name="program")
    secret = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
    result = run("--minimize", "-o", "case.tar.zst", "--", program, *ARGUMENTS, redact=True,
                 under=bare(APP_ONE=secret, APP_TWO="x", API_TOKEN="s3cr3t-hunter2-value"))
    assert result.report["minimal"]["words"][-2:] == ["--strict", "--config"]
    subprocess.run(["tar", "--zstd", "-xf", "case.tar.zst"], cwd=tmp_path, check=True)
    for path in (tmp_path / "case").rglob("*"):
        assert path.is_dir() or secret.encode() not in path.read_bytes(), path


def test_attached_to_it_is_refused(run):
    result = run("--minimize", "-p", str(os.getpid()), report=False)
    assert result.returncode == 125
    assert "--minimize needs a command" in result.stderr


def test_ctrl_c_ends_it(tool, script, tmp_path):
    """The report follows, of the first run."""
    program = script("program", f"""#!/bin/sh
echo run >>{tmp_path}/runs
case $HOME in */glibctrace-repro-*) echo >{tmp_path}/fifo; sleep 1 ;; esac
cat /nowhere/x.conf
""")
    os.mkfifo(tmp_path / "fifo")
    words = [f"a{number}" for number in range(40)]
    process = subprocess.Popen([tool, "--minimize", "--", program, *words], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                               stdout=subprocess.DEVNULL, text=True, start_new_session=True,
                               env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)})
    (tmp_path / "fifo").read_text()  # a run has begun
    os.killpg(process.pid, signal.SIGINT)
    # What is still running goes on to its end; nobody else begins.
    reader = subprocess.Popen(["cat", tmp_path / "fifo"], stdout=subprocess.DEVNULL)
    _, err = process.communicate(timeout=60)
    reader.kill()
    reader.wait()
    assert "/nowhere/x.conf" in err
    assert len((tmp_path / "runs").read_text().split()) <= 3
