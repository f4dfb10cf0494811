"""Crashes of a program's own making, and signals that are none."""

import pytest

CRASHES = {
    "SIGSEGV": "int main(void) { *(volatile int *)8 = 1; return 0; }\n",
    "SIGABRT": "#include <stdlib.h>\nint main(void) { abort(); }\n",
    "SIGILL": '__asm__(".globl main\\nmain: .byte 0x0f, 0x0b");\n',
    "SIGFPE": "int main(int argc, char **argv) { (void)argv; volatile int zero = argc - 1; return 100 / zero; }\n",
}
BUS = r"""
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
int main(void)
{
    char name[] = "/tmp/busXXXXXX";
    int fd = mkstemp(name);
    volatile char *p = (unlink(name), mmap(0, 4096, PROT_READ, MAP_SHARED, fd, 0));
    return *p;
}
"""


@pytest.mark.parametrize("signal", [*CRASHES, "SIGBUS"])
@pytest.mark.parametrize("below", [False, True])
def test_crash(run, cc, signal, below):
    prog = cc(CRASHES.get(signal, BUS), "-O0")
    result = run("--", *(["sh", "-c", f"{prog}; exit $?"] if below else [prog]))
    cause = result.first
    assert (cause["kind"], cause["missing"], cause["impact"]) == ("crash", signal, "fatal")
    assert cause["subject"] == str(prog)
    assert cause["stack"]
    if signal != "SIGABRT":
        assert cause["stack"][0]["object"] == str(prog)
    assert len(result.causes) == 1


def test_earlier_failure_is_the_cause(run, cc):
    prog = cc('#include <dlfcn.h>\nint main(void) { return *(volatile int *)dlopen("libnowhere.so.4", RTLD_NOW); }\n')
    result = run("--", prog)
    assert [(c["kind"], c["missing"], c["impact"]) for c in result.causes] == [
        ("library-missing", "libnowhere.so.4", "fatal")]


HANDLES = r"""
#include <setjmp.h>
#include <signal.h>
static sigjmp_buf back;
static void on_fault(int signal) { (void)signal; siglongjmp(back, 1); }
int main(void)
{
    signal(SIGSEGV, on_fault);
    if (!sigsetjmp(back, 1))
        *(volatile int *)8 = 1;
    return 0;
}
"""


def test_handled_signal_is_no_crash(run, cc):
    result = run("--", cc(HANDLES))
    assert result.returncode == 0
    assert result.causes == []


@pytest.mark.parametrize("signal", ["TERM", "KILL", "HUP", "INT", "PIPE", "USR1", "ALRM"])
def test_being_ended_is_no_crash(run, signal):
    result = run("--", "sh", "-c", f"kill -{signal} $$; sleep 60")
    assert result.returncode > 128
    assert result.causes == []
