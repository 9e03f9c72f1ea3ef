"""Accounts side by side, so many at a time."""

from __future__ import annotations

import asyncio

import pytest

from conversations_hub._concurrency import run_all


async def test_no_more_run_than_are_to_at_once() -> None:
    running = most = ended = 0

    async def run() -> None:
        nonlocal running, most, ended
        running += 1
        most = max(most, running)
        for _ in range(3):
            await asyncio.sleep(0)
        running -= 1
        ended += 1

    await run_all((run() for _ in range(20)), 4)
    assert (most, ended) == (4, 20)


async def test_one_that_fails_stops_those_that_have_not_begun() -> None:
    begun: list[int] = []

    async def run(number: int) -> None:
        begun.append(number)
        await asyncio.sleep(0)
        raise ValueError(number)

    with pytest.raises(ValueError, match="0"):
        await run_all((run(number) for number in range(20)), 1)
    assert len(begun) < 5
