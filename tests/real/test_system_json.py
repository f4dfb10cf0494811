"""system.json of a real VS Code Server whose native module was compiled for a newer C library, in a root of its own that is gone when
the report is written; and what the nodes of other Debian releases say of themselves."""

import io
import json
import subprocess
import tarfile

import pytest

from test_server import CLEAN, IN_ROOT, SPDLOG


def system_of(bundle):
    tar = subprocess.run(["zstd", "-dcq", bundle], stdout=subprocess.PIPE, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        name = next(n for n in archive.getnames() if n.endswith("/system.json"))
        return json.load(archive.extractfile(name))["system"]


@pytest.mark.parametrize("suite", ["bullseye"])
def test_vs_code_server(run, fetched, tmp_path, suite):
    server, root, bundle = fetched("server") / "vscode", fetched(suite), tmp_path / "case.tar.zst"
    product = json.loads((server / "product.json").read_text())
    result = run("-q", "--no-repro", "-o", bundle, "--", "bwrap", "--bind", root, "/", "--ro-bind", server, "/opt/vscode", *IN_ROOT, *CLEAN,
                 "/opt/vscode/node", "-e", f"require({SPDLOG!r})")
    assert (result.first["kind"], result.first["subject"]) == ("symbol-version-missing", SPDLOG)
    told = system_of(bundle)
    programs = {program["name"]: program for program in told["programs"]}
    version = subprocess.run([server / "node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    assert programs["node"] == {"name": "node", "version": version[1:], "path": "/opt/vscode/node"}
    assert programs[product["nameLong"]] == {"name": product["nameLong"], "version": product["version"], "commit": product["commit"],
                                             "path": "/opt/vscode/product.json"}
    assert "2.31" in told["libc"]["build"]
    assert {"/", "/opt/vscode"} <= {mount["point"] for mount in told["mounts"]}
    module = next(mount for mount in told["mounts"] if mount["point"] == "/opt/vscode")
    assert "ro" in module["options"].split(",")


@pytest.mark.parametrize("suite", ["bullseye", "bookworm", "trixie", "forky"])
def test_nodes(run, fetched, tmp_path, suite):
    """Debian's is a small program before libnode.so."""
    root, bundle = fetched(suite), tmp_path / "case.tar.zst"
    node = ["bwrap", "--bind", root, "/", *IN_ROOT, *CLEAN, "node"]
    version = subprocess.run([*node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    result = run("-q", "--no-repro", "-o", bundle, "--", *node, "-e", "require('/nowhere/module.node')")
    assert result.first["kind"] == "file-missing"
    assert [program["version"] for program in system_of(bundle)["programs"] if program["name"] == "node"] == [version[1:]]
