"""A store's own thread: what fails when nobody waits for it any longer is no complaint of the loop's."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import Any

import pytest

from conversations_hub.stores._thread import Thread


async def test_a_failure_that_nobody_waits_for_any_longer_is_noticed() -> None:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    began, may_go_on = threading.Event(), threading.Event()

    def fail() -> None:
        began.set()
        may_go_on.wait()
        raise LookupError

    thread = Thread()
    waiting = asyncio.ensure_future(thread.do(fail))
    await asyncio.to_thread(began.wait)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    may_go_on.set()
    await thread.end(lambda: None)
    del waiting
    gc.collect()
    await asyncio.sleep(0)
    assert complaints == []


async def test_a_failure_is_raised_to_whoever_waits() -> None:
    def fail() -> None:
        raise LookupError

    thread = Thread()
    with pytest.raises(LookupError):
        await thread.do(fail)
    await thread.end(lambda: None)
