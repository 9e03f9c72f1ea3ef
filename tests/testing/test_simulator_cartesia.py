"""Cartesia in the simulator: a list for each agent, two vocabularies by version, and what somebody deleted."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest

from conversations_hub.schema import Channel, EndReason
from conversations_hub.testing import Simulator
from conversations_hub.testing.simulator._cartesia import SIMULATED
from conversations_hub.testing.simulator._corpus import Corpus
from conversations_hub.testing.simulator._truth import Phase, Truth
from conversations_hub.testing.simulator._world import Call, World
from conversations_hub.wire import Response

from ..support.clock import ManualClock
from ..support.provider_lists import LISTS

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
LIST = LISTS["cartesia"]
CALLS = "/agents/calls"
LATEST = "agent_a_2026"


def served(conversations: int = 250) -> World:
    simulator = Simulator(conversations=conversations, now=NOW, clock=ManualClock(), providers=["cartesia"])
    return simulator.worlds["cartesia"]


def ask(
    world: World,
    target: str,
    method: str = "GET",
    *,
    key: str = "any",
    version: str | None = "2026-08-14",
    **query: Any,
) -> Response:
    headers = {"authorization": f"Bearer {key}"} | ({"cartesia-version": version} if version else {})
    return SIMULATED.answer(Call(method, f"{target}?{urlencode(query)}" if query else target, headers), world)


def read(answer: Response) -> Any:
    return msgspec.json.decode(answer.body)


def settled(world: World, **members: Any) -> Truth:
    return next(
        truth
        for truth in world.newest()
        if truth.phase(world.present) is Phase.SETTLED
        and all(getattr(truth, name) == value for name, value in members.items())
    )


@pytest.mark.parametrize("conversations", [0, 1, 5, 250])
@pytest.mark.parametrize("size", [1, 7, 100])
def test_the_lists_of_all_agents_hold_every_call_once_the_newest_first(conversations: int, size: int) -> None:
    world = served(conversations)
    found = list(LIST.walk(lambda asked: read(SIMULATED.answer(LIST.call(asked), world)), size, {}))
    assert found == [world.id(truth) for truth in world.newest()]
    assert len(found) == conversations


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


def test_the_agents_are_listed_with_the_one_that_was_deleted() -> None:
    world = served()
    agents = read(ask(world, "/agents"))["summaries"]
    assert [agent["deleted_at"] is not None for agent in agents] == [False, False, True]
    for agent in agents:
        rows = read(ask(world, CALLS, agent_id=agent["id"]))["data"]
        assert len(rows) == 10
        assert {row["agent_id"] for row in rows} == {agent["id"]}
        assert read(ask(world, f"/agents/{agent['id']}")) == agent


def test_rows_have_transcripts_only_where_asked() -> None:
    world = served()
    plain = read(ask(world, CALLS, agent_id=LATEST, limit=50))["data"]
    whole = read(ask(world, CALLS, agent_id=LATEST, limit=50, expand="transcript"))["data"]
    assert not any("transcript" in row for row in plain)
    assert any(row["transcript"] for row in whole)
    for row in whole:
        assert row == read(ask(world, f"{CALLS}/{row['id']}"))


def test_a_page_before_a_call_has_the_ones_that_are_next_to_it() -> None:
    world = served()
    ids = [row["id"] for row in read(ask(world, CALLS, agent_id=LATEST, limit=30))["data"]]
    before = read(ask(world, CALLS, agent_id=LATEST, limit=5, ending_before=ids[20]))
    assert [row["id"] for row in before["data"]] == ids[15:20]
    assert before["next_page"] == ids[15]


def test_the_version_decides_on_the_words() -> None:
    world = served(600)
    statuses: dict[str, set[str]] = {}
    for version in ("2025-11-04", "2026-03-01"):
        calls = [read(ask(world, f"{CALLS}/{world.id(truth)}", version=version)) for truth in world.newest()]
        statuses[version] = {call["status"] for call in calls}
        assert all(("end_reason" in call) == (version == "2026-03-01") for call in calls)
    assert statuses["2025-11-04"] == {"active", "completed", "failed", "cancelled"}
    assert statuses["2026-03-01"] == {"created", "started", "completed", "failed"}


def test_every_reason_comes_somewhere() -> None:
    world = served(1500)
    reasons = {read(ask(world, f"{CALLS}/{world.id(truth)}"))["end_reason"] for truth in world.newest()}
    assert reasons >= {
        *(None, "agent_hangup", "client_hangup", "client_disconnected", "api_cancelled", "max_duration"),
        *("inactivity", "dial_busy", "dial_no_answer", "error"),
    }


def test_what_failed_before_it_connected_has_nothing() -> None:
    world = served()
    truth = settled(world, ending=EndReason.NO_ANSWER, channel=Channel.PHONE)
    call = read(ask(world, f"{CALLS}/{world.id(truth)}"))
    assert call["telephony_params"]["to"] == truth.phone
    assert {name: call[name] for name in ("status", "start_time", "end_time", "transcript", "summary")} == {
        "status": "failed",
        **dict.fromkeys(("start_time", "end_time", "transcript", "summary")),
    }
    assert ask(world, f"{CALLS}/{world.id(truth)}/audio").status == 404


def test_logs_stand_among_what_was_said() -> None:
    world = served()
    logs: set[str] = set()
    for truth in world.newest():
        call: dict[str, Any] = read(ask(world, f"{CALLS}/{world.id(truth)}"))
        entries: list[dict[str, Any]] = call["transcript"] or list[dict[str, Any]]()
        tools: list[Any] = [used for entry in entries for used in entry.get("tool_calls") or ()]
        assert [tool["name"] for tool in tools] == [turn.tool.name for turn in world.turns(truth) if turn.tool][
            : len(tools)
        ]
        logs |= {name for entry in entries if entry["role"] == "system" for name in entry if name.startswith("log_")}
    assert logs == {"log_event", "log_metric"}


def test_a_deleted_call_stays_without_its_content() -> None:
    world = served()
    truth = settled(world, channel=Channel.PHONE, ending=EndReason.CUSTOMER_ENDED)
    one = f"{CALLS}/{world.id(truth)}"
    assert ask(world, f"{one}/audio").body.startswith(b"RIFF")
    assert ask(world, one, "DELETE").status == 204
    call = read(ask(world, one))
    assert call["redacted_at"]
    assert (call["transcript"], call["summary"], call["telephony_params"]) == (None, None, None)
    assert call["status"] == "completed"
    assert ask(world, f"{one}/audio").status == 404
    running = next(truth for truth in world.newest() if truth.phase(world.present) is Phase.LIVE)
    assert ask(world, f"{CALLS}/{world.id(running)}", "DELETE").status == 400


@pytest.mark.parametrize(
    ("target", "query", "status", "words"),
    [
        (CALLS, {}, 400, "agent_id is required"),
        (CALLS, {"agent_id": "agent_9"}, 404, "Agent not found"),
        (CALLS, {"agent_id": LATEST, "limit": 101}, 400, "limit"),
        (CALLS, {"agent_id": LATEST, "expand": "audio"}, 400, "expand"),
        (CALLS, {"agent_id": LATEST, "starting_after": "ac_9"}, 400, "cursor"),
        (CALLS, {"agent_id": LATEST, "starting_after": "a", "ending_before": "b"}, 400, "either"),
        (f"{CALLS}/ac_0000000000", {}, 404, "Call not found"),
        ("/calls", {}, 404, "Not found"),
    ],
)
def test_refusals(target: str, query: dict[str, Any], status: int, words: str) -> None:
    answer = ask(served(), target, **query)
    assert answer.status == status
    assert words in read(answer)["error"]


def test_without_a_key_or_a_version_nothing_works() -> None:
    world = served()
    for key in ("", "bad-key"):
        assert ask(world, "/agents", key=key).status == 401
    assert ask(world, "/agents", version=None).status == 400
    assert ask(world, "/agents", version="2026-01-01").status == 400
    newer = {"x-api-key": "any", "cartesia-version": "2026-08-14"}
    assert SIMULATED.answer(Call("GET", "/agents", newer), world).status == 200


def test_deliveries_have_the_call_as_it_is_then_and_the_secret_itself() -> None:
    world = served()
    assert SIMULATED.deliveries is not None
    assert SIMULATED.signed is not None
    truth = settled(world, ending=EndReason.AGENT_ENDED)
    sent = SIMULATED.deliveries(world, truth)
    bodies = [msgspec.json.decode(delivery.body) for delivery in sent]
    assert [body["type"] for body in bodies] == ["call_started", "call_completed", "post_call_analysis"]
    assert [body["call"]["status"] for body in bodies[:2]] == ["started", "completed"]
    assert bodies[1]["call"]["transcript"] is None
    assert bodies[2]["analysis"] == {"summary": truth.summary}
    assert SIMULATED.signed(sent[0], "secret") == {"X-Webhook-Secret": "secret"}
    missed = SIMULATED.deliveries(world, settled(world, answered=None))
    assert [delivery.kind for delivery in missed] == ["call_failed"]
