"""Claude's managed agents in the simulator: what is archived and hidden, the log of events, and what changes it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest

from conversations_hub.schema import EndReason, Role
from conversations_hub.signing._delivery import Received
from conversations_hub.signing.webhooks import STANDARD_WEBHOOKS, standard_key
from conversations_hub.testing import Simulator
from conversations_hub.testing.simulator._claude import SIMULATED
from conversations_hub.testing.simulator._corpus import Corpus
from conversations_hub.testing.simulator._truth import Phase, Truth
from conversations_hub.testing.simulator._world import Call, World
from conversations_hub.wire import Response

from ..support.clock import ManualClock
from ..support.provider_lists import LISTS

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
LIST = LISTS["claude"]
SESSIONS = "/v1/sessions"
MESSAGE = {"type": "user.message", "content": [{"type": "text", "text": "Hi."}]}
HEADERS = LIST.key("any")


def served(conversations: int = 250, clock: ManualClock | None = None) -> World:
    simulator = Simulator(conversations=conversations, now=NOW, clock=clock or ManualClock(), providers=["claude"])
    return simulator.worlds["claude"]


def ask(
    world: World, target: str, method: str = "GET", query: list[tuple[str, Any]] | None = None, **body: Any
) -> Response:
    sent = msgspec.json.encode(body) if body else b""
    whole = f"{target}?{urlencode(query)}" if query else target
    return SIMULATED.answer(Call(method, whole, HEADERS, sent), world)


def read(answer: Response) -> Any:
    return msgspec.json.decode(answer.body)


def walked(world: World, filters: dict[str, Any] | None = None, size: int = 40) -> list[str]:
    return list(LIST.walk(lambda asked: read(SIMULATED.answer(LIST.call(asked), world)), size, filters or {}))


def session(world: World, truth: Truth) -> dict[str, Any]:
    found: dict[str, Any] = read(ask(world, f"{SESSIONS}/{world.id(truth)}"))
    return found


def events(world: World, truth: Truth, query: list[tuple[str, Any]] | None = None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = read(ask(world, f"{SESSIONS}/{world.id(truth)}/events", query=query))["data"]
    return found


def newest(world: World, holds: Callable[[Truth], bool]) -> Truth:
    return next(truth for truth in world.newest() if holds(truth))


def running(world: World) -> Truth:
    return newest(world, lambda truth: truth.phase(world.present) is Phase.LIVE)


# the list


@pytest.mark.parametrize("conversations", [0, 1, 250])
@pytest.mark.parametrize("size", [1, 7, 100])
def test_pages_hold_every_session_once_the_newest_first(conversations: int, size: int) -> None:
    world = served(conversations)
    ids = [world.id(truth) for truth in world.newest()]
    assert walked(world, size=size) == ids
    assert walked(world, {"order": "asc"}, size) == ids[::-1]


def test_a_page_of_a_million_makes_no_more_than_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    made: Counter[int] = Counter()
    make = Corpus.truth

    def counted(self: Corpus, index: int) -> Truth:
        made[index] += 1
        return make(self, index)

    monkeypatch.setattr(Corpus, "truth", counted)
    page = read(SIMULATED.answer(LIST.call(LIST.far_down), served(1_000_000)))
    assert len(page["data"]) == 50
    assert sum(index < 900_000 for index in made) >= 50
    assert made.total() <= 80


def test_archived_sessions_are_hidden_unless_asked_for() -> None:
    world = served()
    rows = read(ask(world, SESSIONS, query=[("limit", 100)]))["data"]
    assert not any(row["archived_at"] for row in rows)
    assert {row["status"] for row in rows} >= {"idle", "terminated"}
    assert len(walked(world, {"include_archived": "false"})) < len(walked(world)) == 250


FILTERS: list[tuple[dict[str, Any], Callable[[dict[str, Any]], bool]]] = [
    ({"agent_id": "agent_102"}, lambda row: row["agent"]["id"] == "agent_102"),
    ({"statuses[]": "terminated"}, lambda row: row["status"] == "terminated"),
    ({"statuses[]": "idle"}, lambda row: row["status"] == "idle"),
]


@pytest.mark.parametrize(("filters", "holds"), FILTERS)
def test_filters(filters: dict[str, Any], holds: Callable[[dict[str, Any]], bool]) -> None:
    world = served()
    wanted = [world.id(truth) for truth in world.newest() if holds(session(world, truth))]
    assert 0 < len(wanted) < 250
    assert walked(world, filters) == wanted


def test_statuses_may_be_repeated() -> None:
    world = served()
    query = [("statuses[]", "running"), ("statuses[]", "rescheduling"), ("limit", 100)]
    rows = read(ask(world, SESSIONS, query=query))["data"]
    assert len(rows) == len([truth for truth in world.newest() if truth.phase(world.present) is Phase.LIVE])
    assert {row["status"] for row in rows} <= {"running", "rescheduling"}


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_bounds_are_instants_of_creation(order: str) -> None:
    world = served()
    early, late = (
        datetime.fromtimestamp(world.corpus.created(index), UTC).isoformat().replace("+00:00", "Z")
        for index in (100, 110)
    )

    def found(**bounds: str) -> list[str]:
        return walked(world, {"order": order, **{f"created_at[{name}]": value for name, value in bounds.items()}}, 3)

    for bounds, inside in (
        ({"gte": early, "lt": late}, range(100, 110)),
        ({"gt": early, "lte": late}, range(101, 111)),
    ):
        ids = [world.corpus.id(index) for index in inside]
        assert found(**bounds) == (ids if order == "asc" else ids[::-1])


# one session and its events


@pytest.mark.parametrize(
    ("ending", "standings"),
    [
        (EndReason.AGENT_ENDED, {("terminated", True)}),
        (EndReason.ERROR, {("terminated", False)}),
        (EndReason.MAX_DURATION, {("idle", False)}),
        (EndReason.CUSTOMER_ENDED, {("idle", False), ("terminated", True)}),
    ],
)
def test_terminated_is_archived_or_broken(ending: EndReason, standings: set[tuple[str, bool]]) -> None:
    world = served()
    settled = [t for t in world.newest() if t.ending is ending and t.phase(world.present) is Phase.SETTLED]
    found = [session(world, truth) for truth in settled]
    assert {(one["status"], one["archived_at"] is not None) for one in found} == standings


def test_the_log_holds_what_was_said_among_much_else() -> None:
    world = served()
    kinds: set[str] = set()
    for truth in world.newest():
        log = events(world, truth)
        kinds |= {event["type"] for event in log}
        ids = [event["id"] for event in log]
        assert len(set(ids)) == len(ids)
        said = [event["content"][0]["text"] for event in log if event["type"] in {"user.message", "agent.message"}]
        assert said == [turn.text for turn in world.turns(truth) if turn.tool is None]
    assert kinds >= {
        *("user.message", "agent.message", "agent.thinking", "agent.custom_tool_use", "user.custom_tool_result"),
        *("agent.tool_use", "agent.tool_result", "session.status_running", "session.status_idle", "session.error"),
        *("session.status_terminated", "span.model_request_start", "span.model_request_end"),
    }


def test_what_waits_for_the_agent_has_no_instant() -> None:
    world = served()
    waiting = [
        event["processed_at"] is None
        for truth in world.newest()
        if (said := world.turns(truth)) and said[-1].role is Role.USER and truth.phase(world.present) is Phase.LIVE
        for event in events(world, truth)[-1:]
    ]
    assert all(waiting)


def test_events_are_narrowed_paged_and_turned_round() -> None:
    world = served()
    truth = newest(world, lambda truth: truth.phase(world.present) is Phase.SETTLED and truth.exchanges > 3)
    log = events(world, truth)
    only = events(world, truth, [("types[]", "user.message"), ("types[]", "agent.message")])
    assert only == [event for event in log if event["type"] in {"user.message", "agent.message"}]
    assert events(world, truth, [("order", "desc")]) == log[::-1]
    pages, page = [], None
    while True:
        query: list[tuple[str, Any]] = [("limit", 5), *([("page", page)] if page else [])]
        answer = read(ask(world, f"{SESSIONS}/{world.id(truth)}/events", query=query))
        pages += answer["data"]
        page = answer["next_page"]
        if page is None:
            break
    assert pages == log


def test_the_primary_thread_has_the_same_events() -> None:
    world = served()
    truth = running(world)
    [thread] = read(ask(world, f"{SESSIONS}/{world.id(truth)}/threads"))["data"]
    assert thread["parent_thread_id"] is None
    own = read(ask(world, f"{SESSIONS}/{world.id(truth)}/threads/{thread['id']}/events"))["data"]
    assert own == events(world, truth)


# what calls change


def test_a_session_is_started_written_to_archived_and_deleted() -> None:
    clock = ManualClock()
    world = served(5, clock)
    started = read(ask(world, SESSIONS, "POST", agent="agent_7", environment_id="env_1", initial_events=[MESSAGE]))
    one = f"{SESSIONS}/{started['id']}"
    assert (started["status"], started["agent"]["id"], started["environment_id"]) == ("idle", "agent_7", "env_1")
    clock.seconds = 5
    [stored] = read(ask(world, f"{one}/events", "POST", events=[MESSAGE]))["data"]
    assert (stored["type"], stored["content"], bool(stored["id"])) == ("user.message", MESSAGE["content"], True)
    log = read(ask(world, f"{one}/events"))["data"]
    assert [event["type"] for event in log].count("agent.message") == 2
    archived = read(ask(world, f"{one}/archive", "POST"))
    assert (archived["status"], bool(archived["archived_at"])) == ("terminated", True)
    assert ask(world, f"{one}/archive", "POST").status == 409
    assert ask(world, f"{one}/events", "POST", events=[MESSAGE]).status == 409
    assert read(ask(world, one, "DELETE")) == {"id": started["id"], "type": "session_deleted"}
    assert ask(world, one).status == 404


def test_a_running_session_is_interrupted_before_it_is_archived() -> None:
    world = served()
    truth = running(world)
    one = f"{SESSIONS}/{world.id(truth)}"
    assert ask(world, f"{one}/archive", "POST").status == ask(world, one, "DELETE").status == 409
    assert ask(world, f"{one}/events", "POST", events=[{"type": "user.interrupt"}]).status == 200
    assert session(world, truth)["status"] == "idle"
    assert ask(world, f"{one}/archive", "POST").status == 200


def test_an_old_session_that_rests_is_archived_too() -> None:
    world = served()
    truth = newest(world, lambda truth: truth.ending is EndReason.MAX_DURATION)
    archived = read(ask(world, f"{SESSIONS}/{world.id(truth)}/archive", "POST"))
    assert archived["archived_at"] == archived["updated_at"] > session(world, truth)["created_at"]
    assert events(world, truth)[-1]["type"] == "session.status_terminated"


# refusals and deliveries


@pytest.mark.parametrize(
    ("target", "query", "status", "kind"),
    [
        (SESSIONS, [("limit", 101)], 400, "invalid_request_error"),
        (SESSIONS, [("statuses[]", "done")], 400, "invalid_request_error"),
        (SESSIONS, [("created_at[gte]", "yesterday")], 400, "invalid_request_error"),
        (SESSIONS, [("page", "zz")], 400, "invalid_request_error"),
        (f"{SESSIONS}/sesn_0000000000", [], 404, "not_found_error"),
        ("/v1/other", [], 404, "not_found_error"),
    ],
)
def test_refusals(target: str, query: list[tuple[str, Any]], status: int, kind: str) -> None:
    answer = ask(served(), target, query=query)
    body = read(answer)
    assert (answer.status, body["type"], body["error"]["type"]) == (status, "error", kind)
    assert body["request_id"]


def test_a_cursor_keeps_its_order() -> None:
    world = served()
    page = read(ask(world, SESSIONS))["next_page"]
    assert ask(world, SESSIONS, query=[("page", page), ("order", "asc")]).status == 400


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"x-api-key": ""}, 401),
        ({"x-api-key": "bad"}, 401),
        ({"anthropic-version": ""}, 400),
        ({"anthropic-beta": "other-2026"}, 400),
        ({"anthropic-beta": "other-2026, managed-agents-2026-04-01"}, 200),
        ({"x-api-key": "", "authorization": "Bearer any"}, 200),
    ],
)
def test_three_headers_are_needed(changes: dict[str, str], status: int) -> None:
    assert SIMULATED.answer(Call("GET", SESSIONS, {**HEADERS, **changes}), served()).status == status


def test_deliveries_have_ids_only_and_are_signed_by_the_standard() -> None:
    world = served()
    assert SIMULATED.deliveries is not None
    assert SIMULATED.signed is not None
    kinds: set[str] = set()
    for truth in world.newest():
        for delivery in SIMULATED.deliveries(world, truth):
            body = msgspec.json.decode(delivery.body)
            assert body["data"]["id"] == world.id(truth)
            kinds.add(delivery.kind)
            headers = SIMULATED.signed(delivery, SIMULATED.webhook_secret)
            claim = STANDARD_WEBHOOKS.claim(Received(headers=headers, body=delivery.body))
            assert STANDARD_WEBHOOKS.matches(claim, standard_key(SIMULATED.webhook_secret))
    assert kinds == {
        *("session.created", "session.status_run_started", "session.status_idled", "session.idled"),
        *("session.archived", "session.status_terminated", "session.outcome_evaluation_ended"),
    }


def test_a_session_that_was_started_tells_when_it_is_archived() -> None:
    world = served(5)
    started = read(ask(world, SESSIONS, "POST", agent={"id": "agent_7"}, environment_id="env_1"))
    truth = world.find(started["id"])
    assert truth is not None
    assert SIMULATED.deliveries is not None
    assert [one.kind for one in SIMULATED.deliveries(world, truth)] == ["session.created"]
    ask(world, f"{SESSIONS}/{started['id']}/archive", "POST")
    assert [one.kind for one in SIMULATED.deliveries(world, truth)] == ["session.created", "session.archived"]
    assert ask(world, SESSIONS, "POST", agent="agent_7").status == 400
