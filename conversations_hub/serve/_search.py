"""Search over what was said."""

from __future__ import annotations

from functools import partial

import msgspec
from aiohttp import web

from ..schema import Role
from ..stores import Hit, StoreReader
from . import _answers
from ._documents import Hits
from ._query import FILTERS, Arguments, searching, wrong
from ._service import SERVICE, TOKEN, encoded
from ._shown import Shown

__all__ = ["search"]

_MARKS = ("\x02", "\x03")  # no page takes them for HTML


async def search(request: web.Request) -> web.StreamResponse:
    """Answer with the turns that contain all the words."""
    service, token = request.config_dict[SERVICE], request[TOKEN]
    asked = Arguments(request.query, (*FILTERS, "q", "role", "order", "limit", "cursor"))
    words, role = asked.words(), asked.word("role", tuple(Role), "")
    if words is None:
        raise wrong("q", "the words to find")
    find = partial(
        _found,
        service.shown,
        words,
        wanted=asked.filters(role=Role(role) if role else None),
        order=asked.word("order", ("newest", "best"), "newest"),
        limit=asked.number("limit", 20, 1, 100),
        cursor=asked.one("cursor"),
    )
    with service.searches.one_more(token.name):
        return _answers.json(await service.pool.ask(lambda reader: find(reader=reader), takes_long=True))


def _found(shown: Shown, words: str, *, reader: StoreReader, **given: object) -> bytes:
    with searching():
        page = reader.find(words, marks=_MARKS, alter=shown.text if shown.is_redacted else None, **given)  # type: ignore[arg-type]
    return encoded(Hits(hits=tuple(_hit(shown, hit) for hit in page.hits), cursor=page.cursor))


def _hit(shown: Shown, hit: Hit) -> Hit:
    return msgspec.structs.replace(hit, title=hit.title and shown.text(hit.title))
