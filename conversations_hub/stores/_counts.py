"""How many conversations have each value of a field."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from ._conditions import Condition, Dialect, all_of
from ._filters import Filters

__all__ = ["counts"]


def counts(
    ask: Callable[[str, Sequence[Any]], Iterator[Sequence[Any]]],
    dialect: Dialect,
    by: str,
    wanted: Filters,
    said: Condition,
    *,
    most: int,
) -> dict[str, int]:
    """Count conversations by a field, the most frequent values first; `said` is the condition for their words."""
    where, values = all_of(dialect.chosen(wanted), said)
    source, value = f"conversations WHERE {where or '1 = 1'}", dialect.columns.get(by, by)
    if by == "tag":
        source, value = f"(SELECT tags FROM {source}) AS chosen, {dialect.tags.format('chosen.tags')}", "tag.value"
    question = (
        f"SELECT found, count(*) FROM (SELECT {value} AS found FROM {source}) AS each WHERE found IS NOT NULL"
        f" GROUP BY found ORDER BY 2 DESC, found {dialect.binary} LIMIT ?"
    )
    return msgspec.convert(dict(map(tuple, ask(question, (*values, most)))), dict[str, int])
