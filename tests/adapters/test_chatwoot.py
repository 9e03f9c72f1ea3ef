"""Chatwoot's traps: a server of the customer's own, windows of ids, open conversations by default, two vocabularies."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from conversations_hub.account import Account
from conversations_hub.adapter import Query, RawPage, Start
from conversations_hub.adapters.chatwoot import ADAPTER, events, get, list_page, normalize, refusal, start
from conversations_hub.errors import (
    AuthError,
    ConfigurationError,
    ForbiddenError,
    InvalidRefError,
    NotFoundError,
    PayloadError,
    RateLimitError,
    RejectedError,
    UnsupportedError,
)
from conversations_hub.events import Event, EventKind
from conversations_hub.schema import (
    Channel,
    Conversation,
    Direction,
    ParticipantKind,
    Role,
    Status,
    TranscriptState,
    TranscriptTurn,
    Visibility,
)
from conversations_hub.testing import Driven, drive
from conversations_hub.wire import Response, target

HERE = "https://chat.example.com"
ACCOUNT = Account("chatwoot", key="key-of-the-tests", base_url=HERE, settings={"account_id": "7"})
T = datetime(2026, 10, 2, 9, tzinfo=UTC)
BEGAN = int(T.timestamp())
ADA = {"id": 77, "name": "Ada", "type": "contact"}
GRACE = {"id": 5, "name": "Grace", "type": "user"}
BOT = {"id": 9, "name": "Bot", "type": "agent_bot"}


def answer(body: object, date: str = "Sat, 03 Oct 2026 09:00:00 GMT") -> Response:
    return Response(200, {"date": date}, json.dumps(body).encode())


def sent(**members: Any) -> dict[str, Any]:
    return {"id": 418, "status": "open", "created_at": BEGAN, "meta": {"sender": ADA}, **members}


def row(**members: Any) -> Conversation:
    return normalize(json.dumps(sent(**members)).encode())


def said(id: int, kind: object = 0, sender: object = ADA, **members: Any) -> dict[str, Any]:
    return {"id": id, "content": f"{id}", "message_type": kind, "sender": sender, "created_at": BEGAN + id, **members}


def messages(*held: object) -> Response:
    return answer({"meta": {}, "payload": held})


def got(*held: object, date: str = "Sat, 03 Oct 2026 09:00:00 GMT", **members: Any) -> Conversation:
    return drive(get(ACCOUNT, "418"), answer(sent(**members), date), messages(*held), messages()).result


def turns_of(read: Conversation) -> tuple[TranscriptTurn, ...]:
    assert read.transcript is not None
    return read.transcript


def page(*answers: Response | Exception, cursor: str | None = None, **query: Any) -> Driven[RawPage]:
    return drive(list_page(ACCOUNT, Query(**query), cursor), *answers)


def listed(*ids: int, count: int | None = None) -> Response:
    meta = {} if count is None else {"all_count": count}
    return answer({"data": {"meta": meta, "payload": [{"id": id} for id in ids]}})


def paths(done: Driven[Any]) -> list[str]:
    prefix = "/api/v1/accounts/7/conversations"
    return [target(request, "").removeprefix(prefix) for request in done.requests]


def event(name: str, **members: Any) -> Event:
    [found] = events(json.dumps({"event": name, **members}).encode())
    return found


# whose server it is


def test_a_token_goes_to_no_server_that_the_account_does_not_name() -> None:
    nowhere = Account("chatwoot", key="key", settings={"account_id": "7"})
    for flow in (list_page(nowhere, Query(), None), get(nowhere, "1"), start(nowhere, Start())):
        with pytest.raises(ConfigurationError, match="CHATWOOT_BASE_URL"):
            next(flow)


def test_an_account_says_which_account_of_the_server_it_is() -> None:
    with pytest.raises(ConfigurationError, match="account_id"):
        next(get(Account("chatwoot", key="key", base_url=HERE), "1"))


# the list


def test_the_list_has_all_states_in_an_order_that_does_not_move() -> None:
    assert paths(page(listed())) == ["?status=all&sort_by=created_at_asc&page=1"]
    assert paths(page(listed(), newest_first=True)) == ["?status=all&sort_by=created_at_desc&page=1"]
    assert paths(page(listed(), options={"inbox_id": 3})) == ["?status=all&sort_by=created_at_asc&inbox_id=3&page=1"]


def test_a_short_page_is_not_the_end() -> None:
    assert page(listed(1, 2, count=3)).result.cursor == "list:2:2"
    assert page(listed(3, count=3), cursor="list:2:2").result.cursor is None
    assert page(listed(1)).result.cursor == "list:2:1"
    assert page(listed(), cursor="list:2:1").result.cursor is None


@pytest.mark.parametrize("cursor", ["2:25", "list:2", "other:2:25", "filter:2:25:1", "list:-1:2"])
def test_a_cursor_of_another_make_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidRefError, match="cursor"):
        page(cursor=cursor)


def test_an_answer_without_a_list_is_no_empty_list() -> None:
    with pytest.raises(PayloadError, match="no list"):
        page(answer({"data": {"meta": {}}}))


# the filter


def test_bounds_are_dates_beyond_those_that_are_asked_for() -> None:
    [request] = page(answer({"payload": []}), since=T, until=T, updated_since=T).requests
    assert (request.method, request.is_safe) == ("POST", True)
    assert json.loads(request.body or b"")["payload"] == [
        {
            "attribute_key": "created_at",
            "filter_operator": "is_greater_than",
            "values": ["2026-09-30"],
            "query_operator": "AND",
        },
        {
            "attribute_key": "created_at",
            "filter_operator": "is_less_than",
            "values": ["2026-10-04"],
            "query_operator": "AND",
        },
        {
            "attribute_key": "last_activity_at",
            "filter_operator": "is_greater_than",
            "values": ["2026-09-30"],
            "query_operator": None,
        },
    ]


@pytest.mark.parametrize("is_wrapped", [True, False])
def test_what_a_filter_finds_may_be_wrapped(is_wrapped: object) -> None:
    inner = {"meta": {"all_count": 9}, "payload": [{"id": 1}]}
    found = page(answer({"data": inner} if is_wrapped else inner), since=T).result
    assert (len(found.rows), found.cursor) == (1, "filter:2:1")


def test_a_server_that_refuses_to_filter_is_asked_for_its_list() -> None:
    done = page(RejectedError("Invalid filter", status=422), listed(1, count=9), since=T, status=Status.ENDED)
    assert paths(done) == ["/filter?page=1", "?status=resolved&sort_by=created_at_asc&page=1"]
    assert done.result.cursor == "list:2:1"
    assert "refused to filter" in (done.result.warning or "")
    assert paths(page(listed(), since=T, cursor="list:2:1")) == ["?status=all&sort_by=created_at_asc&page=2"]
    with pytest.raises(RejectedError):
        page(RejectedError("Invalid filter", status=422), since=T, cursor="filter:2:1")


def test_what_is_wanted_newest_first_is_not_filtered() -> None:
    assert paths(page(listed(), newest_first=True, since=T)) == ["?status=all&sort_by=created_at_desc&page=1"]


# messages


def test_messages_are_read_by_windows_of_ids_until_one_is_empty() -> None:
    pages = (messages(said(1), said(2)), messages(said(3)), messages())
    done = drive(get(ACCOUNT, "418"), answer(sent()), *pages)
    assert paths(done) == ["/418", *(f"/418/messages?after={after}" for after in (0, 2, 3))]
    assert [turn.text for turn in turns_of(done.result)] == ["1", "2", "3"]


def test_an_old_server_that_sends_the_latest_twice_is_read_backwards() -> None:
    latest, before = messages(said(3), said(4)), messages(said(1), said(2))
    done = drive(get(ACCOUNT, "418"), answer(sent()), latest, latest, before, messages())
    assert paths(done)[3:] == ["/418/messages?before=3", "/418/messages?before=1"]
    assert [turn.text for turn in turns_of(done.result)] == ["1", "2", "3", "4"]
    assert [turn.index for turn in turns_of(done.result)] == [0, 1, 2, 3]


def test_a_server_that_repeats_itself_ends_the_walk() -> None:
    same = messages(said(3))
    done = drive(get(ACCOUNT, "418"), answer(sent()), same, same, same)
    assert len(turns_of(done.result)) == 1


def test_the_last_message_of_a_row_is_no_transcript() -> None:
    found = row(messages=[said(9)])
    assert (found.transcript, found.transcript_state) == (None, TranscriptState.NOT_LOADED)


def test_a_conversation_that_was_just_resolved_still_gets_its_messages() -> None:
    closed: dict[str, Any] = {"status": "resolved", "last_activity_at": BEGAN + 60}

    def state(date: str) -> TranscriptState:
        return drive(get(ACCOUNT, "418"), answer(sent(**closed), date), messages()).result.transcript_state

    assert state("Fri, 02 Oct 2026 09:59:00 GMT") is TranscriptState.PENDING
    assert state("Fri, 02 Oct 2026 11:00:00 GMT") is TranscriptState.AVAILABLE


@pytest.mark.parametrize(
    ("status", "said_so_far", "state"),
    [
        ("open", [], TranscriptState.PENDING),
        ("open", [{"message_type": 2, "content": "Opened"}], TranscriptState.PENDING),
        ("open", [{"message_type": 0, "content": "Hi"}], TranscriptState.AVAILABLE),
        ("pending", [{"message_type": 1, "content": "Hi"}], TranscriptState.AVAILABLE),
        ("resolved", [{"message_type": 2, "content": "Resolved"}], TranscriptState.PENDING),
    ],
)
def test_an_open_conversation_has_all_that_was_written_and_waits_for_the_first_words(
    status: str, said_so_far: list[dict[str, Any]], state: TranscriptState
) -> None:
    pages = [messages(*({"id": 3, **one} for one in said_so_far)), *([messages()] if said_so_far else [])]
    done = drive(get(ACCOUNT, "418"), answer(sent(status=status)), *pages)
    assert done.result.transcript_state is state


@pytest.mark.parametrize(
    ("kind", "sender", "role", "participant"),
    [
        (0, ADA, Role.USER, 1),
        ("incoming", ADA, Role.USER, 1),
        ("0", None, Role.USER, 1),
        (0, {"id": 78, "name": "Bob", "type": "contact"}, Role.USER, 2),
        (1, BOT, Role.ASSISTANT, 0),
        (1, {"id": 4, "type": "captain_assistant"}, Role.ASSISTANT, 0),
        (3, BOT, Role.ASSISTANT, 0),
        (3, None, Role.ASSISTANT, None),
        (1, None, Role.ASSISTANT, None),
        (1, GRACE, Role.HUMAN_AGENT, 2),
        (1, ADA, Role.USER, 1),  # whoever is a contact, the customer wrote it
        (3, ADA, Role.USER, 1),
        (2, None, Role.SYSTEM, None),
        (9, None, Role.UNKNOWN, 2),
    ],
)
def test_who_speaks_is_told_by_kind_and_sender(kind: object, sender: object, role: Role, participant: object) -> None:
    [turn] = turns_of(got(said(1, kind, sender)))
    assert (turn.role, turn.participant) == (role, participant)


def test_a_sender_may_be_told_by_its_class_only() -> None:
    [turn] = turns_of(got(said(1, 1, None, sender_type="Captain::Assistant")))
    assert (turn.role, turn.participant) == (Role.ASSISTANT, 0)
    [human] = turns_of(got(said(1, 1, None, sender_type="User")))
    assert (human.role, human.participant) == (Role.HUMAN_AGENT, 2)


def test_the_first_bot_is_the_agent_and_every_other_one_a_participant() -> None:
    read = got(said(1, 1, BOT), said(2, 1, {"id": 10, "name": "Other", "type": "agent_bot"}), said(3, 1, BOT))
    assert read.agent is not None
    assert read.agent.id == "9"
    assert [turn.participant for turn in turns_of(read)] == [0, 2, 0]


def test_an_assigned_teammate_is_a_participant_once() -> None:
    read = got(said(1, 1, GRACE), meta={"sender": ADA, "assignee": {"id": 5, "name": "Grace"}})
    assert [one.kind for one in read.participants].count(ParticipantKind.HUMAN_AGENT) == 1


def test_notes_and_activities_are_internal() -> None:
    read = got(said(1, 1, GRACE, private=True), said(2, 2, None), said(3, 1, GRACE))
    assert [turn.visibility for turn in turns_of(read)] == [
        Visibility.INTERNAL,
        Visibility.INTERNAL,
        Visibility.PUBLIC,
    ]
    assert read.text == "human_agent: 3"


def test_a_deleted_message_is_a_turn_without_words() -> None:
    [turn] = turns_of(got(said(1, content="This message was deleted", content_attributes={"deleted": True})))
    assert turn.text == ""


def test_the_first_who_speaks_decides_the_direction() -> None:
    assert got(said(1, 2, None), said(2)).direction is Direction.INBOUND
    assert got(said(1, 1, GRACE), said(2)).direction is Direction.OUTBOUND
    assert got(said(1, 2, None)).direction is Direction.UNKNOWN


def test_the_last_survey_that_was_answered_counts() -> None:
    def survey(id: int, rating: int | None) -> dict[str, Any]:
        values = {} if rating is None else {"csat_survey_response": {"rating": rating}}
        attributes = {"submitted_values": values}
        return said(id, 3, None, content_type="input_csat", content_attributes=attributes)

    read = got(survey(1, 2), survey(2, 5), survey(3, None))
    assert read.analysis is not None
    assert read.analysis.scores == {"csat": 5.0}
    assert got(survey(1, None)).analysis is None


def test_only_the_sound_of_a_call_is_a_recording() -> None:
    sound = [{"file_type": "audio", "data_url": f"{HERE}/rails/a.mp3"}]
    assert got(said(1, attachments=sound)).recordings == ()
    [recording] = got(said(1, attachments=sound, content_type="voice_call")).recordings
    assert recording.location == f"{HERE}/rails/a.mp3"


# where a conversation stands


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("open", Status.IN_PROGRESS),
        ("pending", Status.IN_PROGRESS),
        ("snoozed", Status.IN_PROGRESS),
        ("resolved", Status.ENDED),
        ("zz_new", Status.UNKNOWN),
    ],
)
def test_only_a_resolved_conversation_has_ended(word: str, status: Status) -> None:
    found = row(status=word, last_activity_at=BEGAN + 60)
    assert (found.status, found.ended_at is not None) == (status, status is Status.ENDED)


def test_zero_stands_for_never() -> None:
    found = row(last_activity_at=0, updated_at=0, waiting_since=0, first_reply_created_at=0)
    assert (found.updated_at, found.issues) == (None, ())
    assert not {"waiting_since", "first_reply_created_at"} & found.metadata.keys()


def test_what_changed_is_what_was_active() -> None:
    assert ADAPTER.narrows_by_update
    assert row(updated_at=BEGAN + 1.5, last_activity_at=BEGAN + 9).updated_at == T + timedelta(seconds=9)
    assert row(updated_at=BEGAN + 9.5, last_activity_at=BEGAN + 9).updated_at == T + timedelta(seconds=9.5)


@pytest.mark.parametrize(
    ("word", "channel"),
    [
        ("Channel::WebWidget", Channel.CHAT),
        ("Channel::Email", Channel.EMAIL),
        ("Channel::TwilioSms", Channel.SMS),
        ("Channel::Voice", Channel.PHONE),
        ("Channel::Zz", Channel.UNKNOWN),
        (None, Channel.UNKNOWN),
    ],
)
def test_an_inbox_has_a_channel(word: str | None, channel: Channel) -> None:
    assert row(meta={"channel": word}).channel is channel


# what is refused


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (401, b'{"error":"Invalid Access Token"}', AuthError),
        (401, b'{"error":"You are not authorized to do this action"}', ForbiddenError),
        (401, b'{"error":"Access to this endpoint is not authorized for bots"}', ForbiddenError),
        (404, b'{"error":"Resource could not be found"}', NotFoundError),
        (429, b"Retry later\n", RateLimitError),
    ],
)
def test_a_token_that_may_not_is_not_one_that_is_wrong(status: int, body: bytes, error: type[Exception]) -> None:
    assert type(refusal(Response(status, {}, body))) is error


def test_a_page_for_people_is_no_missing_conversation() -> None:
    found = refusal(Response(404, {"content-type": "text/html"}, b"<html></html>"))
    assert type(found) is RejectedError
    assert "base URL" in str(found)


def test_nobody_is_called() -> None:
    for wanted in (Start(to="+15555550123"), Start(agent="9")):
        with pytest.raises(UnsupportedError):
            next(start(ACCOUNT, wanted))


# webhooks


def test_a_message_brings_its_conversation_but_no_transcript() -> None:
    found = event("message_created", id=9, created_at="2026-10-02T09:00:01Z", conversation=sent(account_id=7))
    assert found.conversation is not None
    assert (found.conversation_id, found.conversation.transcript) == ("418", None)
    assert (found.id, found.occurred_at) == ("message_created:7:9", T + timedelta(seconds=1))


def test_what_may_happen_twice_has_no_id() -> None:
    assert event("message_updated", id=9, conversation=sent()).id is None
    assert event("conversation_updated", **sent()).id is None


@pytest.mark.parametrize(
    ("name", "status", "kind"),
    [
        ("conversation_created", "open", EventKind.STARTED),
        ("conversation_status_changed", "resolved", EventKind.ENDED),
        ("conversation_status_changed", "open", EventKind.UPDATED),
        ("conversation_updated", "resolved", EventKind.UPDATED),
        ("conversation_typing_on", "open", EventKind.OTHER),
        ("webwidget_triggered", "open", EventKind.OTHER),
    ],
)
def test_a_conversation_ends_when_it_is_resolved(name: str, status: str, kind: EventKind) -> None:
    assert event(name, **sent(status=status)).kind is kind


def test_a_message_without_a_conversation_is_about_none() -> None:
    assert event("message_created", id=9).conversation_id is None
    assert event("contact_updated", id=77).conversation_id is None
