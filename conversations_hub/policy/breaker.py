"""When to leave a provider alone: after failures in a row nobody asks for a while, then one does, for all."""

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
_PROBE_WAIT: Final = 1.0  # how soon to look again while a probe is under way
_PATIENCE: Final = 0.5  # of the usual time-out

Ticket = NewType("Ticket", int)
"""What a request is let in with, and reports with."""


class Breaker:
    """Closed: all may ask. Open: nobody, until an instant. Then half-open: one probe at a time, whose answer closes it.

    Instants are monotonic seconds. A request enters, and reports once with the ticket it got: `succeeded`, `failed` or
    `abandoned`. Opening makes all tickets void, so that what was under way then cannot be taken for the probe.
    """

    def __init__(self) -> None:
        self._failures = 0  # in a row
        self._openings = 0  # in a row; 0: closed
        self._until = 0.0  # while open: nobody asks before
        self._is_probing = False  # while open
        self._ticket = Ticket(1)  # never 0, so that it may be tested for truth

    @property
    def is_closed(self) -> bool:
        """Whether all may ask."""
        return not self._openings

    @property
    def openings(self) -> int:
        """How often it has opened since it was last closed."""
        return self._openings

    def retry_at(self, now: float) -> float | None:
        """Return the instant to wait for, or None: go ahead."""
        if not self._openings:
            return None
        if now < self._until:
            return self._until
        return now + _PROBE_WAIT if self._is_probing else None

    def enter(self, now: float) -> Ticket | None:
        """Let a request in, or not (None); the first one when half-open is the probe."""
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
        """Count a failure, and open where it is one too many; `roll`, in [0, 1), spreads for how long.

        An error that does not count is as good as a success where the provider answered, else no outcome at all.
        """
        if not self.counts(error):
            report = self.succeeded if _is_answer(error) else self.abandoned
            report(ticket)
        elif ticket == self._ticket:
            self._failures += 1
            if self._failures >= _FAILURES:
                self._open(now, roll)

    def abandoned(self, ticket: Ticket) -> None:
        """Leave without an outcome, as when cancelled; a probe gives its place back."""
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
        """Whether it says that the provider is down: no whole answer, or a 5xx that may pass."""
        match error:
            case CircuitOpenError():
                return False
            case DeadlineError():
                return error.attempts > 0  # else it was spent in our own queue
            case LocalLimitError():
                return False
            case TransportError():
                return True
            case OutageError():
                return error.status is not None and error.status >= 500 and error.status != 501
            case PayloadError():
                return error.retryable  # cut short, or not JSON
            case _:
                return False


def is_impatience(given: float, usual: float) -> bool:
    """Whether a time-out says nothing about the provider: it was given far fewer seconds than usual to answer."""
    return given < _PATIENCE * usual


def _is_answer(error: HubError) -> bool:
    return isinstance(error, ProviderError | PayloadError) and not isinstance(error, CircuitOpenError)
