"""Remedies that name a package: only where the package system of the process's own root says which, and never another's.

Each test makes a small root with the package system's own files in it; dpkg's is made by dpkg itself.
"""

import gzip
import io
import os
import pathlib
import re
import shutil
import subprocess
import tarfile

import pytest

from test_static import cached_root

ENTER = ["chroot"] if os.geteuid() == 0 else ["unshare", "-r", "chroot"]
MAIN = "int toy(void);\nint main(void) { return toy(); }\n"
TOY = "int toy(void) { return 0; }\n"
NAMING = re.compile(r"\b(apt|apt-get|apk|dnf|pacman|zypper)\b")


class Root:
    """A directory with a program /prog that needs libtoy.so.2, and the C library that it needs."""

    def __init__(self, top, cc):
        self.top, self.cc = top, cc
        for name in ("bin", "usr/lib", "usr/bin", "etc", "proc", "tmp"):
            (top / name).mkdir(parents=True)
        self.library = cc(TOY, "-Wl,-soname,libtoy.so.2", name="built/libtoy.so.2", cwd=top.parent)

    def glibc(self):
        prog = self.cc(MAIN, self.library, name="prog", cwd=self.top)
        listed = subprocess.run(["ldd", prog], env={**os.environ, "LD_LIBRARY_PATH": str(self.library.parent)},
                                capture_output=True, text=True, check=True).stdout
        for file in re.findall(r"(/\S+) \(0x", listed):
            if "libtoy" not in file:
                self.put(file, pathlib.Path(file).read_bytes(), 0o755)
        return self

    def musl(self):
        source = cached_root("musl")
        loader = "/lib/ld-musl-x86_64.so.1"
        self.put(loader, (source / loader[1:]).resolve().read_bytes(), 0o755)
        self.cc("int toy(void);\nvoid _start(void) { toy(); for (;;) ; }\n", "-nostdlib", self.library,
                f"-Wl,--dynamic-linker={loader}", name="prog", cwd=self.top)
        return self

    def put(self, path, content, mode=0o644):
        file = self.top / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        file.chmod(mode)
        return file

    def dpkg(self):
        for path in ("status", "available", "info/format", "triggers/x", "updates/x", "tmp.ci/x"):
            self.put(f"/var/lib/dpkg/{path}", "1\n" if "format" in path else "")
        (self.top / "var/lib/dpkg/updates/x").unlink()
        self.put("/usr/bin/apt-get", "", 0o755)
        return self

    def install(self, package, files):
        """A package made by dpkg-deb and unpacked by dpkg."""
        build = self.top.parent / f"{package}.build"
        for path, content in {"/DEBIAN/control": f"Package: {package}\nVersion: 2.1-3\nArchitecture: amd64\n"
                              "Maintainer: nobody <nobody@example.org>\nDescription: a toy\n", **files}.items():
            target = build / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content if isinstance(content, bytes) else content.encode())
            target.chmod(0o755 if "bin/" in path else 0o644)
        deb = build.with_suffix(".deb")
        subprocess.run(["dpkg-deb", "--root-owner-group", "-b", build, deb], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["dpkg", f"--root={self.top}", "--log=/dev/null", "--force-not-root", "--force-architecture",
                        "--force-script-chrootless", "-i", deb], check=True, stdout=subprocess.DEVNULL,
                       env={**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"})


@pytest.fixture
def root(tmp_path, cc):
    (tmp_path / "root").mkdir()
    return Root(tmp_path / "root", cc)


@pytest.fixture
def fails(run, root):
    def run_(*words):
        return run("--no-repro", "--", *ENTER, root.top, *(words or ["/prog"])).first

    return run_


def commands(cause):
    return [c for r in cause["remedies"] for c in r["commands"]]


LIST = "/var/lib/apt/lists/mirror_debian_dists_stable_main_"


def test_a_file_of_an_installed_package_is_gone(fails, root):
    root.glibc().dpkg().install("libtoy-two", {"/usr/lib/x86_64-linux-gnu/libtoy.so.2": root.library.read_bytes()})
    (root.top / "usr/lib/x86_64-linux-gnu/libtoy.so.2").unlink()
    cause = fails()
    assert (cause["kind"], cause["missing"]) == ("library-missing", "libtoy.so.2")
    assert commands(cause) == ["apt-get install --reinstall libtoy-two"]
    assert "2.1-3" in cause["remedies"][0]["title"] and cause["remedies"][0]["proof"] == "known"


def test_a_package_of_the_lists(fails, root):
    root.glibc().dpkg().put(f"{LIST}binary-amd64_Packages", "Package: libtoy2\nVersion: 2.3-1\n\nPackage: x\n")
    assert commands(fails()) == ["apt-get install libtoy2"]


def test_what_the_list_of_files_says_counts_more_than_a_name(fails, root):
    root.glibc().dpkg().put(f"{LIST}binary-amd64_Packages", "Package: libtoy2\nVersion: 2.3-1\n\n")
    root.put(f"{LIST}Contents-amd64.gz", gzip.compress(b"usr/lib/x86_64-linux-gnu/libtoy.so.2 libs/toybox\n"))
    assert commands(fails()) == ["apt-get install toybox"]


def test_no_list_no_name(fails, root):
    """The database does not say: no package is named."""
    root.glibc().dpkg().put(f"{LIST}binary-amd64_Packages", "Package: libtoy3\n\nPackage: libtoy2-dev\n\n")
    for command in commands(fails()):
        assert "install" not in command and "libtoy2" not in command


def test_no_package_system(fails, root):
    root.glibc()
    assert commands(fails()) == []


def test_a_musl_program_gets_no_package_of_a_glibc_system(fails, root):
    root.musl().dpkg().put(f"{LIST}binary-amd64_Packages", "Package: libtoy2\nVersion: 2.3-1\n\n")
    cause = fails()
    assert (cause["kind"], cause["missing"]) == ("library-missing", "libtoy.so.2")
    assert not [c for c in commands(cause) if NAMING.search(c)]


def apk_index(root, text):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        entry = tarfile.TarInfo("APKINDEX")
        entry.size = len(text)
        archive.addfile(entry, io.BytesIO(text.encode()))
    root.put("/var/cache/apk/APKINDEX.01234567.tar.gz", packed.getvalue())


def test_alpine(fails, root):
    root.musl().put("/lib/apk/db/installed", "C:Q1x=\nP:musl\nV:1.2.5-r0\nF:lib\nR:ld-musl-x86_64.so.1\n\n")
    apk_index(root, "C:Q1x=\nP:toys\nV:2-r0\np:so:libtoy.so.2=2.0 cmd:toy=2-r0\n\n")
    assert commands(fails()) == ["apk add toys"]


def test_a_glibc_program_on_alpine(fails, root):
    root.glibc().put("/lib/apk/db/installed", "C:Q1x=\nP:musl\nV:1.2.5-r0\n\n")
    for loader in root.top.glob("lib64/*"):
        loader.unlink()
    apk_index(root, "C:Q1x=\nP:gcompat\nV:1.1.0-r4\np:so:libgcompat.so.0=0\n\n")
    cause = fails()
    assert cause["kind"] == "interpreter-missing"
    assert commands(cause) == ["apk add gcompat"]
    assert cause["remedies"][0]["risk"]


def test_arch(fails, root):
    root.glibc().put("/var/lib/pacman/local/glibc-2.40-1/files", "%FILES%\nusr/lib/libc.so.6\n")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", format=tarfile.USTAR_FORMAT) as archive:
        for name, text in (("toys-2.0-1/desc", b"%NAME%\ntoys\n"), ("toys-2.0-1/files", b"%FILES%\nusr/lib/libtoy.so.2\n")):
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text))
    root.put("/var/lib/pacman/sync/extra.files", packed.getvalue())
    assert commands(fails()) == ["pacman -S toys"]


def test_fedora(fails, root):
    """rpm's own database is not read in another root; dnf finds what provides the library itself."""
    root.glibc().put("/usr/lib/sysimage/rpm/rpmdb.sqlite", b"SQLite format 3\0")
    root.put("/usr/bin/dnf", "", 0o755)
    assert commands(fails()) == ["dnf install 'libtoy.so.2()(64bit)'"]


def test_a_damaged_file_of_a_package(fails, root):
    root.glibc().dpkg().install("libtoy2", {"/usr/lib/x86_64-linux-gnu/libtoy.so.2": "no library\n" * 100})
    cause = fails()
    assert cause["kind"] == "object-corrupt"
    assert "apt-get install --reinstall libtoy2" in commands(cause)


def test_a_link_of_a_package(fails, root):
    root.glibc().dpkg().install("libtoy2", {"/usr/lib/x86_64-linux-gnu/libtoy.so.2.0": root.library.read_bytes()})
    (root.top / "usr/lib/x86_64-linux-gnu/libtoy.so.2").symlink_to("libtoy.so.2.0")
    (root.top / "usr/lib/x86_64-linux-gnu/libtoy.so.2.0").unlink()
    cause = fails()
    assert cause["kind"] == "symlink-dangling"
    assert "apt-get install --reinstall libtoy2" in commands(cause)


def test_an_alternative(fails, root):
    root.glibc().dpkg()
    root.put("/var/lib/dpkg/alternatives/tool", "manual\n/usr/bin/tool\n\n/opt/gone\n10\n/opt/there\n5\n\n")
    root.put("/opt/there", "x")
    (root.top / "etc/alternatives").mkdir()
    (root.top / "etc/alternatives/tool").symlink_to("/opt/gone")
    (root.top / "usr/bin/tool").symlink_to("/etc/alternatives/tool")
    root.cc("#include <unistd.h>\n#include <stdio.h>\nint main(void) { execl(\"/usr/bin/tool\", \"/usr/bin/tool\", NULL); "
            "perror(\"/usr/bin/tool\"); return 1; }\n", name="prog", cwd=root.top)
    cause = fails()
    assert cause["kind"] == "symlink-dangling"
    assert "update-alternatives --auto tool" in commands(cause)


def test_a_command(fails, root):
    root.glibc().dpkg().put(f"{LIST}cnf_Commands-amd64", "suite: stable\n\nname: games\nversion: 3\ncommands: play,toy\n\n")
    source = cached_root("musl") / "bin" / "busybox"
    root.put("/bin/busybox", source.read_bytes(), 0o755)
    cause = fails("/bin/busybox", "sh", "-c", "toy; exit $?")
    assert (cause["kind"], cause["missing"]) == ("command-not-found", "toy")
    assert commands(cause)[0] == "apt-get install games"


def test_an_interpreter_of_a_script(fails, root):
    root.glibc().dpkg().install("toyscript", {"/usr/bin/toyscript": "#!/bin/sh\n"})
    (root.top / "usr/bin/toyscript").unlink()
    root.put("/run.toy", "#!/usr/bin/toyscript\n", 0o755)
    cause = fails("/run.toy")
    assert cause["kind"] == "script-interpreter-missing"
    assert commands(cause) == ["apt-get install --reinstall toyscript"]


def test_a_name_without_a_program(fails, root):
    root.glibc().dpkg().put("/run.py", "#!/usr/bin/python\n", 0o755)
    assert commands(fails("/run.py")) == []
    root.put(f"{LIST}binary-amd64_Packages", "Package: python-is-python3\nVersion: 3.11.1-3\n\n")
    cause = fails("/run.py")
    assert commands(cause) == ["apt-get install python-is-python3"]
    assert cause["remedies"][0]["risk"]


def test_databases_are_hostile(fails, root):
    """Whatever stands in the place of a database is read up to its end, and believed as little."""
    root.glibc().dpkg()
    root.put(f"{LIST}binary-amd64_Packages", b"Package: " + b"x" * 200000 + b"\0\n\n\n")
    root.put(f"{LIST}Contents-amd64.lz4", b"\x04\x22\x4d\x18\x40\x70\xdf" + b"\xff" * 5000)
    root.put("/var/lib/dpkg/diversions", "/x\n")
    os.mkfifo(root.top / "var/lib/dpkg/info/pipe.list")
    (root.top / "var/lib/dpkg/info/loop.list").symlink_to("loop.list")
    shutil.copytree(root.top / "var/lib/dpkg/triggers", root.top / "var/lib/dpkg/info/dir.list")
    cause = fails()
    assert cause["kind"] == "library-missing"
    assert not [c for c in commands(cause) if "install" in c]
