"""What a store must be able to do for `sync`: keep conversations, and how far each account has come, together."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Protocol

import msgspec

from ..errors import StoreError
from ..schema import Conversation
from .untrusted import Instant

__all__ = [
    "ERASED",
    "MADE",
    "Checkpoint",
    "Entry",
    "Missing",
    "Store",
    "StoredVersion",
    "Window",
    "Written",
    "are_other_terms",
    "check_made",
    "terms_of",
    "when",
]


def when(one: Conversation) -> datetime | None:
    """Return the instant that windows are told by; None where a conversation has none."""
    return one.created_at or one.started_at


class Window(msgspec.Struct, frozen=True):
    """A span of time whose conversations are walked: `since <= created < until`, aware UTC."""

    since: Instant | None
    """None: from the first there is."""
    until: Instant

    def holds(self, one: Conversation) -> bool:
        """Whether a conversation lies in it; one without any instant lies in every window."""
        at = when(one)
        return at is None or ((self.since is None or self.since <= at) and at < self.until)


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """How far an account has come; it survives the process."""

    covered: Window | None = None
    """What was walked to its end."""
    in_progress: Window | None = msgspec.field(default=None, name="walking")
    """What is being walked."""
    is_last: bool = False
    """Whether the provider is asked for all that lies behind its beginning, and not for its end."""
    cursor: str | None = None
    """Where the walk goes on; None: at its beginning."""
    passes: int = 0
    """How often the window was walked to its end before."""
    new: int = 0
    """Conversations that this pass was the first to find."""
    high_watermark: Instant | None = msgspec.field(default=None, name="newest")
    """The instant of the newest conversation that was listed so far."""

    @property
    def confirmed(self) -> Window | None:
        """What is covered up to the newest conversation; beyond it a clock that was wrong may have claimed too much."""
        if self.covered is None or self.high_watermark is None:
            return None
        return Window(self.covered.since, min(self.covered.until, self.high_watermark))


class StoredVersion(msgspec.Struct, frozen=True):
    """What a store remembers of a conversation, to tell whether it must be fetched or written again."""

    row_hash: bytes
    """The fingerprint of the list row that it was last fetched for."""
    content_hash: bytes
    """The fingerprint of what was written."""
    recheck_until: datetime | None
    """Until when it is looked at again, for more of it may come; None: it is settled."""
    list_row: bytes | None = None
    """The list row as JSON, as long as it is looked at again: what only the row says is to be there then, too."""
    failing_since: datetime | None = None
    """When its details failed first, if they have not been had since; where it is settled they were given up."""
    is_erased: bool = False
    """Whether it was erased: it is not there, and not to come back."""


ERASED: Final = StoredVersion(b"", b"", None, is_erased=True)
"""What is remembered of a conversation that was erased."""


class Entry(msgspec.Struct, frozen=True):
    """A conversation to be written, and what to remember of it."""

    conversation: Conversation
    kept: StoredVersion


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """What of an account is not there, though all of its list was walked."""

    unreadable: int = 0
    """Rows nobody could read."""
    not_loaded: int = 0
    """Conversations without their details, because these failed or were given up."""
    ids: Sequence[str] = ()
    """Theirs, of very many the first hundred."""


class Written(msgspec.Struct, frozen=True):
    """What became of entries."""

    new: int = 0
    updated: int = 0
    unchanged: int = 0


def terms_of(accounts: Iterable[str], since: datetime | None, until: datetime | None, now: datetime) -> dict[str, str]:
    """Return what a run is asked for, and when, in the words that `Store.open` takes."""
    moments = {"since": since, "until": until, "asked_at": now}
    told = {name: moment.isoformat() for name, moment in moments.items() if moment is not None}
    return {"accounts": ", ".join(sorted(accounts)), **told}


MADE: Final = ("redacted", "raw")
"""Terms that hold for all that is in a store, so that every run has to have the same."""


def check_made(path: Path, before: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Raise `StoreError` where a store was made in one way and is to be filled in another."""
    for name in MADE:
        then, told = before.get(name), now.get(name)
        if then is not None and told is not None and then != told:
            what = "raw payloads" if name == "raw" else "redaction"
            raise StoreError(
                f"{path} was made with {what}: {then}, and this run has {what}: {told}. All that is in a store is"
                " treated alike: run with what it was made with, or give another path"
            )


def are_other_terms(name: str, before: Mapping[str, str], now: Mapping[str, str]) -> bool:
    """Whether a term is another than it was: "the last 90 days" are the same whenever they are asked for."""
    then, told = before.get(name), now.get(name)
    if name == "asked_at" or then == told or (name in MADE and (then is None or told is None)):
        return False
    if name not in {"since", "until"} or then is None or told is None:
        return True
    if "asked_at" not in before or "asked_at" not in now:  # the first layout remembered days
        return told[:_DAY] != then[:_DAY]
    passed = _moment(now["asked_at"]) - _moment(before["asked_at"])
    return abs(_moment(told) - _moment(then) - passed) > _SLACK


_DAY = len("2026-11-30")
_SLACK = timedelta(minutes=1)
"""So much may pass between the words that were typed and the instant that is noted."""


_moment = datetime.fromisoformat


class Store(Protocol):
    """Where conversations are kept. One process writes at a time.

    Accounts are named "provider/account". Whatever goes wrong is a `StoreError`; what was committed before stays.
    """

    async def open(self, terms: Mapping[str, str]) -> None:
        """Take the store for this process alone, and bring what an earlier run left behind into order.

        `terms` are what a run was asked for, in words. A store that can only go on with the run that began it refuses
        other terms and says which differ.
        """
        ...

    async def progress(self, account: str) -> Checkpoint:
        """Return how far an account has come."""
        ...

    async def kept(self, account: str, ids: Sequence[str]) -> Mapping[str, StoredVersion]:
        """Return what is remembered of those conversations that are there or were erased, by id."""
        ...

    async def unsettled(self, account: str) -> Mapping[str, StoredVersion]:
        """Return what is remembered of those conversations that are to be looked at again, by id."""
        ...

    async def commit(self, account: str, entries: Sequence[Entry], progress: Checkpoint) -> Written:
        """Write entries and progress together, or neither. An entry whose content is there already is not written."""
        ...

    async def vanished(self, account: str, listed: Collection[str], now: datetime) -> Sequence[str]:
        """Return the ids of what is there, and not in a list that was walked whole; note since when."""
        ...

    async def finish(self, unreadable: Mapping[str, int] | None = None) -> None:
        """Complete what a run leaves behind that walked every account to its end, whatever is missing.

        `unreadable` is how many rows of an account nobody could read, where there were any.
        """
        ...

    async def close(self) -> None:
        """Let go; what was not committed is gone."""
        ...
