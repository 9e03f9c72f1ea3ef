"""Fish Audio's traps: a timeline of three kinds of entries, one track per speaker, webhooks with other names."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from conversations_hub.account import Account
from conversations_hub.adapter import Query, RawPage, Start
from conversations_hub.adapters.fish_audio import (
    ADAPTER,
    end,
    events,
    get,
    list_page,
    normalize,
    recording,
    refusal,
    start,
)
from conversations_hub.errors import HubError, NotFoundError, PaginationError, PayloadError, RateLimitError
from conversations_hub.events import Event, EventKind
from conversations_hub.schema import (
    Channel,
    Conversation,
    Direction,
    EndReason,
    Issue,
    Recording,
    RecordingAccess,
    Role,
    Status,
    TranscriptState,
    TranscriptTurn,
)
from conversations_hub.testing import Driven, drive
from conversations_hub.wire import Response, target

ACCOUNT = Account("fish_audio", key="key-of-the-tests")
T = datetime(2026, 10, 2, 9, tzinfo=UTC)
PAST = {"started_at": "2026-10-02T09:00:00Z", "ended_at": "2026-10-02T09:01:00Z", "duration_seconds": 60}
SAID = {"type": "message", "role": "user", "content": "Hi.", "created_at": "2026-10-02T09:00:07Z"}


def answer(body: object, date: str | None = "Sat, 03 Oct 2026 09:00:00 GMT", status: int = 200) -> Response:
    return Response(status, {} if date is None else {"date": date}, json.dumps(body).encode())


def row(**members: Any) -> Conversation:
    return normalize(json.dumps({"session_id": "s1", "status": "completed", **members}).encode())


def got(*items: object, date: str | None = "Sat, 03 Oct 2026 09:00:00 GMT", **members: Any) -> Conversation:
    body = {"session_id": "s1", "status": "completed", **PAST, **members, "items": items}
    return drive(get(ACCOUNT, "s1"), answer(body, date)).result


def turns_of(read: Conversation) -> tuple[TranscriptTurn, ...]:
    assert read.transcript is not None
    return read.transcript


def called(name: str, id: str = "t1", source: str | None = "builtin", **members: Any) -> dict[str, Any]:
    return {"type": "tool_call", "call_id": id, "tool_name": name, "tool_source": source, "input": "{}", **members}


def returned(name: str, id: str = "t1", source: str | None = "builtin", **members: Any) -> dict[str, Any]:
    about = {"type": "tool_result", "call_id": id, "tool_name": name, "tool_source": source, "status": "completed"}
    return {**about, **members}


def page(body: object, query: Query | None = None, cursor: str | None = None) -> Driven[RawPage]:
    return drive(list_page(ACCOUNT, query or Query(), cursor), answer(body))


def event(**members: Any) -> Event:
    [found] = events(json.dumps(members).encode())
    return found


def told_by(**members: Any) -> Conversation:
    conversation = event(**members).conversation
    assert conversation is not None
    return conversation


# where a session stands


@pytest.mark.parametrize(
    ("members", "status", "estimated"),
    [
        ({"status": "pending"}, Status.QUEUED, False),
        ({"status": "active"}, Status.IN_PROGRESS, False),
        ({"status": "active", "direction": "outbound"}, Status.RINGING, True),
        ({"status": "active", "direction": "outbound", "dial_status": "answered"}, Status.IN_PROGRESS, False),
        ({"status": "completed", "direction": "outbound", "dial_status": "answered"}, Status.ENDED, False),
        ({"status": "failed"}, Status.FAILED, False),
        ({"status": "unknown"}, Status.UNKNOWN, False),
        ({"status": "unknown", "ended_at": "2026-10-02T09:01:00Z"}, Status.ENDED, True),
        ({"status": "paused"}, Status.UNKNOWN, False),
    ],
)
def test_the_status_words(members: dict[str, Any], status: Status, *, estimated: bool) -> None:
    read = row(**members)

    assert (read.status, read.provider_status) == (status, members["status"])
    assert ("status" in read.estimated) == estimated


@pytest.mark.parametrize("word", ["completed", "failed", "active"])
@pytest.mark.parametrize(
    ("dial", "status", "reason"),
    [
        ("busy", Status.NO_ANSWER, EndReason.BUSY),
        ("no_answer", Status.NO_ANSWER, EndReason.NO_ANSWER),
        ("failed", Status.FAILED, EndReason.ERROR),
    ],
)
def test_a_dial_that_reached_nobody_comes_before_the_status(
    word: str, dial: str, status: Status, reason: EndReason
) -> None:
    read = row(status=word, direction="outbound", dial_status=dial)

    assert (read.status, read.end_reason, read.recordings) == (status, reason, ())


def test_the_caller_is_the_person_in_both_directions() -> None:
    for direction in ("inbound", "outbound"):
        numbers = {"caller_number": "+15550100123", "dialed_number": "+15550100199"}
        read = row(source="phone", direction=direction, agent_name="Desk", **numbers)
        agent, customer = read.participants

        assert (read.channel, read.direction) == (Channel.PHONE, Direction(direction))
        assert (agent.name, agent.phone, customer.phone) == ("Desk", "+15550100199", "+15550100123")


@pytest.mark.parametrize(
    ("source", "channel"),
    [("phone", Channel.PHONE), ("public", Channel.WEB), ("dashboard", Channel.WEB), (None, Channel.UNKNOWN)],
)
def test_only_a_phone_call_is_no_web_session(source: str | None, channel: Channel) -> None:
    assert row(source=source).channel is channel


# the timeline


def test_a_call_and_its_result_are_two_turns() -> None:
    read = got(
        {**SAID, "role": "assistant"},
        called("find_slot", source="webhook", input='{"day": "Tue"}'),
        SAID,
        returned("find_slot", source="webhook", output='{"slot": 1}', latency_ms=640),
    )
    said, call, between, result = turns_of(read)

    assert (said.role, said.participant, said.start, said.timestamp) == (Role.ASSISTANT, 0, 7.0, T.timestamp() + 7)
    assert (call.role, call.text, [one.arguments for one in call.tool_calls]) == (
        Role.ASSISTANT,
        "",
        ['{"day": "Tue"}'],
    )
    assert (between.role, between.participant) == (Role.USER, 1)
    assert result.tool_result is not None
    assert (result.role, result.tool_result.call_id, result.metrics) == (Role.TOOL, "t1", {"latency": 0.64})
    assert (result.tool_result.content, result.tool_result.is_error) == ('{"slot": 1}', False)


def test_a_failed_result_has_its_error() -> None:
    [turn] = turns_of(got(returned("find_slot", status="failed", error="timed out")))

    assert turn.tool_result is not None
    assert (turn.tool_result.content, turn.tool_result.is_error) == ("timed out", True)


def test_a_cut_output_is_noted() -> None:
    read = got(returned("find_slot", output='{"slot', output_truncated=True))

    assert read.issues == (Issue("items[0].output_truncated", "cut by the provider"),)


def test_entries_are_never_sorted_and_need_no_time() -> None:
    late, early = {**SAID, "content": "b"}, {**SAID, "content": "a", "created_at": "2026-10-02T08:59:00Z"}
    turns = turns_of(got(late, {**SAID, "content": "c", "created_at": None}, early))

    assert [turn.text for turn in turns] == ["b", "c", "a"]
    assert [turn.start for turn in turns] == [7.0, None, None]


def test_an_entry_without_its_kind_is_known_by_what_it_has() -> None:
    sent = [SAID, called("find_slot"), returned("find_slot")]
    turns = turns_of(got(*[{name: value for name, value in one.items() if name != "type"} for one in sent]))

    assert [turn.role for turn in turns] == [Role.USER, Role.ASSISTANT, Role.TOOL]
    assert turns[1].tool_calls
    assert turns[2].tool_result


def test_an_entry_of_an_unknown_kind_is_kept_and_noted() -> None:
    read = got({"type": "transfer", "content": "Dana takes over."}, SAID)
    first, second = turns_of(read)

    assert (first.role, first.text, second.text) == (Role.UNKNOWN, "Dana takes over.", "Hi.")
    assert read.issues == (Issue("items[0].type", "an unknown kind of entry"),)


@pytest.mark.parametrize(
    ("members", "items", "state"),
    [
        ({}, [SAID], TranscriptState.AVAILABLE),
        ({}, [], TranscriptState.AVAILABLE),
        ({"status": "active"}, [SAID], TranscriptState.PENDING),
        ({"status": "pending", "created_at": "2026-10-03T08:30:00Z"}, [], TranscriptState.PENDING),
        ({"status": "pending", "created_at": "2026-10-03T07:30:00Z"}, [], TranscriptState.UNAVAILABLE),
        ({"dial_status": "busy"}, [], TranscriptState.UNAVAILABLE),
        ({"started_at": None}, [], TranscriptState.UNAVAILABLE),
        ({"status": "unknown", "ended_at": None}, [SAID], TranscriptState.AVAILABLE),
        ({"status": "unknown", "ended_at": None}, [], TranscriptState.PENDING),
    ],
)
def test_the_state_of_a_transcript(members: dict[str, Any], items: list[object], state: TranscriptState) -> None:
    read = got(*items, **members)

    assert (len(read.transcript or ()), read.transcript_state) == (len(items), state)


def test_a_row_has_no_timeline_and_an_end_a_minute_ago_may_have_a_late_one() -> None:
    assert row(**PAST).transcript_state is TranscriptState.NOT_LOADED
    assert got(date="Fri, 02 Oct 2026 09:02:00 GMT").transcript_state is TranscriptState.PENDING
    assert got(date=None).transcript_state is TranscriptState.PENDING


# how it ended


@pytest.mark.parametrize(
    ("items", "reason"),
    [
        ([SAID], None),
        ([called("hang_up_call")], EndReason.AGENT_ENDED),
        ([called("hang_up_call", source=None), SAID], EndReason.AGENT_ENDED),
        ([called("hang_up_call", source="webhook")], None),
        ([called("hang_up_call"), called("find_slot", source="mcp")], None),
        ([called("transfer_call"), returned("transfer_call")], EndReason.TRANSFERRED),
        ([called("transfer_call"), returned("transfer_call", status="failed")], None),
        ([called("transfer_call")], None),
    ],
)
def test_the_last_call_of_a_tool_hints_at_the_end(items: list[object], reason: EndReason | None) -> None:
    read = got(*items)

    assert (read.end_reason, "end_reason" in read.estimated) == (reason, reason is not None)


def test_what_is_known_of_the_end_comes_before_hints() -> None:
    assert got(called("hang_up_call"), answered_by="voicemail").end_reason is EndReason.VOICEMAIL
    assert got(called("hang_up_call"), status="active", ended_at=None).end_reason is None


# the analysis


@pytest.mark.parametrize(
    ("results", "success"),
    [
        (["success", "success"], True),
        (["success", "failure"], False),
        (["failure", "unknown"], False),
        (["success", "unknown"], None),
        (["unknown"], None),
        ([], None),
    ],
)
def test_success_is_what_the_criteria_come_to(results: list[str], success: bool | None) -> None:  # noqa: FBT001
    criteria = [{"name": f"c{number}", "result": result} for number, result in enumerate(results)]
    read = got(analysis={"status": "completed", "criteria_results": criteria, "data": [{"name": "a", "value": 7}]})

    assert read.analysis is not None
    assert (read.analysis.success, read.analysis.collected) == (success, {"a": 7})
    assert ("analysis.success" in read.estimated) == (success is not None)
    scores = {f"c{number}": float(result == "success") for number, result in enumerate(results) if result != "unknown"}
    assert read.analysis.scores == (scores or None)


def test_an_analysis_that_was_skipped_says_only_that() -> None:
    read = got(analysis={"status": "skipped", "summary": None})

    assert (read.analysis, read.summary, read.metadata["analysis_status"]) == (None, None, "skipped")


# recordings


def test_each_speaker_has_a_recording_and_a_person_who_took_over_too() -> None:
    read, transferred = got(SAID), got(called("transfer_call"), returned("transfer_call"))
    where = "/v1/agent/sessions/s1/recording"

    assert [one.location for one in read.recordings] == [f"{where}#agent", f"{where}#user"]
    assert [one.location for one in transferred.recordings] == [f"{where}#agent", f"{where}#user", f"{where}#human"]
    assert "recordings" in read.estimated
    assert got(status="active", ended_at=None).recordings == ()


def test_the_url_is_that_of_the_speaker() -> None:
    place = Recording(location="/v1/agent/sessions/s1/recording#user", access=RecordingAccess.PROVIDER_KEY)
    tracks = [{"role": "agent", "url": "https://a.example"}, None, {"role": "user", "url": "https://u.example"}]
    done = drive(recording(ACCOUNT, place), answer({"status": "complete", "tracks": tracks}))

    assert (target(done.requests[0], ""), done.result) == ("/v1/agent/sessions/s1/recording", "https://u.example")


@pytest.mark.parametrize("tracks", [None, [], [{"role": "agent", "url": "https://a.example"}], [{"role": "user"}]])
def test_a_speaker_without_a_url_is_not_found(tracks: object) -> None:
    place = Recording(location="/v1/agent/sessions/s1/recording#user", access=RecordingAccess.PROVIDER_KEY)

    with pytest.raises(NotFoundError, match="or not yet"):
        drive(recording(ACCOUNT, place), answer({"status": "processing", "tracks": tracks}))


# the list


def test_a_list_asks_for_sessions_that_nobody_joined_too_unless_told_otherwise() -> None:
    def asked(**query: Any) -> str:
        done = page({"sessions": []}, Query(**query))
        return str(done.requests[0].query["status"])

    assert asked() == "pending,active,completed,failed,unknown"
    assert asked(options={"status": "pending"}) == "pending"
    assert asked(status=Status.IN_PROGRESS) == "active"
    assert asked(status=Status.NO_ANSWER) == "failed,completed"
    assert asked(status=Status.CANCELLED) == "pending,active,completed,failed,unknown"


def test_a_window_may_be_exclusive() -> None:
    done = page({"sessions": []}, Query(since=T, until=T + timedelta(days=1)))

    assert done.requests[0].query["created_after"] == "2026-10-02T08:59:59Z"
    assert done.requests[0].query["created_before"] == "2026-10-03T09:00:00Z"


@pytest.mark.parametrize(
    ("told", "cursor"),
    [
        ({"has_more": True, "next_cursor": "n"}, "n"),
        ({"next_cursor": "n"}, "n"),
        ({"has_more": False, "next_cursor": "n"}, None),
        ({"has_more": False, "next_cursor": None}, None),
        ({}, None),
    ],
)
def test_the_end_of_a_walk(told: dict[str, Any], cursor: str | None) -> None:
    assert page({"sessions": [], **told}).result.cursor == cursor


def test_a_page_that_leads_nowhere_is_an_error() -> None:
    with pytest.raises(PaginationError, match="not where"):
        page({"sessions": [], "has_more": True, "next_cursor": None})
    with pytest.raises(PayloadError, match="no list"):
        page({"has_more": False})


# acting


def test_a_session_is_opened_to_be_joined() -> None:
    created = {"session_id": "s1", "livekit_url": "wss://l.example", "token": "secret", "max_duration_seconds": 60}
    done = drive(start(ACCOUNT, Start(agent="ag_17", options={"record_audio": True})), answer(created))

    assert (target(done.requests[0], ""), done.requests[0].is_safe) == ("/v1/agent/sessions", False)
    assert json.loads(done.requests[0].body or b"") == {"agent_id": "ag_17", "record_audio": True}
    assert (done.result.conversation.status, done.result.join_url) == (Status.QUEUED, "wss://l.example")
    assert done.result.token is not None
    assert done.result.token.reveal() == "secret"
    assert "token" in ADAPTER.secret_fields


@pytest.mark.parametrize("key", [None, "recall-20"])
def test_a_phone_call_may_be_asked_for_twice_with_a_key_of_its_own(key: str | None) -> None:
    options = {"phone_number_id": "pn_1", **({"idempotency_key": key} if key else {})}
    flow = start(ACCOUNT, Start(agent="ag_17", to="+15550100123", options=options))
    done = drive(flow, answer({"session_id": "s1", "status": "queued"}))
    [request] = done.requests

    assert target(request, "") == "/v1/agent/phone-calls"
    assert (request.headers, request.is_safe) == ({"Idempotency-Key": key} if key else {}, key is not None)
    assert "idempotency" not in (request.body or b"").decode()
    conversation = done.result.conversation
    assert (conversation.channel, conversation.direction) == (Channel.PHONE, Direction.OUTBOUND)
    assert (conversation.status, conversation.participants[1].phone) == (Status.QUEUED, "+15550100123")


def test_an_end_may_be_asked_for_twice() -> None:
    done = drive(end(ACCOUNT, "s1"), Response(204, {}, b""))

    assert (target(done.requests[0], ""), done.requests[0].is_safe) == ("/v1/agent/sessions/s1/end", True)


# refusals


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (
            422,
            [{"loc": ["query", "page"], "msg": "too large"}, {"loc": ["query"], "msg": "odd"}],
            "query.page: too large; ",
        ),
        (422, {"reason": "destination_not_allowed", "message": "Not there"}, "destination_not_allowed: Not there"),
        (409, {"status": 409, "message": "Agent has no published version"}, "Agent has no published version"),
        (401, None, "the provider gave no reason"),
    ],
)
def test_the_words_of_a_refusal(status: int, body: object, reason: str) -> None:
    error = refusal(answer(body, status=status))

    assert isinstance(error, HubError)
    assert error.reason.startswith(reason)


@pytest.mark.parametrize(("word", "retryable"), [("concurrency_limit_exceeded", True), ("daily_limit_exceeded", False)])
def test_the_calls_of_a_day_do_not_come_back_soon(word: str, *, retryable: bool) -> None:
    error = refusal(answer({"status": 429, "reason": word, "message": "No more"}, status=429))

    assert isinstance(error, RateLimitError)
    assert error.retryable is retryable


# events

SESSION = {
    "id": "s1",
    "agent_id": "ag_17",
    "source": "phone",
    "status": "completed",
    "conversation_started_at": "2026-10-02T09:00:00Z",
    "conversation_ended_at": "2026-10-02T09:01:00Z",
    "duration_seconds": 60,
    "end_user_id": "eu_5",
}


def test_a_delivery_has_other_names_for_the_same() -> None:
    read = told_by(event="call.ended", ended_reason="hangup", session=SESSION)

    assert (read.id, read.started_at, read.ended_at) == ("s1", T, T + timedelta(seconds=60))
    assert (read.duration, read.participants[1].id) == (60, "eu_5")
    assert (read.end_reason, read.provider_end_reason) == (EndReason.UNKNOWN, "hangup")
    assert read.transcript_state is TranscriptState.NOT_LOADED


@pytest.mark.parametrize(
    ("word", "reason"),
    [("hangup", EndReason.UNKNOWN), ("error", EndReason.ERROR), ("timeout", EndReason.UNKNOWN), (None, None)],
)
def test_the_reason_of_an_end_is_delivered_only(word: str | None, reason: EndReason | None) -> None:
    assert told_by(event="call.ended", ended_reason=word, session=SESSION).end_reason is reason


@pytest.mark.parametrize(
    ("dial", "kind", "status"),
    [
        ("answered", EventKind.UPDATED, Status.IN_PROGRESS),
        ("busy", EventKind.ENDED, Status.NO_ANSWER),
        ("failed", EventKind.ENDED, Status.FAILED),
    ],
)
def test_nothing_follows_a_dial_that_reached_nobody(dial: str, kind: EventKind, status: Status) -> None:
    session = {"id": "s1", "status": "active", "direction": "outbound"}
    told = event(event="phone_call.dial_finished", dial_status=dial, session=session)

    assert (told.kind, told.id) == (kind, "s1:phone_call.dial_finished")
    assert told.conversation is not None
    assert told.conversation.status is status


@pytest.mark.parametrize("place", ["delivery", "session"])
def test_an_analysis_may_bring_the_timeline(place: str) -> None:
    analysis = {"status": "completed", "summary": "Moved.", "finished_at": "2026-10-02T09:02:00Z"}
    session = {**SESSION, "items": [SAID]} if place == "session" else SESSION
    more = {"items": [SAID]} if place == "delivery" else {}
    told = event(event="call.analyzed", session=session, analysis=analysis, **more)

    assert (told.kind, told.id) == (EventKind.ANALYSIS_READY, "s1:call.analyzed:2026-10-02T09:02:00Z")
    assert (told.occurred_at, told.to_fetch) == (T + timedelta(seconds=120), None)
    assert told.conversation is not None
    assert (told.conversation.summary, len(turns_of(told.conversation))) == ("Moved.", 1)


def test_an_analysis_without_the_timeline_is_to_be_fetched() -> None:
    told = event(event="call.analyzed", session=SESSION, analysis={"status": "error", "error": "no words"})

    assert told.to_fetch == "fish_audio:s1"
    assert told.conversation is not None
    assert told.conversation.metadata["analysis_error"] == "no words"


def test_a_question_how_to_answer_is_about_no_session() -> None:
    told = event(event="call.inbound", call={"caller_number": "+15550100123", "agent_id": "ag_17"})

    assert (told.kind, told.id, told.conversation_id, told.conversation) == (EventKind.OTHER, None, None, None)
