"""A crash that follows from an earlier failure names that first, with both in the chain; one that only comes later than
a failure does not. Each program comes with the twin that differs in nothing but the way between the two."""

import os

import pytest

HEAD = """
#include <assert.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
struct config { FILE *file; int depth; };
"""

# The file that is absent is argv[1]; what comes of it is a null pointer, and that is what crashes.
FOLLOWS = {
    "fgets": "int main(int c, char **v) { char b[80]; FILE *f = fopen(v[1], \"r\"); return fgets(b, 80, f) != 0; }",
    "far-below": "__attribute__((noinline)) int parse(FILE *f) { char b[80]; return fgets(b, 80, f) != 0; }\n"
                 "__attribute__((noinline)) int run(FILE *f) { return parse(f) + 1; }\n"
                 "int main(int c, char **v) { FILE *f = fopen(v[1], \"r\"); return run(f); }",
    "given-back": "__attribute__((noinline)) struct config *load(const char *n) { FILE *f = fopen(n, \"r\"); if (!f) return NULL;\n"
                  "  struct config *k = malloc(sizeof *k); k->file = f; k->depth = 0; return k; }\n"
                  "__attribute__((noinline)) int use(struct config *k) { return k->depth; }\n"
                  "int main(int c, char **v) { struct config *k = load(v[1]); return use(k); }",
    "in-place": "__attribute__((noinline)) int *load(const char *n) { int fd = open(n, O_RDONLY); return fd < 0 ? 0 : calloc(4, 4); }\n"
                "int main(int c, char **v) { volatile int *k = load(v[1]); k[1] = 3; return 0; }",
    "asserts": "int main(int c, char **v) { FILE *f = fopen(v[1], \"r\"); assert(f); return 0; }",
    "aborts": "int main(int c, char **v) { FILE *f = fopen(v[1], \"r\"); if (!f) abort(); return 0; }",
    "in-a-thread": "void *work(void *n) { char b[80]; FILE *f = fopen(n, \"r\"); fgets(b, 80, f); return 0; }\n"
                   "int main(int c, char **v) { pthread_t t; pthread_create(&t, 0, work, v[1]); pthread_join(t, 0); return 0; }",
    "after-others": "int main(int c, char **v) { char b[80]; FILE *f = fopen(v[1], \"r\"); struct stat s;\n"
                    "  stat(\"/\", &s); stat(\"/nothing/of/that/kind\", &s); return fgets(b, 80, f) != 0; }",
}

# The same file is absent, and something else crashes.
UNRELATED = {
    "optional": "__attribute__((noinline)) int use(struct config *k) { return k->depth; }\n"
                "int main(int c, char **v) { FILE *f = fopen(v[1], \"r\"); if (f) fclose(f);\n"
                "  struct config *volatile none = 0; struct config *k = none; return use(k); }",
    "optional-in-a-function": "__attribute__((noinline)) int load(const char *n) { FILE *f = fopen(n, \"r\"); if (!f) return 0; fclose(f); return 1; }\n"
                              "__attribute__((noinline)) int use(struct config *k) { return k->depth; }\n"
                              "int main(int c, char **v) { load(v[1]); struct config *volatile none = 0; return use(none); }",
    "raw": "int main(int c, char **v) { open(v[1], O_RDONLY); return *(volatile int *)8; }",
    "another-thread": "void *work(void *n) { FILE *f = fopen(n, \"r\"); if (f) fclose(f); return 0; }\n"
                      "int main(int c, char **v) { pthread_t t; char b[80]; FILE *volatile f = 0; pthread_create(&t, 0, work, v[1]);\n"
                      "  pthread_join(t, 0); return fgets(b, 80, f) != 0; }",
    "found-later": "int main(int c, char **v) { char b[80]; FILE *f = fopen(v[1], \"r\"); if (!f) f = fopen(v[2], \"r\"); if (!f) return 9;\n"
                   "  FILE *volatile none = 0; return fgets(b, 80, none) != 0; }",
    "wild": "int main(int c, char **v) { FILE *f = fopen(v[1], \"r\"); return *(volatile int *)(0x5550000 + (f == 0)); }",
    "divides": "int main(int c, char **v) { FILE *f = fopen(v[1], \"r\"); volatile int zero = f != 0; return 5 / zero; }",
    "aborts-further-in": "__attribute__((noinline)) int load(const char *n) { FILE *f = fopen(n, \"r\"); return f ? 1 : 2; }\n"
                         "__attribute__((noinline)) int work(int n) { if (n < 5) abort(); return n; }\n"
                         "int main(int c, char **v) { if (load(v[1]) == 1) return 0; return work(c) + 1; }",
    "aborts-later": "__attribute__((noinline)) void load(const char *n) { FILE *f = fopen(n, \"r\"); if (f) fclose(f); }\n"
                    "int main(int c, char **v) { load(v[1]); volatile int bad = 1; if (bad) abort(); return 0; }",
}


@pytest.mark.parametrize("stripped", [False, True])
@pytest.mark.parametrize("level", ["-O0", "-O2"])
@pytest.mark.parametrize("name", FOLLOWS)
def test_a_file_that_was_absent(run, cc, tmp_path, name, level, stripped):
    prog = cc(HEAD + FOLLOWS[name], "-g", level, "-w", "-pthread", *(["-s"] if stripped else []))
    missing = tmp_path / "absent.conf"
    result = run("--no-repro", "--", prog, missing)
    cause = result.first
    assert [(c["kind"], c["missing"], c["impact"]) for c in result.causes] == [("file-missing", str(missing), "fatal")]
    signal = result.report["outcome"]["signal"]
    assert cause["chain"][0] == str(prog) and cause["chain"][-1].startswith(signal)
    assert str(missing) in cause["summary"] and "it then crashed" in cause["summary"]
    assert any(line.startswith("→") for line in cause["crash"]["code"])
    assert any("fopen" in frame.get("symbol", "") or "open" in frame.get("symbol", "") for frame in cause["stack"])


@pytest.mark.parametrize("level", ["-O0", "-O2"])
@pytest.mark.parametrize("name", UNRELATED)
def test_a_file_that_was_absent_and_has_nothing_to_do_with_it(run, cc, tmp_path, name, level):
    prog = cc(HEAD + UNRELATED[name], "-g", level, "-w", "-pthread")
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "absent.conf").write_text("x\n")
    result = run("--no-repro", "--", prog, tmp_path / "absent.conf", tmp_path / "here" / "absent.conf")
    assert [c["kind"] for c in result.causes] == ["crash"]


LOADS = {
    "called": ("int main(int c, char **v) { void *h = dlopen(v[1], RTLD_NOW); int (*f)(void) = dlsym(h, \"plugin_go\"); return f(); }", True),
    "read": ("int main(int c, char **v) { return *(volatile int *)dlopen(v[1], RTLD_NOW); }", True),
    "given-back": ("__attribute__((noinline)) int (*get(const char *n))(void) { void *h = dlopen(n, RTLD_NOW);\n"
                   "  return h ? (int (*)(void))dlsym(h, \"plugin_go\") : 0; }\n"
                   "int main(int c, char **v) { int (*f)(void) = get(v[1]); return f(); }", True),
    "optional": ("__attribute__((noinline)) int use(struct config *k) { return k->depth; }\n"
                 "int main(int c, char **v) { void *h = dlopen(v[1], RTLD_NOW); if (h) dlclose(h);\n"
                 "  struct config *volatile none = 0; struct config *k = none; return use(k); }", False),
}


@pytest.mark.parametrize("level", ["-O0", "-O2"])
@pytest.mark.parametrize("name", LOADS)
def test_a_library_that_was_absent(run, cc, name, level):
    text, follows = LOADS[name]
    prog = cc(HEAD + text, "-g", level, "-w")
    result = run("--no-repro", "--", prog, "libnowhere.so.4")
    if follows:
        assert [(c["kind"], c["missing"], c["impact"]) for c in result.causes] == [("library-missing", "libnowhere.so.4", "fatal")]
        assert result.first["chain"][-1].startswith("SIGSEGV") and "it then crashed in" in result.first["summary"]
    else:
        assert (result.first["kind"], result.first["impact"]) == ("crash", "fatal")
        assert not any(c["impact"] == "fatal" for c in result.causes[1:])


def test_the_file_is_there(run, cc, tmp_path):
    (tmp_path / "absent.conf").write_text("x\n")
    for name in FOLLOWS:
        assert run("--", cc(HEAD + FOLLOWS[name], "-w", "-pthread"), tmp_path / "absent.conf").causes == [], name


def test_cut_off_programs_and_libraries(run, cc, tmp_path):
    """A signal is how it shows that a file is cut off: the chain ends with who asked for it, and no place is named."""
    prog = cc("int main(void) { return 0; }\n")
    os.truncate(prog, 3000)
    result = run("--", prog)
    assert result.first["kind"] == "object-corrupt" and result.first["chain"] == [str(prog)]
    assert "crashed" not in result.first["summary"]
    cc("static char big[65536] = {1};\nchar *dep(void) { return big; }\n", "-Wl,-soname,libdep.so", name="libdep.so")
    user = cc("char *dep(void);\nint main(void) { return *dep() == 2; }\n", "./libdep.so", "-Wl,-rpath,$ORIGIN", name="user")
    assert run("--", user).causes == []
    os.truncate(tmp_path / "libdep.so", 16384)
    result = run("--", user)
    assert result.first["kind"] == "object-corrupt" and result.first["chain"] == [str(user)]
    assert "crashed" not in result.first["summary"]
