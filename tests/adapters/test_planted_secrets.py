"""Secrets planted wherever a provider could send one come out nowhere, whatever the adapter makes of what it reads."""

from __future__ import annotations

import json
from collections.abc import Iterator

import msgspec
import pytest

from conversations_hub._transport import Clock, Lane
from conversations_hub.adapter import Adapter
from conversations_hub.adapters import BUILTIN, load
from conversations_hub.hub._reader import ResourceReader
from conversations_hub.policy import PROFILES
from conversations_hub.reading.json import Json
from conversations_hub.schema import Conversation
from conversations_hub.testing import Case, replay
from conversations_hub.webhooks import verify
from conversations_hub.wire import Response

from ..support import exchanges

CANARY = "canary-of-a-secret"
CASES = [
    pytest.param(provider, case, id=f"{provider}-{name}")
    for provider in BUILTIN
    if load(provider).secret_fields
    for name, case in exchanges.cases(provider).items()
    if case.operation in {"list", "get", "start", "webhook"}
]


def planted(value: Json, names: list[str]) -> Json:
    """Return a document with a secret under each of these names in every object, those in texts included."""
    if isinstance(value, dict):
        inner = {name: planted(one, names) for name, one in value.items()}
        secrets: dict[str, Json] = {name: CANARY for name in names if not isinstance(inner.get(name), dict | list)}
        return inner | secrets
    if isinstance(value, list):
        return [planted(one, names) for one in value]
    if isinstance(value, str) and value[:1] in {"{", "["}:
        try:
            return json.dumps(planted(json.loads(value), names))
        except ValueError:
            return value
    return value


def planted_in(body: bytes, names: list[str]) -> bytes:
    return json.dumps(planted(json.loads(body), names)).encode()


def names_of(adapter: Adapter) -> list[str]:
    return sorted(name.replace("*", "planted") for name in adapter.secret_fields)


def read(adapter: Adapter, case: Case) -> Iterator[object]:
    """Yield what the hub makes of a case, each with its raw."""
    names = names_of(adapter)
    if case.operation == "webhook":
        [delivery] = case.answers
        if delivery.body[:1] == b"{":
            body, now = planted_in(delivery.body, names), case.facts["now"]
            yield from verify(adapter.name, body, {}, None, now, insecure_accept_unsigned=True)
        return
    answers = tuple(
        Response(one.status, one.headers, planted_in(one.body, names) if one.body[:1] in {b"{", b"["} else one.body)
        for one in case.answers
    )
    account = exchanges.account(adapter.name)
    lane = Lane(account, adapter, PROFILES["interactive"], clock=Clock())
    resource, _ = case.resource(adapter)
    reader = ResourceReader(lane, resource, case.facts.get("resource", adapter.main), keep_raw=True)
    found = replay(adapter, account, Case(case.name, answers, case.facts))
    yield from map(reader.stamp, found.conversations)


def raws_in(value: object) -> Iterator[bytes]:
    conversation = value if isinstance(value, Conversation) else getattr(value, "conversation", None)
    if conversation is not None and conversation.raw is not None:
        yield conversation.raw


@pytest.mark.parametrize(("provider", "case"), CASES)
def test_what_was_planted_comes_out_nowhere(provider: str, case: Case) -> None:
    adapter = load(provider)
    for one in read(adapter, case):
        assert CANARY not in str(msgspec.to_builtins(one, enc_hook=str, builtin_types=(bytes,)))
        for raw in raws_in(one):
            assert CANARY.encode() not in raw
            assert b'"***"' in raw


def test_it_is_planted() -> None:
    told = json.dumps({"a": [{"b": '{"c": 1}'}], "token": {"d": 1}, "secret__x": 2})
    assert json.loads(planted_in(told.encode(), ["token", "secret__planted"])) == {
        "a": [
            {
                "b": json.dumps({"c": 1, "token": CANARY, "secret__planted": CANARY}),
                "token": CANARY,
                "secret__planted": CANARY,
            }
        ],
        "token": {"d": 1, "token": CANARY, "secret__planted": CANARY},
        "secret__x": 2,
        "secret__planted": CANARY,
    }
