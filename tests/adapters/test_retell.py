"""Retell's traps: lists that are searches, calls without a start, cents and milliseconds, chats beside calls."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from conversations_hub import Account, Conversation, errors
from conversations_hub._scrub.members import scrubbed
from conversations_hub.adapter import Query, RawPage, Start, Started
from conversations_hub.adapters.retell import (
    ADAPTER,
    delete_call,
    delete_chat,
    end_call,
    end_chat,
    events,
    get_call,
    get_chat,
    list_calls,
    list_chats,
    normalize,
    refusal,
    send,
    start_call,
    start_chat,
)
from conversations_hub.events import Event, EventKind
from conversations_hub.schema import (
    Analysis,
    Channel,
    Cost,
    Direction,
    EndReason,
    ParticipantKind,
    RecordingAccess,
    Role,
    Status,
    ToolCall,
    ToolResult,
    TranscriptState,
    TranscriptTurn,
    Visibility,
    Word,
)
from conversations_hub.testing import Driven, Simulator, drive
from conversations_hub.testing.simulator._retell import SIMULATED
from conversations_hub.testing.simulator._world import Call
from conversations_hub.webhooks import verify
from conversations_hub.wire import Flow, Response, target

from ..support import exchanges
from ..support.clock import NOW, ManualClock
from ..support.iterators import collected
from ..support.simulated import simulated

CASES = exchanges.cases("retell")
ACCOUNT = Account("retell", key="key_test_0123456789")
NOTHING = Response(204, {}, b"")
MOMENT = 1793612405250
BEGAN = datetime(2026, 11, 2, 9, 40, 5, 250000, tzinfo=UTC)


def answer(body: Any, status: int = 200) -> Response:
    return Response(status, {}, json.dumps(body).encode())


def call(**members: Any) -> dict[str, Any]:
    return {"call_id": "call_1", "call_type": "phone_call", "call_status": "ended", **members}


def row(**members: Any) -> Conversation:
    return normalize(json.dumps(call(**members)).encode())


def whole(**members: Any) -> Conversation:
    return drive(get_call(ACCOUNT, "call_1"), answer(call(**members))).result


def turns(*items: Any, **members: Any) -> tuple[TranscriptTurn, ...]:
    found = whole(transcript_with_tool_calls=items, **members).transcript
    assert found is not None
    return found


def listed(
    reply: Response, query: Query | None = None, cursor: str | None = None, *, chats: bool = False
) -> Driven[RawPage]:
    list_page = list_chats if chats else list_calls
    return drive(list_page(ACCOUNT, query or Query(), cursor), reply)


def asked(query: Query, cursor: str | None = None, *, chats: bool = False) -> dict[str, Any]:
    (request,) = listed(answer({"items": [], "has_more": False}), query, cursor, chats=chats).requests
    found: dict[str, Any] = json.loads(request.body or b"")
    return found


def paths(flow: Flow[Any], *answers: Response) -> list[str]:
    return [f"{request.method} {target(request, '')}" for request in drive(flow, *answers).requests]


# what a list is


def test_a_list_is_a_search_that_may_be_asked_again() -> None:
    (request,) = listed(answer({"items": [], "has_more": False})).requests

    assert (request.method, request.path) == ("POST", "/v3/list-calls")
    assert request.is_safe
    assert json.loads(request.body or b"") == {"sort_order": "descending", "limit": 100}


def test_filters_are_typed_conditions() -> None:
    since, until = BEGAN, BEGAN + timedelta(days=1)

    assert asked(Query(agent="agent_1", status=Status.ENDED))["filter_criteria"] == {
        "agent": [{"agent_id": "agent_1"}],
        "call_status": {"type": "enum", "op": "in", "value": ["ended"]},
    }
    assert asked(Query(since=since))["filter_criteria"] == {
        "start_timestamp": {"type": "number", "op": "ge", "value": MOMENT - 1}
    }
    assert asked(Query(until=until))["filter_criteria"] == {
        "start_timestamp": {"type": "number", "op": "lt", "value": MOMENT + 86_400_000}
    }
    assert asked(Query(since=since, until=until))["filter_criteria"] == {
        "start_timestamp": {"type": "range", "op": "bt", "value": [MOMENT - 1, MOMENT + 86_400_000]}
    }


@pytest.mark.parametrize("status", [Status.FAILED, Status.NO_ANSWER, Status.CANCELLED])
def test_what_never_became_a_conversation_stands_under_two_words(status: Status) -> None:
    assert asked(Query(status=status))["filter_criteria"]["call_status"]["value"] == ["not_connected", "error"]
    chats = asked(Query(status=status), chats=True)
    assert chats["filter_criteria"]["chat_status"]["value"] == ["error"]


@pytest.mark.parametrize("status", [Status.QUEUED, Status.RINGING, Status.PROCESSING, Status.UNKNOWN])
def test_a_status_that_cannot_be_asked_for_is_left_to_the_hub(status: Status) -> None:
    assert "filter_criteria" not in asked(Query(status=status))


def test_options_are_passed_on_beside_our_own_filters() -> None:
    own = {"direction": {"type": "enum", "op": "in", "value": ["inbound"]}}
    found = asked(Query(agent="a", options={"sort_order": "ascending", "filter_criteria": own}))

    assert found["sort_order"] == "ascending"
    assert found["filter_criteria"] == {**own, "agent": [{"agent_id": "a"}]}


def test_only_has_more_ends_a_walk_whatever_keys_are_left_over() -> None:
    first, last = CASES["list"].answers

    assert listed(first).result.cursor == "b2ZmLXNldC1hZnRlci01ZDIwYjQ"
    assert json.loads(last.body)["pagination_key"]
    assert listed(last).result.cursor is None


@pytest.mark.parametrize(
    "position",
    [
        {},
        {"has_more": None},
        {"has_more": "perhaps"},
        {"has_more": []},
        {"has_more": True},
        {"has_more": True, "pagination_key": ""},
        {"has_more": True, "pagination_key": "same"},
    ],
    ids=str,
)
def test_a_walk_that_cannot_go_on_is_an_error_and_not_the_end(position: dict[str, Any]) -> None:
    with pytest.raises(errors.PaginationError):
        listed(answer({"items": [], **position}), cursor="same")


def test_a_list_without_items_is_none() -> None:
    with pytest.raises(errors.PayloadError):
        listed(answer({"has_more": False}))
    with pytest.raises(errors.RejectedError, match="Account is closed"):
        listed(answer({"status": "error", "message": "Account is closed"}))


@pytest.mark.parametrize("cursor", ["", "\ud800", "\n"])
def test_a_malformed_cursor_is_refused_before_anything_is_sent(cursor: str) -> None:
    flow = list_calls(ACCOUNT, Query(), cursor)
    with pytest.raises(errors.InvalidRefError, match="cursor"):
        next(flow)


@pytest.mark.parametrize(
    ("query", "may_miss"),
    [
        (Query(), False),
        (Query(status=Status.FAILED), False),
        (Query(since=BEGAN), True),
        (Query(until=BEGAN), True),
        (Query(since=BEGAN, status=Status.NO_ANSWER), True),
        (Query(since=BEGAN, status=Status.ENDED), False),
        (Query(since=BEGAN, status=Status.IN_PROGRESS), False),
    ],
)
def test_calls_without_a_start_may_be_missing_from_a_window_and_that_is_said(
    query: Query,
    may_miss: bool,  # noqa: FBT001
) -> None:
    warning = listed(answer({"items": [], "has_more": False}), query).result.warning

    assert listed(answer({"items": [], "has_more": False}), query, chats=True).result.warning is None
    assert (warning is not None) is may_miss
    assert not warning or "never connected" in warning


# chats beside calls


def test_chats_have_a_list_of_their_own() -> None:
    reply = answer({"items": [{"chat_id": "chat_1"}], "has_more": True, "pagination_key": "k:2"})
    first = listed(reply, chats=True)
    (following,) = listed(answer({"items": [], "has_more": False}), Query(), first.result.cursor, chats=True).requests

    assert first.requests[0].path == following.path == "/v3/list-chats"
    assert json.loads(following.body or b"")["pagination_key"] == "k:2"


def test_calls_and_chats_have_paths_of_their_own() -> None:
    found = answer({"call_id": "x"})

    assert paths(get_call(ACCOUNT, "call_1"), found) == ["GET /v2/get-call/call_1"]
    assert paths(get_chat(ACCOUNT, "chat_1"), found) == ["GET /get-chat/chat_1"]
    assert paths(end_call(ACCOUNT, "call_1"), NOTHING) == ["POST /v2/stop-call/call_1"]
    assert paths(end_chat(ACCOUNT, "chat_1"), NOTHING) == ["PATCH /end-chat/chat_1"]
    assert paths(delete_call(ACCOUNT, "call_1", {}), NOTHING) == ["DELETE /v2/delete-call/call_1"]
    assert paths(delete_chat(ACCOUNT, "chat_1", {}), NOTHING) == ["DELETE /delete-chat/chat_1"]


@pytest.mark.parametrize(
    ("id", "found"),
    [
        ("call_1", ("calls", "call_1")),
        ("119c3f8e47135a29", ("calls", "119c3f8e47135a29")),
        ("chat_1", ("chats", "chat_1")),
        ("chats:119c3f8e47135a29", ("chats", "119c3f8e47135a29")),
    ],
)
def test_an_id_says_whether_it_is_a_call_or_a_chat(id: str, found: tuple[str, str]) -> None:
    name, _, own = ADAPTER.resource_of(id)
    assert (name, own) == found


def test_a_chat_has_instants_of_its_own() -> None:
    chat = drive(get_chat(ACCOUNT, "chat_9be4c2"), CASES["get.chat_9be4c2"].answers[0]).result
    assert chat.transcript is not None

    assert (chat.channel, chat.direction, chat.agent and chat.agent.version) == (Channel.CHAT, Direction.UNKNOWN, "3")
    assert chat.duration == 95.5
    assert chat.estimated == ("duration", "transcript.start")
    assert [turn.start for turn in chat.transcript] == [0, 12.5, 12.75, 13, 13.5, 14.25]
    assert chat.transcript[1].started_at == BEGAN + timedelta(seconds=12.5)
    assert chat.transcript[1].provider_id == "msg_2"
    assert chat.transcript[3].tool_calls == (ToolCall(id="tc_20", name="opening_hours", arguments="{}"),)
    assert chat.text == "assistant: Welcome to Fern Dental.\nuser: When are you open?\nassistant: From 8 to 17."
    assert chat.cost == Cost(amount=Decimal("0.04"), unit="USD")


def test_a_message_from_before_the_start_has_an_instant_and_no_start() -> None:
    chat = {"chat_id": "chat_1", "start_timestamp": MOMENT}
    messages = [{"role": "agent", "content": "Hi", "created_timestamp": MOMENT + moved} for moved in (-1, 1)]
    found = drive(get_chat(ACCOUNT, "chat_1"), answer({**chat, "message_with_tool_calls": messages})).result.transcript
    assert found is not None

    assert [turn.start for turn in found] == [None, 0.001]
    assert found[0].timestamp == (MOMENT - 1) / 1000


# where a call stands


@pytest.mark.parametrize(
    ("word", "reason", "status", "end_reason"),
    [
        ("registered", None, Status.QUEUED, None),
        ("ongoing", None, Status.IN_PROGRESS, None),
        ("ended", "user_hangup", Status.ENDED, EndReason.CUSTOMER_ENDED),
        ("ended", "agent_hangup", Status.ENDED, EndReason.AGENT_ENDED),
        ("ended", "call_transfer", Status.ENDED, EndReason.TRANSFERRED),
        ("ended", "call_take_over", Status.ENDED, EndReason.TRANSFERRED),
        ("ended", "transfer_cancelled", Status.ENDED, EndReason.CANCELLED),
        ("ended", "voicemail_reached", Status.ENDED, EndReason.VOICEMAIL),
        ("ended", "inactivity", Status.ENDED, EndReason.SILENCE),
        ("ended", "max_duration_reached", Status.ENDED, EndReason.MAX_DURATION),
        ("ended", "manual_stopped", Status.ENDED, EndReason.API_ENDED),
        ("not_connected", "manual_stopped", Status.CANCELLED, EndReason.API_ENDED),
        ("not_connected", "dial_no_answer", Status.NO_ANSWER, EndReason.NO_ANSWER),
        ("not_connected", "dial_busy", Status.NO_ANSWER, EndReason.BUSY),
        ("not_connected", "user_declined", Status.NO_ANSWER, EndReason.NO_ANSWER),
        ("error", "error_user_not_joined", Status.NO_ANSWER, EndReason.NO_ANSWER),
        ("not_connected", "invalid_destination", Status.FAILED, EndReason.ERROR),
        ("error", "error_asr", Status.FAILED, EndReason.ERROR),
        ("error", "error_zz_unheard_of", Status.FAILED, EndReason.ERROR),
        ("ended", "zz_unheard_of", Status.ENDED, EndReason.UNKNOWN),
        ("zz_unheard_of", None, Status.UNKNOWN, None),
    ],
)
def test_the_reason_tells_what_a_failed_call_came_to(
    word: str, reason: str | None, status: Status, end_reason: EndReason | None
) -> None:
    found = row(call_status=word, disconnection_reason=reason)

    assert (found.status, found.provider_status) == (status, word)
    assert (found.end_reason, found.provider_end_reason) == (end_reason, reason)


def test_cents_milliseconds_and_seconds_stand_in_one_record() -> None:
    found = whole(
        start_timestamp=MOMENT,
        end_timestamp=MOMENT + 61_777,
        duration_ms=61_777,
        call_cost={"combined_cost": 18.2},
        transcript_with_tool_calls=[
            {"role": "user", "content": "Hi", "words": [{"word": "Hi", "start": 1, "end": 1.5}]}
        ],
    )

    assert (found.started_at, found.ended_at) == (BEGAN, BEGAN + timedelta(seconds=61.777))
    assert found.duration == 61.777
    assert found.cost == Cost(amount=Decimal("0.182"), unit="USD")
    assert found.transcript is not None
    assert (found.transcript[0].start, found.transcript[0].duration) == (1, 0.5)


def test_a_call_that_never_connected_has_no_instants() -> None:
    found = drive(get_call(ACCOUNT, "call_31fe09"), CASES["get.call_31fe09"].answers[0]).result

    assert (found.started_at, found.ended_at, found.duration) == (None, None, 0)
    assert (found.status, found.transcript_state) == (Status.NO_ANSWER, TranscriptState.UNAVAILABLE)
    assert found.issues == ()


def test_a_duration_that_is_not_told_is_counted_and_an_impossible_end_is_said() -> None:
    counted = row(start_timestamp=MOMENT, end_timestamp=MOMENT + 1500)
    impossible = row(start_timestamp=MOMENT, end_timestamp=MOMENT - 1)

    assert (counted.duration, counted.estimated) == (1.5, ("duration",))
    assert (impossible.ended_at, impossible.duration) == (None, None)
    assert [issue.place for issue in impossible.issues] == ["end_timestamp"]


@pytest.mark.parametrize(
    ("cents", "amount"),
    [(70, "0.7"), (0, "0"), (18.2, "0.182"), ("7.5", "0.075"), (0.1 + 0.2, "0.0030000000000000004")],
)
def test_costs_are_exact(cents: float | str, amount: str) -> None:
    assert row(call_cost={"combined_cost": cents}).cost == Cost(amount=Decimal(amount), unit="USD")


@pytest.mark.parametrize("cents", ["a lot", "nan", [], {}])
def test_an_unreadable_cost_is_said(cents: Any) -> None:
    found = row(call_cost={"combined_cost": cents})

    assert found.cost is None
    assert [issue.place for issue in found.issues] == ["call_cost.combined_cost"]


@pytest.mark.parametrize(
    ("direction", "agent", "customer"),
    [("outbound", "+15550100001", "+15550100123"), ("inbound", "+15550100123", "+15550100001"), (None, None, None)],
)
def test_whose_number_is_whose_hangs_on_the_direction(
    direction: str | None, agent: str | None, customer: str | None
) -> None:
    found = row(direction=direction, from_number="+15550100001", to_number="+15550100123")

    assert [participant.phone for participant in found.participants] == [agent, customer]
    assert ("from_number" in found.metadata) is (direction is None)


# what was said


def test_calls_and_results_are_linked_and_words_are_timed() -> None:
    found = drive(get_call(ACCOUNT, "call_77c0a1"), CASES["get.call_77c0a1"].answers[0]).result
    assert found.transcript is not None
    asking, answering = found.transcript[2:4]

    assert [turn.role for turn in found.transcript] == [
        *(Role.ASSISTANT, Role.USER, Role.ASSISTANT),
        *(Role.TOOL, Role.ASSISTANT, Role.USER),
    ]
    assert asking.tool_calls == (ToolCall(id="tc_1", name="lookup_visit", arguments='{"name":"Lee"}'),)
    assert answering.tool_result == ToolResult(call_id="tc_1", content='{"found":true,"day":"Tuesday"}', is_error=False)
    assert answering.text == ""
    assert found.transcript[0].words[0] == Word(text="Hi,", start=0.5, duration=0.25)
    assert found.transcript[4].start == 6.5
    assert found.transcript[4].duration == 2.25
    assert found.estimated == ("transcript.start", "transcript.duration")
    assert found.analysis == Analysis(success=True, sentiment="Positive", collected={"visit_day": "Tuesday"})


def test_arguments_may_be_empty_and_results_plain_text() -> None:
    asking, failing, unsaid = turns(
        {"role": "tool_call_invocation", "tool_call_id": "t", "name": "end_call", "arguments": ""},
        {"role": "tool_call_result", "tool_call_id": "t", "content": "timed out", "successful": False},
        {"role": "tool_call_result", "tool_call_id": "t", "content": None},
    )

    assert asking.tool_calls == (ToolCall(id="t", name="end_call", arguments=""),)
    assert failing.tool_result == ToolResult(call_id="t", content="timed out", is_error=True)
    assert unsaid.tool_result == ToolResult(call_id="t")


def test_steps_of_the_flow_are_kept_out_of_the_text() -> None:
    step = {"former_node_id": "n1", "former_node_name": "Hello", "new_node_id": "n2", "new_node_name": "Triage"}
    stepping, injected, message, pressed, unsaid = turns(
        {"role": "node_transition", **step, "transition_type": "global"},
        {"role": "injected", "content": "A ticket was opened.", "time_sec": 4.5},
        {"role": "sms", "content": "A photo.", "time_sec": 5, "multimedia": [{"url": "https://media.example.com/1"}]},
        {"role": "dtmf", "digit": "#"},
        {"role": "injected"},
    )

    assert json.loads(stepping.text) == {**step, "transition_type": "global"}
    assert (stepping.role, stepping.visibility) == (Role.SYSTEM, Visibility.INTERNAL)
    assert (injected.role, injected.start, injected.visibility) == (Role.SYSTEM, 4.5, Visibility.INTERNAL)
    assert (message.role, message.start, message.visibility) == (Role.SYSTEM, 5, Visibility.PUBLIC)
    assert (pressed.role, pressed.text, pressed.participant) == (Role.USER, "#", 1)
    assert unsaid.text == ""


def test_who_takes_over_is_a_participant() -> None:
    said: dict[str, Any] = {"role": "transfer_target", "content": "I take over.", "words": []}
    by_phone = whole(transfer_destination="+15550100190", transcript_with_tool_calls=[said])
    by_sip = whole(transfer_destination="sip:desk@example.com;transport=tls")
    unnamed = whole(transcript_with_tool_calls=[said, said])

    assert by_phone.transcript is not None
    assert (by_phone.transcript[0].role, by_phone.transcript[0].participant) == (Role.HUMAN_AGENT, 2)
    assert by_phone.participants[2].kind is ParticipantKind.HUMAN_AGENT
    assert by_phone.participants[2].phone == "+15550100190"
    assert by_sip.participants[2].phone is None
    assert by_sip.metadata["transfer_destination"] == "sip:desk@example.com;transport=tls"
    assert [one.kind for one in unnamed.participants[2:]] == [ParticipantKind.HUMAN_AGENT]


def test_an_unknown_role_is_nobodys_but_its_word_is_kept() -> None:
    found = whole(
        transcript_with_tool_calls=[{"role": "supervisor", "content": "Be brief."}, {"content": "Who?"}, None]
    )
    assert found.transcript is not None
    first, second = found.transcript

    assert first.role is second.role is Role.UNKNOWN
    assert first.participant == 2
    assert found.participants[2].name == "supervisor"
    assert second.participant is None
    assert [issue.place for issue in found.issues] == ["transcript_with_tool_calls[2]"]


INVOKED = {"role": "tool_call_invocation", "tool_call_id": "t1", "name": "crm_lookup", "type": "integration_app"}
ANSWERED = {"role": "tool_call_result", "tool_call_id": "t1", "content": "{}", "successful": True}
SPOKEN: list[dict[str, Any]] = [{"role": "agent", "content": "Hi."}, {"role": "user", "content": "Hello."}]


@pytest.mark.parametrize(
    ("id", "spoken", "before", "after"),
    [
        (
            "call_id",
            "transcript_with_tool_calls",
            "pre_session_transcript_with_tool_calls",
            "post_session_transcript_with_tool_calls",
        ),
        (
            "call_id",
            "transcript_object",
            "scrubbed_pre_session_transcript_with_tool_calls",
            "scrubbed_post_session_transcript_with_tool_calls",
        ),
        (
            "chat_id",
            "message_with_tool_calls",
            "pre_session_message_with_tool_calls",
            "scrubbed_post_session_message_with_tool_calls",
        ),
    ],
)
def test_tools_used_before_and_after_a_session_stand_around_what_was_said(
    id: str, spoken: str, before: str, after: str
) -> None:
    body = {id: "call_1", spoken: SPOKEN, before: [INVOKED, ANSWERED], after: [INVOKED, None, 7]}
    found = drive(get_call(ACCOUNT, "call_1"), answer(body)).result
    assert found.transcript is not None

    assert [turn.role for turn in found.transcript] == [
        Role.ASSISTANT,
        Role.TOOL,
        Role.ASSISTANT,
        Role.USER,
        Role.ASSISTANT,
    ]
    assert [turn.index for turn in found.transcript] == [0, 1, 2, 3, 4]
    assert {(issue.place, issue.reason) for issue in found.issues} == {
        (f"{after}[1]", "null"),
        (f"{after}[2]", "not an object"),
    }


def test_of_two_forms_of_the_tools_beside_a_session_the_plain_one_is_read() -> None:
    plain, scrubbed_too = {**INVOKED, "arguments": "plain"}, {**INVOKED, "arguments": "scrubbed"}
    found = whole(
        transcript_with_tool_calls=SPOKEN,
        pre_session_transcript_with_tool_calls=[plain],
        scrubbed_pre_session_transcript_with_tool_calls=[scrubbed_too],
    )
    assert found.transcript is not None
    assert [call.arguments for turn in found.transcript for call in turn.tool_calls] == ["plain"]


def test_tools_beside_a_session_of_which_nothing_is_told_are_kept_all_the_same() -> None:
    found = whole(post_session_transcript_with_tool_calls=[INVOKED])

    assert (found.transcript, found.transcript_state) == (None, TranscriptState.PENDING)
    assert found.metadata["post_session_transcript_with_tool_calls"] == [INVOKED]


def test_backchannels_are_told_from_turns() -> None:
    remarks = {"response_id": 3, "interrupt_id": 1, "is_backchannel": True, "backup_model_used": {"model": "m"}}
    items = [SPOKEN[0], {**SPOKEN[0], "content": "Mhm.", "metadata": remarks}, {**SPOKEN[1], "metadata": "odd"}]
    found = whole(transcript_with_tool_calls=items, pre_session_transcript_with_tool_calls=[INVOKED])

    assert found.metadata["backchannels"] == [2]
    assert found.transcript is not None
    assert found.transcript[2].text == "Mhm."
    assert "backchannels" not in whole(transcript_with_tool_calls=SPOKEN).metadata


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("budget_reached", EndReason.ERROR),
        ("credit_exhausted", EndReason.ERROR),
        ("network_blocked", EndReason.ERROR),
        ("user_requested_callback", EndReason.CUSTOMER_ENDED),
        ("user_requested_dnc", EndReason.CUSTOMER_ENDED),
    ],
)
def test_the_newer_reasons_for_an_end_are_known(word: str, reason: EndReason) -> None:
    assert row(disconnection_reason=word).end_reason is reason


@pytest.mark.parametrize(
    ("words", "start", "duration"),
    [
        ([], None, None),
        ([{"word": "a"}], None, None),
        ([{"word": "a", "start": 2}], 2, None),
        ([{"word": "a", "end": 2}], None, None),
        ([{"word": "a", "start": 2, "end": 1}], 2, None),
        ([{"word": "a", "start": 2, "end": 3}, {"start": 4, "end": 4.5}], 2, 2.5),
        ([None, {"word": "a", "start": 2, "end": 3}], None, None),
    ],
)
def test_words_may_be_missing_in_every_way(words: list[Any], start: float | None, duration: float | None) -> None:
    (turn,) = turns({"role": "user", "content": "a", "words": words})

    assert (turn.start, turn.duration) == (start, duration)
    assert len(turn.words) == sum(word is not None for word in words)
    assert all(word.duration is None or word.duration >= 0 for word in turn.words)


def test_the_fullest_transcript_is_taken_and_the_scrubbed_one_where_there_is_no_other() -> None:
    def said(text: str) -> list[dict[str, Any]]:
        return [{"role": "user", "content": text, "words": []}]

    members = {
        "transcript_with_tool_calls": said("whole"),
        "scrubbed_transcript_with_tool_calls": said("scrubbed"),
        "transcript_object": said("spoken"),
        "transcript": "User: plain\n",
    }
    for gone, text in (("", "whole"), *zip(members, ("scrubbed", "spoken", "plain"), strict=False)):
        members.pop(gone, None)
        found = whole(**members)
        assert found.transcript is not None
        assert [turn.text for turn in found.transcript] == [text]
        assert ("transcript" in found.estimated) is (text == "plain")
    assert whole(transcript_with_tool_calls=[], transcript_object=said("spoken")).text == "user: spoken"


def test_plain_text_is_parsed_as_a_last_resort() -> None:
    plain = "(a beep)\nAgent: One moment.\nUser: Hello?\nAre you there?\nAgent: Yes: I am.\n"
    found = whole(transcript=plain).transcript
    assert found is not None

    assert [(turn.role, turn.text) for turn in found] == [
        (Role.UNKNOWN, "(a beep)"),
        (Role.ASSISTANT, "One moment."),
        (Role.USER, "Hello?\nAre you there?"),
        (Role.ASSISTANT, "Yes: I am."),
    ]


@pytest.mark.parametrize(
    ("members", "state"),
    [
        ({}, TranscriptState.PENDING),
        ({"call_status": "ongoing"}, TranscriptState.PENDING),
        ({"call_status": "registered"}, TranscriptState.PENDING),
        ({"call_status": "error", "duration_ms": 9000}, TranscriptState.PENDING),
        ({"call_status": "error", "duration_ms": 0}, TranscriptState.UNAVAILABLE),
        ({"call_status": "not_connected"}, TranscriptState.UNAVAILABLE),
        ({"data_storage_setting": "basic_attributes_only"}, TranscriptState.UNAVAILABLE),
        ({"opt_out_sensitive_data_storage": True}, TranscriptState.UNAVAILABLE),
        ({"call_analysis": {"call_successful": False}}, TranscriptState.UNAVAILABLE),
        ({"transcript": ""}, TranscriptState.AVAILABLE),
        ({"transcript_with_tool_calls": []}, TranscriptState.AVAILABLE),
        ({"transcript": "User: Hi", "call_status": "ongoing"}, TranscriptState.PENDING),
    ],
)
def test_why_a_transcript_is_not_there(members: dict[str, Any], state: TranscriptState) -> None:
    assert whole(**members).transcript_state is state
    is_there = "transcript" in members or "transcript_with_tool_calls" in members
    assert is_there or row(**members).transcript_state is TranscriptState.NOT_LOADED


def test_an_unknown_sentiment_is_none() -> None:
    assert row(call_analysis={"user_sentiment": "Unknown"}).analysis is None
    assert row(call_analysis={"user_sentiment": "Negative"}).analysis == Analysis(sentiment="Negative")
    assert row(call_analysis={"custom_analysis_data": "free text"}).metadata["custom_analysis_data"] == "free text"


# recordings and secrets


def test_recordings_are_handles_that_say_when_they_expire() -> None:
    found = drive(get_call(ACCOUNT, "call_c4e8f2"), CASES["get.call_c4e8f2"].answers[0]).result

    assert len(found.recordings) == 4
    assert {recording.access for recording in found.recordings} == {RecordingAccess.SIGNED_URL}
    assert {recording.expires_at for recording in found.recordings} == {datetime(2026, 11, 3, 9, tzinfo=UTC)}
    assert found.metadata["recordings"][2] == "scrubbed_recording_url"
    assert set(found.links) == {"log", "knowledge_base"}


@pytest.mark.parametrize(
    ("query", "expires_at"),
    [
        ("", None),
        ("?Expires=1793612405&Signature=x", datetime(2026, 11, 2, 9, 40, 5, tzinfo=UTC)),
        ("?X-Amz-Date=20261102T090000Z", None),
        ("?X-Amz-Date=20261102T090000Z&X-Amz-Expires=600", datetime(2026, 11, 2, 9, 10, tzinfo=UTC)),
    ],
)
def test_a_recording_expires_as_its_signature_says(query: str, expires_at: datetime | None) -> None:
    (recording,) = row(recording_url=f"https://media.example.com/r.wav{query}").recordings

    assert recording.expires_at == expires_at


def test_a_location_that_is_no_url_is_kept_and_said() -> None:
    found = row(recording_url="https://[media")

    assert found.recordings[0].location == "https://[media"
    assert [issue.place for issue in found.issues] == ["recording_url"]
    assert "recordings" not in found.metadata


def test_which_recording_is_without_personal_data_is_said() -> None:
    assert row(scrubbed_recording_url="https://media.example.com/r").metadata["recordings"] == [
        "scrubbed_recording_url"
    ]


def test_nothing_kept_holds_a_credential() -> None:
    found = drive(get_call(ACCOUNT, "call_c4e8f2"), CASES["get.call_c4e8f2"].answers[0]).result
    web = drive(get_call(ACCOUNT, "call_late"), CASES["get.call_late"].answers[0]).result

    for conversation, secret in ((found, b"invented-sip-token"), (web, b"another-room-token")):
        assert conversation.raw is not None
        assert secret in conversation.raw
        assert secret not in scrubbed(conversation.raw, ADAPTER.secret_fields)
        assert secret.decode() not in str(conversation.metadata)


# starting, writing, ending


def started(wanted: Start, name: str) -> Driven[Started]:
    begin = start_chat if name == "start.chat" else start_call
    return drive(begin(ACCOUNT, wanted), CASES[name].answers[0])


def test_a_phone_call_needs_a_number_on_both_sides() -> None:
    wanted = Start(agent="agent_1", to="+15550100123", options={"from_number": "+15550100001"})
    driven = started(wanted, "start")
    (request,) = driven.requests

    assert request.path == "/v2/create-phone-call"
    assert not request.is_safe
    assert json.loads(request.body or b"") == {
        "from_number": "+15550100001",
        "to_number": "+15550100123",
        "override_agent_id": "agent_1",
    }
    assert driven.result.conversation.status is Status.QUEUED
    assert driven.result.token is None


def test_a_web_call_is_joined_with_its_token() -> None:
    driven = started(Start(agent="agent_1", options={"metadata": {"page": "/"}}), "start.web")
    conversation, token = driven.result.conversation, driven.result.token

    assert driven.requests[0].path == "/v3/create-web-call"
    assert json.loads(driven.requests[0].body or b"") == {"agent_id": "agent_1", "metadata": {"page": "/"}}
    assert token is not None
    assert token.reveal() == "eyJhbGciOiJIUzI1NiJ9.a-third-room-token"
    assert (conversation.id, conversation.status, conversation.channel) == ("call_new2", Status.QUEUED, Channel.WEB)
    assert conversation.participants[0].id == "agent_1"
    assert conversation.provider_status is None
    assert conversation.estimated == ("status", "channel", "agent")
    assert conversation.metadata["ice_servers"][0]["credential"]  # a browser cannot join without
    assert b"invented-relay-password" not in scrubbed(conversation.raw or b"", ADAPTER.secret_fields)
    assert "room-token" not in repr(driven.result)


@pytest.mark.parametrize(
    ("to", "path", "agent"),
    [(None, "/create-chat", "agent_id"), ("+15550100123", "/create-sms-chat", "override_agent_id")],
)
def test_chats_are_started_where_they_are_asked_for(to: str | None, path: str, agent: str) -> None:
    driven = started(Start(agent="agent_1", to=to), "start.chat")
    body = json.loads(driven.requests[0].body or b"")

    assert driven.requests[0].path == path
    assert body == {agent: "agent_1", **({"to_number": to} if to else {})}
    assert driven.result.conversation.status is Status.IN_PROGRESS


def test_a_reply_comes_with_the_tools_it_rests_on() -> None:
    turn = drive(send(ACCOUNT, "chat_new3", "When?"), CASES["send.chat_new3"].answers[0]).result

    assert (turn.role, turn.text, turn.provider_id) == (Role.ASSISTANT, "From 8 to 17.", "msg_6")
    assert [tool.name for tool in turn.tool_calls] == ["opening_hours"]
    assert drive(send(ACCOUNT, "chat_new3", "Hi"), answer({"messages": []})).result.text == ""


def test_somebody_nobody_knows_in_a_reply_is_not_the_agent() -> None:
    told = [{"role": "stranger", "content": "Psst"}, {"role": "agent", "content": "Hello"}]
    assert drive(send(ACCOUNT, "chat_new3", "Hi"), answer({"messages": told})).result.text == "Hello"


# refusals


@pytest.mark.parametrize(
    ("name", "kind", "retryable"),
    [
        ("error.400", errors.RejectedError, False),
        ("error.401", errors.AuthError, False),
        ("error.402", errors.RejectedError, False),
        ("error.403", errors.ForbiddenError, False),
        ("error.404", errors.NotFoundError, False),
        ("error.422.unknown_id", errors.NotFoundError, False),
        ("error.422", errors.RejectedError, False),
        ("error.429", errors.RateLimitError, True),
        ("error.500", errors.OutageError, True),
    ],
)
def test_an_unknown_id_is_told_by_words_and_the_rest_by_status(
    name: str,
    kind: type[errors.HubError],
    retryable: bool,  # noqa: FBT001
) -> None:
    error = refusal(CASES[name].answers[0])

    assert type(error) is kind
    assert error.retryable is retryable


def test_the_words_decide_only_where_the_status_is_ambiguous() -> None:
    error = refusal(answer({"status": "error", "message": "from_number was not found in the request."}, 400))

    assert type(error) is errors.RejectedError


# webhooks


def delivery(event: str | None, **members: Any) -> Event:
    (found,) = events(json.dumps({"event": event, **members}).encode())
    return found


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("call_started", EventKind.STARTED),
        ("call_ended", EventKind.ENDED),
        ("call_analyzed", EventKind.ANALYSIS_READY),
        ("transcript_updated", EventKind.UPDATED),
        ("transfer_started", EventKind.UPDATED),
        ("transfer_ended", EventKind.UPDATED),
        ("zz_unheard_of", EventKind.OTHER),
        (None, EventKind.OTHER),
    ],
)
def test_kinds_of_events(word: str | None, kind: EventKind) -> None:
    found = delivery(word, call=call(call_status="ongoing"))

    assert (found.kind, found.provider_kind, found.conversation_id) == (kind, word, "call_1")


def test_a_delivery_comes_again_under_the_same_id_but_updates_have_none() -> None:
    about = call(start_timestamp=MOMENT)

    assert delivery("call_ended", call=about).id == "call_1:call_ended"
    assert delivery("transfer_started", call=about).id == f"call_1:transfer_started:{BEGAN.isoformat()}"
    assert delivery("transfer_started", call=call()).id == "call_1:transfer_started"
    assert delivery("transcript_updated", call=about).id is None
    assert delivery("chat_ended", chat={"chat_id": "chat_1"}).id == "chat_1:chat_ended"


def test_a_call_that_has_ended_may_still_say_that_it_is_registered() -> None:
    (event,) = events(CASES["webhook.call_ended"].answers[0].body)
    assert event.conversation is not None

    assert (event.conversation.status, event.conversation.provider_status) == (Status.ENDED, "registered")
    assert "status" in event.conversation.estimated
    assert event.conversation.transcript_state is TranscriptState.AVAILABLE
    assert event.to_fetch is None
    early = delivery("call_started", call=call(call_status="registered")).conversation
    assert early is not None
    assert early.status is Status.QUEUED


def test_an_end_without_a_transcript_asks_to_be_fetched() -> None:
    found = delivery("call_ended", call=call())

    assert found.to_fetch == "retell:call_1"
    assert found.conversation is not None
    assert found.conversation.transcript_state is TranscriptState.PENDING


@pytest.mark.parametrize(
    ("about", "id", "kind", "ref"),
    [
        ("chat", "16b980523634a6dc", "chats", "retell:chats:16b980523634a6dc"),
        ("chat", "chat_16b980523634a6dc", "chats", "retell:chat_16b980523634a6dc"),
        ("call", "16b980523634a6dc", "calls", "retell:16b980523634a6dc"),
    ],
)
def test_what_an_event_is_about_is_to_be_fetched_under_its_kind(about: str, id: str, kind: str, ref: str) -> None:
    body = json.dumps({"event": f"{about}_started", about: {f"{about}_id": id}}).encode()
    [event] = verify("retell", body, {}, None, NOW, insecure_accept_unsigned=True)
    assert event.conversation is not None
    assert (event.to_fetch, event.conversation.ref) == (ref, ref)
    assert ADAPTER.resource_of(event.conversation.id)[::2] == (kind, id)


def test_a_hand_off_keeps_where_it_leads() -> None:
    (event,) = events(CASES["webhook.transfer_bridged"].answers[0].body)
    assert event.conversation is not None

    assert event.conversation.metadata["transfer_destination"] == {"number": "+15550100190", "extension": "12"}
    assert event.conversation.metadata["transfer_option"] == {"type": "warm_transfer"}
    assert event.occurred_at == BEGAN + timedelta(seconds=3615)


def test_news_about_no_conversation_is_told_and_an_empty_known_event_refused() -> None:
    found = delivery("alert_triggered")

    assert (found.kind, found.conversation_id, found.id, found.to_fetch) == (EventKind.OTHER, None, None, None)
    with pytest.raises(errors.PayloadError, match="neither a call nor a chat"):
        delivery("call_ended", call=None)


def test_the_bytes_as_sent_are_what_is_signed() -> None:
    case = CASES["webhook.call_ended"]
    (sent,) = case.answers
    again = json.dumps(json.loads(sent.body)).encode()

    assert again != sent.body
    with pytest.raises(errors.WebhookError):
        verify("retell", again, sent.headers, case.facts["secret"], case.facts["now"])


# against the simulator


async def test_filters_bring_what_they_name() -> None:
    async with simulated("retell") as (hub, _):
        everything = await collected(hub, "retell")
        for status in (Status.ENDED, Status.NO_ANSWER, Status.FAILED, Status.IN_PROGRESS):
            found = await collected(hub, "retell", status=status)
            assert [one.id for one in found] == [one.id for one in everything if one.status is status]
        agent = everything[9].agent
        assert agent is not None
        assert [one.id for one in await collected(hub, "retell", agent=agent.id)] == [
            one.id for one in everything if one.agent == agent or (one.agent and one.agent.id == agent.id)
        ]
        oldest_first = await collected(
            hub, "retell", provider_options={"retell": {"sort_order": "ascending"}}, page_size=11
        )
        assert [one.id for one in oldest_first] == [one.id for one in reversed(everything)]


async def test_a_window_leaves_out_calls_without_a_start_and_says_so() -> None:
    async with simulated("retell") as (hub, _):
        starts = sorted(one.started_at for one in await collected(hub, "retell") if one.started_at)
        walk = hub.list("retell", since=starts[10], until=starts[30])
        found = [conversation.started_at async for conversation in walk]
        by_status = await collected(hub, "retell", status=Status.NO_ANSWER)
    assert sorted(at for at in found if at) == starts[10:30]
    assert not walk.report.complete
    assert "never connected" in str(walk.report)
    assert by_status
    assert all(one.started_at is None for one in by_status)


async def test_calls_are_placed_stopped_and_deleted() -> None:
    present = ManualClock()
    async with simulated("retell", present=present) as (hub, _):
        options = {"from_number": "+14155550199"}
        by_phone = await hub.start("retell", agent="agent_7", to="+14155550123", provider_options=options)
        in_browser = await hub.start("retell", agent="agent_7")
        assert (by_phone.conversation.status, by_phone.token) == (Status.QUEUED, None)
        assert in_browser.token is not None
        present.seconds = 10
        assert (await hub.get(by_phone.conversation.ref)).status is Status.IN_PROGRESS
        await hub.end(by_phone.conversation.ref)
        stopped = await hub.get(by_phone.conversation.ref)
        assert (stopped.status, stopped.end_reason, stopped.duration) == (Status.ENDED, EndReason.API_ENDED, 2)
        await hub.delete(by_phone.conversation.ref)
        with pytest.raises(errors.NotFoundError, match="Cannot find requested asset"):
            await hub.get(by_phone.conversation.ref)
        with pytest.raises(errors.RejectedError, match="from_number"):
            await hub.start("retell", agent="agent_7", to="+14155550123")


async def test_chats_are_opened_answered_listed_and_ended() -> None:
    present = ManualClock()
    async with simulated("retell", present=present) as (hub, _):
        opened = (await hub.start("retell:chats", agent="agent_7")).conversation
        assert opened.id.startswith("chat_")
        present.seconds = 5
        turn = await hub.send(opened.ref, "Where is my order?")
        assert turn.text
        await hub.end(opened.ref)
        present.seconds = 60
        (listed,) = [one async for one in hub.list("retell:chats", transcripts=True)]
        assert opened.id not in {one.id async for one in hub.list("retell:calls")}
        assert opened.id in [one.id async for one in hub.list("retell", limit=5)]
        everything = [one.id for one in await collected(hub, "retell")]
        assert everything.count(opened.id) == 1
        assert len(everything) > 1
        assert (listed.id, listed.status, listed.channel) == (opened.id, Status.ENDED, Channel.CHAT)
        assert listed.transcript is not None
        assert [(one.role, one.start) for one in listed.transcript[-2:]] == [(Role.USER, 5), (Role.ASSISTANT, 5)]
        assert listed.transcript[-1].text == turn.text
        assert listed.summary
        await hub.delete(opened.ref)
        assert [one async for one in hub.list("retell:chats")] == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"limit": 0}, 400),
        ({"sort_order": "newest"}, 400),
        ({"pagination_key": "??"}, 400),
        ({"filter_criteria": {"agent_id": ["agent_1"]}}, 400),
        ({"filter_criteria": {"call_status": ["ended"]}}, 400),
        ({"filter_criteria": {"call_status": {"type": "enum", "op": "in", "value": ["registered"]}}}, 400),
        ({"filter_criteria": {"start_timestamp": {"lower_threshold": 1}}}, 400),
        ({"include_total": True}, 200),
    ],
    ids=str,
)
def test_the_simulated_search_takes_what_v3_takes(body: dict[str, Any], status: int) -> None:
    world = Simulator(conversations=5, providers=("retell",)).worlds["retell"]
    headers = {"authorization": f"Bearer {SIMULATED.api_key}"}
    found = SIMULATED.answer(Call("POST", "/v3/list-calls", headers, json.dumps(body).encode()), world)

    assert found.status == status
    if found.ok:
        assert json.loads(found.body)["total"] == 5
        assert not any("transcript" in name for item in json.loads(found.body)["items"] for name in item)
