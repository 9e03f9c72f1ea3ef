"""Conversations as answers of web frameworks, as the page on web back ends shows it."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import msgspec
import pytest

from conversations_hub.schema import Conversation, TranscriptTurn
from conversations_hub.testing import Simulator
from conversations_hub.testing.stores._full import FULL

from ..support.asgi import answered, running
from ..support.page_examples import blocks
from ..support.paths import DOCS
from ..support.server import answer, serving
from ..support.tavus_server import Tavus

_WHERE = "`make web` runs the tests with FastAPI, Starlette and Litestar, which are not installed here"
fastapi = pytest.importorskip("fastapi", reason=_WHERE)
pytest.importorskip("litestar", reason=_WHERE)
openapi = pytest.importorskip("openapi_spec_validator", reason=_WHERE)

PAGE = DOCS / "guides" / "embedding.md"
EXAMPLES: dict[str, str] = dict(
    re.findall(r"^## (\w+)\n\n```python\n(.*?)```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
)
HOLDER = "page_on_web_back_ends"


@asynccontextmanager
async def example(framework: str, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Any]:
    """Run the page's application, with a Tavus for its hub."""
    provider = Tavus()
    provider.special["c404"] = answer({"message": "no +1 415 555 0101 here"}, 404)
    provider.special["c503"] = answer({"message": "call Zoë Miller"}, 503, {"Retry-After": "120"})
    module = ModuleType(HOLDER)
    monkeypatch.setitem(sys.modules, HOLDER, module)  # where annotations are looked up
    async with serving(provider) as server:
        monkeypatch.setenv("TAVUS_API_KEY", "sk-canary")
        monkeypatch.setenv("TAVUS_BASE_URL", server.url)
        exec(compile(EXAMPLES[framework], "example.py", "exec"), vars(module))  # noqa: S102
        async with running(vars(module)["app"]):
            yield vars(module)["app"]


every_framework = pytest.mark.parametrize("framework", ["FastAPI", "Starlette", "Litestar"])


@every_framework
async def test_a_conversation_is_an_answer(framework: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with example(framework, monkeypatch) as ours:
        told = await answered(ours, "/conversation", "ref=tavus:c1")
    assert (told.status, told.media_type) == (200, "application/json")
    found = msgspec.json.decode(told.body, type=Conversation)
    assert (found.ref, found.text) == ("tavus:c1", "user: I am number 1.")
    assert ("ref" in told.json()) == (framework != "Litestar")


@every_framework
async def test_an_error_is_a_problem(framework: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with example(framework, monkeypatch) as ours:
        for ref, status, kind in (
            ("tavus:c404", 404, "not_found"),
            ("tavus:c503", 502, "outage"),
            ("vapi:c1", 404, "unknown_account"),
            ("+14155550101", 400, "invalid_ref"),
        ):
            told = await answered(ours, "/conversation", f"ref={ref.replace('+', '%2B')}")
            assert (told.status, told.media_type) == (status, "application/problem+json")
            assert (told.json()["status"], told.json()["kind"]) == (status, kind)
            assert not re.search(rb"415|Miller|canary", told.body)


async def test_the_documents_of_fastapi_and_litestar_describe_a_conversation(monkeypatch: pytest.MonkeyPatch) -> None:
    async with example("FastAPI", monkeypatch) as ours:
        document = ours.openapi()
    openapi.validate(document)
    described = document["components"]["schemas"]
    assert {"Conversation", "TranscriptTurn", "Participant", "Status"} <= described.keys()
    assert described["Conversation"]["description"] == "One past or running conversation of any provider."
    assert described["Word"]["properties"]["start"]["description"] == "Seconds from the conversation's start."
    assert "raw" not in described["Conversation"]["properties"]
    assert _dangling(document) == set()
    async with example("Litestar", monkeypatch) as ours:
        document = json.loads(json.dumps(ours.openapi_schema.to_schema()))
    openapi.validate(document)
    assert "Conversation" in document["components"]["schemas"]


def _dangling(document: dict[str, Any]) -> set[str]:
    """Return what is referred to, and is not there."""
    names = set(re.findall(r"'\$ref': '([^']*)'", repr(document)))
    return names - {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}


app = fastapi.FastAPI()


@app.post("/echo")  # type: ignore[untyped-decorator]
async def echo(sent: Annotated[Conversation, fastapi.Body()]) -> Conversation:
    return sent


@app.post("/turns")  # type: ignore[untyped-decorator]
async def turns(sent: Annotated[Conversation, fastapi.Body()]) -> list[TranscriptTurn]:
    return list(sent.transcript or ())


async def test_what_fastapi_reads_it_writes() -> None:
    sent = msgspec.structs.replace(FULL, raw=None)
    told = await answered(app, "/echo", body=sent.to_json().encode())
    assert told.status == 200
    assert msgspec.json.decode(told.body, type=Conversation) == sent
    assert told.json() == {name: value for name, value in sent.to_dict().items() if name != "raw"}
    told = await answered(app, "/turns", body=sent.to_json().encode())
    assert told.json() == sent.to_dict()["transcript"]


async def test_what_fastapi_cannot_read_is_its_caller_s_mistake() -> None:
    told = await answered(app, "/echo", body=b'{"provider":"acme","id":7}')
    assert told.status == 422
    assert "Expected `str`, got `int` - at `$.id`" in told.json()["detail"][0]["msg"]


async def test_an_application_receives_webhooks_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    [receiving] = [code for language, code in blocks(PAGE) if language == "python" and "Receiver" in code]
    simulator = Simulator(conversations=20, providers=["elevenlabs"])
    world = simulator.worlds["elevenlabs"]
    sent = next(one for truth in world.newest() for one in simulator.delivered("elevenlabs", world.id(truth)))
    module = ModuleType(HOLDER)
    vars(module)["secrets"] = [simulator.secret("elevenlabs")]
    monkeypatch.setitem(sys.modules, HOLDER, module)
    exec(compile(receiving, "example.py", "exec"), vars(module))  # noqa: S102
    async with running(vars(module)["app"]):
        told = await answered(vars(module)["app"], "/hooks/elevenlabs", body=bytes(sent.body), headers=sent.headers)
        assert (told.status, told.body) == (200, b"{}")
        assert (await vars(module)["inbox"].status()).new == 1
