"""`glibctrace explain`: the proof is often in the second command of a paste; and that alone is no failure."""

import json
import subprocess

import pytest

GONE = "{who}: error while loading shared libraries: libchart.so.2: cannot open shared object file: No such file or directory\n"
VERSION = "$ ./render\n./render: {lib}: version `GLIBCXX_3.4.30' not found (required by ./render)\n"
SYSTEM = "/usr/lib/x86_64-linux-gnu/libstdc++.so.6"
CONDA = "/opt/conda/lib/libstdc++.so.6"
STRINGS = "$ strings {lib} | grep GLIBCXX\nGLIBCXX_3.4\nGLIBCXX_3.4.28\nGLIBCXX_3.4.29\n{last}GLIBCXX_DEBUG_MESSAGE_LENGTH\n"
LDD = "$ ldd ./render\n\tlinux-vdso.so.1 (0x00007ffd3b5f2000)\n\tlibstdc++.so.6 => {lib} (0x00007f1c2a000000)\n" \
      "\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f1c29c00000)\n"


@pytest.fixture
def explain(tool, tmp_path):
    def explain(text):
        out = tmp_path / "report.json"
        ended = subprocess.run([tool, "explain", "-q", "--no-redact", "-o", out, "-"], input=text.encode(),
                               capture_output=True, check=False)
        assert ended.returncode in (0, 1), ended.stderr
        return json.loads(out.read_text())
    return explain


SHOWN = {
    "ls": "$ ls /opt/charts/lib\nlibaxis.so.1  libchart.so.2  libchart.so.2.4\n",
    "ls -l": "$ ls -l /opt/charts/lib\ntotal 8\n-rwxr-xr-x 1 root root 81234 Jan  2 03:04 libaxis.so.1\n"
             "-rwxr-xr-x 1 root root 81234 Jan  2 03:04 libchart.so.2\n",
    "find": "$ find / -name 'libchart*' 2>/dev/null\n/opt/charts/lib/libchart.so.2\n/usr/share/doc/libchart\n",
    "ldconfig": "$ ldconfig -p | grep chart\n\tlibchart.so.2 (libc6,x86-64) => /opt/charts/lib/libchart.so.2\n",
    "ldd": "$ ldd /opt/charts/bin/other\n\tlibchart.so.2 => /opt/charts/lib/libchart.so.2 (0x00007f1c2a000000)\n",
}


@pytest.mark.parametrize("shown", SHOWN.values(), ids=SHOWN)
def test_it_is_elsewhere(explain, shown):
    failing = "$ ./render\n" + GONE.format(who="./render")
    for text in (failing + shown, shown + failing):
        cause = explain(text)["causes"][0]
        assert (cause["kind"], cause["missing"]) == ("library-off-path", "libchart.so.2")
        assert "/opt/charts/lib/libchart.so.2" in cause["summary"]
    assert explain(failing)["causes"][0]["kind"] == "library-missing"
    assert explain(shown)["causes"] == []


def test_it_is_where_every_loader_looks(explain, tool, tmp_path):
    """Nobody knows what that means; it is said."""
    text = "$ ./render\n" + GONE.format(who="./render") + "$ ls -l /usr/lib/x86_64-linux-gnu\n" \
        "-rw-r--r-- 1 root root 81234 Jan  2 03:04 libchart.so.2\n"
    assert explain(text)["causes"][0]["kind"] == "library-missing"
    ended = subprocess.run([tool, "explain", "-"], input=text, capture_output=True, text=True)
    assert "where every loader looks" in " ".join(ended.stderr.split())


def test_a_link_that_leads_nowhere(explain):
    cause = explain("$ ./render\n" + GONE.format(who="./render") + "$ ls /opt/charts/lib\nlibchart.so.2\n"
                    "$ file /opt/charts/lib/libchart.so.2\n"
                    "/opt/charts/lib/libchart.so.2: broken symbolic link to libchart.so.2.4\n")["causes"][0]
    assert (cause["kind"], cause["missing"]) == ("symlink-dangling", "/opt/charts/lib/libchart.so.2.4")


@pytest.mark.parametrize("taken, shown, has, kind", [
    (CONDA, SYSTEM, True, "library-shadowed"), (CONDA, SYSTEM, False, "symbol-version-missing"),
    (SYSTEM, CONDA, True, "symbol-version-missing"), (CONDA, CONDA, True, "symbol-version-missing")],
    ids=["shadowed", "neither", "the other way", "itself"])
def test_who_has_the_version(explain, taken, shown, has, kind):
    listing = STRINGS.format(lib=shown, last="GLIBCXX_3.4.30\n" if has else "")
    report = explain(VERSION.format(lib=taken) + LDD.format(lib=taken) + listing)
    cause = report["causes"][0]
    assert (cause["kind"], cause["missing"], cause["provider"]) == (kind, "GLIBCXX_3.4.30", taken)
    assert len(report["causes"]) == 1
    assert explain(LDD.format(lib=taken) + listing)["causes"] == []


@pytest.mark.parametrize("mode, options, kind", [
    ("-rwxr-xr-x", "rw,nosuid,noexec,relatime", "noexec-mount"), ("-rw-r--r--", "rw,nosuid,noexec,relatime", "permission-denied"),
    ("-rwxr-xr-x", "rw,relatime", "permission-denied")])
def test_a_mount_that_forbids_it(explain, mode, options, kind):
    shown = f"$ ls -l /data/render\n{mode} 1 u u 812 Jan  3 10:11 /data/render\n$ mount\n/dev/sdb1 on /data type ext4 ({options})\n"
    cause = explain("$ /data/render\nbash: /data/render: Permission denied\n" + shown)["causes"][0]
    assert (cause["kind"], cause["missing"]) == (kind, "/data" if kind == "noexec-mount" else "/data/render")
    assert explain(shown)["causes"] == []


UNAME = "Linux build-7 5.10.0-28-amd64 #1 SMP Debian 5.10.209-2 (2024-01-31) x86_64 GNU/Linux\n"
SYSTEMS = {
    "ldd --version": ("$ ldd --version\nldd (Debian GLIBC 2.31-13+deb11u8) 2.31\nCopyright (C) 2020 Free Software Foundation, Inc.\n",
                      ("glibc", "2.31"), {}),
    "ubuntu": ("ldd (Ubuntu GLIBC 2.35-0ubuntu3.6) 2.35\n", ("glibc", "2.35"), {}),
    "getconf": ("$ getconf GNU_LIBC_VERSION\nglibc 2.17\n", ("glibc", "2.17"), {}),
    "banner": ("GNU C Library (Debian GLIBC 2.36-9+deb12u4) stable release version 2.36.\n", ("glibc", "2.36"), {}),
    "musl": ("$ ldd --version\nmusl libc (x86_64)\nVersion 1.2.4\nDynamic Program Loader\n", ("musl", "1.2.4"), {}),
    "uname": ("$ uname -a\n" + UNAME, ("unknown", None), {"kernel": "5.10.0-28-amd64", "machine": "x86_64"}),
    "os-release": ('$ cat /etc/os-release\nPRETTY_NAME="Debian GNU/Linux 11 (bullseye)"\nNAME="Debian GNU/Linux"\n',
                   ("unknown", None), {"distribution": "Debian GNU/Linux 11 (bullseye)"}),
    "lsb_release": ("Description:\tUbuntu 20.04.6 LTS\n", ("unknown", None), {"distribution": "Ubuntu 20.04.6 LTS"}),
}


@pytest.mark.parametrize("text, libc, rest", SYSTEMS.values(), ids=SYSTEMS)
def test_the_system(explain, text, libc, rest):
    failing = GONE.format(who="/opt/render")
    for whole in (failing + text, text + failing, text):
        report = explain(whole)
        assert bool(report["causes"]) == (failing in whole)
        assert (report["system"]["libc"]["family"], report["system"]["libc"]["version"]) == libc
        assert {name: report["system"][name] for name in rest} == rest


def test_two_systems(explain):
    report = explain("ldd (Debian GLIBC 2.31-13) 2.31\n" + GONE.format(who="/opt/render") + "ldd (GNU libc) 2.39\n")
    assert any("glibc 2.31 and glibc 2.39" in phrase for phrase in report["unseen"])
