"""AssemblyAI in the simulator: one list, files with signed URLs, what is delivered and refused."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from conversations_hub.schema import Channel, Direction, EndReason, Role
from conversations_hub.testing import Simulator
from conversations_hub.testing.simulator._assemblyai import SIMULATED
from conversations_hub.testing.simulator._truth import Phase, Truth
from conversations_hub.testing.simulator._world import Call, World
from conversations_hub.wire import Response

from ..support.clock import ManualClock
from ..support.provider_lists import LISTS

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
LIST = LISTS["assemblyai"]
KEY = {"authorization": "any-key"}


def served(conversations: int = 250, clock: ManualClock | None = None) -> World:
    simulator = Simulator(conversations=conversations, now=NOW, clock=clock or ManualClock(), providers=["assemblyai"])
    return simulator.worlds["assemblyai"]


def ask(world: World, target: str, method: str = "GET", headers: Mapping[str, str] | None = None) -> Response:
    return SIMULATED.answer(Call(method, target, KEY if headers is None else headers), world)


def read(answer: Response) -> Any:
    return msgspec.json.decode(answer.body)


def walked(world: World, size: int = 40, **filters: str) -> list[str]:
    return list(LIST.walk(lambda asked: read(SIMULATED.answer(LIST.call(asked), world)), size, filters))


def session(world: World, truth: Truth) -> dict[str, Any]:
    found: dict[str, Any] = read(ask(world, f"/v1/sessions/{world.id(truth)}", headers={**KEY, "host": "here:1"}))
    return found


def url_of(world: World, truth: Truth, kind: str) -> str:
    [url] = [str(one["url"]) for one in session(world, truth)["artifacts"] if one["type"] == kind]
    return url


def file(world: World, truth: Truth, kind: str, headers: Mapping[str, str] | None = None) -> Response:
    """Fetch a file by its URL, without the key."""
    url = url_of(world, truth, kind)
    assert url.startswith("http://here:1/assemblyai/artifacts/")
    return ask(world, url.removeprefix("http://here:1/assemblyai"), headers=headers or {})


def settled(world: World, **members: Any) -> Truth:
    def holds(truth: Truth) -> bool:
        is_settled = truth.answered is not None and truth.phase(world.present) is Phase.SETTLED
        return is_settled and all(getattr(truth, name) == value for name, value in members.items())

    return next(truth for truth in world.newest() if holds(truth))


@pytest.mark.parametrize("size", [1, 7, 50, 200])
@pytest.mark.parametrize("conversations", [0, 1, 250])
def test_pages_hold_every_session_once_the_newest_first(conversations: int, size: int) -> None:
    world = served(conversations)
    assert walked(world, size) == [world.id(truth) for truth in world.newest()]


def test_a_page_has_fifty_sessions_unless_told_and_the_cursor_beside_them() -> None:
    page = read(ask(served(), "/v1/sessions"))
    assert page.keys() == {"sessions", "has_more", "response_metadata"}
    assert (len(page["sessions"]), page["has_more"]) == (50, True)
    last = read(ask(served(1), "/v1/sessions"))
    assert (last["has_more"], last["response_metadata"]) == (False, {"next_cursor": None})


def test_the_list_filters_by_status_and_agent() -> None:
    world = served()
    assert set(walked(world, status="active")) == {world.id(truth) for truth in world.running()}
    rows = [read(ask(world, f"/v1/sessions/{id}")) for id in walked(world, agent_id="agent_101")]
    assert rows
    assert {row["agent_id"] for row in rows} == {"agent_101"}
    assert None in {row["agent_id"] for row in read(ask(world, "/v1/sessions?limit=200"))["sessions"]}


def test_a_session_that_runs_has_neither_end_nor_files() -> None:
    world = served()
    found = session(world, world.running()[0])
    assert (found["status"], found["artifacts"]) == ("active", [])
    assert (found["ended_at"], found["duration_seconds"], found["public_close_reason"]) == (None, None, None)


def test_files_come_a_minute_after_the_end() -> None:
    clock = ManualClock()
    world = served(clock=clock)
    truth = next(one for one in world.newest() if one.phase(world.present) is Phase.PROCESSING)
    found = session(world, truth)
    assert (found["status"], found["artifacts"]) == ("completed", [])
    clock.seconds += 61
    assert [one["type"] for one in session(world, truth)["artifacts"]] == ["audio", "timeline", "metadata"]


def test_a_row_and_its_details_agree() -> None:
    world = served()
    for row in read(ask(world, "/v1/sessions"))["sessions"]:
        details = read(ask(world, f"/v1/sessions/{row['id']}"))
        assert row == {name: value for name, value in details.items() if name not in {"config", "artifacts"}}


def test_the_timeline_has_all_that_was_said() -> None:
    world = served()
    for truth in [one for one in world.newest() if one.phase(world.present) is Phase.SETTLED and one.answered][:60]:
        told = read(file(world, truth, "timeline"))
        turns = world.turns(truth)
        users = [entry["user_transcript"] for entry in told["turns"] if entry["user_transcript"] is not None]
        agents = [entry["agent_text"] for entry in told["turns"] if entry["agent_text"] is not None]
        tools = [tool["call_id"] for entry in told["turns"] for tool in entry.get("tool_calls", ())]
        assert users == [turn.text for turn in turns if turn.role is Role.USER]
        assert agents == [turn.text for turn in turns if turn.role is Role.ASSISTANT]
        assert tools == [turn.tool.call_id for turn in turns if turn.tool]
        assert told["turns"][0]["trigger"] == "greeting"


def test_instants_are_absolute_or_offsets_and_some_are_missing() -> None:
    world = served()
    truths = [one for one in world.newest() if one.phase(world.present) is Phase.SETTLED and one.answered]
    entries = [entry for one in truths for entry in read(file(world, one, "timeline"))["turns"]]
    spoken = [entry["user_speech_started_at_ms"] for entry in entries if entry["user_transcript"]]
    assert {moment > 1e11 for moment in spoken} == {True, False}
    assert None in {entry["agent_reply_started_at_ms"] for entry in entries}
    assert {entry["status"] for entry in entries} == {"completed", "interrupted"}
    assert {entry["trigger"] for entry in entries} == {"greeting", "user_speech", "reply_create"}


def test_a_file_wants_its_signature_and_no_key() -> None:
    clock = ManualClock()
    world = served(clock=clock)
    truth = settled(world)
    assert file(world, truth, "audio").body.startswith(b"OggS")
    assert read(file(world, truth, "metadata"))["channels"] == 2
    assert file(world, truth, "timeline", headers=KEY).status == 400
    path = f"/artifacts/{world.id(truth)}/timeline"
    assert ask(world, path, headers={}).status == 403
    assert ask(world, f"{path}?Signature=a&Expires=1", headers={}).status == 403
    url = url_of(world, truth, "timeline")
    clock.seconds += timedelta(hours=2).total_seconds()
    late = ask(world, url.removeprefix("http://here:1/assemblyai"), headers={})
    assert (late.status, b"expired" in late.body) == (403, True)


def test_secrets_of_the_configuration_are_encrypted() -> None:
    world = served()
    truth = settled(world)
    assert "api_key_ciphertext" in session(world, truth)["config"]["llm"][0]
    [change] = read(file(world, truth, "timeline"))["config_changes"]
    assert "headers_ciphertext" in change["config"]["tools"][0]["http"]


def test_agents_have_names() -> None:
    world = served(1)
    agents = read(ask(world, "/v1/agents"))["agents"]
    assert read(ask(world, f"/v1/agents/{agents[0]['id']}")) == agents[0]


def test_a_deleted_session_is_gone() -> None:
    world = served()
    id = world.id(settled(world))
    answer = ask(world, f"/v1/sessions/{id}", "DELETE")
    assert (answer.status, answer.body) == (204, b"")
    assert ask(world, f"/v1/sessions/{id}").status == 404
    assert id not in walked(world)


@pytest.mark.parametrize(
    ("target", "status", "words"),
    [
        ("/v1/sessions/sess_0000000000", 404, "Session not found"),
        ("/v1/agents/agent_0", 404, "Agent not found"),
        ("/v1/sessions?limit=201", 422, "limit"),
        ("/v1/sessions?cursor=zz", 422, "cursor"),
        ("/v1/other", 404, "Not found"),
    ],
)
def test_refusals_have_the_provider_s_status_and_shape(target: str, status: int, words: str) -> None:
    answer = ask(served(3), target)
    assert answer.status == status
    assert words in LIST.words(read(answer))  # type: ignore[operator]


@pytest.mark.parametrize("key", ["", "bad-key", "Bearer bad-key"])
def test_a_bad_or_missing_key_is_refused(key: str) -> None:
    answer = ask(served(3), "/v1/sessions", headers={"authorization": key})
    assert (answer.status, read(answer)) == (401, {"error": "Unauthorized"})
    assert ask(served(3), "/v1/sessions", headers={"authorization": "Bearer any"}).status == 200


def test_calls_are_delivered_with_their_files_and_sessions_without() -> None:
    world = served()
    call = settled(world, channel=Channel.PHONE, direction=Direction.INBOUND, ending=EndReason.CUSTOMER_ENDED)
    assert SIMULATED.deliveries is not None
    sent = SIMULATED.deliveries(world, call)
    assert [one.kind for one in sent] == ["session.started", "call.connected", "session.completed", "call.ended"]
    first, last = (msgspec.json.decode(one.body)["call"] for one in (sent[1], sent[3]))
    assert (first["transcript_url"], first["recording_url"]) == (None, None)
    assert urlsplit(str(last["transcript_url"])).hostname == (
        "speech-to-speech-production-eu-west-1-sessions.s3.amazonaws.com"
    )
    broken = settled(world, channel=Channel.PHONE, direction=Direction.INBOUND, ending=EndReason.ERROR)
    kinds = [one.kind for one in SIMULATED.deliveries(world, broken)]
    assert kinds == ["session.started", "call.connected", "session.completed", "call.failed"]
    web = settled(world, channel=Channel.WEB)
    assert [one.kind for one in SIMULATED.deliveries(world, web)] == ["session.started", "session.completed"]


def test_deliveries_are_signed_with_their_time() -> None:
    world = served()
    assert SIMULATED.deliveries is not None
    assert SIMULATED.signed is not None
    sent = SIMULATED.deliveries(world, settled(world))[0]
    stamp, _, signature = SIMULATED.signed(sent, "secret")["X-AAI-Signature"].partition(",v1=")
    signed = f"{stamp.removeprefix('t=')}.".encode() + sent.body
    assert signature == hmac.new(b"secret", signed, hashlib.sha256).hexdigest()
