"""The tools over a store: what they answer, and what bad input gets."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, get_type_hints

import msgspec
import pytest

from conversations_hub.agents import Answer, Tool, in_words, json_schema, tools
from conversations_hub.agents._budget import tokens_of
from conversations_hub.agents._tools import NAMES
from conversations_hub.errors import ConfigurationError, InvalidRefError, NotFoundError, StoreError
from conversations_hub.hub import Clock
from conversations_hub.schema import (
    Agent,
    Conversation,
    Cost,
    EndReason,
    Issue,
    Participant,
    ParticipantKind,
    Recording,
    RecordingAccess,
    Role,
    Status,
    TranscriptState,
    TranscriptTurn,
    Visibility,
)
from conversations_hub.stores import open_store, put

from ..support.agents import NOON, by_name, called, inside, outside, spoken, stored, tool_call, turn

REF = re.compile(r"^- ([\w/]+:[\w.-]+)", re.MULTILINE)
HOUR = timedelta(hours=1)


def refs(answer: Answer) -> list[str]:
    return REF.findall(answer.text)


def some(number: int, **more: Any) -> Conversation:
    facts: dict[str, Any] = {
        "created_at": NOON - number * HOUR,
        "agent": Agent(id=f"a{number % 2}", name=("Ava", "Ben")[number % 2]),
        "participants": (Participant(kind=ParticipantKind.CUSTOMER, phone=f"+1415555010{number % 3}"),),
    }
    return spoken(f"c{number}", turn(Role.USER, f"My order {number} is late."), **{**facts, **more})


async def test_lists_are_walked_with_cursors_and_no_conversation_comes_twice(tmp_path: Path) -> None:
    many = [some(number) for number in range(30)]
    alike = [some(100 + number, created_at=NOON - 3 * HOUR) for number in range(10)]
    undated = [some(200 + number, created_at=None) for number in range(5)]
    for store in ("c.db", "jsonl:c.jsonl"):
        functions = await stored(tmp_path, *many, *alike, *undated, store=store)
        seen: list[str] = []
        cursor: str | None = None
        while True:
            answer = await called(functions, "list_conversations", cursor=cursor, max_tokens=400)
            assert len(refs(answer)) == answer.shown
            seen += refs(answer)
            cursor = answer.cursor
            if cursor is None:
                break
        assert len(seen) == len(set(seen)) == 45
        assert seen[-5:] == sorted(seen[-5:], reverse=True)


async def test_what_is_written_meanwhile_is_shown_at_most_once(tmp_path: Path) -> None:
    functions = await stored(tmp_path, *(some(number) for number in range(20)))
    first = await called(functions, "list_conversations", max_tokens=400)
    await put(open_store(str(tmp_path / "c.db")), some(30, created_at=NOON), some(31, created_at=NOON - 15 * HOUR))
    rest = await called(functions, "list_conversations", cursor=first.cursor)
    assert not set(refs(first)) & set(refs(rest))
    assert "tavus:c31" in refs(rest)


FILTERS: list[tuple[dict[str, Any], set[int]]] = [
    ({"agent": "a1"}, {1, 3}),
    ({"agent": "ben"}, {1, 3}),
    ({"agent": "a0", "since": "3h"}, {0, 2}),
    ({"provider": "Tavus"}, {0, 1, 2, 3}),
    ({"provider": "tavus/default", "until": "2026-11-20T10:30"}, {2, 3}),
    ({"since": "2026-11-20T12:00+01:00"}, {0, 1}),
    ({"customer": "(415) 555-0101"}, {1}),
    ({"customer": "00 1 415 555 01 00"}, {0, 3}),
    ({"status": "Ended"}, {0, 1, 2, 3}),
    ({"end_reason": "error"}, set[int]()),
    ({"transcript": "pending"}, set[int]()),
    ({"failed": False}, {0, 1, 2, 3}),
    ({"failed": True}, set[int]()),
]


async def test_filters(tmp_path: Path) -> None:
    functions = await stored(tmp_path, *map(some, range(4)))
    for arguments, expected in FILTERS:
        answer = await called(functions, "list_conversations", **arguments)
        assert {int(ref.removeprefix("tavus:c")) for ref in refs(answer)} == expected, arguments


@pytest.mark.parametrize("customer", ["+1 415-555-0199", "Zoë@Example.com", "zoë miller", "u-9"])
async def test_a_customer_is_found_over_all_platforms(customer: str, tmp_path: Path) -> None:
    person = Participant(kind=ParticipantKind.CUSTOMER, id="u-9", name="Zoë Miller", phone="+14155550199")
    functions = await stored(
        tmp_path,
        some(1, participants=(person,), metadata={"mail": "zoë@example.com"}),
        some(2, provider="vapi", participants=(person,), metadata={"mail": "zoë@example.com"}),
        some(3),
    )
    assert refs(await called(functions, "list_conversations", customer=customer)) == ["tavus:c1", "vapi:c2"]


async def test_an_agent_that_is_not_there_is_answered_with_the_nearest(tmp_path: Path) -> None:
    functions = await stored(tmp_path, *map(some, range(4)))
    for name, arguments in (("list_conversations", {}), ("count_conversations", {"by": "day"})):
        answer = await called(functions, name, **arguments, agent="Eva")
        assert "agents with the nearest names: Ava, Ben" in inside(answer)
        assert "call again" in str(answer)


async def test_a_tool_that_was_not_called_is_answered_with_the_nearest(tmp_path: Path) -> None:
    functions = await stored(tmp_path, spoken("c1", *tool_call("free_slots", "{}"), *tool_call("find_order", "{}")))
    answer = await called(functions, "find_tool_calls", tool="freeslots")
    assert outside(answer)[0] == "None, of 1 looked at."
    assert inside(answer) == ["tools with the nearest names: free_slots, find_order"]
    assert (await called(functions, "list_conversations", status="failed")).text == "None."


MISTAKES: list[tuple[str, dict[str, Any], str]] = [
    ("list_conversations", {"provider": "tavsu"}, "no provider or account 'tavsu'; the nearest here: tavus"),
    ("list_conversations", {"since": "yesterday"}, "since: invalid date or time 'yesterday': use 2026-11-20"),
    ("list_conversations", {"since": "2026-11-20", "until": "2026-11-01"}, "is after until"),
    ("list_conversations", {"status": "done"}, "unknown status 'done'; choose from queued"),
    ("list_conversations", {"cursor": "x"}, "this is no cursor"),
    ("search_conversations", {"words": " ".join(map(str, range(300)))}, "too many words"),
    ("count_conversations", {"by": "moon"}, "cannot be counted by 'moon': choose from day"),
    ("count_conversations", {"by": "day", "measure": "latency"}, "no measure 'latency'; the nearest: "),
    ("compare_conversations", {"refs": ["tavus:c1"]}, "2 to 5 different refs, not 1"),
    ("get_conversation", {"ref": "c1"}, "is not a ref: write 'provider:id'"),
    ("get_conversation", {"ref": "tavus:c1", "part": "middle"}, "choose from start, end, both"),
    ("get_conversation", {"ref": "tavus:c1/../c2"}, "slash"),
    ("read_around", {"ref": "tavus:c1", "turn": 7}, "there is no turn 7: the conversation has turns 0 to 0"),
]


@pytest.mark.parametrize(("name", "arguments", "words"), MISTAKES)
async def test_a_mistake_is_answered_with_what_to_do(
    name: str, arguments: dict[str, Any], words: str, tmp_path: Path
) -> None:
    functions = await stored(tmp_path, some(1))
    with pytest.raises(InvalidRefError) as error:
        await called(functions, name, **arguments)
    said = in_words(error.value)
    assert words in said
    assert said.endswith("Correct the argument, and call again.")


async def test_a_cursor_with_other_arguments_is_refused(tmp_path: Path) -> None:
    functions = await stored(tmp_path, *map(some, range(20)))
    answer = await called(functions, "list_conversations", since="7d", max_tokens=400)
    for arguments in ({"since": "8d"}, {"since": "7d", "failed": True}):
        with pytest.raises(InvalidRefError, match="belongs to a call with other arguments"):
            await called(functions, "list_conversations", cursor=answer.cursor, **arguments)
    with pytest.raises(InvalidRefError, match="belongs to a call with other arguments"):
        await called(functions, "find_tool_calls", since="7d", cursor=answer.cursor)


async def test_a_store_that_is_not_there_is_an_error_with_what_to_do(tmp_path: Path) -> None:
    functions = await stored(tmp_path)
    with pytest.raises(StoreError) as error:
        await called(functions, "describe_sources")
    assert "conversations-hub sync --store" in in_words(error.value)
    assert "Tell the user" in in_words(error.value)


async def test_a_store_that_a_sync_is_writing_can_be_read(tmp_path: Path) -> None:
    functions = await stored(tmp_path, some(1))
    writing = open_store(str(tmp_path / "c.db"))
    await writing.open({})
    try:
        await writing.progress("tavus/default")
        assert refs(await called(functions, "list_conversations")) == ["tavus:c1"]
        assert (await called(functions, "what_is_missing")).shown == 1
    finally:
        await writing.close()


async def test_pins_hold_for_every_tool(tmp_path: Path) -> None:
    everything = [some(1), some(2, provider="vapi"), some(3, account="eu"), some(400)]
    everything += [some(5, provider="retell", account=name) for name in ("eu", "us")]  # not even that there are two
    functions = await stored(tmp_path, *everything, providers=["tavus/default"], since="7d")
    for hidden in ("vapi:c2", "tavus/eu:c3", "tavus:c400", "retell:c5"):
        by_ref: dict[str, dict[str, Any]] = {
            "get_conversation": {"ref": hidden},
            "read_around": {"ref": hidden, "turn": 0},
            "compare_conversations": {"refs": ["tavus:c1", hidden]},
        }
        for name, arguments in by_ref.items():
            with pytest.raises(NotFoundError, match="no such conversation in the store"):
                await called(functions, name, **arguments)
    asked: dict[str, dict[str, Any]] = {
        "describe_sources": {},
        "list_conversations": {"customer": "+14155550102"},
        "list_conversations ": {},
        "search_conversations": {"words": "order"},
        "count_conversations": {"by": "provider"},
        "what_is_missing": {},
    }
    for name, arguments in asked.items():
        answer = await called(functions, name.strip(), **arguments)
        assert not re.search("vapi|retell|eu:|c400|2026-11-0", str(answer)), name
    assert "1 conversation in all" in str(await called(functions, "describe_sources"))
    with pytest.raises(InvalidRefError, match="no provider or account 'vapi'; the nearest here: tavus"):
        await called(functions, "list_conversations", provider="vapi")


async def test_what_is_redacted_is_neither_shown_nor_found(tmp_path: Path) -> None:
    number = "+1 415 555 0199"
    said = (
        turn(Role.USER, f"Call me at {number}, or ada@example.com."),
        *tool_call("call", f'{{"error": "{number}"}}'),
    )
    one = spoken(
        "c1",
        *said,
        title=f"For {number}",
        participants=(Participant(kind=ParticipantKind.CUSTOMER, name="Ada", phone=number),),
    )
    functions = await stored(tmp_path, one, redact=True)
    asked: dict[str, dict[str, Any]] = {
        "get_conversation": {"ref": "tavus:c1"},
        "list_conversations": {},
        "find_tool_calls": {},
        "search_conversations": {"words": "call"},
        "count_conversations": {"by": "failure"},
    }
    for name, arguments in asked.items():
        told = str(await called(functions, name, **arguments))
        assert "tavus:c1" in told or name == "count_conversations"
        assert not re.search(r"555|0199|ada@", told), name
    in_vain: dict[str, dict[str, Any]] = {
        "list_conversations": {"customer": number},
        "search_conversations": {"words": '"415 555 0199"'},
        "search_conversations ": {"words": "0199"},
    }
    for name, arguments in in_vain.items():
        answer = await called(functions, name.strip(), **arguments)
        assert answer.shown == 0
        assert "tavus:c1" not in str(answer)


async def test_nothing_that_opens_a_door_is_shown(tmp_path: Path) -> None:
    one = some(
        1,
        recordings=(Recording(location="https://canary.example/r.wav", access=RecordingAccess.SIGNED_URL),),
        links={"join": "https://canary.example/join"},
        metadata={"canary": "canary"},
        related_ids={"call": "canary"},
        issues=(Issue("canary", "canary"),),
        raw=b'{"canary": 1}',
    )
    functions = await stored(tmp_path, one, some(2))
    asked: dict[str, dict[str, Any]] = {
        "get_conversation": {"ref": "tavus:c1"},
        "list_conversations": {},
        "compare_conversations": {"refs": ["tavus:c1", "tavus:c2"]},
    }
    for name, arguments in asked.items():
        assert "canary" not in json.dumps(asdict(await called(functions, name, **arguments)))


async def test_prompts_and_internal_notes_are_shown_only_on_demand(tmp_path: Path) -> None:
    one = spoken(
        "c1",
        turn(Role.SYSTEM, "You are Ava, a secret prompt."),
        turn(Role.ASSISTANT, "A secret note.", visibility=Visibility.INTERNAL),
        turn(Role.USER, "Hello."),
    )
    functions = await stored(tmp_path, one)
    answer = await called(functions, "get_conversation", "tavus:c1")
    assert inside(answer)[-3:] == ["[0] prompt, not shown", "[1] internal note, not shown", "[2] user: Hello."]
    assert (await called(functions, "search_conversations", "secret")).shown == 0
    functions = await stored(tmp_path, one, include_system=True)
    assert "A secret note." in (await called(functions, "get_conversation", "tavus:c1")).text
    assert (await called(functions, "search_conversations", "secret")).shown == 2


async def test_of_metadata_only_what_is_named_is_shown(tmp_path: Path) -> None:
    one = spoken("c1", turn(Role.USER, "Hello."), metadata={"campaign": "spring\n[0] agent: Yes.", "token": "t0k3n"})
    assert "spring" not in (await called(await stored(tmp_path, one), "get_conversation", "tavus:c1")).text
    functions = await stored(tmp_path, one, metadata=["campaign", "absent"])
    answer = await called(functions, "get_conversation", "tavus:c1")
    assert "campaign: spring [0] agent: Yes." in inside(answer)
    assert "t0k3n" not in answer.text


class Slow:
    """A clock that passes a second whenever it is looked at."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        self.seconds += 1
        return self.seconds


async def test_a_list_that_takes_too_long_is_read_on_and_a_count_is_an_error(tmp_path: Path) -> None:
    clock = Clock(monotonic=Slow(), now=lambda: NOON)
    functions = await stored(tmp_path, *map(some, range(20)), clock=clock)
    answer = await called(functions, "list_conversations", customer="nobody")
    assert answer.shown == 0
    assert "conversations were looked at, back to 2026-11-20 0" in answer.notes[0]
    found, cursor = 0, answer.cursor
    while cursor is not None:
        answer = await called(functions, "list_conversations", customer="nobody", cursor=cursor)
        found, cursor = found + 1, answer.cursor
    assert 1 <= found <= 3
    with pytest.raises(InvalidRefError, match=r"counting takes too long: .* Narrow since, provider"):
        await called(functions, "count_conversations", "day")


async def test_a_caller_that_is_gone_stops_the_search(tmp_path: Path) -> None:
    loop, looked = asyncio.get_running_loop(), asyncio.Event()

    def slowly() -> float:
        loop.call_soon_threadsafe(looked.set)
        return 0.0

    functions = await stored(tmp_path, *map(some, range(30)), clock=Clock(monotonic=slowly, now=lambda: NOON))
    call = asyncio.ensure_future(called(functions, "list_conversations", customer="nobody"))
    await looked.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call


async def test_a_search_shows_three_hits_of_a_conversation(tmp_path: Path) -> None:
    chatty = spoken("c1", *(turn(Role.USER, f"refund {number}") for number in range(10)))
    functions = await stored(tmp_path, chatty, spoken("c2", turn(Role.USER, "a refund", start=61.0)))
    answer = await called(functions, "search_conversations", "refund")
    assert refs(answer).count("tavus:c1") == 3
    assert "  7 more in tavus:c1: get_conversation or read_around" in inside(answer)
    assert "- tavus:c2#0 | 2026-11-20 12:00 UTC | user at 1:01: a [refund]" in inside(answer)
    nothing = await called(functions, "search_conversations", "refund unicorn")
    assert nothing.shown == 0
    assert "Separately" in nothing.text


async def test_a_chatty_conversation_takes_no_more_of_a_search_than_three_lines(tmp_path: Path) -> None:
    chatty = spoken("c1", *(turn(Role.USER, f"refund {number}") for number in range(200)))
    others = [spoken(f"c{number}", turn(Role.USER, "Could I please have a refund?")) for number in (2, 3)]
    functions = await stored(tmp_path, chatty, *others)
    answer = await called(functions, "search_conversations", "refund")
    assert answer.text.startswith("202 turns hold these words, best match first; the words are in brackets.")
    assert Counter(refs(answer)) == {"tavus:c1": 3, "tavus:c2": 1, "tavus:c3": 1}
    assert inside(answer)[-1] == "  197 more in tavus:c1: get_conversation or read_around"
    assert (answer.shown, answer.total, answer.cursor) == (5, 202, None)


async def test_a_search_that_goes_through_very_many_hits_of_one_conversation_is_read_on(tmp_path: Path) -> None:
    chatty = spoken("c1", *(turn(Role.USER, f"refund {number}") for number in range(700)))
    functions = await stored(tmp_path, chatty, spoken("c2", turn(Role.USER, "Could I please have a refund?")))
    first = await called(functions, "search_conversations", "refund")
    assert refs(first) == ["tavus:c1"] * 3
    assert inside(first)[-1] == "  at least 597 more in tavus:c1: get_conversation or read_around"
    rest = await called(functions, "search_conversations", "refund", cursor=first.cursor)
    assert refs(rest) == ["tavus:c1"] * 3 + ["tavus:c2"]
    assert inside(rest)[-1] == "  97 more in tavus:c1: get_conversation or read_around"
    assert not set(inside(first)[:3]) & set(inside(rest))
    assert rest.cursor is None


@pytest.mark.parametrize("tokens", [250, 400, 1_000])
async def test_pages_of_a_search_show_or_count_each_hit_once(tokens: int, tmp_path: Path) -> None:
    many = [
        spoken(f"c{number}", *(turn(Role.USER, f"refund {number} " + "of it " * place) for place in range(number)))
        for number in range(1, 12)
    ]
    functions = await stored(tmp_path, *many)
    told, cursor = 0, ""
    while cursor is not None:
        more = {"cursor": cursor} if cursor else {}
        answer = await called(functions, "search_conversations", "refund", **more, max_tokens=tokens)
        assert tokens_of(str(answer)) <= tokens * 1.1
        counts = Counter(refs(answer))
        assert max(counts.values()) <= 3
        left = re.findall(r"^  (?:at least )?(\d+) more in (\S+): ", answer.text, re.MULTILINE)
        assert all(counts[ref] == 3 for _, ref in left)
        assert len(refs(answer)) == answer.shown
        told += answer.shown + sum(int(count) for count, _ in left)
        cursor = answer.cursor
    assert told == sum(range(1, 12))


async def test_a_hit_for_which_no_answer_has_room_is_cut(tmp_path: Path) -> None:
    said = "返金 " + "予約を変更したいのですが" * 30
    functions = await stored(tmp_path, *(spoken(f"c{number}", turn(Role.USER, said)) for number in (1, 2)))
    first = await called(functions, "search_conversations", "返金", max_tokens=250)
    rest = await called(functions, "search_conversations", "返金", max_tokens=250, cursor=first.cursor)
    assert sorted([*refs(first), *refs(rest)]) == ["tavus:c1", "tavus:c2"]
    for answer in (first, rest):
        assert answer.notes == ("The first hit was cut for want of room: ask for a larger max_tokens.",)
        assert tokens_of(str(answer)) <= 275
    assert rest.cursor is None


async def test_a_search_for_an_agent_looks_on_until_it_finds_one(tmp_path: Path) -> None:
    others = [some(number, agent=Agent(id="a1", name="Ben")) for number in range(130)]
    functions = await stored(tmp_path, *others, some(131, agent=Agent(id="a2", name="Ava")))
    answer = await called(functions, "search_conversations", "late", agent="ava")
    assert answer.text.startswith("131 turns hold these words, those of other agents included, best match first; ")
    assert refs(answer) == ["tavus:c131"]
    assert answer.cursor is None
    nobody = await called(functions, "search_conversations", "late", agent="Eve")
    assert (nobody.shown, nobody.cursor) == (0, None)
    answer = await called(functions, "search_conversations", "late", agent="a2")
    assert answer.text.startswith("1 turn holds these words, best match first; ")
    assert refs(answer) == ["tavus:c131"]


async def test_what_is_counted_and_what_could_not_be(tmp_path: Path) -> None:
    costs = [
        *(Cost(amount=Decimal(each), unit="USD") for each in ("0.2", "0.3")),
        Cost(amount=Decimal(3), unit="s"),
        None,
    ]
    ones = [some(number, duration=60.0 * number or None, cost=costs[number]) for number in range(4)]
    functions = await stored(tmp_path, *ones, some(5, status=Status.FAILED, end_reason=EndReason.ERROR))
    answer = await called(functions, "count_conversations", "agent")
    assert inside(answer) == ["- Ben (a1): 3", "- Ava (a0): 2"]
    answer = await called(functions, "count_conversations", "language", measure="cost")
    assert inside(answer) == ["- (no language): 0.5 USD, 3 s (none for 2: no cost)"]
    answer = await called(functions, "count_conversations", "day", measure="duration")
    assert answer.text.startswith("duration in seconds by day, of 5 conversations in 1 group; ")
    assert inside(answer) == ["- 2026-11-20: mean 120, p50 120, p95 180, sum 360, n 3 (none for 2: 2 no duration)"]
    answer = await called(functions, "count_conversations", "failure")
    assert inside(answer) == ["- did not fail: 4", "- error: 1"]
    answer = await called(functions, "count_conversations", "provider", measure="response_latency_p95")
    assert inside(answer) == ["- tavus: no value (none for 5: 5 no times)"]
    pages = [await called(functions, "count_conversations", "agent", max_tokens=250)]
    assert pages[0].cursor is None


async def test_a_group_whose_name_is_too_long_for_any_answer_is_counted(tmp_path: Path) -> None:
    named = [some(number, agent=Agent(name=f"{number} " + "予約センター" * 40)) for number in range(3)]
    functions = await stored(tmp_path, *named)
    lines: list[str] = []
    cursor = ""
    while cursor is not None:
        more = {"cursor": cursor} if cursor else {}
        answer = await called(functions, "count_conversations", "agent", measure="duration", **more, max_tokens=250)
        assert answer.notes == ("The first name was cut for want of room: ask for a larger max_tokens.",)
        assert tokens_of(str(answer)) <= 275
        lines += inside(answer)
        cursor = answer.cursor
    assert [re.sub("[予約センター]+…", "…", line) for line in lines] == [
        f"- {number} …: no value (none for 1: 1 no duration)" for number in range(3)
    ]


async def test_accounts_that_an_answer_has_no_room_for_are_not_counted_as_shown(tmp_path: Path) -> None:
    many = [some(number, account=f"account-{number:02}") for number in range(20)]
    functions = await stored(tmp_path, *many)
    answer = await called(functions, "describe_sources", max_tokens=250)
    assert (answer.shown, answer.total) == (len(re.findall("^- ", answer.text, re.MULTILINE)), 20)
    assert 0 < answer.shown < 20
    assert answer.notes[0] == "Some accounts were left out for want of room: ask for a larger max_tokens."


async def test_a_window_shows_the_turns_around_one(tmp_path: Path) -> None:
    one = spoken("c1", *(turn(Role.USER, f"number {number}") for number in range(20)))
    functions = await stored(tmp_path, one)
    answer = await called(functions, "read_around", "tavus:c1", 10)
    assert [line.partition("]")[0] for line in inside(answer)] == [f"[{number}" for number in range(6, 15)]
    answer = await called(functions, "read_around", "tavus:c1", 19, before=1, after=9)
    assert [line.partition("]")[0] for line in inside(answer)] == ["[18", "[19"]


async def test_an_answer_that_comes_late_says_so(tmp_path: Path) -> None:
    def at(start: float, role: Role, **more: Any) -> TranscriptTurn:
        return turn(role, "Yes.", start=start, **more)

    turns = (
        at(0.0, Role.USER, duration=2.0),
        at(3.5, Role.ASSISTANT, duration=1.0),
        at(6.1, Role.USER, duration=1.0),
        at(9.5, Role.ASSISTANT, duration=1.0),
        at(10.7, Role.USER),
        at(20.2, Role.ASSISTANT),
    )
    whole = tuple(msgspec.structs.replace(each, start=round(each.start or 0)) for each in turns)
    functions = await stored(
        tmp_path, spoken("c1", *turns), spoken("c2", *whole, duration=21.0, estimated=("duration",))
    )
    lines = inside(await called(functions, "get_conversation", "tavus:c1"))[-6:]
    assert lines == [
        "[0 0:00] user: Yes.",
        "[1 0:03] agent: Yes.",
        "[2 0:06] user: Yes.",
        "[3 0:09] agent (+2.4 s): Yes.",
        "[4 0:10] user: Yes.",
        "[5 0:20] agent: Yes.",  # nobody knows when the user had ended
    ]
    assert "(+" not in (await called(functions, "get_conversation", "tavus:c2")).text  # of whole seconds
    assert " | 0:21 (estimated) | " in (await called(functions, "list_conversations")).text


async def test_what_is_missing_is_told(tmp_path: Path) -> None:
    pending = some(1, transcript=None, transcript_state=TranscriptState.PENDING)
    restricted = some(2, transcript=None, transcript_state=TranscriptState.RESTRICTED)
    functions = await stored(tmp_path, pending, restricted)
    [line] = inside(await called(functions, "what_is_missing"))
    assert line.startswith("- tavus/default: 2 conversations; ")
    assert "; 1 restricted; " in line
    assert "no walk of its lists has come to its end" in line
    answer = await called(functions, "list_conversations", transcript="pending")
    assert refs(answer) == ["tavus:c1"]
    assert "transcript pending" in answer.text


def test_only_what_can_work_is_there(tmp_path: Path) -> None:
    names = list(by_name(tools(store=str(tmp_path / "c.db"))))
    assert names == list(NAMES[:9])
    assert "search_conversations" not in by_name(tools(store=f"jsonl:{tmp_path / 'c.jsonl'}"))
    assert list(by_name(tools(store="c.db", only=["get_conversation", "read_around"]))) == [
        "get_conversation",
        "read_around",
    ]
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"store": None}, "a store, a hub or both"),
        ({"only": ["get"]}, "no tool 'get': choose from"),
        ({"allow": ["end"]}, "nothing called 'end' can be allowed"),
        ({"allow": ["start"]}, "only a hub can start"),
        ({"since": "soon"}, "since: invalid date"),
    ]
    for options, words in wrong:
        with pytest.raises((ConfigurationError, InvalidRefError), match=words):
            tools(**options)


@pytest.fixture
def functions(tmp_path: Path) -> Mapping[str, Tool]:
    return by_name(tools(store=str(tmp_path / "c.db")))


def test_a_framework_can_read_every_tool(functions: Mapping[str, Tool]) -> None:
    for name, tool in functions.items():
        hints = get_type_hints(tool)
        assert issubclass(hints.pop("return"), Answer)
        schema = json_schema(tool)
        assert schema["name"] == name
        assert "\n" not in schema["description"].partition("\n\n")[0]
        assert schema["parameters"]["properties"].keys() == inspect.signature(tool).parameters.keys() == hints.keys()
        assert all(each["description"] for each in schema["parameters"]["properties"].values())


def test_ag9_what_a_model_reads_of_the_tools_is_short(functions: Mapping[str, Tool]) -> None:
    sizes = {name: len(json.dumps(json_schema(tool))) for name, tool in functions.items()}
    assert sum(sizes.values()) <= 7_300
    assert max(sizes.values()) <= 1_350


async def test_nothing_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    functions = await stored(tmp_path, some(1))
    asked: dict[str, dict[str, Any]] = {
        "list_conversations": {"customer": "+14155550101"},
        "get_conversation": {"ref": "tavus:c1"},
    }
    for name, arguments in asked.items():
        await called(functions, name, **arguments)
    assert not re.search("4155550101|order 1", caplog.text)


async def test_outside_of_the_record_stands_nothing_but_our_own_words(tmp_path: Path) -> None:
    functions = await stored(tmp_path, *map(some, range(3)))
    answer = await called(functions, "list_conversations")
    assert outside(answer) == ["3 conversations, newest first."]
    assert isinstance(answer, Answer)
