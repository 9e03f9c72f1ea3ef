"""Prism, a mock server from npm: it answers with random bodies that fit a specification, and checks requests by it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

__all__ = ["Prism", "prism"]

_PACKAGE = "@stoplight/prism-cli@5.14.2"
_COMPLAINT = re.compile(r"\[VALIDATOR\] .{1,12}error\s+(?!\s|Violation: response)(.*)")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class Prism:
    """A mock server that runs."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.complaints: set[str] = set()
        """What was wrong with requests, by the specification; complete when the server has ended."""


@asynccontextmanager
async def prism(specification: dict[str, Any], folder: Path) -> AsyncGenerator[Prism]:
    """Run a mock server of a specification, which is written to a folder."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    written = folder / "specification.json"
    written.write_bytes(msgspec.json.encode(specification))
    process = await asyncio.create_subprocess_exec(
        *("npx", "--yes", _PACKAGE, "mock", "--dynamic", "--multiprocess", "false", "--port", str(port), written),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    assert process.stdout is not None
    running = Prism(f"http://127.0.0.1:{port}")
    log: asyncio.Task[bytes] | None = None
    try:
        async with asyncio.timeout(240):
            while b"listening" not in (line := await process.stdout.readline()):
                assert line, "Prism ended"
        log = asyncio.create_task(process.stdout.read())
        yield running
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # npx starts a process of its own
        said = (await process.communicate())[0] if log is None else await log
        await process.wait()
        running.complaints |= {*_COMPLAINT.findall(_COLOUR.sub("", said.decode()))}
