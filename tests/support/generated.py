"""Writes the pages that are made from the code: `python -m tests.support.generated`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from . import command_reference, errors_reference, provider_pages, python_reference
from .paths import DOCS

__all__ = ["pages"]


def pages() -> Iterator[tuple[Path, str]]:
    """Yield the path and the text of each page."""
    yield DOCS / "reference" / "command-line.md", command_reference.page()
    yield DOCS / "reference" / "errors.md", errors_reference.page()
    for name, text in provider_pages.pages():
        yield DOCS / "providers" / name, text
    for name, text in python_reference.pages():
        yield DOCS / "reference" / "python" / name, text


def write() -> None:
    """Write all of them, and remove the pages of modules that are gone."""
    written = dict(pages())
    for path in (DOCS / "reference" / "python").glob("*.md"):
        if path not in written:
            path.unlink()
    for path, text in written.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


if __name__ == "__main__":
    write()
