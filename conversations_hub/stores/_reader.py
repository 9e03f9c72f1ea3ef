"""The protocol for reading a store of any kind."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import msgspec

from ..schema import Conversation, Recording, Role, Status
from ._erasure import Person, Receipt
from ._status import StoreStatus
from ._store import Store
from ._untrusted import Instant

__all__ = ["Found", "Hit", "ReadableStore", "StoreReader"]


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
        """Whether anything is there yet, even if it is only what a stopped run left."""
        ...

    def reader(self) -> StoreReader:
        """Return a reader, which can also erase.

        Raises:
            StoreError: the store does not exist, or it cannot be read.
        """
        ...
