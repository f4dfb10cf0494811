"""Each sort of crash of a C program, with what the report must say of it, and healthy twins."""

import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

# name: (source, flags, signal, words of the summary, function on top of the stack or NULL, words of the address)
SORTS = {
    "null-write": ("struct l { int a, b, c; };\n"
                   "__attribute__((noinline)) void parse_line(struct l *p) { p->c = 7; }\n"
                   "int main(void) { parse_line(0); return 0; }\n",
                   (), "SIGSEGV", ["parse_line", "wrote through a null pointer"], "parse_line",
                   ["0x8, written", "a null pointer and 8"]),
    "null-read": ("__attribute__((noinline)) int first(int *p) { return *p; }\n"
                  "int main(void) { return first(0); }\n",
                  (), "SIGSEGV", ["first", "read through a null pointer"], "first", ["0x0, read", "a null pointer"]),
    "null-call": ("struct ops { void (*go)(int); };\n"
                  "__attribute__((noinline)) void dispatch(struct ops *o) { o->go(3); }\n"
                  "int main(void) { struct ops o = {0}; dispatch(&o); return 0; }\n",
                  (), "SIGSEGV", ["dispatch", "called a null pointer"], None, ["0x0, executed"]),
    "jump-to-data": ("static char data[100] = {(char)0xc3};\n"
                     "__attribute__((noinline)) void leap(void) { ((void (*)(void))data)(); }\n"
                     "int main(void) { leap(); return 0; }\n",
                     (), "SIGSEGV", ["leap", "not executable"], None, ["executed", "writable memory of"]),
    "write-to-rodata": ("__attribute__((noinline)) void scribble(volatile char *p) { *p = 'x'; }\n"
                        'int main(void) { scribble((char *)"hello"); return 0; }\n',
                        (), "SIGSEGV", ["scribble", "read-only"], "scribble", ["written", "read-only memory of"]),
    "stack-overflow": ("int f(int n) { volatile char b[1000]; b[0] = n; return n ? f(n + 1) + b[0] : 0; }\n"
                       "int main(void) { return f(1); }\n",
                       (), "SIGSEGV", ["stack of its main thread is used up"], "f", ["below the end of the stack"]),
    "thread-stack-overflow": ("#include <pthread.h>\n"
                              "int f(int n) { volatile char b[1000]; b[0] = n; return n ? f(n + 1) + b[0] : 0; }\n"
                              "void *deep(void *a) { return (void *)(long)f(a != 0); }\n"
                              "int main(void) { pthread_t t; pthread_create(&t, 0, deep, &t); pthread_join(t, 0); }\n",
                              ("-pthread",), "SIGSEGV", ["stack of its thread", "is used up"], "f",
                              ["below the end of the stack of thread"]),
    "non-canonical": ("__attribute__((noinline)) int peek(unsigned long a) { return *(volatile int *)a; }\n"
                      "int main(void) { return peek(0x4141414141414141); }\n",
                      (), "SIGSEGV", ["peek", "0x4141414141414141", "no address"], "peek",
                      ["worked out from the instruction", "not canonical"]),
    "unaligned": ("#include <emmintrin.h>\nchar room[64] __attribute__((aligned(16)));\n"
                  "__attribute__((noinline)) void put(void *p) { __asm__ volatile(\"movaps %%xmm0, (%0)\" :: \"r\"(p)); }\n"
                  "int main(void) { put(room + 1); return 0; }\n",
                  (), "SIGSEGV", ["put", "aligned"], "put", ["worked out from the instruction"]),
    "privileged": ("__attribute__((noinline)) void halt(void) { __asm__ volatile(\"hlt\"); }\n"
                   "int main(void) { halt(); return 0; }\n", (), "SIGSEGV", ["halt", "hlt", "kernel"], "halt", None),
    "past-the-end": ("#include <sys/mman.h>\n"
                     "__attribute__((noinline)) int over(volatile char *p) { return p[12]; }\n"
                     "int main(void) { char *p = mmap(0, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);\n"
                     "  munmap(p + 4096, 8192); return over(p + 4096); }\n",
                     (), "SIGSEGV", ["over", "12 bytes past the end"], "over", ["12 bytes before it ends"]),
    "divide": ("__attribute__((noinline)) int divide(int a, int b) { return a / b; }\n"
               "int main(int c, char **v) { (void)v; return divide(100, c - 1); }\n",
               (), "SIGFPE", ["divide", "by zero"], "divide", None),
    "ud2": ("__attribute__((noinline)) void never(void) { __builtin_trap(); }\nint main(void) { never(); return 0; }\n",
            (), "SIGILL", ["never", "ud2"], "never", None),
    "int3": ("__attribute__((noinline)) void stop(void) { __asm__ volatile(\"int3\"); }\n"
             "int main(void) { stop(); return 0; }\n", (), "SIGTRAP", ["stop", "breakpoint"], "stop", None),
    "assert": ("#undef NDEBUG\n#include <assert.h>\nstatic void check(int c) { assert(c == 5); }\n"
               "int main(int c, char **v) { (void)v; check(c); return 0; }\n",
               (), "SIGABRT", ["check", "Assertion `c == 5' failed"], None, None),
    "abort": ("#include <stdlib.h>\n__attribute__((noinline)) void give_up(void) { abort(); }\n"
              "int main(void) { give_up(); }\n", (), "SIGABRT", ["give_up", "abort"], None, None),
    "raise": ("#include <signal.h>\n__attribute__((noinline)) int end(void) { return raise(SIGSEGV); }\n"
              "int main(void) { return end(); }\n", (), "SIGSEGV", ["end", "sent itself SIGSEGV"], None, None),
    "double-free": ("#include <stdlib.h>\nint main(void) { char *p = malloc(20); free(p); free(p); return 0; }\n",
                    ("-w",), "SIGABRT", ["main", "double free"], None, None),
    "stack-smashing": ("#include <string.h>\n"
                       "__attribute__((noinline)) int fill(int n) { volatile char b[8]; memset((char *)b, 'a', n); return b[0]; }\n"
                       "int main(int c, char **v) { (void)v; return fill(c * 64); }\n",
                       ("-fstack-protector-all",), "SIGABRT", ["stack smashing detected"], None, None),
    "fortify": ("#include <string.h>\n#include <stdlib.h>\nchar b[8];\n"
                "int main(int c, char **v) { strcpy(b, c > 5 ? v[0] : \"far too long for that\"); return b[0] == 3; }\n",
                ("-O2", "-D_FORTIFY_SOURCE=2", "-w"), "SIGABRT", ["buffer overflow detected"], None, None),
}

WITHOUT_MAIN = ("stack-overflow", "thread-stack-overflow", "stack-smashing")  # too deep; of another thread; overwritten


@pytest.mark.parametrize("sort", SORTS)
def test_sort(run, cc, sort):
    source, flags, signal, summary, top, address = SORTS[sort]
    prog = cc(source, "-g", "-O0", *flags)
    result = run("--no-repro", "--", prog)
    cause = result.first
    assert len(result.causes) == 1
    assert (cause["kind"], cause["missing"], cause["impact"], cause["subject"]) == ("crash", signal, "fatal", str(prog))
    for words in summary:
        assert words in cause["summary"]
    facts = {fact["label"]: fact["text"] for fact in cause["facts"]}
    if top:
        assert cause["stack"][0]["symbol"] == top
    assert "main" in [frame.get("symbol") for frame in cause["stack"]] or sort in WITHOUT_MAIN
    for words in address or []:
        assert words in facts["the address"]
    crash = cause["crash"]
    assert any("rip" in line for line in crash["registers"])
    assert sum(line.startswith("→") for line in crash["code"]) == (0 if sort == "null-call" else 1)
    assert any(title.startswith("thread ") for title in crash)
    for words in summary[-1:]:
        assert words in result.stderr.replace("\n  ", " ") or len(words) > 20


def test_instruction_is_marked(run, cc):
    prog = cc("int main(void) { __asm__ volatile(\"xorl %eax, %eax; movl %eax, 0x18(%rax); nop\"); return 0; }\n", "-g")
    code = run("--no-repro", "--", prog).first["crash"]["code"]
    here = [line.startswith("→") for line in code].index(True)
    assert "movl %eax, 0x18(%rax)" in code[here]
    assert "xorl %eax, %eax" in code[here - 1] and "nop" in code[here + 1]


BUS = r"""
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
__attribute__((noinline)) int look(volatile char *p) { return p[12288]; }
int main(int argc, char **argv)
{
    int fd = open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0600), all = argc > 2;
    if (ftruncate(fd, 20000)) return 9;
    volatile char *p = mmap(0, 20000, PROT_READ, MAP_SHARED, fd, 0);
    if (!all && ftruncate(fd, 100)) return 9;
    return look(p);
}
"""


def test_file_that_shrank(run, cc, tmp_path):
    prog = cc(BUS, "-g", "-O0")
    cause = run("--no-repro", "--", prog, tmp_path / "data.bin").first
    assert (cause["kind"], cause["missing"]) == ("crash", "SIGBUS")
    assert f"byte 12288 of the mapped file {tmp_path}/data.bin, which is only 100 bytes long" in cause["summary"]
    assert run("--no-repro", "--", prog, tmp_path / "data.bin", "all").causes == []


GONE = r"""
#include <dlfcn.h>
int main(int argc, char **argv)
{
    void *h = dlopen(argv[1], RTLD_NOW);
    int (*f)(void) = (int (*)(void))dlsym(h, "plugin_go");
    if (argc < 3) dlclose(h);
    return f();
}
"""


def test_function_of_an_unloaded_object(run, cc):
    plugin = cc("int spare(int a) { return a * 77 + 1; }\nint plugin_go(void) { return 0; }\n", name="libplug.so")
    prog = cc(GONE, "-g")
    cause = run("--no-repro", "--", prog, plugin).first
    assert cause["missing"] == "SIGSEGV"
    for words in ("in main", "unloaded", f"plugin_go of {plugin}"):
        assert words in cause["summary"]
    assert run("--no-repro", "--", prog, plugin, "kept").causes == []


THREADS = r"""
#include <pthread.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>
static int ready[2];
__attribute__((noinline)) static void waits_here(void) { char c; write(ready[1], "", 1); read(0, &c, 1); pause(); }
static void *idle(void *a) { prctl(PR_SET_NAME, "idler"); waits_here(); return a; }
__attribute__((noinline)) static void bad(int *p) { *p = 1; }
/* Until main, too, sleeps where it will: in pthread_join(). */
static void settle(void) { char state; do { FILE *f = fopen("/proc/self/stat", "r"); fscanf(f, "%*d %*s %c", &state); fclose(f); } while (state != 'S'); }
static void *worker(void *a) { char c; prctl(PR_SET_NAME, "worker"); read(ready[0], &c, 1); settle(); bad(0); return a; }
int main(void)
{
    pthread_t x, y;
    pipe(ready);
    pthread_create(&x, 0, idle, 0);
    pthread_create(&y, 0, worker, 0);
    pthread_join(y, 0);
    return 0;
}
"""


def test_all_threads_are_told(run, cc):
    """Main waits for the thread that crashes; a third one reads."""
    cause = run("--no-repro", "--", cc(THREADS, "-g", "-O0", "-w", "-pthread", name="threads")).first
    assert "bad (threads.c:" in cause["summary"] and [f["symbol"] for f in cause["stack"][:2]] == ["bad", "worker"]
    threads = {title.split()[2]: "\n".join(lines) for title, lines in cause["crash"].items() if title.startswith("thread ")}
    assert list(threads)[0] == "worker"  # the one that crashed comes first
    assert "waits_here" in threads["idler"] and "main" in threads["threads"]


HANDLER = r"""
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static sigjmp_buf back;
static const char *how;
static char room[65536];
static void on_fault(int s)
{
    write(2, "caught it\n", 10);
    if (!strcmp(how, "exit")) _exit(3);
    if (!strcmp(how, "abort")) abort();
    if (!strcmp(how, "raise")) { signal(s, SIG_DFL); raise(s); _exit(4); }
    if (!strcmp(how, "again")) { signal(s, SIG_DFL); return; }
    siglongjmp(back, 1);
}
__attribute__((noinline)) static void fault(void) { *(volatile int *)8 = 1; }
int main(int argc, char **argv)
{
    stack_t alt = {.ss_sp = room, .ss_size = sizeof room};
    struct sigaction act = {.sa_handler = on_fault, .sa_flags = argc > 2 ? SA_ONSTACK : 0};
    how = argv[1];
    sigaltstack(&alt, 0);
    sigaction(SIGSEGV, &act, 0);
    if (!sigsetjmp(back, 1))
        fault();
    return strcmp(how, "fails") ? 0 : 7;
}
"""


@pytest.mark.parametrize("alt", [False, True])
@pytest.mark.parametrize("how", ["exit", "abort", "raise", "again"])
def test_dies_in_its_handler(run, cc, how, alt):
    prog = cc(HANDLER, "-g", "-O0", "-w")
    result = run("--no-repro", "--", prog, how, *(["alt"] if alt else []))
    cause = result.first
    assert len(result.causes) == 1
    assert (cause["kind"], cause["missing"]) == ("crash", "SIGSEGV")
    assert "in fault (" in cause["summary"] and "wrote through a null pointer" in cause["summary"]
    assert cause["words"] == "caught it"
    assert [frame["symbol"] for frame in cause["stack"][:2]] == ["fault", "main"]


@pytest.mark.parametrize("how", ["recovers", "fails"])
def test_recovers_from_its_handler(run, cc, how):
    """A status that has nothing to do with the signal that was got over is no crash."""
    result = run("--no-repro", "--", cc(HANDLER, "-g", "-O0", "-w"), how)
    assert result.returncode == (7 if how == "fails" else 0)
    assert result.causes == []


# Instructions by the flag of /proc/cpuinfo that says that a processor has them.
ABSENT = {"xop": ("XOP", "0x8f,0xe9,0x78,0x90,0xc0"), "tbm": ("TBM", "0x8f,0xe9,0x78,0x01,0xc8"),
          "3dnow": ("3DNOW", "0x0f,0x0f,0xc1,0x9e"), "avx512er": ("AVX512ER", "0x62,0xf2,0x7d,0x48,0xc8,0xc1"),
          "avx512_fp16": ("AVX512-FP16", "0x62,0xf5,0x7c,0x48,0x58,0xc1"), "avx512f": ("AVX512F", "0x62,0xf1,0x7d,0x48,0xfe,0xc1"),
          "avx2": ("AVX2", "0xc5,0xfd,0xfe,0xc1"), "bmi2": ("BMI2", "0xc4,0xe2,0xfb,0xf5,0xc1"),
          "sha_ni": ("SHA", "0x0f,0x38,0xc8,0xc1"), "avx512_vp2intersect": ("AVX512_VP2INTERSECT", "0x62,0xf2,0x57,0x48,0x68,0xd6"),
          "movdir64b": ("MOVDIR64B", "0x66,0x0f,0x38,0xf8,0x06"), "serialize": ("SERIALIZE", "0x0f,0x01,0xe8"),
          "amx_tile": ("AMX-TILE", "0xc4,0xe2,0x7b,0x4b,0x04,0x0e"), "avx_vnni": ("AVX-VNNI", "0xc4,0xe2,0x75,0x50,0xc2"),
          "sha512": ("SHA512", "0xc4,0xe2,0x77,0xcb,0xc2"), "waitpkg": ("WAITPKG", "0x66,0x0f,0xae,0xf0"),
          "apx": ("APX", "0xd5,0x18,0x89,0xc0"), "sgx": ("SGX", "0x0f,0x01,0xd7"), "avx512_4fmaps": ("AVX512_4FMAPS", "0x62,0xf2,0x7f,0x48,0x9a,0x06")}


def lacking():
    flags = next(line for line in open("/proc/cpuinfo") if line.startswith("flags")).split()
    return [flag for flag in ABSENT if flag not in flags]


def test_instruction_that_this_processor_lacks(run, cc):
    assert lacking(), "this processor has everything that the test knows"
    for flag in lacking():
        name, encoding = ABSENT[flag]
        library = cc(f'int fast(void) {{ __asm__ volatile(".byte {encoding}"); return 0; }}\n', "-g", name="libfast.so")
        prog = cc("int fast(void);\nint main(void) { return fast(); }\n", "-g", library, f"-Wl,-rpath,{library.parent}")
        result = run("--no-repro", "--", prog)
        cause = result.first
        assert result.report["outcome"]["signal"] == "SIGILL"
        assert (cause["kind"], cause["missing"], cause["subject"]) == ("cpu-level-too-low", name, str(library))
        assert name in cause["summary"] and "fast" in cause["summary"]


ACTORS = {
    "python": lambda library: ["/usr/bin/python3", "-c", f"import ctypes; ctypes.CDLL('{library}').fast()"],
    "node": lambda library: ["node", "-e", f"process.dlopen({{exports: {{}}}}, '{library}')"],
    "perl": lambda library: ["perl", "-MDynaLoader", "-e", f"DynaLoader::dl_load_file('{library}', 0) or exit 3"],
}


@pytest.mark.parametrize("actor", ACTORS)
def test_others_call_what_this_processor_lacks(run, cc, actor):
    """An add-on that executes it when it is loaded; its twin executes what no processor has."""
    name, encoding = ABSENT[lacking()[-1]]
    for code, expected in ((encoding, ("cpu-level-too-low", name)), ("0x06,0x06", ("crash", "SIGILL")),
                           ("0xfa", ("crash", "SIGSEGV")), ("0x90", None)):
        library = cc(f'__attribute__((constructor)) void fast(void) {{ __asm__ volatile(".byte {code}"); }}\n', "-g",
                     name="fast.so")
        result = run("--no-repro", "--", *ACTORS[actor](library))
        found = [(c["kind"], c["missing"]) for c in result.causes]
        if expected:
            assert found == [expected]
            assert result.first["subject"] == str(library) or expected[0] == "crash"
        else:
            assert not {kind for kind, _ in found} & {"crash", "cpu-level-too-low"}


def test_instruction_that_this_processor_has(run, cc):
    assert run("--", cc("int main(void) { __asm__ volatile(\"pxor %xmm0, %xmm0\"); return 0; }\n")).causes == []


def test_three_shells_deep(run, cc, script):
    prog = cc(SORTS["null-write"][0], "-g", "-O0", name="deep")
    inner = script("inner.sh", f"#!/bin/sh\n{prog}\ns=$?\nexit $s\n")
    middle = script("middle.sh", f"#!/bin/bash\n{inner}; exit $?\n")
    outer = script("outer.sh", f"#!/bin/sh\nset -e\n{middle}\necho done\n")
    result = run("--no-repro", "--", outer)
    assert result.returncode == 139
    assert [(c["kind"], c["missing"], c["subject"]) for c in result.causes] == [("crash", "SIGSEGV", str(prog))]
    assert "parse_line" in result.first["summary"]


FORKS = r"""
#include <sys/wait.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    int status = 0;
    if (!fork()) { *(volatile int *)8 = 1; _exit(0); }
    wait(&status);
    return argc > 1 && WIFSIGNALED(status) ? 3 : 0;
}
"""


@pytest.mark.parametrize("minds", [False, True])
def test_a_forked_child_crashes(run, cc, minds):
    prog = cc(FORKS, "-g")
    result = run("--no-repro", "--", prog, *(["minds"] if minds else []))
    assert [(c["kind"], c["missing"], c["impact"]) for c in result.causes] == [
        ("crash", "SIGSEGV", "fatal" if minds else "degraded")]
    assert result.first["process"]["pid"] != result.report["input"]["pid"]


@pytest.mark.parametrize("signal", ["SEGV", "ABRT"])
def test_a_signal_from_outside_is_told_with_its_sender(run, script, signal):
    victim = script("victim.sh", f"#!/bin/sh\nexec sleep 60\n")
    outer = script("outer.sh", f"#!/bin/bash\n{victim} &\nwhile [ \"$(cat /proc/$!/comm)\" != sleep ]; do :; done\n"
                               f"kill -{signal} $!\nwait $!\nexit $?\n")
    cause = run("--no-repro", "--", outer).first
    assert (cause["kind"], cause["missing"]) == ("crash", f"SIG{signal}")
    assert "sent to it" in cause["summary"] and "(outer.sh)" in cause["summary"] and "nothing wrong" in cause["summary"]


def test_musl(run, tmp_path):
    source = tmp_path / "m.c"
    source.write_text("#include <assert.h>\n#include <stdio.h>\n__attribute__((noinline)) int first(int *p) { return *p; }\n"
                      "int main(int c, char **v) { (void)v; assert(c < 3); return c > 1 ? puts(\"ok\") < 0 : first(0); }\n")
    for flags in ([], ["-static"]):
        prog = tmp_path / "prog"
        subprocess.run(["musl-gcc", "-g", "-O0", *flags, "-o", prog, source], check=True)
        cause = run("--no-repro", "--", prog).first
        assert (cause["kind"], cause["missing"]) == ("crash", "SIGSEGV")
        assert "in first (m.c:3): it read through a null pointer" in cause["summary"]
        assert run("--no-repro", "--", prog, "x").causes == []
        assert "Assertion failed: c < 3" in run("--no-repro", "--", prog, "x", "y").first["summary"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user to be")
def test_as_an_ordinary_user(cc, tool, environment):
    """Registers, code, address, all threads: nothing of it takes privileges."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        os.chmod(directory, 0o777)
        copy = shutil.copy(tool, directory)
        prog = shutil.copy(cc(THREADS, "-g", "-O0", "-w", "-pthread", name="threads"), directory)
        done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", copy, "--no-repro", "--", prog],
                              capture_output=True, text=True, env=environment(), cwd=directory)
    assert done.returncode == 139
    for words in ("bad (threads.c:", "wrote through a null pointer", "waits_here", "→"):
        assert words in done.stderr


@pytest.mark.parametrize("sort", ["null-write", "abort", "assert"])
def test_first_process_of_a_pid_namespace(run, cc, sort):
    """No fault ends it while it is traced, it would fault for ever; and unshare ends itself by the same signal."""
    prog = cc(SORTS[sort][0], "-g", "-O0")
    enter = ["unshare", *([] if os.geteuid() == 0 else ["-r"]), "-p", "-f"]
    native = subprocess.run([*enter, prog], capture_output=True)
    result = run("--no-repro", "--", *enter, prog)
    assert result.returncode - 128 == -native.returncode
    assert [(c["kind"], c["subject"]) for c in result.causes] == [("crash", str(prog))]
    for words in SORTS[sort][3]:
        assert words in result.first["summary"] or sort == "abort"


def test_a_program_of_32_bits(run, cc):
    """Its code is not disassembled; what is known all the same is told."""
    prog = cc("void _start(void) { *(volatile int *)8 = 3; }\n", "-m32", "-g", "-nostdlib", "-static", "-w")
    cause = run("--no-repro", "--", prog).first
    assert (cause["kind"], cause["missing"]) == ("crash", "SIGSEGV")
    assert "null pointer" in cause["summary"] and "0x8" in {f["label"]: f["text"] for f in cause["facts"]}["the address"]
    assert cause["crash"]["code"][0].startswith("→ 0x")
