"""The files that loader_cases.py's rows are made of, built once a session against the libc.so.6 of the oldest root, so
that the same files run on every glibc; musl's programs are built with musl-gcc. They stand in a folder that is seen as
/mnt in every root, and not in the paths' names where they were built.
"""

import pathlib
import shutil
import struct
import subprocess

HERE = pathlib.Path(__file__).parent
DIRECTORY = "/mnt"
TRIPLET = "lib/x86_64-linux-gnu"


def compile_(directory, target, source, *flags):
    text = directory / f"{target}.c"
    text.parent.mkdir(parents=True, exist_ok=True)
    text.write_text(source)
    words = ["-shared", "-fPIC"] if ".so" in target else []
    command = [*words, "-w", "-O1", "-o", target, text, *flags]
    built = subprocess.run(["cc", *command], cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert built.returncode == 0, f"{command}\n{built.stdout}"
    text.unlink()
    return directory / target


class Works:
    """Builds into DIRECTORY. Libraries stand alone; programs are linked with the oldest root's libc."""

    def __init__(self, directory, oldest):
        self.directory = directory
        libc = oldest / TRIPLET
        first = subprocess.run(["cc", "-print-file-name=crt1.o"], stdout=subprocess.PIPE, text=True).stdout.strip()
        self.with_libc = ["-nostdlib", "-fno-stack-protector", first, "-Wl,--no-as-needed", f"-L{libc}", "-l:libdl.so.2",
                          "-l:libc.so.6", f"-Wl,-rpath-link,{libc}"]

    def library(self, name, source="int dep(void) { return 0; }", *flags, soname=None, libc=False):
        linked = self.with_libc[3:] if libc else []
        return compile_(self.directory, name, source, "-nostdlib", "-fno-stack-protector",
                        f"-Wl,-soname,{soname or pathlib.Path(name).name}", *flags, *linked)

    def program(self, name, source, *flags):
        path = f"-Wl,-rpath,{DIRECTORY}/{pathlib.Path(name).parent}"
        return compile_(self.directory, name, source, "-no-pie", "-fno-pie", *flags, path,
                        "-Wl,--allow-shlib-undefined", *self.with_libc)

    def versions(self, name, text):
        path = self.directory / f"{name}.map"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return f"-Wl,--version-script={path}"


CALLS = "int dep(void); int main(void) { return dep(); }"
MID = "int dep(void); int mid(void) { return dep(); }"
NEEDS = "-Wl,-z,lazy"
NOW = "-Wl,-z,now"


def at_start(w):
    """A program that needs libdep.so, in one folder a way of breaking it."""
    v1, v12 = "V1 { global: old; local: *; };", "V1 { }; V2 { global: dep; local: *; };"
    for name, flag in (("missing", NOW), ("undefined", NOW), ("undefined-lazy", NEEDS)):
        lib = w.library(f"{name}/libdep.so")
        w.program(f"{name}/prog", CALLS, flag, f"{name}/libdep.so")
        lib.unlink()
        if name != "missing":
            w.library(f"{name}/libdep.so", "int other(void) { return 0; }")
    for name, flag in (("no-version", NOW), ("no-symbol", NOW), ("no-symbol-lazy", NEEDS), ("no-versions", NOW),
                       ("no-tables", NOW)):
        w.library(f"{name}/libdep.so", "int dep(void) { return 0; }", w.versions(f"{name}/v12", v12))
        w.program(f"{name}/prog", CALLS, flag, f"{name}/libdep.so")
    w.library("no-version/libdep.so", "int old(void) { return 0; }", w.versions("no-version/v1", v1))
    for name in ("no-symbol", "no-symbol-lazy"):
        w.library(f"{name}/libdep.so", "int old(void) { return 0; }",
                  w.versions(f"{name}/v1", "V1 { global: old; local: *; }; V2 { };"))
    w.library("no-versions/libdep.so", "#include <unistd.h>\nint dep(void) { return getpid() < 0; }", libc=True)
    w.library("no-tables/libdep.so")
    w.library("bad/libdep.so")
    w.program("bad/prog", CALLS, NOW, "bad/libdep.so")
    (w.directory / "bad/libdep.so").write_text("no library\n" * 200)
    w.library("copy/libdep.so", "int dep_data = 1;")
    w.program("copy/prog", "extern int dep_data; int main(void) { return dep_data - 1; }", "copy/libdep.so")
    w.library("copy/libdep.so", "int dep_data[4] = {1};")


def to_open(w):
    """What the opener is given to open."""
    w.program("open/opener", (HERE / "opener.c").read_text(), "-DNEXT_TO_GLIBC", "-rdynamic")
    w.library("open/libgood.so")
    w.library("open/libdep.so", "int dep(void) { return 0; }")
    w.library("open/libmid.so", MID, "open/libdep.so")
    (w.directory / "open/libdep.so").unlink()
    w.library("open/libhole.so", "int hole(void); int dep(void) { return hole(); }")
    w.library("open/v2/libnew.so", "int dep(void) { return 0; }", w.versions("open/v12", "V1 { }; V2 { global: dep; };"))
    w.library("open/libneeds.so", MID, f"-Wl,-rpath,{DIRECTORY}/open", "open/v2/libnew.so")
    w.library("open/libnew.so", "int dep(void) { return 0; }", w.versions("open/v1", "V1 { global: dep; };"))
    w.library("open/libtls.so", "__thread char a[100000] __attribute__((tls_model(\"initial-exec\"))); "
              "char *dep(void) { return a; }")
    w.library("open/libstack.so", "int dep(void) { return 0; }", "-Wl,-z,execstack")
    w.library("open/libreloc.so", "int dep_data; int *dep = &dep_data;")
    w.library("open/libisa.so", ISA + "int dep(void) { return 0; }")
    w.program("isa/prog", ISA + "int main(void) { return 0; }")


ISA = r"""
__asm__(".pushsection .note.gnu.property,\"a\"\n.balign 8\n.long 4\n.long 16\n.long 5\n.asciz \"GNU\"\n"
        ".long 0xc0008002\n.long 4\n.long 0x8000\n.long 0\n.popsection");
"""


def patched(w, source, name, *changes):
    """NAME is SOURCE with bytes changed: (offset, bytes) each."""
    data = bytearray((w.directory / source).read_bytes())
    for at, new in changes:
        data[at:at + len(new)] = new
    (w.directory / name).write_bytes(data)


def broken_files(w):
    good = (w.directory / "open/libgood.so").read_bytes()
    folder = w.directory / "open"
    (folder / "libtext.so").write_text("no library\n" * 200)
    (folder / "libempty.so").write_bytes(b"")
    (folder / "libshort.so").write_bytes(good[:40])
    (folder / "libcut.so").write_bytes(good[:0x400])
    patched(w, "open/libgood.so", "open/libclass.so", (4, b"\1"))
    patched(w, "open/libgood.so", "open/libmachine.so", (18, struct.pack("<H", 183)))
    patched(w, "open/libreloc.so", "open/libreloc.so", *bad_relocations((folder / "libreloc.so").read_bytes()))
    (folder / "libloop.so").symlink_to("libloop2.so")
    (folder / "libloop2.so").symlink_to("libloop.so")
    (folder / "libdangling.so").symlink_to("nowhere.so")
    (folder / "libfolder.so").mkdir()
    (folder / "libclosed.so").write_bytes(good)
    (folder / "libclosed.so").chmod(0)


def bad_relocations(data):
    """Every relocation gets a type that no machine of this family has."""
    at, size = section(data, ".rela.dyn")
    return [(entry + 8, struct.pack("<I", 0xf0)) for entry in range(at, at + size, 24)]


def section(data, name):
    (offset,), (count, names) = struct.unpack_from("<Q", data, 40), struct.unpack_from("<HH", data, 60)
    headers = [struct.unpack_from("<IIQQQQ", data, offset + 64 * i) for i in range(count)]
    strings = headers[names][4]
    for head in headers:
        start = strings + head[0]
        if data[start:data.index(b"\0", start)] == name.encode():
            return head[4], head[5]
    raise AssertionError(f"no {name}")


def other_libcs(w, roots):
    """The C libraries of the oldest and of the newest root, to be found before a root's own."""
    for name, libc in (("old", "2.31"), ("new", "2.43")):
        (w.directory / name).mkdir()
        for file in ("libc.so.6", "libdl.so.2"):
            shutil.copy(roots[libc] / TRIPLET / file, w.directory / name)
    w.program("skew/prog", '#include <stdio.h>\nint main(void) { return puts("hello") < 0; }')


def static_program(w):
    compile_(w.directory, "static/opener", (HERE / "opener.c").read_text(), "-static", "-w")


def musl_files(w):
    """The same sources for musl."""
    def build(target, source, *flags):
        text = w.directory / f"{target}.c"
        text.parent.mkdir(parents=True, exist_ok=True)
        text.write_text(source)
        words = ["-shared", "-fPIC", "-nostdlib"] if ".so" in target else []
        built = subprocess.run(["musl-gcc", "-O1", "-o", target, text, *words, *flags], cwd=w.directory,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert built.returncode == 0, built.stdout
        text.unlink()

    build("musl/opener", (HERE / "opener.c").read_text())
    for name in ("missing", "undefined"):
        build(f"musl/{name}/libdep.so", "int dep(void) { return 0; }", "-Wl,-soname,libdep.so")
        build(f"musl/{name}/prog", CALLS, f"musl/{name}/libdep.so", f"-Wl,-rpath,{DIRECTORY}/musl/{name}")
    (w.directory / "musl/missing/libdep.so").unlink()
    build("musl/undefined/libdep.so", "int other(void) { return 0; }", "-Wl,-soname,libdep.so")


def build_all(directory, roots):
    w = Works(directory, roots["2.31"])
    at_start(w)
    to_open(w)
    broken_files(w)
    other_libcs(w, roots)
    static_program(w)
    musl_files(w)
