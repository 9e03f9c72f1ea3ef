"""Twilio in the simulator: two products at one address, pages by URL, forms that are signed with their URL."""

from __future__ import annotations

import base64
import hmac
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec
import pytest

from conversations_hub.schema import Channel, Direction, EndReason, Role
from conversations_hub.testing import Simulator
from conversations_hub.testing.simulator._corpus import Corpus
from conversations_hub.testing.simulator._truth import Phase, Truth
from conversations_hub.testing.simulator._twilio import SIMULATED
from conversations_hub.testing.simulator._webhooks import sent_now
from conversations_hub.testing.simulator._world import Call, World
from conversations_hub.wire import Response

from ..support.clock import ManualClock
from ..support.provider_lists import LISTS

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
LIST = LISTS["twilio"]
LISTED = {"conversations": "/v1/Conversations", "transcripts": "/v2/Transcripts"}
every_kind = pytest.mark.parametrize("kind", LISTED)


def served(conversations: int = 250, clock: ManualClock | None = None) -> World:
    simulator = Simulator(
        conversations=conversations, chats=conversations, now=NOW, clock=clock or ManualClock(), providers=["twilio"]
    )
    return simulator.worlds["twilio"]


def of(world: World, kind: str) -> World:
    return world if kind == "conversations" else world.others[kind]


def ask(world: World, target: str, method: str = "GET", *, key: str = "any", **form: str) -> Response:
    headers = {**LIST.key(key), "host": "here:1"}
    return SIMULATED.answer(Call(method, target, headers, urlencode(form).encode()), world)


def read(answer: Response) -> Any:
    return msgspec.json.decode(answer.body)


def pages(world: World, target: str) -> list[Any]:
    """Follow the URLs of all pages, as they are."""
    found = [read(ask(world, target))]
    while (url := found[-1]["meta"]["next_page_url"]) is not None:
        assert url.startswith("http://here:1/twilio/v")
        found.append(read(ask(world, url.removeprefix("http://here:1/twilio"))))
    return found


def rows(world: World, target: str) -> list[dict[str, Any]]:
    return [row for page in pages(world, target) for row in page[page["meta"]["key"]]]


def settled(world: World, **members: Any) -> Truth:
    def holds(truth: Truth) -> bool:
        is_settled = truth.answered is not None and truth.phase(world.present) is Phase.SETTLED
        return is_settled and all(getattr(truth, name) == value for name, value in members.items())

    return next(truth for truth in world.newest() if holds(truth))


# pages


@every_kind
@pytest.mark.parametrize("size", [1, 7, 50, 100])
@pytest.mark.parametrize("conversations", [0, 1, 5, 60])
def test_pages_hold_every_one_once_the_newest_first(kind: str, size: int, conversations: int) -> None:
    world = served(conversations)
    found = [row["sid"] for row in rows(world, f"{LISTED[kind]}?PageSize={size}")]
    assert found == [of(world, kind).id(truth) for truth in of(world, kind).newest()]


@every_kind
def test_a_page_has_fifty_unless_told_and_names_the_next_one(kind: str) -> None:
    first, second, *_ = pages(served(), LISTED[kind])
    meta = first["meta"]
    assert (len(first[kind]), meta["key"], meta["page"], meta["page_size"]) == (50, kind, 0, 50)
    assert (meta["previous_page_url"], second["meta"]["page"]) == (None, 1)
    assert second["meta"]["previous_page_url"] is not None


@every_kind
@pytest.mark.parametrize("query", ["PageSize=0", "PageSize=1001", "PageSize=x", "Page=1", "Page=x", "PageToken=PT1"])
def test_pages_that_nobody_named_are_refused(kind: str, query: str) -> None:
    answer = ask(served(5), f"{LISTED[kind]}?{query}")
    assert (answer.status, read(answer)["status"]) == (400, 400)


@every_kind
def test_a_page_of_a_million_makes_no_more_than_the_page(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made: Counter[int] = Counter()
    make = Corpus.truth

    def counted(self: Corpus, index: int) -> Truth:
        made[index] += 1
        return make(self, index)

    world = served(1_000_000)
    monkeypatch.setattr(Corpus, "truth", counted)
    until = {"conversations": "EndDate=2025-12-01T23:59:59Z", "transcripts": "BeforeDateCreated=2025-12-01T00:00:00Z"}
    page = read(ask(world, f"{LISTED[kind]}?{until[kind]}"))
    assert len(page[kind]) == 50
    assert made.total() <= 120


# conversations


def test_conversations_are_filtered_by_whole_days_and_state() -> None:
    world = served()
    asked = "StartDate=2026-03-01T00:00:00Z&EndDate=2026-03-01T23:59:59Z"
    found = rows(world, f"/v1/Conversations?{asked}")
    assert found
    assert {row["date_created"][:10] for row in found} == {"2026-03-01"}
    everything = rows(world, "/v1/Conversations")
    for state in ("active", "inactive", "closed"):
        there = [row for row in everything if row["state"] == state]
        assert rows(world, f"/v1/Conversations?State={state}") == there
    for query in ("StartDate=2026-03-01T09:30:00Z", "EndDate=yesterday", "State=open"):
        assert ask(world, f"/v1/Conversations?{query}").status == 400


def test_a_row_and_its_details_agree() -> None:
    world = served()
    for kind, path in LISTED.items():
        for row in read(ask(world, path))[kind]:
            assert read(ask(world, f"{path}/{row['sid']}")) == row


def test_a_service_has_its_conversations_too() -> None:
    world = served(5)
    assert rows(world, "/v1/Services/IS1/Conversations") == rows(world, "/v1/Conversations")


def test_attributes_are_json_as_text_and_not_always_json() -> None:
    texts = {row["attributes"] for row in rows(served(), "/v1/Conversations")}
    assert "{}" in texts
    valid = {text.endswith("}") for text in texts}
    assert valid == {True, False}


def test_messages_say_who_wrote_what_in_order() -> None:
    world = served()
    truth = settled(world)
    path = f"/v1/Conversations/{world.id(truth)}"
    messages = [row for row in rows(world, f"{path}/Messages?PageSize=3") if row["participant_sid"]]
    said = [turn for turn in world.turns(truth) if turn.tool is None]
    assert [row["body"] for row in messages] == [turn.text for turn in said]
    participants = {row["sid"]: row for row in rows(world, f"{path}/Participants?PageSize=1")}
    for row, turn in zip(messages, said, strict=True):
        one = participants[row["participant_sid"]]
        is_customer = one["identity"] is None
        assert is_customer == (turn.role is Role.USER)
        assert row["author"] == (one["messaging_binding"]["address"] if is_customer else one["identity"])
    indexes = [row["index"] for row in messages]
    assert indexes == sorted({*indexes})
    backwards = rows(world, f"{path}/Messages?Order=desc&PageSize=4")
    assert backwards == rows(world, f"{path}/Messages")[::-1]


def test_some_conversations_have_gaps_and_messages_of_the_system() -> None:
    world = served()
    held = [
        truth for truth in world.newest() if truth.answered is not None and truth.phase(world.present) is Phase.SETTLED
    ]
    messages = [rows(world, f"/v1/Conversations/{world.id(truth)}/Messages") for truth in held[:60]]
    assert {row["author"] == "system" for page in messages for row in page} == {True, False}
    assert {page[1]["index"] - page[0]["index"] for page in messages} == {1, 2}


def test_messages_are_away_for_a_minute_after_the_end() -> None:
    clock = ManualClock()
    world = served(clock=clock)
    truth = next(one for one in world.newest() if one.phase(world.present) is Phase.PROCESSING)
    path = f"/v1/Conversations/{world.id(truth)}/Messages"
    assert rows(world, path) == []
    clock.seconds += 61
    assert rows(world, path)


def test_a_conversation_is_created_written_in_and_closed() -> None:
    clock = ManualClock()
    world = served(3, clock)
    created = ask(world, "/v1/Conversations", "POST", FriendlyName="Mine", Attributes='{"a": 1}')
    row = read(created)
    assert (created.status, row["friendly_name"], row["attributes"], row["state"]) == (
        201,
        "Mine",
        '{"a": 1}',
        "active",
    )
    path = f"/v1/Conversations/{row['sid']}"
    clock.seconds += 5
    for author, body in (("+15555550123", "Hello"), ("system", "Hi")):
        assert ask(world, f"{path}/Messages", "POST", Author=author, Body=body).status == 201
    assert ask(world, f"{path}/Messages", "POST", Author="system").status == 400
    assert ask(world, path, "POST", State="zz").status == 400
    clock.seconds += 5
    closed = read(ask(world, path, "POST", State="closed"))
    assert (closed["state"], "date_closed" in closed["timers"]) == ("closed", True)
    assert ask(world, f"{path}/Messages", "POST", Body="Late").status == 400
    clock.seconds += 61
    assert [one["body"] for one in rows(world, f"{path}/Messages") if one["participant_sid"]] == ["Hello", "Hi"]


@every_kind
def test_what_is_deleted_is_gone(kind: str) -> None:
    world = served(5)
    [first, *_] = read(ask(world, LISTED[kind]))[kind]
    answer = ask(world, f"{LISTED[kind]}/{first['sid']}", "DELETE")
    assert (answer.status, answer.body) == (204, b"")
    assert ask(world, f"{LISTED[kind]}/{first['sid']}").status == 404
    assert first["sid"] not in [row["sid"] for row in rows(world, LISTED[kind])]


# transcripts


def test_there_are_no_transcripts_unless_asked_for() -> None:
    world = Simulator(conversations=5, now=NOW, providers=["twilio"]).worlds["twilio"]
    assert rows(world, "/v2/Transcripts") == []
    assert ask(world, f"/v2/Transcripts/{world.corpus.id(2)}").status == 404


def test_transcripts_are_filtered() -> None:
    world = served()
    everything = rows(world, "/v2/Transcripts")
    for name, member in (("Status", "status"), ("LanguageCode", "language_code"), ("ServiceSid", "service_sid")):
        value = everything[9][member]
        there = [row for row in everything if row[member] == value]
        assert rows(world, f"/v2/Transcripts?{name}={value}") == there
    assert {"queued", "in-progress", "completed", "failed", "error", "canceled"} >= {
        row["status"] for row in everything
    }
    source = next(row["channel"]["media_properties"]["source_sid"] for row in everything if row["channel"])
    [only] = rows(world, f"/v2/Transcripts?SourceSid={source}")
    assert only["channel"]["media_properties"]["source_sid"] == source
    window = "AfterDateCreated=2026-03-01T00:00:00Z&BeforeDateCreated=2026-03-02T00:00:00Z"
    assert {row["date_created"][:10] for row in rows(world, f"/v2/Transcripts?{window}")} == {"2026-03-01"}
    assert ask(world, "/v2/Transcripts?Status=done").status == 400


def test_sentences_are_in_the_channel_of_who_spoke() -> None:
    transcripts = served().others["transcripts"]
    world = served()
    for direction, customer in ((Direction.INBOUND, 1), (Direction.OUTBOUND, 2)):
        truth = settled(transcripts, direction=direction, ending=EndReason.CUSTOMER_ENDED)
        sentences = rows(world, f"/v2/Transcripts/{transcripts.id(truth)}/Sentences?PageSize=3")
        said = [turn for turn in transcripts.turns(truth) if turn.tool is None]
        assert [row["transcript"] for row in sentences] == [turn.text for turn in said]
        channels = [int(row["media_channel"]) for row in sentences]
        assert channels == [customer if turn.role is Role.USER else 3 - customer for turn in said]


def test_numbers_are_text_or_not_and_times_may_be_missing() -> None:
    world = served(120)
    done = rows(world, "/v2/Transcripts?Status=completed")
    sentences = [row for one in done for row in rows(world, f"/v2/Transcripts/{one['sid']}/Sentences")]
    assert {type(row["start_time"]) for row in sentences} == {str, float, type(None)}
    assert {type(row["media_channel"]) for row in sentences} == {str, int}
    assert {bool(one["channel"]) for one in done} == {True, False}
    assert {one["media_start_time"] is None for one in done} == {True, False}
    [first, *_] = rows(world, f"/v2/Transcripts/{done[0]['sid']}/Sentences?WordTimestamps=true")
    assert first["words"] is None or first["words"][0].keys() == {"word", "start_time", "end_time"}


def test_a_transcript_that_is_being_made_has_no_sentences_yet() -> None:
    world = served()
    for status in ("in-progress", "failed"):
        [one, *_] = rows(world, f"/v2/Transcripts?Status={status}")
        for below in ("Sentences", "OperatorResults"):
            assert rows(world, f"/v2/Transcripts/{one['sid']}/{below}") == []
        assert ask(world, f"/v2/Transcripts/{one['sid']}/Media").status == 404


def test_operators_summarize_classify_and_extract() -> None:
    world = served()
    transcripts = world.others["transcripts"]
    truth = settled(transcripts, ending=EndReason.AGENT_ENDED)
    results = rows(world, f"/v2/Transcripts/{transcripts.id(truth)}/OperatorResults?PageSize=2")
    assert [one["operator_type"] for one in results] == ["text-generation", "conversation-classify", "extract"]
    assert results[0]["text_generation_results"]["result"] == truth.summary
    assert results[2]["extract_results"] == {"order": [truth.facts["order"]]}


def test_media_need_no_key_until_they_expire() -> None:
    clock = ManualClock()
    world = served(clock=clock)
    [one, *_] = rows(world, "/v2/Transcripts?Status=completed")
    url = str(read(ask(world, f"/v2/Transcripts/{one['sid']}/Media"))["media_url"])
    target = url.removeprefix("http://here:1/twilio")
    call = Call("GET", target)
    assert SIMULATED.answer(call, world).body.startswith(b"RIFF")
    assert SIMULATED.answer(Call("GET", urlsplit(target).path), world).status == 403
    clock.seconds += 4000
    assert SIMULATED.answer(call, world).status == 403


# keys and refusals


@pytest.mark.parametrize("headers", [{}, LIST.key(""), LIST.key("bad-key"), {"authorization": "Bearer any"}])
def test_a_bad_or_missing_key_is_refused(headers: Mapping[str, str]) -> None:
    answer = SIMULATED.answer(Call("GET", "/v1/Conversations", headers), served(3))
    assert (answer.status, read(answer)["code"]) == (401, 20003)


@pytest.mark.parametrize(
    "target", ["/v1/Conversations/CH0", "/v2/Transcripts/GT0", "/v1/Conversations/CH0/Messages", "/v3/Other"]
)
def test_what_is_not_there_has_a_code(target: str) -> None:
    answer = ask(served(3), target)
    assert (answer.status, read(answer)) == (
        404,
        {
            "code": 20404,
            "message": "The requested resource was not found",
            "more_info": "https://www.twilio.com/docs/errors/20404",
            "status": 404,
        },
    )


# what it delivers


def test_messages_are_delivered_as_forms() -> None:
    world = served()
    assert SIMULATED.deliveries is not None
    truth = settled(world, channel=Channel.PHONE)
    sent = SIMULATED.deliveries(world, truth)
    said = [turn for turn in world.turns(truth) if turn.tool is None]
    kinds = [one.kind for one in sent]
    assert kinds == ["onConversationAdded", *["onMessageAdded"] * len(said), "onConversationStateUpdated"]
    assert [dict(parse_qsl(one.body.decode()))["Body"] for one in sent[1:-1]] == [turn.text for turn in said]


def test_a_delivery_is_signed_with_the_url_that_it_goes_to() -> None:
    world = served()
    assert SIMULATED.deliveries is not None
    delivery = SIMULATED.deliveries(world, settled(world))[1]
    url = "https://mine.example.com/twilio"
    sent = sent_now(SIMULATED, delivery, delivery.moment, url)
    assert sent.headers["content-type"] == "application/x-www-form-urlencoded"
    fields = sorted(parse_qsl(delivery.body.decode(), keep_blank_values=True))
    message = (url + "".join(name + value for name, value in fields)).encode()
    due = base64.b64encode(hmac.digest(SIMULATED.webhook_secret.encode(), message, "sha1")).decode()
    assert sent.headers["X-Twilio-Signature"] == due
