"""Breakpoints come and go: they are there while it is recorded, nowhere afterwards, and no program is the worse for them."""

import json
import os
import subprocess

import pytest

from lines import HANGS_AFTER
from test_outputs import unpacked

# Says how many bytes of the loader's and the C library's code are not those of their files, each time it is asked.
COUNTS = r"""
import os, re, sys
def differing():
    count = 0
    for line in open("/proc/self/maps"):
        found = re.match(r"(\w+)-(\w+) r-xp (\w+) \S+ \d+ +(/.*/(?:ld-linux|libc\.so)\S*)", line)
        if found:
            start, end, offset = (int(found[i], 16) for i in (1, 2, 3))
            memory, file = os.open("/proc/self/mem", os.O_RDONLY), os.open(found[4], os.O_RDONLY)
            count += sum(a != b for a, b in zip(os.pread(memory, end - start, start), os.pread(file, end - start, offset)))
            os.close(memory), os.close(file)
    return count
for line in sys.stdin:
    print(differing(), flush=True)
"""
# Says how many bytes of the C library's code are not those of its file, and knows no name of dlopen's family.
ASKS = r"""
#include <stdio.h>
#include <string.h>
int asked(void);
static int differing(void)
{
    FILE *maps = fopen("/proc/self/maps", "r"), *memory = fopen("/proc/self/mem", "rb"), *file;
    char line[4096], path[4096];
    unsigned long start, end, offset, count = 0;
    while (fgets(line, sizeof line, maps)) {
        if (sscanf(line, "%lx-%lx r-xp %lx %*s %*s %s", &start, &end, &offset, path) != 4 || !strstr(path, "/libc.so"))
            continue;
        file = fopen(path, "rb");
        fseek(file, offset, SEEK_SET), fseek(memory, start, SEEK_SET);
        for (; start < end; start++)
            count += getc(file) != getc(memory);
    }
    return count;
}
int main(void)
{
    printf("%d\n", differing());
    printf("%d\n", asked());
    return 0;
}
"""
CLOSES = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void)
{
    int n = !dlopen("libnowhere.so", RTLD_NOW);

    prctl(PR_SET_DUMPABLE, 0);
    for (int i = 0; i < 5; i++)
        n += !dlsym(RTLD_DEFAULT, "nothing") + !dlopen("libnowhere2.so", RTLD_NOW);
    if (!fork()) {
        printf("%d\n", n + !dlsym(RTLD_DEFAULT, "nothing"));
        return 0;
    }
    wait(NULL);
    printf("%d\n", n);
    return 0;
}
"""
OFTEN = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
static void *fail(void *missed)
{
    for (int i = 0; i < 2000; i++)
        *(int *)missed += !dlsym(RTLD_DEFAULT, "nothing");
    return NULL;
}
int main(void)
{
    pthread_t threads[8];
    int missed[8] = {0}, sum = 0;

    for (int i = 0; i < 8; i++)
        pthread_create(&threads[i], NULL, fail, &missed[i]);
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL), sum += missed[i];
    printf("%d\n", sum);
    return 3;
}
"""


@pytest.mark.parametrize("mode", ["auto", "no"])
def test_gone_after_the_recording(tool, environment, mode):
    command = [tool, "--no-repro", f"--seccomp={mode}", "--for", "2", "-o", "-", "--", "/usr/bin/python3", "-c", COUNTS]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                          bufsize=1, env=environment(), start_new_session=True) as traced:
        traced.stdin.write("\n")
        assert int(traced.stdout.readline()) >= 5
        assert traced.stdout.readline()  # of the report: the recording is over, the program goes on
        traced.stdin.write("\n")
        numbers = (line for line in traced.stdout if line.strip().isdigit())
        assert int(next(numbers)) == 0
        traced.stdin.close()
        assert traced.wait(HANGS_AFTER) == 0


def test_memory_that_is_closed_to_us(tool, environment, cc, tmp_path):
    """A tracer of no more rights than the program cannot write to its memory any more, so nothing may be left in there."""
    program = cc(CLOSES, "-ldl")
    out = tmp_path / "r.json"
    drop = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
    tmp_path.chmod(0o777)
    for parent in tmp_path.parents:
        if drop and parent.stat().st_uid == os.geteuid() and parent.name.startswith(("pytest-", "popen-", "test_")):
            parent.chmod(0o755)
    for mode in ("auto", "no"):
        ended = subprocess.run([*drop, tool, "-q", "--no-repro", f"--seccomp={mode}", "-o", out, "--", program],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, env=environment(),
                               timeout=HANGS_AFTER)
        assert (ended.returncode, ended.stdout) == (0, "12\n11\n")


@pytest.mark.parametrize("mode", ["auto", "no"])
def test_every_error_of_many_threads(tool, environment, cc, tmp_path, mode):
    """16,000 errors at once: each is told once, given back to the program, and nothing is lost or changed."""
    bundle = tmp_path / "case.tar.zst"
    program = cc(OFTEN, "-pthread", "-ldl")
    ended = subprocess.run([tool, "-q", "--no-repro", "--no-redact", f"--seccomp={mode}", "-o", bundle, "--", program],
                           stdout=subprocess.PIPE, text=True, env=environment(), timeout=HANGS_AFTER)
    assert (ended.returncode, ended.stdout) == (3, "16000\n")
    events = [json.loads(line) for line in unpacked(bundle)["case/trace.jsonl"].decode().splitlines()]
    errors = [e for e in events if e["type"] == "loader" and e["what"] == "error"]
    calls = [e for e in events if e["type"] == "loader" and e["what"] == "call"]
    assert len(errors) == len(calls) == 16000
    assert {(e["outcome"], e["by"], e["args"][0]) for e in errors} == {("caught", str(program), "nothing")}
    assert {(e["name"], e["symbol"], e["ret"]) for e in calls} == {("dlsym", "nothing", "0")}
    # Nobody has asked for calls here: they are followed for a while, and the program is as it is all the same.
    ended = subprocess.run([tool, "-q", "--no-repro", f"--seccomp={mode}", "-o", tmp_path / "r.txt", "--", program],
                           stdout=subprocess.PIPE, text=True, env=environment(), timeout=HANGS_AFTER)
    assert (ended.returncode, ended.stdout) == (3, "16000\n")


def test_only_what_may_be_needed(tool, environment, cc, tmp_path):
    """The C library's functions get theirs when an object comes that holds a name of dlopen's family, be it at the end of
    another name, and then no call is missed."""
    bundle = tmp_path / "case.tar.zst"
    bodies = {"quiet": "int asked(void) { return 7; }",
              "asking": "#include <dlfcn.h>\nint asked(void) { return !dlsym((void *)0, \"nothing\"); }",
              "merged": "#include <dlfcn.h>\nint a_dlsym(void) { return 0; }\n"
                        "int asked(void) { return !dlsym((void *)0, \"nothing\"); }"}
    for name, body in bodies.items():
        library = cc(body, "-O2", "-ldl", name=f"lib{name}.so")
        program = cc(ASKS, library, f"-Wl,-rpath,{tmp_path}", name=name)
        ended = subprocess.run([tool, "-q", "--no-repro", "--no-redact", "-o", bundle, "--", program],
                               stdout=subprocess.PIPE, text=True, env=environment(), timeout=HANGS_AFTER)
        differing, answer = map(int, ended.stdout.split())
        events = [json.loads(line) for line in unpacked(bundle)["case/trace.jsonl"].decode().splitlines()]
        calls = [(e["name"], e["object"]) for e in events if e["type"] == "loader" and e["what"] == "call"]
        if name == "quiet":
            assert (differing, answer, calls) == (0, 7, [])
        else:
            assert differing >= 4 and answer == 1
            assert calls == [("dlsym", str(library))]
