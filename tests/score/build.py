"""Builds the cases' files: in DIRECTORY/FAMILY/NUMBER/bad and good, which a root sees below /mnt."""

import pathlib
import shutil
import subprocess

HERE = pathlib.Path(__file__).parent
TRIPLET = "lib/x86_64-linux-gnu"
SEEN_AS = "/mnt"


class Builder:
    """Compiles into FOLDER, which the root sees as SEEN."""

    def __init__(self, directory, folder):
        self.directory, self.folder = directory, folder
        self.seen = f"{SEEN_AS}/{folder.relative_to(directory)}"

    def compile(self, target, source, *words):
        path, text = self.folder / target, self.folder / f"{target}.c"
        path.parent.mkdir(parents=True, exist_ok=True)
        text.write_text(source)
        command = [self.compiler, "-w", "-O1", "-o", path, text, *words]
        built = subprocess.run(command, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert built.returncode == 0, f"{command}\n{built.stdout}"
        text.unlink()
        return path

    def versions(self, name, text):
        path = self.folder / f"{name}.map"
        path.write_text(text)
        return f"-Wl,--version-script={path}"

    def library(self, name, source, *flags, libc=False):
        return self.compile(name, source, "-shared", "-fPIC", "-nostdlib", "-fno-stack-protector",
                            f"-Wl,-soname,{pathlib.Path(name).name}", "-Wl,-rpath," + self.seen, *flags,
                            *(self.libc if libc else []))

    def program(self, name, source, *flags, tags="old"):
        order = "--enable-new-dtags" if tags == "new" else "--disable-new-dtags"
        return self.compile(name, source, *self.start, *flags, f"-Wl,{order},-rpath,{self.seen}", *self.end)


class Glibc(Builder):
    """Against the C library of the oldest root."""

    compiler = "cc"

    def __init__(self, directory, folder, oldest):
        super().__init__(directory, folder)
        libc = oldest / TRIPLET
        first = subprocess.run(["cc", "-print-file-name=crt1.o"], stdout=subprocess.PIPE, text=True).stdout.strip()
        self.libc = ["-Wl,--no-as-needed", f"-L{libc}", "-l:libc.so.6", f"-Wl,-rpath-link,{libc}"]
        self.start = ["-nostdlib", "-fno-stack-protector", "-no-pie", "-fno-pie", first]
        self.end = [*self.libc, "-l:libdl.so.2"]
        self.other = Musl.__new__(Musl)
        Builder.__init__(self.other, directory, folder)


class Musl(Builder):
    compiler = "musl-gcc"
    libc, start, end = ["-lc"], [], []

    def __init__(self, directory, folder, oldest):
        super().__init__(directory, folder)
        self.other = Glibc(directory, folder, oldest)


def build_all(cases, directory, oldest):
    """FAMILY/actor, and every case for the families that it is for."""
    for family, builder in (("glibc", Glibc), ("musl", Musl)):
        top = directory / family
        top.mkdir(parents=True)
        builder(directory, top, oldest).program("actor", (HERE / "actor.c").read_text())
        for number, case in enumerate(cases):
            if not any((libc == "musl") == (family == "musl") for libc in case.libcs):
                continue
            for state in ("bad", "good"):
                folder = top / str(number) / state
                folder.mkdir(parents=True)
                if case.make:
                    case.make(builder(directory, folder, oldest), state == "good")
    for path in directory.rglob("*.map"):
        path.unlink()


def remove(directory):
    shutil.rmtree(directory, ignore_errors=True)
