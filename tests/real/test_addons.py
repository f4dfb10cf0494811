"""Native add-ons of the npm registry in a node that they were not built for."""

import os

import pytest

MUSL = {"@rollup/rollup-linux-x64-musl": "libc.so", "@img/sharp-linuxmusl-x64": "libc.musl-x86_64.so.1",
        "@swc/core-linux-x64-musl": "libc.musl-x86_64.so.1", "lightningcss-linux-x64-musl": "libc.musl-x86_64.so.1",
        "@parcel/watcher-linux-x64-musl": "libc.musl-x86_64.so.1"}
GLIBC = ["@rollup/rollup-linux-x64-gnu", "@swc/core-linux-x64-gnu", "@parcel/watcher-linux-x64-glibc"]
NODE = os.path.realpath("/usr/bin/node")


def addon(fetched, package):
    return next((fetched("addons") / "node_modules" / package).rglob("*.node"))


@pytest.mark.parametrize("package", MUSL)
def test_for_musl(run, fetched, script, summary, package):
    file = addon(fetched, package)
    result = run("--", "node", script("app.js", f"require({str(file)!r});"))
    summary(result, package)
    cause, = result.causes
    assert (cause["kind"], cause["missing"], cause["impact"]) == ("libc-family-mismatch", MUSL[package], "fatal")
    assert (cause["subject"], cause["chain"]) == (str(file), [NODE, str(file)])
    assert cause["words"] and "musl" in cause["summary"]
    assert result.report["reproduction"]["status"] == "verified"


@pytest.mark.parametrize("package", GLIBC)
def test_for_this_system(run, fetched, script, summary, package):
    result = run("--", "node", script("app.js", f"require({str(addon(fetched, package))!r}); console.log('works');"))
    summary(result, package)
    assert (result.returncode, result.stdout, result.causes) == (0, "works\n", [])


def test_caught(run, fetched, script, summary):
    """An application that tries one variant after the other: no failure."""
    files = [str(addon(fetched, f"@swc/core-linux-x64-{libc}")) for libc in ("musl", "gnu")]
    result = run("--", "node", script("app.js", f"for (const f of {files!r}) try {{ require(f); console.log('works'); }} catch (e) {{}}"))
    summary(result, "one variant after the other")
    assert (result.returncode, result.stdout, result.causes) == (0, "works\n", [])


def test_for_another_processor(run, fetched, script, summary):
    file = addon(fetched, "@rollup/rollup-linux-arm64-gnu")
    result = run("--", "node", script("app.js", f"require({str(file)!r});"))
    summary(result, "an add-on for another processor")
    cause, = result.causes
    assert (cause["kind"], cause["missing"], cause["provider"]) == ("wrong-architecture", "x86_64", str(file))


@pytest.mark.parametrize("how", ["itself", "child"])
def test_program_for_another_processor(run, fetched, script, summary, how):
    file = str(next((fetched("addons") / "node_modules" / "@esbuild" / "linux-arm64").rglob("esbuild")))
    code = f"require('child_process').execFileSync({file!r}, ['--version'], {{stdio: 'inherit'}});"
    result = run("--", *([file, "--version"] if how == "itself" else ["node", script("app.js", code)]))
    summary(result, f"a program for another processor, {how}")
    cause, = result.causes
    assert (cause["kind"], cause["missing"], cause["subject"]) == ("wrong-architecture", "x86_64", file)


def test_only_the_other_variant_is_installed(run, fetched, summary, tmp_path):
    """rollup's own JavaScript looks for the variant of this C library, and no loader sees a wrong file."""
    modules = tmp_path / "node_modules"
    (modules / "@rollup").mkdir(parents=True)
    source = fetched("addons") / "node_modules"
    for name in ("rollup", "@rollup/rollup-linux-x64-musl"):
        (modules / name).symlink_to(source / name)
    result = run("--", "node", "--preserve-symlinks", "-e", "require('rollup')")
    summary(result, "only rollup's musl variant")
    cause, = result.causes
    assert cause["kind"] == "file-missing" and cause["impact"] == "fatal"
    assert cause["missing"].endswith("@rollup/rollup-linux-x64-gnu")
