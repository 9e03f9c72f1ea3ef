"""Put a receiver below an address of an application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._asgi import ASGI, Message, Receive, Send, own_path
from ._receiver import Receiver

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["hooks_app", "under"]


def under(app: ASGI, prefix: str, receiver: Receiver) -> ASGI:
    """Return an ASGI application that gives a receiver what is below a prefix, such as "/hooks", and `app` the rest.

    It is for frameworks that mount no application, such as Quart and Django.
    """
    place = f"/{prefix.strip('/')}"

    async def routed(scope: Message, receive: Receive, send: Send) -> None:
        path = "" if scope["type"] == "lifespan" else own_path(scope)
        if path == place or path.startswith(f"{place}/"):
            await receiver({**scope, "path": path.removeprefix(place), "root_path": ""}, receive, send)
        else:
            await app(scope, receive, send)

    return routed


def hooks_app(receiver: Receiver) -> web.Application:
    """Return an application of `aiohttp.web` for a receiver, to be added to another by `app.add_subapp("/hooks", …)`.

    Run the outer application with `AppRunner(app, auto_decompress=False)`: otherwise aiohttp unpacks bodies that are
    not wanted, and logs a traceback for each that is broken.
    """
    from aiohttp import web  # noqa: PLC0415  (ASGI servers do not need it)

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", receiver.aiohttp)
    return app
