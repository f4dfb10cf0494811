"""Servers that are not there, by programs of many kinds, blocking and not; and the twins that cope, wait or do without."""

import contextlib
import os
import shutil
import socket

import pytest

PYTHON = "/usr/bin/python3"
C_CONNECT = r"""
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
/* prog WORDS FALLBACK ADDRESS...: tries the addresses in turn, says WORDS where none is there, and fails unless FALLBACK */
int main(int argc, char **argv)
{
    for (int i = 3; i < argc; i++) {
        struct sockaddr_un un = {AF_UNIX};
        struct sockaddr_in in = {AF_INET, htons(atoi(argv[i]))};
        socklen_t size = sizeof un.sun_family + strlen(argv[i]);
        int fd, path = argv[i][0] == '/' || argv[i][0] == '@';

        strcpy(un.sun_path, argv[i]);
        if (argv[i][0] == '@')
            un.sun_path[0] = 0;
        else
            size++;
        in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        fd = socket(path ? AF_UNIX : AF_INET, SOCK_STREAM, 0);
        if (connect(fd, path ? (void *)&un : (void *)&in, path ? size : sizeof in) == 0)
            return 0;
    }
    fprintf(stderr, argv[1], strerror(errno));
    return argv[2][0] == 'y' ? 0 : 1;
}
"""
GO_CONNECT = """package main
import ("fmt"; "net"; "os")
func main() {
    if _, err := net.Dial("tcp", os.Args[1]); err != nil {
        fmt.Fprintln(os.Stderr, "start failed:", err)
        os.Exit(1)
    }
}
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.fixture
def port():
    return free_port()


@pytest.fixture
def listening():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen(64)
        yield s.getsockname()[1]


def py(text):
    return [PYTHON, "-c", text]


def tcp(p):
    """Programs that connect to 127.0.0.1:p."""
    return {
        "c": ["./prog", "cannot reach the backend: %s\n", "n", p],
        "c, in its own words": ["./prog", "the backend is away\n", "n", p],
        "python": py(f"import socket; socket.create_connection(('127.0.0.1', {p}))"),
        "asyncio": py(f"import asyncio; asyncio.run(asyncio.open_connection('127.0.0.1', {p}))"),
        "http": py(f"import urllib.request; urllib.request.urlopen('http://127.0.0.1:{p}/')"),
        "node": ["node", "-e", f"require('net').connect({p}, '127.0.0.1')"],
        "node, http": ["node", "-e", f"require('http').get('http://127.0.0.1:{p}/')"],
        "perl": ["perl", "-MIO::Socket::INET", "-e", f"IO::Socket::INET->new('127.0.0.1:{p}') or die \"no server: $!\\n\""],
        "bash": ["bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{p}"],
        "go": ["./dial", f"127.0.0.1:{p}"],
        "git": ["git", "ls-remote", f"git://127.0.0.1:{p}/x"],
        "gopls": ["gopls", f"-remote=127.0.0.1:{p}", "check", "x.go"],
        "under two shells": ["sh", "-c", f"sh -c './prog \"away: %s\" n {p}; exit 5'; exit 6"],
    }


@pytest.fixture(scope="session")
def dial(tmp_path_factory):
    import subprocess
    top = tmp_path_factory.mktemp("dial")
    (top / "dial.go").write_text(GO_CONNECT)
    subprocess.run(["go", "build", "-o", top / "dial", top / "dial.go"], check=True, env={**os.environ, "GOFLAGS": ""})
    return top / "dial"


@pytest.mark.parametrize("who", tcp(0))
def test_nobody_listens(run, cc, dial, tmp_path, port, who):
    cc(C_CONNECT)
    shutil.copy(dial, tmp_path / "dial")
    result = run("--", *tcp(port)[who])
    first = result.first
    assert (first["kind"], first["missing"], first["impact"]) == ("connection-refused", f"127.0.0.1:{port}", "fatal")
    assert len(result.causes) == 1, [(c["kind"], c["missing"]) for c in result.causes]
    assert first["words"]
    assert os.path.isabs(first["subject"])
    assert result.report["reproduction"]["status"] == "verified", result.report["reproduction"]


@pytest.mark.parametrize("who", [w for w in tcp(0) if w in ("c", "python", "asyncio", "node", "perl", "bash", "go")])
def test_somebody_listens(run, cc, dial, tmp_path, listening, who):
    cc(C_CONNECT)
    shutil.copy(dial, tmp_path / "dial")
    command = tcp(listening)[who]
    if who == "node":
        command = ["node", "-e", f"require('net').connect({listening}, '127.0.0.1', () => process.exit(0))"]
    assert run("--", *command).causes == []


def test_nothing_is_said(run, port):
    result = run("--", *py(f"import socket, os\ntry: socket.create_connection(('127.0.0.1', {port}))\n"
                           "except OSError: os._exit(4)"))
    assert (result.first["kind"], result.first["missing"]) == ("connection-refused", f"127.0.0.1:{port}")
    assert result.first["confidence"] <= 0.75


REASONS = {
    "python": "import socket\ntry: socket.create_connection(('127.0.0.1', {port}))\nexcept OSError: pass\nint('x')",
    "words": "import socket, sys\nsocket.socket().connect_ex(('127.0.0.1', {port}))\nsys.exit('checksum mismatch')",
    "a file": "import socket, sys\nsocket.socket().connect_ex(('127.0.0.1', {port}))\nsys.exit('error: a.conf: bad value in line 3')",
}
SERVER = {
    "it timed out": "import socket, sys\nsocket.socket().connect_ex(('127.0.0.1', {port}))\nsys.exit('127.0.0.1:{port}: Connection timed out.')",
    "no address": "import socket, sys\nsocket.socket().connect_ex(('127.0.0.1', {port}))\nsys.exit('error: the server is not up')",
    "a place": "import socket, sys\nsocket.socket().connect_ex(('127.0.0.1', {port}))\nsys.exit('error: connect ECONNREFUSED 127.0.0.1:{port}\\n  error at f (x.js:12:{port})')",
}


@pytest.mark.parametrize("what", REASONS)
def test_the_end_is_about_another_thing(run, port, what):
    assert run("--", *py(REASONS[what].format(port=port))).causes == []


@pytest.mark.parametrize("what", SERVER)
def test_the_end_is_about_the_server(run, port, what):
    result = run("--", *py(SERVER[what].format(port=port)))
    assert (result.first["kind"], result.first["missing"]) == ("connection-refused", f"127.0.0.1:{port}")
    assert "x.js" not in result.first["words"]


def test_a_socket_that_is_looked_at_before_is_one_cause(run, tmp_path):
    path = str(tmp_path / "no.sock")
    result = run("--", *py(f"import os, socket; os.path.exists({path!r}); s = socket.socket(socket.AF_UNIX)\n"
                           f"try: s.connect({path!r})\nexcept OSError as e: raise SystemExit('dial {path}: ' + e.strerror)"))
    assert [(c["kind"], c["missing"]) for c in result.causes] == [("connection-refused", path)]


@pytest.mark.parametrize("status", [3, 0])
def test_the_end_is_that_of_a_child(run, port, status):
    """As su(1) asks the system's bus, without a word where there is none, and ends as the command does."""
    result = run("--", *py(f"import os, socket; socket.socket().connect_ex(('127.0.0.1', {port}))\n"
                           f"os._exit(os.spawnlp(os.P_WAIT, 'sh', 'sh', '-c', 'exit {status}') or 0)"))
    assert (result.returncode, result.causes) == (status, [])
    result = run("--", *py(f"import os, socket; socket.socket().connect_ex(('127.0.0.1', {port}))\n"
                           f"os._exit(os.spawnlp(os.P_WAIT, 'sh', 'sh', '-c', 'exit {status}') + 1)"))
    assert [c["kind"] for c in result.causes] == ["connection-refused"]


UNIX = {
    "c": lambda path: ["./prog", "cannot connect: %s\n", "n", path],
    "python": lambda path: py(f"import socket; socket.socket(socket.AF_UNIX).connect({path!r})"),
    "node": lambda path: ["node", "-e", f"require('net').connect({path!r})"],
    "perl": lambda path: ["perl", "-MIO::Socket::UNIX", "-e",
                          f"IO::Socket::UNIX->new(Peer => '{path}') or die \"cannot connect to {path}: $!\\n\""],
    "ssh": lambda path: ["env", f"SSH_AUTH_SOCK={path}", "ssh-add", "-l"],
}


@pytest.mark.parametrize("state", ["absent", "stale"])
@pytest.mark.parametrize("who", UNIX)
def test_unix_socket(run, cc, tmp_path, who, state):
    cc(C_CONNECT)
    path = str(tmp_path / "app.sock")
    if state == "stale":
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as s:
            s.bind(path)
    result = run("--", *UNIX[who](path))
    assert (result.first["kind"], result.first["missing"], result.first["impact"]) == ("connection-refused", path, "fatal")
    assert len(result.causes) == 1, [(c["kind"], c["missing"]) for c in result.causes]
    assert result.report["reproduction"]["status"] == "verified", result.report["reproduction"]
    if who == "ssh":
        assert f"named by     SSH_AUTH_SOCK={path}" in result.stderr


def test_abstract_socket(run, cc):
    cc(C_CONNECT)
    result = run("--", "./prog", "no daemon: %s\n", "n", "@glibctrace-nobody")
    assert (result.first["kind"], result.first["missing"]) == ("connection-refused", "@glibctrace-nobody")
    assert result.report["reproduction"]["status"] == "verified", result.report["reproduction"]


SERVICES = {  # what is tried, what is said, what the report must call it
    "X": (["@/tmp/.X11-unix/X93", "/tmp/.X11-unix/X93"], "Error: cannot open display: :93", "the X server",
          "/tmp/.X11-unix/X93"),
    "Wayland": (["/run/user/4711/wayland-0"], "failed to create wl_display", "the Wayland compositor", None),
    "system bus": (["/run/nowhere/dbus/system_bus_socket"], "Failed to connect to the bus", "the D-Bus system bus", None),
    "session bus": (["/run/user/4711/bus"], "Cannot autolaunch D-Bus: no session bus", "the D-Bus session bus", None),
    "pulse": (["/run/user/4711/pulse/native"], "Connection failure: Connection terminated", "the PulseAudio server", None),
    "agent": (["/tmp/ssh-XXnowhere/agent.4711"], "Could not open a connection to your authentication agent.",
              "the SSH agent", None),
    "docker": (["/nowhere/docker.sock"], "Cannot connect to the Docker daemon. Is it running?", "the Docker daemon", None),
    "postgres": (["/nowhere/.s.PGSQL.5433"], "could not connect to the database", "the PostgreSQL server", None),
}


@pytest.mark.parametrize("service", SERVICES)
def test_service_by_its_name(run, cc, service):
    cc(C_CONNECT)
    tried, words, name, missing = SERVICES[service]
    result = run("--", "./prog", words + "\n", "n", *tried)
    assert (result.first["kind"], result.first["missing"]) == ("connection-refused", missing or tried[-1])
    assert name in result.first["summary"]
    assert len(result.causes) == 1
    assert result.first["confidence"] >= 0.85


def test_a_server_that_is_not_permitted(run, tmp_path):
    path = tmp_path / "app.sock"
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()
    path.chmod(0)
    under = []
    if os.getuid() == 0:
        under = ["-u", "nobody"]
        for directory in [tmp_path, *tmp_path.parents]:
            if directory.stat().st_uid == 0 and str(directory).startswith(str(tmp_path.parents[2])):
                directory.chmod(directory.stat().st_mode | 0o055)
    with contextlib.closing(server):
        result = run(*under, "--", *UNIX["python"](str(path)))
    assert (result.first["kind"], result.first["missing"]) == ("permission-denied", str(path))


def test_a_variable_that_names_no_socket(run, cc, tmp_path):
    cc(C_CONNECT)
    file = tmp_path / "file"
    file.write_text("")
    result = run("--", "./prog", "cannot reach the agent: %s\n", "n", file, env={"APP_AGENT": str(file)})
    assert (result.first["kind"], result.first["missing"]) == ("environment-wrong", f"APP_AGENT={file}")


def test_another_way_to_the_same_server(run, listening):
    """Both addresses of localhost are tried; one refuses, or has no network."""
    text = f"""
import socket, sys
for family, host in ((socket.AF_INET6, '::1'), (socket.AF_INET, '127.0.0.1')):
    try:
        socket.socket(family).connect((host, {listening}))
        break
    except OSError as e:
        print('trying', host, e, file=sys.stderr)
sys.exit(3)
"""
    assert run("--", *py(text)).causes == []


def test_from_the_abstract_name_to_the_path(run, cc, tmp_path):
    cc(C_CONNECT)
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "x.sock"))
    server.listen()
    with contextlib.closing(server):
        assert run("--", "./prog", "away\n", "n", f"@{tmp_path}/x.sock", tmp_path / "x.sock").causes == []


WAITS = """
import socket, subprocess, sys, threading
import time
p, processes = int(sys.argv[1]), sys.argv[2:]
def serve():
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(('127.0.0.1', p))
    s.listen()
    globals()['server'] = s
TRY = f"import socket; socket.create_connection(('127.0.0.1', {p}))"
for attempt in range(3):
    if attempt == 2:
        serve()
    if processes:
        ok = subprocess.run([sys.executable, '-c', TRY]).returncode == 0
    else:
        ok = socket.socket().connect_ex(('127.0.0.1', p)) == 0
    print('try', attempt, ok, file=sys.stderr)
sys.exit(0 if ok else 1)
"""


@pytest.mark.parametrize("how", ["itself", "processes"])
def test_waiting_until_the_server_is_up(run, port, how):
    result = run("--", PYTHON, "-c", WAITS, port, *(["x"] if how == "processes" else []))
    assert result.returncode == 0, result.stderr
    assert result.causes == []


HEALTHY = {
    "the program does without": (["./prog", "", "y", "/nowhere/app.sock"], 0),
    "an end of its own": (["sh", "-c", "./prog '' y /nowhere/app.sock; exit 3"], 3),
    "a bus that is done without": (["./prog", "ERROR: cannot connect to the bus %s\n", "y", "/nowhere/dbus/system_bus_socket"], 0),
    "nscd": (["./prog", "no such user\n", "n", "/var/run/nscd/socket"], 1),
    "the system log": (["./prog", "two files differ\n", "n", "/dev/log"], 1),
    "a silent probe": (["sh", "-c", "./prog '' n 1 || true"], 0),
    "a probe whose words go nowhere": (["sh", "-c", "./prog 'away: %s' n 1 2>/dev/null || true"], 0),
    "users": (["id", "no-such-user"], 1),
    "names": (["getent", "hosts", "localhost"], None),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_sockets_that_nobody_misses(run, cc, name):
    cc(C_CONNECT)
    command, status = HEALTHY[name]
    result = run("--", *command)
    assert status is None or result.returncode == status
    assert result.causes == []


def test_degraded(run, cc):
    cc(C_CONNECT)
    result = run("--", "./prog", "warning: cannot reach the agent at /nowhere/agent: %s\n", "y", "/nowhere/agent")
    assert [(c["kind"], c["missing"], c["impact"]) for c in result.causes] == \
        [("connection-refused", "/nowhere/agent", "degraded")]
