"""How the tables in Postgres spell what conversations are chosen by."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from .._conditions import Condition, Dialect, equal

__all__ = ["DIALECT"]


def _owner(provider: str, account: str | None) -> Condition:
    if account is not None:
        return equal(account=f"{provider}/{account}")
    # The digit 0 comes after the slash, so this is all of a provider, and an index has it.
    return "(account >= ? AND account < ?)", [f"{provider}/", f"{provider}0"]


def _instant(at: datetime) -> object:
    return at


DIALECT: Final = Dialect(
    owner=_owner,
    instant=_instant,
    undated="'-infinity'::timestamptz",
    columns={"agent": "agent_id", "provider": "split_part(account, '/', 1)"},
    tags="unnest({}) AS tag (value)",
    has_issues="has_issues",
    binary='COLLATE "C"',
)
