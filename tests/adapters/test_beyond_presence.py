"""Beyond Presence's traps: two paths for one thing, two kinds of pages, a status that is an object, unsigned events."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from conversations_hub.account import Account
from conversations_hub.adapter import Query, RawPage, Start
from conversations_hub.adapters.beyond_presence import ADAPTER, events, get, list_page, normalize, start
from conversations_hub.errors import InvalidRefError, NotFoundError, PaginationError, PayloadError, UnsupportedError
from conversations_hub.events import Event, EventKind
from conversations_hub.schema import Analysis, Conversation, Issue, Role, Status, TranscriptState, TranscriptTurn
from conversations_hub.testing import Driven, drive
from conversations_hub.wire import Response, target

ACCOUNT = Account("beyond_presence", key="key-of-the-tests")
T = datetime(2026, 10, 2, 9, tzinfo=UTC)
COMPLETED = {"type": "completed", "started_at": "2026-10-02T09:00:00Z", "ended_at": "2026-10-02T09:03:10Z"}
SAID = {"message": "Hello!", "sent_at": "2026-10-02T09:00:02Z", "sender": "ai"}
GONE = NotFoundError("Not Found", status=404)


def answer(body: object, date: str | None = "Sat, 03 Oct 2026 09:00:00 GMT") -> Response:
    return Response(200, {} if date is None else {"date": date}, json.dumps(body).encode())


def row(**members: Any) -> Conversation:
    return normalize(json.dumps({"id": "c1", "agent_id": "a1", **members}).encode())


def got(
    *messages: object, status: object = COMPLETED, date: str | None = "Sat, 03 Oct 2026 09:00:00 GMT"
) -> Conversation:
    call = {"id": "c1", "agent_id": "a1", "status": status}
    return drive(get(ACCOUNT, "c1"), answer(call, date), answer(messages)).result


def page(*answers: Response | Exception, cursor: str | None = None, **query: Any) -> Driven[RawPage]:
    return drive(list_page(ACCOUNT, Query(**query), cursor), *answers)


def turns_of(read: Conversation) -> tuple[TranscriptTurn, ...]:
    assert read.transcript is not None
    return read.transcript


def event(**members: Any) -> Event:
    [found] = events(json.dumps(members).encode())
    return found


def paths(done: Driven[Any]) -> list[str]:
    return [target(request, "") for request in done.requests]


# where a conversation stands


@pytest.mark.parametrize(
    ("sent", "status", "word"),
    [
        ({"type": "to_start"}, Status.QUEUED, "to_start"),
        ({"type": "ongoing", "started_at": "2026-10-02T09:00:00Z"}, Status.IN_PROGRESS, "ongoing"),
        (COMPLETED, Status.ENDED, "completed"),
        ({"type": "paused"}, Status.UNKNOWN, "paused"),
        ("completed", Status.ENDED, "completed"),
        (None, Status.UNKNOWN, None),
    ],
)
def test_a_status_is_an_object_or_its_word(sent: object, status: Status, word: str | None) -> None:
    read = row(status=sent)

    assert (read.status, read.provider_status) == (status, word)
    assert "status" not in read.estimated


def test_an_unknown_word_with_an_end_has_ended() -> None:
    read = row(status={**COMPLETED, "type": "archived"})

    assert (read.status, read.estimated[0]) == (Status.ENDED, "status")


def test_the_length_is_from_start_to_end() -> None:
    read = row(status=COMPLETED)

    assert (read.created_at, read.started_at, read.ended_at) == (None, T, T + timedelta(seconds=190))
    assert (read.duration, read.estimated) == (190, ("direction", "duration"))


def test_an_end_before_the_start_is_dropped() -> None:
    read = row(status={**COMPLETED, "ended_at": "2026-10-02T08:00:00Z"})

    assert (read.ended_at, read.duration) == (None, None)
    assert read.issues == (Issue("status.ended_at", "before the start"),)


def test_a_time_without_a_zone_is_in_utc_and_noted_once_for_all_messages() -> None:
    naive = {"type": "ongoing", "started_at": "2026-10-02T09:00:00.5"}
    said = {"message": "Hi", "sent_at": "2026-10-02 09:00:02", "sender": "user"}
    read = got(said, said, status=naive)

    assert read.started_at == T + timedelta(seconds=0.5)
    assert [turn.start for turn in read.transcript or ()] == [1.5, 1.5]
    assert [issue.place for issue in read.issues] == ["call.status.started_at", "messages[0].sent_at"]
    assert {issue.reason for issue in read.issues} == {"no time zone: taken to be UTC"}


# what was said


@pytest.mark.parametrize(
    ("sent", "messages", "state"),
    [
        (COMPLETED, [SAID], TranscriptState.AVAILABLE),
        (COMPLETED, [], TranscriptState.AVAILABLE),
        ({"type": "ongoing"}, [SAID], TranscriptState.PENDING),
        ({"type": "to_start"}, [], TranscriptState.PENDING),
        ({"type": "paused"}, [SAID], TranscriptState.AVAILABLE),
        ({"type": "paused"}, [], TranscriptState.PENDING),
    ],
)
def test_the_state_of_a_transcript(sent: object, messages: list[object], state: TranscriptState) -> None:
    read = got(*messages, status=sent)

    assert (len(read.transcript or ()), read.transcript_state) == (len(messages), state)
    assert (read.transcript is None) == (not messages and state is TranscriptState.PENDING)


@pytest.mark.parametrize("date", ["Fri, 02 Oct 2026 09:04:00 GMT", None])
def test_no_messages_right_after_the_end_may_be_late(date: str | None) -> None:
    assert got(date=date).transcript_state is TranscriptState.PENDING


def test_a_message_counts_from_the_start_unless_it_is_older() -> None:
    early = {**SAID, "sent_at": "2026-10-02T08:59:58Z"}
    read = got(SAID, early, {**SAID, "sender": "moderator"})
    first, second, third = turns_of(read)

    assert (first.role, first.start, first.timestamp) == (Role.ASSISTANT, 2.0, T.timestamp() + 2)
    assert (second.start, second.timestamp) == (None, T.timestamp() - 2)
    assert (third.role, read.participants[third.participant or 0].name) == (Role.UNKNOWN, "moderator")
    assert "transcript.start" in read.estimated


def test_without_a_start_a_message_has_its_instant_alone() -> None:
    read = got(SAID, status={"type": "completed"})
    [turn] = turns_of(read)

    assert (turn.start, turn.timestamp) == (None, T.timestamp() + 2)
    assert "transcript.start" not in read.estimated


# two paths for one thing


def test_a_path_that_is_not_there_is_asked_for_under_the_older_name() -> None:
    done = page(GONE, answer({"data": [{"id": "c1"}], "has_more": True, "next_cursor": "x:y"}))

    assert paths(done) == ["/v1/conversations?limit=50", "/v1/calls?limit=50"]
    assert done.result.cursor == "calls:x:y"


def test_a_walk_keeps_the_path_that_it_began_with() -> None:
    done = page(answer({"data": []}), cursor="calls:x:y", page_size=7)

    assert paths(done) == ["/v1/calls?limit=7&cursor=x%3Ay"]
    with pytest.raises(NotFoundError):
        page(GONE, cursor="calls:x:y")


@pytest.mark.parametrize("cursor", ["x:y", "calls:", "calls", "messages:x"])
def test_a_cursor_of_another_make_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidRefError, match="cursor"):
        page(answer({"data": []}), cursor=cursor)


def test_messages_are_asked_for_where_their_conversation_is() -> None:
    done = drive(get(ACCOUNT, "c1"), GONE, answer({"id": "c1", "status": COMPLETED}), answer([SAID]))

    assert paths(done) == ["/v1/calls/c1", "/v1/conversations/c1", "/v1/conversations/c1/messages"]
    assert len(done.result.transcript or ()) == 1


def test_messages_may_be_under_the_other_name() -> None:
    done = drive(get(ACCOUNT, "c1"), answer({"id": "c1", "status": COMPLETED}), GONE, answer([SAID]))

    assert paths(done) == ["/v1/calls/c1", "/v1/calls/c1/messages", "/v1/conversations/c1/messages"]
    assert len(done.result.transcript or ()) == 1


@pytest.mark.parametrize(
    ("sent", "state"), [(COMPLETED, TranscriptState.UNAVAILABLE), ({"type": "to_start"}, TranscriptState.PENDING)]
)
def test_a_conversation_whose_messages_are_nowhere_says_so(sent: object, state: TranscriptState) -> None:
    read = drive(get(ACCOUNT, "c1"), answer({"id": "c1", "status": sent}), GONE, GONE).result

    assert (read.transcript, read.transcript_state) == (None, state)
    assert read.issues == (Issue("messages", "could not be loaded: NotFoundError"),)


def test_an_unknown_id_is_not_found() -> None:
    with pytest.raises(NotFoundError):
        drive(get(ACCOUNT, "c1"), GONE, GONE)


# pages


@pytest.mark.parametrize(
    ("told", "cursor"),
    [
        ({"has_more": True, "next_cursor": "n"}, "conversations:n"),
        ({"next_cursor": "n"}, "conversations:n"),
        ({"has_more": False}, None),
        ({"has_more": False, "next_cursor": "n"}, None),
        ({"next_cursor": None}, None),
        ({}, None),
    ],
)
def test_the_end_is_a_page_without_a_cursor(told: dict[str, Any], cursor: str | None) -> None:
    assert page(answer({"data": [], **told})).result.cursor == cursor


def test_a_page_that_leads_nowhere_is_an_error() -> None:
    with pytest.raises(PaginationError, match="not where"):
        page(answer({"data": [], "has_more": True}))
    with pytest.raises(PayloadError, match="no list"):
        page(answer({"has_more": False}))


# starting


def test_a_start_returns_where_to_connect_and_hides_the_token() -> None:
    created = {"id": "c1", "status": {"type": "to_start"}, "livekit_url": "wss://l.example", "livekit_token": "secret"}
    done = drive(start(ACCOUNT, Start(agent="a1", options={"user_name": "Ada"})), answer(created))

    assert json.loads(done.requests[0].body or b"") == {"user_name": "Ada", "agent_id": "a1"}
    assert (done.result.conversation.id, done.result.join_url) == ("c1", "wss://l.example")
    assert done.result.token is not None
    assert done.result.token.reveal() == "secret"
    assert "livekit_token" in ADAPTER.secret_fields
    with pytest.raises(UnsupportedError, match="places no calls"):
        drive(start(ACCOUNT, Start(to="+15550100")))


# events


def test_the_evaluation_comes_with_the_end() -> None:
    told = event(
        event_type="call_ended",
        call_id="c1",
        user_name="Ada",
        evaluation={"topic": "pricing", "user_sentiment": "neutral", "duration_minutes": 1.25, "messages_count": 1},
        messages=[SAID],
    )
    read = told.conversation

    assert (told.kind, told.id, told.occurred_at) == (EventKind.ENDED, "c1:call_ended", None)
    assert read is not None
    assert (read.status, read.duration, read.estimated) == (Status.ENDED, 75.0, ("status", "direction"))
    assert read.analysis == Analysis(sentiment="neutral", collected={"topic": "pricing"})
    assert [turn.text for turn in read.transcript or ()] == ["Hello!"]


@pytest.mark.parametrize("members", [{}, {"messages": []}, {"messages": None, "evaluation": None}])
def test_an_end_without_messages_is_to_be_fetched(members: dict[str, Any]) -> None:
    told = event(event_type="call_ended", call_id="c1", **members)

    assert told.to_fetch == "beyond_presence:c1"
    assert told.conversation is not None
    assert told.conversation.transcript_state is TranscriptState.PENDING


def test_one_message_is_no_transcript() -> None:
    told = event(event_type="message", call_id="c1", message=SAID, call_data={"userName": "Ada", "agentId": "a1"})

    assert (told.kind, told.occurred_at, told.to_fetch) == (
        EventKind.UPDATED,
        T + timedelta(seconds=2),
        "beyond_presence:c1",
    )
    assert told.conversation is not None
    assert told.conversation.agent is not None
    assert (told.conversation.agent.id, told.conversation.participants[1].name) == ("a1", "Ada")


def test_messages_are_told_apart_by_who_said_what_and_when() -> None:
    variants = [
        SAID,
        {**SAID, "sender": "user"},
        {**SAID, "message": "Hi"},
        {**SAID, "sent_at": "2026-10-02T09:00:03Z"},
    ]
    found = [event(event_type="message", call_id="c1", message=said).id for said in (*variants, SAID)]

    assert len({*found}) == 4
    assert found[0] == found[-1]
    assert not any("Hello" in (id or "") for id in found)
    assert event(event_type="message", call_id="c1", message={"message": "Hi"}).id is None


def test_a_test_is_about_no_conversation() -> None:
    told = event(event_type="test")

    assert (told.kind, told.id, told.conversation_id, told.conversation) == (EventKind.OTHER, None, None, None)
