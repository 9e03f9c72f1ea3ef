"""The OpenAPI document says what is served, and `make web` lets others judge it."""

from __future__ import annotations

import asyncio
import json
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings

from conversations_hub.serve import Inbox, Pipeline, Receiver, gateway
from conversations_hub.serve._limits import Rates, Strangers
from conversations_hub.serve._openapi import document
from conversations_hub.serve._routes import ROUTES
from conversations_hub.testing.stores._full import FULL

from ..support.entries import said
from ..support.gateway import TEXTS, TOKENS, asking
from ..support.sqlite import kept_in

_WHERE = "`make web` runs the tests with validators of others, which are not installed here"
DOCUMENT = document(ROUTES)
TRYING_MUCH = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


def test_every_route_is_described_and_every_name_in_it_is_there() -> None:
    served = {
        re.sub(r"\{(\w+):[^}]*\}", r"{\1}", route.resource.canonical)
        for route in gateway("conversations.db", tokens=TOKENS).router.routes()
        if route.resource is not None
    }
    of_the_page = {path for path in served if re.fullmatch(r"/(\w+\.(js|css))?", path)}
    assert served - of_the_page == set(DOCUMENT["paths"])
    names = set(re.findall(r"'\$ref': '([^']*)'", repr(DOCUMENT)))
    assert names == {f"#/components/schemas/{name}" for name in DOCUMENT["components"]["schemas"]}
    ids = [item["get"]["operationId"] for item in DOCUMENT["paths"].values()]
    assert len(set(ids)) == len(ids)


def test_members_are_described() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    described = schemas["Conversation"]
    assert described["description"] == "One past or running conversation of any provider."
    assert "raw" not in described["properties"]
    assert described["properties"]["created_at"]["anyOf"][0] == {"type": "string", "format": "date-time"}
    assert schemas["Word"]["properties"]["start"]["description"] == "Seconds from the conversation's start."
    assert schemas["Listed"]["properties"]["turns"]["description"].startswith("How many turns")


async def test_it_is_served(tmp_path: Path) -> None:
    async with asking(tmp_path / "c.db") as ask:
        assert (await ask("/openapi.json", who=None)).json() == DOCUMENT


def test_validators_of_others_accept_it_and_what_it_describes() -> None:
    validator = pytest.importorskip("openapi_spec_validator", reason=_WHERE)
    jsonschema = pytest.importorskip("jsonschema", reason=_WHERE)
    validator.validate(DOCUMENT)
    components = json.loads(json.dumps(DOCUMENT["components"]))
    for conversation in (FULL, said("Hello.")):
        schema = {"$ref": "#/components/schemas/Conversation", "components": components}
        jsonschema.Draft202012Validator(schema).validate(
            msgspec.structs.replace(conversation, raw=None).to_dict() | {"ref": conversation.ref}
        )


@pytest.mark.timeout(600)
async def test_answers_to_anything_are_as_described(tmp_path: Path) -> None:
    """Send what schemathesis makes up, right and wrong, and let it compare the answers with the document."""
    schemathesis: Any = pytest.importorskip("schemathesis", reason=_WHERE)
    await kept_in(tmp_path / "c.db", *(said("Hello there.", id=f"c{number}") for number in range(20)), FULL)
    async with (
        Inbox(tmp_path / "inbox") as inbox,
        asking(tmp_path / "c.db", recordings=tmp_path, pipeline=Pipeline(inbox=inbox)) as ask,
    ):
        service = next(value for value in ask.server.app.values() if hasattr(value, "rates"))
        service.rates, service.strangers = Rates(per_second=1e9, burst=1e9), Strangers(most=10**6)
        tried = await asyncio.to_thread(_tried, schemathesis, str(ask.server.make_url("")))
    assert tried == set(DOCUMENT["paths"])


def _tried(schemathesis: Any, url: str) -> set[str]:
    # No schema tells that `until` follows `since`, or which cursors there are.
    unknowable = [import_module("schemathesis.specs.openapi.checks").positive_data_acceptance]
    tried = set[str]()
    for found in schemathesis.openapi.from_dict(DOCUMENT).get_all_operations():
        operation = found.ok()

        @settings(max_examples=30, deadline=None, suppress_health_check=TRYING_MUCH, database=None)
        @given(case=operation.as_strategy())
        def call(case: Any) -> None:
            if case.query and "wait" in case.query:
                case.query.pop("wait")  # it would take a minute
            headers = {"Authorization": f"Bearer {TEXTS['all']}"}
            case.call_and_validate(base_url=url, headers=headers, excluded_checks=unknowable)

        call()
        tried.add(operation.path)
    return tried


async def test_counters_are_read_by_prometheus(tmp_path: Path) -> None:
    parser: Any = pytest.importorskip("prometheus_client.parser", reason=_WHERE)
    await kept_in(tmp_path / "c.db", FULL)
    async with (
        Inbox(tmp_path / "inbox") as inbox,
        asking(tmp_path / "c.db", pipeline=Pipeline(receiver=Receiver({}, inbox.keep), inbox=inbox)) as ask,
    ):
        await ask(f"/v1/conversations/{FULL.ref}")
        await ask("/v1/nothing")
        families = {
            family.name: family
            for family in parser.text_string_to_metric_families((await ask("/metrics")).body.decode())
        }
    requests = families["conversations_hub_http_requests"]
    assert {(sample.labels["route"], sample.labels["status"], sample.value) for sample in requests.samples} == {
        ("/v1/conversations/{ref}", "200", 1.0),
        ("other", "404", 1.0),
    }
    assert families["conversations_hub_http_seconds"].type == "histogram"
    assert [sample.value for sample in families["conversations_hub_inbox_pending"].samples] == [0.0]
