"""A real Chromium, driven over its DevTools protocol through two pipes: no driver and no package beside the browser.

The protocol: https://chromedevtools.github.io/devtools-protocol/. `--remote-debugging-pipe` reads commands from file
descriptor 3 and writes answers and events to 4, as JSON objects that end in a zero byte.
"""

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
TIMEOUT = 60.0
"""Seconds after which an answer of the browser is no longer awaited."""

_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars"),
    "--remote-debugging-pipe",
)
_KEYS = {
    "Tab": (9, ""),
    "Enter": (13, "\r"),
    "Escape": (27, ""),
    "Space": (32, " "),
    "ArrowUp": (38, ""),
    "ArrowDown": (40, ""),
    "ArrowLeft": (37, ""),
    "ArrowRight": (39, ""),
    "Home": (36, ""),
    "End": (35, ""),
    "Backspace": (8, ""),
}


class Browser:
    """A running browser with an empty profile; `open` gives pages of it."""

    def __init__(self, profile: Path) -> None:
        commands, self._commands = os.pipe()
        self._answers, answers = os.pipe()
        # Above 9, so that setting up descriptors 3 and 4 overwrites neither.
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (commands, answers)]
        shell = ("bash", "-c", f'exec "$@" 3<&{ends[0]} 4>&{ends[1]}', "bash")
        self._log = (profile.parent / f"{profile.name}.log").open("wb")
        self._process = subprocess.Popen(
            [*shell, str(CHROMIUM), *_FLAGS, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=ends,
            stderr=self._log,
            stdout=self._log,
        )
        for end in (commands, answers, *ends):
            os.close(end)
        self._last = 0
        self._unread = b""
        self.pages: dict[str, Page] = {}

    def open(self, place: Path | str, *, fragment: str = "", **looks: Any) -> "Page":
        """Load a file or an address in a tab of its own, until its load event; `looks` as `Page.look` takes them."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = self.pages[session] = Page(self, session, target)
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.call(f"{domain}.enable")
        page.look(**looks)
        page.call("Page.navigate", url=(place if isinstance(place, str) else place.as_uri()) + fragment)
        self.wait(lambda: page.loaded)
        return page

    def call(self, method: str, *, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """One command and its answer; events that arrive before it go to their pages."""
        self._last += 1
        wanted = self._last
        message = {"id": wanted, "method": method, "params": parameters} | ({"sessionId": session} if session else {})
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._commands, data) :]
        while (answer := self._next()).get("id") != wanted:
            pass
        assert "error" not in answer, (method, answer["error"])
        return answer["result"]

    def wait(self, condition: Any) -> None:
        """Read events until the condition holds."""
        while not condition():
            self._next()

    def close(self) -> None:
        self.call("Browser.close")
        self._process.wait(TIMEOUT)
        self._log.close()
        for end in (self._commands, self._answers):
            os.close(end)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._unread:
            ready, _, _ = select.select([self._answers], [], [], TIMEOUT)
            data = os.read(self._answers, 1 << 16) if ready else b""
            assert data, f"the browser does not answer; its log is {self._log.name}"
            self._unread += data
        line, self._unread = self._unread.split(b"\0", 1)
        message = json.loads(line)
        if page := self.pages.get(message.get("sessionId", "")):
            page.on_event(message.get("method", ""), message.get("params", {}))
        return message


class Page:
    """One tab: what it asked the network for, what it wrote to its console, and a person's keyboard and mouse."""

    def __init__(self, browser: Browser, session: str, target: str) -> None:
        self._browser, self._session, self._target = browser, session, target
        self.requests: list[str] = []
        self.console: list[str] = []
        self.loaded = False

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self._browser.call(method, session=self._session, **parameters)

    def on_event(self, method: str, parameters: dict[str, Any]) -> None:
        match method:
            case "Network.requestWillBeSent":
                self.requests.append(parameters["request"]["url"])
            case "Runtime.consoleAPICalled" | "Runtime.exceptionThrown" | "Log.entryAdded":
                self.console.append(json.dumps(parameters))
            case "Page.loadEventFired":
                self.loaded = True

    def look(self, *, width: int = 1280, height: int = 900, dark: bool = False, media: str = "") -> None:
        """Set the size of the window in CSS pixels, the colour scheme and the medium (`print`)."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media=media, features=[scheme])

    def run(self, code: str) -> Any:
        """The value of the body of a JavaScript function, which may await."""
        done = self.call(
            "Runtime.evaluate",
            expression=f"(async () => {{ {_TOOLS} {code} }})()",
            awaitPromise=True,
            returnByValue=True,
        )
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def wait(self, expression: str) -> None:
        """Wait until a JavaScript expression is true."""
        end = time.monotonic() + TIMEOUT
        while not self.run(f"return Boolean({expression});"):
            assert time.monotonic() < end, f"never true: {expression}"
            time.sleep(0.02)

    def press(self, key: str, *, times: int = 1, shift: bool = False) -> None:
        """Press a named key, or type one character."""
        code, text = _KEYS.get(key, (0, key))
        name = " " if key == "Space" else key
        common = {"key": name, "code": key, "windowsVirtualKeyCode": code, "modifiers": 8 if shift else 0}
        for _ in range(times):
            self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text, **common)
            self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def type(self, text: str) -> None:
        """Put text in where the focus is, as an input method does."""
        self.call("Input.insertText", text=text)

    def click(self, selector: str) -> None:
        """Scroll the first element that fits into view and click its middle."""
        x, y = self.run(
            f"const box = one({json.dumps(selector)}); box.scrollIntoView({{block: 'center', behavior: 'instant'}});"
            "const place = box.getBoundingClientRect();"
            "return [place.x + place.width / 2, place.y + place.height / 2];"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        """Save what is seen, or the whole page, as PNG."""
        done = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(done["data"]))

    def close(self) -> None:
        self._browser.call("Target.closeTarget", targetId=self._target)
        self._browser.pages.pop(self._session)


_TOOLS = """
const all = (query) => [...document.querySelectorAll(query)];
const one = (query) => document.querySelector(query);
const texts = (query) => all(query).map((node) => node.textContent.trim());
const shown = (node) => node.checkVisibility();
"""
