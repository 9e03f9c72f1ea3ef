"""LiveAvatar's traps: two lists of one kind, an envelope whose success has two numbers, times without units."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from conversations_hub import Conversation, errors
from conversations_hub._scrub.members import scrubbed
from conversations_hub.account import Account
from conversations_hub.adapter import Query, RawPage, Start
from conversations_hub.adapters.liveavatar import ADAPTER, delete, end, get, list_page, normalize, start
from conversations_hub.schema import Agent, EndReason, Status, TranscriptState
from conversations_hub.testing import Driven, WrongNumberOfAnswers, drive
from conversations_hub.wire import Response, target

from ..support import exchanges

CASES = exchanges.cases("liveavatar")
ACCOUNT = Account("liveavatar", key="key-of-the-tests")
ID = "0f7a3b9e-51a4-4c39-8d55-0a4f9a3d7c11"
T = datetime(2026, 10, 2, 9, tzinfo=UTC)
BEGAN = int(T.timestamp())


def at(seconds: float) -> str:
    return (T + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def http_date(moment: datetime) -> str:
    return moment.strftime("%a, %d %b %Y %H:%M:%S GMT")


def answer(data: object, *, code: int = 100, date: datetime | None = None, message: str | None = None) -> Response:
    body = {"code": code, "data": data, "message": message}
    return Response(200, {"date": http_date(date)} if date else {}, json.dumps(body).encode())


def sent(**members: Any) -> dict[str, Any]:
    return {"id": ID, "created_at": at(0), "mode": "FULL", **members}


ENDED: dict[str, Any] = {"end_at": at(121), "end_reason": "USER_CLOSED", "duration": 121}


def row(listed: str | None = "historic", **members: Any) -> Conversation:
    return normalize(json.dumps(sent(**members)).encode(), listed=listed)


def said(text: str, seconds: float, *, unit: int = 1, role: str = "user") -> dict[str, Any]:
    return {
        "role": role,
        "transcript": text,
        "absolute_timestamp": (BEGAN + seconds) * unit,
        "relative_timestamp": seconds * unit,
    }


def window(*entries: dict[str, Any], following: int | None = None, active: bool = False) -> Response:
    return answer({"session_active": active, "next_timestamp": following, "transcript_data": entries})


def got(
    *windows: Response | Exception, date: datetime | None = T + timedelta(hours=3), **members: Any
) -> Driven[Conversation]:
    return drive(get(ACCOUNT, ID), answer(sent(**members), date=date), *windows)


def texts(driven: Driven[Conversation]) -> list[str]:
    return [turn.text for turn in driven.result.transcript or ()]


def asked(driven: Driven[Any]) -> list[str]:
    return [target(request, "") for request in driven.requests]


def listed(data: object, query: Query | None = None, cursor: str | None = None) -> Driven[RawPage]:
    return drive(list_page(ACCOUNT, query or Query(), cursor), answer(data))


# the envelope


@pytest.mark.parametrize("code", [100, 1000, 0, 200])
def test_data_is_a_success_whatever_the_code(code: int) -> None:
    assert drive(get(ACCOUNT, ID), answer(sent(mode="LITE"), code=code)).result.id == ID


@pytest.mark.parametrize("code", [4001, 0, 404])
def test_no_data_and_another_code_is_a_refusal_in_the_provider_s_words(code: int) -> None:
    refused = answer(None, code=code, message="Session is gone")
    for flow in (get(ACCOUNT, ID), end(ACCOUNT, ID), delete(ACCOUNT, ID, {}), list_page(ACCOUNT, Query(), None)):
        with pytest.raises(errors.RejectedError, match="Session is gone"):
            drive(flow, refused)


def test_success_without_data_is_fine_where_none_is_due_and_no_session_elsewhere() -> None:
    for code in (100, 1000):
        drive(end(ACCOUNT, ID), answer(None, code=code))
        drive(delete(ACCOUNT, ID, {}), answer(None, code=code))
        with pytest.raises(errors.PayloadError, match="no data"):
            drive(get(ACCOUNT, ID), answer(None, code=code))
    drive(end(ACCOUNT, ID), Response(200, {}, b""))


# the list


def test_active_sessions_come_before_historic_ones() -> None:
    first = listed({"count": 0, "results": []})
    assert asked(first) == ["/v1/sessions?type=active&page=1&page_size=100"]
    assert first.result.cursor == "historic:1:0"
    last = listed({"count": 0, "results": []}, cursor="historic:1:0")
    assert (asked(last), last.result.cursor) == (["/v1/sessions?type=historic&page=1&page_size=100"], None)


@pytest.mark.parametrize(
    ("status", "lists"),
    [
        (Status.IN_PROGRESS, ["active"]),
        (Status.ENDED, ["historic"]),
        (Status.FAILED, ["historic"]),
        (Status.UNKNOWN, ["active", "historic"]),
    ],
)
def test_a_status_may_need_only_one_list(status: Status, lists: list[str]) -> None:
    cursor: str | None = None
    seen: list[str] = []
    while not seen or cursor:
        page = listed({"count": 0, "results": []}, Query(status=status), cursor)
        seen.append(asked(page)[0].partition("type=")[2].partition("&")[0])
        cursor = page.result.cursor
    assert seen == lists


PAGES: list[tuple[dict[str, Any], str | None]] = [
    ({"count": 3, "results": [{}], "next": "https://elsewhere.example/?page=9"}, "historic:3:2"),
    ({"count": 3, "results": [{}]}, "historic:3:2"),
    ({"count": 2, "results": [{}], "next": "2"}, "historic:3:2"),
    ({"count": 2, "results": [{}], "next": ""}, None),
    ({"count": 9, "results": [], "next": "2"}, None),
    ({"results": [{}]}, None),
]


@pytest.mark.parametrize(("data", "cursor"), PAGES)
def test_pages_are_counted_while_anything_says_that_there_are_more(data: object, cursor: str | None) -> None:
    assert listed(data, cursor="historic:2:1").result.cursor == cursor


def test_an_avatar_that_was_asked_for_is_the_agent_of_every_row() -> None:
    page = listed({"count": 1, "results": [sent()]}, Query(agent="avatar-1", options={"context_id": "c-1"}))
    found = page.result.normalize(page.result.rows[0])
    assert asked(page) == ["/v1/sessions?context_id=c-1&avatar_id=avatar-1&type=active&page=1&page_size=100"]
    assert found.agent == Agent(id="avatar-1")
    assert "agent" in found.estimated
    assert row().agent is None


# where a session stands


def test_the_list_says_where_a_session_stands_and_a_session_alone_only_hints() -> None:
    assert (row("active").status, row("historic").status) == (Status.IN_PROGRESS, Status.ENDED)
    assert row("historic", end_reason="SERVER_ERROR").status is Status.FAILED
    assert "status" not in row("active").estimated
    alone = got(window(active=True)).result
    assert (alone.status, alone.provider_status) == (Status.IN_PROGRESS, "active")
    assert {"status", "provider_status"} <= {*alone.estimated}
    assert got(window()).result.status is Status.ENDED
    assert got(window(), **ENDED).result.status is Status.ENDED


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("USER_DISCONNECTED", EndReason.CUSTOMER_ENDED),
        ("AGENT_HANG_UP", EndReason.AGENT_ENDED),
        ("IDLE_TIMEOUT", EndReason.SILENCE),
        ("MAX_DURATION_REACHED", EndReason.MAX_DURATION),
        ("ZOMBIE_SESSION_REAP", EndReason.ERROR),
        ("UNKNOWN", EndReason.UNKNOWN),
        ("ZZ_NEW", EndReason.UNKNOWN),
        (None, None),
    ],
)
def test_why_it_ended(word: str | None, reason: EndReason | None) -> None:
    found = row(end_reason=word)
    assert (found.end_reason, found.provider_end_reason) == (reason, word)


# times without units


@pytest.mark.parametrize("unit", [1, 1000])
def test_instants_and_offsets_are_read_in_the_unit_that_agrees(unit: int) -> None:
    turns = got(window(said("a", 2, unit=unit), said("b", 6, unit=unit)), **ENDED).result.transcript or ()
    assert [(turn.start, turn.timestamp) for turn in turns] == [(2.0, BEGAN + 2.0), (6.0, BEGAN + 6.0)]


def test_instants_in_milliseconds_do_not_make_offsets_milliseconds() -> None:
    entry = {**said("a", 6, unit=1000), "relative_timestamp": 4}
    turns = got(window(entry), **ENDED).result.transcript or ()
    assert [(turn.start, turn.timestamp) for turn in turns] == [(4.0, BEGAN + 6.0)]


def test_a_duration_is_in_seconds_unless_only_milliseconds_agree() -> None:
    assert row(end_at=at(121), duration=121).duration == 121.0
    assert row(end_at=at(121), duration=121_000).duration == 121.0
    assert row("active", duration=30).duration == 30.0


# the transcript, by windows


def test_a_window_begins_where_the_one_before_says_and_what_both_have_is_said_once() -> None:
    first = window(said("a", 1), said("b", 5), following=BEGAN + 5)
    second = window(said("b", 5), said("b", 6), following=BEGAN + 6)
    third = window(said("b", 6), following=BEGAN + 6)
    found = got(first, second, third, **ENDED)
    assert texts(found) == ["a", "b", "b"]
    begins = [url.partition("?")[2] for url in asked(found)[1:]]
    assert begins == ["", f"start_timestamp={BEGAN + 5}", f"start_timestamp={BEGAN + 6}"]


def test_what_is_said_twice_in_one_window_is_said_twice() -> None:
    assert texts(got(window(said("Yes.", 1), said("Yes.", 1)), **ENDED)) == ["Yes.", "Yes."]


def test_a_running_session_is_not_followed_into_the_present() -> None:
    found = got(
        window(said("a", 1), following=BEGAN + 2, active=True),
        window(following=BEGAN + 3, active=True),
    )
    assert (texts(found), found.result.transcript_state) == (["a"], TranscriptState.PENDING)


def test_silence_in_an_ended_session_is_no_end_of_it() -> None:
    windows = [window(said("a", 1), following=BEGAN + 60), window(following=BEGAN + 90), window(said("b", 99))]
    assert texts(got(*windows, **ENDED)) == ["a", "b"]


def test_a_provider_that_always_names_a_next_window_is_not_asked_for_ever() -> None:
    repeated = [window(said("a", 1), following=BEGAN + number) for number in range(2, 30)]
    with pytest.raises(WrongNumberOfAnswers, match="answers left"):
        got(*repeated, **ENDED)
    assert texts(got(*repeated[:5], **ENDED)) == ["a"]


def test_a_next_window_that_nobody_can_find_is_no_end() -> None:
    unreadable = answer({"transcript_data": [said("a", 1)], "next_timestamp": "soon"})
    with pytest.raises(errors.PaginationError):
        got(unreadable, **ENDED)


def test_a_session_in_lite_mode_is_not_asked_for_a_transcript() -> None:
    found = got(mode="LITE", **ENDED)
    assert len(found.requests) == 1
    assert found.result.transcript_state is TranscriptState.UNAVAILABLE
    assert row(mode="LITE").transcript_state is TranscriptState.UNAVAILABLE
    assert row().transcript_state is TranscriptState.NOT_LOADED


@pytest.mark.parametrize(
    ("later", "members", "state"),
    [
        (timedelta(minutes=10), ENDED, TranscriptState.PENDING),
        (timedelta(hours=3), ENDED, TranscriptState.AVAILABLE),
        (timedelta(hours=3), {**ENDED, "created_at": "2025-11-01T00:00:00Z"}, TranscriptState.UNAVAILABLE),
    ],
)
def test_a_transcript_without_entries(later: timedelta, members: dict[str, Any], state: TranscriptState) -> None:
    found = got(window(), date=T + later, **members).result
    assert (found.transcript, found.transcript_state) == (() if state is TranscriptState.AVAILABLE else None, state)


NOT_THERE = errors.NotFoundError("no transcript", status=404)


@pytest.mark.parametrize(
    ("later", "members", "state"),
    [
        (timedelta(seconds=30), {}, TranscriptState.PENDING),
        (timedelta(minutes=10), ENDED, TranscriptState.PENDING),
        (timedelta(hours=3), ENDED, TranscriptState.UNAVAILABLE),
        (timedelta(minutes=10), {**ENDED, "created_at": "2025-11-01T00:00:00Z"}, TranscriptState.UNAVAILABLE),
    ],
)
def test_a_404_of_the_transcript_is_not_a_404_of_the_session(
    later: timedelta, members: dict[str, Any], state: TranscriptState
) -> None:
    found = got(NOT_THERE, date=T + later, **members).result
    assert (found.id, found.transcript, found.transcript_state) == (ID, None, state)


def test_a_transcript_that_the_key_may_not_read_is_restricted() -> None:
    refused = errors.ForbiddenError("not for you", status=403)
    assert got(refused, **ENDED).result.transcript_state is TranscriptState.RESTRICTED


# starting


def test_the_session_token_starts_the_session_and_is_shown_nowhere() -> None:
    case = CASES["start"]
    driven = drive(start(ACCOUNT, Start(agent="avatar-1")), *case.answers)
    _, second = driven.requests
    assert second.headers == {"Authorization": "Bearer invented-session-token"}
    assert "invented" not in repr(driven.result)
    token = driven.result.token
    assert token is not None
    assert token.reveal() == "invented-client-token"
    raw = driven.result.conversation.raw
    assert raw is not None
    assert raw.count(b"invented-") == 3
    assert b"invented-" not in scrubbed(raw, ADAPTER.secret_fields)


def test_nobody_is_called() -> None:
    with pytest.raises(errors.UnsupportedError):
        next(start(ACCOUNT, Start(agent="avatar-1", to="+15550100")))
