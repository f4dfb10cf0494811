"""report.html in chromium: a real add-on of npm in a node that it was not built for, and 100,000 events.

GLIBCTRACE_PICTURES=DIR keeps a picture of each of the four looks, to be looked at.
"""

import os
import subprocess

import pytest

from browser import Browser
from conftest import e2e
from test_addons import addon

ROW = "document.querySelector('#list .at .x')?.textContent"
MATCHES = "Number(document.querySelector('#matches').textContent.split(' of ')[0].replaceAll(',', ''))"
REDRAWN = "new Promise(done => setTimeout(() => requestAnimationFrame(() => done(true)), 150))"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """What chromium sees as /tmp/pages."""
    return tmp_path_factory.mktemp("pages")


@pytest.fixture(scope="module")
def browser(place):
    root = subprocess.run(["bash", str(e2e.TOP / "tests" / "conformance" / "roots.sh"), "bookworm"], stdout=subprocess.PIPE,
                          text=True, check=True).stdout.strip()
    under = ["bwrap", "--bind", root, "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--ro-bind", place, "/tmp/pages",
             "--unshare-pid", "--unshare-net", "--die-with-parent", "/usr/lib/chromium/chromium"]
    session = Browser(under, "/tmp/profile")
    yield session
    session.close()


@pytest.fixture
def page(run, place):
    """page(name, *args) -> the result of a run and the address of its page."""

    def make(name, *args):
        result = run("-q", "-o", place / f"{name}.html", *args)
        return result, f"file:///tmp/pages/{name}.html"

    return make


@pytest.fixture
def node(page, fetched, script):
    """An add-on for musl, below npm's manner of starting things."""
    script("app/app.js", "const { execSync } = require('child_process');\nexecSync('git --version');\n"
                         f"require({str(addon(fetched, '@rollup/rollup-linux-x64-musl'))!r});")
    script("app/package.json", '{ "name": "app", "scripts": { "start": "node app.js" } }')
    return page("node", "--", "sh", "-c", "cd app && npm start")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_looks(browser, node, width, scheme):
    """Nothing hangs over the edge, no text is upon another or too faint to be read, nothing is fetched or complained of."""
    result, address = node
    browser.complaints.clear()
    browser.open(address, width, scheme)
    assert browser.value("document.documentElement.scrollWidth") == width
    assert browser.value("performance.getEntriesByType('resource').length") == 0
    assert browser.value("document.querySelector('.summary').textContent") == result.first["summary"]
    wide = browser.value("[...document.querySelectorAll('main *')].filter(e => !e.closest('#list, svg, .sr, details:not([open])') &&"
                         " e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80))")
    assert wide == []
    assert browser.value("""(() => {
      const light = (colour) => colour.match(/[\\d.]+/g).slice(0, 3).map(v => v / 255)
        .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
      const back = (e) => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
        if (!/, 0\\)$/.test(c) && c !== 'transparent') return c; } return 'rgb(255, 255, 255)'; };
      const faint = [];
      for (const e of document.querySelectorAll('h1, h2, h3, p, td, th, li, summary, b, .dir, .why, .proof, .name, .pid, .end.bad, .x')) {
        const [a, b] = [light(getComputedStyle(e).color), light(back(e))].sort((x, y) => y - x);
        if ((a + 0.05) / (b + 0.05) < 4.5 && !e.closest('svg')) faint.push(e.outerHTML.slice(0, 80)); }
      return faint; })()""") == []
    assert browser.value("""(() => {
      const upon = [], boxes = [...document.querySelectorAll('.chain li, .lane .who > *, .axis text:not(:empty), #filter label, #filter output')]
        .map(e => [e, e.getBoundingClientRect()]).filter(([, r]) => r.width && r.height);
      for (const [a, r] of boxes) for (const [b, s] of boxes)
        if (a !== b && !a.contains(b) && !b.contains(a) && r.left < s.right - 1 && s.left < r.right - 1 && r.top < s.bottom - 1 && s.top < r.bottom - 1)
          upon.push(a.textContent + ' / ' + b.textContent);
      return upon; })()""") == []
    assert browser.complaints == []
    if os.environ.get("GLIBCTRACE_PICTURES"):
        browser.picture(f"{os.environ['GLIBCTRACE_PICTURES']}/page-{width}-{scheme}.png")


def test_by_keyboard(browser, node):
    """All that can be used is met by Tab, in the order in which it is seen; the list goes by arrows; a fold by Enter."""
    result, address = node
    browser.open(address)
    met = []
    for _ in range(200):
        browser.press("Tab")
        met.append(browser.value("(e => e === document.body ? '' : e.id || e.name || e.tagName)(document.activeElement)"))
        if not met[-1]:
            break
    assert {"find", "process", "kind", "list", "SUMMARY", "A", "a"} <= set(met) | {"a"}
    assert browser.value("[...document.querySelectorAll('a, summary, input[type=search], select')].filter(e => e.tabIndex < 0"
                         " && !e.closest('details:not([open]) > :not(summary)')).length") == 0
    assert met.index("find") < met.index("process") < met.index("list")
    browser.value("document.querySelector('#list').focus()")
    browser.press("End")
    last = browser.value(ROW)
    browser.press("Home", "ArrowDown", "ArrowDown", "ArrowUp")
    assert browser.value(ROW) not in (None, last)
    assert browser.value("document.querySelector('#detail').textContent").endswith(browser.value(ROW))
    assert browser.value("document.activeElement.getAttribute('aria-activedescendant') === document.querySelector('#list .at').id")
    fold = "document.querySelector('.tree details')"
    browser.value(f"{fold}.firstElementChild.focus()")
    before = browser.value(f"{fold}.open")
    browser.press("Enter")
    assert browser.value(f"{fold}.open") is not before
    assert browser.value("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_filter(browser, node):
    result, address = node
    browser.open(address)
    all_of_them = browser.value(MATCHES)
    assert all_of_them > 500
    browser.value("document.querySelector('#find').focus()")
    browser.press(*"openat enoent")
    assert browser.value(REDRAWN) and 0 < browser.value(MATCHES) < all_of_them
    shown = browser.value("[...document.querySelectorAll('#list .x')].map(e => e.textContent)")
    assert shown and all("openat(" in line and "ENOENT" in line for line in shown)
    browser.value("document.querySelector('input[name=kind][value=\"64\"]').click()")
    browser.value("(e => { e.value = ''; e.dispatchEvent(new Event('input', { bubbles: true })); })(document.querySelector('#find'))")
    assert browser.value(REDRAWN) and browser.value(MATCHES) == len(set(result.first["evidence"]))
    # a link in the report leads to its event, whatever is filtered
    browser.value("document.querySelector('#find').value = 'nothing at all'")
    browser.value("document.querySelector('#find').dispatchEvent(new Event('input', { bubbles: true }))")
    assert browser.value(REDRAWN) and browser.value(MATCHES) == 0
    browser.value("document.querySelector('.facts a').click()")
    assert browser.value(REDRAWN) and browser.value(ROW)
    number = browser.value("document.querySelector('#list .at .n').textContent")
    assert browser.value("document.querySelector('.facts a').hash") == f"#e{number}"
    # one process
    browser.value("(e => { e.value = '0'; e.dispatchEvent(new Event('change', { bubbles: true })); })(document.querySelector('#process'))")
    who = set(browser.value("[...document.querySelectorAll('#list .p')].map(e => e.textContent)"))
    assert len(who) == 1


def test_without_a_script(browser, node):
    result, address = node
    browser.open(address, script=False)
    browser.call("Emulation.setScriptExecutionDisabled", value=False)  # for the questions only: the page's own did not run
    assert browser.value("document.querySelector('#list').hidden && document.querySelector('#filter').hidden")
    visible = browser.value("document.querySelector('main').innerText")
    for part in (result.first["summary"], result.first["missing"], "What was loaded", "Processes", "The list of all needs JavaScript"):
        assert part in visible
    for n in result.first["evidence"]:
        assert browser.value(f"document.querySelector('#e{n}').checkVisibility()")


HOSTILE = ["</script><script>window.planted=1</script>", "<img src=x onerror=planted=1>", "\u202e'\"><b id=planted>"]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names(browser, page, script, name):
    """Nothing of it runs or becomes an element; the policy is there for what might."""
    script(name.replace("/", "_"), "#!/nowhere\n")
    _, address = page("hostile", "--", "node", "-e", "console.error(process.argv[1]); require('fs').readFileSync(process.argv[1])", name)
    browser.open(address)
    assert browser.value("typeof planted") == "undefined"
    assert browser.value("document.querySelectorAll('script, img, #planted').length") == 1
    assert browser.value("""(() => { const s = document.createElement('script'); s.textContent = 'window.planted = 1';
      document.body.append(s); return typeof planted; })()""") == "undefined"
    browser.complaints.clear()


def test_100_000_events(browser, page, cc, capsys):
    """It opens, is filtered and moved through, and holds no more rows than are in sight; how long it held the page up at most is
    printed."""
    program = cc("#include <fcntl.h>\n#include <stdio.h>\n#include <unistd.h>\n"
                 "int main(void) { char name[80]; for (int i = 0; i < 100000; i++) {"
                 " snprintf(name, sizeof name, i % 2 ? \"/absent-%d/some/settings.conf\" : \"/proc/self/fdinfo/0\", i);"
                 " int fd = open(name, O_RDONLY); if (fd >= 0) close(fd); } return 3; }")
    _, address = page("many", "--no-repro", "--", program)
    browser.open(address)
    assert browser.value(MATCHES) >= 100000
    assert browser.value("document.querySelectorAll('*').length") < 2500
    longest = browser.value("""(async () => {
      const find = document.querySelector('#find'), list = document.querySelector('#list');
      const turn = () => new Promise(done => requestAnimationFrame(() => setTimeout(done)));
      let longest = 0, before = performance.now(), over = false;
      (async () => { while (!over) { await turn(); longest = Math.max(longest, performance.now() - before); before = performance.now(); } })();
      for (const word of ['absent-9999', 'settings enoent', 'zzz', '']) {
        find.value = word; find.dispatchEvent(new Event('input', { bubbles: true }));
        await new Promise(done => setTimeout(done, 100)); await turn(); }
      for (let i = 0; i < 40; i++) { list.scrollTop += 50000; await turn(); }
      over = true; return longest; })()""")
    with capsys.disabled():
        print(f"\n  100,000 events: held up for {longest:.0f} ms at most", end="")
    assert browser.value("document.querySelectorAll('#list .row').length") < 100
