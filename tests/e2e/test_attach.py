"""glibctrace -p PID: what is attached to is told of, and goes on unharmed however glibctrace ends."""

import http.client
import os
import pathlib
import signal
import subprocess
import sys
import threading

import pytest

from lines import HANGS_AFTER, line

ROUNDS = int(os.environ.get("GLIBCTRACE_ROUNDS", "50"))


@pytest.fixture(scope="module")
def puppet(tmp_path_factory):
    source = pathlib.Path(__file__).with_name("puppet.c")
    target = tmp_path_factory.mktemp("puppet") / "puppet"
    subprocess.run([*os.environ.get("CC", "cc").split(), "-O1", "-pthread", "-o", target, source], check=True)
    return target


@pytest.fixture
def started():
    """started(*command, **popen) -> Popen, killed and reaped at the end of the test."""
    processes = []

    def start(*command, **popen):
        popen = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
                 "bufsize": 0} | popen
        processes.append(subprocess.Popen(command, **popen))
        return processes[-1]

    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def attached(started, tool, environment):
    """attached(pid, …) -> Popen of glibctrace that traces PID live."""

    def attach(*pids, options=("-t=all",)):
        words = [word for pid in pids for word in ("-p", str(pid))]
        return started(tool, *options, *words, env=environment())

    return attach


def refused(tool, environment, *words):
    result = subprocess.run([tool, *map(str, words)], capture_output=True, env=environment(), timeout=HANGS_AFTER)
    assert result.returncode == 125 and result.stdout == b""
    text = result.stderr.decode()
    assert len(text.splitlines()) == 1 and text.startswith("glibctrace: "), text
    return text


def tracers(pid):
    """Who traces the threads of PID."""
    status = [path.read_text() for path in pathlib.Path(f"/proc/{pid}/task").glob("*/status")]
    return {text.split("TracerPid:")[1].split()[0] for text in status}


def await_tracer(pid, trace):
    while tracers(pid) != {str(trace.pid)}:
        assert trace.poll() is None, "glibctrace has ended"


class Server:
    """puppet serves: four threads at work, and an answer for every byte."""

    def __init__(self, started, puppet):
        self.process = started(puppet, "serves")
        self.pid = self.process.pid
        assert line(self.process.stdout) == b"ready\n"

    def answers(self):
        self.process.stdin.write(b"x")
        return line(self.process.stdout) == b"x 2\n"

    def tracers(self):
        return tracers(self.pid)


@pytest.fixture
def server(started, puppet):
    return Server(started, puppet)


def test_all_threads_are_seen_and_ctrl_c_lets_go(attached, server):
    trace = attached(server.pid)
    line(trace.stderr, b"/nothere/in a thread")
    assert server.tracers() == {str(trace.pid)}
    assert server.answers()
    line(trace.stderr, b"/nothere/asked")
    trace.send_signal(signal.SIGINT)
    out, err = trace.communicate(timeout=HANGS_AFTER)
    assert trace.returncode == 0 and b"detached" in err
    assert server.tracers() == {"0"}
    assert server.answers() and server.process.poll() is None


def test_for_lets_go_by_itself(attached, server):
    trace = attached(server.pid, options=("--for", "0.2"))
    out, err = trace.communicate(timeout=HANGS_AFTER)
    assert trace.returncode == 0 and err  # the report
    assert server.tracers() == {"0"} and server.answers()


def test_several_processes(attached, started, puppet):
    servers = [Server(started, puppet) for _ in range(3)]
    trace = attached(*[server.pid for server in servers])
    for server in servers:
        await_tracer(server.pid, trace)
        assert server.answers()
        line(trace.stderr, b"/nothere/asked")
    trace.send_signal(signal.SIGTERM)
    trace.communicate(timeout=HANGS_AFTER)
    assert trace.returncode == 0
    assert all(server.tracers() == {"0"} and server.answers() for server in servers)


def test_children_of_the_attached_are_followed_and_let_go(attached, started):
    code = ("import os, sys, subprocess\nprint('ready', flush=True)\n"
            "for line in sys.stdin: print(subprocess.call(['sh', '-c', 'test -e /nothere/at/all; exit 7']), flush=True)")
    shell = started(sys.executable, "-c", code)
    assert line(shell.stdout) == b"ready\n"
    trace = attached(shell.pid)
    await_tracer(shell.pid, trace)
    shell.stdin.write(b"\n")
    assert line(shell.stdout) == b"7\n"
    line(trace.stderr, b"/nothere/at/all")
    shell.stdin.write(b"\n" * 50)
    trace.send_signal(signal.SIGINT)
    assert [line(shell.stdout) for _ in range(50)] == [b"7\n"] * 50
    trace.communicate(timeout=HANGS_AFTER)
    assert trace.returncode == 0


def test_the_end_of_the_attached_ends_the_trace(attached, server):
    trace = attached(server.pid)
    line(trace.stderr, b"/nothere/in a thread")
    server.process.kill()
    trace.communicate(timeout=HANGS_AFTER)
    assert trace.returncode == 0


def state(pid):
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


@pytest.mark.parametrize("kill", [False, True])
def test_a_stopped_process_stays_stopped(attached, started, kill):
    cat = started("cat")
    os.kill(cat.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, cat.pid, os.WSTOPPED)
    trace = attached(cat.pid, options=("-t=all", "--for", "1000" if kill else "0.2"))
    if kill:
        await_tracer(cat.pid, trace)
        trace.kill()
    trace.communicate(timeout=HANGS_AFTER)
    while state(cat.pid) in ("R", "t"):  # on its way from the tracer's stop to its own
        pass
    assert state(cat.pid) == "T"
    os.kill(cat.pid, signal.SIGCONT)
    cat.stdin.write(b"x\n")
    assert line(cat.stdout) == b"x\n"


def test_a_process_stopped_and_continued_while_traced(attached, server):
    trace = attached(server.pid)
    line(trace.stderr, b"/nothere/in a thread")
    os.kill(server.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, server.pid, os.WSTOPPED)
    os.kill(server.pid, signal.SIGCONT)
    assert server.answers()
    trace.send_signal(signal.SIGINT)
    trace.communicate(timeout=HANGS_AFTER)
    assert trace.returncode == 0 and server.answers()


def test_killing_glibctrace_leaves_threads_unharmed(attached, server):
    for _ in range(ROUNDS):
        trace = attached(server.pid)
        line(trace.stderr, b"/nothere/in a thread")
        trace.kill()
        trace.communicate(timeout=HANGS_AFTER)
        assert server.tracers() == {"0"}
        assert server.answers()


def test_killing_glibctrace_leaves_a_server_under_load_unharmed(attached, started, tmp_path):
    (tmp_path / "file").write_bytes(b"content" * 1000)
    web = started(sys.executable, "-u", "-m", "http.server", "--bind", "127.0.0.1", "--directory", tmp_path, "0",
                  stderr=subprocess.DEVNULL)
    port = int(line(web.stdout, b"port").split(b"port ")[1].split()[0])
    stop, wrong, right = threading.Event(), [], []

    def load():
        while not stop.is_set():
            try:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=HANGS_AFTER)
                connection.request("GET", "/file")
                answer = connection.getresponse().read()
                (right if answer == b"content" * 1000 else wrong).append(len(answer))
                connection.close()
            except Exception as error:
                wrong.append(error)
                return

    threads = [threading.Thread(target=load) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(ROUNDS):
            trace = attached(web.pid)
            line(trace.stderr, b"open")
            trace.kill()
            trace.communicate(timeout=HANGS_AFTER)
            assert web.poll() is None and not wrong
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not wrong and len(right) > ROUNDS and web.poll() is None


# What cannot be attached to: one clear line each, and what to do.


def test_gone(tool, environment, started):
    gone = started("true")
    gone.wait()
    assert "no process" in refused(tool, environment, "-p", gone.pid)


def test_zombie(tool, environment, started):
    # Its parent never waits for it, and tells its number.
    code = "import os, time\npid = os.fork()\nif not pid: os._exit(0)\nos.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)\n"
    parent = started(sys.executable, "-c", code + "print(pid, flush=True)\ninput()")
    text = refused(tool, environment, "-p", line(parent.stdout).decode().strip())
    assert "zombie" in text and str(parent.pid) in text


def test_traced_by_another(attached, tool, environment, server):
    trace = attached(server.pid)
    line(trace.stderr, b"/nothere/in a thread")
    text = refused(tool, environment, "-p", server.pid)
    assert f"{trace.pid} (glibctrace" in text
    assert server.answers()


def test_kernel_thread(tool, environment):
    if not pathlib.Path("/proc/2/status").exists() or "kthreadd" not in pathlib.Path("/proc/2/comm").read_text():
        pytest.skip("no kernel thread can be seen here")
    assert "kernel" in refused(tool, environment, "-p", "2")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a user who may not attach")
def test_no_permission(tool, environment, started, server):
    import shutil
    import tempfile

    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        os.chmod(directory, 0o755)
        copy = shutil.copy(tool, directory)
        result = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", copy, "-p",
                                 str(server.pid)], capture_output=True, text=True, env=environment(), cwd="/")
    assert result.returncode == 125
    assert "permission" in result.stderr or "ptrace_scope" in result.stderr
    assert server.answers() and server.tracers() == {"0"}


def test_bad_numbers(tool, environment):
    for word in ("0", "-1", "x", "99999999999"):
        assert word in refused(tool, environment, "-p", word)
