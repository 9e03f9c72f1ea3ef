"""Intercom in the simulator: conversations that do not end for good, a search that is a POST, parts in HTML."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import aiohttp
import msgspec
import pytest

from conversations_hub.schema import Channel, Direction, EndReason
from conversations_hub.testing import Faults, Simulator
from conversations_hub.testing.simulator._intercom import SIMULATED
from conversations_hub.testing.simulator._truth import Phase, Truth
from conversations_hub.testing.simulator._world import Call, World
from conversations_hub.wire import Response

from ..support.clock import ManualClock
from ..support.provider_lists import LISTS

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
LIST = LISTS["intercom"]
DAYS = 86400.0


def served(conversations: int = 250, clock: ManualClock | None = None) -> World:
    simulator = Simulator(conversations=conversations, now=NOW, clock=clock or ManualClock(), providers=["intercom"])
    return simulator.worlds["intercom"]


def ask(world: World, target: str, method: str = "GET", *, key: str = "any", **body: Any) -> Response:
    return SIMULATED.answer(Call(method, target, LIST.key(key), msgspec.json.encode(body) if body else b""), world)


def read(answer: Response) -> Any:
    return msgspec.json.decode(answer.body)


def walked(world: World, size: int) -> list[str]:
    return list(LIST.walk(lambda asked: read(SIMULATED.answer(LIST.call(asked), world)), size, {}))


def found(world: World, query: dict[str, Any], size: int = 40) -> list[str]:
    """Return the ids of all pages of a search."""
    ids: list[str] = []
    cursor: str | None = None
    while True:
        paging = {"per_page": size, "starting_after": cursor}
        page = read(ask(world, "/conversations/search", "POST", query=query, pagination=paging))
        ids += [row["id"] for row in page["conversations"]]
        if page["pages"]["next"] is None:
            assert len(ids) == page["total_count"]
            return ids
        cursor = page["pages"]["next"]["starting_after"]


def conversation(world: World, truth: Truth, *, plain: bool = True) -> dict[str, Any]:
    below = "?display_as=plaintext" if plain else ""
    told: dict[str, Any] = read(ask(world, f"/conversations/{world.id(truth)}{below}"))
    return told


def parts(world: World, truth: Truth) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = conversation(world, truth)["conversation_parts"]["conversation_parts"]
    return told


def newest(world: World, holds: Callable[[Truth], bool]) -> Truth:
    return next(truth for truth in world.newest() if holds(truth))


def with_fate(world: World, fate: int) -> Truth:
    def holds(truth: Truth) -> bool:
        is_late = truth.answered is not None and truth.ended + 3 * DAYS < world.present
        return is_late and truth.variant >> 3 & 3 == fate

    return newest(world, holds)


# lists and searches


@pytest.mark.parametrize("conversations", [0, 1, 250])
@pytest.mark.parametrize("size", [1, 7, 150])
def test_pages_hold_every_conversation_once_and_no_parts(conversations: int, size: int) -> None:
    world = served(conversations)
    assert walked(world, size) == [world.id(truth) for truth in world.newest()]
    assert not any("conversation_parts" in row for row in read(ask(world, "/conversations"))["conversations"])


SEARCHES: list[tuple[dict[str, Any], Callable[[dict[str, Any]], bool]]] = [
    ({"field": "state", "operator": "=", "value": "open"}, lambda row: row["state"] == "open"),
    ({"field": "source.type", "operator": "IN", "value": ["email"]}, lambda row: row["source"]["type"] == "email"),
    ({"field": "ai_agent_participated", "operator": "!=", "value": True}, lambda row: not row["ai_agent_participated"]),
    (
        {
            "operator": "OR",
            "value": [
                {"field": "state", "operator": "=", "value": "snoozed"},
                {"field": "source.author.type", "operator": "=", "value": "user"},
            ],
        },
        lambda row: row["state"] == "snoozed" or row["source"]["author"]["type"] == "user",
    ),
]


@pytest.mark.parametrize(("query", "holds"), SEARCHES)
def test_a_search(query: dict[str, Any], holds: Callable[[dict[str, Any]], bool]) -> None:
    world = served(400)
    wanted = [world.id(truth) for truth in world.newest() if holds(conversation(world, truth))]
    assert 0 < len(wanted) < 400
    assert found(world, query) == wanted


def test_bounds_are_whole_seconds_that_count_themselves() -> None:
    world = served()
    early, late = (int(world.corpus.created(index)) for index in (100, 200))
    bounds = [
        {"field": "created_at", "operator": ">", "value": early},
        {"field": "created_at", "operator": "<", "value": late},
    ]
    assert found(world, {"operator": "AND", "value": bounds}, 7) == [
        world.corpus.id(index) for index in range(200, 99, -1)
    ]


def test_a_search_by_update_finds_what_began_long_ago_and_comes_in_that_order() -> None:
    world = served()
    since = int(world.present - 5 * DAYS)
    ids = found(world, {"field": "updated_at", "operator": ">", "value": since}, 9)
    rows = {world.id(truth): conversation(world, truth) for truth in world.newest()}
    assert {*ids} == {id for id, row in rows.items() if row["updated_at"] >= since}
    updates = [rows[id]["updated_at"] for id in ids]
    assert updates == sorted(updates, reverse=True)
    assert any(rows[id]["created_at"] < since for id in ids)


# how a conversation goes on


def test_a_conversation_is_open_then_written_down_then_closed_and_days_later_open_again() -> None:
    clock = ManualClock()
    world = served(clock=clock)
    live = newest(world, lambda truth: truth.phase(world.present) is Phase.LIVE)
    ends_in = live.ended - world.present
    told: list[tuple[str, bool, int]] = []
    for seconds in (0.0, ends_in + 1, ends_in + 61):
        clock.seconds = seconds
        one = conversation(world, live)
        told.append((one["state"], one["source"]["body"] is not None, one["updated_at"]))
    assert [one[:2] for one in told] == [("open", True), ("closed", False), ("closed", True)]
    assert [one[2] for one in told] == sorted(one[2] for one in told)


@pytest.mark.parametrize(
    ("fate", "state", "kind"), [(0, "open", "open"), (1, "snoozed", "snoozed"), (2, "closed", "note")]
)
def test_something_happens_days_after_the_end(fate: int, state: str, kind: str) -> None:
    world = served()
    truth = with_fate(world, fate)
    one = conversation(world, truth)
    last = one["conversation_parts"]["conversation_parts"][-1]
    assert (one["state"], last["part_type"], last["created_at"]) == (state, kind, int(truth.ended + 3 * DAYS))
    assert one["updated_at"] == last["created_at"]
    assert (one["snoozed_until"] is not None) is (state == "snoozed")


def test_the_first_message_is_the_source_and_the_rest_are_parts() -> None:
    world = served()
    truth = with_fate(world, 3)
    said = [turn.text for turn in world.turns(truth) if turn.tool is None]
    one = conversation(world, truth)
    bodies = [part["body"] for part in parts(world, truth) if part["body"] is not None]
    assert [one["source"]["body"], *bodies] == said
    assert one["statistics"]["count_conversation_parts"] == one["conversation_parts"]["total_count"]


def test_bodies_are_html_unless_plain_text_is_asked_for() -> None:
    world = served()
    truth = with_fate(world, 3)
    rich, plain = (conversation(world, truth, plain=plain)["source"]["body"] for plain in (False, True))
    assert rich == f"<p>{plain}</p>"


def test_tools_are_events_without_arguments() -> None:
    world = served()
    truth = newest(
        world,
        lambda truth: truth.phase(world.present) is Phase.SETTLED and any(turn.tool for turn in world.turns(truth)),
    )
    events = [part for part in parts(world, truth) if part["event_details"]]
    assert [part["part_type"] for part in events[:2]] == ["custom_action_started", "custom_action_finished"]
    assert {part["body"] for part in events} == {None}
    assert events[1]["event_details"]["action"]["result"] in {"success", "failed"}


def test_only_the_newest_500_parts_are_there() -> None:
    world = served(5)
    truth = next(world.newest())
    about = {"type": "comment", "by": "user", "state": None, "admin": None, "at": world.present}
    world.note(truth, parts=[{**about, "body": f"{number}"} for number in range(510)])
    told = conversation(world, truth)["conversation_parts"]
    assert (len(told["conversation_parts"]), told["conversation_parts"][-1]["body"]) == (500, "509")
    assert told["total_count"] >= 510


# what calls change


def test_a_conversation_is_written_answered_and_closed() -> None:
    clock = ManualClock()
    world = served(5, clock)
    wanted: dict[str, Any] = {"from": {"type": "user", "id": "u1"}, "body": "Hi <b>"}
    message = read(ask(world, "/conversations", "POST", **wanted))
    path = f"/conversations/{message['conversation_id']}"
    clock.seconds = 10
    replied = read(ask(world, f"{path}/reply", "POST", message_type="comment", type="admin", admin_id="7", body="Yes?"))
    closed = read(ask(world, f"{path}/parts", "POST", message_type="close", type="admin", admin_id="7"))
    assert replied["source"]["body"] == "<p>Hi &lt;b&gt;</p>"
    assert replied["contacts"]["contacts"][0]["id"] == "u1"
    assert replied["conversation_parts"]["conversation_parts"][-1]["author"]["id"] == "7"
    assert (replied["state"], closed["state"]) == ("open", "closed")
    clock.seconds = 100
    again = read(ask(world, f"{path}/reply", "POST", message_type="comment", type="user", body="Still there?"))
    assert (again["state"], again["conversation_parts"]["conversation_parts"][-1]["part_type"]) == ("open", "open")
    assert read(ask(world, path, "DELETE"))["deleted"] is True
    assert ask(world, path).status == 404


# calls


def test_a_call_is_a_resource_of_its_own() -> None:
    world = served()
    truth = newest(
        world,
        lambda truth: (
            truth.channel is Channel.PHONE
            and truth.answered is not None
            and truth.phase(world.present) is Phase.SETTLED
        ),
    )
    [call] = read(ask(world, "/calls/search", "POST", conversation_ids=[world.id(truth)]))["data"]
    assert (call["conversation_id"], call["phone"], call["state"]) == (world.id(truth), truth.phone, "completed")
    assert read(ask(world, f"/calls/{call['id']}"))["id"] == call["id"]
    recording = ask(world, f"/calls/{call['id']}/recording")
    assert (recording.status, recording.headers["location"][:8]) == (302, "https://")
    assert b"assistant: " in ask(world, f"/calls/{call['id']}/transcript").body
    [voice] = read(ask(world, f"/fin_voice/conversation/{world.id(truth)}"))
    assert (voice["call_summary"], voice["user_phone_number"]) == (truth.summary[:256], truth.phone)
    listed = read(ask(world, "/calls?page=2&per_page=10"))
    assert (len(listed["data"]), listed["pages"]["page"]) == (10, 2)


# what is refused


@pytest.mark.parametrize(
    ("method", "target", "body", "status", "code"),
    [
        ("GET", "/conversations?per_page=151", {}, 400, "parameter_invalid"),
        ("GET", "/conversations?per_page=many", {}, 400, "parameter_invalid"),
        ("GET", "/conversations?starting_after=zz", {}, 400, "parameter_invalid"),
        ("GET", "/conversations/nobody", {}, 404, "not_found"),
        ("POST", "/conversations/nobody/reply", {}, 404, "not_found"),
        ("POST", "/conversations/search", {}, 400, "parameter_invalid"),
        (
            "POST",
            "/conversations/search",
            {"query": {"field": "zz", "operator": "=", "value": 1}},
            400,
            "parameter_invalid",
        ),
        (
            "POST",
            "/conversations/search",
            {"query": {"operator": "AND", "value": [{"field": "id", "operator": "=", "value": "1"}] * 16}},
            400,
            "parameter_invalid",
        ),
        (
            "POST",
            "/conversations/search",
            {"query": {"field": "created_at", "operator": ">", "value": "soon"}},
            400,
            "parameter_invalid",
        ),
        ("POST", "/calls/search", {"conversation_ids": []}, 400, "conversation_id_limit_exceeded"),
        ("POST", "/calls/search", {"conversation_ids": ["1"] * 21}, 400, "conversation_id_limit_exceeded"),
        ("GET", "/calls?per_page=26", {}, 400, "parameter_invalid"),
        ("GET", "/contacts", {}, 404, "not_found"),
    ],
)
def test_refusals_have_the_provider_s_status_and_shape(
    method: str, target: str, body: dict[str, Any], status: int, code: str
) -> None:
    answer = ask(served(5), target, method, **body)
    told = read(answer)
    assert (answer.status, told["type"], told["errors"][0]["code"]) == (status, "error.list", code)


@pytest.mark.parametrize("key", ["", "bad-key"])
def test_a_key_is_refused(key: str) -> None:
    answer = ask(served(5), "/conversations", key=key)
    assert (answer.status, read(answer)["errors"][0]["message"]) == (401, "Access Token Invalid")


def test_a_version_that_is_not_there_is_refused() -> None:
    headers = {**LIST.key("any"), "intercom-version": "3.0"}
    answer = SIMULATED.answer(Call("GET", "/conversations", headers), served(5))
    assert (answer.status, read(answer)["errors"][0]["code"]) == (400, "intercom_version_invalid")


async def test_a_limit_resets_at_an_instant() -> None:
    faults = Faults(requests_per_second=0.5, burst=1)
    running = Simulator(conversations=1, now=NOW, faults=faults, clock=ManualClock(), providers=["intercom"])
    async with running, aiohttp.ClientSession() as session:
        url = f"{running.base_url('intercom')}/conversations"
        async with session.get(url, headers=LIST.key("any")) as answer:
            assert answer.headers["x-ratelimit-reset"] == str(int(NOW.timestamp()) + 2)


# what is delivered


def test_a_delivery_has_the_part_that_caused_it_in_plain_text_and_is_signed() -> None:
    world = served()
    assert SIMULATED.deliveries is not None
    assert SIMULATED.signed is not None
    sent = SIMULATED.deliveries(world, with_fate(world, 0))
    assert [one.kind for one in sent] == [
        "conversation.user.created",
        "conversation.admin.closed",
        "conversation.operator.replied",
        "conversation.user.replied",
    ]
    last = msgspec.json.decode(sent[-1].body)
    [part] = last["data"]["item"]["conversation_parts"]["conversation_parts"]
    assert (part["part_type"], part["body"]) == ("open", "One more thing: is that still so?")
    assert (last["data"]["item"]["state"], last["created_at"]) == ("open", part["created_at"])
    digest = hmac.new(b"secret", sent[-1].body, hashlib.sha1).hexdigest()
    assert SIMULATED.signed(sent[-1], "secret") == {"X-Hub-Signature": f"sha1={digest}"}


def test_who_asks_is_told_who_writes_to_whom() -> None:
    world = served()
    for direction, word in ((Direction.INBOUND, {"customer_initiated"}), (Direction.OUTBOUND, _OUTBOUND)):
        [truth, *_] = [one for one in world.newest() if one.direction is direction]
        assert conversation(world, truth)["source"]["delivered_as"] in word
    handed = newest(world, lambda truth: truth.ending is EndReason.TRANSFERRED)
    assert "assignment" in {part["part_type"] for part in parts(world, handed)}
    assert conversation(world, handed)["teammates"]["teammates"][0]["type"] == "admin"


_OUTBOUND = {"admin_initiated", "campaigns_initiated", "automated"}
