"""VS Code Server by its own launcher, in a Debian 12 and a Debian 11 root; a browser connects, so that an extension host and a
file watcher start. Its native modules are compiled on Debian 12.
"""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time

import pytest

from conftest import e2e

HANGS_AFTER = 150  # seconds
SPDLOG = "/opt/vscode/node_modules/@vscode/spdlog/build/Release/spdlog.node"
WATCHER = "/opt/vscode/node_modules/@parcel/watcher-linux-x64-glibc/watcher.node"
CLEAN = ["--clearenv", "--setenv", "PATH", "/usr/local/bin:/usr/bin:/bin", "--setenv", "HOME", "/root"]
IN_ROOT = ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--tmpfs", "/root", "--unshare-pid", "--die-with-parent"]
FOLLOWED = ("--type=extensionHost", "--type=fileWatcher")
CHROMIUM = ["/usr/lib/chromium/chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--user-data-dir=/tmp/profile",
            "--remote-debugging-port=0"]


def wait_for(what, condition):
    """The only end to it otherwise is HANGS_AFTER; nothing is measured."""
    end = time.monotonic() + HANGS_AFTER
    while not condition():
        assert time.monotonic() < end, f"{what} did not come"
        time.sleep(0.2)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def answers(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def descendants(pid):
    """The command lines of all that PID has started."""
    parents, lines = {}, {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                with open(f"/proc/{entry}/stat", "rb") as file:
                    parents[int(entry)] = int(file.read().rsplit(b")", 1)[1].split()[1])
                with open(f"/proc/{entry}/cmdline", "rb") as file:
                    lines[int(entry)] = file.read().decode(errors="replace").replace("\0", " ")
    below = {pid}
    while more := {child for child, parent in parents.items() if parent in below} - below:
        below |= more
    return [lines.get(one, "") for one in below]


@pytest.fixture
def tree(fetched, tmp_path):
    """tree(change) -> the server's folder, linked so that a file can be replaced."""
    made = []

    def build(change=None):
        source = fetched("server") / "vscode"
        folder = tempfile.mkdtemp(prefix="tree-", dir=source.parent)
        made.append(folder)
        subprocess.run(["cp", "-al", f"{source}/.", folder], check=True)
        if change:
            change(folder + "/node_modules")
        return folder

    yield build
    for folder in made:
        shutil.rmtree(folder)


@pytest.fixture
def browse(tmp_path):
    """A browser at that port of this machine, until it is ended."""
    chromium = subprocess.run(["bash", str(e2e.TOP / "tests" / "conformance" / "roots.sh"), "bookworm"],
                              stdout=subprocess.PIPE, text=True, check=True).stdout.strip()

    @contextlib.contextmanager
    def run_(port):
        with open(tmp_path / "chromium.log", "wb") as log:
            browser = subprocess.Popen(["bwrap", "--bind", chromium, "/", *IN_ROOT, *CLEAN, *CHROMIUM,
                                        f"http://127.0.0.1:{port}/?folder=/opt/vscode/bin"], stdout=log, stderr=log)
        try:
            yield
        finally:
            browser.kill()
            browser.wait()

    return run_


@pytest.fixture
def serve(tool, environment, fetched, tree, browse, tmp_path, summary):
    """serve(root, change=None, until=None, settings=()) -> Result: traced from its launcher on, until an extension host and a
    file watcher run and the live view shows UNTIL; then it is asked to end."""

    def run_(root, change=None, until=None, settings=()):
        port, report, said = free_port(), tmp_path / "report.json", tmp_path / "stderr"
        with open(said, "wb") as err:
            process = subprocess.Popen(
                [tool, "-o", report, "--no-redact", "-q", "-t", "failed,loader", "--", "bwrap", "--bind", fetched(root), "/",
                 "--bind", tree(change), "/opt/vscode", *IN_ROOT, *CLEAN, *settings, "/opt/vscode/bin/code-server-oss",
                 "--host", "127.0.0.1", "--port", str(port), "--without-connection-token", "--accept-server-license-terms",
                 "--telemetry-level", "off", "--server-data-dir", "/tmp/data", "--extensions-dir", "/tmp/extensions"],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=err, env=environment())
        try:
            wait_for("the server", lambda: answers(port) or process.poll() is not None)
            with browse(port):
                wait_for("the extension host and the file watcher", lambda: all(
                    any(word in line for line in descendants(process.pid)) for word in FOLLOWED))
                if until:
                    wait_for(until, lambda: re.search(until.encode(), said.read_bytes()))
                process.terminate()
                process.wait(HANGS_AFTER)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        text = said.read_text(errors="surrogateescape")
        result = e2e.Result(process.returncode, "", text, e2e.load_report(report), report)
        summary(result, f"VS Code Server in {root}")
        return result

    return run_


def launcher(chain):
    """The way from the launcher on: the chain behind bwrap and env."""
    assert [os.path.basename(word) for word in chain[:3]] == ["bwrap", "env", "dash"]
    return chain[3:]


def test_on_debian_12(serve):
    result = serve("bookworm", until=r"\+ .*watcher\.node")
    assert result.causes == []
    assert result.report["counts"]["lost"] == 0 and result.report["counts"]["processes"] > 6
    libc = result.report["system"]["libc"]
    assert (libc["version"], libc["from"]) == ("2.36", "the banner in its memory")


def test_on_debian_11(serve):
    result = serve("bullseye", until="version `GLIBC_2.33' not found")
    assert {c["kind"] for c in result.causes} == {"symbol-version-missing"}
    assert {c["impact"] for c in result.causes} == {"degraded"}  # the server goes on without its log
    first = result.first
    assert (first["subject"], first["missing"]) == (SPDLOG, "GLIBC_2.33")
    assert first["provider"] == "/lib/x86_64-linux-gnu/libc.so.6" and "spdlog.node" in first["words"]
    assert launcher(first["chain"]) == ["/opt/vscode/node", SPDLOG]
    assert "GLIBCXX_3.4.29" in {c["missing"] for c in result.causes}
    libc = result.report["system"]["libc"]
    assert (libc["version"], libc["from"]) == ("2.31", "the banner in its memory")
    assert result.report["reproduction"]["status"] == "verified"


def put_musl_watcher(modules):
    os.unlink(modules + "/@parcel/watcher-linux-x64-glibc/watcher.node")
    shutil.copy(modules + "/@parcel/watcher-linux-x64-musl/watcher.node", modules + "/@parcel/watcher-linux-x64-glibc")


def test_musl_watcher(serve):
    result = serve("bookworm", put_musl_watcher, until="libc.musl-x86_64.so.1")
    cause, = result.causes
    assert (cause["kind"], cause["missing"]) == ("libc-family-mismatch", "libc.musl-x86_64.so.1")
    assert (cause["subject"], cause["impact"]) == (WATCHER, "degraded")
    assert launcher(cause["chain"]) == ["/opt/vscode/node", "/opt/vscode/node", WATCHER]  # the server, its file watcher
    assert "--type=fileWatcher" in cause["process"]["argv"]


def test_shadowed_library(serve, fetched):
    old = (fetched("bullseye") / "usr" / "lib" / "x86_64-linux-gnu" / "libstdc++.so.6").resolve()
    result = serve("bookworm", until="version `GLIBCXX_3.4.29' not found",
                   settings=["--dir", "/tmp/old", "--ro-bind", old, "/tmp/old/libstdc++.so.6",
                             "--setenv", "LD_LIBRARY_PATH", "/tmp/old"])
    assert {c["kind"] for c in result.causes} == {"library-shadowed"}
    first = result.first
    assert (first["subject"], first["missing"]) == (SPDLOG, "GLIBCXX_3.4.29")
    assert first["provider"] == "/tmp/old/libstdc++.so.6" and "LD_LIBRARY_PATH" in first["summary"]


def test_removed_module(serve):
    result = serve("bookworm", lambda modules: os.unlink(modules + "/@vscode/spdlog/build/Release/spdlog.node"),
                   until="Could not locate the bindings file")
    cause, = result.causes
    assert (cause["kind"], cause["missing"], cause["impact"]) == ("file-missing", SPDLOG, "degraded")
    assert cause["words"] == "Error: Could not locate the bindings file. Tried:"
    places = [place["path"] for place in cause["places"]]
    assert len(places) > 10 and SPDLOG in places and places[0].endswith("/spdlog/build/spdlog.node")
