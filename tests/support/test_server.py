"""The scripted server leaves nothing behind, whenever it is closed."""

from __future__ import annotations

import asyncio
import gc
import socket

import pytest

from .server import serving


@pytest.mark.parametrize("steps", range(6))
async def test_closing_ends_what_was_accepted_just_now(steps: int) -> None:
    async with serving(b"") as server:
        client = socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])))
        for _ in range(steps):
            await asyncio.sleep(0)
    client.close()
    gc.collect()  # what was not closed would warn here
