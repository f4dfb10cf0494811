"""A dlopen of a program that has no loader: glibc's is within it, and the words name nothing."""

import pytest

SOURCE = """#include <dlfcn.h>
#include <stdio.h>
int main(int argc, char **argv)
{
    void *handle = dlopen(argv[1], RTLD_NOW);
    if (!handle && argc > 2)
        handle = dlopen(argv[2], RTLD_NOW);
    if (handle && argc < 4)
        return 0;
    fputs(argc > 3 ? "bad option\\n" : "cannot load plugin\\n", stderr);
    return 1;
}
"""


@pytest.fixture(params=["with symbols", "stripped"])
def program(cc, request):
    return cc(SOURCE, "-static", "-w", *(["-s"] if request.param == "stripped" else []))


def test_missing(run, program):
    result = run("--", program, "libno-such.so.1")
    assert [(c["kind"], c["missing"], c["impact"], c["subject"]) for c in result.causes] == [
        ("library-missing", "libno-such.so.1", "fatal", str(program))]


def test_got_over(run, program):
    assert run("--", program, "libm.so.6").causes == []
    assert run("--", program, "libno-such.so.1", "libm.so.6").causes == []
    assert run("--", program, "libno-such.so.1", "libm.so.6", "then").causes == []
