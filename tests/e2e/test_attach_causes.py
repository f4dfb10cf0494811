"""An attached process: nothing is put into it, so that the loader's words are not heard; the files say the same."""

import signal

import broken
import pytest

from conftest import load_report
from lines import HANGS_AFTER, line
from test_attach import attached, await_tracer, started  # noqa: F401  (fixtures)
from test_libc_mixtures import ADDON
from test_words_as_evidence import LACKING, thread_local

LOADS = r"""
import ctypes, os, select, sys
print("ready", flush=True)
while True:
    while not select.select([0], [], [], 0.02)[0]:
        os.access("/nothere/tick", 0)  # by which it shows that it is traced
    line = os.read(0, 4096).decode()
    if not line:
        break
    try:
        ctypes.CDLL(line.strip())
        print("loaded", flush=True)
    except OSError as error:
        print("failed", flush=True)
        if sys.argv[1] == "tells":
            print("plugin:", error, file=sys.stderr, flush=True)
"""


def static_tls(cc, monkeypatch):
    return cc(thread_local(8192), name="plugin.so"), "static-tls-exhausted", "{path}"


def cpu_level(cc, monkeypatch):
    path = cc(ADDON, "-Wl,-z,x86-64-v4", name="plugin.so")
    data, level = broken.level_beyond(path.read_bytes())
    path.write_bytes(data)
    return path, "cpu-level-too-low", level


def family(cc, monkeypatch):
    monkeypatch.setenv("CC", "musl-gcc")
    return cc(ADDON, name="plugin.so"), "libc-family-mismatch", "libc.so"


def symbol(cc, monkeypatch):
    return cc(LACKING, name="plugin.so"), "symbol-missing", "nobody"


def sound(cc, monkeypatch):
    return cc(ADDON, name="plugin.so"), None, None


@pytest.mark.parametrize("manner", ["tells", "is silent"])
@pytest.mark.parametrize("way", [static_tls, cpu_level, family, symbol, sound])
def test_loaded_after_attaching(cc, attached, started, monkeypatch, tmp_path, way, manner):  # noqa: F811
    path, kind, missing = way(cc, monkeypatch)
    report = tmp_path / "r.json"
    process = started("/usr/bin/python3", "-c", LOADS, manner)
    assert line(process.stdout) == b"ready\n"
    trace = attached(process.pid, options=("-q", "-t=failed", "--no-repro", "--no-redact", "-o", str(report)))
    line(trace.stderr, b"/nothere/tick")
    process.stdin.write(f"{path}\n".encode())
    assert line(process.stdout) == (b"failed\n" if kind else b"loaded\n")
    process.communicate()
    assert process.returncode == 0
    trace.communicate(timeout=HANGS_AFTER)
    found = [(c["kind"], c["missing"], c["impact"]) for c in load_report(report)["causes"]]
    assert found == ([(kind, missing.format(path=path), "degraded")] if kind else [])


def test_child_that_never_begins(cc, attached, started, tmp_path):  # noqa: F811
    """The loader is not heard; where it writes its words, and where it gives up, is its stack."""
    library = cc("int f(void) { return 0; }", name="libgone.so")
    needy = cc("int f(void); int main(void) { return f(); }", "./libgone.so", name="needy")
    library.unlink()
    report = tmp_path / "r.json"
    process = started("sh", "-c", 'read line; "$0"; exit 0', needy, cwd=tmp_path)
    trace = attached(process.pid, options=("-q", "-o", report))
    await_tracer(process.pid, trace)
    process.stdin.write(b"\n")
    assert process.wait(HANGS_AFTER) == 0
    trace.wait(HANGS_AFTER)
    cause, = load_report(report)["causes"]
    assert (cause["kind"], cause["missing"]) == ("library-missing", "./libgone.so")
    assert len(cause["stack"]) > 1 and all("ld-linux" in frame["object"] for frame in cause["stack"]), cause["stack"]


@pytest.mark.parametrize("way", [symbol, family])
def test_let_go_of(cc, attached, started, monkeypatch, tmp_path, way):  # noqa: F811
    """It goes on, and what failed in it has a stack all the same."""
    path, kind, _ = way(cc, monkeypatch)
    report = tmp_path / "r.json"
    process = started("/usr/bin/python3", "-c", LOADS, "tells")
    assert line(process.stdout) == b"ready\n"
    trace = attached(process.pid, options=("-q", "-t=failed", "--no-repro", "--no-redact", "-o", str(report)))
    line(trace.stderr, b"/nothere/tick")
    process.stdin.write(f"{path}\n".encode())
    assert line(process.stdout) == b"failed\n"
    line(trace.stderr, b"/nothere/tick")
    trace.send_signal(signal.SIGINT)
    trace.communicate(timeout=HANGS_AFTER)
    cause, = load_report(report)["causes"]
    assert (cause["kind"], cause["impact"]) == (kind, "degraded")
    assert any(frame["object"].startswith("/usr/bin/python3") for frame in cause["stack"]), cause["stack"]
    process.stdin.write(f"{path}\n".encode())
    assert line(process.stdout) == b"failed\n"
