"""The pictures of the documentation: the demo in a terminal, and the page of `serve` in a browser.

    python -m tests.support.pictures docs/pictures

`make pictures` makes them anew. The page is set in the fonts of the machine, and looks best with Inter and TeX Gyre.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import sys
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from aiohttp import web
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from conversations_hub._cli import demo
from conversations_hub.serve import Token, Tokens, gateway
from conversations_hub.stores.sqlite import SQLiteStore
from conversations_hub.sync import sync

from ..browser.driver import browsing
from .simulated import simulated

__all__ = ["picture_of_demo", "take_pictures_of_page"]

_WIDTH = 96
# Without the font that Rich would have a browser load from elsewhere.
_FORMAT = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL).replace(
    "Fira Code", "ui-monospace, Menlo, Consolas"
)
_PROGRESS = re.compile(r"^\w+/default: .* conversations in .*\n", re.MULTILINE)
_TABLES = re.compile(
    r"^[^\n]*provider[^\n]*conversations[^\n]*turns.*?(?=^[^\n]*One of them)", re.DOTALL | re.MULTILINE
)
_REST = re.compile(r"\n[^\n]*The same in Python.*", re.DOTALL)


def _console() -> Console:
    return Console(record=True, width=_WIDTH, file=StringIO(), markup=False, emoji=False, highlight=False)


def picture_of_demo() -> str:
    """Run the demo, and return as SVG how much it fetched, one conversation, and what a search found."""
    printed, shown = _console(), _console()

    def console(*, stderr: bool = False) -> Console:
        return printed

    with patch.object(demo, "console", console):
        demo.run(conversations=120, chats=None, seed=0, page=False, as_json=False)
    text = printed.export_text(styles=True)
    for left_out in (_PROGRESS, _TABLES, _REST):
        text = left_out.sub("", text)
    shown.print(Text.from_ansi(text))
    return shown.export_svg(title="make demo", code_format=_FORMAT)


_TOKEN = "t" * 43
_SHOTS = (
    ("list", 1200, False),
    ("conversation", 1200, False),
    ("conversation-dark", 1200, True),
    ("conversation-narrow", 320, False),
)


async def take_pictures_of_page(folder: Path) -> None:
    """Show the simulated conversations of four providers, and write what a browser shows of them to a folder."""
    with TemporaryDirectory() as kept:
        store = SQLiteStore(Path(kept) / "c.db")
        async with simulated("vapi", "elevenlabs", "retell", "telnyx") as (hub, _):
            await sync(hub, store)
        with store.reader() as reader:
            longest = max(reader.conversations("vapi"), key=lambda one: len(one.transcript or ()))
        token = Token(name="pictures", sha256=hashlib.sha256(_TOKEN.encode()).hexdigest())
        runner = web.AppRunner(gateway(store, tokens=Tokens([token])))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        address = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        async with browsing() as page:
            await page.go(f"{address}#token={_TOKEN}")
            for name, width, is_dark in _SHOTS:
                await page.show_as(width, 900, is_dark=is_dark)
                await page.go(address + ("#/" if name == "list" else f"#/c/{longest.ref}"))
                (folder / f"{name}.png").write_bytes(await page.picture())
        await runner.cleanup()


if __name__ == "__main__":
    [_, pictures] = sys.argv
    (Path(pictures) / "demo.svg").write_text(picture_of_demo())
    asyncio.run(take_pictures_of_page(Path(pictures)))
