"""Vapi's traps: a bare array to page through, milliseconds told as seconds, secrets that come back with every call."""

from __future__ import annotations

import hmac
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from conversations_hub import Conversation, errors
from conversations_hub._scrub import without_secrets
from conversations_hub.account import Account
from conversations_hub.adapter import Query, RawPage, Resource, Start
from conversations_hub.adapters.vapi import (
    ADAPTER,
    delete,
    events,
    get,
    list_page,
    normalize,
    refusal,
    start,
)
from conversations_hub.adapters.vapi._chat import CHATS
from conversations_hub.adapters.vapi._chat import normalize as normalize_chat
from conversations_hub.adapters.vapi._session import SESSIONS
from conversations_hub.adapters.vapi._session import normalize as normalize_session
from conversations_hub.events import Event, EventKind
from conversations_hub.schema import (
    Agent,
    Analysis,
    Channel,
    Cost,
    Direction,
    EndReason,
    ParticipantKind,
    Recording,
    RecordingAccess,
    Role,
    Status,
    TranscriptState,
    TranscriptTurn,
    Word,
)
from conversations_hub.signing.webhooks import Scheme, hmac_signed, shared_secret
from conversations_hub.testing import Driven, Simulator, drive
from conversations_hub.testing.simulator._truth import Phase, Truth
from conversations_hub.testing.simulator._vapi import SIMULATED
from conversations_hub.testing.simulator._world import Call, World
from conversations_hub.webhooks import verify
from conversations_hub.wire import Response, target

from ..support import exchanges
from ..support.clock import NOW, ManualClock
from ..support.simulated import simulated

CASES = exchanges.cases("vapi")
ACCOUNT = Account("vapi", key="vapi-private-key-51")
SECRET = "invented-secret-of-the-customer"
BEGAN = 1793610845000
"""A call's start, in Unix milliseconds."""


def answer(body: object, status: int = 200) -> Response:
    return Response(status, {}, json.dumps(body).encode())


def call(**members: Any) -> Conversation:
    return normalize(json.dumps({"id": "call-1", "status": "ended", **members}).encode())


def held(*messages: Any, artifact: dict[str, Any] | None = None, **members: Any) -> Conversation:
    return call(startedAt="2026-11-02T09:14:05Z", artifact={"messages": messages, **(artifact or {})}, **members)


def said(role: str, start: float, length: float | None = None, **members: Any) -> dict[str, Any]:
    """Return a message of Vapi's, its times given in seconds from the start."""
    time = BEGAN + round(start * 1000)
    ended = {} if length is None else {"endTime": time + round(length * 1000)}
    return {"role": role, "message": f"{role} at {start}", "time": time, "secondsFromStart": start, **ended, **members}


def turns_of(conversation: Conversation) -> tuple[TranscriptTurn, ...]:
    assert conversation.transcript is not None
    return conversation.transcript


def recorded(name: str) -> Conversation:
    case = CASES[name]
    return drive(get(ACCOUNT, case.id), *case.answers).result


# paging


def row(id: str, created_at: object) -> dict[str, Any]:
    return {"id": id, "createdAt": created_at, "status": "ended"}


def at(second: int, millisecond: int = 0) -> str:
    return f"2026-11-01T10:00:{second:02}.{millisecond:03}Z"


def page(rows: object, cursor: str | None = None, **query: Any) -> Driven[RawPage]:
    return drive(list_page(ACCOUNT, Query(**query), cursor), answer(rows))


def ids(listing: RawPage) -> list[str]:
    return [listing.normalize(raw).id for raw in listing.rows]


def asked(driven: Driven[RawPage]) -> dict[str, Any]:
    return dict(driven.requests[0].query)


class TestPaging:
    def test_the_first_page_asks_for_a_hundred_whole_calls(self) -> None:
        driven = page([])
        assert target(driven.requests[0], ADAPTER.base_url) == "https://api.vapi.ai/call?limit=100"
        assert ADAPTER.complete_lists
        assert driven.result.cursor is None

    def test_more_than_the_documented_maximum_is_not_asked_for(self) -> None:
        assert asked(page([], page_size=5000))["limit"] == 1000

    def test_the_next_page_begins_at_the_last_instant_and_leaves_out_what_was_seen_there(self) -> None:
        first = page([row("a", at(9)), row("b", at(8))], page_size=2)
        second = page([row("b", at(8)), row("c", at(8)), row("d", at(7))], first.result.cursor, page_size=2)
        assert asked(second) == {"limit": 3, "createdAtLe": at(8)}
        assert ids(second.result) == ["c", "d"]

    def test_however_many_calls_were_created_at_one_instant_all_are_listed(self) -> None:
        names = [f"c{number}" for number in range(7)]
        found: list[str] = []
        cursor: str | None = None
        while True:
            limit = 2 if cursor is None else 2 + len(json.loads(cursor)[1])
            listing = page([row(name, at(5)) for name in names[:limit]], cursor, page_size=2).result
            found += ids(listing)
            cursor = listing.cursor
            if cursor is None:
                break
        assert found == names

    def test_a_short_page_is_no_end_but_one_that_brings_nothing_new_is(self) -> None:
        short = page([row("a", at(9))], page_size=50)
        assert short.result.cursor == json.dumps([at(9), ["a"]], separators=(",", ":"))
        last = page([row("a", at(9))], short.result.cursor)
        assert (ids(last.result), last.result.cursor) == ([], None)
        assert page([], short.result.cursor).result.cursor is None

    def test_a_full_page_that_leads_nowhere_is_an_error(self) -> None:
        seen = [f"c{number}" for number in range(1000)]
        with pytest.raises(errors.PaginationError, match="leads no further"):
            page([row(id, at(5)) for id in seen], json.dumps([at(5), seen]), page_size=1000)
        with pytest.raises(errors.PaginationError, match="do not say when"):
            page([row("a", None)], page_size=1)

    def test_a_cursor_with_a_page_size_is_still_read_and_the_size_is_not(self) -> None:
        driven = page([row("b", at(8)), row("c", at(8))], json.dumps([7, at(8), ["b"]]))
        assert asked(driven) == {"limit": 101, "createdAtLe": at(8)}
        assert ids(driven.result) == ["c"]

    @pytest.mark.parametrize("cursor", ['["",[]]', '["2026",[7]]', '["2026"]', '["2026",[],1]', "[1,2,[]]", "7"])
    def test_a_cursor_must_be_whole(self, cursor: str) -> None:
        with pytest.raises(
            errors.InvalidRefError, match=r"invalid Vapi cursor: expected \[instant, \[id, …\]\] as JSON"
        ):
            page([], cursor)

    def test_a_page_that_begins_elsewhere_is_an_error(self) -> None:
        with pytest.raises(errors.PaginationError, match="does not begin"):
            page([row("a", at(9)), row("b", at(8))], json.dumps([at(7), ["z"]]))

    def test_a_row_that_does_not_say_when_is_kept_and_ends_nothing(self) -> None:
        first = page([row("a", at(9)), row("b", None)], page_size=2)
        assert ids(first.result) == ["a", "b"]
        assert first.result.cursor is not None
        assert json.loads(first.result.cursor) == [at(9), ["a", "b"]]

    def test_a_bad_row_is_left_to_be_set_apart(self) -> None:
        listing = page([7, row("a", at(9)), {"createdAt": at(8)}], page_size=9).result
        first, *others = listing.rows
        assert (bytes(first), len(others)) == (b"7", 2)
        assert listing.cursor is not None
        assert json.loads(listing.cursor) == [at(8), [""]]

    def test_instants_are_asked_for_in_milliseconds_of_utc(self) -> None:
        east = timezone(timedelta(hours=2))
        since = datetime(2026, 11, 1, 2, 0, 0, 1999, tzinfo=east)
        driven = page([], since=since, until=since + timedelta(days=1), agent="asst-1")
        assert asked(driven) == {
            "limit": 100,
            "createdAtGe": "2026-11-01T00:00:00.001Z",
            "createdAtLe": "2026-11-02T00:00:00.001Z",
            "assistantId": "asst-1",
        }

    def test_other_filters_pass_through_and_cannot_turn_the_pages(self) -> None:
        driven = page([], page_size=2, options={"phoneNumberId": "line-1", "updatedAtGt": at(1), "limit": 7})
        assert asked(driven) == {"limit": 2, "phoneNumberId": "line-1", "updatedAtGt": at(1)}

    @pytest.mark.parametrize("body", [{}, {"results": []}, "none", None])
    def test_what_is_no_array_is_no_list(self, body: object) -> None:
        with pytest.raises(errors.PayloadError):
            page(body)


# what a call means


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("scheduled", Status.QUEUED),
        ("queued", Status.QUEUED),
        ("ringing", Status.RINGING),
        ("in-progress", Status.IN_PROGRESS),
        ("forwarding", Status.IN_PROGRESS),
        ("ended", Status.ENDED),
        ("not-found", Status.FAILED),
        ("deletion-failed", Status.ENDED),
        ("zz-new", Status.UNKNOWN),
        (None, Status.UNKNOWN),
    ],
)
def test_the_status_words(word: str | None, status: Status) -> None:
    told = call(status=word)
    assert (told.status, told.provider_status) == (status, word)


@pytest.mark.parametrize(
    ("words", "status", "end_reason"),
    [
        ("customer-ended-call", Status.ENDED, EndReason.CUSTOMER_ENDED),
        ("customer-ended-call-before-warm-transfer", Status.ENDED, EndReason.CUSTOMER_ENDED),
        ("assistant-ended-call-with-hangup-task", Status.ENDED, EndReason.AGENT_ENDED),
        ("assistant-said-end-call-phrase", Status.ENDED, EndReason.AGENT_ENDED),
        ("assistant-forwarded-call", Status.ENDED, EndReason.TRANSFERRED),
        ("call.ending.hook-executed-transfer", Status.ENDED, EndReason.TRANSFERRED),
        ("assistant-request-returned-forwarding-phone-number", Status.ENDED, EndReason.TRANSFERRED),
        ("silence-timed-out", Status.ENDED, EndReason.SILENCE),
        ("exceeded-max-duration", Status.ENDED, EndReason.MAX_DURATION),
        ("voicemail", Status.ENDED, EndReason.VOICEMAIL),
        ("call.forwarding.operator-busy", Status.ENDED, EndReason.BUSY),
        ("customer-did-not-answer", Status.NO_ANSWER, EndReason.NO_ANSWER),
        ("customer-busy", Status.NO_ANSWER, EndReason.BUSY),
        ("vonage-rejected", Status.NO_ANSWER, EndReason.NO_ANSWER),
        ("manually-canceled", Status.CANCELLED, EndReason.CANCELLED),
        ("call.start.error-get-transport", Status.FAILED, EndReason.ERROR),
        ("call-start-error-neither-assistant-nor-server-set", Status.FAILED, EndReason.ERROR),
        ("call.in-progress.error-providerfault-xai-500-server-error", Status.FAILED, EndReason.ERROR),
        ("pipeline-no-available-llm-model", Status.FAILED, EndReason.ERROR),
        ("assistant-request-returned-no-assistant", Status.FAILED, EndReason.ERROR),
        ("assistant-not-found", Status.FAILED, EndReason.ERROR),
        ("twilio-failed-to-connect-call", Status.FAILED, EndReason.ERROR),
        ("worker-shutdown", Status.FAILED, EndReason.ERROR),
        ("phone-call-provider-closed-websocket", Status.FAILED, EndReason.ERROR),
        ("call.in-progress.twilio-completed-call", Status.ENDED, EndReason.UNKNOWN),
        ("vonage-disconnected", Status.ENDED, EndReason.UNKNOWN),
        ("sip-outbound-unallocated-number", Status.NO_ANSWER, EndReason.NO_ANSWER),
        ("sip-outbound-carrier-released-call", Status.ENDED, EndReason.UNKNOWN),
        ("call.start.squad-version-error-validation", Status.FAILED, EndReason.ERROR),
        ("call.start.error-vapifault-worker-not-available", Status.FAILED, EndReason.ERROR),
        ("call.in-progress.error-configfault-model-unsupported-in-squad", Status.FAILED, EndReason.ERROR),
        ("zz-of-the-next-release", Status.ENDED, EndReason.UNKNOWN),
        ("zz-error-of-the-next-release", Status.FAILED, EndReason.ERROR),
    ],
)
def test_of_six_hundred_end_reasons_each_is_one_of_ours(words: str, status: Status, end_reason: EndReason) -> None:
    told = call(endedReason=words)
    assert (told.status, told.end_reason, told.provider_end_reason) == (status, end_reason, words)


def test_a_reason_does_not_end_a_call_that_runs() -> None:
    assert call(status="forwarding", endedReason="customer-did-not-answer").status is Status.IN_PROGRESS


@pytest.mark.parametrize(
    ("word", "channel", "direction"),
    [
        ("inboundPhoneCall", Channel.PHONE, Direction.INBOUND),
        ("outboundPhoneCall", Channel.PHONE, Direction.OUTBOUND),
        ("webCall", Channel.WEB, Direction.UNKNOWN),
        ("vapi.websocketCall", Channel.WEB, Direction.UNKNOWN),
        ("carrierPigeon", Channel.UNKNOWN, Direction.UNKNOWN),
    ],
)
def test_the_types_of_calls(word: str, channel: Channel, direction: Direction) -> None:
    told = call(type=word)
    assert (told.channel, told.direction) == (channel, direction)
    assert told.metadata.get("type") == (word if channel is Channel.UNKNOWN else None)


def test_the_length_is_what_lies_between_start_and_end() -> None:
    told = call(startedAt="2026-11-02T09:14:05.002Z", endedAt="2026-11-02T09:15:41.770Z", duration=7)
    assert told.duration == 96.768
    assert told.estimated == ("duration",)


def test_a_call_that_was_never_connected_has_no_start() -> None:
    told = recorded("get.no_answer")
    assert told.created_at == datetime(2026, 11, 3, 14, 10, tzinfo=UTC)
    assert (told.started_at, told.duration, told.estimated) == (None, None, ())
    assert told.ended_at is not None


@pytest.mark.parametrize(
    ("members", "state"),
    [
        ({"status": "in-progress", "startedAt": at(1)}, TranscriptState.PENDING),
        ({"status": "ended", "startedAt": at(1)}, TranscriptState.PENDING),
        ({"status": "ended", "startedAt": at(1), "artifact": {"messages": []}}, TranscriptState.PENDING),
        ({"endedReason": "customer-did-not-answer", "startedAt": at(1)}, TranscriptState.UNAVAILABLE),
        ({"endedReason": "call.start.error-get-org"}, TranscriptState.UNAVAILABLE),
        ({"endedReason": "pipeline-error-x", "startedAt": at(1)}, TranscriptState.PENDING),
    ],
)
def test_what_was_said_comes_seconds_after_the_end(members: dict[str, Any], state: TranscriptState) -> None:
    told = call(**members)
    assert (told.transcript, told.transcript_state) == (None, state)


def test_the_messages_of_a_running_call_are_not_all() -> None:
    told = held(said("bot", 1.0), status="in-progress")
    assert len(turns_of(told)) == 1
    assert told.transcript_state is TranscriptState.PENDING


UNREADABLE: list[Any] = [{}, "a lot", "nan", []]


def test_costs_are_exactly_as_sent() -> None:
    sent = b'{"id": "call-1", "cost": 0.12345678901234567890}'
    assert normalize(sent).cost == Cost(amount=Decimal("0.12345678901234567890"), unit="USD")
    assert call(cost="0.10").cost == Cost(amount=Decimal("0.10"), unit="USD")
    assert (call(cost=None).cost, call(cost=None).issues) == (None, ())
    for sent_instead in UNREADABLE:
        told = call(cost=sent_instead)
        assert told.cost is None
        assert [issue.place for issue in told.issues] == ["cost"]


# who took part


def test_the_agent_is_named_by_its_id_its_configuration_or_who_was_active() -> None:
    active = [{"assistantId": "a1", "assistantName": "Lia"}, {"assistantId": "a2", "assistantName": "Max"}]
    assert call(assistantId="a1", artifact={"assistantActivations": active}).agent == Agent(id="a1", name="Lia")
    assert call(squadId="s1", artifact={"assistantActivations": active}).agent == Agent(id="a2", name="Max")
    assert call(assistantId="a9", artifact={"assistantActivations": active}).agent == Agent(id="a9")
    assert call(assistant={"name": "Inline"}, assistantVersion="v3").agent == Agent(name="Inline", version="v3")
    assert call().agent is None


def test_a_hand_over_shows_who_spoke() -> None:
    told = recorded("get.squad")
    spoken = [told.participants[turn.participant].name for turn in turns_of(told) if turn.participant is not None]
    assert spoken == ["Lia", "Speaker 1", "Speaker 2", "Lia", "Max"]
    assert [one.kind for one in told.participants] == [
        ParticipantKind.AI_AGENT,
        ParticipantKind.CUSTOMER,
        ParticipantKind.AI_AGENT,
        ParticipantKind.CUSTOMER,
        ParticipantKind.CUSTOMER,
    ]
    assert told.metadata["transfers"][0]["status"] == "connected"
    assert told.metadata["destination"]["number"] == "+14155550177"
    assert told.related_ids["squadId"] == "e1d2c3b4-a596-4788-9a0b-1c2d3e4f5061"


def test_a_role_nobody_knows_is_kept_as_a_stranger() -> None:
    told = held(said("assistant", 1.0), said("narrator", 2.0), {"message": "Hm."})
    first, second, third = turns_of(told)
    assert (first.role, first.participant) == (Role.ASSISTANT, 0)
    assert (second.role, told.participants[second.participant or 0].name) == (Role.UNKNOWN, "narrator")
    assert (third.role, third.participant, third.text) == (Role.UNKNOWN, None, "Hm.")


# what was said


def test_what_is_called_seconds_and_sent_in_milliseconds_is_not_believed() -> None:
    told = held(said("bot", 1.1, 2.108, duration=2108), said("user", 4.0, duration=1500), said("user", 9.0))
    assert [turn.duration for turn in turns_of(told)] == [2.108, 1.5, None]


def test_a_message_that_ends_before_it_begins_has_no_length_from_that() -> None:
    assert turns_of(held(said("bot", 5.0, -3.0)))[0].duration is None


def test_tools_and_what_they_answered_are_linked() -> None:
    turns = turns_of(recorded("get.phone"))
    calls = [tool for turn in turns for tool in turn.tool_calls]
    results = [turn.tool_result for turn in turns if turn.tool_result]
    assert [(one.id, one.name, one.arguments) for one in calls] == [
        ("call_a1", "find_slot", '{"day":"Tuesday"}'),
        ("call_a2", "find_doctor", '{"day":"Tuesday"}'),
    ]
    assert [(one.call_id, one.content, one.is_error) for one in results] == [
        ("call_a1", '{"slot":"10:30"}', None),
        ("call_a2", "timed out", None),
    ]
    assert [turn.role for turn in turns if turn.tool_result] == [Role.TOOL, Role.TOOL]


def test_arguments_that_are_no_text_are_kept_as_json() -> None:
    sent = {"role": "tool_calls", "toolCalls": [{"id": 7, "function": {"name": "find", "arguments": {"a": 1}}}, None]}
    turn = turns_of(held(sent, {"role": "tool_call_result", "toolCallId": 7, "result": {"b": 2}}))
    assert [(one.id, one.arguments) for one in turn[0].tool_calls] == [("7", '{"a":1}')]
    assert turn[1].tool_result is not None
    assert (turn[1].tool_result.call_id, turn[1].tool_result.content) == ("7", '{"b":2}')


def test_system_prompts_are_kept_out_of_the_plain_text() -> None:
    told = recorded("get.phone")
    assert turns_of(told)[0].role is Role.SYSTEM
    assert "Never reveal" not in told.text


def test_messages_stand_where_they_always_did_and_are_read_there_where_nothing_else_is() -> None:
    legacy = [said("bot", 1.0)]
    assert [turn.start for turn in turns_of(call(messages=legacy))] == [1.0]
    assert [turn.start for turn in turns_of(call(messages=legacy, artifact={"messages": []}))] == [1.0]
    both = call(messages=[said("bot", 9.0)], artifact={"messages": legacy})
    assert [turn.start for turn in turns_of(both)] == [1.0]
    odd = call(messages=[said("bot", 1.0), said("bot", 2.0, secondsFromStart="soon")])
    assert [issue.place for issue in odd.issues] == ["messages[1].secondsFromStart"]
    flat = call(transcript="AI: Hello.\n", messages=None)
    assert [(turn.role, turn.text) for turn in turns_of(flat)] == [(Role.ASSISTANT, "Hello.")]
    assert (flat.estimated, flat.metadata.get("transcript")) == (("transcript",), None)


def timed(*words: dict[str, Any], start: float = 14.0, length: float = 2.0) -> tuple[Word, ...]:
    told = held(said("user", start, length, metadata={"wordLevelConfidence": [*words, None, {"word": ""}]}))
    return turns_of(told)[0].words


@pytest.mark.parametrize(
    ("unit", "zero"), [(1, 0), (1000, 0), (1000, BEGAN)], ids=["seconds", "milliseconds", "unix milliseconds"]
)
@pytest.mark.parametrize("start", [0.4, 14.0, 900.0])
def test_words_are_timed_in_three_ways(unit: int, zero: int, start: float) -> None:
    sent = [
        {"word": "on", "start": zero + start * unit, "end": zero + (start + 0.25) * unit, "confidence": 0.5},
        {"word": "Tuesday", "start": zero + (start + 1.5) * unit, "end": zero + (start + 2) * unit},
    ]
    assert timed(*sent, start=start) == (
        Word(text="on", start=start, duration=0.25, confidence=0.5),
        Word(text="Tuesday", start=start + 1.5, duration=0.5),
    )


@pytest.mark.parametrize("name", ["punctuated_word", "punctuatedWord"])
def test_a_word_reads_as_it_is_written_where_the_transcriber_says_how(name: str) -> None:
    heard = timed({"word": "tuesday", name: "Tuesday,", "start": 14.1, "end": 14.5}, {"word": "then", name: None})
    assert [word.text for word in heard] == ["Tuesday,", "then"]


def test_a_confidence_without_a_source_is_a_placeholder() -> None:
    told = held(
        said("user", 1.0, confidence=0.83, confidenceSource="derived"),
        said("user", 2.0, confidence=1),
        said("user", 3.0),
    )
    assert [turn.confidence for turn in turns_of(told)] == [0.83, None, None]


def test_the_version_of_a_squad_is_not_the_agent_s() -> None:
    active = [{"assistantId": "a1", "assistantVersion": "v4", "squadVersion": "v2"}]
    told = call(squadId="s1", squadVersion="v2", artifact={"assistantActivations": active})

    assert told.agent == Agent(id="a1", version="v4")
    assert told.metadata["squadVersion"] == "v2"
    assert told.metadata["assistantActivations"] == active


def test_words_without_times_are_words() -> None:
    assert timed({"word": "on"}, {"word": "Tuesday", "end": 3}) == (Word(text="on"), Word(text="Tuesday"))


@pytest.mark.parametrize("missing", ["time", "secondsFromStart"])
def test_words_in_unix_time_have_no_start_where_the_call_s_is_unknown(missing: str) -> None:
    heard = [{"word": "on", "start": BEGAN + 14100, "end": BEGAN + 14350}]
    sent = said("user", 14.0, 2.0, metadata={"wordLevelConfidence": heard})
    told = held({name: value for name, value in sent.items() if name != missing})
    assert turns_of(told)[0].words == (Word(text="on", duration=0.25),)


@pytest.mark.parametrize("metadata", [{}, {"wordLevelConfidence": None}, [], "none", 7, None])
def test_metadata_of_any_form_costs_no_message(metadata: object) -> None:
    assert turns_of(held(said("user", 1.0, metadata=metadata)))[0].words == ()


LATENCY = {"modelLatency": 500, "turnLatency": 1200.5}


def with_latencies(messages: Sequence[dict[str, Any]], *latencies: object) -> Conversation:
    return held(*messages, artifact={"performanceMetrics": {"turnLatencies": latencies, "turnLatencyAverage": 1200}})


def test_latencies_go_to_the_replies_and_the_greeting_has_none() -> None:
    messages = [said("bot", 0.5), said("user", 2.0), said("user", 2.5), said("bot", 4.0), said("bot", 6.0)]
    told = with_latencies(messages, LATENCY)
    assert [turn.metrics for turn in turns_of(told)] == [
        None,
        None,
        None,
        {"modelLatency": 0.5, "turnLatency": 1.2005},
        None,
    ]
    assert "transcript.metrics" in told.estimated


def test_what_is_said_after_a_tool_answered_is_a_reply_of_its_own() -> None:
    tool: dict[str, Any] = {"role": "tool_calls", "toolCalls": []}
    messages = [said("user", 2.0), said("bot", 4.0), tool, {"role": "tool_call_result"}, said("bot", 6.0)]
    told = with_latencies(messages, LATENCY, {"modelLatency": 100})
    assert [(turn.metrics or {}).get("modelLatency") for turn in turns_of(told)] == [None, 0.5, None, None, 0.1]
    silent = with_latencies([said("bot", 1.0), tool, said("bot", 2.0)], LATENCY)
    assert [turn.metrics for turn in turns_of(silent)] == [None, None, None]


@pytest.mark.parametrize("latencies", [[], [LATENCY, LATENCY], [None], ["fast"]])
def test_latencies_that_cannot_be_assigned_are_kept_beside(latencies: list[object]) -> None:
    told = with_latencies([said("user", 2.0), said("bot", 4.0)], *latencies)
    assert [turn.metrics for turn in turns_of(told)] == [None, None]
    assert told.metadata["performanceMetrics"] == {"turnLatencies": latencies, "turnLatencyAverage": 1200}
    assert "transcript.metrics" not in told.estimated


def test_latencies_of_any_form_cost_nothing_else() -> None:
    odd = {"modelLatency": "fast", "turnLatency": None, "voiceLatency": True, "endpointingLatency": 30}
    assert turns_of(with_latencies([said("user", 1.0), said("bot", 2.0)], odd))[1].metrics == {
        "endpointingLatency": 0.03
    }
    for instead in (*UNREADABLE, None, {"turnLatencies": "none"}):
        told = held(said("user", 1.0), said("bot", 2.0), artifact={"performanceMetrics": instead})
        assert told.issues == ()


@pytest.mark.parametrize(
    ("start", "interrupted"), [(5.0, True), (6.7, True), (6.9, None), (7.0, None), (9.0, None)], ids=str
)
def test_who_is_clearly_talked_over_was_interrupted(start: float, interrupted: bool | None) -> None:  # noqa: FBT001
    told = held(said("user", 1.0, 2.0), said("bot", 3.0, 4.0), said("user", start, 1.0))
    assert [turn.interrupted for turn in turns_of(told)] == [None, interrupted, None]
    assert ("transcript.interrupted" in told.estimated) is bool(interrupted)


def test_a_tool_in_between_does_not_hide_an_interruption() -> None:
    told = held(said("bot", 3.0, 4.0), {"role": "tool_calls"}, said("user", 4.0), said("user", 4.5))
    assert [turn.interrupted for turn in turns_of(told)] == [True, None, None, None]


# what became of it


@pytest.mark.parametrize(
    ("word", "success", "scores"),
    [
        ("true", True, None),
        ("Pass", True, None),
        ("false", False, None),
        ("fail", False, None),
        (True, True, None),
        ("8", None, {"successEvaluation": 8.0}),
        ("82.5%", None, {"successEvaluation": 82.5}),
        ("Strongly Agree", None, None),
        ("nan", None, None),
        ("", None, None),
        (None, None, None),
    ],
)
def test_an_evaluation_is_a_verdict_a_score_or_words(
    word: object,
    success: bool | None,  # noqa: FBT001
    scores: dict[str, float] | None,
) -> None:
    told = call(analysis={"successEvaluation": word})
    expected = Analysis(success=success, scores=scores)
    assert told.analysis == (expected if expected != Analysis() else None)
    assert told.metadata.get("successEvaluation") == (word if success is None and word else None)


def test_data_from_both_ways_of_collecting_stands_together() -> None:
    outputs = {"o1": {"name": "day", "result": "Friday"}, "o2": {"name": "mood", "result": {"calm": True}}, "o3": None}
    told = call(analysis={"structuredData": {"day": "Tuesday"}}, artifact={"structuredOutputs": outputs})
    assert told.analysis is not None
    assert told.analysis.collected == {"day": "Tuesday", "o1": "Friday", "mood": {"calm": True}}


def test_the_summary_is_the_analysis_or_an_output_of_that_name_or_where_it_once_stood() -> None:
    outputs = {"structuredOutputs": {"o1": {"name": "Call Summary", "result": "Of the output."}}}
    assert call(analysis={"summary": "Of the analysis."}, artifact=outputs).summary == "Of the analysis."
    assert call(artifact=outputs, summary="Of old.").summary == "Of the output."
    assert call(summary="Of old.").summary == "Of old."


def test_recordings_are_a_path_for_the_key_and_for_a_while_a_signed_address() -> None:
    told = recorded("get.phone")
    path, signed, *_ = told.recordings
    assert path == Recording(
        location="/call/019a43d8-6e20-7b1c-9d02-5a3c8b7e1f10/mono-recording", access=RecordingAccess.PROVIDER_KEY
    )
    assert (signed.access, signed.expires_at) == (
        RecordingAccess.SIGNED_URL,
        datetime(2026, 11, 2, 10, 15, 50, 10000, tzinfo=UTC),
    )
    kinds = [one.location.rpartition("/")[2] for one in told.recordings if one.access is RecordingAccess.PROVIDER_KEY]
    assert kinds == ["mono-recording", "stereo-recording", "assistant-recording", "customer-recording"]


def test_addresses_of_private_files_are_never_a_location() -> None:
    sent = {"recordingUrl": "https://storage.example.com/x.wav"}
    for told in (call(**sent), call(artifact=sent), call(artifact={"recording": {"mono": {"combinedUrl": "u"}}})):
        assert [one.location for one in told.recordings] == ["/call/call-1/mono-recording"]


# secrets


def test_credentials_are_in_neither_raw_nor_metadata() -> None:
    secrets = {
        "server": {"url": "https://hooks.example.com", "headers": {"authorization": "Bearer hidden-1"}},
        "credentials": [{"provider": "openai", "apiKey": "hidden-2"}],
        "serverUrlSecret": "hidden-3",
    }
    told = call(
        assistant={"name": "Desk", **secrets},
        assistantOverrides={"variableValues": {"line": {"twilioAuthToken": "hidden-4"}}, **secrets},
        phoneNumber={"twilioPhoneNumber": "+14155550100", "twilioAuthToken": "hidden-5", "twilioApiSecret": "hidden-6"},
        monitor={"controlUrl": "https://calls.example.com/hidden-7", "listenUrl": "wss://calls.example.com/hidden-8"},
        transport={"provider": "daily", "callUrl": "https://calls.example.com/hidden-9", "callToken": "hidden-10"},
        destination={"type": "sip", "sipUri": "sip:desk@example.com", "sipHeaders": {"x-key": "hidden-11"}},
        artifact={"variableValues": {"a": [{"password": "hidden-12"}], "b": 1}, "transfers": [{"token": "hidden-13"}]},
    )
    told = without_secrets(told, ADAPTER.secret_fields)
    assert told.raw is not None
    assert b"hidden" not in told.raw
    assert "hidden" not in repr(told.metadata)
    assert told.metadata["variableValues"] == {"a": [{"password": "***"}], "b": 1}
    assert told.metadata["destination"]["sipUri"] == "sip:desk@example.com"


def test_what_a_delivery_brings_is_scrubbed_as_well() -> None:
    body = deliver("end-of-call-report", assistant={"server": {"headers": {"authorization": "hidden"}}})
    (event,) = verify("vapi", body, {"X-Vapi-Secret": SECRET}, SECRET, NOW)
    assert event.conversation is not None
    assert event.conversation.raw is not None
    assert b"hidden" not in event.conversation.raw


# leniency


def test_odd_values_cost_nothing_but_themselves() -> None:
    told = call(
        createdAt="yesterday",
        name=["x"],
        customer={"number": 7},
        transport="none",
        destination=[],
        compliance=1,
        analysis={"structuredData": "none", "structuredDataMulti": {}},
        artifact={"messages": [said("bot", 1.0, time="soon", secondsFromStart=-4)], "structuredOutputs": []},
    )
    assert told.id == "call-1"
    assert {issue.place for issue in told.issues} >= {"createdAt", "name", "customer.number"}
    assert turns_of(told)[0].text == "bot at 1.0"
    assert turns_of(told)[0].timestamp is None
    assert told.analysis == Analysis(collected={"structuredData": "none"})


def test_a_number_may_be_text() -> None:
    (turn,) = turns_of(held({"role": "bot", "message": "Hi", "time": str(BEGAN), "secondsFromStart": "1.5"}))
    assert (turn.timestamp, turn.start) == (BEGAN / 1000, 1.5)


@pytest.mark.parametrize("body", [b"{}", b'{"id": null}', b"[]"])
def test_a_call_without_an_id_is_none(body: bytes) -> None:
    with pytest.raises(errors.PayloadError):
        normalize(body)


# start, delete and refusals


def test_a_call_goes_to_a_number_or_to_a_sip_address() -> None:
    made = answer({"id": "call-1", "status": "queued"}, 201)
    wanted = Start(agent="asst-1", to="sip:desk@example.com", options={"customer": {"name": "Ada"}, "name": "Recall"})
    driven = drive(start(ACCOUNT, wanted), made)
    assert json.loads(driven.requests[0].body or b"") == {
        "assistantId": "asst-1",
        "name": "Recall",
        "customer": {"name": "Ada", "sipUri": "sip:desk@example.com"},
    }
    assert not driven.requests[0].is_safe
    assert driven.result.conversation.status is Status.QUEUED
    known = drive(start(ACCOUNT, Start(options={"customerId": "cust-1", "squadId": "s1"})), made)
    assert json.loads(known.requests[0].body or b"") == {"customerId": "cust-1", "squadId": "s1"}


@pytest.mark.parametrize("options", [{}, {"customers": [{"number": "+14155550151"}]}])
def test_a_call_to_nobody_or_to_several_is_not_begun(options: dict[str, Any]) -> None:
    with pytest.raises(errors.InvalidRefError, match="one customer"):
        drive(start(ACCOUNT, Start(agent="asst-1", options=options)))


def test_deleting_one_call_cannot_delete_others() -> None:
    with pytest.raises(errors.InvalidRefError, match="no options"):
        drive(delete(ACCOUNT, "call-1", {"ids": ["call-2"]}))


def test_there_is_no_way_to_end_a_call_at_its_own_origin() -> None:
    assert ADAPTER.operations == ("list", "get", "start", "delete")


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"error": "Over Concurrency Limit"}, errors.RateLimitError),
        (400, {"message": "Over Concurrency Limit. Please wait."}, errors.RateLimitError),
        (400, {"message": ["id must be a UUID"]}, errors.NotFoundError),
        (400, {"message": "Validation failed (uuid is expected)"}, errors.NotFoundError),
        (400, {"message": ["assistantId must be a UUID"]}, errors.RejectedError),
        (401, {"message": "Invalid Key. Hot tip, …"}, errors.AuthError),
        (404, {"message": "Couldn't find the call."}, errors.NotFoundError),
        (429, {"statusCode": 429, "message": "Rate limit exceeded"}, errors.RateLimitError),
        (503, {"message": "Failed to erase call recordings; the call was not deleted."}, errors.OutageError),
    ],
)
def test_refusals(status: int, body: dict[str, Any], kind: type[errors.ProviderError]) -> None:
    error = refusal(answer(body, status))
    assert type(error) is kind
    words = body.get("message", body.get("error"))
    assert error.reason == (words[0] if isinstance(words, list) else words)


def test_an_error_under_http_200_is_a_refusal() -> None:
    with pytest.raises(errors.RejectedError, match="Couldn't get the call"):
        drive(get(ACCOUNT, "call-1"), answer({"message": "Couldn't get the call", "statusCode": 400}))


# webhooks


def deliver(kind: str, /, **members: Any) -> bytes:
    of = {"id": "call-1", "status": "ringing", "createdAt": at(1)}
    return json.dumps({"message": {"type": kind, "timestamp": BEGAN, "call": of, **members}}).encode()


def only(body: bytes) -> Event:
    (event,) = events(body)
    return event


@pytest.mark.parametrize(
    ("kind", "members", "expected", "id"),
    [
        ("status-update", {"status": "in-progress"}, EventKind.STARTED, "call-1:status-update:in-progress"),
        ("status-update", {"status": "ended"}, EventKind.ENDED, "call-1:status-update:ended"),
        ("status-update", {"status": "forwarding"}, EventKind.UPDATED, "call-1:status-update:forwarding"),
        ("end-of-call-report", {}, EventKind.TRANSCRIPT_READY, "call-1:end-of-call-report"),
        (
            "call.artifact.upload",
            {"artifacts": [{"type": "recording-stereo", "success": True}]},
            EventKind.RECORDING_READY,
            "call-1:call.artifact.upload",
        ),
        (
            "call.artifact.upload",
            {"artifacts": [{"type": "recording-stereo", "success": False}, {"type": "log", "success": True}, None]},
            EventKind.UPDATED,
            "call-1:call.artifact.upload",
        ),
        ("conversation-update", {}, EventKind.UPDATED, f"call-1:conversation-update:{BEGAN}"),
        ("speech-update", {"status": "started"}, EventKind.OTHER, f"call-1:speech-update:{BEGAN}"),
        (
            'transcript[transcriptType="final"]',
            {},
            EventKind.OTHER,
            f'call-1:transcript[transcriptType="final"]:{BEGAN}',
        ),
        ("tool-calls", {"toolCallList": []}, EventKind.OTHER, f"call-1:tool-calls:{BEGAN}"),
        ("assistant-request", {}, EventKind.OTHER, f"call-1:assistant-request:{BEGAN}"),
        ("transfer-destination-request", {}, EventKind.OTHER, f"call-1:transfer-destination-request:{BEGAN}"),
        ("call.deleted", {}, EventKind.OTHER, "call-1:call.deleted"),
        ("tool-calls", {"timestamp": None}, EventKind.OTHER, None),
    ],
)
def test_the_kinds_of_messages(kind: str, members: dict[str, Any], expected: EventKind, id: str | None) -> None:
    event = only(deliver(kind, **members))
    assert (event.kind, event.provider_kind, event.id) == (expected, kind, id)
    assert event.conversation_id == "call-1"


def test_the_report_is_read_as_get_reads_it() -> None:
    message = json.loads(CASES["webhook.report"].answers[0].body)["message"]
    event = only(CASES["webhook.report"].answers[0].body)
    told = event.conversation
    assert told is not None
    alone = {name: value for name, value in message.items() if name not in {"type", "timestamp", "call"}}
    got = normalize(json.dumps({**message["call"], **alone, "status": "ended"}).encode())
    assert (told.transcript, told.recordings, told.cost, told.analysis) == (
        got.transcript,
        got.recordings,
        got.cost,
        got.analysis,
    )
    assert (told.status, told.provider_status, told.estimated) == (Status.ENDED, None, ("status", *got.estimated))
    assert event.to_fetch is None


def test_other_messages_leave_the_transcript_to_be_fetched() -> None:
    live = {"messages": [said("bot", 1.0)]}
    ended = only(deliver("status-update", status="ended", endedReason="customer-ended-call", artifact=live))
    assert ended.conversation is not None
    assert (ended.conversation.transcript, ended.conversation.transcript_state) == (None, TranscriptState.PENDING)
    assert ended.conversation.end_reason is EndReason.CUSTOMER_ENDED
    assert only(deliver("conversation-update", messages=live["messages"])).conversation is None
    assert ended.to_fetch == "vapi:call-1"


# what is written


def chat_of(**members: Any) -> Conversation:
    return normalize_chat(json.dumps({"id": "chat-1", **members}).encode())


def session_of(**members: Any) -> Conversation:
    return normalize_session(json.dumps({"id": "session-1", **members}).encode())


def wrote(role: str, content: Any, **members: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **members}


def spoken(conversation: Conversation) -> list[tuple[str, str]]:
    return [(turn.role.value, turn.text) for turn in turns_of(conversation)]


def results(rows: Sequence[Any], has_more: bool | None = None) -> dict[str, Any]:  # noqa: FBT001
    told = {} if has_more is None else {"hasNextPage": has_more}
    return {"results": rows, "metadata": {"itemsPerPage": 2, "totalItems": 9, "currentPage": 1, **told}}


@pytest.mark.parametrize("resource", [CHATS, SESSIONS])
class TestPagesThatSayWhetherThereIsMore:
    def listed(self, resource: Resource, body: object, cursor: str | None = None, **query: Any) -> Driven[RawPage]:
        assert resource.list_page is not None
        return drive(resource.list_page(ACCOUNT, Query(**query), cursor), answer(body))

    def test_they_are_asked_for_in_the_order_in_which_they_are_walked(self, resource: Resource) -> None:
        driven = self.listed(resource, results([], has_more=False), options={"sortBy": "cost", "name": "x"})
        assert asked(driven) == {"sortBy": "createdAt", "sortOrder": "DESC", "name": "x", "limit": 100}

    def test_the_last_one_needs_no_other_that_brings_nothing(self, resource: Resource) -> None:
        rows = [row("a", at(9)), row("b", at(8))]
        assert self.listed(resource, results(rows, has_more=False), page_size=2).result.cursor is None
        first = self.listed(resource, results(rows, has_more=True), page_size=2)
        second = self.listed(resource, results([row("b", at(8)), row("c", at(8))], has_more=False), first.result.cursor)
        assert asked(second)["createdAtLe"] == at(8)
        assert (ids(second.result), second.result.cursor) == (["c"], None)

    def test_one_that_does_not_say_is_no_end(self, resource: Resource) -> None:
        first = self.listed(resource, results([row("a", at(9))]), page_size=50)
        assert first.result.cursor is not None
        last = self.listed(resource, results([row("a", at(9))]), first.result.cursor)
        assert (ids(last.result), last.result.cursor) == ([], None)

    def test_more_that_nobody_can_reach_is_an_error(self, resource: Resource) -> None:
        cursor = json.dumps([at(8), ["b"]])
        for rows in ([row("b", at(8))], [], [row("c", None)]):
            with pytest.raises(errors.PaginationError, match="leads no further"):
                self.listed(resource, results(rows, has_more=True), cursor)

    @pytest.mark.parametrize("body", [{}, [], {"results": None}, "none", None])
    def test_what_holds_no_results_is_no_list(self, resource: Resource, body: object) -> None:
        with pytest.raises(errors.PayloadError):
            self.listed(resource, body)


HISTORY = [wrote("system", "Be brief."), wrote("user", "Hello!"), wrote("assistant", "Hello.")]
REPLY = [wrote("assistant", "It is.")]
EXCHANGE = [("user", "Is it open?"), ("assistant", "It is.")]


@pytest.mark.parametrize(
    "sent",
    [
        "Is it open?",
        [wrote("user", "Is it open?")],
        wrote("user", "Is it open?"),
        [wrote("user", [{"text": "Is it open?"}])],
    ],
)
def test_a_chat_is_what_was_asked_and_the_reply_and_nothing_from_before(sent: Any) -> None:
    told = chat_of(input=sent, messages=[*HISTORY, wrote("user", "Is it open?")], output=REPLY, sessionId="session-1")
    assert spoken(told) == EXCHANGE
    assert [turn.index for turn in turns_of(told)] == [0, 1]
    assert told.related_ids == {"sessionId": "session-1"}
    assert "transcript" not in told.estimated


def test_what_was_asked_is_found_where_it_is_not_told() -> None:
    last = [*HISTORY, wrote("user", "Is it open?")]
    for follows in ({"sessionId": "session-1"}, {"previousChatId": "chat-0"}):
        told = chat_of(messages=last, output=REPLY, **follows)
        assert spoken(told) == EXCHANGE
        assert told.estimated == ("status", "transcript")
    alone = chat_of(messages=last, output=REPLY)
    assert spoken(alone) == [("system", "Be brief."), ("user", "Hello!"), ("assistant", "Hello."), *EXCHANGE]
    assert alone.estimated == ("status",)
    again = chat_of(messages=[*last, *REPLY], output=REPLY, sessionId="session-1")
    assert spoken(again) == EXCHANGE


@pytest.mark.parametrize(
    ("members", "status", "state"),
    [
        ({"input": "Hi", "output": REPLY}, Status.ENDED, TranscriptState.AVAILABLE),
        ({"input": "Hi", "output": []}, Status.UNKNOWN, TranscriptState.PENDING),
        ({"input": "Hi"}, Status.UNKNOWN, TranscriptState.PENDING),
        ({}, Status.UNKNOWN, TranscriptState.UNAVAILABLE),
    ],
)
def test_a_chat_has_ended_once_there_is_a_reply(
    members: dict[str, Any], status: Status, state: TranscriptState
) -> None:
    told = chat_of(**members)
    assert (told.status, told.provider_status, told.transcript_state) == (status, None, state)
    assert told.estimated == (("status",) if status is Status.ENDED else ())


def test_nothing_of_a_tool_or_of_a_refusal_is_lost() -> None:
    calls = [{"id": 7, "function": {"name": "find", "arguments": {"a": 1}}}, None]
    told = chat_of(
        input="Find it.",
        output=[
            wrote("assistant", None, tool_calls=calls),
            wrote("tool", {"b": 2}, tool_call_id=7),
            None,
            wrote("assistant", "Found.", refusal="I may not say where."),
            wrote("narrator", [{"type": "image_url"}, {"text": "Hm."}, "So."]),
        ],
    )
    _, called, found, said, strange = turns_of(told)
    assert [(one.id, one.name, one.arguments) for one in called.tool_calls] == [("7", "find", '{"a":1}')]
    assert found.tool_result is not None
    assert (found.role, found.text, found.tool_result.call_id) == (Role.TOOL, "", "7")
    assert found.tool_result.content == '{"b":2}'
    assert said.text == "Found.\nI may not say where."
    assert (strange.role, strange.text, strange.index) == (Role.UNKNOWN, "Hm.\nSo.", 4)
    assert told.participants[strange.participant or 0].name == "narrator"
    assert [(issue.place, issue.reason) for issue in told.issues] == [("output[2]", "null")]


@pytest.mark.parametrize(
    ("word", "status", "state"),
    [
        ("active", Status.IN_PROGRESS, TranscriptState.PENDING),
        ("completed", Status.ENDED, TranscriptState.AVAILABLE),
        ("zz-new", Status.UNKNOWN, TranscriptState.PENDING),
        (None, Status.UNKNOWN, TranscriptState.PENDING),
    ],
)
def test_the_status_words_of_a_session(word: str | None, status: Status, state: TranscriptState) -> None:
    told = session_of(status=word, messages=HISTORY)
    assert (told.status, told.provider_status, told.transcript_state) == (status, word, state)
    empty = session_of(status=word, messages=[])
    is_over = status is Status.ENDED
    assert empty.transcript is None
    assert empty.transcript_state is (TranscriptState.UNAVAILABLE if is_over else TranscriptState.PENDING)


def test_a_session_with_a_number_was_held_by_texting() -> None:
    for line in ({"phoneNumberId": "line-1"}, {"phoneNumber": {"twilioPhoneNumber": "+14155550100"}}):
        told = session_of(customer={"number": "+14155550166"}, **line)
        assert (told.channel, told.direction, told.estimated) == (Channel.SMS, Direction.UNKNOWN, ("channel",))
        assert told.participants[1].phone == "+14155550166"
    assert session_of().channel is Channel.CHAT
    assert session_of().estimated == ()


def test_what_is_written_costs_exactly_what_is_sent() -> None:
    for read in (normalize_chat, normalize_session):
        assert read(b'{"id": "1", "cost": 0.0011000}').cost == Cost(amount=Decimal("0.0011000"), unit="USD")


def test_what_is_written_keeps_no_secret() -> None:
    attached = {"metadata": {"apiKey": "secret-1", "page": "/orders"}, "variableValues": {"token": "secret-2"}}
    for read, name in ((chat_of, "chat"), (session_of, "session")):
        told = read(assistantOverrides=attached, metadata={"headers": {"x": "secret-3"}, "kind": name})
        told = without_secrets(told, ADAPTER.secret_fields)
        assert "secret-" not in str(told.metadata)
        assert told.metadata["assistantOverrides"]["metadata"]["page"] == "/orders"
        assert b"secret-" not in (told.raw or b"secret-")


@pytest.mark.parametrize(
    ("kind", "members", "expected", "ref"),
    [
        ("chat.created", {"chat": {"id": "c1", "input": "Hi"}}, EventKind.STARTED, "vapi:chats:c1"),
        ("chat.created", {"chat": {"id": "c1", "output": REPLY}}, EventKind.TRANSCRIPT_READY, "vapi:chats:c1"),
        ("chat.deleted", {"chat": {"id": "c1", "output": REPLY}}, EventKind.OTHER, "vapi:chats:c1"),
        ("session.created", {"session": {"id": "s1", "status": "active"}}, EventKind.STARTED, "vapi:sessions:s1"),
        ("session.updated", {"session": {"id": "s1", "status": "active"}}, EventKind.UPDATED, "vapi:sessions:s1"),
        ("session.updated", {"session": {"id": "s1", "status": "completed"}}, EventKind.ENDED, "vapi:sessions:s1"),
        (
            "session.updated",
            {"session": {"id": "s1", "status": "completed", "messages": REPLY}, "chat": {"id": "c1"}},
            EventKind.TRANSCRIPT_READY,
            "vapi:sessions:s1",
        ),
        ("tool-calls", {"chat": {"id": "c1"}, "session": {"id": "s1"}}, EventKind.OTHER, "vapi:chats:c1"),
        ("status-update", {"session": {"id": "s1"}, "status": "ended"}, EventKind.ENDED, "vapi:sessions:s1"),
    ],
)
def test_a_message_about_what_is_written_names_its_kind(
    kind: str, members: dict[str, Any], expected: EventKind, ref: str
) -> None:
    body = json.dumps({"message": {"type": kind, "timestamp": BEGAN, **members}}).encode()
    [event] = verify("vapi", body, {"x-vapi-secret": SECRET}, SECRET, NOW)
    assert (event.kind, f"vapi:{event.conversation_id}") == (expected, ref)
    brings = kind in {"chat.created", "session.created", "session.updated"}
    assert (event.conversation is not None) is brings
    if event.conversation is not None:
        assert (event.conversation.ref, event.conversation.raw) == (ref, body)
    has_turns = event.conversation is not None and event.conversation.transcript is not None
    assert event.to_fetch == (None if has_turns else ref)


def test_what_cannot_be_read_in_a_message_is_named_by_its_place_there() -> None:
    body = {"message": {"type": "chat.created", "chat": {"id": "c1", "createdAt": "soon", "output": [None]}}}
    told = only(json.dumps(body).encode()).conversation
    assert told is not None
    assert [issue.place for issue in told.issues] == ["message.chat.output[0]", "message.chat.createdAt"]


def test_what_is_no_message_is_refused() -> None:
    for body in (b"{}", b"[]", b'{"message": "hello"}'):
        with pytest.raises(errors.PayloadError):
            events(body)


BODY = deliver("status-update", status="in-progress")


def test_the_shared_secret_is_what_needs_no_choice() -> None:
    (event,) = verify("vapi", BODY, {"X-Vapi-Secret": SECRET}, SECRET, NOW)
    assert event.verified
    with pytest.raises(errors.WebhookError, match="signature mismatch"):
        verify("vapi", BODY, {"X-Vapi-Secret": f"{SECRET}x"}, SECRET, NOW)


HMAC = hmac_signed("x-signature", timestamp="x-timestamp")


def hmac_headers(body: bytes = BODY, moment: datetime = NOW) -> dict[str, str]:
    stamp = str(int(moment.timestamp()))
    return {
        "X-Timestamp": stamp,
        "X-Signature": hmac.digest(SECRET.encode(), stamp.encode() + b"." + body, "sha256").hex(),
    }


def test_a_credential_with_an_hmac_is_verified_with_its_own_scheme() -> None:
    (event,) = verify("vapi", BODY, hmac_headers(), SECRET, NOW, scheme=HMAC)
    assert (event.verified, event.kind) == (True, EventKind.STARTED)


@pytest.mark.parametrize(
    ("body", "headers", "now"),
    [
        (BODY + b" ", hmac_headers(), NOW),
        (BODY, hmac_headers(BODY + b" "), NOW),
        (BODY, hmac_headers(), NOW + timedelta(minutes=6)),
        (BODY, {**hmac_headers(), "X-Timestamp": "1"}, NOW),
        (BODY, {"X-Vapi-Secret": SECRET}, NOW),
    ],
)
def test_what_an_hmac_does_not_cover_is_not_believed(body: bytes, headers: dict[str, str], now: datetime) -> None:
    with pytest.raises(errors.WebhookError) as caught:
        verify("vapi", body, headers, SECRET, now, scheme=HMAC)
    assert caught.value.status == 401


@pytest.mark.parametrize(
    ("scheme", "headers"),
    [
        (shared_secret("authorization", prefix="Bearer "), {"Authorization": f"Bearer {SECRET}"}),
        (
            hmac_signed("x-vapi-signature", message="{body}", prefix="sha256="),
            {"X-Vapi-Signature": f"sha256={hmac.digest(SECRET.encode(), BODY, 'sha256').hex()}"},
        ),
    ],
)
def test_other_credentials_customers_choose(scheme: Scheme, headers: dict[str, str]) -> None:
    (event,) = verify("vapi", BODY, headers, SECRET, NOW, scheme=scheme)
    assert event.verified


# against the simulator


def simulator() -> Simulator:
    return Simulator(conversations=60, seed=11, providers=["vapi"], now=NOW, clock=ManualClock())


def truths(world: World) -> list[Truth]:
    return [world.corpus.truth(number) for number in range(world.corpus.size)]


def asking(method: str, path: str, running: Simulator, key: str = "any-private-key", **body: Any) -> Response:
    headers = {"authorization": f"Bearer {key}"}
    return SIMULATED.answer(
        Call(method, path, headers, json.dumps(body).encode() if body else b""), running.worlds["vapi"]
    )


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/call?limit=1001", 400, "limit must not be greater than 1000"),
        ("/call?createdAtGe=yesterday", 400, "createdAtGe must be a valid ISO 8601 date string"),
        ("/call?status=ended", 400, "property status should not exist"),
        ("/call/nobody", 400, "uuid is expected"),
        ("/call/019a7c55-3f0e-7c21-9b4d-5a0000000000", 404, "Couldn't find the call."),
        ("/calls", 404, "Cannot GET /calls"),
    ],
)
def test_the_simulator_refuses_as_vapi_does(path: str, status: int, words: str) -> None:
    refused = asking("GET", path, simulator())
    body = json.loads(refused.body)
    assert (refused.status, body["statusCode"]) == (status, status)
    assert words in str(body["message"])
    assert isinstance(refusal(refused), errors.ProviderError)


def test_the_simulator_filters_by_instants_in_milliseconds() -> None:
    running = simulator()
    rows = json.loads(asking("GET", "/call", running).body)
    instants = [one["createdAt"] for one in rows]
    assert instants == sorted(instants, reverse=True)
    for bound, kept in (("Le", instants[5:]), ("Lt", instants[6:]), ("Ge", instants[:6]), ("Gt", instants[:5])):
        found = json.loads(asking("GET", f"/call?createdAt{bound}={instants[5]}", running).body)
        assert [one["createdAt"] for one in found] == kept


async def test_calls_are_started_until_there_are_too_many_and_deleted_again() -> None:
    async with simulated("vapi", seed=11, profile="interactive") as (hub, _):
        line = {"phoneNumberId": "line-1"}
        started = [await hub.start("vapi", agent="a1", to="+14155550151", provider_options=line) for _ in range(10)]
        with pytest.raises(errors.RateLimitError, match="Over Concurrency Limit"):
            await hub.start("vapi", agent="a1", to="+14155550151", provider_options=line)
        with pytest.raises(errors.RejectedError, match="Couldn't Get Phone Number"):
            await hub.start("vapi", agent="a1", to="+14155550151")
        first = started[0].conversation
        assert (first.direction, first.agent) == (Direction.OUTBOUND, Agent(id="a1"))
        mine = [one.id async for one in hub.list("vapi", agent="a1")]
        assert sorted(mine) == sorted(one.conversation.id for one in started)
        await hub.delete(first.ref)
        with pytest.raises(errors.NotFoundError):
            await hub.get(first.ref)


def test_a_recording_is_a_way_to_storage_where_there_is_one() -> None:
    running = simulator()
    world = running.worlds["vapi"]
    kinds = {
        truth.variant >> 3 & 1: asking("GET", f"/call/{world.id(truth)}/mono-recording", running)
        for truth in truths(world)
        if truth.answered is not None and truth.phase(world.present) is Phase.SETTLED
    }
    assert (kinds[1].status, kinds[0].status) == (302, 404)
    assert kinds[1].headers["location"].startswith("https://storage.example.com/")
