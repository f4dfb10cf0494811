"""Reproductions: verified here, and run again elsewhere by a plain shell, without glibctrace, as nobody.

A bundle is unpacked into an empty directory: repro.sh fails alike, control.sh passes, and no file can be taken away
without a change in one of the two.
"""

import os
import pathlib
import shutil
import stat
import subprocess

import broken
import pytest

from test_outputs import unpacked
from test_static import cached_root

PLAIN = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
EXECUTED = {
    "interpreter": lambda cc, script: cc("int main(void) { return 0; }", "-Wl,--dynamic-linker=/nowhere/ld.so.9"),
    "script": lambda cc, script: script("tool", "#!/nowhere/perl6 -w\nexit 0\n"),
    "carriage return": lambda cc, script: script("tool", b"#!/bin/sh\r\nexit 0\r\n"),
    "mode": lambda cc, script: script("tool", "#!/bin/sh\nexit 0\n", mode=0o644),
    "machine": lambda cc, script: _foreign(cc("int main(void) { return 0; }")),
    "empty ELF": lambda cc, script: script("tool", b"\x7fELF" + bytes(60)),
}
OPENS = """
#include <fcntl.h>
#include <stdio.h>
int main(int argc, char **argv)
{
    if (open(argv[1], O_RDONLY) < 0) {
        perror(argv[1]);
        return 3;
    }
    return 0;
}
"""


def _foreign(path):
    data = bytearray(path.read_bytes())
    data[18:20] = (183).to_bytes(2, "little")  # e_machine: EM_AARCH64
    path.write_bytes(data)
    return path


@pytest.fixture
def place(tmp_path, cc):
    (tmp_path / "case").mkdir()
    return broken.Place(tmp_path / "case", cc)


def _as_nobody():
    """What to put before a command so that it runs as an ordinary user."""
    return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.getuid() == 0 else []


def _open_up(top):
    """Everything under TOP to nobody; TOP's parents can be passed through."""
    if os.getuid() != 0:
        return
    for path in [top, *top.rglob("*")]:
        os.chown(path, 65534, 65534, follow_symlinks=False)
    for path in top.parents:
        if path.stat().st_uid == 0 and not path.stat().st_mode & stat.S_IXOTH:
            path.chmod(path.stat().st_mode | stat.S_IXOTH)


def _sh(script):
    done = subprocess.run([*_as_nobody(), "sh", str(script)], cwd="/", env=PLAIN, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, errors="surrogateescape", timeout=60)
    return done.returncode, done.stderr.replace(str(script.parent), "")


def _unpack(bundle, top):
    top.mkdir()
    subprocess.run(["tar", "--zstd", "-xf", str(bundle), "-C", str(top)], check=True)
    (inside,) = top.iterdir()
    return inside / "repro"


def _both(folder):
    return _sh(folder / "repro.sh"), _sh(folder / "control.sh")


def _check_alone(bundle, words, tmp_path):
    """The bundle's reproduction on its own, whole and with each of its files taken away."""
    whole = _unpack(bundle, tmp_path / "unpacked")
    _open_up(whole.parent)
    (status, said), (control, complaint) = _both(whole)
    assert status != 0
    assert control == 0, complaint
    if words:
        assert words in said
    files = [p.relative_to(whole) for p in sorted(whole.rglob("*")) if p.is_symlink() or p.is_file()]
    for number, file in enumerate(f for f in files if f.suffix != ".sh"):
        less = tmp_path / f"less{number}"
        shutil.copytree(whole, less, symlinks=True)
        (less / file).unlink()
        _open_up(less)
        assert _both(less) != ((status, said), (0, complaint)), f"{file} can be taken away without a change"


def _verified(result):
    reproduction = result.report["reproduction"]
    assert reproduction["status"] == "verified", reproduction
    assert reproduction["expect"]
    assert reproduction["files"] <= 4
    assert reproduction["bytes"] < 16384
    return reproduction


@pytest.mark.skipif(not shutil.which("zstd"), reason="tar needs zstd to read a bundle")
@pytest.mark.parametrize("position", ["program_itself", "library_of_library", "opened_while_running"])
@pytest.mark.parametrize("way", broken.WAYS)
def test_loading_alone(run, place, tmp_path, way, position):
    case = broken.POSITIONS[position](place, way, False)
    user = []
    if case.expected.user and os.getuid() == 0:
        _open_up(tmp_path / "case")
        user = ["-u", "nobody"]
    bundle = tmp_path / "case.tar.zst"
    result = run("-o", bundle, *user, "--", *case.command, env=case.expected.env, cwd=tmp_path)
    _verified(result)
    _check_alone(bundle, case.expected.words, tmp_path)


@pytest.mark.skipif(not shutil.which("zstd"), reason="tar needs zstd to read a bundle")
@pytest.mark.parametrize("way", EXECUTED)
def test_executing_alone(run, cc, script, tmp_path, way):
    bundle = tmp_path / "case.tar.zst"
    result = run("-o", bundle, "--", EXECUTED[way](cc, script))
    _verified(result)
    _check_alone(bundle, None, tmp_path)


@pytest.mark.skipif(not shutil.which("zstd"), reason="tar needs zstd to read a bundle")
def test_executing_an_empty_file_alone(run, script, tmp_path):
    """The shell would read it as a script of nothing: another program executes it."""
    bundle = tmp_path / "case.tar.zst"
    tool = script("tool", "")
    result = run("-o", bundle, "--", "/usr/bin/python3", "-c", f"import os; os.execv('{tool}', ['tool'])")
    assert (result.first["kind"], result.first["missing"]) == ("object-corrupt", str(tool))
    _verified(result)
    _check_alone(bundle, "Exec format error", tmp_path)


CALLS_DEP = "int dep(void);\nint main(void) { return dep(); }\n"
LED = {  # what the variable is set to, what stands there, the command, and the words of the reproduction
    "a file that is no directory": ("APP_HOME", "{here}/home", "home", ["/usr/bin/python3", "-c",
                                    "import os; open(os.environ['APP_HOME'] + '/etc/app.conf')"], "Not a directory"),
    "a directory of something else": ("JAVA_HOME", "{here}/jdk", "jdk/README", ["sh", "-c", 'exec "$JAVA_HOME/bin/java"'],
                                      "No such file or directory"),
    "a part of a list": ("APP_PATH", "{here}:{here}/none", "x", ["/usr/bin/python3", "-c",
                         "import os; os.listdir(os.environ['APP_PATH'].split(':')[1])"], "No such file or directory"),
    "nowhere, for the loader": ("LD_LIBRARY_PATH", "{here}/none", None, None, "libdep.so.1"),
}


@pytest.mark.skipif(not shutil.which("zstd"), reason="tar needs zstd to read a bundle")
@pytest.mark.parametrize("how", LED)
def test_led_by_a_variable_alone(run, cc, tmp_path, how):
    name, value, there, command, words = LED[how]
    if there:
        (tmp_path / there).parent.mkdir(exist_ok=True)
        (tmp_path / there).write_text("")
    else:
        library = cc("int dep(void) { return 0; }", "-Wl,-soname,libdep.so.1", name="libdep.so.1")
        command = [cc(CALLS_DEP, library)]
    value, bundle = value.format(here=tmp_path), tmp_path / "case.tar.zst"
    result = run("-o", bundle, "--", *command, env={name: value})
    assert (result.first["kind"], result.first["missing"]) == ("environment-wrong", f"{name}={value}")
    _verified(result)
    _check_alone(bundle, words, tmp_path)


@pytest.mark.parametrize("kind", ["file-missing", "symlink-loop", "symlink-dangling", "permission-denied"])
def test_opening(run, cc, tmp_path, kind):
    prog, user = cc(OPENS), []
    file = tmp_path / "app's.conf"
    if kind == "symlink-loop":
        file.symlink_to(file.name)
    elif kind == "symlink-dangling":
        file.symlink_to("gone")
    elif kind == "permission-denied":
        file.write_text("x")
        file.chmod(0)
        if os.getuid() == 0:
            _open_up(tmp_path)
            user = ["-u", "nobody"]
    result = run(*user, "--", prog, file)
    assert result.first["kind"] == kind
    _verified(result)


@pytest.mark.parametrize("command", [["sh", "-c", "no-such-tool; exit $?"],
                                     ["/usr/bin/python3", "-c", "import subprocess; subprocess.run(['no-such-tool'])"],
                                     ["perl", "-e", "exec('no-such-tool') or die \"no-such-tool: $!\\n\""]])
def test_looking_for_a_command(run, command):
    if not shutil.which(command[0]):
        pytest.skip(f"{command[0]} is not installed")
    result = run("--", *command)
    assert (result.first["kind"], result.first["missing"]) == ("command-not-found", "no-such-tool")
    _verified(result)


@pytest.mark.parametrize("name", ["it's", "a b", "$(touch owned)", "-n", "a\nb", "\"q\"; touch owned; \"", "\xe9\x01",
                                  "lib", "bin", "launcher", "data"])
def test_names_are_bytes(run, cc, tmp_path, name):
    """Whatever the program is called, the reproduction is verified, or it is said why not; nothing else comes to pass."""
    (tmp_path / "here").mkdir()
    library = cc("int dep(void) { return 0; }", "-Wl,-soname,libdep.so.1", name="here/libdep.so")
    prog = cc("int dep(void); int main(void) { return dep(); }", library, name="here/prog")
    library.unlink()
    prog.rename(tmp_path / "here" / name)
    result = run("--", f"./{name}", cwd=tmp_path / "here")
    assert result.first["kind"] == "library-missing"
    _verified(result)
    assert not list(tmp_path.rglob("owned"))


@pytest.mark.parametrize("name", ["it's", "$(touch owned)", "a\nb", "bin", "data", "-x"])
def test_script_names_are_bytes(run, script, tmp_path, name):
    result = run("--", script(name, "#!/nowhere/x$(touch owned)\n"))
    assert result.first["kind"] == "script-interpreter-missing"
    _verified(result)
    assert not list(tmp_path.rglob("owned"))


def test_nothing_stays_behind(run, cc, tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    prog = cc("int main(void) { return 0; }", "-Wl,--dynamic-linker=/nowhere/ld.so.9")
    result = run("--", prog, env={"TMPDIR": scratch})
    _verified(result)
    assert list(scratch.iterdir()) == []
    assert str(scratch) not in result.report_path.read_text()


def test_the_command_itself_runs_once(run, cc, script, tmp_path):
    log = tmp_path / "runs"
    prog = cc("int main(void) { return 0; }", "-Wl,--dynamic-linker=/nowhere/ld.so.9")
    result = run("--", "sh", "-c", f"echo run >>{log}; {prog}")
    _verified(result)
    assert log.read_text() == "run\n"


def test_on_request_none(run, cc):
    prog = cc("int main(void) { return 0; }", "-Wl,--dynamic-linker=/nowhere/ld.so.9")
    result = run("--no-repro", "--", prog)
    assert result.first["kind"] == "interpreter-missing"
    assert result.report["reproduction"] is None


def test_two_faults_are_one_reproduction_each(run, cc, tmp_path):
    """Another missing library hides the version: what is shown is one of the two causes, and it is verified."""
    top = tmp_path / "here"
    (top / "lib").mkdir(parents=True)
    versions = tmp_path / "v.map"
    versions.write_text("DEP_1 { }; DEP_2 { global: dep; };")
    cc("int dep(void) { return 0; }", "-Wl,-soname,libdep.so.1", f"-Wl,--version-script={versions}",
       name="here/lib/libdep.so")
    cc("int two(void) { return 0; }", "-Wl,-soname,libtwo.so.1", f"-Wl,--version-script={versions}",
       name="here/lib/libtwo.so.1")
    prog = cc("int dep(void), two(void); int main(void) { return dep() + two(); }", "here/lib/libdep.so", "here/lib/libtwo.so.1",
              f"-Wl,-rpath,{top}/lib", name="here/prog")
    versions.write_text("DEP_1 { };")
    cc("int two(void) { return 0; }", "-Wl,-soname,libtwo.so.1", f"-Wl,--version-script={versions}",
       name="here/lib/libtwo.so.1")
    result = run("--", prog, cwd=top)
    assert result.first["kind"] in ("library-missing", "symbol-version-missing")
    _verified(result)


def _in_root(root, folder, script):
    """SCRIPT of FOLDER, run by the shell of another system."""
    inside = ["/bin/sh", f"/mnt/{script}"]
    if os.getuid() == 0:
        # In a chroot / is no mount point, so its propagation cannot be changed; what is mounted is taken away again.
        enter = ('mount --make-rprivate / 2>/dev/null; mount --bind "$1" "$2/mnt" && mount -t proc proc "$2/proc" && '
                 'root=$2 && shift && { chroot "$@"; status=$?; umount "$root/proc" "$root/mnt"; exit $status; }')
        inside = ["unshare", "-m", "--propagation", "unchanged", "sh", "-c", enter, "enter", str(folder), str(root), *inside]
    else:
        inside = ["bwrap", "--ro-bind", str(root), "/", "--bind", str(folder), "/mnt", "--proc", "/proc", "--dev", "/dev",
                  *inside]
    done = subprocess.run(inside, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stderr


@pytest.fixture
def of_the_libc(run, cc, tmp_path):
    """A bundle made here of an add-on that wants of libc.so.6 what none has: its reproduction has a libc of its own."""
    version = tmp_path / "v.map"
    version.write_text("GLIBC_9.9 { global: later; local: *; };")
    (tmp_path / "newer").mkdir()
    newer = cc("int later(void) { return 0; }", "-nostdlib", "-Wl,-soname,libc.so.6", f"-Wl,--version-script={version}",
               name="newer/libc.so.6")
    addon = cc("int later(void); int entry(void) { return later(); }", "-nostdlib", newer, name="addon.so")
    prog = cc("#include <dlfcn.h>\n#include <stdio.h>\nint main(int n, char **v)\n"
              "{\n    if (!dlopen(v[n - 1], RTLD_NOW)) {\n        puts(dlerror());\n        return 1;\n    }\n}\n", "-ldl")
    bundle = tmp_path / "case.tar.zst"
    result = run("-o", bundle, "--", prog, addon)
    assert (result.first["kind"], result.first["missing"]) == ("symbol-version-missing", "GLIBC_9.9")
    _verified(result)
    return _unpack(bundle, tmp_path / "unpacked")


@pytest.mark.skipif(not shutil.which("zstd"), reason="tar needs zstd to read a bundle")
@pytest.mark.parametrize("name", ["bullseye", "trixie", "forky"])
def test_under_other_loaders(of_the_libc, name):
    """Each glibc's loader asks something else of a libc.so.6; the stub has it all, or the control would not pass."""
    root = cached_root(name)
    status, said = _in_root(root, of_the_libc, "repro.sh")
    assert status == 1, said
    assert "libc.so.6: version `GLIBC_9.9' not found (required by " in said
    assert _in_root(root, of_the_libc, "control.sh") == (0, "")


@pytest.mark.parametrize("missing, words", [
    ("$HOME/none.conf", "cat $HOME/none.conf"),
    ("$HOME/gone", "cat $HOME/link"),
    ("$HOME/closed", "cat $HOME/closed"),
    ("APP_DIR=$HOME/none", "ls $APP_DIR"),
    ("HOME=$HOME", "cd"),
], ids=["file", "link", "mode", "variable", "home"])
def test_below_a_home_that_is_hidden(run, tmp_path, missing, words):
    home = tmp_path / "person"
    home.mkdir()
    (home / "link").symlink_to(home / "gone")
    (home / "closed").touch(mode=0)
    user = [] if os.getuid() else ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all"]
    for folder in (tmp_path, *tmp_path.parents):  # that user has to pass through them
        if folder.stat().st_mode & 0o011 != 0o011:
            folder.chmod(folder.stat().st_mode | 0o055)
    if user:
        os.chown(home, 65534, 65534)
    if missing == "HOME=$HOME":
        home = tmp_path / "ghost"
    result = run("--", *user, "sh", "-c", words, redact=True, env={"HOME": home, "APP_DIR": home / "none"})
    assert result.report["causes"][0]["missing"] == missing
    assert result.report["reproduction"]["status"] == "verified", result.report["reproduction"]["why"]


SECRET = "ghp_0123456789abcdefghijklmnopqrstuvwxyzAB"


@pytest.mark.parametrize("words", [
    ["sh", "-c", "{name}-tool; exit $?"], ["env", "{name}-tool"], ["sh", "-c", "{secret}; exit $?"], ["env", "{secret}"],
    ["cat", "{name}.conf"], ["cat", "{secret}"],
], ids="sh env sh-secret env-secret file file-secret".split())
def test_what_is_missing_has_the_name_of_the_user_in_it(run, tmp_path, words):
    """It is hidden there as it is in all words, whatever quotation marks a program sets; and fails alike."""
    bundle = tmp_path / "case.tar.zst"
    command = [word.format(name="rosalinde", secret=SECRET) for word in words]
    result = run("-o", bundle, "--", *command, redact=True, env={"USER": "rosalinde", "LC_ALL": "C.UTF-8"})
    assert result.first["missing"].replace(f"{tmp_path}/", "") in ("user1-tool", "user1.conf", "[redacted]")
    assert result.report["reproduction"]["status"] == "verified", result.report["reproduction"]["why"]
    told = {name for name, text in unpacked(bundle).items() for secret in (b"rosalinde", SECRET.encode()) if secret in text}
    assert not told
