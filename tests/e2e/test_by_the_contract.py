"""Cases of somebody who has read the contract alone: each failing one beside a healthy one that looks like it."""

import os
import struct

import pytest

PYTHON = "/usr/bin/python3"
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"]
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
    "a socket's directory": ({"RUNTIME_HOME": "/run/absent"}, [PYTHON, "-c", "import os, socket\nsocket.socket(socket.AF_UNIX)"
                             ".bind(os.environ['RUNTIME_HOME'] + '/a.sock')"], "environment-wrong", "fatal", "RUNTIME_HOME=/run/absent"),
    "a raw socket": ({}, [*NOBODY, "perl", "-e", "socket(S, 2, 3, 1) or die qq{ping: $!\n}"], "permission-denied", "fatal", "CAP_NET_RAW"),
    "a root of its own": ({}, [*NOBODY, "chroot", "/", "true"], "permission-denied", "fatal", "/"),
    "an exception's name": ({}, [PYTHON, "-c", "import os, sys\nif not os.access('in.csv', 4): sys.exit('java.nio.file.NoSuchFileException: in.csv')"],
                            "file-missing", "fatal", "{top}/in.csv"),
}
HEALTHY = {
    "type, and on": ({}, ["sh", "-c", "if ! type no-such-tool >/dev/null 2>&1; then echo skipped; fi; false"]),
    "spawned, and on": ({}, ["perl", "-e", "system('no-such-tool'); print qq{plain\\n}; exit 3"]),
    "a variable, and another file": ({"APP_CONFIG": "/srv/absent/a.yaml"}, ["./cxx", "x", "/etc/passwd"]),
    "another port": ({}, [*NOBODY, PYTHON, "-c", "import socket\nfor port in 81, 0:\n    try:\n        socket.socket().bind(('127.0.0.1', port))"
                          "\n    except OSError:\n        pass\nraise SystemExit(3)"]),
    "a port in use": ({}, [PYTHON, "-c", "import socket\na, b = socket.socket(), socket.socket()\na.bind(('127.0.0.1', 0))\na.listen()\n"
                           "b.bind(a.getsockname())"]),
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
