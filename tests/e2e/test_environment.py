"""Variables that point at what is not there, or is not meant; by programs of many kinds, and twins that get on all the same."""

import os
import shutil

import pytest

PYTHON = "/usr/bin/python3"


def _exe(name):
    return os.path.realpath(shutil.which(name))


PERL_OPEN = 'open(F, "<", $ENV{MYAPP_CONFIG}) or die "cannot open $ENV{MYAPP_CONFIG}: $!\\n"'
CHECKS = '[ -x "$JAVA_HOME/bin/java" ] || { echo "error: JAVA_HOME is set to an '
C_OPEN = r"""
#include <stdio.h>
#include <stdlib.h>
int main(void)
{
    if (!fopen(getenv("MYAPP_CONFIG"), "r")) {
        perror(getenv("MYAPP_CONFIG"));
        return 1;
    }
    return 0;
}
"""

# name: (variable, value with {top} for the test's own directory, command, subject or None for command[0])
FATAL = {
    "c": ("MYAPP_CONFIG", "{top}/no/app.conf", ["./prog"]),
    "python": ("MYAPP_CONFIG", "{top}/no/app.conf",
               [PYTHON, "-c", "import os; open(os.environ['MYAPP_CONFIG'])"]),
    "perl": ("MYAPP_CONFIG", "{top}/no/app.conf", ["perl", "-e", PERL_OPEN]),
    "node, a tree": ("MYAPP_ROOT", "{top}/no", ["node", "-e", "fs.readFileSync(process.env.MYAPP_ROOT + '/etc/a.conf')"]),
    "shell, in a child": ("MYAPP_ROOT", "{top}/no", ["sh", "-c", "cat $MYAPP_ROOT/etc/a.conf; exit 3"], "cat"),
    "a file where a directory is meant": ("DATA", "/etc/passwd", ["cat", "/etc/passwd/x"]),
    "a directory where a file is meant": ("MYAPP_CONFIG", "{top}",
                                          [PYTHON, "-c", "import os; open(os.environ['MYAPP_CONFIG'])"]),
    "GOROOT": ("GOROOT", "{top}/no", ["go", "version"]),
    "GOROOT without Go": ("GOROOT", "{top}", ["go", "vet", "fmt"]),
    "GOFLAGS, a path": ("GOFLAGS", "-modfile={top}/no/x.mod", ["go", "list", "-m"]),
    "GOFLAGS, a word": ("GOFLAGS", "-nonsense", ["go", "list", "fmt"]),
    "GOCACHE": ("GOCACHE", "relative", ["go", "build", "fmt"]),
    "GOOS": ("GOOS", "nonsense", ["go", "build", "fmt"]),
    "NODE_OPTIONS=": ("NODE_OPTIONS", "--require={top}/no/x.js", ["node", "-e", "1"]),
    "NODE_OPTIONS": ("NODE_OPTIONS", "--no-warnings --require {top}/no/x.js", ["node", "-e", "1"]),
    "NODE_OPTIONS, a word": ("NODE_OPTIONS", "--nonsense", ["node", "-e", "1"]),
    "NODE_PATH": ("NODE_PATH", "{top}/no", ["node", "-e", "require('no-such-module')"]),
    "TMPDIR, mktemp": ("TMPDIR", "{top}/no", ["mktemp"]),
    "TMPDIR, go": ("TMPDIR", "{top}/no", ["go", "run", "/nowhere.go"]),
    "TMPDIR, node": ("TMPDIR", "{top}/no", ["node", "-e", "fs.mkdtempSync(os.tmpdir() + '/x')"]),
    "TMPDIR, sort": ("TMPDIR", "{top}/no", ["sort", "-S", "1", __file__]),
    "HOME, bash": ("HOME", "{top}/no", ["bash", "-c", "cd && pwd"]),
    "HOME, git": ("HOME", "{top}/no", ["git", "config", "--global", "user.name", "x"]),
    "HOME, python": ("HOME", "{top}/no", [PYTHON, "-c", "import os; open(os.path.expanduser('~/.x'), 'w')"]),
    "XDG_CONFIG_HOME": ("XDG_CONFIG_HOME", "{top}/no",
                        [PYTHON, "-c", "import os; os.mkdir(os.environ['XDG_CONFIG_HOME'] + '/app')"]),
    "PYTHONHOME": ("PYTHONHOME", "{top}/no", [PYTHON, "-c", "1"]),
    "a test and its value": ("JAVA_HOME", "{top}/no", ["sh", "-c", CHECKS + "invalid directory: $JAVA_HOME" + '" >&2; exit 1; }']),
    "a test and its name": ("SDK_ROOT", "{top}/no", ["bash", "-c", '[[ -d $SDK_ROOT ]] || { echo "SDK not found, check SDK_ROOT" >&2; exit 1; }']),
    "a test and no name": ("MODELS", "{top}/no", [PYTHON, "-c", "import os, sys; os.path.isdir(os.environ['MODELS']) or sys.exit('models do not exist')"]),
    "TERM, a library": ("TERM", "no-such-term", [PYTHON, "-c", "import curses; curses.setupterm()"]),
    "die without words": ("MYAPP_CONFIG", "{top}/no/x", ["perl", "-e", 'open(F, ">", $ENV{MYAPP_CONFIG}) or die']),
    "a library by its path": ("MYAPP_LIBRARY", "{top}/no/libx.so", [PYTHON, "-c", "import ctypes, os; ctypes.CDLL(os.environ['MYAPP_LIBRARY'])"]),
    "PYTHONHOME without Python": ("PYTHONHOME", "{top}", [PYTHON, "-c", "1"]),
    "PYTHONPATH": ("PYTHONPATH", "{top}/no", [PYTHON, "-c", "import no_such_module"]),
    "PERL5LIB": ("PERL5LIB", "{top}/no:{top}/none", ["perl", "-e", "use No::Such"]),
    "LC_ALL, python": ("LC_ALL", "xx_XX.UTF-8", [PYTHON, "-c", "import locale; locale.setlocale(locale.LC_ALL, '')"]),
    "GIT_DIR": ("GIT_DIR", "{top}/no", ["git", "status"]),
    "GIT_DIR without git": ("GIT_DIR", "{top}", ["git", "status"]),
    "CC": ("CC", "{top}/no/cc -O2", ["make", "-e", "-f", "-"], "make"),
    "JAVA_HOME": ("JAVA_HOME", "{top}/no", ["sh", "-c", '"$JAVA_HOME/bin/java" -version'], "sh"),
    "JAVA_HOME without Java": ("JAVA_HOME", "{top}", ["bash", "-c", '"$JAVA_HOME/bin/java" -version; exit 4'], "bash"),
    "SSL_CERT_FILE": ("SSL_CERT_FILE", "{top}/no.pem",
                      [PYTHON, "-c", "import os, ssl; ssl.create_default_context(cafile=os.environ['SSL_CERT_FILE'])"]),
    "TERM": ("TERM", "nonsense", ["tput", "cols"]),
    "a bare name": ("MYAPP_CONFIG", "app.conf", [PYTHON, "-c", "import os; open(os.environ['MYAPP_CONFIG'])"]),
    "named by the script": ("MYAPP_HOME", "{top}/no",
                            ["sh", "-c", '[ -x "$MYAPP_HOME/bin/run" ] || { echo "error: MYAPP_HOME is not defined correctly" '
                                         '1>&2; exit 1; }']),
}
VERIFIED = {"c", "python", "perl", "node, a tree", "shell, in a child", "GOROOT", "GOFLAGS, a path", "NODE_OPTIONS=",
            "TMPDIR, mktemp", "HOME, git", "PYTHONHOME", "PERL5LIB", "CC", "JAVA_HOME", "XDG_CONFIG_HOME"}


@pytest.mark.parametrize("name", FATAL)
def test_variable(run, cc, tmp_path, name):
    cc(C_OPEN)
    (tmp_path / "go.mod").write_text("module example.org/m\n")
    variable, value, command, *subject = FATAL[name]
    value = value.format(top=tmp_path)
    result = run("--", *command, env={variable: value}, stdin="all:\n\t$(CC) -c x.c\n")
    first = result.first
    assert (first["kind"], first["missing"], first["impact"]) == ("environment-wrong", f"{variable}={value}", "fatal")
    assert os.path.basename(first["subject"]) == os.path.basename(_exe(*subject) if subject else
                                                                  _exe(command[0]) if command[0] != "./prog" else "prog")
    assert len(result.causes) == 1, [(c["kind"], c["missing"]) for c in result.causes]
    assert first["words"]
    assert first["remedies"][0]["commands"] == [f"unset {variable}"]
    if name in VERIFIED:
        assert result.report["reproduction"]["status"] == "verified", result.report["reproduction"]


DEGRADED = {
    "LC_ALL, perl": ("LC_ALL", "xx_XX.UTF-8", ["perl", "-e", "1"]),
    "LC_ALL, bash": ("LC_ALL", "xx_XX.UTF-8", ["bash", "-c", "exit 0"]),
    "a locale, and an end of its own": ("LC_ALL", "xx_XX.UTF-8", ["bash", "-c", "exit 5"]),
    "LD_PRELOAD": ("LD_PRELOAD", "{top}/no.so", ["/bin/true"]),
    "LD_PRELOAD, bad end": ("LD_PRELOAD", "{top}/no.so", [PYTHON, "-c", "raise SystemExit(3)"]),
    "LD_PRELOAD, one of two": ("LD_PRELOAD", "libc.so.6:libnone.so", ["perl", "-e", "1"]),
    "LD_AUDIT": ("LD_AUDIT", "{top}/no.so", ["/bin/true"]),
    "NODE_EXTRA_CA_CERTS": ("NODE_EXTRA_CA_CERTS", "{top}/no.pem",
                            ["node", "-e", "require('tls').createSecureContext()"]),
}


@pytest.mark.parametrize("name", DEGRADED)
def test_variable_that_the_program_goes_on_without(run, tmp_path, name):
    variable, value, command = DEGRADED[name]
    value = value.format(top=tmp_path)
    result = run("-E", f"{variable}={value}", "--", *command)
    assert [(c["kind"], c["missing"], c["impact"]) for c in result.causes] == \
        [("environment-wrong", f"{variable}={value}", "degraded")]


def test_one_value_met_by_many_is_one_cause(run, tmp_path):
    result = run("--", "sh", "-c", "/bin/true; /bin/true; /bin/ls >/dev/null; exit 0",
                 env={"LD_PRELOAD": str(tmp_path / "no.so")})
    assert len(result.causes) == 1


HEALTHY = {
    "nothing asks": ("MYAPP_CONFIG", ["cat", "/etc/passwd"]),
    "TMPDIR, python looks elsewhere": ("TMPDIR", [PYTHON, "-c", "import tempfile; tempfile.mkstemp()"]),
    "TMPDIR, cc": ("TMPDIR", ["cc", "-E", "-x", "c", "/dev/null", "-o", "/dev/null"]),
    "HOME": ("HOME", ["git", "--version"]),
    "HOME, npm": ("HOME", ["node", "-e", "require('fs').existsSync(process.env.HOME + '/.npmrc')"]),
    "LD_LIBRARY_PATH": ("LD_LIBRARY_PATH", ["perl", "-e", "use POSIX"]),
    "PYTHONPATH": ("PYTHONPATH", [PYTHON, "-c", "import json"]),
    "PERL5LIB": ("PERL5LIB", ["perl", "-e", "use POSIX"]),
    "NODE_PATH": ("NODE_PATH", ["node", "-e", "require('fs')"]),
    "BASH_ENV": ("BASH_ENV", ["bash", "-c", "true"]),
    "default of its own": ("MYAPP_CONFIG", ["sh", "-c", '[ -r "$MYAPP_CONFIG" ] || echo "no $MYAPP_CONFIG, using defaults" >&2']),
    "an end of its own": ("MYAPP_CONFIG", ["sh", "-c", '[ -r "$MYAPP_CONFIG" ] || exit 3']),
    "LC_ALL, silent": ("LOCPATH", ["ls", "/"]),
    "an unrelated failure": ("TMPDIR", ["grep", "-q", "nothing-like-it", "/etc/passwd"]),
    "a test and words about another thing": ("MYAPP_CONFIG", ["bash", "-c", '[ -r "$MYAPP_CONFIG" ]; echo "error: bad input" >&2; exit 1']),
    "a library, if it is there": ("MYAPP_LIBRARY", [PYTHON, "-c", "import ctypes, os\ntry: ctypes.CDLL(os.environ['MYAPP_LIBRARY'])\nexcept OSError: pass"]),
    "words that name it": ("DEBUG", ["sh", "-c", 'echo "DEBUG $DEBUG: 3 tests failed" >&2; exit 1']),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_variable_that_does_no_harm(run, tmp_path, name):
    variable, command = HEALTHY[name]
    value = "1" if variable == "DEBUG" else str(tmp_path / "no")
    result = run("--", *command, env={variable: value, "LC_ALL": "C.UTF-8"})
    assert result.causes == []


OWN_ENDS = {
    "an editor that fails": ({"EDITOR": "false"}, "error: There was a problem with the editor 'false'."),
    "an editor by its path": ({"EDITOR": "/bin/false"}, "error: There was a problem with the editor '/bin/false'."),
    "a display that is well named": ({"DISPLAY": "somewhere:10.0"}, "error: bad colours on display somewhere:10.0"),
    "a log's prefix": ({"DEBUG": "backend"}, "DEBUG backend: invalid answer"),
    "a user": ({"USER": "someone"}, "error: USER someone is not in the group"),
    "advice": ({"PKG_CONFIG_PATH": "/usr/lib"}, "Cannot go on. Perhaps you should add it to PKG_CONFIG_PATH"),
    "a variable that is not set": ({"MYAPP_HOME": "/usr"}, "error: MYAPP_HOME is not set correctly? No: MYAPP_USER is missing"),
    "a directory that is there": ({"WORKSPACE": "/usr/lib"}, "error: tests failed in /usr/lib"),
}


@pytest.mark.parametrize("name", OWN_ENDS)
def test_words_that_name_a_variable_or_its_value_by_the_way(run, name):
    env, words = OWN_ENDS[name]
    result = run("--", "sh", "-c", f'echo "{words}" >&2; exit 1', env=env)
    assert [c["missing"] for c in result.causes if c["kind"] == "environment-wrong"] == []


@pytest.mark.parametrize("actor", ["cat", "python", "node"])
def test_file_in_a_tree_that_is_there_is_a_missing_file(run, tmp_path, actor):
    path = f"{tmp_path}/app.conf"
    command = {"cat": ["cat", path], "python": [PYTHON, "-c", f"open('{path}')"],
               "node": ["node", "-e", f"fs.readFileSync('{path}')"]}[actor]
    result = run("--", *command, env={"HOME": str(tmp_path), "MYAPP_ROOT": str(tmp_path)})
    assert (result.first["kind"], result.first["missing"]) == ("file-missing", path)
    assert len(result.causes) == 1


@pytest.mark.parametrize("put", ["exec", "child", "env"])
def test_who_set_it(run, script, tmp_path, put):
    body = f"export APP_ROOT={tmp_path}/no\n" + ("exec " if put == "exec" else "") + "perl inner.pl" + \
        ("" if put == "exec" else "\nexit $?") + "\n"
    script("inner.pl", 'open(F, "<", "$ENV{APP_ROOT}/x") or die "cannot open $ENV{APP_ROOT}/x: $!\\n";')
    wrapper = script("wrapper", "#!/bin/sh\n" + body)
    command = ["env", f"APP_ROOT={tmp_path}/no", "perl", "inner.pl"] if put == "env" else [wrapper]
    result = run("--", *command)
    assert result.first["missing"] == f"APP_ROOT={tmp_path}/no"
    assert f"set by       {_exe('env') if put == 'env' else wrapper}" in result.stderr


def test_library_path_that_is_not_there(run, cc, tmp_path):
    cc("int dep(void) { return 0; }\n", "-Wl,-soname,libdep.so.1", name="good/libdep.so.1")
    cc("int dep(void); int main(void) { return dep(); }\n", "good/libdep.so.1")
    wrong, good = str(tmp_path / "god"), str(tmp_path / "good")
    result = run("--", "./prog", env={"LD_LIBRARY_PATH": wrong})
    assert (result.first["kind"], result.first["missing"]) == ("environment-wrong", f"LD_LIBRARY_PATH={wrong}")
    assert run("--", "./prog", env={"LD_LIBRARY_PATH": good}).causes == []
    assert run("--", "./prog", env={"LD_LIBRARY_PATH": str(tmp_path)}).first["kind"] == "library-off-path"
    (tmp_path / "good" / "libdep.so.1").unlink()
    assert run("--", "./prog", env={"LD_LIBRARY_PATH": wrong}).first["kind"] == "library-missing"


def test_what_is_refused_was_an_argument(run, tmp_path):
    """HOME stands before it by chance; where two variables do, it is the longer one."""
    theirs = tmp_path / "theirs"
    theirs.mkdir(mode=0o700)
    (theirs / "x.key").write_text("x")
    for directory in [tmp_path, *tmp_path.parents]:
        if os.geteuid() == 0 and str(directory).startswith(str(tmp_path.parents[2])):
            directory.chmod(0o755)
    if os.geteuid() != 0:
        theirs.chmod(0)
        return
    result = run("-u", "nobody", "-E", f"HOME={theirs}", "--", "cat", theirs / "x.key")
    assert (result.first["kind"], result.first["missing"]) == ("permission-denied", str(theirs / "x.key"))
    script = "import os; open(os.environ['XDG_STATE_HOME'] + '/x', 'w')"
    result = run("-u", "nobody", "-E", f"HOME={theirs}", "-E", f"XDG_STATE_HOME={theirs}/state", "--", PYTHON, "-c", script)
    assert (result.first["kind"], result.first["missing"]) == ("environment-wrong", f"XDG_STATE_HOME={theirs}/state")


def test_home_of_another_user(run, tmp_path):
    home = tmp_path / "theirs"
    home.mkdir(mode=0o700)
    (home / ".conf").write_text("x")
    for directory in [tmp_path, *tmp_path.parents]:
        if os.geteuid() == 0 and str(directory).startswith(str(tmp_path.parents[2])):
            directory.chmod(0o755)
    under = ["-u", "nobody"] if os.geteuid() == 0 else []
    result = run(*under, "-E", f"HOME={home}", "--", "sh", "-c", "cat ~/.conf; exit 1")
    if under:
        assert (result.first["kind"], result.first["missing"]) == ("environment-wrong", f"HOME={home}")
    else:
        assert result.causes == []


@pytest.mark.parametrize("options, module, kind", [
    ("-MAcme::Nix", "strict", "environment-wrong"), ("-w -Macmenix=x", "strict", "environment-wrong"),
    ("-w", "Acme::Nix", "file-missing"), ("-MAcme::Nix", "Acme::Nix", "file-missing"),
], ids=["one", "among others", "an argument's", "an argument's, too"])
def test_a_module_that_an_option_in_a_value_names(run, options, module, kind):
    cause = run("-E", f"PERL5OPT={options}", "--", "perl", f"-M{module}", "-e", "1").first
    assert (cause["kind"], cause["impact"]) == (kind, "fatal")
    assert cause["missing"].endswith(f"PERL5OPT={options}" if kind == "environment-wrong" else "/Acme/Nix.pm")
