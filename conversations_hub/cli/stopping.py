"""A command that ends in good order when it is told to."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

import click

__all__ = ["until_stopped"]

T = TypeVar("T")

_INTERRUPTED = 130
_SHOW_CURSOR = "\x1b[?25h"


def until_stopped(work: Coroutine[Any, Any, T], say: Callable[[str], None]) -> T:
    """Run to the end, or until SIGINT or SIGTERM, which let it commit what is whole; a second one ends at once."""

    async def run() -> T:
        task = asyncio.ensure_future(work)
        signals: list[int] = []

        def stop(number: int) -> None:
            if signals:
                if sys.stderr.isatty():
                    sys.stderr.write(f"{_SHOW_CURSOR}\n")
                    sys.stderr.flush()
                os._exit(_INTERRUPTED)
            signals.append(number)
            say("stopping: what is whole is being committed; once more stops at once")
            task.cancel()

        with suppress(NotImplementedError):  # Windows knows no handlers of the loop
            for number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, stop, number)
        return await task

    try:
        return asyncio.run(run())
    except asyncio.CancelledError:
        click.get_current_context().exit(_INTERRUPTED)
