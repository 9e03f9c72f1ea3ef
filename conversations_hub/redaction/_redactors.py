"""Redactors: functions that change each conversation before it is stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from .._scrub.signatures import without_signatures
from ..errors import StoreError
from ..schema import Conversation

__all__ = ["Redact", "as_sequence", "describe", "redacted", "uncounted"]

Redact = Callable[[Conversation], Conversation]
"""Returns a conversation without what must not be stored."""


def as_sequence(redact: Redact | Sequence[Redact]) -> tuple[Redact, ...]:
    """Return redactors as a tuple; a single one need not be in a sequence."""
    return (redact,) if callable(redact) else tuple(redact)


def redacted(conversation: Conversation, redactors: Sequence[Redact]) -> Conversation:
    """Return a conversation as it may be stored: without signatures of URLs, and as the redactors return it.

    Raises `StoreError` if a redactor fails, because only redacted conversations are stored.
    """
    conversation = without_signatures(conversation)
    for redact in redactors:
        try:
            conversation = redact(conversation)
        except Exception as error:
            # Its message may hold what it should have removed; a debugger finds it as the cause.
            name = getattr(redact, "__name__", type(redact).__name__)
            raise StoreError(
                f"a redactor failed ({name}: {type(error).__name__}), so the conversation is not stored"
            ) from error
    return conversation


def describe(redactors: Sequence[Redact]) -> str:
    """Return the names of redactors, with their versions if they have any, as a store records them."""
    return ", ".join(map(_describe, redactors)) or "none"


def _describe(redact: Redact) -> str:
    name = getattr(redact, "__qualname__", type(redact).__qualname__)
    return f"{name} {version}" if (version := getattr(redact, "version", None)) else name


def uncounted(redactors: Sequence[Redact]) -> tuple[Redact, ...]:
    """Return redactors that do the same but count nothing."""
    return tuple(map(_without_counting, redactors))


def _without_counting(redact: Redact) -> Redact:
    counts: Counter[str] | None = getattr(redact, "counts", None)
    if counts is None:
        return redact

    def quietly(conversation: Conversation) -> Conversation:
        before = counts.copy()
        try:
            return redact(conversation)
        finally:
            counts.clear()
            counts.update(before)

    return quietly
