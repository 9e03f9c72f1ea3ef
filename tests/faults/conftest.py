"""What must hold after every fault, whatever it was: nothing left running or open, no secret shown, no foreign error.

Ask for `fault` to make lanes and hubs and to say what is expected; the invariants are checked when the test ends.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import os
import traceback
from collections.abc import AsyncGenerator, Awaitable
from contextlib import AsyncExitStack, suppress
from ssl import SSLContext
from typing import Any
from urllib.parse import quote

import pytest

from conversations_hub import Account, Hub
from conversations_hub._transport import Clock, Lane
from conversations_hub.adapter import Adapter
from conversations_hub.errors import HubError
from conversations_hub.policy import PROFILES, Profile
from conversations_hub.signals import AttemptEnded, Signal
from conversations_hub.signing import header
from conversations_hub.wire import Flow, Request, Response

from ..support.clock import FakeClock

CANARY = "canary/key+0123456789=="
_AT_LAST = 10.0  # seconds; only what stays is waited for as long
_FORMS = (CANARY, quote(CANARY, safe=""), base64.b64encode(CANARY.encode()).decode())


class Fault:
    """One case: what it makes is closed when it ends, and what it saw is checked."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self.time = FakeClock()
        self.signals: list[Signal] = []
        self.errors: list[BaseException] = []

    @property
    def wire_requests(self) -> int:
        """Requests our own side says it sent (the server's count is the judge)."""
        return sum(isinstance(signal, AttemptEnded) for signal in self.signals)

    async def lane(
        self,
        url: str,
        *,
        profile: str = "interactive",
        clock: Clock | None = None,
        ssl: SSLContext | None = None,
        **numbers: Any,
    ) -> Lane:
        """Return a lane to a provider at `url`; `numbers` replace the profile's."""
        base = PROFILES[profile]
        chosen = Profile(**({name: getattr(base, name) for name in base.__struct_fields__} | numbers))
        adapter = Adapter(name="acme", base_url=url, docs="https://example.com", sign=header("x-api-key"))
        lane = Lane(
            Account("acme", key=CANARY, base_url=url),
            adapter,
            chosen,
            clock=clock or self.time.clock,
            ssl=ssl,
            on_signal=self.signals.append,
        )
        self._stack.push_async_callback(lane.close)
        return lane

    async def hub(self, *urls: str, clock: Clock | None = None, **options: Any) -> Hub:
        """Return a hub with one Tavus account per URL, named "a", "b", …; a single one is the default."""
        names = ["default"] if len(urls) == 1 else [chr(ord("a") + number) for number in range(len(urls))]
        accounts = [
            Account("tavus", key=CANARY, base_url=url, name=name) for url, name in zip(urls, names, strict=True)
        ]
        hub = Hub(accounts, clock=clock or self.time.clock, on_signal=self.signals.append, **options)
        self._stack.push_async_callback(hub.close)
        return hub

    async def failure(self, call: Awaitable[object]) -> HubError:
        """Return the error a call fails with; it must be one of ours."""
        try:
            await call
        except HubError as error:
            self.errors.append(error)
            return error
        raise AssertionError("nothing failed")


def asking(request: Request | None = None) -> Flow[Response]:
    """Return the simplest flow there is: one request, and its answer."""
    reply = yield request or Request("GET", "/x/{id}", ids={"id": "c1"})
    return reply


def ask(lane: Lane, request: Request | None = None) -> Awaitable[Response]:
    """Send one request on a lane."""
    return lane.run("get", asking(request))


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0  # noqa: PTH112, PTH208


@pytest.fixture
async def fault(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> AsyncGenerator[Fault]:
    """Give a case its tools, and check afterwards what must hold after every fault."""
    caplog.set_level(logging.DEBUG, "conversations_hub")
    loop = asyncio.get_running_loop()
    complaints: list[str] = []
    loop.set_exception_handler(lambda _loop, context: complaints.append(str(context.get("message"))))
    tasks, descriptors = len(asyncio.all_tasks()), _descriptors()
    async with AsyncExitStack() as stack:
        case = Fault(stack)
        yield case
    with suppress(TimeoutError):
        async with asyncio.timeout(_AT_LAST):  # what was closed is gone some turns of the loop later
            while len(asyncio.all_tasks()) > tasks or _descriptors() > descriptors:  # noqa: ASYNC110  (they tell nobody)
                await asyncio.sleep(0.001)
    assert len(asyncio.all_tasks()) <= tasks, f"still running: {asyncio.all_tasks()}"
    assert _descriptors() <= descriptors, "a socket is still open"
    assert complaints == []
    shown = [caplog.text, *capfd.readouterr(), *map(repr, case.signals)]
    shown += ["".join(traceback.format_exception(error)) + repr(vars(error)) for error in case.errors]
    for form in _FORMS:
        assert not any(form in text for text in shown), "a secret was shown"
