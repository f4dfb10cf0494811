"""-t lookups: one line for each binding, on loaders without symbols. The loader itself is the judge: LD_DEBUG=bindings."""

import collections
import json
import os
import re
import subprocess

import pytest

from conftest import TOP
from test_outputs import unpacked

ROOT_OF = {"2.31": "bullseye", "2.36": None, "2.41": "trixie", "2.43": "forky", "musl": "musl"}
BOUND = re.compile(r"binding file (\S+) \[\d+\] to (\S+) \[\d+\]: (?:normal|protected) symbol `([^']+)'(?: \[(\S+)\])?")
LINE = re.compile(r"^\[pid +\d+\] (\S+) → (\S+?)(?:@(\S+))? = (.+)$|^(\S+) → (\S+?)(?:@(\S+))? = (.+)$")
# As root of one's own user namespace where one is not root.
ENTER = ["chroot"] if os.geteuid() == 0 else ["unshare", "-r", "chroot"]


@pytest.fixture(scope="module")
def root():
    """root(libc) -> directory, "/" for this system's own"""

    def made(libc):
        if not ROOT_OF[libc]:
            return "/"
        ended = subprocess.run(["bash", TOP / "tests" / "roots.sh", ROOT_OF[libc]], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout.strip()

    return made


@pytest.fixture
def lookups(tool, environment, tmp_path):
    """lookups(*command, **variables) -> (events of its last image, lines, exit status)"""

    def run(*command, options=("-t", "lookups"), **variables):
        bundle = tmp_path / "case.tar.zst"
        ended = subprocess.run([tool, "-q", "--no-repro", "--no-redact", *options, "-o", bundle, "--", *command],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env=environment(variables))
        events = [json.loads(text) for text in unpacked(bundle)["case/trace.jsonl"].decode().splitlines()]
        last = max((i for i, e in enumerate(events) if e["type"] == "process" and e["what"] == "exec"), default=0)
        return events[last:], ended.stderr.splitlines(), ended.returncode

    return run


def base(path):
    return os.path.basename(path)


def counted(events, program):
    """What was bound, as the loader would say it: to it the program is what it was called."""
    exe = events[0]["exe"]
    name = lambda path: base(program if path == exe else path)
    found = [e for e in events if e["type"] == "lookup" and e["to"]]
    return collections.Counter((name(e["from"]), name(e["to"]), e["symbol"], e.get("version")) for e in found)


def by_loader(enter, command, folder, **variables):
    """LD_DEBUG=bindings of COMMAND."""
    out = subprocess.run([*enter, "/usr/bin/env", "LD_DEBUG=bindings", *(f"{k}={v}" for k, v in variables.items()),
                          *command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                         cwd=folder).stderr.decode(errors="replace")
    return collections.Counter((base(a), base(b), symbol, version or None)
                               for a, b, symbol, version in BOUND.findall(out))


COMMANDS = [
    *[(libc, ["/bin/true"]) for libc in ("2.31", "2.36", "2.41", "2.43")],
    *[(libc, ["/bin/bash", "-c", "type cd"]) for libc in ("2.31", "2.36", "2.41", "2.43")],
    ("2.36", ["/usr/bin/python3", "-c", "import ssl"]),
]


@pytest.mark.parametrize("now", [False, True], ids=["lazy", "now"])
@pytest.mark.parametrize("libc, command", COMMANDS, ids=[f"{c[0].split('/')[-1]}-{libc}" for libc, c in COMMANDS])
def test_as_the_loader_says(root, lookups, tmp_path, libc, command, now):
    enter = [*ENTER, root(libc)]
    variables = {"LD_BIND_NOW": "1"} if now else {}
    expected = by_loader(enter, command, tmp_path, **variables)
    events, lines, status = lookups(*enter, "/usr/bin/env", *(f"{k}={v}" for k, v in variables.items()), *command)
    seen = counted(events, command[0])
    assert status == 0
    assert sum(expected.values()) > 50
    assert seen - expected == collections.Counter()
    assert expected - seen == collections.Counter()
    shown = [m for m in map(LINE.match, lines) if m]
    assert len(shown) >= sum(expected.values())


@pytest.fixture
def versions(cc, tmp_path):
    """A program that wants f@V_2; the library in "bad" defines f@V_1 only, though V_2 is there."""
    for folder, version, other in (("good", "V_2", "V_1"), ("bad", "V_1", "V_2")):
        (tmp_path / folder).mkdir()
        (tmp_path / f"{folder}.map").write_text(f"{version} {{ global: f; local: *; }};\n{other} {{ }};\n")
        built = cc("int f(void) { return 0; }", f"-Wl,--version-script={folder}.map", "-Wl,-soname,libf.so.1",
                   name=f"{folder}.so")
        built.rename(tmp_path / folder / "libf.so.1")
    return cc("int f(void); int main(void) { return f(); }", "good/libf.so.1", name="p").parent


def test_found_nothing(lookups, versions):
    events, lines, status = lookups(versions / "p", LD_LIBRARY_PATH=str(versions / "bad"), LD_BIND_NOW="1")
    none = [e for e in events if e["type"] == "lookup" and e["to"] is None and e["symbol"] == "f"]
    assert status == 127
    assert [(base(e["from"]), e["version"], e["instead"]) for e in none] == [("p", "V_2", "libf.so.1 defines f@V_1")]
    assert [line for line in lines if "→ f@" in line] == ["p → f@V_2 = none: libf.so.1 defines f@V_1"]
    error = next(e for e in events if e["type"] == "loader" and e["what"] == "error")
    assert error["n"] > none[0]["n"] and error["outcome"] == "fatal"
    events, lines, status = lookups(versions / "p", LD_LIBRARY_PATH=str(versions / "good"), LD_BIND_NOW="1")
    assert status == 0
    assert [line for line in lines if "→ f@" in line] == ["p → f@V_2 = libf.so.1"]


def test_only_where_asked_for(lookups):
    events, _, _ = lookups("/bin/true", options=())
    assert not [e for e in events if e["type"] == "lookup"]
    events, _, _ = lookups("/bin/true", options=("-t", "all"))
    assert [e for e in events if e["type"] == "lookup"]


# --- musl: all of an object is bound before the loader says that it is there ---

OPENS = r"""
#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>
int main(void)
{
    void *lazy = dlopen("/mnt/libasks.so", RTLD_LAZY);
    void *other = dlopen("/mnt/libanswers.so", RTLD_LAZY | RTLD_GLOBAL);
    int (*run)(void) = (int (*)(void))dlsym(lazy, "run");
    dlsym(RTLD_DEFAULT, "nowhere_to_be_found");
    dlopen("/mnt/libnever.so", RTLD_NOW);
    return other && run ? 0 : 1;
}
"""


@pytest.fixture
def in_musl(root, cc, monkeypatch, tmp_path):
    """The words that run /mnt/prog in the musl root, /mnt being a folder of its own there."""
    monkeypatch.setenv("CC", "musl-gcc")
    top = tmp_path / "root"
    subprocess.run(["cp", "-a", root("musl"), top], check=True)
    for name, source in (("libasks.so", "int later(void); int run(void) { return later(); }"),
                         ("libanswers.so", "int later(void) { return 7; }"),
                         ("libnever.so", "int never(void); int asks(void) { return never(); }"), ("prog", OPENS)):
        cc(source, name=name).rename(top / "mnt" / name)
    return [*ENTER, top, "/mnt/prog"]


def table(lines):
    """Who asks for what, and who answers, of lines of -t lookups and --bindings; chroot's own are not ours."""
    found = [m for m in (re.match(r"^(?:\[pid +\d+\] )?(\S+) → (\S+) = (.+)$", line) for line in lines) if m]
    ours = ("prog", "ld-musl-x86_64.so.1", "libasks.so", "libanswers.so", "libnever.so", "libgives.so")
    return collections.Counter(m.groups() for m in found if m[1] in ours)


def test_musl_tells_what_is_bound(lookups, in_musl):
    events, lines, status = lookups(*in_musl)
    live = table(lines)
    _, lines, _ = lookups(*in_musl, options=("--bindings",))
    at_end = table(lines)
    assert status == 0
    assert live["prog", "dlopen", "ld-musl-x86_64.so.1"] == 1
    asked = {("prog", "run", "libasks.so"): 1, ("prog", "nowhere_to_be_found", "none"): 1,
             ("libnever.so", "never", "none"): 1,
             ("libasks.so", "later", "none: it is looked for again at each dlopen"): 1}
    assert live["libasks.so", "later", "libanswers.so"] == 1
    assert live - at_end == collections.Counter(asked)
    assert at_end - live == collections.Counter()
    assert sum(at_end.values()) > 30
    bound = [e for e in events if e["type"] == "lookup" and e["from"] == "/mnt/libanswers.so"]
    assert bound and all(e["to"] in (None, "/lib/ld-musl-x86_64.so.1", "/usr/lib/x86_64-linux-musl/libc.so",
                                     "/lib/x86_64-linux-musl/libc.so") for e in bound)


def test_musl_fork_tells_only_what_is_new(lookups, in_musl, cc):
    forks = OPENS.replace("int main(void)\n{", "int main(void)\n{\n    if (fork()) return 0;")
    cc(forks, name="prog").rename(in_musl[-2] / "mnt/prog")
    events, lines, _ = lookups(*in_musl)
    live = table(lines)
    assert live["prog", "dlopen", "ld-musl-x86_64.so.1"] == 1
    assert live["libasks.so", "later", "libanswers.so"] == 1
    assert max(live.values()) == 1


def test_musl_found_nothing_at_the_start(lookups, in_musl, cc):
    library = cc("int never(void) { return 0; }", name="libgives.so")
    prog = cc("int never(void); int main(void) { return never(); }", "./libgives.so", name="wants")
    cc("int other(void) { return 0; }", name="libgives.so")
    prog.rename(in_musl[-2] / "mnt/prog")
    library.rename(in_musl[-2] / "libgives.so")
    events, lines, status = lookups(*in_musl)
    assert status == 127
    assert table(lines) == collections.Counter({("prog", "never", "none"): 1})
    error = next(e for e in events if e["type"] == "loader" and e["what"] == "error")
    assert error["message"] == "Error relocating /mnt/prog: never: symbol not found" and error["outcome"] == "fatal"
