"""Bolna's traps: windows of seven days for each agent, trimmed rows, one text for a transcript, figures that are 0."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from conversations_hub.account import Account
from conversations_hub.adapter import Query, RawPage, Start
from conversations_hub.adapters.bolna import ADAPTER, events, get, list_page, normalize, refusal, start
from conversations_hub.errors import (
    AuthError,
    ForbiddenError,
    InvalidRefError,
    NotFoundError,
    PaginationError,
    PayloadError,
    UnsupportedError,
)
from conversations_hub.events import EventKind
from conversations_hub.schema import (
    Channel,
    Conversation,
    Direction,
    EndReason,
    Issue,
    ParticipantKind,
    Role,
    Status,
    ToolCall,
    ToolResult,
    TranscriptState,
)
from conversations_hub.testing import Driven, drive
from conversations_hub.wire import Response, target

ACCOUNT = Account("bolna", key="bolna-key-of-the-tests")
NOW = "Tue, 03 Nov 2026 12:00:00 GMT"
BEGIN = "2026-10-30T00:00:00Z"


def answer(body: object, status: int = 200, date: str | None = NOW) -> Response:
    return Response(status, {"date": date} if date else {}, json.dumps(body).encode())


def execution(**members: Any) -> Conversation:
    """Read what `get` returns."""
    body = {"id": "c1", "status": "completed", "conversation_duration": 41.0, "transcript": "user: Hi.", **members}
    return drive(get(ACCOUNT, "c1"), answer(body)).result


def hung_up(reason: str | None = None, by: str | None = None, **members: Any) -> Conversation:
    line = {"call_type": "outbound", "hangup_by": by, "hangup_reason": reason}
    return execution(telephony_data=line, **members)


def agents(**created: str | None) -> Response:
    return answer([{"id": id, "agent_name": id, "created_at": at} for id, at in created.items()])


def page(*rows: dict[str, Any], more: bool = False) -> Response:
    return answer({"data": [{"status": "completed", **row} for row in rows], "has_more": more})


def listed(*answers: Response | Exception, cursor: str | None = None, **query: Any) -> Driven[RawPage]:
    return drive(list_page(ACCOUNT, Query(**query), cursor), *answers)


def ids(listing: RawPage) -> list[str]:
    return [listing.normalize(raw).id for raw in listing.rows]


def asked(driven: Driven[RawPage]) -> list[str]:
    """Return the windows that were asked for."""
    queries = [request.query for request in driven.requests if "from" in request.query]
    return [f"{query['from']} {query['to']} {query['page_number']}" for query in queries]


# where a call stands


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("scheduled", Status.QUEUED),
        ("queued", Status.QUEUED),
        ("rescheduled", Status.QUEUED),
        ("initiated", Status.QUEUED),
        ("ringing", Status.RINGING),
        ("in-progress", Status.IN_PROGRESS),
        ("call-disconnected", Status.PROCESSING),
        ("completed", Status.ENDED),
        ("no-answer", Status.NO_ANSWER),
        ("busy", Status.NO_ANSWER),
        ("canceled", Status.CANCELLED),
        ("stopped", Status.CANCELLED),
        ("balance-low", Status.FAILED),
        ("failed", Status.FAILED),
        ("error", Status.FAILED),
        ("zz_unheard_of", Status.UNKNOWN),
        (None, Status.UNKNOWN),
    ],
)
def test_the_words_of_a_status(word: str | None, status: Status) -> None:
    read = execution(status=word)

    assert (read.status, read.provider_status) == (status, word)


def test_a_word_for_an_end_that_is_new_is_an_end() -> None:
    read = execution(status="finished")

    assert read.status is Status.ENDED
    assert "status" in read.estimated


def test_figures_of_a_call_that_is_not_settled_are_no_figures() -> None:
    read = execution(status="call-disconnected", conversation_duration=0, total_cost=0, transcript=None)

    assert (read.duration, read.cost, read.transcript_state) == (None, None, TranscriptState.PENDING)
    assert not read.is_finished


def test_a_call_that_nobody_answered_may_be_completed() -> None:
    read = hung_up("Call unanswered", "Carrier", conversation_duration=0, transcript="")

    assert (read.status, read.end_reason) == (Status.ENDED, EndReason.NO_ANSWER)
    assert (read.duration, read.transcript_state) == (0.0, TranscriptState.UNAVAILABLE)


@pytest.mark.parametrize(
    ("updated_at", "state"),
    [("2026-11-03T11:30:00Z", TranscriptState.PENDING), ("2026-11-03T10:30:00Z", TranscriptState.UNAVAILABLE)],
)
def test_a_call_that_took_its_time_may_get_its_transcript_for_an_hour(updated_at: str, state: TranscriptState) -> None:
    assert execution(transcript=None, updated_at=updated_at).transcript_state is state


def test_a_row_has_no_transcript_and_a_call_that_failed_never_gets_one() -> None:
    assert normalize(b'{"id": "c1", "status": "completed"}').transcript_state is TranscriptState.NOT_LOADED
    for word in ("failed", "busy", "stopped"):
        assert execution(status=word, transcript=None).transcript_state is TranscriptState.UNAVAILABLE


# why it ended


@pytest.mark.parametrize(
    ("reason", "by", "end_reason"),
    [
        ("inactivity_timeout", "Plivo", EndReason.SILENCE),
        ("llm_prompted_hangup", "Plivo", EndReason.AGENT_ENDED),
        ("End of inputs from Bolna", "Callee", EndReason.AGENT_ENDED),
        ("Call recipient was busy", "Callee", EndReason.BUSY),
        ("Carrier ended because call limit exceeded", "Carrier", EndReason.MAX_DURATION),
        ("Call timed out", None, EndReason.MAX_DURATION),
        ("Bolna Error", "Error", EndReason.ERROR),
        ("Call recipient hung up", "Callee", EndReason.CUSTOMER_ENDED),
        (None, "API Request", EndReason.API_ENDED),
        ("Call completed", "Carrier", EndReason.UNKNOWN),
        (None, None, None),
    ],
)
def test_who_hung_up_tells_why_unless_the_reason_does(
    reason: str | None, by: str | None, end_reason: EndReason | None
) -> None:
    assert hung_up(reason, by).end_reason is end_reason


def test_the_status_tells_why_first() -> None:
    assert hung_up("Call recipient hung up", "Callee", status="busy").end_reason is EndReason.BUSY
    assert hung_up("Call recipient hung up", "Callee", status="in-progress").end_reason is None
    assert hung_up("Call completed", answered_by_voice_mail=True).end_reason is EndReason.VOICEMAIL


def test_the_reason_of_all_carriers_goes_before_that_of_one() -> None:
    read = hung_up("Call recipient hung up", "Callee", termination_reason="example_reason")

    assert read.provider_end_reason == "example_reason"
    assert read.metadata["telephony"]["hangup_reason"] == "Call recipient hung up"


@pytest.mark.parametrize(("word", "is_transferred"), [("completed", True), (None, True), ("no-answer", False)])
def test_a_leg_to_a_person_is_a_transfer_if_somebody_answered(word: str | None, *, is_transferred: bool) -> None:
    leg = {"status": word, "to_number": "+15550100144"}
    read = execution(transfer_call_data=leg, telephony_data={"call_type": "inbound", "hangup_by": "Caller"})

    kinds = [one.kind for one in read.participants]
    assert (read.end_reason is EndReason.TRANSFERRED) is is_transferred
    assert (ParticipantKind.HUMAN_AGENT in kinds) is is_transferred
    assert is_transferred or read.metadata["transfer"]["to_number"] == "+15550100144"


# who took part


@pytest.mark.parametrize(
    ("word", "direction", "phones"),
    [
        ("outbound", Direction.OUTBOUND, ["+2", "+1"]),
        ("inbound", Direction.INBOUND, ["+1", "+2"]),
        (None, Direction.UNKNOWN, [None, None]),
    ],
)
def test_the_direction_tells_whose_number_is_whose(
    word: str | None, direction: Direction, phones: list[str | None]
) -> None:
    read = execution(telephony_data={"to_number": "+1", "from_number": "+2", "call_type": word})

    assert (read.direction, [one.phone for one in read.participants]) == (direction, phones)
    assert ("to_number" in read.metadata.get("telephony", {})) is (direction is Direction.UNKNOWN)


@pytest.mark.parametrize(
    ("line", "channel"),
    [
        ({"provider": "web-call"}, Channel.WEB),
        ({"provider": "websocket"}, Channel.WEB),
        ({"provider": "plivo"}, Channel.PHONE),
        ({"to_number": "+1"}, Channel.PHONE),
        (None, Channel.UNKNOWN),
    ],
)
def test_the_carrier_tells_the_channel(line: dict[str, str] | None, channel: Channel) -> None:
    assert execution(telephony_data=line).channel is channel


# what was said


def test_a_line_without_a_known_label_belongs_to_the_one_before() -> None:
    read = execution(transcript="Assistant: Hello.\nAgent: Again.\nuser: At\nAddress: 5 Elm Street\n")

    assert read.transcript is not None
    assert [(turn.role, turn.text) for turn in read.transcript] == [
        (Role.ASSISTANT, "Hello."),
        (Role.ASSISTANT, "Again."),
        (Role.USER, "At\nAddress: 5 Elm Street"),
    ]
    assert "transcript" in read.estimated


def test_a_transcript_may_be_a_list() -> None:
    read = execution(transcript=[{"role": "assistant", "content": "Hello."}, None])

    assert read.transcript is not None
    assert [turn.text for turn in read.transcript] == ["Hello."]
    assert read.issues == (Issue("transcript[1]", "null"),)
    assert "transcript" not in read.estimated


def test_a_transcript_that_is_neither_is_an_issue() -> None:
    read = execution(transcript=7)

    assert (read.transcript, read.issues) == (None, (Issue("transcript", "neither text nor a list"),))


@pytest.mark.parametrize(
    ("line", "call"),
    [
        (
            "{'id': 'c1', 'type': 'function', 'function': {'name': 'look', 'arguments': '{\"a\": \"it\\'s\"}'}}",
            ToolCall(id="c1", name="look", arguments='{"a": "it\'s"}'),
        ),
        (
            "Call(id='c1', function=Function(arguments='{}', name='look'))",
            ToolCall(id="c1", name="look", arguments="{}"),
        ),
        ("look it up", ToolCall(arguments="look it up")),
    ],
)
def test_a_tool_call_is_a_line_as_python_prints_it(line: str, call: ToolCall) -> None:
    read = execution(transcript=f"assistant_tool_call: {line}\ntool_response: (c1): found\ntool_response: lost\n")

    assert read.transcript is not None
    said, found, lost = read.transcript
    assert (said.role, said.text, said.tool_calls) == (Role.ASSISTANT, "", (call,))
    assert (found.role, found.text) == (Role.TOOL, "")
    assert found.tool_result == ToolResult(call_id="c1", content="found")
    assert lost.tool_result == ToolResult(content="lost")


def test_latencies_have_no_sure_place_in_the_lines() -> None:
    read = execution(latency_data={"llm": {"turns": [{"turn": 1, "time_to_first_token": 640.0}]}})

    assert read.transcript is not None
    assert read.transcript[0].metrics is None
    assert read.metadata["latency_data"]["llm"]["turns"][0]["turn"] == 1


def test_no_instant_is_made_of_the_request_s() -> None:
    read = execution(created_at=BEGIN)

    assert (read.started_at, read.ended_at) == (None, None)


# the walk


def test_a_walk_goes_back_in_windows_of_seven_days_to_the_agent_s_beginning() -> None:
    walk = listed(agents(a="2026-10-15T00:00:00Z"), page(), page(), page({"id": "c1"}))

    assert ids(walk.result) == ["c1"]
    assert walk.result.cursor is None
    assert asked(walk) == [
        "2026-10-27T12:00:00Z 2026-11-03T12:00:00Z 1",
        "2026-10-20T12:00:00Z 2026-10-27T12:00:00Z 1",
        "2026-10-15T00:00:00Z 2026-10-20T12:00:00Z 1",
    ]


def test_no_window_is_wider_than_seven_days() -> None:
    walk = listed(agents(a="2025-01-01T00:00:00Z"), *[page() for _ in range(96)])

    for window in asked(walk):
        begin, end, _ = window.split()
        assert datetime.fromisoformat(end) - datetime.fromisoformat(begin) <= timedelta(days=7)
    assert asked(walk)[-1].startswith("2025-01-01T00:00:00Z ")


def test_since_and_until_narrow_the_walk() -> None:
    since, until = datetime(2026, 10, 31, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC)

    assert asked(listed(agents(a=BEGIN), page(), since=since, until=until)) == [
        "2026-10-31T00:00:00Z 2026-11-02T00:00:00Z 1"
    ]
    before = listed(agents(a=BEGIN), until=datetime(2026, 10, 1, tzinfo=UTC))
    assert (asked(before), before.result.rows) == ([], ())


def test_agents_without_calls_make_no_pages() -> None:
    walk = listed(agents(a=BEGIN, b=BEGIN, c=BEGIN), page(), page(), page({"id": "c1"}))

    assert (ids(walk.result), walk.result.cursor) == (["c1"], None)


def test_a_row_at_the_edge_of_two_windows_comes_once() -> None:
    at_the_edge = {"id": "c1", "created_at": "2026-10-27T12:00:00Z"}
    first = listed(agents(a="2026-10-25T00:00:00Z"), page({"id": "c2"}, at_the_edge))
    assert ids(first.result) == ["c2", "c1"]

    second = listed(page(at_the_edge, {"id": "c0"}), cursor=first.result.cursor)
    assert ids(second.result) == ["c0"]


def test_the_newest_window_ends_where_the_walk_began() -> None:
    first = listed(agents(a=BEGIN), page({"id": "c2"}, more=True))
    second = listed(page({"id": "c1"}), cursor=first.result.cursor)

    assert asked(first) == ["2026-10-30T00:00:00Z 2026-11-03T12:00:00Z 1"]
    assert asked(second) == ["2026-10-30T00:00:00Z 2026-11-03T12:00:00Z 2"]


def test_a_row_belongs_to_the_agent_whose_list_it_is_in() -> None:
    [row] = (listing := listed(agents(a=BEGIN), page({"id": "c1"})).result).rows
    agent = listing.normalize(row).agent

    assert agent is not None
    assert agent.id == "a"


def test_an_agent_that_is_gone_has_no_calls() -> None:
    assert listed(agents(a=BEGIN), agent="b").result.rows == ()
    walk = listed(agents(a=BEGIN, b=BEGIN), NotFoundError("no such agent"), page({"id": "c1"}))
    assert ids(walk.result) == ["c1"]


def test_without_a_date_the_walk_cannot_begin() -> None:
    dateless = answer([{"id": "a", "created_at": BEGIN}], date=None)
    with pytest.raises(PaginationError, match="give until"):
        listed(dateless)
    with pytest.raises(PaginationError, match="give since"):
        listed(agents(a=None))
    until = datetime(2026, 11, 2, tzinfo=UTC)
    assert asked(listed(dateless, page(), until=until)) == ["2026-10-30T00:00:00Z 2026-11-02T00:00:00Z 1"]


@pytest.mark.parametrize("size", [1, 2])
def test_a_list_without_an_envelope_ends_with_a_short_page(size: int) -> None:
    walk = listed(agents(a=BEGIN), answer([{"id": "c1"}]), page_size=size)

    assert (walk.result.cursor is None) is (size == 2)


def test_a_page_without_rows_ends_its_window_whatever_it_says() -> None:
    assert listed(agents(a=BEGIN), page(more=True)).result.cursor is None
    with pytest.raises(PayloadError, match="no list"):
        listed(agents(a=BEGIN), answer({"has_more": False}))


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (Status.ENDED, "completed"),
        (Status.PROCESSING, "call-disconnected"),
        (Status.QUEUED, None),  # four words, and only one can be asked for
        (Status.FAILED, None),
        (Status.UNKNOWN, None),
    ],
)
def test_a_status_is_asked_for_if_one_word_means_it(status: Status, word: str | None) -> None:
    assert listed(agents(a=BEGIN), page(), status=status).requests[-1].query["status"] == word


def test_voicemails_are_not_asked_for() -> None:
    assert "answered_by_voice_mail" not in listed(agents(a=BEGIN), page()).requests[-1].query


@pytest.mark.parametrize("place", ["7", '["soon", 1, "then"]', '["2026-11-03T12:00:00", 1, "2026-11-03T12:00:00"]'])
def test_a_cursor_of_another_make_is_refused(place: str) -> None:
    with pytest.raises(InvalidRefError, match="invalid Bolna cursor"):
        listed(cursor=json.dumps(["a", place]))


# what else it does


def test_a_call_goes_to_a_number() -> None:
    with pytest.raises(UnsupportedError):
        drive(start(ACCOUNT, Start(agent="a")))
    placed = drive(
        start(ACCOUNT, Start(agent="a", to="+1")), answer({"message": "done", "status": "queued", "execution_id": "c1"})
    )
    [request] = placed.requests
    assert target(request, "") == "/call"
    assert json.loads(request.body or b"") == {"agent_id": "a", "recipient_phone_number": "+1"}
    assert not request.is_safe


@pytest.mark.parametrize(
    ("words", "kind"), [("Invalid API key", AuthError), ("Not your agent", ForbiddenError), (None, ForbiddenError)]
)
def test_a_403_is_about_the_key_if_it_says_so(words: str | None, kind: type[Exception]) -> None:
    assert type(refusal(answer({"detail": words}, 403))) is kind


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("ringing", EventKind.UPDATED),
        ("in-progress", EventKind.STARTED),
        ("call-disconnected", EventKind.ENDED),
        ("completed", EventKind.TRANSCRIPT_READY),
        (None, EventKind.UPDATED),
    ],
)
def test_a_delivery_is_of_the_kind_of_its_status(word: str | None, kind: EventKind) -> None:
    [event] = events(json.dumps({"id": 4821, "status": word, "updated_at": BEGIN}).encode())

    assert (event.kind, event.conversation_id) == (kind, "4821")
    assert event.id == (f"4821:{word}:2026-10-30T00:00:00+00:00" if word else None)


def test_a_cost_is_in_cents() -> None:
    cost = execution(total_cost=6.4).cost

    assert cost is not None
    assert (str(cost.amount), cost.unit) == ("0.064", "USD")


def test_a_bolna_call_shows_its_recording_without_the_key() -> None:
    url = "https://bolna-call-recordings.s3.us-east-1.amazonaws.com/x.mp3"
    assert [one.location for one in execution(telephony_data={"recording_url": url}).recordings] == [url]
    assert execution(telephony_data={"recording_url": ""}).recordings == ()
    assert ADAPTER.recording is None
