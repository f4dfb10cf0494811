"""What `glibctrace check` says of every dynamic file of this system against what ld.so itself says of it: the objects
(ld.so --list), and the symbols that nobody defines (what ldd -r shows); part of `make conformance`. Directories may be named.
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[2]
LOADER = "/lib64/ld-linux-x86-64.so.2"
DIRECTORIES = ["/usr/bin", "/usr/sbin", "/usr/lib", "/usr/libexec"]
ASKED = {"LD_TRACE_LOADED_OBJECTS": "1", "LD_WARN": "yes", "LD_BIND_NOW": "1", "PATH": "/bin", "LC_ALL": "C"}
AT_ONCE = 100  # files for one run of check


def is_object(path):
    """A program or library of this loader's machine."""
    if os.path.islink(path) or not os.path.isfile(path) or path.endswith(".debug"):
        return False
    try:
        with open(path, "rb") as file:
            head = file.read(20)
    except OSError:
        return False
    return len(head) == 20 and head[:5] == b"\x7fELF\x02" and head[16] in (2, 3) and head[18] == 62


def objects_of(directories):
    for directory in directories:
        for folder, folders, files in os.walk(directory):
            folders[:] = sorted(name for name in folders if not os.path.islink(os.path.join(folder, name)))
            yield from (path for name in sorted(files) if is_object(path := os.path.join(folder, name)))


def checked(program, files):
    """file -> (verdict, objects, undefined symbols)."""
    with tempfile.TemporaryDirectory(prefix="glibctrace-conformance-") as folder:
        out = pathlib.Path(folder) / "r.json"
        subprocess.run([program, "check", "-q", "--no-redact", "-o", out, *files], check=False)
        report = json.loads(out.read_text())
    told = {row["file"]: (row["verdict"], set(), set()) for row in report.get("files", [])}
    for row in report.get("objects", []):
        if row["path"] != row["of"]:
            told[row["of"]][1].add(row["path"] or row["name"])
    for row in report.get("unbound", []):
        if row["strength"] == "strong":
            told[row["of"]][2].add((row["symbol"], row["by"]))
    return told


def by_loader(file):
    """(it ends of something, objects, undefined symbols), or None where it has nothing to do with this loader."""
    ran = subprocess.run([LOADER, file], capture_output=True, text=True, env=ASKED, check=False)
    said = ran.stdout + ran.stderr
    if "statically linked" in said:
        return None
    objects = set(re.findall(r"^\t(?:\S+ => )?(/\S+) \(0x", said, re.M)) | set(re.findall(r"^\t(\S+) => not found", said, re.M))
    return ("error while loading" in said or "not found" in said, objects,
            set(re.findall(r"undefined symbol: ([^\s,]+)[^\n(]*\((\S+)\)", said)))


def differences(file, told, asked):
    verdict, objects, symbols = told
    ends, listed, undefined = asked
    fails = "does not load" in verdict
    if ends != fails:
        yield f"the loader {'ends' if ends else 'does not end'}, check says {verdict}"
    if not ends and objects != listed:
        yield f"objects: the loader alone {sorted(listed - objects)}, check alone {sorted(objects - listed)}"
    if not ends and symbols != undefined:
        yield f"symbols: the loader alone {sorted(undefined - symbols)[:5]}, check alone {sorted(symbols - undefined)[:5]}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", default=TOP / "build" / "glibctrace")
    parser.add_argument("directories", nargs="*", default=DIRECTORIES)
    options = parser.parse_args()
    files = list(objects_of(options.directories))
    compared = failing = differing = symbols = 0
    for first in range(0, len(files), AT_ONCE):
        part = files[first:first + AT_ONCE]
        told = checked(options.program, part)
        for file in part:
            asked = by_loader(file)
            if asked is None:
                continue
            compared, failing, symbols = compared + 1, failing + asked[0], symbols + len(asked[2])
            found = [f"{file}: {text}" for text in differences(file, told[file], asked)] if file in told else [f"{file}: passed over"]
            differing += bool(found)
            for line in found:
                print(line)
    print(f"check against {LOADER}: {compared} files compared, {failing} of which do not load, {symbols} undefined symbols; "
          f"{differing} differ")
    return differing > 0 or not compared


if __name__ == "__main__":
    sys.exit(main())
