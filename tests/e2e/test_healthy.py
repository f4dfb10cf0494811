"""Healthy programs under the tracer: nothing is said of causes, and status and output are what they are without it."""

import os
import subprocess

import pytest

PYTHON = "/usr/bin/python3"
COMMANDS = {
    "true": ["true"],
    "gopls": ["gopls", "version"],
    "node": ["node", "-e", "0"],
    "node modules": ["node", "-e", "require('http'); require('zlib'); console.log(require('os').EOL.length)"],
    "gcc": ["gcc", "-c", "x.c", "-o", "x.o"],
    "git status": ["git", "status", "--short"],
    "python json": [PYTHON, "-c", "import json; print(json.dumps([1]))"],
    "python ssl": [PYTHON, "-c", "import ssl, sqlite3, ctypes; print('ok')"],
    "python import probe": [PYTHON, "-c", "try:\n import no_such_module\nexcept ImportError: print('went on')"],
    "find head": ["sh", "-c", "find / 2>/dev/null | head -1"],
    "perl": ["perl", "-MFile::Temp", "-e", "print 1 + 1"],
    "bash login": ["bash", "-lc", "echo $((2 + 2))"],
    "pipes": ["sh", "-c", "echo b | cat | tr b c; ls /nowhere 2>/dev/null || echo none"],
    "grep without a match": ["grep", "nothing-like-it", "/etc/passwd"],
    "ls": ["ls", "-la", "/etc/debian_version"],
    "make": ["make", "-f", "/dev/null", "-q", "-p"],
    "apt-get": ["apt-get", "--version"],
    "awk": ["awk", "BEGIN { print 42 }"],
    "getent": ["getent", "passwd", "root"],
    "iconv": ["iconv", "-f", "UTF-8", "-t", "LATIN1", "/etc/passwd"],
    "locale": ["locale", "-a"],
    "ldd": ["sh", "-c", "ldd /bin/sh | sed 's/ (.*//'"],
    "many": ["bash", "-c", "for i in {1..50}; do /bin/true; done; echo $?"],
    "preloaded": ["env", "LD_PRELOAD=libm.so.6", "sh", "-c", "cat /etc/debian_version"],
    # Errors of the loader that are caught: name services, character sets, symbols that may be there or not.
    "name services as nobody": ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "getent", "group", "root"],
    "character sets": ["sh", "-c", "printf '\\344\\n' | iconv -f ISO-8859-15 -t UTF-16LE | wc -c"],
    "python optional": [PYTHON, "-c", "import ctypes; print(hasattr(ctypes.CDLL(None), 'no_such_function'))"],
    "perl modules": ["perl", "-MPOSIX", "-MSocket", "-MEncode", "-e", "print POSIX::floor(2.5)"],
    "gdb": ["gdb", "-batch", "-ex", "python print(1 + 1)", "-ex", "quit"],
    "git clone": ["sh", "-c", "rm -rf a b; git init -q a && cd a && git -c user.name=x -c user.email=x@y commit -q --allow-empty -m x"
                  " && cd .. && git clone -q a b && ls -d b/.git"],
    "gcc -O2": ["sh", "-c", "gcc -O2 -Wall x.c -o x && ./x"],
    "virtual environment": ["sh", "-c", f"{PYTHON} -m venv --without-pip v && v/bin/python -c 'import sys; print(sys.prefix != sys.base_prefix)'"],
    "optional dependency": ["node", "-e", "for (const m of ['fsevents', 'bufferutil', './no/such']) try { require(m) } catch (e) {}"
                            "console.log('works')"],
    "login shell": ["bash", "-lc", "true"],
    "find head as nobody": ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c", "find / | head -1"],
    "differences": ["sh", "-c", "diff x.c /etc/passwd >/dev/null; grep -q nothing-like-it x.c; test -e /nowhere; echo $?"],
    "compilation that needs no change": ["make", "-s", "-f", "/dev/null", "x.c"],
    "ldconfig": ["sh", "-c", "/sbin/ldconfig -p | wc -l"],
    "search in all of it": ["sh", "-c", "grep -rl nothing-like-it /etc/ssl /etc/apt 2>/dev/null; echo $?"],
    "alternatives": [PYTHON, "-c", """
import ctypes
for name in ("libc.so.99", "libc.so.6"):
    try:
        print(ctypes.CDLL(name) is not None)
        break
    except OSError:
        pass
"""],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_healthy(run, environment, tmp_path, name):
    command = COMMANDS[name]
    (tmp_path / "x.c").write_text("#include <stdio.h>\nint main(void) { puts(\"x\"); return 0; }\n")
    subprocess.run(["git", "init", "-q", "."], cwd=tmp_path, check=False)
    native = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True,
                            stdin=subprocess.DEVNULL)
    result = run("-q", "--", *command)
    assert [(c["kind"], c["subject"], c["missing"]) for c in result.causes] == []
    assert result.returncode == native.returncode
    if name not in ("make", "git status"):
        assert result.stdout == native.stdout
        assert result.stderr == native.stderr or name == "find head as nobody"  # how far it came is chance
    assert result.report["counts"]["lost"] == 0


PROBES = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
    void *self = dlopen(NULL, RTLD_NOW);
    int found = dlsym(RTLD_DEFAULT, "optional_one") || dlsym(self, "optional_two") || dlsym(RTLD_NEXT, "optional_three") ||
                dlvsym(RTLD_DEFAULT, "puts", "GLIBC_9.9");
    if (argc > 1)
        fprintf(stderr, "no settings were given\n");
    printf("%d\n", found);
    return argc > 1 ? atoi(argv[1]) : 0;
}
"""


@pytest.mark.parametrize("status", [None, 0, 3])
def test_probing_for_symbols(run, cc, status):
    """A dlsym(3) that finds nothing is no failure, not even where the program fails later, for a reason of its own."""
    result = run("--", cc(PROBES, "-ldl"), *([] if status is None else [status]))
    assert (result.returncode, result.stdout) == (status or 0, "0\n")
    assert [(c["kind"], c["missing"]) for c in result.causes] == []


def test_report_of_a_healthy_run_says_so(run):
    result = run("--", "true")
    assert "Nothing failed" in result.stderr
    assert os.path.exists(result.report_path)
