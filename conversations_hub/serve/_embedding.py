"""A hub in somebody else's web application: opened and closed with it, and its errors answered in words."""

# Not `from __future__ import annotations`: FastAPI reads the annotation of `hub_of` to know what to pass.

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, MutableMapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from math import ceil
from typing import TYPE_CHECKING, Any, cast

import msgspec

from ..errors import ConfigurationError, HubError, problem
from ..hub import Hub

if TYPE_CHECKING:
    HTTPConnection = Any
else:
    try:
        from starlette.requests import HTTPConnection
    except ModuleNotFoundError:
        HTTPConnection = Any

__all__ = ["hub_lifespan", "hub_of", "problems"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]


def hub_lifespan(make: Callable[[], Hub]) -> Callable[[Any], AbstractAsyncContextManager[Mapping[str, Hub]]]:
    """Return a lifespan for FastAPI, Starlette or Litestar that opens one hub, and closes it with the application.

    `make` is called when the application starts: `FastAPI(lifespan=hub_lifespan(Hub.from_env))`.
    """

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncGenerator[Mapping[str, Hub]]:
        async with make() as hub:
            app.state.hub = hub
            yield {"hub": hub}

    return lifespan


def hub_of(request: HTTPConnection) -> Hub:
    """Return the hub of the application that a request came to; a dependency for FastAPI: `Depends(hub_of)`.

    Raises:
        ConfigurationError: the application has no `hub_lifespan`.
    """
    # Starlette hands on what the lifespan yields; elsewhere only the application has it.
    told = cast("object", request.scope.get("state"))
    found = cast("dict[str, object]", told).get("hub") if isinstance(told, dict) else None
    found = found or cast("object", getattr(request.app.state, "hub", None))
    if not isinstance(found, Hub):
        raise ConfigurationError("the application has no hub: give it lifespan=hub_lifespan(Hub.from_env)")
    return found


def problems(app: Application) -> Application:
    """Wrap an ASGI application: a `HubError` that leaves it becomes a problem document (RFC 9457).

    A middleware for FastAPI and Starlette: `app.add_middleware(problems)`. It changes nothing once an answer has begun.
    """

    async def answered(scope: Message, receive: Receive, send: Send) -> None:
        has_begun = False

        async def watched(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await app(scope, receive, watched)
        except HubError as error:
            if has_begun or scope["type"] != "http":
                raise
            status, headers, body = _answer(error)
        else:
            return
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return answered


def _answer(error: HubError) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    body = msgspec.json.encode(problem(error))
    headers = [(b"content-type", b"application/problem+json"), (b"content-length", str(len(body)).encode())]
    if error.retry_after is not None:
        headers.append((b"retry-after", str(ceil(error.retry_after)).encode()))
    return error.http_status, headers, body
