"""What a hub tells while it works: typed, and without secrets, ids or anything people said.

`Hub(on_signal=…)` takes a function that is called with each; it must be quick and must not raise.
"""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["AttemptEnded", "BreakerChanged", "PageRead", "RetryScheduled", "Signal", "Waited", "in_words"]


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened to one account's operation."""

    provider: str
    account: str
    operation: str | None = None
    """`get`, `list`, `start`, `end`, `delete` or `send`; None: it concerns all alike."""


class AttemptEnded(Signal, frozen=True, kw_only=True):
    """A request was sent, and answered or not."""

    method: str
    path: str
    """The template, `/v2/conversations/{id}`, or "(next page)"."""
    number: int
    """Which request of the operation it was, from 1."""
    status: int | None = None
    """None: no whole answer."""
    size: int = 0
    """Bytes of the body."""
    seconds: float = 0.0
    error: str | None = None
    """The class of what went wrong."""
    reason: str | None = None
    """Why no whole answer came, in our own words; None where one came."""


class RetryScheduled(Signal, frozen=True, kw_only=True):
    """An attempt failed, and another will be made."""

    number: int
    """Which retry of the exchange it is, from 1."""
    delay: float
    """Seconds until then."""
    cause: str
    """The class of what went wrong."""
    budget: int
    """Tokens left for the account's retries."""


class Waited(Signal, frozen=True, kw_only=True):
    """A request was held back before it was sent."""

    seconds: float
    reason: Literal["place", "rate", "breaker", "connection", "transcript"]
    """No free place among the account's requests, the rate or a pause, a provider that was down, no free connection of
    the hub's, or a transcript that was not ready."""


class BreakerChanged(Signal, frozen=True, kw_only=True):
    """The account's breaker opened, because the provider is down, or closed again."""

    is_open: bool
    seconds: float = 0.0
    """How long it stays open."""


class PageRead(Signal, frozen=True, kw_only=True):
    """A page of a list was read. Numbers count rows."""

    listed: int
    new: int
    duplicates: int
    rejected: int


def in_words(signal: Signal) -> str:
    """Return a signal as a line for a log."""
    who = f"{signal.provider}/{signal.account}"
    match signal:
        case AttemptEnded() as it:
            outcome = it.reason or it.error or it.status
            return f"{who} {it.method} {it.path} -> {outcome}, {it.size} bytes, {it.seconds:.3f} s, request {it.number}"
        case RetryScheduled() as it:
            return f"{who} {it.operation}: {it.cause}, next try in {it.delay:.1f} s, {it.budget} tokens left"
        case Waited() as it:
            return f"{who}: waited {it.seconds:.1f} s for {_WAITED_FOR[it.reason]}"
        case BreakerChanged(is_open=True) as it:
            return f"{who}: down, so it is left alone for {it.seconds:.1f} s"
        case BreakerChanged():
            return f"{who}: up again"
        case PageRead() as it:
            return f"{who}: a page of {it.listed} rows, {it.new} new, {it.rejected} unreadable"
        case _:
            return f"{who}: {type(signal).__name__}"


_WAITED_FOR = {
    "place": "a place among the account's requests",
    "rate": "the rate",
    "breaker": "a provider that was down",
    "connection": "a connection",
}
