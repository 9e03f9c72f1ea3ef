"""A hub in somebody else's application, which needs no web framework to be tried."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from conversations_hub import Account, Hub
from conversations_hub.errors import ConfigurationError, HubClosedError, NotFoundError, RateLimitError
from conversations_hub.serve import hub_lifespan, hub_of, problems

from ..support.asgi import Message, answered


def hub() -> Hub:
    return Hub([Account("tavus", key="k")])


async def test_the_hub_lives_as_long_as_the_application() -> None:
    app = SimpleNamespace(state=SimpleNamespace())
    async with hub_lifespan(hub)(app) as state:
        for request in (
            SimpleNamespace(scope={"state": dict(state)}, app=app),
            SimpleNamespace(scope={}, app=app),
            SimpleNamespace(scope={"state": SimpleNamespace()}, app=app),
        ):
            assert hub_of(request) is app.state.hub
    with pytest.raises(HubClosedError):
        await app.state.hub.get("tavus:c1")


def test_an_application_without_a_hub_says_how_to_give_it_one() -> None:
    with pytest.raises(ConfigurationError, match="lifespan=hub_lifespan"):
        hub_of(SimpleNamespace(scope={}, app=SimpleNamespace(state=SimpleNamespace())))


def failing(error: Exception, *, begins: bool = False) -> Any:
    async def app(_scope: Message, _receive: object, send: Any) -> None:
        if begins:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
            await send({"type": "http.response.body", "body": b"", "more_body": True})
        raise error

    return problems(app)


async def test_an_error_is_answered_as_a_problem() -> None:
    told = await answered(failing(NotFoundError("no call of Zoë", provider="tavus")), "/")
    assert (told.status, told.media_type, told.json()["kind"]) == (404, "application/problem+json", "not_found")
    assert b"Zo" not in told.body


async def test_a_problem_says_when_to_come_again() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await failing(RateLimitError("slow down", retry_after=1.2))({"type": "http"}, None, send)
    assert (b"retry-after", b"2") in sent[0]["headers"]


@pytest.mark.parametrize("begins", [False, True])
async def test_other_errors_and_those_of_an_answer_that_has_begun_go_on(*, begins: bool) -> None:
    error = NotFoundError("gone") if begins else KeyError("mine")
    with pytest.raises(type(error)):
        await answered(failing(error, begins=begins), "/")
