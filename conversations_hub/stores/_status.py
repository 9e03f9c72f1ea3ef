"""The status of a store, account by account: what is in it, how fresh it is, and what is missing."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Self

import msgspec

from ._store import Window

__all__ = ["AccountStatus", "StoreStatus"]


class AccountStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The status of one account, or of all together. Numbers count conversations; None: the store does not know."""

    where: str
    """"provider/account"."""
    conversations: int = 0
    oldest: datetime | None = None
    """When the oldest was created, else when it started, UTC."""
    newest: datetime | None = None
    """When the newest was created, else when it started, UTC."""
    covered: Window | None = None
    """The span walked to its end; for all together, the span that every account covers."""
    is_under_way: bool = False
    """Whether a sync is in the middle of a list, or stopped there."""
    pending: int = 0
    """Fetched again by the next sync: still running, or the transcript or analysis may still come."""
    restricted: int | None = None
    """Without a transcript, because the provider does not show it."""
    failing: int = 0
    """Without details, because fetching them failed; the next sync tries again."""
    failing_since: datetime | None = None
    """When the first of these failed, UTC."""
    given_up: int = 0
    """Without details, because fetching them failed for as long as `patience`; no longer retried."""
    vanished: int | None = None
    """No longer in the provider's list."""


class StoreStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The status of a store."""

    accounts: tuple[AccountStatus, ...]
    total: AccountStatus

    @classmethod
    def of(cls, accounts: Iterable[AccountStatus]) -> Self:
        """Return the status of a store with these accounts."""
        each = tuple(accounts)
        total = AccountStatus(
            where="total",
            conversations=sum(one.conversations for one in each),
            oldest=min(_known(one.oldest for one in each), default=None),
            newest=max(_known(one.newest for one in each), default=None),
            covered=_shared([one.covered for one in each]),
            is_under_way=any(one.is_under_way for one in each),
            pending=sum(one.pending for one in each),
            restricted=_sum(one.restricted for one in each),
            failing=sum(one.failing for one in each),
            failing_since=min(_known(one.failing_since for one in each), default=None),
            given_up=sum(one.given_up for one in each),
            vanished=_sum(one.vanished for one in each),
        )
        return cls(accounts=each, total=total)


def _known(instants: Iterable[datetime | None]) -> list[datetime]:
    return [instant for instant in instants if instant is not None]


def _sum(numbers: Iterable[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None


def _shared(spans: Iterable[Window | None]) -> Window | None:
    known = [span for span in spans if span is not None]
    if not known or len(known) < len([*spans]):
        return None
    since = max(_known(span.since for span in known), default=None)
    until = min(span.until for span in known)
    return Window(since, until) if since is None or since < until else None
