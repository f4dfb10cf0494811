"""Objects loaded and unloaded, each with the reason why it is there, and --bindings: launched, attached, both C
libraries. The judges are the program that was written for it, /proc/PID/maps and LD_DEBUG."""

import os
import pathlib
import re
import signal
import subprocess

import pytest

from lines import line
from test_attach import attached, started  # noqa: F401 (fixtures)
from test_outputs import unpacked
from test_trace_log import json

WAIT = """
#include <unistd.h>
static void step(void) { char c; (void)!write(1, "ready\\n", 6); if (read(0, &c, 1) != 1) _exit(0); }
"""


@pytest.fixture
def objects(run, tmp_path):
    """objects(*command, env=None, options=()) -> the loader's events of what came and went, in order"""

    def run_(*command, env=None, options=(), status=0):
        bundle = tmp_path / "case.tar.zst"
        bundle.unlink(missing_ok=True)
        result = run("-o", bundle, "--no-repro", *options, "--", *command, env=env)
        assert result.returncode == status, result.stderr
        lines = unpacked(bundle)["case/trace.jsonl"].decode().splitlines()
        return [e for e in map(json.loads, lines) if e["type"] == "loader" and e["what"] in ("loaded", "unloaded")]

    return run_


def named(events, name, what="loaded"):
    found = [e for e in events if os.path.basename(e["object"]) == name and e["what"] == what]
    assert found, f"{name} was not {what}: {events}"
    return found[0]


@pytest.fixture
def libraries(cc, tmp_path):
    """libbase.so <- libneeded.so.1 <- plugin.so; libpre.so."""
    cc("int base(void){return 1;}", name="libbase.so")
    cc("int base(void); int needed(void){return base();}", "-Wl,-soname,libneeded.so.1", "-L.", "-lbase",
       "-Wl,-rpath,$ORIGIN", name="libneeded.so.1")
    cc("int needed(void); int plugin(void){return needed();}", "./libneeded.so.1", "-Wl,-rpath,$ORIGIN",
       name="plugin.so")
    cc("int pre;", name="libpre.so")
    return tmp_path


def test_start(objects, libraries, cc):
    program = cc("int needed(void); int main(void){return needed() - 1;}", "./libneeded.so.1", "-Wl,-rpath,$ORIGIN")
    events = objects(program, options=[f"--env=LD_PRELOAD={libraries}/libpre.so"])
    assert all(e["what"] == "loaded" for e in events)
    assert [e["reason"] for e in events if os.path.basename(e["object"]) == "prog"] == ["program"]
    assert events[0]["object"] == str(program)
    assert named(events, "linux-vdso.so.1")["reason"] == "vdso"
    assert named(events, "libpre.so")["reason"] == "preloaded"
    assert (named(events, "libneeded.so.1")["reason"], named(events, "libneeded.so.1")["by"]) == ("needed", str(program))
    assert named(events, "libbase.so")["by"] == str(libraries / "libneeded.so.1")
    assert named(events, "libc.so.6")["reason"] == "needed"
    assert named(events, "ld-linux-x86-64.so.2")["reason"] == "loader"
    assert len({e["object"] for e in events}) == len(events)


def test_dlopen_and_dlclose(objects, libraries, cc):
    program = cc("#define _GNU_SOURCE\n#include <dlfcn.h>\nint main(void){"
                 "void *a = dlopen(\"./plugin.so\", RTLD_NOW | RTLD_GLOBAL | RTLD_DEEPBIND); if (!a) return 2;"
                 "void *b = dlmopen(LM_ID_NEWLM, \"./plugin.so\", RTLD_LAZY); if (!b) return 3;"
                 "dlclose(a); return dlclose(b); }")
    events = objects(program)
    plugin = named(events, "plugin.so")
    assert (plugin["reason"], plugin["by"], int(plugin["flags"], 16)) == ("dlopened", str(program), 0x10a)
    # DT_NEEDED of what was opened, on behalf of the same dlopen.
    needed = named(events, "libneeded.so.1")
    assert (needed["reason"], needed["by"]) == ("needed", plugin["object"])
    assert needed["flags"] == plugin["flags"]
    apart = [e for e in events if e["what"] == "loaded" and e["namespace"] == 1]
    assert (apart[0]["object"], apart[0]["reason"]) == (plugin["object"], "dlopened")
    assert {"libneeded.so.1", "libbase.so"} <= {os.path.basename(e["object"]) for e in apart}
    assert all(e["reason"] in ("needed", "loader") for e in apart[1:])
    gone = [(os.path.basename(e["object"]), e["namespace"]) for e in events if e["what"] == "unloaded"]
    for name in ("plugin.so", "libneeded.so.1", "libbase.so"):
        assert (name, 0) in gone and (name, 1) in gone
    assert ("libc.so.6", 0) not in gone


def test_what_libc_opens_by_itself(objects, cc):
    """Not through dlopen(3): gconv modules, libgcc_s for pthread_cancel(3)."""
    program = cc("#include <iconv.h>\n#include <pthread.h>\nstatic void *f(void *x){for (;;) pthread_testcancel(); return x;}"
                 "int main(void){ if (iconv_open(\"ISO-8859-2\", \"UTF-8\") == (iconv_t)-1) return 2; pthread_t t;"
                 "pthread_create(&t, 0, f, 0); pthread_cancel(t); return pthread_join(t, 0); }", "-pthread")
    events = objects(program)
    for name in ("ISO8859-2.so", "libgcc_s.so.1"):
        event = named(events, name)
        assert (event["reason"], os.path.basename(event["by"])) == ("dlopened", "libc.so.6")


def test_a_forks_own(objects, libraries, cc):
    program = cc("#include <dlfcn.h>\n#include <sys/wait.h>\n#include <unistd.h>\nint main(void){ int s;"
                 "if (!fork()) _exit(!dlopen(\"./libbase.so\", RTLD_NOW)); wait(&s); return s; }")
    events = objects(program)
    own = [e for e in events if e["pid"] != events[0]["pid"]]
    assert [(os.path.basename(e["object"]), e["reason"]) for e in own] == [("libbase.so", "dlopened")]


def test_a_start_that_fails(objects, libraries, cc):
    program = cc("int needed(void); int main(void){return needed();}", "./libneeded.so.1", "-Wl,-rpath,$ORIGIN")
    (libraries / "libbase.so").unlink()
    events = objects(program, status=127)
    assert named(events, "libneeded.so.1")["reason"] == "needed"
    assert events[0]["reason"] == "program"


def test_musl(objects, libraries, tmp_path):
    (tmp_path / "m.c").write_text("#include <dlfcn.h>\nint main(void){ void *a = dlopen(\"./libone.so\", RTLD_NOW);"
                                  "if (!a) return 1; dlclose(a); return 0; }")
    (tmp_path / "one.c").write_text("int one(void){return 1;}")
    subprocess.run(["musl-gcc", "-shared", "-fPIC", "-o", "libone.so", "one.c"], cwd=tmp_path, check=True)
    subprocess.run(["musl-gcc", "-o", "m", "m.c"], cwd=tmp_path, check=True)
    events = objects(tmp_path / "m")
    assert events[0]["object"] == str(tmp_path / "m") and events[0]["reason"] == "program"
    one = named(events, "libone.so")
    assert (one["reason"], one["by"], one["flags"]) == ("dlopened", str(tmp_path / "m"), "0x2")
    assert not [e for e in events if e["what"] == "unloaded"]  # musl never unloads


def test_live_lines(run, libraries, cc):
    program = cc("#include <dlfcn.h>\nint main(void){void *a = dlopen(\"./plugin.so\", RTLD_NOW); return dlclose(a);}")
    lines = run("-t=loader", "--", program).stderr.splitlines()
    assert f"+ {program} (the program)" in lines
    assert f"+ {libraries}/plugin.so (dlopened by {program} with RTLD_NOW)" in [
        l.replace("./plugin.so", f"{libraries}/plugin.so") for l in lines]
    assert any(re.fullmatch(r"\+ /.*/libneeded\.so\.1 \(needed by /.*/plugin\.so\)", l) for l in lines)
    assert any(re.fullmatch(r"- /.*/libneeded\.so\.1", l) for l in lines)


def mapped(pid):
    """The files that have code in process PID."""
    return {l.split(maxsplit=5)[5].strip() for l in open(f"/proc/{pid}/maps") if " r-xp " in l and "/" in l}


def test_attached(started, attached, libraries, cc, tmp_path):
    """What was there, what comes and what goes: the link map is only read."""
    program = cc(WAIT + "#include <dlfcn.h>\nint main(void){ step(); void *a = dlopen(\"./plugin.so\", RTLD_NOW); step();"
                        "dlclose(a); step(); return 0; }")
    process = started(program, cwd=tmp_path)
    line(process.stdout, b"ready")
    trace = attached(process.pid, options=("-t=loader",))
    seen = [line(trace.stderr, b"+ ").decode().split()[1] for _ in range(4)]
    assert seen[0] == str(program) and "linux-vdso.so.1" in seen
    assert {os.path.realpath(s) for s in seen if s[0] == "/"} == mapped(process.pid)
    process.stdin.write(b"x")
    text = line(trace.stderr, b"plugin.so").decode()
    while not text.startswith("+ "):
        text = line(trace.stderr, b"plugin.so").decode()
    assert text.endswith("/plugin.so (dlopened)\n")
    assert b"needed by" in line(trace.stderr, b"+ ")
    line(process.stdout, b"ready")
    process.stdin.write(b"x")
    line(trace.stderr, b"- ")
    line(process.stdout, b"ready")
    trace.send_signal(signal.SIGINT)
    trace.communicate()
    assert process.poll() is None
    process.stdin.write(b"x")
    assert process.wait() == 0


def logged(path):
    """(from, symbol, version) -> to, as LD_DEBUG=bindings has it; by the last part of each path."""
    found = {}
    for text in path.read_text().splitlines():
        match = re.search(r"binding file (\S+) \[\d+\] to (\S+) \[\d+\]: \w+ symbol `(.+?)'(?: \[(.+)\])?$", text)
        if match:
            one, other = (os.path.basename(match[n]) for n in (1, 2))
            found.setdefault((one, match[3], match[4]), set()).add(other)
    return found


def table(text):
    """The same of --bindings, with the unbound ones, and the line at the end."""
    found = {}
    for one in text.splitlines():
        match = re.fullmatch(r"\[pid +\d+\] (\S+) → ([^@ ]+)(?:@(\S+))? = (.+)", one)
        if match:
            found.setdefault((match[1], match[2], match[3]), set()).add(match[4])
    return found


@pytest.mark.parametrize("command", [["/usr/bin/python3", "-c", "import ssl"], ["/usr/bin/perl", "-e", "1"],
                                     ["/usr/bin/git", "--version"]], ids=["python3", "perl", "git"])
@pytest.mark.parametrize("now", [None, "1"], ids=["lazy", "now"])
def test_bindings(run, tmp_path, command, now):
    words = ["LD_DEBUG=bindings", f"LD_DEBUG_OUTPUT={tmp_path}/log", *(["LD_BIND_NOW=1"] if now else [])]
    run("--bindings=table", *(f"--env={word}" for word in words), "--", *command)
    [log] = tmp_path.glob("log.*")
    said, shown = logged(log), table((tmp_path / "table").read_text())
    program = os.path.basename(os.path.realpath(command[0]))
    said = {(program if a == os.path.basename(command[0]) else a, s, v): {
        program if t == os.path.basename(command[0]) else t for t in to} for (a, s, v), to in said.items()}
    bound = {key: to - {"not bound yet", "none"} for key, to in shown.items()}
    assert len(said) > 100
    for key, to in bound.items():
        assert to <= said.get(key, set()), key
    # Lines that no relocation stands behind: dlsym, and what the loader looks up for itself.
    for key in said.keys() - {key for key, to in bound.items() if to}:
        assert key not in shown or key[1] in ("malloc", "free"), key


def test_bindings_on_standard_error(run):
    result = run("--bindings", "--", "/bin/true")
    before = result.stderr[:result.stderr.index("true ended with status 0")]
    assert re.search(r"\[pid +\d+\] true → __libc_start_main@GLIBC_2.34 = libc.so.6\n", before)
    assert re.search(r"--- \d+ references bound, \d+ not yet, \d+ of weak ones to nothing, 0 not known ---\n", before)


def test_bindings_attached(started, attached, cc, tmp_path):
    process = started(cc(WAIT + "int main(void){ step(); return 0; }"))
    line(process.stdout, b"ready")
    trace = attached(process.pid, options=(f"--bindings={tmp_path}/table", "-t=loader"))
    line(trace.stderr, b"ld-linux")
    trace.send_signal(signal.SIGINT)
    trace.communicate()
    assert process.poll() is None
    shown = table(pathlib.Path(tmp_path / "table").read_text())
    assert shown[("prog", "write", "GLIBC_2.2.5")] == {"libc.so.6"}
    process.stdin.write(b"x")
    assert process.wait() == 0
