"""chromium, headless, by its DevTools protocol over two pipes (--remote-debugging-pipe): what a page becomes in a browser."""

import base64
import json
import os
import pathlib
import subprocess

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
         "--remote-debugging-pipe"]


class Browser:
    """`under`: the words that run chromium where it is, if that is in a root of its own. One tab, ended with close()."""

    def __init__(self, under, profile):
        ours, theirs = os.pipe(), os.pipe()

        def hand_over():
            os.dup2(ours[0], 3)
            os.dup2(theirs[1], 4)

        high = [os.dup(fd) for fd in (*ours, *theirs)]  # out of the way of 3 and 4
        for fd in (*ours, *theirs):
            os.close(fd)
        while min(high) < 5:
            high = [os.dup(fd) for fd in high]
        ours, theirs = high[:2], high[2:]
        self.process = subprocess.Popen([*under, *FLAGS, f"--user-data-dir={profile}", "about:blank"], preexec_fn=hand_over,
                                        close_fds=True, pass_fds=(3, 4), stderr=subprocess.DEVNULL)
        os.close(ours[0])
        os.close(theirs[1])
        self.out, self.into, self.rest = os.fdopen(ours[1], "wb"), os.fdopen(theirs[0], "rb"), b""
        self.number, self.session, self.complaints = 0, None, []
        page = next(t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page")
        self.session = self.call("Target.attachToTarget", targetId=page["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def read(self):
        while b"\0" not in self.rest:
            piece = self.into.read1(1 << 20)
            assert piece, "chromium has ended"
            self.rest += piece
        message, self.rest = self.rest.split(b"\0", 1)
        message = json.loads(message)
        if message.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled"):
            self.complaints.append(message["params"])
        return message

    def call(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        self.out.write(json.dumps(message).encode() + b"\0")
        self.out.flush()
        while (answer := self.read()).get("id") != self.number:
            pass
        assert "error" not in answer, answer
        return answer["result"]

    def open(self, file, width=1400, scheme="light", script=True):
        phone = width < 600
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=phone)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.call("Emulation.setScriptExecutionDisabled", value=not script)
        self.call("Page.navigate", url=file)
        while self.read().get("method") != "Page.loadEventFired":
            pass

    def value(self, expression):
        """What EXPRESSION, which may be a promise, becomes; as JSON can say it."""
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, *keys):
        codes = {"Tab": 9, "Enter": 13, " ": 32, "End": 35, "Home": 36, "ArrowUp": 38, "ArrowDown": 40, "PageDown": 34}
        for key in keys:
            text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
            common = {"key": key, "windowsVirtualKeyCode": codes.get(key, ord(key[0].upper()))}
            self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text, **common)
            self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def picture(self, path):
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 8000), "scale": 1}
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        pathlib.Path(path).write_bytes(base64.b64decode(shot["data"]))

    def close(self):
        self.session = None
        try:
            self.call("Browser.close")
        finally:
            self.out.close()
            self.into.close()
            self.process.wait()
