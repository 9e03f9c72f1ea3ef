"""The page: static files of the package, which hold no data and need no token."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

from aiohttp import web

from ._answers import content

__all__ = ["add_page"]

FOLDER: Final = Path(__file__).parent / "page"
_FILES: Final = {
    "/": ("index.html", "text/html"),
    "/app.js": ("app.js", "text/javascript"),
    "/app.css": ("app.css", "text/css"),
}


def add_page(application: web.Application, folder: Path = FOLDER) -> None:
    """Serve the files of the page that are there."""
    for path, (name, media_type) in _FILES.items():
        if (folder / name).is_file():
            application.router.add_get(path, partial(_file, (folder / name).read_bytes(), media_type))


async def _file(body: bytes, media_type: str, _request: web.Request) -> web.StreamResponse:
    return content(body, media_type)
