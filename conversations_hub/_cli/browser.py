"""Open an address that holds a token in the browser of whoever runs the command."""

from __future__ import annotations

import html
import os
import webbrowser
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from .._files.opening import open_own

__all__ = ["opened"]

_PAGE = (
    '<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url={}"><title>Conversations</title>'
)


@contextmanager
def opened(url: str) -> Generator[None]:
    """Open an address, if there is a browser.

    The browser is told of a file that leads there and that nobody else can read: arguments of a process can be seen by
    every user of the machine.
    """
    with TemporaryDirectory() as folder:
        file = Path(folder, "conversations.html")
        with os.fdopen(open_own(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "w", encoding="utf-8") as page:
            page.write(_PAGE.format(html.escape(url)))
        webbrowser.open(file.as_uri())
        yield
