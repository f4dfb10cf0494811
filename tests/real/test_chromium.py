"""chromium as a stand-in for Electron: a page that is rendered well, and a sandbox that cannot start; gopls without go."""

import os
import subprocess

import pytest

from conftest import e2e

FLAGS = ["--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--user-data-dir=/tmp/profile", "--dump-dom"]
PAGE = "data:text/html,<p id=x>before<script>document.getElementById('x').textContent='ren'+'dered'</script>"
MOUNTS = ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--clearenv", "--setenv", "PATH", "/usr/bin:/bin", "--setenv",
          "HOME", "/tmp"]


@pytest.fixture(scope="module")
def root():
    return subprocess.run(["bash", str(e2e.TOP / "tests" / "conformance" / "roots.sh"), "bookworm"], stdout=subprocess.PIPE,
                          text=True, check=True).stdout.strip()


def test_page(run, root, summary):
    result = run("-q", "--", "bwrap", "--bind", root, "/", *MOUNTS, "--unshare-pid", "--die-with-parent",
                 "/usr/lib/chromium/chromium", "--no-sandbox", *FLAGS, PAGE)
    summary(result, "chromium headless")
    assert result.returncode == 0 and "rendered" in result.stdout
    assert [(c["kind"], c["impact"], c["subject"], c["missing"], c["words"]) for c in result.causes] == []
    assert result.report["counts"]["lost"] == 0 and result.report["counts"]["processes"] > 4


@pytest.mark.skipif(os.geteuid() != 0, reason="makes a user who may have no user namespaces")
def test_sandbox_without_namespaces(run, root, summary):
    """As somebody, where the limit of user namespaces is 0, and chrome-sandbox is not setuid root."""
    inner = ["bwrap", "--bind", root, "/", *MOUNTS, "--unshare-user", "--uid", "65534", "--gid", "65534", "--disable-userns",
             "--unshare-pid", "--die-with-parent", "--cap-drop", "ALL"]
    result = run("-q", "--", *inner, "/usr/lib/chromium/chromium", *FLAGS, PAGE)
    summary(result, "chromium without user namespaces")
    assert result.returncode != 0
    first = result.first
    assert (first["kind"], first["impact"]) == ("sandbox-unavailable", "fatal")
    assert first["missing"] == "user namespaces" or first["missing"].endswith("/chrome-sandbox")


def test_gopls_without_go(tool, environment, tmp_path, summary):
    """A client opens a module; gopls finds no go on PATH and says so to the client, or on standard error."""
    from lsp import Session
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "gopls").symlink_to(os.path.realpath("/usr/bin/gopls"))
    report, module = tmp_path / "report.json", tmp_path / "module"
    module.mkdir()
    env = environment({"PATH": tmp_path / "bin"})
    with open(tmp_path / "stderr", "wb") as err:
        session = Session(module, env, stderr=err, under=[tool, "-q", "-o", report, "--no-redact", "--"])
        try:
            assert session.leave() == 0
        finally:
            session.close()
    result = e2e.Result(0, "", "", e2e.load_report(report), report)
    summary(result, "gopls without go")
    first = result.first
    assert (first["kind"], first["missing"]) == ("command-not-found", "go")
    assert first["process"]["exe"].endswith("/gopls")
