"""Voiceable's traps: two vocabularies, an undocumented list, a 401 that is not the caller's fault."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from conversations_hub.account import Account
from conversations_hub.adapter import Query, RawPage
from conversations_hub.adapters.voiceable import ADAPTER, get, list_page, normalize, refusal
from conversations_hub.errors import (
    AuthError,
    HubError,
    NotFoundError,
    OutageError,
    PaginationError,
    PayloadError,
    ProviderError,
    RejectedError,
)
from conversations_hub.schema import (
    Analysis,
    Channel,
    Conversation,
    Cost,
    Direction,
    RecordingAccess,
    Role,
    Status,
    TranscriptState,
    TranscriptTurn,
)
from conversations_hub.testing import Driven, drive
from conversations_hub.wire import Response, target

from ..support import exchanges

CASES = exchanges.cases("voiceable")
ACCOUNT = Account("voiceable", key="vk_test_0123456789")


def answer(body: Any, status: int = 200) -> Response:
    return Response(status, {}, json.dumps(body).encode())


def envelope(data: Any, **members: Any) -> Response:
    return answer({"status": {"code": 200, "message": "Success"}, "data": data, **members})


def row(**members: Any) -> Conversation:
    return normalize(json.dumps({"id": "conv_1", **members}).encode())


def whole(**members: Any) -> Conversation:
    return drive(get(ACCOUNT, "conv_1"), envelope({"id": "conv_1", **members})).result


def listed(reply: Response, query: Query | None = None, cursor: str | None = None) -> Driven[RawPage]:
    return drive(list_page(ACCOUNT, query or Query(), cursor), reply)


def ids(listing: RawPage) -> list[str]:
    return [listing.normalize(raw).id for raw in listing.rows]


def turns_of(conversation: Conversation) -> tuple[TranscriptTurn, ...]:
    assert conversation.transcript is not None
    return conversation.transcript


# the two shapes


def test_the_documented_shape() -> None:
    reply = CASES["get.conv_abc123"].answers[0]
    driven = drive(get(ACCOUNT, "conv_abc123"), reply)
    conversation = driven.result

    assert target(driven.requests[0], ADAPTER.base_url) == (
        "https://api.voiceable.dev/voiceable-api/conversations/conv_abc123"
    )
    assert conversation.id == "conv_abc123"
    assert (conversation.status, conversation.provider_status) == (Status.ENDED, "completed")
    assert conversation.agent is not None
    assert (conversation.agent.id, conversation.agent.name) == ("123", "Customer Support Agent")
    assert conversation.created_at == conversation.started_at == datetime(2024, 1, 15, 10, 30, tzinfo=UTC)
    assert conversation.duration == 120
    assert conversation.ended_at == datetime(2024, 1, 15, 10, 32, tzinfo=UTC)
    assert conversation.summary == "Customer inquired about order status for order #12345"
    assert conversation.metadata["call_quality"] == "good"
    assert (conversation.channel, conversation.direction) == (Channel.UNKNOWN, Direction.UNKNOWN)
    assert conversation.transcript_state is TranscriptState.AVAILABLE
    turns = turns_of(conversation)
    assert [turn.role for turn in turns] == [Role.USER, Role.ASSISTANT, Role.USER, Role.ASSISTANT]
    assert [turn.start for turn in turns] == [0, 5, 15, 20]
    assert turns[1].started_at == datetime(2024, 1, 15, 10, 30, 5, tzinfo=UTC)
    assert turns[2].text == "My order number is 12345"
    assert conversation.estimated == ("ended_at", "transcript.start")
    assert conversation.issues == ()
    assert conversation.raw == reply.body


def test_the_shape_of_the_front_end() -> None:
    conversation = drive(get(ACCOUNT, "conv_7f3kq2"), CASES["get.conv_7f3kq2"].answers[0]).result

    assert (conversation.id, conversation.status, conversation.provider_status) == ("conv_7f3kq2", Status.ENDED, "done")
    assert (conversation.channel, conversation.direction) == (Channel.PHONE, Direction.INBOUND)
    assert conversation.duration == 72
    assert conversation.started_at is None
    assert conversation.ended_at is None
    assert [(turn.role, turn.start, turn.timestamp) for turn in turns_of(conversation)] == [
        (Role.ASSISTANT, 0, None),
        (Role.USER, 4, None),
        (Role.ASSISTANT, 9, None),
        (Role.USER, 15, None),
    ]
    assert [conversation.participants[turn.participant or 0].id for turn in conversation.user_turns] == ["u_481"] * 2
    assert conversation.summary == "Caller moved an appointment to Tuesday."
    assert conversation.analysis == Analysis(success=True, sentiment="positive", scores={"confidence_score": 0.94})
    assert conversation.cost == Cost(amount=Decimal("0.14"), unit="USD")
    assert conversation.metadata["campaign"] == "recall"
    assert conversation.metadata["messages"] == 4
    assert conversation.metadata["date"] == "Mar 2, 2026"
    assert conversation.metadata["outcome"]["failure_reasons"][0]["reason_code"] == "asked_twice"
    assert conversation.estimated == ("channel",)
    assert conversation.issues == ()


def test_each_shape_takes_the_members_of_the_other() -> None:
    conversation = row(
        created_at="2026-03-02T15:00:00+01:00",
        duration="0:40",
        metadata={"duration": 41},
        status="done",
        transcript=[
            {"role": "user", "message": "Hi", "timestamp": "2026-03-02T14:00:02.123Z"},
            {"role": "agent", "content": "Hello", "timestamp": "2026-03-02T14:00:05Z", "time_in_call_secs": 4},
        ],
    )
    turns = turns_of(conversation)

    assert conversation.started_at == datetime(2026, 3, 2, 14, tzinfo=UTC)
    assert conversation.duration == 41
    assert [(turn.text, turn.start) for turn in turns] == [("Hi", 2.123), ("Hello", 4)]
    assert turns[0].timestamp == datetime(2026, 3, 2, 14, 0, 2, 123000, tzinfo=UTC).timestamp()
    assert conversation.estimated == ("ended_at", "transcript.start")


def test_names_of_elevenlabs_are_read_where_they_show_through() -> None:
    conversation = drive(get(ACCOUNT, "conv_9tools"), CASES["get.conv_9tools"].answers[0]).result
    first, *answers, last = turns_of(conversation)

    assert conversation.status is Status.PROCESSING
    assert not conversation.is_finished
    assert conversation.ended_at == datetime(2026, 3, 3, 9, 0, 31, tzinfo=UTC)
    assert [(call.id, call.name, call.arguments) for call in first.tool_calls] == [
        ("call_1", "find_slot", '{"day": "tuesday"}'),
        ("call_2", "find_doctor", "{}"),
    ]
    assert first.interrupted is True
    assert first.metrics == {"convai_llm_service_ttfb": 0.31}
    assert [(turn.role, turn.text, turn.start) for turn in answers] == [(Role.TOOL, "", 4)] * 2
    results = [turn.tool_result for turn in answers if turn.tool_result]
    assert [(result.call_id, result.content, result.is_error) for result in results] == [
        ("call_1", '{"free": ["10:00"]}', False),
        ("call_2", "timed out", True),
    ]
    assert (last.index, last.interrupted) == (3, False)
    assert conversation.related_ids == {"elevenlabs": "conv_9tools"}


def test_metrics_without_their_level_and_arguments_that_are_no_text() -> None:
    turn = {
        "role": "agent",
        "conversation_turn_metrics": {"ttfb": {"elapsed_time": 0.2}, "convai_asr_provider": "scribe"},
        "tool_calls": [{"request_id": 5, "tool_name": "find", "params_as_json": {"a": 1}}, None],
    }
    read, unread = turns_of(row(transcript=[turn, {"role": "agent", "conversation_turn_metrics": "none"}]))

    assert read.metrics == {"ttfb": 0.2}
    assert unread.metrics is None
    assert [(call.id, call.arguments) for call in read.tool_calls] == [("5", '{"a":1}')]


def test_both_ids_are_kept_and_the_documented_one_names_the_conversation() -> None:
    conversation = row(id=77, conversation_id="c_9")

    assert conversation.id == "c_9"
    assert conversation.metadata["id"] == 77
    assert conversation.related_ids == {}


# what it means


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("completed", Status.ENDED),
        ("done", Status.ENDED),
        ("processing", Status.PROCESSING),
        ("in-progress", Status.IN_PROGRESS),
        ("in_progress", Status.IN_PROGRESS),
        ("active", Status.IN_PROGRESS),
        ("initiated", Status.QUEUED),
        ("failed", Status.FAILED),
    ],
)
def test_statuses(word: str, status: Status) -> None:
    conversation = row(status=word, call_successful="success")

    assert (conversation.status, conversation.provider_status) == (status, word)
    assert "status" not in conversation.estimated


def test_an_unknown_status_is_over_once_it_has_been_judged() -> None:
    judged = row(status="zz_unheard_of", call_successful="success")
    unjudged = row(status="zz_unheard_of", call_successful="unsure")

    assert (judged.status, "status" in judged.estimated) == (Status.ENDED, True)
    assert (unjudged.status, "status" in unjudged.estimated) == (Status.UNKNOWN, False)


@pytest.mark.parametrize(
    ("verdict", "status", "success"),
    [
        ("success", Status.ENDED, True),
        ("failure", Status.ENDED, False),
        ("unknown", Status.UNKNOWN, None),
        (None, Status.UNKNOWN, None),
    ],
)
def test_without_a_status_a_verdict_says_that_it_is_over(
    verdict: str | None,
    status: Status,
    success: bool | None,  # noqa: FBT001
) -> None:
    conversation = row(call_successful=verdict)

    assert conversation.status is status
    assert ("status" in conversation.estimated) is (status is Status.ENDED)
    assert conversation.provider_status is None
    assert (conversation.analysis.success if conversation.analysis else None) is success


def test_the_outcome_judges_where_nothing_else_does() -> None:
    assert row(outcome={"outcome": "failure"}).analysis == Analysis(success=False)
    assert row(call_successful="success", outcome={"outcome": "failure"}).analysis == Analysis(success=True)
    assert row(outcome={"outcome": "escalated", "sentiment": "negative"}).analysis == Analysis(sentiment="negative")


@pytest.mark.parametrize(
    ("members", "duration"),
    [
        ({"duration": "1:12"}, 72),
        ({"duration": "1:01:01"}, 3661),
        ({"duration": "90"}, 90),
        ({"duration": 12.5}, 12.5),
        ({"metadata": {"duration": 7}, "duration": "1:12"}, 7),
        ({"metadata": {"call_duration_secs": 71}, "duration": "1:12"}, 71),
        ({"outcome": {"duration_seconds": 30}}, 30),
        ({}, None),
    ],
)
def test_durations(members: dict[str, Any], duration: float | None) -> None:
    conversation = row(**members)

    assert conversation.duration == duration
    assert conversation.issues == ()


def test_an_unreadable_duration_is_said_and_the_next_one_taken() -> None:
    conversation = row(duration="about a minute", outcome={"duration_seconds": 61})

    assert conversation.duration == 61
    assert [issue.place for issue in conversation.issues] == ["duration"]


@pytest.mark.parametrize(
    ("date", "started_at"),
    [
        ("2026-03-02T15:05:00Z", datetime(2026, 3, 2, 15, 5, tzinfo=UTC)),
        ("2026-03-02T15:05:00+02:00", datetime(2026, 3, 2, 13, 5, tzinfo=UTC)),
        (1772463900, datetime(2026, 3, 2, 15, 5, tzinfo=UTC)),
        ("1772463900", datetime(2026, 3, 2, 15, 5, tzinfo=UTC)),
        (1772463900000, datetime(2026, 3, 2, 15, 5, tzinfo=UTC)),
    ],
)
def test_a_date_that_is_an_instant_is_the_start(date: str | int, started_at: datetime) -> None:
    conversation = row(date=date)

    assert conversation.started_at == started_at
    assert conversation.created_at is None
    assert conversation.estimated == ("started_at",)


def test_the_start_may_stand_in_the_metadata_of_elevenlabs() -> None:
    metadata = {"start_time_unix_secs": 1772463900, "call_duration_secs": 30}
    conversation = row(status="done", metadata=metadata, date="2026-03-02T16:00:00Z")

    assert conversation.started_at == datetime(2026, 3, 2, 15, 5, tzinfo=UTC)
    assert conversation.ended_at == datetime(2026, 3, 2, 15, 5, 30, tzinfo=UTC)
    assert conversation.metadata["start_time_unix_secs"] == 1772463900
    assert conversation.estimated == ("ended_at",)
    assert row(metadata=metadata, created_at="2026-03-02T15:06:00Z").started_at == datetime(
        2026, 3, 2, 15, 6, tzinfo=UTC
    )


# Midnight would be a wrong start, and a wrong start is dropped by `since`.
@pytest.mark.parametrize("date", ["Mar 2, 2026", "2026-03-02", "2026-03-02 15:05", "20260302", "", "5 minutes ago"])
def test_a_date_for_people_stays_text(date: str) -> None:
    conversation = row(date=date, duration="0:30", status="done")

    assert conversation.started_at is None
    assert conversation.ended_at is None
    assert conversation.metadata.get("date", "") == date
    assert conversation.estimated == ()
    assert conversation.issues == ()


@pytest.mark.parametrize("status", ["in-progress", "initiated", "zz_unheard_of", None])
def test_what_is_not_over_has_no_end_and_no_recording(status: str | None) -> None:
    conversation = row(status=status, created_at="2026-03-02T15:05:00Z", duration="0:30")

    assert conversation.duration == 30
    assert conversation.ended_at is None
    assert conversation.recordings == ()


def test_an_end_beyond_all_dates_is_an_issue() -> None:
    conversation = row(status="done", created_at="2026-03-02T15:05:00Z", duration=1e15)

    assert conversation.ended_at is None
    assert [issue.place for issue in conversation.issues] == ["duration"]


@pytest.mark.parametrize("has_audio", [True, False, None])
def test_the_recording_is_a_handle_whatever_has_audio_says(has_audio: bool | None) -> None:  # noqa: FBT001
    conversation = row(id="conv_a b", status="done", has_audio=has_audio)
    (recording,) = conversation.recordings

    assert recording.location == "/conversations/conv_a%20b/audio"
    assert recording.access is RecordingAccess.PROVIDER_KEY
    assert recording.expires_at is None
    assert conversation.metadata.get("has_audio") is has_audio


@pytest.mark.parametrize(
    ("cents", "amount"), [(14, "0.14"), (14.7, "0.147"), ("3", "0.03"), (0, "0"), (123456789012345, "1234567890123.45")]
)
def test_costs_are_exact(cents: float | str, amount: str) -> None:
    assert row(cost={"amount_cents": cents}).cost == Cost(amount=Decimal(amount), unit="USD")


UNREADABLE: list[tuple[Any, str]] = [
    ({}, "cost"),
    (14, "cost"),
    ("$1", "cost"),
    ({"amount_cents": "nan"}, "cost.amount_cents"),
    ({"amount_cents": "a lot"}, "cost.amount_cents"),
    ({"amount_cents": []}, "cost.amount_cents"),
]


@pytest.mark.parametrize(("cost", "place"), UNREADABLE)
def test_an_unreadable_cost_is_said(cost: Any, place: str) -> None:
    conversation = row(cost=cost)

    assert conversation.cost is None
    assert [issue.place for issue in conversation.issues] == [place]


def test_an_unknown_role_is_nobodys_but_its_word_is_kept() -> None:
    conversation = row(transcript=[{"role": "supervisor", "message": "I take over."}, {"message": "Who am I?"}])
    first, second = turns_of(conversation)

    assert first.role is second.role is Role.UNKNOWN
    assert first.participant == 2
    assert conversation.participants[2].name == "supervisor"
    assert second.participant is None


def test_unreadable_turns_and_instants_cost_nothing_else() -> None:
    conversation = row(
        created_at="2026-03-02T15:05:00Z",
        transcript=[
            None,
            {"role": "user", "content": "Hi", "timestamp": "half past"},
            {"role": "user", "content": "Still here", "timestamp": "2026-13-45T99:00:00Z"},
            {"role": "agent", "content": "Hello", "timestamp": "2026-03-02T15:04:59Z"},
        ],
    )

    assert [(turn.index, turn.text, turn.start) for turn in turns_of(conversation)] == [
        (0, "Hi", None),
        (1, "Still here", None),
        (2, "Hello", None),  # before the start: no distance
    ]
    places = [issue.place for issue in conversation.issues]
    assert places == ["transcript[0]", "transcript[1].timestamp", "transcript[2].timestamp"]
    assert "transcript.start" not in conversation.estimated


@pytest.mark.parametrize("name", ["metadata", "outcome", "cost", "messages", "has_audio"])
@pytest.mark.parametrize("value", ["text", 7, True, [], {}, [{"deep": 1}]])
def test_no_form_of_an_undocumented_member_costs_the_conversation(name: str, value: Any) -> None:
    assert row(**{name: value}).id == "conv_1"


def test_what_the_customer_attached_stands_beside_what_the_provider_says() -> None:
    assert row(metadata="vip").metadata == {"metadata": "vip"}
    assert row(metadata={"date": "mine", "empty": None}, date="Mar 2").metadata == {"date": "mine", "empty": None}
    assert row(direction="sideways").metadata == {"direction": "sideways"}


# the transcript


@pytest.mark.parametrize("members", [{}, {"transcript": None}, {"transcript": []}])
def test_a_row_without_a_transcript_leaves_it_to_get(members: dict[str, Any]) -> None:
    conversation = row(status="done", **members)

    assert conversation.transcript is None
    assert conversation.transcript_state is TranscriptState.NOT_LOADED


@pytest.mark.parametrize("members", [{}, {"transcript": None}, {"transcript": []}])
@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("initiated", TranscriptState.PENDING),
        ("in-progress", TranscriptState.PENDING),
        ("processing", TranscriptState.PENDING),
        ("done", TranscriptState.UNAVAILABLE),
        ("failed", TranscriptState.UNAVAILABLE),
    ],
)
def test_get_without_a_transcript(members: dict[str, Any], status: str, state: TranscriptState) -> None:
    conversation = whole(status=status, **members)

    assert conversation.transcript is None
    assert conversation.transcript_state is state


def test_a_transcript_is_available_wherever_it_stands() -> None:
    turns = [{"role": "user", "message": "Hi"}]

    assert row(transcript=turns).transcript_state is TranscriptState.AVAILABLE
    assert whole(status="in-progress", transcript=turns).transcript_state is TranscriptState.AVAILABLE


# how to ask: the list


def test_a_walk_by_cursor() -> None:
    query = Query(page_size=2)
    first = listed(CASES["list"].answers[0], query)
    second = listed(CASES["list"].answers[1], query, first.result.cursor)

    assert ids(first.result) == ["conv_row1", "conv_row2"]
    assert ids(second.result) == ["conv_row3"]
    assert second.requests[0].query == {"summary_mode": "include", "page_size": 2, "cursor": "eyJhZnRlciI6Mn0="}
    assert (first.result.warning, second.result.warning, second.result.cursor) == (None, None, None)


def test_filters_in_the_words_of_the_provider() -> None:
    query = Query(
        since=datetime(2026, 3, 1, tzinfo=UTC),
        until=datetime(2026, 3, 2, 2, 0, 0, 1, tzinfo=timezone(timedelta(hours=2))),
        status=Status.ENDED,
        agent="12",
        options={"user_id": "u_481", "summary_mode": "exclude", "call_successful": "failure"},
    )
    (request,) = listed(envelope([]), query).requests

    assert (request.method, request.path) == ("GET", "/conversations")
    assert request.query == {
        "summary_mode": "exclude",
        "user_id": "u_481",
        "call_successful": "failure",
        "agent_id": "12",
        "call_start_after_unix": 1772323199,  # a second before: nobody says whether the bound counts
        "call_start_before_unix": 1772409601,
        "page_size": 100,
    }


def test_no_status_is_asked_for_and_the_largest_page_is_a_hundred() -> None:
    (request,) = listed(envelope([]), Query(status=Status.ENDED, page_size=500)).requests

    assert request.query == {"summary_mode": "include", "page_size": 100}


def test_options_stand_where_the_query_is_silent() -> None:
    options = {"agent_id": "9", "user_id": "u_1", "page_size": 5}
    (request,) = listed(envelope([]), Query(options=options)).requests
    (overruled,) = listed(envelope([]), Query(agent="12", options=options)).requests

    assert request.query == {"summary_mode": "include", "agent_id": "9", "user_id": "u_1", "page_size": 100}
    assert overruled.query["agent_id"] == "12"


@pytest.mark.parametrize("name", ["conversations", "items", "data"])
def test_rows_stand_in_one_of_three_places(name: str) -> None:
    assert ids(listed(envelope({name: [{"id": "conv_1"}]})).result) == ["conv_1"]


def test_the_first_list_counts() -> None:
    data = {"data": [{"id": "c"}], "items": [{"id": "b"}], "conversations": None}

    assert ids(listed(envelope(data)).result) == ["b"]


@pytest.mark.parametrize("data", [None, {}, {"total": 3}, "none", 7])
def test_no_list_is_not_an_empty_list(data: Any) -> None:
    with pytest.raises(PayloadError):
        listed(envelope(data))


@pytest.mark.parametrize(
    "reply",
    [
        envelope({"items": [{"id": "a"}], "next_cursor": "x:1/ä"}),
        envelope([{"id": "a"}], next_cursor="x:1/ä"),
        envelope([{"id": "a"}], pagination={"next_cursor": "x:1/ä"}),
        envelope([{"id": "a"}], meta={"next_cursor": "x:1/ä"}),
        envelope([{"id": "a"}], cursor="x:1/ä"),
        envelope([{"id": "a"}], cursor="the one asked for", meta={"next_cursor": "x:1/ä"}),
        envelope({"items": [{"id": "a"}], "next_cursor": ""}, next_cursor=None, meta={"next_cursor": "x:1/ä"}),
        envelope({"items": [{"id": "a"}], "has_more": True}, pagination={"next_cursor": "x:1/ä", "has_more": False}),
    ],
)
def test_the_next_cursor_stands_in_one_of_five_places(reply: Response) -> None:
    cursor = listed(reply, Query(page_size=7)).result.cursor
    assert cursor == "x:1/ä"

    (request,) = listed(envelope([]), Query(page_size=7), cursor).requests
    assert (request.query["page_size"], request.query["cursor"]) == (7, "x:1/ä")


def test_has_more_false_ends_a_walk_even_with_a_cursor() -> None:
    listing = listed(envelope({"items": [{"id": "a"}], "has_more": False, "next_cursor": "x"})).result

    assert listing.cursor is None


def test_more_without_a_cursor_is_no_silent_end() -> None:
    with pytest.raises(PaginationError):
        listed(envelope([{"id": "a"}], pagination={"page": 1, "total_pages": 4, "has_more": True}))


def test_an_empty_page_with_a_cursor_is_not_the_end() -> None:
    assert listed(envelope({"items": [], "next_cursor": "x"})).result.cursor == "x"
    assert listed(envelope({"items": [], "next_cursor": "x", "has_more": False})).result.cursor is None


def test_a_full_page_that_shows_no_way_on_is_possibly_truncated() -> None:
    listing = listed(CASES["list.truncated"].answers[0], Query(page_size=2)).result

    assert ids(listing) == ["conv_row1", "conv_row2"]
    assert listing.cursor is None
    assert listing.warning is not None
    assert listing.warning.startswith("possibly truncated")


@pytest.mark.parametrize(
    ("rows", "members", "cursor", "is_suspect"),
    [
        (100, {}, None, True),
        (101, {}, None, True),
        (99, {}, None, False),
        (30, {}, None, True),  # the default of a server that does not look at page_size
        (31, {}, None, False),
        (0, {}, None, False),
        (100, {"has_more": False}, None, False),
        (100, {"next_cursor": "x"}, None, False),
        (100, {}, "x", False),  # a walk that came by cursor knows where it ends
    ],
)
def test_truncation_is_suspected_only_where_nothing_speaks_against_it(
    rows: int,
    members: dict[str, Any],
    cursor: str | None,
    is_suspect: bool,  # noqa: FBT001
) -> None:
    listing = listed(envelope([{"id": f"c{n}"} for n in range(rows)], **members), Query(), cursor).result

    assert len(listing.rows) == rows
    assert (listing.warning is not None) is is_suspect


@pytest.mark.parametrize("cursor", ["x", "[]", '[1,"x",2]', '["1","x"]', "[" * 5000])
def test_a_cursor_is_voiceable_s_own(cursor: str) -> None:
    (request,) = listed(envelope([]), Query(page_size=7), cursor).requests
    assert (request.query["page_size"], request.query["cursor"]) == (7, cursor)


def test_a_cursor_with_a_page_size_is_still_read_and_the_size_is_not() -> None:
    (request,) = listed(envelope([]), Query(page_size=7), '[100,"x"]').requests
    assert (request.query["page_size"], request.query["cursor"]) == (7, "x")


def test_a_next_cursor_of_unknown_form_is_not_taken_for_the_end() -> None:
    with pytest.raises(PayloadError):
        listed(envelope([{"id": "a"}], next_cursor={"after": 1}))


# refusals


@pytest.mark.parametrize(
    ("name", "kind", "words", "retryable"),
    [
        ("error.400.missing_key", AuthError, "API key is required", False),
        ("error.401", AuthError, "Authentication required.", False),
        ("error.401.upstream", OutageError, "Invalid ElevenLabs API key.", False),
        ("error.404", NotFoundError, "Conversation not found; or not yours", False),
        ("error.502", OutageError, "ElevenLabs API error", True),
        ("error.200.envelope", NotFoundError, "Conversation not found", False),
    ],
)
def test_refusals(name: str, kind: type[HubError], words: str, retryable: bool) -> None:  # noqa: FBT001
    error = refusal(CASES[name].answers[0])

    assert type(error) is kind
    assert error.reason == words
    assert error.retryable is retryable


def test_the_providers_own_key_is_not_blamed_on_the_caller() -> None:
    error = refusal(CASES["error.401.upstream"].answers[0])

    assert error.status == 401
    assert "VOICEABLE_API_KEY" not in str(error)


@pytest.mark.parametrize(
    ("status", "words", "kind"),
    [
        (400, "Missing X-API-Key header", AuthError),
        (400, "page_size must be at most 100", RejectedError),
        (400, "ElevenLabs refused the cursor", RejectedError),
        (400, "ElevenLabs API key missing", OutageError),
        (403, "This key may not read that agent", AuthError),
        (404, "ElevenLabs knows no such conversation", NotFoundError),
    ],
)
def test_words_decide_only_where_the_status_is_ambiguous(status: int, words: str, kind: type[ProviderError]) -> None:
    error = refusal(answer({"status": {"code": status, "message": words}}, status))

    assert isinstance(error, kind)
    assert error.status == status


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"status": {"message": "a"}, "errors": ["b"], "error": "c", "details": "d"}, "a"),
        ({"status": {"message": ""}, "errors": ["b", 7, "e"], "error": "c"}, "b; e"),
        ({"status": 422, "errors": [], "error": "c", "details": "d"}, "c"),
        ({"errors": {"page_size": ["too large"]}, "error": {}, "details": "d"}, "d"),
        ({}, "the provider gave no reason"),
        ([], "the provider gave no reason"),
    ],
)
def test_where_the_words_of_a_refusal_stand(body: Any, words: str) -> None:
    assert refusal(answer(body, 422)).args == (words,)


def test_http_is_trusted_before_the_envelope() -> None:
    assert isinstance(refusal(answer({"status": {"code": 404}}, 502)), OutageError)
    assert isinstance(refusal(answer({"status": {"code": 502}}, 404)), NotFoundError)
    assert isinstance(refusal(Response(401, {}, b"<html>")), AuthError)


@pytest.mark.parametrize(
    ("code", "kind"),
    [(400, RejectedError), (401, AuthError), (404, NotFoundError), ("404", NotFoundError), (502, OutageError)],
)
def test_an_error_in_the_envelope_under_http_200_is_that_error(code: int | str, kind: type[ProviderError]) -> None:
    reply = answer({"status": {"code": code, "message": "No."}, "data": []})

    for flow in (get(ACCOUNT, "conv_1"), list_page(ACCOUNT, Query(), None)):
        with pytest.raises(kind, match=r"^No\.") as caught:
            drive(flow, reply)
        assert caught.value.status == 200


@pytest.mark.parametrize(
    "status", ["Success", 200, None, [], {}, {"code": None}, {"code": "9" * 5000}, {"code": 200.5}]
)
def test_an_envelope_of_another_form_is_no_error(status: Any) -> None:
    reply = answer({"status": status, "data": {"id": "conv_1"}})

    assert drive(get(ACCOUNT, "conv_1"), reply).result.id == "conv_1"


def test_a_conversation_without_an_id_is_refused() -> None:
    with pytest.raises(PayloadError, match="id"):
        normalize(b'{"status": "done", "id": ""}')


def test_the_key_goes_into_its_header() -> None:
    (request,) = listed(envelope([])).requests
    signed = ADAPTER.sign(request, ACCOUNT, datetime(2026, 3, 2, tzinfo=UTC))

    assert signed.headers == {"X-API-Key": "vk_test_0123456789"}
    assert msgspec.structs.replace(signed, headers={}) == request


def test_what_voiceable_can_do() -> None:
    assert ADAPTER.operations == ("list", "get")
    assert ADAPTER.complete_lists is False
