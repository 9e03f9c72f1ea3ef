"""OpenAI's lists: a page begins after the id of a row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar

import msgspec

from ...adapter import RawPage
from ...errors import PaginationError, PayloadError
from ...reading.json import decode
from ...reading.paging import stamps_of
from ...reading.refusals import read_or_raise
from ...reading.values import Id, Issues, instant, text
from ...schema import Conversation, Issue
from ...wire import Flow, QueryValue, Request
from ._payload import Page, Stamp

__all__ = ["LARGEST_PAGE", "PER_SECOND", "pages_of", "rows_of"]

LARGEST_PAGE = 100
PER_SECOND = 1
"""The unit of all instants."""

_page = msgspec.json.Decoder(Page, strict=False)
_stamp = msgspec.json.Decoder(Stamp, strict=False)


class _Rows(Protocol):
    """A page of rows."""

    @property
    def data(self) -> list[Any] | None: ...
    @property
    def has_more(self) -> bool | None: ...
    @property
    def last_id(self) -> Id | None: ...


_P = TypeVar("_P", bound=_Rows)


def rows_of(
    path: str,
    headers: Mapping[str, str],
    asked: Mapping[str, QueryValue],
    normalize: Callable[[msgspec.Raw], Conversation],
    *,
    since: datetime | None = None,
) -> Flow[RawPage]:
    """Return a page of a list; with `since`, the last page is the first whose last row was created before that."""
    reply = yield Request("GET", path, asked, headers=headers, reads=_page)
    page = read_or_raise(reply, lambda body: decode(body, _page, []))
    if page.data is None:
        raise PayloadError("the answer has no list")
    stamps = stamps_of(page.data, _stamp)
    following = _following(page, [stamp.id for stamp in stamps])
    if following is not None and since is not None:
        last = instant(stamps[-1].created_at, "created_at", [], per_second=PER_SECOND)
        if last is not None and last < since:
            following = None
    return RawPage(rows=page.data, normalize=normalize, cursor=following)


def pages_of(
    path: str, ids: Mapping[str, str], headers: Mapping[str, str], decoder: msgspec.json.Decoder[_P], place: str
) -> Flow[tuple[list[msgspec.Raw], list[_P], list[Issue]]]:
    """Get all pages about one conversation, the oldest first: their bodies, their content, and what is wrong there."""
    bodies: list[msgspec.Raw] = []
    pages: list[_P] = []
    issues = Issues()
    after: str | None = None
    while True:
        asked: dict[str, QueryValue] = {"limit": LARGEST_PAGE, "order": "asc", "after": after}
        reply = yield Request("GET", path, asked, ids, headers=headers, reads=decoder)
        misfits: list[Issue] = []
        page = read_or_raise(reply, lambda body: decode(body, decoder, misfits))  # noqa: B023  (called at once)
        issues += [Issue(f"{place}[{len(pages)}].{misfit.place}", misfit.reason) for misfit in misfits]
        bodies.append(msgspec.Raw(reply.body))
        pages.append(page)
        ids_of_rows = [getattr(row, "id", None) for row in page.data or ()]
        following = _following(page, ids_of_rows)
        if following is None:
            return bodies, pages, issues
        if page.data and not page.last_id:  # what comes after that id comes again
            del page.data[_number_of(ids_of_rows, following) :]
        if following == after:
            raise PaginationError("the provider sends the same page again")
        after = following


def _number_of(ids: Sequence[Id | None], last: str) -> int:
    """Return how many rows there are up to the last one of an id."""
    return max(number for number, id in enumerate(ids, start=1) if text(id) == last)


def _following(page: _Rows | Page, ids: Sequence[Id | None]) -> str | None:
    """Return the id after which the next page begins, of a page whose rows have these ids; None after the last page."""
    # A page that does not say whether there are more is followed until one is empty, as the vendor's own SDK does.
    if page.has_more is False or not ids:
        return None
    following = text(page.last_id) or next((str(id) for id in reversed(ids) if id is not None and id != ""), None)
    if following is None:
        raise PaginationError("the provider says that there are more rows, but none of these has an id")
    return following
