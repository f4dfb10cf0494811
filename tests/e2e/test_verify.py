"""`glibctrace verify`: the real gopls, go and dlv, whole and broken, and servers that do not keep to the protocol."""

import errno
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

import pytest

from conftest import HANGS_AFTER
from test_policy import POLICY

# Shared by all runs, as the roots are: go compiles its own library into it once.
CACHE = "/var/tmp/glibctrace-go-cache"
FILES = {"go.mod": "module example.org/m\n\ngo 1.16\n",
         "main.go": "package main\n\nfunc answer() int { return 42 }\n\nfunc main() { println(answer()) }\n",
         "main_test.go": "package main\n\nimport \"testing\"\n\nfunc TestRight(t *testing.T) {}\n\n"
                         "func TestWrong(t *testing.T) { t.Fatal(\"planted\") }\n"}


@pytest.fixture
def verify(run, tmp_path):
    """verify(*args, first=None, **env): with the directory FIRST before all others on PATH."""
    home = tmp_path / "home"
    home.mkdir()

    def verify_(*args, first=None, path=None, under=(), **env):
        path = path or (f"{first}:" if first else "") + os.environ["PATH"]
        return run("verify", *args, env={"HOME": home, "GOCACHE": CACHE, "GOPATH": home / "go", "GOFLAGS": "", "GOBIN": None,
                                         "GOPROXY": "off", "GOTOOLCHAIN": "local", "PATH": path, **env}, under=under)

    return verify_


@pytest.fixture
def module(tmp_path):
    folder = tmp_path / "a module"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def tools(tmp_path):
    """A directory for broken programs, to be first on PATH."""
    folder = tmp_path / "tools"
    folder.mkdir()
    return folder


def checks(result):
    return {row["check"]: row["result"] for row in result.report["checks"]}


def seen(result, check):
    return next(row["seen"] for row in result.report["checks"] if row["check"] == check)


def left(mark):
    """Processes that have MARK in their environment."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if mark.encode() in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                pass
    return found


def test_all_pass(verify, module):
    result = verify(module)
    assert (result.returncode, result.causes) == (0, [])
    assert checks(result) == {"gopls": "passes", "go test": "passes", "dlv": "passes"}
    assert "hover for main.go:3" in seen(result, "gopls") and "launches" in seen(result, "dlv")
    assert all(row["milliseconds"] > 0 for row in result.report["checks"])
    assert sorted(path.name for path in module.iterdir()) == sorted(FILES)  # dlv's program is elsewhere
    assert "gopls, go test and dlv pass" in result.stdout and "hover for main.go:3" in " ".join(result.stdout.split())


def test_a_scratch_module(verify, tmp_path):
    made = tmp_path / "made"
    made.mkdir()
    result = verify(TMPDIR=made)
    assert (result.returncode, result.causes) == (0, []) and "scratch module" in result.stdout
    assert list(made.iterdir()) == []


@pytest.mark.parametrize("pattern, status", [("TestRight", 0), ("TestWrong", 1)])
def test_the_pattern_is_go_tests(verify, module, pattern, status):
    result = verify("--only", "test", "--run", pattern, module)
    assert result.returncode == status
    if status:
        assert any("planted" in row["said"] for row in result.report["words"])
        assert seen(result, "go test") == "ended with status 1"
        assert result.causes == [] and "why it fails is not known" in result.stdout


def test_each_broken_in_its_way(verify, module, tools):
    whole = pathlib.Path(shutil.which("gopls")).read_bytes()
    assert b"\0libc.so.6\0" in whole
    (tools / "gopls").write_bytes(whole.replace(b"\0libc.so.6\0", b"\0libq.so.6\0"))
    (tools / "go").write_text("#!/bin/sh\nexec /opt/absent/bin/go \"$@\"\n")
    shutil.copy(shutil.which("dlv"), tools / "dlv")
    subprocess.run(["patchelf", "--set-interpreter", "/opt/absent/ld.so", tools / "dlv"], check=True)
    for name in ("gopls", "go", "dlv"):
        (tools / name).chmod(0o755)
    result = verify(module, first=tools)
    assert result.returncode == 1 and set(checks(result).values()) == {"fails"}
    found = {(cause["kind"], cause["missing"]): cause["subject"] for cause in result.causes}
    assert found[("library-missing", "libq.so.6")] == str(tools / "gopls")
    assert found[("interpreter-missing", "/opt/absent/ld.so")] == str(tools / "dlv")
    assert ("command-not-found", "/opt/absent/bin/go") in found or ("file-missing", "/opt/absent/bin/go") in found
    assert len(found) == 3
    assert result.report["reproduction"]["status"] == "verified"
    assert result.report["system"]["libc"]["family"] == "glibc"


def test_what_is_not_there(verify, module, tools, tmp_path):
    """go alone is missing: gopls and dlv are there, need it, and are told to fail of the one thing."""
    for name in ("gopls", "dlv"):
        (tools / name).symlink_to(shutil.which(name))
    result = verify(module, path=tools, GOBIN=tmp_path / "bin")
    assert result.returncode == 1 and set(checks(result).values()) == {"fails"}
    assert [(cause["kind"], cause["missing"]) for cause in result.causes] == [("command-not-found", "go")]
    assert "go is in no directory of PATH" in seen(result, "go test")


def test_where_was_looked(verify, module, tools, tmp_path):
    result = verify("--only", "lsp", module, path=tools, GOBIN=tmp_path / "bin")
    assert (result.first["kind"], result.first["missing"]) == ("command-not-found", "gopls")
    home = tmp_path / "home"
    places = [place["path"] for place in result.first["places"]]
    assert places == [str(folder / "gopls") for folder in (tools, tmp_path / "bin", home / "go/bin", home / "go/bin")]
    (home / "go/bin").mkdir(parents=True)
    (home / "go/bin/gopls").symlink_to(shutil.which("gopls"))
    assert checks(verify("--only", "lsp", module, first=tools)) == {"gopls": "passes"}


@pytest.mark.parametrize("variable, said", [("GOFLAGS", "-nosuch"), ("GOROOT", "/no/such/go")])
def test_what_go_said_to_them_is_why_they_fail(verify, module, variable, said):
    """gopls and dlv end well and pass on what go, which they have started, complained of."""
    result = verify(module, **{variable: said})
    assert result.returncode == 1 and set(checks(result).values()) == {"fails"}
    assert [(cause["kind"], cause["missing"]) for cause in result.causes] == [("environment-wrong", f"{variable}={said}")]
    assert "is not known" not in result.stdout
    result = verify("--only", "dap", "--no-repro", module, **{variable: said})
    assert [cause["missing"] for cause in result.causes] == [f"{variable}={said}"]


def test_programs_are_looked_for_where_they_are_told_to_look(verify, module, tools):
    """-E, as for a command that is launched."""
    (tools / "gopls").write_text("#!/bin/sh\nexit 5\n")
    (tools / "gopls").chmod(0o755)
    result = verify("--only", "lsp", "-E", f"PATH={tools}:{os.environ['PATH']}", module)
    assert seen(result, "gopls").startswith("ended with status 5"), result.stdout


def test_a_directory_where_a_program_is_looked_for(verify, module, tools):
    (tools / "gopls").mkdir()
    result = verify("--only", "lsp", module, path=tools)
    assert [(c["kind"], c["missing"], "is a directory" in c["summary"]) for c in result.causes] == [
        ("permission-denied", str(tools / "gopls"), True)]


def test_a_port_that_is_taken(verify, module):
    """dlv looks for rr at its start and does without it: that is no cause, whatever it ends of."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = verify("--only", "dap", "--dap", f"dlv dap --listen=127.0.0.1:{taken.getsockname()[1]}", module)
    assert (result.returncode, result.causes) == (1, [])
    assert any("address already in use" in row["said"] for row in result.report["words"])


def test_a_debugger_that_may_not_trace(verify, module, cc):
    """glibctrace may not either, and tells of that."""
    result = verify("--only", "dap", module, under=[cc(POLICY, name="policy"), errno.EPERM, 101, "--"])  # 101: ptrace
    assert [(c["kind"], c["missing"], c["impact"]) for c in result.causes] == [("syscall-blocked", "ptrace", "fatal")]
    assert result.first["subject"].endswith("/dlv") and "not permitted" in result.first["words"]


def test_where_there_is_no_go_file(verify, module, tmp_path):
    (module / "doc" / "more").mkdir(parents=True)
    result = verify("--only", "test", module / "doc" / "more")
    assert result.returncode == 0 and result.report["headline"].endswith(f"in {module}.")
    assert "no test was run" in seen(result, "go test")
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "go.mod").write_text("module example.org/bare\n")
    result = verify("--only", "dap", tmp_path / "bare")
    assert result.returncode == 0 and "scratch module (there is no Go file in the module)" in result.report["headline"]


@pytest.mark.parametrize("uses", ["use (\n\t./absent // not there\n\t\"./a module\"\n)\n", "use \"./a module\"\n"])
def test_a_workspace(verify, module, tmp_path, uses):
    (tmp_path / "go.work").write_text("go 1.18\n\n" + uses)
    result = verify("--only", "test", "--run", "TestWrong", tmp_path, GOFLAGS=None)
    assert result.report["headline"].endswith(f"in {module}.")
    assert any("planted" in row["said"] or "absent" in row["said"] for row in result.report["words"])


def test_only_some_files_are_for_this_machine(verify, module):
    """What the debug adapter launches instead is no part of the module that it is told to build it in."""
    (module / "main_test.go").unlink()
    (module / "main.go").write_text("//go:build windows\n\n" + FILES["main.go"])
    result = verify("--only", "dap", module)
    assert (result.returncode, result.causes) == (0, [])


def test_dlv_fails_where_only_the_launch_does(verify, module):
    """The tracer below ours still works: what is told is the build that fails, not that it may not trace."""
    (module / "main.go").write_text("package main\n\nfunc main() { nothing() }\n")
    result = verify("--only", "dap", module)
    assert result.returncode == 1 and seen(result, "dlv") == "answers launch with an error"
    assert any("nothing" in row["said"] for row in result.report["words"])
    assert result.causes == []


# ---- other servers ----

SERVER = """#!/usr/bin/python3 -u
import json, os, sys, time
out, ins = sys.stdout.buffer, sys.stdin.buffer
def put(message):
    data = json.dumps(message).encode()
    out.write(b"Content-Type: x\\r\\ncontent-length:  %d \\r\\n\\r\\n" % len(data))
    for at in range(0, len(data), 7):
        out.write(data[at:at + 7]), out.flush()
def get():
    size = 0
    while (line := ins.readline()) != b"\\r\\n":
        if not line:
            sys.exit(0)
        size = int(line.split(b":")[1])
    return json.loads(ins.read(size))
"""
LSP = SERVER + """
while True:
    got = get()
    if got["method"] == "initialize":
        put({"id": "ask", "method": "workspace/configuration", "params": {"items": [{}, {"section": "a"}]}})
        answer = get()
        assert answer == {"jsonrpc": "2.0", "id": "ask", "result": [None, None]}, answer
        put({"id": got["id"], "result": {"capabilities": {"hoverProvider": False}}})
    elif got["method"] == "textDocument/didOpen":
        document = got["params"]["textDocument"]
        assert document["languageId"] == "c" and document["text"].startswith("int \\u00fc;"), document
        put({"method": "textDocument/publishDiagnostics", "params": {"uri": document["uri"], "diagnostics": []}})
    elif got["method"] == "shutdown":
        put({"id": got["id"], "result": None})
    elif got["method"] == "exit":
        sys.exit(0)
"""
DAP = SERVER + """
launch = None
while True:
    got = get()
    answer = {"type": "response", "request_seq": got["seq"], "command": got["command"], "success": True}
    if got["command"] == "launch":
        assert os.path.basename(got["arguments"]["program"]) == "file.c"
        launch = answer
        put({"type": "event", "event": "initialized"})
    else:
        put(answer)
    if got["command"] == "configurationDone":
        put(launch)
    if got["command"] == "disconnect":
        sys.exit(0)
"""


def test_other_servers(verify, script, tmp_path):
    script("my lsp", LSP)
    script("my-dap", DAP)
    file = tmp_path / "file.c"
    file.write_text("int ü;\n")
    result = verify("--only", "lsp,dap", "--lsp", f"'{tmp_path}/my lsp' --stdio", "--dap", f"{tmp_path}/my-dap", "--open", file,
                    "--launch", "file.c", tmp_path)
    assert "scratch" not in result.report["headline"]
    assert (result.returncode, result.causes) == (0, []), result.stdout
    assert "diagnostics for file.c" in seen(result, "my lsp")


@pytest.mark.parametrize("what, said", [
    ("out.write(b'Content-Length: 99999999999\\r\\n\\r\\n')", "no possible length"),
    ("out.write(b'Content-Length: -1\\r\\n\\r\\n')", "no possible length"),
    ("out.write(b'hello\\n')", "something else than a message: hello"),
    ("out.write(b'note: x\\n')", "a line that does not end as"),
    ("out.write(b'Content-Length: 30\\r\\n\\r\\n{}')", "2 bytes came of a message of 30"),
    ("out.write(b'x' * 10000)", "something else than a message"),
    ("out.write(b'A: b\\r\\n' * 10000)", "something else than a message"),
    ("out.write(b'Content-Length: 3\\r\\n\\r\\nabc')", "cannot be read"),
    ("out.write(b'Content-Length: 900000\\r\\n\\r\\n' + b'[' * 900000)", "cannot be read"),
    ("put({'id': get()['id'], 'error': {'code': 1, 'message': 'planted'}})", "initialize with an error"),
    ("put({'id': get()['id'], 'result': None})", "without a result"),
    ("os.close(1)", "closed its output"),
    ("sys.stderr.write('Error: planted\\n' + '    at f (x.js:1:2)\\n' * 20), sys.exit(3)", "ended with status 3"),
    ("sys.stderr.write('y' * 300000 + 'planted\\n'), sys.exit(3)", "ended with status 3 before it answered initialize"),
])
def test_a_server_that_breaks_the_protocol(verify, script, what, said):
    server = script("server", SERVER + what + ", ins.read()\n")
    result = verify("--only", "lsp", "--timeout", "2", "--lsp", server)
    assert result.returncode == 1
    assert said in seen(result, "server")
    if "planted" in what:
        assert any("planted" in row["said"] for row in result.report["words"])


@pytest.mark.parametrize("address", ["127.0.0.1:1", "[::1]:1"])
def test_nobody_listens_where_an_adapter_says_that_it_does(verify, script, address):
    adapter = script("adapter", f"#!/bin/sh\necho listening at: {address}\nexec sleep 60\n")
    result = verify("--only", "dap", "--timeout", "2", "--dap", adapter)
    assert (result.returncode, [(c["kind"], c["subject"], c["missing"]) for c in result.causes]) == (
        1, [("connection-refused", str(adapter), address)]), result.stdout


def test_nothing_is_left_of_a_server_that_hangs(verify, script, tmp_path):
    """It answers nothing, takes no signal, and has children in sessions of their own."""
    server = script("server", SERVER + """
import signal, tempfile
tempfile.mkstemp()
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
    signal.signal(number, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
time.sleep(1000)
""")
    mark, made = f"VERIFY_MARK={tmp_path}", tmp_path / "made"
    made.mkdir()
    result = verify("--only", "lsp", "--timeout", "0.5", "--no-repro", "--lsp", server, VERIFY_MARK=tmp_path, TMPDIR=made)
    assert result.returncode == 1 and "went by before it answered initialize" in seen(result, "server")
    assert left(mark) == [] and list(made.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_can_be_stopped(tool, environment, script, tmp_path, number):
    there = tmp_path / "there"
    os.mkfifo(there)
    server = script("server", SERVER + f"open({str(there)!r}, 'w').close()\ntime.sleep(1000)\n")
    mark = {"VERIFY_MARK": f"stopped {tmp_path}", "TMPDIR": tmp_path / "tmp"}
    mark["TMPDIR"].mkdir()
    process = subprocess.Popen([tool, "verify", "--only", "lsp", "--lsp", server], cwd=tmp_path, env=environment(mark),
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    there.read_text()  # until it runs
    process.send_signal(number)
    out, err = process.communicate(timeout=HANGS_AFTER)
    assert (process.returncode, out, err) == (-number, b"", b"")
    assert left(f"VERIFY_MARK=stopped {tmp_path}") == [] and list(mark["TMPDIR"].iterdir()) == []


@pytest.mark.parametrize("words, said", [
    (["/no/such/directory"], "/no/such/directory"),
    (["a", "b"], "b is one too many"),
    (["--only", "lsp,hover"], "--only wants lsp, test or dap"),
    (["--lsp", "'gopls"], "a quote is not closed"),
    (["--timeout", "0"], "--timeout wants a number of seconds"),
    (["--open", "/no/such/file.go"], "/no/such/file.go"),
    (["-o", "x.tar.zst"], "x.tar.zst"),
])
def test_wrong_use(run, words, said):
    result = run("verify", *words, report=False)
    assert result.returncode == 2 and result.stdout == ""
    assert len(result.stderr.splitlines()) == 1 and said in result.stderr
