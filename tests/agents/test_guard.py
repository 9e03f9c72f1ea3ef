"""Who gets in over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from conversations_hub.agents._guard import Guarded
from conversations_hub.errors import ConfigurationError

from ..support.asgi import answered, running

TOKENS = ["t" * 40, "u" * 40]


async def inner(scope: Any, receive: Any, send: Any) -> None:
    while scope["type"] == "lifespan":
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"in"})


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"authorization": f"Bearer {TOKENS[0]}"}, 200),
        ({"authorization": f"bearer  {TOKENS[1]}"}, 200),
        ({}, 401),
        ({"authorization": f"Bearer {TOKENS[0]}x"}, 401),
        ({"authorization": f"Bearer {TOKENS[0][:-1]}"}, 401),
        ({"authorization": "Bearer "}, 401),
        ({"authorization": f"Basic {TOKENS[0]}"}, 401),
        ({"authorization": TOKENS[0]}, 401),
        ({"x-authorization": f"Bearer {TOKENS[0]}"}, 401),
    ],
)
async def test_only_who_has_a_token_gets_in(headers: Mapping[str, str], status: int) -> None:
    guarded = Guarded(inner, TOKENS)
    async with running(guarded):
        told = await answered(guarded, "/mcp", body=b"{}", headers=headers)
    assert told.status == status
    assert (told.body == b"in") == (status == 200)


def test_no_token_that_could_be_guessed_is_taken() -> None:
    for tokens in ([], ["short"], [TOKENS[0], ""]):
        with pytest.raises(ConfigurationError, match="at least 32 characters"):
            Guarded(inner, tokens)
    assert TOKENS[0] not in repr(vars(Guarded(inner, TOKENS)))
