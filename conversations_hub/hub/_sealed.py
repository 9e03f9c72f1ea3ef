"""Calls and streams whose errors are bare when they leave the hub."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from .._frames import bare
from ..errors import HubError

__all__ = ["sealed", "sealed_stream"]

P = ParamSpec("P")
T = TypeVar("T")


def sealed(call: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Return a function like `call` whose errors expose neither its arguments nor its variables."""

    @wraps(call)
    async def sealed_call(*arguments: P.args, **named: P.kwargs) -> T:
        running = call(*arguments, **named)
        del arguments, named
        try:
            return await running
        except (HubError, asyncio.CancelledError) as error:
            failure = bare(error)
        raise failure

    return sealed_call


async def sealed_stream(stream: AsyncGenerator[T]) -> AsyncGenerator[T]:
    """Yield the items of a stream; its errors do not expose them."""
    failure: BaseException
    async with aclosing(stream):
        try:
            async for item in stream:
                yield item
                del item
        except (HubError, asyncio.CancelledError) as error:
            failure = bare(error)
        else:
            return
    raise failure
