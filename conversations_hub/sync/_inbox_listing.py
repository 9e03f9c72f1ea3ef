"""What an inbox holds, to look at: how much, and what is dead, without what was sent. No commit waits long for it."""

from __future__ import annotations

from collections.abc import Sequence
from sqlite3 import Connection
from typing import Annotated, Any, Final

import msgspec

from .._packing import pack, unpack
from .._refs import ref_of
from ..errors import InvalidRefError
from ..events import EventKind
from ..stores._untrusted import Instant, instant_of

__all__ = ["DeadEvent", "DeadPage", "InboxStatus", "dead", "status"]

_LONGEST: Final = 64  # characters of a cursor
_key = msgspec.msgpack.Decoder(Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)])  # SQLite's integers


class InboxStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What is in an inbox. Numbers count events."""

    new: int
    """Not yet in the store."""
    done: int
    dead: int
    """Given up, or unreadable."""
    oldest: Instant | None
    """When the oldest of the new ones came, UTC."""
    reasons: dict[str, int]
    """Why the dead ones are dead."""


class DeadEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event that was given up, without what was sent. Instants are in UTC."""

    endpoint: str
    account: str
    """"provider/account"."""
    ref: str | None
    """The conversation that it is about; null: it could not be read."""
    kind: EventKind
    occurred_at: Instant | None
    """When it happened, as the provider says."""
    received_at: Instant
    settled_at: Instant
    """When it was given up."""
    verified: bool
    """Whether its signature was checked."""
    times: int
    """How often it came."""
    error: str | None
    """Why it is dead, as far as that was said."""


class DeadPage(msgspec.Struct, frozen=True, kw_only=True):
    """One page of the events that were given up, what came last first."""

    events: tuple[DeadEvent, ...]
    cursor: str | None
    """Continues after these; null: these are the last."""


def status(connection: Connection) -> InboxStatus:
    """Return how much there is."""
    execute = connection.execute
    # Each state has an index of its own; to group by state, all of the table would be read.
    counts = {
        state: execute(f"SELECT count(*) FROM deliveries WHERE state = '{state}'").fetchone()[0]  # noqa: S608  (ours)
        for state in ("new", "done", "dead")
    }
    (oldest,) = execute("SELECT min(received_at) FROM deliveries WHERE state = 'new'").fetchone()
    reasons = execute("SELECT error, count(*) FROM deliveries WHERE state = 'dead' GROUP BY error").fetchall()
    return InboxStatus(**counts, oldest=None if oldest is None else instant_of(oldest), reasons=dict(reasons))


_INSTANTS: Final = ("occurred_at", "received_at", "settled_at")
_SHOWN: Final = ("endpoint", "kind", *_INSTANTS, "verified", "times", "error")
# By the index of what is dead, or the whole table would be searched for it.
_DEAD: Final = f"""
SELECT key, provider, account, conversation, {", ".join(_SHOWN)} FROM deliveries INDEXED BY deliveries_dead
WHERE state = 'dead' AND key < ? ORDER BY key DESC LIMIT ?
"""  # noqa: S608  (our own names)


def dead(connection: Connection, limit: int, cursor: str | None) -> DeadPage:
    """Return a page of what is dead; raise `InvalidRefError` for a cursor that is damaged."""
    before = 2**63 - 1 if cursor is None else unpack(cursor, _key, _LONGEST)
    if before is None:
        raise InvalidRefError("the cursor is invalid or damaged: pass a page's `cursor` exactly as it is")
    rows = connection.execute(_DEAD, (before, limit + 1)).fetchall()
    more = len(rows) > limit
    return DeadPage(events=tuple(map(_event, rows[:limit])), cursor=pack(rows[limit - 1][0]) if more else None)


def _event(row: Sequence[Any]) -> DeadEvent:
    _, provider, account, conversation, *values = row
    found = dict(zip(_SHOWN, values, strict=True))
    found |= {name: None if found[name] is None else instant_of(found[name]) for name in _INSTANTS}
    ref = None if conversation is None else ref_of(provider, account, conversation)
    return msgspec.convert(
        found | {"account": f"{provider}/{account}", "ref": ref, "verified": bool(found["verified"])}, DeadEvent
    )
