"""Vapi's lists, newest first: a page begins at the instant of the last row of the page before."""

# how to ask

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from ...adapter import Query, RawPage
from ...errors import PaginationError, PayloadError
from ...reading.json import decode
from ...reading.paging import Stamp, advance, read_position, stamps_of
from ...reading.refusals import read_or_raise
from ...reading.values import without_empty
from ...schema import Conversation
from ...wire import Flow, Request

PAGE_SIZE = 100
"""Rows are complete, with transcript and configuration: a few pages of the maximum size would fill the memory."""

_LARGEST_PAGE = 1000

Normalize = Callable[[msgspec.Raw], Conversation]


class Rows(NamedTuple):
    """How the rows of a page are read."""

    decoder: msgspec.json.Decoder[Any]
    read: Callable[[bytes], tuple[list[msgspec.Raw], bool | None]]

    """Returns the rows of a page, and whether there is more; None: it does not say."""


class _Stamp(Stamp):
    created_at: str | None = msgspec.field(default=None, name="createdAt")


class _Metadata(msgspec.Struct, rename="camel"):
    has_next_page: bool | None = None


class _Results(msgspec.Struct):
    results: list[msgspec.Raw] | None = None
    metadata: _Metadata | None = None


_array = msgspec.json.Decoder(list[msgspec.Raw])
_results = msgspec.json.Decoder(_Results, strict=False)
_stamp = msgspec.json.Decoder(_Stamp, strict=False)


def page_of(path: str, listed: Rows, normalize: Normalize, query: Query, cursor: str | None) -> Flow[RawPage]:
    """List a page; a cursor is a `Position`."""
    position = read_position(cursor, "Vapi")
    limit = min((query.page_size or PAGE_SIZE) + len(position.seen), _LARGEST_PAGE)
    told = {
        "limit": limit,
        # Inclusive, in milliseconds; the hub drops rows that are not before `until`.
        "createdAtLe": position.at or _iso(query.until),
        "createdAtGe": _iso(query.since),
        "assistantId": query.agent,
    }
    reply = yield Request("GET", path, {**query.options, **without_empty(told)}, reads=listed.decoder)
    rows, has_more = read_or_raise(reply, listed.read)
    stamps = stamps_of(rows, _stamp)
    fresh, following = advance(rows, stamps, position, limit, has_more=has_more)
    first = next((stamp.created_at for stamp in stamps if stamp.id is not None and stamp.created_at), "")
    if position.at and first > position.at:
        raise PaginationError("the page does not begin at the instant that was requested")
    return RawPage(rows=fresh, normalize=normalize, cursor=str(following) if following else None)


def by_creation(query: Query) -> Query:
    """Return a query with the order, for a list that supports several."""
    return msgspec.structs.replace(query, options={**query.options, "sortBy": "createdAt", "sortOrder": "DESC"})


def _rows_of_array(body: bytes) -> tuple[list[msgspec.Raw], bool | None]:
    return decode(body, _array), None


def _rows_of_results(body: bytes) -> tuple[list[msgspec.Raw], bool | None]:
    page = decode(body, _results, [])
    if page.results is None:
        raise PayloadError("the answer has no list of results")
    return page.results, page.metadata.has_next_page if page.metadata else None


ARRAY = Rows(_array, _rows_of_array)
"""A bare array, which does not say whether there is more."""
RESULTS = Rows(_results, _rows_of_results)
"""A page that may say whether there is more."""


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"
