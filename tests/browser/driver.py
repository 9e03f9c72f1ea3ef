"""Drive a headless Chromium over the DevTools protocol, with aiohttp's WebSocket.

https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import asyncio
import base64
import os
import re
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from itertools import count
from tempfile import TemporaryDirectory
from typing import Any

from aiohttp import ClientSession, ClientWebSocketResponse

__all__ = ["CHROMIUM", "Page", "browsing"]

CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium")
"""Where it is; None: it is not installed."""

_OPTIONS = (
    "--headless",
    "--no-sandbox",  # in a container one is root
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
    "--hide-scrollbars",
    "--lang=en-GB",
    "--autoplay-policy=no-user-gesture-required",
    "--remote-debugging-port=0",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
_UNTOLD = frozenset({"none", "generic", "InlineTextBox", "LineBreak", "paragraph"})
_LEAVES = frozenset({"StaticText", "link", "button", "heading", "graphics-symbol", "image", "Audio"})
_ADDRESS = re.compile(rb"DevTools listening on ws://(127\.0\.0\.1:\d+)/")


class Page:
    """A tab, and everything that it asked for and complained of."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self._socket = socket
        self._ids = count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._loaded = asyncio.Event()
        self.requests: list[str] = []
        """URLs, in order."""
        self.complaints: list[str] = []
        """Exceptions, refusals by the policy, and errors in the console."""

    async def listen(self) -> None:
        """Take what the browser says, for as long as it is there."""
        async for message in self._socket:
            said: dict[str, Any] = message.json()
            if (waiting := self._waiting.pop(said.get("id", 0), None)) is not None:
                waiting.set_result(said)
            match said.get("method"):
                case "Page.loadEventFired":
                    self._loaded.set()
                case "Network.requestWillBeSent":
                    self.requests.append(said["params"]["request"]["url"])
                case "Log.entryAdded":
                    self.complaints.append(said["params"]["entry"]["text"])
                case "Runtime.exceptionThrown":
                    self.complaints.append(str(said["params"]["exceptionDetails"]))
                case _:
                    pass

    async def send(self, method: str, **params: object) -> dict[str, Any]:
        """Send a command and return its result."""
        id = next(self._ids)
        self._waiting[id] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": id, "method": method, "params": params})
        said = await self._waiting[id]
        if "error" in said:
            raise RuntimeError(f"{method}: {said['error']}")
        result: dict[str, Any] = said["result"]
        return result

    async def go(self, url: str) -> None:
        """Load a URL; a change of the fragment alone would not load anything."""
        for each in ("about:blank", url):
            self._loaded.clear()
            await self.send("Page.navigate", url=each)
            await self._loaded.wait()
        await self.settled()

    async def settled(self) -> None:
        """Wait until the view is shown."""
        await self.until("document.querySelector('main')?.children.length && !document.querySelector('[aria-busy]')")

    async def until(self, expression: str) -> None:
        """Wait until an expression is true."""
        await self.eval(
            f"new Promise(done => (function look() {{ ({expression}) ? done() : requestAnimationFrame(look) }})())"
        )

    async def eval(self, expression: str) -> Any:
        """Evaluate an expression and return its value."""
        result = await self.send("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            raise RuntimeError(str(result["exceptionDetails"]))
        return result["result"].get("value")

    async def press(self, key: str) -> None:
        """Press and release a key."""
        code = {"Enter": 13, "Escape": 27, "Tab": 9, " ": 32}.get(key, ord(key.upper()[0]))
        text = {"Enter": "\r", "Escape": "", "Tab": ""}.get(key, key)
        await self.send(
            "Input.dispatchKeyEvent",
            type="keyDown",
            key=key,
            windowsVirtualKeyCode=code,
            **({"text": text} if text else {}),
        )
        await self.send("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    async def show_as(self, width: int, height: int, *, is_dark: bool = False) -> None:
        """Set the size of the window in CSS pixels, and light or dark."""
        await self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
        motion = {"name": "prefers-reduced-motion", "value": "reduce"}
        await self.send("Emulation.setEmulatedMedia", features=[scheme, motion])

    async def tree(self) -> str:
        """Return what a screen reader is told, a line for each role and name."""
        nodes = (await self.send("Accessibility.getFullAXTree"))["nodes"]
        by_id = {node["nodeId"]: node for node in nodes}
        lines: list[str] = []

        def visit(node: dict[str, Any], depth: int) -> None:
            role, name = (node.get(part, {}).get("value", "") for part in ("role", "name"))
            is_told = not node["ignored"] and role not in _UNTOLD
            if is_told:
                lines.append(f"{'  ' * depth}{role} {name}".rstrip())
            for child in node.get("childIds", ()):
                if role not in _LEAVES:
                    visit(by_id[child], depth + is_told)

        visit(nodes[0], 0)
        return "\n".join(lines) + "\n"

    async def picture(self) -> bytes:
        """Return what is seen, as PNG."""
        return base64.b64decode((await self.send("Page.captureScreenshot"))["data"])


@asynccontextmanager
async def browsing() -> AsyncGenerator[Page]:
    """Start a browser and yield its page."""
    assert CHROMIUM is not None
    with TemporaryDirectory() as profile:
        process = await asyncio.create_subprocess_exec(
            CHROMIUM,
            *_OPTIONS,
            f"--user-data-dir={profile}",
            "about:blank",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "TZ": "Europe/Berlin"},
        )
        assert process.stderr is not None
        while (found := _ADDRESS.search(await process.stderr.readline())) is None:
            assert process.returncode is None, "the browser ended"
        rest = asyncio.create_task(process.stderr.read())
        async with ClientSession() as session:
            async with session.put(f"http://{found[1].decode()}/json/new?about:blank") as answer:
                target = (await answer.json())["webSocketDebuggerUrl"]
            async with session.ws_connect(target, max_msg_size=0) as socket:
                page = Page(socket)
                listening = asyncio.create_task(page.listen())
                try:
                    for domain in ("Page", "Runtime", "Network", "Log"):
                        await page.send(f"{domain}.enable")
                    await page.send("Emulation.setTimezoneOverride", timezoneId="Europe/Berlin")
                    await page.send("Emulation.setLocaleOverride", locale="en-GB")
                    yield page
                finally:
                    # Its children hold the pipe after a kill, so it is asked to end.
                    with suppress(RuntimeError, ConnectionError):
                        await page.send("Browser.close")
                    listening.cancel()
        await process.wait()
        await rest
