"""`glibctrace rollback`: the newest version of an extension that is whole and loads here, and how to keep it."""

import base64
import hashlib
import io
import json
import os
import subprocess
import zipfile

import pytest

from conftest import HANGS_AFTER, load_report
from test_check_tree import build, library

MAIN = "int main(void) { return 0; }"


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """One that loads, and one that lacks a version of a library, which a newer system has."""
    top = tmp_path_factory.mktemp("p")
    (top / "map").write_text("NEW_2 { global: f; };")
    wanted = library(top / "w" / "libver1.so", "int f(void) { return 1; }", f"-Wl,--version-script={top / 'map'}")
    (top / "old").write_text("OLD_1 { global: f; };")
    old = library(top / "x" / "libver1.so", "int f(void) { return 1; }", f"-Wl,--version-script={top / 'old'}")
    bad = build(top / "bad", "int f(void); int main(void) { return f(); }", wanted, f"-Wl,-rpath,{old.parent}")
    wanted.unlink()
    return build(top / "good", MAIN).read_bytes(), bad.read_bytes()


def vsix(path, version, program, engine="^1.60.0", target=None, names=("go", "go"), more=None):
    manifest = {"publisher": "golang", "name": names[0], "version": version, "engines": {"vscode": engine}}
    platform = f' TargetPlatform="{target}"' if target else ""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("extension.vsixmanifest", f'<?xml version="1.0"?><PackageManifest><Metadata><Identity '
                         f'Language="en-US" Id="{names[1]}" Version="{version}" Publisher="golang"{platform}/>'
                         '</Metadata></PackageManifest>')
        archive.writestr("extension/package.json", json.dumps(manifest))
        archive.writestr("extension/bin/helper", program)
        for name, data in (more or {}).items():
            archive.writestr(name, data)
    return path


def digest(data):
    return {"size": len(data), "digests": {"sha256": base64.b64encode(hashlib.sha256(data).digest()).decode()}}


def sign(path):
    with zipfile.ZipFile(path) as archive:
        entries = {base64.b64encode(name.encode()).decode(): digest(archive.read(name)) for name in archive.namelist()}
    with zipfile.ZipFile(path.with_suffix(".sigzip"), "w") as archive:
        archive.writestr(".signature.manifest", json.dumps({"package": digest(path.read_bytes()), "entries": entries}))
        archive.writestr(".signature.p7s", b"x")


@pytest.fixture
def rollback(tool, tmp_path):
    def rollback(*words, path="/nowhere"):
        out = tmp_path / "r.json"
        out.unlink(missing_ok=True)
        ended = subprocess.run([tool, "rollback", "--no-redact", "-o", out, *words], capture_output=True, text=True,
                               timeout=HANGS_AFTER, cwd=tmp_path, env={"PATH": path, "LC_ALL": "C"})
        return ended.returncode, load_report(out) if out.exists() else None, ended.stdout + ended.stderr
    return rollback


def told(report):
    return {os.path.basename(row["file"]): row["verdict"] for row in report["builds"]}


def test_the_newest_that_loads(rollback, programs, tmp_path):
    good, bad = programs
    top = tmp_path / "all"
    top.mkdir()
    for version, program, engine in (("0.9.0", good, "^1.50.0"), ("0.10.0", good, "^1.60.0"), ("0.41.4", bad, "^1.90.0"),
                                     ("0.42.0-rc", bad, "^1.91.0")):
        vsix(top / f"go-{version}.vsix", version, program, engine)
    vsix(top / "go-darwin.vsix", "0.43.0", bad, target="darwin-arm64")
    status, report, said = rollback(top)
    assert status == 1, said
    assert {(c["kind"], c["subject"], c["missing"]) for c in report["causes"]} == {
        ("symbol-version-missing", "extension/bin/helper", "NEW_2")}
    assert told(report) == {"go-darwin.vsix": "for darwin-arm64", "go-0.42.0-rc.vsix": "does not load: 1 cause",
                            "go-0.41.4.vsix": "does not load: 1 cause",
                            "go-0.10.0.vsix": "the newest that does: 1 file: all load", "go-0.9.0.vsix": "older: not looked at"}
    (choice,) = report["choices"]
    assert choice["extension"] == "golang.go" and choice["version"] == "0.10.0"
    assert choice["install"] == f"code --install-extension {top}/go-0.10.0.vsix --force"
    assert '"golang.go": ["0.10.0"]' in choice["setting"]
    assert "0.41.4 (for VS Code ^1.90.0)" in choice["lost"]


def test_nothing_is_lost(rollback, programs, tmp_path):
    top = tmp_path / "all"
    top.mkdir()
    vsix(top / "a.vsix", "1.0.0", programs[0])
    status, report, said = rollback(top)
    assert (status, report["causes"]) == (0, []), said
    assert report["choices"][0]["lost"].startswith("nothing")


def flip(path, at):
    data = bytearray(path.read_bytes())
    data[at] ^= 0x5a
    path.write_bytes(data)


def swap(path, **changes):
    """The archive again, soundly packed, with other bytes in it."""
    out = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, changes.get(name, old.read(name)))
        for name in changes.keys() - old.namelist():
            new.writestr(name, changes[name])
    path.write_bytes(out.getvalue())


SPOILT = {
    "cut off": (lambda p: p.write_bytes(p.read_bytes()[:-40]), "cut off"),
    "empty": (lambda p: p.write_bytes(b""), "cut off"),
    "a byte changed": (lambda p: flip(p, p.stat().st_size // 2), "changed"),
    "another manifest": (lambda p: vsix(p, "2.0.0", b"", names=("go", "other")), "two manifests"),
    "an entry changed, signed": (lambda p: (sign(p), swap(p, **{"extension/bin/helper": b"#!/bin/sh\n"})), "its digest"),
    "an entry added, signed": (lambda p: (sign(p), swap(p, **{"extension/x.sh": b"#!/bin/sh\n"})), "its digest"),
}


@pytest.mark.parametrize("how", SPOILT)
def test_what_was_changed_is_refused(rollback, programs, tmp_path, how):
    top = tmp_path / "all"
    top.mkdir()
    vsix(top / "old.vsix", "1.0.0", programs[0])
    new = vsix(top / "new.vsix", "2.0.0", programs[0])
    spoil, words = SPOILT[how]
    spoil(new)
    status, report, said = rollback(top)
    assert status == 1
    assert told(report)["new.vsix"].startswith("refused: ") and words in told(report)["new.vsix"], said
    assert report["choices"][0]["version"] == "1.0.0"


def test_a_signed_one_is_taken(rollback, programs, tmp_path):
    top = tmp_path / "all"
    top.mkdir()
    sign(vsix(top / "new.vsix", "2.0.0", programs[0]))
    status, report, said = rollback(top)
    assert status == 0 and "signature" in report["builds"][0]["checked"], said


def test_a_digest_inside(rollback, programs, tmp_path):
    """The manifest in the package itself: what stands beside it has to be what it says."""
    top = tmp_path / "all"
    top.mkdir()
    path = vsix(top / "a.vsix", "1.0.0", programs[0])
    with zipfile.ZipFile(path) as archive:
        entries = {base64.b64encode(name.encode()).decode(): digest(archive.read(name)) for name in archive.namelist()}
    swap(path, **{".signature.manifest": json.dumps({"entries": entries})})
    assert rollback(top)[0] == 0
    swap(path, **{"extension/bin/helper": programs[0] + b"x"})
    status, report, said = rollback(top)
    assert status == 1 and '"extension/bin/helper" was changed' in report["builds"][0]["verdict"], said


def test_unpacked_extensions(rollback, programs, tmp_path):
    top = tmp_path / "extensions"
    for version, program in (("1.0.0", programs[0]), ("2.0.0", programs[1])):
        where = top / f"golang.go-{version}"
        (where / "bin").mkdir(parents=True)
        (where / "bin" / "helper").write_bytes(program)
        (where / "bin" / "helper").chmod(0o755)
        (where / "package.json").write_text(json.dumps({"publisher": "golang", "name": "go", "version": version}))
    (top / ".obsolete").mkdir()
    status, report, said = rollback(top)
    assert status == 1 and report["choices"][0]["install"] == "code --install-extension golang.go@1.0.0 --force", said
    assert report["causes"][0]["subject"] == str(top / "golang.go-2.0.0" / "bin" / "helper")


@pytest.mark.parametrize("ends", (0, 3))
def test_apply(rollback, programs, tmp_path, ends):
    """Without it nothing is run; with it the user's own code is, with the words that were printed."""
    top = tmp_path / "all files"
    top.mkdir()
    vsix(top / "a.vsix", "1.0.0", programs[0])
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    (bin_ / "code").write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >"{tmp_path}/ran"\nexit {ends}\n')
    (bin_ / "code").chmod(0o755)
    path = f"{bin_}:/usr/bin:/bin"
    status, report, _ = rollback(top, path=path)
    assert status == 0 and not (tmp_path / "ran").exists()
    assert report["choices"][0]["install"] == f"code --install-extension '{top}/a.vsix' --force"
    status, _, said = rollback("--apply", top, path=path)
    assert (tmp_path / "ran").read_text().split("\n") == ["--install-extension", f"{top}/a.vsix", "--force", ""]
    assert status == (2 if ends else 0) and (not ends or "has not installed golang.go 1.0.0" in said)


def test_of_one_version_the_one_for_this_platform_comes_first(rollback, programs, tmp_path):
    top = tmp_path / "all"
    top.mkdir()
    for name, target in ("any", None), ("alpine", "alpine-x64"), ("mine", "linux-x64"):
        vsix(top / f"{name}.vsix", "1.0.0", programs[0], target=target)
    told_, report = told(rollback(top)[1]), rollback(top)[1]
    assert told_ == {"any.vsix": "the same version: not looked at", "alpine.vsix": "for alpine-x64",
                     "mine.vsix": "the newest that does: 1 file: all load"}
    assert f"{top}/mine.vsix" in report["choices"][0]["install"]


PREVIEW = ('<PackageManifest><Metadata><Identity Id="go" Version="3.0.0" Publisher="golang"/><Properties><Property '
           'Id="Microsoft.VisualStudio.Code.PreRelease" Value="true"/></Properties></Metadata></PackageManifest>')


@pytest.mark.parametrize("more, words", [
    ({"version": "latest"}, "its version is none"), ({"version": "99999999999999999999.0.0"}, "its version is none"),
    ({"names": ("go; true", "go; true")}, "none that VS Code takes"),
    ({"more": {"extension/..\\..\\x": b""}}, "leads out"), ({"more": {"C:/x": b""}}, "leads out"),
    ({"engine": "^1.86.0"}, "not for the VS Code that is here, 1.85.2"),
    ({"engine": "^1.85.2"}, "all load"), ({"engine": "1.85.x"}, "all load"), ({"engine": "*"}, "all load"),
    ({"more": {"extension.vsixmanifest": PREVIEW}}, "all load; a pre-release"),
], ids=str)
def test_what_vs_code_itself_would_not_take(rollback, programs, tmp_path, more, words):
    top, app = tmp_path / "all", tmp_path / "code"
    top.mkdir()
    vsix(top / "old.vsix", "1.0.0", programs[0])
    new = vsix(top / "new.vsix", more.get("version", "3.0.0"), programs[0],
               **{key: value for key, value in more.items() if key not in ("version", "more")})
    if "more" in more:
        swap(new, **more["more"])
    (app / "bin").mkdir(parents=True)
    (app / "resources/app").mkdir(parents=True)
    for name in "product.json", "package.json":
        (app / "resources/app" / name).write_text(json.dumps({"version": "1.85.2", "nameLong": "Code", "applicationName": "code"}))
    (app / "bin/code").write_text("#!/bin/sh\nexit 1\n")
    (app / "bin/code").chmod(0o755)
    report = rollback(top, path=str(app / "bin"))[1]
    assert words in told(report)["new.vsix"]
    if "load" not in words:
        assert told(report)["old.vsix"].startswith("the newest that does") or "go; true" in str(more)


def test_what_vs_code_is_to_remove_is_none(rollback, programs, tmp_path):
    top = tmp_path / "extensions"
    for version in "1.0.0", "2.0.0":
        (top / f"golang.go-{version}").mkdir(parents=True)
        (top / f"golang.go-{version}" / "package.json").write_text(json.dumps({"publisher": "golang", "name": "Go", "version": version}))
    (top / ".obsolete").write_text('{"golang.go-2.0.0": true, "golang.go-1.0.0": false}')
    report = rollback(top)[1]
    assert told(report)["golang.go-2.0.0"] == "uninstalled: VS Code removes it at its next start"
    assert report["choices"][0]["version"] == "1.0.0"
    assert report["headline"] == "golang.Go 1.0.0 is the newest at hand that loads here."


def test_folders_have_their_platform_in_their_name(rollback, programs, tmp_path):
    top = tmp_path / "extensions"
    for version, platform in ("1.0.0", ""), ("2.0.0", "-universal"), ("3.0.0", "-alpine-x64"), ("4.0.0", "-linux-arm64"):
        folder = top / f"golang.go-{version}{platform}"
        folder.mkdir(parents=True)
        (folder / "package.json").write_text(json.dumps({"publisher": "golang", "name": "go", "version": version}))
    status, report, said = rollback(top)
    assert (status, report["choices"][0]["version"]) == (0, "2.0.0"), said
    assert told(report)["golang.go-3.0.0-alpine-x64"] == "for alpine-x64"


def test_a_command_is_exact_and_damaged_files_are_no_extensions(rollback, programs, tmp_path):
    top = tmp_path / "all"
    top.mkdir()
    vsix(top / "a'\n\udcff.vsix", "1.0.0", programs[0])
    for name in "b.vsix", "z.vsix":
        (top / name).write_bytes(b"x")
    _, report, said = rollback(top)
    assert report["headline"].startswith("golang.go 1.0.0 is the newest at hand"), said
    printed = subprocess.run(["bash", "-c", f"printf %s {report['choices'][0]['install'].split(' ', 2)[2].rsplit(' ', 1)[0]}"],
                             capture_output=True)
    assert printed.stdout == os.fsencode(top / "a'\n\udcff.vsix")


def test_nothing_at_hand(rollback, tmp_path):
    (tmp_path / "none").mkdir()
    status, _, said = rollback(tmp_path / "none")
    assert status == 2 and said.count("\n") == 1
