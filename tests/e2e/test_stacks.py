"""The stack of what failed: every function that has a name, in order, and no name that is wrong."""

import json
import os
import re
import subprocess

import pytest

from conftest import TOP

MISSING = "/etc/nowhere-of-stacks.conf"

C_PROGRAM = r"""
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#define APART __attribute__((noinline, noclone))
static volatile int sink;
APART static int level_four(const char *p)
{
    int fd = open(p, O_RDONLY);
    if (fd < 0) { perror(p); exit(3); }
    return fd;
}
APART static int level_three(const char *p) { int r = level_four(p); sink++; return r; }
APART static int level_two(const char *p) { int r = level_three(p); sink++; return r; }
APART static int level_one(const char *p) { int r = level_two(p); sink++; return r; }
int main(void) { return level_one("%s") + sink; }
""".replace("%s", MISSING)
LEVELS = ["level_four", "level_three", "level_two", "level_one", "main"]


def missed(result):
    """The one cause, and its frames."""
    cause = result.first
    assert (cause["kind"], cause["missing"]) == ("file-missing", MISSING)
    return cause["stack"]


def names(stack, only=None):
    """The symbols of the frames in order; ONLY: of that object."""
    return [frame.get("symbol") for frame in stack if only is None or frame.get("object") == str(only)]


def has_run(stack, wanted):
    """The names WANTED stand in the stack one after the other, with nothing between."""
    symbols = names(stack)
    return any(symbols[i:i + len(wanted)] == wanted for i in range(len(symbols)))


@pytest.mark.parametrize("flags", [["-O0"], ["-O2"], ["-O2", "-g"], ["-O2", "-static"], ["-O2", "-g", "-static-pie"],
                                   ["-O2", "-no-pie", "-fomit-frame-pointer"], ["-O2", "-g", "-gdwarf-4"]],
                         ids=" ".join)
def test_c(run, cc, flags):
    prog = cc(C_PROGRAM, *flags)
    stack = missed(run("--", prog))
    assert has_run(stack, LEVELS)
    for frame in stack:
        if frame.get("symbol") in LEVELS:
            assert frame["object"] == str(prog)
            assert ("line" in frame) == ("-g" in flags)


def test_text_report_names_them(run, cc):
    result = run("--", cc(C_PROGRAM, "-O2", "-g"))
    line = " ".join(re.search(r"seen at(.*?)\n  \S", result.stderr, re.S)[1].split())
    assert re.search(r"level_four \(prog\.c:\d+\) ← level_three \(prog\.c:\d+\) ← level_two", line), line


def test_inlined(run, cc):
    inlined = C_PROGRAM.replace("APART static int level_three", "static inline __attribute__((always_inline)) int "
                                "level_three")
    stack = missed(run("--", cc(inlined, "-O2", "-g")))
    assert has_run(stack, LEVELS)
    three, two = (next(f for f in stack if f.get("symbol") == name) for name in ("level_three", "level_two"))
    assert three["ip"] == two["ip"]


def test_stripped_names_nothing(run, cc):
    """Not even by what it exports: that is not what these functions are called."""
    prog = cc("int exported_before(void) { return 1; }\n" + C_PROGRAM, "-O2", "-rdynamic", "-s")
    stack = missed(run("--", prog))
    ours = names(stack, prog)
    assert len(ours) == 6, stack  # four levels, main, _start
    assert set(ours) <= {None, "main", "_start"}
    assert ours[4] == "main"
    assert all("offset" in frame for frame in stack)


def test_separate_debug_information(run, cc, tmp_path):
    prog = cc(C_PROGRAM, "-O2", "-g")
    subprocess.run(["objcopy", "--only-keep-debug", prog, f"{prog}.debug"], check=True)
    subprocess.run(["objcopy", "--strip-all", f"--add-gnu-debuglink={prog}.debug", prog], check=True)
    assert has_run(missed(run("--", prog)), LEVELS)
    # Of another build of the program, it is not believed.
    other = cc(C_PROGRAM.replace("level_two", "level_xxx"), "-O2", "-g", name="other")
    subprocess.run(["objcopy", "--only-keep-debug", other, f"{prog}.debug"], check=True)
    stack = missed(run("--", prog))
    assert set(names(stack, prog)) <= {None}


def test_thread(run, cc):
    source = C_PROGRAM.replace("int main(void)", "#include <pthread.h>\nstatic void *work(void *p) "
                               "{ return (void *)(long)level_one(p); }\nint unused(void)") + f"""
    int main(void)
    {{
        pthread_t thread;
        pthread_create(&thread, 0, work, "{MISSING}");
        pthread_join(thread, 0);
        return 0;
    }}"""
    stack = missed(run("--", cc(source, "-O2", "-pthread")))
    assert has_run(stack, LEVELS[:4] + ["work"])
    assert "main" not in names(stack)


@pytest.mark.parametrize("other_stack", [False, True])
def test_signal_handler(run, cc, other_stack):
    source = C_PROGRAM.replace("int main(void)", "#include <signal.h>\nstatic void handle(int s) "
                               f'{{ (void)s; level_one("{MISSING}"); sink++; }}\nint unused(void)') + """
    APART static void interrupted(void) { raise(SIGUSR1); sink++; }
    int main(void)
    {
        static char space[65536];
        stack_t other = {.ss_sp = space, .ss_size = sizeof space};
        struct sigaction action = {.sa_handler = handle, .sa_flags = OTHER};
        sigaltstack(&other, 0);
        sigaction(SIGUSR1, &action, 0);
        interrupted();
        return 0;
    }""".replace("OTHER", "SA_ONSTACK" if other_stack else "0")
    stack = missed(run("--", cc(source, "-O2")))
    assert has_run(stack, LEVELS[:4] + ["handle"])
    if not other_stack:
        assert has_run(stack, ["interrupted", "main"])


def test_child(run, cc):
    """In a child that runs its parent's program."""
    source = C_PROGRAM.replace("int main(void)", "#include <sys/wait.h>\n#include <unistd.h>\nint unused(void)") + f"""
    int main(void)
    {{
        int status = 0;
        if (!fork())
            return level_one("{MISSING}");
        wait(&status);
        return WEXITSTATUS(status);
    }}"""
    assert has_run(missed(run("--", cc(source, "-O2"))), LEVELS)


def test_program_replaced_meanwhile(run, cc, tmp_path):
    """What lies at its path now is another program: no name of that."""
    other = cc(C_PROGRAM.replace("level_", "wrong_"), "-O2", name="other")
    prog = cc(C_PROGRAM.replace("int main(void)", "#include <unistd.h>\nint unused(void)") + f"""
    int main(int argc, char **argv)
    {{
        (void)argc;
        if (rename(argv[1], argv[0])) return 9;
        return level_one("{MISSING}") + sink;
    }}""", "-O2")
    stack = missed(run("--", prog, other))
    assert not any(name and name.startswith("wrong_") for name in names(stack))
    assert has_run(stack, LEVELS)


DLOPENS = r"""
#include <dlfcn.h>
#include <stdio.h>
__attribute__((noinline)) static void *load_plugin(const char *name)
{
    void *handle = dlopen(name, RTLD_NOW);
    if (!handle) puts("none");
    return handle;
}
int main(void)
{
    if (load_plugin("libnowhere-of-stacks.so")) return 0;
    fprintf(stderr, "%s\n", dlerror());
    return 5;
}
"""


def test_dlopen(run, cc):
    cause = run("--", cc(DLOPENS, "-O2")).first
    assert (cause["kind"], cause["missing"]) == ("library-missing", "libnowhere-of-stacks.so")
    assert has_run(cause["stack"], ["load_plugin", "main"])


PLUGIN = r"""
#include <fcntl.h>
#include <unistd.h>
int NAME(const char *p) { int fd = open(p, O_RDONLY); return fd < 0 ? fd : close(fd); }
int run(const char *p) { return NAME(p) + 1; }
"""
HOST = r"""
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
__attribute__((noinline)) static int use(const char *name, const char *path, int stay)
{
    void *handle = dlopen(name, RTLD_NOW);
    int ret = ((int (*)(const char *))dlsym(handle, "run"))(path);
    if (!stay)
        dlclose(handle);
    return ret;
}
int main(void)
{
    use("./first.so", MISSING, 0);
    use("./second.so", "/", 1);
    fprintf(stderr, "%s: %s\n", MISSING, strerror(ENOENT));
    return 3;
}
""".replace("MISSING", f'"{MISSING}"')


def test_another_object_at_the_same_place(run, cc, tmp_path):
    """The plug-in that failed is gone, and one of the same shape has taken its place."""
    for name in ("first", "second"):
        cc(PLUGIN.replace("NAME", f"{name}_open"), "-O0", name=f"{name}.so")
    stack = missed(run("--", cc(HOST, "-O1"), cwd=tmp_path))
    assert "second_open" not in names(stack)
    assert names(stack)[0] == "open"


# --- programs that never began ---

def unloadable(cc, tmp_path):
    """A program whose library is gone."""
    library = cc("int f(void) { return 0; }", name="libgone.so")
    prog = cc("int f(void); int main(void) { return f(); }", "./libgone.so", name="needy")
    library.unlink()
    return prog


@pytest.mark.parametrize("compiler, first, last", [("cc", "_dl_signal_error", None), ("musl-gcc", "vdprintf", "__dls3")])
def test_of_the_loader(run, cc, tmp_path, monkeypatch, compiler, first, last):
    monkeypatch.setenv("CC", compiler)
    result = run("--", unloadable(cc, tmp_path))
    stack = result.first["stack"]
    assert stack[0]["symbol"] == first and len(stack) > 3, stack
    assert last in (None, stack[-1].get("symbol"))
    assert len({frame["object"] for frame in stack}) == 1
    assert "the loader's own: no function of the program" in " ".join(result.stderr.split())
    assert result.first["words"] in result.stderr.splitlines()[0]
    assert result.first["words"].endswith((")", "directory"))


def test_nothing_of_it_has_run(run, tmp_path):
    result = run("--", tmp_path / "absent")
    assert result.first["stack"] == []
    assert "none: nothing of it has run" in " ".join(result.stderr.split())


# --- other C libraries ---

@pytest.fixture
def root(tmp_path):
    """root(name) -> a copy of that cached root directory (tests/roots.sh)"""

    def make(name):
        cached = subprocess.run(["bash", str(TOP / "tests" / "roots.sh"), name], stdout=subprocess.PIPE, check=True,
                                text=True).stdout.strip()
        subprocess.run(["cp", "-a", cached, tmp_path / name], check=True)
        return tmp_path / name

    return make


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="chroot(2) wants root")


@needs_root
@pytest.mark.parametrize("name", ["bullseye", "trixie", "forky"])
def test_another_glibc(run, cc, root, name):
    """Whatever the C library of that root has no name for, the program's own functions are named."""
    top = root(name)
    # The oldest of them has no symbol of a version that is newer than it.
    prog = cc(C_PROGRAM.replace("int main(void)", "int begin(void)"), "-O2", "-c", name="p.o")
    start = 'extern int begin(void); __asm__(".symver __libc_start_main,__libc_start_main@GLIBC_2.2.5");'
    (top / "opt").mkdir(exist_ok=True)
    stub = cc(start + "int main(void) { return begin() + 1; }", prog, "-O2", "-static" if name == "bullseye" else "-g")
    (top / "opt" / "prog").write_bytes(stub.read_bytes())
    (top / "opt" / "prog").chmod(0o755)
    stack = missed(run("--", "chroot", top, "/opt/prog"))
    assert has_run(stack, LEVELS[:4] + ["begin", "main"])
    assert next(f for f in stack if f.get("symbol") == "begin")["object"] == "/opt/prog"


@needs_root
def test_musl_in_a_root(run, cc, root, monkeypatch):
    """musl has no unwind tables: its functions are left by what their code does."""
    top = root("musl")
    monkeypatch.setenv("CC", "musl-gcc")
    (top / "prog").write_bytes(cc(C_PROGRAM, "-O2").read_bytes())
    (top / "prog").chmod(0o755)
    stack = missed(run("--", "chroot", top, "/prog"))
    assert has_run(stack, ["open"] + LEVELS)


@pytest.mark.parametrize("flags", [["-O0"], ["-O2"], ["-O2", "-g"], ["-O2", "-static"]], ids=" ".join)
def test_musl(run, cc, monkeypatch, flags):
    monkeypatch.setenv("CC", "musl-gcc")
    stack = missed(run("--", cc(C_PROGRAM, *flags)))
    assert has_run(stack, ["open"] + LEVELS)


CXX_PROGRAM = """
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
static volatile int sink;
namespace shop {
namespace {
__attribute__((noinline)) int hidden(const char *p)
{
    int fd = open(p, O_RDONLY);
    if (fd < 0) { std::perror(p); std::exit(3); }
    return fd;
}
}
struct Store {
    __attribute__((noinline)) Store(const char *p) { sink = sink + hidden(p); }
    __attribute__((noinline)) static int load(const char *p) { Store store(p); return sink; }
};
}
int main() { return shop::Store::load("%s") + sink; }
""".replace("%s", MISSING)


@pytest.mark.parametrize("flags", [["-O0"], ["-O2", "-g"]], ids=" ".join)
def test_cxx(run, cc, tmp_path, monkeypatch, flags):
    monkeypatch.setenv("CC", "c++ -x c++")
    stack = missed(run("--", cc(CXX_PROGRAM, *flags)))
    assert has_run(stack, ["shop::(anonymous namespace)::hidden", "shop::Store::Store", "shop::Store::load", "main"])


# --- Go ---

GO_LEVELS = """
//go:noinline
func levelThree(p string) { levelFour(p); fmt.Println("x") }

//go:noinline
func levelTwo(p string) { levelThree(p); fmt.Println("x") }

//go:noinline
func levelOne(p string) { levelTwo(p); fmt.Println("x") }

func main() { levelOne("%s") }
""".replace("%s", MISSING)
GO_PROGRAM = """package main

import (
	"fmt"
	"os"
)

//go:noinline
func levelFour(p string) {
	f, err := os.Open(p)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	f.Close()
}
""" + GO_LEVELS
CGO_PROGRAM = """package main

/*
#include <fcntl.h>
#include <stdio.h>
static int __attribute__((noinline)) c_two(const char *p) { int fd = open(p, O_RDONLY); if (fd < 0) perror(p); return fd; }
int __attribute__((noinline)) c_one(const char *p) { int fd = c_two(p); return fd < 0 ? -3 : fd; }
*/
import "C"

import (
	"fmt"
	"os"
)

//go:noinline
func levelFour(p string) {
	if C.c_one(C.CString(p)) < 0 {
		os.Exit(3)
	}
}
""" + GO_LEVELS
GO_NAMES = ["main.levelFour", "main.levelThree", "main.levelTwo", "main.levelOne", "main.main"]


@pytest.fixture(scope="session")
def go(tmp_path_factory):
    """go(source, *flags) -> program, stripped"""
    top = tmp_path_factory.mktemp("go")
    env = {**os.environ, "GOCACHE": str(top / "cache"), "GOPATH": str(top / "path"), "GOTOOLCHAIN": "local",
           "GOFLAGS": "-mod=mod", "GOPROXY": "off", "GO111MODULE": "off"}

    def build(source, *flags):
        number = len(list(top.glob("*.go")))
        (top / f"p{number}.go").write_text(source)
        subprocess.run(["go", "build", "-ldflags=-s -w", *flags, "-o", f"p{number}", f"p{number}.go"], cwd=top, env=env,
                       check=True)
        return top / f"p{number}"

    return build


@pytest.mark.parametrize("flags", [[], ["-buildmode=pie"]], ids=["exe", "pie"])
def test_go(run, go, flags):
    stack = missed(run("--", go(GO_PROGRAM, *flags)))
    assert has_run(stack, GO_NAMES + ["runtime.main", "runtime.goexit"])
    assert all(frame.get("symbol") for frame in stack)
    three = next(frame for frame in stack if frame["symbol"] == "main.levelThree")
    assert os.path.basename(three["file"]).endswith(".go")
    assert GO_PROGRAM.splitlines()[three["line"] - 1].startswith("func levelThree(")


@pytest.mark.parametrize("flags", [[], ["-buildmode=pie"]], ids=["exe", "pie"])
def test_go_calls_c(run, go, flags):
    stack = missed(run("--", go(CGO_PROGRAM, *flags)))
    symbols = names(stack)
    assert has_run(stack, GO_NAMES + ["runtime.main", "runtime.goexit"])
    assert symbols.index("c_one") < symbols.index("runtime.cgocall") < symbols.index("main.levelFour")
    assert "c_two" not in symbols  # stripped: it has no name


# --- JavaScript ---

JS_PROGRAM = """
const fs = require("fs");
function levelFour(p) { return fs.openSync(p); }
const levelThree = (p) => { return levelFour(p) + 1; };
class Store { load(p) { return levelThree(p) + 1; } }
function levelOne(p) { return new Store().load(p) + 1; }
function outside(p) { LAST }
outside("%s");
""".replace("%s", MISSING)
JS_NAMES = ["openSync", "levelFour", "levelThree", "load", "levelOne", "outside"]


def test_node(run, script):
    main = script("main.js", JS_PROGRAM.replace("LAST", "return levelOne(p) + 1;"))
    stack = missed(run("--", "node", main))
    assert has_run(stack, JS_NAMES)
    symbols = names(stack)
    assert "uv_fs_open" in symbols[:symbols.index("openSync")]
    four = next(frame for frame in stack if frame.get("symbol") == "levelFour")
    assert four["file"] == str(main)


def test_node_moves_its_heap(run, script):
    """After the failed call all that was allocated is moved: a name is right or is not told."""
    main = script("main.js", JS_PROGRAM.replace(
        "LAST", "try { levelOne(p); } catch (e) { const all = []; for (let i = 0; i < 20; i++) { "
        "for (let k = 0; k < 20000; k++) all.push(() => k); gc(); } console.error(e.message); process.exit(3); }"))
    stack = missed(run("--", "node", "--expose-gc", "--gc-interval=5000", main))
    script_names = [f["symbol"] for f in stack
                    if f.get("file") == str(main) and not f.get("symbol", "Builtins_").startswith("Builtins_")]
    left = iter(JS_NAMES)
    assert all(name in left for name in script_names), script_names  # in this order


# --- -k ---

FRAME_LINE = re.compile(r"^ > (\S+)\((?:([^)+]+)(?:\+0x[0-9a-f]+)?)?\) \[0x[0-9a-f]+\](?: \S+:\d+)?$")


def test_live(run, cc):
    prog = cc(C_PROGRAM, "-O2")
    result = run("-k", "-q", "--", prog, report=False)
    lines = result.stderr.splitlines()
    at = next(i for i, line in enumerate(lines) if MISSING in line)
    below = []
    while lines[at + 1 + len(below)].startswith(" > "):
        below.append(FRAME_LINE.match(lines[at + 1 + len(below)]))
    assert all(below)
    assert [m[2] for m in below if m[1] == str(prog)][:5] == LEVELS
    # The same frames in the same objects as strace's own.
    theirs = subprocess.run(["strace", "-k", "-e", "trace=openat", str(prog)], stderr=subprocess.PIPE, text=True).stderr
    theirs = theirs[theirs.index(MISSING):].splitlines()[1:]
    objects = []
    while theirs[len(objects)].startswith(" > "):
        objects.append(FRAME_LINE.match(theirs[len(objects)])[1])
    assert [m[1] for m in below][:6] == objects[:6]


def test_live_without_stacks(run, cc):
    assert " > " not in run("-t", "-q", "--", cc(C_PROGRAM), report=False).stderr


@pytest.mark.parametrize("redact", [[], ["--no-redact"]], ids=["redacted", "as it is"])
def test_log_has_them(run, cc, tmp_path, redact):
    prog = cc(C_PROGRAM, "-O2")
    run("-k", "-q", *redact, "--no-repro", "-o", tmp_path / "x.tar.zst", "--", prog, report=False)
    text = subprocess.run(["tar", "--zstd", "-xOf", tmp_path / "x.tar.zst", "x/trace.jsonl"], stdout=subprocess.PIPE,
                          check=True).stdout
    events = [json.loads(line) for line in text.splitlines()]
    failed = next(e for e in events if e.get("path") == MISSING)
    assert has_run(failed["stack"], LEVELS)
    assert all(re.fullmatch("0x[0-9a-f]+", frame["ip"]) for frame in failed["stack"])
