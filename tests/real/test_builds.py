"""`check --against` and `matrix` of native packages of the npm registry, and of one that was compiled here, on older and newer
C libraries and on musl: each answer is compared with what becomes of the file there.

The judges are the loaders themselves, each in its own root: dlopen(3) as node does it (opener.c), and for all versions that
are missing `ld.so --list`, which goes on after the first fault. Of glibc 2.17 and 2.28 nothing is left but their versions
(builds.sh).
"""

import os
import re
import subprocess

import pytest

from conftest import HERE

PACKAGES = ["@img/sharp-linux-x64", "@img/sharp-libvips-linux-x64", "@parcel/watcher-linux-x64-glibc", "node-pty", "@img/sharp-linuxmusl-x64",
            "@img/sharp-libvips-linuxmusl-x64", "@parcel/watcher-linux-x64-musl", "@rollup/rollup-linux-x64-musl", "bufferutil"]
ROOTS = {"glibc-2.17": "2.17", "glibc-2.28": "2.28", "bullseye": "2.31", "bookworm": "2.36", "trixie": "2.41", "forky": None, "musl": "musl"}
OF_NODE = re.compile(r"napi_|node_api_|node_module_register$|uv_|_ZNK?(2v8|4node)")
VERSION = re.compile(r"(\S+): version `([^']+)' not found \(required by (\S+)\)")
LOADER = "/lib64/ld-linux-x86-64.so.2"


@pytest.fixture(scope="session")
def packages(built_here):
    return built_here("packages") / "node_modules"


def files_of(packages, package):
    found = (f for f in (packages / package).rglob("*") if f.is_file() and re.search(r"\.node$|\.so(\.[0-9]+)*$", f.name))
    return sorted(f for f in found if f.read_bytes()[:20].endswith(b"\x3e\0") and f.read_bytes()[:4] == b"\x7fELF")


@pytest.fixture(scope="session")
def openers(packages, fetched, tmp_path_factory):
    """One for all glibcs, one for musl."""
    folder, names = tmp_path_factory.mktemp("openers"), set()
    for package in PACKAGES:
        for file in files_of(packages, package):
            told = subprocess.run(["nm", "-D", "--undefined-only", file], capture_output=True, text=True, check=True).stdout
            names |= {word for word in told.split() if OF_NODE.match(word)}
    (folder / "node.s").write_text("".join(f".globl {n}\n.type {n}, @function\n{n}: ret\n" for n in sorted(names)))
    (folder / "node.s").open("a").write('.section .note.GNU-stack,"",@progbits\n')
    libraries = fetched("bullseye") / "lib" / "x86_64-linux-gnu"
    words = [HERE / "opener.c", "node.s", "-rdynamic", "-O1", "-fno-stack-protector"]
    subprocess.run(["cc", "-nostdlib", "-o", "glibc", *words, libraries / "libc.so.6", libraries / "libdl.so.2"], cwd=folder, check=True)
    subprocess.run(["musl-gcc", "-DSTARTED", "-o", "musl", *words], cwd=folder, check=True)
    return folder


@pytest.fixture
def there(packages, openers, root_of):
    """there(root, word...) -> what comes of the command in that root, the packages being in /mnt."""

    def run(name, *words):
        mounts = ["--ro-bind", packages, "/mnt", "--ro-bind", openers, "/tmp", "--dev", "/dev"]
        return subprocess.run(["bwrap", "--bind", root_of(name), "/", *mounts, "--clearenv", *words], capture_output=True, text=True)

    return run


def seen_of(there, packages, name, file):
    """(what dlopen says, None if it opens; {(version, needer, provider)} that are missing)."""
    path = f"/mnt/{file.relative_to(packages)}"
    opened = there(name, f"/tmp/{'musl' if name == 'musl' else 'glibc'}", path)
    assert opened.returncode in (0, 1) and opened.stdout, opened
    listed = "" if name == "musl" else there(name, LOADER, "--list", path)
    versions = {(version, os.path.basename(needer), os.path.basename(provider))
                for provider, version, needer in VERSION.findall(listed.stdout + listed.stderr)} if listed else set()
    return None if opened.returncode == 0 else opened.stdout.strip(), versions


def said_of(causes, kind="symbol-version-missing", provider=True):
    return {(c["missing"], os.path.basename(c["subject"]), os.path.basename(c["provider"]) if provider else None)
            for c in causes if c["kind"] == kind}


def check_versions(causes, seen, versions, is_root):
    """All that the loader lists, each by the library that lacks it; and first what dlopen says, as it stops there."""
    assert {c["kind"] for c in causes} == {"symbol-version-missing"}
    assert said_of(causes, provider=is_root) == {(v, n, p if is_root else None) for v, n, p in versions}
    provider, version, needer = VERSION.search(seen).groups()
    first = causes[0]
    assert (first["missing"], os.path.basename(first["subject"])) == (version, os.path.basename(needer))
    assert not is_root or first["provider"] == provider


@pytest.mark.parametrize("name", ROOTS)
def test_add_ons(run, there, packages, root_of, capsys, name):
    for package, file in ((p, f) for p in PACKAGES for f in files_of(packages, p)):
        seen, versions = seen_of(there, packages, name, file)
        for against in filter(None, (ROOTS[name], root_of(name))):
            result, is_root = run("check", "--against", against, file), against != ROOTS[name]
            # libstdc++.so.6 of bullseye calls what was cut out of its C library
            causes = [c for c in result.causes if not (name == "glibc-2.17" and c["subject"].endswith("/libstdc++.so.6"))]
            with capsys.disabled():
                said = "; ".join(c["missing"] for c in causes) or "loads"
                print(f"\n  {file.name} on {name} ({'root' if is_root else against}): said {said} / seen {seen or 'loads'}", end="")
            assert (result.returncode, not causes) in ((0, True), (1, False))
            if versions:
                check_versions(causes, seen, versions, is_root)
            elif "musl" in package and name != "musl":
                assert seen and {c["kind"] for c in causes} == {"libc-family-mismatch"}
            elif "musl" not in package and name == "musl":  # whose loader may stop at another library first
                assert not causes or (seen and "libc-family-mismatch" in {c["kind"] for c in causes} or "libstdc++" in seen)
                assert causes or not seen or (not is_root and f"whether musl has all that {file.name}" in " ".join(result.stdout.split()))
            elif name == "musl" and not is_root:  # of which libraries a system with musl has nothing is known
                assert not seen or all(re.search(r"libstdc\+\+\.so\.6|libgcc_s\.so\.1", line) for line in seen.splitlines())
                assert not causes
            else:
                assert bool(causes) == bool(seen)


def test_matrix(run, there, packages, root_of, capsys):
    """A cell says that the package loads where its add-on opens; else it names a symbol with a version that is missing."""
    builds = [p for p in PACKAGES if any(f.suffix == ".node" for f in files_of(packages, p))]
    columns = [*filter(None, ROOTS.values()), *(str(root_of(name)) for name in ROOTS)]
    result = run("matrix", "--libcs", ",".join(columns), *(packages / p for p in builds))
    rows = {row["build"]: row for row in result.report["matrix"]}
    files = [file for package in PACKAGES for file in files_of(packages, package)]
    symbols = subprocess.run(["nm", "-D", "--undefined-only", *files], capture_output=True, text=True, check=True).stdout
    for package in builds:
        file, = (f for f in files_of(packages, package) if f.suffix == ".node")
        for name in ROOTS:
            seen, versions = seen_of(there, packages, name, file)
            for column in filter(None, (ROOTS[name], str(root_of(name)))):
                cell = rows[package.rpartition("/")[2]][column]
                with capsys.disabled():
                    print(f"\n  {package} on {column}: said {cell} / seen {seen or 'loads'}", end="")
                if column == "musl" and "warning" in cell:  # not known: what it takes from glibc, the compiler's libraries
                    assert cell.endswith(": libstdc++.so.6" if "musl" in package else ": libc.so.6")
                    continue
                assert (cell == "loads") == (not seen), cell
                if versions:
                    symbol, version = cell.removeprefix("fails: ").split("@")
                    assert version in {v for v, _, _ in versions} and f" {symbol}@{version}" in symbols
    assert result.returncode == 0 and len(result.report["newest"]) == 1
