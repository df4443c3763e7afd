"""Drive a headless Chromium by its DevTools protocol: open a page, click, wait, take a picture.

Source: https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from websockets.sync.client import connect
from websockets.sync.connection import Connection

from practice.harness.warden import die_with_the_starter

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
START_SECONDS = 60.0
WAIT_SECONDS = 60.0
PAUSE = 0.2
REPLY_BYTES = 200_000_000
"""A picture of a long page is one reply."""


class PageNotReady(RuntimeError):
    """Say that a page does not show in time what a scene waits for."""


class Browser:
    """Control one window of a browser."""

    def __init__(self, socket: Connection) -> None:
        self._socket = socket
        self._numbers = count(1)
        self._ask("Page.enable")

    def open(self, url: str, width: int = 1280, height: int = 900, *, dark: bool = False) -> None:
        """Show a page in a window of this size (in CSS pixels), and wait until it has loaded."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._ask("Emulation.setEmulatedMedia", features=[scheme])
        self._size(width, height)
        self._ask("Page.navigate", url=url)
        self.wait_for("document.readyState === 'complete'")

    def wait_for(self, condition: str, seconds: float = WAIT_SECONDS) -> None:
        """Wait until an expression of JavaScript is true.

        Raises:
            PageNotReady: it is not within this time.
        """
        deadline = time.monotonic() + seconds
        while not self.evaluate(f"Boolean({condition})"):
            if time.monotonic() > deadline:
                raise PageNotReady(f"never true: {condition}")
            time.sleep(PAUSE)

    def wait_for_text(self, text: str, seconds: float = WAIT_SECONDS) -> None:
        """Wait until the page shows a text."""
        self.wait_for(f"document.body && document.body.innerText.includes({json.dumps(text)})", seconds)

    def settle(self, seconds: float = 3.0) -> None:
        """Wait for charts that slide in: no element shows when they rest."""
        time.sleep(seconds)

    def click(self, text: str, tag: str = "button, a, [role=tab], [role=menuitem]") -> None:
        """Click the last visible element of these tags that has exactly this text."""
        find = (
            f"[...document.querySelectorAll({json.dumps(tag)})]"
            f".filter(e => e.innerText.trim() === {json.dumps(text)} && e.getClientRects().length).at(-1)"
        )
        self.wait_for(find)
        self.evaluate(f"{find}.click()")

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression of JavaScript; None if it raises an error."""
        reply = self._ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        return reply["result"].get("value")

    def picture(self, path: Path, *, whole: bool = False, height: int | None = None) -> None:
        """Write what the window shows as PNG.

        Args:
            path: the file.
            whole: True for the whole page instead of what the window shows.
            height: of the picture, in CSS pixels from the top of the page; None for the window's.
        """
        width = self.evaluate("innerWidth")
        if whole:
            height = self.evaluate("document.documentElement.scrollHeight")
        if height is not None:
            self._size(width, height)
            time.sleep(PAUSE)
        reply = self._ask("Page.captureScreenshot", format="png")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(reply["data"]))

    def _size(self, width: int, height: int) -> None:
        self._ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def _ask(self, method: str, **parameters: object) -> dict[str, Any]:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            reply = json.loads(self._socket.recv(WAIT_SECONDS))
            if reply.get("id") == number:
                if "error" in reply:
                    raise PageNotReady(f"{method}: {reply['error'].get('message')}")
                result: dict[str, Any] = reply["result"]
                return result


@contextmanager
def browser() -> Iterator[Browser]:
    """Start a browser, and end it afterwards.

    Raises:
        PageNotReady: there is no Chromium, or it does not start.
    """
    program = next((found for name in PROGRAMS if (found := shutil.which(name))), None)
    if program is None:
        raise PageNotReady("no Chromium on the PATH; on Debian: apt-get install chromium")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [
            program,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--no-first-run",
            "--disable-background-networking",
            "--remote-debugging-port=0",
            f"--user-data-dir={profile}",
            "about:blank",
        ]
        process = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=die_with_the_starter,
        )
        try:
            with connect(_page(Path(profile)), max_size=REPLY_BYTES, proxy=None) as socket:
                yield Browser(socket)
        finally:
            process.terminate()
            process.wait()


def _page(profile: Path) -> str:
    """Return the address at which the browser's window is driven."""
    deadline = time.monotonic() + START_SECONDS
    written = profile / "DevToolsActivePort"
    while time.monotonic() < deadline:
        if written.exists() and (port := written.read_text().partition("\n")[0]):
            with urlopen(f"http://127.0.0.1:{port}/json/list") as reply:
                pages = [one for one in json.load(reply) if one["type"] == "page"]
            if pages:
                return str(pages[0]["webSocketDebuggerUrl"])
        time.sleep(PAUSE)
    raise PageNotReady("Chromium does not start")
