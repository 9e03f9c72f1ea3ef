"""The types of ASGI: https://asgi.readthedocs.io/en/stable/specs/main.html."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, cast

__all__ = ["ASGI", "Message", "Receive", "Send", "own_path"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGI = Callable[[Message, Receive, Send], Awaitable[None]]
"""An application."""


def own_path(scope: Message) -> str:
    """Return the path of a scope below where the application is mounted; frameworks differ in what they give."""
    path, root = cast("str", scope["path"]), cast("str", scope.get("root_path", ""))
    return path[len(root) :] if f"{path}/".startswith(f"{root}/") else path
