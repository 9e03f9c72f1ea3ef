"""The protocol for reading a store of any kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self, TypeVar

import msgspec

from .._refs import Ref
from ..errors import NotFoundError
from ..metrics import Summary, summarize
from ..schema import Conversation, Recording, Role, Status
from ._erasure import Person, Receipt
from ._filters import Filters
from ._pages import StorePage
from ._status import StoreStatus
from ._store import Store
from ._untrusted import Instant

__all__ = ["EVERYTHING", "Found", "Hit", "HitPage", "NewestStats", "ReadableStore", "StoreReader", "only_one"]

T = TypeVar("T")

EVERYTHING = Filters()
"""What chooses every conversation."""


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """A turn that matches a search."""

    ref: str
    """The conversation, in the form `hub.get` takes."""
    created_at: Instant | None
    """When the conversation was created, else when it started, UTC."""
    title: str | None
    position: int
    """The position of the turn in its conversation, from 0."""
    role: Role
    start: float | None
    """Seconds from the conversation's start."""
    snippet: str
    """The text around the matches, which are in brackets."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a search."""

    hits: list[Hit]
    """At most as many as requested, best match first."""
    total: int
    """How many there are."""
    hint: str | None = None
    """If there are none: a sentence with how often each word occurs by itself."""


class HitPage(msgspec.Struct, frozen=True, kw_only=True):
    """One page of what a search found."""

    hits: tuple[Hit, ...]
    cursor: str | None
    """Continues after these; None: there are no more, or they are in the order of their ranks."""


def only_one(found: Sequence[T], ref: Ref) -> T:
    """Return what a store has of a ref.

    Raises:
        NotFoundError: it has nothing.
        InvalidRefError: several accounts have this id.
    """
    target = ref.target
    if not found:
        raise NotFoundError("no such conversation in the store", provider=target.provider, account=target.account)
    ref.refuse_several(len(found))
    return found[0]


class NewestStats(msgspec.Struct, frozen=True, kw_only=True):
    """What the newest conversations measure."""

    summaries: list[Summary]
    """Group by group, in the order of the keys."""
    oldest: Instant | None
    """When the oldest of them began; None: none has an instant."""
    is_all: bool
    """Whether these are all that were chosen."""

    @classmethod
    def of(cls, newest_first: Iterable[Conversation], by: Sequence[str], goes_on: Callable[[], bool]) -> Self:
        """Measure conversations while `goes_on` returns True."""
        oldest: datetime | None = None
        is_all = True

        def in_time() -> Iterator[Conversation]:
            nonlocal oldest, is_all
            for one in newest_first:
                if not goes_on():
                    is_all = False
                    return
                oldest = one.created_at or one.started_at or oldest
                yield one

        summaries = [*summarize(in_time(), by)]
        return cls(summaries=summaries, oldest=oldest, is_all=is_all)


class StoreReader(Protocol):
    """Reads a store, and erases from it; close it, or use it with `with`.

    Its methods block while they wait for the disk: in an event loop, call them through `asyncio.to_thread`. A target is
    "tavus" for every Tavus account, or "tavus/eu" for one; without targets, every account counts. Instants are aware
    datetimes. Every method raises `InvalidRefError` for malformed arguments and `StoreError` if the store cannot be
    read.
    """

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    def close(self) -> None:
        """Release the store."""
        ...

    def accounts(self) -> list[str]:
        """Return the accounts in the store, as "provider/account"."""
        ...

    def status(self) -> StoreStatus:
        """Return the status of the store, account by account."""
        ...

    def get(self, ref: str) -> Conversation:
        """Return one conversation.

        Raises:
            NotFoundError: the store does not have it.
            InvalidRefError: a malformed ref, or one that several accounts have.
        """
        ...

    def conversations(
        self,
        *targets: str,
        since: datetime | None = None,
        until: datetime | None = None,
        status: Status | str | None = None,
        agent: str | None = None,
        limit: int | None = None,
    ) -> Iterator[Conversation]:
        """Yield conversations, newest first; one without an instant lies in every span, as in `hub.list`."""
        ...

    def page(self, wanted: Filters = EVERYTHING, *, limit: int = 50, cursor: str | None = None) -> StorePage:
        """Return what a list shows of at most `limit` conversations, newest first.

        `cursor` is that of a page before. What is stored meanwhile comes before that page or after it, and nothing
        comes twice.

        Raises:
            InvalidRefError: the cursor is damaged or of another kind of store; or see `find` for the words.
            UnsupportedError: there are words, and this kind of store has no search index.
        """
        ...

    def walk(self, wanted: Filters = EVERYTHING) -> Iterator[Conversation]:
        """Yield conversations whole, newest first. However slowly they are taken, no sync waits for it."""
        ...

    def counts(self, by: str, wanted: Filters = EVERYTHING, *, most: int = 50) -> dict[str, int]:
        """Count conversations by "account" (as "provider/account") or a field of `Filters`.

        The most frequent values come first; those without a value are not counted.

        Raises:
            InvalidRefError: an unknown field.
        """
        ...

    def stats(
        self,
        *targets: str,
        by: Sequence[str] = ("provider",),
        metrics: Sequence[str] = (),
        since: datetime | None = None,
        until: datetime | None = None,
        status: Status | str | None = None,
        agent: str | None = None,
        timezone: tzinfo = UTC,
    ) -> list[Summary]:
        """Summarize what conversations measure, group by group, in the order of the keys.

        The summaries are those of `metrics.summarize`. `targets`, `since`, `until`, `status` and `agent` are as in
        `conversations`, and `by` and `timezone` as in `summarize`. `metrics` names those of `METRICS` to summarize;
        percentiles stand for their latency, and none for all.
        """
        ...

    def newest_stats(
        self, wanted: Filters, by: Sequence[str] = ("provider",), *, goes_on: Callable[[], bool]
    ) -> NewestStats:
        """Summarize what conversations measure as `stats` does, the newest first, while `goes_on` returns True.

        Days, weeks and months begin in UTC. Nothing is written.
        """
        ...

    def recordings(
        self, *targets: str, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[tuple[Recording, int, datetime | None]]:
        """Yield the recordings of the matching conversations, newest first.

        Each comes with its position in its conversation, and with when the conversation was created, else when it
        started, UTC.
        """
        ...

    def search(
        self,
        words: str,
        *targets: str,
        since: datetime | None = None,
        until: datetime | None = None,
        role: Role | str | None = None,
        status: Status | str | None = None,
        agent: str | None = None,
        anywhere: bool = False,
        limit: int = 20,
        offset: int = 0,
    ) -> Found:
        """Return the turns that contain all the words, best match first, starting at `offset`.

        Raises:
            InvalidRefError: a malformed argument, or too many words for one search.
            UnsupportedError: this kind of store has no search index.
        """
        ...

    def find(
        self,
        words: str,
        wanted: Filters = EVERYTHING,
        *,
        order: Literal["newest", "best"] = "newest",
        limit: int = 20,
        cursor: str | None = None,
        marks: tuple[str, str] = ("[", "]"),
        alter: Callable[[str], str] | None = None,
    ) -> HitPage:
        """Return a page of the turns that contain all the words, at a cost that many matches do not raise.

        Words are those of `search`, with at least three letters before a star. "newest" begins with what was stored
        last; "best" ranks the newest 2,000 matches, and has no further pages. `marks` stand around matches; if they
        are in a text, a space stands there instead. `alter` changes a turn's text before its snippet is taken.

        Raises:
            InvalidRefError: a damaged cursor, too few letters before a star, or too many words for one search.
            UnsupportedError: this kind of store has no search index.
        """
        ...

    def revision(self) -> int:
        """Return a number that is another one after every change."""
        ...

    def interrupt(self) -> None:
        """End what another thread does with this reader: there, a `StoreError` is raised."""
        ...

    def erase(
        self,
        *refs: str,
        person: Person | None = None,
        recordings: str | Path | None = None,
        dry_run: bool = False,
        now: datetime | None = None,
    ) -> Receipt:
        """Erase the named conversations and all of a person, permanently; with `dry_run` only return which.

        No sync brings them back. With `recordings`, the folder filled by `sync --recordings`, their files are removed
        too. Copies and backups are not touched: erasing them is up to you.

        Raises:
            StoreError: a sync is running on the store, or there is no room to rewrite it.
            InvalidRefError: a malformed ref, or one that several accounts have.
        """
        ...

    def prune(
        self,
        before: datetime,
        *,
        recordings: str | Path | None = None,
        dry_run: bool = False,
        now: datetime | None = None,
    ) -> Receipt:
        """Erase, as `erase` does, the conversations from before an instant; those without one stay."""
        ...


class ReadableStore(Store, Protocol):
    """A store that can also be read."""

    def exists(self) -> bool:
        """Whether anything is there yet, even if it is only what a stopped run left.

        Raises:
            StoreError: the system does not tell, for instance because the folder may not be entered.
        """
        ...

    def reader(self) -> StoreReader:
        """Return a reader, which can also erase.

        Raises:
            StoreError: the store does not exist, or it cannot be read.
        """
        ...
