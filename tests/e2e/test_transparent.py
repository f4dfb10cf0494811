"""A program does not notice glibctrace: same output, same exit status, same signals, same world around it."""

import ctypes
import errno
import os
import pathlib
import pty
import select
import shutil
import signal
import struct
import subprocess
import sys

import pytest

from lines import HANGS_AFTER, line

MODES = ["auto", "no"]  # --seccomp: with the filter, and with a stop at every system call
ROOT = os.geteuid() == 0


@pytest.fixture(scope="module")
def puppet(tmp_path_factory):
    source = pathlib.Path(__file__).with_name("puppet.c")
    target = tmp_path_factory.mktemp("puppet") / "puppet"
    subprocess.run([*os.environ.get("CC", "cc").split(), "-O1", "-pthread", "-o", target, source], check=True)
    return target


@pytest.fixture
def start(tool, environment):
    """start(*command, mode="auto", options=(), **popen) -> Popen of glibctrace, reaped at the end of the test."""
    started = []

    def start_(*command, mode="auto", options=(), quiet=True, **popen):
        options = (["-q"] if quiet else []) + [*options]
        popen = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "bufsize": 0,
                 "env": environment(), "start_new_session": True} | popen
        process = subprocess.Popen([tool, "--no-repro", f"--seccomp={mode}", *options, "--", *command], **popen)
        started.append(process)
        return process

    yield start_
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def traced(start):
    """traced(*command, …) -> (exit status, output, error output)"""

    def traced_(*command, stdin=b"", **more):
        process = start(*command, **more)
        try:
            out, err = process.communicate(stdin, timeout=HANGS_AFTER)
        except subprocess.TimeoutExpired:
            process.kill()
            pytest.fail(f"{command} did not end")
        return process.returncode, out, err

    return traced_


def plain(*command, env, stdin=b"", **more):
    result = subprocess.run(command, input=stdin, capture_output=True, env=env, timeout=HANGS_AFTER,
                            start_new_session=True, **more)
    status = result.returncode if result.returncode >= 0 else 128 - result.returncode
    return status, result.stdout, result.stderr


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("word", ["world", "threads", "thread-exec", "leader-leaves", "children", "stops", "signals",
                                  "untraced", "filter"])
def test_same_as_without(traced, environment, puppet, tmp_path, word, mode):
    assert traced(puppet, word, mode=mode, cwd=tmp_path) == plain(puppet, word, env=environment(), cwd=tmp_path)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("status", [0, 1, 77, 125, 255])
def test_exit_status(traced, status, mode):
    assert traced("sh", "-c", f"exit {status}", mode=mode) == (status, b"", b"")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ["HUP", "INT", "KILL", "SEGV", "TERM", "ABRT", "USR1", "PIPE", "ALRM"])
def test_ended_by_a_signal(traced, name, mode):
    status, out, err = traced("sh", "-c", f"echo before; kill -{name} $$; echo after", mode=mode)
    assert (status, out) == (128 + signal.Signals[f"SIG{name}"], b"before\n")


def test_standard_input_and_large_output(traced):
    data = os.urandom(3_000_000)
    assert traced("cat", stdin=data) == (0, data, b"")
    status, out, err = traced("sh", "-c", "seq 100000; seq 100000 >&2; exit 3")
    assert (status, len(out), err) == (3, 588895, out)


def test_closed_output_is_the_programs_affair(traced, environment):
    command = ("sh", "-c", "seq 1000000 | head -1; yes | head -2")
    assert traced(*command) == plain(*command, env=environment())


def test_signals_ignored_before_stay_ignored(traced, environment, puppet):
    def ignore():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2, signal.SIGCHLD])

    assert traced(puppet, "world", preexec_fn=ignore) == plain(puppet, "world", env=environment(), preexec_fn=ignore)


def test_one_processor_stays_one(traced, environment, puppet):
    one = min(os.sched_getaffinity(0))

    def narrow():
        os.sched_setaffinity(0, [one])

    assert traced(puppet, "world", preexec_fn=narrow) == plain(puppet, "world", env=environment(), preexec_fn=narrow)


def test_affinity_is_told_truly_while_stops_are_many(traced, environment):
    # Enough failing calls for tracer and program to share a processor; then every way to ask.
    code = ("import os\nfor i in range(20000):\n  os.access('/nothere', 0)\n"
            "print(len(os.sched_getaffinity(0)))\nfor i in range(20000):\n  os.access('/nothere', 0)\n"
            "print([l for l in open('/proc/self/status') if l.startswith('Cpus_allowed_list')])\n"
            "import subprocess; print(subprocess.check_output(['nproc']))\n"
            "os.sched_setaffinity(0, [0]) if 0 in os.sched_getaffinity(0) else 0\n"
            "print(os.sched_getaffinity(0))")
    assert traced(sys.executable, "-c", code) == plain(sys.executable, "-c", code, env=environment())


def deny_filters():
    """A policy of the surroundings: seccomp(2) and prctl(PR_SET_SECCOMP) are refused from here on."""
    allow, refuse = 0x7FFF0000, 0x00050000 | errno.EPERM
    load, jump, ret = 0x20, 0x15, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_RET|K
    code = [(load, 0, 0, 0), (jump, 5, 0, 317), (jump, 0, 3, 157), (load, 0, 0, 16), (jump, 0, 1, 22), (jump, 1, 0, 22),
            (ret, 0, 0, allow), (ret, 0, 0, refuse)]
    program = b"".join(struct.pack("HBBI", *row) for row in code)
    buffer = ctypes.create_string_buffer(program)
    fprog = struct.pack("HxxxxxxQ", len(code), ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
    assert libc.prctl(22, 2, fprog, 0, 0) == 0
    assert libc.prctl(22, 2, fprog, 0, 0) == -1 and ctypes.get_errno() == errno.EPERM


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the policy names x86-64's call numbers")
def test_where_no_filter_can_be_put_on_there_are_plain_stops(traced, tmp_path):
    status, out, err = traced("sh", "-c", "cat /nothere/at/all 2>/dev/null; echo out; exit 5", preexec_fn=deny_filters,
                              options=("-t=all",))
    assert (status, out) == (5, b"out\n")
    assert b'"/nothere/at/all"' in err


# Programs that cannot be executed.


def test_not_found(traced):
    status, out, err = traced("no-such-command-here")
    assert status == 127 and b"no-such-command-here" in err


def test_found_but_not_executable(traced, tmp_path):
    (tmp_path / "plain.txt").write_text("text\n")
    assert traced(tmp_path / "plain.txt")[0] == 126
    assert traced(tmp_path)[0] == 126


def test_a_file_without_a_head_is_a_shells(traced, tmp_path):
    script = tmp_path / "headless"
    script.write_text('echo "$1"; exit 5\n')
    script.chmod(0o755)
    assert traced(script, "an argument") == (5, b"an argument\n", b"")


def test_path_of_the_commands_environment(traced, tmp_path):
    script = tmp_path / "only-here"
    script.write_text("#!/bin/sh\necho \"$A,$B\"\n")
    script.chmod(0o755)
    options = ("-E", f"PATH={tmp_path}", "-E", "A=a=1", "-E", "B")
    assert traced("only-here", options=options) == (0, b"a=1,\n", b"")


# Users.


@pytest.mark.skipif(not ROOT, reason="only root can become another user")
@pytest.mark.parametrize("mode", MODES)
def test_another_user(traced, mode):
    status, out, err = traced("id", mode=mode, options=("-u", "nobody"))
    uid = subprocess.check_output(["id", "nobody"])
    assert (status, out.split(), err) == (0, uid.split(), b"")
    assert traced("true", options=("-u", "no-such-user-here"))[0] == 125


@pytest.mark.skipif(not ROOT, reason="needs a set-user-ID program of root's")
@pytest.mark.parametrize("mode", MODES)
def test_set_user_id_keeps_working_under_root(traced, tmp_path, mode):
    id_ = tmp_path / "id"
    shutil.copy(shutil.which("id"), id_)
    id_.chmod(0o4755)
    for directory in [tmp_path, *tmp_path.parents]:
        if os.stat(directory).st_uid == 0 and directory != pathlib.Path("/"):
            directory.chmod(directory.stat().st_mode | 0o011)
    status, out, err = traced(id_, "-u", mode=mode, options=("-u", "nobody"))
    assert (status, out) == (0, b"0\n"), err


# Signals from outside.


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP"])
def test_a_signal_sent_to_glibctrace_reaches_the_program_once(start, puppet, name):
    process = start(puppet, "signalled")
    assert line(process.stdout) == b"ready\n"
    process.send_signal(signal.Signals[f"SIG{name}"])
    assert line(process.stdout) == b"signals 1\n"
    out, err = process.communicate(b"q", timeout=HANGS_AFTER)
    assert (process.returncode, out, err) == (5, b"", b"")


def test_a_signal_to_the_whole_group_reaches_the_program_once(start, puppet):
    process = start(puppet, "signalled")
    assert line(process.stdout) == b"ready\n"
    os.killpg(process.pid, signal.SIGTERM)
    assert line(process.stdout) == b"signals 1\n"
    # A second one is told apart from the first one's echo.
    os.killpg(process.pid, signal.SIGTERM)
    assert line(process.stdout) == b"signals 2\n"
    out, err = process.communicate(b"q", timeout=HANGS_AFTER)
    assert (process.returncode, out, err) == (5, b"", b"")


def test_killing_glibctrace_kills_the_program(start, puppet):
    process = start(puppet, "signalled")
    assert line(process.stdout) == b"ready\n"
    process.kill()
    # The program and the tracer hold the pipe's other end: its end is theirs.
    assert process.communicate(timeout=HANGS_AFTER)[0] == b""


class Terminal:
    """glibctrace in the foreground of a terminal of its own."""

    def __init__(self, tool, env, *command, options=("-q", "--no-repro", "--")):
        self.pid, self.fd = pty.fork()
        if not self.pid:
            os.execve(tool, [os.fspath(tool), *options, *map(os.fspath, command)], env)
        self.seen = b""

    def until(self, text):
        while text not in self.seen:
            ready, _, _ = select.select([self.fd], [], [], HANGS_AFTER)
            assert ready, f"{text} did not come after {self.seen}"
            try:
                data = os.read(self.fd, 4096)
            except OSError:
                data = b""
            assert data, f"{text} did not come before the end, after {self.seen}"
            self.seen += data
        self.seen = self.seen[self.seen.index(text) + len(text):]

    def end(self):
        try:
            while data := os.read(self.fd, 4096):
                self.seen += data
        except OSError:
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@pytest.fixture
def terminal(tool, environment):
    terminals = []

    def open_(*command):
        terminals.append(Terminal(tool, environment(), *command))
        return terminals[-1]

    yield open_
    for each in terminals:
        os.close(each.fd)


def test_ctrl_c_is_the_programs(terminal, puppet):
    t = terminal(puppet, "signalled")
    t.until(b"ready")
    os.write(t.fd, b"\x03")
    t.until(b"signals 1")
    os.write(t.fd, b"\x03")
    t.until(b"signals 2")
    os.write(t.fd, b"q\n")
    assert t.end() == 5


def test_ctrl_c_ends_a_program_that_does_not_mind(terminal):
    t = terminal("sh", "-c", "echo ready; exec sleep 1000")
    t.until(b"ready")
    os.write(t.fd, b"\x03")
    assert t.end() == 128 + signal.SIGINT


# What a shell does that has jobs: one in a group of its own in the foreground; when it stops, a line is read, and it goes on.
SHELL = """
import os, signal, sys, termios
mode = termios.tcgetattr(0)
mode[3] |= termios.NOFLSH  # else what is written just after a Ctrl-Z goes with what was before it
termios.tcsetattr(0, termios.TCSANOW, mode)
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
job = os.fork()
if job == 0:
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpid())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    os.execv(sys.argv[1], sys.argv[1:])
while True:
    _, status = os.waitpid(job, os.WUNTRACED)
    if not os.WIFSTOPPED(status):
        os._exit(os.waitstatus_to_exitcode(status))
    os.tcsetpgrp(0, os.getpgrp())
    os.write(1, b"stopped")
    os.read(0, 100)
    os.tcsetpgrp(0, job)
    os.killpg(job, signal.SIGCONT)
    os.write(1, b"continued")
"""


# One that puts its screen in order before it stops, as editors do, and one that does not stop at all.
STOPS_LATE = """
import signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTSTP})
print("ready", flush=True)
signal.sigwait({signal.SIGTSTP})
print("tidied", end=" ", flush=True)
if sys.argv[1] == "late":
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTSTP})
    signal.raise_signal(signal.SIGTSTP)
sys.exit(input() == "q" and 5)
"""


@pytest.fixture
def job(tool, environment):
    t = []

    def start(*command):
        t.append(Terminal("/usr/bin/python3", environment(), "-c", SHELL, tool, "-q", "--no-repro", "--", *command, options=()))
        t[0].until(b"ready")
        return t[0]

    yield start
    os.close(t[0].fd)


def test_ctrl_z_stops_the_job_and_fg_continues_it(job, puppet):
    t = job(puppet, "signalled")
    for i in range(1, 4):
        os.write(t.fd, b"\x1a")
        t.until(b"stopped")
        os.write(t.fd, b"fg\n")
        t.until(b"continued")
        os.write(t.fd, b"\x03")
        t.until(b"signals %d" % i)
    os.write(t.fd, b"q\n")
    assert t.end() == 5


def test_ctrl_z_stops_the_job_when_the_program_stops(job):
    t = job("/usr/bin/python3", "-c", STOPS_LATE, "late")
    os.write(t.fd, b"\x1a")
    t.until(b"tidied stopped")
    os.write(t.fd, b"fg\n")
    t.until(b"continued")
    os.write(t.fd, b"q\n")
    assert t.end() == 5


def test_ctrl_z_is_the_programs(job):
    t = job("/usr/bin/python3", "-c", STOPS_LATE, "never")
    os.write(t.fd, b"\x1a")
    t.until(b"tidied")
    os.write(t.fd, b"q\n")
    t.until(b"q")  # what the terminal says again
    assert t.end() == 5 and b"stopped" not in t.seen


def test_a_closed_terminal_ends_it(tool, environment, tmp_path):
    t = Terminal(tool, environment(), "sh", "-c", "echo ready; exec sleep 1000")
    t.until(b"ready")
    os.close(t.fd)
    assert os.waitstatus_to_exitcode(os.waitpid(t.pid, 0)[1]) == 128 + signal.SIGHUP


def test_the_command_stopping_itself_stops_the_job(start):
    process = start("sh", "-c", "kill -STOP $$; exit 4")
    pid, status = os.waitpid(process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    os.killpg(process.pid, signal.SIGCONT)
    assert process.wait(timeout=HANGS_AFTER) == 4


# What outlives the command.


class Daemon:
    """The other end of `puppet daemon`. Both pipes are held open for reading and writing, so that nothing here can wait
    for a daemon that is not there."""

    def __init__(self, tmp_path):
        self.paths = tmp_path / "ask", tmp_path / "answer"
        for path in self.paths:
            os.mkfifo(path)
        self.ask, self.answer = [os.open(path, os.O_RDWR) for path in self.paths]

    def says(self, question):
        os.write(self.ask, question)
        ready, _, _ = select.select([self.answer], [], [], HANGS_AFTER)
        assert ready, "the daemon does not answer"
        return os.read(self.answer, 1)


@pytest.fixture
def daemon(tmp_path):
    made = Daemon(tmp_path)
    yield made
    os.write(made.ask, b"q")  # one that a failed test left ends as well
    os.close(made.ask)
    os.close(made.answer)


@pytest.mark.parametrize("mode", MODES)
def test_ctrl_c_leaves_a_daemon_running(start, puppet, tmp_path, daemon, mode):
    process = start(puppet, "daemon", *daemon.paths, mode=mode, options=("-o", tmp_path / "r.txt"))
    assert b"goes on" in line(process.stderr)
    assert daemon.says(b"?") == b"y"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=HANGS_AFTER)
    assert process.returncode == 3
    assert (tmp_path / "r.txt").exists()
    # Its filter still wants a tracer; calls must answer as ever.
    assert [daemon.says(b"?") for _ in range(3)] == [b"y"] * 3
    assert daemon.says(b"q") == b"e"


def test_tracing_ends_with_the_last_process(start, puppet, daemon):
    process = start(puppet, "daemon", *daemon.paths)
    assert b"goes on" in line(process.stderr)
    assert daemon.says(b"q") == b"e"
    process.communicate(timeout=HANGS_AFTER)
    assert process.returncode == 3


@pytest.mark.parametrize("mode", MODES)
def test_for_ends_the_recording_not_the_program(start, puppet, mode):
    process = start(puppet, "signalled", mode=mode, options=("--for", "0.2"), quiet=False)
    assert line(process.stdout) == b"ready\n"
    assert line(process.stderr)  # the report is written while the program goes on
    process.send_signal(signal.SIGTERM)
    assert line(process.stdout) == b"signals 1\n"
    out, err = process.communicate(b"q", timeout=HANGS_AFTER)
    assert process.returncode == 5


@pytest.mark.parametrize("mode", MODES)
def test_a_group_killed_while_it_forks_leaves_nothing_behind(traced, mode):
    # Some children are killed before their creator could be heard of them. A tracer that waits for those for ever stays.
    command = "(while :; do (:) & done) & sleep 0.02; kill -KILL 0"
    for _ in range(10):
        assert traced("setsid", "sh", "-c", command, mode=mode) == (137, b"", b"")


# Others who trace.


def test_a_program_that_wants_to_be_traced_does_not_hang(traced, puppet):
    # The filter would bind the child to glibctrace for ever, so it is told what any traced process is told: EPERM.
    assert traced(puppet, "traceme") == (0, b"child 40\n", b"")


def test_without_a_filter_debuggers_work(traced, environment, puppet):
    assert traced(puppet, "traceme", mode="no") == plain(puppet, "traceme", env=environment())


# 32-bit programs: without a C library, so that none need be installed.

I386 = r"""
static int call(int n, const void *a, int b, int c)
{
    int r;
    __asm__ volatile("int $0x80" : "=a"(r) : "a"(n), "b"(a), "c"(b), "d"(c) : "memory");
    return r;
}
void _start(void)
{
    int missing = call(5, "/nothere/at/all", 0, 0); /* open */
    int found = call(33, "/", 0, 0);                /* access */
    call(4, (void *)1, (int)"from i386\n", 10);     /* write */
    call(1, (void *)(missing == -2 && found == 0 ? 8 : 9), 0, 0);
}
"""


@pytest.mark.parametrize("mode", MODES)
def test_32_bit_program(traced, tmp_path, mode):
    (tmp_path / "p.c").write_text(I386)
    built = subprocess.run(["cc", "-m32", "-nostdlib", "-static", "-fno-pie", "-no-pie", "-fno-stack-protector", "-o",
                            tmp_path / "p", tmp_path / "p.c"], capture_output=True, text=True)
    if built.returncode:
        pytest.skip(f"this compiler makes no 32-bit programs: {built.stderr.splitlines()[-1:]}")
    if subprocess.run([tmp_path / "p"], capture_output=True).returncode != 8:
        pytest.skip("this kernel runs no 32-bit programs")
    assert traced(tmp_path / "p", mode=mode) == (8, b"from i386\n", b"")


LEAVES_ONE_STOPPED = """
import os, signal
if os.fork() == 0:
    signal.signal(signal.SIGHUP, lambda *rest: (os.write(1, b"hung up\\n"), os._exit(0)))
    os.kill(os.getpid(), signal.SIGSTOP)
    os.write(1, b"went on\\n")
    os._exit(0)
assert os.WIFSTOPPED(os.waitpid(-1, os.WUNTRACED)[1])
"""


def test_what_is_left_stopped_is_not_hung_up(tool):
    """In a session without a shell that has jobs, as under a service or in continuous integration: a parent in another group of
    the same session would be taken for who cares for the stopped one, and its whole group be sent SIGHUP at the command's end."""
    with subprocess.Popen([tool, "--no-repro", "--", "/usr/bin/python3", "-c", LEAVES_ONE_STOPPED], start_new_session=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        said = process.stderr.readline()
        os.killpg(process.pid, signal.SIGCONT)
        out, _ = process.communicate(timeout=HANGS_AFTER)
    assert (out, process.returncode) == ("went on\n", 0) and "goes on" in said
