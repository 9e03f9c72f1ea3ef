"""Accounts side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

__all__ = ["together"]


async def together(runs: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run all of them; where one fails, stop the others and raise its error, as if it had run alone."""
    failure: Exception | None = None
    try:
        async with asyncio.TaskGroup() as group:
            for run in runs:
                group.create_task(run)
    except* Exception as failures:  # noqa: BLE001  (raised to the caller)
        all_of_them: ExceptionGroup[Exception] = failures
        failure = _first(all_of_them)
    if failure is not None:
        raise failure


def _first(failures: ExceptionGroup[Exception]) -> Exception:
    failure = failures.exceptions[0]
    return _first(failure) if isinstance(failure, ExceptionGroup) else failure
