"""What the pages of the built site load: everything is a file of the site, and nothing comes from elsewhere.

    python -m tests.support.site FOLDER

The builder checks the links between pages, but neither pictures nor what a theme loads.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

__all__ = ["wrong_with"]

_LOADING_LINKS = {
    "dns-prefetch",
    "icon",
    "manifest",
    "modulepreload",
    "preconnect",
    "prefetch",
    "preload",
    "stylesheet",
}
_IN_STYLE = re.compile(r"""(?:url\(\s*|@import\s+)["']?([^"')\s;]+)""")
_OF_A_HOST = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?//", re.IGNORECASE)
_SITE = "http://site.invalid/"


class _Page(HTMLParser):
    """Collects the URLs that a browser loads to show a page."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if "src" in given:
            self.loaded.append(given["src"])
        if tag == "link" and _LOADING_LINKS & {*given.get("rel", "").split()}:
            self.loaded.append(given.get("href", ""))
        self.loaded += [each.split()[0] for each in given.get("srcset", "").split(",") if each.strip()]
        self.loaded += _IN_STYLE.findall(given.get("style", ""))
        if "mermaid" in given.get("class", "").split():  # the theme loads what draws it
            self.loaded.append("https://…/mermaid.js")


def wrong_with(folder: Path) -> Iterator[str]:
    """Yield what the pages and styles in a folder load that is elsewhere or missing."""
    for path in sorted(folder.rglob("*.html")):
        page = _Page()
        page.feed(path.read_text())
        yield from _wrong(folder, path, page.loaded)
    for path in sorted(folder.rglob("*.css")):
        yield from _wrong(folder, path, _IN_STYLE.findall(path.read_text()))


def _wrong(folder: Path, path: Path, loaded: list[str]) -> Iterator[str]:
    name = path.relative_to(folder).as_posix()
    for url in loaded:
        if url.startswith(("data:", "#")):
            continue
        if _OF_A_HOST.match(url):
            yield f"{name} loads {url}"
        elif not (folder / unquote(urlsplit(urljoin(_SITE + name, url)).path).lstrip("/")).is_file():
            yield f"{name} lacks {url}"


if __name__ == "__main__":
    [_, site] = sys.argv
    found = list(wrong_with(Path(site)))
    sys.exit("\n".join(found) if found else None)
