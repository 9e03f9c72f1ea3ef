"""Tavus' traps: everything in one list of events, two vocabularies, numbered pages, refusals with status 400."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from conversations_hub import errors
from conversations_hub.account import Account
from conversations_hub.adapter import Query, RawPage, Start
from conversations_hub.adapters.tavus import ADAPTER, delete, end, events, get, list_page, normalize, refusal, start
from conversations_hub.events import Event, EventKind
from conversations_hub.schema import (
    Agent,
    Channel,
    Conversation,
    EndReason,
    Issue,
    ParticipantKind,
    RecordingAccess,
    Role,
    Status,
    ToolCall,
    ToolResult,
    TranscriptState,
    TranscriptTurn,
)
from conversations_hub.testing import Driven, drive
from conversations_hub.wire import Response, target

from ..support import exchanges
from ..support.simulated import simulated

CASES = exchanges.cases("tavus")
ACCOUNT = Account("tavus", key="tavus-key-of-the-tests")
T = datetime(2026, 3, 2, 10, tzinfo=UTC)


def at(seconds: float) -> str:
    return (T + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def answer(body: object, status: int = 200) -> Response:
    return Response(status, {}, json.dumps(body).encode())


def row(**members: Any) -> Conversation:
    """Read a row of a list, which has no events."""
    return normalize(json.dumps({"conversation_id": "c1", "status": "ended", **members}).encode())


def event(kind: str, seconds: float | None = None, /, **properties: Any) -> dict[str, Any]:
    """Return an event, some seconds after `T`."""
    return {"event_type": kind, "timestamp": None if seconds is None else at(seconds), "properties": properties}


def got(*sent: object, **members: Any) -> Conversation:
    """Read a conversation with its events."""
    body = {"conversation_id": "c1", "status": "ended", "events": sent, **members}
    return drive(get(ACCOUNT, "c1"), answer(body)).result


def said(*entries: Any) -> tuple[TranscriptTurn, ...]:
    """Read the entries of a transcript."""
    transcript = got(event("application.transcription_ready", transcript=entries)).transcript
    assert transcript is not None
    return transcript


def listed(body: object, query: Query | None = None, cursor: str | None = None) -> Driven[RawPage]:
    return drive(list_page(ACCOUNT, query or Query(), cursor), answer(body))


def rows(*numbers: int, total: Any = None) -> dict[str, Any]:
    counted = {} if total is None else {"total_count": total}
    return {"data": [{"conversation_id": f"c{number}", "status": "ended"} for number in numbers], **counted}


def ids(listing: RawPage) -> list[str]:
    return [listing.normalize(raw).id for raw in listing.rows]


# where a conversation stands


@pytest.mark.parametrize(
    ("word", "status"),
    [("active", Status.IN_PROGRESS), ("ended", Status.ENDED), ("paused", Status.UNKNOWN), (None, Status.UNKNOWN)],
)
def test_the_status_words_of_a_row(word: str | None, status: Status) -> None:
    read = row(status=word)

    assert (read.status, read.provider_status, read.estimated) == (status, word, ())


@pytest.mark.parametrize("joined", ["system.pal_joined", "system.replica_joined"])
def test_a_room_is_queued_until_the_face_has_joined(joined: str) -> None:
    waiting, running = got(status="active"), got(event(joined, 4), status="active")

    assert (waiting.status, waiting.started_at) == (Status.QUEUED, None)
    assert (running.status, running.started_at) == (Status.IN_PROGRESS, T + timedelta(seconds=4))


@pytest.mark.parametrize(
    ("words", "status", "reason"),
    [
        ("max_call_duration", Status.ENDED, EndReason.MAX_DURATION),
        ("max_call_duration reached", Status.ENDED, EndReason.MAX_DURATION),
        ("participant_left_timeout", Status.ENDED, EndReason.CUSTOMER_ENDED),
        ("participant_absent_timeout reached", Status.NO_ANSWER, EndReason.NO_ANSWER),
        ("end_conversation_endpoint_hit", Status.ENDED, EndReason.API_ENDED),
        ("daily_room_has_been_deleted", Status.ENDED, EndReason.API_ENDED),
        ("bot_could_not_join_meeting_it_was_probably_ended", Status.FAILED, EndReason.ERROR),
        ("exception_encountered_during_conversation_startup", Status.FAILED, EndReason.ERROR),
        ("internal error occurred at step 4", Status.FAILED, EndReason.ERROR),
        ("zz_unheard_of", Status.ENDED, EndReason.UNKNOWN),
    ],
)
def test_the_shutdown_reason_gives_status_and_end_reason(words: str, status: Status, reason: EndReason) -> None:
    for read in (
        row(shutdown_reason=words),
        got(event("system.shutdown", 60, shutdown_reason=words)),
        got(event("system.shutdown", 60, reason=words)),
    ):
        assert (read.status, read.end_reason, read.provider_end_reason) == (status, reason, words)


def test_a_reason_does_not_end_a_running_conversation() -> None:
    read = row(status="active", shutdown_reason="internal error")

    assert (read.status, read.end_reason) == (Status.IN_PROGRESS, EndReason.ERROR)


@pytest.mark.parametrize(
    "kind",
    [
        "system.shutdown",
        "application.transcription_ready",
        "application.recording_ready",
        "application.perception_analysis",
    ],
)
def test_an_unknown_status_counts_as_ended_after_an_event_that_follows_the_end(kind: str) -> None:
    read = got(event(kind, 60), status="archived")

    assert (read.status, read.estimated[0]) == (Status.ENDED, "status")


# when


def test_it_lasts_from_the_join_to_the_shutdown() -> None:
    read = got(
        event("system.replica_joined", 5),
        event("system.pal_joined", 5.5),
        event("system.shutdown", 65.5, reason="max_call_duration"),
        created_at=at(0),
        updated_at=at(99),
    )

    assert (read.created_at, read.updated_at) == (T, T + timedelta(seconds=99))
    assert (read.started_at, read.ended_at) == (T + timedelta(seconds=5.5), T + timedelta(seconds=65.5))
    assert (read.duration, read.estimated) == (60, ("duration",))


def test_start_and_end_of_a_row_are_estimated_from_its_creation_and_last_change() -> None:
    read = row(created_at=at(0), updated_at=at(60))

    assert (read.started_at, read.ended_at, read.duration) == (T, T + timedelta(seconds=60), None)
    assert read.estimated == ("started_at", "ended_at")


def test_a_running_row_has_no_end() -> None:
    read = row(status="active", created_at=at(0), updated_at=at(60))

    assert (read.started_at, read.ended_at) == (T, None)


def test_empty_dates_are_none_and_noted_as_empty() -> None:
    read = row(created_at="", updated_at="")

    assert (read.created_at, read.updated_at, read.started_at) == (None, None, None)
    assert read.issues == (Issue("created_at", "empty"), Issue("updated_at", "empty"))


def test_an_end_before_the_start_is_dropped_and_noted_at_its_place() -> None:
    read = got(event("system.pal_joined", 60), event("system.shutdown", 5))

    assert read.ended_at is None
    assert [issue.place for issue in read.issues] == ["events[1].timestamp"]


def test_without_a_shutdown_the_duration_is_that_of_the_transcript_or_the_recording() -> None:
    spoken = event(
        "application.transcription_ready",
        transcript=[{"role": "user", "content": "Hi", "seconds_from_start": 7.5, "duration": 2}],
    )
    recorded = event("application.recording_ready", storage_uri="s3://bucket/c1.mp4", duration=12)

    assert got(spoken, recorded).duration == 9.5
    assert got(recorded).duration == 12


# who


@pytest.mark.parametrize("pal", ["pal_id", "persona_id"])
@pytest.mark.parametrize("face", ["face_id", "replica_id"])
def test_personas_are_pals_and_replicas_are_faces(pal: str, face: str) -> None:
    read = row(**{pal: "p1", face: "r1"})

    assert read.agent == Agent(id="p1")
    assert (read.metadata, read.channel) == ({"face_id": "r1"}, Channel.VIDEO)
    assert [one.kind for one in read.participants] == [ParticipantKind.AI_AGENT, ParticipantKind.CUSTOMER]


def test_the_room_is_a_link_and_the_name_a_title() -> None:
    read = row(conversation_name="Intake", conversation_url="https://tavus.daily.co/c1", callback_url="")

    assert (read.title, read.links) == ("Intake", {"conversation": "https://tavus.daily.co/c1"})
    assert read.metadata == {}


# the transcript


def test_a_row_leaves_the_transcript_to_get() -> None:
    assert row().transcript_state is TranscriptState.NOT_LOADED


@pytest.mark.parametrize(
    ("reason", "state"),
    [
        ("participant_left_timeout", TranscriptState.PENDING),
        ("participant_absent_timeout", TranscriptState.UNAVAILABLE),
        ("internal error", TranscriptState.UNAVAILABLE),
    ],
)
@pytest.mark.parametrize("events", [None, []])
def test_a_transcript_may_still_come_if_somebody_was_there(
    reason: str, state: TranscriptState, events: list[Any] | None
) -> None:
    read = got(shutdown_reason=reason, events=events)

    assert (read.transcript, read.transcript_state) == (None, state)


def test_the_last_of_several_transcripts_counts() -> None:
    first, last = ([{"role": "user", "content": words}] for words in ("Hi", "Hi there"))
    read = got(*(event("application.transcription_ready", transcript=one) for one in (first, last)))

    assert (read.text, read.transcript_state) == ("user: Hi there", TranscriptState.AVAILABLE)


@pytest.mark.parametrize(
    ("word", "role", "participant"),
    [
        ("user", Role.USER, 1),
        ("assistant", Role.ASSISTANT, 0),
        ("replica", Role.ASSISTANT, 0),
        ("pal", Role.ASSISTANT, 0),
        ("system", Role.SYSTEM, None),
        ("tool", Role.TOOL, None),
        ("interpreter", Role.UNKNOWN, 2),
    ],
)
def test_the_speakers(word: str, role: Role, participant: int | None) -> None:
    [turn] = said({"role": word, "content": "Hi"})

    assert (turn.role, turn.participant, turn.text) == (role, participant, "Hi")


def test_a_turn_has_its_times_and_its_inference() -> None:
    entry = {"seconds_from_start": 1.5, "duration": 2, "timestamp": T.timestamp() + 1.5, "inference_id": "inf_1"}
    [turn] = said({"role": "assistant", "content": "Hi", **entry})

    assert (turn.start, turn.duration, turn.timestamp, turn.provider_id) == (1.5, 2, T.timestamp() + 1.5, "inf_1")


def test_a_plain_text_transcript_is_read_by_its_labels() -> None:
    read = got(event("application.transcription_ready", transcript="PAL: Hello.\nUser: Hi.\nreplica: Bye."))

    assert read.text == "assistant: Hello.\nuser: Hi.\nassistant: Bye."
    assert read.estimated == ("transcript",)


CALL = {"name": "find_order", "arguments": '{"order": 7}'}


@pytest.mark.parametrize("called", [{"id": "t1", **CALL}, {"id": "t1", "function": CALL}])
def test_tool_calls_and_results(called: dict[str, Any]) -> None:
    calling, answering = said(
        {"role": "assistant", "content": "", "tool_calls": [called]},
        {"role": "tool", "content": '{"state": "sent"}', "tool_call_id": "t1"},
    )

    assert calling.tool_calls == (ToolCall(id="t1", name="find_order", arguments='{"order": 7}'),)
    assert (answering.role, answering.text) == (Role.TOOL, "")
    assert answering.tool_result == ToolResult(call_id="t1", content='{"state": "sent"}')


def test_an_asynchronous_tool_answers_twice_and_its_echo_is_not_a_call() -> None:
    turns = said(
        {"role": "assistant", "content": "", "tool_calls": [{"id": "t1", "function": CALL}]},
        {"role": "tool", "content": "dispatched", "tool_call_id": "t1"},
        {"role": "assistant", "content": "", "tool_calls": [{"id": "t1_result", "function": CALL}]},
        {"role": "tool", "content": "sent", "tool_call_id": "t1_result"},
    )

    assert [call.id for turn in turns for call in turn.tool_calls] == ["t1"]
    assert [turn.tool_result for turn in turns[1:]] == [
        ToolResult(call_id="t1", content="dispatched"),
        ToolResult(call_id="t1", content="sent"),
    ]


def test_the_text_of_an_echo_is_kept() -> None:
    first, second = said(
        {"role": "assistant", "tool_calls": [{"id": "t1", "function": CALL}]},
        {"role": "assistant", "content": "There it is.", "tool_calls": [{"id": "t1", "function": CALL}]},
    )

    assert (len(first.tool_calls), second.tool_calls, second.text) == (1, (), "There it is.")


# recordings, analysis and metadata


@pytest.mark.parametrize(
    ("where", "location"),
    [
        ({"storage_uri": "gs://bucket/c1.mp4", "bucket_name": "b", "s3_key": "k"}, "gs://bucket/c1.mp4"),
        ({"bucket_name": "b", "s3_key": "recordings/c1.mp4"}, "s3://b/recordings/c1.mp4"),
    ],
)
def test_recordings_are_in_the_customer_s_bucket(where: dict[str, str], location: str) -> None:
    [recording] = got(event("application.recording_ready", duration=12, **where)).recordings

    assert (recording.location, recording.access) == (location, RecordingAccess.CUSTOMER_BUCKET)
    assert recording.duration == 12


def test_a_recording_without_a_place_is_left_out() -> None:
    assert got(event("application.recording_ready", bucket_name="b")).recordings == ()


@pytest.mark.parametrize(
    ("body", "collected"),
    [
        ('{"summary": "moved"}', {"summary": "moved"}),
        ({"summary": "moved"}, {"summary": "moved"}),
        ("moved to Friday", "moved to Friday"),
    ],
)
@pytest.mark.parametrize(
    ("named", "name"), [({"tool_name": "save", "tool_id": 7}, "save"), ({"tool_id": 7}, "7"), ({}, "action")]
)
def test_the_body_of_a_post_call_action_is_collected(
    named: dict[str, Any], name: str, body: object, collected: object
) -> None:
    read = got(event("application.post_call_action_executed", status="success", request={"body": body}, **named))

    assert read.analysis is not None
    assert read.analysis.collected == {name: collected}
    [action] = read.metadata["post_call_actions"]
    assert action["status"] == "success"


def test_members_without_a_field_are_kept_in_the_metadata() -> None:
    read = got(
        event("application.perception_analysis", analysis={"mood": "calm"}),
        event("application.perception_unavailable", reason="no_vision_history"),
        event("application.raven_memory_evidence", analysis=["a chair"]),
        event("application.recording_copy_failed", error_message="access denied"),
        event("application.transcription_ready", transcript_url="https://example.com/t.json"),
        event("system.zz_unheard_of"),
        metadata={"order": 7},
    )

    assert read.metadata == {
        "metadata": {"order": 7},
        "transcript_url": "https://example.com/t.json",
        "perception": {"mood": "calm"},
        "perception_unavailable": "no_vision_history",
        "memory_evidence": ["a chair"],
        "recording_copy_failed": "access denied",
        "other_events": ["system.zz_unheard_of"],
    }


# the list


def test_pages_are_numbered_until_every_row_is_listed() -> None:
    first = listed(rows(0, 1, total=3), Query(page_size=2))
    second = listed(rows(2, total=3), Query(page_size=2), first.result.cursor)

    assert [driven.requests[0].query for driven in (first, second)] == [
        {"limit": 2, "page": 1},
        {"limit": 2, "page": 2},
    ]
    assert ids(first.result) == ["c0", "c1"]
    assert (ids(second.result), second.result.cursor) == (["c2"], None)


def test_a_page_has_a_hundred_rows_by_default() -> None:
    assert listed(rows()).requests[0].query == {"limit": 100, "page": 1}


def test_a_short_page_is_not_the_end_while_the_total_says_more() -> None:
    assert listed(rows(0, total=3), Query(page_size=2)).result.cursor is not None


@pytest.mark.parametrize("total", [None, "several"])
def test_without_a_total_an_empty_page_is_the_end(total: Any) -> None:
    first = listed(rows(0, total=total), Query(page_size=2))

    assert first.result.cursor is not None
    assert listed(rows(total=total), Query(page_size=2), first.result.cursor).result.cursor is None


@pytest.mark.parametrize("body", [rows(0, 1)["data"], {"conversations": rows(0, 1)["data"]}, rows(0, 1)])
def test_rows_are_in_one_of_three_places(body: object) -> None:
    assert ids(listed(body).result) == ["c0", "c1"]


@pytest.mark.parametrize("body", [{}, {"data": None}, {"total_count": 0}])
def test_a_missing_list_is_not_an_empty_list(body: object) -> None:
    with pytest.raises(errors.PayloadError, match="no list of conversations"):
        listed(body)


@pytest.mark.parametrize(
    ("status", "word", "is_exact"),
    [
        (Status.ENDED, "ended", True),
        (Status.IN_PROGRESS, "active", True),
        (Status.FAILED, "ended", False),
        (Status.NO_ANSWER, "ended", False),
        (Status.QUEUED, "active", False),
        (Status.UNKNOWN, None, False),
        (None, None, True),
    ],
)
def test_a_list_filters_by_active_and_ended_only(
    status: Status | None,
    word: str | None,
    is_exact: bool,  # noqa: FBT001
) -> None:
    driven = listed(rows(), Query(status=status))

    assert driven.requests[0].query.get("status") == word
    assert (driven.result.warning is None) is is_exact


def test_the_query_goes_before_options() -> None:
    options = {"status": "active", "limit": 5, "pal_id": "p1"}
    driven = listed(rows(), Query(options=options, status=Status.ENDED))

    assert driven.requests[0].query == {"status": "ended", "limit": 100, "page": 1, "pal_id": "p1"}


@pytest.mark.parametrize("cursor", ["x", "1", "1:x", "1:2:x", "1:2:3:4"])
def test_a_malformed_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(errors.InvalidRefError):
        drive(list_page(ACCOUNT, Query(), cursor))


# start, end and delete


def test_a_room_is_opened_and_its_link_returned() -> None:
    driven = drive(start(ACCOUNT, Start(agent="p1", options={"require_auth": True})), *CASES["start"].answers)
    [request] = driven.requests
    assert request.body is not None

    assert (request.method, request.path) == ("POST", "/v2/conversations")
    assert json.loads(request.body) == {"require_auth": True, "persona_id": "p1"}
    assert driven.result.join_url == driven.result.conversation.links["conversation"]


def test_the_token_of_a_room_is_a_secret() -> None:
    reply = answer({"conversation_id": "c1", "status": "active", "meeting_token": "eyJ.token"})
    started = drive(start(ACCOUNT, Start(agent="p1")), reply).result

    assert started.token is not None
    assert started.token.reveal() == "eyJ.token"
    assert "eyJ" not in repr(started) + repr(started.token)
    assert "meeting_token" in ADAPTER.secret_fields


def test_a_call_is_refused() -> None:
    with pytest.raises(errors.UnsupportedError, match="Tavus places no calls"):
        drive(start(ACCOUNT, Start(agent="p1", to="+15550111")))


def test_end_may_be_repeated() -> None:
    [request] = drive(end(ACCOUNT, "c 1"), Response(200, {}, b"")).requests

    assert (request.method, target(request, "")) == ("POST", "/v2/conversations/c%201/end")
    assert request.is_safe


@pytest.mark.parametrize(("options", "query"), [({}, ""), ({"hard": False}, ""), ({"hard": True}, "?hard=true")])
def test_assets_are_deleted_for_good_on_request_only(options: dict[str, Any], query: str) -> None:
    [request] = drive(delete(ACCOUNT, "c1", options), Response(204, {}, b"")).requests

    assert (request.method, target(request, "")) == ("DELETE", f"/v2/conversations/c1{query}")


def test_the_key_is_sent_in_its_header() -> None:
    [request] = listed(rows()).requests

    assert ADAPTER.sign(request, ACCOUNT, T).headers == {"x-api-key": "tavus-key-of-the-tests"}


async def test_rooms_are_opened_until_there_are_too_many_and_ended() -> None:
    async with simulated("tavus", profile="interactive") as (hub, _):
        started = await hub.start("tavus", agent="p1", provider_options={"require_auth": True})
        assert started.join_url
        assert started.token
        more = await asyncio.gather(*(hub.start("tavus", agent="p1") for _ in range(9)), return_exceptions=True)
        refusals = [refusal for refusal in more if isinstance(refusal, errors.RateLimitError)]
        assert refusals
        assert "maximum concurrent conversations" in str(refusals[0])
        await hub.end(started.conversation.ref)
        assert (await hub.get(started.conversation.ref)).is_finished
        await hub.delete(started.conversation.ref)
        with pytest.raises(errors.NotFoundError):
            await hub.get(started.conversation.ref)


# refusals


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"message": "User has reached maximum concurrent conversations"}, errors.RateLimitError),
        (400, {"error": "Invalid conversation_id"}, errors.NotFoundError),
        (400, {"message": "Invalid limit"}, errors.RejectedError),
        (401, {"message": "Invalid access token"}, errors.AuthError),
        (503, {"message": "Invalid conversation_id"}, errors.OutageError),
    ],
)
def test_too_many_rooms_and_unknown_ids_are_refused_with_status_400(
    status: int, body: dict[str, str], kind: type[errors.ProviderError]
) -> None:
    error = refusal(answer(body, status))

    assert type(error) is kind
    assert (error.status, error.reason) == (status, next(iter(body.values())))


@pytest.mark.parametrize("body", [{}, {"message": {"limit": ["too large"]}}, [], "no"])
def test_a_refusal_without_words_is_read_by_its_status(body: object) -> None:
    assert isinstance(refusal(answer(body, 400)), errors.RejectedError)


def test_a_refusal_with_status_200_gives_its_reason() -> None:
    for flow in (get(ACCOUNT, "c1"), list_page(ACCOUNT, Query(), None)):
        with pytest.raises(errors.RejectedError, match="out of credits"):
            drive(flow, answer({"message": "out of credits"}))


# callbacks


def delivered(kind: str, /, **properties: Any) -> Event:
    [found] = events(json.dumps({"conversation_id": "c1", **event(kind, 60, **properties)}).encode())
    return found


@pytest.mark.parametrize(
    ("word", "kind", "status"),
    [
        ("system.pal_joined", EventKind.STARTED, Status.IN_PROGRESS),
        ("system.replica_joined", EventKind.STARTED, Status.IN_PROGRESS),
        ("system.shutdown", EventKind.ENDED, Status.ENDED),
        ("application.transcription_ready", EventKind.TRANSCRIPT_READY, Status.ENDED),
        ("application.recording_ready", EventKind.RECORDING_READY, Status.ENDED),
        ("application.perception_analysis", EventKind.ANALYSIS_READY, Status.ENDED),
    ],
)
def test_a_callback_is_one_event_with_its_part_of_the_conversation(word: str, kind: EventKind, status: Status) -> None:
    found = delivered(word)

    assert (found.kind, found.provider_kind, found.id) == (kind, word, f"c1:{word}")
    assert (found.conversation_id, found.occurred_at) == ("c1", T + timedelta(seconds=60))
    assert found.conversation is not None
    assert (found.conversation.status, found.conversation.provider_status) == (status, None)
    assert "status" in found.conversation.estimated


def test_the_transcript_comes_with_its_callback() -> None:
    found = delivered("application.transcription_ready", transcript=[{"role": "user", "content": "Hi"}])

    assert found.conversation is not None
    assert (found.conversation.text, found.to_fetch) == ("user: Hi", None)


def test_a_shutdown_brings_the_end_reason_and_the_rest_is_fetched() -> None:
    found = delivered("system.shutdown", shutdown_reason="participant_absent_timeout reached")

    assert found.conversation is not None
    assert (found.conversation.status, found.conversation.end_reason) == (Status.NO_ANSWER, EndReason.NO_ANSWER)
    assert found.to_fetch == "tavus:c1"


@pytest.mark.parametrize("word", ["application.post_call_action_executed", "conversation.utterance"])
def test_other_callbacks_bring_no_conversation(word: str) -> None:
    found = delivered(word)

    assert (found.kind, found.conversation, found.to_fetch) == (EventKind.OTHER, None, "tavus:c1")


def test_an_issue_has_its_place_in_the_callback() -> None:
    found = delivered("application.transcription_ready", transcript=[None, {"role": "user", "content": "Hi"}])

    assert found.conversation is not None
    assert found.conversation.issues == (Issue("properties.transcript[0]", "null"),)
