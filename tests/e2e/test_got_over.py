"""What looks like the reason of an end, and is none; each beside a twin in which it is one."""

import socket

import pytest

PYTHON = "/usr/bin/python3"


def _found(result):
    return [(c["kind"], c["missing"], c["impact"]) for c in result.causes]


# --- a command that is looked for in a substitution whose words the shell reads ---

SHELLS = ["sh", "bash"]
ASKS = "v=$(frobnicate --version 2>&1)"
OF_ANOTHER = {
    "its own words": f"{ASKS}\necho \"x.sh: '-z' is not a file\" >&2\nexit 1\n",
    "its own words, said as output": f"test -z \"`(frobnicate a) 2>&1`\"\necho 'x.sh: --version not a file'\nexit 1\n",
    "another program": f"{ASKS}\ncat /nowhere/x.conf\n",
}
OF_THAT = {
    "nothing is said": f"{ASKS} || exit 1\n",
    "said again": f"{ASKS} || {{ echo \"sorry: $v\" >&2; exit 1; }}\n",
    "said vaguely": f"{ASKS} || {{ echo 'cannot continue' >&2; exit 1; }}\n",
}


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("case", OF_ANOTHER)
def test_a_probe_whose_words_the_shell_reads(run, script, shell, case):
    result = run("--", shell, script("x.sh", OF_ANOTHER[case]))
    assert result.returncode == 1
    assert _found(result) == ([("file-missing", "/nowhere/x.conf", "fatal")] if case == "another program" else [])


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("case", OF_THAT)
def test_a_command_whose_words_the_shell_reads(run, script, shell, case):
    result = run("--", shell, script("x.sh", OF_THAT[case]))
    assert result.returncode == 1
    assert _found(result) == [("command-not-found", "frobnicate", "fatal")]


# --- how a program was called, after a server that is not there ---

TRIES = {
    "python": [PYTHON, "-c", "import socket, sys\ntry: socket.create_connection(('127.0.0.1', int(sys.argv[1])))\n"
               "except OSError: sys.exit(sys.argv[2])"],
    "perl": ["perl", "-e", "use IO::Socket::INET; IO::Socket::INET->new(PeerAddr => \"127.0.0.1:$ARGV[0]\") "
             "or do { print STDERR \"$ARGV[1]\\n\"; exit 1 }"],
    "node": ["node", "-e", "require('net').connect(+process.argv[1], '127.0.0.1').on('error', () => "
             "{ console.error(process.argv[2]); process.exit(1) })"],
}


def _free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1])


@pytest.mark.parametrize("who", TRIES)
@pytest.mark.parametrize("words", ["error: unknown flag: --version\nSee 'prog --help' for usage.",
                                   "prog: unrecognized option '--server'"])
def test_called_wrongly_and_no_server(run, who, words):
    result = run("--", *TRIES[who], _free_port(), words)
    assert result.returncode == 1 and result.causes == []


@pytest.mark.parametrize("who", TRIES)
def test_no_server(run, who):
    port = _free_port()
    result = run("--", *TRIES[who], port, "cannot go on\nSee 'prog --help' for what can be set.")
    assert _found(result) == [("connection-refused", f"127.0.0.1:{port}", "fatal")]


# --- "locale" as a part of a longer word ---

LOCALE = {"LC_ALL": None, "LC_CTYPE": None, "PERL_BADLANG": "0", "LANG": "zz_ZZ.UTF-8"}
SAYS = {
    "sh": ["sh", "-c", "echo \"$1\" >&2; exit $2", "sh"],
    "python": [PYTHON, "-c", "import sys; sys.stderr.write(sys.argv[1] + '\\n'); sys.exit(int(sys.argv[2]))"],
    "perl": ["perl", "-e", "print STDERR \"$ARGV[0]\\n\"; exit $ARGV[1]"],
}


@pytest.mark.parametrize("who", SAYS)
@pytest.mark.parametrize("words", ["Configured with: --enable-clocale=gnu --disable-werror --target=zz_ZZ.UTF-8",
                                   "bad table in /usr/share/locale/zz_ZZ.UTF-8"])
def test_no_word_about_locales(run, who, words):
    assert run("--", *SAYS[who], words, "0", env=LOCALE).causes == []


@pytest.mark.parametrize("who", SAYS)
@pytest.mark.parametrize("words", ["setlocale: cannot change to zz_ZZ.UTF-8", "unsupported locale zz_ZZ.UTF-8"])
def test_words_about_locales(run, who, words):
    result = run("--", *SAYS[who], words, "0", env=LOCALE)
    assert _found(result) == [("environment-wrong", "LANG=zz_ZZ.UTF-8", "degraded")]


# --- one file, several variables ---

CERTS = "/nowhere/ca.pem"
NAMES = ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "PROBE_CA", "PIP_CERT"]
READS = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(int argc, char **argv)
{
    const char *file = getenv("PROBE_CA");

    if (!fopen(file, "r"))
        perror(argv[1][0] == 'w' ? strcat(strcpy(malloc(99), "warning: ignoring "), file) : file);
    return argv[1][0] == 'w' ? 0 : 1;
}
"""


@pytest.mark.parametrize("what", ["warns", "fails"])
def test_the_variable_that_the_program_has_in_it(run, cc, what):
    result = run("--", cc(READS, name="reader"), what, env={name: CERTS for name in NAMES})
    assert _found(result) == [("environment-wrong", f"PROBE_CA={CERTS}", "degraded" if what == "warns" else "fatal")]
    assert "SSL_CERT_FILE" in result.stderr and "NODE_EXTRA_CA_CERTS" in result.stderr  # told as facts


def test_the_variable_of_the_programs_own_name(run):
    result = run("--", "node", "-e", "1", env={name: CERTS for name in NAMES})
    assert _found(result) == [("environment-wrong", f"NODE_EXTRA_CA_CERTS={CERTS}", "degraded")]


@pytest.mark.parametrize("name", ["PROBE_CA", "SSL_CERT_FILE"])
def test_the_variable_that_the_words_name(run, name):
    words = f"import os, sys; p = os.environ['{name}']\ntry: open(p)\nexcept OSError as e: sys.exit(f'{name}: {{e}}')"
    result = run("--", PYTHON, "-c", words, env={name: CERTS for name in NAMES})
    assert _found(result) == [("environment-wrong", f"{name}={CERTS}", "fatal")]


# --- a search that goes up ---

CLIMBS = r"""
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
int main(void)
{
    char path[PATH_MAX + 16];

    getcwd(path, PATH_MAX);
    for (char *end = path + strlen(path); end; *end = 0, end = strrchr(path, '/')) {
        strcpy(end, "/probe.toml");
        if (access(path, R_OK) == 0)
            return 0;
    }
    fputs("error: could not find probe.toml here or in any parent directory\n", stderr);
    return 1;
}
"""
UP = {
    "git": lambda cc: ["git", "log"],
    "C": lambda cc: [cc(CLIMBS, name="climber")],
    "python": lambda cc: [PYTHON, "-c", "import pathlib, sys\nhere = pathlib.Path.cwd()\n"
                          "if not any((d / 'probe.toml').exists() for d in [here, *here.parents]):\n"
                          "    sys.exit('no probe.toml found here or above')"],
}


@pytest.mark.parametrize("who", UP)
def test_a_search_that_goes_up_is_no_certainty(run, cc, tmp_path, who):
    (tmp_path / "deep").mkdir()
    result = run("--", *UP[who](cc), cwd=tmp_path / "deep", env={"GIT_CEILING_DIRECTORIES": None})
    assert result.returncode and all(c["confidence"] <= 0.7 for c in result.causes)


def test_a_file_that_is_looked_for_in_one_place(run, tmp_path):
    result = run("--", PYTHON, "-c", "open('probe.toml')")
    assert _found(result) == [("file-missing", str(tmp_path / "probe.toml"), "fatal")]
    assert result.first["confidence"] > 0.9


# --- a display that nobody names ---

DISPLAY = {
    "C": lambda cc, words: [cc("#include <stdio.h>\nint main(int c, char **v) { fprintf(stderr, \"%s\\n\", v[1]); return 1; }\n",
                               name="xprog"), words],
    "python": lambda cc, words: [PYTHON, "-c", "import sys; sys.exit(sys.argv[1])", words],
    "perl": lambda cc, words: ["perl", "-e", "die qq($ARGV[0]\\n)", words],
}
WANTS = ["xprog:  unable to open display \"\".", "Error: Can't open display: ",
         "_tkinter.TclError: no display name and no $DISPLAY environment variable", "Missing X server or $DISPLAY"]


@pytest.mark.parametrize("who", DISPLAY)
@pytest.mark.parametrize("value", [None, ""])
def test_no_display(run, cc, who, value):
    for words in WANTS:
        result = run("--", *DISPLAY[who](cc, words), env={"DISPLAY": value, "WAYLAND_DISPLAY": None})
        assert _found(result) == [("environment-wrong", "DISPLAY=", "fatal")], words
        assert result.first["words"].strip() == words.strip()


@pytest.mark.parametrize("who", DISPLAY)
def test_no_word_of_a_display_that_was_to_be_opened(run, cc, who):
    for words in ["error: cannot display the table", "warning: no display, going on without"]:
        assert run("--", *DISPLAY[who](cc, words), env={"DISPLAY": None, "WAYLAND_DISPLAY": None}).causes == [], words


def test_a_display_that_was_given(run, cc):
    words = "unable to open display \"junk\"."
    assert run("--", *DISPLAY["C"](cc, words), "-display", "junk", env={"DISPLAY": None}).causes == []


# --- a module that is nowhere: no file of its name is missing from one place ---

# As ruby looks in its gems, and what it says then.
GEMS = r"""
#include <stdio.h>
#include <unistd.h>
int main(void)
{
    access("/usr/lib/probe/gems/debug-1.4.0/lib/nosuch/thing", R_OK);
    access("/usr/lib/probe/gems/rake-13/lib/nosuch/thing", R_OK);
    fputs("<internal:kernel_require.rb>:85:in `require': cannot load such file -- nosuch/thing (LoadError)\n"
          "\tfrom -e:1:in `<main>'\n", stderr);
    return 1;
}
"""
MODULES = {
    "python": lambda top, cc: [PYTHON, "-m", "unittest", "nosuch"],
    "C": lambda top, cc: [cc(GEMS, name="gems")],
    "perl": lambda top, cc: ["perl", f"-I{top}", "-e", "require Loadable;"],
}


@pytest.mark.parametrize("who", MODULES)
def test_a_module_that_is_nowhere(run, cc, tmp_path, who):
    (tmp_path / "Loadable.pm").write_text("package Loadable; require XSLoader; XSLoader::load('Loadable'); 1;\n")
    result = run("--", *MODULES[who](tmp_path, cc))
    assert result.returncode and ("nosuch" in result.stderr or "Loadable" in result.stderr)
    assert result.causes == []


FILES = {
    "python": lambda file: [PYTHON, "-c", f"open('{file}')"],
    "sh": lambda file: ["sh", "-c", f"exec cat {file}"],
    "perl": lambda file: ["perl", "-e", f"open(F, '{file}') or die \"cannot open {file}: $!\""],
}


@pytest.mark.parametrize("who", FILES)
def test_a_file_without_an_ending(run, tmp_path, who):
    result = run("--", *FILES[who]("nosuch"))
    assert _found(result) == [("file-missing", str(tmp_path / "nosuch"), "fatal")]


# --- two failures of one script; one file that several programs miss ---


def test_what_failed_first_is_told_first(run):
    file, command = ("file-missing", "/nowhere/one", "fatal"), ("command-not-found", "frobnicate", "fatal")
    assert _found(run("--", "sh", "-c", "cat /nowhere/one; frobnicate; exit 1")) == [file, command]
    assert _found(run("--", "sh", "-c", "frobnicate; cat /nowhere/one; exit 1")) == [command, file]


def test_one_file_that_three_programs_miss(run):
    code = "cat /nowhere/one; head /nowhere/one; perl -e 'open(F, q(/nowhere/one)) or die qq(/nowhere/one: $!)'; exit 1"
    result = run("--", "sh", "-c", code)
    assert _found(result) == [("file-missing", "/nowhere/one", "fatal")]
    assert "head" in result.stderr.partition("ended with status")[2] and "perl" in result.stderr


def test_two_files_are_two_causes(run):
    result = run("--", "sh", "-c", "cat /nowhere/one; head /nowhere/two; exit 1")
    assert [c["missing"] for c in result.causes] == ["/nowhere/one", "/nowhere/two"]


# --- limits that look like crashes ---

FRAME = "#include <string.h>\nint main(int argc, char **argv)\n{\n    char room[400000];\n    memset(room, argc, sizeof room);\n" \
        "    return room[argc * 1000] - 1;\n}\n"
FRAME_CXX = FRAME.replace("400000", "900000")
DEEP = "static int deep(volatile char *p, int n)\n{\n    volatile char room[1000];\n    room[0] = *p;\n" \
       "    return n ? deep(room, n - 1) + room[0] : 0;\n}\nint main(void) { char c = 0; return deep(&c, 900); }\n"
STACKS = {"a frame": FRAME, "a larger frame": FRAME_CXX, "calls": DEEP}


@pytest.mark.parametrize("what", STACKS)
def test_a_stack_that_may_not_grow_as_usual(run, cc, what):
    prog = cc(STACKS[what], "-O0", name="deep")
    result = run("--", "sh", "-c", f"ulimit -s 128; exec {prog}")
    assert _found(result) == [("resource-limit", "RLIMIT_STACK", "fatal")]
    assert result.first["subject"] == str(prog) and result.first["confidence"] < 0.9
    assert run("--", prog).causes == []


def test_a_null_pointer_where_the_stack_is_small(run, cc):
    prog = cc("int main(void) { return *(volatile int *)8; }\n", name="null")
    assert _found(run("--", "sh", "-c", f"ulimit -s 512; exec {prog}")) == [("crash", "SIGSEGV", "fatal")]


RESERVES = r"""
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
int main(int argc, char **argv)
{
    if (mmap(0, 1L << 32, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) != MAP_FAILED)
        return 0;
    fprintf(stderr, "%s\n", argv[1]);
    if (argc > 2)
        abort();
    return 1;
}
"""
RESERVE_WORDS = ["fatal error: failed to reserve page summary memory", "runtime: cannot reserve arena virtual address space",
                 "Could not reserve enough space for 4194304KB object heap"]


@pytest.mark.parametrize("words", RESERVE_WORDS)
@pytest.mark.parametrize("more", [[], ["abort"]])
def test_memory_that_could_not_be_reserved(run, cc, words, more):
    prog = cc(RESERVES, name="reserves")
    result = run("--", "sh", "-c", f"ulimit -v 500000; exec {prog} \"$@\"", "sh", words, *more)
    assert _found(result) == [("resource-limit", "RLIMIT_AS", "fatal")]
    assert run("--", prog, words, *more).causes == []


HUSHED = {"cat": ("file-missing", "cat need.bin"),
          "python": ("file-missing", f"{PYTHON} -c \"open('need.bin')\""),
          "a pool": ("file-missing", f"{PYTHON} -c \"import multiprocessing as m; m.Pool(1).map(open, ['need.bin'])\""),
          "node": ("connection-refused", "node -e \"require('net').connect(1)\"")}
COPED = ["{} 2>/dev/null || true", "{} 2>/dev/null; exit 0", "{} 2>/dev/null; ls / >/dev/null; exit 2", "test -n \"$(ls *.zip 2>/dev/null)\"; exit 3",
         "x=$({} 2>/dev/null); test -n \"$x\" || echo none"]


@pytest.mark.parametrize("who", HUSHED)
@pytest.mark.parametrize("wrapped, most", [("{} 2>/dev/null", 0.8), ("{} >/dev/null 2>&1 || exit 7", 0.6)])
def test_what_is_said_to_nobody_is_what_it_ends_of(run, who, wrapped, most):
    kind, command = HUSHED[who]
    causes = run("--", "sh", "-c", wrapped.format(command)).causes
    assert [(cause["kind"], cause["impact"]) for cause in causes] == [(kind, "fatal")] and causes[0]["words"]
    assert causes[0]["confidence"] <= most


@pytest.mark.parametrize("wrapped", COPED)
def test_what_is_said_to_nobody_may_be_got_over(run, wrapped):
    assert run("--", "sh", "-c", wrapped.format(HUSHED["cat"][1])).causes == []


SEEKS = r"""
#include <dlfcn.h>
#include <stdio.h>
int main(int argc, char **argv)
{
    void *plug = dlopen("libutil.so.1", RTLD_NOW);
    if (!dlsym(plug, "Java_none_such"))
        fprintf(stderr, "%s\n", argv[1]);
    return 1;
}
"""


@pytest.mark.parametrize("words", ["Error: Could not load main class Nope\nCaused by: java.lang.ClassNotFoundException: Nope",
                                   "config.c:3: bad token 'x'"])
def test_a_symbol_that_was_asked_for_and_another_reason(run, cc, words):
    cc(SEEKS)
    assert run("--", "./prog", words).causes == []


def test_a_symbol_that_was_asked_for_and_no_reason(run, cc):
    cc(SEEKS)
    assert run("--", "./prog", "cannot start").first["missing"] == "Java_none_such"
