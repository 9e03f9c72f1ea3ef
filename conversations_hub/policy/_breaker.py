"""The circuit breaker: after failures in a row no request is sent for a while, then one probe decides for all."""

from __future__ import annotations

from typing import Final, NewType

from ..errors import (
    CircuitOpenError,
    DeadlineError,
    HubError,
    LocalLimitError,
    OutageError,
    PayloadError,
    ProviderError,
    TransportError,
)

__all__ = ["Breaker", "Ticket", "is_impatience"]

# The first three are the numbers of
# https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/outlier
_FAILURES: Final = 5
_STEP: Final = 30.0
_LONGEST: Final = 300.0
_JITTER: Final = 0.2  # of the span, either way
_PROBE_WAIT: Final = 1.0  # how soon to check again while a probe is under way
_PATIENCE: Final = 0.5  # of the usual timeout

Ticket = NewType("Ticket", int)
"""Given to a request that enters; the request reports its outcome with it."""


class Breaker:
    """Closed: every request may go. Open: none may, until an instant. Then half-open: one probe at a time may close it.

    Instants are monotonic seconds. A request enters, and reports once with the ticket it got: `succeeded`, `failed` or
    `abandoned`. Opening invalidates all tickets, so that a request that is already under way cannot pass for the probe.
    """

    def __init__(self) -> None:
        self._failures = 0  # in a row
        self._openings = 0  # in a row; 0: closed
        self._until = 0.0  # while open: no request before then
        self._is_probing = False  # while open
        self._ticket = Ticket(1)  # never 0, so that it is truthy

    @property
    def is_closed(self) -> bool:
        """Whether every request may go."""
        return not self._openings

    @property
    def openings(self) -> int:
        """How often it has opened since it was last closed."""
        return self._openings

    def retry_at(self, now: float) -> float | None:
        """Return the instant to wait for; None: a request may go now."""
        if not self._openings:
            return None
        if now < self._until:
            return self._until
        return now + _PROBE_WAIT if self._is_probing else None

    def enter(self, now: float) -> Ticket | None:
        """Return a ticket if a request may go, otherwise None; the first one when half-open is the probe."""
        if self.retry_at(now) is not None:
            return None
        if self._openings:
            self._is_probing = True
        return self._ticket

    def succeeded(self, ticket: Ticket) -> None:
        """Close, and forget the failures."""
        if ticket == self._ticket:
            self._failures = self._openings = 0

    def failed(self, ticket: Ticket, error: HubError, now: float, roll: float) -> None:
        """Count a failure, and open if it is one too many; `roll`, in [0, 1), varies for how long.

        An error that does not count is treated as a success if the provider answered, and as no outcome otherwise.
        """
        if not self.counts(error):
            report = self.succeeded if _is_answer(error) else self.abandoned
            report(ticket)
        elif ticket == self._ticket:
            self._failures += 1
            if self._failures >= _FAILURES:
                self._open(now, roll)

    def abandoned(self, ticket: Ticket) -> None:
        """Leave without an outcome, as when cancelled; after a probe, another request may probe."""
        if ticket == self._ticket:
            self._is_probing = False

    def _open(self, now: float, roll: float) -> None:
        self._openings += 1
        span = min(_LONGEST, _STEP * self._openings)
        self._until = now + span * (1 + _JITTER * (2 * roll - 1))
        self._is_probing = False
        self._ticket = Ticket(self._ticket + 1)

    @staticmethod
    def counts(error: HubError) -> bool:
        """Whether an error says that the provider is down: no complete response, or a 5xx that may be temporary."""
        match error:
            case CircuitOpenError():
                return False
            case DeadlineError():
                return error.attempts > 0  # otherwise the time was spent in our own queue
            case LocalLimitError():
                return False
            case TransportError():
                return True
            case OutageError():
                return error.status is not None and error.status >= 500 and error.status != 501
            case PayloadError():
                return error.retryable  # truncated, or not JSON
            case _:
                return False


def is_impatience(given: float, usual: float) -> bool:
    """Whether a timeout says nothing about the provider, because it had far fewer seconds than usual to answer."""
    return given < _PATIENCE * usual


def _is_answer(error: HubError) -> bool:
    return isinstance(error, ProviderError | PayloadError) and not isinstance(error, CircuitOpenError)
