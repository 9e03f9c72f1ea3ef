"""Twilio's pages, the same for all its products: the URL of the next one is in `meta`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Protocol, TypeVar
from urllib.parse import parse_qsl, urlsplit

import msgspec

from ...adapter import Query
from ...errors import PaginationError
from ...reading.json import decode
from ...reading.paging import invalid_cursor
from ...reading.refusals import read_or_raise
from ...reading.values import Issues, without_empty
from ...schema import Issue
from ...wire import Flow, QueryValue, Request

__all__ = ["Meta", "all_pages", "asked_for", "following"]


class Meta(msgspec.Struct):
    """Where the next page is."""

    next_page_url: str | None = None


class _Page(Protocol):
    @property
    def meta(self) -> Meta | None: ...


_P = TypeVar("_P", bound=_Page)


def following(meta: Meta | None) -> str | None:
    """Return the query of the next page, as sent; None after the last page.

    The host and the path of its URL are not used, so no answer can send the key elsewhere.
    """
    # https://www.twilio.com/docs/usage/twilios-response
    url = meta and meta.next_page_url
    if not url:
        return None
    try:
        query = urlsplit(url).query
    except ValueError:
        query = ""
    if not query:
        raise PaginationError("the provider says that there are more rows, but not where")
    return query


def asked_for(query: Query, told: Mapping[str, QueryValue], cursor: str | None) -> Mapping[str, QueryValue]:
    """Return the parameters of a page; a cursor is the query of its URL."""
    if cursor is None:
        return {**query.options, **without_empty(told)}
    asked = dict(parse_qsl(cursor, keep_blank_values=True))
    if not asked:
        raise invalid_cursor("Twilio", "the query of the next page's URL")
    return asked


def _decoded(body: bytes, *, decoder: msgspec.json.Decoder[_P], issues: list[Issue]) -> _P:
    return decode(body, decoder, issues)


def all_pages(
    request: Request, decoder: msgspec.json.Decoder[_P], place: str
) -> Flow[tuple[list[msgspec.Raw], list[_P], list[Issue]]]:
    """Get all pages of a part: their bodies, what is in them, and what could not be read; `place` is its name in `raw`.

    Raises:
        PaginationError: the pages run in a circle.
    """
    bodies: list[msgspec.Raw] = []
    pages: list[_P] = []
    issues = Issues()
    seen: set[str] = set()
    while True:
        reply = yield request
        misfits: list[Issue] = []
        page = read_or_raise(reply, partial(_decoded, decoder=decoder, issues=misfits))
        issues += [Issue(f"{place}[{len(bodies)}].{one.place}", one.reason) for one in misfits]
        bodies.append(msgspec.Raw(reply.body))
        pages.append(page)
        cursor = following(page.meta)
        if cursor is None:
            return bodies, pages, issues
        if cursor in seen:
            raise PaginationError("the pages of the transcript run in a circle")
        seen.add(cursor)
        request = msgspec.structs.replace(request, query=dict(parse_qsl(cursor, keep_blank_values=True)))
