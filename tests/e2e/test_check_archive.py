"""`glibctrace check` of an archive: as of what is in it, which is unpacked nowhere but in a directory of ours."""

import gzip
import hashlib
import io
import os
import stat
import struct
import subprocess
import tarfile
import zipfile

import pytest

from test_check_tree import build, check, library  # noqa: F401 (a fixture)

MAIN = "int main(void) { return 0; }"


def files(tmp_path):
    """An application with a library of its own where packages put it, and one that is lacking: name to (bytes, mode)."""
    own = library(tmp_path / "b" / "libown1.so", "int own(void) { return 1; }")
    lacking = library(tmp_path / "b" / "liblacking1.so", "int lacking(void) { return 1; }")
    good = build(tmp_path / "b" / "good", "int own(void); int main(void) { return own(); }", own)
    bad = build(tmp_path / "b" / "bad", "int lacking(void); int main(void) { return lacking(); }", lacking)
    own_bytes = own.read_bytes()
    own.unlink()
    lacking.unlink()
    return {"usr/bin/good": (good.read_bytes(), 0o755), "usr/bin/bad": (bad.read_bytes(), 0o755),
            "usr/lib/libown1.so": (own_bytes, 0o644), "usr/share/doc/x/README": (b"x" * 1000, 0o644),
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
    pack.write_bytes(form(files(tmp_path)))
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
    members = files(tmp_path)
    del members["usr/bin/script"], members["usr/lib/libown1.so"], members["usr/bin/good"]
    pack = tmp_path / "x"
    pack.write_bytes(form(members | {"usr/bin/static": (build(tmp_path / "s", MAIN, "-static").read_bytes(), 0o755)}))
    status, report, said = check(pack, env={"TMPDIR": str(tmp_path)})
    assert [(c["kind"], c["subject"], c["missing"]) for c in report["causes"]] == [
        ("library-missing", "usr/bin/bad", "liblacking1.so")], said
    assert status == 1
    assert {row["file"] for row in report["files"]} == {"usr/bin/bad", "usr/bin/static"}


def test_links_in_a_package(check, tmp_path):  # noqa: F811
    """A library's usual link is followed; a hard link is a file; an absolute link leads to below the package's "/"; what
    leads out is passed over, and said."""
    members = files(tmp_path)
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
    pack.write_bytes(spoil(form(files(tmp_path))))
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


def test_an_appimage(check, tmp_path):  # noqa: F811
    """What is behind its program cannot be seen, and that is said."""
    data = bytearray(build(tmp_path / "s", MAIN, "-static").read_bytes())
    data[8:11] = b"AI\2"
    pack = tmp_path / "x.AppImage"
    pack.write_bytes(data + b"hsqs" + bytes(4096))
    status, report, said = check(pack)
    assert (status, report["causes"]) == (0, []) and "loads here" not in said and "--appimage-extract" in said
