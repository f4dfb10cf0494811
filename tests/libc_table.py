#!/usr/bin/python3
"""The measured rows of probes/releases.c: `make libc-table`.

Fetches libc6, libstdc++6 and libgcc-s1 of each suite of Debian from the machine's own configured mirror (kept in the
cache directory, fetched anew where the suite has newer ones), reads the version definitions of every library in them,
and prints the rows. Ends with 1 where probes/releases.c has another row. Testing moves: its row has to be put right now
and then.
"""

import os
import pathlib
import re
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[1]
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", "/var/tmp")) / "glibctrace-libc-table"
SUITES = {"bullseye": "11", "bookworm": "12", "trixie": "13", "testing": "testing"}
PACKAGES = ["libc6", "libstdc++6", "libgcc-s1"]
FAMILIES = {"GLIBC": "VERSIONS_GLIBC", "GLIBCXX": "VERSIONS_GLIBCXX", "CXXABI": "VERSIONS_CXXABI", "GCC": "VERSIONS_GCC"}
COMMON = {"GLIBC_PRIVATE", "CXXABI_TM_1", "CXXABI_FLOAT128"}


def mirror():
    listed = subprocess.run(["apt-get", "indextargets", "--format", "$(ORIGIN)|$(COMPONENT)|$(REPO_URI)",
                             "Created-By: Packages"], capture_output=True, text=True).stdout
    for line in listed.splitlines():
        if line.startswith("Debian|main|") and "security" not in line and "updates" not in line:
            return line.split("|")[2]
    sys.exit("libc-table: no Debian mirror is configured on this machine")


def fetch(suite, source):
    """The suite's packages, unpacked; the directory."""
    top = CACHE / suite
    for name in ("lists/partial", "cache/archives/partial", "debs", "root"):
        (top / name).mkdir(parents=True, exist_ok=True)
    (top / "sources.list").write_text(f"deb {source} {suite} main\n")
    options = [f"Dir::Etc::sourcelist={top}/sources.list", "Dir::Etc::sourceparts=/dev/null", f"Dir::State::lists={top}/lists",
               f"Dir::Cache={top}/cache", "Dir::State::status=/dev/null", "APT::Architecture=amd64", "APT::Sandbox::User=root",
               "Acquire::Languages=none", "Acquire::Check-Valid-Until=false"]
    apt = ["apt-get", "-qq", *(word for option in options for word in ("-o", option))]
    subprocess.run([*apt, "update"], check=True)
    subprocess.run([*apt, "download", *PACKAGES], cwd=top / "debs", check=True)
    for package in PACKAGES:
        newest = max((top / "debs").glob(f"{package}_*.deb"), key=lambda path: path.stat().st_mtime)
        subprocess.run(["dpkg-deb", "-x", newest, top / "root"], check=True)
    return top / "root"


def versions_of(root):
    """Every version that a library below ROOT defines, without the names of the libraries themselves."""
    found = set()
    for file in root.rglob("*.so*"):
        if file.is_symlink() or not file.is_file() or file.read_bytes()[:4] != b"\x7fELF":
            continue
        listed = subprocess.run(["readelf", "-W", "--version-info", file], capture_output=True, text=True).stdout
        defined = re.search(r"Version definition section.*?(?=\n\n|\nVersion needs|\Z)", listed, re.S)
        for line in defined.group(0).splitlines() if defined else []:
            name = re.search(r"Flags: (\S+).*Name: (\S+)", line)
            if name and name.group(1) != "BASE":
                found.add(name.group(2))
    return found


def order(number):
    return [int(part) for part in number.split(".")]


def row(number, versions, release):
    newest = {}
    for family in FAMILIES:
        numbers = [v[len(family) + 1:] for v in versions if re.fullmatch(rf"{family}_[0-9.]+", v)]
        newest[family] = max(numbers, key=order)
    others = sorted(v for v in versions if not re.fullmatch(r"[A-Z]+_[0-9.]+", v) and v.split("_")[0] in FAMILIES
                    and v not in COMMON)
    text = f'{{.system = "Debian", .number = "{number}", .glibc = "{release}", .newest = {{'
    text += ", ".join(f'[{name}] = "{newest[family]}"' for family, name in FAMILIES.items()) + "}"
    return text + (f', .others = "{" ".join(others)}"' if others else "") + "}"


def glibc_release(root):
    libc = next(path for path in root.rglob("libc.so.6"))
    return re.search(rb"GNU C Library .* release version (\d+\.\d+)", libc.resolve().read_bytes()).group(1).decode()


def main():
    table = re.sub(r"\s+", " ", (TOP / "probes" / "releases.c").read_text())
    source, differs = mirror(), False
    for suite, number in SUITES.items():
        root = fetch(suite, source)
        text = row(number, versions_of(root), glibc_release(root))
        same = text in table
        differs |= not same
        print(f"{'as in the table' if same else 'NOT IN THE TABLE':16} {text}")
    return differs


if __name__ == "__main__":
    sys.exit(main())
