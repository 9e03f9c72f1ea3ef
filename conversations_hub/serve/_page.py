"""The page: static files of the package, which hold no data and need no token."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

from aiohttp import web

from ._answers import content

__all__ = ["add_page"]

FOLDER: Final = Path(__file__).parent / "page"
_TYPES: Final = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
_KEPT, _FORGOTTEN = b'data-tokens="local"', b'data-tokens="session"'


def add_page(application: web.Application, *, forgets: bool) -> None:
    """Serve the files of the page; if it `forgets`, a browser keeps the token no longer than its tab."""
    for file in sorted(FOLDER.iterdir()):
        body = file.read_bytes()
        if forgets:
            body = body.replace(_KEPT, _FORGOTTEN)
        path = "/" if file.name == "index.html" else f"/{file.name}"
        application.router.add_get(path, partial(_file, body, _TYPES[file.suffix]))


async def _file(body: bytes, media_type: str, _request: web.Request) -> web.StreamResponse:
    return content(body, media_type)
