"""Real work that goes well, and every program of a system asked for its version: nothing is said of causes."""

import contextlib
import shutil
import subprocess

import pytest

from conftest import e2e
from lsp import Session

PYTHON = "/usr/bin/python3"
MODULE = "module example.org/m\n\ngo 1.19\n"
CODE = 'package main\n\nimport "fmt"\n\nfunc main() { fmt.Println("built") }\n'


def none_of(result):
    return [(c["kind"], c["impact"], c["confidence"], c["subject"], c["missing"], c["words"]) for c in result.causes]


def test_go_build(run, summary, tmp_path):
    (tmp_path / "go.mod").write_text(MODULE)
    (tmp_path / "main.go").write_text(CODE)
    env = {"HOME": tmp_path, "GOCACHE": tmp_path / "cache", "GOFLAGS": None, "GOPROXY": "off"}
    result = run("--", "sh", "-c", "go build -o prog && ./prog && go vet && go test ./... && go run .", env=env)
    summary(result, "go build")
    assert (result.returncode, none_of(result)) == (0, []) and "built" in result.stdout


def test_make_of_this_project(run, summary, tmp_path):
    """A file is changed: it is compiled, and all is linked anew."""
    copy = tmp_path / "project"
    shutil.copytree(e2e.TOP, copy, symlinks=True, ignore=shutil.ignore_patterns(".git", "san"))
    with open(copy / "reports" / "text.c", "a") as file:
        file.write("/* changed */\n")
    result = run("--", "make", "-C", copy, "-s", "build/glibctrace")
    summary(result, "make of this project")
    assert (result.returncode, none_of(result)) == (0, [])


def test_virtual_environment(run, summary, tmp_path):
    code = "import ssl, sqlite3, ctypes, json, xml.etree.ElementTree, concurrent.futures, asyncio; print(ssl.OPENSSL_VERSION)"
    result = run("--", "sh", "-c", f"{PYTHON} -m venv --without-pip v && . v/bin/activate && python -c '{code}'")
    summary(result, "a virtual environment")
    assert (result.returncode, none_of(result)) == (0, [])


def test_npm(run, summary, tmp_path):
    """A package from a folder, with a script: no network."""
    (tmp_path / "dep").mkdir()
    (tmp_path / "dep" / "package.json").write_text('{"name": "dep", "version": "1.0.0"}')
    (tmp_path / "package.json").write_text('{"name": "app", "version": "1.0.0", "scripts": {"test": "node -e 1"},'
                                           '"dependencies": {"dep": "file:dep"}, "optionalDependencies": {"none": "file:none"}}')
    env = {"HOME": tmp_path, "npm_config_cache": tmp_path / "cache"}
    result = run("--", "sh", "-c", "npm --version && npm test --silent && npm ls --offline; npm pack --silent ./dep", env=env)
    summary(result, "npm")
    assert (result.returncode, none_of(result)) == (0, [])


def test_gopls_session(tool, environment, tmp_path, summary):
    """The work that the Go extension has done: a client opens a module and asks."""
    report, module = tmp_path / "report.json", tmp_path / "module"
    module.mkdir()
    with open(tmp_path / "stderr", "wb") as err:
        session = Session(module, environment(), stderr=err, under=[tool, "-q", "-o", report, "--no-redact", "--"])
        try:
            assert session.works()
            for _ in range(5):
                session.edit()
            assert session.works() and session.leave() == 0
        finally:
            session.close()
    result = e2e.Result(0, "", "", e2e.load_report(report), report)
    summary(result, "a session with gopls")
    assert none_of(result) == []


@pytest.mark.parametrize("asked", ["--version", "--help"])
def test_every_program_of_a_system(tool, environment, fetched, tmp_path, capsys, asked):
    """Many know no such option, and take it for a file: only that may be said."""
    root, report = fetched("bookworm"), tmp_path / "report.json"
    found, runs = [], 0
    for program in sorted((root / "usr" / "bin").iterdir()):
        report.unlink(missing_ok=True)
        # Standard error goes to a file: some programs never cease to write.
        with open(tmp_path / "stderr", "wb") as err, contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run([tool, "-q", "--no-repro", "--for", "5", "-o", report, "--no-redact", "--", "bwrap", "--ro-bind", root,
                            "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--tmpfs", "/root", "--unshare-pid",
                            "--unshare-net", "--die-with-parent", "--chdir", "/root", "--clearenv", "--setenv", "PATH",
                            "/usr/bin:/bin:/usr/sbin:/sbin", "--setenv", "HOME", "/root", f"/usr/bin/{program.name}", asked],
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=err, env=environment(), timeout=15)
        if not report.exists():
            continue
        runs += 1
        for cause in e2e.load_report(report)["causes"]:
            if asked not in cause["missing"]:
                found.append((program.name, cause["kind"], cause["missing"], cause["words"]))
    with capsys.disabled():
        print(f"\n  {asked} of {runs} programs: {len(found)} with a cause", end="")
    assert runs > 200
    assert [one for one in found if one[0] not in REALLY_FAILS] == []


# There is no man, awk, pager nor debconf's database in that root, and no /usr/local/lib/…/perl: they say so, and that is why
# they fail.
REALLY_FAILS = {"debconf-apt-progress", "debconf-communicate", "git-receive-pack", "git-upload-archive", "git-upload-pack",
                "h2ph", "ptargrep", "tzselect"}


# Daily work, each by a shell.
DAILY = [
    'tar cf t.tar /etc/hostname',
    'gzip -kf t.tar',
    'xz -kf t.tar',
    'bzip2 -kf t.tar',
    'zip -q t.zip t.tar',
    'unzip -l t.zip',
    'sed s/a/b/ /etc/passwd',
    "awk -F: '{print $1}' /etc/passwd",
    'sort /etc/passwd',
    "find /etc -name '*.conf' -newer /etc/passwd",
    'grep -r root /etc/security',
    'ps aux',
    'df -h',
    'du -sh /etc',
    'free',
    'uptime',
    'ls -R /etc/apt',
    'stat /etc/passwd',
    'id',
    'getent hosts localhost',
    'openssl version -a',
    'openssl rand -hex 8',
    'openssl req -x509 -newkey rsa:2048 -nodes -keyout k.pem -out c.pem -subj /CN=x -days 1',
    'curl -s file:///etc/hostname',
    'ssh -V',
    "sqlite3 x.db 'create table if not exists t(a); insert into t values(1); select count(*) from t;'",
    "perl -MJSON::PP -e 'print encode_json({a=>1})'",
    'perl -e \'use strict; use warnings; use File::Find; find(sub {}, "/etc/apt"); eval { require Nope::Nope }; print "ok\\n"\'',
    '/usr/bin/python3 -c \'import subprocess,multiprocessing,logging,http.client; subprocess.run(["true"])\'',
    '/usr/bin/python3 -m json.tool /dev/null || true',
    '/usr/bin/python3 -m py_compile /usr/lib/python3.11/os.py',
    'node -e \'require("fs").readdirSync("/"); new (require("worker_threads").Worker)("1",{eval:true})\'',
    'node --check /usr/lib/node_modules/npm/lib/cli.js',
    'java -version',
    'javac -version',
    'mvn -v',
    'cargo --version',
    'rustc --version',
    'go env GOROOT',
    'go list std',
    'gcc --version',
    'g++ -x c++ -c /dev/null -o x.o',
    'clang --version',
    'cmake --version',
    'make --version',
    "gdb -batch -ex 'info line' /bin/true",
    'strace -o /dev/null true',
    'valgrind --version',
    'git init -q gg && cd gg && git commit -q --allow-empty -m x && git gc -q',
    'man -w ls',
    'vim -es -c q',
    'tmux -V',
    'psql --version',
    'dpkg -l libc6',
    'dpkg -S /bin/ls',
    'dpkg-query -W coreutils',
    'apt-cache policy bash',
    'apt-get -s install bash',
    'apt list --installed',
    'update-alternatives --list awk',
    'ldd /bin/ls',
    'file /bin/ls',
    'readelf -h /bin/ls',
    'nm -D /bin/ls',
    'objdump -f /bin/ls',
    'strings /bin/true',
    'pkg-config --list-all',
    'locale -a',
    'localedef --list-archive',
    'iconv -l',
    'tput cols',
    'clear',
    'stty -a || true',
    'timeout 1 sleep 5 || true',
    'nice -n 5 true',
    'env -i /bin/true',
    'xargs -a /etc/passwd -n1 echo',
    'tee /dev/null < /etc/passwd',
    'split -l 5 /etc/passwd sp_',
    'diff /etc/passwd /etc/group',
    'cmp /etc/passwd /etc/group',
    'test -f /nofile',
    'expr 1 - 1',
    'false',
    'bc -l </dev/null',
    'seq 1 1000 | head -1',
    'yes | head -1',
    'cat /dev/urandom | head -c 10 | wc -c',
    "bash -c 'command -v nosuch; type nosuch2 2>/dev/null; hash nosuch3 2>/dev/null; [ -x /nofile ] || echo fine'",
    "bash -c 'for c in gsed sed; do if command -v $c >/dev/null; then $c --version >/dev/null; break; fi; done'",
    "sh -c 'which nosuch || true'",
    "bash -lc 'echo $PATH'",
    "dash -c 'test -r /etc/nofile && . /etc/nofile; echo fine'",
    'env python3 --version',
    'npm config get registry',
    'npm ls -g',
    'npx --version',
    'gopls version',
    'ld --version',
    'as --version',
    'fc-list',
    'convert -version',
    'lscpu',
    'lsblk',
    'mount',
    'ip addr',
    'ss -tln',
    'hostname',
    'dmesg',
    'journalctl -n 1',
    'systemctl status || true',
    'loginctl || true',
    'nproc',
    'getconf -a',
    'ulimit -a',
    'bwrap --ro-bind / / true',
    'unshare -r true',
    'setpriv --dump',
    'chroot / true',
]


def test_daily_work(tool, environment, tmp_path, capsys):
    """What is not installed is said to be not found, and that is all."""
    report, found, runs = tmp_path / "report.json", [], 0
    for command in DAILY:
        report.unlink(missing_ok=True)
        with open(tmp_path / "stderr", "wb") as err, contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run([tool, "-q", "--no-repro", "--for", "20", "-o", report, "--no-redact", "--", "bash", "-c", command],
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=err, cwd=tmp_path, timeout=60,
                           env=environment({"HOME": tmp_path}))
        if report.exists():
            runs += 1
            found += [(command, *one) for one in none_of(e2e.Result(0, "", "", e2e.load_report(report), report))
                      if one[0] != "command-not-found" or shutil.which(one[4])]
    with capsys.disabled():
        print(f"\n  daily work: {runs} commands, {len(found)} causes", end="")
    assert found == []
