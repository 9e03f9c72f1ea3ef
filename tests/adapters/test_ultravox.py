"""Ultravox's traps: no status, a transcript in pages of its own, two clocks, members that are left out."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from conversations_hub import Account, Conversation, errors
from conversations_hub._scrub.members import scrubbed
from conversations_hub.adapter import Query, RawPage, Start, Started
from conversations_hub.adapters.ultravox import (
    ADAPTER,
    delete,
    end,
    events,
    get,
    list_page,
    normalize,
    refusal,
    start,
)
from conversations_hub.events import Event, EventKind
from conversations_hub.schema import (
    Channel,
    Direction,
    EndReason,
    Issue,
    RecordingAccess,
    Role,
    Status,
    ToolCall,
    ToolResult,
    TranscriptState,
    TranscriptTurn,
)
from conversations_hub.testing import Driven, Simulator, drive
from conversations_hub.testing.simulator._ultravox import SIMULATED
from conversations_hub.testing.simulator._world import Call
from conversations_hub.webhooks import verify
from conversations_hub.wire import Response, target

from ..support import exchanges
from ..support.clock import NOW, ManualClock
from ..support.iterators import collected
from ..support.simulated import simulated

CASES = exchanges.cases("ultravox")
ACCOUNT = Account("ultravox", key="Ultra123.Invented0123456789abcdefghijklmn")
NOTHING = Response(204, {}, b"")
CREATED = "2026-03-02T09:00:00Z"
JOINED = "2026-03-02T09:00:05Z"
ENDED = "2026-03-02T09:01:05Z"
AGENT = "MESSAGE_ROLE_AGENT"
USER = "MESSAGE_ROLE_USER"


def answer(body: Any, status: int = 200, **headers: str) -> Response:
    return Response(status, headers, json.dumps(body).encode())


def call(**members: Any) -> dict[str, Any]:
    return {"callId": "call-1", "created": CREATED, "joined": JOINED, "ended": ENDED, "endReason": "hangup", **members}


def row(**members: Any) -> Conversation:
    return normalize(json.dumps(call(**members)).encode())


def page(*messages: Any, following: Any = None) -> Response:
    return answer({"next": following, "total": 0, "results": messages})


def got(*messages: Any, **members: Any) -> Conversation:
    return drive(get(ACCOUNT, "call-1"), answer(call(**members)), page(*messages)).result


def turns(*messages: Any, **members: Any) -> tuple[TranscriptTurn, ...]:
    found = got(*messages, **members).transcript
    assert found is not None
    return found


def said(text: str, role: str = AGENT, **members: Any) -> dict[str, Any]:
    return {"role": role, "text": text, "callStageId": "stage-1", **members}


def listed(reply: Response, query: Query | None = None, cursor: str | None = None) -> Driven[RawPage]:
    return drive(list_page(ACCOUNT, query or Query(), cursor), reply)


def asked(query: Query, cursor: str | None = None) -> str:
    (request,) = listed(answer({"results": []}), query, cursor).requests
    return target(request, "").removeprefix("/api/calls?")


# the list


def test_a_list_is_asked_for_newest_first_in_pages_of_a_hundred() -> None:
    assert asked(Query()) == "sort=-created&pageSize=100"
    assert asked(Query(page_size=7)) == "sort=-created&pageSize=7"
    assert asked(Query(options={"sort": "created", "pageSize": 50})) == "sort=created&pageSize=50"


def test_filters_that_stand_for_each_value_are_repeated() -> None:
    assert asked(Query(options={"agentIds": ["a", "b"], "metadata.campaign": "recall"})) == (
        "sort=-created&pageSize=100&agentIds=a&agentIds=b&metadata.campaign=recall"
    )


@pytest.mark.parametrize(
    "following",
    [
        "https://api.ultravox.ai/api/calls?cursor=cD0x%3D",
        "https://elsewhere.example.com/api/calls?cursor=cD0x%3D",
        "http://api.ultravox.ai:8080/internal/calls?cursor=cD0x%3D",
        "?cursor=cD0x%3D",
    ],
)
def test_the_next_page_is_asked_for_where_the_first_was(following: str) -> None:
    query = Query(agent="agent-1", since=datetime(2026, 3, 1, tzinfo=UTC), options={"durationMin": "30s"})
    cursor = listed(answer({"next": following, "results": []}), query).result.cursor
    assert cursor == "cD0x="
    (request,) = listed(answer({"results": []}), query, cursor).requests

    assert target(request, "https://proxy.example.com/uv") == (
        "https://proxy.example.com/uv/api/calls?sort=-created&pageSize=100&durationMin=30s&agentIds=agent-1"
        "&fromDate=2026-03-01T00%3A00%3A00%2B00%3A00&cursor=cD0x%3D"
    )


def test_of_the_next_page_s_url_the_cursor_alone_is_taken() -> None:
    following = "https://api.ultravox.ai/api/calls?agentIds=a&agentIds=b&cursor=cD0x&pageSize=50&sort=-created"
    query = Query(options={"agentIds": ["a", "b"]})
    cursor = listed(answer({"next": following, "results": []}), query).result.cursor

    assert asked(query, cursor) == "sort=-created&pageSize=100&agentIds=a&agentIds=b&cursor=cD0x"


def test_a_cursor_that_is_the_query_of_the_next_page_is_still_read() -> None:
    assert asked(Query(page_size=7), "sort=created&pageSize=50&cursor=cD0x%3D") == (
        "sort=-created&pageSize=7&cursor=cD0x%3D"
    )


@pytest.mark.parametrize("last", [{"next": None}, {"next": ""}, {}])
@pytest.mark.parametrize("total", [{"total": 0}, {"total": 500}, {}])
def test_a_walk_ends_where_no_next_page_is_named_whatever_the_total(
    last: dict[str, Any], total: dict[str, Any]
) -> None:
    assert listed(answer({"results": [call()], **last, **total})).result.cursor is None


def test_an_empty_page_that_names_a_next_one_is_no_end() -> None:
    following = "https://api.ultravox.ai/api/calls?cursor=cD0x"

    assert listed(answer({"results": [], "next": following, "total": 0})).result.cursor


@pytest.mark.parametrize(
    "following",
    ["https://api.ultravox.ai/api/calls", "https://api.ultravox.ai/api/calls?cursor=", "http://[", "zz", 7, ["x"]],
)
def test_a_next_page_that_leads_nowhere_is_no_silent_end(following: Any) -> None:
    with pytest.raises(errors.PaginationError, match="there are more rows, but not where"):
        listed(answer({"results": [call()], "next": following}))
    with pytest.raises(errors.PaginationError, match="there are more rows, but not where"):
        drive(get(ACCOUNT, "call-1"), answer(call()), page(said("Hello."), following=following))


def test_a_page_without_rows_to_speak_of_is_refused() -> None:
    with pytest.raises(errors.PayloadError, match="results"):
        listed(answer({"next": None, "total": 0}))


def test_a_row_without_an_id_spoils_no_other() -> None:
    listing = listed(answer({"results": [{"created": CREATED}, call()]})).result

    assert len(listing.rows) == 2
    with pytest.raises(errors.PayloadError, match="callId"):
        listing.normalize(listing.rows[0])
    assert listing.normalize(listing.rows[1]).id == "call-1"
    assert listing.normalize(listing.rows[1]).transcript_state is TranscriptState.NOT_LOADED


# the transcript's pages


def test_all_pages_of_a_transcript_are_read_in_order() -> None:
    following = "https://api.ultravox.ai/api/calls/call-1/messages?cursor={}&mode=in_call&pageSize=100"
    answers = [
        answer(call()),
        page(said("One."), said("Two."), following=following.format("cD0y")),
        page(following=following.format("cD0z")),
        page(said("Three.")),
    ]
    driven = drive(get(ACCOUNT, "call-1"), *answers)

    assert [target(request, "") for request in driven.requests] == [
        "/api/calls/call-1",
        "/api/calls/call-1/messages?mode=in_call&pageSize=100",
        "/api/calls/call-1/messages?mode=in_call&pageSize=100&cursor=cD0y",
        "/api/calls/call-1/messages?mode=in_call&pageSize=100&cursor=cD0z",
    ]
    assert [(turn.index, turn.text) for turn in driven.result.transcript or ()] == [
        (0, "One."),
        (1, "Two."),
        (2, "Three."),
    ]
    kept = msgspec.json.decode(driven.result.raw or b"", type=dict[str, msgspec.Raw])
    assert bytes(kept["call"]) == answers[0].body
    assert [bytes(one) for one in msgspec.json.decode(kept["messages"], type=list[msgspec.Raw])] == [
        one.body for one in answers[1:]
    ]


def test_every_stage_is_asked_for_also_where_the_next_page_s_url_forgets_it() -> None:
    following = "https://api.ultravox.ai/api/calls/call-1/messages?cursor=cD0y"
    driven = drive(get(ACCOUNT, "call-1"), answer(call()), page(following=following), page())

    assert all(request.query["mode"] == "in_call" for request in driven.requests[1:])


def test_pages_that_lead_back_are_no_endless_transcript() -> None:
    there, back = (
        page(said("Again."), following=f"https://api.ultravox.ai/api/calls/call-1/messages?cursor={cursor}")
        for cursor in ("cD0x", "cD0y")
    )
    with pytest.raises(errors.PaginationError, match="run in a circle"):
        drive(get(ACCOUNT, "call-1"), answer(call()), there, back, there)


def test_a_transcript_without_rows_to_speak_of_is_refused() -> None:
    with pytest.raises(errors.PayloadError, match="results"):
        drive(get(ACCOUNT, "call-1"), answer(call()), answer({"next": None}))


# the turns


def test_the_provider_s_order_stands_against_the_times() -> None:
    first, second = turns(
        said("This call may be recorded.", timespan={"start": "0.348s", "end": "2.185s"}),
        said("Mailbox.", USER, timespan={"start": "0s", "end": "9.088s"}, callStageMessageIndex=1),
    )

    assert (first.text, first.start, first.provider_id) == ("This call may be recorded.", 0.348, "stage-1/0")
    assert (second.text, second.start, second.provider_id) == ("Mailbox.", 0.0, "stage-1/1")


def test_members_that_hold_their_default_are_left_out() -> None:
    (turn,) = turns({"role": USER, "callStageId": "stage-1", "wallClockTimespan": {"end": "1.5s"}})

    assert (turn.text, turn.start, turn.duration, turn.provider_id) == ("", 0.0, 1.5, "stage-1/0")


def test_time_that_passed_is_the_turn_s_and_audio_heard_is_kept_beside() -> None:
    (both,) = turns(
        said("Hi", timespan={"start": "1s", "end": "2s"}, wallClockTimespan={"start": "1.25s", "end": "3s"})
    )
    (wall,) = turns(said("Hi", wallClockTimespan={"start": "1.25s", "end": "3s"}))
    (audio,) = turns(said("Hi", timespan={"start": "1s", "end": "2s"}))
    (neither,) = turns(said("Hi"))

    assert (both.start, both.duration) == (1.25, 1.75)
    assert both.metrics == audio.metrics == {"timespan.start": 1.0, "timespan.end": 2.0}
    assert (wall.start, wall.duration, wall.metrics) == (1.25, 1.75, None)
    assert (audio.start, audio.duration) == (1.0, 1.0)
    assert (neither.start, neither.duration, neither.metrics) == (None, None, None)


@pytest.mark.parametrize("offset", ["soon", "-1s", "1e400s", "nans", "1s,2s", "[1]", "1.2.3s", '"1"', "1:02"])
def test_an_offset_nobody_can_read_costs_no_other(offset: str) -> None:
    conversation = got(
        said("One.", wallClockTimespan={"start": "1s", "end": "2s"}),
        said("Two.", wallClockTimespan={"start": offset, "end": "4s"}),
    )

    assert [(turn.start, turn.duration) for turn in conversation.transcript or ()] == [(1.0, 1.0), (None, None)]
    assert set(conversation.issues) == {Issue("messages[0].results[1]", "not a timespan")}


def test_a_turn_that_ends_before_it_begins_has_no_length() -> None:
    (turn,) = turns(said("Hi", wallClockTimespan={"start": "2s", "end": "1s"}))

    assert (turn.start, turn.duration) == (2.0, None)


def test_a_turn_still_being_said_has_no_length() -> None:
    (turn,) = turns(said("Hi", timespan={"start": "2s"}))

    assert (turn.start, turn.duration, turn.metrics) == (2.0, None, None)


def test_tools_and_their_answers_are_linked() -> None:
    asked_for, first, again, second = turns(
        said('{"day": "Friday"}', "MESSAGE_ROLE_TOOL_CALL", invocationId="inv-1", toolName="findSlot"),
        said("", "MESSAGE_ROLE_TOOL_RESULT", invocationId="inv-1", toolName="findSlot", errorDetails="HTTP 504"),
        said("{broken", "MESSAGE_ROLE_TOOL_CALL", invocationId="inv-2", toolName="findSlot"),
        said('{"slot": "10:30"}', "MESSAGE_ROLE_TOOL_RESULT", invocationId="inv-2", toolName="findSlot"),
    )

    assert [(turn.role, turn.text) for turn in (asked_for, first, again, second)] == [
        (Role.ASSISTANT, ""),
        (Role.TOOL, ""),
        (Role.ASSISTANT, ""),
        (Role.TOOL, ""),
    ]
    assert asked_for.tool_calls == (ToolCall(id="inv-1", name="findSlot", arguments='{"day": "Friday"}'),)
    assert first.tool_result == ToolResult(call_id="inv-1", content="", is_error=True)
    assert again.tool_calls == (ToolCall(id="inv-2", name="findSlot", arguments="{broken"),)
    assert second.tool_result == ToolResult(call_id="inv-2", content='{"slot": "10:30"}')


def test_what_no_turn_has_a_field_for_is_kept_beside_them() -> None:
    metadata = got(
        said("Hi"),
        said("OK", "MESSAGE_ROLE_TOOL_RESULT", callState={"step": 2}, callStageMessageIndex=1),
        said("Bye", metadata={"tone": "warm"}, callStageMessageIndex=2),
    ).metadata

    assert metadata["ultravox.messages"] == [
        {"callStageId": "stage-1", "callStageMessageIndex": 1, "callState": {"step": 2}},
        {"callStageId": "stage-1", "callStageMessageIndex": 2, "metadata": {"tone": "warm"}},
    ]


def test_a_prompt_is_that_of_the_last_stage_and_stands_where_that_begins() -> None:
    conversation = got(
        said("Hi.", callStageId="a"),
        said("Booking here.", callStageId="b"),
        said("Yes?", callStageId="b", callStageMessageIndex=1),
        systemPrompt="You book.",
    )

    assert [(turn.index, turn.role, turn.text) for turn in conversation.transcript or ()] == [
        (0, Role.ASSISTANT, "Hi."),
        (1, Role.SYSTEM, "You book."),
        (2, Role.ASSISTANT, "Booking here."),
        (3, Role.ASSISTANT, "Yes?"),
    ]
    assert "You book." not in conversation.text
    assert conversation.metadata["ultravox.stages"] == ["a", "b"]


def test_a_role_nobody_knows_keeps_its_word() -> None:
    conversation = got(said("Psst.", "MESSAGE_ROLE_WHISPER"), {"text": "Who?"}, None, {"role": None, "text": "Hm."})
    assert conversation.transcript is not None
    strange, nameless, without = conversation.transcript

    assert (strange.role, strange.participant) == (Role.UNKNOWN, 2)
    assert conversation.participants[2].name == "MESSAGE_ROLE_WHISPER"
    assert [(turn.role, turn.participant) for turn in (nameless, without)] == [(Role.UNKNOWN, None)] * 2
    assert [turn.index for turn in conversation.transcript] == [0, 1, 2]
    assert conversation.issues == (Issue("messages[0].results[2]", "null"),)


def test_an_odd_value_among_the_messages_is_told_and_costs_nothing_else() -> None:
    conversation = got(said("Hi", callStageMessageIndex="first"), said("Bye"))

    assert [turn.text for turn in conversation.transcript or ()] == ["Hi", "Bye"]
    assert [issue.place for issue in conversation.issues] == ["messages[0].results[0].callStageMessageIndex"]


# where a call stands


@pytest.mark.parametrize(
    ("members", "status", "reason"),
    [
        ({"joined": None, "ended": None, "endReason": None}, Status.QUEUED, None),
        (
            {"joined": None, "ended": None, "endReason": None, "medium": {"twilio": {"outgoing": {"to": "+15550101"}}}},
            Status.RINGING,
            None,
        ),
        ({"joined": None, "ended": None, "endReason": None, "medium": {"twilio": {}}}, Status.QUEUED, None),
        ({"ended": None, "endReason": None}, Status.IN_PROGRESS, None),
        ({"endReason": "hangup"}, Status.ENDED, EndReason.CUSTOMER_ENDED),
        ({"endReason": "agent_hangup"}, Status.ENDED, EndReason.AGENT_ENDED),
        ({"endReason": "connection_error"}, Status.FAILED, EndReason.ERROR),
        ({"endReason": "system_error"}, Status.FAILED, EndReason.ERROR),
        ({"joined": None, "endReason": "unjoined"}, Status.NO_ANSWER, EndReason.NO_ANSWER),
        ({"endReason": "zz_unheard_of"}, Status.ENDED, EndReason.UNKNOWN),
        ({"endReason": None}, Status.ENDED, None),
        ({"ended": None}, Status.ENDED, EndReason.CUSTOMER_ENDED),
    ],
)
def test_where_a_call_stands_is_read_from_what_has_happened(
    members: dict[str, Any], status: Status, reason: EndReason | None
) -> None:
    conversation = row(**members)

    assert (conversation.status, conversation.end_reason) == (status, reason)
    assert conversation.provider_end_reason == call(**members)["endReason"]
    assert conversation.provider_status is None
    assert "status" in conversation.estimated


@pytest.mark.parametrize(
    ("word", "status", "reason"),
    [
        ("BUSY", Status.NO_ANSWER, EndReason.BUSY),
        ("TIMEOUT", Status.NO_ANSWER, EndReason.NO_ANSWER),
        ("DESTINATION_UNAVAILABLE", Status.NO_ANSWER, EndReason.NO_ANSWER),
        ("REJECTED", Status.NO_ANSWER, EndReason.NO_ANSWER),
        ("CANCELED", Status.CANCELLED, EndReason.CANCELLED),
        ("INVALID_NUMBER", Status.FAILED, EndReason.ERROR),
        ("NORMAL", Status.NO_ANSWER, EndReason.NO_ANSWER),
        ("UNKNOWN", Status.NO_ANSWER, EndReason.NO_ANSWER),
        ("ZZ_UNHEARD_OF", Status.NO_ANSWER, EndReason.NO_ANSWER),
    ],
)
def test_why_nobody_joined_the_telephone_network_knows(word: str, status: Status, reason: EndReason) -> None:
    details = {"terminationReason": f"SIP_TERMINATION_{word}", "billedDuration": "6s"}
    unjoined = row(joined=None, endReason="unjoined", sipDetails=details)
    joined = row(sipDetails=details)

    assert (unjoined.status, unjoined.end_reason, unjoined.provider_end_reason) == (status, reason, "unjoined")
    assert unjoined.metadata["ultravox.sipDetails.terminationReason"] == f"SIP_TERMINATION_{word}"
    assert (joined.status, joined.end_reason) == (Status.ENDED, EndReason.CUSTOMER_ENDED)


@pytest.mark.parametrize(
    ("longest", "reason"),
    [
        ("60s", EndReason.MAX_DURATION),
        ("59.5s", EndReason.MAX_DURATION),
        ("600s", EndReason.SILENCE),
        (None, EndReason.MAX_DURATION),
    ],
)
def test_a_timeout_is_silence_where_the_call_could_have_gone_on(longest: str | None, reason: EndReason) -> None:
    conversation = row(endReason="timeout", maxDuration=longest)

    assert (conversation.status, conversation.end_reason) == (Status.ENDED, reason)
    assert conversation.estimated == ("status", "duration", "end_reason")


@pytest.mark.parametrize(
    ("date", "status"),
    [
        ("Mon, 02 Mar 2026 09:05:00 GMT", Status.QUEUED),
        ("Mon, 02 Mar 2026 11:00:00 GMT", Status.NO_ANSWER),
        ("Mon, 02 Mar 2026 11:00:00 -0000", Status.NO_ANSWER),
        ("yesterday", Status.QUEUED),
        ("", Status.QUEUED),
    ],
)
def test_a_call_that_waits_long_after_nobody_could_join_is_stale(date: str, status: Status) -> None:
    waiting = call(joined=None, ended=None, endReason=None, joinTimeout="30s")
    whole = drive(get(ACCOUNT, "call-1"), answer(waiting, date=date), page()).result
    listing = listed(answer({"results": [waiting]}, date=date)).result

    assert whole.status is status
    assert listing.normalize(listing.rows[0]).status is status
    assert whole.metadata["ultravox.joinTimeout"] == "30s"


def test_a_call_that_waits_as_long_as_it_was_told_to_is_not_stale() -> None:
    waiting = call(joined=None, ended=None, endReason=None, joinTimeout="86400s")
    date = "Mon, 02 Mar 2026 20:00:00 GMT"

    assert drive(get(ACCOUNT, "call-1"), answer(waiting, date=date), page()).result.status is Status.QUEUED
    talking = call(ended=None, endReason=None, joinTimeout="30s")
    assert drive(get(ACCOUNT, "call-1"), answer(talking, date=date), page()).result.status is Status.IN_PROGRESS


def test_the_length_is_that_of_the_talk_and_not_what_is_billed() -> None:
    joined = row(billedDuration="66s")
    unjoined = row(joined=None, endReason="unjoined", billedDuration="0s")

    assert (joined.duration, joined.metadata["ultravox.billedDuration"]) == (60.0, "66s")
    assert joined.started_at == datetime(2026, 3, 2, 9, 0, 5, tzinfo=UTC)
    assert joined.created_at == datetime(2026, 3, 2, 9, tzinfo=UTC)
    assert (unjoined.duration, unjoined.started_at) == (None, None)
    assert joined.cost is None


@pytest.mark.parametrize(
    ("members", "state", "transcript"),
    [
        ({"ended": None, "endReason": None}, TranscriptState.PENDING, None),
        ({"joined": None, "endReason": "unjoined"}, TranscriptState.UNAVAILABLE, None),
        ({"billingStatus": "BILLING_STATUS_PENDING"}, TranscriptState.PENDING, None),
        ({"billingStatus": "BILLING_STATUS_BILLED"}, TranscriptState.AVAILABLE, ()),
        ({}, TranscriptState.AVAILABLE, ()),
    ],
)
def test_why_nothing_was_said(
    members: dict[str, Any], state: TranscriptState, transcript: tuple[TranscriptTurn, ...] | None
) -> None:
    conversation = got(**members)

    assert (conversation.transcript_state, conversation.transcript) == (state, transcript)


def test_what_was_said_so_far_is_never_all_and_an_unpaid_bill_delays_nothing() -> None:
    running = got(said("Hi"), ended=None, endReason=None)
    unbilled = got(said("Hi"), billingStatus="BILLING_STATUS_PENDING")

    assert (running.transcript_state, len(running.transcript or ())) == (TranscriptState.PENDING, 1)
    assert unbilled.transcript_state is TranscriptState.AVAILABLE


# who, and over what


@pytest.mark.parametrize(
    ("medium", "channel", "direction"),
    [
        ({"webRtc": {}}, Channel.WEB, Direction.UNKNOWN),
        ({"serverWebSocket": {"inputSampleRate": 8000}}, Channel.UNKNOWN, Direction.UNKNOWN),
        ({"twilio": {}}, Channel.PHONE, Direction.UNKNOWN),
        ({"telnyx": {"outgoing": {"to": "+15550101"}}}, Channel.PHONE, Direction.OUTBOUND),
        ({"plivo": {"outgoing": {}}}, Channel.PHONE, Direction.OUTBOUND),
        ({"exotel": {}}, Channel.PHONE, Direction.UNKNOWN),
        ({"sip": {"incoming": {}}}, Channel.PHONE, Direction.INBOUND),
        ({"sip": {"outgoing": {"to": "sip:a@example.com"}}}, Channel.PHONE, Direction.OUTBOUND),
        ({"twilio": None, "sip": {}}, Channel.PHONE, Direction.UNKNOWN),
        ({"zzCarrier": {"outgoing": {"to": "+15550101"}}}, Channel.UNKNOWN, Direction.UNKNOWN),
        ({}, Channel.UNKNOWN, Direction.UNKNOWN),
        (None, Channel.UNKNOWN, Direction.UNKNOWN),
    ],
)
def test_the_medium_tells_channel_and_direction(medium: Any, channel: Channel, direction: Direction) -> None:
    conversation = row(medium=medium)

    assert (conversation.channel, conversation.direction) == (channel, direction)


def test_a_caller_is_known_from_the_context_of_the_call() -> None:
    told = {"caller_id": "+15550102", "from_display_name": "Ada L.", "from_uri": "sip:+15550102@sip.example.com"}
    conversation = row(medium={"sip": {"incoming": {}}}, requestContext={"ultravox": {"sip": told}, "tier": "gold"})
    customer = conversation.participants[1]

    assert (customer.phone, customer.name, customer.id) == tuple(told.values())
    assert conversation.metadata["ultravox.requestContext"]["tier"] == "gold"
    for odd in ("text", ["x"], {"ultravox": "x"}, {"ultravox": {"sip": 7}}, {"ultravox": {"sip": {"caller_id": 7}}}):
        assert row(requestContext=odd).participants[1].phone is None


def test_a_call_without_an_agent_has_none() -> None:
    assert row(agent=None, agentId=None).agent is None
    assert row(agent=None, agentId="agent-1").agent == row(agent={"agentId": "agent-1"}).agent


# what else is told


def test_the_customer_s_metadata_and_the_vendor_s_never_collide() -> None:
    conversation = row(model="ultravox-v0.7", metadata={"model": "mine", "ultravox.plivo.call_id": "plivo-1"})

    assert conversation.metadata["model"] == "mine"
    assert conversation.metadata["ultravox.model"] == "ultravox-v0.7"
    assert conversation.related_ids == {"plivo.call_id": "plivo-1"}
    assert row(metadata="text").metadata["ultravox.metadata"] == "text"


def test_a_summary_is_the_long_one_or_else_the_short_one() -> None:
    both = row(summary="It was booked for Friday.", shortSummary="Booked.")
    short = row(summary=None, shortSummary="Booked.")

    assert (both.summary, both.metadata["ultravox.shortSummary"]) == ("It was booked for Friday.", "Booked.")
    assert short.summary == "Booked."
    assert "ultravox.shortSummary" not in short.metadata


@pytest.mark.parametrize("flag", [True, False, None])
def test_a_recording_is_looked_for_whatever_the_flag_says(flag: bool | None) -> None:  # noqa: FBT001
    (recording,) = row(recordingEnabled=flag).recordings

    assert recording.location == "/api/calls/call-1/recording"
    assert recording.access is RecordingAccess.PROVIDER_KEY
    assert row(recordingEnabled=flag, ended=None, endReason=None).recordings == ()
    assert row(recordingEnabled=flag, joined=None, endReason="unjoined").recordings == ()


def test_nothing_kept_holds_a_credential() -> None:
    secrets = [f"invented-secret-{number}" for number in range(9)]
    credentials = iter(secrets)
    conversation = got(
        said("Hi"),
        joinUrl=f"wss://voice.example.com/calls?token={next(credentials)}",
        medium={
            "sip": {
                "outgoing": {"to": "sip:a@example.com", "username": next(credentials), "password": next(credentials)}
            },
            "twilio": {"outgoing": {"additionalParams": {"SipAuthPassword": next(credentials)}}},
        },
        callbacks={"ended": {"url": "https://example.com", "secrets": [next(credentials)]}},
        dataConnectionConfig={"websocketUrl": f"wss://example.com?key={next(credentials)}", "headers": {}},
        experimentalSettings={"token": next(credentials)},
        externalVoice={"generic": {"url": "https://example.com", "headers": {"Authorization": next(credentials)}}},
        voiceOverrides={"generic": {"headers": {"Authorization": next(credentials)}}},
    )
    raw = scrubbed(conversation.raw or b"", ADAPTER.secret_fields).decode()
    without_raw = msgspec.json.encode(msgspec.structs.replace(conversation, raw=None)).decode()

    assert [secret for secret in secrets if secret in raw or secret in without_raw] == []
    assert "sip:a@example.com" in raw


# to start, to end, to delete


def started(wanted: Start) -> Driven[Started]:
    return drive(start(ACCOUNT, wanted), answer(call(joinUrl="wss://voice.example.com/calls/1"), 201))


def test_a_call_is_started_for_an_agent_or_for_none() -> None:
    with_agent = started(Start(agent="agent-1", options={"metadata": {"a": "b"}, "throttle": "slow"}))
    without = started(Start(options={"systemPrompt": "Be kind.", "priorCallId": "call-0"}))

    (request,) = with_agent.requests
    assert target(request, "") == "/api/agents/agent-1/calls?throttle=slow"
    assert json.loads(request.body or b"") == {"metadata": {"a": "b"}}
    (request,) = without.requests
    assert target(request, "") == "/api/calls?priorCallId=call-0"
    assert json.loads(request.body or b"") == {"systemPrompt": "Be kind."}
    assert not request.is_safe
    assert without.result.join_url == "wss://voice.example.com/calls/1"


def test_somebody_is_called_over_the_carrier_that_is_named() -> None:
    medium = {"sip": {"outgoing": {"from": "desk", "username": "u", "password": "p"}}}
    (request,) = started(Start(to="sip:ada@example.com", options={"medium": medium})).requests

    assert json.loads(request.body or b"")["medium"] == {
        "sip": {"outgoing": {"from": "desk", "username": "u", "password": "p", "to": "sip:ada@example.com"}}
    }
    assert "to" not in medium["sip"]["outgoing"]


@pytest.mark.parametrize(
    "medium",
    [None, {}, "twilio", {"twilio": {}}, {"twilio": None}, {"twilio": {"outgoing": None}}, {"webRtc": {}, "sip": {}}],
)
def test_nobody_is_called_without_a_carrier(medium: Any) -> None:
    with pytest.raises(errors.InvalidRefError, match="needs the option medium"):
        started(Start(to="+15550101", options={"medium": medium}))


def test_a_call_is_ended_by_telling_its_agent_to_hang_up() -> None:
    (request,) = drive(end(ACCOUNT, "call-1"), NOTHING).requests

    assert (request.method, target(request, "")) == ("POST", "/api/calls/call-1/send_data_message")
    assert request.body == b'{"type":"hang_up"}'
    assert request.is_safe


def test_a_deletion_that_comes_too_early_may_succeed_later() -> None:
    (request,) = drive(delete(ACCOUNT, "call-1", {}), NOTHING).requests
    error = refusal(answer({"detail": "Call has not been billed yet."}, 425))

    assert (request.method, target(request, "")) == ("DELETE", "/api/calls/call-1")
    assert isinstance(error, errors.RejectedError)
    assert error.retryable


# refusals


@pytest.mark.parametrize(
    ("status", "body", "kind", "reason"),
    [
        (400, {"detail": "Bad filter."}, errors.RejectedError, "Bad filter."),
        (400, {"fromDate": ["No date."]}, errors.RejectedError, '{"fromDate":["No date."]}'),
        (400, ["No.", "No!"], errors.RejectedError, '["No.","No!"]'),
        (400, "No.", errors.RejectedError, "No."),
        (401, {"detail": "Invalid API key."}, errors.AuthError, "Invalid API key."),
        (403, {"detail": "Not yours."}, errors.ForbiddenError, "Not yours."),
        (404, {"detail": "Not found."}, errors.NotFoundError, "Not found."),
        (422, {"detail": "Call is not active."}, errors.RejectedError, "Call is not active."),
        (429, {"detail": "Throttled."}, errors.RateLimitError, "Throttled."),
        (503, {"detail": "No capacity."}, errors.OutageError, "No capacity."),
        (500, {}, errors.OutageError, "the provider gave no reason"),
        (502, None, errors.OutageError, "the provider gave no reason"),
    ],
)
def test_a_refusal_of_any_shape(status: int, body: Any, kind: type[errors.HubError], reason: str) -> None:
    error = refusal(answer(body, status))

    assert type(error) is kind
    assert error.reason == reason


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"not authorized", "not authorized"),
        (b"<html>Bad Gateway</html>", "the provider gave no reason"),
        (b"\xff", "\ufffd"),
        (b"", "the provider gave no reason"),
    ],
)
def test_a_refusal_need_not_be_json(body: bytes, reason: str) -> None:
    assert refusal(Response(502, {}, body)).reason == reason


def test_a_key_nobody_knows_is_not_a_right_that_is_missing() -> None:
    error = refusal(answer({"detail": "Authentication credentials were not provided."}, 403))

    assert type(error) is errors.AuthError
    assert error.status == 403


# deliveries


def delivery(event: str | None, **members: Any) -> Event:
    (found,) = events(json.dumps({"event": event, "call": call(**members)}).encode())
    return found


@pytest.mark.parametrize(
    ("word", "kind", "at"),
    [
        ("call.started", EventKind.STARTED, CREATED),
        ("call.joined", EventKind.UPDATED, JOINED),
        ("call.ended", EventKind.ENDED, ENDED),
        ("call.billed", EventKind.UPDATED, None),
        ("call.zz_unheard_of", EventKind.OTHER, None),
    ],
)
def test_kinds_of_events(word: str, kind: EventKind, at: str | None) -> None:
    event = delivery(word)

    assert (event.kind, event.provider_kind, event.id) == (kind, word, f"call-1:{word}")
    assert event.occurred_at == (at and datetime.fromisoformat(at))
    assert event.to_fetch == "ultravox:call-1"
    assert event.conversation is not None
    assert event.conversation.transcript_state is TranscriptState.NOT_LOADED


def test_an_end_is_told_of_calls_nobody_joined_too() -> None:
    event = delivery("call.ended", joined=None, endReason="unjoined")

    assert event.kind is EventKind.ENDED
    assert event.conversation is not None
    assert event.conversation.status is Status.NO_ANSWER


def test_a_delivery_without_a_call_is_refused_and_one_without_a_word_is_not() -> None:
    assert (delivery(None).kind, delivery(None).id) == (EventKind.OTHER, None)
    for body in (b'{"event": "call.ended"}', b'{"event": "call.ended", "call": null}'):
        with pytest.raises(errors.PayloadError):
            events(body)


def test_any_of_several_signatures_is_enough_and_none_of_another_kind() -> None:
    case = CASES["webhook.ended"]
    (sent,) = case.answers
    secret, now = case.facts["secret"], case.facts["now"]
    signature, stamp = "x-ultravox-webhook-signature", "x-ultravox-webhook-timestamp"
    former, current = sent.headers[signature].split(",")

    for signed in (current, f"{current},{former}", f"{former}, {current}"):
        (event,) = verify("ultravox", sent.body, {**sent.headers, signature: signed}, secret, now)
        assert event.verified
    for wrong in (former, "", "zz"):
        with pytest.raises(errors.WebhookError):
            verify("ultravox", sent.body, {**sent.headers, signature: wrong}, secret, now)
    # What a data connection is signed with stands in other headers.
    other = {"x-ultravox-signature": current, "x-ultravox-signature-timestamp": sent.headers[stamp]}
    with pytest.raises(errors.WebhookError, match="is missing"):
        verify("ultravox", sent.body, other, secret, now)


# against the simulator


async def test_transcripts_are_read_to_their_last_page() -> None:
    async with simulated("ultravox") as (hub, simulator):
        found = await collected(hub, "ultravox", transcripts=True, page_size=7)
        requests = simulator.requests["ultravox"]
    assert requests > 9 + 2 * len(found), "no transcript had a second page"
    for conversation in found:
        turns = conversation.transcript or ()
        assert [turn.role for turn in turns].count(Role.SYSTEM) == bool(turns)
        for turn in turns:
            if turn.start is not None and turn.role is not Role.TOOL:
                assert turn.metrics is not None
                assert turn.metrics["timespan.start"] <= turn.start + 1e-5


async def test_filters_bring_what_they_name() -> None:
    async with simulated("ultravox") as (hub, _):
        everything = await collected(hub, "ultravox")
        agent = everything[9].agent
        assert agent is not None
        of_agent = [one.id for one in everything if one.agent == agent]
        assert [one.id for one in await collected(hub, "ultravox", agent=agent.id, page_size=3)] == of_agent
        dates = sorted(one.created_at for one in everything if one.created_at)
        inside = await collected(hub, "ultravox", since=dates[20], until=dates[40], page_size=6)
        assert sorted(one.created_at for one in inside if one.created_at) == dates[20:40]
        longer = {"ultravox": {"durationMin": "120s", "sort": "created"}}
        found = await collected(hub, "ultravox", provider_options=longer, page_size=11)
        assert [one.id for one in found] == [
            one.id for one in reversed(everything) if one.duration and one.duration >= 120
        ]
        assert found
        order = next(one.metadata["order_id"] for one in everything if "order_id" in one.metadata)
        named = await collected(hub, "ultravox", provider_options={"ultravox": {"metadata.order_id": order}})
        assert {one.metadata["order_id"] for one in named} == {order}


async def test_calls_are_opened_dialled_ended_and_deleted() -> None:
    present = ManualClock()
    async with simulated("ultravox", present=present) as (hub, _):
        opened = await hub.start("ultravox", agent="agent-7", provider_options={"metadata": {"desk": "7"}})
        assert opened.join_url
        assert opened.conversation.status is Status.QUEUED
        with pytest.raises(errors.RejectedError, match="not active"):
            await hub.end(opened.conversation.ref)
        medium = {"twilio": {"outgoing": {"from": "+14155550199"}}}
        dialled = await hub.start("ultravox", to="+14155550123", provider_options={"medium": medium})
        assert (dialled.conversation.status, dialled.join_url) == (Status.RINGING, None)
        assert dialled.conversation.participants[1].phone == "+14155550123"
        present.seconds = 12
        assert (await hub.get(dialled.conversation.ref)).status is Status.IN_PROGRESS
        await hub.end(dialled.conversation.ref)
        ended = await hub.get(dialled.conversation.ref)
        assert (ended.status, ended.end_reason) == (Status.ENDED, EndReason.AGENT_ENDED)
        assert ended.duration == pytest.approx(4, abs=0.001)
        assert ended.transcript_state is TranscriptState.PENDING
        present.seconds = 600
        assert (await hub.get(dialled.conversation.ref)).transcript_state is TranscriptState.AVAILABLE
        assert (await hub.get(opened.conversation.ref)).status is Status.NO_ANSWER
        await hub.delete(dialled.conversation.ref)
        with pytest.raises(errors.NotFoundError, match="Not found"):
            await hub.get(dialled.conversation.ref)


async def test_a_running_call_is_not_deleted() -> None:
    async with simulated("ultravox") as (hub, _):
        running = await collected(hub, "ultravox", status=Status.IN_PROGRESS, limit=1)
        with pytest.raises(errors.RejectedError, match="not been billed") as caught:
            await hub.delete(running[0].ref)
    assert caught.value.status == 425


async def test_more_calls_than_may_run_at_once_are_throttled() -> None:
    async with simulated("ultravox", profile="interactive") as (hub, simulator):
        for _ in range(5):
            await hub.start("ultravox", agent="agent-7")
        world = simulator.worlds["ultravox"]
        refused = SIMULATED.answer(ask("/api/calls", method="POST"), world)
    error = refusal(refused)
    assert isinstance(error, errors.RateLimitError)
    assert refused.headers["Retry-After"] == "5"


def ask(path: str, *, method: str = "GET", key: str = "any-key-will-do", body: Any = None) -> Call:
    return Call(method, path, {"x-api-key": key}, b"" if body is None else json.dumps(body).encode())


def read(path: str, **options: Any) -> tuple[int, Any]:
    simulator = Simulator(conversations=60, now=NOW, clock=ManualClock(), providers=("ultravox",))
    found = SIMULATED.answer(ask(path, **options), simulator.worlds["ultravox"])
    return found.status, json.loads(found.body) if found.body[:1] in {b"{", b"["} else found.body


def settled(number: int) -> str:
    """Return the path of a simulated call that was held and is long over."""
    world = Simulator(conversations=60, now=NOW, clock=ManualClock(), providers=("ultravox",)).worlds["ultravox"]
    held = [truth for truth in map(world.corpus.truth, range(50)) if truth.answered is not None]
    return f"/api/calls/{world.id(held[number])}"


def test_the_simulated_default_leaves_out_stages_and_adds_what_was_never_said() -> None:
    several = [
        (in_call, last)
        for number in range(40)
        for in_call in [read(f"{settled(number)}/messages?mode=in_call&pageSize=20")[1]]
        for last in [read(f"{settled(number)}/messages?pageSize=20")[1]]
        if read(f"{settled(number)}/stages")[1]["total"] > 1
    ]
    assert several
    for in_call, last in several:
        assert last["total"] < in_call["total"] + 1
        assert "timespan" not in last["results"][0]
        assert "timespan" in in_call["results"][0]


@pytest.mark.parametrize(
    ("path", "options", "status"),
    [
        ("/api/calls?pageSize=0", {}, 400),
        ("/api/calls?cursor=zz", {}, 400),
        ("/api/calls?fromDate=soon", {}, 400),
        ("/api/calls?durationMin=30", {}, 400),
        ("/api/calls?sort=duration", {}, 400),
        ("/api/calls?fromDate=2026-11-20&toDate=2026-11-20&timeOfDayStart=00:00:00", {}, 200),
        ("/api/agents/nobody/calls", {}, 200),
        ("/api/calls/none", {}, 404),
        ("/api/voices", {}, 404),
        ("/api/calls", {"key": "bad-key"}, 401),
        ("/api/calls", {"key": ""}, 401),
        ("/api/calls", {"method": "POST", "body": []}, 400),
        ("/api/calls", {"method": "POST", "body": {"medium": {"webRtc": {}, "sip": {}}}}, 400),
        ("/api/calls", {"method": "POST", "body": {"medium": {"pigeon": {}}}}, 400),
        ("/api/calls", {"method": "POST", "body": {"metadata": {"ultravox.x": "y"}}}, 400),
        ("/api/calls", {"method": "POST"}, 201),
    ],
)
def test_the_simulated_api_takes_what_the_documented_one_takes(path: str, options: dict[str, Any], status: int) -> None:
    assert read(path, **options)[0] == status


@pytest.mark.parametrize(
    ("path", "options", "status"),
    [
        ("/messages?mode=all", {}, 400),
        ("/messages?mode=in_call&cursor=zz", {}, 404),
        ("/send_data_message", {"method": "POST", "body": {}}, 400),
        ("/send_data_message", {"method": "POST", "body": {"type": "dance"}}, 400),
        ("/send_data_message", {"method": "POST", "body": {"type": "hang_up"}}, 422),
        ("", {"method": "PATCH"}, 405),
        ("", {"method": "DELETE"}, 204),
    ],
)
def test_the_simulated_calls_take_what_documented_ones_take(path: str, options: dict[str, Any], status: int) -> None:
    assert read(settled(0) + path, **options)[0] == status


def test_simulated_recordings_are_audio_or_lead_to_storage_or_are_not_there() -> None:
    statuses = {read(f"{settled(number)}/recording")[0] for number in range(30)}

    assert statuses == {200, 302, 404}
