"""Beyond Presence in the simulator: where a call stands, what is said, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from conversations_hub.testing import Simulator
from conversations_hub.testing.simulator._beyond_presence import SIMULATED
from conversations_hub.testing.simulator._truth import Phase, Truth
from conversations_hub.testing.simulator._world import Call, World
from conversations_hub.wire import Response

from ..support.clock import ManualClock
from ..support.provider_lists import LISTS

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
LIST = LISTS["beyond_presence"]


def served(conversations: int = 120, clock: ManualClock | None = None) -> World:
    simulator = Simulator(
        conversations=conversations, now=NOW, clock=clock or ManualClock(), providers=["beyond_presence"]
    )
    return simulator.worlds["beyond_presence"]


def ask(world: World, target: str, method: str = "GET", *, key: str = "any", **body: Any) -> Response:
    sent = msgspec.json.encode(body) if body else b""
    return SIMULATED.answer(Call(method, target, {"x-api-key": key}, sent), world)


def read(answer: Response) -> Any:
    return msgspec.json.decode(answer.body)


def newest(world: World, phase: Phase, *, is_held: bool = True) -> Truth:
    return next(
        truth
        for truth in world.newest()
        if truth.phase(world.present) is phase and (truth.answered is not None) is is_held
    )


@pytest.mark.parametrize("conversations", [0, 1, 120])
@pytest.mark.parametrize("size", [1, 7, 50])
def test_pages_hold_every_call_once_the_newest_first(conversations: int, size: int) -> None:
    world = served(conversations)
    found = list(LIST.walk(lambda asked: read(SIMULATED.answer(LIST.call(asked), world)), size, {}))
    assert found == [world.id(truth) for truth in world.newest()]
    assert len(found) == conversations


def test_a_page_has_ten_calls_unless_told() -> None:
    assert len(read(ask(served(), "/v1/calls"))["data"]) == 10


def test_both_names_of_the_list_give_the_same() -> None:
    world = served()
    id = world.id(newest(world, Phase.SETTLED))
    for path in ("", f"/{id}", f"/{id}/messages"):
        assert ask(world, f"/v1/conversations{path}").body == ask(world, f"/v1/calls{path}").body


@pytest.mark.parametrize(
    ("phase", "is_held", "members"),
    [
        (Phase.RINGING, True, {"type"}),
        (Phase.LIVE, True, {"type", "started_at"}),
        (Phase.PROCESSING, True, {"type", "started_at", "ended_at"}),
        (Phase.SETTLED, True, {"type", "started_at", "ended_at"}),
        (Phase.SETTLED, False, {"type"}),
    ],
)
def test_a_status_is_an_object_with_the_instants_that_are_known(
    phase: Phase, members: set[str], *, is_held: bool
) -> None:
    world = served()
    call = read(ask(world, f"/v1/calls/{world.id(newest(world, phase, is_held=is_held))}"))
    words = {1: "to_start", 2: "ongoing", 3: "completed"}
    assert call["status"].keys() == members
    assert call["status"]["type"] == words[len(members)]
    assert all(moment[-1] == "Z" and len(moment) == 20 for name, moment in call["status"].items() if name != "type")


def test_messages_are_there_while_it_runs_and_go_while_they_are_written_down() -> None:
    clock = ManualClock()
    world = served(clock=clock)
    truth = newest(world, Phase.LIVE)
    path = f"/v1/calls/{world.id(truth)}/messages"
    ends_in = truth.ended - world.present
    counts: list[int] = []
    for seconds in (0.0, ends_in - 1, ends_in + 1, ends_in + 59, ends_in + 61):
        clock.seconds = seconds
        counts.append(len(read(ask(world, path))))
    assert 0 < counts[0] < counts[1]
    assert counts[2:4] == [0, 0]
    assert counts[4] >= counts[1]


def test_messages_say_who_says_what_when_and_nothing_of_tools() -> None:
    world = served()
    truth = next(
        truth
        for truth in world.newest()
        if any(turn.tool for turn in world.turns(truth)) and truth.phase(world.present) is Phase.SETTLED
    )
    messages = read(ask(world, f"/v1/calls/{world.id(truth)}/messages"))
    assert len(messages) == sum(turn.tool is None for turn in world.turns(truth))
    assert all(message.keys() == {"message", "sent_at", "sender"} for message in messages)
    assert {message["sender"] for message in messages} == {"ai", "user"}


def test_a_started_call_waits_for_somebody_and_says_how_to_join() -> None:
    world = served(3)
    answer = ask(world, "/v1/calls", "POST", agent_id="agent-7", user_name="Visitor", tags={"source": "pricing"})
    call = read(answer)
    assert answer.status == 201
    assert call["livekit_token"].count(".") == 2
    assert call["livekit_url"].startswith("wss://")
    stored = read(ask(world, f"/v1/calls/{call['id']}"))
    assert stored == {name: value for name, value in call.items() if not name.startswith("livekit")}
    assert (stored["status"], stored["tags"]) == ({"type": "to_start"}, {"source": "pricing"})


@pytest.mark.parametrize(
    ("method", "target", "body", "status", "words"),
    [
        ("GET", "/v1/calls?limit=51", {}, 422, "limit"),
        ("GET", "/v1/calls?limit=0", {}, 422, "limit"),
        ("GET", "/v1/calls?cursor=%25%25", {}, 422, "cursor"),
        ("GET", "/v1/calls/nobody", {}, 404, "Call not found"),
        ("GET", "/v1/conversations/nobody/messages", {}, 404, "Call not found"),
        ("DELETE", "/v1/calls/nobody", {}, 404, "Not Found"),
        ("POST", "/v1/calls", {}, 422, "object"),
        ("POST", "/v1/calls", {"user_name": "Visitor"}, 422, "agent_id"),
        ("POST", "/v1/calls", {"agent_id": "a", "user_email": 7}, 422, "user_email"),
        ("POST", "/v1/calls", {"agent_id": "a", "tags": {"name": "x" * 101}}, 422, "tags"),
        ("POST", "/v1/calls", {"agent_id": "a", "tags": {str(n): "x" for n in range(11)}}, 422, "tags"),
    ],
)
def test_refusals_have_the_provider_s_status_and_shape(
    method: str, target: str, body: dict[str, Any], status: int, words: str
) -> None:
    answer = ask(served(5), target, method, **body)
    assert answer.status == status
    detail = read(answer)["detail"]
    assert words in str(detail)
    assert isinstance(detail, list if status == 422 else str)


@pytest.mark.parametrize("key", ["", "bad-key"])
def test_a_bad_or_missing_key_is_refused(key: str) -> None:
    answer = ask(served(5), "/v1/auth/verify", key=key)
    assert (answer.status, type(read(answer)["detail"])) == (401, str)
    assert ask(served(5), "/v1/auth/verify").status == 204


def test_every_message_is_delivered_and_the_evaluation_at_the_end() -> None:
    world = served()
    assert SIMULATED.deliveries is not None
    truth = newest(world, Phase.SETTLED)
    *messages, ended = SIMULATED.deliveries(world, truth)
    told = read(ask(world, f"/v1/calls/{world.id(truth)}/messages"))
    assert [msgspec.json.decode(one.body)["message"] for one in messages] == told
    last = msgspec.json.decode(ended.body)
    assert (last["event_type"], last["messages"]) == ("call_ended", told)
    assert last["evaluation"]["messages_count"] == len(told)
    assert not SIMULATED.deliveries(world, newest(world, Phase.SETTLED, is_held=False))
    assert SIMULATED.signed is None
