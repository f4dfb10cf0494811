"""glibctrace -p on real programs at work: gopls with a language client, node, and a C program with threads.

Each is asked for answers before, while and after it is traced, and every answer must come and be right. Nothing in them
may change, however glibctrace ends, and when one of them dies the report says of what.
GLIBCTRACE_ROUNDS is how often the load-and-kill rounds are (`make rounds`: 200).
"""

import os
import pathlib
import signal
import subprocess
import threading

import pytest

import lsp
from conftest import load_report
from lines import HANGS_AFTER, line

ROUNDS = int(os.environ.get("GLIBCTRACE_ROUNDS", "20"))
HERE = pathlib.Path(__file__).parent
NODE = """
const { Worker } = require('worker_threads'), fs = require('fs');
const busy = "const fs = require('fs'); for (;;) { try { fs.readFileSync('/nothere/in a worker') } catch (e) {} " +
    "JSON.parse(JSON.stringify([1, 2, 3])) }";
for (let i = 0; i < 2; i++) new Worker(busy, { eval: true });
setInterval(() => fs.readFile('/nothere/on a timer', () => {}), 1);
require('readline').createInterface({ input: process.stdin })
    .on('line', (text) => console.log([...text].reduce((sum, c) => sum + c.charCodeAt(0), 0)))
    .on('close', () => process.exit(7));
console.log('ready');
"""


class Adder:
    """A program that answers each line with the sum of its bytes; closing its input ends it."""

    def __init__(self, command, env, errors):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env=env,
                                        bufsize=0)
        self.pid, self.number = self.process.pid, 0
        assert line(self.process.stdout) == b"ready\n"

    def works(self):
        self.number += 1
        text = str(self.number).encode()
        self.process.stdin.write(text + b"\n")
        return line(self.process.stdout) == b"%d\n" % sum(text)

    def edit(self):
        """gopls has more to do in between."""

    def leave(self):
        self.process.stdin.close()
        return self.process.wait(HANGS_AFTER) - 7

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    target = tmp_path_factory.mktemp("server") / "server"
    subprocess.run([*os.environ.get("CC", "cc").split(), "-O1", "-pthread", "-o", target, HERE / "server.c", "-ldl"],
                   check=True)
    return target


@pytest.fixture(params=["gopls", "node", "c"])
def program(request, server, environment, tmp_path):
    """A running program with pid, works(), edit(), leave(), and errors: the file with its standard error."""
    with open(tmp_path / "errors", "wb") as errors:
        if request.param == "gopls":
            work = tmp_path / "ws"
            work.mkdir()
            program = lsp.Session(work, environment(), stderr=errors)
        else:
            command = ["node", "-e", NODE] if request.param == "node" else [server]
            program = Adder(command, environment(), errors)
    program.kind = request.param
    program.errors = tmp_path / "errors"
    yield program
    program.close()


@pytest.fixture
def attach(tool, environment):
    """attach(pid, *options) -> Popen of glibctrace; one that a failed test left is killed."""
    started = []

    def start(pid, *options, **popen):
        popen = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL} | popen
        started.append(subprocess.Popen([tool, *options, "-p", str(pid)], env=environment(), **popen))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def tracers(pid):
    """Who traces the threads of PID; one that ends while we look is none."""
    found = set()
    for path in pathlib.Path(f"/proc/{pid}/task").glob("*/status"):
        try:
            found.add(int(path.read_text().split("TracerPid:")[1].split()[0]))
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


def traced(program, trace, all_threads=True):
    """Waits until TRACE holds all threads, or the first."""
    while True:
        assert trace.poll() is None, "glibctrace has ended"
        found = tracers(program.pid)
        if found == {trace.pid} or (not all_threads and trace.pid in found):
            return


def changed_code(pid):
    """The file-backed mappings of PID that are executed and are not as in their files."""
    changed, seen = [], 0
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for row in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
            words = row.split(None, 5)
            if len(words) < 6 or "x" not in words[1] or not words[5].startswith("/"):
                continue
            start, end = [int(word, 16) for word in words[0].split("-")]
            memory.seek(start)
            with open(words[5], "rb") as file:
                file.seek(int(words[2], 16))
                there = file.read(end - start)
            seen += 1
            if memory.read(end - start)[:len(there)] != there:
                changed.append(row)
    assert seen, "nothing to compare"
    return changed


def is_as_before(program):
    return tracers(program.pid) == {0} and not changed_code(program.pid) and program.works()


def test_a_session_before_during_and_after(program, attach, tmp_path):
    assert program.works()
    trace = attach(program.pid, "-q", "--no-redact", "-o", tmp_path / "r.json")
    traced(program, trace)
    for _ in range(20):
        program.edit()
        assert program.works()
    assert not changed_code(program.pid)
    trace.send_signal(signal.SIGINT)
    assert trace.wait(HANGS_AFTER) == 0
    for _ in range(5):
        program.edit()
        assert program.works()
    assert is_as_before(program)
    report = load_report(tmp_path / "r.json")
    assert report["outcome"]["status"] == "detached" and report["input"]["pid"] == program.pid
    # The C program opens a library that is not there, and copes.
    assert [c for c in report["causes"] if program.kind != "c" or c["impact"] == "fatal"] == []
    assert report["counts"]["lost"] == 0
    assert program.leave() == 0


class Load:
    """Asks without a pause, from a thread of its own, until the block ends; counts the answers."""

    def __init__(self, program):
        self.program, self.answers, self.wrong, self.stop = program, 0, None, threading.Event()
        self.thread = threading.Thread(target=self._ask)

    def _ask(self):
        try:
            while not self.stop.is_set():
                self.program.edit()
                assert self.program.works(), "a wrong answer"
                self.answers += 1
        except BaseException as error:  # a failed assertion here has to reach the test
            self.wrong = error

    def next_answer(self):
        """Waits for an answer to a question that was asked from now on."""
        before = self.answers
        while self.answers < before + 2 and not self.wrong:
            pass
        assert not self.wrong, self.wrong

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *unused):
        self.stop.set()
        self.thread.join()
        assert not self.wrong, self.wrong


# When glibctrace is killed: in the middle of attaching, just behind it, at work, and while it shows stacks.
OPTIONS = [("-q",), ("-q",), ("-t=all",), ("-k", "-t=failed")]


def test_rounds_of_attach_load_and_kill(program, attach):
    assert program.works()
    with Load(program) as load:
        for number in range(ROUNDS):
            trace = attach(program.pid, *OPTIONS[number % 4])
            traced(program, trace, all_threads=number % 4 != 0)
            if number % 4 > 1:
                load.next_answer()
            trace.kill()
            trace.wait()
            assert tracers(program.pid) == {0}
            load.next_answer()
    print(f"{program.kind}: {ROUNDS} rounds, {load.answers} answers")
    assert is_as_before(program)
    assert program.leave() == 0


def test_the_report_says_who_ended_it(program, attach, tmp_path):
    """A SIGSEGV that was sent is no bad pointer, whatever the program itself makes of it."""
    assert program.works()
    trace = attach(program.pid, "-q", "--no-redact", "-o", tmp_path / "r.json", "-o", tmp_path / "r.txt")
    traced(program, trace)
    assert program.works()
    os.kill(program.pid, signal.SIGSEGV)
    status = program.process.wait(HANGS_AFTER)
    assert trace.wait(HANGS_AFTER) == 0
    report, text = load_report(tmp_path / "r.json"), (tmp_path / "r.txt").read_text()
    cause = report["causes"][0]
    assert (cause["kind"], cause["missing"], cause["impact"]) == ("crash", "SIGSEGV", "fatal"), text
    assert f"was ended by SIGSEGV, which process {os.getpid()} " in cause["summary"]
    assert cause["stack"] and cause["confidence"] >= 0.9
    threads = [row for row in text.splitlines() if row.startswith("  thread ")]
    if program.kind == "gopls":  # Go prints all goroutines and exits with 2
        assert status == 2 and "goroutine" in program.errors.read_text()
        assert "goroutine" in cause["words"] and len(threads) >= 1
        assert report["outcome"] == {"status": "exited", "code": 2, "signal": None}
    else:
        assert status == -signal.SIGSEGV and len(threads) >= 4
        assert report["outcome"]["signal"] == "SIGSEGV"


RESTARTS = r"""
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
static void gives_up(int signal) { (void)signal; static const char text[] = "caught\n"; write(2, text, sizeof text - 1); _exit(2); }
int main(void)
{
    struct sigaction action = {.sa_handler = gives_up, .sa_flags = SA_RESTART};
    char byte;
    sigaction(SIGSEGV, &action, NULL);
    puts("ready");
    fflush(stdout);
    return read(0, &byte, 1) == 1;
}
"""


def test_caught_in_a_call_that_would_be_made_again(attach, cc, environment, tmp_path):
    """Such a call's address is set back before the handler runs, as the kernel's frame for it has it."""
    process = subprocess.Popen([cc(RESTARTS, "-w")], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, bufsize=0)
    try:
        assert line(process.stdout) == b"ready\n"
        trace = attach(process.pid, "-q", "--no-redact", "-o", tmp_path / "r.json")
        while tracers(process.pid) != {trace.pid}:
            assert trace.poll() is None
        while pathlib.Path(f"/proc/{process.pid}/syscall").read_text().split()[0] != "0":
            pass  # on its way back into read(2)
        os.kill(process.pid, signal.SIGSEGV)
        assert process.wait(HANGS_AFTER) == 2 and trace.wait(HANGS_AFTER) == 0
    finally:
        process.kill()
        process.communicate()
    cause = load_report(tmp_path / "r.json")["causes"][0]
    assert (cause["kind"], cause["missing"]) == ("crash", "SIGSEGV")
    assert f"process {os.getpid()} " in cause["summary"]
