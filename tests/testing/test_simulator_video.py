"""Simulated providers of video avatars: their words, and the shapes of which their documentation shows two."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

import msgspec
import pytest

from conversations_hub.testing import Simulator
from conversations_hub.testing.simulator._truth import Phase, Truth
from conversations_hub.testing.simulator._world import Call, Simulated, World
from conversations_hub.wire import Response

from ..support.clock import ManualClock
from ..support.provider_lists import LISTS

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
UNKNOWN_ID = "5c1d7a52-6a0e-4e55-9f7e-000000000000"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def simulator(clock: ManualClock) -> Simulator:
    return Simulator(conversations=250, now=NOW, clock=clock, providers=["anam"])


def simulated(provider: str) -> Simulated:
    value: Simulated = import_module(f"conversations_hub.testing.simulator._{provider}").SIMULATED
    return value


def ask(
    simulator: Simulator, provider: str, target: str, *, method: str = "GET", key: str = "any-key", **json: Any
) -> Response:
    body = msgspec.json.encode(json) if json else b""
    call = Call(method, target, LISTS[provider].key(key), body)
    return simulated(provider).answer(call, simulator.worlds[provider])


def read(response: Response) -> Any:
    return msgspec.json.decode(response.body)


def walk(simulator: Simulator, provider: str, size: int, filters: Mapping[str, Any]) -> list[str]:
    def asked(parameters: Mapping[str, Any]) -> Any:
        call = LISTS[provider].call(parameters)
        return read(simulated(provider).answer(call, simulator.worlds[provider]))

    return list(LISTS[provider].walk(asked, size, filters))


def truths(world: World) -> list[Truth]:
    return list(world.newest())


# Anam


def anam(simulator: Simulator, truth: Truth, below: str = "") -> Any:
    return read(ask(simulator, "anam", f"/v1/sessions/{simulator.worlds['anam'].id(truth)}{below}"))


@pytest.mark.parametrize("size", [1, 7, 50, 100])
def test_anam_pages_hold_every_session_once(simulator: Simulator, size: int) -> None:
    world = simulator.worlds["anam"]
    assert walk(simulator, "anam", size, {}) == [world.id(truth) for truth in truths(world)]


def test_anam_gives_ten_unless_told(simulator: Simulator) -> None:
    page = read(ask(simulator, "anam", "/v1/sessions"))
    assert len(page["data"]) == 10
    assert page["meta"] == {"total": 250, "lastPage": 25, "currentPage": 1, "perPage": 10, "prev": None, "next": 2}
    beyond = read(ask(simulator, "anam", "/v1/sessions?page=26"))
    assert (beyond["data"], beyond["meta"]["next"]) == ([], None)


def test_anam_filters_by_persona_key_and_words(simulator: Simulator) -> None:
    rows = read(ask(simulator, "anam", "/v1/sessions?perPage=100"))["data"]
    persona, label = rows[0]["personaId"], next(row["clientLabel"] for row in rows if row["clientLabel"])
    shown = {row["id"]: row for row in rows}
    found = set(walk(simulator, "anam", 9, {"personaId": persona}))
    assert found & shown.keys() == {id for id, row in shown.items() if row["personaId"] == persona}
    found = set(walk(simulator, "anam", 9, {"search": label}))
    assert found & shown.keys() == {id for id, row in shown.items() if row["clientLabel"] == label}
    assert walk(simulator, "anam", 9, {"search": rows[3]["id"]}) == [rows[3]["id"]]
    assert walk(simulator, "anam", 9, {"apiKeyId": UNKNOWN_ID}) == []


@pytest.mark.parametrize(
    ("target", "key", "status", "words"),
    [
        ("/v1/sessions", "", 401, "API key"),
        ("/v1/sessions", "bad-key", 401, "API key"),
        ("/v1/sessions?perPage=101", "any", 400, "perPage"),
        ("/v1/sessions?page=0", "any", 400, "page"),
        ("/v1/sessions?personaId=desk", "any", 400, "personaId"),
        ("/v1/sessions/nobody", "any", 400, "session ID"),
        (f"/v1/sessions/{UNKNOWN_ID}", "any", 404, "not found"),
        (f"/v1/sessions/{UNKNOWN_ID}/transcript", "any", 404, "not found"),
        ("/v1/other", "any", 404, "Not Found"),
    ],
)
def test_anam_refuses_with_a_status_and_a_text(
    simulator: Simulator, target: str, key: str, status: int, words: str
) -> None:
    refused = ask(simulator, "anam", target, key=key)
    assert refused.status == status
    assert words in read(refused)["message"]


def test_anam_keeps_a_session_in_one_of_two_shapes(simulator: Simulator) -> None:
    world = simulator.worlds["anam"]
    rows = {row["id"]: row for row in read(ask(simulator, "anam", "/v1/sessions?perPage=100"))["data"]}
    shapes = set[bool]()
    for truth in truths(world)[:100]:
        row, whole = rows[world.id(truth)], anam(simulator, truth)
        assert row.items() <= whole.items()
        is_newer = "exitStatus" in whole
        shapes.add(is_newer)
        assert {"status", "durationMs", "personaName"} <= whole.keys() or is_newer
        assert ("personaConfig" in whole) == ("sessionLengthMs" in whole) == is_newer
    assert shapes == {True, False}


def test_an_anam_transcript_comes_after_the_end_or_never(simulator: Simulator, clock: ManualClock) -> None:
    world = simulator.worlds["anam"]
    live = next(truth for truth in truths(world) if truth.phase(world.present) is Phase.LIVE)
    assert anam(simulator, live)["endTime"] is None
    assert "message" in anam(simulator, live, "/transcript")
    clock.seconds = live.ended - world.present + 61
    kept = live.scenario.number not in {107, 108}
    assert bool(anam(simulator, live, "/transcript").get("messages")) == kept
    clock.seconds += 86400
    for truth in truths(world):
        told = anam(simulator, truth, "/transcript")
        if truth.answered is None or truth.scenario.number == 108:
            assert told.keys() == {"message"}
        elif truth.scenario.number == 107:
            assert (told["transcriptsEnabled"], told["messages"]) == (False, [])
        else:
            assert told["totalMessages"] == len(told["messages"]) > 0


def test_anam_messages_have_odd_times_and_no_tools(simulator: Simulator) -> None:
    told = [anam(simulator, truth, "/transcript") for truth in truths(simulator.worlds["anam"])]
    messages = [message for transcript in told for message in transcript.get("messages", ())]
    assert {message["role"] for message in messages} == {"user", "persona"}
    assert {message["timestamp"] is None for message in messages if message["role"] == "user"} == {True, False}
    assert {"wasInterrupted" in message for message in messages if message["role"] == "user"} == {False}
    assert {message["wasInterrupted"] for message in messages if message["role"] == "persona"} == {True, False}


def test_an_anam_recording_is_a_signed_url_where_something_was_kept(simulator: Simulator) -> None:
    for truth in truths(simulator.worlds["anam"])[10:]:
        told = anam(simulator, truth, "/recording")
        is_kept = truth.answered is not None and truth.scenario.number not in {107, 108}
        assert told.keys() == ({"recordingUrl"} if is_kept else {"message"})


def test_an_anam_token_makes_no_session(simulator: Simulator) -> None:
    minted = ask(simulator, "anam", "/v1/auth/session-token", method="POST", personaConfig={"personaId": "p"})
    assert read(minted).keys() == {"sessionToken"}
    assert ask(simulator, "anam", "/v1/auth/session-token", method="POST", personaConfig="p").status == 400
    assert len(simulator.worlds["anam"]) == 250
