"""Lists within their budgets: details are cut before entries are, and cursors go on behind the last entry."""

from __future__ import annotations

import asyncio
import dataclasses
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversations_hub.agents import Answer, Tool
from conversations_hub.agents._budget import LEAST, Budget, tokens_of
from conversations_hub.agents._entries import Detail, Entries, Entry
from conversations_hub.agents._page import Page
from conversations_hub.schema import Agent, Conversation, EndReason, Participant, ParticipantKind, Role, Status

from ..support.agents import NOON, called, inside, spoken, stored, tool_call, turn

CUT = "Details were cut for want of room: a larger max_tokens, or a narrower filter, shows them."
SUMMARY = "The caller asked for a refund of an order that had come late, and was promised one."


def failed(number: int, *, summary: str = SUMMARY, **more: Any) -> Conversation:
    return spoken(
        f"c{number}",
        turn(Role.USER, f"My order {number} is late. " + "It was for a birthday. " * 5),
        created_at=NOON - number * timedelta(hours=1),
        status=Status.FAILED,
        end_reason=EndReason.ERROR,
        summary=summary,
        **more,
    )


def size_of(answer: Answer) -> int:
    return tokens_of(msgspec.json.encode(dataclasses.asdict(answer)).decode())


async def test_details_are_whole_where_there_is_room(tmp_path: Path) -> None:
    functions = await stored(tmp_path, failed(1), failed(2))
    answer = await called(functions, "list_conversations")
    assert inside(answer) == [
        "- tavus:c1 | failed (error) | 2026-11-20 11:00 UTC | transcript available, 1 turn",
        "    failed: error",
        "    about: The caller asked for a refund of an order that had come late, and was promised …",
        "    the user: My order 1 is late." + " It was for a birthday." * 3 + " It was for…",
        "- tavus:c2 | failed (error) | 2026-11-20 10:00 UTC | transcript available, 1 turn",
        "    failed: error",
        "    about: The caller asked for a refund of an order that had come late, and was promised …",
        "    the user: My order 2 is late." + " It was for a birthday." * 3 + " It was for…",
    ]
    assert answer.notes == ()


async def test_details_are_cut_before_any_entry_is_alike_in_all_of_them(tmp_path: Path) -> None:
    functions = await stored(tmp_path, *map(failed, range(1, 5)))
    answer = await called(functions, "list_conversations", max_tokens=340)
    assert (answer.shown, answer.total, answer.cursor) == (4, 4, None)
    assert inside(answer) == [
        line
        for number in range(1, 5)
        for line in (
            f"- tavus:c{number} | failed (error) | 2026-11-20 {12 - number:02}:00 UTC | transcript available, 1 turn",
            "    failed: error",
            "    about: The caller asked for a refund of an order …",
        )
    ]
    assert answer.notes == (CUT,)
    answer = await called(functions, "list_conversations", max_tokens=300)
    assert inside(answer)[:3] == [
        "- tavus:c1 | failed (error) | 2026-11-20 11:00 UTC | transcript available, 1 turn",
        "    failed: error",
        "- tavus:c2 | failed (error) | 2026-11-20 10:00 UTC | transcript available, 1 turn",
    ]
    assert answer.shown == 4


async def test_of_one_customer_what_was_said_is_cut_last(tmp_path: Path) -> None:
    ada = Participant(kind=ParticipantKind.CUSTOMER, name="Ada")
    functions = await stored(tmp_path, *(failed(number, participants=(ada,)) for number in range(1, 4)))
    answer = await called(functions, "list_conversations", customer="Ada", max_tokens=300)
    assert inside(answer) == [
        line
        for number in range(1, 4)
        for line in (
            f"- tavus:c{number} | failed (error) | 2026-11-20 {12 - number:02}:00 UTC | transcript available, 1 turn",
            "    failed: error",
            f"    the user: My order {number} is late. It was for a birthday. I…",
        )
    ]


async def test_calls_of_tools_keep_what_came_back_and_what_was_said_last(tmp_path: Path) -> None:
    def one(number: int) -> Conversation:
        said = (
            turn(Role.ASSISTANT, "Let me look that up for you, it will only take a moment."),
            *tool_call("find_order", '{"error": "timed out"}', is_error=True),
            turn(Role.ASSISTANT, "One moment more, please, the system is rather slow today."),
            turn(Role.USER, "Yes."),
            turn(Role.ASSISTANT, "Your order is on its way, and comes on Friday."),
        )
        return spoken(f"c{number}", *said, created_at=NOON - number * timedelta(hours=1))

    functions = await stored(tmp_path, *map(one, range(1, 5)))
    whole = await called(functions, "find_tool_calls")
    assert inside(whole)[:6] == [
        "- tavus:c1#1 | 2026-11-20 11:00 UTC | find_order | failed; never worked later",
        "    before, the agent at #0: Let me look that up for you, it will only take a moment.",
        '    → {"a": 1}',
        '    ← {"error": "timed out"}',
        "    then, the agent at #3: One moment more, please, the system is rather slow today.",
        "    at the end, the agent at #5: Your order is on its way, and comes on Friday.",
    ]
    answer = await called(functions, "find_tool_calls", max_tokens=400)
    assert inside(answer)[:3] == [
        "- tavus:c1#1 | 2026-11-20 11:00 UTC | find_order | failed; never worked later",
        '    ← {"error": "timed out"}',
        "    at the end, the agent at #5: Your order is on its way, and comes on Friday.",
    ]
    assert (answer.shown, answer.notes) == (4, (CUT,))


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Tool]:
    names = ("Ava", "予約センター", "Ben \u202e![x](y) <b>", "A" * 500)
    ones = [
        failed(number, summary=SUMMARY * (number % 3), agent=Agent(id=f"a{number}", name=names[number % 4]))
        for number in range(90)
    ]
    return asyncio.run(stored(tmp_path_factory.mktemp("many"), *ones))


@settings(max_examples=30)
@given(st.integers(0, 4_500))
def test_ag4_a_list_keeps_its_budget_and_shows_each_conversation_once(many: Mapping[str, Tool], tokens: int) -> None:
    refs: list[str] = []
    cursor: str | None = None
    while True:
        answer = asyncio.run(called(many, "list_conversations", cursor=cursor, max_tokens=tokens))
        assert size_of(answer) <= max(tokens, LEAST) * 1.1
        found = re.findall(r"^- (tavus:c\d+)\b", answer.text, re.MULTILINE)
        assert len(found) == answer.shown > 0
        refs += found
        cursor = answer.cursor
        if cursor is None:
            break
    assert refs == [f"tavus:c{number}" for number in range(90)]


async def test_more_entries_fit_than_with_their_details(many: Mapping[str, Tool]) -> None:
    answer = await called(many, "list_conversations", max_tokens=3_000)
    assert answer.shown == 50
    assert answer.notes == (CUT,)


async def test_the_first_line_of_all_is_cut_where_no_answer_has_room_for_it(tmp_path: Path) -> None:
    long = Agent(id="a", name="予約センター" * 40)
    functions = await stored(tmp_path, failed(1, agent=long), failed(2))
    answer = await called(functions, "list_conversations", max_tokens=LEAST)
    [line] = inside(answer)
    assert re.fullmatch(r"- tavus:c1 \| failed \(error\) \| 2026-11-20 11:00 UTC \| agent [予約センター]+…", line)
    assert answer.notes == ("Some lines were cut for want of room: ask for a larger max_tokens.",)
    assert size_of(answer) <= LEAST * 1.1
    rest = await called(functions, "list_conversations", max_tokens=LEAST, cursor=answer.cursor)
    assert inside(rest)[0].startswith("- tavus:c2 | ")
    assert rest.cursor is None


def test_a_detail_of_which_only_a_few_characters_would_be_left_is_left_out() -> None:
    page = Page(Budget(1_000, 1_000), "w")
    entries = Entries(page)
    assert entries.take(Entry("- a", (Detail("x: ", "y" * 400, 1), Detail("z: ", "short", 0))))
    page.budget.left = 12
    entries.show()
    assert "\n".join(page.text.split("\n")[1:-1]) == "- a\n    z: short"
