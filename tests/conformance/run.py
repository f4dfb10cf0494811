#!/usr/bin/env python3
"""Programs x libcs: what ld.so bound against what the shadow loader says, lookup by lookup (`make conformance`).

Each program runs twice under LD_DEBUG=libs,files,scopes,bindings, binding lazily and (LD_BIND_NOW) at once, on this system and
inside the roots of tests/roots.sh; every process that it starts is compared on its own by build/conformance/bindings.
Prints a line for each program, and totals. Ends with 1 where there is a difference that KNOWN does not explain.
"""

import argparse
import collections
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

import libcs

# Words of a shell; a program that a system does not have is passed over there, and named at the end.
PROGRAMS = """
python3 -c "import ssl, sqlite3, ctypes, curses, zlib, lzma, bz2, hashlib, decimal, asyncio, readline, uuid"
node -e "require('crypto').randomBytes(8); require('zlib').gzipSync('x'); require('dns')"
gdb -batch -ex "python import ssl, ctypes"
git --version
git ls-remote https://127.0.0.1:1/x
gopls version
go version
perl -MPOSIX -MSocket -MStorable -MDigest::SHA -MTime::HiRes -e 1
bash -c ":"
dash -c ":"
ls -l /
sort /etc/passwd
cp /etc/passwd copy
date
du -s /etc/default
id
stat /
sha256sum /etc/passwd
df /
chroot --version
getent passwd root
getent hosts localhost
iconv -f LATIN1 -t UTF-16 /etc/passwd
locale -a
localedef --list-archive
gcc -shared -xc -o a.so /dev/null
g++ -shared -xc++ -o b.so /dev/null
ld --version
as --version
readelf -h /bin/sh
make --version
tar -cf a.tar /etc/passwd
curl -s http://127.0.0.1:1/
openssl list -providers
ssh -V
vim --version
tmux -V
strace -V
sqlite3 :memory: "select 1"
psql --version
cmake --version
clang --version
clang-tidy --version
apt-get -v
dpkg --version
dpkg-deb --version
find /etc -maxdepth 1
grep root /etc/passwd
sed -n 1p /etc/passwd
mawk 1 /etc/passwd
gpg --version
xz --version
ip -V
ps
dlv version
/usr/lib/chromium/chromium --version
/usr/lib/chromium/chromium --headless --no-sandbox --disable-gpu --no-first-run --user-data-dir=u --dump-dom about:blank
"""

QUICK = ("python3 ", "node ", "git ls-remote", "perl ", "bash ", "gcc ", "ls ", "iconv ", "openssl ", "apt-get ", "id")

# What cannot be compared, and why. These are counted, and are no differences.
NOT_COMPARED = {
    "vdso": "ld.so's own look into the vdso: no object of a file asks, and no relocation",
    "forked": "a forked child goes on in its parent's log, and may dlopen what the parent does not",
    "torn": "two threads wrote their lines into each other",
}

# (kind, expression that its line matches, reason): differences that are known and stay.
KNOWN = ()

COMPARED = ("eager", "lazy", "again", "dlsym")
DIFFERENT = ("TARGET", "ORDER", "OBJECT", "MISSING", "SCOPE", "SEARCH", "LOAD")


class Comparison:
    """The counts of one process, one program or all, and the lines of the differences."""

    def __init__(self):
        self.counts = collections.Counter()
        self.lines = []
        self.images = 0

    def add(self, other):
        self.counts.update(other.counts)
        self.lines += other.lines
        self.images += other.images

    def sum(self, names):
        return sum(self.counts[name] for name in names)

    @property
    def lookups(self):
        return self.sum(COMPARED) + self.sum(("TARGET", "ORDER", "OBJECT", "MISSING"))

    @property
    def unknown(self):
        return [line for line in self.lines if not reason_of(line)]


def programs_for(words, quick):
    """The programs that are asked for by WORDS, else all, or a few of them."""
    return words or [w for w in PROGRAMS.strip().splitlines() if not quick or w.startswith(QUICK)]


def commands(libc, programs):
    """(words, argv) of those of PROGRAMS that LIBC has."""
    for words in programs:
        argv = shlex.split(words)
        if libc.where(argv[0]):
            yield words, [libc.where(argv[0]), *argv[1:]]


def traced(description):
    """What the comparisons of glibctrace itself are about: its path, the libcs, the programs, and which libcs cannot be
    had (a list of lines that grows while the libcs are walked through). One that takes a chroot, which is root's, is
    named and passed over."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--program", type=os.path.abspath, default=libcs.TOP / "build" / "glibctrace", dest="tool")
    parser.add_argument("--libc", action="append", help="host, bullseye, trixie or forky; may be given several times")
    parser.add_argument("--more", action="store_true", help="roots with larger programs")
    parser.add_argument("--quick", action="store_true", help="a few programs")
    parser.add_argument("words", nargs="*", help="these programs instead (each one shell word)")
    args = parser.parse_args()
    missing = []

    def walk():
        for name in args.libc or ["host", *(libcs.MORE_ROOTS if args.more else libcs.ROOTS)]:
            try:
                libc = libcs.named(name, args.more)
            except OSError as error:
                missing.append(f"{name}: {error}")
                continue
            if libc.root and os.geteuid() != 0:
                print(f"{name:9} takes root's rights (chroot)")
                continue
            yield name, libc

    return args.tool, walk(), programs_for(args.words, args.quick), missing


def reason_of(line):
    kind, _, text = line.partition(": ")
    return next((reason for k, expression, reason in KNOWN if k == kind and re.search(expression, text)), None)


def programs_of(libc, log):
    """The files that the process of LOG executed one after the other, by the names that its log calls them by; None for
    one whose name leads to no file."""
    with open(log, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if "Initial object scopes" in line:
                found = re.match(r"\s*\d+:\tobject=(.*) \[0\]$", next(lines, ""))
                yield libc.where(found[1]) if found else None


def compare(tool, libc, program, work, log, env, image=0):
    """One process. An absolute path into a root is resolved there by the tool."""
    command = [str(tool), "--root", libc.root, "--cwd", "/" if libc.root else str(work), "--image", str(image)]
    for name, value in env.items():
        command += ["--env", f"{name}={value}"]
    done = subprocess.run([*command, program, str(log)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    result = Comparison()
    if done.returncode:
        result.lines.append(f"OBJECT: {program}: {done.stdout.strip()}")
        return result
    first, *result.lines = done.stdout.splitlines()
    result.counts.update({k: int(v) for k, v in (part.split("=") for part in first.split())})
    result.images = 1
    return result


def run_program(tool, libc, argv, env):
    """Runs ARGV under LD_DEBUG and compares every process of it. ENV: what the loader reads besides."""
    total = Comparison()
    with tempfile.TemporaryDirectory(prefix="glibctrace-conformance-") as name:
        work = pathlib.Path(name)
        work.chmod(0o755)
        (work / "log").mkdir()
        libc.run(argv, work, {**env, "LD_DEBUG": "libs,files,scopes,bindings", "LD_DEBUG_OUTPUT": libc.inside(work, "log/l")})
        for log in sorted((work / "log").iterdir()):
            for image, program in enumerate(programs_of(libc, log)):
                if program:
                    total.add(compare(tool, libc, program, work, log, env, image))
                else:
                    total.counts["unknown program"] += 1
    return total


def print_line(name, what, result):
    print(f"{name:9} {what[:44]:44} {result.images:4} {result.lookups:8} {result.sum(COMPARED):8} {result.sum(DIFFERENT):6}"
          f"{result.counts['scopes']:8}{result.counts['searches']:9}", flush=True)


def run_libc(tool, libc, programs, total):
    absent = [shlex.split(words)[0] for words in programs if not libc.where(shlex.split(words)[0])]
    for words, argv in commands(libc, programs):
        result = Comparison()
        for env in ({}, {"LD_BIND_NOW": "1"}):
            result.add(run_program(tool, libc, argv, env))
        print_line(libc.name, words, result)
        for line in result.lines[:20]:
            print(f"          {line}" + (f"   (known: {reason_of(line)})" if reason_of(line) else ""))
        if not result.images:
            print("          it wrote no log")
        total.add(result)
    if absent:
        print(f"{libc.name:9} not there: {' '.join(dict.fromkeys(absent))}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tool", default=libcs.TOP / "build" / "conformance" / "bindings")
    parser.add_argument("--libc", action="append", help="host, bullseye, trixie or forky; may be given several times")
    parser.add_argument("--root", action="append", default=[], help="a root directory of yours; may be given several times")
    parser.add_argument("--more", action="store_true", help="roots with larger programs (made once, 2.2 GB)")
    parser.add_argument("--quick", action="store_true", help="a few programs")
    parser.add_argument("program", nargs="*", help="these programs instead (each one shell word)")
    args = parser.parse_args()
    programs = programs_for(args.program, args.quick)
    total, missing, systems = Comparison(), [], [libcs.Libc(os.path.basename(root), root) for root in args.root]
    print(f"{'libc':9} {'program':44} {'runs':>4} {'lookups':>8} {'equal':>8} {'differ':>6} {'scopes':>7} {'searches':>8}")
    for name in args.libc or ([] if args.root else ["host", *(libcs.MORE_ROOTS if args.more else libcs.ROOTS)]):
        try:
            systems.append(libcs.named(name, args.more))
        except OSError as error:
            missing.append(f"{name}: {error}")
    for libc in systems:
        of_libc = Comparison()
        run_libc(args.tool, libc, programs, of_libc)
        print_line(libc.name, "total", of_libc)
        total.add(of_libc)
    print_line("all", "total", total)
    for kind, why in NOT_COMPARED.items():
        print(f"not compared: {total.counts[kind]} {kind} ({why})")
    if total.counts["unknown program"]:
        print(f"not compared: {total.counts['unknown program']} processes whose log names no file that can be found")
    print(f"of the lookups: {total.counts['eager']} at load, {total.counts['lazy']} at the first call, "
          f"{total.counts['again']} repeated, {total.counts['dlsym']} by dlsym or ld.so itself")
    for line in missing:
        print(f"could not run: {line}")
    if total.unknown or missing or not total.lookups:
        print(f"FAILED: {len(total.unknown)} differences that are not known")
        return 1
    print(f"{total.lookups} lookups and {total.counts['scopes']} search lists and {total.counts['searches']} searches for files compared, "
          f"{total.sum(DIFFERENT)} differences, all known")
    return 0


if __name__ == "__main__":
    sys.exit(main())
