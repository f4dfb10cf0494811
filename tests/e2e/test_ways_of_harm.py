"""How a failure reaches the harm: across processes and threads, lazily, in other roots, in the program's words only."""

import os
import shutil
import subprocess

import pytest

from conftest import load_report

PYTHON = "/usr/bin/python3"
CALLS = "int dep(void);\nint main(int argc, char **argv) { (void)argv; return argc > 1 ? 0 : dep(); }\n"


@pytest.fixture
def orphan(cc, tmp_path):
    """A program whose library is gone."""
    cc("int dep(void) { return 0; }\n", "-Wl,-soname,libdep.so.1", name="libdep.so.1")
    prog = cc(CALLS, "./libdep.so.1", "-Wl,-rpath,$ORIGIN")
    (tmp_path / "libdep.so.1").unlink()
    return prog


def test_library_of_another_installation_is_not_nearby(run, orphan, cc, tmp_path):
    """The same program with its library, in a directory beside: its business. A library alone in one is nearby."""
    (tmp_path / "mine").mkdir()
    orphan = orphan.rename(tmp_path / "mine" / "prog")
    beside = tmp_path / "beside" / "app"
    cc("int dep(void) { return 0; }\n", "-Wl,-soname,libdep.so.1", name="libdep.so.1", cwd=beside)
    cc("int main(void) { return 0; }\n", cwd=beside)
    assert _found(run("--", orphan)) == MISSING
    (beside / "prog").unlink()
    assert _found(run("--", orphan)) == [("library-off-path", "libdep.so.1", "fatal")]


def _found(result):
    return [(c["kind"], c["missing"], c["impact"]) for c in result.causes]


MISSING = [("library-missing", "libdep.so.1", "fatal")]
WRAPPERS = {
    "a shell that ends well": ["sh", "-c", "{p}; exit 0"],
    "timeout": ["timeout", "60", "{p}"],
    "xargs": ["sh", "-c", "echo a | xargs {p}"],
    "find": ["find", "{p}", "-exec", "{p}", ";"],
    "a captured child": [PYTHON, "-c", "import subprocess; subprocess.run(['{p}'], capture_output=True)"],
    "a daemon": [PYTHON, "-c", "import os\nif os.fork(): os._exit(0)\nos.setsid()\nif os.fork(): os._exit(0)\n"
                               "os.execv('{p}', ['{p}'])"],
    "a pipe": ["sh", "-c", "{p} | cat"],
    "perl's system": ["perl", "-e", "exit(system('{p}') >> 8)"],
    "node's child": ["node", "-e", "process.exit(require('child_process').spawnSync('{p}').status)"],
}


@pytest.mark.parametrize("way", WRAPPERS)
def test_across_processes(run, orphan, way):
    command = [word.format(p=orphan) for word in WRAPPERS[way]]
    if not shutil.which(command[0]):
        pytest.skip(f"{command[0]} is not installed")
    result = run("--", *command)
    assert _found(result) == MISSING
    assert result.first["chain"][-1] == str(orphan)
    assert len(result.first["chain"]) > 1


def test_hushed_and_coped_with(run, orphan, cc, tmp_path):
    """Another copy of the program did the work."""
    other = cc("int main(void) { return 0; }\n", cwd=tmp_path / "other")
    result = run("--", "sh", "-c", f"{orphan} 2>/dev/null || {other}")
    assert result.causes == []


@pytest.mark.parametrize("command", [
    ["sh", "-c", "{p} >/dev/null 2>&1; exit 0"], ["sh", "-c", "{p} 2>/dev/null || echo status $?"],
    [PYTHON, "-c", "import subprocess; print(subprocess.call(['{p}'], stderr=subprocess.DEVNULL))"],
    ["perl", "-e", "open STDERR, '>', '/dev/null'; system('{p}'); exit 0"],
    ["sh", "-c", PYTHON + " -c \"import subprocess; subprocess.run(['sh', '-c', '{p} 2>/dev/null || exit 5'])\"; exit 0"]])
def test_ended_by_the_loader_and_nobody_was_told(run, orphan, command):
    """A program that is there and could not begin is no probe, wherever its words went."""
    assert _found(run("--", *(word.format(p=orphan) for word in command))) == MISSING


@pytest.mark.parametrize("probe", ["if {p} --version >/dev/null 2>&1; then echo has; else echo has not; fi",
                                   "{p} -p 2>/dev/null || true", "set -e; {p} >/dev/null 2>&1 || x=no; echo $x"])
@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_probe_of_a_broken_program(run, orphan, shell, probe):
    """Nobody was to read its words, and its status is tested by who goes on and ends well. Read by somebody, or by who
    ends badly, the program is broken."""
    assert run("--", shell, "-c", probe.format(p=orphan)).causes == []
    assert _found(run("--", shell, "-c", probe.replace(">/dev/null 2>&1", "").replace("2>/dev/null", "").format(p=orphan))) == MISSING
    assert _found(run("--", shell, "-c", probe.format(p=orphan) + "; exit 3")) == MISSING


@pytest.mark.parametrize("text, causes", [("cat /nowhere/x || echo none >/dev/null", 1), ("cat /nowhere/x || cat /dev/null", 0),
                                          ("if cat /nowhere/x; then echo; fi", 0), ("cat /nowhere/x; exit 0", 1),
                                          ("cat /nowhere/x || exit 2", 1)])
def test_file_of_a_command_that_a_shell_provides_for(run, text, causes):
    assert _found(run("--", "sh", "-c", text)) == [("file-missing", "/nowhere/x", "fatal")] * causes


@pytest.mark.parametrize("status", [0, 4])
def test_not_executable_and_hushed(run, script, status):
    """An execve(2) that failed is coped with, unless the one that wanted it ends badly."""
    tool = script("tool", "#!/nowhere/interpreter\n")
    result = run("--", "sh", "-c", f"{tool} 2>/dev/null || {{ echo no tool; exit {status}; }}")
    assert _found(result) == ([("script-interpreter-missing", "/nowhere/interpreter", "fatal")] if status else [])


def test_carriage_return_that_env_quotes(run, script):
    tool = script("tool", "#!/usr/bin/env perl\r\nprint 1;\r\n")
    assert _found(run("--", "perl", "-e", f"exit(system('{tool}') ? 1 : 0)")) == [
        ("script-interpreter-missing", "perl\r", "fatal")]


@pytest.fixture
def plugin(cc, tmp_path):
    """A plug-in whose library is gone."""
    cc("int dep(void) { return 0; }\n", "-Wl,-soname,libdep.so.1", name="libdep.so.1")
    made = cc("int dep(void);\nint use(void) { return dep(); }\n", "./libdep.so.1", "-Wl,-rpath,$ORIGIN", name="plugin.so")
    (tmp_path / "libdep.so.1").unlink()
    return made


FORKED = """
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    int status;
    if (fork() == 0) {
        if (argc > 2) { setsid(); if (fork()) _exit(0); dup2(open("/dev/null", O_RDWR), 2); }
        _exit(dlopen(argv[1], RTLD_NOW) ? 0 : 1);
    }
    wait(&status);
    return 0;
}
"""


@pytest.mark.parametrize("daemon", [True, False])
def test_dlopen_of_a_fork(run, cc, plugin, tmp_path, daemon):
    """What has executed nothing loads for itself; a daemon's words go nowhere and nobody waits for it."""
    result = run("--", cc(FORKED), plugin, *(["daemon"] if daemon else []))
    assert _found(result) == MISSING
    assert result.first["subject"] == str(plugin)
    cc("int dep(void) { return 0; }\n", "-Wl,-soname,libdep.so.1", name="libdep.so.1")
    assert run("--", tmp_path / "prog", plugin, *(["daemon"] if daemon else [])).causes == []


SILENT = {
    "python": [PYTHON, "-c", "import ctypes, sys\ntry: ctypes.CDLL('{p}')\nexcept OSError: print('sorry'); sys.exit(7)"],
    "perl": ["perl", "-MDynaLoader", "-e", "DynaLoader::dl_load_file('{p}') or eval {{ require Carp; Carp::croak('x') }};"
                                           " print STDERR qq(no module\n); exit 4"],
    "node": ["node", "-e", "try {{ process.dlopen({{exports: {{}}}}, '{p}') }} catch (e) {{"
                           " console.error('cannot start'); process.exit(1) }}"],
}


@pytest.mark.parametrize("way", SILENT)
def test_in_words_that_name_nothing(run, plugin, way):
    """What comes between the dlopen and the end is the dlopen's own, or the interpreter's on the way to its words."""
    assert _found(run("--", *(word.format(p=plugin) for word in SILENT[way]))) == MISSING


def test_what_python_told_is_another_end(run, plugin, script):
    """An optional library was not there, or was broken; what ended the program is in the traceback."""
    for library, kinds in (("libnowhere.so.2", []), (plugin, [])):
        text = script("prog.py", f"import ctypes\ntry: ctypes.CDLL('{library}')\nexcept OSError: pass\nprint({{}}['key'])\n")
        result = run("--", PYTHON, text)
        assert result.returncode == 1
        assert [c["kind"] for c in result.causes if c["impact"] == "fatal" or c["confidence"] > 0.55] == kinds


@pytest.mark.parametrize("words, kinds", [("", ["library-missing"]), ("/x 2>/dev/null || true", [])])
def test_standard_error_of_ours_is_null(tool, environment, tmp_path, orphan, words, kinds):
    """What the caller of glibctrace throws away is said all the same; what the program throws away is not."""
    report = tmp_path / "r.json"
    subprocess.run([tool, "-o", report, "--", "sh", "-c", f"{orphan}{words}"], env=environment(), cwd=tmp_path,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert [cause["kind"] for cause in load_report(report)["causes"]] == kinds


def test_a_file_where_standard_error_of_ours_is_null(tool, environment, tmp_path):
    report = tmp_path / "r.json"
    subprocess.run([tool, "-o", report, "--", "cat", "/nowhere/notes"], env=environment(), cwd=tmp_path,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert [cause["missing"] for cause in load_report(report)["causes"]] == ["/nowhere/notes"]


def test_executed_by_a_thread(run, cc, orphan):
    prog = cc('#include <pthread.h>\n#include <unistd.h>\nstatic void *f(void *a) { execl(a, a, (char *)0); return 0; }\n'
              'int main(int c, char **v) { pthread_t t; (void)c; pthread_create(&t, 0, f, v[1]); pause(); }\n', "-pthread",
              name="threaded")
    result = run("--", prog, orphan)
    assert _found(result) == MISSING
    assert result.returncode == 127


@pytest.mark.parametrize("called", [True, False])
def test_lazy_binding(run, cc, tmp_path, called):
    cc("int dep(void) { return 0; }\n", name="libdep.so")
    prog = cc(CALLS, "./libdep.so", "-Wl,-rpath,$ORIGIN", "-Wl,-z,lazy")
    cc("int other(void) { return 0; }\n", name="libdep.so")
    result = run("--", prog, *([] if called else ["not-called"]))
    if called:
        assert _found(result) == [("symbol-missing", "dep", "fatal")]
        assert result.returncode == 127
        assert "undefined symbol: dep" in result.first["words"]
    else:
        assert result.causes == []
        assert result.returncode == 0


def test_lazy_binding_in_a_plugin(run, cc):
    cc("int dep(void); int f(void) { return dep(); }\n", "-Wl,-z,lazy", name="plugin.so")
    prog = cc('#include <dlfcn.h>\nint main(void) { int (*f)(void) = (int (*)(void))dlsym(dlopen("./plugin.so", RTLD_LAZY),'
              ' "f"); return f(); }\n')
    result = run("--", prog)
    assert _found(result) == [("symbol-missing", "dep", "fatal")]
    assert result.first["subject"].endswith("/plugin.so")


def test_symbol_that_dlsym_did_not_find(run, cc, tmp_path):
    library = cc("int there(void) { return 0; }\n", name="libx.so")
    code = f"import ctypes; ctypes.CDLL('{library}').NAME()"
    result = run("--", PYTHON, "-c", code.replace("NAME", "absent_one"))
    assert _found(result) == [("symbol-missing", "absent_one", "fatal")]
    assert result.first["subject"] == str(library)
    assert run("--", PYTHON, "-c", code.replace("NAME", "there")).causes == []


SAYS_ON_STDOUT = r"""
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
    for (int i = 2; i < argc; i++)
        if (dlopen(argv[i], RTLD_NOW)) {
            puts("loaded");
            return 0;
        }
    puts("no plugin");
    return atoi(argv[1]);
}
"""


def test_plugin_that_is_told_of_on_standard_output_only(run, cc):
    """Standard output is the program's own: where it ends well nothing tells a loss from a probe, and it is ruled out."""
    prog = cc(SAYS_ON_STDOUT)
    well = run("--", prog, "0", "libnowhere.so.3")
    assert well.causes == [] and "libnowhere.so.3" in well.stderr
    assert _found(run("--", prog, "3", "libnowhere.so.3")) == [("library-missing", "libnowhere.so.3", "fatal")]


def test_another_version_does(run, cc, tmp_path):
    prog = cc(SAYS_ON_STDOUT)
    cc("int x;\n", name="libalt.so.1")
    assert run("--", prog, "0", "libalt.so.2", str(tmp_path / "libalt.so.1")).causes == []
    assert run("--", prog, "0", "libc.so.99", "libc.so.6").causes == []


needs_root = pytest.mark.skipif(os.getuid() != 0, reason="chroot(2) wants root")


@pytest.fixture
def other_root(orphan, tmp_path):
    """A root with the orphan's loader and libc, as ldd tells them."""
    root = tmp_path / "root"
    for word in subprocess.run(["ldd", "/bin/true"], capture_output=True, text=True, check=True).stdout.split():
        if word.startswith("/"):
            (root / word[1:]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(word, root / word[1:])
    (root / "opt").mkdir()
    shutil.copy(orphan, root / "opt" / "prog")
    return root


@needs_root
def test_in_a_chroot(run, other_root):
    result = run("--", "chroot", other_root, "/opt/prog")
    assert _found(result) == MISSING
    assert result.first["subject"] == "/opt/prog"
    assert result.report["system"]["context"] == "chroot"
    assert result.report["system"]["libc"]["family"] == "glibc"


@needs_root
def test_library_of_the_host_does_not_count_in_a_chroot(run, cc, other_root, tmp_path):
    cc("int dep(void) { return 0; }\n", "-Wl,-soname,libdep.so.1", name="libdep.so.1")  # beside the program, outside
    result = run("--", "chroot", other_root, "/opt/prog")
    assert _found(result) == MISSING
    shutil.copy(tmp_path / "libdep.so.1", other_root / "opt")
    assert run("--", "chroot", other_root, "/opt/prog").causes == []


def test_in_a_mount_namespace(run, other_root):
    enter = ["bwrap", "--bind", other_root, "/"]
    if not shutil.which("bwrap") or subprocess.run(["bwrap", "--bind", "/", "/", "true"], capture_output=True).returncode:
        enter = ["unshare", "-m", "--propagation", "unchanged", "chroot", other_root]  # a chroot allows no user namespace
    result = run("--", *enter, "/opt/prog")
    assert _found(result) == MISSING
    assert result.first["subject"] == "/opt/prog"


def test_static_program(run, cc):
    prog = cc('#include <stdio.h>\nint main(void) { FILE *f = fopen("/nowhere/app.conf", "r"); if (!f) perror("app.conf");'
              ' return !f; }\n', "-static")
    result = run("--", prog)
    assert _found(result) == [("file-missing", "/nowhere/app.conf", "fatal")]
    assert result.report["system"]["libc"]["family"] == "none"


@pytest.fixture
def musl_cc(cc, monkeypatch):
    if not shutil.which("musl-gcc"):
        pytest.skip("musl-gcc is not installed")
    monkeypatch.setenv("CC", "musl-gcc")
    return cc


@pytest.mark.parametrize("left", ["nothing", "another symbol", "all"])
def test_musl(run, musl_cc, tmp_path, left):
    musl_cc("int dep(void) { return 0; }\n", "-Wl,-soname,libdep.so.1", name="libdep.so.1")
    prog = musl_cc(CALLS, "./libdep.so.1", "-Wl,-rpath,$ORIGIN")
    if left != "all":
        (tmp_path / "libdep.so.1").unlink()
    if left == "another symbol":
        musl_cc("int other(void) { return 0; }\n", "-Wl,-soname,libdep.so.1", name="libdep.so.1")
    result = run("--", prog)
    expected = {"nothing": MISSING, "another symbol": [("symbol-missing", "dep", "fatal")], "all": []}
    assert _found(result) == expected[left]
    assert result.returncode == (0 if left == "all" else 127)
    assert result.report["system"]["libc"]["family"] == "musl"
    if left != "all":
        assert result.first["words"].startswith("Error ")
        assert result.report["reproduction"]["status"] == "verified"


def _loader():
    """The loader of this machine's own programs."""
    lines = subprocess.run(["ldd", "/bin/true"], capture_output=True, text=True, check=True).stdout.splitlines()
    return next(line.split()[0] for line in lines if "/ld-" in line)


def test_loader_run_by_hand(run, orphan, tmp_path):
    result = run("--", _loader(), orphan)
    assert _found(result) == MISSING
    assert result.first["chain"][-1] == str(orphan)
    (tmp_path / "other").mkdir()
    subprocess.run(["cc", "-shared", "-x", "c", "-", "-o", tmp_path / "other" / "libdep.so.1"], input="int dep(void) { return 0; }",
                   text=True, check=True)
    assert run("--", _loader(), "--library-path", tmp_path / "other", orphan).causes == []


def test_loader_run_by_hand_on_something_else(run, script):
    text = script("text", "no program\n")
    assert _found(run("--", _loader(), text)) == [("object-corrupt", str(text), "fatal")]


def test_loader_run_by_hand_on_another_machine(run, cc):
    narrow = cc("void _start(void) { for (;;) ; }\n", "-m32", "-nostdlib", "-w", "-Wl,-z,noexecstack", name="narrow")
    wide = cc("int main(void) { return 0; }\n", name="wide")
    for loader, prog, machine in ((_loader(), narrow, "x86_64"), ("/lib/ld-linux.so.2", wide, "i386")):
        result = run("--", loader, prog)
        assert _found(result) == [("wrong-architecture", machine, "fatal")]
        assert result.first["provider"] == str(prog)
        assert "wrong ELF class" in result.first["words"]
        assert f"{os.path.basename(os.path.realpath(loader))} was told to run {prog}" in result.first["summary"]
    assert run("--", "/lib/ld-linux.so.2", "--help").causes == []


def test_loader_run_by_hand_on_what_is_not_there(run, tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dangling").symlink_to(tmp_path / "target")
    for name, kind, missing in (("absent", "file-missing", "absent"), ("dangling", "symlink-dangling", "target"),
                                ("loop", "symlink-loop", "loop")):
        result = run("--", _loader(), tmp_path / name)
        assert _found(result) == [(kind, str(tmp_path / missing), "fatal")]


def test_program_cut_in_the_middle(run, cc):
    prog = cc("int main(void) { return 0; }\n", "-static")
    prog.write_bytes(prog.read_bytes()[:200000])
    result = run("--", prog)
    assert _found(result) == [("object-corrupt", str(prog), "fatal")]


def test_survived_first_and_ended_later(run):
    """Of the library it complained and went on; the file ended it."""
    code = ("import ctypes, sys\ntry: ctypes.CDLL('libnowhere.so.7')\nexcept OSError as error: print(error, file=sys.stderr)\n"
            "open('/nowhere/x.conf')\n")
    result = run("--", PYTHON, "-c", code)
    assert _found(result) == [("file-missing", "/nowhere/x.conf", "fatal"),
                              ("library-missing", "libnowhere.so.7", "degraded")]


@pytest.mark.parametrize("beside, kind", [("plugin.so", "library-missing"), ("another", "library-missing"),
                                          ("notes", "library-off-path")])
def test_library_of_another_plugin_is_not_nearby(run, cc, tmp_path, beside, kind):
    """A directory that has a user of the library in it has it for that one; a library among other things is nearby."""
    for where in ("mine", "theirs"):
        cc("int dep(void) { return 0; }\n", "-Wl,-soname,libdep.so.1", name="libdep.so.1", cwd=tmp_path / where)
    cc("int dep(void);\nint use(void) { return dep(); }\n", "./libdep.so.1", name="plugin.so", cwd=tmp_path / "mine")
    (tmp_path / "mine" / "libdep.so.1").unlink()
    if beside == "another":
        cc(CALLS, "./libdep.so.1", name=beside, cwd=tmp_path / "theirs")
    else:
        (tmp_path / "theirs" / beside).write_text("text")
    result = run("--", PYTHON, "-c", f"import ctypes; ctypes.CDLL('{tmp_path}/mine/plugin.so')")
    assert _found(result) == [(kind, "libdep.so.1", "fatal")]


DAEMONS = {
    "python": [PYTHON, "-c", "import os\nif os.fork(): os._exit(0)\nos.setsid()\nif os.fork(): os._exit(0)\nopen('{path}')"],
    "perl": ["perl", "-e", "exit 0 if fork; exit 0 if fork; open(F, '<', '{path}') or die '{path}: $!'"],
    "a subshell": ["sh", "-c", "(exec 3<{path}; sleep 0) & exit 0"],
}


@pytest.mark.parametrize("who", DAEMONS)
def test_daemon_that_executes_nothing(run, tmp_path, who):
    """It runs the image of a process that has ended before, and well."""
    path = tmp_path / "daemon.conf"
    command = [word.format(path=path) for word in DAEMONS[who]]
    result = run("--", *command)
    assert result.returncode == 0
    assert [(c["kind"], c["missing"], c["impact"]) for c in result.causes] == [("file-missing", str(path), "fatal")]
    path.write_text("")
    assert run("--", *command).causes == []
