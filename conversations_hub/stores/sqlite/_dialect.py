"""How SQLite's tables spell what conversations are chosen by."""

from __future__ import annotations

from typing import Final

from ..._sortable import instant_text
from .._conditions import Condition, Dialect, equal

__all__ = ["DIALECT"]


def _owner(provider: str, account: str | None) -> Condition:
    return equal(provider=provider, account=account)


DIALECT: Final = Dialect(
    owner=_owner,
    instant=instant_text,
    undated="''",
    columns={"agent": "agent_id", "account": "provider || '/' || account"},
    tags="json_each({}) AS tag",
    has_issues="issues IS NOT NULL",
)
