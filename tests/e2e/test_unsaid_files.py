"""Files that a program needs and of which it says nothing, or nothing by their name: what is left is the order of things."""

import pytest

PYTHON = "/usr/bin/python3"
NODE = "const fs = require('fs'); "
C = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    struct stat st;
    int f = open(".", O_PATH);
    if (strcmp(argv[1], "stat") == 0)
        return stat(argv[2], &st) ? 8 : 0;
    for (int i = 2; i < argc; i++)
        if (openat(f, argv[i], O_RDONLY) < 0 && i + 1 == argc) {
            if (strcmp(argv[1], "log") == 0) {
                FILE *log = fopen("run.log", "w");
                fputs("E17\n", log);
                fclose(log);
            } else if (strcmp(argv[1], "quiet") != 0) {
                puts(argv[1]);
            }
            return 8;
        }
    return 0;
}
"""
NEEDS = {
    "c, by a directory's descriptor": ["./prog", "quiet", "need.bin"],
    "c, and a log": ["./prog", "log", "need.bin"],
    "c, vague on standard output": ["./prog", "cannot start", "need.bin"],
    "python": [PYTHON, "-c", "import os\ntry: open('need.bin')\nexcept OSError: os._exit(1)"],
    "python, vague on standard output": [PYTHON, "-u", "-c", "import os\ntry: open('need.bin')\nexcept OSError: print('cannot start'); os._exit(1)"],
    "python, after a limit": [PYTHON, "-c", "import os, resource, sys\nresource.setrlimit(resource.RLIMIT_NOFILE, (9, 9))\n"
                                           "f = []\ntry:\n  while f.append(os.open('/dev/null', 0)) is None: pass\nexcept OSError: pass\n"
                                           "for i in f: os.close(i)\ntry: open('need.bin')\n"
                                           "except OSError: sys.stderr.write('vague: data unavailable\\n'); os._exit(1)"],
    "python, on a thread": [PYTHON, "-c", "import os, threading\ndef f():\n  try: open('need.bin')\n  except OSError: os._exit(1)\n"
                                          "t = threading.Thread(target=f); t.start(); t.join()"],
    "node, promises": ["node", "-e", NODE + "fs.promises.readFile('need.bin').catch(() => process.exit(1))"],
    "node, vague on standard output": ["node", "-e", NODE + "try { fs.readFileSync('need.bin') } catch { console.log('cannot start'); process.exit(1) }"],
    "perl, a directory": ["perl", "-e", "chdir('need.bin') or exit 4"],
    "perl, where it died": ["perl", "-e", "open(F, '<', 'need.bin') or die 'cannot start'"],
    "perl, died": ["perl", "-e", "open(F, '<', 'need.bin') or die"],
    "under a shell": ["sh", "-c", "./prog quiet need.bin"],
}
OWN_LOGIC = {
    "python, results": [PYTHON, "-c", "import sys\ntry: open('need.bin')\nexcept OSError: pass\nprint('2 of 5 are too small')\nsys.exit(3)"],
    "c, results": ["./prog", "2 of 5 are too small", "need.bin"],
    "it asks only": ["./prog", "stat", "need.bin"],
    "test": ["test", "-e", "need.bin"],
    "it read something after": [PYTHON, "-c", "import sys\ntry: open('need.bin')\nexcept OSError: pass\nopen('/etc/passwd').read()\nsys.exit(3)"],
    "it tried many": ["./prog", "quiet", "a1", "b2", "c3", "d4", "e5"],
    "a personal file": ["./prog", "quiet", ".needrc"],
    "it did without": [PYTHON, "-c", "try: open('need.bin')\nexcept OSError: pass"],
    "another program went on": ["sh", "-c", "./prog quiet need.bin; grep -q nothing-like-it /etc/passwd"],
    "a name service": ["getent", "passwd", "nobody-like-it"],
    "a question": ["cmp", "-s", "/etc/passwd", "/etc/group"],
    "nothing at all": [PYTHON, "-c", "import sys, json; sys.exit(1)"],
    "node, nothing at all": ["node", "-e", "process.exit(1)"],
    "perl, its own reason": ["perl", "-e", "open(F, '<', 'need.bin'); open(F, '<', '/etc/passwd'); die 'usage: x'"],
}


@pytest.fixture(autouse=True)
def prog(cc):
    return cc(C)


@pytest.mark.parametrize("name", NEEDS)
def test_needs_it(run, tmp_path, name):
    """Where it was given by its name, or words may be about it; else nobody can tell it from a file that is optional."""
    result = run("--", *NEEDS[name])
    if "need.bin" not in NEEDS[name] and not any(word in name for word in ("shell", "vague", "died", "limit")):
        assert result.causes == []
        return
    cause = result.first
    assert (cause["kind"], cause["missing"], cause["impact"]) == ("file-missing", str(tmp_path / "need.bin"), "fatal")
    assert cause["confidence"] >= 0.5


@pytest.mark.parametrize("name", NEEDS)
def test_has_it(run, tmp_path, name):
    if "directory" in name and "perl" in name:
        (tmp_path / "need.bin").mkdir()
    else:
        (tmp_path / "need.bin").write_text("x")
    assert run("--", *NEEDS[name]).causes == []


@pytest.mark.parametrize("name", ["c, by a directory's descriptor", "python", "node, promises"])
def test_link_to_nothing(run, tmp_path, name):
    (tmp_path / "need.bin").symlink_to("gone")
    cause = run("--", *NEEDS[name]).first
    assert (cause["kind"], cause["missing"]) == ("symlink-dangling", str(tmp_path / "gone"))


@pytest.mark.parametrize("name", OWN_LOGIC)
def test_own_logic(run, name):
    assert run("--", *OWN_LOGIC[name]).causes == []


LOADS = {
    "c": ["./load"],
    "python": [PYTHON, "-c", "import ctypes, os\ntry: ctypes.CDLL('./new.so')\nexcept OSError:\n  open('run.log', 'a').write('E17'); os._exit(1)"],
    "perl": ["perl", "-e", "require DynaLoader; DynaLoader::dl_load_file('./new.so') || DynaLoader::dl_load_file('./new.so') or exit 1"],
}


@pytest.mark.parametrize("name", LOADS)
@pytest.mark.parametrize("ends", [True, False])
def test_library_then_a_log(run, cc, tmp_path, name, ends):
    """What goes to a log is words, and what is tried twice is one thing."""
    (tmp_path / "map").write_text("V_9 { global: f; };")
    cc("int f(void) { return 0; }", "-Wl,--version-script=map", "-Wl,-soname,libm.so.6", name="libm.so.6.so")
    cc("int f(void); int g(void) { return f(); }", "./libm.so.6.so" if ends else "-Wl,--unresolved-symbols=ignore-all", "-Wl,-z,lazy", name="new.so")
    cc('#include <dlfcn.h>\n#include <stdio.h>\nint main(void)\n{\n    if (dlopen("./new.so", RTLD_LAZY))\n        return 0;\n'
       '    FILE *log = fopen("run.log", "w");\n    fputs("E17", log);\n    fclose(log);\n    return 3;\n}', name="load")
    if not ends:
        name = "c"
        assert run("--", *LOADS[name]).causes == []
        return
    cause = run("--", *LOADS[name]).first
    assert (cause["kind"], cause["missing"], cause["impact"]) == ("symbol-version-missing", "V_9", "fatal")
