"""`glibctrace explain` of texts that came by mail, chat, web page, container or terminal: one failure, in all that may have
been wrapped around it."""

import base64
import html
import json
import quopri
import re
import subprocess

import pytest

LINES = [
    "$ cd /opt/reporting/current && ./bin/report --month=2024-02 --format=pdf --output=/tmp/out.pdf",
    "reading the settings of this month",
    "./bin/report: error while loading shared libraries: libchart-engine.so.7: cannot open shared object file: No such file or directory",
    "$ ls /opt/reporting/current", "bin  etc  share"]
LOG = ['execve("/opt/reporting/bin/report", ["report"], 0x7ffd /* 9 vars */) = 0', "brk(NULL) = 0x55", *(
    f'openat(AT_FDCWD, "{place}/libchart-engine.so.7", O_RDONLY|O_CLOEXEC) = -1 ENOENT (No such file or directory)'
    for place in ("/lib/x86_64-linux-gnu", "/usr/lib")),
    'writev(2, [{iov_base="report", iov_len=6}, {iov_base=": ", iov_len=2}, {iov_base="error while loading shared libra"..., '
    'iov_len=36}, {iov_base=": ", iov_len=2}, {iov_base="libchart-engine.so.7", iov_len=20}, {iov_base=": ", iov_len=2}, '
    '{iov_base="cannot open shared object file", iov_len=30}, {iov_base=": ", iov_len=2}, {iov_base="No such file or '
    'directory", iov_len=25}, {iov_base="\\n", iov_len=1}], 10) = 127', "exit_group(127) = ?", "+++ exited with 127 +++"]
WORDS = "\n".join(LINES) + "\n"


def each(form, first=1):
    return lambda text: "".join(form.format(n=n, line=line) + "\n" for n, line in enumerate(text.splitlines(), first))


def mail(encoding, body):
    return f"From: a@example.org\nSubject: it does not start\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n" \
           f"Content-Transfer-Encoding: {encoding}\n\n{body}"


def in_base64(text):
    return mail("base64", base64.encodebytes(text.replace("\n", "\r\n").encode()).decode() + "\n--b1\n")


def in_quoted(text):
    return quopri.encodestring(text.encode()).decode()


def in_page(text):
    lines = html.escape(text).replace(" ", "&nbsp;").splitlines()
    return f"<html><body><p>Hello,</p><div class=\"x\">{'<br>'.join(lines)}</div></body></html>\n"


def in_pre(text):
    return f"<p>Hi</p>\n<pre><code class=\"language-text\">{html.escape(text)}</code></pre>\n"


WRAPPED = {
    "quoted-printable": in_quoted, "quoted mail": lambda t: mail("quoted-printable", in_quoted(t)),
    "typographic": lambda t: in_quoted(t + "caf\u00e9 \u2018x\u2019\n"),
    "base64": in_base64, "mailbox": lambda t: "".join(f">From here: x\n{line}\n" for line in t.splitlines()),
    "page": in_page, "pre": in_pre, "entities": lambda t: html.escape(t).replace("/", "&#47;").replace(":", "&#x3A;"),
    "nbsp": lambda t: t.replace(" ", "\u00a0"), "zero width": lambda t: t.replace("/", "/\u200b").replace("lib", "\ufefflib"),
    "numbers": each("{n}: {line}"), "numbers, bar": each("{n:4} | {line}"), "cat -n": each("{n:6}\t{line}"),
    "numbers, from the middle": each("{n:4} | {line}", 117),
    "difference": lambda t: "@@ -1,2 +1,9 @@\n" + each("+{line}")(t), "red": lambda t: "```diff\n" + each("- {line}")(t) + "```\n",
    "chat": each("[10:{n:02} AM] {line}"), "actions": each("2024-01-02T03:04:05.12345{n:02}Z {line}"),
    "run": each("build\tRun the tests\t2024-01-02T03:04:05.12345{n:02}Z {line}"),
    "error": each("2024-01-02T03:04:05.12345{n:02}Z ##[error]{line}"),
    "compose": each("web_1  | {line}"), "compose 2": each("web-1     | {line}"), "names": each("web  | {line}"),
    "compose, coloured": each("\033[36mweb_1  |\033[0m {line}"), "compose, times": each("web-1  | 2024-01-02T03:04:05.12345{n:02}Z {line}"),
    "kubectl": each("[pod/web-6c4f/main] {line}"), "journal": each("Jan 02 03:04:{n:02} box report[12]: {line}"),
    "typescript": lambda t: "Script started on 2024-01-02\n" + t.replace("\n", "\r\n").replace("reading", "raeding\b\b\b\b\b\beading"),
    "overwritten": lambda t: t.replace("reading", "  1%\r 50%\r100%\rreading").replace("./bin/report: error", "\r./bin/report: error"),
}


@pytest.fixture
def causes(tool, tmp_path):
    def causes(text):
        out = tmp_path / "report.json"
        ended = subprocess.run([tool, "explain", "-q", "-o", out, "-"], input=text.encode(), capture_output=True, check=False)
        assert ended.returncode in (0, 1), ended.stderr
        return json.loads(out.read_text())["causes"]
    return causes


@pytest.mark.parametrize("what", [WORDS, "\n".join(LOG) + "\n"], ids=["words", "log"])
@pytest.mark.parametrize("wrapped", WRAPPED.values(), ids=WRAPPED)
def test_wrapped(causes, wrapped, what):
    found = causes(wrapped(what))
    assert [(cause["kind"], cause["missing"]) for cause in found] == [("library-missing", "libchart-engine.so.7")]
    assert found[0]["subject"].endswith("bin/report")


@pytest.mark.parametrize("text", [
    "".join(f"{n}: step {n} of the plan\n" for n in range(1, 30)), "a  | b\nc  | d\n", "x = 3D\ny =\n", "=\n=\n==\n",
    mail("base64", "####\n"), mail("base64", "aGVsbG8=\n" * 3), mail("quoted-printable", "=\n=E2=80=\n=ZZ\n="),
    "&#0;&#x110000;&#xffff;&#99999999999999999999;&#x;&#;\n", "<br><br><br>\r\r\r\n", "1\t\n2\t\n3\t\n", "\r", "@@ -\n+\n-\n"])
def test_nothing(causes, text):
    assert causes(text) == []
