"""From an aiohttp answer to a conversation, with the session mocked: the hub makes of a body what the adapter does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from aiohttp import ClientResponse
from aioresponses import aioresponses

from conversations_hub import Account, Hub, errors
from conversations_hub._scrub import without_secrets
from conversations_hub.adapters import BUILTIN, load
from conversations_hub.reading.lifecycle import as_got
from conversations_hub.testing import replay
from conversations_hub.wire import Response, target

from ..support import exchanges


class _Writer:
    output_size = 0


class Answer(ClientResponse):
    """What aioresponses 0.7.9 must build for aiohttp 3.14, which also wants to know who wrote the request."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        options.setdefault("stream_writer", _Writer())
        super().__init__(*arguments, **options)


class Mocked:
    """The session's network, mocked; aioresponses itself is only partly typed."""

    def __init__(self, mock: Any) -> None:
        self._mock = mock

    def answer(self, method: str, url: str, answer: Response) -> None:
        told = {"status": answer.status, "headers": answer.headers, "body": answer.body}
        self._mock.add(url, method, **told, response_class=Answer)


@pytest.fixture
def mocked() -> Iterator[Mocked]:
    with aioresponses() as mock:
        yield Mocked(mock)


GETS = [
    pytest.param(provider, name, id=f"{provider}-{name}")
    for provider in BUILTIN
    for name in exchanges.cases(provider)
    if name.startswith("get.")
]


@pytest.mark.parametrize(("provider", "name"), GETS)
async def test_get_brings_what_the_adapter_reads(mocked: Mocked, provider: str, name: str) -> None:
    adapter = load(provider)
    account = exchanges.account(provider)
    case = exchanges.cases(provider)[name]
    expected = replay(adapter, account, case)
    for request, answer in zip(expected.requests, case.answers, strict=True):
        base = request.base_url or account.base_url or adapter.base_url
        url = request.path if request.elsewhere else target(request, base)
        mocked.answer(request.method, url, answer)
    assert expected.conversation is not None
    id = adapter.id_for_all(case.facts.get("resource", adapter.main), expected.conversation.id)
    async with Hub([account]) as hub:
        found = await hub.get(f"{provider}:{id}")
    recordings = tuple(msgspec.structs.replace(one, ref=found.ref) for one in expected.conversation.recordings)
    got = without_secrets(as_got(expected.conversation, datetime.now(UTC)), adapter.secret_fields)
    assert found == msgspec.structs.replace(got, id=id, raw=None, recordings=recordings)


async def test_a_refusal_is_the_provider_s_own(mocked: Mocked) -> None:
    url = "https://tavusapi.com/v2/conversations/c1?verbose=true"
    mocked.answer("GET", url, Response(400, {}, b'{"error": "Invalid conversation_id"}'))
    async with Hub([Account("tavus", key="key")]) as hub:
        with pytest.raises(errors.NotFoundError, match="Invalid conversation_id"):
            await hub.get("tavus:c1")
