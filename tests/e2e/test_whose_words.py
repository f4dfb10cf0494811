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
