"""Each rule of symbol lookup, on each glibc and on a 32-bit one: small libraries, and the real ld.so as the judge.

The libraries need no C library and are made once; the programs that open them are linked with each libc's own files.
build/conformance/bindings compares what ld.so says that it bound with the shadow loader, line by line. What a scenario is
there for must be seen in ld.so's own words (SHOWS), so that none passes because nothing happened.
"""

import collections
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile

import pytest

from conftest import TOP

sys.path.insert(0, str(TOP / "tests" / "conformance"))
import libcs  # noqa: E402
import run as conformance  # noqa: E402

OPENER = r"""
/* no headers: a 32-bit program may have none */
enum { RTLD_LAZY = 1, RTLD_NOW = 2, RTLD_NOLOAD = 4, RTLD_DEEPBIND = 8, RTLD_GLOBAL = 0x100, RTLD_NODELETE = 0x1000,
       LM_ID_NEWLM = -1, RTLD_DI_LMID = 1 };
#define RTLD_DEFAULT ((void *)0)
#define RTLD_NEXT ((void *)-1L)
void *dlopen(const char *, int), *dlmopen(long, const char *, int), *dlsym(void *, const char *);
int dlclose(void *), dlinfo(void *, int, void *), puts(const char *), printf(const char *, ...);
char *dlerror(void), *strchr(const char *, int);
/* +FLAGS:FILE opens, -N closes the Nth, ?NAME, ~NAME and !NAME call what dlsym finds by RTLD_DEFAULT, by RTLD_NEXT or in
   the last */
int of_program(void) { return 7; }
int main(int n, char **v)
{
    void *handles[32] = {0};
    int count = 0;
    long space = 0;
    for (int i = 1; i < n; i++) {
        char *text = v[i] + 1, *file = strchr(v[i], ':');
        if (v[i][0] == '+') {
            int mode = 0, other = 0;
            for (; text < file; text++)
                if (*text == 'N') space = LM_ID_NEWLM, other = 1;
                else if (*text == 's') other = 1;
                else mode |= *text == 'n' ? RTLD_NOW : *text == 'l' ? RTLD_LAZY : *text == 'g' ? RTLD_GLOBAL
                           : *text == 'd' ? RTLD_DEEPBIND : *text == 'L' ? RTLD_NOLOAD : RTLD_NODELETE;
            void *h = other ? dlmopen(space, file + 1, mode) : dlopen(file[1] ? file + 1 : 0, mode);
            if (!h) { if (!(mode & RTLD_NOLOAD)) puts(dlerror()); }
            else if (other) dlinfo(h, RTLD_DI_LMID, &space);
            handles[count++] = h;
        } else if (v[i][0] == '-') {
            dlclose(handles[v[i][1] - '0']);
        } else {
            int (*f)(void) = dlsym(v[i][0] == '?' ? RTLD_DEFAULT : v[i][0] == '~' ? RTLD_NEXT : handles[count - 1], text);
            if (!f) puts(dlerror());
            else printf("%s = %d\n", text, f());
        }
    }
    return 0;
}
"""

UNIQUE = """asm(".globl u; .type u,@gnu_unique_object; .bss; .align 4; u: .long 0; .size u,4; .text");
extern int u; int NAME(void) { return u++; }"""

# name -> (source, flags). "NAME" in a source is the library's own name.
LIBRARIES = {
    "ua": (UNIQUE, ""), "ub": (UNIQUE, ""),
    "x": ("int x(void) { return 1; } int dx = 1;", ""),
    "x2": ("int x(void) { return 2; } int dx = 2;", ""),
    "usesx": ("int x(void); extern int dx; int *p = &dx; int (*f)(void) = x; int NAME(void) { return x() + *p + f(); }",
              "-lx"),
    "plugin": ("int x(void); int NAME(void) { return x(); }", ""),
    "weak": ("__attribute__((weak)) int x(void); __attribute__((weak)) int y(void) { return 3; } "
             "int NAME(void) { return (x ? x() : 0) + y(); }", ""),
    "weak2": ("int y(void) { return 4; } int NAME(void) { return y(); }", ""),
    "symbolic": ("int x(void) { return 5; } int dx = 5; int *p = &dx; int (*f)(void) = x; "
                 "int NAME(void) { return x() + *p + f(); }", "-Wl,-Bsymbolic"),
    "flagged": ("int x(void) { return 5; } int dx = 5; int *p = &dx; int NAME(void) { return x() + *p; }", "-Wl,-z,now"),
    "symfun": ("int x(void) { return 6; } int dx = 6; int *p = &dx; int NAME(void) { return x() + *p; }",
               "-Wl,-Bsymbolic-functions"),
    "prot": ("int pf(void) { return 8; } int pd = 8; int *p = &pd; int (*f)(void) = pf; "
             "int NAME(void) { return pf() + *p + pd + f(); }", ""),
    "ifunc": ("static int one(void) { return 1; } static void *pick(void) { return one; } "
              "int ifn(void) __attribute__((ifunc(\"pick\"))); int (*f)(void) = ifn; int NAME(void) { return f() + ifn(); }",
              ""),
    "sysv": ("int x(void) { return 9; } int dx = 9; int *p = &dx; int NAME(void) { return x() + *p; }",
             "-Wl,--hash-style=sysv"),
    "noplt": ("int x(void); int NAME(void) { return x(); }", "-fno-plt -lx"),
    "now": ("int x(void); int NAME(void) { return x(); }", "-Wl,-z,now -lx"),
    "tls": ("__thread int t = 1; __thread int t2 = 2; int NAME(void) { return t + t2; }", ""),
    "usestls": ("extern __thread int t; extern __thread int t2 __attribute__((tls_model(\"initial-exec\"))); "
                "int NAME(void) { return t + t2; }", "-ltls"),
    "tlsdesc": ("extern __thread int t; int NAME(void) { return t; }", "-mtls-dialect=gnu2 -Wl,-z,now -ltls"),  # bound lazily, it ends a 32-bit ld.so 2.36 with SIGSEGV
    "other": ("int x(void) { return 11; }", ""),
    "deep": ("int of_program(void); int x(void); int NAME(void) { return of_program() + x(); }", "-lother -lown"),
    "own": ("int of_program(void) { return 12; }", ""),
    "reldep": ("int x(void); int NAME(void) { return x(); }", "-Wl,-z,now"),
    "nodelete": ("int NAME(void) { return 1; }", "-Wl,-z,nodelete"),
    "v1": ("int foo(void) { return 1; }", "-Wl,--version-script,v1.map -Wl,-soname,libv.so"),
    "v2": ('int foo1(void) { return 1; } int foo2(void) { return 2; } int only(void) { return 3; } int hid1(void) { return 4; }\n'
           'asm(".symver foo1,foo@V1; .symver foo2,foo@@V2; .symver hid1,hid@V1");',
           "-Wl,--version-script,v2.map -Wl,-soname,libv.so"),
    "v0": ("int foo(void) { return 0; } int only(void) { return 0; } int hid(void) { return 0; }", "-Wl,-soname,libv.so"),
    "old": ("int foo(void); int NAME(void) { return foo(); }", "libv1.so"),
    "new": ("int foo(void); int only(void); int NAME(void) { return foo() + only(); }", "libv2.so"),
    "bare": ("int foo(void); int only(void); int hid(void); int NAME(void) { return foo() + only() + hid(); }", "libv0.so"),
    "barenow": ("int foo(void); int (*f)(void) = foo; int NAME(void) { return f(); }", "libv0.so"),
    "badfirst": ("int x(void) { return 13; } int NAME(void) { return x(); }", "-lgone"),
    "gone": ("int gone;", ""),
    "ctor": ("int x(void); int got; __attribute__((constructor)) static void c(void) { got = x(); } "
             "int NAME(void) { return got; }", "-lx"),
}

MAPS = {"v1.map": "V1 { global: foo; local: *; };",
        "v2.map": "V1 { global: foo; hid; local: *; }; V2 { global: foo; only; } V1;"}

# name -> (source, flags): programs that do not open, but are linked.
PROGRAMS = {
    "opener": (OPENER, "-rdynamic"),
    "copy": ("extern int dx; int x(void); int usesx(void); int (*volatile f)(void); "
             "int main(void) { f = x; return dx + f() + usesx() > 100; }", "-no-pie -fno-pie -lusesx -lx"),
    "copyprot": ("extern int pd; int pf(void); int prot(void); int (*f)(void) = pf; "
                 "int main(void) { return pd + f() + prot() > 100; }", "-no-pie -fno-pie -lprot"),
    "copyunique": ("extern int u; int ua(void); int ub(void); int main(void) { return u + ua() + ub() > 100; }",
                   "-no-pie -fno-pie -lua -lub"),
    "over": ("int x(void) { return 14; } int dx = 14; int pf(void) { return 14; } int pd = 14; int symbolic(void); "
             "int symfun(void); int prot(void); int sysv(void); int main(void) { "
             "return symbolic() + symfun() + prot() + sysv() > 1000; }", "-rdynamic -lsymbolic -lsymfun -lprot -lsysv"),
    "ifuncs": ("int ifn(void); int ifunc(void); int (*f)(void) = ifn; int main(void) { return f() + ifunc() > 100; }",
               "-no-pie -fno-pie -lifunc"),
    "versions": ("int old(void); int new(void); int bare(void); int barenow(void); "
                 "int main(void) { return old() + new() + bare() + barenow() > 100; }",
                 "-lold -lnew -lbare -lbarenow -Wl,--allow-shlib-undefined"),
    "threads": ("extern __thread int t; int tls(void); int usestls(void); int tlsdesc(void); "
                "int main(void) { return t + tls() + usestls() + tlsdesc() > 100; }", "-lusestls -ltlsdesc -ltls"),
    "weaks": ("int weak(void); int weak2(void); int noplt(void); int now(void); int sysv(void); "
              "int main(void) { return weak() + weak2() + noplt() + now() + sysv() > 100; }",
              "-lweak -lweak2 -lnoplt -lnow -lsysv"),
}

# The 32-bit C library beside this system's own, and what starts a program without its start files.
NARROW = next((d for d in ("/lib32", "/usr/lib32", "/usr/lib", "/lib") if os.path.exists(f"{d}/libc.so.6")), "/lib32")
START = """
int main(); void exit(int);
asm(".globl _start; _start: movl (%esp), %eax; leal 4(%esp), %edx; andl $-16, %esp; subl $8, %esp; pushl %edx; pushl %eax; "
    "call main; movl %eax, (%esp); call exit");
"""

# The words of a command: HERE stands for the directory. SHOWS: what ld.so must say (HERE as there).
Scenario = collections.namedtuple("Scenario", "words shows env", defaults=({},))
BOUND = "binding file {} [0] to {} [0]: "


def lib(name, space=0):
    return f"HERE/lib{name}.so [{space}]"


def bound(a, b, symbol, how="normal", space=0):
    left = a if a.startswith("HERE") else lib(a, space)
    right = b if b.startswith("HERE") else lib(b, space)
    return f"binding file {left} to {right}: {how} symbol `{symbol}'"


SCENARIOS = {
    "unique": Scenario("opener +n:ua !ua +n:ub !ub -0 +n:ua", [bound("ub", "ua", "u")]),
    "unique in a namespace": Scenario("opener +n:ua +Nn:ub +sn:ua", [bound("ub", "ub", "u", space=1),
                                                                    bound("ua", "ub", "u", space=1)]),
    "unique copied": Scenario("copyunique", [bound("ub", "HERE/copyunique [0]", "u")]),
    "global": Scenario("opener +lg:x +l:plugin !plugin", [bound("plugin", "x", "x")]),
    "promoted": Scenario("opener +l:x +lLg:x +l:plugin !plugin", [bound("plugin", "x", "x")]),
    "global, the first counts": Scenario("opener +lg:x2 +lg:x +n:plugin !plugin +l:usesx", [bound("plugin", "x2", "x"),
                                                                                         bound("usesx", "x2", "dx")]),
    "local": Scenario("opener +l:x2 +l:usesx !usesx +l:x2", [bound("usesx", "x", "x")]),
    "local fails": Scenario("opener +n:x +n:plugin +l:plugin", ["undefined symbol: x (fatal)"]),
    "a failed dlopen leaves nothing": Scenario("opener +n:badfirst +n:x +ng:x2 +n:plugin", [bound("plugin", "x2", "x")]),
    "deepbind": Scenario("opener +ld:deep !deep", [bound("deep", "own", "of_program")]),
    "no deepbind": Scenario("opener +l:deep !deep", [bound("deep", "HERE/opener [0]", "of_program")]),
    "symbolic": Scenario("opener +ng:x2 +n:symbolic +n:symfun +n:flagged",
                         [bound("symfun", "x2", "dx"), bound("flagged", "flagged", "dx")]),
    "deepbind takes symbolic's place": Scenario("opener +ng:x2 +nd:flagged +nd:symbolic",
                                                [bound("flagged", "flagged", "dx"), "scope 1: HERE/opener"]),
    "over": Scenario("over", [bound("symfun", "HERE/over [0]", "dx"), bound("prot", "prot", "pd", "protected"),
                              bound("sysv", "HERE/over [0]", "dx")]),
    "namespaces": Scenario("opener +ng:x2 +Nn:usesx +sl:plugin +sn:x +Nn:usesx", [bound("usesx", "x", "x", space=1),
                                                                               bound("usesx", "x", "x", space=2)]),
    "namespace closed": Scenario("opener +Nn:usesx -0 +Nn:usesx", ["destroying link map"]),
    "closed": Scenario("opener +n:usesx +n:x -0 +n:x2 -1 +ng:x2 +n:usesx",
                       ["destroying link map", bound("usesx", "x2", "x")]),
    "kept by a reference": Scenario("opener +ng:x +n:reldep -0 +ng:x2 +n:plugin -1 +n:plugin",
                                    [bound("plugin", "x", "x")]),
    "nodelete": Scenario("opener +n:nodelete -0 +nD:x -1 +ng:x2 +nLg:x +n:plugin", [bound("plugin", "x2", "x")]),
    "opened after it was needed": Scenario("opener +l:usesx +l:x +lg:x !usesx +l:plugin !plugin",
                                           [bound("plugin", "x", "x")]),
    "in a constructor": Scenario("opener +lg:x2 +l:ctor", [bound("ctor", "x2", "x")]),
    "itself": Scenario("opener +lg: ?of_program +n:plugin !plugin +lg:x +n:plugin ?x", [bound("plugin", "x", "x")]),
    "next": Scenario("opener ~of_program +l:own ~of_program +gl:own ~of_program", [bound("HERE/opener [0]", "own",
                                                                                        "of_program")]),
    "copy": Scenario("copy", [bound("usesx", "HERE/copy [0]", "dx"), bound("HERE/copy [0]", "x", "dx"),
                              bound("HERE/copy [0]", "x", "x"), bound("usesx", "HERE/copy [0]", "x")]),
    "copy of a protected one": Scenario("copyprot", [bound("HERE/copyprot [0]", "prot", "pd")]),
    "ifunc": Scenario("ifuncs", [bound("HERE/ifuncs [0]", "ifunc", "ifn")]),
    "versions": Scenario("versions", [bound("old", "HERE/libv.so [0]", "foo") + " [V1]",
                                      bound("new", "HERE/libv.so [0]", "foo") + " [V2]",
                                      bound("bare", "HERE/libv.so [0]", "only") + "\n",
                                      bound("bare", "HERE/libv.so [0]", "hid") + "\n"]),
    "thread-local": Scenario("threads", [bound("usestls", "tls", "t2"), bound("tlsdesc", "tls", "t")]),
    "weak": Scenario("weaks", [bound("weak2", "weak", "y"), bound("noplt", "sysv", "x")]),
    "preloaded": Scenario("weaks", [bound("noplt", "x2", "x")], {"LD_PRELOAD": "HERE/libx2.so"}),
}


def sections(path):
    """Place and size of the dynamic sections in the file."""
    text = subprocess.run(["readelf", "-SW", str(path)], capture_output=True, text=True, check=True).stdout
    return {m[1]: (int(m[2], 16), int(m[3], 16)) for m in re.finditer(r"\] (\.dyn\w+) +\S+ +\w+ (\w+) (\w+) ", text)}


def protect(path, names):
    """Makes the dynamic symbols NAMES of PATH protected: linkers bind references to such themselves."""
    data, place = bytearray(path.read_bytes()), sections(path)
    (symbols, size), (strings, _) = place[".dynsym"], place[".dynstr"]
    each, other = (24, 5) if data[4] == 2 else (16, 13)  # ELFCLASS64
    for at in range(symbols, symbols + size, each):
        name = strings + struct.unpack_from("<I", data, at)[0]
        if data[name:data.index(0, name)].decode() in names:
            data[at + other] = 3
    path.write_bytes(data)


def make_symbolic(path):
    """Sets DF_SYMBOLIC: linkers that are told -Bsymbolic leave nothing for the loader to look up."""
    data = bytearray(path.read_bytes())
    at, size = sections(path)[".dynamic"]
    word, each = ("<Q", 8) if data[4] == 2 else ("<I", 4)
    for entry in range(at, at + size, 2 * each):
        tag, value = struct.unpack_from(word, data, entry)[0], struct.unpack_from(word, data, entry + each)[0]
        if tag == 30:  # DT_FLAGS
            struct.pack_into(word, data, entry + each, value | 2)
    path.write_bytes(data)


def compile_(work, target, source, flags, rpath=",-rpath,$ORIGIN"):
    command = [*os.environ.get("CC", "cc").split(), "-O1", "-o", target, "-xc", "-", "-xnone", "-L.",
               f"-Wl,--no-as-needed,--enable-new-dtags,-rpath-link,.{rpath}", *flags]
    built = subprocess.run(command, cwd=work, input=source, capture_output=True, text=True)
    assert built.returncode == 0, f"{' '.join(command)}\n{built.stderr}"


def make_libraries(work, *how):
    for name, text in MAPS.items():
        (work / name).write_text(text)
    later = [n for n, (_, flags) in LIBRARIES.items() if "-l" in flags]
    for name in sorted(LIBRARIES, key=later.__contains__):
        source, flags = LIBRARIES[name]
        # no start files: nothing in them needs a C library
        compile_(work, f"lib{name}.so", source.replace("NAME", name),
                 ["-shared", "-fPIC", "-nostdlib", "-fno-builtin", "-Wl,-z,lazy", *flags.split(), *how])
    make_symbolic(work / "libflagged.so")
    shutil.copy(work / "libv2.so", work / "libv.so")
    (work / "libgone.so").unlink()
    return work


@pytest.fixture(scope="module")
def libraries(tmp_path_factory):
    return make_libraries(tmp_path_factory.mktemp("libraries"))


@pytest.fixture(scope="module")
def comparer():
    """The comparing program, built like the binary under test."""
    path = pathlib.Path(os.environ.get("GLIBCTRACE", TOP / "build" / "glibctrace")).resolve().parent / "conformance/bindings"
    clean = {key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "MFLAGS")}
    made = subprocess.run(["make", "-s", f"SAN={int(path.parts[-3] == 'san')}", str(path.relative_to(TOP))], cwd=TOP,
                          capture_output=True, text=True, env=clean)
    assert made.returncode == 0, made.stdout + made.stderr
    return path


def needs_for(libc, narrow):
    """How a program is linked with the C library of LIBC."""
    if narrow:  # there are no start files for it here
        return ["-m32", "-nostdlib", "-Wl,--allow-shlib-undefined", f"{NARROW}/libc.so.6", f"{NARROW}/libdl.so.2"]
    if not libc.root:
        return []
    found = [next(pathlib.Path(libc.root).glob(f"**/x86_64-linux-gnu/{n}")) for n in ("libc.so.6", "libdl.so.2")]
    return ["-nodefaultlibs", "-Wl,--allow-shlib-undefined", *map(str, found), "-lgcc"]


@pytest.fixture(scope="module", params=["host", "i386", *libcs.ROOTS])
def bed(request, libraries):
    """The C library, and the directory with the libraries and with the programs that were linked for it."""
    narrow = request.param == "i386"
    libc = libcs.named("host" if narrow else request.param)
    if libc.root:
        os.makedirs(libc.root + "/opt", exist_ok=True)
    work = pathlib.Path(tempfile.mkdtemp(prefix="scope-", dir=libc.root + "/opt" if libc.root else None)).resolve()
    if narrow:
        make_libraries(work, "-m32")
    else:
        shutil.copytree(libraries, work, dirs_exist_ok=True)
    work.chmod(0o755)
    own = needs_for(libc, narrow)
    for name, (source, flags) in PROGRAMS.items():
        compile_(work, name, source + (START if narrow else ""), ["-Wl,-z,lazy", *flags.split(), *own])
    # $ORIGIN of a program is read from /proc, which is not everywhere
    compile_(work, "unrouted", PROGRAMS["copy"][0] + (START if narrow else ""), [*PROGRAMS["copy"][1].split(), *own], rpath="")
    protect(work / "libprot.so", ("pf", "pd"))  # only now: today's linker makes no copy of a protected variable
    yield libc, work
    shutil.rmtree(work)


def compared(comparer, libc, work, words, env):
    """Runs WORDS and compares; returns (the counts and differences, ld.so's words)."""
    here = str(work)[len(libc.root):]
    words = [word.replace(":", f":{here}/lib", 1) + ".so" if re.match(r"\+\w+:.", word) else word for word in words]
    log = work / "log"
    shutil.rmtree(log, ignore_errors=True)
    log.mkdir()
    status, output = libc.run([f"{here}/{words[0]}", *words[1:]], work,
                              {**env, "LD_DEBUG": "libs,files,scopes,bindings", "LD_DEBUG_OUTPUT": f"{here}/log/l"})
    assert status == 0, output
    (written,) = log.iterdir()
    return conformance.compare(comparer, libc, f"{here}/{words[0]}", work, written, env), written.read_text()


@pytest.mark.parametrize("now", [False, True], ids=["lazy", "now"])
@pytest.mark.parametrize("name", SCENARIOS)
def test_rule(comparer, bed, name, now):
    libc, work = bed
    scenario = SCENARIOS[name]
    here = str(work)[len(libc.root):]
    env = {key: value.replace("HERE", here) for key, value in scenario.env.items()}
    if now:
        env["LD_BIND_NOW"] = "1"
    result, words = compared(comparer, libc, work, scenario.words.split(), env)
    assert result.lines == []
    assert result.lookups > 30
    for show in scenario.shows:
        assert show.replace("HERE", here) in words


def is_narrow(work):
    return (work / "opener").read_bytes()[4] == 1  # ELFCLASS32


VARIANTS = ("", "glibc-hwcaps/x86-64-v2", "glibc-hwcaps/x86-64-v3", "glibc-hwcaps/x86-64-v4", "haswell", "x86_64",
            "tls", "sse2", "i686", "tls/i686/sse2", "tls/x86_64", "tls/haswell/x86_64", "tls/haswell/avx512_1/x86_64", "haswell/avx512_1")


@pytest.fixture
def small_root(bed, tmp_path):
    """A root of its own with nothing but the C library, the programs in /app, and libx.so in every subdirectory of /lib/hw
    that some loader has a name for."""
    libc, work = bed
    root = tmp_path / "root"
    wide = ("/lib64/ld-linux-x86-64.so.2", "/lib/x86_64-linux-gnu/libc.so.6", "/lib/x86_64-linux-gnu/libdl.so.2")
    narrow = ("/lib/ld-linux.so.2", f"{NARROW}/libc.so.6", f"{NARROW}/libdl.so.2")
    for file in narrow if is_narrow(work) else wide:
        (root / file[1:]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(libc.file(file), root / file[1:])
    for variant in VARIANTS:
        (root / "lib/hw" / variant).mkdir(parents=True, exist_ok=True)
        shutil.copy(work / "libx.so", root / "lib/hw" / variant)
    own = pathlib.Path(file).parent.relative_to("/")
    shutil.copy(work / "libusesx.so", root / own)
    (root / "app").mkdir()
    shutil.copy(work / "unrouted", root / "app/copy")
    (root / "etc").mkdir()
    (root / "etc/ld.so.conf").write_text(f"/lib/hw\n/{own}\n")
    return libc, root


def run_in(root, words, env):
    if os.geteuid() == 0:
        enter = {"preexec_fn": lambda: (os.chroot(root), os.chdir("/"))}
    else:
        words, enter = ["bwrap", "--bind", str(root), "/", *words], {}
    return subprocess.run(words, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL, **enter)


@pytest.mark.parametrize("less", [0, 1, 3, 4])
@pytest.mark.parametrize("how", ["cache", "LD_LIBRARY_PATH"])
def test_subdirectories(comparer, small_root, how, less):
    """The best variant that is left, for each loader in its own order; its own ldconfig writes the cache."""
    libc, root = small_root
    for variant in VARIANTS[len(VARIANTS) - less:] + VARIANTS[1:1 + less]:
        (root / "lib/hw" / variant / "libx.so").unlink(missing_ok=True)
    env = {}
    if how == "cache":
        ldconfig = next(path for path in ("/sbin/ldconfig", "/usr/sbin/ldconfig") if libc.file(path))
        subprocess.run([libc.file(ldconfig), "-r", str(root)], check=True, capture_output=True)
    else:
        env["LD_LIBRARY_PATH"] = f"/nowhere:/lib/hw:/lib/x86_64-linux-gnu:{NARROW}"
    ran = run_in(root, ["/app/copy"], {**env, "LD_DEBUG": "libs,files,scopes,bindings", "LD_DEBUG_OUTPUT": "/log"})
    assert ran.returncode == 0, ran.stderr
    (log,) = root.glob("log.*")
    result = conformance.compare(comparer, libcs.Libc(libc.name, root), "/app/copy", root, log, env)
    assert result.lines == []
    assert result.lookups > 30 and result.counts["searches"] >= 3
    assert re.search(r"trying file=/lib/hw/.*libx\.so", log.read_text())


def test_programs(comparer):
    """Real programs of this system, each process that they start: `make conformance` has more of them."""
    total = conformance.Comparison()
    conformance.run_libc(comparer, libcs.host(), [words for words in conformance.PROGRAMS.strip().splitlines()
                                              if words.startswith(conformance.QUICK)], total)
    assert total.unknown == []
    assert total.images >= 10 and total.lookups > 5000
