"""An export of pages into a JSONL store, as a sync does it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from conversations_hub._files.atomic import FileOps
from conversations_hub.schema import Conversation, TranscriptTurn
from conversations_hub.stores._store import Checkpoint, Entry
from conversations_hub.stores.jsonl import JSONLStore

from .entries import ACCOUNT, entry

__all__ = ["LONG", "TERMS", "Page", "export", "export_long", "one", "page"]

TERMS = {"accounts": ACCOUNT, "since": "None"}


def one(id: str, text: str = "hello") -> Conversation:
    return Conversation(provider="acme", id=id, transcript=(TranscriptTurn(index=0, text=text),))


Page = Sequence[Entry]


def page(number: int, *more: Entry, size: int = 3) -> Page:
    """Return a page of conversations nobody else has, and more."""
    return [*(entry(one(f"c{number}-{at}", f"said in {number}, {at}: “é”")) for at in range(size)), *more]


async def export(
    path: Path,
    pages: Sequence[Page],
    *,
    files: FileOps | None = None,
    compress: bool = False,
    overwrite: bool = False,
    finish: bool = True,
    on_commit: Callable[[int], None] = lambda _: None,
) -> None:
    """Write what of the pages is not there yet, as a sync does, and finish."""
    store = JSONLStore(path, files=files, compress=compress, overwrite=overwrite)
    await store.open(TERMS)
    try:
        begin = int((await store.progress(ACCOUNT)).cursor or 0)
        for number in range(begin, len(pages)):
            await store.commit(ACCOUNT, pages[number], Checkpoint(cursor=str(number + 1)))
            on_commit(number)
        if finish:
            await store.finish()
    finally:
        await store.close()


LONG: Sequence[Page] = [page(number, entry(one(f"c{max(number - 9, 0)}-0", "late"))) for number in range(120)]


def export_long(path: Path) -> None:
    """Export many pages, and print the number of each once it is safe."""
    asyncio.run(export(path, LONG, on_commit=lambda number: print(number, flush=True)))  # noqa: T201
