"""AssemblyAI's traps: a transcript at another host, entries that hold two turns, instants that may be offsets."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from conversations_hub._scrub.members import scrubbed
from conversations_hub.account import Account
from conversations_hub.adapter import Query, RawPage
from conversations_hub.adapters.assemblyai import ADAPTER, delete, events, get, list_page, normalize, recording
from conversations_hub.errors import (
    DeadlineError,
    HubError,
    LocalLimitError,
    NotFoundError,
    OutageError,
    PaginationError,
    PayloadError,
    RejectedError,
    UnsafeURLError,
)
from conversations_hub.events import Event, EventKind
from conversations_hub.schema import (
    Channel,
    Conversation,
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

ACCOUNT = Account("assemblyai", key="key-of-the-tests")
T = datetime(2026, 10, 2, 9, tzinfo=UTC)
MS = int(T.timestamp()) * 1000
PLACE = "https://bucket.s3.amazonaws.com/s1/timeline.json?Signature=canary"
TIMELINE = {"type": "timeline", "url": PLACE, "content_type": "application/json"}
AUDIO = {"type": "audio", "url": "https://bucket.s3.amazonaws.com/s1/audio.ogg?Signature=canary"}
ENDED: dict[str, Any] = {
    "status": "completed",
    "created_at": "2026-10-02T09:00:00Z",
    "ended_at": "2026-10-02T09:00:10Z",
    "duration_seconds": 10,
}
NEXT_DAY = "Sat, 03 Oct 2026 09:00:00 GMT"
AT_ONCE = "Fri, 02 Oct 2026 09:00:12 GMT"


def answer(body: object, date: str | None = NEXT_DAY) -> Response:
    return Response(200, {} if date is None else {"date": date}, json.dumps(body).encode())


def row(**members: Any) -> Conversation:
    return normalize(json.dumps({"id": "s1", **members}).encode())


def got(*answers: Response | Exception, date: str | None = NEXT_DAY, **members: Any) -> Conversation:
    session = {"id": "s1", **ENDED, "artifacts": [TIMELINE], **members}
    return drive(get(ACCOUNT, "s1"), answer(session, date), *answers).result


def turns(*entries: object, started_at: object = MS) -> tuple[TranscriptTurn, ...]:
    read = got(answer({"started_at_unix_ms": started_at, "turns": entries}))
    assert read.transcript is not None
    return read.transcript


def page(*answers: Response, cursor: str | None = None, **query: Any) -> Driven[RawPage]:
    return drive(list_page(ACCOUNT, Query(**query), cursor), *answers)


def listed(*rows: object, more: bool | None = True, following: str | None = "next") -> Response:
    return answer({"sessions": rows, "has_more": more, "response_metadata": {"next_cursor": following}})


def event(**members: Any) -> Event:
    [found] = events(json.dumps(members).encode())
    return found


# where a session stands


@pytest.mark.parametrize(
    ("members", "status", "is_derived"),
    [
        ({"status": "completed"}, Status.ENDED, False),
        ({"status": "active"}, Status.IN_PROGRESS, False),
        ({"status": "connected"}, Status.IN_PROGRESS, True),
        ({"status": "archived", "ended_at": "2026-10-02T09:00:10Z"}, Status.ENDED, True),
        ({"status": "completed", "public_close_reason": "llm_error"}, Status.FAILED, True),
        ({"status": "failed"}, Status.FAILED, False),
        ({}, Status.UNKNOWN, False),
    ],
)
def test_a_session_has_ended_when_it_says_so_or_has_an_end(
    members: dict[str, Any], status: Status, *, is_derived: bool
) -> None:
    read = row(**members)

    assert (read.status, read.provider_status) == (status, members.get("status"))
    assert ("status" in read.estimated) is is_derived


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("client_end", EndReason.CUSTOMER_ENDED),
        ("idle_timeout", EndReason.UNKNOWN),
        ("upstream_failure", EndReason.ERROR),
        (None, None),
    ],
)
def test_why_it_was_closed(reason: str | None, expected: EndReason | None) -> None:
    read = row(**ENDED, public_close_reason=reason)

    assert (read.end_reason, read.provider_end_reason) == (expected, reason)


def test_a_timeline_knows_when_the_parties_were_connected() -> None:
    read = got(answer({"started_at_unix_ms": MS + 266, "turns": []}))

    assert read.started_at == T + timedelta(milliseconds=266)
    assert "started_at" not in read.estimated
    assert "started_at" in row(**ENDED).estimated


def test_a_timeline_knows_what_the_session_leaves_out() -> None:
    ending = {"reason": "participant_disconnected", "public_reason": "client_end", "duration_seconds": 9.5}
    read = got(answer({"turns": [], "ended": ending}), duration_seconds=None)

    assert (read.duration, read.provider_end_reason) == (9.5, "client_end")
    assert read.metadata["ended_reason"] == "participant_disconnected"


# the file at another host


def test_the_timeline_is_asked_for_where_it_is_without_the_key() -> None:
    session = {"id": "s1", **ENDED, "artifacts": [AUDIO, TIMELINE]}
    done = drive(get(ACCOUNT, "s1"), answer(session), answer({"turns": []}))
    first, second = done.requests

    assert (target(first, ""), first.elsewhere) == ("/v1/sessions/s1", False)
    assert (second.path, second.elsewhere, dict(second.headers)) == (PLACE, True, {})


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (RejectedError("expired", status=403), TranscriptState.UNAVAILABLE),
        (NotFoundError("gone", status=404), TranscriptState.UNAVAILABLE),
        (PayloadError("HTML instead of JSON"), TranscriptState.UNAVAILABLE),
        (UnsafeURLError("an unknown host"), TranscriptState.UNAVAILABLE),
        (OutageError("down", status=503), TranscriptState.PENDING),
    ],
)
def test_a_session_whose_timeline_cannot_be_fetched_is_read_and_says_so(
    error: HubError, state: TranscriptState
) -> None:
    read = got(error)

    assert (read.status, read.transcript, read.transcript_state) == (Status.ENDED, None, state)
    assert read.issues == (Issue("timeline", f"could not be loaded: {type(error).__name__}"),)
    assert json.loads(read.raw or b"")["id"] == "s1"


def test_a_timeline_that_has_no_structure_is_not_loaded_either() -> None:
    read = got(answer({"turns": "none"}))

    assert (read.transcript, read.transcript_state) == (None, TranscriptState.UNAVAILABLE)
    assert read.issues == (Issue("timeline", "could not be loaded: PayloadError"),)


@pytest.mark.parametrize("error", [DeadlineError("too late"), LocalLimitError("no files left")])
def test_what_ends_the_whole_operation_is_raised(error: HubError) -> None:
    with pytest.raises(type(error)):
        got(error)


@pytest.mark.parametrize(
    ("artifacts", "date", "state"),
    [
        ([], AT_ONCE, TranscriptState.PENDING),
        ([AUDIO], AT_ONCE, TranscriptState.PENDING),
        (None, None, TranscriptState.PENDING),
        ([], NEXT_DAY, TranscriptState.UNAVAILABLE),
        ([{"type": "timeline", "url": None}, None], NEXT_DAY, TranscriptState.UNAVAILABLE),
    ],
)
def test_files_come_some_time_after_the_end(artifacts: object, date: str | None, state: TranscriptState) -> None:
    assert got(artifacts=artifacts, date=date).transcript_state is state


def test_a_running_session_is_pending_and_a_row_not_loaded() -> None:
    running: dict[str, Any] = {"status": "active", "ended_at": None, "duration_seconds": None, "artifacts": []}

    assert got(**running).transcript_state is TranscriptState.PENDING
    assert row(**ENDED).transcript_state is TranscriptState.NOT_LOADED


def test_issues_are_where_they_are_in_raw() -> None:
    read = got(answer({"turns": [None, {"user_confidence": "high"}]}), created_at="yesterday")

    assert [issue.place for issue in read.issues] == [
        "timeline.turns[1].user_confidence",
        "session.created_at",
        "timeline.turns[0]",
    ]


# what was said


def test_one_entry_is_the_user_then_the_tools_then_the_agent() -> None:
    entry = {
        "turn_id": "r2",
        "status": "completed",
        "user_transcript": "Where is it?",
        "agent_text": "In transit.",
        "tool_calls": [{"call_id": "c1", "name": "find", "arguments": {"n": 1}, "result": {"at": "hub"}}],
    }
    found = turns(entry)

    assert [turn.role for turn in found] == [Role.USER, Role.ASSISTANT, Role.TOOL, Role.ASSISTANT]
    assert {turn.provider_id for turn in found} == {"r2"}
    assert found[1].tool_calls[0].arguments == '{"n":1}'
    assert found[2].tool_result is not None
    assert (found[2].tool_result.content, found[2].tool_result.is_error) == ('{"at":"hub"}', None)


@pytest.mark.parametrize(
    ("sent", "start", "moment"),
    [
        (MS + 3500, 3.5, T.timestamp() + 3.5),
        (3500, 3.5, T.timestamp() + 3.5),
        (MS - 2000, None, T.timestamp() - 2),
        (None, None, None),
    ],
)
def test_an_instant_is_absolute_or_an_offset(sent: int | None, start: float | None, moment: float | None) -> None:
    [turn] = turns({"user_transcript": "Hi", "user_speech_started_at_ms": sent})

    assert (turn.start, turn.timestamp) == (start, moment)


def test_a_start_that_is_an_offset_is_no_instant() -> None:
    [turn] = turns({"agent_text": "Hi", "agent_reply_started_at_ms": 374}, started_at=0)

    assert (turn.start, turn.timestamp) == (0.374, T.timestamp() + 0.374)


def test_an_end_of_speech_before_its_start_is_no_length() -> None:
    [turn] = turns({"user_transcript": "Hi", "user_speech_started_at_ms": MS + 9, "user_speech_ended_at_ms": MS + 4})

    assert turn.duration is None


@pytest.mark.parametrize(
    ("members", "interrupted"),
    [
        ({"status": "interrupted"}, True),
        ({"status": "completed", "interrupted_at_ms": MS}, True),
        ({"status": "completed"}, False),
        ({"status": "cancelled"}, None),
    ],
)
def test_an_interrupted_reply(members: dict[str, Any], *, interrupted: bool | None) -> None:
    [turn] = turns({"agent_text": "Your order", **members})

    assert turn.interrupted is interrupted


def test_a_tool_that_timed_out_has_failed_and_one_that_runs_has_no_result() -> None:
    late = {"call_id": "c1", "name": "find", "is_error": False, "timed_out": True}
    running = {"call_id": "c2", "name": "find", "dispatched_at_ms": MS}
    found = turns({"tool_calls": [late, None, running]})

    assert [turn.role for turn in found] == [Role.ASSISTANT, Role.TOOL, Role.ASSISTANT]
    assert found[1].tool_result is not None
    assert found[1].tool_result.is_error is True


def test_an_entry_without_words_is_no_turn() -> None:
    assert turns({"turn_id": "r1", "user_transcript": "", "agent_text": None}) == ()


# what is to be kept to oneself


def test_keys_of_models_and_headers_of_tools_are_hidden() -> None:
    config = {
        "llm": [{"api_key_ciphertext": "canary", "api_key_kms_key_id": "canary"}],
        "tools": [{"http": {"headers_ciphertext": "canary", "headers": {"x-token": "canary"}}}],
    }
    changes = [{"tools": [{"http": {"headers_encrypted_data_key": "canary"}}]}]
    read = got(answer({"turns": [], "config_changes": changes}), config=config)

    assert b"canary" not in scrubbed(read.raw or b"", ADAPTER.secret_fields).replace(PLACE.encode(), b"")


# the recording


def test_a_recording_is_kept_as_its_session_and_its_url_asked_for_again() -> None:
    [kept] = got(answer({"turns": []}), artifacts=[TIMELINE, AUDIO]).recordings
    done = drive(recording(ACCOUNT, kept), answer({"id": "s1", "artifacts": [TIMELINE, AUDIO]}))

    assert (kept.location, kept.access) == ("/v1/sessions/s1", RecordingAccess.PROVIDER_KEY)
    assert (target(done.requests[0], ""), done.result) == ("/v1/sessions/s1", AUDIO["url"])


def test_a_recording_that_is_gone_is_not_found() -> None:
    kept = Recording(location="/v1/sessions/s1", access=RecordingAccess.PROVIDER_KEY)
    with pytest.raises(NotFoundError, match="recording"):
        drive(recording(ACCOUNT, kept), answer({"id": "s1", "artifacts": [TIMELINE]}))


def test_a_deletion_needs_no_answer() -> None:
    [request] = drive(delete(ACCOUNT, "s1", {}), Response(204, {}, b"")).requests

    assert (request.method, target(request, ""), request.is_safe) == ("DELETE", "/v1/sessions/s1", True)


# pages


@pytest.mark.parametrize(
    ("more", "following", "cursor"),
    [(True, "next", "next"), (None, "next", "next"), (False, "next", None), (None, None, None)],
)
def test_the_cursor_stands_below_the_top(following: str | None, cursor: str | None, *, more: bool | None) -> None:
    assert page(listed({"id": "s1"}, more=more, following=following)).result.cursor == cursor


def test_more_rows_without_a_cursor_are_an_error() -> None:
    with pytest.raises(PaginationError):
        page(listed({"id": "s1"}, following=None))


@pytest.mark.parametrize(
    ("created_at", "cursor"),
    [("2026-10-01T23:59:59Z", None), ("2026-10-02T00:00:00Z", "next"), (None, "next"), ("long ago", "next")],
)
def test_a_walk_ends_with_the_first_page_that_is_too_old(created_at: object, cursor: str | None) -> None:
    rows = ({"id": "s1", "created_at": "2026-10-03T00:00:00Z"}, {"id": "s2", "created_at": created_at})

    assert page(listed(*rows), since=datetime(2026, 10, 2, tzinfo=UTC)).result.cursor == cursor


def test_an_empty_page_is_not_the_end() -> None:
    assert page(listed(), since=T).result.cursor == "next"


def test_an_answer_without_a_list_is_refused() -> None:
    with pytest.raises(PayloadError):
        page(answer({"response_metadata": {}}))


# events


def test_only_events_of_calls_know_a_phone() -> None:
    call = event(event="call.connected", call={"call_id": "s1"}).conversation
    session = event(event="session.started", session_id="s1").conversation

    assert call is not None
    assert session is not None
    assert (call.channel, session.channel) == (Channel.PHONE, Channel.WEB)
    assert ("channel" in call.estimated, "channel" in session.estimated) == (False, True)


def test_members_of_a_session_may_stand_below_it() -> None:
    inner = {"public_close_reason": "internal_error", "duration_seconds": 0, "ended_at": "2026-10-02T09:00:10Z"}
    told = event(event="session.completed", session_id="s1", session=inner).conversation

    assert told is not None
    assert (told.status, told.end_reason, told.duration) == (Status.FAILED, EndReason.ERROR, 0)
    assert told.ended_at == T + timedelta(seconds=10)


@pytest.mark.parametrize(
    ("reason", "status", "end_reason"),
    [
        ("client_end", Status.ENDED, EndReason.CUSTOMER_ENDED),
        ("internal_error", Status.FAILED, EndReason.ERROR),
        (None, Status.ENDED, None),
    ],
)
def test_the_name_of_an_event_is_enough_to_tell_of_the_end(
    reason: str | None, status: Status, end_reason: EndReason | None
) -> None:
    told = event(event="session.completed", session_id="s1", public_close_reason=reason).conversation

    assert told is not None
    assert (told.status, told.end_reason) == (status, end_reason)


def test_a_call_s_transcript_is_to_be_fetched_and_its_urls_are_not_kept() -> None:
    found = event(event="call.ended", call={"call_id": "s1", "transcript_url": PLACE, "recording_url": AUDIO["url"]})
    told = found.conversation

    assert told is not None
    assert (found.kind, found.to_fetch) == (EventKind.ENDED, "assemblyai:s1")
    assert told.transcript_state is TranscriptState.NOT_LOADED
    assert [one.location for one in told.recordings] == ["/v1/sessions/s1"]


def test_an_unknown_event_is_about_nothing_known() -> None:
    found = event(event="agent.updated", event_id="e1", agent_id="a1")

    assert (found.kind, found.id, found.conversation_id, found.conversation) == (EventKind.OTHER, "e1", None, None)
