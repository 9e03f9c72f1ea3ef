"""`serve` under strace: what it asks of the system, and in which order; and a failure or a kill at any one of these."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

__all__ = ["Call", "Served", "calls_in", "needs_strace", "served_traced"]

_TRACED = "fdatasync,fsync,pwrite64,sendto,sendmsg"


def _is_missing() -> bool:
    found = shutil.which("strace")
    if found is None:
        return True
    return subprocess.run([found, "-f", "-qq", "true"], capture_output=True, check=False).returncode != 0  # noqa: S603


needs_strace = pytest.mark.skipif(
    _is_missing(),
    reason="NOT TRIED: this needs strace, and the right to trace: `apt-get install strace`",
)


class Call:
    """A call to the system that was done, in the order in which they ended."""

    def __init__(self, name: str, target: str, data: str) -> None:
        self.name = name
        self.target = target
        """The file, or `socket`."""
        self.data = data
        """How what was written begins."""

    def __repr__(self) -> str:
        return f"{self.name} {Path(self.target).name}{f' {self.data[:15]}' if self.data else ''}"


# A call that another thread interrupts stands in two lines, of which the first has the arguments.
_WHOLE = re.compile(r'(\d+) +(\w+)\(\d+<([^>]*)>(?:, "([^"]*)")?.* = (-?\d+)')
_BEGUN = re.compile(r'(\d+) +(\w+)\(\d+<([^>]*)>(?:, "([^"]*)")?.*<unfinished \.\.\.>')
_ENDED = re.compile(r"(\d+) +<\.\.\. (\w+) resumed>.* = (-?\d+)")


def calls_in(log: Path) -> list[Call]:
    """Return the calls that succeeded."""
    found: list[Call] = []
    begun: dict[str, Call] = {}
    for line in log.read_text(errors="replace").splitlines():
        if ended := _ENDED.match(line):
            call = begun.pop(ended[1])
            found += [call] if int(ended[3]) >= 0 else []
        elif waiting := _BEGUN.match(line):
            begun[waiting[1]] = Call(waiting[2], waiting[3], waiting[4] or "")
        elif (whole := _WHOLE.match(line)) and int(whole[5]) >= 0:
            found.append(Call(whole[2], whole[3], whole[4] or ""))
    return found


class Served:
    """The process, and where it listens."""

    def __init__(self, process: asyncio.subprocess.Process, url: str | None, token: str) -> None:
        self.process = process
        self.url = url
        """None: it ended before it listened."""
        self.token = token


@asynccontextmanager
async def served_traced(
    options: Sequence[str], environ: Mapping[str, str], log: Path, *strace: str
) -> AsyncGenerator[Served]:
    """Run `serve` with these options until the block ends, and write what it does to a log."""
    tracing = ("strace", "-D", "-f", "-qq", "-y", "-s", "20", "-o", str(log), "-e", f"trace={_TRACED}", *strace)
    process = await asyncio.create_subprocess_exec(
        *(*tracing, sys.executable, "-m", "conversations_hub", "serve", "--port", "0", "--json", *options),
        env={**os.environ, **environ},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    line = await process.stdout.readline()
    place: dict[str, Any] = json.loads(line) if line else {}
    try:
        yield Served(process, place.get("url"), place.get("token", ""))
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
