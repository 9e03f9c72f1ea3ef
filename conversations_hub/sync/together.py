"""Accounts side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, cast

__all__ = ["together"]


async def together(runs: Iterable[Coroutine[Any, Any, None]], at_once: int) -> None:
    """Run all of them, so many at a time; where one fails, stop the others and raise its error, as if it ran alone."""
    places = asyncio.Semaphore(at_once)

    async def in_turn(run: Coroutine[Any, Any, None]) -> None:
        try:
            async with places:
                await run
        finally:
            run.close()  # it may not have begun

    failure: Exception | None = None
    try:
        async with asyncio.TaskGroup() as group:
            for run in runs:
                group.create_task(in_turn(run))
    except* Exception as failures:  # noqa: BLE001  (raised to the caller)
        failure = _first(failures.exceptions[0])
    if failure is not None:
        raise failure


def _first(failure: Exception) -> Exception:
    if isinstance(failure, ExceptionGroup):
        return _first(cast("ExceptionGroup[Exception]", failure).exceptions[0])
    return failure
