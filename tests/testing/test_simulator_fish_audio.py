"""Fish Audio in the simulator: what its list leaves out, what a session holds, what is delivered and refused."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from conversations_hub.schema import Channel, Direction, EndReason
from conversations_hub.testing import Simulator
from conversations_hub.testing.simulator._fish_audio import SIMULATED
from conversations_hub.testing.simulator._truth import Phase, Truth
from conversations_hub.testing.simulator._world import Call, World
from conversations_hub.wire import Response

from ..support.clock import ManualClock
from ..support.provider_lists import LISTS

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
LIST = LISTS["fish_audio"]
SESSIONS = "/v1/agent/sessions"


def served(conversations: int = 250, clock: ManualClock | None = None) -> World:
    simulator = Simulator(conversations=conversations, now=NOW, clock=clock or ManualClock(), providers=["fish_audio"])
    return simulator.worlds["fish_audio"]


def ask(
    world: World, target: str, method: str = "GET", *, key: str = "any", idempotency: str = "", **body: Any
) -> Response:
    headers = LIST.key(key) | ({"idempotency-key": idempotency} if idempotency else {})
    return SIMULATED.answer(Call(method, target, headers, msgspec.json.encode(body) if body else b""), world)


def read(answer: Response) -> Any:
    return msgspec.json.decode(answer.body)


def walked(world: World, filters: Mapping[str, str] | None = None, size: int = 40) -> list[str]:
    return list(LIST.walk(lambda asked: read(SIMULATED.answer(LIST.call(asked), world)), size, filters or {}))


def session(world: World, truth: Truth) -> dict[str, Any]:
    found: dict[str, Any] = read(ask(world, f"{SESSIONS}/{world.id(truth)}"))
    return found


def newest(world: World, holds: Callable[[Truth], bool]) -> Truth:
    return next(truth for truth in world.newest() if holds(truth))


def settled(world: World, **members: Any) -> Truth:
    def holds(truth: Truth) -> bool:
        return truth.phase(world.present) is Phase.SETTLED and all(
            getattr(truth, name) == value for name, value in members.items()
        )

    return newest(world, holds)


# the list


@pytest.mark.parametrize("conversations", [0, 1, 250])
@pytest.mark.parametrize("size", [1, 7, 100])
def test_pages_hold_every_session_once_the_newest_first(conversations: int, size: int) -> None:
    world = served(conversations)
    assert walked(world, size=size) == [world.id(truth) for truth in world.newest()]


def test_a_list_leaves_out_what_is_pending_unless_asked() -> None:
    world = served()
    rows = read(ask(world, f"{SESSIONS}?page_size=100"))["sessions"]
    assert len(rows) == 100
    assert {row["status"] for row in rows} == {"active", "completed", "failed"}
    pending = walked(world, {"status": "pending"})
    assert 0 < len(pending) < 30
    assert len(walked(world, {"status": "active,completed,failed,unknown"})) == 250 - len(pending)
    assert not any("items" in row or "analysis" in row for row in rows)


FILTERS: list[tuple[dict[str, str], Callable[[dict[str, Any]], bool]]] = [
    ({"agent_id": "ag_102"}, lambda row: row["agent_id"] == "ag_102"),
    ({"direction": "outbound"}, lambda row: row["direction"] == "outbound"),
    ({"status": "failed"}, lambda row: row["status"] == "failed"),
    ({"caller_number": "14155550107"}, lambda row: row["caller_number"] == "+14155550107"),
]


@pytest.mark.parametrize(("filters", "holds"), FILTERS)
def test_filters(filters: dict[str, str], holds: Callable[[dict[str, Any]], bool]) -> None:
    world = served(600)
    wanted = [world.id(truth) for truth in world.newest() if holds(session(world, truth))]
    assert 0 < len(wanted) < 600
    assert walked(world, filters) == wanted


def test_bounds_are_instants_of_creation() -> None:
    world = served()
    early, late = (world.corpus.created(index) for index in (100, 200))
    bounds = {
        name: datetime.fromtimestamp(moment, UTC).isoformat()
        for name, moment in (("created_after", early), ("created_before", late))
    }
    assert walked(world, bounds) == [world.corpus.id(index) for index in range(200, 99, -1)]


def test_pages_by_number_come_with_a_total_and_without_a_cursor() -> None:
    world = served()
    page = read(ask(world, f"{SESSIONS}?page=2&page_size=20&status=completed"))
    wanted = walked(world, {"status": "completed"})
    assert [row["session_id"] for row in page["sessions"]] == wanted[20:40]
    assert (page["total"], page["next_cursor"], page["has_more"]) == (len(wanted), None, True)
    assert read(ask(world, SESSIONS))["total"] is None


# one session


def test_a_web_session_waits_until_somebody_joins_and_a_dial_rings() -> None:
    clock = ManualClock()
    world = served(5, clock)
    web = read(ask(world, SESSIONS, "POST", agent_id="ag_7", metadata={"lead": 7}))
    dial = read(ask(world, "/v1/agent/phone-calls", "POST", agent_id="ag_7", phone_number_id="p", to_number="+4915112"))
    assert (web["transport"], dial["status"]) == ("livekit", "queued")
    ringing = read(ask(world, f"{SESSIONS}/{dial['session_id']}"))
    assert (ringing["status"], ringing["dial_status"], ringing["started_at"]) == ("active", None, None)
    clock.seconds = 20
    answered = read(ask(world, f"{SESSIONS}/{dial['session_id']}"))
    assert (answered["status"], answered["dial_status"], answered["direction"]) == ("active", "answered", "outbound")
    assert answered["caller_number"] == "+4915112"
    clock.seconds = 4000
    assert read(ask(world, f"{SESSIONS}/{dial['session_id']}"))["status"] == "completed"
    waiting = read(ask(world, f"{SESSIONS}/{web['session_id']}"))
    assert (waiting["status"], waiting["metadata"], waiting["items"]) == ("pending", {"lead": 7}, [])
    assert ask(world, f"{SESSIONS}/{web['session_id']}/end", "POST").status == 204
    assert read(ask(world, f"{SESSIONS}/{web['session_id']}"))["status"] == "completed"


def test_the_caller_is_the_person_whoever_called() -> None:
    world = served()
    for direction in Direction.INBOUND, Direction.OUTBOUND:
        truth = settled(world, channel=Channel.PHONE, direction=direction)
        assert session(world, truth)["caller_number"] == truth.phone
    assert session(world, settled(world, channel=Channel.WEB))["caller_number"] is None


def test_an_unanswered_dial_may_end_in_two_ways() -> None:
    world = served(600)
    found = {
        (told["status"], told["dial_status"])
        for truth in world.newest()
        if truth.channel is Channel.PHONE and truth.ending is EndReason.NO_ANSWER and truth.ended <= world.present
        for told in [session(world, truth)]
    }
    assert found == {
        ("completed", "busy"),
        ("completed", "no_answer"),
        ("failed", "busy"),
        ("failed", "no_answer"),
    }


def test_items_go_while_they_are_written_down_and_the_analysis_comes_with_them() -> None:
    clock = ManualClock()
    world = served(clock=clock)
    truth = newest(world, lambda truth: truth.phase(world.present) is Phase.LIVE)
    ends_in = truth.ended - world.present
    told: list[tuple[bool, str | None]] = []
    for seconds in (0.0, ends_in + 1, ends_in + 59, ends_in + 61):
        clock.seconds = seconds
        found = session(world, truth)
        told.append((bool(found["items"]), found["analysis"] and found["analysis"]["status"]))
    assert told == [(True, None), (False, "running"), (False, "running"), (True, "completed")]


def test_tools_are_called_and_answered_and_the_agent_s_own_end_the_session() -> None:
    world = served()
    items = session(world, settled(world, ending=EndReason.TRANSFERRED))["items"]
    assert [(item["type"], item["tool_name"]) for item in items[-2:]] == [
        ("tool_call", "transfer_call"),
        ("tool_result", "transfer_call"),
    ]
    hung_up = session(world, settled(world, ending=EndReason.AGENT_ENDED))["items"][-1]
    assert (hung_up["type"], hung_up["tool_name"], hung_up["input"]) == ("tool_call", "hang_up_call", "{}")
    used = newest(
        world,
        lambda truth: any(turn.tool for turn in world.turns(truth)) and truth.phase(world.present) is Phase.SETTLED,
    )
    kinds = [item["type"] for item in session(world, used)["items"]]
    assert kinds.index("tool_result") == kinds.index("tool_call") + 1


def test_recordings_have_a_track_for_each_speaker() -> None:
    world = served()
    answers = [ask(world, f"{SESSIONS}/{id}/recording") for id in walked(world)]
    assert {answer.status for answer in answers} == {200, 404}
    found = [read(answer) for answer in answers if answer.status == 200]
    assert {one["status"] for one in found} == {"processing", "complete"}
    for one in found:
        assert [track["role"] for track in one["tracks"]] == ["agent", "user"]
        assert all((track["url"] is not None) is (one["status"] == "complete") for track in one["tracks"])


# what is refused


@pytest.mark.parametrize(
    ("method", "target", "body", "status", "words"),
    [
        ("GET", f"{SESSIONS}?page_size=101", {}, 400, "page_size"),
        ("GET", f"{SESSIONS}?status=done", {}, 400, "status"),
        ("GET", f"{SESSIONS}?page=1&cursor=MS4w", {}, 400, "combined"),
        ("GET", f"{SESSIONS}?page=5000", {}, 400, "too deep"),
        ("GET", f"{SESSIONS}?created_after=soon", {}, 400, "created_after"),
        ("GET", f"{SESSIONS}/nobody", {}, 404, "Session not found"),
        ("GET", f"{SESSIONS}/nobody/recording", {}, 404, "Session not found"),
        ("POST", f"{SESSIONS}/nobody/end", {}, 404, "Session not found"),
        ("POST", SESSIONS, {"name": "x"}, 422, "agent_id"),
        ("POST", SESSIONS, {"agent_id": "a", "zz": 1}, 422, "zz"),
        ("POST", "/v1/agent/phone-calls", {"agent_id": "a", "phone_number_id": "p"}, 422, "to_number"),
        (
            "POST",
            "/v1/agent/phone-calls",
            {"agent_id": "a", "phone_number_id": "p", "to_number": "5"},
            422,
            "destination_not_allowed",
        ),
    ],
)
def test_refusals_have_the_provider_s_status_and_shape(
    method: str, target: str, body: dict[str, Any], status: int, words: str
) -> None:
    answer = ask(served(5), target, method, **body)
    told = read(answer)
    assert answer.status == status
    assert words in str(told)
    if isinstance(told, list):
        assert status == 422
    else:
        assert told["status"] == status
        assert isinstance(told["message"], str)


def test_a_bad_key_is_refused_in_words_and_a_missing_one_without() -> None:
    bad, missing = ask(served(5), SESSIONS, key="bad-key"), ask(served(5), SESSIONS, key="")
    assert (bad.status, read(bad)) == (401, {"status": 401, "message": "Invalid token"})
    assert (missing.status, missing.body, missing.headers["www-authenticate"]) == (401, b"", "Bearer")


def test_the_same_key_and_body_are_the_same_call_and_another_body_is_a_conflict() -> None:
    world = served(5)
    body = {"agent_id": "a", "phone_number_id": "p", "to_number": "+4915112"}
    first, again, other, conflict = (
        ask(world, "/v1/agent/phone-calls", "POST", idempotency=key, **{**body, "agent_id": agent})
        for key, agent in (("k1", "a"), ("k1", "a"), ("k2", "a"), ("k1", "b"))
    )
    assert read(first) == read(again) != read(other)
    assert (conflict.status, read(conflict)["reason"]) == (409, "idempotency_key_conflict")


# what is delivered


def test_deliveries_name_the_facts_otherwise_and_are_signed() -> None:
    world = served()
    assert SIMULATED.deliveries is not None
    assert SIMULATED.signed is not None
    truth = newest(
        world,
        lambda truth: (
            truth.channel is Channel.PHONE
            and truth.direction is Direction.OUTBOUND
            and truth.answered is not None
            and truth.phase(world.present) is Phase.SETTLED
        ),
    )
    sent = SIMULATED.deliveries(world, truth)
    assert [one.kind for one in sent] == ["phone_call.dial_finished", "call.ended", "call.analyzed"]
    assert [one.moment for one in sent] == sorted(one.moment for one in sent)
    dial, ended, analyzed = (msgspec.json.decode(one.body) for one in sent)
    assert (dial["dial_status"], dial["session"]["status"]) == ("answered", "active")
    assert ended["session"]["conversation_ended_at"] == session(world, truth)["ended_at"]
    assert analyzed["analysis"]["summary"] == truth.summary
    stamp = str(int(sent[0].moment))
    signature = hmac.new(b"secret", f"{stamp}.".encode() + sent[0].body, hashlib.sha256).hexdigest()
    assert SIMULATED.signed(sent[0], "secret") == {"X-Fish-Webhook-Signature": f"t={stamp},v1={signature}"}


def test_nothing_follows_a_dial_that_nobody_answered() -> None:
    world = served()
    assert SIMULATED.deliveries is not None
    missed = settled(world, channel=Channel.PHONE, ending=EndReason.NO_ANSWER)
    assert [one.kind for one in SIMULATED.deliveries(world, missed)] == ["phone_call.dial_finished"]
    assert not SIMULATED.deliveries(world, settled(world, channel=Channel.WEB, ending=EndReason.NO_ANSWER))
