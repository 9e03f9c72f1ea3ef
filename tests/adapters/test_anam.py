"""Anam's traps: two shapes of a session, a 404 with two meanings, numbered pages, no word for a session's state."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from conversations_hub import Conversation, errors
from conversations_hub._scrub.members import scrubbed
from conversations_hub.account import Account
from conversations_hub.adapter import Query, RawPage
from conversations_hub.adapters.anam import ADAPTER, get, list_page, normalize, recording, refusal
from conversations_hub.policy import Quota, quota
from conversations_hub.schema import Agent, EndReason, Recording, RecordingAccess, Status, TranscriptState
from conversations_hub.testing import Driven, drive
from conversations_hub.wire import Response, target

from ..support import exchanges

CASES = exchanges.cases("anam")
ACCOUNT = Account("anam", key="key-of-the-tests")
ID = "5c1d7a52-6a0e-4e55-9f7e-0f6a7c1b2d30"
T = datetime(2026, 10, 2, 9, tzinfo=UTC)
END = T + timedelta(seconds=60)


def at(seconds: float) -> str:
    return (T + timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def http_date(moment: datetime) -> str:
    return moment.strftime("%a, %d %b %Y %H:%M:%S GMT")


def answer(body: object, *, date: datetime | None = None) -> Response:
    return Response(200, {"date": http_date(date)} if date else {}, json.dumps(body).encode())


def sent(**members: Any) -> dict[str, Any]:
    return {"id": ID, "startTime": at(0), "createdAt": at(-1), **members}


def row(*, present: datetime | None = None, **members: Any) -> Conversation:
    return normalize(json.dumps(sent(**members)).encode(), present=present)


def got(
    transcript: object | Exception, *, date: datetime | None = END + timedelta(hours=2), **members: Any
) -> Conversation:
    second = transcript if isinstance(transcript, Exception) else answer(transcript, date=date)
    return drive(get(ACCOUNT, ID), answer(sent(**members), date=date), second).result


def listed(body: object, query: Query | None = None, cursor: str | None = None) -> Driven[RawPage]:
    return drive(list_page(ACCOUNT, query or Query(), cursor), answer(body))


def path(driven: Driven[Any]) -> str:
    return target(driven.requests[-1], "")


# where a session stands


def test_a_session_with_an_end_is_over_whatever_its_word() -> None:
    assert row(endTime=at(60)).status is Status.ENDED
    assert row(endTime=at(60), status="zz_new_word").status is Status.ENDED
    assert row(exitStatus="CLOSED_BY_ENGINE").status is Status.ENDED
    assert row(status="completed").status is Status.ENDED


@pytest.mark.parametrize(
    ("seconds", "config", "status"),
    [
        (3600, None, Status.IN_PROGRESS),
        (86_401, None, Status.UNKNOWN),
        (600, {"maxSessionLengthSeconds": 600}, Status.IN_PROGRESS),
        (601, {"maxSessionLengthSeconds": 600}, Status.UNKNOWN),
    ],
)
def test_a_session_without_an_end_runs_no_longer_than_its_persona_may(
    seconds: float, config: object, status: Status
) -> None:
    found = row(personaConfig=config, status="active", present=T + timedelta(seconds=seconds))
    assert (found.status, found.provider_status, found.ended_at) == (status, "active", None)
    assert ("status" in found.estimated) == (status is not Status.UNKNOWN)


def test_without_the_time_of_the_answer_nobody_knows_whether_it_runs() -> None:
    assert row().status is Status.UNKNOWN


def test_closed_by_the_engine_says_nothing_about_who_ended_it() -> None:
    found = row(endTime=at(60), exitStatus="CLOSED_BY_ENGINE")
    assert (found.end_reason, found.provider_end_reason) == (EndReason.UNKNOWN, "CLOSED_BY_ENGINE")
    assert row(endTime=at(60)).end_reason is None


# the two shapes


def test_both_shapes_tell_the_length_in_milliseconds() -> None:
    old, new = row(endTime=at(60), durationMs=60_000), row(endTime=at(60), sessionLengthMs=59_500)
    derived = row(endTime=at(60))
    assert (old.duration, new.duration, derived.duration) == (60.0, 59.5, 60.0)
    assert "duration" not in (*old.estimated, *new.estimated)
    assert "duration" in derived.estimated


def test_a_length_that_can_only_be_seconds_is_read_as_seconds() -> None:
    assert row(endTime=at(60), durationMs=60).duration == 60.0


def test_the_persona_s_name_is_taken_from_wherever_it_is() -> None:
    config = {"name": "Configured"}
    told: dict[str, Any] = {"personaName": "Told", "messages": []}
    assert got(told, personaName="Named", personaConfig=config).agent == Agent(name="Named")
    assert got(told, personaConfig=config).agent == Agent(name="Told")
    assert got({"messages": []}, personaConfig=config).agent == Agent(name="Configured")
    assert row(personaId=None).agent is None


def test_the_secrets_of_the_customer_s_own_model_are_removed() -> None:
    [body, _] = CASES["get.kiosk"].answers
    left = scrubbed(body.body, ADAPTER.secret_fields)
    assert json.loads(left)["personaConfig"]["llmConfig"] == "***"
    assert b"ZW5jcnlwdGVk" in body.body
    assert b"ZW5jcnlwdGVk" not in left
    assert b"llm.example.com" not in left


# the transcript

NOT_THERE = errors.NotFoundError("no transcript available", status=404)


@pytest.mark.parametrize(
    ("members", "later", "state"),
    [
        ({}, timedelta(seconds=30), TranscriptState.PENDING),
        ({"endTime": at(60)}, timedelta(minutes=5), TranscriptState.PENDING),
        ({"endTime": at(60)}, timedelta(hours=2), TranscriptState.UNAVAILABLE),
        (
            {"endTime": at(60), "personaConfig": {"zeroDataRetention": True}},
            timedelta(minutes=5),
            TranscriptState.UNAVAILABLE,
        ),
    ],
)
def test_a_404_of_the_transcript_is_not_a_404_of_the_session(
    members: dict[str, Any], later: timedelta, state: TranscriptState
) -> None:
    found = got(NOT_THERE, date=T + later, **members)
    assert (found.id, found.transcript, found.transcript_state) == (ID, None, state)
    assert found.raw == json.dumps(sent(**members)).encode()


def test_a_404_of_the_session_is_the_caller_s_to_know() -> None:
    with pytest.raises(errors.NotFoundError):
        drive(get(ACCOUNT, ID), NOT_THERE)


def test_a_plan_without_transcripts_restricts_them() -> None:
    refused = errors.ForbiddenError("not in your plan", status=403)
    assert got(refused, endTime=at(60)).transcript_state is TranscriptState.RESTRICTED


def test_an_outage_of_the_transcript_is_an_outage() -> None:
    with pytest.raises(errors.OutageError):
        got(errors.OutageError("down", status=500), endTime=at(60))


@pytest.mark.parametrize(
    ("transcript", "later", "state"),
    [
        ({"messages": []}, timedelta(hours=2), TranscriptState.AVAILABLE),
        ({"messages": []}, timedelta(minutes=5), TranscriptState.PENDING),
        ({"messages": [], "transcriptsEnabled": False}, timedelta(minutes=5), TranscriptState.UNAVAILABLE),
        ({"transcriptsEnabled": True}, timedelta(hours=2), TranscriptState.UNAVAILABLE),
    ],
)
def test_a_transcript_without_messages(transcript: object, later: timedelta, state: TranscriptState) -> None:
    found = got(transcript, date=END + later, endTime=at(60))
    assert (found.transcript, found.transcript_state) == (
        () if state is TranscriptState.AVAILABLE else None,
        state,
    )


def test_what_was_said_in_a_session_whose_end_nobody_noted_is_all_there_is() -> None:
    said = {"messages": [{"role": "user", "message": "Hello?"}]}
    long_past, unclear = got(said, date=T + timedelta(days=30)), got(said, date=None)
    assert (long_past.status, long_past.transcript_state) == (Status.UNKNOWN, TranscriptState.AVAILABLE)
    assert (unclear.status, unclear.transcript_state) == (Status.UNKNOWN, TranscriptState.PENDING)
    assert got(NOT_THERE, date=T + timedelta(days=30)).transcript_state is TranscriptState.UNAVAILABLE


def test_messages_stay_in_order_whatever_their_instants() -> None:
    said = [
        {"role": "persona", "message": "a", "timestamp": at(9), "wasInterrupted": True},
        {"role": "user", "message": "b", "timestamp": None},
        {"role": "persona", "message": "c", "timestamp": at(3), "wasInterrupted": False},
    ]
    turns = got({"messages": said}, endTime=at(60)).transcript
    assert turns is not None
    assert [(turn.text, turn.start, turn.interrupted) for turn in turns] == [
        ("a", 9.0, True),
        ("b", None, None),
        ("c", 3.0, False),
    ]


def test_tool_calls_of_unknown_members_are_kept_as_they_are() -> None:
    calls = [{"name": "open_map", "zz_new": 1}]
    assert row(toolCalls=calls).metadata == {"toolCalls": calls}


# the list


@pytest.mark.parametrize(
    ("meta", "cursor"),
    [
        ({"lastPage": 3, "currentPage": 1, "next": 2}, "2"),
        ({"lastPage": 1, "currentPage": 1, "next": None}, None),
        ({"lastPage": 1, "currentPage": 1, "next": 2}, "2"),
        ({"lastPage": 3}, "2"),
        ({"currentPage": 1}, None),
        (None, "2"),
    ],
)
def test_the_walk_goes_on_while_anything_says_that_there_is_more(meta: object, cursor: str | None) -> None:
    assert listed({"data": [sent()], "meta": meta}).result.cursor == cursor
    assert listed({"data": [], "meta": meta}).result.cursor is None


def test_a_page_has_a_hundred_rows_although_ten_are_the_default() -> None:
    assert path(listed({"data": []})) == "/v1/sessions?page=1&perPage=100"
    assert path(listed({"data": []}, Query(page_size=500), "7")) == "/v1/sessions?page=7&perPage=100"


def test_a_persona_and_the_provider_s_own_filters_narrow_the_list() -> None:
    asked = listed({"data": []}, Query(agent="p-1", options={"search": "web-42"}))
    assert path(asked) == "/v1/sessions?search=web-42&personaId=p-1&page=1&perPage=100"


def test_an_answer_without_a_list_is_no_empty_list() -> None:
    with pytest.raises(errors.PayloadError):
        listed({"meta": {}})


# recordings and limits


def test_the_url_of_a_recording_is_asked_for_when_it_is_used() -> None:
    [one] = row(endTime=at(60)).recordings
    assert (one.location, one.access) == (f"/v1/sessions/{ID}/recording", RecordingAccess.PROVIDER_KEY)
    url = "https://storage.example.com/a.mp4?X-Amz-Expires=3600"
    asked = drive(recording(ACCOUNT, one), answer({"recordingUrl": url}))
    assert (asked.result, path(asked)) == (url, f"/v1/sessions/{ID}/recording")


@pytest.mark.parametrize("body", [{}, {"recordingUrl": None}, {"recordingUrl": ""}])
def test_an_answer_without_a_url_is_no_recording(body: object) -> None:
    handle = Recording(location=f"/v1/sessions/{ID}/recording", access=RecordingAccess.PROVIDER_KEY)
    with pytest.raises(errors.NotFoundError):
        drive(recording(ACCOUNT, handle), answer(body))


def test_nothing_is_recorded_while_it_runs_or_where_nothing_is_kept() -> None:
    assert row(present=T).recordings == ()
    assert row(endTime=at(60), personaConfig={"zeroDataRetention": True}).recordings == ()


def test_the_headers_say_how_long_to_wait() -> None:
    [answered] = CASES["error.429"].answers
    assert quota(answered.headers, T) == Quota(0, 12.0)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"message": "Bad page"}', "Bad page"),
        (b'{"error": "Bad page"}', "Bad page"),
        (b"Bad page", "Bad page"),
        (b"<html>Bad page</html>", "the provider gave no reason"),
    ],
)
def test_a_refusal_of_any_shape_keeps_its_words(body: bytes, reason: str) -> None:
    error = refusal(Response(400, {}, body))
    assert (type(error), error.reason) == (errors.RejectedError, reason)
