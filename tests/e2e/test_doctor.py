"""`glibctrace doctor`: the machine on one page. Here, in a root that has nothing but the C library, with programs that do
not fit, in a home directory of the test's own, and below policies."""

import json
import os
import shutil
import subprocess

import pytest

from conftest import load_report
from test_policy import POLICY
from test_static import cached_root

SECTIONS = ("machine", "programs", "limits", "workspace", "session", "rights")
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="chroot(2) and mounts want root")


def rows(report):
    return [row for name in SECTIONS for row in report[name]]


def row(report, what):
    found = [one for one in rows(report) if one["what"] == what]
    assert len(found) == 1, (what, rows(report))
    return found[0]


@pytest.fixture
def home(tmp_path):
    """Somebody's home directory, of which nothing else of this machine's user is in it."""
    path = tmp_path / "house"
    path.mkdir()
    return path


@pytest.fixture
def doctor(run, home):
    def ask(*args, **changes):
        env = {"HOME": home, "GOROOT": None, "GOPATH": None, "XDG_RUNTIME_DIR": None, "XDG_DATA_HOME": None,
               "ELECTRON_RUN_AS_NODE": None, **changes}
        result = run("doctor", *args, env=env)
        bad = any(one["verdict"] == "bad" for one in rows(result.report))
        assert result.returncode == int(bad) and result.stderr == "", result.stderr
        for one in rows(result.report):
            assert one.get("mark", "-") == one["verdict"] or one["verdict"] == "-"
            if one["verdict"] in ("warning", "bad"):
                assert one["advice"], one
        return result
    return ask


def test_what_path_has_first_is_told_though_it_says_nothing_of_itself(doctor, cc, home, tmp_path):
    """A node whose library is not there, an empty file, a script, and a script that nothing can run."""
    tools = tmp_path / "tools"
    tools.mkdir()
    lib = cc("int start(void) { return 0; }", "-Wl,-soname,libnode.so.999", name="libnode.so.999")
    cc("int start(void); int main(void) { return start(); }", lib, name="node", cwd=tools)
    lib.unlink()
    (tools / "gopls").write_text("")
    (tools / "dlv").write_text("#!/bin/sh\nexec dlv-1.22 \"$@\"\n")
    (tools / "go").write_text("#!/no/such/sh\n")
    for name in "gopls", "dlv", "go":
        (tools / name).chmod(0o755)
    report = doctor(tmp_path, PATH=f"{tools}:/bin").report
    first = {what: next(one for one in report["programs"] if one["what"] == what) for what in ("node", "gopls", "delve", "go")}
    assert {what: one["verdict"] for what, one in first.items()} == {"node": "bad", "gopls": "bad", "delve": "-", "go": "bad"}
    assert "libnode.so.999" in first["node"]["found"] and "it is empty" in first["gopls"]["found"]
    assert "/no/such/sh" in first["go"]["found"]
    assert first["delve"]["found"] == f"a script, {tools}/dlv, on PATH; what it starts is not looked into".replace(str(home), "$HOME")


@pytest.mark.parametrize("source, verdict, said", [
    ("int main(void) { return 0; }", "-", "it does not say what it is"), ("int f(void); int main(void) { return f(); }", "bad", "libf.so")])
def test_what_path_has_first_may_be_any_program(doctor, cc, tmp_path, source, verdict, said):
    tools = tmp_path / "tools"
    tools.mkdir()
    lib = cc("int f(void) { return 0; }", "-Wl,-soname,libf.so", name="libf.so")
    cc(source, lib, name="node", cwd=tools)
    lib.unlink()
    first = next(one for one in doctor(tmp_path, PATH=f"{tools}:/usr/bin").report["programs"] if one["what"] == "node")
    assert (first["verdict"], said in first["found"]) == (verdict, True), first


@pytest.mark.parametrize("value, cache, verdict", [(None, None, "bad"), ("not/absolute", None, "bad"), (None, "/tmp/c", "warning")])
def test_without_a_home_go_fails(doctor, tmp_path, value, cache, verdict):
    report = doctor(tmp_path, HOME=value, GOCACHE=cache, XDG_CACHE_HOME=None).report
    assert row(report, "HOME")["verdict"] == verdict


LOW = ("import ctypes, os, resource, sys\nresource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))\n"
       "if sys.argv[1] == 'all':\n    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))\n"
       "os.execv(sys.argv[2], sys.argv[2:])")


def test_limits_that_a_shell_cannot_raise(doctor, tool, tmp_path):
    out = tmp_path / "low.json"
    sanitized = b"__asan_init" in tool.read_bytes()  # which wants 15 TB of addresses
    subprocess.run(["/usr/bin/python3", "-c", LOW, "files" if sanitized else "all", tool, "doctor", "-q", "-o", out, tmp_path],
                   check=False)
    report = load_report(out)
    files, addresses = row(report, "open files"), None if sanitized else row(report, "addresses")
    assert files["verdict"] == "warning" and "hard limit" in files["advice"] and "ulimit" not in files["command"]
    assert sanitized or (addresses["verdict"] == "warning" and addresses["found"].startswith("2.0 GB"))


@pytest.mark.skipif(os.getuid() != 0, reason="another user's process wants root")
def test_watches_of_a_process_that_may_not_be_looked_at(tool, tmp_path):
    """It has changed its user: its directory in /proc is root's, and it counts for the other user all the same."""
    code = ("import ctypes, os\nos.setresgid(65533, 65533, 65533); os.setresuid(65533, 65533, 65533)\n"
            "c = ctypes.CDLL(None)\nassert c.prctl(4, 0, 0, 0, 0) == 0\n"
            "fd = c.inotify_init1(0)\nassert c.inotify_add_watch(fd, b'/', 2) > 0\nprint(flush=True)\ninput()\n")
    tmp_path.chmod(0o777)
    with subprocess.Popen(["/usr/bin/python3", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        ended = subprocess.run(["setpriv", "--reuid=65533", "--regid=65533", "--clear-groups", tool, "doctor", "/"],
                               capture_output=True, text=True, cwd="/", env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"})
        said = " ".join(ended.stdout.split())
        assert "inotify watches at least 0 of" in said and "1 of this user's processes may not be looked at" in said, said
        holder.communicate(b"\n")


def test_here(doctor, tmp_path):
    told = doctor(tmp_path)
    report = told.report
    assert report["input"]["how"] == "static" and report["causes"] == []
    release = os.confstr("CS_GNU_LIBC_VERSION").split()[1]
    assert report["system"]["libc"]["version"] == release and f"glibc {release}, " in row(report, "C library")["found"]
    assert row(report, "loader")["verdict"] == "good"
    assert str(tmp_path) in told.stdout and "Nothing is changed" not in told.stdout
    if shutil.which("gopls"):
        gopls = next(one for one in report["programs"] if one["what"] == "gopls")
        assert "loads here" in gopls["found"] and "needs glibc 2." in gopls["found"] and gopls["verdict"] == "good"
    assert any(one["what"] == "ptrace" and "tried" in one["found"] for one in report["rights"])


def product(folder, name, command, **files):
    folder.mkdir(parents=True)
    (folder / "product.json").write_text(json.dumps({"nameLong": name, "applicationName": command, "version": "1.99.1"}))
    for path, source in files.items():
        target = folder / path.replace("__", "/").replace("_node", ".node")
        target.parent.mkdir(parents=True, exist_ok=True)
        if source is None:
            target.touch()
        else:
            shutil.copy(source, target)
    return folder


def test_a_server_whose_module_does_not_load(doctor, home):
    """As VS Code's server with modules for a newer system; another that fits and one for musl beside it."""
    newer = (cached_root("forky") / "usr" / "bin" / "ls").resolve()
    server = product(home / ".vscode-server" / "cli" / "servers" / "Stable-1" / "server", "VS Code Server", "code-server",
                     out__server_main=None, node="/bin/true", node_modules__a_node=newer, node_modules__b_node="/bin/true")
    (server / "out" / "server_main").rename(server / "out" / "server-main.js")
    report = doctor(home).report
    server = row(report, "VS Code Server")
    assert server["verdict"] == "bad" and "1 of its 3 files" in server["found"]
    assert "GLIBC_2.3" in server["found"] and "a.node" in server["found"] and "1.99.1" in server["found"]
    assert "a.node" in server["command"] or server["advice"]
    (home / ".vscode-server/cli/servers/Stable-1/server/node_modules/a.node").unlink()
    server = row(doctor(home).report, "VS Code Server")
    assert server["verdict"] == "good" and "loads here, and so does its 1 native module" in server["found"]


def test_modules_for_other_systems_need_not_load(doctor, home):
    server = product(home / ".vscode-server" / "bin" / "abc", "VS Code Server", "code-server", node="/bin/true",
                     node_modules__b_node=(cached_root("musl") / "lib" / "ld-musl-x86_64.so.1").resolve())
    (server / "out").mkdir()
    (server / "out" / "server-main.js").touch()
    (server / "node_modules" / "c.node").write_bytes(b"MZ\x90\0" + bytes(500))
    assert row(doctor(home).report, "VS Code Server")["verdict"] == "good"


def launcher(home, name, line):
    path = home / ".local" / "share" / "applications" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"[Desktop Entry]\nName=Code\nExec={line}\n\n[Desktop Action x]\nExec=/nowhere/code\n")
    return path


def test_environment(doctor, home, tmp_path):
    """A login shell has a program that is nowhere else; the menu's entries; a GOROOT that is none."""
    tools = tmp_path / "more tools"
    tools.mkdir()
    shutil.copy("/bin/true", tools / "codium")
    (home / ".profile").write_text(f'export PATH="$PATH:{tools}"\n')
    good = launcher(home, "codium.desktop", f'env A=1 "{tools}/codium" %F')
    broken = launcher(home, "code.desktop", '"/opt/no where/code" %F')
    launcher(home, "other.desktop", "/nowhere/gimp")
    folder = tmp_path / "$ and \\"
    folder.mkdir()
    shutil.copy("/bin/true", folder / "code-oss")
    launcher(home, "odd.desktop", f'env -u B -C / A=1 "{tmp_path}/\\\\$ and \\\\\\\\/code-oss" --new %F')
    launcher(home, "folder.desktop", f'"{tmp_path}/a folder/code"')
    (tmp_path / "a folder" / "code").mkdir(parents=True)
    launcher(home, "unseen.desktop", f'"{tools}/codium"\nTryExec=/no/such/program')
    report = doctor(home, GOROOT=home, PATH="/usr/bin:/bin").report
    shell = row(report, "this shell")
    assert shell["verdict"] == "warning" and f"{tools} ({home}/.profile)" in shell["found"]
    assert "codium" in shell["found"] and f":{tools}" in shell["command"]
    assert row(report, "codium.desktop")["verdict"] == "good" and str(good) in row(report, "codium.desktop")["found"]
    assert row(report, "code.desktop")["verdict"] == "bad" and "/opt/no where/code" in row(report, "code.desktop")["found"]
    assert row(report, "code.desktop")["command"] == f"rm {broken}"
    assert not any(one["what"] == "other.desktop" for one in rows(report))
    assert row(report, "odd.desktop")["verdict"] == "good" and row(report, "unseen.desktop")["verdict"] == "warning"
    assert row(report, "folder.desktop")["verdict"] == "bad"
    assert row(report, "GOROOT")["verdict"] == "bad"
    fine = doctor(home, PATH=f"/usr/bin:/bin:{tools}").report
    assert row(fine, "this shell")["verdict"] == "good"


def test_the_users_things_are_hidden(run, home):
    (home / ".profile").write_text('export PATH="$HOME/own-tools:$PATH"\n')
    (home / "own-tools").mkdir()
    shutil.copy("/bin/true", home / "own-tools" / "codium")
    text = run("doctor", home, env={"HOME": home}, redact=True)
    assert str(home) not in text.stdout and str(home) not in json.dumps(text.report)
    assert "$HOME/own-tools" in text.stdout


def module(cc, tmp_path, home):
    """A server with a module that wants a library which is not there."""
    library = cc("int other(void) { return 0; }\n", "-Wl,-soname,libnobody-has-it.so.3", name="libnobody-has-it.so.3")
    addon = cc("int other(void); int addon(void) { return other(); }\n", library, name="addon.node")
    folder = product(home / ".vscode-server" / "bin" / "abc", "VS Code Server", "code-server", node="/bin/true",
                     node_modules__a_node=addon)
    (folder / "out").mkdir()
    (folder / "out" / "server-main.js").touch()
    library.unlink()


def test_a_module_that_few_need(doctor, cc, tmp_path, home):
    """The library that it wants was never installed: the server works without."""
    module(cc, tmp_path, home)
    server = row(doctor(home).report, "VS Code Server")
    assert server["verdict"] == "warning" and "libnobody-has-it.so.3" in server["found"]
    assert "but for 1 of its 1 native modules (a.node)" in server["found"]


@needs_root
@pytest.mark.parametrize("configured", [False, True])
def test_sessions(tool, open_to_all, environment, configured):
    """A user manager, what it started, and a desktop, of a user whom nobody else is: not of this test's own user, who may
    have some."""
    who, home = 100000 + 2 * os.getpid() + configured, open_to_all / "house"
    shutil.copy(tool, open_to_all / "glibctrace")
    tools = home / "tools"
    tools.mkdir(parents=True)
    shutil.copy("/bin/true", tools / "codium")
    (home / ".profile").write_text(f"PATH={tools}:$PATH\n")
    if configured:
        (home / ".config" / "environment.d").mkdir(parents=True)
        (home / ".config" / "environment.d" / "60-path.conf").write_text(f"PATH=$PATH:{tools}\n")
        (home / ".profile").unlink()
    watcher = open_to_all / "watcher.py"
    watcher.write_text("import ctypes\nlibc = ctypes.CDLL(None)\ni = libc.inotify_init()\nfor path in (b'/', b'/usr', b'/proc'):\n"
                       "    libc.inotify_add_watch(i, path, 0x100)\nprint('ready', flush=True)\ninput()\n")
    manager = open_to_all / "systemd"
    manager.write_text("#!/bin/sh\necho ready\nread x\n")
    shell = open_to_all / "some-shell"
    shell.write_text("#!/bin/sh\necho ready\nread x\n")
    for script in (manager, shell):
        script.chmod(0o755)
    common = {"user": who, "group": who, "extra_groups": [], "cwd": "/", "text": True}
    started = [subprocess.Popen(words, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **common) for words, env in (
        ([manager, "--user"], {"PATH": "/usr/bin:/bin"}), ([shell], {"PATH": "/usr/bin:/bin", "DISPLAY": ":0"}),
        (["/usr/bin/python3", watcher], {"PATH": "/usr/bin:/bin"}))]
    assert [one.stdout.readline() for one in started] == ["ready\n"] * 3
    out = open_to_all / "out"
    out.mkdir()
    os.chown(out, who, who)
    told = subprocess.run([open_to_all / "glibctrace", "doctor", "-q", "--no-redact", "-o", out / "r.json", "/usr"],
                          capture_output=True, env=environment({"HOME": home, "PATH": f"/usr/bin:/bin:{tools}"}), **common)
    for one in started:
        one.communicate("x\n")
    assert told.stderr == ""
    report = load_report(out / "r.json")
    desktop, manager = row(report, "desktop session"), row(report, "user manager")
    assert desktop["verdict"] == "warning" and f"some-shell (process {started[1].pid})" in desktop["found"]
    assert str(tools) in desktop["found"] and "codium" in desktop["found"] and f"PATH=$PATH:{tools}" in desktop["command"]
    assert (manager["verdict"], f"systemd (process {started[0].pid})" in manager["found"]) == (
        "good" if configured else "warning", True)
    assert row(report, "this shell")["verdict"] == "good"
    assert row(report, "inotify watches")["found"].startswith("3 of ")
    assert f"(process {started[2].pid}) 1" in row(report, "inotify instances")["found"]


def in_namespace(*words):
    """A command in a mount namespace of its own, with WORDS done in it before."""
    return ["unshare", "--mount", "sh", "-c", "; ".join(words) + '; exec "$@"', "sh"]


@needs_root
@pytest.mark.parametrize("kind", ["overlay", "tmpfs"])
def test_file_systems_that_tell_no_changes(run, home, tmp_path, kind):
    place = tmp_path / "place"
    for name in ("lower", "work", "place"):
        (tmp_path / name).mkdir()
    upper = tmp_path / "tmpfs"
    upper.mkdir()
    mount = (f"mount -t tmpfs none '{upper}' && mkdir '{upper}/u' '{upper}/w' && mount -t overlay none -o "
             f"'lowerdir={tmp_path}/lower,upperdir={upper}/u,workdir={upper}/w' '{place}'") if kind == "overlay" else \
        f"mount -t tmpfs none '{place}'"
    if subprocess.run([*in_namespace(mount + " || exit 9"), "true"], capture_output=True).returncode:
        mount = None  # no mounts may be made here: the kind of what is there
    report = run("doctor", place, env={"HOME": home}, under=in_namespace(mount) if mount else ()).report
    told = row(report, str(place))
    if mount:
        assert told["found"].startswith(f"{kind} on {place}")
        assert (told["verdict"], "layers" in told["found"]) == (("warning", True) if kind == "overlay" else ("good", False))


@needs_root
def test_watches_are_used_up(run, home, tmp_path):
    """In a user namespace whose limit is below what the workspace takes."""
    limit = "echo 3 > /proc/sys/user/max_inotify_watches || exit 9"
    under = ["unshare", "--user", "--map-root-user", "sh", "-c", limit + '; exec "$@"', "sh"]
    if subprocess.run([*under, "true"], capture_output=True).returncode:
        return  # below a chroot no namespace is made
    for i in range(5):
        (tmp_path / "ws" / str(i)).mkdir(parents=True)
    report = run("doctor", tmp_path / "ws", env={"HOME": home}, under=under).report
    size = row(report, "its directories")
    assert size["verdict"] == "bad" and size["found"].startswith("6:") and "user.max_inotify_watches=" in size["command"]
    assert row(report, "inotify watches")["verdict"] == "warning"


@needs_root
def test_no_namespaces(run, home):
    under = ["unshare", "--user", "--map-root-user", "sh", "-c",
             'echo 0 > /proc/sys/user/max_user_namespaces || exit 9; exec "$@"', "sh"]
    if subprocess.run([*under, "true"], capture_output=True).returncode:
        under = []  # below a chroot none is made anyway
    report = run("doctor", home, env={"HOME": home}, under=under).report
    told = row(report, "user namespaces")
    assert told["verdict"] == "warning" and "unshare(CLONE_NEWUSER) failed with" in told["found"]
    if under:
        assert "user.max_user_namespaces is 0" in told["found"]
        assert told["command"] == "sysctl -w user.max_user_namespaces=1000"


@pytest.mark.parametrize("answer, number, what, said", [
    (1, 435, "seccomp", "clone3"), (1, 101, "ptrace", "EPERM"), (1, 294, "inotify", "Operation not permitted"),
    (38, 101, "ptrace", "ENOSYS"), ("kill", 272, "user namespaces", "killed"), (1, 272, "user namespaces", "EPERM"),
    (38, 435, "seccomp", None)])
def test_below_a_policy(run, cc, home, answer, number, what, said):
    """As a container's: system calls that it refuses."""
    policy = cc(POLICY, name="policy")
    result = run("doctor", home, env={"HOME": home}, under=[policy, answer, number, "--"])
    told = row(result.report, what)
    if said is None:
        assert told["verdict"] == "good" and "a policy is on" in told["found"]
        return
    assert told["verdict"] == ("warning" if what == "user namespaces" else "bad") and said in told["found"] and told["advice"]
    assert result.returncode == int(told["verdict"] == "bad")
    assert row(result.report, "no_new_privs")["verdict"] == "warning"


@needs_root
def test_in_a_bare_root(tool, tmp_path, environment):
    """Nothing but the C library: no /proc, no /sys, no systemd, no programs, no /tmp."""
    root = tmp_path / "root"
    libraries = subprocess.run(["ldd", "/bin/sh"], capture_output=True, text=True, check=True).stdout
    libraries += subprocess.run(["ldd", tool], capture_output=True, text=True).stdout  # with the sanitizers it has some
    for file in libraries.split():
        if file.startswith("/"):
            (root / file[1:]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, root / file[1:])
    (root / "out").mkdir()
    shutil.copy(tool, root / "glibctrace")
    chroot = shutil.which("chroot", path="/usr/sbin:/usr/bin:/sbin:/bin")
    sanitized = b"__asan_init" in tool.read_bytes()  # which looks for leaks at the end, and cannot without /proc
    told = subprocess.run([chroot, root, "/glibctrace", "doctor", "-o", "/out/r.json"], capture_output=True, text=True, env={})
    report = load_report(root / "out" / "r.json")
    assert sanitized or (told.returncode, told.stderr) == (1, "")
    assert [one["what"] for one in rows(report) if one["verdict"] == "bad"] == ["temporary files"]
    release = os.confstr("CS_GNU_LIBC_VERSION").split()[1]
    assert f"glibc {release}" in row(report, "C library")["found"]
    assert row(report, "not found")["found"].count(",") == 5
    assert row(report, "/")["verdict"] in ("good", "warning")  # what kind it is, the file system itself says
    assert "/proc is not mounted" in " ".join(report["unseen"])
    (root / "tmp").mkdir()
    told = subprocess.run([chroot, root, "/glibctrace", "doctor"], capture_output=True, text=True, env={})
    assert sanitized or (told.returncode, told.stderr) == (0, "")


@pytest.mark.parametrize("words, said", [(["/no/such/folder"], "/no/such/folder"), (["/bin/true"], "no directory"),
                                         (["-o", "x.tar.zst"], "bundle")])
def test_wrong_use(run, words, said):
    result = run("doctor", *words, report=False)
    assert result.returncode == 2 and result.stdout == ""
    assert len(result.stderr.splitlines()) == 1 and said in result.stderr
