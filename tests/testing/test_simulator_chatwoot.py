"""Chatwoot in the simulator: what its list leaves out, messages apart, and conversations that do not end for good."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from conversations_hub.schema import Channel, EndReason
from conversations_hub.testing import Simulator
from conversations_hub.testing.simulator._chatwoot import SIMULATED
from conversations_hub.testing.simulator._truth import Phase, Truth
from conversations_hub.testing.simulator._world import Call, World
from conversations_hub.wire import Response

from ..support.clock import ManualClock
from ..support.provider_lists import LISTS

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
LIST = LISTS["chatwoot"]
PATH = LIST.path
DAYS = 86400.0


def served(conversations: int = 250, clock: ManualClock | None = None) -> World:
    simulator = Simulator(conversations=conversations, now=NOW, clock=clock or ManualClock(), providers=["chatwoot"])
    return simulator.worlds["chatwoot"]


def ask(world: World, below: str = "", method: str = "GET", *, key: str = "any", **body: Any) -> Response:
    sent = msgspec.json.encode(body) if body else b""
    return SIMULATED.answer(Call(method, f"{PATH}{below}", LIST.key(key), sent), world)


def read(answer: Response) -> Any:
    return msgspec.json.decode(answer.body)


def walked(world: World, **filters: str) -> list[str]:
    return list(LIST.walk(lambda asked: read(SIMULATED.answer(LIST.call(asked), world)), 0, filters))


def conversation(world: World, truth: Truth) -> dict[str, Any]:
    told: dict[str, Any] = read(ask(world, f"/{world.id(truth)}"))
    return told


def messages(world: World, truth: Truth, query: str = "after=0") -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = read(ask(world, f"/{world.id(truth)}/messages?{query}"))["payload"]
    return told


def newest(world: World, holds: Callable[[Truth], bool]) -> Truth:
    return next(truth for truth in world.newest() if holds(truth))


def with_fate(world: World, fate: int) -> Truth:
    def holds(truth: Truth) -> bool:
        is_late = truth.answered is not None and truth.ended + 3 * DAYS < world.present
        return is_late and truth.variant >> 3 & 3 == fate

    return newest(world, holds)


# the list


@pytest.mark.parametrize("conversations", [0, 1, 50, 51, 250])
def test_pages_hold_every_conversation_once(conversations: int) -> None:
    world = served(conversations)
    assert walked(world) == [world.id(truth) for truth in world.newest()]
    assert walked(world, sort_by="created_at_asc") == [world.id(truth) for truth in world.newest()][::-1]


def test_a_list_has_open_conversations_only_unless_asked_and_the_most_active_first() -> None:
    world = served()
    data = read(ask(world))["data"]
    rows = data["payload"]
    assert {row["status"] for row in rows} == {"open"}
    assert 0 < data["meta"]["all_count"] < 250
    assert [row["last_activity_at"] for row in rows] == sorted((row["last_activity_at"] for row in rows), reverse=True)


FILTERS: list[tuple[dict[str, str], Callable[[dict[str, Any]], bool]]] = [
    ({"status": "snoozed"}, lambda row: row["status"] == "snoozed"),
    ({"status": "pending"}, lambda row: row["status"] == "pending"),
    ({"assignee_type": "assigned"}, lambda row: "assignee" in row["meta"]),
    ({"inbox_id": "2"}, lambda row: row["meta"]["channel"] == "Channel::Email"),
    ({"labels[]": "vip"}, lambda row: row["labels"] == ["vip"]),
]


@pytest.mark.parametrize(("filters", "holds"), FILTERS)
def test_filters(filters: dict[str, str], holds: Callable[[dict[str, Any]], bool]) -> None:
    world = served()
    wanted = [world.id(truth) for truth in world.newest() if holds(conversation(world, truth))]
    assert 0 < len(wanted) < 250
    assert walked(world, **filters) == wanted


def test_pages_are_as_long_as_the_operator_says_and_what_was_updated_comes_on_one() -> None:
    world = served()
    assert len(read(ask(world, "?status=all&per_page=3"))["data"]["payload"]) == 50
    span = 4 * 86400
    rows = read(ask(world, f"?status=all&updated_within={span}"))["data"]["payload"]
    assert len(rows) > 50
    assert min(row["last_activity_at"] for row in rows) >= int(world.present) - span
    assert any(row["created_at"] < world.present - span for row in rows)


def test_a_filter_is_a_post_whose_answer_has_no_envelope() -> None:
    world = served()
    day = datetime.fromtimestamp(world.present - 3 * DAYS, UTC).date().isoformat()
    conditions = [
        {"attribute_key": "created_at", "filter_operator": "is_greater_than", "values": [day], "query_operator": "AND"},
        {"attribute_key": "status", "filter_operator": "equal_to", "values": ["resolved"], "query_operator": None},
    ]
    told = read(ask(world, "/filter?page=1", "POST", payload=conditions))
    assert told["meta"]["all_count"] >= len(told["payload"]) > 0
    assert {row["status"] for row in told["payload"]} == {"resolved"}
    assert read(ask(world, "/meta"))["meta"]["all_count"] == 250


# one conversation


def test_a_conversation_has_its_last_message_only_and_the_messages_are_apart() -> None:
    world = served()
    truth = with_fate(world, 3)
    everything = messages(world, truth)
    said = [turn.text for turn in world.turns(truth) if turn.tool is None]
    assert [one["content"] for one in everything if one["message_type"] != 2 and one["content"]] == said
    assert conversation(world, truth)["messages"] == everything[-1:]
    assert [one["id"] for one in everything] == sorted({one["id"] for one in everything})


def test_messages_are_paged_by_their_ids() -> None:
    world = served()
    truth = newest(world, lambda truth: len(messages(world, truth)) > 25)
    everything = messages(world, truth)
    ids = [one["id"] for one in everything]
    assert messages(world, truth, "") == everything[-20:]
    assert messages(world, truth, f"before={ids[22]}") == everything[2:22]
    assert messages(world, truth, f"after={ids[3]}") == everything[4:]
    assert messages(world, truth, f"after={ids[3]}&before={ids[6]}") == everything[3:6]
    assert messages(world, truth, f"after={ids[-1]}") == []
    public = messages(world, truth, "after=0&filter_internal_messages=true")
    assert {one["message_type"] for one in public} == {0, 1}


def test_after_an_id_a_hundred_messages_come() -> None:
    world = served(5)
    truth = next(world.newest())
    usual = {"number": 0, "kind": 0, "by": None, "private": False, "content_type": "text", "status": None}
    world.note(truth, added=[{**usual, "content": f"{number}", "at": world.present} for number in range(120)])
    first = messages(world, truth)
    assert len(first) == 100
    assert messages(world, truth, f"after={first[-1]['id']}")[-1]["content"] == "119"


def test_a_conversation_is_pending_then_written_down_then_resolved() -> None:
    clock = ManualClock()
    world = served(clock=clock)
    live = newest(world, lambda truth: truth.phase(world.present) is Phase.LIVE)
    ends_in = live.ended - world.present
    told: list[tuple[str, bool]] = []
    ids: list[set[int]] = []
    for seconds in (0.0, ends_in + 1, ends_in + 61):
        clock.seconds = seconds
        talk = [one for one in messages(world, live) if one["message_type"] != 2]
        told.append((conversation(world, live)["status"], bool(talk)))
        ids.append({one["id"] for one in talk})
    assert told == [("pending", True), ("resolved", False), ("resolved", True)]
    assert ids[0] <= ids[2]


@pytest.mark.parametrize(("fate", "status"), [(0, "open"), (1, "snoozed"), (2, "resolved")])
def test_something_happens_days_after_the_end(fate: int, status: str) -> None:
    world = served()
    truth = with_fate(world, fate)
    one = conversation(world, truth)
    late = [message for message in messages(world, truth) if message["created_at"] >= truth.ended + 3 * DAYS - 1]
    assert (one["status"], one["snoozed_until"] is not None) == (status, status == "snoozed")
    assert [(message["message_type"], message["private"]) for message in late] == {
        0: [(0, False), (2, False)],
        1: [],
        2: [(1, True)],
    }[fate]


def test_senders_have_a_type_and_activity_has_none() -> None:
    world = served()
    handed = newest(
        world,
        lambda truth: truth.ending is EndReason.TRANSFERRED and truth.phase(world.present) is Phase.SETTLED,
    )
    found = messages(world, handed)
    assert {one.get("sender", {}).get("type") for one in found} <= {"contact", "agent_bot", "captain_assistant", None}
    assert all(("sender" in one) is (one["message_type"] != 2) for one in found)
    assert conversation(world, handed)["meta"]["assignee"]["name"] == "Tess"
    phone = newest(
        world,
        lambda truth: (
            truth.channel is Channel.PHONE
            and truth.answered is not None
            and truth.phase(world.present) is Phase.SETTLED
        ),
    )
    [voice] = [one for one in messages(world, phone) if one["content_type"] == "voice_call"]
    assert voice["attachments"][0]["file_type"] == "audio"
    [resolved] = read(ask(world, f"/{world.id(phone)}/reporting_events"))
    assert resolved["name"] == "conversation_resolved"


# what calls change


def test_a_conversation_is_created_answered_and_resolved_and_a_message_opens_it_again() -> None:
    clock = ManualClock()
    world = served(5, clock)
    made = read(ask(world, "", "POST", source_id="s1", message={"content": "Hello!"}))
    one = f"/{made['id']}"
    clock.seconds = 5
    note = read(ask(world, f"{one}/messages", "POST", content="VIP", private=True))
    resolved = read(ask(world, f"{one}/toggle_status", "POST", status="resolved"))
    assert (made["status"], note["private"], note["sender"]["type"]) == ("open", True, "user")
    assert resolved["payload"]["current_status"] == read(ask(world, one))["status"] == "resolved"
    clock.seconds = 300
    incoming = read(ask(world, f"{one}/messages", "POST", content="Me again", message_type="incoming"))
    assert (incoming["message_type"], read(ask(world, one))["status"]) == (0, "open")


# what is refused


@pytest.mark.parametrize(
    ("method", "below", "body", "status", "words"),
    [
        ("GET", "/nobody", {}, 404, "Resource could not be found"),
        ("GET", "/nobody/messages", {}, 404, "Resource could not be found"),
        ("POST", "", {"status": "open"}, 422, "source_id"),
        ("POST", "/filter", {"payload": [{"attribute_key": "zz", "filter_operator": "equal_to"}]}, 422, "zz"),
        ("POST", "/filter", {"payload": "status"}, 422, "Invalid filter"),
    ],
)
def test_refusals_have_the_provider_s_status_and_shape(
    method: str, below: str, body: dict[str, Any], status: int, words: str
) -> None:
    answer = ask(served(5), below, method, **body)
    assert (answer.status, words in read(answer)["error"]) == (status, True)


def test_a_wrong_status_names_its_attribute() -> None:
    world = served(5)
    answer = ask(world, f"/{world.id(next(world.newest()))}/toggle_status", "POST", status="done")
    assert (answer.status, read(answer)["attributes"]) == (422, ["status"])


@pytest.mark.parametrize("key", ["", "bad-key"])
def test_a_key_is_refused(key: str) -> None:
    answer = ask(served(5), key=key)
    assert (answer.status, read(answer)) == (401, {"error": "Invalid Access Token"})


def test_another_account_is_refused_and_a_wrong_path_is_a_page() -> None:
    world, headers = served(5), LIST.key("any")
    other = SIMULATED.answer(Call("GET", "/api/v1/accounts/2/conversations", headers), world)
    page = SIMULATED.answer(Call("GET", "/api/v2/accounts/1/conversations", headers), world)
    assert (other.status, page.status, page.headers["content-type"]) == (401, 404, "text/html")
    assert read(SIMULATED.answer(Call("GET", "/api", headers), world))["version"]


def test_a_limit_is_refused_in_plain_text() -> None:
    answer = SIMULATED.refusal(429, "too many")
    assert (answer.headers["content-type"], answer.body) == ("text/plain", b"Retry later\n")


# what is delivered


def test_deliveries_have_other_types_than_the_api_and_are_signed() -> None:
    world = served()
    assert SIMULATED.deliveries is not None
    assert SIMULATED.signed is not None
    truth = with_fate(world, 0)
    sent = SIMULATED.deliveries(world, truth)
    assert [one.kind for one in sent] == [
        "conversation_created",
        "conversation_status_changed",
        "message_created",
        "conversation_updated",
    ]
    message = msgspec.json.decode(sent[2].body)
    assert (message["event"], message["message_type"]) == ("message_created", "activity")
    assert message["created_at"].endswith(".000Z")
    assert message["conversation"]["id"] == world.id(truth)
    assert msgspec.json.decode(sent[3].body)["status"] == "open"
    stamp = str(int(sent[0].moment))
    digest = hmac.new(b"secret", f"{stamp}.".encode() + sent[0].body, hashlib.sha256).hexdigest()
    headers = SIMULATED.signed(sent[0], "secret")
    assert (headers["X-Chatwoot-Timestamp"], headers["X-Chatwoot-Signature"]) == (stamp, f"sha256={digest}")
