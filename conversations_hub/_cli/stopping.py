"""Stop a command cleanly on SIGINT or SIGTERM."""

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
    """Run to the end, or until SIGINT or SIGTERM, after which finished work is committed; a second one ends at once."""

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
            say("stopping after committing finished conversations; press Ctrl-C again to quit now")
            task.cancel()

        with suppress(NotImplementedError):  # Windows event loops have no signal handlers
            for number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, stop, number)
        return await task

    try:
        return asyncio.run(run())
    except asyncio.CancelledError:
        click.get_current_context().exit(_INTERRUPTED)
