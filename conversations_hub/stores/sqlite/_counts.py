"""How many conversations have each value of a field."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from ._conditions import COLUMNS, Condition

__all__ = ["counts"]

_EXPRESSIONS: Final[Mapping[str, str]] = {**COLUMNS, "account": "provider || '/' || account"}


def counts(
    ask: Callable[[str, Sequence[Any]], Iterator[Sequence[Any]]], by: str, chosen: Condition, most: int
) -> dict[str, int]:
    """Count the conversations that meet a condition by a field, the most frequent values first."""
    where, values = chosen
    source, value = f"conversations WHERE {where or '1'}", _EXPRESSIONS.get(by, by)
    if by == "tag":
        source, value = f"(SELECT tags FROM {source}) AS chosen, json_each(chosen.tags)", "json_each.value"
    question = (
        f"SELECT {value} AS found, count(*) FROM {source} GROUP BY found"
        " HAVING found IS NOT NULL ORDER BY 2 DESC, found LIMIT ?"
    )
    return msgspec.convert(dict(map(tuple, ask(question, (*values, most)))), dict[str, int])
