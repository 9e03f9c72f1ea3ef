"""Signals that a hub emits while it works: typed, and without secrets, ids or anything people said.

`Hub(on_signal=…)` takes a function that is called with each; it must be quick and must not raise.
"""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["AttemptEnded", "BreakerChanged", "PageRead", "RetryScheduled", "Signal", "Waited", "in_words"]


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened in an operation of one account."""

    provider: str
    account: str
    operation: str | None = None
    """`get`, `list`, `start`, `end`, `delete` or `send`; None: it concerns all operations."""


class AttemptEnded(Signal, frozen=True, kw_only=True):
    """A request was sent, and a response came or failed to."""

    method: str
    path: str
    """The template, `/v2/conversations/{id}`, "(next page)", or "(elsewhere)"."""
    number: int
    """Number of the request within the operation, from 1."""
    status: int | None = None
    """None: no complete response."""
    size: int = 0
    """Bytes of the body."""
    seconds: float = 0.0
    error: str | None = None
    """Class of the error."""
    reason: str | None = None
    """Why no complete response came, in the library's own words; None if one came."""


class RetryScheduled(Signal, frozen=True, kw_only=True):
    """An attempt failed, and another one follows."""

    number: int
    """Number of the retry of this request, from 1."""
    delay: float
    """Seconds until the next attempt."""
    cause: str
    """Class of the error."""
    budget: int
    """Tokens left in the account's retry budget."""


class Waited(Signal, frozen=True, kw_only=True):
    """A request was held back before it was sent."""

    seconds: float
    reason: Literal["place", "rate", "breaker", "connection", "transcript"]
    """The request waited for a place among the account's concurrent requests, for the rate limit or a pause, for a
    provider that was down, for a free connection of the hub, or for a transcript that was not ready."""


class BreakerChanged(Signal, frozen=True, kw_only=True):
    """The account's circuit breaker opened, because the provider is down, or closed again."""

    is_open: bool
    seconds: float = 0.0
    """Seconds until it lets a request through again."""


class PageRead(Signal, frozen=True, kw_only=True):
    """A page of a list was read. Numbers count rows."""

    listed: int
    new: int
    duplicates: int
    rejected: int


def in_words(signal: Signal) -> str:
    """Return a signal as one line for a log."""
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
            return f"{who}: down, so requests are paused for {it.seconds:.1f} s"
        case BreakerChanged():
            return f"{who}: up again"
        case PageRead() as it:
            return f"{who}: a page of {it.listed} rows, {it.new} new, {it.rejected} unreadable"
        case _:
            return f"{who}: {type(signal).__name__}"


_WAITED_FOR = {
    "place": "a place among the account's requests",
    "rate": "the rate limit",
    "breaker": "a provider that was down",
    "connection": "a connection",
    "transcript": "a transcript that was not ready",
}
