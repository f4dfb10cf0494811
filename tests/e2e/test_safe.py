"""What a bundle must never give away, and that there is a whole one or none."""

import base64
import itertools
import json
import os
import random
import string
import subprocess

import pytest

from test_outputs import unpacked
from test_policy import POLICY

LETTERS = string.ascii_letters + string.digits
FRAGMENT = 10  # bytes of a secret that are as bad as all of it

# Everything that is planted, by the place where it stands. The program writes, opens and starts what it is told to.
PROGRAM = """
import ctypes, os, subprocess, sys
say = sys.stderr.write
say("login with {aws} failed\\n")
say("the password is {spoken}\\n")
say("Authorization: Basic {basic}\\n")
say("connecting to postgres://app:{url_said}@db/x\\n")
whole = "bad token {split} here\\n"
sys.stderr.flush()
os.write(2, whole[:18].encode()), os.write(2, whole[18:].encode())
for letter in "bad token {letters} here\\n":
    os.write(2, letter.encode())
os.write(2, open("key.pem", "rb").read())
os.write(2, open("{file_name}.conf", "rb").read())
try:
    open("{file_name}.conf.bak")
except OSError as error:
    say(str(error) + "\\n")
say("mail {mail} at {ip4} or [{ip6}] via {mac} on {domain_host}\\n")
say("of {other_home}/x\\n")
subprocess.run([sys.argv[0], "--token", "{child_argument}"], env={{"CHILD_TOKEN": "{child_environment}"}},
               executable="/bin/true")
subprocess.run(["mysql", "-p{client_glued}", "me:{login}@db"], executable="/bin/true")
subprocess.run(["sh", "-c", "sshpass -p {in_script} true; curl -H 'Authorization: Bearer {in_header}' x"],
               executable="/bin/true")
try:
    subprocess.run(["/nowhere/redis-cli", "-a", "{not_run}"])
except OSError:
    say("no redis with {not_run}\\n")
sys.stderr.flush()
os.write(2, b"unfinished {unfinished}")
ctypes.CDLL("libplanted.so.7")
"""


def plant(seed):
    draw = random.Random(seed)

    def word(n, letters=LETTERS):
        return "".join(draw.choice(letters) for _ in range(n))

    return {
        "env_issued": "ghp_" + word(36), "env_secret": word(40), "env_password": "hunter2-" + word(5),
        "env_cookie": word(32, "0123456789abcdef"), "env_key": "sk-proj-" + word(40), "env_url": "pgpw" + word(8),
        "env_random": word(48), "env_hex": word(64, "0123456789abcdef"), "env_plain": "dear diary " + word(12),
        "argv_token": word(24), "argv_password": "Pw" + word(7), "argv_url": "urlpw" + word(6), "argv_bearer": word(40),
        "argv_jwt": f"eyJ{word(20)}.eyJ{word(30)}.{word(43)}", "user": "rosalinde", "component": "ghp_" + word(36),
        "aws": "AKIA" + word(16, string.ascii_uppercase + string.digits), "spoken": "s3cr3tW" + word(6),
        "basic": base64.b64encode(("u:" + word(14)).encode()).decode(), "url_said": "wpw" + word(8),
        "split": "glpat-" + word(20), "letters": f"xoxb-{word(12, string.digits)}-{word(24)}",
        "content": "npm_" + word(36), "file_name": "sk_live_" + word(24), "pem": word(64),
        "mail": "hilde.parks@corp-intra.example", "ip4": f"10.77.31.{draw.randint(2, 250)}",
        "ip6": f"fd12:3456:789a:1::{draw.randint(256, 4000):x}",
        "mac": f"52:54:00:ab:{draw.randint(16, 99)}:{draw.randint(16, 99)}", "domain_host": "buildbox7.corp-intra.example",
        "other_home": "/home/wilhelmine", "child_argument": word(20), "child_environment": word(20),
        "unfinished": "dop_v1_" + word(40), "full_name": "Rosalinde Parks",
        "client_glued": "tiger" + word(4, string.ascii_lowercase), "login": "lion" + word(6, string.ascii_lowercase),
        "in_script": "lynx" + word(6, string.ascii_lowercase), "in_header": "puma" + word(6, string.ascii_lowercase),
        "not_run": "wolf" + word(6, string.ascii_lowercase), "argv_apart": "hawk " + word(6, string.ascii_lowercase),
        "argv_glued": "crow" + word(6, string.ascii_lowercase), "argv_json": "swan" + word(6, string.ascii_lowercase),
        "argv_header": "duck" + word(6, string.ascii_lowercase), "argv_pair": "hare" + word(6, string.ascii_lowercase),
        "argv_base64": base64.b64encode(word(13).encode()).decode(), "argv_hex": word(40, "0123456789abcdef"),
        "argv_lower": "".join(draw.choice(string.ascii_lowercase) + draw.choice(string.digits) for _ in range(14)),
        "argv_base32": "".join(draw.choice(string.ascii_uppercase) + draw.choice("234567") for _ in range(8)),
    }


def fragments(secret):
    """A long random secret is given away by a part of it."""
    yield secret
    if len(secret) >= 2 * FRAGMENT and not secret.startswith(("buildbox", "hilde", "fd12", "52:54")):
        yield from (secret[i:i + FRAGMENT] for i in range(len(secret) - FRAGMENT + 1))


@pytest.mark.parametrize("seed", [1, 2])
def test_what_is_planted_is_in_no_file(run, tmp_path, seed):
    secrets = plant(seed)
    home = tmp_path / "home" / secrets["user"]
    folder = home / "work" / secrets["component"]
    folder.mkdir(parents=True)
    (folder / f"{secrets['file_name']}.conf").write_text(f"auth={secrets['content']}\n")
    (folder / "key.pem").write_text("-----BEGIN RSA PRIVATE KEY-----\n" + secrets["pem"] +
                                    "\n-----END RSA PRIVATE KEY-----\n")
    (folder / "app.py").write_text(PROGRAM.format(**secrets))
    env = {"HOME": home, "USER": secrets["user"], "LOGNAME": secrets["user"], "GITHUB_TOKEN": secrets["env_issued"],
           "AWS_SECRET_ACCESS_KEY": secrets["env_secret"], "DB_PASSWORD": secrets["env_password"],
           "SESSION_COOKIE": secrets["env_cookie"], "OPENAI_KEY": secrets["env_key"],
           "DATABASE_URL": f"postgres://u:{secrets['env_url']}@h/db", "BLOB": secrets["env_random"],
           "HEX_SECRET": secrets["env_hex"], "NOTE": secrets["env_plain"], "PYTHONPATH": home / secrets["component"],
           "GIT_AUTHOR_NAME": secrets["full_name"]}
    bundle = tmp_path / "case.tar.zst"
    forms = [tmp_path / f"r{ending}" for ending in (".txt", ".md", ".html")]
    result = run(*itertools.chain.from_iterable(("-o", path) for path in (bundle, *forms)), "--", "/usr/bin/python3",
                 "app.py", "--token", secrets["argv_token"], "--password=" + secrets["argv_password"],
                 f"https://x:{secrets['argv_url']}@host/", "-H", "Authorization: Bearer " + secrets["argv_bearer"],
                 secrets["argv_jwt"], "--pass", secrets["argv_apart"], "-p" + secrets["argv_glued"],
                 json.dumps({"auth": {"pass": secrets["argv_json"]}}), "-H", "X-Api-Key: " + secrets["argv_header"], "-u",
                 "me:" + secrets["argv_pair"], "--data=" + secrets["argv_base64"], secrets["argv_hex"],
                 secrets["argv_lower"], "--x=" + secrets["argv_base32"], env=env, cwd=folder, redact=True)
    assert "libplanted.so.7" in [cause["missing"] for cause in result.causes]
    files = unpacked(bundle)
    data = {name: name.encode() + text for name, text in files.items()}
    data.update((path.name, path.read_bytes()) for path in (*forms, result.report_path))
    trace = [json.loads(line) for line in files["case/trace.jsonl"].decode().splitlines()]
    data["all output"] = "".join(event["data"] for event in trace if event["type"] == "output").encode()
    left = {(what, name) for what, secret in secrets.items() for part in fragments(secret)
            for name, text in data.items() if part.encode() in text}
    assert not left
    assert [event["n"] for event in trace] == sorted(event["n"] for event in trace)
    assert any("address1" in phrase for phrase in result.report["redacted"])
    assert result.report["redacted"] == json.loads(files["case/report.json"])["redacted"]


# --- a whole bundle, or none ---

@pytest.mark.parametrize("call, number", [("linkat", 265), ("rename", 82)])
def test_killed_while_it_is_written(run, cc, tmp_path, call, number):
    """At the moment at which all bytes are there, but not in their place: by a policy that ends whoever makes that call."""
    policy = cc(POLICY, name="policy")
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "case.tar.zst").write_text("the one of yesterday")
    result = run("-o", folder / "case.tar.zst", "--", "/bin/false", under=[policy, "kill", number, "--"], report=False)
    assert result.returncode == 125 and "ended by signal 31" in result.stderr
    assert (folder / "case.tar.zst").read_text() == "the one of yesterday"
    named = [path.name for path in folder.iterdir() if path.name != "case.tar.zst"]
    assert all(name.startswith(".glibctrace-") for name in named) and (call == "rename" or not named)


FULL = r"""
set -e
mount --make-rprivate / 2>/dev/null || true
mount -t tmpfs -o size=4k tmpfs "$1"
program=$2
shift 2
set +e
"$program" "$@"
echo "status $?"
ls -A "$OUT"
"""


def test_a_full_disk(tool, tmp_path):
    """The file system of the bundle fills up: no half bundle is left, one line says why, and the status stays."""
    full = tmp_path / "full"
    full.mkdir()
    enter = ["unshare", *([] if os.geteuid() == 0 else ["-r"]), "-m", "--propagation", "unchanged"]
    done = subprocess.run([*enter, "sh", "-c", FULL, "full", full, tool, "-q", "-o", full / "case.tar.zst", "--",
                           "/usr/bin/python3", "-c", "import ctypes; ctypes.CDLL('libnowhere.so')"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "OUT": str(full)},
                          check=False)
    assert done.stdout.split() == ["status", "1"], done
    said = [line for line in done.stderr.splitlines() if line.startswith("glibctrace:")]
    assert len(said) == 1 and "case.tar.zst" in said[0] and "No space left on device" in said[0]


# --- variables ---

IDLE = {"LD_BIND_NOT": "idle0", "LD_DEBUG_OUTPUT": "idle1", "PYTHONSTARTUP": "idle2", "NODE_OPTIONS": "--title=idle3",
        "GOFLAGS": "-ldflags=idle4", "GOPRIVATE": "idle5", "JAVA_TOOL_OPTIONS": "idle6", "RUBYOPT": "idle7",
        "VSCODE_IPC": "idle8", "LC_IDENTIFICATION": "idle9", "NODE_PATH": "/idle10", "DISPLAY": ":1idle11"}
CHILD = "import os, subprocess; subprocess.run(['/bin/sh', '-c', ':'], env={'PYTHONHOME': 'idle%d' % 12})\n"
FAILS = CHILD + "import ctypes; ctypes.CDLL('libplanted.so.7')\n"
READS = CHILD + "open(os.environ['APP_CONF'])\n"
RUNS = CHILD + "subprocess.run(['sh', '-c', 'no-such-tool; exit 127'], check=True)\n"
FINDS = CHILD + "import planted\n"


@pytest.mark.parametrize("redact", [True, False], ids=["redacted", "as it is"])
@pytest.mark.parametrize("text, kind, variable, value", [
    (FAILS, "library-missing", "LD_LIBRARY_PATH", "{here}/useful"),
    (READS, "environment-wrong", "APP_CONF", "{here}/useful/app.conf"),
    (RUNS, "command-not-found", "PATH", "/usr/bin:/bin:{here}/useful"),
    (FINDS, None, "PYTHONPATH", "{here}/useful")], ids=["searched", "wrong", "path", "healthy"])
def test_only_variables_that_matter(run, tmp_path, text, kind, variable, value, redact):
    """Of the others not even a trace remains; where nothing failed those stand that led to what was found."""
    (tmp_path / "useful").mkdir()
    (tmp_path / "useful" / "planted.py").write_text("")
    value, bundle = value.format(here=tmp_path), tmp_path / "case.tar.zst"
    result = run("-o", bundle, "--", "/usr/bin/python3", "-c", text, env={**IDLE, "HOME": tmp_path, variable: value},
                 redact=redact)
    assert [cause["kind"] for cause in result.causes[:1]] == ([kind] if kind else [])
    files = unpacked(bundle)
    assert not {word for word in (f"idle{i}" for i in range(13)) for data in files.values() if word.encode() in data}
    events = [json.loads(line) for line in files["case/trace.jsonl"].splitlines()]
    images = [event for event in events if event.get("what") == "exec"]
    wanted = f"{variable}={value}".replace(str(tmp_path), "$HOME" if redact else str(tmp_path))
    told = [*images[0]["env"], *itertools.chain.from_iterable(event.get("variables", ()) for event in events)]
    assert wanted in told and not {entry.split("=")[0] for entry in told} & set(IDLE)
    assert "NODE_OPTIONS" in images[0]["env_left"] and any("PYTHONHOME" in image["env_left"] for image in images)
