"""`glibctrace check` of a directory, an archive and a process: a row each, and only what fails here is a cause."""

import json
import os
import struct
import subprocess

import pytest

from conftest import HANGS_AFTER, load_report

EM_AARCH64 = 183


@pytest.fixture
def check(tool, tmp_path):
    def check(*words, env=None):
        out = tmp_path / "r.json"
        out.unlink(missing_ok=True)
        ended = subprocess.run([tool, "check", "--no-redact", "-o", out, *words], capture_output=True, text=True,
                               timeout=HANGS_AFTER, cwd=tmp_path,
                               env={"PATH": "/nowhere", "LC_ALL": "C"} | (env or {}))
        return ended.returncode, load_report(out) if out.exists() else None, ended.stdout + ended.stderr
    return check


def build(path, source, *flags):
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cc", "-o", path, "-x", "c", "-", "-x", "none", *flags], input=source, text=True, check=True)
    return path


def library(path, source="int f(void) { return 1; }", *flags):
    return build(path, source, "-shared", "-fPIC", "-nostdlib", f"-Wl,-soname,{path.name}", *flags)


def for_machine(path, machine):
    """The same file with another machine in its header."""
    data = bytearray(path.read_bytes())
    data[18:20] = struct.pack("<H", machine)
    path.write_bytes(data)
    return path


def verdicts(report, top):
    return {os.path.relpath(row["file"], top): row["verdict"] for row in report["files"]}


def prebuilds(top):
    """Files as packages bring them, for several systems; only those of this one fit."""
    source = "extern int puts(const char *); int napi_register_module_v1(void) { return puts(\"\"); }"
    musl = library(top.parent / "libc.musl-x86_64.so.1", "int puts(const char *s) { return !s; }")
    fits = [build(top / name, source, "-shared", "-fPIC") for name in
            ("a/prebuilds/linux-x64/a.node", "@b/w-linux-x64-glibc/w.node", "c/c.linux-x64-gnu.node",
             "d/build/Release/d.node")]
    for name in ("a/prebuilds/linux-arm64/a.node", "@b/w-linux-arm64/w.node", "c/c.linux-arm64-gnu.node",
                 "d/prebuilds/linux-arm64/d.node"):
        for_machine(build(top / name, source, "-shared", "-fPIC"), EM_AARCH64)
    for name in ("a/prebuilds/linux-x64/a.musl.node", "@b/w-linux-x64-musl/w.node", "c/c.linux-x64-musl.node"):
        library(top / name, source, musl)
    return fits


def test_builds_for_several_systems(check, tmp_path):
    top = tmp_path / "t"
    fits = prebuilds(top)
    fits[0].rename(fits[0].with_name("a.glibc.node"))
    status, report, said = check(top)
    assert (status, report["causes"]) == (0, []), said
    told = verdicts(report, top)
    assert len(told) == 11
    for name, verdict in told.items():
        wanted = "for aarch64" if "arm64" in name else "for musl" if "musl" in name else "loads"
        assert verdict.startswith(wanted), (name, verdict)


def test_none_of_them_for_this_system(check, tmp_path):
    top = tmp_path / "t"
    for path in prebuilds(top):
        path.unlink()
    status, report, said = check(top)
    assert status == 1
    kinds = {(os.path.relpath(c["subject"], top), c["kind"]) for c in report["causes"]}
    assert ("a/prebuilds/linux-arm64/a.node", "wrong-architecture") in kinds, said
    assert ("@b/w-linux-x64-musl/w.node", "libc-family-mismatch") in kinds, said


def test_a_wrong_file_where_the_right_one_is_wanted(check, tmp_path):
    """Built for another machine, in the place of those for this one: no variant of anything."""
    top = tmp_path / "t"
    library(top / "server-linux-x64" / "good.so")
    bad = for_machine(library(top / "server-linux-x64" / "bad.so"), EM_AARCH64)
    status, report, said = check(top)
    assert status == 1
    assert [(c["kind"], c["subject"], c["missing"]) for c in report["causes"]] == [
        ("wrong-architecture", str(bad), "x86_64")], said


def application(top, rpath="$ORIGIN/../lib"):
    lib = top / "lib"
    c = library(lib / "libc1.so", "int c1(void) { return 1; }")
    b = library(lib / "libb1.so", "int c1(void), host(void); int b1(void) { return c1() + host(); }", c)
    build(top / "bin" / "app", "int b1(void); int host(void) { return 0; } int main(void) { return b1(); }", b,
          "-rdynamic", "-Wl,--allow-shlib-undefined", f"-Wl,-rpath-link,{lib}", "-Wl,--disable-new-dtags",
          f"-Wl,-rpath,{rpath}")
    plugin = library(lib / "plugin.so", "int c1(void); int p(void) { return c1(); }", c)
    return b, c, plugin


def test_a_library_is_judged_by_its_program(check, tmp_path):
    top = tmp_path / "t"
    application(top)
    os.symlink("/nowhere/x.so", top / "dangling.so")
    os.symlink("..", top / "out")
    os.mkfifo(top / "fifo.so")
    (tmp_path / "broken.so").write_bytes(b"\x7fELF" + bytes(60))
    os.symlink(tmp_path / "broken.so", top / "link.so")
    status, report, said = check(top)
    assert (status, report["causes"]) == (0, []), said
    app = str(top / "bin" / "app")
    assert verdicts(report, top) == {"bin/app": "loads", "lib/libb1.so": f"loads in {app}",
                                     "lib/libc1.so": f"loads in {app}", "lib/plugin.so": f"loads where {app} opens it"}


def test_a_tree_that_lacks_a_library(check, tmp_path):
    top = tmp_path / "t"
    b, c, plugin = application(top)
    c.unlink()
    status, report, said = check(top)
    assert status == 1
    assert {(c["kind"], c["subject"], c["missing"]) for c in report["causes"]} == {
        ("library-missing", str(b), "libc1.so"), ("library-missing", str(plugin), "libc1.so")}, said


@pytest.mark.parametrize("sound", (True, False))
def test_an_add_on_by_the_node_of_the_tree(check, tmp_path, sound):
    top = tmp_path / "t"
    node = build(top / "node", "int napi_module_register(void) { return 0; } int of_node; int main(void) { return 0; }",
                 "-rdynamic")
    needs = library(top / "needs.so")
    addon = library(top / "x" / "x.node", "extern int of_node; int *p = &of_node; int f(void); int g(void) { return f(); }",
                    needs, "-Wl,-rpath,$ORIGIN/..", "-Wl,--no-as-needed")
    if not sound:
        needs.unlink()
    status, report, said = check(top)
    if sound:
        assert (status, report["causes"]) == (0, []), said
        assert verdicts(report, top)["x/x.node"] == f"loads in {node}"
        assert verdicts(report, top)["needs.so"] == f"loads in {addon}"
        return
    assert status == 1
    assert [(c["kind"], c["subject"], c["missing"], c["impact"], c["chain"]) for c in report["causes"]] == [
        ("library-missing", str(addon), "needs.so", "fatal", [str(node), str(addon)])], said
    assert report["causes"][0]["confidence"] > 0.9


@pytest.mark.parametrize("machine, kinds", [(3, []), (EM_AARCH64, ["wrong-architecture"])])
def test_a_program_for_another_machine(check, tmp_path, machine, kinds):
    """i386's run on x86-64 kernels, as far as anybody can tell beforehand."""
    app = tmp_path / "t" / "app"
    app.parent.mkdir()
    name, size, entry = (1, 52, 32) if machine == 3 else (2, 64, 56)
    ident = b"\x7fELF" + bytes([name, 1, 1]) + bytes(9)
    if machine == 3:
        head = struct.pack("<HHIIIIIHHHHHH", 2, machine, 1, 0x8048054, size, 0, 0, size, entry, 1, 0, 0, 0)
        load = struct.pack("<IIIIIIII", 1, 0, 0x8048000, 0x8048000, 96, 96, 5, 4096)
    else:
        head = struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, 0x400078, size, 0, 0, size, entry, 1, 0, 0, 0)
        load = struct.pack("<IIQQQQQQ", 1, 5, 0, 0x400000, 0x400000, 128, 128, 4096)
    app.write_bytes((ident + head + load).ljust(128, b"\x90"))
    app.chmod(0o755)
    _, report, said = check(app.parent)
    assert [cause["kind"] for cause in report["causes"]] == kinds, said


def test_a_process(check, tmp_path):
    """Its own environment counts, not ours; what it runs is looked up in its root."""
    wrong = library(tmp_path / "wrong" / "libm1.so")
    right = library(tmp_path / "right" / "libm1.so", "int m1(void) { return 1; }")
    app = build(tmp_path / "app", "#include <unistd.h>\nint m1(void); int main(void) { write(1, \"\\n\", 1); return pause() + m1(); }",
                right)
    with subprocess.Popen([app], stdout=subprocess.PIPE, env={"LD_LIBRARY_PATH": str(right.parent)}) as process:
        try:
            process.stdout.readline()
            status, report, said = check(str(process.pid), env={"LD_LIBRARY_PATH": str(wrong.parent)})
        finally:
            process.kill()
    assert (status, report["causes"]) == (0, []), said
    assert report["files"][0]["file"] == str(app)
    assert str(right) in [row["file"] if "file" in row else row["path"] for row in report["objects"]]
    assert check("999999999")[0] == 2


def test_what_it_says_that_it_opens(check, tmp_path):
    """systemd's notes: candidates, and no cause where they are not there."""
    text = json.dumps([{"soname": ["libnowhere.so.9", "libm.so.6"], "feature": "sums", "priority": "required"},
                       {"soname": ["libnowhere.so.9"], "description": "more"},
                       {"feature": "last", "soname": ["libnowhere.so.8"], "priority": "required"}])
    note = struct.pack("<III", 4, len(text) + 1, 0x407c0c0a) + b"FDO\0" + text.encode() + b"\0"
    (tmp_path / "n.bin").write_bytes(note + bytes(-len(note) % 4))
    app = build(tmp_path / "t" / "app", 'asm(".section .note.dlopen,\\"a\\",@note\\n.balign 4\\n.incbin \\"'
                f'{tmp_path}/n.bin\\"\\n.previous"); int main(void) {{ return 0; }}'.replace("\\\\", "\\"))
    for what in (app, app.parent):
        status, report, said = check(what)
        assert (status, report["causes"]) == (0, []), said
        assert [(row["opens"], row["feature"], row["priority"], os.path.basename(row["found"])) for row in report["opened"]] == [
            ("libnowhere.so.9 or libm.so.6", "sums", "required", "libm.so.6"), ("libnowhere.so.9", "", "recommended", "not found"),
            ("libnowhere.so.8", "last", "required", "not found")]


def test_an_addon_by_itself(check, tmp_path):
    """One that is named is opened by the node that is there, as in a tree."""
    stand_in = build(tmp_path / "bin/node", "void napi_module_register(void *m) {} int main(void) { return 0; }",
                     "-rdynamic")
    addon = library(tmp_path / "a.node", "void napi_module_register(void *); void napi_new(void);"
                    "void init(int n) { napi_module_register(0); if (n) napi_new(); }", "-Wl,-z,lazy")
    status, report, said = check(addon, env={"PATH": str(stand_in.parent)})
    assert status == 1, said
    assert [(c["kind"], c["subject"], c["missing"]) for c in report["causes"]] == [
        ("symbol-missing", str(addon), "napi_new")]
    assert report["files"][0]["verdict"] == f"loads in {stand_in}, but 1 symbol would fail when first called"
    library(addon, "void napi_module_register(void *); void init(void) { napi_module_register(0); }")
    status, report, said = check(addon, env={"PATH": str(stand_in.parent)})
    assert (status, report["causes"]) == (0, []), said
    assert report["files"][0]["verdict"] == f"loads in {stand_in}"


REGISTERS = """struct module { int version; unsigned flags; void *handle; const char *file; void *init; void (*context)(void);
    const char *name; void *data, *link; };
    static void init(void) {} void node_module_register(void *);
    static struct module module = {%d, 0, 0, "a.cc", 0, init, "a", 0, 0};
    __attribute__((constructor)) static void start(void) { node_module_register(&module); }"""
BUILT = {
    "registers": REGISTERS,
    "packed": REGISTERS,
    "by a name": "void node_register_module_v%d(void *e, void *m, void *c) {}",
}


@pytest.mark.parametrize("how", BUILT)
@pytest.mark.parametrize("version", [72, 115])
def test_interface_of_an_addon(check, tmp_path, how, version):
    """What node would refuse after the loader took it; what node takes is in its own configuration."""
    node = build(tmp_path / "bin/node", "void napi_module_register(void *m) {} void node_module_register(void *m) {}"
                 "const char config[] = \"{\\\"variables\\\": {\\\"node_module_version\\\": 115, \\\"x\\\": 1}}\";"
                 "int main(void) { return config[0] == 0; }", "-rdynamic")
    addon = library(tmp_path / "tree/a.node", BUILT[how] % version,
                    *(["-Wl,-z,pack-relative-relocs"] if how == "packed" else []))
    for asked in (addon, tmp_path / "tree"):
        status, report, said = check(asked, env={"PATH": str(node.parent)})
        assert [(c["kind"], c["subject"], c["missing"], c["chain"]) for c in report["causes"]] == (
            [("module-abi-mismatch", str(addon), "NODE_MODULE_VERSION 115", [str(node), str(addon)])]
            if version == 72 else []), said
        assert status == (version == 72)
    library(addon, (BUILT[how] % version) + " void *napi_register_module_v1(void *e, void *x) { return x; }")
    assert check(addon, env={"PATH": str(node.parent)})[0] == 0


def test_process_whose_file_was_replaced(check, tmp_path):
    """It is asked what would be started now; where nothing would, that is said."""
    prog = build(tmp_path / "prog", "#include <unistd.h>\nint main(void) { write(1, \"x\", 1); pause(); }")
    with subprocess.Popen([prog], stdout=subprocess.PIPE) as running:
        try:
            running.stdout.read(1)
            gone = library(tmp_path / "libgone.so.1")
            build(tmp_path / "new", "int f(void); int main(void) { return f(); }", gone).rename(prog)
            gone.unlink()
            status, report, said = check(str(running.pid))
            assert [(c["kind"], c["subject"], c["missing"]) for c in report["causes"]] == [
                ("library-missing", str(prog), "libgone.so.1")], said
            assert status == 1 and "was replaced since" in " ".join(said.split())
            prog.unlink()
            status, report, said = check(str(running.pid))
            assert status == 2 and "not there any more" in said
        finally:
            running.kill()


def test_a_file_that_may_not_be_read(check, tmp_path):
    if os.getuid() == 0:
        prog = "/proc/self/mem"  # root reads all but what is no file
        assert check(prog)[0] == 2
        return
    prog = build(tmp_path / "prog", "int main(void) { return 0; }")
    prog.chmod(0o711)
    status, _, said = check(prog)
    assert status == 2 and "Permission denied" in said


@pytest.mark.parametrize("wrapped, gone", [(True, False), (False, False), (True, True)])
def test_a_script_that_tells_the_loader_where(check, tmp_path, wrapped, gone):
    """A program whose library lies in the tree is started by a script with LD_LIBRARY_PATH; twins: a script that has nothing of
    it, and a library that lies nowhere."""
    top = tmp_path / "app"
    made = library(top / "lib" / "libpart.so.1")
    build(top / "lib" / "app.bin", "int f(void); int main(void) { return f() != 1; }", made)
    (top / "app.sh").write_text('#!/bin/sh\nhere=$(dirname "$0")\n' +
                                ('export LD_LIBRARY_PATH="$here/lib"\n' if wrapped else "") + 'exec "$here/lib/app.bin"\n')
    (top / "app.sh").chmod(0o755)
    assert subprocess.run([top / "app.sh"], stderr=subprocess.DEVNULL).returncode == (0 if wrapped else 127)
    if gone:
        made.unlink()
    status, report, said = check("app")
    told = verdicts(report, top)["lib/app.bin"]
    if wrapped and not gone:
        assert (status, report["causes"]) == (0, []) and "LD_LIBRARY_PATH" in told and "app.sh" in told, said
    else:
        assert status == 1 and [(c["kind"], c["missing"]) for c in report["causes"]] == [
            ("library-missing" if gone else "library-off-path", "libpart.so.1")], said
