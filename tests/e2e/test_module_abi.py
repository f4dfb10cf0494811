"""Native modules for another runtime: node's, Python's, Go's and Perl's own; and twins that fit or do without."""

import os
import re
import subprocess

import pytest

PYTHON = "/usr/bin/python3"
NODE = "node"

ADDON = r"""
/* as src/node.h lays it out */
static struct { int version; unsigned flags; void *handle; const char *file; void *reg, *context; const char *name;
                void *priv, *next; } module = {VERSION, 0, 0, "addon.cc", 0, 0, "addon", 0, 0};
static void reg(void) {}
void node_module_register(void *);
__attribute__((constructor)) static void init(void) { module.reg = reg; node_module_register(&module); }
"""
CONTEXT_ADDON = "void node_register_module_vVERSION(void) {}\n"
EXTENSION = r"""
#define UNKNOWN
extern void UNKNOWN_SYMBOL(void);
void *PyInit_NAME(void) { UNKNOWN_SYMBOL(); return 0; }
"""


def node_abi():
    return int(subprocess.run([NODE, "-p", "process.versions.modules"], capture_output=True, text=True).stdout)


def python_abi():
    version = subprocess.run([PYTHON, "-c", "import sys; print('%d%d' % sys.version_info[:2])"], capture_output=True,
                             text=True).stdout
    return f"cpython-{version.strip()}"


def check(result, subject, missing, impact="fatal"):
    assert [(c["kind"], c["subject"], c["missing"], c["impact"]) for c in result.causes] == \
        [("module-abi-mismatch", str(subject), missing, impact)]
    return result.causes[0]


NODE_WAYS = {
    "required": "require('{addon}')",
    "with bindings": "const m = {{exports: {{}}}}; process.dlopen(m, '{addon}')",
    "told by the program": "try {{ require('{addon}') }} catch (e) {{ console.error('cannot start: ' + e.message); process.exit(4) }}",
}


@pytest.mark.parametrize("way", NODE_WAYS)
@pytest.mark.parametrize("make", ["static", "context"])
def test_node(run, cc, make, way):
    source = ADDON if make == "static" else CONTEXT_ADDON
    addon = cc(source.replace("VERSION", "93"), name="lib/addon.node")
    result = run("--", NODE, "-e", NODE_WAYS[way].format(addon=addon))
    cause = check(result, addon, f"NODE_MODULE_VERSION {node_abi()}")
    assert "NODE_MODULE_VERSION 93" in cause["summary"]
    assert cause["chain"][-1] == str(addon)
    if make == "static":
        assert f"requires NODE_MODULE_VERSION {node_abi()}" in cause["words"]


def test_node_by_the_words_of_the_program_alone(run, cc):
    addon = cc(CONTEXT_ADDON.replace("VERSION", "93"), name="addon.node")
    text = "try { require('./addon.node') } catch { console.error('addon.node is of no use'); process.exit(1) }"
    check(run("--", NODE, "-e", text), addon, f"NODE_MODULE_VERSION {node_abi()}")


def test_node_goes_on(run, cc):
    addon = cc(ADDON.replace("VERSION", "93"), name="addon.node")
    text = "try { require('./addon.node') } catch (e) { console.error('using JavaScript:', e.message) }"
    check(run("--", NODE, "-e", text), addon, f"NODE_MODULE_VERSION {node_abi()}", "degraded")


@pytest.mark.parametrize("text", ["try {{ require('./{name}') }} catch (e) {{ }}",
                                  "try {{ require('./{name}') }} catch (e) {{ console.error('no add-on') }}"])
def test_node_does_without(run, cc, text):
    cc(ADDON.replace("VERSION", "93"), name="addon.node")
    assert run("--", NODE, "-e", text.format(name="addon.node")).causes == []


def test_node_takes_its_own(run, cc):
    cc(ADDON.replace("VERSION", str(node_abi())), name="addon.node")
    assert run("--", NODE, "-e", "require('./addon.node')").causes == []


def test_node_did_not_register_for_another_reason(run, cc):
    cc("int nothing;\n", name="addon.node")
    result = run("--", NODE, "-e", "require('./addon.node')")
    assert result.returncode != 0
    assert [c["kind"] for c in result.causes if c["kind"] == "module-abi-mismatch"] == []


PYTHON_WAYS = {
    "on PYTHONPATH": ("m", "import m", "PYTHONPATH"),
    "in the working directory": ("m", "import m", None),
    "of a package": ("pkg/_m", "import pkg._m", None),
    "from a package": ("pkg/_m", "from pkg import _m", None),
    "two deep": ("pkg/sub/_m", "import pkg.sub._m", None),
}


@pytest.mark.parametrize("way", PYTHON_WAYS)
def test_python_file_name(run, cc, tmp_path, way):
    where, text, variable = PYTHON_WAYS[way]
    top = tmp_path / "lib" if variable else tmp_path
    module = cc("void *PyInit_m(void) { return 0; }\n", name=f"{where}.cpython-35m-x86_64-linux-gnu.so", cwd=top)
    for package in [module.parent, *module.parent.parents]:
        if package != top and str(package).startswith(str(top)):
            (package / "__init__.py").write_text("")
    result = run("--", PYTHON, "-c", text, env={variable: str(top)} if variable else {})
    cause = check(result, module, python_abi())
    assert "cpython-35m" in cause["summary"]


def test_python_script_next_to_its_module(run, cc, script, tmp_path):
    module = cc("void *PyInit_m(void) { return 0; }\n", name="app/m.cpython-35m-x86_64-linux-gnu.so")
    script("app/main.py", "import json\nimport m\n")
    check(run("--", "sh", "-c", f"{PYTHON} app/main.py; exit 2"), module, python_abi())


def test_python_symbol_of_another_version(run, cc):
    module = cc(EXTENSION.replace("UNKNOWN_SYMBOL", "_PyOld_Function").replace("NAME", "m"), "-Wl,-z,now", name="m.so")
    cause = check(run("--", PYTHON, "-c", "import m"), module, python_abi())
    assert cause["symbols"] == ["_PyOld_Function"]


def test_python_symbol_of_no_python(run, cc):
    module = cc(EXTENSION.replace("UNKNOWN_SYMBOL", "other_library_function").replace("NAME", "m"), "-Wl,-z,now",
                name="m.so")
    result = run("--", PYTHON, "-c", "import m")
    assert (result.first["kind"], result.first["subject"]) == ("symbol-missing", str(module))


def test_python_2(run, cc):
    module = cc("void initm(void) {}\n", name="m.so")
    check(run("--", PYTHON, "-c", "import m"), module, python_abi())


@pytest.mark.parametrize("text", ["try: import m\nexcept ImportError: pass",
                                  "import importlib.util; assert importlib.util.find_spec('m') is None"])
def test_python_does_without(run, cc, text):
    cc("void *PyInit_m(void) { return 0; }\n", name="m.cpython-35m-x86_64-linux-gnu.so")
    assert run("--", PYTHON, "-c", text).causes == []


def test_python_module_that_is_nowhere(run):
    result = run("--", PYTHON, "-c", "import no_such_module")
    assert result.returncode == 1
    assert result.causes == []


GO_MAIN = """package main
import ("fmt"; "os"; "plugin"; "example.org/dep")
func main() {
    dep.F()
    if _, err := plugin.Open(os.Args[1]); err != nil {
        fmt.Fprintln(os.Stderr, "cannot load the plugin:", err)
        os.Exit(1)
    }
}
"""


@pytest.fixture(scope="module")
def plugins(tmp_path_factory):
    """A program and two plugins, one of which was built with another version of a package that both have."""
    top = tmp_path_factory.mktemp("plugins")

    def module(name, text, *command):
        (top / name).mkdir(exist_ok=True)
        (top / name / f"{name}.go").write_text(text)
        (top / name / "go.mod").write_text(f"module example.org/{name}\ngo 1.18\n" + (
            "require example.org/dep v0.0.0\nreplace example.org/dep => ../dep\n" if name != "dep" else ""))
        if command:
            subprocess.run(["go", "build", *command, "."], check=True, cwd=top / name)

    body = 'package main\nimport "example.org/dep"\nfunc G() int { return dep.F() }\nfunc main() {}\n'
    module("dep", "package dep\nfunc F() int { return 1 }\n")
    module("host", GO_MAIN, "-o", "../run")
    module("good", body, "-buildmode=plugin", "-o", "../good.so")
    module("dep", "package dep\nfunc F() int { return 2 }\n")
    module("bad", body.replace("G()", "H()"), "-buildmode=plugin", "-o", "../bad.so")
    return top


def test_go_plugin(run, plugins):
    version = re.search(r"go1[.0-9]*", subprocess.run(["go", "version"], capture_output=True, text=True).stdout)[0]
    cause = check(run("--", plugins / "run", plugins / "bad.so"), plugins / "bad.so", version)
    assert "different version of package" in cause["words"]
    assert run("--", plugins / "run", plugins / "good.so").causes == []


XS = r"""
int Perl_xs_handshake(unsigned key, void *perl, const char *file, ...);
void boot_Foo(void *perl, void *cv) { Perl_xs_handshake(0x0cd00081, perl, "Foo.c", cv, "v5.30.0", "1.0"); }
"""


@pytest.mark.parametrize("caught", [False, True])
def test_perl(run, cc, script, caught):
    script("lib/Foo.pm", "package Foo; our $VERSION = '1.0'; require XSLoader; XSLoader::load('Foo'); 1;\n")
    module = cc(XS, name="lib/auto/Foo/Foo.so")
    version = subprocess.run(["perl", "-e", "printf 'v%vd', $^V"], capture_output=True, text=True).stdout
    result = run("--", "perl", "-Ilib", "-e", "use Foo;" if not caught else "use POSIX; print POSIX::floor(1.5)")
    if caught:
        assert result.causes == []
    else:
        check(result, module, version)


def test_in_a_shell(run, cc):
    addon = cc(ADDON.replace("VERSION", "93"), name="addon.node")
    result = run("--", "sh", "-c", f"sh -c '{NODE} -e \"require(\\\"./addon.node\\\")\"; exit 3'; exit 4")
    cause = check(result, addon, f"NODE_MODULE_VERSION {node_abi()}")
    assert [os.path.basename(p) for p in cause["chain"][-2:]] == [NODE, "addon.node"]
