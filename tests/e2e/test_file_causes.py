"""The program's own files: absent, forbidden, behind broken links; named in its words or not; and the twins that cope."""

import os
import shutil

import pytest

READS = r"""
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    int fd = open(argv[1], O_RDONLY);
    if (fd < 0 && argc > 2) {
        fprintf(stderr, argv[2], argv[1], strerror(errno));
        return 1;
    }
    return 0;
}
"""
READERS = {
    "c": lambda path: ["./prog", path, "prog: %s: %s\n"],
    "silent about the name": lambda path: ["./prog", path, "cannot start\n"],
    "python": lambda path: ["/usr/bin/python3", "-c", f"open({path!r})"],
    "perl": lambda path: ["perl", "-e", f"open(F, '<', '{path}') or die 'cannot open {path}: ' . $!"],
    "node": lambda path: ["node", "-e", f"require('fs').readFileSync('{path}')"],
    "cat": lambda path: ["cat", path],
    "sh": lambda path: ["sh", "-c", f". {path}"],
    "in a shell": lambda path: ["sh", "-c", f"sh -c 'cat {path}; exit 4'; exit $?"],
}


def _actor(command):
    return os.path.realpath(shutil.which(command[0], path=os.getcwd() + ":" + os.environ["PATH"]) or command[0])


@pytest.mark.parametrize("reader", READERS)
def test_file_missing(run, cc, tmp_path, reader):
    cc(READS)
    path = str(tmp_path / "etc" / "app.conf")
    result = run("--", *READERS[reader](path))
    assert (result.first["kind"], result.first["missing"], result.first["impact"]) == ("file-missing", path, "fatal")
    assert result.returncode != 0
    assert len(result.causes) == 1, [(c["kind"], c["missing"]) for c in result.causes]
    if "silent" not in reader:
        assert path in result.first["words"]
        assert result.first["confidence"] >= 0.9


@pytest.mark.parametrize("reader", READERS)
def test_file_there(run, cc, tmp_path, reader):
    cc(READS)
    (tmp_path / "etc").mkdir()
    path = tmp_path / "etc" / "app.conf"
    path.write_text("true\n")
    result = run("--", *READERS[reader](str(path)))
    assert result.causes == []


def test_links_and_modes(run, cc, tmp_path):
    cc(READS)
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "gone").symlink_to("nowhere/file")
    for name, kind, missing in (("loop", "symlink-loop", tmp_path / "loop"),
                                ("gone", "symlink-dangling", tmp_path / "nowhere" / "file")):
        result = run("--", "./prog", str(tmp_path / name), "%s: %s\n")
        assert (result.first["kind"], result.first["missing"]) == (kind, str(missing))


def test_permission(run, cc, tmp_path):
    prog = cc(READS)
    secret = tmp_path / "secret"
    secret.write_text("x")
    secret.chmod(0)
    arguments = []
    if os.getuid() == 0:
        arguments = ["-u", "nobody"]
        for directory in [tmp_path, *tmp_path.parents]:
            if directory.stat().st_uid == 0 and str(directory).startswith(str(tmp_path.parents[2])):
                directory.chmod(directory.stat().st_mode | 0o055)
    result = run(*arguments, "--", prog, str(secret), "%s: %s\n")
    assert (result.first["kind"], result.first["missing"]) == ("permission-denied", str(secret))


def test_what_may_not_be_made(run):
    """Not there when it looked, and not to be made by it: its not being there is no matter. It looks once more."""
    looks = "import os\np = '/usr/new.db'\nos.path.exists(p)\n" \
            "try: os.open(p, os.O_RDWR | os.O_CREAT)\nexcept OSError: pass\n" \
            "try: os.open(p, os.O_RDONLY)\nexcept OSError: raise SystemExit('unable to open ' + p)\n"
    as_nobody = ["-u", "nobody"] if os.getuid() == 0 else []
    result = run(*as_nobody, "--", "/usr/bin/python3", "-c", looks)
    assert (result.first["kind"], result.first["missing"]) == ("permission-denied", "/usr/new.db")


def test_relative_path_is_made_absolute(run, cc, tmp_path):
    cc(READS)
    (tmp_path / "sub").mkdir()
    result = run("--", "sh", "-c", "cd sub && ../prog data/x.db '%s: %s\n'")
    assert result.first["missing"] == str(tmp_path / "sub" / "data" / "x.db")


COPES = r"""
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    char name[64];
    struct stat st;
    int status = argc > 1 ? atoi(argv[1]) : 0;
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof name, "/nowhere/probe/%d.conf", i);
        open(name, O_RDONLY);
        stat(name, &st);
        access(name, R_OK);
    }
    if (argc > 2)
        fprintf(stderr, "%s\n", argv[2]);
    return status;
}
"""


@pytest.mark.parametrize("arguments", [[], ["0", "all is well"], ["1"], ["3", "two files differ"]])
def test_probes_are_no_failure(run, cc, arguments):
    prog = cc(COPES)
    result = run("--", prog, *arguments)
    assert result.returncode == (int(arguments[0]) if arguments else 0)
    assert result.causes == []  # with words or without: the last call before them was a probe by access(2), no open


@pytest.mark.parametrize("command", [["grep", "-q", "nothing-like-it", "/etc/passwd"], ["test", "-e", "/nowhere/x"],
                                     ["diff", "/etc/passwd", "/etc/group"], ["false"],
                                     ["sh", "-c", "exit 7"], ["bash", "-c", "exit 7"],
                                     ["/usr/bin/python3", "-c", "import sys; sys.exit(3)"],
                                     ["/usr/bin/python3", "-c", "import sys; sys.exit('gave up')"],
                                     ["perl", "-e", "die 'no reason'"]])
def test_bad_ends_for_reasons_of_their_own(run, command):
    result = run("--", *command)
    assert result.returncode != 0
    assert result.causes == []


@pytest.mark.parametrize("command, missing", [
    (["make", "-f", "/nowhere/Makefile"], "/nowhere/Makefile"),  # its directory is looked at, too
    (["perl", "-MNot::There", "-e", "1"], None),  # names all of @INC besides
    (["gcc", "-c", "-x", "c", "/dev/null", "-include", "/nowhere/a.h"], "/nowhere/a.h"),  # in a variable, too
    (["mkdir", "/nowhere/a"], "/nowhere/a"),
    (["rm", "/nowhere/a"], "/nowhere/a"),
    (["ln", "-s", "a", "/nowhere/b"], "/nowhere/b"),
    (["mv", "here", "/nowhere/b"], "/nowhere/b"),
    (["mv", "/nowhere/b", "here"], "/nowhere/b"),
    (["chmod", "600", "/nowhere/a"], "/nowhere/a"),
    (["/usr/bin/python3", "-c", "import os; os.rename('/nowhere/a', 'b')"], "/nowhere/a"),
    (["node", "-e", "require('fs').mkdirSync('/nowhere/a')"], "/nowhere/a"),
])
def test_one_cause(run, tmp_path, command, missing):
    (tmp_path / "here").write_text("")
    result = run("--", *command)
    assert result.returncode != 0
    assert [c["kind"] for c in result.causes] == ["file-missing"]
    assert result.first["missing"] == missing or (missing is None and result.first["missing"].endswith("/Not/There.pm"))


def test_two_causes_in_order(run):
    result = run("--", "cat", "/nowhere/first", "/nowhere/second")
    assert [(c["kind"], c["missing"]) for c in result.causes] == [("file-missing", "/nowhere/first"),
                                                                  ("file-missing", "/nowhere/second")]


def _searched(result):
    return [place["path"] for place in result.first["places"]]


def test_search_that_perl_tells_of(run, tmp_path):
    """Its line names the file first, then every directory of the search, some of which are not there either."""
    (tmp_path / "there" / "Some").mkdir(parents=True)
    places = [tmp_path / name for name in ("nowhere", "there", "nor/here")]
    result = run("--", "perl", *(f"-I{place}" for place in places), "-e", "use Some::Module;")
    cause, = result.causes
    assert (cause["kind"], cause["impact"]) == ("file-missing", "fatal")
    assert cause["missing"] == str(tmp_path / "there" / "Some" / "Module.pm")  # where least is missing
    assert _searched(result)[:3] == [str(place / "Some" / "Module.pm") for place in places]
    assert cause["words"].startswith("Can't locate Some/Module.pm")


BINDINGS = r"""
const fs = require('fs'), path = require('path');
const tried = [];
for (const place of ['build', 'build/Debug', 'build/Release', 'out', 'compiled/v1/linux'])
  try { fs.accessSync(path.join(root, place, 'native.node')); process.exit(0); } catch (e) { tried.push(path.join(root, place, 'native.node')); }
console.error('Error: Could not locate the bindings file. Tried:\n' + tried.map((t) => ' → ' + t).join('\n'));
process.exit(1);
"""


@pytest.mark.parametrize("removed", [True, False])
def test_places_that_the_program_lists(run, script, tmp_path, removed):
    """What npm's `bindings` does: the complaint is one line, the places are others."""
    (tmp_path / "build" / "Release").mkdir(parents=True)
    native = tmp_path / "build" / "Release" / "native.node"
    if not removed:
        native.write_text("")
    result = run("--", "node", script("app.js", f"const root = {str(tmp_path)!r};" + BINDINGS))
    if not removed:
        assert (result.returncode, result.causes) == (0, [])
        return
    cause, = result.causes
    assert (cause["kind"], cause["missing"], cause["impact"]) == ("file-missing", str(native), "fatal")
    assert len(_searched(result)) == 5


SAYS = """
import sys
def absent(path):
    try: open(path)
    except OSError as error: return error
"""
# What a program says after it has not found settings.conf, and ends with 1: nothing of it is about that file.
ABOUT_SOMETHING_ELSE = {
    "usage": "absent('settings.conf'); sys.exit('usage: prog [--settings settings.conf] FILE')",
    "usage without a name": "absent('settings.conf'); sys.exit('Usage:\\n  prog FILE...')",
    "display": "absent('/usr/share/x/errors.db'); sys.exit(\"prog: can't open display:\")",
    "option": "absent('settings.conf'); sys.exit('prog: unrecognized option: --frob')",
    "it was made": "absent('settings.conf'); open('settings.conf', 'w'); sys.exit('settings.conf was not found, and made; all else failed')",
    "made by a child": "import os; absent('settings.conf'); os.system(': > settings.conf'); sys.exit('required settings.conf is made')",
    "another error": "absent('settings.conf'); sys.exit('cannot write settings.conf: Read-only file system')",
    "a warning": "absent('settings.conf'); print('warning: cannot open settings.conf', file=sys.stderr); sys.exit('no peers')",
    "another file of that name": "absent('settings.conf'); sys.exit('cannot parse /etc/prog/settings.conf')",
    "part of a word": "absent('file'); sys.exit('missing: dep@file:dep, required by app')",
    "found with an ending": "open('file.js', 'w'); absent('file'); sys.exit('error: file: something is missing')",
    "a word in brackets": "absent('bin'); sys.exit('error: could not compile x (bin \"x\")')",
    "made by a recipe": "absent('sub/settings.conf'); sys.exit('make: *** [Makefile:2: sub/settings.conf] Error 1')",
    "one that is there": "import os; os.mkdir('src'); open('src/a.c', 'w'); absent('/nowhere/src/a.c');"
                         "sys.exit('error: src/a.c:1: cannot find value x')",
    "part of a longer name": "absent('settings.conf'); sys.exit('cannot find old-settings.conf')",
}
ABOUT_IT = {
    "path": "absent(PATH); sys.exit(f'cannot read {PATH}')",
    "another error, which nothing gave": "absent(PATH); sys.exit(f'cannot read {PATH}: Permission denied')",
    "end of the path": "absent(PATH); sys.exit('cannot find sub/settings.conf')",
    "home": "absent(PATH); sys.exit('cannot read ~/sub/settings.conf')",
    "name": "absent(PATH); sys.exit('settings.conf not found')",
    "quoted": "absent(PATH); sys.exit('cannot find “settings.conf”')",
    "url": "absent(PATH); sys.exit(f'could not fetch file://{PATH}')",
    "option": "absent(PATH); sys.exit(f'failed: -I{PATH}')",
    "its error only": "error = absent(PATH); sys.exit(f'{PATH}: {error.strerror}')",
    "no complaint, at last": "absent(PATH); sys.exit(f'prog: {PATH}?')",
    "after a warning of another": "absent('x.conf'); print('warning: cannot open x.conf', file=sys.stderr); absent(PATH);"
                                  "sys.exit(f'cannot open {PATH}')",
    "two of that name": "absent('settings.conf'); absent(PATH); sys.exit(f'cannot open {PATH}')",
}


@pytest.mark.parametrize("words", ABOUT_SOMETHING_ELSE)
def test_words_about_something_else(run, words):
    result = run("--", "/usr/bin/python3", "-c", SAYS + ABOUT_SOMETHING_ELSE[words], env={"DISPLAY": ":7"})
    assert result.returncode == 1
    assert [(c["kind"], c["missing"], c["words"]) for c in result.causes] == []


@pytest.mark.parametrize("words", ABOUT_IT)
def test_words_about_the_file(run, tmp_path, words):
    path = str(tmp_path / "sub" / "settings.conf")
    result = run("--", "/usr/bin/python3", "-c", SAYS + f"PATH = {path!r}\n" + ABOUT_IT[words], env={"HOME": tmp_path})
    assert [(c["kind"], c["missing"], c["impact"]) for c in result.causes] == [("file-missing", path, "fatal")]
    assert result.first["confidence"] > 0.9


@pytest.mark.parametrize("status", [0, 3])
def test_optional_library_that_is_not_spoken_of(run, cc, status):
    """dlopen(3) of what may be there or not, and nothing said: no cause, or where it ends badly no sure one."""
    prog = cc('#include <dlfcn.h>\n#include <stdio.h>\nint main(void) { dlopen("libnowhere.so", RTLD_NOW);'
              f' puts("works"); return fopen("/etc/passwd", "r") ? {status} : 9; }}\n', "-ldl")
    result = run("--", prog)
    assert result.returncode == status
    assert [c for c in result.causes if c["confidence"] >= (0.5 if status else 0)] == []


ENDED_FROM_OUTSIDE = {
    "asked": "import os, signal; os.kill(os.getppid(), 0); os.system(f'kill -TERM {os.getpid()}'); signal.pause()",
    "killed": "import os, signal; os.system(f'kill -KILL {os.getpid()}'); signal.pause()",
    "nobody reads": "import os, signal; signal.signal(13, signal.SIG_DFL); r, w = os.pipe(); os.close(r); os.write(w, b'x')",
}


@pytest.mark.parametrize("end", ENDED_FROM_OUTSIDE)
def test_program_that_is_ended_by_another(run, end):
    """What it complained of before is no reason for its end."""
    code = f"{SAYS}absent('/nowhere/x.conf'); print('cannot open /nowhere/x.conf', file=sys.stderr); {ENDED_FROM_OUTSIDE[end]}"
    result = run("--", "/usr/bin/python3", "-c", code)
    assert result.report["outcome"]["status"] == "signaled"
    assert [(c["kind"], c["missing"]) for c in result.causes] == []


@pytest.mark.parametrize("says", ["complains", "falls back", "nothing"])
def test_native_module_that_a_program_does_without(run, script, tmp_path, says):
    """It goes on, and ends well: a loss if it complains, a probe if it does not."""
    words = {"complains": "console.error('Error: Could not locate the bindings file. Tried:\\n' + tried.map((t) => ' → ' + t).join('\\n'));"
                          "console.error('Error: other things are not right either');",
             "falls back": "console.error(`native.node not found, falling back to JavaScript: tried ${tried[1]}`);", "nothing": ""}
    code = f"const root = {str(tmp_path)!r};" + BINDINGS[:BINDINGS.index("console.error")] + words[says] + "console.log('works');"
    result = run("--", "node", script("app.js", code))
    assert (result.returncode, result.stdout) == (0, "works\n")
    if says == "complains":
        cause, = result.causes
        assert (cause["kind"], cause["impact"]) == ("file-missing", "degraded")
        assert cause["missing"] == str(tmp_path / "build" / "native.node") and len(cause["places"]) == 5
    else:
        assert result.causes == []


RELAY = """
import subprocess, sys
# The child waits for the end of its input before it ends.
child = subprocess.Popen(["sh", "-c", "cat {path}; status=$?; read x; exit $status"], stdin=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True)
line = child.stderr.readline()
if {relays}:
    sys.stderr.write(line)
    sys.stderr.flush()
child.stdin.close()
child.wait()
sys.exit("error: step.txt:3: bad")
"""


@pytest.mark.parametrize("relays", [True, False])
def test_words_that_are_passed_on_while_the_child_is_there(run, tmp_path, relays):
    """As cmake(1) does, which then complains in its own way; unless nobody is told of them."""
    path = str(tmp_path / "settings.conf")
    result = run("--", "/usr/bin/python3", "-c", RELAY.format(path=path, relays=relays))
    assert result.returncode == 1
    assert [(c["kind"], c["missing"]) for c in result.causes] == ([("file-missing", path)] if relays else [])


@pytest.mark.parametrize("shell", ["bash", "dash"])
@pytest.mark.parametrize("command", ["cd nodir || exit 3", "cd nodir 2>/dev/null || cd nodir; exit 3"])
def test_a_directory_that_a_shell_does_not_find_is_no_command(run, tmp_path, shell, command):
    result = run("--", shell, "-c", command)
    assert [(c["kind"], c["missing"]) for c in result.causes] == [("file-missing", str(tmp_path / "nodir"))]


@pytest.mark.parametrize("test", ["[ -f nofile.conf ]", "[ -f /nowhere/nofile.conf ]"])
def test_a_file_that_a_script_asks_for_is_no_command(run, test):
    result = run("--", "sh", "-c", test + " || { echo 'nofile.conf not found' >&2; exit 3; }")
    assert "command-not-found" not in [c["kind"] for c in result.causes]
