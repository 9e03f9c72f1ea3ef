"""Errors for a model that has to act on them: what failed, whether trying again helps, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

from ..errors import (
    AuthError,
    ConfigurationError,
    HubError,
    InvalidRefError,
    NotFoundError,
    PartialError,
    ProviderError,
    StoreError,
    UnsupportedError,
    problem,
)
from ._disarm import disarmed

__all__ = ["in_words", "nearest", "number_of"]

_NEXT: Final = (
    (AuthError, "Trying again does not help: somebody has to correct the key of this account."),
    (NotFoundError, "Trying again does not help: take the ref from list_conversations or search_conversations."),
    (InvalidRefError, "Correct the argument, and call again."),
    (ConfigurationError, "Trying again does not help: somebody has to change how this is set up."),
    (UnsupportedError, "Trying again does not help."),
    (StoreError, "Tell the user; if a sync has just begun or is running, try again in a minute."),
)


def in_words(error: HubError) -> str:
    """Return an error for a model: what failed, whether trying again helps, and what to do.

    It holds nothing of a provider's words, which could be orders.
    """
    said = problem(error)["detail"] if isinstance(error, ProviderError | PartialError) else str(error)
    text = disarmed(said.rstrip("."))
    if error.retryable:
        wait = f"{error.retry_after:g} seconds" if error.retry_after else "a minute"
        return f"{text}. Trying again in {wait} may help; what is in the store can be read meanwhile."
    advice = next(
        (then for kind, then in _NEXT if isinstance(error, kind)), "Trying again does not help; tell the user."
    )
    return f"{text}. {advice}"


def number_of(count: int, noun: str) -> str:
    """Return how many there are of something that has a plain plural: `1 turn`, `1,200 turns`."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def nearest(word: str, known: Iterable[str]) -> list[str]:
    """Return the three of the known words that are most like one."""
    by_folded = {each.casefold(): each for each in sorted(known)}
    return [by_folded[each] for each in get_close_matches(word.casefold(), by_folded, n=3, cutoff=0.0)]
