"""The queries for the status of a SQLite store; each is answered from an index."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from .._status import AccountStatus, StoreStatus
from .._store import Checkpoint
from .._untrusted import instant_of

__all__ = ["QUESTIONS", "status"]

Ask = Callable[[str, Sequence[Any]], Iterable[Sequence[Any]]]

_BY_ACCOUNT: Final = "SELECT provider || '/' || account"
_REMEMBERED: Final = "FROM remembered CROSS JOIN conversations ON key = conversation"  # in this order
_FIRST: Final = "SELECT at FROM conversations WHERE provider = ? AND account = ? AND at > '' ORDER BY at"
QUESTIONS: Final = {
    "accounts": "SELECT account, progress FROM accounts",
    "there": f"{_BY_ACCOUNT}, count(*), sum(transcript_state = 'restricted')"
    " FROM conversations INDEXED BY conversations_by_day GROUP BY provider, account",
    "oldest": f"{_FIRST} LIMIT 1",
    "newest": f"{_FIRST} DESC LIMIT 1",
    "pending": f"{_BY_ACCOUNT}, count(*) {_REMEMBERED} WHERE settles_at IS NOT NULL AND failing_since IS NULL"
    " GROUP BY provider, account",
    "failing": f"{_BY_ACCOUNT}, count(*), min(failing_since) {_REMEMBERED}"
    " WHERE failing_since IS NOT NULL AND settles_at IS NOT NULL GROUP BY provider, account",
    "given_up": f"{_BY_ACCOUNT}, count(*) {_REMEMBERED} WHERE failing_since IS NOT NULL AND settles_at IS NULL"
    " GROUP BY provider, account",
    "vanished": f"{_BY_ACCOUNT}, count(*) FROM conversations WHERE vanished_at IS NOT NULL GROUP BY provider, account",
}


def status(ask: Ask) -> StoreStatus:
    """Return the status of a store; `ask` runs a query on it and raises `StoreError` if that fails."""

    def by_account(name: str) -> dict[str, Sequence[Any]]:
        return {msgspec.convert(account, str): facts for account, *facts in ask(QUESTIONS[name], ())}

    def instant(name: str, account: str) -> datetime | None:
        provider, _, name_of_account = account.partition("/")
        return next((_instant(text) for (text,) in ask(QUESTIONS[name], (provider, name_of_account))), None)

    progress, there, pending = map(by_account, ("accounts", "there", "pending"))
    failing, given_up, vanished = map(by_account, ("failing", "given_up", "vanished"))

    def one(account: str) -> AccountStatus:
        conversations, restricted = there.get(account, (0, 0))
        failing_now, failing_since = failing.get(account, (0, None))
        [stored] = progress.get(account, ("{}",))
        went = msgspec.json.decode(stored, type=Checkpoint)
        return AccountStatus(
            where=account,
            conversations=conversations,
            oldest=instant("oldest", account),
            newest=instant("newest", account),
            covered=went.covered,
            is_under_way=went.in_progress is not None,
            pending=pending.get(account, (0,))[0],
            restricted=restricted,
            failing=failing_now,
            failing_since=_instant(failing_since),
            given_up=given_up.get(account, (0,))[0],
            vanished=vanished.get(account, (0,))[0],
        )

    return StoreStatus.of(map(one, sorted(progress.keys() | there.keys())))


def _instant(text: str | None) -> datetime | None:
    return instant_of(text) if text else None
