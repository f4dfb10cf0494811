"""What a name in a line stands for, and whose words the line is: short names in quotes, errors by their name, words of the loader, of a runtime
that panics, and of a program that has closed its descriptors before it ends."""

import os

import pytest

PYTHON = "/usr/bin/python3"

NOBODY = "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"
CLOSES = r"""
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static void leave(void) { close(1); close(2); }
int main(int argc, char **argv)
{
    atexit(leave);
    for (int i = 1; i < argc; i++)
        if (!fopen(argv[i], "r")) {
            fprintf(stderr, "prog: %s: %s\n", argv[i], strerror(errno));
            return 1;
        }
    return 0;
}
"""
# Rust with RUST_BACKTRACE=1: after its words it reads symbols, of which some are not there
PANICS = r"""
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static void say(const char *text) { (void)!write(2, text, strlen(text)); }
int main(int argc, char **argv)
{
    open(argv[1], O_RDONLY);
    say("\nthread 'main' (7) panicked at m.rs:1:41:\n");
    say(argv[2]);
    say("\nstack backtrace:\n");
    close(open(argv[0], O_RDONLY));
    open("/usr/lib/debug/.build-id/d6/b7.debug", O_RDONLY);
    say("   0: rust_begin_unwind\n   1: m::main\n");
    return 101;
}
"""
UNWRAP = "called `Result::unwrap()` on an `Err` value: Os { code: 2, kind: NotFound, message: \"No such file or directory\" }"


@pytest.mark.parametrize("command", [["cat"], [PYTHON, "-c", "import sys; open(sys.argv[1])"], ["perl", "-e", "open(F, '<', $ARGV[0]) or die \"'$ARGV[0]': $!\\n\""]],
                         ids=["cat", "python", "perl"])
def test_short_name(run, tmp_path, command):
    cause = run("--", *command, "q").first
    assert (cause["kind"], cause["missing"], cause["impact"]) == ("file-missing", str(tmp_path / "q"), "fatal")


def test_short_name_is_a_word(run, tmp_path):
    text = "try:\n  open('a')\nexcept OSError: pass\nopen('/etc/passwd').read()\nraise SystemExit('error: line 7 is not a number')"
    assert run("--", PYTHON, "-c", text).causes == []


@pytest.mark.parametrize("path", ["f", "a-longer-one"])
def test_mode_of_another_owner(run, tmp_path, path):
    (tmp_path / path).write_text("")
    tmp_path.chmod(0o755)
    for command in (["chmod", "600", path], [PYTHON, "-c", f"import os; os.chmod('{path}', 0o600)"]):
        result = run("--", *NOBODY, *command)
        assert (result.first["kind"], result.first["missing"]) == ("permission-denied", str(tmp_path / path))
    assert run("--", "chmod", "600", path).causes == []


def test_error_by_its_name(run, tmp_path):
    (tmp_path / "x").symlink_to("x")
    cause = run("--", "node", "--input-type=module", "-e", "import fs from 'fs/promises'; await fs.readFile('x/y/data')").first
    assert (cause["kind"], cause["missing"], cause["impact"]) == ("symlink-loop", str(tmp_path / "x/y/data"), "fatal")


def test_error_by_the_name_of_another(run, tmp_path):
    text = "const fs = require('fs'); try { fs.readFileSync('x-data') } catch {} console.error('EADDRINUSE: x-data'); process.exit(1)"
    assert run("--", "node", "-e", text).causes == []


WARNS = {
    "sh": ["sh", "-c", "./prog app.conf; true"],
    "a pipe": ["bash", "-c", "./prog app.conf | cat"],
    "perl": ["perl", "-e", "system('./prog', 'app.conf'); exit 0"],
    "cat": ["sh", "-c", "cat app.conf; true"],
}


@pytest.mark.parametrize("name", WARNS)
def test_closed_before_the_end(run, cc, tmp_path, name):
    cc(CLOSES)
    result = run("--", *WARNS[name])
    assert result.returncode == 0
    assert (result.first["kind"], result.first["missing"], result.first["impact"]) == ("file-missing", str(tmp_path / "app.conf"), "fatal")


@pytest.mark.parametrize("command", [["sh", "-c", "x=$(./prog app.conf 2>&1); true"], ["sh", "-c", "./prog app.conf 2>/dev/null; true"],
                                     ["sh", "-c", "./prog app.conf 2>log; true"], ["sh", "-c", "./prog /dev/null; true"]],
                         ids=["captured", "hushed", "into a file", "there"])
def test_closed_before_the_end_twin(run, cc, command):
    cc(CLOSES)
    assert run("--", *command).causes == []


def test_panic_with_backtrace(run, cc, tmp_path):
    cc(PANICS)
    result = run("--", "./prog", "d.bin", UNWRAP)
    assert (result.first["kind"], result.first["missing"], result.first["impact"]) == ("file-missing", str(tmp_path / "d.bin"), "fatal")
    assert result.first["words"] == UNWRAP and result.first["confidence"] >= 0.8


def test_panic_of_its_own_with_backtrace(run, cc):
    cc(PANICS)
    assert [cause["kind"] for cause in run("--", "./prog", "d.bin", "index out of bounds: the len is 0 but the index is 4").causes
            if cause["kind"] == "file-missing"] == []


def test_word_of_the_loader(run, cc, tmp_path):
    """"version `GLIBC_2.99' not found" is about no file called "version"."""
    open_ = "open('/etc/x/version') if 0 else os.path.exists('/nowhere/version')"
    import_ = f"import os, ctypes; {open_}; ctypes.CDLL('./new.so')"
    (tmp_path / "map").write_text("V_9 { global: f; };")
    cc("int f(void) { return 0; }", "-Wl,--version-script=map", "-Wl,-soname,libm.so.6", name="libm.so.6.so")
    cc("int f(void); int g(void) { return f(); }", "./libm.so.6.so", name="new.so")
    causes = run("--", PYTHON, "-c", import_).causes
    assert [(cause["kind"], cause["missing"]) for cause in causes] == [("symbol-version-missing", "V_9")]


def test_begins_with_its_own_name(run, tmp_path):
    text = "import os, sys\nos.path.exists('/nowhere/tool') or print('tool: error 3 is not known', file=sys.stderr)\nsys.exit(3)"
    assert run("--", "bash", "-c", f"exec -a tool {PYTHON} -c \"$0\"", text).causes == []


def test_loader_without_its_mode(run, cc, tmp_path):
    tmp_path.chmod(0o755)
    loader = tmp_path / "ld.so"
    loader.write_bytes(open("/lib64/ld-linux-x86-64.so.2", "rb").read())
    cc("int main(void) { return 0; }", f"-Wl,--dynamic-linker={loader}")
    for mode, command in ((0o644, ["sh", "-c", "./prog"]), (0o644, [PYTHON, "-c", "import os; os.execv('./prog', ['x'])"]), (0o755, ["sh", "-c", "./prog"])):
        os.chmod(loader, mode)
        result = run("--", *command)
        found = [(cause["kind"], cause["missing"], cause["impact"]) for cause in result.causes]
        assert found == ([("permission-denied", str(loader), "fatal")] if mode == 0o644 else [])


@pytest.mark.parametrize("entry, found", [("PyInit_another", [("symbol-missing", "PyInit_geo")]), ("PyInit_geo", [])])
def test_entry_point(run, cc, entry, found):
    """A module without the function that Python calls by its file's name is no module of another version."""
    cc("extern void *PyModule_Create2(void *, int); static struct { long ob_refcnt; void *type, *init; long index; void *copy; const char *name, *doc; "
       "long size; void *rest[5]; } m = {1, 0, 0, 0, 0, \"geo\", 0, -1, {0}};"
       f"void *{entry}(void) {{ return PyModule_Create2(&m, 1013); }}", name="geo.so")
    causes = run("--", PYTHON, "-B", "-c", "import sys; sys.path.insert(0, '.'); import geo").causes
    assert [(cause["kind"], cause["missing"]) for cause in causes] == found
