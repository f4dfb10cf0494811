"""cut_versions.py RELEASE FILE...: makes libraries of a newer glibc, and the compiler's that go with it, define only the
versions that RELEASE's systems have, in place.

A definition keeps its place but gets another hash and the library's own name, so that nobody finds it; what needs one of
them itself does so weakly from then on, and the banner says RELEASE. Which versions the compiler's libraries had is from the "ABI
Policy and Guidelines" of libstdc++'s manual: GCC 4.8 in RHEL 7, GCC 8 in Debian 10 and RHEL 8.
"""

import pathlib
import re
import struct
import sys

ENDS = {"2.17": {"GLIBC": "2.17", "GLIBCXX": "3.4.19", "CXXABI": "1.3.7", "GCC": "4.8.0"},
        "2.28": {"GLIBC": "2.28", "GLIBCXX": "3.4.25", "CXXABI": "1.3.11", "GCC": "7.0.0"}}
SHT_VERDEF, SHT_VERNEED, VER_FLG_WEAK = 0x6ffffffd, 0x6ffffffe, 2


def sections(data):
    at, = struct.unpack_from("<Q", data, 40)
    size, count = struct.unpack_from("<HH", data, 58)
    for i in range(count):
        _, kind, _, _, offset, length, link, info = struct.unpack_from("<IIQQQQII", data, at + i * size)
        yield kind, offset, length, link, info


def text(data, at):
    return data[at:data.index(b"\0", at)].decode()


def numbers(version):
    return [int(part) for part in version.split(".")]


def is_newer(name, ends):
    found = re.fullmatch(r"([A-Z]+)_([0-9.]+)", name)
    return bool(found) and found[1] in ends and numbers(found[2]) > numbers(ends[found[1]])


def cut(data, ends):
    table = list(sections(data))
    for kind, at, _, link, count in table:
        strings, base = table[link][1] if link < len(table) else 0, None
        for _ in range(count if kind in (SHT_VERDEF, SHT_VERNEED) else 0):
            if kind == SHT_VERDEF:
                value, aux, after = struct.unpack_from("<III", data, at + 8)
                name, = struct.unpack_from("<I", data, at + aux)
                base = name if base is None else base  # the first is the library itself
                if is_newer(text(data, strings + name), ends):
                    struct.pack_into("<I", data, at + 8, value ^ 1)
                    struct.pack_into("<I", data, at + aux, base)
            else:
                names, _, aux, after = struct.unpack_from("<HIII", data, at + 2)
                for _ in range(names):
                    flags, = struct.unpack_from("<H", data, at + aux + 4)
                    name, step = struct.unpack_from("<II", data, at + aux + 8)
                    if is_newer(text(data, strings + name), ends):
                        struct.pack_into("<H", data, at + aux + 4, flags | VER_FLG_WEAK)
                    aux += step
            at += after


def main():
    release, ends = sys.argv[1], ENDS[sys.argv[1]]
    for file in map(pathlib.Path, sys.argv[2:]):
        data = bytearray(file.read_bytes())
        cut(data, ends)
        file.write_bytes(re.sub(rb"(release version )\d\.\d\d", rb"\g<1>" + release.encode(), bytes(data)))


main()
