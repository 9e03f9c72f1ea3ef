"""Telnyx's traps: no cursor, no status, no promised order of messages, two shapes of refusal, its own signatures."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import msgspec
import pytest

from conversations_hub import Conversation, errors
from conversations_hub._scrub.members import scrubbed
from conversations_hub.account import Account
from conversations_hub.adapter import Query, RawPage, Start
from conversations_hub.adapters.telnyx import ADAPTER, events, get, list_page, normalize, refusal, send, start
from conversations_hub.events import Event, EventKind
from conversations_hub.policy._headers import quota
from conversations_hub.schema import (
    Channel,
    Direction,
    EndReason,
    Issue,
    Participant,
    ParticipantKind,
    RecordingAccess,
    Role,
    Status,
    TranscriptState,
    TranscriptTurn,
)
from conversations_hub.signing.webhooks import STANDARD_WEBHOOKS
from conversations_hub.testing import Driven, Simulator, drive
from conversations_hub.testing.simulator._telnyx import SIMULATED
from conversations_hub.testing.simulator._truth import Truth
from conversations_hub.testing.simulator._world import Call, World
from conversations_hub.webhooks import verify
from conversations_hub.wire import Response, target

from ..support import exchanges
from ..support.clock import NOW, ManualClock
from ..support.iterators import collected
from ..support.simulated import simulated

CASES = exchanges.cases("telnyx")
ACCOUNT = Account("telnyx", key="KEY-of-the-tests")
ID = "0424805b-adc1-4ff8-9f95-e1de6883ec05"
T = datetime(2026, 3, 2, 10, tzinfo=UTC)
PHONE = {"telnyx_conversation_channel": "phone_call"}


def answer(body: object, status: int = 200, *, date: str = "") -> Response:
    return Response(status, {"date": date}, json.dumps(body).encode())


def at(seconds: float) -> str:
    return (T + timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def http_date(moment: datetime) -> str:
    return moment.strftime("%a, %d %b %Y %H:%M:%S GMT")


def sent(metadata: object = None, **members: Any) -> dict[str, Any]:
    return {"id": ID, "created_at": at(0), "last_message_at": at(60), "metadata": metadata, **members}


def row(metadata: object = None, *, present: datetime | None = None, **members: Any) -> Conversation:
    return normalize(json.dumps(sent(metadata, **members)).encode(), present=present)


def paged(items: list[Any], page: int = 1, pages: int = 1, total: int | None = None) -> Response:
    there_are = len(items) if total is None else total
    return answer({"data": items, "meta": {"page_number": page, "total_pages": pages, "total_results": there_are}})


def got(
    messages: list[Any], insights: list[Any] | None = None, metadata: object = PHONE, *, date: str = ""
) -> Conversation:
    first = answer({"data": sent(metadata)}, date=date)
    return drive(get(ACCOUNT, ID), first, paged(messages), paged(insights or [])).result


def run(status: str = "completed", **results: Any) -> dict[str, Any]:
    told = [{"insight_id": id, "result": result} for id, result in results.items()]
    return {"id": "run-1", "status": status, "created_at": at(62), "conversation_insights": told}


def turns_of(conversation: Conversation) -> tuple[TranscriptTurn, ...]:
    assert conversation.transcript is not None
    return conversation.transcript


def listed(rows: list[Any], query: Query | None = None, cursor: str | None = None) -> Driven[RawPage]:
    return drive(list_page(ACCOUNT, query or Query(), cursor), answer({"data": rows}))


def url(driven: Driven[Any]) -> str:
    return target(driven.requests[-1], "https://api.telnyx.com/v2")


def asked(driven: Driven[Any]) -> list[tuple[str, str]]:
    return parse_qsl(urlsplit(url(driven)).query)


# where a conversation stands


@pytest.mark.parametrize("channel", ["phone_call", "web_call", "voice"])
def test_a_call_is_over_when_nobody_has_spoken_for_an_hour_by_telnyx_s_own_clock(channel: str) -> None:
    metadata = {"telnyx_conversation_channel": channel}
    last = T + timedelta(seconds=60)

    live = row(metadata, present=last + timedelta(hours=1))
    over = row(metadata, present=last + timedelta(hours=1, seconds=1))
    unclear = row(metadata)

    assert (live.status, live.ended_at, live.duration) == (Status.IN_PROGRESS, None, None)
    assert (over.status, over.ended_at, over.duration) == (Status.ENDED, last, 60)
    assert over.estimated == ("status", "started_at", "ended_at", "duration")
    assert unclear.status is Status.UNKNOWN
    assert "status" not in unclear.estimated
    assert {live.provider_status, over.provider_status} == {None}


@pytest.mark.parametrize("channel", ["sms_chat", "sms", "web_chat", "whatsapp_chat", "whatsapp", "zz_new_chat"])
def test_a_thread_never_ends(channel: str) -> None:
    conversation = row({"telnyx_conversation_channel": channel}, present=T + timedelta(days=400))

    assert (conversation.status, conversation.ended_at) == (Status.IN_PROGRESS, None)
    assert conversation.recordings == ()
    assert conversation.estimated == ("status", "started_at")


@pytest.mark.parametrize(
    ("words", "status", "state"),
    [
        (["pending"], Status.PROCESSING, TranscriptState.PENDING),
        (["completed", "in_progress"], Status.PROCESSING, TranscriptState.PENDING),
        (["completed"], Status.ENDED, TranscriptState.AVAILABLE),
        (["failed"], Status.ENDED, TranscriptState.AVAILABLE),
        (["zz_unheard_of"], Status.ENDED, TranscriptState.AVAILABLE),
    ],
)
def test_insights_are_made_once_a_call_is_over(words: list[str], status: Status, state: TranscriptState) -> None:
    message = {"role": "user", "text": "Hi", "sent_at": at(1)}
    conversation = got([message], [run(word) for word in words], date=http_date(T + timedelta(seconds=70)))

    assert (conversation.status, conversation.transcript_state) == (status, state)
    assert [turn.text for turn in turns_of(conversation)] == ["Hi"]
    assert conversation.ended_at == T + timedelta(seconds=60)


def test_the_answer_s_date_is_the_present_in_a_list_too() -> None:
    reply = answer({"data": [sent(PHONE)]}, date=http_date(T + timedelta(seconds=70)))
    listing = drive(list_page(ACCOUNT, Query(), None), reply).result

    assert listing.normalize(listing.rows[0]).status is Status.IN_PROGRESS


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 99 Foo 2026 10:00:00 GMT", "2026-03-02T10:00:00Z"])
def test_a_date_nobody_can_read_is_no_present(date: str) -> None:
    assert got([], date=date).status is Status.UNKNOWN


@pytest.mark.parametrize(
    ("insights", "date", "state"),
    [
        ([], T + timedelta(seconds=70), TranscriptState.PENDING),
        ([], T + timedelta(days=1), TranscriptState.UNAVAILABLE),
        ([run("failed")], T + timedelta(seconds=70), TranscriptState.UNAVAILABLE),
    ],
)
def test_a_call_without_a_word(insights: list[Any], date: datetime, state: TranscriptState) -> None:
    conversation = got([], insights, date=http_date(date))

    assert (conversation.transcript, conversation.transcript_state) == (None, state)


def test_a_thread_without_a_word_is_an_empty_transcript() -> None:
    conversation = got([], metadata={"telnyx_conversation_channel": "web_chat"})

    assert (conversation.transcript, conversation.transcript_state) == ((), TranscriptState.AVAILABLE)


def test_a_row_leaves_its_messages_to_get() -> None:
    conversation = row(PHONE)

    assert (conversation.transcript, conversation.transcript_state) == (None, TranscriptState.NOT_LOADED)


# who, and over what


@pytest.mark.parametrize(
    ("word", "channel"),
    [
        ("phone_call", Channel.PHONE),
        ("voice", Channel.PHONE),
        ("web_call", Channel.WEB),
        ("sms_chat", Channel.SMS),
        ("whatsapp", Channel.CHAT),
        ("whatsapp_chat", Channel.CHAT),
        ("zz_new_chat", Channel.CHAT),
        ("sms", Channel.SMS),
        ("web_chat", Channel.CHAT),
        ("zz_unheard_of", Channel.UNKNOWN),
        (None, Channel.UNKNOWN),
        ([], Channel.UNKNOWN),
    ],
)
def test_channels_are_an_open_set(word: object, channel: Channel) -> None:
    conversation = row({"telnyx_conversation_channel": word})

    assert conversation.channel is channel
    assert conversation.metadata["telnyx_conversation_channel"] == word


def test_a_conversation_with_a_call_s_id_is_a_call_whatever_its_channel() -> None:
    conversation = row({"call_control_id": "v3:abc"}, present=T + timedelta(days=1))

    assert (conversation.channel, conversation.status) == (Channel.UNKNOWN, Status.ENDED)
    assert conversation.related_ids == {"call_control_id": "v3:abc"}


@pytest.mark.parametrize(
    ("sides", "direction"),
    [
        ({"from": "+15550111", "to": "+15550109"}, Direction.INBOUND),
        ({"from": "+15550109", "to": "+15550111"}, Direction.OUTBOUND),
        ({"from": "+15550109", "to": "+15550110"}, Direction.UNKNOWN),
        ({}, Direction.UNKNOWN),
    ],
)
def test_the_direction_is_counted_from_who_called_whom(sides: dict[str, str], direction: Direction) -> None:
    conversation = row({**PHONE, "telnyx_end_user_target": "+15550111", **sides})

    assert conversation.direction is direction
    assert ("direction" in conversation.estimated) is (direction is not Direction.UNKNOWN)
    assert row({**PHONE, **sides}).direction is Direction.UNKNOWN


def test_a_target_that_is_no_number_is_an_id() -> None:
    metadata = {"assistant_id": "a1", "telnyx_agent_target": "sip:a1@example.com", "telnyx_end_user_target": "guest_1"}

    assert row(metadata).participants == (
        Participant(kind=ParticipantKind.AI_AGENT, id="a1"),
        Participant(kind=ParticipantKind.CUSTOMER, id="guest_1"),
    )


@pytest.mark.parametrize(("word", "took_over"), [("true", True), (True, True), ("false", False), (None, False)])
def test_a_person_who_took_over_is_a_participant(word: object, took_over: bool) -> None:  # noqa: FBT001
    kinds = [participant.kind for participant in row({"ai_disabled": word}).participants]

    assert (ParticipantKind.HUMAN_AGENT in kinds) is took_over


@pytest.mark.parametrize("metadata", ["text", 7, [], [{"deep": 1}], None, {}])
def test_no_form_of_metadata_costs_the_conversation(metadata: object) -> None:
    conversation = row(metadata)

    assert conversation.id == ID
    assert conversation.metadata == ({} if metadata in (None, {}) else {"metadata": metadata})


def test_a_recording_is_a_handle_to_where_it_is_listed() -> None:
    over = T + timedelta(days=1)
    metadata = {**PHONE, "call_control_id": "v3:a+b/c", "call_session_id": "s-1"}
    by_session, by_control = row(metadata, present=over), row({**metadata, "call_session_id": ""}, present=over)

    assert [handle.location for handle in by_session.recordings] == ["/recordings?filter%5Bcall_session_id%5D=s-1"]
    assert [handle.location for handle in by_control.recordings] == [
        "/recordings?filter%5Bcall_control_id%5D=v3%3Aa%2Bb%2Fc"
    ]
    assert by_session.recordings[0].access is RecordingAccess.PROVIDER_KEY
    assert by_session.recordings[0].expires_at is None
    assert "recordings" in by_session.estimated
    assert row(metadata, present=T + timedelta(seconds=61)).recordings == ()
    assert row(PHONE, present=over).recordings == ()


def test_what_customers_attach_is_scrubbed_from_raw_by_its_name() -> None:
    raw = row({"api_key": "KEY-invented-0123", "deep": [{"token": "t-invented"}], "order": "77"}).raw
    assert raw is not None
    kept = scrubbed(raw, ADAPTER.secret_fields)

    assert b"invented" not in kept
    assert json.loads(kept)["metadata"]["order"] == "77"


# the transcript


def test_messages_come_newest_first_and_are_turned_round() -> None:
    driven = drive(get(ACCOUNT, ID), *CASES["get.phone"].answers)
    turns = turns_of(driven.result)

    assert [turn.index for turn in turns] == list(range(9))
    assert turns[0].text == "Good morning, this is the front desk."
    assert turns[-1].text == "You are booked. Goodbye!"
    assert [turn.start for turn in turns] == [0.6, 2.9, 4.12, 5.3, 6.1, 10.2, 11.5, 13.0, 18.7]
    assert driven.result.issues == (Issue("messages[0].data[5]", "null"),)


def test_messages_that_come_oldest_first_stay_so() -> None:
    messages = [{"role": "user", "text": str(second), "sent_at": at(second)} for second in (1, 5, 3, 9)]

    assert [turn.text for turn in turns_of(got(messages))] == ["1", "5", "3", "9"]  # turned round, never sorted
    assert [turn.text for turn in turns_of(got(messages[::-1]))] == ["1", "5", "3", "9"]


def test_messages_without_instants_keep_their_order() -> None:
    conversation = got([{"role": "user", "text": "first"}, None, {"role": "assistant", "text": "second"}])

    assert [(turn.text, turn.start, turn.timestamp) for turn in turns_of(conversation)] == [
        ("first", None, None),
        ("second", None, None),
    ]
    assert conversation.estimated == ("started_at",)


def test_when_it_was_sent_counts_before_when_it_was_stored() -> None:
    conversation = got(
        [
            {"role": "user", "text": "sent", "created_at": at(9), "sent_at": at(2)},
            {"role": "user", "text": "stored", "created_at": at(11), "sent_at": None},
            {"role": "user", "text": "early", "sent_at": at(-1)},
        ]
    )
    turns = turns_of(conversation)

    assert sorted((turn.text, turn.start) for turn in turns if turn.start) == [("sent", 2), ("stored", 11)]
    assert {turn.text: turn.timestamp for turn in turns}["sent"] == (T + timedelta(seconds=2)).timestamp()
    assert {"transcript.start", "transcript.timestamp"} <= set(conversation.estimated)
    assert "transcript.timestamp" not in got([{"role": "user", "sent_at": at(2)}]).estimated


@pytest.mark.parametrize("moment", ["2026-03-02T10:00:02.500+00:00", "2026-03-02T12:00:02.5+02:00", 1772445602.5])
def test_instants_in_other_forms_are_read(moment: object) -> None:
    assert [turn.start for turn in turns_of(got([{"role": "user", "sent_at": moment}]))] == [2.5]


def test_an_instant_nobody_can_read_is_said_with_its_place() -> None:
    conversation = got([{"role": "user", "text": "Hi", "sent_at": "half past Z", "created_at": at(3)}])

    assert [(turn.text, turn.start) for turn in turns_of(conversation)] == [("Hi", 3)]
    assert conversation.issues == (Issue("messages[0].data[0].sent_at", "not a date"),)


def tool_call(id: str | None, name: str = "find") -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": "{}"}}


def test_answers_of_tools_go_to_the_first_call_without_one() -> None:
    conversation = got(
        [
            {"role": "assistant", "text": None, "sent_at": at(1), "tool_calls": [tool_call("c1"), tool_call("c2")]},
            {"role": "tool", "text": "named", "sent_at": at(2), "tool_call_id": "c1"},
            {"role": "tool", "text": "in order", "sent_at": at(3)},
            {"role": "tool", "text": "one too many", "sent_at": at(4)},
        ]
    )
    called, *answers = turns_of(conversation)

    assert (called.text, [call.id for call in called.tool_calls]) == ("", ["c1", "c2"])
    results = [turn.tool_result for turn in answers if turn.tool_result]
    assert [(result.call_id, result.content) for result in results] == [
        ("c1", "named"),
        ("c2", "in order"),
        (None, "one too many"),
    ]
    assert {turn.text for turn in answers} == {""}
    assert "transcript.tool_result" in conversation.estimated


def test_answers_that_name_their_call_are_not_counted() -> None:
    named = {"role": "tool", "text": "yes", "metadata": {"tool_call_id": "c1"}}
    conversation = got([{"role": "assistant", "tool_calls": [tool_call("c1"), None, tool_call(None)]}, named])

    assert [turn.tool_result.call_id for turn in turns_of(conversation) if turn.tool_result] == ["c1"]
    assert "transcript.tool_result" not in conversation.estimated


def test_a_text_may_be_null_and_a_role_unheard_of() -> None:
    first, second = turns_of(conversation := got([{"role": "user", "text": None}, {"role": "sage", "text": "Hm"}]))

    assert (first.role, first.text) == (Role.USER, "")
    assert (second.role, second.participant) == (Role.UNKNOWN, 2)
    assert conversation.participants[2] == Participant(name="sage")


def test_latencies_are_told_in_seconds() -> None:
    attached = {"llm_first_token_duration_ms": 400, "odd_ms": True, "far_ms": 1e12, "minus_ms": -1, "speaker": "a"}

    assert [turn.metrics for turn in turns_of(got([{"role": "assistant", "metadata": attached}]))] == [
        {"llm_first_token_duration": 0.4}
    ]
    assert [turn.metrics for turn in turns_of(got([{"role": "user", "metadata": "none"}, {"role": "user"}]))] == [
        None,
        None,
    ]


def test_the_messages_of_a_long_thread_come_in_pages_of_a_hundred() -> None:
    messages = [{"role": "user", "text": str(n), "created_at": at(n)} for n in range(131)][::-1]
    first, second = paged(messages[:100], 1, 2, 131), paged(messages[100:], 2, 2, 131)
    driven = drive(get(ACCOUNT, ID), answer({"data": sent(PHONE)}), first, second, paged([run()]))

    assert [turn.text for turn in turns_of(driven.result)] == [str(n) for n in range(131)]
    assert [request.query for request in driven.requests[1:3]] == [
        {"page[size]": 100, "page[number]": None},
        {"page[size]": 100, "page[number]": 2},
    ]
    assert driven.result.transcript_state is TranscriptState.AVAILABLE


def test_a_thread_that_grows_while_it_is_read_repeats_nothing() -> None:
    messages = [{"role": "user", "text": "again", "created_at": at(n)} for n in range(4)][::-1]
    grown = paged([messages[1], *messages[2:]], 2, 2, 5)
    driven = drive(get(ACCOUNT, ID), answer({"data": sent(PHONE)}), paged(messages[:2], 1, 2, 4), grown, paged([run()]))

    assert [turn.start for turn in turns_of(driven.result)] == [0, 1, 2, 3]
    assert driven.result.transcript_state is TranscriptState.AVAILABLE


def test_a_transcript_with_fewer_messages_than_told_is_truncated() -> None:
    message = {"role": "user", "text": "Hi", "created_at": at(1)}
    driven = drive(get(ACCOUNT, ID), answer({"data": sent(PHONE)}), paged([message], total=3), paged([run()]))

    assert driven.result.transcript_state is TranscriptState.TRUNCATED


@pytest.mark.parametrize(
    "second", [paged([], 2, 9, 900), paged([{"role": "user"}], 1, 9, 900)], ids=["empty", "the same again"]
)
def test_pages_that_lead_no_further_end_the_get(second: Response) -> None:
    first = paged([{"role": "user"}], 1, 9, 900)

    with pytest.raises(errors.PaginationError, match="page 2 has no new rows"):
        drive(get(ACCOUNT, ID), answer({"data": sent(PHONE)}), first, second)


@pytest.mark.parametrize("meta", [{}, {"total_pages": None, "total_results": 1}, {"total_pages": "1"}])
def test_a_page_may_say_little_of_how_far_they_go(meta: dict[str, Any]) -> None:
    page = answer({"data": [{"role": "user", "text": "Hi"}], "meta": meta})
    driven = drive(get(ACCOUNT, ID), answer({"data": sent(PHONE)}), page, paged([run()]))

    assert len(turns_of(driven.result)) == 1


# what was found out


def test_insights_are_what_was_collected() -> None:
    conversation = got([], [run(outcome='{"summary": "Moved.", "guests": 2}', mood="Calm.", rating=4, odd="{broken")])

    assert conversation.analysis is not None
    assert conversation.analysis.collected == {
        "outcome": {"summary": "Moved.", "guests": 2},
        "mood": "Calm.",
        "rating": 4,
        "odd": "{broken",
    }
    assert conversation.summary == "Moved."
    assert conversation.metadata["insights"] == [
        {"id": "run-1", "status": "completed", "created_at": at(62), "group_id": None}
    ]


def test_the_latest_run_of_an_insight_counts() -> None:
    early, late = run(mood="Angry."), {**run(mood="Calm."), "created_at": at(99)}

    for runs in ([early, late], [late, early]):
        analysis = got([], runs).analysis
        assert analysis is not None
        assert analysis.collected == {"mood": "Calm."}


@pytest.mark.parametrize("kind", [errors.ForbiddenError, errors.NotFoundError, errors.RejectedError])
def test_insights_that_may_not_be_read_cost_nothing_else(kind: type[errors.ProviderError]) -> None:
    message = paged([{"role": "user", "text": "Hi"}])
    driven = drive(get(ACCOUNT, ID), answer({"data": sent(PHONE)}), message, kind("No.", status=403))

    assert [turn.text for turn in turns_of(driven.result)] == ["Hi"]
    assert driven.result.issues == (Issue("insights", f"could not be loaded: {kind.__name__}"),)
    assert driven.result.raw is not None
    assert json.loads(driven.result.raw).keys() == {"conversation", "messages"}


@pytest.mark.parametrize("kind", [errors.AuthError, errors.OutageError, errors.RateLimitError])
def test_insights_that_fail_for_another_reason_fail_the_get(kind: type[errors.ProviderError]) -> None:
    with pytest.raises(kind):
        drive(get(ACCOUNT, ID), answer({"data": sent(PHONE)}), paged([]), kind("No.", status=500))


def test_getting_takes_three_requests() -> None:
    driven = drive(get(ACCOUNT, ID), *CASES["get.silent"].answers)

    assert [request.path for request in driven.requests] == [
        "/ai/conversations/{id}",
        "/ai/conversations/{id}/messages",
        "/ai/conversations/{id}/conversations-insights",
    ]


# the list


def test_filters_in_the_words_of_postgrest() -> None:
    query = Query(
        since=datetime(2026, 3, 1, 2, tzinfo=UTC),
        until=datetime(2026, 3, 2, tzinfo=UTC),
        agent="assistant-9b",
        status=Status.ENDED,
        options={"metadata->telnyx_end_user_target": "eq.+15550111", "order": "created_at.asc", "limit": 7},
    )
    driven = listed([], query)

    assert asked(driven) == [
        ("metadata->telnyx_end_user_target", "eq.+15550111"),
        ("order", "created_at.desc"),
        ("limit", "100"),
        ("created_at", "gte.2026-03-01T02:00:00Z"),
        ("created_at", "lte.2026-03-02T00:00:00Z"),
        ("metadata->assistant_id", "eq.assistant-9b"),
    ]
    assert "metadata-%3Etelnyx_end_user_target=eq.%2B15550111" in url(driven)
    assert "metadata-%3Eassistant_id=eq.assistant-9b" in url(driven)
    assert driven.result.warning == "Telnyx keeps no status: it is estimated from the time since the last message"


@pytest.mark.parametrize("own", ["lt.2026-02-01", ["lt.2026-02-01", "gt.2026-01-01"]])
def test_a_bound_of_the_caller_s_own_holds_on_every_page(own: str | list[str]) -> None:
    query = Query(page_size=1, options={"created_at": own})
    first = listed([stamped("a", 0)], query)
    second = listed([stamped("a", 0)], query, first.result.cursor)
    theirs = [own] if isinstance(own, str) else own

    assert [value for name, value in asked(first) if name == "created_at"] == theirs
    assert [value for name, value in asked(second) if name == "created_at"] == [*theirs, f"lte.{at(0.001)[:-1]}000Z"]


def stamped(id: str, seconds: float) -> dict[str, Any]:
    return {"id": id, "created_at": at(seconds)}


def ids(listing: RawPage) -> list[str]:
    return [listing.normalize(raw).id for raw in listing.rows]


def test_a_walk_ends_at_a_page_that_brings_nothing_new_however_short_the_others_are() -> None:
    pages = [[stamped("a", 9), stamped("b", 8)], [stamped("b", 8), stamped("c", 7)], [stamped("c", 7)]]
    found: list[str] = []
    cursor = None
    for rows in pages:
        listing = listed(rows, Query(page_size=50), cursor).result
        found += ids(listing)
        cursor = listing.cursor

    assert (found, cursor) == (["a", "b", "c"], None)


def test_a_page_goes_on_within_the_millisecond_where_the_last_one_ended() -> None:
    first = listed([stamped("a", 1.250), stamped("b", 1.250)], Query(page_size=2))
    rows = [stamped("b", 1.250), stamped("a", 1.250), stamped("c", 1.250)]
    second = listed(rows, Query(page_size=2), first.result.cursor)

    # Told in milliseconds, an instant may lie up to one later than it says.
    assert dict(asked(second))["created_at"] == "lte.2026-03-02T10:00:01.251000Z"
    assert dict(asked(second))["limit"] == "3"
    assert ids(second.result) == ["c"]
    assert second.result.cursor == '["2026-03-02T10:00:01.251000Z",["b","a","c"]]'


def test_a_walk_ends_where_rows_are_older_than_wanted() -> None:
    listing = listed([stamped("a", 5), stamped("b", -5)], Query(since=T)).result

    assert (ids(listing), listing.cursor) == (["a", "b"], None)


@pytest.mark.parametrize(
    ("rows", "cursor"),
    [
        ([stamped("a", 1), stamped("b", 2)], None),
        ([stamped("a", 9)], json.dumps([at(5), ["b"]])),
    ],
    ids=["another order", "the first page again"],
)
def test_a_list_that_does_not_do_as_asked_ends_the_walk(rows: list[Any], cursor: str | None) -> None:
    with pytest.raises(errors.PaginationError, match="ignores the requested order or bounds"):
        listed(rows, cursor=cursor)


def test_a_full_page_without_instants_leads_no_further() -> None:
    rows = [{"id": "a"}, {"id": "b", "created_at": "soon"}]

    with pytest.raises(errors.PaginationError, match="do not say when they were created"):
        listed(rows, Query(page_size=2))
    assert listed(rows, Query(page_size=3)).result.cursor is None


def test_a_row_nobody_can_read_is_left_to_the_hub() -> None:
    listing = listed([stamped("a", 2), "text", {"created_at": at(1)}]).result

    assert len(listing.rows) == 3
    assert listing.cursor == '["2026-03-02T10:00:01.001000Z",[]]'
    for raw in listing.rows[1:]:
        with pytest.raises(errors.PayloadError):
            listing.normalize(raw)


@pytest.mark.parametrize(
    "cursor", ['["2026-03-02T10:00:00Z"]', '["2026-03-02T10:00:00",[]]', '["soon",[]]', '["",[7]]', '[1,"soon",[]]']
)
def test_a_cursor_must_be_whole(cursor: str) -> None:
    with pytest.raises(errors.InvalidRefError, match="invalid Telnyx cursor: expected"):
        listed([], cursor=cursor)


def test_a_cursor_with_a_page_size_is_still_read_and_the_size_is_not() -> None:
    driven = listed([], Query(page_size=3), json.dumps([7, at(5), ["b"]]))

    assert (dict(asked(driven))["limit"], dict(asked(driven))["created_at"]) == (
        "3",
        "lte.2026-03-02T10:00:05Z",
    )


# what can be done


def test_an_agent_joins_what_else_is_attached() -> None:
    wanted = Start(agent="a1", options={"name": "Intake", "metadata": {"order": "77"}})
    driven = drive(start(ACCOUNT, wanted), *CASES["start"].answers)
    [request] = driven.requests
    assert request.body is not None

    assert json.loads(request.body) == {"name": "Intake", "metadata": {"order": "77", "assistant_id": "a1"}}
    assert not request.is_safe
    assert driven.result.conversation.raw == CASES["start"].answers[0].body


def test_nobody_is_called() -> None:
    with pytest.raises(errors.UnsupportedError, match="places no calls this way"):
        drive(start(ACCOUNT, Start(agent="a1", to="+15550111")))


@pytest.mark.parametrize("metadata", [None, {}, {"assistant_id": ""}, "text"])
def test_nobody_answers_where_no_assistant_is_named(metadata: object) -> None:
    with pytest.raises(errors.UnsupportedError, match="names no assistant"):
        drive(send(ACCOUNT, ID, "Hi"), answer({"data": sent(metadata)}))


# refusals


def test_too_many_requests_have_a_code_of_their_own() -> None:
    body = {"errors": [{"code": "10011", "title": "Too many requests"}]}
    error = refusal(answer(body, 403))

    assert isinstance(error, errors.RateLimitError)
    assert error.reason == "Too many requests"


def test_the_wait_for_a_new_window_is_told_in_seconds() -> None:
    left = quota(CASES["error.429"].answers[0].headers, T)

    assert left is not None
    assert (left.remaining, left.resets_in) == (0, 7)


def test_several_errors_are_told_in_one_line() -> None:
    error = refusal(answer({"errors": [{"detail": "First."}, {"title": "Second"}, {"code": "1"}]}, 422))

    assert error.reason == "First.; Second"


def test_an_error_under_http_200_is_a_refusal() -> None:
    reply = answer({"errors": [{"code": "10005", "title": "Resource not found"}]})

    for flow in (get(ACCOUNT, ID), list_page(ACCOUNT, Query(), None), send(ACCOUNT, ID, "Hi")):
        with pytest.raises(errors.RejectedError, match="Resource not found"):
            drive(flow, reply)


# webhooks


def event(kind: str, payload: object, **members: Any) -> Event:
    told = {"event_type": kind, "id": "e1", "occurred_at": at(60), "payload": payload, **members}
    [found] = events(json.dumps({"data": told, "meta": {"attempt": 2}}).encode())
    return found


def test_the_end_is_told_by_a_webhook_only() -> None:
    payload = {"conversation_id": ID, "duration_sec": 58, "reason": "zz_unheard_of", "llm_model": "m-1"}
    found = event("call.conversation.ended", payload)
    conversation = found.conversation

    assert (found.kind, found.id, found.to_fetch) == (EventKind.ENDED, "e1", f"telnyx:{ID}")
    assert conversation is not None
    assert (conversation.status, conversation.ended_at) == (Status.ENDED, T + timedelta(seconds=60))
    assert conversation.duration == 58
    assert (conversation.end_reason, conversation.provider_end_reason) == (EndReason.UNKNOWN, "zz_unheard_of")
    assert conversation.metadata == {"llm_model": "m-1"}
    assert conversation.transcript_state is TranscriptState.NOT_LOADED
    assert conversation.estimated == ()


def test_an_end_without_a_reason_has_none() -> None:
    conversation = event("call.conversation.ended", {"conversation_id": ID}).conversation

    assert conversation is not None
    assert (conversation.end_reason, conversation.provider_end_reason, conversation.duration) == (None, None, None)


@pytest.mark.parametrize(("status", "kind"), [("completed", "analysis_ready"), ("pending", "updated")])
def test_insights_come_without_an_envelope_too(status: str, kind: str) -> None:
    results = [{"insight_id": "mood", "result": {"mood": "calm"}}]
    payload = {"request_id": "r1", "conversation_id": ID, "status": status, "results": results, "metadata": PHONE}
    bare = {"record_type": "event", "event_type": "conversation_insight_result", "payload": payload}
    [found] = events(json.dumps(bare).encode())

    assert (found.kind, found.id, found.conversation_id) == (kind, "r1", ID)
    assert found.conversation is not None
    assert found.conversation.analysis is not None
    assert found.conversation.analysis.collected == {"mood": {"mood": "calm"}}
    assert found.conversation.status is (Status.ENDED if status == "completed" else Status.PROCESSING)


@pytest.mark.parametrize("status", [None, "completed", "pending"])
def test_insights_of_a_call_are_told_without_the_conversation_s_id(status: str | None) -> None:
    results = [
        {"insight_id": "mood", "result": "calm"},
        {"insight_id": "outcome", "result": '{"summary": "Moved to Tuesday."}'},
        None,
    ]
    ids = {"call_control_id": "v3:a", "call_leg_id": "leg-1", "call_session_id": "session-1"}
    payload = {**ids, "insight_group_id": "group-1", "client_state": "c3RhdGU=", "status": status, "results": results}
    found = event("call.conversation_insights.generated", payload)

    assert found.kind is (EventKind.UPDATED if status == "pending" else EventKind.ANALYSIS_READY)
    assert (found.id, found.conversation_id, found.conversation, found.to_fetch) == ("e1", None, None, None)
    assert found.related_ids == {**ids, "insight_group_id": "group-1"}
    assert found.analysis is not None
    assert found.analysis.collected == {"mood": "calm", "outcome": {"summary": "Moved to Tuesday."}}


def test_an_event_of_a_call_says_which_call_it_was() -> None:
    hangup = event("call.hangup", {"call_control_id": "v3:a", "call_session_id": 7, "hangup_cause": "timeout"})

    assert (hangup.kind, hangup.related_ids) == (EventKind.ENDED, {"call_control_id": "v3:a", "call_session_id": "7"})
    assert hangup.analysis is None


def test_what_a_conversation_holds_is_not_told_beside_it() -> None:
    results = [{"insight_id": "mood", "result": "calm"}]
    payload = {"conversation_id": ID, "call_session_id": "session-1", "results": results}
    found = event("call.conversation_insights.generated", payload)

    assert (found.related_ids, found.analysis) == ({}, None)
    assert found.conversation is not None
    assert found.conversation.related_ids == {"call_session_id": "session-1"}
    assert found.conversation.analysis is not None
    assert found.conversation.analysis.collected == {"mood": "calm"}


def test_an_event_without_an_id_is_told_apart_by_what_it_is_about() -> None:
    ended = event("call.conversation.ended", {"conversation_id": ID}, id=None)

    assert ended.id == f"{ID}:call.conversation.ended"
    assert event("call.hangup", {"call_control_id": "v3:a"}, id=None).id is None


@pytest.mark.parametrize("payload", [None, {}, {"conversation_id": ID}])
def test_an_event_of_an_unknown_kind_is_told_as_such(payload: object) -> None:
    found = event("call.zz_unheard_of", payload)

    assert (found.kind, found.provider_kind, found.conversation) == (EventKind.OTHER, "call.zz_unheard_of", None)


def test_a_delivery_signed_as_the_vendor_s_newer_clients_expect_is_not_believed() -> None:
    case = CASES["webhook.ended"]
    [delivery] = case.answers
    headers = {name: delivery.headers[f"telnyx-{name}"] for name in ("timestamp", "signature-ed25519")}
    standard = {
        "webhook-id": "e1",
        "webhook-timestamp": headers["timestamp"],
        "webhook-signature": f"v1,{headers['signature-ed25519']}",
    }
    now = case.facts["now"]

    with pytest.raises(errors.WebhookError, match="telnyx-signature-ed25519 is missing"):
        verify("telnyx", delivery.body, standard, case.facts["secret"], now)
    with pytest.raises(errors.WebhookError, match="signature mismatch"):
        verify("telnyx", delivery.body, standard, case.facts["secret"], now, scheme=STANDARD_WEBHOOKS)


def test_header_names_come_in_any_case() -> None:
    case = CASES["webhook.ended"]
    [delivery] = case.answers
    shouted = {name.upper(): value for name, value in delivery.headers.items()}

    [found] = verify("telnyx", delivery.body, shouted, case.facts["secret"], case.facts["now"])
    assert found.verified


# against the simulator


def truths(world: World) -> list[Truth]:
    return [world.corpus.truth(index) for index in range(world.corpus.size)]


async def test_filters_narrow_the_simulated_list() -> None:
    async with simulated("telnyx", seed=5) as (hub, simulator):
        world = simulator.worlds["telnyx"]
        mine = await collected(hub, "telnyx", agent="assistant-101")
        channel = {"telnyx": {"metadata->telnyx_conversation_channel": "eq.web_call"}}
        web = await collected(hub, "telnyx", provider_options=channel)
        window = {"since": NOW - timedelta(hours=20), "until": NOW - timedelta(hours=10)}
        lately = await collected(hub, "telnyx", page_size=3, **window)
    expected = [truth for truth in truths(world) if truth.scenario.number == 101]
    assert len(mine) == len(expected) > 5
    assert len(web) == sum(truth.channel is Channel.WEB for truth in truths(world)) > 5
    inside = [t for t in truths(world) if window["since"].timestamp() <= t.created < window["until"].timestamp()]
    assert len(lately) == len(inside) > 5


async def test_a_thread_is_opened_talked_in_and_deleted() -> None:
    present = ManualClock()
    async with simulated("telnyx", present=present) as (hub, _):
        options = {"metadata": {"telnyx_conversation_channel": "web_chat"}}
        started = await hub.start("telnyx", agent="assistant-101", provider_options=options)
        ref = started.conversation.ref
        present.seconds = 30
        turn = await hub.send(ref, "Where is my order?")
        told = await hub.get(ref)
        assert turn.text
        assert [one.text for one in told.transcript or ()][-2:] == ["Where is my order?", turn.text]
        assert (told.status, told.transcript_state) == (Status.IN_PROGRESS, TranscriptState.AVAILABLE)
        taken = {"metadata": {"ai_disabled": "true"}}
        silent = await hub.start("telnyx", agent="assistant-101", provider_options=taken)
        with pytest.raises(errors.RejectedError, match="AI responses are disabled"):
            await hub.send(silent.conversation.ref, "Hello?")
        await hub.delete(ref)
        with pytest.raises(errors.NotFoundError):
            await hub.get(ref)


async def test_a_recording_s_handle_leads_to_urls_that_work_for_ten_minutes() -> None:
    async with simulated("telnyx", seed=5) as (hub, simulator), aiohttp.ClientSession() as session:
        over = [one for one in await collected(hub, "telnyx") if one.status is Status.ENDED]
        found: list[dict[str, Any]] = []
        for one in over:
            [handle] = one.recordings
            headers = {"authorization": "Bearer any-key"}
            async with session.get(simulator.base_url("telnyx") + handle.location, headers=headers) as reply:
                assert reply.content_type == "application/json"
                found += (await reply.json())["data"]
    assert 0 < len(found) < len(over)
    assert all(item["download_urls"]["mp3"].startswith("https://") for item in found)


def test_a_delivery_names_its_conversation_or_its_session(world: World) -> None:
    assert SIMULATED.deliveries is not None
    ended: list[Event] = []
    for truth in truths(world):
        for delivery in SIMULATED.deliveries(world, truth):
            [found] = events(delivery.body)
            if found.conversation_id is None:
                assert found.related_ids["call_session_id"]
                results = (found.analysis and found.analysis.collected) or {}
                assert (truth.summary in str(results)) == (found.kind is EventKind.ANALYSIS_READY)
                continue
            assert found.to_fetch == f"telnyx:{world.id(truth)}"
            assert found.conversation is not None
            assert found.conversation.agent is not None
            assert found.conversation.agent.id == f"assistant-{truth.scenario.number}"
            if found.kind is EventKind.ENDED:
                assert found.conversation.ended_at is not None
                assert abs(found.conversation.ended_at.timestamp() - truth.ended) < 0.001
                assert found.conversation.duration == round(truth.duration)
                ended.append(found)
    assert ended


# the simulator itself


def ask(world: World, query: str, key: str = "any-key", path: str = "/ai/conversations") -> Any:
    reply = SIMULATED.answer(Call("GET", f"{path}?{query}", {"authorization": f"Bearer {key}"}), world)
    return reply.status, msgspec.json.decode(reply.body)


@pytest.fixture
def world() -> World:
    return Simulator(conversations=30, seed=5, now=NOW, clock=ManualClock(), providers=("telnyx",)).worlds["telnyx"]


def rows(world: World, query: str) -> list[dict[str, Any]]:
    status, body = ask(world, query)
    assert status == 200
    found: list[dict[str, Any]] = body["data"]
    return found


def test_the_simulated_list_knows_postgrest(world: World) -> None:
    everything = rows(world, "limit=100")
    assert len(everything) == 30
    assert len(rows(world, "")) == 20
    assert rows(world, "limit=100&order=created_at.asc") == everything[::-1]
    by_message = [row["last_message_at"] for row in rows(world, "limit=100&order=last_message_at.desc")]
    assert by_message == sorted(by_message, reverse=True)
    some = everything[7]
    assert rows(world, f"id=eq.{some['id']}") == [some]
    assert len(rows(world, f"limit=100&id=neq.{some['id']}")) == 29
    assert rows(world, f"id=in.({some['id']},zz)") == [some]
    assert all(row["name"].startswith("Order") for row in rows(world, "name=like.Order%25"))
    assert rows(world, "name=ilike.order%25") == rows(world, "name=like.Order%25") != []
    newer = rows(world, f"limit=100&created_at=gt.{everything[9]['created_at']}")
    assert newer == everything[:10]  # told in milliseconds, kept in finer ones
    either = f"or=(id.eq.{some['id']},id.eq.{everything[3]['id']})"
    assert rows(world, either) == [everything[3], some]


@pytest.mark.parametrize(
    "query",
    ["created_at=soon", "created_at=gte.soon", "zz=eq.1", "id=zz.1", "or=(id.eq)", "or=(zz.eq.1)", "order=zz.asc"],
)
def test_a_filter_nobody_can_read_is_refused(world: World, query: str) -> None:
    status, body = ask(world, query)

    assert (status, body["errors"][0]["code"]) == (400, "10015")


@pytest.mark.parametrize("path", ["", "/messages"])
def test_the_service_behind_the_assistants_complains_in_its_own_shape(world: World, path: str) -> None:
    about = f"/{world.id(world.corpus.truth(3))}{path}" if path else ""
    for query in ("limit=x",) if not path else ("page[size]=101", "page[number]=0"):
        status, body = ask(world, query, path=f"/ai/conversations{about}")
        assert (status, body["detail"][0]["loc"][0]) == (422, "query")


def test_a_page_of_a_million_makes_no_more_than_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    million = Simulator(conversations=1_000_000, now=NOW, providers=("telnyx",)).worlds["telnyx"]
    made: list[int] = []
    make = million.corpus.truth

    def counted(index: int) -> Truth:
        made.append(index)
        return make(index)

    monkeypatch.setattr(million.corpus, "truth", counted)
    assert len(rows(million, "limit=50&created_at=lte.2026-09-01&created_at=gte.2026-06-01")) == 50
    assert len(made) <= 52


def test_a_bad_key_and_an_unknown_path_are_refused(world: World) -> None:
    assert ask(world, "", key="bad-key")[0] == 401
    assert ask(world, "", path="/ai/conversations/no_such_conversation")[0] == 404
    assert ask(world, "", path="/ai/zz")[0] == 404
