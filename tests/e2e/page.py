"""report.html as a test reads it: strictly, and with what it holds as Python values.

Page(text) fails with every breach of what the page promises: elements that are closed in order, ids that are there once,
nothing that is fetched, no script or style but those that its policy names, nothing to click that a keyboard does not
reach, no link that leads nowhere.
"""

import base64
import hashlib
import html.parser
import json
import re

VOID = {"meta", "input", "br", "hr", "img", "link", "base"}
NATIVE = {"a", "input", "select", "option", "summary", "button", "label", "textarea"}
FETCHING = {"img", "link", "base", "iframe", "object", "embed", "audio", "video", "source", "form", "image", "use"}


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.ids, self.links, self.breaches = [], {}, [], []
        self.text, self.scripts, self.styles, self.policy = [], [], [], None
        self.rows = []  # of the plain tables: (id, class, text)
        self.lanes, self.broken, self.summary = [], [], ""
        self.source = text
        self.feed(text)
        self.close()
        self.check()

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        values = dict(attrs)
        if len(names) != len(values):
            self.breaches.append(f"an attribute stands twice in <{tag}>")
        for name, value in attrs:
            if name.startswith("on") or name in ("style", "src", "srcset", "action", "xlink:href", "data", "nonce"):
                self.breaches.append(f"<{tag} {name}={value!r}>")
        if tag in FETCHING:
            self.breaches.append(f"<{tag}>")
        if "href" in values:
            self.links.append(values["href"])
        if "id" in values:
            self.ids[values["id"]] = self.ids.get(values["id"], 0) + 1
        if values.get("role") in ("button", "listbox", "option", "link") and tag not in NATIVE and "tabindex" not in values:
            self.breaches.append(f"<{tag} role={values['role']}> is out of a keyboard's reach")
        if tag == "a" and "href" not in values:
            self.breaches.append("<a> without href is out of a keyboard's reach")
        if tag == "summary" and (not self.open or self.open[-1][0] != "details"):
            self.breaches.append("<summary> outside of <details> folds nothing")
        if int(values.get("tabindex", 0)) > 0:
            self.breaches.append("an order of its own for the keyboard")
        if values.get("http-equiv") == "Content-Security-Policy":
            self.policy = values["content"]
        if tag not in VOID:
            self.open.append((tag, values, []))

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open[-1][0] != tag:
            self.breaches.append(f"</{tag}> closes {self.open[-1][0] if self.open else 'nothing'} at {self.getpos()}")
            return
        _, values, words = self.open.pop()
        text = "".join(words)
        if self.open:
            self.open[-1][2].append(text)
        kind = values.get("class") or ""
        if tag == "script":
            self.scripts.append((values.get("type"), text))
        elif tag == "style":
            self.styles.append(text)
        elif tag == "tr" and any(v.get("class") == "plain" for _, v, _ in self.open):
            self.rows.append((values.get("id"), kind, text))
        elif tag == "li" and kind.startswith("lane "):
            self.lanes.append((kind, text))
        elif tag == "li" and "broken" in kind.split():
            self.broken.append(" ".join(text.split()))
        elif "summary" in kind.split():
            self.summary = self.summary or text

    def handle_data(self, data):
        if self.open:
            self.open[-1][2].append(data)
        if not self.open or self.open[-1][0] not in ("script", "style"):
            self.text.append(data)

    def handle_comment(self, data):
        self.breaches.append(f"a comment: {data[:40]}")

    def check(self):
        breaches = self.breaches
        breaches += [f"<{tag}> is not closed" for tag, _, _ in self.open]
        breaches += [f"id {name} stands {count} times" for name, count in self.ids.items() if count > 1]
        breaches += [f"a link leads out of the page: {link}" for link in self.links if not link.startswith("#")]
        if self.data is not None:
            known = {f"e{event['n']}" for event in self.events} | set(self.ids)
            breaches += [f"{link} leads nowhere" for link in self.links if link.startswith("#") and link[1:] not in known]
        for text in self.styles:
            breaches += re.findall(r"url\(|@import|expression\(", text)
            if f"'sha256-{digest(text)}'" not in re.search("style-src ([^;]*);", self.policy)[1]:
                breaches.append("the policy does not name the style")
        for kind, text in self.scripts:
            if kind is None and f"'sha256-{digest(text)}'" not in re.search("script-src ([^;]*);", self.policy)[1]:
                breaches.append("the policy does not name the script")
        for word in ("unsafe", "http:", "https:", "*"):
            if word in self.policy:
                breaches.append(f"the policy allows {word}")
        if not self.policy.startswith("default-src 'none';"):
            breaches.append("the policy does not begin by forbidding all")
        assert not breaches, "report.html breaks its promise:\n" + "\n".join(breaches[:20])

    @property
    def plain_text(self):
        return " ".join("".join(self.text).split())

    @property
    def data(self):
        return next((json.loads(text) for kind, text in self.scripts if kind == "application/json"), None)

    @property
    def events(self):
        """The events that the script lists, as dictionaries."""
        data, n, t, ret = self.data, 0, 0, []
        columns = [data[key] for key in "ntpdkx"]
        assert len({len(column) for column in columns}) == 1
        for dn, dt, p, d, kinds, x in zip(*columns):
            n, t = n + dn, t + dt
            ret.append({"n": n, "t": t / 1e6, "pid": data["pids"][p], "tid": data["pids"][p] + d,
                        "program": data["programs"][p], "failed": bool(kinds & 1), "evidence": bool(kinds & 64),
                        "text": data["texts"][x]})
        return ret


def digest(text):
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def load(path):
    return Page(path.read_bytes().decode("utf-8"))
