"""What changed in the store since a cursor: as JSON lines, at once or after a wait, or as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from functools import partial
from itertools import islice
from typing import Final, NamedTuple

from aiohttp import web

from ..errors import InvalidRefError, UnsupportedError
from ..stores import Change, ChangeReader, StoreReader
from ..stores._changes import remembering
from . import _answers
from ._documents import ChangeLine
from ._query import Arguments, wrong
from ._refusal import Refusal
from ._service import SERVICE, TOKEN, Service, encoded
from ._shown import Show
from ._stream import Lines
from ._tokens import Scope

__all__ = ["EVENTS", "changes"]

EVENTS: Final = "text/event-stream"
_NOW: Final = "now"
_PIECE: Final = 100  # changes in memory
_LONGEST: Final = 60  # seconds that a request may wait
_EVERY: Final = 1.0  # seconds between two looks at the store
_ALIVE: Final = 15.0  # seconds between two signs of life: proxies cut what is silent


class _Piece(NamedTuple):
    revision: int
    """Of the store, before it was read: a later one means that there is more."""
    lines: list[bytes]
    cursors: list[str]


async def changes(request: web.Request) -> web.StreamResponse:
    """Answer with each conversation that was written or erased after the cursor, once, in the order of commits."""
    service, token = request.config_dict[SERVICE], request[TOKEN]
    asked = Arguments(request.query, ("cursor", "wait"))
    cursor, wait = asked.one("cursor"), asked.number("wait", 0, 0, _LONGEST)
    source = _Source(service, token.scopes)
    with service.streams.one_more(token.name):
        if _answers.wants(request.headers.getall("Accept", []), EVENTS):
            last = request.headers.get("Last-Event-ID")
            return await _events(request, source, last or await source.place(cursor))
        return await _lines(request, source, await source.place(cursor), float(wait))


class _Source:
    """Reads changes in pieces, so that a slow client holds up neither a thread nor the store."""

    def __init__(self, service: Service, scopes: Collection[Scope]) -> None:
        self._service = service
        self._show = service.shown.to(scopes)
        self.stopping = service.stopping

    async def place(self, cursor: str | None) -> str | None:
        """Return the cursor to begin after; "now" is that of the present."""
        return await self._service.pool.ask(_end) if cursor == _NOW else cursor

    async def after(self, cursor: str | None) -> _Piece:
        """Return the next changes."""
        return await self._service.pool.ask(partial(_piece, self._show, cursor))

    async def news(self, revision: int, until: float) -> bool:
        """Wait until the store has another revision; return whether it has, else the time is up."""
        loop = asyncio.get_running_loop()
        while (left := until - loop.time()) > 0 and not self.stopping.is_set():
            await _sleep(self.stopping, min(_EVERY, left))
            if await self._service.pool.ask(lambda reader: reader.revision()) != revision:
                return True
        return False


def _remembering(reader: StoreReader) -> ChangeReader:
    try:
        return remembering(reader)
    except UnsupportedError as error:
        raise Refusal(501, "unsupported", str(error)) from None


def _end(reader: StoreReader) -> str:
    return _remembering(reader).end_of_changes()


def _piece(show: Show, cursor: str | None, reader: StoreReader) -> _Piece:
    reader = _remembering(reader)
    revision = reader.revision()
    try:
        some = [*islice(reader.changes(cursor), _PIECE)]
    except InvalidRefError:
        raise wrong("cursor", "that of a change of this store; if it was restored from a backup, begin again") from None
    lines = [encoded(_line(show, change)) for change in some]
    return _Piece(revision, lines, [change.cursor for change in some])


def _line(show: Show, change: Change) -> ChangeLine:
    if change.conversation is None:
        return ChangeLine(cursor=change.cursor, erased=change.erased)
    one = show(change.conversation)
    return ChangeLine(cursor=change.cursor, ref=one.ref, conversation=one)


async def _lines(request: web.Request, source: _Source, cursor: str | None, wait: float) -> web.StreamResponse:
    sent = Lines(request)
    until = asyncio.get_running_loop().time() + wait
    piece = await source.after(cursor)
    if request.method == "HEAD":
        return await sent.begin()
    while not piece.lines and await source.news(piece.revision, until):
        piece = await source.after(cursor)
    while piece.lines:
        await sent.write(piece.lines)
        cursor = piece.cursors[-1]
        piece = await source.after(cursor)
    return await sent.end(cursor=cursor)


async def _events(request: web.Request, source: _Source, cursor: str | None) -> web.StreamResponse:
    """Send events until the client leaves or the gateway stops."""
    sent, loop = Lines(request, EVENTS), asyncio.get_running_loop()
    piece = await source.after(cursor)
    answer = await sent.begin()
    while request.method != "HEAD" and not source.stopping.is_set():
        for line, place in zip(piece.lines, piece.cursors, strict=True):
            await sent.send(b"id: %s\ndata: %s\n\n" % (place.encode(), line))
            cursor = place
        if not piece.lines and not await source.news(piece.revision, loop.time() + _ALIVE):
            await sent.send(b":\n\n")
            continue
        piece = await source.after(cursor)
    return answer


async def _sleep(stopping: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stopping.wait()
    except TimeoutError:
        pass
