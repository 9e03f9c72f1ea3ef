"""What a provider's headers say about when to send the next request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache

import msgspec

from ..wire import field

__all__ = ["Quota", "quota", "retry_after", "sent_at", "tells_quota"]

_MOST_DIGITS = 10
_TOO_LONG = float(10**_MOST_DIGITS)
_QUOTED = re.compile(r'"[^"]*"')
_ONE_DATE = re.compile(r"[A-Za-z]+,?[^,]+")  # of two dates the parser would take the first
_LONGEST_FIELD = 1000
_DAY = 86_400
_MONTH = 31 * _DAY

# The second is how the standard was drafted before it became one field.
# https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-ratelimit-headers-06
_PREFIXES = ("x-ratelimit", "ratelimit")


class Quota(msgspec.Struct, frozen=True):
    """How many requests an account has left. More than 0 is not a promise."""

    remaining: int
    resets_in: float
    """Seconds."""


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Read how many seconds a provider asks to wait; None if it does not say, or not clearly.

    It may be seconds or an HTTP date, measured from the response's own `Date` if it has one. A past date gives 0.
    """
    # https://www.rfc-editor.org/rfc/rfc9110#name-retry-after
    value = field(headers, "retry-after")
    if value.isascii() and value.isdigit():
        return float(value) if len(value) <= _MOST_DIGITS else _TOO_LONG
    at = _http_date(value)
    if at is None:
        return None
    return max(0.0, (at - (sent_at(headers) or now)).total_seconds())


def sent_at(headers: Mapping[str, str]) -> datetime | None:
    """Read when a response was sent, by the provider's own clock; None if it does not say, or not clearly."""
    return _http_date(field(headers, "date"))


def tells_quota(headers: Mapping[str, str]) -> bool:
    """Whether a header is there that `quota` reads; names must be in lower case, or found in any case."""
    return "ratelimit" in headers or "x-ratelimit-remaining" in headers or "ratelimit-remaining" in headers


def quota(headers: Mapping[str, str], now: datetime) -> Quota | None:
    """Read how many requests an account has left; None if no header says so clearly, or if `Retry-After` is there."""
    if not tells_quota(headers):
        return None
    # https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-ratelimit-headers
    if retry_after(headers, now) is not None:
        return None
    return next(filter(None, (_by_policy(headers), *(_by_custom(headers, prefix, now) for prefix in _PREFIXES))), None)


def _by_policy(headers: Mapping[str, str]) -> Quota | None:
    """Read `RateLimit: "name";r=0;t=7`; of several policies, return the tightest."""
    policies = _items(field(headers, "ratelimit-policy"))
    found: list[Quota] = []
    for name, limit in _items(field(headers, "ratelimit")).items():
        window = policies.get(name, {}).get("w", "")
        each = _quota(limit.get("r", ""), _whole(limit.get("t", window)))
        if each is None:
            return None
        found.append(each)
    return min(found, key=lambda each: (each.remaining, -each.resets_in), default=None)


def _by_custom(headers: Mapping[str, str], prefix: str, now: datetime) -> Quota | None:
    """Read `X-RateLimit-Remaining` and `X-RateLimit-Reset`, which is a span or a Unix time, both in seconds."""
    remaining = field(headers, f"{prefix}-remaining")
    reset = _whole(field(headers, f"{prefix}-reset"))
    if reset is None or reset <= _MONTH:
        return _quota(remaining, reset)
    ahead = reset - (sent_at(headers) or now).timestamp()
    return _quota(remaining, max(0.0, ahead)) if abs(ahead) <= _DAY else None


def _quota(remaining: str, resets_in: float | None) -> Quota | None:
    left = _whole(remaining)
    return None if left is None or resets_in is None else Quota(left, float(resets_in))


def _items(line: str) -> dict[str, dict[str, str]]:
    """Read `"name";key=value, "name";key=value;key=value`; empty if anything is doubtful."""
    items: dict[str, dict[str, str]] = {}
    for item in line.split(",") if len(line) <= _LONGEST_FIELD else ():
        name, *pairs = (part.strip() for part in item.split(";"))
        parameters = {key: value for key, _, value in (pair.partition("=") for pair in pairs)}
        if not _QUOTED.fullmatch(name) or name in items or len(parameters) < len(pairs):
            return {}
        items[name] = parameters
    return items


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else None


@lru_cache(maxsize=16)  # the same for all answers of a second
def _http_date(value: str) -> datetime | None:
    if not _ONE_DATE.fullmatch(value):
        return None
    from email.utils import parsedate_to_datetime  # noqa: PLC0415  (9 ms, and few providers send a date)

    try:
        at = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
