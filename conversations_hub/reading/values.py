"""Tolerant readers of single values: instants, seconds, text.

Each returns the value in the schema's terms, or None. A value that is present but cannot be read is noted in `issues`
with its place, never with its content.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Annotated, Any, TypeVar

import msgspec

from ..schema import Conversation, Direction, Issue

__all__ = [
    "ABSENT",
    "DIRECTIONS",
    "LONGEST_SPAN",
    "AnyJson",
    "Id",
    "Instant",
    "Issues",
    "Number",
    "Seconds",
    "UnixSeconds",
    "add_seconds",
    "drop_if_before",
    "enclosed",
    "ids_of",
    "in_seconds",
    "instant",
    "is_believable",
    "json_text",
    "members_of",
    "noted",
    "number",
    "per_second_of",
    "seconds",
    "text",
    "text_at",
    "timestamp",
    "unless_empty",
    "utc_text",
    "without_empty",
]

_T = TypeVar("_T")

AnyJson = dict[str, Any] | list[Any] | str | int | float | bool | None
"""A value that a provider does not specify: any JSON is read."""

ABSENT = (msgspec.Raw(), msgspec.Raw(b"null"))
"""What a member is that was left undecoded, where the provider sent nothing."""

Id = str | int
"""What providers send as an id."""

Instant = str | int | float | None
"""What providers send as an instant: ISO 8601 text or a Unix epoch."""

Number = str | int | float | None
"""What providers send as a span that is not always a number of seconds."""

LONGEST_SPAN = 1e9
"""Seconds, 31 years: no conversation takes as long, and an instant plus a few of these is still a date."""

Seconds = Annotated[float, msgspec.Meta(ge=0, lt=LONGEST_SPAN)]
"""A span in seconds, shorter than `LONGEST_SPAN`; the decoder itself rejects negative and longer spans, at no cost."""

UnixSeconds = Annotated[float, msgspec.Meta(gt=0, lt=1e11)]
"""An instant in Unix seconds; the decoder itself rejects milliseconds."""

DIRECTIONS = {direction.value: direction for direction in Direction}
"""What most providers call them."""

# Unix seconds stay below this until the year 5138; ms, µs and ns are each a thousand times larger.
_SECONDS_BELOW = 1e11
_FIRST_YEAR, _BEYOND = 1970, 9000
_EARLIEST = 946_684_800  # the year 2000; no conversation of any provider is older
_LONGEST_DATE = 128  # characters; a search among spaces takes quadratic time

# Dates with a month's name: RFC 1123 as in HTTP, its two older forms, and JavaScript's own. Other names of zones are
# ambiguous, so they are not accepted.
_MONTH = "(JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC)[A-Z]*"
_TIME = r"\d\d:\d\d(:\d\d)?"
_WRITTEN = re.compile(
    rf"([A-Z]{{3,9}},?\s+)?(\d\d?[\s-]{_MONTH}[\s-](\d\d|\d{{4}})\s+{_TIME}|{_MONTH}\s+\d\d?\s+{_TIME}\s+\d{{4}}"
    rf"|{_MONTH}\s+\d\d?\s+\d{{4}}\s+{_TIME})(\s*(UT|UTC|GMT)?([+-]\d{{4}})?(\s+\(.*\))?)",
    re.ASCII,
)
_NAME_OF_OFFSET = re.compile(r"\s*(UT|UTC|GMT)(?=[+-])")
_SPACED_ZONE = re.compile(r"(?<=\d)\s+(UTC|GMT|Z|[+-]\d\d:?\d\d)$", re.ASCII)

# `float` also accepts digits of other scripts, signs and underscores, which no provider means.
_CLOCK = re.compile(r"([0-9]+:){0,2}[0-9.]+(e[+-]?[0-9]+)?", re.IGNORECASE)


def instant(
    value: Instant, place: str, issues: list[Issue], *, zone: tzinfo = UTC, per_second: int | None = None
) -> datetime | None:
    """Read an instant as an aware datetime in UTC.

    It may be ISO 8601 text, a date with a month's name (RFC 1123), or a Unix epoch. Text without a zone is taken to be
    in `zone`. An epoch counts `per_second` units, as documented (1000: milliseconds), unless that gives a year before
    2000 and another unit does not; if the unit is not documented, seconds, milliseconds, microseconds and nanoseconds
    are distinguished by range. An instant before 1970 or after 8999 is not a date, so that a span can be added to every
    instant that is read.
    """
    if value is None:
        return None
    if isinstance(value, str) and (value[-1:] == "Z" or value[-6:] == "+00:00"):  # the usual forms
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            pass
        else:
            if _FIRST_YEAR <= moment.year < _BEYOND:
                return moment
    found: datetime | None = None
    try:
        if isinstance(value, str) and not _is_digits(value.strip()):
            moment = _parse_date(value.strip().upper())
            found = (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
        else:
            found = datetime.fromtimestamp(_epoch(value, per_second), UTC)
    except (ValueError, OverflowError, OSError):
        pass
    if found is None or not _FIRST_YEAR <= found.year < _BEYOND:
        issues.append(Issue(place, "empty" if value == "" else "not a date"))
        return None
    return found


def utc_text(moment: datetime) -> str:
    """Return an aware instant as ISO 8601 text in UTC, `2026-11-20T09:30:00Z`, as many queries want it."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def is_believable(moment: datetime) -> bool:
    """Whether an aware instant is from 1970 to 8999, so that a span can be added to it or subtracted from it."""
    return _FIRST_YEAR <= moment.year < _BEYOND


def timestamp(value: Instant, place: str, issues: list[Issue]) -> float | None:
    """Read an instant as Unix seconds, from the same forms as `instant`."""
    if value is None:
        return None
    # The usual forms, and every turn may have one.
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            pass
        else:
            if moment.tzinfo is UTC and _FIRST_YEAR <= moment.year < _BEYOND:
                return moment.timestamp()
    elif 0 < value < _SECONDS_BELOW:
        return float(value)
    found = instant(value, place, issues)
    return None if found is None else found.timestamp()


def seconds(value: Number, place: str, issues: list[Issue]) -> float | None:
    """Read a span as float seconds: a number, a number as text, `m:ss` or `h:mm:ss`."""
    if value is None:
        return None
    try:
        span = _clock(value) if isinstance(value, str) else float(value)
    except (ValueError, OverflowError):
        issues.append(Issue(place, "empty" if value == "" else "not a number of seconds"))
        return None
    if not 0 <= span < LONGEST_SPAN:
        issues.append(Issue(place, "not a number of seconds"))
        return None
    return span


_UNITS = (1.0, 60.0, 0.001)


def in_seconds(number: float, unit: float, known: float | None) -> float:
    """Return a span in seconds: `number` times its documented unit, unless only another unit agrees with `known`.

    `known` is the same span from another source, in seconds, or None.
    """
    if known is not None and not _is_near(number * unit, known):
        unit = next((other for other in _UNITS if _is_near(number * other, known)), unit)
    return round(number * unit, 6)  # further digits are noise of floats


def _is_near(span: float, known: float) -> bool:
    return abs(span - known) <= max(1.0, known / 20)


def number(value: AnyJson) -> float | None:
    """Read a finite number; anything else gives None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool) or not isinstance(value, int):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def text(value: str | int | None) -> str | None:
    """Read a name or an id as text; empty text is absent, and numbers keep every digit."""
    if value is None or value == "":
        return None
    return str(value)


def unless_empty(value: _T) -> _T | None:
    """Return a record that says something; None for one that is as empty as a new one."""
    return None if value == type(value)() else value


def without_empty(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members that are neither None nor an empty text."""
    return {name: value for name, value in found.items() if value is not None and value != ""}


def ids_of(found: Mapping[str, Id | None]) -> dict[str, str]:
    """Return the ids that are there, as text."""
    return {name: str(id) for name, id in found.items() if id is not None and id != ""}


def members_of(value: AnyJson) -> dict[str, Any]:
    """Return the members of what should be an object; none if it is something else."""
    return value if isinstance(value, dict) else {}


def text_at(value: AnyJson, *path: str) -> str | None:
    """Return the text at a path of members; None if there is none, or it is empty."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, str) and value else None


def _is_digits(value: str) -> bool:
    # Shorter runs of digits are basic ISO dates: 20260302.
    return value.isascii() and value.replace(".", "", 1).isdigit() and len(value) > 8


def _parse_date(value: str) -> datetime:
    if len(value) > _LONGEST_DATE:
        raise ValueError
    try:
        return datetime.fromisoformat(_SPACED_ZONE.sub(_join_zone, value))
    except ValueError:
        if not _WRITTEN.fullmatch(value):
            raise
    from email.utils import parsedate_to_datetime  # noqa: PLC0415  (9 ms, and rarely needed)

    return parsedate_to_datetime(_NAME_OF_OFFSET.sub(" ", value))


def _join_zone(zone: re.Match[str]) -> str:
    return zone[1].replace("UTC", "Z").replace("GMT", "Z")


def _epoch(value: str | float, per_second: int | None) -> float:
    number = float(value)
    usual = number / (per_second or 1)
    if _EARLIEST <= usual < _SECONDS_BELOW:
        return usual
    if not 0 < number < _SECONDS_BELOW * 1e9:
        raise ValueError
    return number / (per_second_of(number, per_second) if per_second else _by_range(number))


def per_second_of(number: float, documented: int) -> float:
    """Return how many units of an epoch make a second: the documented number, unless that is implausible.

    Another number applies if the documented one gives a year before 2000 and the other does not, or if the documented
    one gives a year beyond 5138.
    """
    if _EARLIEST <= number / documented < _SECONDS_BELOW:
        return documented
    another = _by_range(number)
    is_far = number / documented >= _SECONDS_BELOW
    return another if is_far or number / another >= _EARLIEST else documented


def _by_range(number: float) -> float:
    per_second = 1.0
    while number / per_second >= _SECONDS_BELOW:
        per_second *= 1000
    return per_second


def _clock(value: str) -> float:
    if value.isascii() and value.isdigit():  # the usual form
        return float(value)
    if not _CLOCK.fullmatch(value.strip()):
        raise ValueError
    total = 0.0
    for part in value.split(":"):
        total = total * 60 + float(part)
    return total


def json_text(value: AnyJson) -> str | None:
    """Return text as it is, and anything else as JSON text."""
    return value if value is None or isinstance(value, str) else msgspec.json.encode(value).decode()


def add_seconds(moment: datetime | None, span: float | None, place: str, issues: list[Issue]) -> datetime | None:
    """Return the instant that is `span` seconds after `moment`; None if either is unknown."""
    if moment is None or span is None:
        return None
    try:
        end = moment + timedelta(seconds=span)
    except OverflowError:
        end = None
    if end is None or not _FIRST_YEAR <= end.year < _BEYOND:
        issues.append(Issue(place, "ends after the last possible date"))
        return None
    return end


def drop_if_before(moment: datetime | None, start: datetime | None, place: str, issues: list[Issue]) -> datetime | None:
    """Return the moment, or None if it is before the start, which is impossible for an end."""
    if moment is not None and start is not None and moment < start:
        issues.append(Issue(place, "before the start"))
        return None
    return moment


_MOST_ISSUES = 10_000


class Issues(list[Issue]):
    """What could not be read in one response: at most ten thousand issues, then one that says there are more."""

    __slots__ = ()

    def append(self, issue: Issue, /) -> None:
        """Add an issue, up to the limit."""
        if len(self) < _MOST_ISSUES:
            super().append(issue)
        elif len(self) == _MOST_ISSUES:
            super().append(Issue("issues", f"more than {_MOST_ISSUES}, and the rest is not listed"))

    def extend(self, issues: Iterable[Issue], /) -> None:
        """Add issues, up to the limit."""
        for issue in issues:
            self.append(issue)


def noted(issues: list[Issue]) -> tuple[Issue, ...]:
    """Return the issues, one per place, because the decoder and the adapter may both have noted it."""
    if not issues:
        return ()
    once: dict[str, Issue] = {}
    for issue in issues:
        once.setdefault(issue.place, issue)
    return tuple(once.values())


def enclosed(conversation: Conversation, under: str, body: bytes) -> Conversation:
    """Return a conversation that was read from one member of a body with `raw` and issues of the whole body."""
    issues = tuple([Issue(f"{under}.{issue.place}", issue.reason) for issue in conversation.issues])
    return msgspec.structs.replace(conversation, raw=bytes(body), issues=issues)
