"""OpenAI's traps: items without instants, null ids, two spellings of arguments, sessions that never end."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from conversations_hub.account import Account
from conversations_hub.adapter import Query, RawPage, Start
from conversations_hub.adapters.openai import (
    ADAPTER,
    delete,
    events,
    get,
    list_page,
    normalize,
    refusal,
    sign,
    start,
)
from conversations_hub.errors import (
    ForbiddenError,
    InvalidRefError,
    NotFoundError,
    PaginationError,
    PayloadError,
    UnsupportedError,
)
from conversations_hub.events import EventKind
from conversations_hub.schema import (
    Conversation,
    EndReason,
    Issue,
    Role,
    Status,
    TranscriptState,
    TranscriptTurn,
    Visibility,
)
from conversations_hub.testing import Driven, drive
from conversations_hub.webhooks import verify
from conversations_hub.wire import Request, Response

ACCOUNT = Account("openai", key="key-of-the-tests")
THREADS = ADAPTER.resources["threads"]
T = 1790931600
NOW = datetime(2026, 10, 2, 9, tzinfo=UTC)
SAID = {"type": "message", "role": "user", "turn_id": "turn_1", "content": [{"type": "input_text", "text": "Hi."}]}


def answer(body: object, status: int = 200, **headers: str) -> Response:
    return Response(status, headers, json.dumps(body).encode())


def page(*rows: object, more: bool | None = False, **members: Any) -> dict[str, Any]:
    return {"object": "list", "data": rows, "has_more": more, **members}


def got(*pages: dict[str, Any], turns: tuple[object, ...] = (), **members: Any) -> Conversation:
    session = {"id": "sess_1", "status": "idle", "created_at": T, **members}
    return drive(get(ACCOUNT, "sess_1"), answer(session), *map(answer, pages), answer(page(*turns))).result


def thread(*items: object, **members: Any) -> Conversation:
    sent = {"id": "cthr_1", "created_at": T, "status": {"type": "active"}, "user": "visitor-7", **members}
    assert THREADS.get is not None
    return drive(THREADS.get(ACCOUNT, "cthr_1"), answer(sent), answer(page(*items))).result


def turns_of(read: Conversation) -> tuple[TranscriptTurn, ...]:
    assert read.transcript is not None
    return read.transcript


def listed(body: object, query: Query | None = None, cursor: str | None = None) -> Driven[RawPage]:
    return drive(list_page(ACCOUNT, query or Query(), cursor), answer(body))


# the two kinds


def test_each_kind_has_a_beta_header_of_its_own() -> None:
    assert THREADS.list_page is not None
    [threads] = drive(THREADS.list_page(ACCOUNT, Query(), None), answer(page())).requests
    [sessions] = listed(page()).requests

    assert threads.headers == {"OpenAI-Beta": "chatkit_beta=v1"}
    assert sessions.headers == {"OpenAI-Beta": "agents=v1"}


@pytest.mark.parametrize("id", ["cthr_1", "threads:other_1"])
def test_a_thread_is_known_by_its_prefix_or_by_the_name_of_its_kind(id: str) -> None:
    assert ADAPTER.resource_of(id)[0] == "threads"
    assert ADAPTER.resource_of("sess_1")[0] == "sessions"
    assert ADAPTER.id_for_all("threads", id.removeprefix("threads:")) == id


def test_organization_and_project_are_sent_if_the_account_has_them() -> None:
    account = Account("openai", key="key-of-the-tests", settings={"project": "proj_1"})

    assert sign(Request("GET", "/x"), account, NOW).headers["OpenAI-Project"] == "proj_1"
    assert sign(Request("GET", "/x"), ACCOUNT, NOW).headers == {"Authorization": "Bearer key-of-the-tests"}


# pages


def test_a_page_that_does_not_say_whether_there_are_more_is_followed_until_one_is_empty() -> None:
    assert listed(page({"id": "sess_1"}, more=None)).result.cursor == "sess_1"
    assert listed(page(more=None)).result.cursor is None
    assert listed(page(more=True)).result.cursor is None


def test_the_last_id_of_a_page_need_not_be_that_of_its_last_row() -> None:
    assert listed(page({"id": "sess_1"}, more=True, last_id="sess_other")).result.cursor == "sess_other"


def test_a_page_without_ids_leads_nowhere() -> None:
    with pytest.raises(PaginationError, match="none of these has an id"):
        got(page(SAID, SAID, more=True))


def test_items_after_the_last_id_are_sent_again_and_read_once() -> None:
    reply = {**SAID, "id": "item_1", "role": "assistant"}
    first = page(reply, {**SAID, "id": None}, more=True)
    read = got(first, page({**SAID, "id": None}, {**reply, "id": "item_2"}))

    assert [turn.provider_id for turn in turns_of(read)] == ["item_1", None, "item_2"]


def test_items_that_go_round_in_a_circle_are_refused() -> None:
    circle = page({**SAID, "id": "item_1"}, more=True)
    with pytest.raises(PaginationError, match="same page"):
        got(circle, circle)


def test_only_the_walk_of_threads_ends_at_an_instant() -> None:
    assert THREADS.list_page is not None
    row = {"id": "cthr_1", "created_at": T - 60}
    since = Query(since=NOW)

    assert drive(THREADS.list_page(ACCOUNT, since, None), answer(page(row, more=True))).result.cursor is None
    assert listed(page({**row, "id": "sess_1"}, more=True), since).result.cursor == "sess_1"


def test_a_list_without_data_is_no_list() -> None:
    with pytest.raises(PayloadError, match="no list"):
        listed({"object": "list"})


# sessions


@pytest.mark.parametrize(
    ("word", "status", "reason"),
    [
        ("idle", Status.IN_PROGRESS, None),
        ("in_progress", Status.IN_PROGRESS, None),
        ("requires_action", Status.IN_PROGRESS, None),
        ("failed", Status.FAILED, EndReason.ERROR),
        ("paused", Status.UNKNOWN, None),
    ],
)
def test_only_a_failed_session_is_over(word: str, status: Status, reason: EndReason | None) -> None:
    sent = {"id": "sess_1", "status": word, "created_at": T, "last_active_at": T + 5}
    read = normalize(json.dumps(sent).encode())

    assert (read.status, read.end_reason, read.ended_at is not None) == (status, reason, status is Status.FAILED)
    assert (read.duration, read.transcript_state) == (None, TranscriptState.NOT_LOADED)


def test_the_usage_is_not_in_a_row_because_it_is_counted_later() -> None:
    usage = {"total_tokens": 7}

    assert normalize(json.dumps({"id": "sess_1", "usage": usage}).encode()).metadata == {}
    assert got(page(), usage=usage).metadata["usage"] == usage


def test_the_first_item_of_a_turn_has_the_instant_of_the_turn() -> None:
    items = page(SAID, {**SAID, "role": "assistant"}, {**SAID, "turn_id": "turn_2"}, {**SAID, "turn_id": None})
    read = got(items, turns=({"id": "turn_1", "started_at": T + 1}, {"id": "turn_2", "started_at": None}, None))

    assert [turn.timestamp for turn in turns_of(read)] == [T + 1, None, None, None]
    assert "transcript.timestamp" in read.estimated
    assert read.issues == (Issue("turns[0].data[2]", "null"),)


@pytest.mark.parametrize("error", [ForbiddenError("no"), NotFoundError("no")])
def test_a_session_whose_turns_cannot_be_read_has_its_items(error: Exception) -> None:
    flow = get(ACCOUNT, "sess_1")
    next(flow)
    flow.send(answer({"id": "sess_1", "status": "idle"}))
    flow.send(answer(page(SAID)))
    with pytest.raises(StopIteration) as done:
        flow.throw(error)

    read = done.value.value
    assert [turn.text for turn in turns_of(read)] == ["Hi."]
    assert [issue.place for issue in read.issues] == ["turns"]
    assert json.loads(read.raw).keys() == {"session", "items"}


@pytest.mark.parametrize(
    ("item", "content", "is_error"),
    [
        ({"type": "function_call_output", "call_id": "c", "output": "ok", "status": "completed"}, "ok", False),
        ({"type": "function_call_output", "call_id": "c", "output": None, "error": "no"}, "no", True),
        ({"type": "function_call_output", "call_id": "c", "output": "half", "status": "incomplete"}, "half", None),
        ({"type": "function_call_output", "call_id": "c", "output": "x", "status": "failed"}, "x", True),
        (
            {
                "type": "function_call_output",
                "call_id": "c",
                "output": [{"type": "input_text", "text": "A"}, {"type": "input_image", "image_url": "data:,"}],
            },
            "A\n[image]",
            None,
        ),
        ({"type": "command_execution", "id": "c", "command": "ls", "exit_code": 2, "output": ""}, "", True),
        ({"type": "mcp_call", "id": "c", "name": "f", "output": {"a": 1}, "status": "completed"}, '{"a":1}', False),
    ],
)
def test_results_of_tools(item: dict[str, Any], content: str, is_error: bool | None) -> None:  # noqa: FBT001
    result = turns_of(got(page(item)))[-1].tool_result

    assert result is not None
    assert (result.call_id, result.content, result.is_error) == ("c", content, is_error)


@pytest.mark.parametrize("item", [{"type": "mcp_call", "name": "f"}, {"type": "command_execution", "command": "ls"}])
def test_a_call_that_runs_has_no_result_yet(item: dict[str, Any]) -> None:
    [turn] = turns_of(got(page({**item, "status": "in_progress"})))

    assert turn.tool_calls
    assert turn.tool_result is None


@pytest.mark.parametrize(("sent", "arguments"), [({"id": 42}, '{"id":42}'), ('{"id": 42}', '{"id": 42}'), (None, None)])
def test_arguments_are_decoded_in_sessions_and_text_elsewhere(sent: object, arguments: str | None) -> None:
    [turn] = turns_of(got(page({"type": "function_call", "call_id": "c", "name": "f", "arguments": sent})))

    assert turn.tool_calls[0].arguments == arguments


def test_a_picture_is_never_kept_in_a_turn() -> None:
    picture = {"type": "input_image", "image_url": "data:image/png;base64,AAAA"}
    read = got(page({**SAID, "content": [picture]}, {"type": "computer_use_call", "output": picture, "id": "c"}))

    assert "AAAA" not in repr(turns_of(read))
    assert turns_of(read)[0].text == "[image]"


def test_what_is_encrypted_is_an_issue() -> None:
    hidden = {"type": "encrypted_content", "encrypted_content": "gAAAA"}
    read = got(page({"type": "agent_message", "sender_agent_id": "sub_1", "content": [hidden]}))

    assert read.issues == (Issue("items[0].data[0].content[0]", "encrypted"),)
    assert "encrypted_content" in ADAPTER.secret_fields


def test_an_unknown_kind_of_item_keeps_its_words() -> None:
    read = got(page({**SAID, "type": "hologram"}, None))

    assert [(turn.role, turn.text) for turn in turns_of(read)] == [(Role.UNKNOWN, "Hi.")]
    assert read.issues == (
        Issue("items[0].data[0].type", "an unknown kind of item"),
        Issue("items[0].data[1]", "null"),
    )


def test_a_session_that_runs_has_all_that_there_is() -> None:
    assert got(page(SAID), status="in_progress").transcript_state is TranscriptState.AVAILABLE


# threads


@pytest.mark.parametrize(
    ("status", "expected", "reason"),
    [
        ({"type": "active"}, Status.IN_PROGRESS, None),
        ({"type": "locked", "reason": "spam"}, Status.IN_PROGRESS, None),
        ({"type": "closed", "reason": "solved"}, Status.ENDED, "solved"),
        ({"type": "closed"}, Status.ENDED, None),
        ({"type": "archived"}, Status.UNKNOWN, None),
        (None, Status.UNKNOWN, None),
    ],
)
def test_a_thread_ends_when_it_is_closed(status: object, expected: Status, reason: str | None) -> None:
    read = thread(status=status)

    assert (read.status, read.provider_end_reason) == (expected, reason)
    assert (read.end_reason is EndReason.UNKNOWN) is (expected is Status.ENDED)


def test_thoughts_are_internal_and_steps_are_not() -> None:
    kinds: list[dict[str, Any]] = [
        {"type": "chatkit.task", "task_type": "thought", "heading": "Hm"},
        {"type": "chatkit.task", "task_type": "custom", "heading": "Asked"},
        {"type": "chatkit.task_group", "tasks": [{"type": "thought", "summary": "Hm"}, None]},
        {"type": "chatkit.task_group", "tasks": []},
    ]
    shown = [turn.visibility for turn in turns_of(thread(*kinds))]

    assert shown == [Visibility.INTERNAL, Visibility.PUBLIC, Visibility.INTERNAL, Visibility.PUBLIC]


def test_a_client_s_tool_has_a_result_once_it_has_answered() -> None:
    call = {"type": "chatkit.client_tool_call", "call_id": "c", "name": "f", "arguments": "{}"}

    assert len(turns_of(thread({**call, "status": "in_progress", "output": None}))) == 1
    assert len(turns_of(thread({**call, "status": "completed", "output": "{}"}))) == 2


def test_a_thread_changed_last_when_its_last_item_came() -> None:
    item = {"type": "chatkit.widget", "created_at": T + 9}
    read = thread(item, {"type": "chatkit.hologram"}, None)

    assert read.updated_at == datetime.fromtimestamp(T + 9, UTC)
    assert len(read.issues) == 2


# other operations


def test_nobody_is_called_and_deleting_takes_no_options() -> None:
    with pytest.raises(UnsupportedError, match="send"):
        next(start(ACCOUNT, Start(to="+15550100123")))
    for remove in (delete, THREADS.delete):
        assert remove is not None
        with pytest.raises(InvalidRefError, match="no options"):
            next(remove(ACCOUNT, "x", {"force": True}))


def test_what_no_waiting_cures_is_not_tried_again() -> None:
    body = {"error": {"message": "Wait", "code": "rate_limit_exceeded"}}

    assert refusal(answer(body, 429)).retryable
    assert not refusal(answer(body, 429, **{"x-should-retry": "false"})).retryable
    assert not refusal(answer({"error": {"message": "Pay", "code": "insufficient_quota"}}, 429)).retryable


# webhooks


def test_a_secret_without_its_prefix_is_plain_text() -> None:
    body = json.dumps({"id": "evt_1", "type": "agent.session.idle", "created_at": T, "data": {"id": "sess_1"}})
    stamp = str(T)
    made = hmac.new(b"plain-text,no-Base64!", f"evt_1.{stamp}.{body}".encode(), hashlib.sha256).digest()
    signature = f"v1,{base64.b64encode(made).decode()}"
    headers = {"webhook-id": "evt_1", "webhook-timestamp": stamp, "webhook-signature": signature}
    [event] = verify("openai", body.encode(), headers, "plain-text,no-Base64!", NOW)

    assert event.verified
    assert event.to_fetch == "openai:sess_1"


@pytest.mark.parametrize("kind", ["agent.environment.ready", "response.completed", "batch.failed", None])
def test_other_events_are_about_no_conversation(kind: str | None) -> None:
    [event] = events(json.dumps({"id": "evt_1", "type": kind, "data": {"id": "x"}}).encode())

    assert (event.kind, event.conversation_id, event.conversation) == (EventKind.OTHER, None, None)


def test_an_unknown_event_of_a_session_names_it() -> None:
    [event] = events(b'{"type": "agent.session.renamed", "data": {"id": "sess_1"}}')

    assert (event.kind, event.conversation_id, event.conversation) == (EventKind.OTHER, "sess_1", None)
