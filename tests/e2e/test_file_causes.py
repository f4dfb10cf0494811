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
