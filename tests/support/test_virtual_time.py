"""The loop whose seconds cost nothing: time passes where nothing is left to do, and nowhere else."""

from __future__ import annotations

import asyncio
import threading

import pytest

from .server import Answer, Asked, serving
from .virtual_time import WiredLoop

HOUR = 3600.0


async def test_an_hour_is_over_as_soon_as_nothing_is_left_to_do(loop: WiredLoop) -> None:
    began, monotonic = loop.time(), loop.clock().monotonic
    await asyncio.gather(asyncio.sleep(HOUR), asyncio.sleep(HOUR / 2))
    assert loop.time() - began == monotonic() - began == HOUR
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(HOUR):
            await asyncio.Event().wait()
    assert loop.time() - began == 2 * HOUR


async def test_no_time_passes_while_a_thread_is_at_work(loop: WiredLoop) -> None:
    began, is_late, go_on = loop.time(), asyncio.Event(), threading.Event()
    loop.call_later(HOUR, is_late.set)
    at_work = asyncio.ensure_future(asyncio.to_thread(go_on.wait))
    threading.Timer(0.05, go_on.set).start()  # by the real clock
    assert await at_work
    assert loop.time() == began
    assert not is_late.is_set()
    await is_late.wait()
    assert loop.time() - began == HOUR


async def test_no_time_passes_while_anything_is_on_its_way(loop: WiredLoop) -> None:
    async def echo(asked: Asked, writer: asyncio.StreamWriter) -> Answer:
        return asked.body

    began = loop.time()
    async with serving(echo) as server, asyncio.timeout(0.001):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
        for _ in range(20):
            writer.write(b"POST / HTTP/1.1\r\nContent-Length: 500000\r\n\r\n" + bytes(500_000))
            assert await reader.readexactly(500_000) == bytes(500_000)
        writer.close()
        await writer.wait_closed()
    assert loop.time() == began
