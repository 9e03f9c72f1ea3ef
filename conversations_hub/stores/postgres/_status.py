"""The status of a Postgres store: two statements over its indexes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from .._status import AccountStatus, StoreStatus
from .._store import Checkpoint
from ._connection import Connection

__all__ = ["status"]

_PROGRESS: Final = "SELECT account, progress FROM accounts WHERE progress IS NOT NULL"
_COUNTS: Final = """
SELECT account, count(*), min(at) FILTER (WHERE at > '-infinity'), max(at) FILTER (WHERE at > '-infinity'),
    count(*) FILTER (WHERE settles_at IS NOT NULL AND failing_since IS NULL),
    count(*) FILTER (WHERE transcript_state = 'restricted'),
    count(*) FILTER (WHERE settles_at IS NOT NULL AND failing_since IS NOT NULL),
    min(failing_since) FILTER (WHERE settles_at IS NOT NULL),
    count(*) FILTER (WHERE settles_at IS NULL AND failing_since IS NOT NULL),
    count(vanished_at)
FROM conversations GROUP BY account
"""


async def status(connection: Connection) -> StoreStatus:
    """Return the status of a store."""
    progress = dict(map(tuple, await connection.fetch(_PROGRESS)))
    there = {account: facts for account, *facts in map(tuple, await connection.fetch(_COUNTS))}
    return StoreStatus.of(
        _account(account, progress.get(account, "{}"), there.get(account, _NOTHING))
        for account in sorted(progress.keys() | there.keys())
    )


_NOTHING: Final = (0, None, None, 0, 0, 0, None, 0, 0)


def _account(where: str, progress: str, facts: Sequence[object]) -> AccountStatus:
    went = msgspec.json.decode(progress, type=Checkpoint)
    count, oldest, newest, pending, restricted, failing, failing_since, given_up, vanished = facts
    return msgspec.convert(
        {
            "where": where,
            "conversations": count,
            "oldest": oldest,
            "newest": newest,
            "covered": went.covered,
            "is_under_way": went.in_progress is not None,
            "pending": pending,
            "restricted": restricted,
            "failing": failing,
            "failing_since": failing_since,
            "given_up": given_up,
            "vanished": vanished,
        },
        AccountStatus,
        from_attributes=True,
    )
