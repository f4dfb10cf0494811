"""A language client, as small as can be: requests to a server over its pipe, from any thread, each with its answer."""

import json
import subprocess
import threading

HANGS_AFTER = 60  # seconds; ends a test that would never end


class Client:
    """Talks to a server that is started with COMMAND. `ask` raises what the server answers as an error."""

    def __init__(self, command, **popen):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **popen)
        self.pid = self.process.pid
        self.changed = threading.Condition()
        self.answers, self.number, self.ended, self.answered = {}, 0, False, 0
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _send(self, message):
        data = json.dumps({"jsonrpc": "2.0", **message}).encode()
        with self.changed:
            self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(data), data))
            self.process.stdin.flush()

    def _message(self):
        length = None
        while True:
            line = self.process.stdout.readline()
            if not line:
                return None
            if line == b"\r\n":
                return json.loads(self.process.stdout.read(length))
            name, value = line.split(b":", 1)
            if name.lower() == b"content-length":
                length = int(value)

    def _read(self):
        while (message := self._message()) is not None:
            if "method" in message and "id" in message:  # the server asks: it gets the least that is an answer
                items = message.get("params", {}).get("items")
                self._send({"id": message["id"], "result": [None] * len(items) if items else None})
            elif "id" in message:
                with self.changed:
                    self.answers[message["id"]] = message
                    self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def tell(self, method, **params):
        self._send({"method": method, "params": params})

    def ask(self, method, **params):
        with self.changed:
            self.number += 1
            number = self.number
        self._send({"id": number, "method": method, "params": params})
        with self.changed:
            come = self.changed.wait_for(lambda: number in self.answers or self.ended, HANGS_AFTER)
            assert come and number in self.answers, f"{method} was not answered"
            answer = self.answers.pop(number)
            self.answered += 1
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reader.join()
        for stream in (self.process.stdin, self.process.stdout):
            try:
                stream.close()
            except BrokenPipeError:
                pass


class Session(Client):
    """A session with gopls about one small module."""

    FILES = {"go.mod": "module example.org/ws\n\ngo 1.19\n", "main.go": (
        "package main\n\nimport \"fmt\"\n\n// double is twice its argument.\nfunc double(n int) int { return 2 * n }\n\n"
        "func main() { fmt.Println(double(21)) }\n")}

    def __init__(self, folder, env, under=(), **popen):
        """UNDER: words of a command that runs gopls."""
        for name, text in self.FILES.items():
            (folder / name).write_text(text)
        home = folder / "home"
        home.mkdir()
        env = env | {"HOME": home, "GOPATH": home / "go", "GOCACHE": home / "cache", "GOFLAGS": "-mod=mod",
                     "GOPROXY": "off", "GOTOOLCHAIN": "local", "XDG_CACHE_HOME": home / "xdg", "XDG_CONFIG_HOME": home / "config"}
        super().__init__([*map(str, under), "gopls"], cwd=folder, env={key: str(value) for key, value in env.items()}, **popen)
        self.uri = f"file://{folder}/main.go"
        self.version = 1
        root = f"file://{folder}"
        told = self.ask("initialize", processId=None, rootUri=root, workspaceFolders=[{"uri": root, "name": "ws"}],
                        capabilities={"textDocument": {"hover": {"contentFormat": ["plaintext"]}}})
        assert told["capabilities"]["hoverProvider"]
        self.tell("initialized")
        self.tell("textDocument/didOpen", textDocument={"uri": self.uri, "languageId": "go", "version": 1,
                                                        "text": self.FILES["main.go"]})

    def works(self):
        """Is what it knows of the open file right?"""
        at = {"textDocument": {"uri": self.uri}, "position": {"line": 7, "character": 29}}
        hover = self.ask("textDocument/hover", **at)
        place = self.ask("textDocument/definition", **at)
        return "double is twice its argument" in json.dumps(hover) and place[0]["range"]["start"]["line"] == 5

    def edit(self):
        """A comment more at the end of the file: the server has to parse and check it again."""
        self.version += 1
        text = self.FILES["main.go"] + f"// {self.version}\n"
        self.tell("textDocument/didChange", textDocument={"uri": self.uri, "version": self.version},
                  contentChanges=[{"text": text}])

    def leave(self):
        """The regular end; returns the exit status."""
        self.ask("shutdown")
        self.tell("exit")
        return self.process.wait(HANGS_AFTER)
