"""Bland's traps: minutes and seconds, three words for one status, rows in no order, refusals in several shapes."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from conversations_hub._scrub import without_secrets
from conversations_hub.account import Account
from conversations_hub.adapter import Query, RawPage, Start
from conversations_hub.adapters.bland import (
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
from conversations_hub.adapters.bland._texts import delete as delete_text
from conversations_hub.adapters.bland._texts import get as get_text
from conversations_hub.adapters.bland._texts import list_page as list_texts
from conversations_hub.adapters.bland._texts import normalize as normalize_text
from conversations_hub.errors import (
    AuthError,
    ConfigurationError,
    ForbiddenError,
    HubError,
    InvalidRefError,
    NotFoundError,
    OutageError,
    PaginationError,
    PayloadError,
    ProviderError,
    RateLimitError,
    RejectedError,
    WebhookError,
)
from conversations_hub.events import Event, EventKind
from conversations_hub.schema import (
    Agent,
    Channel,
    Conversation,
    Cost,
    Direction,
    EndReason,
    Participant,
    ParticipantKind,
    Recording,
    RecordingAccess,
    Role,
    Status,
    TranscriptState,
    TranscriptTurn,
    Visibility,
)
from conversations_hub.testing import Driven, drive, mutants
from conversations_hub.webhooks import verify
from conversations_hub.wire import Response, target

from ..support import exchanges
from ..support.clock import NOW
from ..support.iterators import collected
from ..support.simulated import simulated

CASES = exchanges.cases("bland")
ACCOUNT = Account("bland", key="org_test-0123456789")
CORRECTING = Account("bland", key="org_test-0123456789", settings={"transcript": "corrected"})
SECRET = "bland-webhook-secret-of-the-tests"


def answer(body: Any, status: int = 200) -> Response:
    return Response(status, {}, json.dumps(body).encode())


def row(**members: Any) -> Conversation:
    return normalize(json.dumps({"call_id": "c1", **members}).encode())


def whole(**members: Any) -> Conversation:
    return drive(get(ACCOUNT, "c1"), answer({"call_id": "c1", **members})).result


def listed(body: Any, query: Query | None = None, cursor: str | None = None) -> Driven[RawPage]:
    return drive(list_page(ACCOUNT, query or Query(), cursor), answer(body))


def calls(count: int) -> list[dict[str, Any]]:
    return [{"call_id": f"c{number}"} for number in range(count)]


def turns_of(conversation: Conversation) -> tuple[TranscriptTurn, ...]:
    assert conversation.transcript is not None
    return conversation.transcript


def event_of(body: Any) -> Event:
    [event] = events(json.dumps(body).encode())
    return event


def signed(body: bytes, secret: str = SECRET) -> dict[str, str]:
    return {"X-Webhook-Signature": hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


# three words for one status


@pytest.mark.parametrize(
    ("members", "status"),
    [
        ({"status": "completed"}, Status.ENDED),
        ({"status": "failed"}, Status.FAILED),
        ({"status": "busy"}, Status.FAILED),
        ({"status": "no-answer"}, Status.NO_ANSWER),
        ({"status": "canceled"}, Status.CANCELLED),
        ({"status": "in-progress"}, Status.IN_PROGRESS),
        ({"status": "queued"}, Status.QUEUED),
        ({"status": "zz_unheard_of", "completed": True, "queue_status": "complete"}, Status.ENDED),
        # `status` is believed first, whatever the others say.
        ({"status": "failed", "completed": True, "queue_status": "complete"}, Status.FAILED),
        ({"status": "completed", "completed": False, "queue_status": "call_error"}, Status.ENDED),
        # It may know nothing.
        ({"status": "unknown", "completed": True}, Status.ENDED),
        ({"status": "unknown", "completed": False}, Status.IN_PROGRESS),
        ({"status": "unknown", "completed": False, "queue_status": "queued"}, Status.QUEUED),
        ({"status": "unknown"}, Status.UNKNOWN),
        # Rows of a list have none.
        ({"queue_status": "new"}, Status.QUEUED),
        ({"queue_status": "queued"}, Status.QUEUED),
        ({"queue_status": "allocated"}, Status.QUEUED),
        ({"queue_status": "started"}, Status.IN_PROGRESS),
        ({"queue_status": "complete"}, Status.ENDED),
        ({"queue_status": "completed"}, Status.ENDED),
        ({"queue_status": "pre_queue_error"}, Status.FAILED),
        ({"queue_status": "queue_error"}, Status.FAILED),
        ({"queue_status": "call_error"}, Status.FAILED),
        ({"queue_status": "complete_error"}, Status.ENDED),
        ({"queue_status": "zz_unheard_of"}, Status.UNKNOWN),
        ({"queue_status": "zz_unheard_of", "completed": False}, Status.UNKNOWN),
        # `completed` is newer than `queue_status`, but knows no failure.
        ({"queue_status": "started", "completed": True}, Status.ENDED),
        ({"queue_status": "complete", "completed": False}, Status.IN_PROGRESS),
        ({"queue_status": "call_error", "completed": True}, Status.FAILED),
        ({"queue_status": "complete", "completed": True, "answered_by": "no-answer"}, Status.NO_ANSWER),
        ({}, Status.UNKNOWN),
    ],
    ids=str,
)
def test_statuses(members: dict[str, Any], status: Status) -> None:
    conversation = row(**members)

    assert conversation.status is status
    assert conversation.provider_status == (members.get("status") or members.get("queue_status"))


@pytest.mark.parametrize(
    ("members", "reason", "words"),
    [
        ({"status": "completed", "call_ended_by": "USER"}, EndReason.CUSTOMER_ENDED, "USER"),
        ({"status": "completed", "call_ended_by": "ASSISTANT"}, EndReason.AGENT_ENDED, "ASSISTANT"),
        ({"status": "completed", "call_ended_by": "zz_unheard_of"}, EndReason.UNKNOWN, "zz_unheard_of"),
        ({"status": "completed"}, None, None),
        ({"status": "in-progress", "call_ended_by": "USER"}, None, None),
        (
            {"status": "completed", "answered_by": "voicemail", "call_ended_by": "USER"},
            EndReason.VOICEMAIL,
            "voicemail",
        ),
        (
            {"status": "completed", "transferred_to": "+15550100191", "call_ended_by": "USER"},
            EndReason.TRANSFERRED,
            "USER",
        ),
        ({"status": "failed"}, EndReason.ERROR, "failed"),
        ({"status": "failed", "error_message": "Call failed."}, EndReason.ERROR, "Call failed."),
        ({"status": "busy"}, EndReason.BUSY, "busy"),
        ({"status": "no-answer"}, EndReason.NO_ANSWER, "no-answer"),
        ({"status": "canceled"}, EndReason.CANCELLED, "canceled"),
        ({"queue_status": "queue_error"}, EndReason.ERROR, "queue_error"),
        ({"queue_status": "complete", "answered_by": "no-answer"}, EndReason.NO_ANSWER, "no-answer"),
    ],
    ids=str,
)
def test_end_reasons(members: dict[str, Any], reason: EndReason | None, words: str | None) -> None:
    conversation = row(**members)

    assert (conversation.end_reason, conversation.provider_end_reason) == (reason, words)


def test_a_call_that_went_well_may_have_an_error_message() -> None:
    conversation = row(
        status="completed", call_ended_by="USER", error_message="Account not allowed to call +15550100199"
    )

    assert conversation.status is Status.ENDED
    assert conversation.end_reason is EndReason.CUSTOMER_ENDED
    assert conversation.metadata["error_message"] == "Account not allowed to call +15550100199"
    assert conversation.issues == ()


# minutes, seconds as text, dollars


def test_corrected_duration_is_text_in_seconds_and_call_length_in_minutes() -> None:
    assert row(corrected_duration="85", call_length=1.4).duration == 85
    assert row(call_length=1.4167).duration == 85.002
    assert row(call_length=0.183333333333333).duration == 11
    assert row(corrected_duration=None, call_length=0).duration == 0
    assert row().duration is None


@pytest.mark.parametrize("value", ["soon", "-3", "", "nan", -1])
def test_an_unreadable_duration_is_noted_and_the_other_one_read(value: Any) -> None:
    conversation = row(corrected_duration=value, call_length=0.5)

    assert conversation.duration == 30
    assert [issue.place for issue in conversation.issues] == ["corrected_duration"]


@pytest.mark.parametrize(
    ("price", "amount"),
    [("0.170", "0.170"), ("12", "12"), ("1e-3", "0.001"), ('"0.0290"', "0.0290"), ("0.1000000000000000055", None)],
)
def test_a_price_keeps_every_digit(price: str, amount: str | None) -> None:
    cost = normalize(b'{"call_id": "c1", "price": %s}' % price.encode()).cost

    assert cost is not None
    assert cost.unit == "USD"
    assert str(cost.amount) == str(Decimal(amount or price))


@pytest.mark.parametrize("price", ['"free"', "[]", "{}", "true", '"nan"'])
def test_a_price_that_is_no_number_is_noted(price: str) -> None:
    conversation = normalize(b'{"call_id": "c1", "price": %s}' % price.encode())

    assert conversation.cost is None
    assert [issue.place for issue in conversation.issues] == ["price"]


def test_no_price_is_not_a_price_of_nothing() -> None:
    assert row().cost is row(price=None).cost is row(price="").cost is None
    assert row(price=0).cost == Cost(amount=Decimal(0), unit="USD")


# when it was


def test_without_a_start_it_began_when_it_was_asked_for() -> None:
    asked_for = {"created_at": "2026-11-03T14:02:11.551+00:00", "corrected_duration": "85"}
    held = whole(status="completed", **asked_for)
    unheld = (whole(status="no-answer", **asked_for), row(completed=True, **asked_for))

    assert held.started_at == held.created_at == datetime(2026, 11, 3, 14, 2, 11, 551000, tzinfo=UTC)
    assert held.estimated == ("started_at", "ended_at")
    assert {(one.started_at, one.ended_at, one.estimated) for one in unheld} == {(None, None, ())}


@pytest.mark.parametrize(
    ("status", "duration", "end_at", "ended_at", "is_counted"),
    [
        ("completed", "85", "14:03:44.000Z", "14:03:44", False),
        ("completed", "85", "14:03:43.000Z", "14:03:43", False),  # a second is cut off
        ("completed", "85", "14:04:20Z", "14:04:20", False),  # `started_at` was when it began to ring
        ("completed", "85", "14:32:19Z", "14:03:44", True),  # when half an hour would have been over
        ("completed", "85", "14:02:30Z", "14:03:44", True),  # before its own length is over
        ("completed", "85", None, "14:03:44", True),
        ("completed", None, "14:03:44Z", "14:03:44", False),
        ("completed", None, None, None, False),
        ("failed", "10", "14:32:19Z", "14:02:29", True),
        ("failed", None, "14:32:19Z", None, False),
        ("in-progress", "85", "14:32:19Z", None, False),
        ("zz_unheard_of", "85", "14:32:19Z", None, False),
    ],
)
def test_end_at_is_the_end_or_when_the_longest_call_would_be_cut_off(
    status: str,
    duration: str | None,
    end_at: str | None,
    ended_at: str | None,
    is_counted: bool,  # noqa: FBT001
) -> None:
    conversation = row(
        status=status,
        started_at="2026-11-03T14:02:19Z",
        corrected_duration=duration,
        end_at=end_at and f"2026-11-03T{end_at}",
    )

    assert conversation.ended_at == (ended_at and datetime.fromisoformat(f"2026-11-03T{ended_at}Z"))
    assert ("ended_at" in conversation.estimated) is is_counted


def test_an_end_before_the_start_is_none() -> None:
    conversation = row(status="completed", started_at="2026-11-03T14:02:19Z", end_at="2026-11-03T14:00:00Z")

    assert conversation.ended_at is None
    assert [issue.place for issue in conversation.issues] == ["end_at"]


@pytest.mark.parametrize(
    "stamp", ["2026-11-03T14:02:11.168+00:00", "2026-11-03T14:02:11.168Z", "2026-11-03T16:02:11.168000+02:00"]
)
def test_instants_come_with_several_endings_and_precisions(stamp: str) -> None:
    conversation = row(created_at=stamp, transcripts=[{"user": "user", "text": "Hi", "created_at": stamp}])

    assert conversation.created_at == datetime(2026, 11, 3, 14, 2, 11, 168000, tzinfo=UTC)
    assert turns_of(conversation)[0].started_at == conversation.created_at


# who took part


def test_whose_number_is_whose_depends_on_who_called() -> None:
    numbers = {"from": "+15550100001", "to": "+15550100123"}
    outbound, inbound, untold = row(inbound=False, **numbers), row(inbound=True, **numbers), row(**numbers)

    assert [one.phone for one in outbound.participants] == ["+15550100001", "+15550100123"]
    assert [one.phone for one in inbound.participants] == ["+15550100123", "+15550100001"]
    assert (outbound.direction, inbound.direction) == (Direction.OUTBOUND, Direction.INBOUND)
    assert [one.phone for one in untold.participants] == [None, None]
    assert untold.direction is Direction.UNKNOWN
    assert untold.metadata == numbers
    assert {one.channel for one in (outbound, inbound, untold)} == {Channel.PHONE}


def test_the_agent_is_a_pathway_or_else_a_persona_or_else_nobody() -> None:
    assert row(pathway_id="p1", pathway_version=4, persona_id="q1").agent == Agent(id="p1", version="4")
    assert row(persona_id="q1").agent == Agent(id="q1")
    assert row(task="Sell it").agent is None


def test_a_call_to_a_number_without_its_plus_stays_as_it_was_sent() -> None:
    assert row(inbound=False, to=5551230100).participants[1].phone == "5551230100"


def test_those_to_whom_a_call_was_transferred_took_part_and_their_calls_are_named() -> None:
    conversation = drive(get(ACCOUNT, "x"), CASES["get.transferred"].answers[0]).result

    assert conversation.end_reason is EndReason.TRANSFERRED
    assert [(one.kind, one.phone) for one in conversation.participants[2:]] == [
        (ParticipantKind.HUMAN_AGENT, "+15550100191")  # named twice; whoever did not answer took no part
    ]
    assert conversation.related_ids == {
        "proxy_agent_call_1": "1f8a3c2d-75e9-4b32-bb19-73a672e9e22a",
        "proxy_agent_call_2": "1f8a3c2d-75e9-4b32-bb19-73a672e9e22b",
    }
    assert conversation.metadata["warm_transfer_call"]["state"] == "MERGED"
    assert conversation.metadata["pre_transfer_duration"] == 0.3955


@pytest.mark.parametrize("state", ["STARTED", "TIMED_OUT", "CANCELLED", "NO_ANSWER"])
def test_a_transfer_that_did_not_come_off_is_none(state: str) -> None:
    legs = [{"state": state, "call_id": "leg", "phone_number": "+15550100191"}, None]
    conversation = row(
        status="completed", call_ended_by="USER", warm_transfer_call={"state": state, "proxy_agent_calls": legs}
    )

    assert conversation.end_reason is EndReason.CUSTOMER_ENDED
    assert len(conversation.participants) == 2
    assert conversation.related_ids == {"proxy_agent_call_1": "leg"}


def test_the_call_to_the_human_who_takes_over_has_no_customer() -> None:
    conversation = drive(get(ACCOUNT, "x"), CASES["get.proxy_agent"].answers[0]).result

    assert [one.kind for one in conversation.participants] == [ParticipantKind.AI_AGENT, ParticipantKind.HUMAN_AGENT]
    assert conversation.metadata["is_proxy_agent_call"] is True


# the transcript


def test_rows_come_in_no_order_and_are_put_in_theirs() -> None:
    conversation = drive(get(ACCOUNT, "x"), CASES["get.sorted"].answers[0]).result
    turns = turns_of(conversation)

    assert [turn.provider_id for turn in turns] == ["90112", "90113", "90114", "90115", "90139", "90140"]
    assert [turn.index for turn in turns] == [0, 1, 2, 3, 4, 5]
    assert [turn.start for turn in turns] == [2.116, 3.027, 8.496, 8.496, 81.246, 84.296]
    assert turns[2].timestamp == turns[3].timestamp  # these two by their ids
    assert conversation.estimated == ("transcript.start",)


def test_rows_of_which_one_has_no_instant_stay_as_they_came() -> None:
    rows = [
        {"user": "user", "text": "b", "created_at": "2026-11-03T14:02:21Z"},
        None,
        {"user": "assistant", "text": "c", "created_at": "half past"},
        {"user": "user", "text": "a", "created_at": "2026-11-03T14:02:20+00:00"},
        {"user": "user", "text": "d", "created_at": "2026-13-45T99:00:00+00:00"},
    ]
    conversation = whole(started_at="2026-11-03T14:02:20.500Z", transcripts=rows)

    assert [(turn.text, turn.start) for turn in turns_of(conversation)] == [
        ("b", 0.5),
        ("c", None),
        ("a", None),  # before the start
        ("d", None),
    ]
    assert [issue.place for issue in conversation.issues] == [
        "transcripts[1]",
        "transcripts[2].created_at",
        "transcripts[4].created_at",
    ]


def test_what_the_agent_does_is_no_turn_of_the_user_and_not_in_the_text() -> None:
    conversation = drive(get(ACCOUNT, "x"), CASES["get.sorted"].answers[0]).result
    actions = [turn for turn in turns_of(conversation) if turn.role is Role.SYSTEM]

    assert [turn.text for turn in actions] == ["Calling tool: find_window", "Ended call"]
    assert {turn.visibility for turn in actions} == {Visibility.INTERNAL}
    assert [turn.text for turn in conversation.user_turns] == ["Hello? ", "Yes, that works. "]
    assert "Ended call" not in conversation.text
    assert "Calling tool" not in str(conversation)


def test_a_robot_speaks_for_the_agent() -> None:
    conversation = drive(get(ACCOUNT, "x"), CASES["get.voicemail"].answers[0]).result

    assert [turn.text for turn in conversation.agent_turns] == ["Rowan Freight called about your parcel."]
    assert conversation.end_reason is EndReason.VOICEMAIL


def test_an_unknown_speaker_is_nobody_but_the_word_is_kept() -> None:
    conversation = row(transcripts=[{"user": "supervisor", "text": "I take over."}, {"text": "Who am I?"}])
    first, second = turns_of(conversation)

    assert first.role is second.role is Role.UNKNOWN
    assert conversation.participants[first.participant or 0] == Participant(name="supervisor")
    assert second.participant is None


@pytest.mark.parametrize(
    ("members", "state"),
    [
        ({"status": "queued"}, TranscriptState.PENDING),
        ({"status": "in-progress"}, TranscriptState.PENDING),
        ({"status": "no-answer"}, TranscriptState.UNAVAILABLE),
        ({"status": "busy"}, TranscriptState.UNAVAILABLE),
        ({"status": "failed"}, TranscriptState.UNAVAILABLE),
        ({"status": "canceled"}, TranscriptState.UNAVAILABLE),
        ({"status": "completed"}, TranscriptState.PENDING),
        ({"status": "completed", "price": None, "corrected_duration": None}, TranscriptState.PENDING),
        ({"status": "completed", "price": 0.02}, TranscriptState.UNAVAILABLE),
        ({"status": "completed", "corrected_duration": "4"}, TranscriptState.UNAVAILABLE),
        ({"status": "zz_unheard_of", "price": 0.02}, TranscriptState.PENDING),
    ],
    ids=str,
)
@pytest.mark.parametrize("transcripts", [{}, {"transcripts": None}, {"transcripts": []}], ids=str)
def test_a_call_without_a_word(members: dict[str, Any], state: TranscriptState, transcripts: dict[str, Any]) -> None:
    conversation = whole(**members, **transcripts)

    assert conversation.transcript is None
    assert conversation.transcript_state is state
    assert row(**members, **transcripts).transcript_state is TranscriptState.NOT_LOADED


def test_what_was_said_so_far_is_not_all() -> None:
    conversation = drive(get(ACCOUNT, "x"), CASES["get.live"].answers[0]).result

    assert len(turns_of(conversation)) == 1
    assert conversation.transcript_state is TranscriptState.PENDING
    assert conversation.ended_at is None


@pytest.mark.parametrize("logs", [None, "excluded", [{"role": "user", "decision": "{}"}], {"odd": 1}])
def test_pathway_logs_are_kept_in_whatever_form_they_come(logs: Any) -> None:
    assert row(pathway_logs=logs).metadata.get("pathway_logs") == logs


def test_what_the_customer_attached_stands_under_a_name_of_its_own() -> None:
    conversation = row(metadata={"variables": "mine"}, variables={"city": "Graz", "language": 7}, request_data="odd")

    assert conversation.metadata == {
        "custom": {"variables": "mine"},
        "variables": {"city": "Graz", "language": 7},
        "request_data": "odd",
    }
    assert conversation.language is None
    assert row(variables={"language": "English"}).language == "English"


def test_everything_found_out_afterwards_is_collected() -> None:
    members = {
        "analysis": {"window": "9 to 11"},
        "citations": [{"variable_name": "name", "value": "Mira"}, {"value": "lost"}, None],
        "dispositions": [{"tag": "BOOKED"}],
        "disposition_tag": "BOOKED",
    }
    analysis = row(**members).analysis

    assert analysis is not None
    assert analysis.collected == {
        "window": "9 to 11",
        "name": "Mira",
        "dispositions": [{"tag": "BOOKED"}],
        "disposition_tag": "BOOKED",
    }
    assert row(analysis=None, citations=[], disposition_tag="").analysis is None
    assert row(analysis="good", citations={"name": "Mira"}).analysis == msgspec.structs.replace(
        analysis, collected={"analysis": "good", "name": "Mira"}
    )


def test_a_recording_at_twilio_is_read_at_bland() -> None:
    conversation = row(
        recording_url="https://api.twilio.com/2010-04-01/Accounts/ACexample/Recordings/REexample",
        recording_expiration="2026-12-03T15:00:20Z",
    )

    assert conversation.recordings == (
        Recording(
            location="/v1/recordings/c1",
            access=RecordingAccess.PROVIDER_KEY,
            expires_at=datetime(2026, 12, 3, 15, 0, 20, tzinfo=UTC),
        ),
    )
    assert b"twilio" not in msgspec.json.encode(msgspec.structs.replace(conversation, raw=None))
    assert row(record=True, recording_url=None).recordings == ()


def test_a_key_that_a_request_carried_is_neither_in_the_metadata_nor_in_raw() -> None:
    read = drive(get(ACCOUNT, "x"), CASES["get.transferred"].answers[0]).result
    conversation = without_secrets(read, ADAPTER.secret_fields)

    assert conversation.raw is not None
    shown = msgspec.json.encode(msgspec.structs.replace(conversation, raw=None)) + conversation.raw
    assert b"invented" not in shown
    assert conversation.metadata["request_data"]["encrypted_key"] == "***"


@pytest.mark.parametrize("id", [None, ""])
def test_a_call_without_an_id_is_refused(id: str | None) -> None:
    with pytest.raises(PayloadError, match="no id"):
        normalize(json.dumps({"call_id": id, "status": "completed"}).encode())


def test_the_older_name_of_the_id_is_read_too() -> None:
    assert normalize(b'{"c_id": "c9"}').id == "c9"


# the transcript made anew from the recording

RECORDED = CASES["get.recorded"].answers[0]
CORRECTION = {
    "status": "success",
    "message": "Done",
    "corrected": [
        {"start": 0.384, "end": 1.9, "text": " Rowan Freight?", "speaker": 2, "speaker_label": "assistant"},
        None,
        {"start": 2.1, "end": 3.25, "text": "Wrong number.", "speaker": 1, "speaker_label": "user", "confidence": 0.65},
        {"start": 5.0, "end": 4.0, "text": "Mine.", "speaker": 3, "speaker_label": "neighbour"},
    ],
    "aligned": [{"start": 0.384, "text": " Rowan Freight?", "speaker": "assistant", "similarity": 0.9}],
    "original": [{"id": 2, "created_at": "2026-11-03T15:00:08Z", "text": "Wrong number sorry", "user": "user"}],
}


def test_a_corrected_transcript_is_asked_for_where_the_account_wants_it() -> None:
    done = drive(get(CORRECTING, "c 2"), RECORDED, answer(CORRECTION))
    conversation = done.result

    assert [target(request, "") for request in done.requests] == ["/v1/calls/c%202", "/v1/calls/c%202/correct"]
    assert [(turn.index, turn.text, turn.start, turn.duration, turn.confidence) for turn in turns_of(conversation)] == [
        (0, " Rowan Freight?", 0.384, 1.516, None),
        (1, "Wrong number.", 2.1, 1.15, 0.65),
        (2, "Mine.", 5.0, None, None),
    ]
    assert [turn.role for turn in turns_of(conversation)] == [Role.ASSISTANT, Role.USER, Role.UNKNOWN]
    assert conversation.participants[2] == Participant(name="neighbour")
    assert "transcript.start" not in conversation.estimated
    assert [issue.place for issue in conversation.issues] == ["corrected.corrected[1]"]


def test_corrected_segments_are_never_laid_upon_the_rows_of_the_call() -> None:
    conversation = drive(get(CORRECTING, "c2"), RECORDED, answer(CORRECTION)).result

    assert {turn.timestamp for turn in turns_of(conversation)} == {None}
    assert [entry["text"] for entry in conversation.metadata["live_transcript"]] == [
        "Rowan Freight, hello?",
        "Wrong number sorry",
        "Ended call",
    ]


def test_both_bodies_are_raw() -> None:
    conversation = drive(get(CORRECTING, "c2"), RECORDED, answer(CORRECTION)).result

    assert conversation.raw is not None
    assert json.loads(conversation.raw) == {"call": json.loads(RECORDED.body), "corrected": CORRECTION}


@pytest.mark.parametrize(
    "correction", [{"status": "success", "corrected": []}, {"status": "error", "message": "Too short."}]
)
def test_without_segments_the_rows_of_the_call_stand(correction: dict[str, Any]) -> None:
    conversation = drive(get(CORRECTING, "c2"), RECORDED, answer(correction)).result

    assert [turn.text for turn in conversation.user_turns] == ["Wrong number sorry"]
    assert "live_transcript" not in conversation.metadata


@pytest.mark.parametrize("error", [NotFoundError("Nothing.", status=404), RejectedError("Too short.", status=400)])
def test_a_call_too_short_to_be_transcribed_again_has_the_rows_of_the_call(error: HubError) -> None:
    conversation = drive(get(CORRECTING, "c2"), RECORDED, error).result

    assert [turn.text for turn in conversation.user_turns] == ["Wrong number sorry"]
    assert conversation.raw == RECORDED.body


def test_an_outage_while_it_is_transcribed_is_no_transcript_of_another_kind() -> None:
    with pytest.raises(OutageError):
        drive(get(CORRECTING, "c2"), RECORDED, OutageError("Down.", status=503))


@pytest.mark.parametrize("account", [ACCOUNT, Account("bland", key="k", settings={"transcript": "live"})], ids=str)
def test_nobody_else_waits_for_it(account: Account) -> None:
    assert len(drive(get(account, "c2"), RECORDED).requests) == 1


def test_what_was_not_recorded_is_not_transcribed_again() -> None:
    assert len(drive(get(CORRECTING, "c2"), CASES["get.sorted"].answers[0]).requests) == 1


def test_every_mutant_of_a_correction_is_a_conversation_or_a_payload_error() -> None:
    structural = {"as text", "as a list", "as an object", "emptied"}
    tried = 0
    for mutant in mutants(json.dumps(CORRECTION).encode()):
        tried += 1
        try:
            conversation = drive(get(CORRECTING, "c2"), RECORDED, Response(200, {}, mutant.body)).result
        except PayloadError:
            assert mutant.change in structural, mutant
        else:
            assert [turn.index for turn in turns_of(conversation)] == list(range(len(turns_of(conversation))))
    assert tried > 50


# how to ask: the list


def test_a_walk_by_index_oldest_first() -> None:
    first, second, third = CASES["list"].answers
    begun = drive(list_page(ACCOUNT, Query(page_size=2), None), first)
    gone_on = drive(list_page(ACCOUNT, Query(page_size=2), begun.result.cursor), second)
    ended = drive(list_page(ACCOUNT, Query(page_size=2), gone_on.result.cursor), third)

    assert begun.requests[0].query == {"ascending": True, "sort_by": "created_at", "from": 0, "limit": 2}
    assert gone_on.requests[0].query == {"ascending": True, "sort_by": "created_at", "from": 2, "limit": 2}
    assert (begun.result.cursor, gone_on.result.cursor, ended.result.cursor) == ("2", "4", None)
    assert [len(page.result.rows) for page in (begun, gone_on, ended)] == [2, 2, 1]


def test_calls_made_during_a_walk_are_added_to_its_end() -> None:
    assert listed({"calls": calls(2), "total_count": 2}, Query(page_size=2)).result.cursor is None
    assert listed({"calls": calls(2), "total_count": 3}, Query(page_size=2)).result.cursor == "2"
    last = listed({"calls": calls(1), "total_count": 3}, Query(), "2").result
    assert (last.cursor, last.warning) == (None, None)


def test_without_a_total_a_page_that_is_not_full_is_the_last() -> None:
    query = Query(page_size=2)

    assert listed({"calls": calls(2), "count": 2}, query).result.cursor == "2"
    assert listed({"calls": calls(1), "count": 1}, query).result.cursor is None
    assert listed({"calls": []}, query).result.cursor is None


def test_a_short_page_is_not_the_end_while_the_total_says_more() -> None:
    assert listed({"calls": calls(1), "total_count": 3}, Query(page_size=2)).result.cursor == "1"


def test_an_empty_page_ends_a_walk_and_says_so_where_more_was_promised() -> None:
    early = listed({"calls": [], "total_count": 9}, Query(), "4").result
    due = listed({"calls": [], "total_count": 4}, Query(), "4").result

    assert (early.cursor, due.cursor) == (None, None)
    assert early.warning == "possibly truncated: the list ended after 4 of 9 calls"
    assert due.warning is None


@pytest.mark.parametrize(("asked", "limit"), [(None, 1000), (10, 10), (1000, 1000), (5000, 1000)])
def test_a_thousand_is_the_largest_page(asked: int | None, limit: int) -> None:
    (request,) = listed({"calls": []}, Query(page_size=asked)).requests

    assert request.query["limit"] == limit


def test_filters_in_the_words_of_the_provider() -> None:
    query = Query(
        since=datetime(2026, 11, 1, tzinfo=UTC),
        until=datetime(2026, 11, 2, 2, tzinfo=UTC),
        status=Status.ENDED,
        options={"from_number": "+15550100001", "to_number": "+15550100123", "duration_gt": 0.5, "inbound": False},
    )
    (request,) = listed({"calls": []}, query).requests

    assert target(request, "") == (
        "/v1/calls?ascending=true&sort_by=created_at&from_number=%2B15550100001&to_number=%2B15550100123"
        "&duration_gt=0.5&inbound=false&start_date=2026-11-01T00%3A00%3A00%2B00%3A00"
        "&end_date=2026-11-02T02%3A00%3A00%2B00%3A00&completed=true&from=0&limit=1000"
    )


def test_options_may_turn_the_order_round_but_not_the_paging() -> None:
    (request,) = listed({"calls": []}, Query(options={"ascending": False, "from": 7, "limit": 3})).requests

    assert request.query == {"ascending": False, "sort_by": "created_at", "from": 0, "limit": 1000}


@pytest.mark.parametrize(
    ("status", "completed"),
    [
        (Status.ENDED, True),
        (Status.QUEUED, False),
        (Status.RINGING, False),
        (Status.IN_PROGRESS, False),
        (Status.FAILED, None),
        (Status.NO_ANSWER, None),
        (Status.CANCELLED, None),
    ],
)
def test_a_list_tells_only_what_is_over_and_warns_where_that_is_not_enough(
    status: Status,
    completed: bool | None,  # noqa: FBT001
) -> None:
    done = listed({"calls": []}, Query(status=status))

    assert done.requests[0].query.get("completed") == completed
    assert (done.result.warning is not None) is (completed is None)


@pytest.mark.parametrize("body", [{}, {"calls": None}, {"count": 3}, []])
def test_no_list_is_not_an_empty_list(body: Any) -> None:
    with pytest.raises(PayloadError):
        listed(body)


@pytest.mark.parametrize("cursor", ["a", "a:b", "-2", "2:", "2:0", "2:10:3", "٢", "2:99999", "\ud800", "1" * 20])
def test_a_cursor_of_another_make_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidRefError, match="invalid Bland cursor: expected an index"):
        drive(list_page(ACCOUNT, Query(), cursor))
    with pytest.raises(InvalidRefError, match="invalid Bland cursor: expected the number of a page"):
        drive(list_texts(ACCOUNT, Query(), cursor))


def test_a_cursor_with_a_page_size_is_still_read_and_the_size_is_not() -> None:
    (calls_of,) = listed({"calls": []}, Query(page_size=7), "20:10").requests
    (texts_of,) = texts_listed(texts_page([]), Query(page_size=7), "3:10").requests

    assert (calls_of.query["from"], calls_of.query["limit"]) == (20, 7)
    assert (texts_of.query["page"], texts_of.query["pageSize"]) == (3, 7)


def test_rows_hold_no_transcript() -> None:
    assert ADAPTER.complete_lists is False
    assert {row().transcript_state, row(status="completed").transcript_state} == {TranscriptState.NOT_LOADED}


# how to ask: the rest


def test_the_key_stands_bare_and_twilios_has_a_header_of_its_own() -> None:
    (request,) = listed({"calls": []}).requests
    both = Account("bland", key="org_test-0123456789", settings={"encrypted_key": "twilio-0123456789"})

    assert ADAPTER.sign(request, ACCOUNT, NOW).headers == {"authorization": "org_test-0123456789"}
    assert ADAPTER.sign(request, both, NOW).headers == {
        "authorization": "org_test-0123456789",
        "encrypted_key": "twilio-0123456789",
    }


def test_a_call_is_started_to_a_number() -> None:
    wanted = Start(agent="p1", to="+15550100123", options={"metadata": {"order": "A-91"}})
    done = drive(start(ACCOUNT, wanted), CASES["start"].answers[0])
    (request,) = done.requests

    assert json.loads(request.body or b"") == {
        "phone_number": "+15550100123",
        "pathway_id": "p1",
        "metadata": {"order": "A-91"},
    }
    assert not request.is_safe
    assert done.result.conversation.status is Status.QUEUED
    assert done.result.conversation.id == "9d404c1b-6a23-4426-953a-a52c392ff8f1"
    assert (done.result.join_url, done.result.token) == (None, None)


def test_a_task_or_a_number_may_stand_among_the_options() -> None:
    wanted = Start(options={"phone_number": "+15550100123", "task": "Say hello."})
    (request,) = drive(start(ACCOUNT, wanted), CASES["start"].answers[0]).requests

    assert json.loads(request.body or b"") == {"phone_number": "+15550100123", "task": "Say hello."}


def test_nobody_to_call_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(InvalidRefError, match="`to` is required"):
        drive(start(ACCOUNT, Start(agent="p1")))


@pytest.mark.parametrize("more", [{}, {"call_id": None}, {"call_id": "c1"}])
def test_an_error_under_http_200_is_no_call(more: dict[str, Any]) -> None:
    reply = answer({"status": "error", "message": "Insufficient balance.", **more})

    with pytest.raises(RejectedError, match="Insufficient balance"):
        drive(start(ACCOUNT, Start(to="+15550100123")), reply)


def test_a_call_that_was_queued_without_an_id_is_a_payload_error() -> None:
    with pytest.raises(PayloadError):
        drive(start(ACCOUNT, Start(to="+15550100123")), answer({"status": "success", "message": "Queued."}))


def test_what_does_not_run_cannot_be_stopped() -> None:
    (request,) = drive(end(ACCOUNT, "c1"), CASES["end.7e57ca11-4b92-4d75-9328-0a894a71c0de"].answers[0]).requests
    assert (request.method, request.path) == ("POST", "/v1/calls/{id}/stop")

    with pytest.raises(NotFoundError, match="SID not found"):
        drive(end(ACCOUNT, "c1"), CASES["error.200.stop"].answers[0])
    assert drive(end(ACCOUNT, "c1"), Response(200, {}, b"")).result is None


@pytest.mark.parametrize(("options", "deletes"), [({}, False), ({"delete_recording": True}, True)])
def test_a_call_is_deleted_with_its_recording_only_where_that_is_said(
    options: dict[str, Any],
    deletes: bool,  # noqa: FBT001
) -> None:
    (request,) = drive(delete(ACCOUNT, "c1", options), Response(204, {}, b"")).requests

    assert (request.method, target(request, "")) == ("DELETE", "/v1/calls/c1")
    assert json.loads(request.body or b"") == {"delete_recording": deletes}


# refusals


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("error.401", AuthError, "AUTH_FAILURE: Unauthorized"),
        ("error.400.texts", RejectedError, "Phone number must be a string or number."),
        ("error.400.bare", RejectedError, "Invalid phone number format"),
        ("error.402", RejectedError, "Insufficient balance."),
        (
            "error.403",
            ForbiddenError,
            "Your account is flagged for review and temporarily blocked from dispatching calls.",
        ),
        ("error.404", NotFoundError, "CALL_NOT_FOUND: Call not found"),
        ("error.418", RejectedError, "OBJECTIVE_VALIDATION_ERROR"),
        ("error.429", RateLimitError, "Rate limit exceeded"),
        ("error.500", OutageError, "Internal server error during flagging process"),
        ("error.200.rate", RateLimitError, "Rate limit exceeded"),
    ],
)
def test_refusals_in_each_of_their_shapes(name: str, kind: type[ProviderError], words: str) -> None:
    error = refusal(CASES[name].answers[0])

    assert type(error) is kind
    assert error.reason == words


def test_a_blacklisted_number_is_no_matter_of_patience() -> None:
    error = refusal(CASES["error.429.blacklisted"].answers[0])

    assert isinstance(error, RejectedError)
    assert (error.retryable, error.status) == (False, 429)
    assert refusal(CASES["error.429.same_number"].answers[0]).retryable is True


WORDS: list[tuple[Any, str]] = [
    ({"message": "a", "errors": ["b", {"error": "C", "message": "d"}, {"message": "e"}, 7, None]}, "a; b; C: d; e"),
    ({"data": None, "errors": None, "message": "a"}, "a"),
    ({"errors": {"odd": 1}, "error": "x"}, "x"),
    ({"message": {"odd": 1}, "errors": [{}, []]}, "the provider gave no reason"),
    ("text", "the provider gave no reason"),
]


@pytest.mark.parametrize(("body", "words"), WORDS)
def test_where_the_words_of_a_refusal_stand(body: Any, words: str) -> None:
    assert refusal(answer(body, 422)).args == (words,)


@pytest.mark.parametrize("id", ["x", "c1"])
def test_a_get_that_is_refused_under_http_200_says_why(id: str) -> None:
    with pytest.raises(RejectedError, match="No such call"):
        drive(get(ACCOUNT, id), answer({"status": "error", "message": "No such call."}))


# deliveries


@pytest.mark.parametrize(
    ("name", "kind", "id", "has_turns"),
    [
        ("post_call", EventKind.TRANSCRIPT_READY, "12345678-1234-1234-1234-123456789012:call", True),
        ("delayed", EventKind.TRANSCRIPT_READY, "12345678-1234-1234-1234-123456789012:call", True),
        ("unanswered", EventKind.ENDED, "8a9620f6-d634-4b92-8d75-93280a894a71:call", False),
        ("citations", EventKind.ANALYSIS_READY, "12345678-1234-1234-1234-123456789012:citations", False),
        (
            "multiple",
            EventKind.ANALYSIS_READY,
            "12345678-1234-1234-1234-123456789012:citations+post_transfer_transcript",
            False,
        ),
        ("in_call", EventKind.UPDATED, None, False),
        ("latency", EventKind.OTHER, None, False),
    ],
)
def test_deliveries(name: str, kind: EventKind, id: str | None, has_turns: bool) -> None:  # noqa: FBT001
    [event] = events(CASES[f"webhook.{name}"].answers[0].body)

    assert (event.kind, event.id) == (kind, id)
    assert event.conversation_id is not None
    assert event.to_fetch == (None if has_turns else f"bland:{event.conversation_id}")


def test_a_delivery_reads_a_call_as_get_does() -> None:
    body = CASES["webhook.post_call"].answers[0].body
    [event] = events(body)

    assert event.conversation == drive(get(ACCOUNT, "x"), Response(200, {}, body)).result


def test_a_delivery_sent_again_is_the_same_event() -> None:
    body = CASES["webhook.post_call"].answers[0].body

    assert events(body) == events(body)
    assert event_of({"call_id": "c1", "event_type": "citations"}).id != event_of({"call_id": "c1"}).id


def test_whoever_took_over_is_heard_after_the_transfer() -> None:
    [event] = events(CASES["webhook.delayed"].answers[0].body)
    assert event.conversation is not None
    *_, human, customer = turns_of(event.conversation)

    assert (human.role, human.text, human.start, human.duration) == (
        Role.HUMAN_AGENT,
        "This is Sam with support.",
        10.073,
        2.5,
    )
    assert event.conversation.participants[human.participant or 0] == Participant(
        kind=ParticipantKind.HUMAN_AGENT, phone="+15550100191"
    )
    assert (customer.role, customer.participant, customer.index) == (Role.USER, 1, 3)


def test_what_followed_a_transfer_is_no_transcript_by_itself() -> None:
    [event] = events(CASES["webhook.multiple"].answers[0].body)
    assert event.conversation is not None

    assert event.conversation.transcript is None
    assert event.conversation.metadata["post_transfer_transcript"][0]["speaker_label"] == "representative"
    assert event.occurred_at == datetime(2025, 9, 12, 20, 40, 40, tzinfo=UTC)


def test_a_representative_without_a_number_is_still_a_human() -> None:
    conversation = row(corrected_transcript=[{"speaker_label": "representative", "text": "Hello."}])

    assert conversation.participants[2] == Participant(kind=ParticipantKind.HUMAN_AGENT)
    assert turns_of(conversation)[0].participant == 2


def test_without_an_offset_nobody_knows_when_it_was_said() -> None:
    segments = [{"speaker_label": "user", "text": "Thanks.", "start": 1.0, "end": 2.0}]
    conversation = row(transcripts=[{"user": "user", "text": "Hi"}], post_transfer_transcript=segments)

    assert [turn.text for turn in turns_of(conversation)] == ["Hi"]
    assert conversation.metadata["post_transfer_transcript"][0]["text"] == "Thanks."


@pytest.mark.parametrize(
    ("status", "kind", "id"),
    [
        ("ended", EventKind.ENDED, "t1:ended"),
        ("timeout", EventKind.ENDED, "t1:timeout"),
        ("blacklisted", EventKind.ENDED, "t1:blacklisted"),
        ("inactive", EventKind.ENDED, "t1:inactive"),
        ("read", EventKind.OTHER, None),
        ("link_clicked", EventKind.OTHER, None),
        (None, EventKind.UPDATED, None),
    ],
)
def test_text_messages_belong_to_no_call(status: str | None, kind: EventKind, id: str | None) -> None:
    body = json.dumps({"conversation_id": "t1", "channel": "sms", "status": status, "message": "Hi"}).encode()
    [event] = verify("bland", body, signed(body), SECRET, NOW)

    assert (event.kind, event.provider_kind, event.id) == (kind, status or "message", id)
    assert (event.conversation_id, event.conversation, event.to_fetch) == ("texts:t1", None, "bland:texts:t1")


def test_a_chat_in_a_web_widget_is_told_and_can_not_be_fetched() -> None:
    ended = event_of({"thread_id": "h1", "widget_id": "w1", "thread_ended_at": "2026-11-02T14:51:24.655Z"})
    assert (ended.kind, ended.id, ended.conversation_id, ended.to_fetch) == (EventKind.ENDED, "h1:ended", None, None)
    assert ended.related_ids == {"thread_id": "h1", "widget_id": "w1"}
    handed_over = event_of({"type": "MESSAGE", "thread_id": "h1", "content": "Hello?"})
    assert (handed_over.kind, handed_over.id) == (EventKind.OTHER, None)


@pytest.mark.parametrize("body", [{}, {"category": "call"}, {"event_type": "citations"}])
def test_a_delivery_about_nobody_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(PayloadError):
        event_of(body)


def test_a_kind_of_delivery_nobody_heard_of_is_another() -> None:
    assert event_of({"call_id": "c1", "event_type": "zz_unheard_of"}).kind is EventKind.OTHER
    assert event_of({"call_id": "c1", "category": "zz_unheard_of"}).kind is EventKind.OTHER


def test_a_signature_is_over_the_bytes_as_sent_and_has_no_time() -> None:
    body = b'{"call_id": "c1",  "status": "no-answer"}'
    later = NOW + timedelta(days=400)

    assert verify("bland", body, signed(body), SECRET, later)[0].verified
    encoded_again = json.dumps(json.loads(body)).encode()
    with pytest.raises(WebhookError, match="signature mismatch"):
        verify("bland", encoded_again, signed(body), SECRET, NOW)
    with pytest.raises(WebhookError):
        verify("bland", body, signed(body, "another-secret-0123456789"), SECRET, NOW)


def test_nothing_is_believed_without_a_secret() -> None:
    with pytest.raises(ConfigurationError, match="no secret to verify with"):
        verify("bland", b'{"call_id": "c1", "status": "no-answer"}', {}, None, NOW)


# text conversations


def text_row(**members: Any) -> Conversation:
    return normalize_text(json.dumps({"id": "t1", **members}).encode())


def text_got(*messages: Any, **members: Any) -> Conversation:
    body = {"data": {"id": "t1", "messages": messages, **members}, "errors": None}
    return drive(get_text(ACCOUNT, "t1"), answer(body)).result


def wrote(sender: str, words: str, **members: Any) -> dict[str, Any]:
    return {"sender": sender, "message": words, **members}


def texts_page(rows: list[Any], pages: int | None = None, current: int | None = None) -> dict[str, Any]:
    told = {"totalPages": pages, "currentPage": current}
    return {"data": rows, "errors": None, "extra": {"pagination": told}}


def texts_listed(body: Any, query: Query | None = None, cursor: str | None = None) -> Driven[RawPage]:
    return drive(list_texts(ACCOUNT, query or Query(), cursor), answer(body))


def test_text_conversations_are_walked_by_page_the_oldest_first() -> None:
    first = texts_listed(texts_page([{"id": "t1"}], pages=3, current=1))
    assert first.requests[0].query == {
        "sortBy": "created_at",
        "sortDir": "asc",
        "filters": None,
        "page": 1,
        "pageSize": 100,
    }
    assert first.result.cursor == "2"
    second = texts_listed(texts_page([{"id": "t2"}], pages=2, current=2), cursor="2")
    assert (second.requests[0].query["page"], second.result.cursor) == (2, None)
    newest = texts_listed(texts_page([]), Query(newest_first=True, page_size=7))
    assert (newest.requests[0].query["sortDir"], newest.requests[0].query["pageSize"]) == ("desc", 7)
    assert texts_listed(texts_page([]), Query(page_size=500)).requests[0].query["pageSize"] == 100


def test_a_short_page_of_texts_is_no_end_where_there_is_no_count() -> None:
    assert texts_listed(texts_page([{"id": "t1"}])).result.cursor == "2"
    assert texts_listed({"data": [{"id": "t1"}], "errors": None}).result.cursor == "2"
    assert texts_listed(texts_page([]), cursor="2").result.cursor is None
    assert texts_listed(texts_page([], pages=0)).result.cursor is None


def test_another_page_than_was_asked_for_is_an_error() -> None:
    with pytest.raises(PaginationError, match="page 4 was requested, but page 3 was returned"):
        texts_listed(texts_page([{"id": "t1"}], pages=3, current=3), cursor="4")


@pytest.mark.parametrize("body", [{}, [], {"data": None, "errors": None}, {"data": {}}, None])
def test_what_is_no_list_of_texts_is_not_an_empty_one(body: Any) -> None:
    with pytest.raises(PayloadError):
        texts_listed(body)


def test_filters_of_texts_are_json_and_come_beside_the_window() -> None:
    since = datetime(2026, 11, 2, tzinfo=UTC)
    mine = {"field": "agent_number", "operator": "eq", "value": "+15550100001"}
    query = Query(since=since, until=since + timedelta(days=1), options={"filters": [mine], "page": 9})
    sent = texts_listed(texts_page([]), query).requests[0].query
    assert sent["page"] == 1
    assert json.loads(str(sent["filters"])) == [
        mine,
        {"field": "created_at", "operator": "gte", "value": "2026-11-02T00:00:00+00:00"},
        {"field": "created_at", "operator": "lt", "value": "2026-11-03T00:00:00+00:00"},
    ]
    with pytest.raises(InvalidRefError, match="filters must be a list"):
        texts_listed(texts_page([]), Query(options={"filters": "[]"}))


@pytest.mark.parametrize(
    ("members", "status", "reason"),
    [
        ({"is_active": True}, Status.IN_PROGRESS, None),
        ({"is_active": False}, Status.ENDED, None),
        ({"is_active": False, "timed_out_at": "2026-11-02T12:00:00Z"}, Status.ENDED, EndReason.SILENCE),
        ({"is_active": True, "timed_out_at": "2026-11-02T12:00:00Z"}, Status.ENDED, EndReason.SILENCE),
        ({}, Status.UNKNOWN, None),
    ],
)
def test_what_has_timed_out_is_over(members: dict[str, Any], status: Status, reason: EndReason | None) -> None:
    told = text_row(**members)
    assert (told.status, told.provider_status, told.end_reason) == (status, None, reason)
    assert (told.ended_at is not None) is (reason is not None)


@pytest.mark.parametrize(
    ("word", "channel"),
    [
        ("sms", Channel.SMS),
        ("rcs", Channel.SMS),
        ("whatsapp", Channel.CHAT),
        ("imessage", Channel.CHAT),
        ("zz-new", Channel.UNKNOWN),
        (None, Channel.UNKNOWN),
    ],
)
def test_texts_come_over_several_channels(word: str | None, channel: Channel) -> None:
    told = text_row(effective_channel=word)
    assert (told.channel, told.metadata.get("effective_channel")) == (channel, word)


def test_why_the_messages_of_a_text_are_not_there() -> None:
    said = wrote("USER", "Hi")
    assert text_row(is_active=False, message_count=4).transcript_state is TranscriptState.NOT_LOADED
    assert text_got(said, is_active=True).transcript_state is TranscriptState.PENDING
    assert text_got(said, is_active=False).transcript_state is TranscriptState.AVAILABLE
    assert text_got(is_active=False).transcript_state is TranscriptState.UNAVAILABLE
    assert text_got(is_active=True).transcript is None


def test_what_stands_before_an_agent_that_writes_first_is_nobodys_message() -> None:
    connected = wrote("USER", "<Call Connected>")
    told = text_got(connected, wrote("AGENT", "Hello."), wrote("USER", "Hi."))
    assert told.text == "assistant: Hello.\nuser: Hi."
    assert (told.direction, told.estimated) == (Direction.OUTBOUND, ("direction",))
    assert turns_of(told)[0].visibility is Visibility.INTERNAL
    asked = text_got(wrote("USER", "Hi."), wrote("AGENT", "Hello."))
    assert (asked.direction, asked.estimated) == (Direction.INBOUND, ("direction",))
    assert (text_got(connected).direction, text_got(connected).estimated) == (Direction.UNKNOWN, ())


def test_a_human_who_takes_a_text_over_is_no_agent_of_blands() -> None:
    told = text_got(wrote("HUMAN", "I take over."), wrote("ROBOT", "Hm."), agent_number="+15550100001")
    human, strange = (told.participants[turn.participant or 0] for turn in turns_of(told))
    assert (human.kind, human.phone) == (ParticipantKind.HUMAN_AGENT, None)
    assert (strange.kind, strange.name) == (ParticipantKind.UNKNOWN, "ROBOT")


def test_what_could_not_be_delivered_is_told() -> None:
    failed = wrote("AGENT", "Hi.", id="SM1", status="failed", error_code="30003")
    told = text_got(failed, wrote("AGENT", "Hi.", id="SM2", status="delivered"))
    assert told.metadata["undelivered"] == [{"id": "SM1", "status": "failed", "error_code": "30003"}]
    assert "undelivered" not in text_got(wrote("USER", "Hi.")).metadata


def test_the_newest_outcome_counts() -> None:
    logs = [{"result": {"booked": True}}, {"result": {"booked": False, "day": "Tuesday"}}, {"result": None}, None]
    told = text_got(disposition_logs=logs, citation_variables={"name": "Ada"}, disposition_tag="confirmed")
    assert told.analysis is not None
    assert told.analysis.collected == {"booked": True, "day": "Tuesday", "name": "Ada", "disposition_tag": "confirmed"}
    assert text_got().analysis is None


def test_places_of_what_cannot_be_read_are_those_of_the_answer() -> None:
    told = text_got(None, wrote("USER", "Hi", created_at="soon"), created_at="later")
    assert [issue.place for issue in told.issues] == [
        "data.created_at",
        "data.messages[0]",
        "data.messages[1].created_at",
    ]
    assert [turn.index for turn in turns_of(told)] == [0]
    assert [issue.place for issue in text_row(created_at="later").issues] == ["created_at"]


def test_a_text_that_is_refused_under_http_200_says_why() -> None:
    body = {"data": None, "errors": [{"error": "ERROR_GETTING_CONVERSATION", "message": "try again"}]}
    with pytest.raises(RejectedError, match="ERROR_GETTING_CONVERSATION: try again"):
        drive(get_text(ACCOUNT, "t1"), answer(body))
    without: list[dict[str, Any]] = [{"data": None, "errors": None}, {"data": {"messages": []}}]
    for nothing in without:
        with pytest.raises(PayloadError):
            drive(get_text(ACCOUNT, "t1"), answer(nothing))


def test_texts_keep_no_secret() -> None:
    read = text_got(variables={"headers": {"x": "secret-1"}, "page": "a"}, metadata={"token": "secret-2"})
    told = without_secrets(read, ADAPTER.secret_fields)
    assert "secret-" not in str(told.metadata)
    assert told.metadata["variables"]["page"] == "a"


def test_a_text_is_deleted_whole() -> None:
    [request] = drive(delete_text(ACCOUNT, "t1", {}), answer({})).requests
    assert (request.method, target(request, "")) == ("DELETE", "/v1/sms/conversations/t1")
    with pytest.raises(InvalidRefError, match="no options"):
        drive(delete_text(ACCOUNT, "t1", {"delete_recording": True}))


def test_what_is_not_listed_is_said() -> None:
    assert [what.partition(",")[0] for what in ADAPTER.unlisted] == [
        "chats in its web widgets",
        "chats with its web agents and pathways",
    ]


# against the simulator


async def test_pages_orders_and_windows_of_the_simulator_agree() -> None:
    async with simulated("bland", seed=3) as (hub, simulator):
        corpus = simulator.worlds["bland"].corpus
        everything = [corpus.id(number) for number in range(60)]
        since, until = (datetime.fromtimestamp(corpus.created(number), UTC) for number in (20, 40))
        pages = [page async for page in hub.list("bland", page_size=7).pages()]
        newest_first: Mapping[str, Any] = {"bland": {"ascending": False}}
        reverse = [one.id async for one in hub.list("bland", page_size=7, provider_options=newest_first)]
        window = [one.id async for one in hub.list("bland", page_size=7, since=since, until=until)]
        running = [one.id async for one in hub.list("bland", status=Status.IN_PROGRESS)]
    assert [one.id for page in pages for one in page.items] == everything
    assert reverse == everything[::-1]
    assert window == everything[20:40]
    assert running == everything[56:59]


async def test_corrected_transcripts_of_the_simulator_have_their_timings() -> None:
    corrected = {"BLAND_TRANSCRIPT": "corrected"}
    async with simulated("bland", conversations=40, seed=3, environ=corrected) as (hub, simulator):
        world = simulator.worlds["bland"]
        found = [one for one in await collected(hub, "bland", transcripts=True) if one.recordings]
    assert len(found) > 10
    for conversation in found:
        truth = world.find(conversation.id)
        assert truth is not None
        said = [turn for turn in world.turns(truth) if turn.tool is None]
        assert [(turn.start, turn.text) for turn in turns_of(conversation)] == [
            (turn.start, f" {turn.text}") for turn in said
        ]
        assert all(turn.confidence is not None and turn.duration is not None for turn in turns_of(conversation))


async def test_tools_are_reported_as_actions_of_the_agent() -> None:
    async with simulated("bland", seed=3) as (hub, simulator):
        world = simulator.worlds["bland"]
        told = {one.id: one.transcript for one in await collected(hub, "bland", transcripts=True) if one.transcript}
    assert len(told) > 10
    for id, turns in told.items():
        truth = world.find(id)
        assert truth is not None
        used = [turn.tool.name for turn in world.turns(truth) if turn.tool is not None]
        actions = [turn.text for turn in turns if turn.role is Role.SYSTEM and turn.text != "Ended call"]
        assert actions == [f"Calling tool: {name}" for name in used]


async def test_a_call_is_started_stopped_and_deleted() -> None:
    async with simulated("bland", conversations=5) as (hub, _):
        started = await hub.start("bland", agent="p1", to="+15550100123", provider_options={"record": True})
        ref = started.conversation.ref
        with pytest.raises(RejectedError, match="Missing required parameter: task"):
            await hub.start("bland", to="+15550100124")
        queued = await hub.get(ref)
        assert queued.agent is not None
        assert (queued.agent.id, queued.status, queued.participants[1].phone) == ("p1", Status.QUEUED, "+15550100123")
        await hub.end(ref)
        assert (await hub.get(ref)).is_finished
        with pytest.raises(NotFoundError, match="SID not found"):
            await hub.end(ref)
        await hub.delete(ref)
        with pytest.raises(NotFoundError, match="Call not found"):
            await hub.get(ref)
