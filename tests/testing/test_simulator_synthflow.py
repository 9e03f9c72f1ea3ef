"""Synthflow in the simulator: calls of one assistant at a time, other names in each place, and chats apart."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from conversations_hub.schema import EndReason
from conversations_hub.testing.simulator._corpus import Corpus
from conversations_hub.testing.simulator._synthflow import SIMULATED
from conversations_hub.testing.simulator._truth import Phase, Truth
from conversations_hub.testing.simulator._world import Call, World
from conversations_hub.wire import Response

from ..support.clock import ManualClock
from ..support.provider_lists import LISTS, OTHERS, DocumentedList

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
CALLS, CHATS = LISTS["synthflow"], OTHERS["synthflow:chats"]
AT_WORK, OLD = "m-1-front-desk", "m-2-old-desk"


def served(conversations: int = 120, chats: int = 60, clock: ManualClock | None = None) -> World:
    return SIMULATED.world(
        "synthflow", conversations=conversations, chats=chats, now=NOW.timestamp(), clock=clock or ManualClock()
    )


def ask(world: World, target: str, method: str = "GET", *, key: str = "any", **body: Any) -> Response:
    sent = msgspec.json.encode(body) if body else b""
    return SIMULATED.answer(Call(method, target, CALLS.key(key), sent), world)


def read(answer: Response) -> Any:
    return msgspec.json.decode(answer.body)


def rows(world: World, query: str = "", model: str = AT_WORK) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = read(ask(world, f"/calls?model_id={model}&limit=100{query}"))["response"]["calls"]
    return found


def got(world: World, id: str) -> dict[str, Any]:
    [call] = read(ask(world, f"/calls/{id}"))["response"]["calls"]
    found: dict[str, Any] = call
    return found


def walk(world: World, listed: DocumentedList, size: int) -> list[str]:
    return list(listed.walk(lambda asked: read(SIMULATED.answer(listed.call(asked), world)), size, {}))


def newest(world: World, phase: Phase, *, is_held: bool = True) -> Truth:
    return next(
        truth
        for truth in world.newest()
        if truth.phase(world.present) is phase and (truth.answered is not None) is is_held
    )


# the lists


@pytest.mark.parametrize("count", [0, 1, 5, 120])
@pytest.mark.parametrize("size", [1, 7, 100])
def test_the_assistants_have_every_call_once_the_newest_first(count: int, size: int) -> None:
    world = served(count)
    found = walk(world, CALLS, size)
    assert found == [world.id(truth) for truth in world.newest()]
    assert len(found) == count


def test_each_assistant_has_a_part_of_the_history() -> None:
    world = served()
    newer, older = rows(world), rows(world, model=OLD)
    assert len(newer) + len(older) == 120
    assert min(int(row["start_time"]) for row in newer) > max(int(row["start_time"]) for row in older)
    assert {row["model_id"] for row in newer} == {AT_WORK}
    ids = [one["model_id"] for one in read(ask(world, "/v2/assistants?limit=1"))["response"]["assistants"]]
    assert (ids, read(ask(world, f"/assistants/{OLD}"))["response"]["assistants"][0]["name"]) == ([AT_WORK], "Old desk")


def test_a_page_far_down_makes_no_more_than_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    made: Counter[int] = Counter()
    make = Corpus.truth

    def counted(self: Corpus, index: int) -> Truth:
        made[index] += 1
        return make(self, index)

    monkeypatch.setattr(Corpus, "truth", counted)
    page = read(SIMULATED.answer(CALLS.call(CALLS.far_down), served(1_000_000)))["response"]
    assert (len(page["calls"]), page["pagination"]["total_records"]) == (50, 500_000)
    assert sum(index < 900_000 for index in made) >= 50
    assert made.total() <= 80


def test_filters() -> None:
    world = served()
    told = rows(world)
    word, number = told[-1]["call_status"], told[-1]["lead_phone_number"]
    assert {row["call_status"] for row in rows(world, f"&call_status={word}")} == {word}
    assert {row["lead_phone_number"] for row in rows(world, f"&lead_phone_number=%2B{number[1:]}")} == {number}
    assert all(30 <= row["duration"] <= 90 for row in rows(world, "&duration_min=30&duration_max=90"))
    window = f"&from_date={told[40]['start_time']}&to_date={told[20]['start_time']}"
    assert {row["call_id"] for row in rows(world, window)} <= {row["call_id"] for row in told[19:42]}
    assert len(rows(world, window)) > 15


# a call


def test_a_row_and_a_call_have_the_same_facts_under_other_names() -> None:
    world = served()
    for row in rows(world):
        call = got(world, row["call_id"])
        assert row["call_status"] == call["status"]
        assert not {"call_status", "labels", "judge_results", "lead_name"} & call.keys()
        assert not {"status", "prompt_variables"} & row.keys()
        shared = row.keys() & call.keys()
        assert {name: row[name] for name in shared} == {name: call[name] for name in shared}


def test_a_transcript_is_one_text_that_comes_a_minute_after_the_end() -> None:
    clock = ManualClock()
    world = served(clock=clock)
    truth = newest(world, Phase.LIVE)
    ends_in = truth.ended - world.present
    told: list[tuple[str, bool]] = []
    for seconds in (0.0, ends_in + 1, ends_in + 61):
        clock.seconds = seconds
        call = got(world, world.id(truth))
        told.append((call["status"], bool(call["transcript"])))
    assert told == [("in-progress", False), ("completed", False), ("completed", True)]
    lines = got(world, world.id(truth))["transcript"].split("\n")
    assert lines[0] == ""
    assert {line.partition(":")[0] for line in lines[1:]} == {"bot", "human"}


def test_spans_have_other_units() -> None:
    call = got(served(), served().id(newest(served(), Phase.SETTLED)))
    assert abs(call["duration"] * 1000 - call["telephony_duration"]) < 1000
    assert len(call["start_time"]) == 13
    assert call["telephony_start"].endswith("Z")


def test_numbers_are_of_the_line_and_the_lead_is_the_customer() -> None:
    for row in rows(served()):
        customer = row["phone_number_to" if row["type_of_call"] == "outbound" else "phone_number_from"]
        assert customer == row["lead_phone_number"] != row["agent_phone_number"]


def test_every_word_of_an_end_is_there() -> None:
    told = [*rows(served()), *rows(served(), model=OLD)]
    assert {"completed", "no-answer", "busy", "failed", "ringing", "in-progress"} <= {
        row["call_status"] for row in told
    }
    assert {"human_ended_call", "human_pick_up_cut_off", "agent_ended_call", "custom_end_call", "timeout", "error"} <= {
        row["end_call_reason"] for row in told
    }
    assert any(row["executed_actions"] for row in told)


def test_a_call_is_placed_at_once() -> None:
    world = served(3)
    placed = read(ask(world, "/calls", "POST", model_id=AT_WORK, phone="+15550100123", name="Visitor"))
    call = got(world, placed["response"]["call_id"])
    assert (placed["status"], call["type_of_call"], call["name"]) == ("ok", "outbound", "Visitor")
    assert call["status"] in {"pending", "registered"}
    assert rows(world)[0]["call_id"] == call["call_id"]


# what is refused


@pytest.mark.parametrize(
    ("method", "target", "body", "status", "words"),
    [
        ("GET", "/calls", {}, 400, "model_id"),
        ("GET", f"/calls?model_id={AT_WORK}&limit=0", {}, 400, "limit"),
        ("GET", f"/calls?model_id={AT_WORK}&from_date=today", {}, 400, "from_date"),
        ("GET", "/calls?model_id=nobody", {}, 404, "Assistant"),
        ("GET", "/calls/nobody", {}, 404, "Call not found"),
        ("GET", "/chat/nobody", {}, 404, "Chat not found"),
        ("GET", "/chat?cursor=%25", {}, 400, "cursor"),
        ("GET", "/nothing", {}, 404, "Not Found"),
        ("DELETE", "/calls/nobody", {}, 405, "Method"),
        ("POST", "/calls", {"model_id": AT_WORK}, 422, "phone"),
        ("POST", "/calls", {"model_id": OLD, "phone": "+15550100123", "name": "V"}, 400, "cannot place"),
    ],
)
def test_refusals_have_the_provider_s_status_and_shape(
    method: str, target: str, body: dict[str, Any], status: int, words: str
) -> None:
    answer = ask(served(5), target, method, **body)
    assert answer.status == status
    assert words in str(read(answer)["detail"])


def test_an_unknown_id_of_the_right_form_is_answered_with_an_empty_list() -> None:
    answer = ask(served(5), f"/calls/{served(50).id(newest(served(50), Phase.SETTLED))[:-4]}ffff")
    assert (answer.status, read(answer)["response"]["calls"]) == (200, [])


@pytest.mark.parametrize("key", ["", "bad-key"])
def test_a_bad_or_missing_key_is_refused_without_words(key: str) -> None:
    for target in ("/calls", "/chat", "/assistants"):
        answer = ask(served(5), target, key=key)
        assert (answer.status, answer.body) == (401, b"")


# chats


def test_chats_are_written_to_and_deleted() -> None:
    world = served()
    chats = world.others["chats"]
    truth = newest(chats, Phase.LIVE)
    target = f"/chat/{chats.id(truth)}"
    before = read(ask(world, target))["response"]
    sent = read(ask(world, f"{target}/messages", "POST", message="And now?"))["response"]
    after = read(ask(world, target))["response"]
    assert (before["chat_status"], before["fsm_log"]) == ("ongoing", None)
    told = [entry["message"] for entry in after["conversation_history"]]
    assert told[-2:] == ["And now?", sent["agent_message"]]
    assert ask(world, target, "DELETE").status == 200
    assert ask(world, target).status == 404
    over = chats.id(newest(chats, Phase.SETTLED))
    assert ask(world, f"/chat/{over}/messages", "POST", message="Hi.").status == 400


def test_what_the_agent_said_first_may_stand_apart() -> None:
    world = served()
    found = [read(ask(world, f"/chat/{id}"))["response"] for id in walk(world, CHATS, 10)]
    assert len(found) == 60
    assert {chat["initial_message"] is None for chat in found} == {True, False}
    for chat in found:
        told = [entry["message"] for entry in chat["conversation_history"]]
        opening = [chat["initial_message"]["agent_message"]] if chat["initial_message"] else []
        assert [line.partition(": ")[2] for line in chat["transcript"].splitlines()] == [*opening, *told]


# what is delivered


def test_a_delivery_comes_once_and_its_signature_covers_the_id_alone() -> None:
    world = served()
    assert SIMULATED.deliveries is not None
    assert SIMULATED.signed is not None
    truth = newest(world, Phase.SETTLED)
    [delivery] = SIMULATED.deliveries(world, truth)
    told, call = msgspec.json.decode(delivery.body), got(world, world.id(truth))
    assert (told["call"]["call_id"], told["call"]["transcript"]) == (call["call_id"], call["transcript"])
    assert told["call"]["start_time"].endswith("+00:00")
    assert told["analysis"]["call_summary"] == truth.summary
    digest = hmac.new(SIMULATED.webhook_secret.encode(), call["call_id"].encode(), hashlib.sha256).digest()
    headers = SIMULATED.signed(delivery, SIMULATED.webhook_secret)
    assert {*headers.values()} == {base64.b64encode(digest).decode()}
    assert SIMULATED.deliveries(world, newest(world, Phase.PROCESSING)) == []


def test_why_a_call_ended_may_stand_where_errors_do() -> None:
    world = served()
    assert SIMULATED.deliveries is not None
    sent = [delivery for truth in world.newest() for delivery in SIMULATED.deliveries(world, truth)]
    bodies = [msgspec.json.decode(delivery.body) for delivery in sent]
    assert {"agent_goodbye", "human_goodbye"} <= {body["error_message"] for body in bodies}
    assert {"agent_goodbye", "human_goodbye"} <= {body["call"]["end_call_reason"] for body in bodies}
    unheld = next(truth for truth in world.newest() if truth.ending is EndReason.NO_ANSWER)
    [delivery] = SIMULATED.deliveries(world, unheld)
    assert msgspec.json.decode(delivery.body)["analysis"] == {}
