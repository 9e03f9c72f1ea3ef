"""What can be read of a store, whatever it is kept in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import msgspec

from ..schema import Conversation, Recording, Role, Status
from .erasure import Person, Receipt
from .status import StoreStatus
from .store import Store
from .untrusted import Instant

__all__ = ["Found", "Hit", "ReadableStore", "StoreReader"]


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """A turn in which the words were found."""

    ref: str
    """The conversation, as `hub.get` takes it."""
    created_at: Instant | None
    """When the conversation was made, else when it started, UTC."""
    title: str | None
    position: int
    """Of the turn in its conversation, from 0."""
    role: Role
    start: float | None
    """Seconds from the conversation's start."""
    snippet: str
    """What was said around the words, which stand in brackets."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What a search found."""

    hits: list[Hit]
    """No more than were asked for, the best first."""
    total: int
    """How many there are."""
    hint: str | None = None
    """Where there are none, what of it was said by itself, in a sentence."""


class StoreReader(Protocol):
    """What is in a store, to be looked at and to be erased; to be closed, or used with `with`.

    It reads at once and waits for the disk: in an event loop call it through `asyncio.to_thread`. Targets are
    "tavus" for every Tavus account and "tavus/eu" for one; none are everybody's. Instants are aware. What is malformed
    is an `InvalidRefError`, whatever is wrong with the store a `StoreError`.
    """

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    def close(self) -> None:
        """Let go of the store."""
        ...

    def accounts(self) -> list[str]:
        """Return the accounts there are, as "provider/account"."""
        ...

    def status(self) -> StoreStatus:
        """Return how the store stands, account by account."""
        ...

    def get(self, ref: str) -> Conversation:
        """Return one conversation; raise `NotFoundError` where it is not there."""
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
        """Yield conversations, the newest first; one without an instant lies in every span, as in `hub.list`."""
        ...

    def recordings(
        self, *targets: str, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[tuple[Recording, int, datetime | None]]:
        """Yield the recordings of those conversations, the newest first.

        Each comes with its position in its conversation, and with when that was made, else when it started.
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
        """Return the turns in which all the words were said, the best match first, from the one at `offset`.

        Raises:
            InvalidRefError: these are more words than can be looked for at once.
            UnsupportedError: a store of this kind has no index of what was said.
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
        """Take conversations out for good: those named, and all of a person; with `dry_run` only say which.

        No sync brings them back. With `recordings`, the folder that `sync --recordings` filled, their files are
        removed too. Copies and backups are yours to look after.

        Raises:
            StoreError: a sync is at work on the store, or there is no room to write it anew.
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
        """Take out, as `erase` does, what was before an instant; what has none stays."""
        ...


class ReadableStore(Store, Protocol):
    """A store that can be looked into, as well."""

    def exists(self) -> bool:
        """Whether anything is there yet, be it no more than a run that was stopped."""
        ...

    def reader(self) -> StoreReader:
        """Return what looks into it and erases from it.

        Raises:
            StoreError: there is no such store, or it cannot be read.
        """
        ...
