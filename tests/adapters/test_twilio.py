"""Twilio's traps: two products at two hosts, forms, signatures of URLs, and speakers whom nobody names."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest

from conversations_hub.account import Account
from conversations_hub.adapter import Query, RawPage, Start
from conversations_hub.adapters.twilio import ADAPTER, events, sign
from conversations_hub.errors import (
    ConfigurationError,
    ForbiddenError,
    InvalidRefError,
    NotFoundError,
    PaginationError,
    PayloadError,
    UnsupportedError,
    WebhookError,
)
from conversations_hub.events import Event, EventKind
from conversations_hub.schema import (
    Channel,
    Conversation,
    Issue,
    ParticipantKind,
    Recording,
    RecordingAccess,
    Role,
    Status,
    TranscriptState,
    TranscriptTurn,
)
from conversations_hub.testing import Driven, drive
from conversations_hub.webhooks import verify
from conversations_hub.wire import Request, Response, target

ACCOUNT = Account("twilio", key="key-of-the-tests", settings={"account_sid": "AC1"})
CALLS = ADAPTER.resources["transcripts"]
T = datetime(2026, 10, 2, 9, tzinfo=UTC)
NEXT_DAY = "Sat, 03 Oct 2026 09:00:00 GMT"
AT_ONCE = "Fri, 02 Oct 2026 09:02:00 GMT"
CLOSED: dict[str, Any] = {
    "sid": "CH1",
    "state": "closed",
    "date_created": "2026-10-02T09:00:00Z",
    "date_updated": "2026-10-02T09:01:00Z",
}
SMS: dict[str, Any] = {"sid": "MB1", "messaging_binding": {"type": "sms", "address": "+1415", "proxy_address": "+1555"}}
HEARD: dict[str, Any] = {
    "sid": "GT1",
    "status": "completed",
    "date_created": "2026-10-02T09:01:00Z",
    "media_start_time": "2026-10-02T09:00:00Z",
    "duration": 30,
}
SECRET = "auth-token-of-the-tests"
NOW = datetime(2026, 10, 2, 9, 5, tzinfo=UTC)


def answer(body: object, date: str | None = NEXT_DAY) -> Response:
    return Response(200, {} if date is None else {"date": date}, json.dumps(body).encode())


def got(
    members: list[Any], messages: list[Any], thread: dict[str, Any] = CLOSED, date: str | None = NEXT_DAY
) -> Conversation:
    assert ADAPTER.get is not None
    parts = answer({"participants": members}), answer({"messages": messages})
    return drive(ADAPTER.get(ACCOUNT, "CH1"), answer(thread, date), *parts).result


def row(**members: Any) -> Conversation:
    [only] = page({"conversations": [{"sid": "CH1", **members}]}).result.rows
    return page({"conversations": [{"sid": "CH1", **members}]}).result.normalize(only)


def page(body: object, cursor: str | None = None, **query: Any) -> Driven[RawPage]:
    assert ADAPTER.list_page is not None
    return drive(ADAPTER.list_page(ACCOUNT, Query(**query), cursor), answer(body))


def heard(
    *sentences: Any, found: Response | Exception | None = None, date: str | None = NEXT_DAY, **members: Any
) -> Conversation:
    assert CALLS.get is not None
    operators = answer({"operator_results": []}) if found is None else found
    return drive(
        CALLS.get(ACCOUNT, "GT1"), answer({**HEARD, **members}, date), answer({"sentences": sentences}), operators
    ).result


def alone(date: str | None = NEXT_DAY, **members: Any) -> Conversation:
    """Get a transcript whose sentences are not asked for."""
    assert CALLS.get is not None
    return drive(CALLS.get(ACCOUNT, "GT1"), answer({**HEARD, **members}, date)).result


def turns_of(read: Conversation) -> tuple[TranscriptTurn, ...]:
    assert read.transcript is not None
    return read.transcript


# who asks, and where


def test_the_account_signs_with_its_sid_unless_an_api_key_has_its_own() -> None:
    both = Account("twilio", key="k", settings={"account_sid": "AC1", "key_sid": "SK1"})
    users = [
        b64decode(sign(Request("GET", "/"), account, T).headers["Authorization"].removeprefix("Basic "))
        for account in (ACCOUNT, both)
    ]

    assert users == [b"AC1:key-of-the-tests", b"SK1:k"]


def test_without_a_sid_nothing_is_signed() -> None:
    with pytest.raises(ConfigurationError, match="account_sid"):
        sign(Request("GET", "/"), Account("twilio", key="k"), T)


def test_each_product_has_a_host_of_its_own() -> None:
    assert CALLS.list_page is not None
    calls = drive(CALLS.list_page(ACCOUNT, Query(), None), answer({"transcripts": []}))

    assert {request.base_url for request in calls.requests} == {*ADAPTER.base_urls}
    assert [request.base_url for request in page({"conversations": []}).requests] == [None]
    assert ADAPTER.resource_of("GT1")[0] == "transcripts"
    assert ADAPTER.resource_of("CH1")[0] == "conversations"


# pages


def test_the_next_page_is_asked_for_as_its_url_says_but_never_elsewhere() -> None:
    following = "https://evil.example/v1/Other?PageSize=2&Page=1&PageToken=PA%2Bx"
    first = page({"conversations": [{"sid": "CH1"}], "meta": {"next_page_url": following}})
    second = page({"conversations": []}, first.result.cursor)

    assert target(second.requests[0], "") == "/v1/Conversations?PageSize=2&Page=1&PageToken=PA%2Bx"
    assert second.result.cursor is None


@pytest.mark.parametrize("url", ["https://x.example/v1/Conversations", "https://[x/?a=1"])
def test_a_next_page_that_leads_nowhere_is_an_error(url: str) -> None:
    with pytest.raises(PaginationError):
        page({"conversations": [], "meta": {"next_page_url": url}})


def test_parts_that_run_in_a_circle_are_an_error() -> None:
    assert ADAPTER.get is not None
    around = answer({"participants": [], "meta": {"next_page_url": "https://x.example/?Page=1"}})
    with pytest.raises(PaginationError, match="circle"):
        drive(ADAPTER.get(ACCOUNT, "CH1"), answer(CLOSED), around, around)


def test_an_empty_cursor_is_refused_and_an_answer_without_a_list_too() -> None:
    with pytest.raises(InvalidRefError, match="cursor"):
        page({"conversations": []}, "")
    with pytest.raises(PayloadError):
        page({"meta": {}})


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ({"since": T}, "StartDate=2026-10-02T00%3A00%3A00Z"),
        ({"until": T}, "EndDate=2026-10-02T23%3A59%3A59Z"),
        ({"until": datetime(2026, 10, 2, tzinfo=UTC)}, "EndDate=2026-10-01T23%3A59%3A59Z"),
        ({"status": Status.ENDED}, "State=closed"),
    ],
)
def test_only_whole_days_can_be_asked_for(query: dict[str, Any], asked: str) -> None:
    assert asked in target(page({"conversations": []}, **query).requests[0], "").partition("?")[2].split("&")


def test_the_newest_come_first_if_a_date_is_asked_for() -> None:
    assert "StartDate" not in target(page({"conversations": []}).requests[0], "")
    assert "StartDate=2000-01-01T00%3A00%3A00Z" in target(
        page({"conversations": []}, newest_first=True).requests[0], ""
    )


def test_a_service_has_conversations_of_its_own() -> None:
    assert ADAPTER.list_page is not None
    assert ADAPTER.end is not None
    of_one = Account("twilio", key="k", settings={"account_sid": "AC1", "service_sid": "IS1"})
    listed = drive(ADAPTER.list_page(of_one, Query(), None), answer({"conversations": []})).requests
    ended = drive(ADAPTER.end(of_one, "CH1"), answer(CLOSED)).requests

    assert [target(request, "") for request in (*listed, *ended)] == [
        "/v1/Services/IS1/Conversations?PageSize=100",
        "/v1/Services/IS1/Conversations/CH1",
    ]


def test_two_states_are_in_progress_so_neither_is_asked_for() -> None:
    assert "State" not in target(page({"conversations": []}, status=Status.IN_PROGRESS).requests[0], "")


# threads


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("initializing", Status.QUEUED),
        ("active", Status.IN_PROGRESS),
        ("inactive", Status.IN_PROGRESS),
        ("closed", Status.ENDED),
        ("archived", Status.UNKNOWN),
    ],
)
def test_an_inactive_thread_goes_on_with_the_next_message(state: str, status: Status) -> None:
    assert row(state=state).status is status


@pytest.mark.parametrize(
    ("timer", "ended"),
    [("2026-10-02T09:00:30Z", 30), ("2026-10-09T09:00:00Z", 60), (None, 60)],
)
def test_a_thread_was_closed_by_its_timer_or_before(timer: str | None, ended: int) -> None:
    read = row(**{**CLOSED, "timers": {"date_closed": timer}})

    assert (read.ended_at, "ended_at" in read.estimated) == (T + timedelta(seconds=ended), True)


def test_an_open_thread_has_no_end_whatever_its_timers_say() -> None:
    assert row(**{**CLOSED, "state": "active", "timers": {"date_closed": "2026-10-02T09:00:30Z"}}).ended_at is None


@pytest.mark.parametrize(
    ("attributes", "kept"),
    [('{"a": 1}', {"a": 1}), ("{}", None), ("{broken", "{broken"), ("", None), (None, None)],
)
def test_attributes_are_text_that_may_be_json(attributes: str | None, kept: object) -> None:
    assert row(attributes=attributes).metadata.get("attributes") == kept


def test_who_has_an_address_is_a_customer_and_an_identity_beside_them_is_ours() -> None:
    other = {"sid": "MB3", "messaging_binding": {"type": "sms", "address": "+1416"}}
    read = got(
        [SMS, {"sid": "MB2", "identity": "tess"}, other],
        [
            {"participant_sid": "MB1", "author": "+1415", "body": "a"},
            {"participant_sid": None, "author": "tess", "body": "b"},
            {"participant_sid": "MB3", "author": "+1416", "body": "c"},
            {"participant_sid": None, "author": "system", "body": "d"},
            {"participant_sid": None, "author": "bot-7", "body": "e"},
        ],
    )

    assert [turn.role for turn in read.transcript or ()] == [
        Role.USER,
        Role.ASSISTANT,
        Role.USER,
        Role.SYSTEM,
        Role.UNKNOWN,
    ]
    assert [one.kind for one in read.participants] == [
        ParticipantKind.AI_AGENT,
        ParticipantKind.CUSTOMER,
        ParticipantKind.UNKNOWN,
        ParticipantKind.CUSTOMER,
        ParticipantKind.UNKNOWN,
    ]
    assert (read.channel, read.participants[1].phone, read.participants[0].phone) == (Channel.SMS, "+1415", "+1555")
    assert "transcript.role" in read.estimated


def test_among_identities_alone_nobody_is_known() -> None:
    read = got([{"sid": "MB1", "identity": "ada"}], [{"participant_sid": "MB1", "body": "Hello?"}])
    [turn] = turns_of(read)

    assert (turn.role, read.participants[turn.participant or 0].name) == (Role.UNKNOWN, "ada")
    assert (read.channel, "channel" in read.estimated) == (Channel.CHAT, True)


@pytest.mark.parametrize(
    ("state", "messages", "date", "expected"),
    [
        ("closed", [{"body": "a"}], AT_ONCE, TranscriptState.AVAILABLE),
        ("closed", [], AT_ONCE, TranscriptState.PENDING),
        ("closed", [], None, TranscriptState.PENDING),
        ("closed", [], NEXT_DAY, TranscriptState.AVAILABLE),
        ("active", [{"body": "a", "author": "ada"}], NEXT_DAY, TranscriptState.AVAILABLE),
        ("active", [{"body": "a", "author": "system"}], NEXT_DAY, TranscriptState.PENDING),
        ("inactive", [], NEXT_DAY, TranscriptState.PENDING),
        ("archived", [{"body": "a"}], NEXT_DAY, TranscriptState.AVAILABLE),
    ],
)
def test_the_state_of_a_thread_s_transcript(
    state: str, messages: list[Any], date: str | None, expected: TranscriptState
) -> None:
    assert got([SMS], messages, {**CLOSED, "state": state}, date).transcript_state is expected


def test_null_messages_are_noted_and_their_places_are_those_in_raw() -> None:
    read = got([SMS, None], [None, {"body": "a", "date_created": "soon"}], {**CLOSED, "date_created": "then"})

    assert {issue.place for issue in read.issues} == {
        "conversation.date_created",
        "messages[0].messages[0]",
        "messages[0].messages[1].date_created",
    }
    assert json.loads(read.raw or b"")["participants"] == [{"participants": [SMS, None]}]


# what changes a thread


def test_requests_are_forms() -> None:
    assert ADAPTER.start is not None
    assert ADAPTER.end is not None
    assert ADAPTER.send is not None
    started = drive(ADAPTER.start(ACCOUNT, Start(options={"FriendlyName": "A & B"})), answer(CLOSED)).requests
    ended = drive(ADAPTER.end(ACCOUNT, "CH1"), answer(CLOSED)).requests
    sent = drive(ADAPTER.send(ACCOUNT, "CH1", "Grüße"), answer({"body": "Grüße", "author": "system"}))

    assert {request.headers["Content-Type"] for request in (*started, *ended, *sent.requests)} == {
        "application/x-www-form-urlencoded"
    }
    assert [parse_qsl((request.body or b"").decode()) for request in (*started, *ended, *sent.requests)] == [
        [("FriendlyName", "A & B")],
        [("State", "closed")],
        [("Body", "Grüße")],
    ]
    assert [request.is_safe for request in (*started, *ended, *sent.requests)] == [False, True, False]
    assert (sent.result.text, sent.result.role) == ("Grüße", Role.SYSTEM)


def test_nobody_is_called() -> None:
    assert ADAPTER.start is not None
    with pytest.raises(UnsupportedError):
        drive(ADAPTER.start(ACCOUNT, Start(to="+1415")))


# transcripts


@pytest.mark.parametrize(
    ("word", "date", "status", "state"),
    [
        ("new", NEXT_DAY, Status.QUEUED, TranscriptState.PENDING),
        ("queued", NEXT_DAY, Status.QUEUED, TranscriptState.PENDING),
        ("in-progress", NEXT_DAY, Status.PROCESSING, TranscriptState.PENDING),
        ("failed", NEXT_DAY, Status.FAILED, TranscriptState.UNAVAILABLE),
        ("canceled", NEXT_DAY, Status.FAILED, TranscriptState.UNAVAILABLE),
        ("error", AT_ONCE, Status.FAILED, TranscriptState.PENDING),
    ],
)
def test_sentences_are_asked_for_once_they_are_there(
    word: str, date: str, status: Status, state: TranscriptState
) -> None:
    read = alone(date, status=word)

    assert (read.status, read.transcript_state, read.recordings) == (status, state, ())


def test_what_is_encrypted_is_restricted() -> None:
    assert alone(encryption_credential_sid="CR1").transcript_state is TranscriptState.RESTRICTED


def test_an_unknown_state_may_have_sentences() -> None:
    assert heard({"transcript": "Hi"}, status="archived").transcript_state is TranscriptState.AVAILABLE


def test_numbers_may_be_text_and_times_may_be_missing() -> None:
    read = heard(
        {"transcript": "a", "start_time": "1.5", "end_time": "2", "confidence": "0.9", "media_channel": "1"},
        {"transcript": "b", "start_time": None, "end_time": 3, "confidence": None, "media_channel": 1},
        None,
    )
    first, second = turns_of(read)

    assert (first.start, first.duration, first.confidence) == (1.5, 0.5, 0.9)
    assert first.timestamp == T.timestamp() + 1.5
    assert (second.start, second.duration, second.timestamp) == (None, None, None)
    assert first.participant == second.participant == 2
    assert read.issues == (Issue("sentences[0].sentences[2]", "null"),)


def test_a_channel_is_nobody_s_unless_its_participant_is_named() -> None:
    channel = {"participants": [{"channel_participant": 1, "role": "Customer"}, None, {"role": "Agent"}]}
    read = heard({"transcript": "a", "media_channel": 1}, {"transcript": "b", "media_channel": 2}, channel=channel)
    first, second = turns_of(read)

    assert (first.role, first.participant) == (Role.USER, 1)
    assert (second.role, read.participants[second.participant or 0].name) == (Role.UNKNOWN, "channel 2")


def test_results_that_are_withheld_do_not_lose_the_sentences() -> None:
    read = heard({"transcript": "a"}, found=ForbiddenError("no", status=403))

    assert len(read.transcript or ()) == 1
    assert read.issues == (Issue("operator_results", "could not be loaded: ForbiddenError"),)


@pytest.mark.parametrize(
    ("found", "value"),
    [
        ({"operator_type": "json", "json_results": {"a": 1}}, {"a": 1}),
        ({"operator_type": "text-generation", "text_generation_results": "Short."}, "Short."),
        ({"operator_type": "text-generation", "text_generation_results": {"result": "Short."}}, "Short."),
        ({"operator_type": "extract-normalize", "normalized_result": "x"}, "x"),
        ({"operator_type": "utterance-classify", "utterance_match": False}, False),
    ],
)
def test_each_type_of_operator_has_its_own_result(found: dict[str, Any], value: object) -> None:
    read = heard({"transcript": "a"}, found=answer({"operator_results": [{"name": "Found", **found}, None]}))

    assert read.analysis is not None
    assert read.analysis.collected == {"Found": value}


def test_the_recording_s_url_is_asked_for_again() -> None:
    assert ADAPTER.recording is not None
    [kept] = heard({"transcript": "a"}).recordings
    done = drive(ADAPTER.recording(ACCOUNT, kept), answer({"media_url": "https://media.example/x"}))

    assert (target(done.requests[0], ""), done.requests[0].base_url) == (kept.location, ADAPTER.base_urls[0])
    assert done.result == "https://media.example/x"
    gone = Recording(location="/v2/Transcripts/GT1/Media", access=RecordingAccess.PROVIDER_KEY)
    with pytest.raises(NotFoundError):
        drive(ADAPTER.recording(ACCOUNT, gone), answer({"media_url": None}))


# deliveries


def signed(url: str, fields: list[tuple[str, str]]) -> tuple[bytes, dict[str, str]]:
    """Return a form and its headers, signed as the documentation says."""
    message = url + "".join(name + value for name, value in sorted({*fields}))
    return urlencode(fields).encode(), _headers(message, "application/x-www-form-urlencoded")


def _headers(message: str, media_type: str) -> dict[str, str]:
    digest = hmac.new(SECRET.encode(), message.encode(), hashlib.sha1).digest()
    return {"Content-Type": media_type, "X-Twilio-Signature": b64encode(digest).decode()}


URL = "https://shop.example.com/hooks?b=2&a=1"
MESSAGE = [("EventType", "onMessageAdded"), ("ConversationSid", "CH1"), ("MessageSid", "IM1"), ("Body", "Ünï & more")]


def test_the_url_and_the_fields_are_signed() -> None:
    [event] = verify("twilio", *signed(URL, MESSAGE), SECRET, NOW, url=URL)

    assert (event.verified, event.kind, event.id) == (True, EventKind.UPDATED, "IM1:onMessageAdded")
    assert event.to_fetch == "twilio:CH1"


@pytest.mark.parametrize("url", [f"{URL}&c=3", "https://shop.example.com/hooks"])
def test_another_url_or_other_fields_are_not_believed(url: str) -> None:
    with pytest.raises(WebhookError):
        verify("twilio", *signed(URL, MESSAGE), SECRET, NOW, url=url)
    body, headers = signed(URL, MESSAGE)
    with pytest.raises(WebhookError):
        verify("twilio", body + b"&State=closed", headers, SECRET, NOW, url=URL)


def test_a_field_that_comes_twice_with_one_value_counts_once() -> None:
    [event] = verify("twilio", *signed(URL, [*MESSAGE, ("Body", "Ünï & more"), ("Body", "b")]), SECRET, NOW, url=URL)

    assert event.verified


def test_without_its_url_nothing_can_be_verified() -> None:
    with pytest.raises(ConfigurationError, match="url="):
        verify("twilio", *signed(URL, MESSAGE), SECRET, NOW)


@pytest.mark.parametrize("changed", [b"", b" "])
def test_of_json_the_url_has_the_hash(changed: bytes) -> None:
    body = json.dumps({"event_type": "voice_intelligence_transcript_available", "transcript_sid": "GT1"}).encode()
    url = f"https://shop.example.com/hooks?bodySHA256={hashlib.sha256(body).hexdigest()}"
    headers = _headers(url, "application/json")
    if changed:
        with pytest.raises(WebhookError):
            verify("twilio", body + changed, headers, SECRET, NOW, url=url)
        return
    [event] = verify("twilio", body, headers, SECRET, NOW, url=url)
    assert (event.kind, event.conversation_id) == (EventKind.TRANSCRIPT_READY, "GT1")
    assert (event.resource, event.to_fetch) == ("transcripts", "twilio:GT1")


def test_json_whose_hash_is_nowhere_is_not_believed() -> None:
    with pytest.raises(WebhookError):
        verify("twilio", b"{}", _headers(URL, "application/json"), SECRET, NOW, url=URL)


def told(**fields: Any) -> Event:
    [event] = events(json.dumps({"ConversationSid": "CH1", **fields}).encode())
    return event


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"EventType": "onConversationAdded"}, EventKind.STARTED),
        ({"EventType": "onConversationStateUpdated", "StateTo": "inactive"}, EventKind.UPDATED),
        ({"EventType": "onConversationStateUpdated", "StateTo": "closed"}, EventKind.ENDED),
        ({"EventType": "onParticipantAdded"}, EventKind.UPDATED),
        ({"EventType": "onDeliveryUpdated"}, EventKind.OTHER),
        ({"EventType": "onConversationRemoved"}, EventKind.OTHER),
        ({}, EventKind.OTHER),
    ],
)
def test_the_kinds_of_events(fields: dict[str, Any], kind: EventKind) -> None:
    event = told(**fields)

    assert (event.kind, event.conversation is None) == (kind, kind is EventKind.OTHER)


def test_a_message_s_date_is_not_the_conversation_s() -> None:
    event = told(EventType="onMessageAdded", MessageSid="IM1", DateCreated="2026-10-02T09:00:00Z", Attributes='{"m":1}')

    assert event.occurred_at == T
    assert event.conversation is not None
    assert (event.conversation.created_at, event.conversation.metadata) == (None, {})


def test_an_update_without_a_date_has_no_id() -> None:
    updated = {"EventType": "onMessageUpdated", "MessageSid": "IM1"}

    assert told(**updated).id is None
    assert told(**updated, DateUpdated="2026-10-02T09:00:00Z").id == "IM1:onMessageUpdated:2026-10-02T09:00:00Z"
