"""system.json: what was around the process that failed, and of which releases the programs concerned are."""

import json
import os
import pathlib
import re
import subprocess

import broken as broken_files
import pytest

from test_outputs import unpacked
from test_page import addon  # noqa: F401  (a fixture)


@pytest.fixture
def system(run, tmp_path):
    """system(*args) -> the "system" object of the bundle's system.json, after a run that has a cause."""

    def run_(*args, **options):
        bundle = tmp_path / "case.tar.zst"
        result = run("-o", bundle, "--no-repro", *args, **options)
        read = json.loads(unpacked(bundle)["case/system.json"])
        assert read["schema"] == "glibctrace.system/1"
        for key in ("libc", "context", "kernel", "machine", "distribution"):
            told = read["system"][key]
            assert result.report["system"][key] == ({k: v for k, v in told.items() if k != "build"} if key == "libc" else told)
        return read["system"]

    return run_


@pytest.fixture
def broken(cc):
    library = cc("int f(void) { return 3; }", name="libabsent.so")
    program = cc("int f(void); int main(void) { return f(); }", library, name="place/prog")
    library.unlink()
    return program


def mount_of(path):
    """Where /proc says that PATH lies: mount point, type, options."""
    best = None
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        left, right = line.split(" - ", 1)
        point = re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), left.split()[4])
        inside = point == "/" or path == point or path.startswith(point + "/")
        if inside and (best is None or len(point) >= len(best["point"])):
            best = {"point": point, "type": right.split()[0], "options": left.split()[5]}
    return best


def test_what_was_around_a_process(system, broken):
    told = system("--", "sh", "-c", f"ulimit -n 123; exec {broken}")
    assert told["limits"]["RLIMIT_NOFILE"] == {"soft": 123, "hard": 123}
    assert all(set(limit) == {"soft", "hard"} for limit in told["limits"].values())
    watches = pathlib.Path("/proc/sys/fs/inotify/max_user_watches")
    if watches.exists():
        assert told["sysctls"]["fs.inotify.max_user_watches"] == int(watches.read_text())
    assert re.fullmatch("x86-64-v[1-4]", told["cpu"])
    assert told["libc"]["version"] in told["libc"]["build"]
    expected = mount_of(os.path.realpath(broken))
    if expected:  # in a bare root whose mounts nobody sees there is none to be told
        assert [mount for mount in told["mounts"] if mount["point"] == expected["point"]
                and mount["type"] == expected["type"] and mount["options"].startswith(expected["options"])]


def test_options_of_a_mount(system, broken, tmp_path):
    """One that nobody else sees, without its source, which may name a server."""
    place = tmp_path / "mounted here"
    place.mkdir()
    setup = f"mount -t tmpfs -o nosuid,noatime planted-source '{place}' && cp {broken} '{place}/prog' && exec '{place}/prog'"
    told = system("--", *broken_files.OWN_MOUNTS, "sh", "-c", setup)
    mount, = [mount for mount in told["mounts"] if mount["point"] == str(place)]
    assert mount["type"] == "tmpfs" and {"nosuid", "noatime", "rw"} <= set(mount["options"].split(","))
    assert "planted-source" not in json.dumps(told)


def test_node(system, script, addon):
    told = system("--", "node", script("app/app.js", "require('./geometry.node');"))
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    node, = [program for program in told["programs"] if program["name"] == "node"]
    assert "v" + node["version"] == version


def test_gopls_and_go(system, tmp_path):
    """gopls looks for go on a PATH that has none."""
    gopls, go = os.path.realpath("/usr/bin/gopls"), os.path.realpath("/usr/bin/go")
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "go.mod").write_text("module m\n")
    (tmp_path / "m" / "m.go").write_text("package m\n")
    told = system("--", gopls, "check", "m.go", cwd=tmp_path / "m", env={"PATH": "/nowhere", "HOME": tmp_path})
    built = {path: subprocess.run([go, "version", path], capture_output=True, text=True, check=True).stdout.split()[-1]
             for path in (gopls, go)}
    lines = subprocess.run([go, "version", "-m", gopls], capture_output=True, text=True, check=True).stdout.splitlines()
    module = [line.split() for line in lines if line.split()[0] == "mod"]
    expected = {"name": "golang.org/x/tools/gopls", "go": built[gopls], "path": gopls}
    if module and module[0][2] != "(devel)":
        expected["version"] = module[0][2]
    assert expected in told["programs"]
    told = system("--", go, "build", "nowhere.go", cwd=tmp_path / "m", env={"GOROOT": "/nowhere", "HOME": tmp_path})
    assert {"name": "cmd/go", "version": built[go], "go": built[go], "path": go} in told["programs"]


@pytest.mark.parametrize("where", ["app", "server"])
def test_a_vs_code_tree(system, cc, addon, tmp_path, where):
    """Electron's tree or a server's; a program in it opens an extension's native module, which cannot be loaded."""
    top = tmp_path / "share" / "code"
    home = top / "resources" / "app" if where == "app" else top
    extension = home / "extensions" / "golang.go-0.41.4"
    (extension / "out").mkdir(parents=True)
    module = extension / "out" / "native.node"
    module.write_bytes(addon.read_bytes())
    (home / "product.json").write_text(json.dumps({
        "nameShort": "Code", "nameLong": "Visual Studio Code", "applicationName": "code", "version": "1.90.2", "commit": "5437499f",
        "nested": {"version": "9", "deep": [{"x": 1}]}}, indent=1))
    (extension / "package.json").write_text(json.dumps({
        "name": "go", "publisher": "golang", "version": "0.41.4", "engines": {"vscode": "^1.75.0"}}))
    program = cc("#include <dlfcn.h>\n#include <stdio.h>\nint main(int c, char **v) { (void)c; if (dlopen(v[1], RTLD_NOW)) return 0;"
                 " fprintf(stderr, \"%s\\n\", dlerror()); return 1; }", name=f"share/code/{'code' if where == 'app' else 'node'}")
    told = system("--", program, module)
    programs = {program["name"]: program for program in told["programs"]}
    assert programs["Visual Studio Code"] == {"name": "Visual Studio Code", "version": "1.90.2", "commit": "5437499f",
                                              "path": str(home / "product.json")}
    assert programs["golang.go"] == {"name": "golang.go", "version": "0.41.4", "path": str(extension / "package.json")}


@pytest.mark.parametrize("text", [b"", b"{", b"[" * 100000, b'{"version": "' + b"1" * 5000 + b'", "applicationName": "code"}',
                                  b'{"version": {"a": 1}, "applicationName": 7}', b"\xff\x00{}"],
                         ids=["empty", "cut off", "deep", "long", "of other types", "no JSON"])
def test_hostile_descriptions(system, broken, text):
    (broken.parent / "product.json").write_bytes(text)
    assert not [program for program in system("--", broken).get("programs", []) if program["path"].endswith(".json")]
