"""Accounts side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

from ..errors import HubError

__all__ = ["together"]


async def together(runs: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run all of them; where one fails with an error of ours, stop the others and raise that."""
    failure: BaseException | None = None
    try:
        async with asyncio.TaskGroup() as group:
            for run in runs:
                group.create_task(run)
    except* HubError as failures:
        failure = failures.exceptions[0]
    if failure is not None:
        raise failure
