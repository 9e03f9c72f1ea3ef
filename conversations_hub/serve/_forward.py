"""Tell other systems of every change of a store: signed, in order for each conversation, until they confirm it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from logging import getLogger
from typing import Final

import aiohttp
import msgspec

from .._concurrency import run_all
from .._transport import Clock
from .._transport.guard import Refused, public_socket
from ..errors import ConfigurationError
from ..policy import retry_after
from ..redaction._redactors import Redact, as_sequence
from ..stores import ReadableStore
from ..stores._asking import asking
from ..version import __version__
from ._outbox import Outbox, Waiting
from ._source import Source
from ._target import ForwardTarget, sign

__all__ = ["ForwardReport", "forward"]

_log = getLogger("conversations_hub.forward")

_SCHEDULE: Final = tuple(
    timedelta(seconds=seconds) for seconds in (5, 30, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400, 86_400)
)
"""How long after each failure it is tried again: for four days in all."""
_LONGEST: Final = timedelta(days=1)  # that a target may have us wait
_PAUSE, _LONGEST_PAUSE = 1.0, 300.0  # seconds without any delivery to a target that does not answer
_AT_ONCE: Final = 8  # deliveries per target
_BATCH: Final = 200  # changes
_POLL: Final = 1.0  # seconds between two looks at the store
_TIMEOUT: Final = aiohttp.ClientTimeout(total=15.0, ceil_threshold=float("inf"))
_GONE: Final = 410
_BUSY: Final = (408, 425, 429)


class ForwardReport(msgspec.Struct, kw_only=True):
    """What became of the deliveries of a target."""

    confirmed: int = 0
    failures: Counter[str] = msgspec.field(default_factory=Counter)
    """By what went wrong."""
    dead: int = 0
    """Given up."""
    is_gone: bool = False
    """Whether the target refused all further deliveries (410)."""


async def forward(
    store: ReadableStore,
    outbox: Outbox,
    targets: Sequence[ForwardTarget],
    *,
    follow: bool = False,
    from_start: bool = False,
    redact: Redact | Sequence[Redact] = (),
    reports: dict[str, ForwardReport] | None = None,
    clock: Clock | None = None,
) -> dict[str, ForwardReport]:
    """Send every change of a store to every target, and return what became of it, by the target's name.

    A delivery is a POST with JSON, signed as Standard Webhooks are: `{"type": "conversation.updated", "timestamp": …,
    "data": {"ref": …, "conversation": …}}`. Its `type` ends in `created`, `updated` or `erased`; an erasure has no
    `conversation`. A target hears of a conversation as it is when it is sent, and of several changes while it did not
    answer only once. It may hear of a change twice, then with the same `webhook-id`.

    What a target does not confirm with a 2xx status is sent again for four days, then it is given up; see
    `Outbox.replay`. 410 means that it wants no more.

    Args:
        store: Whose changes.
        outbox: What is still to be sent; open.
        targets: Where; each has a name of its own.
        follow: Go on for ever. Otherwise it ends when nothing is due.
        from_start: Tell a new target of all conversations that are in the store; otherwise of changes from now on.
        redact: What takes personal data out of each conversation.
        reports: What is returned; it is updated meanwhile.
        clock: Time; tests pass their own.

    Raises:
        ConfigurationError: two targets have one name.
        StoreError: the store or the outbox cannot be read or written, or another process sends what is in the outbox.
        UnsupportedError: this kind of store does not remember changes.
    """
    twice = [name for name, many in Counter(one.name for one in targets).items() if many > 1]
    if twice:
        raise ConfigurationError(f"two targets are named {twice[0]}: give each a name of its own")
    async with AsyncExitStack() as held:
        await held.enter_async_context(outbox.sending())
        source = Source(await held.enter_async_context(asking(store)), as_sequence(redact))
        reports = {} if reports is None else reports
        senders = [
            _Sender(
                target,
                await held.enter_async_context(_session(target)),
                source,
                outbox,
                clock or Clock(),
                report=reports.setdefault(target.name, ForwardReport()),
                from_start=from_start,
            )
            for target in targets
        ]
        await run_all([sender.run(follow=follow) for sender in senders], len(senders))
    return reports


def _session(target: ForwardTarget) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=_AT_ONCE, socket_factory=None if target.allow_private else public_socket),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": f"conversations-hub/{__version__}", "Content-Type": "application/json"},
        trust_env=False,
    )


class _Sender:
    """Sends the changes of a store to one target; a slow one holds up no other."""

    def __init__(
        self,
        target: ForwardTarget,
        session: aiohttp.ClientSession,
        source: Source,
        outbox: Outbox,
        clock: Clock,
        *,
        report: ForwardReport,
        from_start: bool,
    ) -> None:
        self.target = target
        self.report = report
        self._session = session
        self._source = source
        self._outbox = outbox
        self._clock = clock
        self._from_start = from_start
        self._failures = 0  # without an answer in between
        self._paused_until = float("-inf")
        self._sending: dict[int, asyncio.Task[None]] = {}

    async def run(self, *, follow: bool) -> None:
        """Send what is due; with `follow`, for ever."""
        try:
            while True:
                for key in [key for key, task in self._sending.items() if task.done()]:
                    self._sending.pop(key).result()
                if not (self.report.is_gone and self._sending):  # it is noted once nothing is on its way
                    self.report.is_gone = await self._outbox.is_gone(self.target.name)  # until it is replayed
                if not self.report.is_gone:
                    found = await self._take_news()
                    if await self._send_due() or found:
                        continue
                if self._sending:
                    await asyncio.wait(self._sending.values(), return_when=asyncio.FIRST_COMPLETED)
                elif follow:
                    await self._clock.sleep(_POLL)
                else:
                    break
        finally:
            for task in self._sending.values():
                task.cancel()
            await asyncio.gather(*self._sending.values(), return_exceptions=True)

    async def _take_news(self) -> bool:
        """Move changes from the store to the outbox; return whether there were any."""
        name = self.target.name
        cursor = await self._outbox.cursor(name)
        if cursor is None and not self._from_start:
            await self._outbox.add(name, [], await self._source.end(), self._clock.now())
            return False
        news, end = await self._source.news(self.target, cursor)
        if end is not None:
            await self._outbox.add(name, news, end, self._clock.now())
        return end is not None

    async def _send_due(self) -> bool:
        """Begin to send what is due, as far as there is room; return whether anything was begun."""
        room = _AT_ONCE if not self._failures else 1
        room -= len(self._sending)
        if room <= 0 or self._clock.monotonic() < self._paused_until:
            return False
        due = await self._outbox.take(self.target.name, self._clock.now(), room, besides=self._sending.keys())
        for one in due:
            self._sending[one.key] = asyncio.create_task(self._send(one))
        return bool(due)

    async def _send(self, one: Waiting) -> None:
        name = self.target.name
        conversation = None if one.kind == "erased" else await self._source.get(one.ref)
        if self.target.kinds and one.kind not in self.target.kinds:
            await self._outbox.confirm(name, one)
            return
        if conversation is None and one.kind != "erased":
            await self._outbox.skip(name, one)  # its erasure is the next change
            return
        data = {"ref": one.ref} if conversation is None else {"ref": one.ref, "conversation": conversation}
        body = msgspec.json.encode({"type": f"conversation.{one.kind}", "timestamp": one.changed_at, "data": data})
        wrong, wait = await self._post(one, body)
        if wrong is None:
            self._failures = 0
            self.report.confirmed += 1
            await self._outbox.confirm(name, one)
            return
        self.report.failures[wrong] += 1
        _log.warning("%s: a delivery failed: %s", name, wrong)
        if self.report.is_gone:
            await self._outbox.note_gone(name, self._clock.now())
        until = self._next(one.attempts, wait)
        self.report.dead += until is None
        await self._outbox.postpone(name, one, until, wrong)

    async def _post(self, one: Waiting, body: bytes) -> tuple[str | None, float | None]:
        """Send a delivery; return what went wrong, if anything, and for how many seconds the target has us wait."""
        headers = sign(self.target.secret, one.event, self._clock.now(), body)
        try:
            async with self._session.post(
                self.target.url, data=body, headers=headers, timeout=_TIMEOUT, allow_redirects=False
            ) as answer:
                status, wait = answer.status, retry_after(answer.headers, self._clock.now())
        except (aiohttp.ClientError, OSError) as error:
            self._pause(None)
            return _why(error), None
        self.report.is_gone = status == _GONE
        if status in _BUSY or status >= 500:
            self._pause(wait)
        return (None if 200 <= status < 300 else f"status {status}"), wait

    def _pause(self, wait: float | None) -> None:
        """Leave a target alone that does not answer, or is busy; then one delivery tries whether it answers again."""
        self._failures += 1
        pause = max(
            min(_PAUSE * 2 ** min(self._failures, 10), _LONGEST_PAUSE), min(wait or 0, _LONGEST.total_seconds())
        )
        self._paused_until = max(self._paused_until, self._clock.monotonic() + pause)

    def _next(self, attempts: int, wait: float | None) -> datetime | None:
        """Return when a delivery is tried again after a failure; None: never."""
        if attempts >= len(_SCHEDULE):
            return None
        asked = min(timedelta(seconds=wait or 0), _LONGEST)
        return self._clock.now() + max(_SCHEDULE[attempts] * (1 + self._clock.roll() / 10), asked)


def _why(error: aiohttp.ClientError | OSError) -> str:
    match error:
        case TimeoutError():
            return f"no answer within {_TIMEOUT.total:g} s"
        case aiohttp.ClientConnectorError(os_error=Refused()):
            return "its address is not public: allow_private allows it"
        case aiohttp.ClientConnectorDNSError():
            return "its name could not be resolved"
        case aiohttp.ClientSSLError():
            return "no secure connection"
        case aiohttp.ClientConnectorError():
            return "no connection"
        case _:
            return "the connection was lost before an answer came"
