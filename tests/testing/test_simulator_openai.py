"""OpenAI in the simulator: threads and sessions, what stands in them, what is delivered and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from conversations_hub.schema import EndReason
from conversations_hub.signing._delivery import Received
from conversations_hub.signing.webhooks import STANDARD_WEBHOOKS, standard_key
from conversations_hub.testing.simulator._openai import SIMULATED
from conversations_hub.testing.simulator._truth import Phase, Truth
from conversations_hub.testing.simulator._world import Call, World
from conversations_hub.wire import Response

from ..support.clock import ManualClock
from ..support.provider_lists import LISTS, OTHERS, DocumentedList

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SESSIONS, THREADS = "/agents/sessions", "/chatkit/threads"
KINDS = {SESSIONS: LISTS["openai"], THREADS: OTHERS["openai:threads"]}
every_kind = pytest.mark.parametrize("kind", KINDS)


def served(conversations: int = 120, chats: int = 120, clock: ManualClock | None = None) -> World:
    return SIMULATED.world(
        "openai", conversations=conversations, chats=chats, now=NOW.timestamp(), clock=clock or ManualClock()
    )


def world_of(world: World, kind: str) -> World:
    return world if kind == SESSIONS else world.others["threads"]


def ask(world: World, target: str, method: str = "GET", *, key: str = "any", **body: Any) -> Response:
    listed = KINDS[SESSIONS if SESSIONS in target else THREADS]
    sent = msgspec.json.encode(body) if body else b""
    return SIMULATED.answer(Call(method, target, listed.key(key), sent), world)


def read(answer: Response) -> Any:
    return msgspec.json.decode(answer.body)


def walk(world: World, listed: DocumentedList, size: int, **filters: Any) -> list[str]:
    return list(listed.walk(lambda asked: read(SIMULATED.answer(listed.call(asked), world)), size, filters))


def newest(world: World, phase: Phase, *, is_held: bool = True) -> Truth:
    return next(
        truth
        for truth in world.newest()
        if truth.phase(world.present) is phase and (truth.answered is not None) is is_held
    )


def items(world: World, target: str, limit: int = 100) -> list[dict[str, Any]]:
    """Return all items, the oldest first, as a client gets them."""
    found: list[dict[str, Any]] = []
    after = ""
    while True:
        page = read(ask(world, f"{target}/items?order=asc&limit={limit}{after}"))
        found += page["data"]
        if not page["has_more"]:
            return found
        after = f"&after={page.get('last_id') or page['data'][-1]['id']}"


# the lists


@every_kind
@pytest.mark.parametrize("count", [0, 1, 120])
@pytest.mark.parametrize("size", [1, 7, 100])
def test_pages_hold_every_one_once_in_either_order(kind: str, count: int, size: int) -> None:
    world = served(count, count)
    newest_first = [world_of(world, kind).id(truth) for truth in world_of(world, kind).newest()]
    assert len(newest_first) == count
    assert walk(world, KINDS[kind], size) == newest_first
    assert walk(world, KINDS[kind], size, order="asc") == newest_first[::-1]


@every_kind
def test_a_page_has_twenty_rows_unless_told(kind: str) -> None:
    assert len(read(ask(served(), kind))["data"]) == 20
    assert ask(served(), f"/v1{kind}").body == ask(served(), kind).body


def test_threads_can_be_paged_backwards_too_and_no_rows_may_be_asked_for() -> None:
    world = served()
    ids = walk(world, KINDS[THREADS], 100)
    page = read(ask(world, f"{THREADS}?before={ids[5]}"))
    assert [row["id"] for row in page["data"]] == ids[:5]
    assert read(ask(world, f"{THREADS}?limit=0"))["data"] == []


def test_filters() -> None:
    world = served()
    user = read(ask(world, THREADS))["data"][3]["user"]
    assert {row["user"] for row in read(ask(world, f"{THREADS}?user={user}"))["data"]} == {user}
    rows = read(ask(world, f"{SESSIONS}?limit=100"))["data"]
    agent, ticket = rows[2]["agent"]["id"], next(row["metadata"]["ticket"] for row in rows if row["metadata"])
    found = read(ask(world, f"{SESSIONS}?agent_id={agent}&limit=100"))["data"]
    assert {row["agent"]["id"] for row in found} == {agent}
    [found] = read(ask(world, f"{SESSIONS}?{quote('metadata[ticket]')}={ticket}"))["data"]
    assert found["metadata"] == {"ticket": ticket}


# threads


def test_a_thread_grows_and_is_closed_at_its_end() -> None:
    clock = ManualClock()
    world = served(clock=clock)
    threads = world.others["threads"]
    truth = newest(threads, Phase.LIVE)
    target, ends_in = f"{THREADS}/{threads.id(truth)}", truth.ended - threads.present
    told: list[tuple[str, int]] = []
    for seconds in (0.0, ends_in - 1, ends_in + 1):
        clock.seconds = seconds
        told.append((read(ask(world, target))["status"]["type"], len(items(world, target))))
    assert {word for word, _ in told[:2]} <= {"active", "locked"}
    assert 0 < told[0][1] <= told[1][1] <= told[2][1]
    assert told[2][0] == "closed"


def test_items_of_a_thread_have_times_and_texts_and_tools_in_one() -> None:
    world = served()
    threads = world.others["threads"]
    truth = next(truth for truth in threads.newest() if any(turn.tool for turn in threads.turns(truth)))
    found = items(world, f"{THREADS}/{threads.id(truth)}", limit=3)
    assert len(found) == len(threads.turns(truth)) == len({item["id"] for item in found})
    assert {item["type"] for item in found} == {
        "chatkit.user_message",
        "chatkit.assistant_message",
        "chatkit.client_tool_call",
    }
    assert all(type(item["created_at"]) is int for item in found)
    assert all(isinstance(item["arguments"], str) for item in found if "arguments" in item)


# sessions


def test_sessions_rest_fail_or_work_and_never_end() -> None:
    world = served()
    rows = {row["id"]: row for row in read(ask(world, f"{SESSIONS}?limit=100"))["data"]}
    assert {row["status"] for row in rows.values()} == {"idle", "in_progress", "failed"}
    for id, row in rows.items():
        truth = world.find(id)
        assert truth is not None
        assert (row["status"] == "failed") == (truth.ended <= world.present and truth.ending is EndReason.ERROR)
        assert read(ask(world, f"{SESSIONS}/{id}")) == row
        assert row["created_at"] <= row["last_active_at"]


def test_items_of_a_session_have_no_times_and_some_have_no_id() -> None:
    world = served()
    kinds: set[str] = set()
    is_nameless = False
    for truth in world.newest():
        target = f"{SESSIONS}/{world.id(truth)}"
        found = items(world, target, limit=2)
        assert found == items(world, target)
        kinds |= {item["type"] for item in found}
        is_nameless |= any(item["id"] is None for item in found)
        assert not any("created_at" in item for item in found)
        assert not any(isinstance(item["arguments"], str) for item in found if "arguments" in item)
    assert kinds == {"message", "function_call", "function_call_output", "mcp_call"}
    assert is_nameless


def test_turns_have_the_only_clocks_and_their_own_items() -> None:
    world = served()
    truth = newest(world, Phase.SETTLED)
    target = f"{SESSIONS}/{world.id(truth)}"
    turns = read(ask(world, f"{target}/turns?order=asc&limit=100"))["data"]
    of_turns = [item for turn in turns for item in items(world, f"{target}/turns/{turn['id']}")]
    assert of_turns == items(world, target)
    assert all(turn["started_at"] <= turn["completed_at"] for turn in turns)


def test_a_session_is_started_written_to_and_deleted() -> None:
    world = served(3, 3)
    answer = ask(world, SESSIONS, "POST", environment={"type": "none"}, agent_id="agent_7", input="Hello?")
    session = read(answer)
    target = f"{SESSIONS}/{session['id']}"
    content = [{"type": "input_text", "text": "And now?"}]
    event = {"type": "agent.session.input.message", "content": content}
    sent = ask(world, f"{target}/events", "POST", events=[event])
    assert (answer.status, session["agent"]["id"], sent.status, sent.body) == (200, "agent_7", 202, b"")
    said = [item["content"][0]["text"] for item in items(world, target) if item["role"] == "user"]
    assert said == ["Hello?", "And now?"]
    running = next(row["id"] for row in read(ask(world, SESSIONS))["data"] if row["status"] == "in_progress")
    assert ask(world, f"{SESSIONS}/{running}", "DELETE").status == 409
    assert read(ask(world, target, "DELETE"))["object"] == "agent.session.deleted"
    assert ask(world, target).status == 404


def test_a_thread_is_deleted() -> None:
    world = served(3, 3)
    target = f"{THREADS}/{walk(world, KINDS[THREADS], 10)[0]}"
    assert read(ask(world, target, "DELETE"))["object"] == "chatkit.thread.deleted"
    assert ask(world, target).status == 404


# what is refused


@pytest.mark.parametrize(
    ("method", "target", "body", "status", "words"),
    [
        ("GET", f"{THREADS}?limit=101", {}, 400, "limit"),
        ("GET", f"{SESSIONS}?limit=0", {}, 400, "limit"),
        ("GET", f"{SESSIONS}?order=up", {}, 400, "order"),
        ("GET", f"{THREADS}?after=cthr_nobody", {}, 400, "cthr_nobody"),
        ("GET", f"{THREADS}/cthr_nobody", {}, 404, "cthr_nobody"),
        ("GET", f"{SESSIONS}/sess_nobody/items", {}, 404, "sess_nobody"),
        ("POST", THREADS, {}, 405, "POST"),
        ("POST", SESSIONS, {}, 400, "object"),
        ("POST", SESSIONS, {"environment": {"type": "none"}}, 400, "agent_id"),
        ("POST", SESSIONS, {"environment": {"type": "none"}, "agent_id": "a"}, 400, "input"),
        ("POST", SESSIONS, {"environment": 7}, 400, "object"),
    ],
)
def test_refusals_have_the_provider_s_status_and_shape(
    method: str, target: str, body: dict[str, Any], status: int, words: str
) -> None:
    answer = ask(served(5, 5), target, method, **body)
    assert answer.status == status
    error = read(answer)["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert words in error["message"]


@every_kind
@pytest.mark.parametrize("key", ["", "bad-key"])
def test_a_bad_or_missing_key_is_refused_and_so_is_a_missing_beta(kind: str, key: str) -> None:
    assert ask(served(5, 5), kind, key=key).status == 401
    bare = SIMULATED.answer(Call("GET", kind, {"authorization": "Bearer any"}), served(5, 5))
    assert (bare.status, "OpenAI-Beta" in read(bare)["error"]["message"]) == (400, True)


# what is delivered


def test_deliveries_are_about_sessions_and_about_no_thread() -> None:
    world = served()
    assert SIMULATED.deliveries is not None
    assert SIMULATED.signed is not None
    truth = newest(world, Phase.SETTLED)
    deliveries = SIMULATED.deliveries(world, truth)
    bodies = [msgspec.json.decode(delivery.body) for delivery in deliveries]
    assert sum(delivery.kind == "response.completed" for delivery in deliveries) >= 2
    about = {body["data"]["id"] for body in bodies if body["type"].startswith("agent.session.")}
    assert about == {world.id(truth)}
    assert len({body["id"] for body in bodies}) == len(bodies)
    for delivery in deliveries:
        headers = SIMULATED.signed(delivery, SIMULATED.webhook_secret)
        claim = STANDARD_WEBHOOKS.claim(Received(headers=headers, body=delivery.body))
        assert STANDARD_WEBHOOKS.matches(claim, standard_key(SIMULATED.webhook_secret))
