"""The loader's own words as evidence, where no system call fails and the program says nothing."""

import json
import subprocess

import pytest

SILENT = r"""
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
    int failed = 0;
    for (int i = 2; i < argc; i++)
        failed += !dlopen(argv[i], RTLD_NOW);
    printf("%d\n", failed);
    return failed ? atoi(argv[1]) : 0;
}
"""
LACKING = "int nobody(void);\nint f(void) { return nobody(); }\n"


def thread_local(size):
    return f'__thread char block[{size}] __attribute__((tls_model("initial-exec")));\nint f(void) {{ return block[1]; }}\n'


@pytest.fixture
def silent(cc):
    return cc(SILENT, "-ldl", name="silent")


@pytest.fixture
def run_with_trace(run, tmp_path):
    """As `run`, and the events of the trace by number."""

    def run_(*args, **how):
        bundle = tmp_path / "case.tar.zst"
        result = run("-o", bundle, *args, **how)
        text = subprocess.run(["tar", "--zstd", "-xOf", bundle, "case/trace.jsonl"], capture_output=True, check=True).stdout
        events = [json.loads(line) for line in text.splitlines()]
        return result, {event["n"]: event for event in events if "n" in event}

    return run_


def _loader_events(cause, events):
    return [events[n] for n in cause["evidence"] if events[n]["type"] == "loader"]


@pytest.mark.parametrize("status", [1, 0])
def test_symbol_that_a_dlopen_misses(run_with_trace, cc, silent, tmp_path, status):
    plugin = cc(LACKING, name="plugin.so")
    result, events = run_with_trace("--", silent, status, plugin)
    cause = result.first
    assert (cause["kind"], cause["subject"], cause["missing"]) == ("symbol-missing", str(plugin), "nobody")
    assert cause["impact"] == ("fatal" if status else "degraded")
    assert cause["words"] == f"{plugin}: undefined symbol: nobody"
    assert _loader_events(cause, events)
    assert len(result.causes) == 1
    assert cause["confidence"] > 0.7 if status else cause["confidence"] < 0.6
    assert result.report["reproduction"]["status"] == "verified"


def test_library_that_a_dlopen_misses(run_with_trace, silent):
    result, events = run_with_trace("--", silent, 1, "libnowhere.so.9")
    cause = result.first
    assert (cause["kind"], cause["missing"], cause["impact"]) == ("library-missing", "libnowhere.so.9", "fatal")
    assert cause["words"] == "libnowhere.so.9: cannot open shared object file: No such file or directory"
    assert _loader_events(cause, events)


def test_version_at_the_start_of_a_program(run_with_trace, cc, tmp_path):
    """The words are the loader's, not the line in which they were printed."""
    (tmp_path / "new.map").write_text("DEP_1 { }; DEP_2 { global: dep; local: *; };")
    (tmp_path / "old.map").write_text("DEP_1 { global: dep; local: *; };")
    library = ["int dep(void) { return 0; }\n", "-Wl,-soname,libdep.so.1"]
    cc(*library, f"-Wl,--version-script={tmp_path}/new.map", name="libdep.so.1")
    prog = cc("int dep(void);\nint main(void) { return dep(); }\n", "./libdep.so.1", "-Wl,-rpath,$ORIGIN")
    cc(*library, f"-Wl,--version-script={tmp_path}/old.map", name="libdep.so.1")
    result, events = run_with_trace("--", prog)
    cause = result.first
    assert (cause["kind"], cause["missing"], cause["impact"]) == ("symbol-version-missing", "DEP_2", "fatal")
    assert cause["words"] == f"{tmp_path}/libdep.so.1: version `DEP_2' not found (required by {prog})"
    assert _loader_events(cause, events)


# Around the reserve that glibc keeps: which of these fits is the loader's to say.
@pytest.mark.parametrize("size", range(1408, 2048, 64))
@pytest.mark.parametrize("count", [1, 2])
def test_static_tls_where_it_is_a_close_thing(run, environment, cc, silent, size, count):
    plugins = [cc(thread_local(size // count), name=f"plugin{i}.so") for i in range(count)]
    native = subprocess.run([silent, "1", *plugins], env=environment(), stdout=subprocess.PIPE, text=True)
    result = run("--", silent, 1, *plugins)
    assert (result.returncode, result.stdout) == (native.returncode, native.stdout)
    found = [(c["kind"], c["missing"], c["impact"]) for c in result.causes]
    assert found == ([("static-tls-exhausted", str(plugins[-1]), "fatal")] if native.returncode else [])


CALLER = r"""
#include <dlfcn.h>
#include <stddef.h>
int dep(void) { return dlopen("libnext.so", RTLD_NOW) == NULL; }
"""


@pytest.mark.parametrize("left", ["text", "nothing", "all"])
def test_run_path_of_the_caller(run, cc, tmp_path, left):
    """A library that opens another by name: it is looked for where that library says, not where the program does."""
    inner = cc("int next;\n", name="inner/libnext.so")
    cc(CALLER, "-Wl,-soname,libcaller.so", "-Wl,-rpath,$ORIGIN/inner", "-Wl,--enable-new-dtags", "-ldl", name="libcaller.so")
    prog = cc("int dep(void);\nint main(void) { return dep(); }\n", "./libcaller.so", "-Wl,-rpath,$ORIGIN",
              "-Wl,--enable-new-dtags")
    if left == "text":
        inner.write_text("no library, but a text that is longer than an ELF header would have to be, at any rate\n")
    elif left == "nothing":
        inner.unlink()
    result = run("--", prog)
    expected = {"text": ("object-corrupt", str(inner)), "nothing": ("library-missing", "libnext.so")}
    if left == "all":
        assert (result.returncode, result.causes) == (0, [])
        return
    assert [(c["kind"], c["missing"], c["impact"]) for c in result.causes] == [(*expected[left], "fatal")]
    assert result.first["subject"] == str(tmp_path / "libcaller.so")
    assert result.first["chain"] == [str(prog), str(tmp_path / "libcaller.so")]
    assert result.report["reproduction"]["status"] == "verified", result.report["reproduction"]


ASKS = r"""
#include <dlfcn.h>
#include <stdlib.h>
int main(int argc, char **argv) { return dlopen("libm.so.7", RTLD_NOW | RTLD_NOLOAD) ? 9 : argc > 1 ? atoi(argv[1]) : 0; }
"""


@pytest.mark.parametrize("status", [0, 3])
def test_asking_what_is_loaded(run, cc, status):
    result = run("--", cc(ASKS, "-ldl"), status)
    assert (result.returncode, result.causes) == (status, [])


def test_misleading_words(run, silent, tmp_path):
    """glibc says of a link to itself that there is no such file; the report says what that is worth."""
    (tmp_path / "libloop.so").symlink_to("libloop.so")
    result = run("--", silent, 1, "libloop.so", env={"LD_LIBRARY_PATH": tmp_path})
    assert (result.first["kind"], result.first["missing"]) == ("symlink-loop", str(tmp_path / "libloop.so"))
    assert "No such file or directory" in result.first["words"]
    assert "misleading" in result.stderr


# --- warnings ---

WARNERS = {
    "node": ("/usr/bin/node", "-e", 'require("tls").createSecureContext(); require("fs").readFileSync("{needed}")'),
    "python": ("/usr/bin/python3", "-c", "import sys\ntry: open('{optional}')\nexcept OSError as e: "
               "print(f'warning: {{e}}', file=sys.stderr)\nopen('{needed}')"),
    "perl": ("/usr/bin/perl", "-e", "open(F, '{optional}') or warn '[Warning] {optional} is ignored'; "
             "open(F, '{needed}') or die '{needed}: $!'"),
}


@pytest.mark.parametrize("name", WARNERS)
def test_what_is_only_warned_of(run, tmp_path, name):
    """It went on without that, and ended of the other; alone it is what it went on without."""
    optional, needed = tmp_path / "optional.pem", tmp_path / "warnings/needed.conf"
    words = [word.format(optional=optional, needed=needed) for word in WARNERS[name]]
    env = {"NODE_EXTRA_CA_CERTS": str(optional)}
    causes = run("--", *words, env=env if name == "node" else None).causes
    assert [(c["kind"], c["missing"]) for c in causes] == [("file-missing", str(needed))]
    needed.parent.mkdir()
    needed.write_text("")
    result = run("--", *words, env=env if name == "node" else None)
    assert result.returncode == 0
    assert all(cause["impact"] == "degraded" for cause in result.causes)


def test_two_that_are_complained_of_are_two(run, tmp_path):
    result = run("--", "cat", tmp_path / "one", tmp_path / "two")
    assert [c["missing"] for c in result.causes] == [str(tmp_path / "one"), str(tmp_path / "two")]


def test_files_beside_the_program_are_no_commands(run):
    result = run("--", "/usr/bin/python3", "-c", "import os; os.kill(os.getpid(), 11)")
    assert result.first["kind"] == "crash"
    assert "_pth" not in result.stderr and "got over it" not in result.stderr
