"""The three questions that agents are really given, over a store of simulated providers, against what is true."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import pytest

from conversations_hub.agents import Tool
from conversations_hub.schema import Channel, EndReason, Role

from ..support.simulated_store import PROVIDERS, Asked, Call, Happened, asked, filled, refs_in

Filled = tuple[Mapping[str, Tool], list[Happened]]

_UNREACHED = {EndReason.NO_ANSWER, EndReason.CANCELLED}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    return filled(tmp_path_factory.mktemp("store") / "c.db")


def assert_short(read: Asked) -> None:
    assert len(read.answers) <= 4
    assert read.tokens <= 8_000


async def test_why_did_calls_to_an_agent_fail_this_week(store: Filled) -> None:
    functions, happened = store
    scope: dict[str, Any] = {"agent": "order support", "since": "7d", "failed": True}
    read = await asked(
        functions,
        lambda _: ("count_conversations", {**scope, "by": "failure"}),
        lambda _: ("list_conversations", scope),
        lambda answers: ("get_conversation", {"ref": next(_errors_in(answers[1])), "part": "end", "max_tokens": 1000}),
    )
    assert_short(read)
    counts, listed, one = read.answers
    of_agent = [each for each in happened if each.truth.scenario.agent == "Order support"]
    failed = [
        each
        for each in of_agent
        if each.truth.ending in {EndReason.ERROR, *_UNREACHED} or each.truth.success is False or each.has_broken_promise
    ]
    assert len(failed) > 5
    assert {each.ref for each in failed} == set(refs_in(listed))
    assert f"of {len(failed)} conversations" in counts
    errors = [each for each in failed if each.truth.ending is EndReason.ERROR]
    assert sum(int(found) for found in re.findall(r"^- error.*: (\d+)$", counts, re.MULTILINE)) == len(errors) > 2
    assert {each.ref for each in errors} == set(_errors_in(listed))
    assert "failed: error (" in one  # in the provider's own words


def _errors_in(listed: str) -> Iterator[str]:
    return iter(re.findall(r"^- (\S+) \|.*\n    failed: error \(", listed, re.MULTILINE))


async def test_what_did_this_customer_ask_for_over_all_platforms(store: Filled) -> None:
    functions, happened = store
    for customer in (81, 93, 56, 66):
        theirs = [each for each in happened if each.truth.customer == customer]
        read = await asked(
            functions,
            partial(_calls_of, f"(415) 555-01{customer:02}"),
            lambda answers: ("get_conversation", {"ref": next(refs_in(answers[0])), "max_tokens": 1500}),
        )
        assert_short(read)
        found = set(refs_in(read.answers[0])) & {each.ref for each in happened}  # others still run
        assert {each.ref for each in theirs if each.truth.channel is Channel.PHONE} <= found
        assert found <= {each.ref for each in theirs}
        assert len({ref.partition(":")[0] for ref in found}) >= 2
        for each in theirs:
            said = [turn.text for turn in each.turns if turn.role is Role.USER]
            if each.ref in found and said:
                assert said[0][:60] in read.answers[0]


def _calls_of(customer: str, _answers: Sequence[str]) -> Call:
    return "list_conversations", {"customer": customer}


async def test_which_promises_were_made_and_not_kept(store: Filled) -> None:
    functions, happened = store
    read = await asked(
        functions,
        lambda _: ("find_tool_calls", {"failed": True, "since": "7d"}),
        lambda answers: ("read_around", {"ref": next(refs_in(answers[0])), "turn": 3}),
    )
    assert_short(read)
    found = read.answers[0]
    broken = {each.ref: each for each in happened if each.has_broken_promise}
    assert len(broken) > 8
    assert {broken[ref].ref.partition(":")[0] for ref in broken} == set(PROVIDERS)
    told: dict[str, str] = dict(re.findall(r"^- (\S+?)#\d+ (.*(?:\n    .*)*)", found, re.MULTILINE))
    assert {ref for ref, rest in told.items() if "never worked later" in rest and ref in broken} == set(broken)
    for ref, each in broken.items():
        last = [turn.text for turn in each.turns if turn.role is Role.ASSISTANT][-1]
        assert last[:50] in told[ref]  # what the agent promised at the end
        assert '← {"error": "timed out"}' in told[ref]
