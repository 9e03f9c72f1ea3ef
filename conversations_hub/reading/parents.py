"""Lists that exist only for each agent: walked agent by agent, behind one cursor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

import msgspec

from ..errors import NotFoundError
from ..wire import Flow
from .json import try_decode
from .paging import invalid_cursor

__all__ = ["list_each"]


class _Page(Protocol):
    """A page: an `adapter.RawPage`."""

    @property
    def rows(self) -> Sequence[Any]: ...

    @property
    def cursor(self) -> str | None: ...


_P = TypeVar("_P", bound=_Page)


_MOST_CARRIED = 25  # ids in a cursor, which then has about a thousand characters
_MOST_PASSED = 1000  # parents without rows, for one page


class _Place(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    parent: str
    page: str | None = None
    later: tuple[str, ...] = ()
    """The parents after this one, in order."""
    is_all: bool = False
    """Whether no other comes after those; if not, all parents are requested again when they are done."""

    def __str__(self) -> str:
        carried = self.later[:_MOST_CARRIED]
        is_all = self.is_all and len(carried) == len(self.later)
        return msgspec.json.encode(msgspec.structs.replace(self, later=carried, is_all=is_all)).decode()


_place = msgspec.json.Decoder(_Place)


def list_each(
    cursor: str | None,
    provider: str,
    parents: Callable[[], Flow[Sequence[str]]],
    list_page: Callable[[str, str | None], Flow[_P]],
    empty: _P,
) -> Flow[_P]:
    """Return a page of the lists of all parents, such as agents: one page of one parent.

    `parents` returns the ids of all of them, `list_page` a page of one, given its id and its own cursor, and `empty` is
    a page without rows. They are walked in the order of their ids. A cursor carries the next of them, and all are
    requested again only when those are done. One that was added meanwhile may be left to the next walk. A parent that
    was deleted meanwhile has no rows. Parents without rows are passed over, because there may be many of them, and a
    walk with many empty pages in a row counts as one that does not end.

    Raises:
        InvalidRefError: a cursor that this function did not make.
    """
    place = None
    if cursor is not None:
        place = try_decode(cursor, _place)
        if place is None:
            raise invalid_cursor(provider, "[parent, cursor, [parent, …], whether these are all] as JSON")
    else:
        place = _first_of(sorted((yield from parents())))
    if place is None:
        return empty
    page, following = yield from _page_of(place, parents, list_page, empty)
    passed = 0
    while not page.rows and following is not None and following.page is None and passed < _MOST_PASSED:
        page, following = yield from _page_of(following, parents, list_page, empty)
        passed += 1
    struct: Any = page
    found: _P = msgspec.structs.replace(struct, cursor=None if following is None else str(following))
    return found


def _first_of(parents: Sequence[str]) -> _Place | None:
    return _Place(parents[0], None, tuple(parents[1:]), is_all=True) if parents else None


def _page_of(
    place: _Place,
    parents: Callable[[], Flow[Sequence[str]]],
    list_page: Callable[[str, str | None], Flow[_P]],
    empty: _P,
) -> Flow[tuple[_P, _Place | None]]:
    """Return a page, and where the next one begins."""
    try:
        page = yield from list_page(place.parent, place.page)
    except NotFoundError:
        page = empty
    if page.cursor is not None:
        return page, msgspec.structs.replace(place, page=page.cursor)
    if place.later:
        return page, _Place(place.later[0], None, place.later[1:], place.is_all)
    if place.is_all:
        return page, None
    return page, _first_of(sorted([parent for parent in (yield from parents()) if parent > place.parent]))
