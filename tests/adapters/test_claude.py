"""Claude's traps: sessions that rest and never end, archived ones that hide, a log of many types, prices in cents."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from conversations_hub.account import Account
from conversations_hub.adapter import Query, RawPage, Start
from conversations_hub.adapters.claude import ADAPTER, events, get, list_page, normalize, send, start
from conversations_hub.errors import PaginationError, PayloadError, RejectedError, UnsupportedError
from conversations_hub.events import Event, EventKind
from conversations_hub.schema import (
    Conversation,
    EndReason,
    ParticipantKind,
    Role,
    Status,
    TranscriptState,
    TranscriptTurn,
    Visibility,
)
from conversations_hub.testing import Driven, drive
from conversations_hub.wire import Request, Response, target

ACCOUNT = Account("claude", key="key-of-the-tests")
T = datetime(2026, 10, 2, 9, tzinfo=UTC)
LATER, AT_ONCE = "Fri, 02 Oct 2026 12:00:00 GMT", "Fri, 02 Oct 2026 09:01:30 GMT"
BASE = {"id": "sesn_1", "status": "idle", "created_at": "2026-10-02T09:00:00Z", "updated_at": "2026-10-02T09:01:00Z"}
SAID = {"id": "sevt_1", "type": "user.message", "content": [{"type": "text", "text": "Hi."}]}
ARCHIVED = {"status": "terminated", "archived_at": "2026-10-02T09:01:00Z"}


def answer(body: object, date: str | None = LATER, status: int = 200) -> Response:
    return Response(status, {} if date is None else {"date": date}, json.dumps(body).encode())


def row(**members: Any) -> Conversation:
    return normalize(json.dumps({**BASE, **members}).encode())


def got(*log: object, date: str | None = LATER, **members: Any) -> Conversation:
    return drive(get(ACCOUNT, "sesn_1"), answer({**BASE, **members}, date), answer({"data": log}, date)).result


def turns_of(conversation: Conversation) -> tuple[TranscriptTurn, ...]:
    assert conversation.transcript is not None
    return conversation.transcript


def turn_of(type: str, **members: Any) -> TranscriptTurn:
    [turn] = turns_of(got({"id": "sevt_1", "type": type, **members}))
    return turn


def page(body: object, query: Query | None = None, cursor: str | None = None) -> Driven[RawPage]:
    return drive(list_page(ACCOUNT, query or Query(), cursor), answer(body))


def event(type: str, **members: Any) -> Event:
    [found] = events(json.dumps({"type": "event", "id": "event_1", "data": {"type": type, **members}}).encode())
    return found


# headers


def test_every_request_has_three_headers() -> None:
    signed = ADAPTER.sign(Request("GET", "/v1/sessions"), ACCOUNT, T)

    assert signed.headers == {
        "x-api-key": "key-of-the-tests",
        "anthropic-version": "2026-10-21",
        "anthropic-beta": "managed-agents-2026-04-01",
    }


def test_a_version_and_a_workspace_are_settings() -> None:
    settings = {"version": "2023-06-01", "workspace_id": "wrkspc_1"}
    signed = ADAPTER.sign(Request("GET", "/v1/sessions"), Account("claude", key="k", settings=settings), T)

    assert signed.headers["anthropic-version"] == "2023-06-01"
    assert signed.headers["anthropic-workspace-id"] == "wrkspc_1"


# the list


def test_archived_sessions_are_listed_unless_they_are_unwanted() -> None:
    assert page({"data": []}).requests[0].query["include_archived"] is True
    assert page({"data": []}, Query(options={"include_archived": False})).requests[0].query["include_archived"] is False


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (Status.IN_PROGRESS, ("running", "rescheduling", "idle")),
        (Status.ENDED, ("terminated",)),
        (Status.FAILED, ("terminated",)),
        (Status.CANCELLED, None),
        (None, None),
    ],
)
def test_a_status_has_several_words(status: Status | None, words: tuple[str, ...] | None) -> None:
    assert page({"data": []}, Query(status=status)).requests[0].query.get("statuses[]") == words


def test_a_window_is_half_open_as_ours_is() -> None:
    query = Query(since=T, until=T + timedelta(days=1), agent="agent_1")
    [request] = page({"data": []}, query, "cursor").requests

    assert request.query["created_at[gte]"] == "2026-10-02T09:00:00Z"
    assert request.query["created_at[lt]"] == "2026-10-03T09:00:00Z"
    assert (request.query["agent_id"], request.query["page"]) == ("agent_1", "cursor")
    assert "created_at%5Bgte%5D=" in target(request, "")


@pytest.mark.parametrize(
    ("told", "cursor"), [({"next_page": "n"}, "n"), ({"next_page": None}, None), ({"prev_page": "p"}, None)]
)
def test_the_end_of_a_walk(told: dict[str, Any], cursor: str | None) -> None:
    assert page({"data": [], **told}).result.cursor == cursor


def test_an_answer_without_rows_is_no_page() -> None:
    with pytest.raises(PayloadError, match="sessions"):
        page({"next_page": None})
    with pytest.raises(PaginationError, match="not where"):
        page({"data": [], "next_page": ["n"]})


# a session


@pytest.mark.parametrize(
    ("members", "status", "reason"),
    [
        ({"status": "running"}, Status.IN_PROGRESS, None),
        ({"status": "rescheduling"}, Status.IN_PROGRESS, None),
        ({"status": "idle"}, Status.IN_PROGRESS, None),
        (ARCHIVED, Status.ENDED, EndReason.API_ENDED),
        ({"status": "terminated"}, Status.FAILED, EndReason.ERROR),
        ({"status": "idle", "archived_at": "2026-10-02T09:01:00Z"}, Status.ENDED, EndReason.API_ENDED),
        ({"status": "dreaming"}, Status.UNKNOWN, None),
        ({"status": None}, Status.UNKNOWN, None),
    ],
)
def test_a_session_ends_by_being_archived_or_by_an_error(
    members: dict[str, Any], status: Status, reason: EndReason | None
) -> None:
    read = row(**members)

    assert (read.status, read.end_reason) == (status, reason)
    assert read.ended_at == (T + timedelta(seconds=60) if status.is_finished else None)
    assert read.started_at is None


def test_an_end_that_is_not_told_is_the_last_change() -> None:
    assert "ended_at" in row(status="terminated").estimated
    assert "ended_at" not in row(**ARCHIVED).estimated


def test_a_session_that_goes_on_has_no_duration_yet() -> None:
    stats = {"active_seconds": 9.5, "duration_seconds": 72.0}

    assert row(stats=stats).duration is None
    assert row(stats=stats, **ARCHIVED).duration == 72.0
    assert row(stats=stats).metadata["stats"] == stats


@pytest.mark.parametrize(
    ("amount", "cost"), [("2500", "25"), ("12", "0.12"), ("0.5", "0.005"), ("1e400", None), ("", None), (None, None)]
)
def test_a_price_is_a_text_of_cents(amount: str | None, cost: str | None) -> None:
    read = row(usage={"list_cost": {"amount": amount, "currency": "USD"}})

    assert (read.cost and read.cost.amount) == (None if cost is None else Decimal(cost))
    assert ("cost" in read.estimated) is (cost is not None)


@pytest.mark.parametrize("usage", [{}, None, [], 7, {"list_cost": "12"}])
def test_a_usage_may_be_anything(usage: object) -> None:
    assert row(usage=usage).cost is None


@pytest.mark.parametrize(
    ("results", "success"),
    [
        (["satisfied", "satisfied"], True),
        (["satisfied", "failed"], False),
        (["max_iterations_reached"], False),
        (["satisfied", "pending"], None),
        (["interrupted"], None),
    ],
)
def test_all_outcomes_have_to_be_satisfied(results: list[str], success: bool | None) -> None:  # noqa: FBT001
    outcomes = [{"outcome_id": f"o{number}", "result": result} for number, result in enumerate(results)]
    analysis = row(outcome_evaluations=[*outcomes, None]).analysis

    assert analysis is not None
    assert analysis.success is success
    assert (analysis.collected or {})["o0"] == {"result": results[0]}
    assert row(outcome_evaluations=[]).analysis is None


def test_secrets_of_a_configuration_are_named() -> None:
    assert {"authorization_token", "headers"} <= ADAPTER.secret_fields
    assert "system" not in row(agent={"id": "agent_1", "system": "Be brief."}).metadata


# its events


def test_a_log_is_read_to_its_end() -> None:
    first, second = {"data": [SAID], "next_page": "p2"}, {"data": [None, SAID]}
    done = drive(get(ACCOUNT, "sesn_1"), *map(answer, (BASE, first, second)))

    assert [target(request, "") for request in done.requests[1:]] == [
        "/v1/sessions/sesn_1/events?order=asc",
        "/v1/sessions/sesn_1/events?order=asc&page=p2",
    ]
    assert [turn.index for turn in turns_of(done.result)] == [0, 1]
    assert [issue.place for issue in done.result.issues] == ["events[1].data[0]"]


def test_a_log_that_leads_nowhere_is_an_error() -> None:
    again: dict[str, Any] = {"data": [], "next_page": "p2"}
    with pytest.raises(PaginationError, match="circle"):
        drive(get(ACCOUNT, "sesn_1"), *map(answer, (BASE, again, again)))
    with pytest.raises(PaginationError, match="not where"):
        drive(get(ACCOUNT, "sesn_1"), *map(answer, (BASE, {**again, "next_page": 7})))
    with pytest.raises(PayloadError, match="events"):
        drive(get(ACCOUNT, "sesn_1"), *map(answer, (BASE, {"next_page": None})))


@pytest.mark.parametrize(
    ("log", "members", "date", "state"),
    [
        ([SAID], {}, AT_ONCE, TranscriptState.AVAILABLE),
        ([], {}, AT_ONCE, TranscriptState.AVAILABLE),
        ([SAID], {"status": "running"}, AT_ONCE, TranscriptState.AVAILABLE),
        ([SAID], {"status": "rescheduling"}, AT_ONCE, TranscriptState.AVAILABLE),
        ([SAID], ARCHIVED, AT_ONCE, TranscriptState.AVAILABLE),
        ([], ARCHIVED, AT_ONCE, TranscriptState.PENDING),
        ([], ARCHIVED, LATER, TranscriptState.AVAILABLE),
    ],
)
def test_a_log_is_whole_also_while_the_agent_is_at_work(
    log: list[object], members: dict[str, Any], date: str, state: TranscriptState
) -> None:
    assert got(*log, date=date, **members).transcript_state is state


@pytest.mark.parametrize(
    ("type", "role"),
    [("user.message", Role.USER), ("agent.message", Role.ASSISTANT), ("system.message", Role.SYSTEM)],
)
def test_who_says_what(type: str, role: Role) -> None:
    blocks: list[Any] = [
        {"type": "text", "text": "Look:"},
        {"type": "image", "source": {"type": "base64", "data": "QUJD"}},
        {"type": "document", "title": "Receipt", "source": {}},
        {"type": "redacted"},
        None,
    ]
    turn = turn_of(type, content=blocks)

    assert (turn.role, turn.visibility) == (role, Visibility.PUBLIC)
    assert turn.text == "Look:\n[image]\n[document: Receipt]\n[redacted]"


@pytest.mark.parametrize(
    ("type", "members", "name"),
    [
        ("agent.tool_use", {"name": "bash"}, "bash"),
        ("agent.custom_tool_use", {"name": "find_order"}, "find_order"),
        ("agent.mcp_tool_use", {"name": "track", "mcp_server_name": "shop"}, "shop.track"),
    ],
)
def test_a_call_is_known_by_the_id_of_its_event(type: str, members: dict[str, Any], name: str) -> None:
    [call] = turn_of(type, input={"id": 42}, **members).tool_calls

    assert (call.id, call.name, call.arguments) == ("sevt_1", name, '{"id":42}')


@pytest.mark.parametrize(
    ("type", "member"),
    [
        ("agent.tool_result", "tool_use_id"),
        ("agent.mcp_tool_result", "mcp_tool_use_id"),
        ("user.custom_tool_result", "custom_tool_use_id"),
        ("user.tool_result", "tool_use_id"),
    ],
)
def test_a_result_names_its_call(type: str, member: str) -> None:
    turn = turn_of(type, content=[{"type": "text", "text": "42"}], is_error=True, **{member: "sevt_0"})

    assert turn.role is Role.TOOL
    assert turn.tool_result is not None
    assert (turn.tool_result.call_id, turn.tool_result.content, turn.tool_result.is_error) == ("sevt_0", "42", True)


@pytest.mark.parametrize(
    ("type", "members", "role", "said"),
    [
        ("user.tool_confirmation", {"result": "allow"}, Role.SYSTEM, "allow"),
        ("user.tool_confirmation", {"result": "deny", "deny_message": "No"}, Role.SYSTEM, "deny: No"),
        ("user.interrupt", {}, Role.SYSTEM, "user.interrupt"),
        ("user.define_outcome", {"description": "Found."}, Role.SYSTEM, "Found."),
        ("agent.thread_context_compacted", {}, Role.SYSTEM, "agent.thread_context_compacted"),
        ("session.error", {"error": {"type": "busy", "message": "Wait"}}, Role.SYSTEM, "busy: Wait"),
        ("session.error", {}, Role.SYSTEM, ""),
        ("agent.thread_message_sent", {"content": [{"text": "Look."}]}, Role.ASSISTANT, "Look."),
    ],
)
def test_what_only_the_company_reads(type: str, members: dict[str, Any], role: Role, said: str) -> None:
    turn = turn_of(type, **members)

    assert (turn.role, turn.text, turn.visibility) == (role, said, Visibility.INTERNAL)


def test_a_subagent_is_another_agent() -> None:
    read = got(
        {"type": "agent.thread_message_received", "from_agent_name": "Finder", "content": [{"text": "Here."}]},
        {**SAID, "session_thread_id": "sthr_2"},
    )
    first, second = turns_of(read)

    assert (read.participants[2].kind, read.participants[2].name) == (ParticipantKind.AI_AGENT, "Finder")
    assert (first.participant, second.visibility) == (2, Visibility.INTERNAL)


@pytest.mark.parametrize(
    "type",
    [
        *("agent.thinking", "session.status_running", "session.status_idle", "session.updated", "session.usage"),
        *("session.thread_created", "span.model_request_end", "workflow_run.created", "something.new"),
    ],
)
def test_most_events_are_no_turns(type: str) -> None:
    read = got({"id": "sevt_1", "type": type, "title": "T", "name": "n", "agent": {"system": "s"}})

    assert (turns_of(read), read.issues) == ((), ())


def test_what_an_unknown_event_says_is_kept() -> None:
    read = got({"type": "operator.message", "content": [{"type": "text", "text": "Hold on."}]})

    assert [(turn.role, turn.text) for turn in turns_of(read)] == [(Role.UNKNOWN, "Hold on.")]
    assert read.participants[2].name == "operator.message"


def test_a_message_that_waits_has_no_time_and_an_interruption_no_id() -> None:
    queued, interrupted = turns_of(
        got(
            {**SAID, "processed_at": None}, {"id": "", "type": "user.interrupt", "processed_at": "2026-10-02T09:00:07Z"}
        )
    )

    assert (queued.timestamp, queued.start, queued.provider_id) == (None, None, "sevt_1")
    assert (interrupted.start, interrupted.provider_id) == (7, None)


def test_why_the_agent_rests_is_what_the_last_rest_says() -> None:
    asks = {"type": "session.status_idle", "stop_reason": {"type": "requires_action", "event_ids": ["sevt_1"]}}
    done = {"type": "session.status_idle", "stop_reason": {"type": "end_turn"}}

    assert got(done, asks).metadata["stop_reason"] == {"type": "requires_action", "event_ids": ["sevt_1"]}
    assert got(asks, done).provider_end_reason is None
    assert got(asks, done, **ARCHIVED).provider_end_reason == "end_turn"


# acting


def test_a_session_is_opened_in_an_environment() -> None:
    with pytest.raises(UnsupportedError):
        drive(start(ACCOUNT, Start(agent="agent_1", to="+15550100123")))
    done = drive(start(ACCOUNT, Start(agent="agent_1", options={"environment_id": "env_1"})), answer(BASE))

    assert json.loads(done.requests[0].body or b"") == {"environment_id": "env_1", "agent": "agent_1"}
    assert done.result.conversation.id == "sesn_1"


@pytest.mark.parametrize("kept", [[], [SAID], None])
def test_what_was_sent_is_returned_as_it_is_kept(kept: list[object] | None) -> None:
    turn = drive(send(ACCOUNT, "sesn_1", "Hi."), answer({"data": kept})).result

    assert (turn.role, turn.text, turn.provider_id) == (Role.USER, "Hi.", "sevt_1" if kept else None)


# refusals


@pytest.mark.parametrize("status", [400, 409])
def test_a_conflict_has_the_type_of_a_bad_request_and_is_final(status: int) -> None:
    body = {"type": "error", "error": {"type": "invalid_request_error", "message": "It runs"}, "request_id": "r"}
    error = ADAPTER.refusal(answer(body, status=status))

    assert isinstance(error, RejectedError)
    assert (error.status, error.reason, error.retryable) == (status, "It runs", False)


# webhooks


@pytest.mark.parametrize(
    ("type", "kind"),
    [
        ("session.created", EventKind.STARTED),
        ("session.pending", EventKind.STARTED),
        ("session.status_run_started", EventKind.UPDATED),
        ("session.running", EventKind.UPDATED),
        ("session.requires_action", EventKind.UPDATED),
        ("session.status_idled", EventKind.TRANSCRIPT_READY),
        ("session.idled", EventKind.TRANSCRIPT_READY),
        ("session.status_terminated", EventKind.ENDED),
        ("session.archived", EventKind.ENDED),
        ("session.outcome_evaluation_ended", EventKind.ANALYSIS_READY),
        ("session.deleted", EventKind.OTHER),
        ("session.thread_created", EventKind.OTHER),
    ],
)
def test_both_families_of_words_are_read(type: str, kind: EventKind) -> None:
    found = event(type, id="sesn_1")

    assert (found.kind, found.id, found.conversation_id, found.conversation) == (kind, "event_1", "sesn_1", None)


@pytest.mark.parametrize("type", ["agent.updated", "vault.created", "deployment.archived", ""])
def test_what_is_about_no_session_names_none(type: str) -> None:
    found = event(type, id="agent_1")

    assert (found.kind, found.conversation_id) == (EventKind.OTHER, None)
