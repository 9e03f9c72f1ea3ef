"""The protocol of a store that `sync` can fill: it keeps conversations together with each account's checkpoint."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

import msgspec

from ..errors import StoreError
from ..redaction._redactors import Redact, describe
from ..schema import Conversation
from ._untrusted import Instant

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
    "made_with",
    "terms_of",
    "when",
]


def when(one: Conversation) -> datetime | None:
    """Return the instant that decides in which window a conversation lies, UTC; None if it has none."""
    return one.created_at or one.started_at


class Window(msgspec.Struct, frozen=True):
    """A span of time to walk, `since <= created < until`, in UTC."""

    since: Instant | None
    """None: from the beginning."""
    until: Instant

    def holds(self, one: Conversation) -> bool:
        """Whether a conversation lies in the window; one without an instant lies in every window."""
        at = when(one)
        return at is None or ((self.since is None or self.since <= at) and at < self.until)


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """How far the sync of an account is; it survives the process."""

    covered: Window | None = None
    """The span walked to its end."""
    in_progress: Window | None = msgspec.field(default=None, name="walking")
    """The window being walked."""
    is_last: bool = False
    """Whether the provider is asked for everything since the window's start, without an upper bound."""
    cursor: str | None = None
    """Where the walk resumes; None: at its beginning."""
    passes: int = 0
    """How often the window was walked to its end before."""
    new: int = 0
    """Conversations first found in this pass."""
    high_watermark: Instant | None = msgspec.field(default=None, name="newest")
    """The instant of the newest conversation listed so far, UTC."""
    changes_until: Instant | None = None
    """Until when the changes of all covered conversations were seen, UTC; None: they were not walked by change."""
    began: Instant | None = None
    """When the walk that is not finished began, UTC; None: the last one is finished."""

    def between_windows(self, covered: Window | None) -> Checkpoint:
        """Return the checkpoint after a window is walked, or given up: what is covered, and no window in progress."""
        return Checkpoint(
            covered=covered, high_watermark=self.high_watermark, changes_until=self.changes_until, began=self.began
        )

    @property
    def confirmed(self) -> Window | None:
        """The covered span up to the newest conversation: beyond it, a wrong clock may have claimed too much."""
        if self.covered is None or self.high_watermark is None:
            return None
        return Window(self.covered.since, min(self.covered.until, self.high_watermark))


class StoredVersion(msgspec.Struct, frozen=True):
    """What a store remembers of a conversation, to decide whether to fetch or write it again."""

    row_hash: bytes
    """The fingerprint of the list row that it was last fetched for."""
    content_hash: bytes
    """The fingerprint of the stored conversation."""
    recheck_until: datetime | None
    """Until when it is fetched again, because more of it may come, UTC; None: it is settled."""
    list_row: bytes | None = None
    """The list row as JSON, kept until it is settled: what only the row says must be there for the next merge, too."""
    failing_since: datetime | None = None
    """When its details first failed to load, UTC; None if they loaded. Without `recheck_until` they are given up."""
    is_erased: bool = False
    """Whether it was erased: it is not in the store, and must not come back."""
    is_vanished: bool = False
    """Whether a completely walked list no longer showed it. An entry without this removes the mark."""


ERASED: Final = StoredVersion(b"", b"", None, is_erased=True)
"""The stored version of an erased conversation."""


class Entry(msgspec.Struct, frozen=True):
    """A conversation to write, and what to remember of it."""

    conversation: Conversation
    kept: StoredVersion


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """What a store lacks of an account although the list was walked completely."""

    unreadable: int = 0
    """Rows that could not be read."""
    not_loaded: int = 0
    """Conversations without details, because fetching them failed or was given up."""
    ids: Sequence[str] = ()
    """The ids of these conversations, the first hundred at most."""


class Written(msgspec.Struct, frozen=True):
    """How many entries of a commit were new, updated or unchanged."""

    new: int = 0
    updated: int = 0
    unchanged: int = 0


def terms_of(accounts: Iterable[str], since: datetime | None, until: datetime | None, now: datetime) -> dict[str, str]:
    """Return the options of a run, and its time, in the form that `Store.open` takes; instants are ISO 8601."""
    moments = {"since": since, "until": until, "asked_at": now}
    instants = {name: moment.isoformat() for name, moment in moments.items() if moment is not None}
    return {"accounts": ", ".join(sorted(accounts)), **instants}


MADE: Final = ("redacted", "raw")
"""The options that hold for a whole store, so that every run must use the same."""


def made_with(redactors: Sequence[Redact], *, keeps_raw: bool) -> dict[str, str]:
    """Return the values of the options in `MADE`, in the form that `Store.open` takes."""
    return {"redacted": describe(redactors), "raw": "kept" if keeps_raw else "none"}


def check_made(store: object, before: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Raise `StoreError` if a store was made with other options than this run has."""
    for name in MADE:
        then, given = before.get(name), now.get(name)
        if then is not None and given is not None and then != given:
            what = "raw payloads" if name == "raw" else "redaction"
            raise StoreError(
                f"{store} was made with {what}: {then}, but this run has {what}: {given}. A store treats all its"
                " conversations alike: use the options it was made with, or give another path"
            )


def are_other_terms(name: str, before: Mapping[str, str], now: Mapping[str, str]) -> bool:
    """Whether an option differs from before: "the last 90 days" is the same option whenever it is given."""
    then, given = before.get(name), now.get(name)
    if name == "asked_at" or then == given or (name in MADE and (then is None or given is None)):
        return False
    if name not in {"since", "until"} or then is None or given is None:
        return True
    if "asked_at" not in before or "asked_at" not in now:  # the first layout stored only days
        return given[:_DAY] != then[:_DAY]
    passed = _moment(now["asked_at"]) - _moment(before["asked_at"])
    return abs(_moment(given) - _moment(then) - passed) > _SLACK


_DAY = len("2026-11-30")
_SLACK = timedelta(minutes=1)
"""The most time between parsing an option such as "90d" and noting the time of the run."""


_moment = datetime.fromisoformat


class Store(Protocol):
    """Keeps conversations. An account is written by one process at a time; most stores are as a whole.

    Accounts are named "provider/account". Every failure is a `StoreError`; earlier commits stay. A store that several
    processes share raises `LeaseLostError` for an account that another one writes, which concerns this account only.
    """

    async def open(self, terms: Mapping[str, str]) -> None:
        """Take the store for this process, as far as it is locked as a whole, and clean up after an earlier run.

        `terms` are the options of the run, as `terms_of` returns them. A store whose interrupted run can only be
        resumed with the same options refuses others, and says which differ.
        """
        ...

    async def progress(self, account: str) -> Checkpoint:
        """Take the account for this process until `close`, and return its checkpoint."""
        ...

    async def kept(self, account: str, ids: Sequence[str]) -> Mapping[str, StoredVersion]:
        """Return the stored versions of those conversations that are in the store or were erased, by id."""
        ...

    async def unsettled(self, account: str) -> Mapping[str, StoredVersion]:
        """Return the stored versions of all conversations that are to be fetched again, by id."""
        ...

    async def commit(self, account: str, entries: Sequence[Entry], progress: Checkpoint | None) -> Written:
        """Write entries and checkpoint together, or neither; skip entries whose content is already stored.

        Without a checkpoint, the one of the account stays, and a process that does not have the account may write.
        """
        ...

    async def vanished(self, account: str, listed: Collection[str], now: datetime) -> Sequence[str]:
        """Return the ids of stored conversations that a completely walked list does not show; note since when, UTC.

        A store may leave this note out: only readers need it.
        """
        ...

    async def finish(self, unreadable: Mapping[str, int] | None = None) -> None:
        """Complete the store after a run that walked every account to its end, whatever is missing.

        `unreadable` counts the rows that could not be read, for each account that has any.
        """
        ...

    async def close(self) -> None:
        """Release the store; what was not committed is lost."""
        ...
