"""`glibctrace check` of an archive: as of what is in it, which is unpacked nowhere but in a directory of ours."""

import functools
import gzip
import hashlib
import io
import os
import pathlib
import random
import signal
import stat
import struct
import subprocess
import tarfile
import tempfile
import time
import zipfile

import pytest

from conftest import HANGS_AFTER
from test_check_tree import build, check, library  # noqa: F401 (a fixture)

MAIN = "int main(void) { return 0; }"


@functools.cache
def made():
    """An application with a library of its own where packages put it, and one that is lacking: name to (bytes, mode)."""
    with tempfile.TemporaryDirectory() as place:
        folder = pathlib.Path(place)
        own = library(folder / "libown1.so", "int own(void) { return 1; }")
        lacking = library(folder / "liblacking1.so", "int lacking(void) { return 1; }")
        good = build(folder / "good", "int own(void); int main(void) { return own(); }", own)
        bad = build(folder / "bad", "int lacking(void); int main(void) { return lacking(); }", lacking)
        static = build(folder / "static", MAIN, "-static")
        runtime = build(folder / "runtime", "#include <dlfcn.h>\nint main(void) "
                                            '{ return !dlopen("libfuse.so.2", RTLD_LAZY); }')
        return {file.name: file.read_bytes() for file in (own, good, bad, static, runtime)}


def files():
    return {"usr/bin/good": (made()["good"], 0o755), "usr/bin/bad": (made()["bad"], 0o755),
            "usr/lib/libown1.so": (made()["libown1.so"], 0o644), "usr/share/doc/x/README": (b"x" * 1000, 0o644),
            "usr/bin/script": (b"#!/usr/bin/good\n", 0o755)}


def tar(members, mode="w:gz", more=()):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, (data, bits) in members.items():
            info = tarfile.TarInfo("./" + name)
            info.size, info.mode = len(data), bits
            archive.addfile(info, io.BytesIO(data))
        for info in more:
            archive.addfile(info)
    return out.getvalue()


def ar(members):
    out = b"!<arch>\n"
    for name, data in members:
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode() + data + b"\n" * (len(data) % 2)
    return out


def zstd(data):
    return subprocess.run(["zstd", "-c", "-q"], input=data, stdout=subprocess.PIPE, check=True).stdout


def tar_zst(members):
    return zstd(tar(members, "w"))


def deb(members, more=()):
    return ar([("debian-binary", b"2.0\n"), ("control.tar.gz", tar({"control": (b"Package: x\n", 0o644)})),
               ("data.tar.xz", tar(members, "w:xz", more))])


def deb_zst(members):
    """As Ubuntu makes them."""
    return ar([("debian-binary", b"2.0\n"), ("control.tar.zst", tar_zst({"control": (b"Package: x\n", 0o644)})),
               ("data.tar.zst", tar_zst(members))])


def apk(members):
    """Alpine's: a signature, a description, the files, each packed by itself; only the last .tar is closed."""
    def part(files):
        return gzip.compress(tar(files, "w").rstrip(b"\0").ljust(1024, b"\0"))
    return part({".SIGN.RSA.x": (b"x" * 512, 0o644)}) + part({".PKGINFO": (b"x" * 512, 0o644)}) + tar(members)


def cpio(members):
    out = b""
    for number, (name, (data, bits)) in enumerate([*members.items(), ("TRAILER!!!", (b"", 0))]):
        spelt = b"./" + name.encode() if data else name.encode()
        fields = [number + 1, stat.S_IFREG | bits, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(spelt) + 1, 0]
        entry = b"070701" + b"".join(b"%08x" % field for field in fields) + spelt + b"\0"
        out += entry + bytes(-len(entry) % 4) + data + bytes(-len(data) % 4)
    return out


def rpm(members, pack=gzip.compress, digest=False):
    """The lead, an empty signature and a header (rpm's docs/manual/format_v4.md), then the payload."""
    lead = b"\xed\xab\xee\xdb\x03\x00" + struct.pack(">hh66shh16s", 0, 1, b"x-1-1", 1, 5, b"")
    payload = pack(cpio(members))
    index, store = b"", b""
    if digest:
        store = struct.pack(">I", 8) + hashlib.sha256(payload).hexdigest().encode() + b"\0"
        index = struct.pack(">IIII", 5092, 8, 4, 1) + struct.pack(">IIII", 5093, 4, 0, 1)

    def header(index, store):
        return b"\x8e\xad\xe8\x01" + bytes(4) + struct.pack(">II", len(index) // 16, len(store)) + index + store
    return lead + header(b"", b"") + header(index, store) + payload


def rpm_zst(members):
    """As Fedora makes them."""
    return rpm(members, zstd, True)


def zipped(members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, (data, bits) in members.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (stat.S_IFREG | bits) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    return out.getvalue()


@pytest.mark.parametrize("form", [deb, deb_zst, rpm, rpm_zst, apk])
def test_a_package(check, tmp_path, form):  # noqa: F811
    """Its own libraries and interpreters are where they will have been put."""
    pack = tmp_path / "x.bin"
    pack.write_bytes(form(files()))
    status, report, said = check(pack, env={"TMPDIR": str(tmp_path)})
    assert [(c["kind"], c["subject"], c["missing"]) for c in report["causes"]] == [
        ("library-missing", "/usr/bin/bad", "liblacking1.so")], said
    assert status == 1
    assert {row["file"]: row["verdict"] for row in report["files"]} == {
        "/usr/bin/good": "loads", "/usr/bin/bad": "does not load: 1 cause", "/usr/bin/script": "loads",
        "/usr/lib/libown1.so": "loads in /usr/bin/good"}
    assert not [name for name in os.listdir(tmp_path) if name.startswith("glibctrace-")]


@pytest.mark.parametrize("form", [zipped, tar, lambda m: tar(m, "w:xz"), lambda m: tar(m, "w:bz2"), lambda m: tar(m, "w"),
                                  tar_zst])
def test_an_archive(check, tmp_path, form):  # noqa: F811
    members = files()
    del members["usr/bin/script"], members["usr/lib/libown1.so"], members["usr/bin/good"]
    pack = tmp_path / "x"
    pack.write_bytes(form(members | {"usr/bin/static": (made()["static"], 0o755)}))
    status, report, said = check(pack, env={"TMPDIR": str(tmp_path)})
    assert [(c["kind"], c["subject"], c["missing"]) for c in report["causes"]] == [
        ("library-missing", "usr/bin/bad", "liblacking1.so")], said
    assert status == 1
    assert {row["file"] for row in report["files"]} == {"usr/bin/bad", "usr/bin/static"}


def test_links_in_a_package(check, tmp_path):  # noqa: F811
    """A library's usual link is followed; a hard link is a file; an absolute link leads to below the package's "/"; what
    leads out is passed over, and said."""
    members = files()
    del members["usr/bin/bad"], members["usr/bin/script"]
    members["usr/lib/real/libown1.so.1.2"] = members.pop("usr/lib/libown1.so")

    def link(name, text, kind=tarfile.SYMTYPE):
        info = tarfile.TarInfo("./" + name)
        info.type, info.linkname = kind, text
        return info
    more = [link("usr/lib/libown1.so", "/usr/lib/libown1.so.1"), link("usr/out", "../../etc"),
            link("usr/lib/libown1.so.1", "../lib/real/libown1.so.1.2"), link("usr/bin/hard", "./usr/bin/good", tarfile.LNKTYPE),
            link("dev-null", "", tarfile.CHRTYPE)]
    pack = tmp_path / "x.deb"
    pack.write_bytes(deb(members, more))
    status, report, said = check(pack)
    assert (status, report["causes"]) == (0, []), said
    assert {row["file"]: row["verdict"] for row in report["files"]} == {
        "/usr/bin/good": "loads", "/usr/bin/hard": "loads", "/usr/lib/real/libown1.so.1.2": "loads in /usr/bin/good"}
    assert "2 entries" in said


def cut(data):
    return data[:len(data) * 2 // 3]


def changed(data):
    return data[:len(data) // 2] + bytes([data[len(data) // 2] ^ 0x55]) + data[len(data) // 2 + 1:]


def last(data):
    """The checksum at its end: behind all that an archive's entries need."""
    return data[:-6] + bytes([data[-6] ^ 0x55]) + data[-5:]


@pytest.mark.parametrize("form, spoil, words", [
    *((form, cut, "") for form in (deb, deb_zst, rpm, rpm_zst, apk, tar, tar_zst)), (zipped, cut, "cut off"),
    (zipped, changed, "changed"), (deb, changed, ""), (tar, changed, "changed"), (rpm, changed, "changed"),
    (rpm_zst, changed, "digest"), (tar, last, "checksum"), (lambda m: tar(m, "w:xz"), last, ""), (tar_zst, last, ""),
    (lambda m: tar(m, "w:xz"), lambda data: data[:-20], ""), (tar, lambda data: data[:-8], "cut off")])
def test_what_is_damaged_is_refused(check, tmp_path, form, spoil, words):  # noqa: F811
    pack = tmp_path / "x"
    pack.write_bytes(spoil(form(files())))
    status, report, said = check(pack, env={"TMPDIR": str(tmp_path)})
    assert status == 2 and said.startswith("glibctrace: ") and said.count("\n") == 1, said
    assert words in said
    assert not [name for name in os.listdir(tmp_path) if name.startswith("glibctrace-")]


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/evil"])
def test_a_name_that_leads_out_is_refused(check, tmp_path, name):  # noqa: F811
    pack = tmp_path / "in" / "x.zip"
    pack.parent.mkdir()
    pack.write_bytes(zipped({"ok": (b"#!/bin/sh\n", 0o755), name: (b"#!/bin/sh\n", 0o755)}))
    status, _, said = check(pack, env={"TMPDIR": str(pack.parent)})
    assert status == 2 and "is refused" in said
    assert not (tmp_path / "evil").exists()


def test_it_goes_with_us(tool, tmp_path):
    """Killed while it unpacks, it leaves nothing behind."""
    pack = tmp_path / "x.tar.gz"
    pack.write_bytes(tar({"a": (b"\x7fELF" + bytes(100 << 20), 0o755)}))

    def there():
        return [name for name in os.listdir(tmp_path) if name.startswith("glibctrace-")]
    process = subprocess.Popen([tool, "check", pack], env={"TMPDIR": str(tmp_path), "PATH": os.environ["PATH"]},
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    begin = time.monotonic()
    while not there():
        assert process.poll() is None and time.monotonic() - begin < HANGS_AFTER
    process.kill()
    assert process.wait() == -signal.SIGKILL
    while there():
        assert time.monotonic() - begin < HANGS_AFTER


SETS_PATH = b'''#!/bin/sh
HERE="$(dirname "$(readlink -f "$0")")"
export LD_LIBRARY_PATH="$HERE/usr/nowhere:${HERE}/usr/lib/:/usr/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
exec "$HERE/usr/bin/good" "$@"
'''
PLAIN = b'#!/bin/sh\nexec "$(dirname "$0")/usr/bin/good"\n'


def appimage(tmp_path, apprun, *options, leave=("usr/bin/script",)):
    """Type 2 as the specification has it: a program with its mark at offset 8, and behind its end a squashfs."""
    members = {name: member for name, member in files().items() if name not in leave}
    top, image = tmp_path / "AppDir", tmp_path / "image"
    for name, (data, bits) in (members | {"AppRun": (apprun, 0o755)}).items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(data)
        (top / name).chmod(bits)
    (top / "out").symlink_to("../../etc")
    (top / "app").symlink_to("usr/bin/good")
    subprocess.run(["mksquashfs", top, image, "-noappend", "-quiet", "-no-progress", *options], check=True,
                   stdout=subprocess.DEVNULL)
    program = bytearray(made()["runtime"])
    program[8:11] = b"AI\2"
    return bytes(program), image.read_bytes()


KNOWN = subprocess.run(["pkg-config", "--exists", "libsquashfs1"], check=False).returncode == 0


def check_appimage(check, tmp_path, data):  # noqa: F811
    pack = tmp_path / "x.AppImage"
    pack.write_bytes(data)
    pack.chmod(0o755)
    status, report, said = check(pack, env={"TMPDIR": str(tmp_path)})
    assert not [name for name in os.listdir(tmp_path) if name.startswith("glibctrace-")]
    if not KNOWN:
        assert "built without libsquashfs" in said
    return status, report, said


@pytest.mark.parametrize("apprun, options", [(SETS_PATH, ["-comp", "gzip"]), (SETS_PATH, ["-comp", "xz", "-b", "4K"]),
                                             (PLAIN, ["-comp", "zstd"])], ids=["gzip", "xz", "zstd"])
def test_an_appimage(check, tmp_path, apprun, options):  # noqa: F811
    """Its runtime, and what is in it; its own libraries are found where AppRun says so."""
    status, report, said = check_appimage(check, tmp_path, b"".join(appimage(tmp_path, apprun, *options)))
    if not KNOWN:
        return
    causes = [("library-missing", "usr/bin/bad", "liblacking1.so")]
    if apprun == PLAIN:
        causes.append(("library-off-path", "usr/bin/good", "libown1.so"))
    assert [(c["kind"], c["subject"], c["missing"]) for c in report["causes"]] == causes, said
    assert status == 1
    verdicts = {row["file"]: row["verdict"] for row in report["files"]}
    assert verdicts.pop(str(tmp_path / "x.AppImage")) == "loads"
    assert verdicts["usr/bin/bad"] == "does not load: 1 cause" and verdicts["AppRun"] == "loads"
    assert verdicts["usr/bin/good"] == ("loads" if apprun == SETS_PATH else "does not load: 1 cause")
    assert ("LD_LIBRARY_PATH=usr/lib," in said) == (apprun == SETS_PATH)
    assert "1 entry of x.AppImage that leads out" in said
    assert [row["opens"] for row in report["opened"]] == ["libfuse.so.2"]


@pytest.mark.parametrize("spoil, words", [
    (lambda program, image: program + cut(image), "cut off"), (lambda program, image: program, "nothing behind"),
    (lambda program, image: program + image[:500], "cut off"), (lambda program, image: program[:-100], "cut off"),
    (lambda program, image: program + image[:96] + bytes(len(image) - 96), "damaged")])
def test_a_damaged_appimage_is_refused(check, tmp_path, spoil, words):  # noqa: F811
    status, report, said = check_appimage(check, tmp_path, spoil(*appimage(tmp_path, PLAIN)))
    if KNOWN:
        assert status == 2 and said.startswith("glibctrace: ") and said.count("\n") == 1 and words in said, said


def test_another_file_system_is_not_guessed(check, tmp_path):  # noqa: F811
    """What cannot be read is no fault, and is said."""
    program, image = appimage(tmp_path, PLAIN)
    status, report, said = check_appimage(check, tmp_path, program + b"DWARFS" + image[6:])
    assert (status, report["causes"]) == (0, []) and "none that is read here" in said and "--appimage-extract" in said
    assert [row["verdict"] for row in report["files"]][0] == "loads"


def test_hostile_appimages(check, tmp_path):  # noqa: F811
    """Whatever is changed in one: an answer or a refusal, and nothing left behind (check_appimage)."""
    program, image = appimage(tmp_path, SETS_PATH, "-noI", "-noId", "-noX", "-noF", "-noD", "-no-fragments",
                              leave=("usr/bin/bad", "usr/bin/script"))
    seed = random.Random(1)
    for _ in range(20):
        changed = bytearray(image)
        for _ in range(seed.choice([1, 2, 8])):
            at = seed.choice([seed.randrange(96), seed.randrange(len(image) * 9 // 10, len(image))])
            changed[at] = seed.choice([0, 255, changed[at] ^ 1 << seed.randrange(8)])
        status, _, said = check_appimage(check, tmp_path, program + changed)
        assert status in (0, 1, 2) and "Sanitizer" not in said, said
