"""Cases of somebody who has read the contract alone: each failing one beside a healthy one that looks like it."""

import os
import struct

import pytest

PYTHON = "/usr/bin/python3"
CXX = """
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <locale>
int main(int argc, char **argv)
{
    if (argc == 1) {
        std::locale asked("");
        return 4;
    }
    const char *path = getenv("APP_CONFIG");
    std::ifstream file(path ? path : "/dev/null");
    if (!file && argc > 2)
        file.open(argv[2]);
    if (!file) {
        std::cerr << "bad config\\n";
        return 2;
    }
    return 5;
}
"""
HOST = r"""
#include <dlfcn.h>
#include <stdio.h>
int main(int argc, char **argv)
{
    void *plugin = dlopen("./p.so", RTLD_LAZY);
    if (dlsym(plugin, argv[1]))
        return 0;
    if (argc > 2)
        fprintf(stderr, "host: %s: %s\n", argv[2], dlerror());
    puts("up");
    return 0;
}
"""


def _header(machine):
    """An ELF file of another machine that ends behind its header."""
    return b"\x7fELF" + bytes([2, 1, 1]) + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 3, machine, 1, 0, 0, 0, 0, 64, 56, 0, 64, 0, 0)


@pytest.fixture
def place(cc, tmp_path):
    """The files of the cases."""
    cc(HOST, name="host")
    cc("int plug_in(void) { return 1; }", "-shared", "-fPIC", name="p.so")
    (tmp_path / "x.cc").write_text(CXX)
    assert os.system(f"c++ -o {tmp_path}/cxx {tmp_path}/x.cc") == 0
    (tmp_path / "tool").symlink_to(tmp_path / "gone")
    (tmp_path / "other").write_bytes(_header(183))
    (tmp_path / "other").chmod(0o755)
    return tmp_path


# environment, command; kind, impact, missing
FAILING = {
    "a link on PATH": ({"PATH": "{top}:/usr/bin:/bin"}, ["sh", "-c", "tool --version"], "symlink-dangling", "fatal", "{top}/gone"),
    "another machine's header": ({}, ["bash", "-c", "./other"], "wrong-architecture", "fatal", "x86_64"),
    "a variable, and words without a name": ({"APP_CONFIG": "/srv/absent/a.yaml"}, ["./cxx", "x"], "environment-wrong", "fatal",
                                             "APP_CONFIG=/srv/absent/a.yaml"),
    "a locale": ({"LC_ALL": "xx_YY"}, ["./cxx"], "environment-wrong", "fatal", "LC_ALL=xx_YY"),
    "a plug-in that is none": ({}, ["./host", "plug_begin", "warning: no plug-in"], "symbol-missing", "degraded", "plug_begin"),
    "an exception's name": ({}, [PYTHON, "-c", "import os, sys\nif not os.access('in.csv', 4): sys.exit('java.nio.file.NoSuchFileException: in.csv')"],
                            "file-missing", "fatal", "{top}/in.csv"),
}
HEALTHY = {
    "type, and on": ({}, ["sh", "-c", "if ! type no-such-tool >/dev/null 2>&1; then echo skipped; fi; false"]),
    "spawned, and on": ({}, ["perl", "-e", "system('no-such-tool'); print qq{plain\\n}; exit 3"]),
    "a variable, and another file": ({"APP_CONFIG": "/srv/absent/a.yaml"}, ["./cxx", "x", "/etc/passwd"]),
    "another symbol": ({}, ["./host", "plug_begin", "using plug_in instead"]),
    "no words of it": ({}, ["./host", "plug_begin"]),
}


@pytest.mark.parametrize("case", FAILING)
def test_fails(run, place, case):
    variables, command, kind, impact, missing = FAILING[case]
    variables = {name: value.format(top=place) for name, value in variables.items()}
    causes = run("--", *command, env=variables).causes
    assert [(c["kind"], c["impact"], c["missing"]) for c in causes] == [(kind, impact, missing.format(top=place))]


@pytest.mark.parametrize("case", HEALTHY)
def test_is_healthy(run, place, case):
    variables, command = HEALTHY[case]
    assert run("--", *command, env=variables).causes == []
