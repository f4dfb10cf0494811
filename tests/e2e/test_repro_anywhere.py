"""Reproductions wherever a maintainer may unpack them: under every POSIX shell that is here, in directories of any name,
where nothing may be written, as nobody, under other C libraries of the same kind, and made where TMPDIR is of no use.

One reproduction of each way to fail is made once; a run is right where it ends with the status and the words of a plain
run, and its control ends well and says nothing.
"""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from test_static import cached_root

sys.path.append(str(pathlib.Path(__file__).parents[1] / "score"))
import proof  # noqa: E402 (the scoreboard measures with it too)

SHELLS = [words for words in (["dash"], ["bash"], ["bash", "--posix"], ["busybox", "sh"], ["mksh"], ["ksh"], ["zsh"], ["yash"])
          if shutil.which(words[0])]
NAMES = {"spaces": "a b  c", "quotes": "it's \"q\"", "newline": "a\nb", "dash": "-n", "dollar": "$(touch owned)`touch owned`",
         "long": "x" * 250, "bytes": "caf\udce9", "glob": "*?[a]", "semicolon": "; touch owned;", "backslash": "a\\nb", "colon": "a:b"}
SOURCES = {
    "dep": "int dep(void) { return 0; }",
    "old": "int older(void) { return 0; }",
    "prog": "int dep(void); int main(void) { return dep(); }",
    "plain": "int main(void) { return 0; }",
    "opens": "#include <fcntl.h>\n#include <stdio.h>\nint main(int n, char **v)\n"
             "{\n    if (open(v[1], O_RDONLY) < 0) {\n        perror(v[1]);\n        return 3;\n    }\n    return 0;\n}\n",
    "loads": "#include <dlfcn.h>\n#include <stdio.h>\nint main(int n, char **v)\n"
             "{\n    if (!dlopen(v[1], RTLD_NOW)) {\n        puts(dlerror());\n        return 3;\n    }\n    return 0;\n}\n",
    "tls": "__thread char a[100000] __attribute__((tls_model(\"initial-exec\"))); char *dep(void) { return a; }",
}


def _build(folder, target, source, *flags):
    path = folder / target
    path.parent.mkdir(exist_ok=True, parents=True)
    (folder / "source.c").write_text(SOURCES[source])
    subprocess.run(["cc", "-o", path, folder / "source.c", *map(str, flags)], check=True)
    (folder / "source.c").unlink()
    return path


def _shared(folder, target, source, *flags):
    return _build(folder, target, source, "-shared", "-fPIC", "-Wl,-soname,libdep.so.1", *flags)


def _needing(folder):
    library = _shared(folder, "lib/libdep.so.1", "dep")
    return library, _build(folder, "prog", "prog", library, f"-Wl,-rpath,{folder}/lib")


def needed(folder):
    library, prog = _needing(folder)
    library.unlink()
    return [prog]


def version(folder):
    (folder / "new.map").write_text("DEP_1 { }; DEP_2 { global: dep; local: *; };")
    (folder / "old.map").write_text("DEP_1 { global: older; local: *; };")
    library = _shared(folder, "lib/libdep.so.1", "dep", f"-Wl,--version-script={folder}/new.map")
    prog = _build(folder, "prog", "prog", library, f"-Wl,-rpath,{folder}/lib")
    _shared(folder, "lib/libdep.so.1", "old", f"-Wl,--version-script={folder}/old.map")
    return [prog]


def opened(folder):
    return [_build(folder, "host", "loads", "-ldl"), _shared(folder, "addon.so", "tls")]


def foreign(folder):
    path = _build(folder, "tool", "plain")
    path.write_bytes(path.read_bytes()[:18] + b"\xb7\x00" + path.read_bytes()[20:])
    return [path]


def script(folder):
    path = folder / "tool"
    path.write_text("#!/nowhere/perl6 -w\n")
    path.chmod(0o755)
    return [path]


def command(folder):
    return ["/bin/sh", "-c", "no-such-tool; exit $?"]


def command_by_another(folder):
    return ["/usr/bin/env", "no-such-tool"]


def file(folder):
    return [_build(folder, "host", "opens"), folder / "app.conf"]


def forbidden_file(folder):
    (folder / "app.conf").write_text("x")
    (folder / "app.conf").chmod(0)
    return file(folder)


def forbidden_library(folder):
    library, prog = _needing(folder)
    library.chmod(0)
    return [prog]


def socket(folder):
    return ["/usr/bin/python3", "-c", "import socket\nsocket.socket(socket.AF_UNIX).connect('/run/no-such.sock')"]


def port(folder):
    return ["/usr/bin/python3", "-c", "import socket\nsocket.create_connection(('127.0.0.1', 1))"]


def noexec(folder):
    (folder / "sealed").mkdir()
    tool = _build(folder, "tool", "plain")
    mount = f"mount -t tmpfs -o noexec none {folder}/sealed && cp {tool} {folder}/sealed/ && exec \"$@\""
    return ["unshare", *([] if os.getuid() == 0 else ["-r"]), "-m", "--propagation", "unchanged", "sh", "-c", mount, "sh",
            folder / "sealed/tool"]


CASES = [needed, version, opened, foreign, script, command, command_by_another, file, forbidden_file, forbidden_library,
         socket, port, noexec]


@pytest.fixture(scope="session")
def bundles(tool, tmp_path_factory):
    """name -> bundle, each verified where it was made."""
    made = {}
    for case in CASES:
        folder = tmp_path_factory.mktemp(case.__name__)
        words = list(map(str, case(folder)))
        if case.__name__.startswith("forbidden") and os.getuid() == 0:
            proof.give(folder)
            words = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *words]
        for parent in folder.parents:
            if parent.stat().st_uid == os.getuid() and not parent.stat().st_mode & 1:
                parent.chmod(parent.stat().st_mode | 1)
        folder.chmod(0o755)
        bundle = folder.with_suffix(".tar.zst")
        ended = subprocess.run([tool, "-q", "--no-redact", "-o", bundle, "--", *words], env=proof.PLAIN, cwd=folder,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert bundle.exists(), ended.stdout
        made[case.__name__] = bundle
        if case is noexec:
            subprocess.run(["umount", folder / "sealed"], stderr=subprocess.DEVNULL)
    return made


@pytest.fixture(params=[case.__name__ for case in CASES])
def repro(request, bundles, tmp_path):
    """An unpacked one, nobody's, with what a plain run of it gives."""
    for parent in tmp_path.parents:
        if parent.stat().st_uid == os.getuid() and not parent.stat().st_mode & 1:
            parent.chmod(parent.stat().st_mode | 1)
    tmp_path.chmod(0o755)
    folder = proof.unpack(bundles[request.param], tmp_path / "unpacked")
    assert folder, "no reproduction was made"
    failed = proof.run(folder / "repro.sh")
    assert failed.status not in (0, 125), failed.said
    return folder, failed.outcome


def _check(folder, outcome, shell=("sh",), **more):
    assert proof.run(folder / "repro.sh", shell, **more).outcome == outcome
    assert proof.run(folder / "control.sh", shell, **more).outcome == (0, "")


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_shells(repro, shell):
    _check(*repro, shell)


@pytest.mark.parametrize("name", NAMES)
def test_names(repro, tmp_path, name):
    folder, outcome = repro
    (tmp_path / "there").mkdir()
    moved = folder.rename(tmp_path / "there" / NAMES[name])
    _check(moved, outcome)
    assert not list(tmp_path.rglob("owned"))


def test_where_nothing_may_be_written(repro, tmp_path):
    """Another's files, in directories that are not for writing."""
    folder, outcome = repro
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & ~0o222)
        if os.getuid() == 0:
            os.chown(path, 0, 0, follow_symlinks=False)
    try:
        _check(folder, outcome)
    finally:
        for path in [folder, *folder.rglob("*")]:
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o755)


def _in_root(root, folder, script):
    """SCRIPT of FOLDER, run as nobody by the shell of another system; status and standard error."""
    inside = ["/bin/sh", f"/mnt/{script}"]
    if os.getuid() == 0:
        # In a chroot / is no mount point, so its propagation cannot be changed; what is mounted is taken away again.
        enter = ('mount --make-rprivate / 2>/dev/null; mount --bind "$1" "$2/mnt" && mount --bind /dev "$2/dev" && '
                 'mount -t proc proc "$2/proc" && root=$2 && shift 2 && { chroot --userspec=65534:65534 "$root" "$@"; status=$?; '
                 'umount "$root/proc" "$root/dev" "$root/mnt"; exit $status; }')
        inside = ["unshare", "-m", "--propagation", "unchanged", "sh", "-c", enter, "enter", folder, root, *inside]
    else:
        inside = ["bwrap", "--ro-bind", root, "/", "--bind", folder, "/mnt", "--proc", "/proc", "--dev", "/dev", *inside]
    done = subprocess.run(inside, env={**proof.PLAIN, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stderr.replace("/mnt/", "")


@pytest.mark.parametrize("name", ["bullseye", "trixie", "forky"])
def test_other_loaders(repro, name):
    folder, (status, said) = repro
    root = cached_root(name)
    got, words = _in_root(root, folder, "repro.sh")
    if not (root / "usr/bin/unshare").exists() and "unshare" in (folder / "repro.sh").read_text() and "mount" in words:  # these roots have no mount(8)
        assert (got, words) == (125, "a mount is needed: install unshare (of util-linux)\n")
    else:
        assert (got, words.replace("/usr/bin/dash", "/bin/dash")) == (status, said.replace("/usr/bin/dash", "/bin/dash"))
    assert _in_root(root, folder, "control.sh") == (0, "")


@pytest.mark.parametrize("sort", ["script", "program"])
def test_an_interpreter_that_is_there_after_all(run, cc, tmp_path, sort):
    """On the maintainer's machine the path that is written in the file may lead to something."""
    place = tmp_path / "opt"
    prog = tmp_path / "tool"
    if sort == "script":
        prog.write_text(f"#!{place}/perl6\n")
        prog.chmod(0o755)
    else:
        prog = cc(SOURCES["plain"], f"-Wl,--dynamic-linker={place}/ld.so")
    result = run("-o", tmp_path / "case.tar.zst", "--", prog)
    assert result.report["reproduction"]["status"] == "verified"
    folder = proof.unpack(tmp_path / "case.tar.zst", tmp_path / "unpacked")
    place.mkdir()
    shutil.copy("/bin/true", place / "perl6")
    shutil.copy("/lib64/ld-linux-x86-64.so.2", place / "ld.so")
    ended = subprocess.run(["sh", folder / "repro.sh"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if subprocess.run(["unshare", *([] if os.getuid() == 0 else ["-r"]), "-m", "true"], stderr=subprocess.DEVNULL).returncode == 0:
        assert (ended.returncode, "not found" in ended.stdout) == (127, True), ended.stdout
    else:  # in a chroot
        assert (ended.returncode, "cannot be hidden" in ended.stdout) == (125, True), ended.stdout


@pytest.mark.parametrize("variable", ["", "/nowhere", "/proc", "here", "/dev/null"])
def test_made_without_a_tmpdir(run, cc, variable):
    prog = cc(SOURCES["plain"], "-Wl,--dynamic-linker=/nowhere/ld.so.9")
    result = run("-o", "case.tar.zst", "--", prog, env={"TMPDIR": variable})
    assert result.report["reproduction"]["status"] == "verified"
    listed = subprocess.run(["tar", "--zstd", "-tf", "case.tar.zst"], cwd=prog.parent, stdout=subprocess.PIPE, text=True)
    assert "case/repro/repro.sh" in listed.stdout.split()


def test_made_where_tmp_forbids_execution(run, cc, tmp_path):
    """The scratch directory is looked for until one is found from which programs may be run."""
    prog = cc(SOURCES["plain"], "-Wl,--dynamic-linker=/nowhere/ld.so.9")
    (tmp_path / "noexec").mkdir()
    mount = 'mount -t tmpfs -o noexec none noexec && export TMPDIR="$PWD/noexec" && "$@"; status=$?; umount noexec; exit $status'
    under = ["unshare", *([] if os.getuid() == 0 else ["-r"]), "-m", "--propagation", "unchanged", "sh", "-c", mount, "sh"]
    result = run("-o", "case.tar.zst", "--", prog, under=under)
    assert result.report["reproduction"]["status"] == "verified"


@pytest.mark.skipif(os.getuid() != 0, reason="only root may become another user")
@pytest.mark.parametrize("case", [needed, version, opened, foreign, script, command, file, socket], ids=lambda c: c.__name__)
def test_made_for_another_user(run, tmp_path, case):
    words = case(tmp_path)
    proof.give(tmp_path)
    for parent in tmp_path.parents:
        if parent.stat().st_uid == 0 and not parent.stat().st_mode & 1:
            parent.chmod(parent.stat().st_mode | 1)
    result = run("-u", "nobody", "--", *words)
    assert result.report["reproduction"]["status"] == "verified"
    proof.give(tmp_path)
    done = run("--", *words, under=proof.AS_NOBODY)
    assert done.report["reproduction"]["status"] == "verified"
