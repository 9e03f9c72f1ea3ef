"""Vapi's lists, the newest first: a page begins at the instant of the last row of the one before."""

# how to ask

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated

import msgspec

from ...adapter import Query, RawPage
from ...errors import InvalidRefError, PaginationError, PayloadError
from ...reading.json import decode
from ...reading.refusals import read_or_raise
from ...reading.values import Id
from ...schema import Conversation
from ...wire import Flow, Request

__all__ = ["PAGE_SIZE", "by_creation", "page_of", "rows_of_array", "rows_of_results"]

PAGE_SIZE = 100
"""Rows come whole, with all that was said and configured: of the largest pages a few would fill the memory."""

_LARGEST_PAGE = 1000

_PageSize = Annotated[int, msgspec.Meta(ge=1, le=_LARGEST_PAGE)]

Normalize = Callable[[msgspec.Raw], Conversation]
ReadRows = Callable[[bytes], tuple[list[msgspec.Raw], bool | None]]
"""Reads the rows of a page, and whether there is more; None: it does not say."""


class _Stamped(msgspec.Struct, rename="camel"):
    id: Id | None = None
    created_at: str | None = None


class _Metadata(msgspec.Struct, rename="camel"):
    has_next_page: bool | None = None


class _Results(msgspec.Struct):
    results: list[msgspec.Raw] | None = None
    metadata: _Metadata | None = None


_cursor = msgspec.json.Decoder(tuple[_PageSize, Annotated[str, msgspec.Meta(min_length=1)], list[str]])
_array = msgspec.json.Decoder(list[msgspec.Raw])
_results = msgspec.json.Decoder(_Results, strict=False)
_stamped = msgspec.json.Decoder(_Stamped, strict=False)


def page_of(path: str, read: ReadRows, normalize: Normalize, query: Query, cursor: str | None) -> Flow[RawPage]:
    """List a page; a cursor is the JSON of page size, the last `createdAt`, and the ids already seen at that instant.

    Several rows may be created in one millisecond, so a page begins at the last one's instant, not after it, and leaves
    out what was seen there. Where nothing says whether there is more, a short page is no end, and one that brings
    nothing new is.
    """
    size, begin, seen = _read_cursor(cursor) if cursor else (min(query.page_size or PAGE_SIZE, _LARGEST_PAGE), "", [])
    limit = min(size + len(seen), _LARGEST_PAGE)
    told = {
        "limit": limit,
        # Inclusive and in milliseconds; the hub leaves out again what is not before `until`.
        "createdAtLe": begin or _iso(query.until),
        "createdAtGe": _iso(query.since),
        "assistantId": query.agent,
    }
    asked = {name: value for name, value in told.items() if value is not None}
    reply = yield Request("GET", path, {**query.options, **asked})
    rows, has_more = read_or_raise(reply, read)
    listed = [(row, _stamp(row)) for row in rows]
    fresh = [(row, stamp) for row, stamp in listed if stamp.id is None or str(stamp.id) not in seen]
    stamps = [stamp.created_at for _, stamp in fresh if stamp.id is not None and stamp.created_at]
    if not stamps and (len(listed) >= limit if has_more is None else has_more):
        raise PaginationError(
            f"a page of {len(listed)} leads no further: its rows were all created at the instant where it begins, or "
            "do not say when"
        )
    if begin and stamps and stamps[0] > begin:
        raise PaginationError("the page does not begin where it was asked to")
    last = stamps[-1] if stamps and has_more is not False else None
    known = [str(stamp.id) for _, stamp in fresh if stamp.id is not None and stamp.created_at in {last, None}]
    return RawPage(
        rows=[row for row, _ in fresh],
        normalize=normalize,
        cursor=_written_cursor(size, last, [*(seen if last == begin else ()), *known]) if last else None,
    )


def by_creation(query: Query) -> Query:
    """Return a query that says the order, for a list that has several."""
    return msgspec.structs.replace(query, options={**query.options, "sortBy": "createdAt", "sortOrder": "DESC"})


def rows_of_array(body: bytes) -> tuple[list[msgspec.Raw], bool | None]:
    """Read the rows of a bare array, which does not say whether there is more."""
    return decode(body, _array), None


def rows_of_results(body: bytes) -> tuple[list[msgspec.Raw], bool | None]:
    """Read the rows of a page that may say whether there is more."""
    page = decode(body, _results, [])
    if page.results is None:
        raise PayloadError("the answer holds no list of results")
    return page.results, page.metadata.has_next_page if page.metadata else None


def _stamp(row: msgspec.Raw) -> _Stamped:
    try:
        return decode(row, _stamped, [])
    except PayloadError:
        return _Stamped()  # the hub sets such a row apart


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"


def _written_cursor(size: int, last: str, seen: Sequence[str]) -> str:
    return msgspec.json.encode((size, last, seen)).decode()


def _read_cursor(cursor: str) -> tuple[int, str, list[str]]:
    try:
        return _cursor.decode(cursor)
    except (msgspec.MsgspecError, UnicodeEncodeError):
        raise InvalidRefError("not a cursor of Vapi: it reads [page size, createdAt, [id, …]]") from None
