"""Broken libraries, one way of being broken a function, and the programs that come to harm by them.

Every maker builds lib/libdep.so.1 under a directory, first sound (so that programs can be linked), then breaks it, and
says what a right report must call the cause. `sound=True` leaves the disguise (same files, same searches) but mends it.
"""

import dataclasses
import os
import pathlib
import shutil
import subprocess

SOUND = "int dep(void) { return 0; }\n"
SONAME = "-Wl,-soname,libdep.so.1"


@dataclasses.dataclass
class Expected:
    kind: str
    missing: str
    provider: str | None = None
    env: dict = dataclasses.field(default_factory=dict)
    user: bool = False  # root is bound by no mode: run as somebody else
    words: str | None = None
    under: list = dataclasses.field(default_factory=list)  # what glibctrace is to be run by
    reproduction: str = "verified"


@dataclasses.dataclass
class Place:
    """Where a case is built: TOP with lib/ in it."""

    top: pathlib.Path
    cc: object

    @property
    def lib(self):
        (self.top / "lib").mkdir(exist_ok=True)
        return self.top / "lib"

    def library(self, source, *flags, where="lib", name="libdep.so.1"):
        (self.top / where).mkdir(exist_ok=True)
        return self.cc(source, SONAME, *flags, name=f"{where}/{name}", cwd=self.top)

    def versions(self, name, text):
        path = self.top / f"{name}.map"
        path.write_text(text)
        return f"-Wl,--version-script={path}"


def _versioned(place, where="lib"):
    return place.library(SOUND, place.versions("new", "DEP_1 { }; DEP_2 { global: dep; local: *; };"), where=where)


def _old(place, where="lib"):
    return place.library("int older(void) { return 0; }\n",
                         place.versions("old", "DEP_1 { global: older; local: *; };"), where=where)


def version_missing(place, link, sound):
    _versioned(place)
    link()
    if not sound:
        _old(place)
    return Expected("symbol-version-missing", "DEP_2", str(place.lib / "libdep.so.1"), words="DEP_2")


def symbol_missing(place, link, sound):
    place.library(SOUND)
    link()
    if not sound:
        place.library("int other(void) { return 0; }\n")
    return Expected("symbol-missing", "dep", words="dep")


def library_missing(place, link, sound):
    file = place.library(SOUND)
    link()
    if not sound:
        file.unlink()
    return Expected("library-missing", "libdep.so.1", words="libdep.so.1")


def off_path(place, link, sound):
    file = place.library(SOUND)
    link()
    if not sound:
        (place.top / "elsewhere").mkdir()
        shutil.move(file, place.top / "elsewhere" / file.name)
    return Expected("library-off-path", "libdep.so.1", words="libdep.so.1")


def shadowed(place, link, sound):
    _versioned(place)
    link()
    (place.top / "first").mkdir()
    if sound:
        shutil.copy(place.lib / "libdep.so.1", place.top / "first")
    else:
        _old(place, where="first")
    first = place.top / "first"
    return Expected("library-shadowed", "DEP_2", str(first / "libdep.so.1"), env={"LD_LIBRARY_PATH": str(first)})


def wrong_machine(place, link, sound):
    file = place.library(SOUND)
    link()
    if not sound:
        data = bytearray(file.read_bytes())
        data[18:20] = (183).to_bytes(2, "little")  # e_machine: EM_AARCH64
        file.write_bytes(data)
    return Expected("wrong-architecture", "x86_64", str(file))


def wrong_class(place, link, sound):
    file = place.library(SOUND)
    link()
    if not sound:
        data = bytearray(file.read_bytes())
        data[4] = 1  # EI_CLASS: ELFCLASS32
        data[18:20] = (3).to_bytes(2, "little")  # EM_386
        file.write_bytes(data)
    return Expected("wrong-architecture", "x86_64", str(file))


def empty(place, link, sound):
    file = place.library(SOUND)
    link()
    if not sound:
        file.write_bytes(b"")
    return Expected("object-corrupt", str(file), str(file))


def text(place, link, sound):
    file = place.library(SOUND)
    link()
    if not sound:
        file.write_text("<html>404 not found, but in a file of this name</html>\n" * 30)
    return Expected("object-corrupt", str(file), str(file))


def cut(place, link, sound):
    file = place.library(SOUND)
    link()
    if not sound:
        data = file.read_bytes()
        file.write_bytes(data[:200])
    return Expected("object-corrupt", str(file), str(file))


def loop(place, link, sound):
    file = place.library(SOUND)
    link()
    if not sound:
        file.unlink()
        (place.lib / "libdep.so").symlink_to("libdep.so.1")
        file.symlink_to("libdep.so")
    return Expected("symlink-loop", str(file))


def dangling(place, link, sound):
    file = place.library(SOUND)
    link()
    real = place.lib / "libdep.so.1.2.3"
    shutil.move(file, real)
    file.symlink_to(real.name)
    if not sound:
        real.unlink()
    return Expected("symlink-dangling", str(real))


def unreadable(place, link, sound):
    file = place.library(SOUND)
    link()
    if not sound:
        file.chmod(0)
    return Expected("permission-denied", str(file), user=True)


def own_mounts():
    """Words that run a command with mounts of its own. In a chroot / is no mount point, so its propagation stays as it is."""
    if os.geteuid() != 0:
        return ["unshare", "-r", "-m"]
    private = ["unshare", "-m"]
    return private if subprocess.run([*private, "true"]).returncode == 0 else [*private, "--propagation", "unchanged"]


OWN_MOUNTS = own_mounts()
MOUNTED = 'mount -t tmpfs -o "$1" none "$2" && cp "$3" "$2" && shift 3 && exec "$@"'


def mounted(option, mount, file):
    """Words that run a command where MOUNT is a file system mounted with OPTION, and a copy of FILE in it."""
    return [*OWN_MOUNTS, "sh", "-c", MOUNTED, "sh", option, str(mount), str(file)]


def noexec(place, link, sound):
    """A copy that is searched first stands on a mount of its own."""
    file = place.library(SOUND)
    link()
    mount = place.top / "sealed"
    mount.mkdir()
    return Expected("noexec-mount", str(mount), str(mount / file.name), env={"LD_LIBRARY_PATH": str(mount)},
                    under=mounted("exec" if sound else "noexec", mount, file), words="failed to map segment")


def level_beyond(data):
    """DATA, an ELF file linked with -z x86-64-v4, as if for a level above what this processor has."""
    at = data.index((0xc0008002).to_bytes(4, "little") + (4).to_bytes(4, "little")) + 8
    flags = pathlib.Path("/proc/cpuinfo").read_text()
    level = 4 if " avx512vl " in flags else 3  # as bits count from 0: v5, v4
    return data[:at] + (1 << level).to_bytes(4, "little") + data[at + 4:], f"x86-64-v{level + 1}"


def cpu_level(place, link, sound):
    file = place.library(SOUND, "-Wl,-z,x86-64-v4")
    link()
    data, level = level_beyond(file.read_bytes())
    file.write_bytes(data)
    if sound:
        place.library(SOUND, "-Wl,-z,x86-64-v2")
    return Expected("cpu-level-too-low", level, str(file), words="CPU ISA level is lower than required")


def _thread_local(size):
    return (f'static __thread char block[{size}] __attribute__((tls_model("initial-exec")));\n'
            "int dep(void) { return block[1]; }\n")


def static_tls(place, link, sound):
    file = place.library(_thread_local(64 if sound else 8192))
    link()
    return Expected("static-tls-exhausted", str(file), str(file), words="static TLS block")


def execstack(place, link, sound):
    file = place.library(SOUND, "-Wl,-z,noexecstack" if sound else "-Wl,-z,execstack")
    link()
    return Expected("execstack-refused", str(file), str(file), words="cannot enable executable stack")


# What a loader refuses although the file is there and whole.
DEMANDS = {f.__name__: f for f in (noexec, cpu_level, static_tls, execstack)}

WAYS = {f.__name__: f for f in (version_missing, symbol_missing, library_missing, off_path, shadowed, wrong_machine,
                                wrong_class, empty, text, cut, loop, dangling, unreadable)}

MAIN = """
#include <stdio.h>
int FUNCTION(void);
int main(void) { puts("started"); return FUNCTION(); }
"""
MIDDLE = "int dep(void); int middle(void) { return dep(); }\n"
OPENER = r"""
#include <dlfcn.h>
#include <stdio.h>
int main(int argc, char **argv)
{
    void *handle = dlopen(argv[1], RTLD_NOW);
    if (!handle) {
        fprintf(stderr, "plugin: %s\n", dlerror());
        return argc > 2 ? 0 : 1;
    }
    int (*middle)(void) = (int (*)(void))dlsym(handle, "middle");
    printf("started\n");
    return middle();
}
"""
RUNPATH = "-Wl,-rpath,$ORIGIN/lib", "-Wl,--enable-new-dtags", "-Wl,-z,now"
MID_RUNPATH = "-Wl,-rpath,$ORIGIN", "-Wl,--enable-new-dtags", "-Wl,-z,now"


def _main(place, function, *libraries):
    return place.cc(MAIN.replace("FUNCTION", function), *libraries, "-Wl,--allow-shlib-undefined", *RUNPATH, name="prog",
                    cwd=place.top)


def _middle(place):
    return place.cc(MIDDLE, "lib/libdep.so.1", "-Wl,-soname,libmid.so", *MID_RUNPATH, name="lib/libmid.so", cwd=place.top)


@dataclasses.dataclass
class Case:
    command: list
    subject: str
    chain: list
    expected: Expected
    impact: str = "fatal"


def _build(place, way, sound, link):
    return {**WAYS, **DEMANDS}[way](place, link, sound)


def program_itself(place, way, sound):
    expected = _build(place, way, sound, lambda: _main(place, "dep", "lib/libdep.so.1"))
    prog = str(place.top / "prog")
    return Case([prog], prog, [prog], expected)


def library_of_library(place, way, sound):
    def link():
        _middle(place)
        _main(place, "middle", "lib/libmid.so")

    expected = _build(place, way, sound, link)
    prog, mid = str(place.top / "prog"), str(place.lib / "libmid.so")
    return Case([prog], mid, [prog, mid], expected)


def three_shells_deep(place, way, sound):
    case = program_itself(place, way, sound)
    case.command = ["sh", "-c", f"sh -c 'sh -c \"{case.command[0]}; exit \\$?\"; exit $?'; exit $?"]
    shell = os.path.realpath(shutil.which("sh"))
    case.chain = [shell, shell, shell, *case.chain]
    return case


def opened_while_running(place, way, sound):
    def link():
        _middle(place)
        place.cc(OPENER, "-ldl", name="opener", cwd=place.top)

    expected = _build(place, way, sound, link)
    opener, mid = str(place.top / "opener"), str(place.lib / "libmid.so")
    return Case([opener, mid], mid, [opener, mid], expected)


def survived(place, way, sound):
    case = opened_while_running(place, way, sound)
    case.command.append("goes-on")
    case.impact = "degraded"
    return case


POSITIONS = {f.__name__: f for f in (program_itself, library_of_library, three_shells_deep, opened_while_running,
                                     survived)}
