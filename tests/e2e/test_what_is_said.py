"""What a program says decides what a failed call meant: the same failing open, and every way to speak of it."""

import pytest

SPEAKS = r"""
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    struct stat st;
    int status = atoi(argv[1]);
    for (int i = 2; i + 1 < argc; i += 2) {
        if (strncmp(argv[i], "stat", 4) == 0)
            stat(argv[i + 1], &st);
        else if (strcmp(argv[i], "chdir") == 0)
            (void)!chdir(argv[i + 1]);
        else if (strcmp(argv[i], "open") == 0)
            open(argv[i + 1], O_RDONLY);
        else if (strcmp(argv[i], "print") == 0)
            printf(argv[i + 1], strerror(errno));
        else
            fprintf(stderr, argv[i + 1], strerror(errno));
    }
    return status;
}
"""
CONF = "/nowhere/etc/app.conf"
# status, then what it does and says in turn
OWN_REASONS = {
    "usage": [2, "open", CONF, "say", "usage: prog [-v] FILE\n"],
    "an option": [2, "open", CONF, "say", "prog: unrecognized option '--frob'\nTry 'prog --help' for more.\n"],
    "its input": [1, "open", CONF, "say", "prog: stdin:3: syntax error near 'x'\n"],
    "its logic": [1, "open", CONF, "say", "prog: assertion x > 3 does not hold\n"],
    "another error": [1, "open", CONF, "say", "prog: cannot go on: Connection reset by peer\n"],
    "nothing to read": [1, "open", CONF, "say", "prog: error: empty input\n"],
    "a panic over its data": [101, "open", CONF, "say", "\nthread 'main' (7) panicked at a.rs:3:4:\nindex out of bounds: the len is 0\n"],
    "another thing": [1, "open", CONF, "say", "prog: cannot load libz.so.1: wrong password\n"],
    "a personal file": [1, "open", "/nowhere/home/.apprc", "say", "prog: cannot start\n"],
    "warned, then another reason": [1, "open", CONF, "say", "prog: warning: %s: no " + CONF + ", using defaults\n",
                                    "say", "prog: 3 checks failed\n"],
    "itself": [1, "stat", "/nowhere/share/prog", "say", "prog: it does not hold\n"],
    "printed as a result": [1, "open", CONF, "print", CONF + "\n"],
    "verbose": [1, "open", CONF, "say", "prog: reading " + CONF + "\n", "say", "prog: error: 3 is not even\n"],
}
COMES_OF_IT = {
    "vague": ([1, "open", CONF, "say", "prog: cannot start\n"], 0.65),
    "the error's text alone": ([1, "chdir", CONF, "say", "chdir: %s\n"], 0.8),
    "a panic over it": ([101, "open", CONF, "say", "\nthread 'main' (7) panicked at a.rs:3:4:\ncalled `Result::unwrap()` on an `Err` "
                         "value: Os { code: 2, kind: NotFound, message: \"%s\" }\n"], 0.8),
    "its name alone": ([1, "stat", CONF, "say", "app.conf: gone\n"], 0.8),
    "all of it": ([1, "open", CONF, "say", f"prog: {CONF}: %s\n"], 0.9),
    "on standard output": ([1, "open", CONF, "print", f"Error: {CONF}: %s\n"], 0.9),
    "another language": ([1, "open", CONF, "say", f"prog: {CONF}: Datei oder Verzeichnis nicht gefunden\n"], 0.9),
    "after a warning of another": ([1, "open", "/nowhere/a.conf", "say", "prog: warning: /nowhere/a.conf: %s\n",
                                    "open", CONF, "say", f"prog: {CONF}: %s\n"], 0.9),
}


@pytest.mark.parametrize("reason", OWN_REASONS)
def test_ends_for_a_reason_of_its_own(run, cc, reason):
    status, *acts = OWN_REASONS[reason]
    result = run("--", cc(SPEAKS), str(status), *acts)
    assert result.returncode == status
    assert result.causes == []


@pytest.mark.parametrize("way", COMES_OF_IT)
def test_ends_because_of_it(run, cc, way):
    (status, *acts), at_least = COMES_OF_IT[way]
    result = run("--", cc(SPEAKS), str(status), *acts)
    assert [(c["kind"], c["missing"], c["impact"]) for c in result.causes] == [("file-missing", CONF, "fatal")]
    assert result.first["confidence"] >= at_least


@pytest.mark.parametrize("way", COMES_OF_IT)
def test_goes_on_all_the_same(run, cc, way):
    (_, *acts), _ = COMES_OF_IT[way]
    assert run("--", cc(SPEAKS), "0", *acts).causes == []


QUOTES = {
    "node": ["node", "x.js", "require('fs/promises').readFile('/nowhere/a.cfg').catch(() => null).then(() => {throw new Error('invalid: failed')})\n"],
    "python": ["/usr/bin/python3", "x.py", "import os\nos.path.exists('/nowhere/a.cfg') or int('/nowhere/a.cfg cannot be'.split()[1])\n"],
}


@pytest.mark.parametrize("who", QUOTES)
def test_the_programs_own_text_is_no_complaint(run, tmp_path, who):
    """A runtime that shows the line where something was thrown shows all that stands in it."""
    program, file, text = QUOTES[who]
    (tmp_path / file).write_text(text)
    result = run("--", program, tmp_path / file)
    assert result.returncode == 1 and result.stderr.count("/nowhere/a.cfg")
    assert result.causes == []


THROWS = r"""
#include <fstream>
#include <stdexcept>
#include <string>
int main(int argc, char **argv)
{
    std::ifstream in;
    if (argc > 3)
        in.exceptions(std::ios::failbit);
    in.open(argv[1]);
    if (!in || std::string(argv[2]) == "bad argument")
        throw std::runtime_error(argv[2]);
}
"""


@pytest.mark.parametrize("how", [["model not loaded"], ["x", "stream"]])
def test_what_a_cpp_program_throws(run, cc, monkeypatch, tmp_path, how):
    monkeypatch.setenv("CC", "c++ -x c++")
    prog = cc(THROWS)
    result = run("--", prog, "/nowhere/model.bin", *how)
    assert [(c["kind"], c["missing"], c["impact"]) for c in result.causes] == [("file-missing", "/nowhere/model.bin", "fatal")]
    (crash,) = run("--", prog, "/nowhere/model.bin", "bad argument").causes
    assert (crash["kind"], crash["missing"]) == ("crash", "SIGABRT")
    there = tmp_path / "model.bin"
    there.write_text("")
    assert run("--", prog, there, *how).causes == []


def test_make_has_no_rule(run, tmp_path):
    """For a file that another is made of: it is missing. For a target that was asked for: nobody meant a file."""
    (tmp_path / "Makefile").write_text("all: gen.o\ngen.o: gen.c\n\ttouch $@\n")
    result = run("--", "make", cwd=tmp_path)
    assert "No rule to make target 'gen.c', needed by 'gen.o'" in result.stderr
    assert [(c["kind"], c["missing"], c["impact"]) for c in result.causes] == [("file-missing", str(tmp_path / "gen.c"), "fatal")]
    assert run("--", "make", "instal", cwd=tmp_path).causes == []
    (tmp_path / "gen.c").write_text("")
    assert run("--", "make", cwd=tmp_path).causes == []


def test_node_opens_dev_null_before_its_last_words(run, tmp_path):
    """libuv does where standard input is a device; that it succeeds is nothing that the program went on to do."""
    words = ["node", "-e", "require('fs/promises').readFile('data.json').catch(e => { console.error('Startup aborted.'); process.exit(2) })"]
    result = run("--", "sh", "-c", 'exec "$@" </dev/null', "sh", *words)
    assert [(c["kind"], c["missing"], c["impact"]) for c in result.causes] == [("file-missing", str(tmp_path / "data.json"), "fatal")]


@pytest.mark.parametrize("how", ["auto", "no"])
def test_a_complaint_on_standard_output_is_heard_with_and_without_a_filter(run, cc, tmp_path, how):
    prog = cc('#include <stdio.h>\nint main(int argc, char **argv)\n{\n    if (argc > 1 && fopen(argv[1], "r"))\n        return 0;\n'
              '    printf("error: %s is missing\\n", argv[1]);\n    fflush(stdout);\n    fopen("/etc/passwd", "r");\n    return 3;\n}')
    cause = run(f"--seccomp={how}", "--", prog, tmp_path / "need.conf").first
    assert (cause["kind"], cause["missing"]) == ("file-missing", str(tmp_path / "need.conf"))
    assert cause["words"].startswith("error: ")
