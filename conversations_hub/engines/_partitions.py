"""Where conversations come from, and the parts that they are read in. Both are values that can be sent to workers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain, zip_longest
from typing import Final

from .._instants import check_span
from ..adapter import Adapter
from ..errors import ConfigurationError, InvalidRefError
from ..hub import Hub, Limiter, RedisLimiter
from ..hub._redis import has_password
from ..stores._store import Window
from ..sync._accounts import accounts_of
from ..sync._windows import STEP, windows

__all__ = ["Partition", "Source", "plan"]

_AIM: Final = 2000  # conversations in a partition
_SHORTEST: Final = timedelta(minutes=10)
_LONGEST: Final = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a worker finds the accounts. It holds no key."""

    accounts: str = "env"
    """The path of a TOML file of accounts, as `Hub.from_file` reads it; "env": the environment, as `Hub.from_env`."""
    targets: tuple[str, ...] = ()
    """The accounts to read: "vapi" for every Vapi account, "tavus/eu" for one; none for all."""
    redact: str | None = None
    """What to apply to each conversation, as "module:name": a redactor, or a class of redactors."""
    limiter: str | None = None
    """The URL of a `RedisLimiter`, without a password; one with a password belongs into the file of accounts."""

    def __post_init__(self) -> None:
        if self.limiter is not None and has_password(self.limiter):
            raise ConfigurationError(
                "a source is shown in plans and logs, so its limiter must have no password: name it in the file of"
                " accounts, limiter = { url_env = … }"
            )

    def hub(self, limiter: Limiter | None = None) -> Hub:
        """Return a hub with these accounts, with the profile for batch jobs.

        Raises:
            ConfigurationError: the accounts cannot be read, or none of them is usable.
        """
        if self.accounts != "env":
            return Hub.from_file(self.accounts, profile="bulk", limiter=limiter)
        return Hub.from_env(profile="bulk", limiter=limiter)

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[Hub]:
        """Open a hub with these accounts and this limiter."""
        limiter = None if self.limiter is None else RedisLimiter(self.limiter)
        async with limiter or nullcontext(), self.hub(limiter) as hub:
            yield hub


@dataclass(frozen=True, slots=True)
class Partition:
    """One account and one span of time: a value to pickle or to write as JSON. It holds no key."""

    source: Source
    where: str
    """The account, as "provider/account"."""
    since: str | None
    """Inclusive, ISO 8601 in UTC; None: from the beginning."""
    until: str
    """Exclusive, ISO 8601 in UTC."""
    narrowed: bool = True
    """Whether the provider is asked for this span only; if not, its whole list is read."""
    rest: bool = False
    """Whether this is only what the provider's time filter leaves out: conversations that its list gives no instant."""

    @property
    def window(self) -> Window:
        """The span."""
        return Window(None if self.since is None else _parsed(self.since), _parsed(self.until))

    def __str__(self) -> str:
        what = "without an instant, " if self.rest else ""
        return f"{self.where}, {what}{self.since or 'the beginning'} to {self.until}"


def plan(
    source: Source,
    since: datetime | None,
    until: datetime,
    step: timedelta | None = STEP,
    *,
    rate: Mapping[str, float] | None = None,
) -> list[Partition]:
    """Divide the conversations of a span into partitions, one account after the other in turn. It asks no provider.

    The windows of an account touch each other and cover the span exactly. An account is one partition if the provider
    does not filter its lists by time. Where its filter leaves out conversations without an instant, one more partition
    holds those.

    Args:
        source: where the accounts are.
        since: start of the span, inclusive, as an aware datetime; None for everything, in one partition per account.
        until: end of the span, exclusive, as an aware datetime.
        step: the longest window; None for one partition per account, read without the provider's time filter.
        rate: conversations a day by "provider/account", as a store counts them: windows of these accounts are as long
            as two thousand conversations take.

    Raises:
        InvalidRefError: a malformed target or span, or a target that names only part of an account.
        ConfigurationError: no accounts, or not these.
    """
    check_span(since, until)
    if step is not None and step <= timedelta(0):
        raise InvalidRefError("step must be more than 0")
    hub = source.hub()
    lists: list[Iterator[Partition]] = []
    for where in accounts_of(hub, source.targets):
        adapter = hub.adapter(where.partition("/")[0])
        span = None if step is None else _step(step, (rate or {}).get(where))
        lists.append(_of_account(source, where, adapter, Window(since, until), span))
    in_turn = chain.from_iterable(zip_longest(*lists))
    return [partition for partition in in_turn if partition is not None]


def _of_account(
    source: Source, where: str, adapter: Adapter, span: Window, step: timedelta | None
) -> Iterator[Partition]:
    is_windowed = span.since is not None and step is not None and adapter.narrows_by_time
    if is_windowed and adapter.undated:
        # First: a call that connects after this was read is in its window, and otherwise it would be in neither.
        yield Partition(source, where, *_texts(span), narrowed=False, rest=True)
    for window in windows(None, span, step, timedelta(0)) if is_windowed else [span]:
        yield Partition(source, where, *_texts(window), narrowed=is_windowed)


def _step(step: timedelta, per_day: float | None) -> timedelta:
    if per_day is None:
        return step
    return min(max(timedelta(days=_AIM / max(per_day, 1.0)), _SHORTEST), _LONGEST)


def _texts(window: Window) -> tuple[str | None, str]:
    return None if window.since is None else _text(window.since), _text(window.until)


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _parsed(text: str) -> datetime:
    return datetime.fromisoformat(text)
