"""report.html: one file, whole without its script, in which nothing from outside becomes markup. What a browser makes
of it is tested by `make real`."""

import json
import os
import subprocess
import threading

import page
import pytest

from test_outputs import unpacked

VERSIONS = "GLIBC_2.2.5 { };\nGLIBC_9.38 { global: fmod; };\n"
ADDON = "double fmod(double, double); int f(double a) { return (int)fmod(a, 3); }"


@pytest.fixture
def addon(cc, tmp_path):
    """A native add-on of node that needs a version which no libm has."""
    (tmp_path / "v.map").write_text(VERSIONS)
    libm = cc("double fmod(double a, double b) { return a - b; }", "-fno-builtin", "-Wl,-soname,libm.so.6",
              "-Wl,--version-script=v.map", name="libm-stand-in.so")
    file = cc(ADDON, "-fno-builtin", libm, name="app/geometry.node")
    libm.unlink()
    return file


@pytest.fixture
def shown(run, tmp_path):
    """shown(*args) -> the run's result and its page, written on its own."""

    def run_(*args, **options):
        file = tmp_path / "page.html"
        result = run("-o", file, *args, **options)
        return result, page.load(file)

    return run_


def test_a_node_addon(shown, script, addon):
    app = script("app/app.js", "const { execSync } = require('child_process'); execSync('true');"
                               "require('./geometry.node');")
    result, shows = shown("--", "node", app)
    cause = result.first
    assert (cause["kind"], cause["missing"]) == ("symbol-version-missing", "GLIBC_9.38")
    assert shows.summary == cause["summary"]
    assert [text for text in shows.broken if text.startswith("GLIBC_9.38asked of")], shows.broken  # the chain
    assert [text for text in shows.broken if "geometry.node did not come to be loaded" in text], shows.broken  # the tree
    assert "lacks GLIBC_9.38" in shows.plain_text
    node = [text for kind, text in shows.lanes if "marked" in kind]
    assert len(node) == 1 and node[0].startswith("node") and "status 1" in node[0]
    assert len(shows.lanes) >= 2  # sh, or true itself
    proofs = [event["n"] for event in shows.events if event["evidence"]]
    assert proofs == sorted(cause["evidence"])
    assert [row[0] for row in shows.rows if row[1] == "evidence"] == [f"e{n}" for n in proofs]


def test_the_page_of_a_bundle_is_that_of_its_trace(run, cc, tmp_path):
    program = cc("int main(void) { return 3; }")
    bundle = tmp_path / "case.tar.zst"
    run("-o", bundle, "--", "sh", "-c", f"cat /nowhere-1; {program}; exit 4")
    files = unpacked(bundle)
    shows = page.Page(files["case/report.html"].decode())
    trace = {event["n"]: event for event in map(json.loads, files["case/trace.jsonl"].decode().splitlines())}
    events = {event["n"]: event for event in shows.events}
    silent = {n for n, event in trace.items() if event["type"] == "process"}  # some of them have no line
    assert set(trace) - silent <= set(events) <= set(trace)
    for n, event in events.items():
        assert event["pid"] == trace[n]["pid"] and abs(event["t"] - trace[n]["t"]) < 2e-6
        if trace[n]["type"] == "syscall":
            assert event["text"].startswith(trace[n]["name"] + "(") and event["failed"] == ("errno" in trace[n])
    pids = {event["pid"] for event in trace.values()}
    assert len(shows.lanes) == len(pids)
    missing, = [row for row in shows.rows if "/nowhere-1" in row[2] and "openat" in row[2]]
    assert "ENOENT" in missing[2]


def test_a_healthy_run(shown):
    result, shows = shown("--", "sh", "-c", "true; exit 0")
    assert result.causes == [] and shows.broken == []
    assert "Nothing failed" in shows.plain_text
    assert shows.lanes and all("status 0" in text for _, text in shows.lanes)


HOSTILE = ["</script><script>alert(1)</script>", "<!--<script>", "\"'><img src=x onerror=alert(1)>", "a&lt;b&#60;c",
           "\u202eevil\u2066", "x\033]0;title\a\033[31m", os.fsdecode(b"\xff\xc0\xaf"), "'-alert(1)-'", "{{7*7}}${7*7}"]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names(shown, cc, tmp_path, name):
    """As a program, a library that it misses, an argument, a file that is not there, and words."""
    soname = name.replace("/", "_")
    place = tmp_path / soname
    place.mkdir()
    library = cc("int f(void) { return 1; }", name="libplain.so", cwd=tmp_path)
    program = cc("#include <fcntl.h>\n#include <unistd.h>\n#include <string.h>\n#include <dlfcn.h>\nint f(void);\n"
                 "int main(int c, char **v) { open(v[1], O_RDONLY); write(2, v[1], strlen(v[1]));"
                 " return c + f() + !dlopen(v[1], RTLD_NOW); }", library, "-Wl,-rpath,$ORIGIN", cwd=tmp_path)
    program.rename(place / "prog")
    library.rename(place / "libplain.so")
    for argv in ([place / "prog", soname], [place / "prog", f"./{soname}/absent.so"]):
        _, shows = shown("--", *argv)
        assert all(char.isprintable() or char in " \n" for char in shows.source.replace("\n", "")), ascii(name)
        assert len(shows.scripts) == 2
    (place / "libplain.so").unlink()
    result, shows = shown("--", place / "prog", name)
    assert result.first["kind"] == "library-missing" and len(shows.scripts) == 2


def test_100_000_events(shown, cc):
    """As many different ones, half of them failures: the page has each once, and no more than the eye can take in as plain
    rows."""
    program = cc("#include <fcntl.h>\n#include <stdio.h>\n#include <unistd.h>\n"
                 "int main(void) { char name[80]; for (int i = 0; i < 100000; i++) {"
                 " snprintf(name, sizeof name, i % 2 ? \"/absent-%d/some/settings.conf\" : \"/proc/self/fdinfo/0\", i);"
                 " int fd = open(name, O_RDONLY); if (fd >= 0) close(fd); } return 3; }")
    result, shows = shown("--no-repro", "--", program)
    assert result.report["counts"]["lost"] == 0
    assert len([event for event in shows.events if event["failed"]]) >= 50000
    assert len(shows.events) >= 100000
    assert len(shows.source) < 12 << 20
    assert 500 < len(shows.rows) < 1500
    assert "The first 300 and the last 300 of them" in shows.plain_text


def test_attached(shown, cc):
    """A process that was there before, and what it starts while it is watched; a fork is what its parent was."""
    program = cc("#include <fcntl.h>\n#include <stdio.h>\n#include <sys/wait.h>\n#include <unistd.h>\n"
                 "int main(void) { char c; puts(\"up\"); fflush(stdout); while (read(0, &c, 1) == 1) ;"
                 " if (!fork()) { open(\"/nowhere-2\", O_RDONLY); _exit(0); } wait(0); return 4; }")
    process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "up\n"
    command = f"while [ \"$(sed -n 's/^TracerPid:[[:space:]]*//p' /proc/{process.pid}/status)\" = 0 ]; do sleep 0.05; done"
    waiter = subprocess.Popen(["sh", "-c", command])
    ender = threading.Thread(target=lambda: (waiter.wait(), process.stdin.close()))
    ender.start()
    _, shows = shown("-p", process.pid)
    ender.join()
    assert process.wait() == 4
    assert [text.split()[:2] for _, text in shows.lanes][0] == ["prog", str(process.pid)]
    assert len(shows.lanes) == 2 and shows.lanes[1][1].startswith("prog ") and " fork" in shows.lanes[1][1]
    assert "libc.so.6" in shows.plain_text and "process {process.pid}".format(process=process) in shows.plain_text
    missing, = [event for event in shows.events if "/nowhere-2" in event["text"]]
    assert missing["failed"] and missing["program"] == "prog" and missing["pid"] != process.pid


def test_a_secret_is_on_no_page(run, cc, tmp_path):
    """Where the page is the only output, its events are redacted too."""
    home = tmp_path / "home" / "rosalinde"
    home.mkdir(parents=True)
    file = tmp_path / "page.html"
    run("-o", file, "--", "sh", "-c", f"cat {home}/planted; echo $DEPLOY_TOKEN >&2; exit 3", redact=True,
        env={"HOME": home, "USER": "rosalinde", "DEPLOY_TOKEN": "Zk81-planted-token"})
    shows = page.load(file)
    assert any("$HOME/planted" in event["text"] for event in shows.events)
    for word in ("rosalinde", "Zk81-planted"):
        assert word not in shows.source
