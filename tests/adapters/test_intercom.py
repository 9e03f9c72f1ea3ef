"""Intercom's traps: conversations without an end, HTML, at most 500 parts, calls apart, two ways to list."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from conversations_hub.account import Account
from conversations_hub.adapter import Query, RawPage, Start
from conversations_hub.adapters.intercom import ADAPTER, end, events, get, list_page, normalize, sign, start
from conversations_hub.errors import (
    ConfigurationError,
    ForbiddenError,
    InvalidRefError,
    NotFoundError,
    PayloadError,
    UnsupportedError,
)
from conversations_hub.events import Event, EventKind
from conversations_hub.policy import Quota, quota
from conversations_hub.schema import (
    Channel,
    Conversation,
    Direction,
    Issue,
    ParticipantKind,
    Recording,
    RecordingAccess,
    Role,
    Status,
    TranscriptState,
    TranscriptTurn,
    Visibility,
)
from conversations_hub.testing import Driven, drive
from conversations_hub.wire import Request, Response

ACCOUNT = Account("intercom", key="key-of-the-tests")
T = datetime(2026, 10, 2, 9, tzinfo=UTC)
BEGAN = int(T.timestamp())
FIN = {"type": "bot", "id": "51", "name": "Fin", "from_ai_agent": True}
MATE = {"type": "admin", "id": "7", "name": "Grace"}
ADA = {"type": "user", "id": "u1", "name": "Ada"}


def answer(body: object, date: str = "Sat, 03 Oct 2026 09:00:00 GMT") -> Response:
    return Response(200, {"date": date}, json.dumps(body).encode())


def sent(**members: Any) -> dict[str, Any]:
    return {"id": "123", "created_at": BEGAN, "state": "open", "open": True, **members}


def row(**members: Any) -> Conversation:
    return normalize(json.dumps(sent(**members)).encode())


def part(kind: str = "comment", body: str | None = "Hello", author: object = ADA, at: int = 1, **more: Any) -> Any:
    return {"id": at, "part_type": kind, "body": body, "author": author, "created_at": BEGAN + at, **more}


def got(
    *parts: object, total: int | None = None, date: str = "Sat, 03 Oct 2026 09:00:00 GMT", **m: Any
) -> Conversation:
    held = {"conversation_parts": parts, "total_count": len(parts) if total is None else total}
    return drive(get(ACCOUNT, "123"), answer(sent(conversation_parts=held, **m), date)).result


def called(second: object, third: object = (), **members: Any) -> Conversation:
    members = {"source": {"type": "phone_call"}, "conversation_parts": {"conversation_parts": [part(at=60)]}, **members}
    beside = (one if isinstance(one, Exception) else answer(one) for one in (second, third))
    return drive(get(ACCOUNT, "123"), answer(sent(**members)), *beside).result


def page(body: object, cursor: str | None = None, **query: Any) -> Driven[RawPage]:
    return drive(list_page(ACCOUNT, Query(**query), cursor), answer(body))


def search(**query: Any) -> list[dict[str, Any]]:
    [request] = page({"conversations": []}, **query).requests
    assert (request.method, request.path, request.is_safe) == ("POST", "/conversations/search", True)
    found: list[dict[str, Any]] = json.loads(request.body or b"")["query"]["value"]
    return found


def turns_of(read: Conversation) -> tuple[TranscriptTurn, ...]:
    assert read.transcript is not None
    return read.transcript


def event(topic: str, item: object) -> Event:
    [found] = events(json.dumps({"id": "notif_1", "topic": topic, "data": {"item": item}}).encode())
    return found


# how to ask


def test_every_request_names_the_version_of_the_api() -> None:
    signed = sign(Request("GET", "/conversations"), ACCOUNT, T)
    assert signed.headers == {"Authorization": "Bearer key-of-the-tests", "Intercom-Version": "2.16"}


def test_the_limit_is_reset_at_an_instant() -> None:
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(BEGAN + 7)}
    assert quota(headers, T) == Quota(0, 7.0)


def test_a_list_without_filters_is_the_list_and_one_with_filters_a_search() -> None:
    [request] = page({"conversations": []}).requests
    assert (request.method, request.path, request.query["per_page"]) == ("GET", "/conversations", 150)
    moment = T + timedelta(seconds=0.5)
    assert search(updated_since=moment) == [{"field": "updated_at", "operator": ">", "value": BEGAN - 1}]
    assert search(until=moment) == [{"field": "created_at", "operator": "<", "value": BEGAN + 1}]
    assert search(status=Status.IN_PROGRESS) == [{"field": "state", "operator": "IN", "value": ["open", "snoozed"]}]


def test_options_are_fields_to_search_by() -> None:
    assert search(options={"ai_agent_participated": True, "tag_ids": ["1", "2"]}) == [
        {"field": "ai_agent_participated", "operator": "=", "value": True},
        {"field": "tag_ids", "operator": "IN", "value": ["1", "2"]},
    ]


@pytest.mark.parametrize(
    "pages", [None, {}, {"next": None}, {"next": {"per_page": 2}}, {"next": {"starting_after": None}}]
)
def test_the_list_ends_where_nothing_says_how_it_goes_on(pages: object) -> None:
    assert page({"conversations": [{"id": "1"}], "pages": pages}).result.cursor is None


def test_a_short_page_is_not_the_end() -> None:
    body: dict[str, Any] = {"conversations": [], "pages": {"next": {"starting_after": "abc"}}}
    assert page(body, page_size=50).result.cursor == "abc"
    [request] = page(body, "abc", since=T).requests
    assert json.loads(request.body or b"")["pagination"] == {"per_page": 150, "starting_after": "abc"}


def test_an_answer_without_a_list_is_no_empty_list() -> None:
    with pytest.raises(PayloadError, match="no list"):
        page({"type": "conversation.list"})


def test_a_cursor_that_is_no_text_is_refused() -> None:
    with pytest.raises(InvalidRefError, match="cursor"):
        page({"conversations": []}, "\ud800", since=T)


def test_a_conversation_is_closed_by_a_teammate() -> None:
    with pytest.raises(ConfigurationError, match="admin_id"):
        next(end(ACCOUNT, "123"))


def test_a_conversation_is_started_by_a_contact() -> None:
    for wanted in (Start(to="+15555550123"), Start(agent="fin")):
        with pytest.raises(UnsupportedError):
            next(start(ACCOUNT, wanted))


# where a conversation stands


@pytest.mark.parametrize(
    ("state", "is_open", "status"),
    [
        ("open", True, Status.IN_PROGRESS),
        ("snoozed", True, Status.IN_PROGRESS),
        ("closed", False, Status.ENDED),
        (None, True, Status.IN_PROGRESS),
        (None, False, Status.ENDED),
        ("zz_new", None, Status.UNKNOWN),
        (None, None, Status.UNKNOWN),
    ],
)
def test_a_snoozed_conversation_goes_on(state: str | None, is_open: object, status: Status) -> None:
    assert row(state=state, open=is_open).status is status


def test_a_conversation_that_was_opened_again_has_no_end() -> None:
    closed_at = {"last_close_at": BEGAN + 60}
    assert row(state="open", statistics=closed_at).ended_at is None
    assert row(state="closed", statistics=closed_at).ended_at == T + timedelta(seconds=60)
    assert row(state="closed", statistics=None).ended_at is None


def test_an_open_conversation_has_all_that_was_said_so_far() -> None:
    assert got(part()).transcript_state is TranscriptState.AVAILABLE


def test_a_conversation_that_was_just_closed_still_gets_its_parts() -> None:
    closed: dict[str, Any] = {"state": "closed", "statistics": {"last_close_at": BEGAN + 60}}
    assert got(date="Fri, 02 Oct 2026 09:59:00 GMT", **closed).transcript_state is TranscriptState.PENDING
    assert got(date="Fri, 02 Oct 2026 11:00:00 GMT", **closed).transcript_state is TranscriptState.AVAILABLE


def test_the_channel_is_that_of_the_first_message_or_of_the_conversation() -> None:
    assert row(source={"type": "email"}).channel is Channel.EMAIL
    assert row(source={"type": "zz"}, channel={"initial": "sms", "current": "zz"}).channel is Channel.SMS
    assert row(channel={"current": "messenger"}).channel is Channel.CHAT
    assert row().channel is Channel.UNKNOWN


def test_only_customers_begin_inbound_conversations() -> None:
    assert row(source={"delivered_as": "customer_initiated"}).direction is Direction.INBOUND
    assert row(source={"delivered_as": "automated"}).direction is Direction.OUTBOUND
    assert row(source={"delivered_as": "zz"}).direction is Direction.UNKNOWN


# what was said, and by whom


def test_the_opening_message_is_the_first_turn() -> None:
    read = got(part(author=MATE), source={"id": 5, "body": "<p>Hi &amp; bye</p>", "author": ADA})
    assert [(turn.role, turn.text, turn.start) for turn in turns_of(read)] == [
        (Role.USER, "Hi & bye", 0.0),
        (Role.HUMAN_AGENT, "Hello", 1.0),
    ]


def test_fin_is_the_agent_and_other_bots_are_not() -> None:
    operator = {"type": "bot", "id": "52", "name": "Operator", "from_ai_agent": False}
    in_a_name = {**MATE, "id": "51", "from_ai_agent": True}
    read = got(part(author=operator), part(author=FIN), part(author=in_a_name), ai_agent={"source_title": "Desk"})
    assert read.agent is not None
    assert (read.agent.id, read.agent.name) == ("51", "Desk")
    assert [(turn.role, turn.participant) for turn in turns_of(read)] == [
        (Role.ASSISTANT, 2),
        (Role.ASSISTANT, 0),
        (Role.ASSISTANT, 0),
    ]
    assert read.participants[2].name == "Operator"


def test_where_nobody_is_marked_the_bot_of_a_conversation_with_fin_is_fin() -> None:
    bot = {"type": "bot", "id": "51", "name": "Fin"}
    assert turns_of(got(part(author=bot), ai_agent_participated=True))[0].participant == 0
    assert turns_of(got(part(author=bot), ai_agent_participated=False))[0].participant == 2


def test_everyone_of_a_group_is_a_participant_of_their_own() -> None:
    contacts = {"contacts": [{"id": "u1"}, {"id": "u2"}]}
    other = {"type": "lead", "id": "u2", "name": "Bob"}
    mates = {"teammates": [{"id": "7"}, {"id": "8"}]}
    read = got(part(), part(author=other), part(author=MATE), contacts=contacts, teammates=mates)
    assert [(one.kind, one.id, one.name) for one in read.participants[1:]] == [
        (ParticipantKind.CUSTOMER, "u1", "Ada"),
        (ParticipantKind.CUSTOMER, "u2", "Bob"),
        (ParticipantKind.HUMAN_AGENT, "7", "Grace"),
        (ParticipantKind.HUMAN_AGENT, "8", None),
    ]
    assert [turn.participant for turn in turns_of(read)] == [1, 2, 3]


def test_notes_and_events_are_internal() -> None:
    read = got(part("note", "Psst", MATE), part("snoozed", None, MATE), part("close", "Bye", MATE), part("zz", None))
    assert [(turn.role, turn.text, turn.visibility) for turn in turns_of(read)] == [
        (Role.HUMAN_AGENT, "Psst", Visibility.INTERNAL),
        (Role.SYSTEM, "snoozed", Visibility.INTERNAL),
        (Role.HUMAN_AGENT, "Bye", Visibility.PUBLIC),
        (Role.SYSTEM, "zz", Visibility.INTERNAL),
    ]
    assert read.text == "human_agent: Bye"


def test_a_message_whose_text_was_redacted_is_still_a_turn() -> None:
    [turn] = turns_of(got(part(body=None, redacted=True)))
    assert (turn.role, turn.text) == (Role.USER, "")


@pytest.mark.parametrize(("result", "is_error"), [("success", False), ("failed", True), (None, None)])
def test_a_custom_action_is_a_tool(result: str | None, is_error: object) -> None:
    action = {"action": {"name": "Refund", "result": result}}
    started, finished = turns_of(
        got(
            part("custom_action_started", None, FIN, event_details=action),
            part("custom_action_finished", None, FIN, event_details=action),
        )
    )
    assert [call.name for call in started.tool_calls] == ["Refund"]
    assert finished.tool_result is not None
    assert finished.tool_result.is_error is is_error


def test_the_oldest_of_more_than_500_parts_are_missing() -> None:
    assert got(part(), total=501).transcript_state is TranscriptState.TRUNCATED
    many = [part(at=number) for number in range(500)]
    counted = got(*many, statistics={"count_conversation_parts": 620})
    assert counted.transcript_state is TranscriptState.TRUNCATED
    assert got(part(), statistics={"count_conversation_parts": 3}).transcript_state is TranscriptState.AVAILABLE


def test_an_attachment_is_named_without_its_signed_url() -> None:
    file = {"name": "a.png", "content_type": "image/png", "url": "https://cdn.example.com/a.png?signature=s3cret"}
    read = got(part(attachments=[file]))
    assert read.metadata["attachments"] == [{"name": "a.png", "type": "image/png"}]


# calls

CALL = {"id": 5, "initiated_at": BEGAN, "answered_at": BEGAN + 10, "ended_at": "2026-10-02T09:01:10Z"}


def test_a_call_is_part_of_its_conversation() -> None:
    said = [{"role": "Fin", "content": "Hi"}, {"speaker": "user", "text": "Yes"}, {"speaker": "Zed", "text": "?"}, {}]
    url = "https://api.eu.intercom.io/calls/5/recording"
    read = called({"data": [{**CALL, "recording_url": url, "phone": "+15555550123", "transcript": said}]})
    assert [(turn.role, turn.text) for turn in turns_of(read)] == [
        (Role.ASSISTANT, "Hi"),
        (Role.USER, "Yes"),
        (Role.UNKNOWN, "?"),
        (Role.USER, "Hello"),
    ]
    assert (read.channel, read.duration, read.participants[1].phone) == (Channel.PHONE, 60.0, "+15555550123")
    assert read.recordings == (Recording(location="/calls/5/recording", access=RecordingAccess.PROVIDER_KEY),)
    assert read.issues == ()


def test_a_recording_elsewhere_is_not_one_that_the_key_is_for() -> None:
    assert called({"data": [{**CALL, "recording_url": "https://example.com/a.mp3"}]}).recordings == ()


@pytest.mark.parametrize("error", [NotFoundError("Not Found", status=404), ForbiddenError("plan", status=403)])
def test_a_conversation_is_read_without_the_calls_that_may_not_be_read(error: Exception) -> None:
    read = called(error, error)
    reason = f"could not be loaded: {type(error).__name__}"
    assert read.issues == (Issue("calls", reason), Issue("fin_calls", reason))
    assert len(turns_of(read)) == 1


def test_what_fin_heard_is_part_of_its_call() -> None:
    heard = {"intercom_call_id": "5", "call_transcript": [{"role": "fin", "text": "Hi"}], "call_summary": "Ada called."}
    read = called({"data": [CALL]}, [heard])
    assert [(turn.role, turn.text) for turn in turns_of(read)] == [(Role.ASSISTANT, "Hi"), (Role.USER, "Hello")]
    assert (read.summary, read.duration, len(read.metadata["calls"])) == ("Ada called.", 60.0, 1)


def test_a_transcript_that_both_have_is_told_once() -> None:
    said = [{"role": "fin", "text": "Hi"}]
    read = called({"data": [{**CALL, "transcript": said}]}, [{"intercom_call_id": "5", "call_transcript": said}])
    assert [turn.text for turn in turns_of(read)] == ["Hi", "Hello"]


def test_a_call_that_only_fin_knows_is_a_call_too() -> None:
    heard = {"id": 1, "user_phone_number": "+15555550123", "call_transcript": [{"role": "user", "text": "Hi"}]}
    read = called({"data": []}, [heard])
    assert (read.participants[1].phone, [turn.text for turn in turns_of(read)]) == ("+15555550123", ["Hello", "Hi"])


def test_calls_are_asked_for_only_where_there_may_be_some() -> None:
    assert len(drive(get(ACCOUNT, "123"), answer(sent(source={"type": "conversation"}))).requests) == 1


# webhooks


def test_a_delivery_has_too_few_parts_to_be_a_transcript() -> None:
    item = sent(conversation_parts={"conversation_parts": [part()]})
    found = event("conversation.user.replied", item)
    assert found.kind is EventKind.UPDATED
    assert found.conversation is not None
    assert (found.conversation.transcript, found.to_fetch) == (None, "intercom:123")


@pytest.mark.parametrize(
    ("topic", "kind"),
    [
        ("conversation.user.created", EventKind.STARTED),
        ("conversation.admin.closed", EventKind.ENDED),
        ("conversation.operator.replied", EventKind.UPDATED),
        ("conversation.rating.added", EventKind.ANALYSIS_READY),
        ("contact.created", EventKind.OTHER),
        ("ping", EventKind.OTHER),
    ],
)
def test_topics_are_kinds(topic: str, kind: EventKind) -> None:
    assert event(topic, {"type": "conversation", "id": "123"}).kind is kind


def test_what_is_no_conversation_is_not_taken_for_one() -> None:
    assert event("conversation_part.redacted", {"type": "conversation_part", "id": "9"}).conversation_id is None
    assert event("contact.created", {"type": "contact", "id": "u1"}).conversation_id is None
    assert event("conversation.deleted", {"type": "conversation", "id": "123"}).conversation is None


def test_a_sync_may_follow_what_changes() -> None:
    assert ADAPTER.narrows_by_update
    assert row(updated_at=BEGAN + 5).updated_at == T + timedelta(seconds=5)
