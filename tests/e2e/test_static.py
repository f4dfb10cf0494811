"""The static binary where the problem is: in roots with an older glibc, with musl alone, and with nothing at all.

The roots come from tests/roots.sh (Debian's packages, cached). Root enters them with chroot in a mount namespace of its
own, anyone else with bwrap.
"""

import json
import os
import pathlib
import shlex
import subprocess

import pytest

from conftest import TOP, load_report

BINARY = TOP / "build" / "glibctrace-static"


def output_of(command, **how):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **how)


@pytest.fixture(scope="session")
def static():
    """The static binary, linked when it is not there yet; skips only where the system has no archives to link."""
    setup = output_of(["sh", ".ci/setup", "static"], cwd=TOP)
    if setup.returncode:
        pytest.skip(setup.stdout.strip())
    clean = {key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "MFLAGS", "SAN")}
    made = output_of(["make", "-s", "static", "SAN="], cwd=TOP, env=clean)
    assert made.returncode == 0, made.stdout
    return BINARY


def cached_root(name):
    made = subprocess.run(["bash", str(TOP / "tests" / "roots.sh"), name], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True)
    assert made.returncode == 0, made.stderr
    return pathlib.Path(made.stdout.strip())


@pytest.fixture
def inside(static, tmp_path):
    """inside(root, words) -> (status, output, directory): runs the static binary with WORDS in the root directory ROOT,
    where the test's own directory is /tmp. Standard output and error come back as one text."""
    work = tmp_path / "work"
    work.mkdir()
    (work / "glibctrace").write_bytes(static.read_bytes())
    (work / "glibctrace").chmod(0o755)

    def run(root, words):
        command = ["/tmp/glibctrace", *words]
        if os.geteuid() == 0:
            # In a chroot / is no mount point, so its propagation cannot be changed, and what is mounted is taken away
            # again in case it does propagate.
            enter = ('mount --make-rprivate / 2>/dev/null; mount --bind "$1" "$2/tmp" && mount -t proc proc "$2/proc" && '
                     f'{{ chroot "$2" /tmp/glibctrace {" ".join(map(shlex.quote, words))}; status=$?; '
                     'umount "$2/proc" "$2/tmp"; exit $status; }')
            command = ["unshare", "-m", "--propagation", "unchanged", "sh", "-c", enter, "enter", str(work), str(root)]
        else:
            command = ["bwrap", "--ro-bind", str(root), "/", "--bind", str(work), "/tmp", "--proc", "/proc", "--dev",
                       "/dev", *command]
        ended = output_of(command, stdin=subprocess.DEVNULL, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, timeout=120)
        return ended.returncode, ended.stdout

    run.work = work
    return run


def report_of(inside):
    return load_report(inside.work / "r.json")


def test_is_statically_linked(static):
    assert "statically linked" in output_of(["file", "-b", str(static)]).stdout
    headers = output_of(["readelf", "-lW", str(static)]).stdout
    assert "INTERP" not in headers


@pytest.mark.parametrize("variable", ["LD_LIBRARY_PATH", "LD_PRELOAD"])
def test_what_leads_the_command_astray_does_not_lead_us(static, cc, tmp_path, variable):
    """The program that `make` makes: it is to tell what is wrong with a variable that is set for both."""
    made = output_of(["make", "-s", "SAN="], cwd=TOP, env={key: value for key, value in os.environ.items()
                                                         if key not in ("MAKEFLAGS", "MFLAGS", "SAN")})
    assert made.returncode == 0, made.stdout
    program = cc("int main(void) { return 0; }", name="prog", cwd=tmp_path)
    old = cached_root("bullseye") / "lib" / "x86_64-linux-gnu"
    told = subprocess.run([static.with_name("glibctrace"), "--no-redact", "-o", tmp_path / "r.json", "--", program],
                          env={**os.environ, variable: str(old if variable == "LD_LIBRARY_PATH" else old / "libc.so.6")},
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    cause = load_report(tmp_path / "r.json")["causes"][0]
    assert (told.returncode, cause["kind"], cause["subject"]) == (1, "library-shadowed", str(program)), told.stderr
    assert cause["missing"] == "GLIBC_2.34" and "required by" in cause["words"]
    assert told.stderr.count("required by") == 2  # the loader's line, and ours of it


def test_empty_root(inside, tmp_path):
    """Nothing but /proc: it runs, finds no libc and says that the command is not there."""
    root = tmp_path / "empty"
    for name in ("tmp", "proc", "dev"):
        (root / name).mkdir(parents=True)
    status, output = inside(root, ["--version"])
    assert status == 0 and "glibctrace" in output
    status, output = inside(root, ["-o", "/tmp/r.json", "--", "/bin/nothing"])
    assert status == 127, output
    assert report_of(inside)["causes"][0]["kind"] in ("command-not-found", "file-missing")


def test_newer_program_on_glibc_231(inside, cc):
    """What is compiled here asks for __libc_start_main@GLIBC_2.34, which Debian 11's libc.so.6 does not define."""
    cc("#include <stdio.h>\nint main(void) { return puts(\"hello\") < 0; }", name="prog", cwd=inside.work)
    status, output = inside(cached_root("bullseye"), ["-o", "/tmp/r.json", "--", "/tmp/prog"])
    assert status == 1, output
    report = report_of(inside)
    cause = report["causes"][0]
    assert (cause["kind"], cause["subject"], cause["missing"], cause["impact"]) == \
        ("symbol-version-missing", "/tmp/prog", "GLIBC_2.34", "fatal")
    assert os.path.basename(cause["provider"]) == "libc.so.6"
    assert "GLIBC_2.34" in cause["words"]
    assert "__libc_start_main" in cause["symbols"]
    assert report["system"]["libc"]["family"] == "glibc" and report["system"]["libc"]["version"] == "2.31"
    assert report["reproduction"]["status"] == "verified", json.dumps(report["reproduction"])
    assert "GLIBC_2.34" in output


def test_glibc_program_on_musl(inside, cc):
    """A program for glibc where there is only musl: the kernel does not find its interpreter."""
    cc("int main(void) { return 0; }", name="prog", cwd=inside.work)
    status, output = inside(cached_root("musl"), ["-o", "/tmp/r.json", "--", "/tmp/prog"])
    assert status in (126, 127), output
    report = report_of(inside)
    cause = report["causes"][0]
    assert (cause["kind"], cause["subject"], cause["missing"], cause["impact"]) == \
        ("interpreter-missing", "/tmp/prog", "/lib64/ld-linux-x86-64.so.2", "fatal")
    assert report["reproduction"]["status"] == "verified", json.dumps(report["reproduction"])


def musl_cc(work, name, source, *flags):
    (work / f"{name}.c").write_text(source)
    built = output_of(["musl-gcc", "-o", str(work / name), str(work / f"{name}.c"), *flags], cwd=work)
    assert built.returncode == 0, built.stdout


def test_musl_program_without_its_library(inside):
    musl_cc(inside.work, "libpart.so", "int part(void); int part(void) { return 0; }", "-shared", "-fPIC",
            "-Wl,-soname,libpart.so")
    musl_cc(inside.work, "prog", "int part(void); int main(void) { return part(); }", "libpart.so")
    (inside.work / "libpart.so").unlink()
    status, output = inside(cached_root("musl"), ["-o", "/tmp/r.json", "--", "/tmp/prog"])
    assert status == 127, output
    report = report_of(inside)
    cause = report["causes"][0]
    assert (cause["kind"], cause["subject"], cause["missing"]) == ("library-missing", "/tmp/prog", "libpart.so")
    assert report["system"]["libc"]["family"] == "musl"


def test_healthy_program_on_musl(inside):
    musl_cc(inside.work, "prog", "int main(void) { return 5; }")
    status, output = inside(cached_root("musl"), ["-o", "/tmp/r.json", "--", "/tmp/prog"])
    assert status == 5, output
    assert report_of(inside)["causes"] == []
