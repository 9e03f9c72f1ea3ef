"""Synthflow's traps: two names for a status, two kinds of instants, a list for each agent, only the id is signed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from conversations_hub.account import Account
from conversations_hub.adapter import Query, RawPage, Resource, Start
from conversations_hub.adapters.synthflow import ADAPTER, events, get, list_page, normalize, refusal, start
from conversations_hub.errors import (
    InvalidRefError,
    NotFoundError,
    PaginationError,
    PayloadError,
    UnsupportedError,
    WebhookError,
)
from conversations_hub.events import Event, EventKind
from conversations_hub.schema import (
    Conversation,
    Direction,
    EndReason,
    Issue,
    Role,
    Status,
    TranscriptState,
)
from conversations_hub.testing import Driven, drive
from conversations_hub.webhooks import verify
from conversations_hub.wire import Response, target

ACCOUNT = Account("synthflow", key="key-of-the-tests")
T = datetime(2026, 10, 2, 9, tzinfo=UTC)
MS = 1790931600000
CHATS = ADAPTER.resources["chats"]
SECRET = "secret-of-the-tests"
DATE = "Fri, 02 Oct 2026 09:10:00 GMT"


def answer(body: object, status: int = 200, **headers: str) -> Response:
    return Response(status, headers, json.dumps(body).encode())


def row(present: datetime | None = None, **members: Any) -> Conversation:
    return normalize(json.dumps({"call_id": "c1", **members}).encode(), present=present)


def got(*calls: object) -> Conversation:
    return drive(get(ACCOUNT, "c1"), answer({"response": {"calls": calls}}, date=DATE)).result


def agents(*ids: str | None, total: int | None = None) -> Response:
    pagination = {"total_records": len(ids) if total is None else total}
    named = [{"model_id": id} for id in ids]
    return answer({"response": {"assistants": named, "pagination": pagination}})


def calls(*ids: str, total: int | None = None) -> Response:
    pagination = {} if total is None else {"pagination": {"total_records": total}}
    return answer({"response": {"calls": [{"call_id": id} for id in ids], **pagination}})


def page(*answers: Response, query: Query | None = None, cursor: str | None = None) -> Driven[RawPage]:
    return drive(list_page(ACCOUNT, query or Query(), cursor), *answers)


def turns_of(read: Conversation) -> list[tuple[Role, str]]:
    return [(turn.role, turn.text) for turn in read.transcript or ()]


# statuses and reasons


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("pending", Status.QUEUED),
        ("registered", Status.QUEUED),
        ("paused", Status.QUEUED),
        ("ringing", Status.RINGING),
        ("in-progress", Status.IN_PROGRESS),
        ("completed", Status.ENDED),
        ("left_voicemail", Status.ENDED),
        ("hangup_on_voicemail", Status.ENDED),
        ("no-answer", Status.NO_ANSWER),
        ("busy", Status.NO_ANSWER),
        ("failed", Status.FAILED),
        ("spam", Status.FAILED),
        ("canceled", Status.CANCELLED),
        ("user-canceled", Status.CANCELLED),
        ("teleported", Status.UNKNOWN),
    ],
)
def test_a_row_and_a_record_name_the_same_status_otherwise(word: str, status: Status) -> None:
    for read in (row(call_status=word), got({"call_id": "c1", "status": word})):
        assert (read.status, read.provider_status) == (status, word)


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"end_call_reason": "human_pick_up_cut_off"}, EndReason.CUSTOMER_ENDED),
        ({"end_call_reason": "voicemail_cut_off"}, EndReason.VOICEMAIL),
        ({"end_call_reason": "user_canceled"}, EndReason.CANCELLED),
        ({"end_call_reason": "max_duration"}, EndReason.MAX_DURATION),
        ({"end_call_reason": "undefined"}, EndReason.UNKNOWN),
        ({"error_message": "agent_goodbye"}, EndReason.AGENT_ENDED),
        ({"error_message": "no such number"}, None),
        ({"call_status": "busy", "end_call_reason": "timeout"}, EndReason.BUSY),
        ({"call_status": "no-answer"}, EndReason.NO_ANSWER),
        ({"call_status": "failed"}, EndReason.ERROR),
        ({"call_status": "left_voicemail"}, EndReason.VOICEMAIL),
        ({"call_status": "in-progress", "end_call_reason": "error"}, None),
    ],
)
def test_why_a_call_ended(members: dict[str, Any], reason: EndReason | None) -> None:
    told: dict[str, Any] = {"call_status": "completed", **members}
    assert row(**told).end_reason is reason


# instants


@pytest.mark.parametrize("started", [str(MS), MS, "2026-10-02T09:00:00+00:00", "2026-10-02T11:00:00+02:00"])
def test_the_start_is_milliseconds_as_text_or_iso_8601(started: str | int) -> None:
    read = row(call_status="completed", start_time=started, duration=32)

    assert (read.started_at, read.ended_at) == (T, T + timedelta(seconds=32))
    assert {"started_at", "ended_at"} <= {*read.estimated}


def test_the_carrier_s_instants_come_first_unless_they_are_dates_alone() -> None:
    told: dict[str, Any] = {"call_status": "completed", "start_time": str(MS), "duration": 32}
    exact = row(**told, telephony_start="2026-10-02T09:00:05Z", telephony_end="2026-10-02T09:00:37Z")
    coarse = row(**told, telephony_start="2026-10-02", telephony_end="2026-10-02")

    assert (exact.started_at, exact.ended_at) == (T + timedelta(seconds=5), T + timedelta(seconds=37))
    assert exact.metadata["start_time"] == "2026-10-02T09:00:00+00:00"
    assert not {"started_at", "ended_at"} & {*exact.estimated}
    assert (coarse.started_at, coarse.ended_at) == (T, T + timedelta(seconds=32))
    assert "start_time" not in coarse.metadata


@pytest.mark.parametrize("word", ["pending", "ringing", "no-answer", "canceled"])
def test_a_call_that_nobody_took_has_no_start_but_was_due(word: str) -> None:
    read = row(call_status=word, start_time=str(MS), duration=0)

    assert (read.started_at, read.ended_at) == (None, None)
    assert read.metadata["start_time"] == "2026-10-02T09:00:00+00:00"


def test_an_end_before_the_start_is_an_issue() -> None:
    read = row(call_status="completed", telephony_start="2026-10-02T09:00:05Z", telephony_end="2026-10-02T08:00:00Z")

    assert read.issues == (Issue("telephony_end", "before the start"),)


# who took part


@pytest.mark.parametrize(
    ("direction", "customer", "agent"),
    [("outbound", "+15550100123", "+15550100199"), ("inbound", "+15550100199", "+15550100123"), (None, None, None)],
)
def test_whose_number_is_whose_depends_on_the_direction(
    direction: str | None, customer: str | None, agent: str | None
) -> None:
    numbers: dict[str, Any] = {"phone_number_from": "+15550100199", "phone_number_to": "+15550100123"}
    read = row(type_of_call=direction, **numbers)

    assert read.direction is (Direction(direction) if direction else Direction.UNKNOWN)
    assert [one.phone for one in read.participants] == [agent, customer]
    named = row(type_of_call=direction, **numbers, lead_phone_number="+1", agent_phone_number="+2")
    assert [one.phone for one in named.participants] == ["+2", "+1"]


# transcripts


def test_a_line_without_a_speaker_belongs_to_the_one_before() -> None:
    read = row(call_status="completed", transcript="\nbot: Hello. \nAddress: Elm Street\nhuman: Yes: I know.\n\n")

    assert turns_of(read) == [(Role.ASSISTANT, "Hello. \nAddress: Elm Street"), (Role.USER, "Yes: I know.")]


def test_a_text_without_speakers_is_one_turn_and_an_issue() -> None:
    read = row(call_status="completed", transcript="Hello?")

    assert turns_of(read) == [(Role.UNKNOWN, "Hello?")]
    assert read.issues == (Issue("transcript", "names no speakers"),)


@pytest.mark.parametrize("empty", [None, "", "\n \n"])
@pytest.mark.parametrize(
    ("word", "duration", "minutes", "state"),
    [
        ("completed", 32, 10, TranscriptState.PENDING),
        ("completed", 32, 90, TranscriptState.UNAVAILABLE),
        ("completed", 0, 10, TranscriptState.UNAVAILABLE),
        ("no-answer", None, 10, TranscriptState.UNAVAILABLE),
        ("in-progress", None, 10, TranscriptState.PENDING),
        ("ringing", None, 10, TranscriptState.PENDING),
    ],
)
def test_a_missing_transcript_may_come_for_an_hour(
    empty: str | None, word: str, duration: int | None, minutes: int, state: TranscriptState
) -> None:
    told: dict[str, Any] = {"call_status": word, "duration": duration, "start_time": str(MS), "transcript": empty}
    read = row(present=T + timedelta(minutes=minutes), **told)

    assert (read.transcript, read.transcript_state) == (None, state)


# what was found out


def test_variables_are_named_by_agent_and_left_out_if_they_were_not_collected() -> None:
    variables = {
        "m1": {"a": {"value": 1, "collected": True}, "b": {"value": 2, "collected": False}, "c": 3},
        "m2": None,
    }
    read = row(collected_variables=variables, judge_results=[{"goal": "true"}])

    assert read.analysis is not None
    assert read.analysis.collected == {"judge_results": [{"goal": "true"}], "m1": {"a": 1, "c": 3}}


@pytest.mark.parametrize(("goal", "success"), [("true", True), ("False", False), ("partial", None), (True, True)])
def test_the_goal_says_whether_it_was_a_success(goal: object, success: bool | None) -> None:  # noqa: FBT001
    read = row(judge_results={"goal": goal})

    assert read.analysis is not None
    assert read.analysis.success is success
    assert ("analysis.success" in read.estimated) is (success is not None)


def test_a_recording_s_length_is_text() -> None:
    [recording] = row(recording_url="https://api.twilio.com/x", recording_duration="0:32", duration=32).recordings

    assert recording.duration == 32


# lists and get


def test_all_agents_are_walked_and_asked_for_once() -> None:
    first = page(agents("m2", None, "m1"), calls("a", "b", total=3))
    second = page(calls("c", total=3), cursor=first.result.cursor)
    third = page(calls(total=0), cursor=second.result.cursor)

    assert [request.query.get("model_id") for request in first.requests] == [None, "m1"]
    assert [first.result.cursor, second.result.cursor] == ['["m1","2",["m2"],true]', '["m2",null,[],true]']
    assert third.result.cursor is None


def test_an_account_without_agents_has_no_calls() -> None:
    assert page(agents()).result.rows == ()


def test_agents_have_pages_too() -> None:
    many = [f"m{number:03}" for number in range(100)]
    walked = page(agents(*many, total=101), agents("a", total=101), calls("x", total=2))

    assert [request.query.get("offset") for request in walked.requests] == [0, 100, 0]
    assert walked.requests[-1].query["model_id"] == "a"


def test_pages_of_agents_that_repeat_end() -> None:
    walked = page(agents("m1", total=1000), agents("m1", total=1000), calls("x", total=2))

    assert len(walked.requests) == 3


def test_the_list_of_one_agent_needs_no_others() -> None:
    of_one = Query(agent="m1", page_size=2)
    pages = [page(calls("a", "b"), query=of_one), page(calls("c"), query=of_one, cursor="2")]

    assert [one.result.cursor for one in pages] == ["2", "3"]  # without a total, only an empty page is the last
    assert page(calls(), query=of_one, cursor="3").result.cursor is None
    assert page(calls("a", "b", total=2), query=of_one).result.cursor is None
    with pytest.raises(InvalidRefError, match="cursor"):
        page(calls(), query=of_one, cursor='["m1","2"]')


def test_the_upper_bound_leaves_room_for_calls_that_end_after_it() -> None:
    [request] = page(calls(), query=Query(agent="m1", since=T, until=T + timedelta(hours=1))).requests

    assert (request.query["from_date"], request.query["to_date"]) == (MS, MS + 3_600_000 + 86_400_000)


def test_a_call_comes_in_a_list_that_may_be_empty() -> None:
    assert got(None, {"call_id": "other"}, {"call_id": "c1", "status": "ringing"}).status is Status.RINGING
    with pytest.raises(NotFoundError):
        got()
    with pytest.raises(PayloadError, match="no list of calls"):
        drive(get(ACCOUNT, "c1"), answer({"response": None}))


@pytest.mark.parametrize("region", ["us", "eu"])
def test_a_workspace_answers_in_its_own_region(region: str) -> None:
    base = f"https://api.{region}.synthflow.ai/v2"
    account = Account("synthflow", key="key-of-the-tests", base_url=base)
    request = next(get(account, "c1"))

    assert target(request, account.base_url or "") == f"{base}/calls/c1"
    assert "another region" in refusal(Response(401, {}, b"")).reason


def test_a_call_needs_a_number() -> None:
    with pytest.raises(UnsupportedError, match="number"):
        next(start(ACCOUNT, Start(agent="m1")))


# chats


def chat(*history: object, kind: Resource = CHATS, **members: Any) -> Conversation:
    assert kind.get is not None
    told = {"chat_id": "u1", "chat_status": "completed", "conversation_history": history, **members}
    return drive(kind.get(ACCOUNT, "u1"), answer({"response": told})).result


def test_a_chat_s_first_message_is_read_once() -> None:
    hello = {"agent_id": "m1", "message": "Hello!", "timestamp": "2026-10-02T09:00:00Z"}
    hi = {"agent_id": "user", "message": "Hi."}
    greeting = {"agent_message": "Hello!", "timestamp": "2026-10-02T09:00:00Z"}
    expected = [(Role.ASSISTANT, "Hello!"), (Role.USER, "Hi.")]

    assert turns_of(chat(hello, hi, initial_message=greeting)) == expected
    assert turns_of(chat(hi, initial_message=greeting)) == expected


def test_a_chat_without_a_history_is_read_from_its_text() -> None:
    assert turns_of(chat(transcript="bot: Hello!\nhuman: Hi.")) == [(Role.ASSISTANT, "Hello!"), (Role.USER, "Hi.")]
    plain = chat(transcript="Hello!")
    assert plain.issues == (Issue("response.transcript", "names no speakers"),)


def test_an_empty_chat_is_over_or_goes_on() -> None:
    assert (chat().transcript, chat().transcript_state) == ((), TranscriptState.AVAILABLE)
    assert chat(chat_status="ongoing").transcript_state is TranscriptState.PENDING
    unknown = chat(None, {"message": "?"}, chat_status="lost")
    assert (unknown.status, unknown.issues) == (Status.UNKNOWN, (Issue("response.conversation_history[0]", "null"),))


def test_pages_of_chats_end_as_the_provider_says() -> None:
    assert CHATS.list_page is not None
    one = {"chat_id": "u1"}

    def cursor(**told: Any) -> str | None:
        assert CHATS.list_page is not None
        return drive(CHATS.list_page(ACCOUNT, Query(), None), answer({"response": told})).result.cursor

    assert cursor(chats=[one], has_more=True, next_cursor="c2") == "c2"
    assert cursor(chats=[one], has_more=False, next_cursor="c2") is None
    assert cursor(chats=[], has_more=True, next_cursor="c2") is None
    with pytest.raises(PaginationError, match="not where"):
        cursor(chats=[one], has_more=True, next_cursor="")
    with pytest.raises(PayloadError, match="no list of chats"):
        cursor(has_more=False)


def test_the_id_of_a_chat_is_the_caller_s_choice() -> None:
    assert CHATS.start is not None
    with pytest.raises(UnsupportedError, match="UUID"):
        next(CHATS.start(ACCOUNT, Start(agent="m1")))
    with pytest.raises(UnsupportedError, match="nobody"):
        next(CHATS.start(ACCOUNT, Start(agent="m1", to="+1")))
    started = drive(CHATS.start(ACCOUNT, Start(options={"chat_id": "u1"})), answer({"status": "ok"})).result
    assert (started.conversation.id, started.conversation.transcript) == ("u1", None)


def test_an_answer_without_a_message_is_refused() -> None:
    assert CHATS.send is not None
    assert CHATS.delete is not None
    with pytest.raises(PayloadError, match="no message"):
        drive(CHATS.send(ACCOUNT, "u1", "Hi."), answer({"status": "ok"}))
    with pytest.raises(InvalidRefError, match="no options"):
        next(CHATS.delete(ACCOUNT, "u1", {"force": True}))


# webhooks


def delivered(body: object, signed: str = "c1", header: str = "Synthflow-Signature", **headers: str) -> Event:
    made = base64.b64encode(hmac.new(SECRET.encode(), signed.encode(), hashlib.sha256).digest()).decode()
    [event] = verify("synthflow", json.dumps(body).encode(), {header: made, **headers}, SECRET, T)
    return event


@pytest.mark.parametrize("header", ["Synthflow-Signature", "HTTP_SYNTHFLOW_SIGNATURE"])
def test_the_signature_covers_the_id_alone(header: str) -> None:
    event = delivered({"call": {"call_id": "c1", "status": "completed", "duration": 7}}, header=header)

    assert event.verified
    assert not event.protected
    assert event.signed_members == ("call.call_id",)


@pytest.mark.parametrize("body", [{"call": {"call_id": "c2"}}, {"call": {}}, {"call": None}, {"call": "c1"}, [], {}])
def test_a_changed_id_or_none_is_not_believed(body: object) -> None:
    with pytest.raises(WebhookError) as caught:
        delivered(body)
    assert caught.value.status == 401


def test_a_signature_may_be_there_under_both_names() -> None:
    made = base64.b64encode(hmac.new(SECRET.encode(), b"c1", hashlib.sha256).digest()).decode()
    assert delivered({"call": {"call_id": "c1"}}, HTTP_SYNTHFLOW_SIGNATURE=made).verified


def test_no_signature_or_another_one_under_the_other_name_is_not_believed() -> None:
    body = {"call": {"call_id": "c1"}}
    with pytest.raises(WebhookError):
        delivered(body, header="X-Other")
    with pytest.raises(WebhookError):
        delivered(body, HTTP_SYNTHFLOW_SIGNATURE="x")
    with pytest.raises(WebhookError):
        delivered(body, signed="c2", HTTP_SYNTHFLOW_SIGNATURE="x")


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        ({"status": "completed", "transcript": "bot: Hi."}, EventKind.TRANSCRIPT_READY),
        ({"status": "completed"}, EventKind.ENDED),
        ({"status": "in-progress"}, EventKind.UPDATED),
    ],
)
def test_what_a_delivery_reports(call: dict[str, Any], kind: EventKind) -> None:
    [event] = events(json.dumps({"call": {"call_id": "c1", **call}}).encode())

    assert (event.kind, event.conversation_id) == (kind, "c1")


@pytest.mark.parametrize("verdict", ["true", "PARTIAL", "not_applicable", 7])
def test_a_verdict_on_the_summary_is_no_summary(verdict: object) -> None:
    [event] = events(json.dumps({"call": {"call_id": "c1"}, "analysis": {"call_summary": verdict}}).encode())

    assert event.conversation is not None
    assert event.conversation.summary is None


@pytest.mark.parametrize("body", [b"{}", b'{"call": null}', b'{"call": {"call_id": ""}}', b'{"call": [1]}'])
def test_a_question_how_to_answer_is_about_no_call(body: bytes) -> None:
    [event] = events(body)

    assert (event.kind, event.id, event.conversation) == (EventKind.OTHER, None, None)
