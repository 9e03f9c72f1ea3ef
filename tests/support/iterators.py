"""Read an iterator to its end or to its error."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable
from typing import Any, TypeVar

from conversations_hub import Conversation, Hub

__all__ = ["collected", "ids", "until_it_fails"]

T = TypeVar("T")


def ids(conversations: Iterable[Conversation]) -> list[str]:
    return [conversation.id for conversation in conversations]


async def collected(hub: Hub, *targets: str, **options: Any) -> list[Conversation]:
    """Return all that a list brings."""
    return [conversation async for conversation in hub.list(*targets, **options)]


async def until_it_fails(items: AsyncIterable[T]) -> tuple[list[T], Exception]:
    """Return what an iterator brought, and the error that came after it."""
    brought: list[T] = []
    try:
        async for item in items:
            brought.append(item)  # noqa: PERF401  (what came before the error counts)
    except Exception as error:  # noqa: BLE001  (whatever it was)
        return brought, error
    raise AssertionError("nothing failed")
