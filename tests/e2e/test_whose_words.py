"""Whose words count: what a parent captured and got over, and what a program said of a library before another end."""

import pytest

PYTHON = "/usr/bin/python3"
CONF = "/nowhere/x.conf"
MISSING = [("file-missing", CONF, "fatal")]

# The file is missed by a child whose words its parent captures.
QUOTED = {
    "python": [PYTHON, "-c", "import subprocess\n"
               f"p = subprocess.run(['sh', '-c', 'cat {CONF}; echo hello'], capture_output=True, text=True)\n"
               "assert p.stdout == 'world\\n', p"],
    "node": ["node", "-e", f"const r = require('child_process').spawnSync('sh', ['-c', 'cat {CONF}; echo hello'], "
             "{encoding: 'utf8'}); require('assert').deepStrictEqual(r.stdout, 'world', 'bad: ' + JSON.stringify(r))"],
    "perl": ["perl", "-e", f"my $o = `sh -c 'cat {CONF}; echo hello' 2>&1`; die qq(got: $o) if $o ne 'world'"],
}
OF_ANOTHER = {
    "python": [PYTHON, "-c", f"import subprocess\nsubprocess.run(['cat', '{CONF}'], capture_output=True)\n"
               "raise ValueError('3 checks are wrong')"],
    "node": ["node", "-e", f"require('child_process').spawnSync('cat', ['{CONF}']); JSON.parse('{{a')"],
    "perl": ["perl", "-e", f"my $o = `cat {CONF} 2>&1`; die qq(bad input: '3' is odd\\n)"],
}
PASSED_ON = {
    "python": [PYTHON, "-c", f"import subprocess, sys\nr = subprocess.run(['cat', '{CONF}'], capture_output=True, text=True)\n"
               "if r.returncode: sys.exit('helper failed: ' + r.stderr)"],
    "python, the command": [PYTHON, "-c", "import subprocess\n"
                            f"subprocess.run(['cat', '{CONF}'], capture_output=True, check=True)"],
    "python, nothing of it": [PYTHON, "-c", f"import subprocess, sys\nr = subprocess.run(['cat', '{CONF}'], "
                              "capture_output=True)\nif r.returncode: sys.exit('setup failed')"],
    "node": ["node", "-e", f"require('child_process').execFile('cat', ['{CONF}'], e => {{ if (e) throw e }})"],
    "perl": ["perl", "-e", "use IPC::Open3; use Symbol 'gensym'; my $e = gensym; "
             f"my $p = open3(my $i, my $o, $e, 'cat', '{CONF}'); my @l = <$e>; waitpid($p, 0); die qq(helper: @l) if $?"],
    "shell": ["sh", "-c", f"out=$(cat {CONF} 2>&1) || {{ echo \"failed: $out\" >&2; exit 4; }}"],
}


def _found(result):
    return [(c["kind"], c["missing"], c["impact"]) for c in result.causes]


@pytest.mark.parametrize("who", QUOTED)
def test_quoted_by_who_got_over_it(run, who):
    """The shell that the child ran in went on and ended well: that its output is shown later makes it no cause."""
    result = run("--", *QUOTED[who])
    assert result.returncode and "No such file" in result.stderr
    assert result.causes == []


@pytest.mark.parametrize("who", OF_ANOTHER)
def test_ended_of_another_thing_than_its_child(run, who):
    result = run("--", *OF_ANOTHER[who])
    assert result.returncode and result.causes == []


@pytest.mark.parametrize("who", PASSED_ON)
def test_told_by_who_captured_it(run, who):
    result = run("--", *PASSED_ON[who])
    assert _found(result) == MISSING
    assert len(result.first["chain"]) > 1
    assert result.first["process"]["argv"] == ["cat", CONF]


# --- a library that is complained of ---

OPENS = """
#include <dlfcn.h>
#include <stdio.h>
int main(int argc, char **argv)
{
    if (!dlopen("libfast.so.3", RTLD_NOW))
        fprintf(stderr, argv[1], dlerror());
    for (int i = 2; i < argc; i++)
        fputs(argv[i], stderr);
    return 1;
}
"""
TRIES = {
    "python": [PYTHON, "-c", "import ctypes, sys\ntry: ctypes.CDLL('libfast.so.3')\n"
               "except OSError as e: print('{words}'.replace('%s', str(e)), file=sys.stderr)\n{then}"],
    "node": ["node", "-e", "try {{ process.dlopen({{exports: {{}}}}, 'libfast.so.3') }} catch (e) {{"
             " console.error('{words}'.replace('%s', e.message)) }}\n{then}"],
    "perl": ["perl", "-e", "require DynaLoader; DynaLoader::dl_load_file('libfast.so.3') or"
             " printf STDERR qq({words}\\n), DynaLoader::dl_error();\n{then}"],
}
OWN_END = {"python": "int('x')", "node": "JSON.parse('{a')", "perl": "die qq(bad input: '3' is odd)"}
ITS_END = {"python": "raise RuntimeError('cannot start the engine')", "node": "throw new Error('the engine failed to start')",
           "perl": "die qq(cannot start the engine)"}
LEFT = ["warning: libfast not available, going on without", "warning: %s", "acceleration is disabled: %s", "%s"]


def _tries(who, words, then):
    return [word.format(words=words, then=then) if "{words}" in word else word for word in TRIES[who]]


@pytest.mark.parametrize("words", LEFT)
@pytest.mark.parametrize("who", TRIES)
def test_library_that_it_went_on_without(run, who, words):
    result = run("--", *_tries(who, words, OWN_END[who]))
    assert result.returncode and "libfast" in result.stderr
    assert all(c["impact"] == "degraded" for c in result.causes)


@pytest.mark.parametrize("who", TRIES)
def test_library_that_it_ended_of(run, who):
    for words in ("error: %s", "cannot find libfast"):
        result = run("--", *_tries(who, words, ITS_END[who]))
        assert _found(result) == [("library-missing", "libfast.so.3", "fatal")]


@pytest.mark.parametrize("then, impact", [
    (["prog: 3 is not 'even'\n", "prog: wrong input\n"], "degraded"), (["prog: initialisation failed\n"], "fatal"), ([], "fatal")])
def test_library_in_c(run, cc, then, impact):
    result = run("--", cc(OPENS, "-ldl"), "prog: %s\n", *then)
    assert _found(result) == [("library-missing", "libfast.so.3", impact)]
    result = run("--", cc(OPENS, "-ldl"), "warning: no libfast, going on (%s)\n", *then)
    assert _found(result) == [("library-missing", "libfast.so.3", "degraded" if then else "fatal")]


@pytest.mark.parametrize("who", TRIES)
def test_its_true_end_comes_first(run, who):
    then = {"python": f"open('{CONF}')", "node": f"require('fs').readFileSync('{CONF}')",
            "perl": f"open(F, '{CONF}') or die qq({CONF}: $!)"}[who]
    found = _found(run("--", *_tries(who, "%s", then)))
    assert found == [*MISSING, ("library-missing", "libfast.so.3", "degraded")]


def test_exceptions_that_come_of_one_another(run):
    text = "import ctypes\ntry: ctypes.CDLL('libfast.so.3')\nexcept OSError as e: raise ImportError(\"no 'fast' part\"){}"
    for cause in ("", " from e"):
        assert _found(run("--", PYTHON, "-c", text.format(cause))) == [("library-missing", "libfast.so.3", "fatal")]


def test_another_process_met_what_is_named(run):
    """perl failed at directories of its own before it repeats, without more, what another one said."""
    result = run("--", "perl", "-e", f"my $o = `cat {CONF} 2>&1`; die qq(worker: $o) if $?")
    assert _found(result) == MISSING


# --- workers that hand over what they failed at ---

POOLS = {
    "python, a pool": "import multiprocessing as m\nwith m.Pool(2) as p: print(p.map(work, [1]))",
    "python, one that is not closed": "import multiprocessing as m\np = m.Pool(2)\nprint(p.map(work, [1]))",
    "python, an executor": "import concurrent.futures as c\nwith c.ProcessPoolExecutor(2) as p: print(list(p.map(work, [1])))",
    "python, spawned": "import multiprocessing as m\nif __name__ == '__main__':\n"
                       "    with m.get_context('spawn').Pool(2) as p: print(p.map(work, [1]))",
}
FORKED = r"""
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    char words[300] = "";
    int ends[2];
    if (pipe(ends) < 0)
        return 9;
    if (fork() == 0) {
        snprintf(words, sizeof words, "%s: %s", argv[1], open(argv[1], O_RDONLY) < 0 ? strerror(errno) : "");
        _exit(write(ends[1], words, strlen(words)) < 0);
    }
    close(ends[1]);
    if (read(ends[0], words, sizeof words - 1) > 0 && !argv[2])
        fprintf(stderr, "the worker said: %s\n", words);
    wait(NULL);
    if (argv[2])
        fputs(argv[2], stderr);
    return 2;
}
"""
WORKERS = {
    "node, a message": "const c = require('child_process'), f = require('fs');"
                       " if (process.argv[2]) { try { f.readFileSync('FILE') } catch (e) {"
                       " process.send(e.message, () => process.exit(0)) } }"
                       " else c.fork(__filename, ['worker']).on('message', m => { throw new Error(m) })",
    "node, a thread": "const {Worker} = require('worker_threads');"
                      " new Worker(\"require('fs').readFileSync('FILE')\", {eval: true})",
    "perl, a pipe": "pipe(R, W); if (!fork) { open(F, 'FILE') or syswrite(W, \"FILE: $!\"); exit 0 }"
                    " close W; my $l = <R>; wait; die qq(worker: $l\\n) if $l",
}


def _pool(script, how, work):
    path = script("pool.py", f"def work(n):\n    {work}\n{POOLS[how]}\n")
    return [PYTHON, path]


@pytest.mark.parametrize("how", POOLS)
def test_what_a_pool_failed_at(run, script, tmp_path, how):
    """The worker fails, its parent says so; and one that copes in the worker has nothing to say."""
    result = run("--", *_pool(script, how, f"return open('{CONF}').read()"))
    assert _found(result) == MISSING
    cause = result.first
    assert cause["process"]["pid"] != result.report["input"]["pid"] and CONF in cause["words"]
    assert len(cause["chain"]) == (2 if "spawned" in how else 1)
    result = run("--", *_pool(script, how, "import ctypes; return ctypes.CDLL('libfast.so.3')"))
    assert _found(result) == [("library-missing", "libfast.so.3", "fatal")]
    copes = f"\n    try: return open('{CONF}').read()\n    except OSError: pass\n    return int('x' * n)"
    assert run("--", *_pool(script, how, copes)).causes == []
    result = run("--", *_pool(script, how, copes.replace("int('x' * n)", "1")))
    assert (result.returncode, result.causes) == (0, [])


@pytest.mark.parametrize("how", WORKERS)
def test_what_a_worker_failed_at(run, script, tmp_path, how):
    there = script("there.conf", "x = 1\n")
    program = "node" if how.startswith("node") else "perl"
    assert _found(run("--", program, script("w.js", WORKERS[how].replace("FILE", CONF)))) == MISSING
    result = run("--", program, script("w.js", WORKERS[how].replace("FILE", str(there))))
    assert result.causes == []


def test_what_a_fork_failed_at(run, cc):
    prog = cc(FORKED)
    result = run("--", prog, CONF)
    assert _found(result) == MISSING and result.first["process"]["pid"] != result.report["input"]["pid"]
    assert run("--", prog, CONF, "prog: 3 is not 'even'\n").causes == []
    assert run("--", prog, CONF, f"prog: {CONF}, 3 lines\n").causes == []
    assert run("--", prog, "/etc/passwd").causes == []


def test_permission_that_a_worker_lacks(run, script, tmp_path):
    words = _pool(script, "python, a pool", "return open('/etc/shadow').read()")
    tmp_path.chmod(0o755)
    result = run("--", "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", words[0], "-c", words[1].read_text())
    assert _found(result) == [("permission-denied", "/etc/shadow", "fatal")]


def test_a_note_of_what_a_worker_failed_at(run, script):
    """Its parent said so, went on, and ended of something else."""
    text = (f"import concurrent.futures as c, sys\ndef work(n): return open('{CONF}')\np = c.ProcessPoolExecutor(2)\n"
            "try: list(p.map(work, [1]))\nexcept OSError as e: print('no data:', e, file=sys.stderr)\np.shutdown()\n{}\n")
    assert run("--", PYTHON, "-c", text.format("raise ValueError('3 checks are wrong')")).causes == []
    result = run("--", PYTHON, "-c", text.format(""))
    assert (result.returncode, result.causes) == (0, [])
