"""A transcript that is there as plain text only: who says what, by the labels at the start of its lines."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from .participants import HUMAN_AGENTS

__all__ = ["utterances"]

# What speakers are called in plain text, whatever the provider's own words for them.
_AGENT = ("agent", "ai", "ai agent", "assistant", "bot", "robot")
_USER = ("user", "caller", "client", "customer", "human")

_LABEL = re.compile(r".{1,100}")


def utterances(
    plain: str, *, agent: str, user: str, labels: Mapping[str, str] | None = None
) -> list[tuple[str | None, str]]:
    """Return who speaks, by the provider's word, and what is said.

    `agent` and `user` are the provider's words for the two; `labels` are more, each of one line and of at most 100
    characters, with the word it stands for. A line that begins with no label goes on with what was said before, for
    "Address: 5 Elm Street" has no speaker of that name. What stands before the first label is nobody's.
    """
    own = {label.strip(): word for label, word in (labels or {}).items() if _LABEL.fullmatch(label)}
    words = {**dict.fromkeys(_AGENT, agent), **dict.fromkeys(_USER, user), **own}
    before, *parts = _labelled(frozenset(words)).split(plain)
    found: list[tuple[str | None, str]] = [(None, before.strip())] if before.strip() else []
    for label, said in zip(parts[::2], parts[1::2], strict=True):
        who = label.lower()
        found.append((words.get(who, who), said.strip()))
    return found


@lru_cache(maxsize=64)  # customers may choose the labels
def _labelled(labels: frozenset[str]) -> re.Pattern[str]:
    words = sorted({*labels, *HUMAN_AGENTS}, key=len, reverse=True)
    escaped = "|".join(re.escape(word).replace("_", "[ _-]") for word in words if word)
    return re.compile(rf"^[ \t]*+({escaped})[ \t]*+:[ \t]*+", re.MULTILINE | re.IGNORECASE)
