"""Transcripts that exist as plain text only: the labels at the start of their lines name the speakers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from .participants import HUMAN_AGENTS

__all__ = ["utterances"]

# Common labels in plain text, whatever the provider's own terms are.
_AGENT = ("agent", "ai", "ai agent", "assistant", "bot", "robot")
_USER = ("user", "caller", "client", "customer", "human")

_LABEL = re.compile(r".{1,100}")


def utterances(
    plain: str, *, agent: str, user: str, labels: Mapping[str, str] | None = None
) -> list[tuple[str | None, str]]:
    """Return pairs of the speaker, in the provider's term, and the text.

    `agent` and `user` are the provider's terms for the two; `labels` maps more labels, each of one line and at most 100
    characters, to terms. A line without a known label continues the text before it, because "Address: 5 Elm Street"
    does not name a speaker. The speaker of text before the first label is None.
    """
    own = {label.strip(): word for label, word in (labels or {}).items() if _LABEL.fullmatch(label)}
    words = {**dict.fromkeys(_AGENT, agent), **dict.fromkeys(_USER, user), **own}
    before, *parts = _label_pattern(frozenset(words)).split(plain)
    found: list[tuple[str | None, str]] = [(None, before.strip())] if before.strip() else []
    for label, said in zip(parts[::2], parts[1::2], strict=True):
        who = label.lower()
        found.append((words.get(who, who), said.strip()))
    return found


@lru_cache(maxsize=64)  # customers may choose the labels
def _label_pattern(labels: frozenset[str]) -> re.Pattern[str]:
    words = sorted({*labels, *HUMAN_AGENTS}, key=len, reverse=True)
    escaped = "|".join(re.escape(word).replace("_", "[ _-]") for word in words if word)
    return re.compile(rf"^[ \t]*+({escaped})[ \t]*+:[ \t]*+", re.MULTILINE | re.IGNORECASE)
