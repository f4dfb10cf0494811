"""Programs that a breakpoint in the loader could break: the same output and the same end with the tracer as without."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from conftest import DROPPED
from lines import HANGS_AFTER

SOURCE = pathlib.Path(__file__).with_name("odd.c")
CONSTRUCTOR = ("extern void from_constructor(void);\n"
               "__attribute__((constructor)) static void start(void) { from_constructor(); }\n")
AUDIT = """
#define _GNU_SOURCE
#include <link.h>
static unsigned long bound;
unsigned la_version(unsigned version) { return version; }
unsigned la_objopen(struct link_map *map, Lmid_t space, uintptr_t *cookie) { return LA_FLG_BINDTO | LA_FLG_BINDFROM; }
uintptr_t la_symbind64(Elf64_Sym *symbol, unsigned index, uintptr_t *from, uintptr_t *to, unsigned *flags,
                       const char *name) { bound++; return symbol->st_value; }
"""
WORDS = ("code", "traps", "trap", "blocked", "handled", "ignored", "children", "untraced", "spawned", "fails", "threads", "handler",
         "constructors", "jumps", "itself", "aborts", "undumpable", "namespace")
OPTIONS = {"failed": (), "lookups": ("-t=lookups",), "stops": ("--seccomp=no",)}


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """The program, and beside it what it opens."""
    folder = tmp_path_factory.mktemp("odd")

    def build(name, source, *flags):
        (folder / f"{name}.c").write_text(source)
        subprocess.run([*os.environ.get("CC", "cc").split(), "-O1", "-w", "-o", folder / name, folder / f"{name}.c",
                        *flags], check=True)

    build("odd", SOURCE.read_text(), "-pthread", "-rdynamic", "-ldl")
    build("still", SOURCE.read_text(), "-pthread", "-static")
    build("outer.so", CONSTRUCTOR, "-shared", "-fPIC")
    build("inner.so", CONSTRUCTOR, "-shared", "-fPIC")
    build("audit.so", AUDIT, "-shared", "-fPIC")
    return folder / "odd"


@pytest.fixture
def alike(tool, environment, odd, tmp_path):
    """alike(options, command, env=None, change=…): runs COMMAND with and without the tracer, and compares. CHANGE makes
    of an output what can be the same twice."""

    def compare(options, *command, env=None, change=lambda text: text, **popen):
        env = environment({"ODD_OUTER": odd.with_name("outer.so"), "ODD_INNER": odd.with_name("inner.so")} | (env or {}))
        results = []
        for words in (command, [tool, "-q", "--no-repro", *options, "-o", tmp_path / "r.txt", "--", *command]):
            ended = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, env=env, timeout=HANGS_AFTER,
                                   cwd=tmp_path, start_new_session=True, **popen)
            status = ended.returncode if ended.returncode >= 0 else 128 - ended.returncode
            errors = b"" if any(option.startswith("-t") for option in options) else change(ended.stderr)
            results.append((status, change(ended.stdout), errors))
        if any(option.startswith("-t") for option in options):
            results[0] = (*results[0][:2], b"")
        assert results[1] == results[0]
        return results[0]

    return compare


@pytest.mark.parametrize("how", OPTIONS)
@pytest.mark.parametrize("word", WORDS)
def test_odd(alike, odd, word, how):
    alike(OPTIONS[how], odd, word)


@pytest.mark.parametrize("word", ["fails", "traps", "children", "aborts", "threads"])
def test_static(alike, odd, word):
    alike((), odd.with_name("still"), word)


@pytest.mark.parametrize("word", ["fails", "traps", "threads", "children"])
def test_loader_as_the_program(alike, odd, word):
    headers = subprocess.run(["readelf", "-lW", odd], stdout=subprocess.PIPE, text=True, check=True).stdout
    loader = re.search(r"interpreter: (\S+)\]", headers).group(1)
    alike((), loader, odd, word)


def without_numbers(text):
    """LD_DEBUG's lines begin with a process number, and hold addresses."""
    return re.sub(rb"(?m)^ *[0-9]+:|0x[0-9a-f]+|cycles.*|[0-9.]+%.*|[0-9]{4,}", b"", text)


@pytest.mark.parametrize("variable", [{"LD_DEBUG": "bindings"}, {"LD_DEBUG": "all"}, {"LD_DEBUG": "statistics"},
                                      {"LD_BIND_NOW": "1"}, {"LD_TRACE_LOADED_OBJECTS": "1"}])
def test_loader_variables(alike, odd, variable):
    """Not to the tracer itself: env sets the variable."""
    assert all(name in DROPPED or name.startswith("LD_") for name in variable)
    words = [f"{name}={value}" for name, value in variable.items()]
    alike((), "sh", "-c", 'exec env "$@"', "sh", *words, odd, "fails", change=without_numbers)


def test_audited(alike, odd):
    assert alike((), "env", f"LD_AUDIT={odd.with_name('audit.so')}", odd, "threads")[1] == b"200 1\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("word", ["fails", "children", "spawned"])
def test_as_another_user(alike, odd, word, tmp_path_factory):
    """Also a program that gives up its rights between two errors."""
    setpriv = shutil.which("setpriv")
    for directory in [odd.parent, *odd.parents]:
        if directory != pathlib.Path("/") and os.stat(directory).st_uid == 0:
            directory.chmod(directory.stat().st_mode | 0o055)
    alike((), setpriv, "--reuid=65534", "--regid=65534", "--clear-groups", odd, word)


@pytest.mark.parametrize("command", [
    ["gdb", "-nx", "-batch", "-ex", "print 6 * 7"],
    ["strace", "-V"],
    ["strace", "-o", "/dev/null", "true"],
    ["gdb", "-nx", "-batch", "-ex", "run", "true"],
])
def test_debuggers(tool, environment, tmp_path, command):
    """A debugger runs; whether it gets its program is another matter, but nothing hangs, and no report calls it a crash."""
    if command[-1] == "true":
        command = [*command[:-1], shutil.which("true")]
    ended = subprocess.run([tool, "--no-repro", "--", *command], capture_output=True, text=True, env=environment(),
                           stdin=subprocess.DEVNULL, timeout=HANGS_AFTER, cwd=tmp_path)
    assert "crashed" not in ended.stderr
    if command[-1] in ("-V", "print 6 * 7"):
        assert ended.returncode == 0


def test_python_threads_and_imports(alike):
    code = ("import threading, ctypes, ssl, sqlite3, json\n"
            "def work():\n"
            "    for i in range(50):\n"
            "        try: ctypes.CDLL('libnowhere.so.9')\n"
            "        except OSError as e: assert 'libnowhere.so.9' in str(e), e\n"
            "        try: ctypes.CDLL(None).no_such_symbol\n"
            "        except AttributeError as e: assert 'no_such_symbol' in str(e), e\n"
            "threads = [threading.Thread(target=work) for i in range(4)]\n"
            "[t.start() for t in threads]; [t.join() for t in threads]; print('done')\n")
    assert alike((), sys.executable, "-c", code)[1] == b"done\n"
