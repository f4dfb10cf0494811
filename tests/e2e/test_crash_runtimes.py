"""Crashes that a language's runtime tells of: Go, node, C++, Python; and real programs that are well."""

import os
import shutil
import subprocess

import pytest


@pytest.fixture
def build(tmp_path, environment):
    """build(name, text, *flags) -> the program, compiled as the ending of NAME says."""

    def build_(name, text, *flags, env=None):
        source, target = tmp_path / name, tmp_path / name.split(".")[0]
        source.write_text(text)
        tool = ["go", "build"] if name.endswith(".go") else ["c++", "-g", "-O0"]
        env = environment({"GOCACHE": "/var/tmp/glibctrace-gocache", "GO111MODULE": "off", **(env or {})})
        done = subprocess.run([*tool, *flags, "-o", target, source], cwd=tmp_path, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return target

    return build_


def crashed(result, signal):
    cause = result.first
    assert len(result.causes) == 1
    assert (cause["kind"], cause["missing"], cause["impact"]) == ("crash", signal, "fatal")
    return cause


GO = {
    "nil": ("func parse(p *int) int { return *p }\nfunc main() { println(parse(nil)) }\n", "SIGSEGV",
            "in main.parse (nil.go:3): it panicked: runtime error: invalid memory address or nil pointer dereference"),
    "panics": ('func boom(s string) { panic("bad thing: " + s) }\nfunc main() { boom("x") }\n', "SIGABRT",
               "in main.boom (panics.go:3): it panicked: bad thing: x"),
    "index": ("func at(a []int, i int) int { return a[i] }\nfunc main() { println(at(make([]int, 2), 5)) }\n", "SIGABRT",
              "in main.at (index.go:3): it panicked: runtime error: index out of range [5] with length 2"),
    "asleep": ("func main() { c := make(chan int); <-c }\n", "SIGABRT",
               "in main.main (asleep.go:3): Go's runtime ended it: all goroutines are asleep - deadlock"),
    "maps": ("func main() { m := map[int]int{}; for i := 0; i < 8; i++ { go func() { for { m[1]++ } }() }; select {} }\n",
             "SIGABRT", "Go's runtime ended it: concurrent map"),
    "deep": ("func f(n int) int { return f(n+1) + 1 }\nfunc main() { println(f(0)) }\n", "SIGABRT",
             "Go's runtime ended it: stack overflow"),
}


@pytest.mark.parametrize("stripped", [False, True])
@pytest.mark.parametrize("name", GO)
def test_go(run, build, name, stripped):
    text, signal, summary = GO[name]
    prog = build(f"{name}.go", "package main\n\n" + text, *(["-ldflags=-s -w"] if stripped else []))
    result = run("--no-repro", "--", prog)
    assert result.returncode == 2
    cause = crashed(result, signal)
    assert summary in cause["summary"]
    assert "goroutine " in cause["words"]
    if name != "maps":
        assert any(frame["symbol"].startswith("main.") and frame["file"].endswith(f"{name}.go") for frame in cause["stack"])
    if signal == "SIGSEGV":
        assert "read" in {fact["label"]: fact["text"] for fact in cause["facts"]}["the address"]
        assert any(line.startswith("→") for line in cause["crash"]["code"])


def test_go_with_goroutines_that_recover(run, build):
    prog = build("well.go", "package main\n\nfunc parse(p *int) (n int) {\n\tdefer func() { recover() }()\n\treturn *p\n}\n\n"
                            "func main() {\n\tfor i := 0; i < 100; i++ {\n\t\tparse(nil)\n\t}\n\tprintln(\"panic: not really\")\n}\n")
    result = run("--no-repro", "--", prog)
    assert result.returncode == 0 and result.causes == []


def test_go_exits_with_two_by_itself(run, build):
    """Status 2 and a signal that was recovered from make no crash."""
    prog = build("two.go", "package main\n\nimport \"os\"\n\nfunc parse(p *int) (n int) {\n\tdefer func() { recover() }()\n"
                           "\treturn *p\n}\n\nfunc main() {\n\tparse(nil)\n\tprintln(\"usage: two FILE\")\n\tos.Exit(2)\n}\n")
    result = run("--no-repro", "--", prog)
    assert result.returncode == 2 and result.causes == []


def test_go_words_with_a_remark_of_the_unwinder(run, build):
    """What Go prints of a thread that goes on meanwhile, as it may happen to gopls: no test can make it happen."""
    said = ("SIGSEGV: segmentation violation\nPC=0x47d5a3 m=0 sigcode=0\n\ngoroutine 0 [idle]:\nruntime.futex()\n"
            "\truntime/sys_linux_amd64.s:553 +0x21\n"
            "runtime: g 7: unexpected return pc for runtime.sigtramp called from 0x7f0000000000\n"
            "goroutine 7 [running]:\n\tgoroutine running on other thread; stack unavailable\n")
    prog = build("says.go", 'package main\n\nimport "os"\n\nfunc main() {\n\tprint(`' + said + "`)\n\tos.Exit(2)\n}\n")
    assert crashed(run("--no-repro", "--", prog), "SIGSEGV")["words"].startswith("SIGSEGV: segmentation violation")


def test_go_crash_in_c(run, build):
    prog = build("mixed.go", "package main\n\n// static int peek(int *p) { return *p; }\nimport \"C\"\n\n"
                             "func ask() int { return int(C.peek(nil)) }\nfunc main() { println(ask()) }\n",
                 env={"CGO_ENABLED": "1", "CGO_CFLAGS": "-g -O0"})
    result = run("--no-repro", "--", prog)
    cause = crashed(result, "SIGSEGV")
    assert "main.ask" in cause["words"]
    assert "read" in {fact["label"]: fact["text"] for fact in cause["facts"]}["the address"]


def test_go_told_to_dump_core(run, build):
    prog = build("panics.go", "package main\n\n" + GO["panics"][0])
    result = run("--no-repro", "--", prog, env={"GOTRACEBACK": "crash"})
    assert result.report["outcome"]["signal"] == "SIGABRT"
    assert "it panicked: bad thing: x" in crashed(result, "SIGABRT")["summary"]


def test_go_run_below_go(run, build, tmp_path):
    """`go run` says "exit status 2" and ends with 1: the program below it is what crashed."""
    (tmp_path / "panics.go").write_text("package main\n\n" + GO["panics"][0])
    result = run("--no-repro", "--", "go", "run", "panics.go", env={"GO111MODULE": "off", "GOCACHE": "/var/tmp/glibctrace-gocache"})
    assert result.returncode == 1
    assert "it panicked: bad thing: x" in crashed(result, "SIGABRT")["summary"]


def test_node_abort(run, script):
    result = run("--no-repro", "--", "node", script("a.js", "function stop() { process.abort() }\nstop()\n"))
    cause = crashed(result, "SIGABRT")
    assert "it ended itself (abort)" in cause["summary"]
    assert "stop" in [frame.get("symbol") for frame in cause["stack"]]
    # Where in the script it was, node tells from version 20 on.
    told = "in JavaScript at" in cause["summary"] and "a.js:1:" in cause["summary"]
    assert told == ("JavaScript stack trace" in result.stderr)
    assert cause["stack"] and len(cause["crash"]) > 4  # node's threads


def test_node_heap(run, script):
    text = "const a = []; for (;;) a.push(new Array(1000).fill(a.length));\n"
    cause = crashed(run("--no-repro", "--", "node", "--max-old-space-size=20", script("full.js", text)), "SIGABRT")
    assert "JavaScript heap out of memory" in cause["summary"] and cause["words"].startswith("FATAL ERROR: ")
    assert "--max-old-space-size" in cause["remedies"][0]["commands"][0]


@pytest.mark.parametrize("text", ["process.exit(3)", "throw new Error('x')", "process.exitCode = 2; console.error('panic: no')"])
def test_node_that_fails_by_itself(run, script, text):
    result = run("--no-repro", "--", "node", script("a.js", text))
    assert result.returncode and result.causes == []


def test_cxx_terminate(run, build):
    prog = build("term.cc", "#include <stdexcept>\nvoid load() { throw std::runtime_error(\"no such thing\"); }\nint main() { load(); }\n")
    cause = crashed(run("--no-repro", "--", prog), "SIGABRT")
    assert "in load (term.cc:2): " in cause["summary"]
    assert "a C++ exception of type std::runtime_error was not caught: no such thing" in cause["summary"]
    assert cause["words"].splitlines() == ["terminate called after throwing an instance of 'std::runtime_error'",
                                           "  what():  no such thing"]


def test_cxx_that_catches(run, build):
    prog = build("fine.cc", "#include <stdexcept>\nint main() { try { throw std::runtime_error(\"x\"); } catch (...) { } return 0; }\n")
    assert run("--", prog).causes == []


@pytest.mark.parametrize("faulthandler", [False, True])
def test_python(run, faulthandler):
    result = run("--no-repro", "--", "/usr/bin/python3", *(["-X", "faulthandler"] if faulthandler else []), "-c",
                 "import ctypes; ctypes.string_at(0)")
    cause = crashed(result, "SIGSEGV")
    assert "null pointer" in cause["summary"]
    assert any("libffi" in frame.get("object", "") for frame in cause["stack"])
    if faulthandler:
        assert cause["words"].startswith("Fatal Python error: Segmentation fault") and "string_at" in cause["words"]


def test_python_abort(run):
    cause = crashed(run("--no-repro", "--", "/usr/bin/python3", "-c", "import os; os.abort()"), "SIGABRT")
    assert "abort" in cause["summary"]


def test_real_programs_are_well(run, build, script, tmp_path):
    """Go and V8 catch SIGSEGV for their own ends; none of it may be taken for a crash."""
    (tmp_path / "m.go").write_text("package main\n\nfunc main() { println(1) }\n")
    env = {"GO111MODULE": "off", "GOCACHE": str(tmp_path / "cache")}
    programs = [["go", "vet", "m.go"], ["go", "run", "m.go"], ["gopls", "version"],
                ["node", "-e", "const w = require('worker_threads'); new w.Worker('1', {eval: true})"],
                ["/usr/bin/python3", "-c", "import ssl, sqlite3, ctypes, multiprocessing"], ["git", "--version"],
                ["perl", "-e", "print 1"], ["bash", "-c", "ls / | wc -l"]]
    for program in programs:
        result = run("--no-repro", "--", *program, env=env)
        assert (result.returncode, result.causes) == (0, []), program


def test_go_that_is_sent_a_signal(run, build, script):
    """Go's handler prints all goroutines and ends the program; the report says who sent it, and has all threads."""
    prog = build("serves.go", "package main\n\nimport \"os\"\n\nfunc waits() {\n\tprintln(\"ready\")\n\tos.Stdin.Read(make([]byte, 1))\n}\n"
                              "func main() {\n\twaits()\n}\n")
    outer = script("outer.sh", f"#!/bin/bash\nmkfifo open\nexec 3<>open\n{prog} <&3 2> >(tee err >&2) &\n"
                               "until grep -q ready err 2>/dev/null; do :; done\nkill -SEGV $!\nwait $!\nexit $?\n")
    result = run("--no-repro", "--", outer)
    assert result.returncode == 2
    cause = crashed(result, "SIGSEGV")
    assert "(outer.sh) sent to it" in cause["summary"] and "nothing wrong" in cause["summary"]
    assert cause["words"].startswith("SIGSEGV: segmentation violation")
    threads = [title for title in cause["crash"] if title.startswith("thread ")]
    assert len(threads) >= 3 and not any("not read" in line for title in threads for line in cause["crash"][title])
