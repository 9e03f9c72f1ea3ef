"""No key, no way to let oneself in, and, where it is to be removed, no number of a person is ever shown."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import re
import traceback
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from conversations_hub.agents import Tool, always, in_words, tools
from conversations_hub.errors import HubError
from conversations_hub.schema import Issue, Recording, RecordingAccess, Role
from conversations_hub.stores import open_store, put
from conversations_hub.testing import Fault

from ..support.agents import by_name, spoken, tool_call, turn
from ..support.clock import NOW, at
from ..support.simulated import simulated
from ..support.simulated_store import filled

CANARY = "canary/key+0123456789=="
_FORMS = (CANARY, quote(CANARY, safe=""), base64.b64encode(CANARY.encode()).decode())
SIGNED = f"https://storage.example/r.wav?X-Amz-Signature={quote(CANARY, safe='')}"
ONE = spoken(
    "c1",
    turn(Role.USER, "Where is my order?"),
    *tool_call("find_order", '{"error": "timed out"}', is_error=True),
    recordings=(Recording(location=SIGNED, access=RecordingAccess.SIGNED_URL),),
    links={"join": SIGNED, "token": CANARY},
    metadata={"key": CANARY},
    related_ids={"token": CANARY},
    issues=(Issue("token", CANARY),),
    raw=json.dumps({"key": CANARY}).encode(),
)
_REFUSALS: list[int | Fault] = [401, 403, 404, 429, 500, Fault.RESET]


async def _told(functions: Mapping[str, Tool], *refs: str) -> AsyncIterator[str]:
    """Yield all that every tool tells about conversations, be it an answer or an error."""
    provider = refs[0].partition(":")[0]
    asked: list[tuple[str, dict[str, Any]]] = [
        ("describe_sources", {}),
        ("search_conversations", {"words": "order"}),
        ("list_conversations", {"provider": provider}),
        ("compare_conversations", {"refs": [*refs[-2:]]}),
        ("count_conversations", {"by": "failure"}),
        ("find_tool_calls", {}),
        ("what_is_missing", {}),
        ("start_conversation", {"provider": "vapi", "agent": "a1", "to": "+14155550177"}),
        ("send_message", {"ref": refs[0], "text": "Hello?"}),
        *(("get_conversation", {"ref": ref}) for ref in refs),
        *(("read_around", {"ref": ref, "turn": 0}) for ref in refs),
        *(("refresh_conversation", {"ref": ref}) for ref in refs),
    ]
    for name, arguments in asked:
        if name in functions:
            try:
                answer = await functions[name](**arguments)
            except HubError as error:
                yield in_words(error)
                yield "".join(traceback.format_exception(error)) + repr(vars(error))
            else:
                yield str(answer)
                yield repr(asdict(answer))


async def test_ag10_no_secret_is_in_an_answer_an_error_or_a_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    path = str(tmp_path / "c.db")
    await put(open_store(path), ONE, spoken("c2"))
    told: list[str] = []
    async with simulated("vapi", "tavus", conversations=5, environ={"VAPI_API_KEY": CANARY}) as (hub, simulator):
        world = simulator.worlds["vapi"]
        live = f"vapi:{world.id(next(iter(world.newest())))}"
        for store in (None, path):
            functions = by_name(tools(hub, store, allow=["start", "send"], confirm=always, acts_per_hour=100))
            for refusal in (200, *_REFUSALS):
                if refusal != 200:
                    simulator.script("vapi", [refusal] * 8)
                told += [each async for each in _told(functions, live, "tavus:c1", "tavus:c2")]
    assert sum("Trying again" in each for each in told) > 20
    assert any("Where is my order?" in each for each in told)
    for form in _FORMS:
        assert not any(form in text for text in (*told, caplog.text, *capfd.readouterr()))


_NUMBER = re.compile(r"555.{0,3}01\d\d")


def test_ag10_numbers_that_are_to_be_removed_are_nowhere(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    _, happened = filled(path)
    refs = [each.ref for each in happened[::8]]

    async def everything(**options: Any) -> str:
        functions = by_name(tools(store=str(path), clock=at(NOW), **options))
        return "\n".join([each async for each in _told(functions, *refs)])

    assert len(_NUMBER.findall(asyncio.run(everything()))) > 20
    assert _NUMBER.findall(asyncio.run(everything(redact=True))) == []


async def test_ag10_they_are_removed_from_what_a_provider_tells_too() -> None:
    async with simulated("vapi", conversations=20) as (hub, simulator):
        world = simulator.worlds["vapi"]
        refs = [f"vapi:{world.id(each)}" for each in world.newest()]
        for redact in (False, True):
            functions = by_name(tools(hub, None, redact=redact))
            told = "\n".join([each async for each in _told(functions, *refs)])
            assert bool(_NUMBER.search(told)) != redact
