"""Redis as a limiter uses it: three scripts that run on its own clock, and whether it answers."""

from __future__ import annotations

import asyncio
import logging
import math
from importlib import import_module
from typing import Any, Final
from urllib.parse import urlsplit

from .._frames import bared
from .._transport import Clock
from ..errors import ConfigurationError
from ..secret import Secret

__all__ = ["PAUSE", "RESERVE", "THROTTLE", "RedisScripts", "has_password", "name_of"]

_log: Final = logging.getLogger("conversations_hub.limiter")

_PATIENCE: Final = 0.25  # seconds that Redis may take
_FIRST_WAIT: Final = 1.0  # seconds until it is asked again
_LONGEST_WAIT: Final = 5.0

# The rate that applies now: after a cut it grows by a tenth each second.
_RATE: Final = """
local function text(number) return string.format('%.6f', number) end
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000
local kept = redis.call('HMGET', KEYS[1], 'tat', 'pause', 'rate', 'cut')
local tat, pause = tonumber(kept[1]) or 0, tonumber(kept[2]) or 0
local cut, rate = tonumber(kept[4]) or 0, tonumber(ARGV[1])
if kept[3] then rate = math.min(rate, tonumber(kept[3]) * 1.1 ^ (now - cut)) end
local function keep(...)
    redis.call('HSET', KEYS[1], ...)
    redis.call('EXPIRE', KEYS[1], math.ceil(math.max(0, tat - now, pause - now)) + 600)
end
"""

# Takes the next place and returns the seconds until it; with a place taken before, 0 unless a pause began since.
RESERVE: Final = (
    _RATE
    + """
local tolerance = (tonumber(ARGV[2]) - 1) / rate
if ARGV[3] == '1' and pause <= now then return '0' end
tat = math.max(tat, now)
if pause > now then tat = math.max(tat, pause + tolerance) end
local start = math.max(now, tat - tolerance, pause)
tat = math.max(tat, start) + 1 / rate
keep('tat', text(tat))
return text(start - now)
"""
)

PAUSE: Final = (
    _RATE
    + """
pause = math.max(pause, now + tonumber(ARGV[2]))
keep('pause', text(pause))
"""
)

# Refusals come in rounds, so half a second is one.
THROTTLE: Final = (
    _RATE
    + """
if now - cut >= 0.5 then
    keep('rate', text(math.max(0.7 * rate, tonumber(ARGV[1]) / 50)), 'cut', text(now))
end
"""
)


class RedisScripts:
    """Runs the scripts, as far as Redis answers: it is asked again some seconds after it did not.

    Raises `ConfigurationError` for a URL of another kind, without repeating it, and if the extra is not installed.
    """

    @bared
    def __init__(self, url: Secret, clock: Clock) -> None:
        self.name: Final = name_of(url.reveal())
        """Its host and port, or its path."""
        self._redis = _client(url)
        self._clock = clock
        self._scripts: dict[str, Any] = {}
        self._asks_from = -math.inf
        self._wait = 0.0  # seconds until it is asked again; 0 while it answers

    async def run(self, script: str, account: str, *arguments: float) -> float | None:
        """Return the number that a script returns, or 0; None: Redis does not answer."""
        if self._clock.monotonic() < self._asks_from:
            return None
        if script not in self._scripts:
            self._scripts[script] = self._redis.register_script(script)
        try:
            async with asyncio.timeout(_PATIENCE):
                said = await self._scripts[script]([f"hub:limit:{{{account}}}"], arguments)
            found = _seconds(said)
        except Exception as error:  # noqa: BLE001  (whatever it is, requests go on)
            self._note_failure(error)
            return None
        if self._wait:
            _log.warning("the shared rate limit at %s works again", self.name)
            self._wait = 0.0
        return found

    def _note_failure(self, error: Exception) -> None:
        if not self._wait:
            _log.warning(
                "the shared rate limit at %s does not answer (%s): until it does, each process keeps to its own part",
                self.name,
                type(error).__name__,
            )
        self._wait = min(2 * self._wait, _LONGEST_WAIT) or _FIRST_WAIT
        self._asks_from = self._clock.monotonic() + self._wait

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()


def name_of(url: str) -> str:
    """Return host and port of a URL of Redis, or its path; raise `ConfigurationError` for another kind of URL."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = urlsplit(""), None, None
    if parts.scheme == "unix" and parts.path:
        return parts.path
    if parts.scheme in {"redis", "rediss"} and host:
        return f"{f'[{host}]' if ':' in host else host}:{port or 6379}"
    raise ConfigurationError("the limiter must be written as redis://host:port, rediss://host:port or unix:///path")


def _seconds(said: bytes | None) -> float:
    found = float(said or 0)
    if math.isfinite(found):
        return found
    raise ValueError("somebody else wrote what is kept there")


def has_password(url: str) -> bool:
    """Whether a URL of Redis holds a password, or what may be one."""
    return "@" in url or "password=" in url


def _client(url: Secret) -> Any:
    try:
        redis: Any = import_module("redis")
        asynchronous: Any = import_module("redis.asyncio")
    except ImportError:
        redis = asynchronous = None
    if redis is None:
        raise ConfigurationError("a shared rate limit needs an extra: pip install 'conversations-hub[redis]'")
    # One more try at once, because a connection that was idle may have been closed.
    again = asynchronous.retry.Retry(redis.backoff.NoBackoff(), 1)
    try:
        return asynchronous.Redis.from_url(url.reveal(), retry=again, socket_connect_timeout=_PATIENCE)
    except ValueError:
        pass
    raise ConfigurationError("the URL of the limiter has an option that Redis does not know")
