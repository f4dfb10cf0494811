"""The cases of the scoreboard: one row a way to come to harm, each with a healthy twin that looks alike.

A case is built once a family of C libraries (glibc's programs against the oldest glibc, so that the same files run on all;
musl's by musl-gcc) into {bad} and, mended, into {good}; it runs in every root. In its texts {bad} and {good} are those
folders as the root sees them, {here} is the one that is run, {actor} is actor.c's program. What a right report says is
written down from what was built, never from what the program under test said.
"""

import dataclasses
import pathlib
import struct
import sys

sys.path.append(str(pathlib.Path(__file__).parents[1] / "e2e"))
from loader_cases import GLIBCS, LIBCS as ALL, ROOT_OF  # noqa: E402 (the end-to-end tests run on the same ones)

SINCE_2_36 = ("2.36", "2.41", "2.43")
CALLS = "int dep(void); int main(void) { return dep(); }"
MID = "int dep(void); int mid(void) { return dep(); }"
DEP = "int dep(void) { return 0; }"
OTHER = "int other(void) { return 0; }"
V1, V12 = "V1 { global: dep; };", "V1 { }; V2 { global: dep; local: *; };"
LEVEL = r"""
__asm__(".pushsection .note.gnu.property,\"a\"\n.balign 8\n.long 4\n.long 16\n.long 5\n.asciz \"GNU\"\n"
        ".long 0xc0008002\n.long 4\n.long 0x10\n.long 0\n.popsection");
"""


@dataclasses.dataclass
class Case:
    name: str
    kind: str
    missing: str
    subject: str
    command: str
    make: object = None  # make(builder, sound) -> None
    impact: str = "fatal"
    libcs: tuple = ALL
    env: dict = dataclasses.field(default_factory=dict)
    twin: str | None = None  # the healthy command, where it is not the same one with {good}
    nobody: bool = False  # root is bound by no mode
    unproved: tuple = ()  # the libcs where no reproduction is to be had: it runs on this system's loader and shell
    inside: tuple = ()  # the libcs whose loader it takes: there glibctrace runs inside the root for the reproduction


def needed(b, sound):
    """A program that needs libdep.so, which is sound; returns the library."""
    lib = b.library("libdep.so", DEP)
    b.program("prog", CALLS, "libdep.so")
    return lib


def missing(b, sound):
    """Of a name that the twin's has not: nothing of it is anywhere."""
    name = "libthere.so" if sound else "libgone.so"
    lib = b.library(name, DEP)
    b.program("prog", CALLS, name)
    if not sound:
        lib.unlink()


def missing_deep(b, sound):
    name = "libthere.so" if sound else "libgone.so"
    lib = b.library(name, DEP)
    b.library("libmid.so", MID, name)
    b.program("prog", "int mid(void); int main(void) { return mid(); }", "libmid.so", "-Wl,--allow-shlib-undefined")
    if not sound:
        lib.unlink()


def off_path(b, sound):
    lib = needed(b, sound)
    if not sound:
        (b.folder / "other").mkdir()
        lib.rename(b.folder / "other" / "libdep.so")


def version_missing(b, sound):
    b.library("libdep.so", DEP, b.versions("new", V12))
    b.program("prog", CALLS, "libdep.so")
    if not sound:
        b.library("libdep.so", DEP, b.versions("old", V1))


def shadowed_version(b, sound):
    b.library("libdep.so", DEP, b.versions("new", V12))
    b.program("prog", CALLS, "libdep.so", tags="new")
    b.library("first/libdep.so", DEP, b.versions("old", V12 if sound else V1))


def shadowed_symbol(b, sound):
    needed(b, sound)
    b.program("prog", CALLS, "libdep.so", tags="new")
    b.library("first/libdep.so", DEP if sound else OTHER)


def symbol_missing(b, sound):
    needed(b, sound)
    b.library("libdep.so", DEP if sound else OTHER)


def symbol_lazy(b, sound):
    b.library("libdep.so", DEP)
    b.program("prog", CALLS, "libdep.so", "-Wl,-z,lazy")
    b.library("libdep.so", DEP if sound else OTHER)


def machine(b, sound):
    patch(needed(b, sound), sound, 18, struct.pack("<H", 183))


def class_(b, sound):
    patch(needed(b, sound), sound, 4, b"\1")


def text(b, sound):
    lib = needed(b, sound)
    if not sound:
        lib.write_text("<html>404</html>\n" * 100)


def empty(b, sound):
    lib = needed(b, sound)
    if not sound:
        lib.write_bytes(b"")


def cut(b, sound):
    lib = needed(b, sound)
    if not sound:
        lib.write_bytes(lib.read_bytes()[:40])


def loop(b, sound):
    lib = needed(b, sound)
    if not sound:
        lib.unlink()
        lib.symlink_to("libdep2.so")
        (b.folder / "libdep2.so").symlink_to("libdep.so")


def dangling(b, sound):
    lib = needed(b, sound)
    lib.rename(b.folder / "libdep.so.1.2")
    lib.symlink_to("libdep.so.1.2")
    if not sound:
        (b.folder / "libdep.so.1.2").unlink()


def closed(b, sound):
    needed(b, sound).chmod(0o755 if sound else 0)


def patch(file, sound, at, data):
    if not sound:
        whole = bytearray(file.read_bytes())
        whole[at:at + len(data)] = data
        file.write_bytes(whole)


def addon(source, *flags, **more):
    """A library to be opened, that stands in {here}."""
    def make(b, sound):
        b.library("addon.so", DEP if sound else source, *([] if sound else flags), **more)
    return make


def addon_absent(b, sound):
    if sound:
        b.library("addon.so", DEP)


def addon_needs(b, sound):
    name = "libthere.so" if sound else "libgone.so"
    lib = b.library(name, DEP)
    b.library("addon.so", MID, name)
    if not sound:
        lib.unlink()


def addon_version(b, sound):
    b.library("libdep.so", DEP, b.versions("new", V12))
    b.library("addon.so", MID, "libdep.so")
    if not sound:
        b.library("libdep.so", DEP, b.versions("old", V1))


def addon_noexec(b, sound):
    """Mounted by run.py: noexec/ of every case."""
    (b.folder / "noexec").mkdir(exist_ok=True)
    b.library("addon.so", DEP)


def addon_family(b, sound):
    """musl takes libc.so.6 for itself, and so is only hurt where it lacks a function."""
    source = "const char *gnu_get_libc_version(void); const char *dep(void) { return gnu_get_libc_version(); }"
    (b if sound else b.other).library("addon.so", DEP if sound or b.compiler == "cc" else source, libc=True)


def tool(content, mode=0o755):
    def make(b, sound):
        path = b.folder / "tool"
        path.write_bytes(b"#!/bin/sh\nexit 0\n" if sound else content)
        path.chmod(0o755 if sound else mode)
    return make


def tool_interpreter(b, sound):
    b.program("tool", "int main(void) { return 0; }", *([] if sound else ["-Wl,--dynamic-linker=/nowhere/ld.so.9"]))


def tool_machine(b, sound):
    patch(b.program("tool", "int main(void) { return 0; }"), sound, 18, struct.pack("<H", 183))


def tool_level(b, sound):
    b.program("tool", ("" if sound else LEVEL) + "int main(void) { return 0; }")


def tool_cut(b, sound):
    path = b.program("tool", "int main(void) { return 0; }")
    if not sound:
        path.write_bytes(path.read_bytes()[:80])


def tool_link(text_):
    def make(b, sound):
        tool(b"#!/bin/sh\nexit 0\n")(b, True)
        if not sound:
            (b.folder / "tool").unlink()
            (b.folder / "tool").symlink_to(text_)
    return make


def data(b, sound):
    if sound:
        (b.folder / "app.conf").write_text("on\n")


def data_closed(b, sound):
    (b.folder / "app.conf").write_text("on\n")
    (b.folder / "app.conf").chmod(0o644 if sound else 0)


def data_link(text_):
    def make(b, sound):
        data(b, sound)
        if not sound:
            (b.folder / "app.conf").symlink_to(text_)
    return make


PROG, OPEN, TOOL = "{here}/prog", "{actor} open {here}/addon.so", "/bin/sh -c '{here}/tool; exit $?'"
READ = "{actor} read {here}/app.conf"
FIRST = {"LD_LIBRARY_PATH": "{here}/first"}
LIB, BAD, ACTOR = "{bad}/libdep.so", "{bad}/prog", "{actor}"

AT_START = [
    Case("needed", "library-missing", "libgone.so", BAD, PROG, missing),
    Case("needed by a library", "library-missing", "libgone.so", "{bad}/libmid.so", PROG, missing_deep),
    Case("needed, in a shell", "library-missing", "libgone.so", BAD, "/bin/sh -c '{here}/prog; exit $?'", missing),
    Case("needed, shell ends well", "library-missing", "libgone.so", BAD, "/bin/sh -c '{here}/prog; exit 0'", missing),
    Case("off the path", "library-off-path", "libdep.so", BAD, PROG, off_path),
    Case("version", "symbol-version-missing", "V2", BAD, PROG, version_missing, libcs=GLIBCS),
    Case("version, wrong copy", "library-shadowed", "V2", BAD, PROG, shadowed_version, libcs=GLIBCS, env=FIRST),
    Case("symbol, wrong copy", "library-shadowed", "dep", BAD, PROG, shadowed_symbol, env=FIRST),
    Case("symbol", "symbol-missing", "dep", BAD, PROG, symbol_missing),
    Case("symbol, lazily", "symbol-missing", "dep", BAD, PROG, symbol_lazy),
    Case("other machine", "wrong-architecture", "x86_64", BAD, PROG, machine, libcs=GLIBCS),
    Case("other class", "wrong-architecture", "x86_64", BAD, PROG, class_, libcs=GLIBCS),
    Case("a text", "object-corrupt", LIB, BAD, PROG, text),
    Case("an empty file", "object-corrupt", LIB, BAD, PROG, empty),
    Case("a cut file", "object-corrupt", LIB, BAD, PROG, cut),
    Case("link loop", "symlink-loop", LIB, BAD, PROG, loop),
    Case("dangling link", "symlink-dangling", "{bad}/libdep.so.1.2", BAD, PROG, dangling),
    Case("not readable", "permission-denied", LIB, BAD, PROG, closed, nobody=True),
]

OPENED = [
    Case("open: absent", "library-missing", "{bad}/addon.so", ACTOR, OPEN, addon_absent),
    Case("open: what it needs", "library-missing", "libgone.so", "{bad}/addon.so", OPEN, addon_needs),
    Case("open: version", "symbol-version-missing", "V2", "{bad}/addon.so", OPEN, addon_version, libcs=GLIBCS),
    Case("open: symbol", "symbol-missing", "hole", "{bad}/addon.so", OPEN,
         addon("int hole(void); int dep(void) { return hole(); }")),
    Case("open: static TLS", "static-tls-exhausted", "{bad}/addon.so", ACTOR, OPEN, libcs=GLIBCS,
         make=addon("__thread char a[100000] __attribute__((tls_model(\"initial-exec\"))); char *dep(void) { return a; }")),
    Case("open: executable stack", "execstack-refused", "{bad}/addon.so", ACTOR, OPEN, addon(DEP, "-Wl,-z,execstack"),
         libcs=("2.41", "2.43"), inside=("2.41", "2.43")),
    Case("open: processor level", "cpu-level-too-low", "x86-64-v5", ACTOR, OPEN, addon(LEVEL + DEP), libcs=SINCE_2_36),
    Case("open: noexec mount", "noexec-mount", "{bad}/noexec", ACTOR, "{actor} open {here}/noexec/addon.so",
         addon_noexec, twin="{actor} open {here}/addon.so"),
    Case("open: other family", "libc-family-mismatch", "{other libc}", "{bad}/addon.so", OPEN, addon_family),
]

EXECUTED = [
    Case("run: interpreter", "interpreter-missing", "/nowhere/ld.so.9", "{bad}/tool", TOOL, tool_interpreter),
    Case("run: #! program", "script-interpreter-missing", "/nowhere/python9", "{bad}/tool", TOOL,
         tool(b"#!/nowhere/python9 -u\nexit 0\n")),
    Case("run: carriage return", "script-interpreter-missing", "/bin/sh\r", "{bad}/tool", TOOL,
         tool(b"#!/bin/sh\r\nexit 0\r\n")),
    Case("run: other machine", "wrong-architecture", "x86_64", "{bad}/tool", TOOL, tool_machine),
    Case("run: cut", "object-corrupt", "{bad}/tool", "{bad}/tool", TOOL, tool_cut),
    Case("run: not executable", "permission-denied", "{bad}/tool", "{bad}/tool", TOOL,
         tool(b"#!/bin/sh\nexit 0\n", 0o644)),
    Case("run: link loop", "symlink-loop", "{bad}/tool", "{shell}", TOOL, tool_link("tool")),
    Case("run: dangling link", "symlink-dangling", "{bad}/tool-1.2", "{shell}", TOOL, tool_link("tool-1.2")),
    Case("run: processor level", "cpu-level-too-low", "x86-64-v5", "{bad}/tool", TOOL, tool_level, libcs=SINCE_2_36),
    Case("run: not on PATH", "command-not-found", "no-such-tool", "{shell}", "/bin/sh -c 'no-such-tool; exit $?'",
         unproved=("musl",),
         twin="/bin/sh -c 'no-such-tool 2>/dev/null || true'"),
    Case("run: not on PATH, by env", "command-not-found", "no-such-tool", "{env}", "{run env} no-such-tool",
         unproved=("musl",),
         twin="{run env} true"),
]

FILES = [
    Case("read: absent", "file-missing", "{bad}/app.conf", ACTOR, READ, data),
    Case("read: not readable", "permission-denied", "{bad}/app.conf", ACTOR, READ, data_closed, nobody=True),
    Case("read: link loop", "symlink-loop", "{bad}/app.conf", ACTOR, READ, data_link("app.conf")),
    Case("read: dangling link", "symlink-dangling", "{bad}/app.conf.old", ACTOR, READ, data_link("app.conf.old")),
    Case("read: variable", "environment-wrong", "APP_HOME={bad}/app/etc", ACTOR, "{actor} variable APP_HOME",
         env={"APP_HOME": "{here}/app/etc"}, twin="{actor} try-variable APP_HOME"),
]

LIMITS = [
    Case("descriptors", "resource-limit", "RLIMIT_NOFILE", ACTOR, "/bin/sh -c 'ulimit -n 40; {actor} files /dev/null'",
         twin="/bin/sh -c 'ulimit -n 40; {actor} try-files /dev/null'"),
    Case("address space", "resource-limit", "RLIMIT_AS", ACTOR,
         "/bin/sh -c 'ulimit -v 200000; {actor} memory 0x40000000'",
         twin="/bin/sh -c 'ulimit -v 200000; {actor} try-memory 0x40000000'"),
    Case("full file system", "resource-limit", "ENOSPC:/mnt/full", ACTOR, "{actor} fill /mnt/full/out",
         twin="{actor} try-fill /mnt/full/out"),
    Case("unix socket", "connection-refused", "/run/no-such-daemon.sock", ACTOR,
         "{actor} socket /run/no-such-daemon.sock", twin="{actor} try-socket /run/no-such-daemon.sock"),
    Case("port", "connection-refused", "127.0.0.1:1", ACTOR, "{actor} port 1", twin="{actor} try-port 1"),
    Case("policy: EPERM", "syscall-blocked", "memfd_create", ACTOR, "{actor} deny memfd_create {actor} call memfd_create",
         twin="{actor} deny memfd_create {actor} try-call memfd_create"),
    Case("policy: ENOSYS", "syscall-blocked", "statx", ACTOR, "{actor} lack statx {actor} call statx",
         twin="{actor} lack statx {actor} try-call statx"),
    Case("policy: kill", "syscall-blocked", "statx", ACTOR, "{actor} kill statx {actor} call statx",
         twin="{actor} kill statx {actor} read /dev/null"),
    Case("null pointer", "crash", "SIGSEGV", ACTOR, "{actor} crash null", twin="{actor} crash nothing", unproved=ALL),
    Case("abort", "crash", "SIGABRT", ACTOR, "{actor} crash abort", twin="{actor} crash nothing", unproved=ALL),
]

CASES = [*AT_START, *OPENED, *EXECUTED, *FILES, *LIMITS]
