"""The house itself: the layering check finds what it is for, the set-up says what it does, an installation is whole."""

import os
import re
import shutil
import subprocess

import pytest

from conftest import TOP


def layering(tree):
    return subprocess.run(["bash", str(TOP / "tests" / "layering.sh"), str(tree)], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)


@pytest.fixture
def tree(tmp_path):
    """tree({path: text}) -> a directory that holds a small, right house and these files"""

    def grow(files):
        for room in ("probes", "reports", "tracer"):
            (tmp_path / room).mkdir()
            (tmp_path / room / "a.h").write_text("int a;\n")
        (tmp_path / "tracer" / "a.c").write_text("/* ptrace(2) */\nlong a(void) { return ptrace(1); }\n")
        (tmp_path / "reports" / "a.c").write_text('#include "a.h"\n#include <probes/a.h>\n#include <jansson.h>\n')
        for path, text in files.items():
            (tmp_path / path).parent.mkdir(exist_ok=True)
            (tmp_path / path).write_text(text)
        return tmp_path

    return grow


def test_layering_of_a_right_house(tree):
    done = layering(tree({}))
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("path, text, complaint", [
    ("probes/b.c", "#include <reports/a.h>\n", "probes includes upwards: probes/b.c:1"),
    ("probes/b.c", '\n #  include "../tracer/a.h"\n', "probes includes upwards: probes/b.c:2"),
    ("reports/b.h", "#include <tracer/a.h>\n", "reports includes upwards: reports/b.h:1"),
    ("tracer/b.c", '#include "probes/a.h"\n', "another room is included as <room/x.h>: tracer/b.c:1"),
    ("tracer/b.c", "#include <jansson.h>\n", "jansson is included by 2 files: reports/a.c tracer/b.c"),
    ("tracer/b.c", "int b(void) { return 0; }\nint c(void) { return ptrace(0); }\n", "ptrace(2) is called by 2 files"),
    ("tracer/b.c", "\n" * 601, "tracer/b.c has 601 lines"),
    ("helpers/b.c", "int b;\n", "helpers/b.c stands outside the house"),
])
def test_layering_finds(tree, path, text, complaint):
    done = layering(tree({path: text}))
    assert done.returncode == 1
    assert complaint in done.stdout


def programs(directory, *names):
    directory.mkdir()
    for name in names:
        (directory / name).symlink_to(shutil.which(name))
    return directory


def setup(path, wanted="build"):
    return subprocess.run(["/bin/sh", str(TOP / ".ci" / "setup"), wanted], env={"PATH": str(path)},
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


TOOLS = ("awk", "sort", "id", "mktemp", "cat", "rm", "env")


def test_setup_without_a_package_manager_names_the_packages(tmp_path):
    done = setup(programs(tmp_path / "bin", *TOOLS))
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 1
    for word in ("No apt, dnf, pacman or apk", "libarchive-dev", "libjansson-dev", "libarchive-dev", "pkg-config"):
        assert word in done.stdout


@pytest.mark.parametrize("manager, words", [
    ("apt-get", "install -y -q --no-install-recommends"),
    ("dnf", "install -y -q"),
    ("pacman", "-S --needed --noconfirm"),
    ("apk", "add"),
])
def test_setup_says_what_it_installs_before_it_does(tmp_path, manager, words):
    """A package manager that only writes down what it was asked; in the end what was missing still is."""
    path = programs(tmp_path / "bin", *TOOLS)
    log = tmp_path / "log"
    for name in (manager, "sudo"):
        (path / name).write_text(f'#!/bin/sh\necho "{name} $*" >>{log}\n[ {name} = {manager} ] || exec "$@"\n')
        (path / name).chmod(0o755)
    done = setup(path)
    said = done.stdout.splitlines()
    assert done.returncode == 1
    assert said[0].startswith("glibctrace: installing with") and "to build glibctrace (missing: " in said[0]
    assert said[-1].startswith("glibctrace: still missing to build glibctrace after the installation: ")
    asked = log.read_text().splitlines()
    assert any(line.startswith(f"{manager} {words} ") and "jansson" in line for line in asked)
    assert any(line.startswith("sudo ") for line in asked) == (os.geteuid() != 0)


def test_setup_is_silent_where_nothing_is_missing():
    done = setup(os.environ["PATH"])
    assert (done.returncode, done.stdout) == (0, "")


SUBCOMMANDS = ("explain", "repro", "diff", "check", "libc", "matrix", "rollback", "sandbox", "verify", "doctor", "bundle")


def test_every_option_is_told_everywhere(tool):
    """What --help lists stands in the man page and in each shell's completions, and nothing else does."""
    told = "".join(subprocess.run([tool, *words, "--help"], stdout=subprocess.PIPE, text=True, check=True).stdout
                   for words in ([], *([word] for word in SUBCOMMANDS)))
    options = set(re.findall(r"^ .{0,5} --([a-z-]+)", told, re.MULTILINE)) | {"usage"}
    assert {"output", "trace", "no-repro", "help", "version"} <= options
    folder = TOP / "tracer" / "doc"
    for name, pattern in (("glibctrace.1", r"(?<![a-z-])--([a-z][a-z-]*)"), ("glibctrace.bash", r"(?<=[\s'])--([a-z-]+)"),
                          ("glibctrace.zsh", r"(?<=[',{)])--([a-z-]+)"), ("glibctrace.fish", r"-l ([a-z-]+)")):
        text = (folder / name).read_text().replace("\\-", "-")
        assert set(re.findall(pattern, text)) == options, name
        assert all(re.search(rf"\b{word}\b", text) for word in SUBCOMMANDS), name


def test_install_and_uninstall(tmp_path):
    clean = {key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "MFLAGS", "SAN")}

    def make(target):
        done = subprocess.run(["make", "-s", target, f"DESTDIR={tmp_path}", "PREFIX=/usr"], cwd=TOP, env=clean,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert done.returncode == 0, done.stdout
        return sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if not path.is_dir())

    assert make("install") == ["usr/bin/glibctrace",
                               "usr/share/bash-completion/completions/glibctrace",
                               "usr/share/fish/vendor_completions.d/glibctrace.fish",
                               "usr/share/man/man1/glibctrace.1",
                               "usr/share/zsh/site-functions/_glibctrace"]
    version = subprocess.run([tmp_path / "usr/bin/glibctrace", "--version"], stdout=subprocess.PIPE, text=True)
    assert version.returncode == 0 and version.stdout.startswith("glibctrace ")
    assert make("uninstall") == []
