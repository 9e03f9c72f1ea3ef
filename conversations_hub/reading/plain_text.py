"""A transcript that is there as plain text only: who says what, by the labels at the start of its lines."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from ..coerce import HUMAN_AGENTS

__all__ = ["utterances"]


def utterances(plain: str, labels: Iterable[str]) -> list[tuple[str | None, str]]:
    """Return who speaks, by a label in lower case, and what is said.

    A line that begins with none of the labels goes on with what was said before, for "Address: 5 Elm Street" has no
    speaker of that name. What stands before the first label is nobody's. People who took over have labels of their own.
    """
    before, *parts = _labelled(frozenset(labels)).split(plain)
    found = [(who.lower(), said.strip()) for who, said in zip(parts[::2], parts[1::2], strict=True)]
    return [(None, before.strip()), *found] if before.strip() else [*found]


@lru_cache(maxsize=64)  # customers may choose the labels
def _labelled(labels: frozenset[str]) -> re.Pattern[str]:
    words = sorted({*labels, *HUMAN_AGENTS}, key=len, reverse=True)
    escaped = "|".join(re.escape(word).replace("_", "[ _-]") for word in words if word)
    return re.compile(rf"^[ \t]*({escaped})[ \t]*:[ \t]*", re.MULTILINE | re.IGNORECASE)
