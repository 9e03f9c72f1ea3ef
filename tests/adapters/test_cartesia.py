"""Cartesia's traps: a list for each agent, two vocabularies of states, two envelopes of webhooks, logs among turns."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from conversations_hub.account import Account
from conversations_hub.adapter import Query, RawPage
from conversations_hub.adapters.cartesia import ADAPTER, delete, events, get, list_page, normalize, refusal
from conversations_hub.errors import NotFoundError, PaginationError, PayloadError, RejectedError
from conversations_hub.events import Event, EventKind
from conversations_hub.schema import (
    Channel,
    Conversation,
    Direction,
    EndReason,
    Role,
    Status,
    TranscriptState,
    TranscriptTurn,
    Visibility,
)
from conversations_hub.testing import Driven, drive
from conversations_hub.wire import Request, Response, target

ACCOUNT = Account("cartesia", key="key-of-the-tests")
T = datetime(2026, 10, 2, 9, tzinfo=UTC)
PAST = {"start_time": "2026-10-02T09:00:00Z", "end_time": "2026-10-02T09:01:00Z"}
SAID = {"role": "user", "text": "Hi.", "start_timestamp": 1.5, "end_timestamp": 2.25}
LATER, AT_ONCE = "Fri, 02 Oct 2026 12:00:00 GMT", "Fri, 02 Oct 2026 09:01:30 GMT"


def answer(body: object, date: str | None = LATER, status: int = 200) -> Response:
    return Response(status, {} if date is None else {"date": date}, json.dumps(body).encode())


def got(*entries: object, date: str | None = LATER, **members: Any) -> Conversation:
    body = {"id": "ac_1", "status": "completed", **PAST, "transcript": entries or None, **members}
    return drive(get(ACCOUNT, "ac_1"), answer(body, date)).result


def turns_of(conversation: Conversation) -> tuple[TranscriptTurn, ...]:
    assert conversation.transcript is not None
    return conversation.transcript


def page(
    body: object, query: Query | None = None, cursor: str | None = '["agent_1",null]', *later: object
) -> Driven[RawPage]:
    flow = list_page(ACCOUNT, query or Query(agent="agent_1"), cursor)
    return drive(flow, *map(answer, (body, *later)))


def event(**members: Any) -> Event:
    [found] = events(json.dumps(members).encode())
    return found


# the version


@pytest.mark.parametrize("version", [None, "2025-11-04"])
def test_every_request_names_a_version(version: str | None) -> None:
    settings = {} if version is None else {"version": version}
    account = Account("cartesia", key="key-of-the-tests", settings=settings)
    signed = ADAPTER.sign(Request("GET", "/agents"), account, T)

    assert signed.headers["Cartesia-Version"] == (version or "2026-08-14")
    assert signed.headers["Authorization"] == "Bearer key-of-the-tests"


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("created", Status.QUEUED),
        ("started", Status.IN_PROGRESS),
        ("active", Status.IN_PROGRESS),
        ("completed", Status.ENDED),
        ("failed", Status.FAILED),
        ("cancelled", Status.CANCELLED),
    ],
)
def test_states_have_the_words_of_all_versions(word: str, status: Status) -> None:
    assert normalize(json.dumps({"id": "ac_1", "status": word}).encode()).status is status


def test_a_state_that_is_not_known_ends_with_the_call() -> None:
    read = got(SAID, status="archived")

    assert (read.status, read.provider_status) == (Status.ENDED, "archived")
    assert "status" in read.estimated


# the list


def test_a_list_asks_for_the_agents_once_and_for_the_calls_of_each() -> None:
    agents = {"summaries": [{"id": "b"}, None, {"id": "a", "deleted_at": "2026-09-01T00:00:00Z"}, {}]}
    driven = drive(list_page(ACCOUNT, Query(), None), answer(agents), *[answer({"data": []})] * 2)

    assert [target(request, "") for request in driven.requests] == [
        "/agents",
        "/agents/calls?agent_id=a&expand=transcript&limit=20",
        "/agents/calls?agent_id=b&expand=transcript&limit=20",
    ]
    assert driven.result.cursor is None


def test_an_agent_that_is_wanted_is_the_only_one_and_is_not_looked_up() -> None:
    done = page({"data": []}, Query(agent="agent_1", page_size=500, options={"limit": 3}), None)

    assert [target(request, "") for request in done.requests] == [
        "/agents/calls?limit=100&agent_id=agent_1&expand=transcript"
    ]
    assert done.result.cursor is None


def test_an_agent_that_is_gone_has_no_calls() -> None:
    flow = list_page(ACCOUNT, Query(agent="agent_1"), None)
    done = drive(flow, NotFoundError("Agent not found", status=404))

    assert (done.result.rows, done.result.cursor) == ((), None)


@pytest.mark.parametrize(
    ("told", "size", "cursor"),
    [
        ({"next_page": "ac_7"}, 2, "ac_7"),
        ({"next_page": "ac_7"}, 20, "ac_7"),
        ({"next_page": None}, 2, None),
        ({"next_page": ""}, 2, None),
        ({}, 2, "ac_2"),
        ({}, 3, None),
    ],
)
def test_a_full_page_without_a_word_about_the_next_goes_on_after_its_last_row(
    told: dict[str, Any], size: int, cursor: str | None
) -> None:
    done = page({"data": [{"id": "ac_1"}, {"id": "ac_2"}], **told}, Query(agent="agent_1", page_size=size))

    assert done.result.cursor == (None if cursor is None else f'["agent_1","{cursor}",[],false]')


def test_a_page_without_rows_is_the_last_whatever_it_says() -> None:
    assert page({"data": [], "next_page": "ac_7"}).result.cursor is None


def test_pages_and_lists_that_lead_nowhere_are_errors() -> None:
    with pytest.raises(PaginationError, match="no id"):
        page({"data": [{"id": "ac_1"}, {}]}, Query(agent="agent_1", page_size=2))
    with pytest.raises(PaginationError, match="not where"):
        page({"data": [{"id": "ac_1"}], "next_page": ["ac_7"]})
    with pytest.raises(PayloadError, match="calls"):
        page({"next_page": None})
    with pytest.raises(PayloadError, match="agents"):
        drive(list_page(ACCOUNT, Query(), None), answer({}))


@pytest.mark.parametrize(
    ("starts", "goes_on"),
    [
        (["2026-10-03T09:00:00Z", "2026-10-02T09:00:00Z"], True),
        (["2026-10-02T09:00:00Z", "2026-10-02T08:59:59Z"], False),
        (["2026-10-02T08:59:59Z", None], False),
        ([None, None], True),
        (["soon", "2026-10-02T09:00:00Z"], True),
    ],
)
def test_an_agent_s_walk_ends_with_the_first_page_that_is_past_the_window(
    starts: list[str | None], *, goes_on: bool
) -> None:
    rows = [{"id": f"ac_{number}", "start_time": start} for number, start in enumerate(starts)]
    done = page({"data": rows, "next_page": "ac_7"}, Query(agent="agent_1", since=T))

    assert (done.result.cursor is not None) is goes_on
    assert (done.result.warning is None) is goes_on
    assert len(done.result.rows) == 2


# a call


def test_numbers_are_whose_the_documentation_says_and_tell_no_direction() -> None:
    read = got(SAID, telephony_params={"to": "+15550100123", "from": "+15550100199", "sid": "CA1"})
    web = got(SAID)

    assert [one.phone for one in read.participants] == ["+15550100199", "+15550100123"]
    assert (read.channel, read.direction) == (Channel.PHONE, Direction.UNKNOWN)
    assert "participants" in read.estimated
    assert read.metadata["telephony_params"]["sid"] == "CA1"
    assert (web.channel, "channel" in web.estimated) == (Channel.WEB, True)


@pytest.mark.parametrize(
    ("word", "reason", "status"),
    [
        ("agent_hangup", EndReason.AGENT_ENDED, Status.FAILED),
        ("client_hangup", EndReason.CUSTOMER_ENDED, Status.FAILED),
        ("client_disconnected", EndReason.CUSTOMER_ENDED, Status.FAILED),
        ("api_cancelled", EndReason.API_ENDED, Status.FAILED),
        ("max_duration", EndReason.MAX_DURATION, Status.FAILED),
        ("inactivity", EndReason.SILENCE, Status.FAILED),
        ("dial_busy", EndReason.BUSY, Status.NO_ANSWER),
        ("dial_no_answer", EndReason.NO_ANSWER, Status.NO_ANSWER),
        ("dial_failed", EndReason.ERROR, Status.FAILED),
        ("error", EndReason.ERROR, Status.FAILED),
        ("moon", EndReason.UNKNOWN, Status.FAILED),
        (None, None, Status.FAILED),
    ],
)
def test_why_a_call_ended(word: str | None, reason: EndReason | None, status: Status) -> None:
    read = got(status="failed", end_reason=word)

    assert (read.end_reason, read.provider_end_reason, read.status) == (reason, word, status)


def test_what_the_customer_s_code_logs_is_no_speech() -> None:
    metric = {"name": "lookup_ms", "value": 120.0, "timestamp": 5.0}
    read = got(
        {"role": "system", "start_timestamp": 5.0, "end_timestamp": 5.0, "log_metric": metric},
        {**SAID, "log_event": {"event": "heard"}},
        {"role": "system", "text": "A note."},
    )

    assert [(turn.index, turn.role, turn.visibility) for turn in turns_of(read)] == [
        (0, Role.SYSTEM, Visibility.INTERNAL),
        (1, Role.USER, Visibility.PUBLIC),
        (2, Role.SYSTEM, Visibility.INTERNAL),
        (3, Role.SYSTEM, Visibility.INTERNAL),
    ]
    assert json.loads(turns_of(read)[0].text) == metric
    assert turns_of(read)[3].text == "A note."


@pytest.mark.parametrize(
    ("told", "interrupted"),
    [
        ({"end_reason": "interrupted"}, True),
        ({"end_reason": "tts_completed"}, False),
        ({"end_reason": "interrupted", "was_interrupted": False}, False),
        ({}, None),
    ],
)
def test_who_was_interrupted(told: dict[str, Any], interrupted: bool | None) -> None:  # noqa: FBT001
    [turn] = turns_of(got({"role": "assistant", "text": "So", **told}))

    assert turn.interrupted is interrupted


def test_times_are_spans_and_metrics_are_in_seconds() -> None:
    first, second = turns_of(got({**SAID, "vad_buffer_ms": 240, "tts_ttfb": 0.2}, {**SAID, "end_timestamp": 1}))

    assert (first.start, first.duration, first.metrics) == (1.5, 0.75, {"tts_ttfb": 0.2, "vad_buffer": 0.24})
    assert second.duration is None


@pytest.mark.parametrize(
    ("members", "date", "state"),
    [
        ({"transcript": [SAID]}, AT_ONCE, TranscriptState.AVAILABLE),
        ({"transcript": [SAID], "status": "started", "end_time": None}, AT_ONCE, TranscriptState.PENDING),
        ({"transcript": None}, AT_ONCE, TranscriptState.PENDING),
        ({"transcript": []}, AT_ONCE, TranscriptState.PENDING),
        ({"transcript": None}, LATER, TranscriptState.UNAVAILABLE),
        ({"transcript": []}, LATER, TranscriptState.AVAILABLE),
        ({"transcript": None, "redacted_at": "2026-10-02T09:01:10Z"}, AT_ONCE, TranscriptState.UNAVAILABLE),
        ({"transcript": None, "start_time": None}, AT_ONCE, TranscriptState.UNAVAILABLE),
        ({"transcript": None}, None, TranscriptState.PENDING),
    ],
)
def test_why_there_is_no_transcript(members: dict[str, Any], date: str | None, state: TranscriptState) -> None:
    assert got(date=date, **members).transcript_state is state


@pytest.mark.parametrize(
    ("members", "count"),
    [
        ({}, 1),
        ({"status": "failed"}, 1),
        ({"status": "started", "end_time": None}, 0),
        ({"start_time": None, "end_time": None}, 0),
        ({"redacted_at": "2026-10-02T09:01:10Z"}, 0),
    ],
)
def test_a_recording_is_where_the_call_is(members: dict[str, Any], count: int) -> None:
    read = got(SAID, id="ac/1", **members)

    assert [one.location for one in read.recordings] == ["/agents/calls/ac%2F1/audio"] * count


def test_a_call_stays_when_its_content_is_deleted() -> None:
    done = drive(delete(ACCOUNT, "ac_1", {}), Response(204, {}, b""))

    assert (done.requests[0].method, target(done.requests[0], "")) == ("DELETE", "/agents/calls/ac_1")


def test_a_refusal_may_be_plain_text() -> None:
    error = refusal(Response(400, {}, b"Missing version header"))

    assert isinstance(error, RejectedError)
    assert error.reason == "Missing version header"


# webhooks


@pytest.mark.parametrize(
    ("word", "kind", "id"),
    [
        ("call_started", EventKind.STARTED, "ac_1:call_started"),
        ("call_completed", EventKind.ENDED, "ac_1:call_completed"),
        ("call_failed", EventKind.ENDED, "ac_1:call_failed"),
        ("call_transferred", EventKind.OTHER, None),
    ],
)
def test_a_delivery_has_the_whole_call(word: str, kind: EventKind, id: str | None) -> None:
    found = event(type=word, call={"id": "ac_1", "status": "completed", **PAST, "transcript": [SAID]})

    assert (found.kind, found.id, found.conversation_id) == (kind, id, "ac_1")
    if kind is not EventKind.OTHER:
        assert found.conversation is not None
        assert len(turns_of(found.conversation)) == 1
        assert found.to_fetch is None


def test_an_issue_has_its_place_in_the_delivery() -> None:
    found = event(type="call_completed", agent_id=[], call={"id": "ac_1", "start_time": "soon"})

    assert found.conversation is not None
    assert [issue.place for issue in found.conversation.issues] == ["agent_id", "call.start_time"]
    assert json.loads(found.conversation.raw or b"")["type"] == "call_completed"


def test_one_turn_is_no_transcript() -> None:
    found = event(type="call_turn", call_id="ac_1", turn=SAID)

    assert (found.kind, found.id, found.to_fetch) == (EventKind.UPDATED, None, "cartesia:ac_1")
    assert found.conversation is not None
    assert (found.conversation.status, found.conversation.transcript) == (Status.IN_PROGRESS, None)


def test_an_analysis_is_a_summary_and_what_may_be_more() -> None:
    found = event(type="post_call_analysis", call_id="ac_1", analysis={"summary": "Hours.", "topic": "hours"})

    assert found.conversation is not None
    assert (found.kind, found.conversation.summary) == (EventKind.ANALYSIS_READY, "Hours.")
    assert found.conversation.analysis is not None
    assert found.conversation.analysis.collected == {"topic": "hours"}
    assert found.to_fetch == "cartesia:ac_1"


def test_the_older_envelope_may_have_the_id_of_the_carrier() -> None:
    told = {"type": "call_completed", "body": [{**SAID, "tool_calls": [{"id": "t", "result": "ok"}]}, None]}
    own, other = event(request_id="ac_1", **told), event(request_id="CA1", **told)

    assert (other.conversation_id, other.conversation, other.related_ids) == (None, None, {"request": "CA1"})
    assert own.conversation is not None
    assert [turn.role for turn in turns_of(own.conversation)] == [Role.USER, Role.TOOL]
    assert [issue.place for issue in own.conversation.issues] == ["body[1]"]
    assert (own.conversation.status, own.conversation.estimated) == (Status.ENDED, ("status",))
