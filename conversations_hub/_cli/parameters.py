"""Parse the values of options: instants, spans, numbers, proxies and stores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from functools import reduce
from math import isfinite
from typing import Any

import click

from .._instants import parse_instant, parse_span
from ..errors import ConfigurationError, InvalidRefError
from ..stores._url import StoreURL

__all__ = [
    "Count",
    "Number",
    "instant",
    "limiter",
    "named_values",
    "options_of",
    "proxy",
    "span",
    "store_url",
    "timezone",
]


def instant(text: str) -> datetime:
    """Parse `2026-11-20`, `2026-11-20T09:30+01:00`, or `90d`, `12h`, `30m` before now; UTC without a zone."""
    try:
        return parse_instant(text, datetime.now(UTC))
    except InvalidRefError as error:
        raise click.BadParameter(error.reason) from None


def span(text: str) -> timedelta:
    """Parse `2d`, `12h`, `90m`, `45s` or `1w`."""
    try:
        return parse_span(text)
    except InvalidRefError as error:
        raise click.BadParameter(error.reason) from None


def timezone(name: str) -> tzinfo:
    """Parse the name of a time zone, such as `Europe/Berlin`."""
    if name == "UTC":  # which needs no database
        return UTC
    from zoneinfo import ZoneInfo  # noqa: PLC0415

    try:
        return ZoneInfo(name)
    except (ValueError, LookupError, OSError):
        raise click.BadParameter(f"unknown time zone {name!a}: write a name such as Europe/Berlin") from None


class Number(click.FloatRange):
    """A finite number: click accepts `nan` in every range, and `inf` would wait forever."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Parse the number."""
        number = super().convert(value, param, ctx)
        if not isfinite(number):
            self.fail(f"{value} is not a finite number", param, ctx)
        return number


class Count(click.IntRange):
    """A count, limited to the largest integer of SQLite, which is more than any store holds."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Parse the count."""
        count: int = super().convert(value, param, ctx)
        return min(count, 2**63 - 1)


def proxy(text: str) -> str:
    """Parse the URL of a proxy; refuse a password, which the process list and the shell's history would show."""
    from .._proxy import Proxy  # noqa: PLC0415

    try:
        Proxy(text)
    except ConfigurationError as error:
        raise click.BadParameter(error.reason) from None
    if "@" in text:
        raise click.BadParameter(
            "other users of this machine could read the password: write proxy = … into the file of --config, or set"
            " HTTPS_PROXY and give --proxy-from-env"
        )
    return text


def limiter(text: str) -> str:
    """Parse the URL of a shared rate limit; refuse a password, as for a proxy."""
    from ..hub._redis import has_password, name_of  # noqa: PLC0415

    try:
        name_of(text)
    except ConfigurationError as error:
        raise click.BadParameter(error.reason) from None
    if has_password(text):
        raise click.BadParameter(
            "other users of this machine could read the password: write limiter = … into the file of --config"
        )
    return text


def named_values(options: Sequence[str]) -> dict[str, Any]:
    """Parse options such as `name=value`, whose values are JSON or plain text."""
    import msgspec  # noqa: PLC0415  (`--help` needs none)

    found: dict[str, Any] = {}
    for option in options:
        name, sign, value = option.partition("=")
        if not sign or not name:
            raise click.BadParameter(f"{option!a} is not NAME=VALUE", param_hint="--option")
        try:
            found[name] = msgspec.json.decode(value)
        except msgspec.DecodeError:
            found[name] = value
    return found


def store_url(text: str) -> StoreURL:
    """Parse a store URL; refuse a probable mistake, which would create a file of that name, and a password."""
    try:
        url = StoreURL.parse(text)
    except ConfigurationError as error:
        raise click.BadParameter(error.reason) from None
    if url.has_password:
        raise click.BadParameter(
            "other users of this machine could read the password: write it into ~/.pgpass, or set PGPASSWORD"
        )
    return url


_Declaration = Callable[..., None]


def options_of(*options: Callable[[_Declaration], _Declaration]) -> Callable[[_Declaration], _Declaration]:
    """Return one decorator that adds several options, in this order."""
    return lambda declaration: reduce(lambda command, option: option(command), reversed(options), declaration)
