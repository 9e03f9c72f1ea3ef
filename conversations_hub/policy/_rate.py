"""How fast an account's requests may go, by what its provider documents, asks for and accepts."""

from __future__ import annotations

import math

__all__ = ["RateLimit"]

# Together these two keep every span of one second within the documented number of requests.
_USED = 0.98  # of a documented limit
_LATENESS = 0.02  # seconds a late request may make up for: the only burst allowed

_CUT = 0.7  # the part of the measured rate that a throttle leaves
# How the rate climbs back, in requests per second per cubed second: fast after the first cut, because the rate measured
# in the first moments is too low; slowly after that.
_FIRST_GROWTH = 0.4
_GROWTH = 0.005
_SLOWEST = 0.5  # requests per second

_BUCKET = 0.5  # seconds counted together
_SMOOTHING = 0.8  # the newest bucket's part in the measured rate

_MOMENT = 1e-6  # seconds; what rounding may leave of a wait


class RateLimit:
    """How fast an account's requests may go; instants are monotonic seconds.

    It begins at the documented number of requests per second, or without a limit. A throttle cuts the rate below the
    measured one; from there it climbs, slowly around the rate that was too fast and ever faster beyond it.
    """

    __slots__ = (
        "_count",
        "_counted_from",
        "_cut_at",
        "_growth",
        "_has_sent",
        "_measured",
        "_most",
        "_opens",
        "_rate",
        "_too_fast",
    )

    def __init__(self, documented: float | None = None) -> None:
        self._most = math.inf if documented is None else _USED * documented
        self._rate = self._most
        self._opens = -math.inf
        self._count = 0
        self._counted_from = -math.inf
        self._measured = 0.0
        self._too_fast: float | None = None
        self._cut_at = -math.inf
        self._growth = _FIRST_GROWTH
        self._has_sent = True

    @property
    def rate(self) -> float:
        """Requests per second that may go now; infinite while no limit is known."""
        return self._rate

    def wait(self, now: float) -> float:
        """Return the seconds until a request may go; 0: now."""
        left = self._opens - now
        return left if left > _MOMENT else 0.0

    def take(self, now: float) -> None:
        """Record that a request goes; it delays the next."""
        self._opens = max(self._opens, now - _LATENESS) + 1.0 / self._rate
        self._has_sent = True

    def pause(self, until: float) -> None:
        """Let no request go before an instant; a longer pause stays in force."""
        self._opens = max(self._opens, until)

    def throttled(self, now: float) -> None:
        """Record that a request was throttled.

        A round of throttled requests cuts the rate once. The next round begins when a request has gone at the new rate,
        and there was time to measure how many get through.
        """
        measured = self._measure(now, 0)
        if not self._has_sent or now - self._cut_at < _BUCKET:
            return
        if not measured:
            return  # nothing got through yet, so there is no rate to cut from, and the pause must suffice
        self._growth = _FIRST_GROWTH if self._too_fast is None else _GROWTH
        self._too_fast = min(self._rate, measured)
        self._cut_at = now
        self._has_sent = False
        self._set_rate(_CUT * self._too_fast)

    def succeeded(self, now: float) -> None:
        """Record that a request got through, whatever its response was."""
        measured = self._measure(now, 1)
        if self._too_fast is None:
            return
        # https://www.rfc-editor.org/rfc/rfc9438#name-window-increase-function
        plateau = math.cbrt(self._too_fast * (1.0 - _CUT) / self._growth)
        climbed = self._too_fast + self._growth * (now - self._cut_at - plateau) ** 3
        # A rate that was not used is untested; the one before the cut was used.
        self._set_rate(min(climbed, max(self._too_fast, 2.0 * measured)))

    def _set_rate(self, rate: float) -> None:
        self._rate = min(self._most, max(_SLOWEST, rate))

    def _measure(self, now: float, through: int) -> float:
        span = now - self._counted_from
        if span >= _BUCKET:
            self._measured += _SMOOTHING * (self._count / span - self._measured)
            self._counted_from = now
            self._count = 0
        self._count += through
        # A burst shows before its bucket ends; its first request belongs to the time before.
        return max(self._measured, (self._count - 1) / _BUCKET)
