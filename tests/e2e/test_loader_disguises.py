"""Failures of the loader that look like something else, and things that look like them and are none."""

import os

import pytest

PYTHON = "/usr/bin/python3"


def _found(result):
    return [(c["kind"], c["missing"], c["impact"]) for c in result.causes]


def test_library_without_any_versions(run, cc, script):
    """The loader warns; what ends the program is an assertion when the first symbol is bound."""
    versions = script("map", "ONE { global: one; local: *; };\nTWO { global: two; } ONE;\n")
    source = "int one(void) { return 0; }\nint two(void) { return 0; }\n"
    cc(source, f"-Wl,--version-script={versions}", "-Wl,-soname,libdep.so.1", name="libdep.so.1")
    prog = cc("int two(void);\nint main(int c, char **v) { (void)v; return c > 1 ? 0 : two(); }\n", "./libdep.so.1",
              "-Wl,-rpath,$ORIGIN", "-Wl,-z,lazy")
    assert run("--", prog).causes == []
    library = cc(source, "-Wl,-soname,libdep.so.1", name="libdep.so.1")
    result = run("--", prog)
    assert _found(result) == [("symbol-version-missing", "TWO", "fatal")]
    assert (result.first["subject"], result.first["provider"]) == (str(prog), str(library))
    assert result.report["reproduction"]["status"] == "verified"
    assert run("--", prog, "not-called").causes == []  # a warning is all


def test_directory_that_may_not_be_entered(run, cc, open_to_all):
    """The loader tries its subdirectories for newer processors first; what is meant is the library's own place."""
    cc("int dep(void) { return 0; }\n", "-Wl,-soname,libdep.so.1", name="libdep.so.1", cwd=open_to_all / "sealed")
    prog = cc("int dep(void);\nint main(void) { return dep(); }\n", "sealed/libdep.so.1", "-Wl,-rpath,$ORIGIN/sealed",
              cwd=open_to_all)
    assert run("-u", "nobody", "--", prog).causes == []
    os.chmod(open_to_all / "sealed", 0o600)
    result = run("-u", "nobody", "--", prog)
    assert _found(result) == [("permission-denied", str(open_to_all / "sealed" / "libdep.so.1"), "fatal")]


def test_paths_are_told_tidily(run, cc, tmp_path):
    """bin/../lib is lib, unless bin is a link to somewhere else."""
    cc("int b(void) { return 0; }\n", "-Wl,-soname,libb.so", name="libb.so", cwd=tmp_path / "app" / "lib")
    liba = cc("int b(void);\nint a(void) { return b(); }\n", "app/lib/libb.so", "-Wl,-soname,liba.so", name="liba.so",
              cwd=None).rename(tmp_path / "app" / "lib" / "liba.so")
    prog = cc("int a(void);\nint main(void) { return a(); }\n", "app/lib/liba.so", "-Wl,--allow-shlib-undefined",
              "-Wl,-rpath,$ORIGIN/../lib", name="app/bin/prog")
    result = run("--", prog)
    assert _found(result) == [("library-off-path", "libb.so", "fatal")]
    assert result.first["subject"] == str(liba)
    assert result.first["chain"] == [str(prog), str(liba)]


WANTS = """
#include <dlfcn.h>
#include <stdio.h>
int main(int argc, char **argv)
{
    int (*start)(void) = (int (*)(void))dlsym(dlopen(argv[1], RTLD_LAZY), "start");
    if (!start && argc > 2) {
        fprintf(stderr, "%s", argv[2]);
        return argv[2][0] == 'n';
    }
    return start();
}
"""


@pytest.mark.parametrize("words, harm", [("not one of mine\n", True), ("works without\n", False), (None, True)])
def test_symbol_that_a_plugin_has_to_have(run, cc, words, harm):
    """The program says so in words that name nothing, or jumps to where nothing is; or does without."""
    prog = cc(WANTS)
    plugin = cc("int start(void) { return 0; }\n", name="plugin.so")
    args = [prog, plugin] + ([words] if words else [])
    assert run("--", *args).causes == []
    cc("int begin(void) { return 0; }\n", name="plugin.so")
    assert _found(run("--", *args)) == ([("symbol-missing", "start", "fatal")] if harm else [])


def test_optional_symbol_before_a_dlopen_that_fails(run, cc):
    """As java asks for JNI_OnLoad_NAME of itself before it loads NAME."""
    prog = cc('#include <dlfcn.h>\n#include <stdio.h>\nint main(int c, char **v) { (void)c; dlsym(dlopen(0, 1), "On_plugin");'
              ' if (dlopen(v[1], RTLD_NOW)) return 0; fprintf(stderr, "%s\\n", dlerror()); return 1; }\n')
    plugin = cc("int need(void);\nint use(void) { return need(); }\n", name="plugin.so")
    assert _found(run("--", prog, plugin)) == [("symbol-missing", "need", "fatal")]


ANSWERS = """
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
int main(int argc, char **argv)
{
    char line[512];
    FILE *file;
    (void)argc;
    dlopen("libnowhere-accelerated.so.1", RTLD_LAZY);
    file = fopen("/etc/passwd", "r");
    while (file && fgets(line, sizeof line, file))
        if (strstr(line, argv[1]))
            return 0;
    return 1;
}
"""


def test_answer_in_the_status_is_not_the_optional_library(run, cc):
    prog = cc(ANSWERS)
    for word, status in (("root", 0), ("nobody of this name", 1)):
        result = run("--", prog, word)
        assert (result.returncode, result.causes) == (status, [])


ENDED_BY_ITS_PARENT = r"""
#include <dlfcn.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void)
{
    int ready[2], status;
    char byte;
    if (pipe(ready))
        return 1;
    pid_t child = fork();
    if (!child) {
        dlopen("libno-such-thing.so.7", RTLD_LAZY);
        (void)!write(ready[1], "x", 1);
        for (;;)
            pause();
    }
    if (read(ready[0], &byte, 1) != 1)
        return 1;
    kill(child, SIGTERM);
    return waitpid(child, &status, 0) != child;
}
"""


def test_optional_library_was_the_last_that_a_worker_tried_before_it_was_told_to_end(run, cc):
    result = run("--", cc(ENDED_BY_ITS_PARENT, "-ldl"))
    assert result.returncode == 0
    assert result.causes == []
