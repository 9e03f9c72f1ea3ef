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
    return Simulator(conversations=250, now=NOW, clock=clock, providers=["anam", "liveavatar"])


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
        assert ("personaConfig" in whole) == ("sessionLengthMs" in whole) == ("toolCalls" in whole) == is_newer
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


# LiveAvatar


def liveavatar(
    simulator: Simulator, target: str = "", *, method: str = "GET", key: str = "any-key", token: str = "", **json: Any
) -> Response:
    headers = {"authorization": f"Bearer {token}"} if token else {"x-api-key": key}
    call = Call(method, f"/v1/sessions{target}", headers, msgspec.json.encode(json) if json else b"")
    return simulated("liveavatar").answer(call, simulator.worlds["liveavatar"])


def data_of(response: Response) -> Any:
    assert response.status < 300
    body = read(response)
    assert body.keys() == {"code", "data", "message"}
    assert body["code"] in {100, 1000}
    return body["data"]


@pytest.mark.parametrize("size", [1, 7, 50, 100])
def test_liveavatar_has_every_session_in_one_of_two_lists(simulator: Simulator, size: int) -> None:
    world = simulator.worlds["liveavatar"]
    assert walk(simulator, "liveavatar", size, {}) == [world.id(truth) for truth in truths(world)]


def test_a_liveavatar_session_moves_from_one_list_to_the_other(simulator: Simulator, clock: ManualClock) -> None:
    active = data_of(liveavatar(simulator, "?type=active"))
    assert (active["count"], len(active["results"])) == (4, 4)
    assert not any("end_at" in row or "end_reason" in row for row in active["results"])
    clock.seconds = 3600
    assert data_of(liveavatar(simulator, "?type=active"))["results"] == []
    historic = data_of(liveavatar(simulator, "?type=historic"))
    assert historic["count"] == 250
    assert [row["id"] for row in historic["results"]][:4] == [row["id"] for row in active["results"]]
    assert all({"end_at", "end_reason"} <= row.keys() for row in historic["results"])


def test_liveavatar_says_what_is_next_as_text_null_or_not_at_all(simulator: Simulator) -> None:
    first, last = (data_of(liveavatar(simulator, f"?type=historic&page_size=100&page={page}")) for page in (1, 3))
    assert "page=2" in first["next"]
    assert ("previous" in first, last["next"], "page=2" in last["previous"]) == (False, None, True)
    assert "next" not in data_of(liveavatar(simulator, "?type=active"))


def test_liveavatar_filters_by_what_no_row_says(simulator: Simulator) -> None:
    found = [walk(simulator, "liveavatar", 50, {"avatar_id": f"avatar-{number}"}) for number in range(101, 109)]
    assert sorted(id for ids in found for id in ids) == sorted(walk(simulator, "liveavatar", 50, {}))
    assert all(found)
    assert walk(simulator, "liveavatar", 50, {"context_id": "context-1"}) == []


@pytest.mark.parametrize(
    ("target", "method", "status", "words"),
    [
        ("", "GET", 422, "type"),
        ("?type=all", "GET", 422, "type"),
        ("?type=active&page_size=101", "GET", 422, "page_size"),
        (f"/{UNKNOWN_ID}", "GET", 404, "not found"),
        (f"/{UNKNOWN_ID}/events", "DELETE", 404, "not found"),
        ("/other", "POST", 404, "Not Found"),
        ("/stop", "POST", 422, "session_id"),
        ("/token", "POST", 422, "mode"),
    ],
)
def test_liveavatar_refuses_in_two_shapes(
    simulator: Simulator, target: str, method: str, status: int, words: str
) -> None:
    refused = liveavatar(simulator, target, method=method)
    assert refused.status == status
    body = read(refused)
    assert words in str(body["detail"] if status == 422 else body["message"])


@pytest.mark.parametrize("key", ["", "bad-key"])
def test_liveavatar_refuses_a_bad_key(simulator: Simulator, key: str) -> None:
    for target, method in (("?type=active", "GET"), ("/token", "POST"), ("/start", "POST"), ("/stop", "POST")):
        refused = liveavatar(simulator, target, method=method, key=key)
        assert (refused.status, read(refused)["message"]) == (401, "Invalid API key")


def test_a_liveavatar_transcript_is_told_in_pieces_and_has_no_unit(simulator: Simulator, clock: ManualClock) -> None:
    clock.seconds = 86400
    world = simulator.worlds["liveavatar"]
    pieces, units = set[int](), set[bool]()
    for truth in truths(world):
        path = f"/{world.id(truth)}/transcript"
        if truth.scenario.number == 108:
            assert liveavatar(simulator, path).status == 404
            continue
        told = data_of(liveavatar(simulator, path))
        entries, number = told["transcript_data"], 1
        while "next_timestamp" in told:
            told = data_of(liveavatar(simulator, f"{path}?start_timestamp={told['next_timestamp']}"))
            entries, number = entries + told["transcript_data"], number + 1
        assert [entry["transcript"] for entry in entries] == [turn.text for turn in world.turns(truth) if not turn.tool]
        pieces.add(number)
        units |= {entry["absolute_timestamp"] > 1e11 for entry in entries}
    assert pieces == {1, 2}
    assert units == {True, False}


def test_polling_a_running_liveavatar_session_stands_still(simulator: Simulator) -> None:
    world = simulator.worlds["liveavatar"]
    talking = (one for one in truths(world) if one.scenario.number != 108 and world.turns(one))
    path = f"/{world.id(next(talking))}/transcript"
    told = data_of(liveavatar(simulator, path))
    assert told["session_active"]
    again = data_of(liveavatar(simulator, f"{path}?start_timestamp={told['next_timestamp']}"))
    assert (again["transcript_data"], again["next_timestamp"]) == ([], told["next_timestamp"])


def test_deleting_liveavatar_s_events_leaves_the_session(simulator: Simulator) -> None:
    world = simulator.worlds["liveavatar"]
    truth = next(one for one in truths(world)[20:] if one.answered and one.scenario.number != 108)
    path = f"/{world.id(truth)}"
    before = data_of(liveavatar(simulator, path))
    assert data_of(liveavatar(simulator, f"{path}/transcript"))["transcript_data"]
    assert data_of(liveavatar(simulator, f"{path}/events", method="DELETE")) is None
    assert data_of(liveavatar(simulator, f"{path}/transcript"))["transcript_data"] == []
    assert data_of(liveavatar(simulator, path)) == before


@pytest.mark.parametrize(
    ("body", "token_too", "reason"), [({}, False, "UNKNOWN"), ({"reason": "USER_CLOSED"}, True, "USER_CLOSED")]
)
def test_a_liveavatar_session_takes_two_requests_to_start(
    simulator: Simulator, clock: ManualClock, body: dict[str, str], reason: str, *, token_too: bool
) -> None:
    options: dict[str, Any] = {
        "mode": "LITE" if token_too else "FULL",
        "avatar_id": "avatar-9",
        "is_sandbox": token_too,
    }
    minted = data_of(liveavatar(simulator, "/token", method="POST", **options))
    assert len(simulator.worlds["liveavatar"]) == 250
    started = data_of(liveavatar(simulator, "/start", method="POST", token=minted["session_token"]))
    assert ("livekit_agent_token" in started) == token_too
    assert started["max_session_duration"] == (60 if token_too else 600)
    id = started["session_id"]
    row = data_of(liveavatar(simulator, f"/{id}"))
    assert (row["mode"], row["is_sandbox"], "end_at" in row) == (options["mode"], token_too, False)
    clock.seconds = 30
    token = minted["session_token"] if token_too else ""
    for _ in range(2):
        stopped = liveavatar(simulator, "/stop", method="POST", token=token, session_id=id, **body)
        assert data_of(stopped) is None
    row = data_of(liveavatar(simulator, f"/{id}"))
    assert (row["end_reason"], row["duration"]) == (reason, 30)
    assert row["credits_consumed"] == (0.0 if token_too else 1.0)
    assert walk(simulator, "liveavatar", 50, {"avatar_id": "avatar-9"}) == [id]


def test_liveavatar_has_every_mode_source_and_reason(simulator: Simulator, clock: ManualClock) -> None:
    clock.seconds = 86400
    rows = [
        row
        for page in (1, 2, 3)
        for row in data_of(liveavatar(simulator, f"?type=historic&page_size=100&page={page}"))["results"]
    ]
    assert {row["mode"] for row in rows} == {"FULL", "LITE"}
    assert {row["source"] for row in rows} == {"API", "APP", "EMBED", "DEMO"}
    assert {row["is_sandbox"] for row in rows} == {True, False}
    assert all(row["credits_consumed"] == 0 for row in rows if row["is_sandbox"])
    assert {row["end_reason"] for row in rows} >= {None, "USER_CLOSED", "USER_DISCONNECTED", "AGENT_HANG_UP", "UNKNOWN"}
    assert any(row["end_reason"] == "SERVER_ERROR" for row in rows)
