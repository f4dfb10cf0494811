"""The file that is opened by dlopen is itself what is wrong; by actors that each say it in their own words."""

import os
import shutil

import pytest

ACTORS = {
    "python": ["/usr/bin/python3", "-c", "import ctypes; ctypes.CDLL('{path}')"],
    "node": ["node", "-e", "process.dlopen({{exports: {{}}}}, '{path}')"],
    "perl": ["perl", "-e", "require DynaLoader; DynaLoader::dl_load_file('{path}', 0) or die DynaLoader::dl_error()"],
    "c": ["./opener", "{path}"],
}
OPENER = ('#include <dlfcn.h>\n#include <stdio.h>\nint main(int c, char **v) { (void)c; if (dlopen(v[1], RTLD_NOW)) return 0;'
          ' fprintf(stderr, "cannot load: %s\\n", dlerror()); return 1; }\n')


def _changed(data, at, new):
    return data[:at] + new + data[at + len(new):]


FILES = {
    "sound": (lambda data: data, None),
    "other machine": (lambda data: _changed(data, 18, b"\xb7\0"), "wrong-architecture"),
    "other class": (lambda data: _changed(_changed(data, 4, b"\1"), 18, b"\3\0"), "wrong-architecture"),
    "empty": (lambda data: b"", "object-corrupt"),
    "text": (lambda data: b"<!DOCTYPE html>\n" * 60, "object-corrupt"),
    "cut": (lambda data: data[:300], "object-corrupt"),
    "cut in a segment": (lambda data: data[:9000], "object-corrupt"),
    "absent": (None, "library-missing"),
    "loop": ("plugin.so", "symlink-loop"),
    "dangling": ("gone/plugin.so", "symlink-dangling"),
}


@pytest.mark.parametrize("actor", ACTORS)
@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("relative", [False, True], ids=["absolute", "relative"])
def test_file(run, cc, tmp_path, actor, kind, relative):
    made = cc("int x;\n", name="made.so")
    content, expected = FILES[kind]
    path = tmp_path / "plugin.so"
    if callable(content):
        path.write_bytes(content(made.read_bytes()))
    elif content:
        path.symlink_to(content)
    cc(OPENER, name="opener")
    command = [word.format(path="./plugin.so" if relative else path) for word in ACTORS[actor]]
    if not os.path.exists(tmp_path / command[0]) and not shutil.which(command[0]):
        pytest.skip(f"{command[0]} is not installed")
    result = run("--", *command)
    if not expected:  # node has its own idea of what a module must have
        assert not [c for c in result.causes if c["kind"] in {kind for _, kind in FILES.values()}]
        return
    missing = {"wrong-architecture": "x86_64", "symlink-dangling": str(tmp_path / "gone" / "plugin.so")}
    assert [(c["kind"], c["missing"], c["impact"]) for c in result.causes] == [
        (expected, missing.get(expected, str(path)), "fatal")]
    assert result.first["provider"] == (str(path) if expected in ("wrong-architecture", "object-corrupt") else None)
    assert result.returncode != 0
    assert result.first["confidence"] > (0.9 if kind != "cut in a segment" else 0.7)
    assert result.report["reproduction"]["status"] == "verified", result.report["reproduction"]


@pytest.mark.parametrize("loads", ["the other", "none"])
def test_builds_for_several_systems(run, cc, tmp_path, loads):
    """What loaders of native add-ons do: one build after the other, until one loads. That the first does not is no loss."""
    cc("int nobody(void); int f(void) { return nobody(); }\n", "-Wl,-z,now", name="addon.linux-x64-musl.node")
    if loads == "the other":
        cc("int f(void) { return 0; }\n", name="addon.linux-x64-gnu.node")
    prog = cc('#include <dlfcn.h>\n#include <stdio.h>\nint main(void) { int n = 0; n += !!dlopen("./addon.linux-x64-musl.node", RTLD_NOW);'
              ' n += !!dlopen("./addon.linux-x64-gnu.node", RTLD_NOW); printf("%d\\n", n); return 0; }\n', "-ldl")
    result = run("--", prog)
    if loads == "the other":
        assert (result.stdout, result.causes) == ("1\n", [])
    else:
        assert [(c["kind"], c["missing"], c["impact"]) for c in result.causes] == [("symbol-missing", "nobody", "degraded")]


TWO = r"""
#include <dlfcn.h>
#include <stdio.h>
int main(int argc, char **argv)
{
    int failed = 0;
    for (int i = 1; i < argc; i++)
        if (!dlopen(argv[i], RTLD_NOW)) {
            fprintf(stderr, "prog: %s\n", dlerror());
            failed++;
        }
    return failed ? 3 : 0;
}
"""
PYTHON_TWO = """
import ctypes, sys
for name in sys.argv[1:]:
    try: ctypes.CDLL(name)
    except OSError as e: print(e, file=sys.stderr)
sys.exit(1)
"""
PERL_TWO = r'for (@ARGV) { DynaLoader::dl_load_file($_, 0) or print STDERR DynaLoader::dl_error(), "\n" } exit 2'


@pytest.mark.parametrize("order", [["/opt/absent-b.so", "bad.so"], ["bad.so", "/opt/absent-a.so"],
                                   ["/opt/absent-b.so", "/opt/absent-a.so"]])
@pytest.mark.parametrize("actor", ["c", "python", "perl"])
def test_two_that_fail_are_told_in_their_order(run, cc, tmp_path, actor, order):
    (tmp_path / "bad.so").write_text("x")
    names = [str(tmp_path / name) for name in order]
    command = {"c": [cc(TWO)], "python": ["/usr/bin/python3", "-c", PYTHON_TWO],
               "perl": ["perl", "-MDynaLoader", "-e", PERL_TWO]}[actor]
    result = run("--no-repro", "--", *command, *names)
    assert [(c["missing"], c["impact"]) for c in result.causes] == [(name, "fatal") for name in names]
