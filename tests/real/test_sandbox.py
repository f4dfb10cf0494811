"""`sandbox` of forky's node with forky's C library, on this system and in bullseye's root, neither of which could run it: a script,
a child process of its own, one of the system's, and an add-on that bullseye's own C library could not load; and `check` of the copy.
"""

import json
import os
import shutil
import subprocess
import tempfile

import pytest

RELEASE = "process.report.getReport().header.glibcVersionRuntime"
SCRIPT = """
const child = require("child_process"), release = "%s";
console.log(JSON.stringify({
    version: process.version, libc: eval(release), addon: Object.keys(require(process.argv[2])).sort(),
    child: child.execFileSync(process.execPath, ["-p", release]).toString().trim(),
    forked: child.spawnSync(process.execPath, ["-e", "fetch; process.exit(7)"]).status,
    shell: child.execSync("cat /etc/debian_version").toString().trim() }));
""" % RELEASE
AROUND = ["--dev", "/dev", "--proc", "/proc", "--clearenv", "--setenv", "PATH", "/usr/bin:/bin"]


@pytest.fixture(scope="module")
def folder():
    """Its path is short: what node names by absolute paths has to have another one."""
    with tempfile.TemporaryDirectory(prefix="gt-", dir="/tmp") as path:
        yield path


@pytest.fixture(scope="module")
def addon(built_here):
    return built_here("packages") / "node_modules" / "node-pty" / "build" / "Release" / "pty.node"


@pytest.fixture
def copy(run, root_of, folder):
    """Made once, and looked over."""
    path = f"{folder}/node"
    if not os.path.exists(path):
        forky = root_of("forky")
        result = run("sandbox", "--root", forky, "/usr/bin/node", "-o", path, "--libc", forky, "--", "node", "-p", "1 + 1")
        assert (result.returncode, result.causes) == (0, []), result.stdout
        assert result.report["runs"][0]["proof"] == "tried"
    return path


@pytest.fixture
def places(root_of, copy, addon, folder):
    """Words that run a command where the copy and the add-on are seen: on this system, in bullseye's root."""
    mounts = ["--tmpfs", "/tmp", "--ro-bind", folder, folder, "--ro-bind", addon.parent, "/mnt", *AROUND]
    return {"here": ["bwrap", "--ro-bind", "/", "/", *mounts], "bullseye": ["bwrap", "--bind", root_of("bullseye"), "/", *mounts]}


@pytest.mark.parametrize("start", ["run", "bin/node"])
@pytest.mark.parametrize("place", ["here", "bullseye"])
def test_node_of_forky(root_of, copy, places, folder, capsys, place, start):
    with open(f"{folder}/script.js", "w") as script:
        script.write(SCRIPT)
    forky = root_of("forky")
    of_itself = f"{RELEASE} + ' ' + process.version"
    libc, version = subprocess.run(["chroot", forky, "node", "-p", of_itself], capture_output=True, text=True, check=True).stdout.split()
    debian = open("/etc/debian_version" if place == "here" else root_of(place) / "etc" / "debian_version").read().strip()
    ended = subprocess.run([*places[place], f"{copy}/{start}", f"{folder}/script.js", "/mnt/pty.node"], capture_output=True, text=True)
    with capsys.disabled():
        print(f"\n  {start} {place}: {(ended.stdout or ended.stderr).strip()}", end="")
    assert json.loads(ended.stdout) == {"version": version, "libc": libc, "addon": ["fork", "open", "process", "resize"], "child": libc,
                                        "forked": 7, "shell": debian}


def test_bullseye_alone_could_not(root_of, copy, places):
    """The twin: forky's node itself, and the add-on in bullseye's own node."""
    forky = root_of("forky")
    itself = subprocess.run([*places["bullseye"], "--ro-bind", f"{forky}/usr/bin/node", "/tmp/node", "/tmp/node", "-p", "1"],
                            capture_output=True, text=True)
    assert itself.returncode == 127 and "libnode.so" in itself.stderr
    addon = subprocess.run([*places["bullseye"], "node", "-e", "require('/mnt/pty.node')"], capture_output=True, text=True)
    assert addon.returncode == 1 and "version `GLIBC_2.34' not found" in addon.stderr


def test_the_copy_is_checked(run, root_of, copy, places):
    """It loads wherever the kernel takes it, since it brings its C library along; and glibctrace says so."""
    for against in ((), ("--against", root_of("bullseye")), ("--against", "2.31"), ("--against", "2.17"), ("--against", "musl")):
        for path in (copy, f"{copy}/bin/node"):
            result = run("check", *against, path)
            assert (result.returncode, result.causes) == (0, []), (against, result.stdout)
    row, = run("matrix", "--libcs", "2.17,2.31,musl,here", copy).report["matrix"]
    assert {row[libc] for libc in ("2.17", "2.31", "musl", "here")} == {"loads"}
    ran = subprocess.run(["bwrap", "--bind", root_of("musl"), "/", "--tmpfs", "/tmp", "--ro-bind", copy, copy, *AROUND, f"{copy}/bin/node",
                          "-p", "6 * 7"], capture_output=True, text=True)
    assert ran.stdout == "42\n", ran.stderr


def test_a_broken_copy_is_told(run, copy, folder):
    broken = f"{folder}/broken"
    shutil.copytree(copy, broken, symlinks=True)
    subprocess.run(["patchelf", "--force-rpath", "--set-rpath", f"{broken}/lib", "--set-interpreter", f"{broken}/lib/ld-linux-x86-64.so.2",
                    f"{broken}/bin/node"], check=True)
    os.unlink(f"{broken}/lib/libuv.so.1")
    result = run("check", broken)
    assert result.returncode == 1
    ran = subprocess.run([f"{broken}/bin/node", "-p", "1"], capture_output=True, text=True)
    if ran.returncode:  # this system may have one of that name
        assert result.first["missing"] in ran.stderr
