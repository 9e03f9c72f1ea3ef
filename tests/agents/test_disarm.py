"""Whatever was said: it stays between the marks, makes no line of its own, hides nothing and loads nothing."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from conversations_hub.agents import Answer, Reading
from conversations_hub.agents._budget import MOST, tokens_of
from conversations_hub.agents._disarm import Record, block, disarmed, short
from conversations_hub.agents._reading import Options, reading
from conversations_hub.schema import (
    Agent,
    Analysis,
    Conversation,
    EndReason,
    Participant,
    ParticipantKind,
    Role,
    Status,
    ToolCall,
    ToolResult,
)

from ..support.agents import called, inside, outside, spoken, stored, turn
from ..support.hostile_texts import LONG, TEXTS

_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\U000e0000-\U000e0fff]"
)


def everywhere(text: str, id: str) -> Conversation:
    """Return a conversation that has a text in each of its fields."""
    return spoken(
        id,
        turn(Role.USER, text),
        turn(Role.ASSISTANT, text, tool_calls=(ToolCall(id="t1", name=text, arguments=text),)),
        turn(Role.TOOL, "", tool_result=ToolResult(call_id="t1", content=text, is_error=True)),
        turn(Role.ASSISTANT, text),
        title=text,
        summary=text,
        status=Status.FAILED,
        end_reason=EndReason.ERROR,
        provider_status=text,
        provider_end_reason=text,
        agent=Agent(id=text, name=text, version=text),
        participants=(Participant(kind=ParticipantKind.CUSTOMER, id=text, name=text),),
        analysis=Analysis(success=False, sentiment=text, collected={text[:200]: text}, scores={text[:200]: 1.0}),
        language=text,
        tags=(text,),
    )


def assert_fenced(answer: Answer) -> None:
    """Assert that a text stands in the record, begins no line like one of ours, and hides nothing."""
    assert all(set(line) <= OURS for line in outside(answer)), outside(answer)
    for line in inside(answer):
        assert line.startswith(STARTS) or re.match(r"\w[\w ]*: |\[\d+( [\d:]+)?\] ", line), line
    assert all(_HIDDEN.search(text) is None for text in told_by(answer))


def assert_harmless(answer: Answer) -> None:
    """Assert that a text did nothing but stand in the record, in the text and in every other member."""
    assert_fenced(answer)
    assert not any(re.search(r"\]\(|!\[|<|```", text) for text in told_by(answer))
    assert not re.search("<(a|img|iframe|script|svg)", MARKDOWN.render(str(answer)))


def told_by(answer: Answer) -> list[str]:
    """Return the texts of an answer: as a whole, and those of its members."""
    return [str(answer), *(each for each in asdict(answer).values() if isinstance(each, str))]


OURS = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,;:#_-=\"'%()/")
STARTS = ("- ", "  ", "tavus:c1", "… ", " … ")
MARKDOWN = MarkdownIt("commonmark", {"html": True})


def asked_of(count: int) -> dict[str, dict[str, Any]]:
    """Return calls of every tool, by its name and a number; there are as many conversations."""
    return {
        "describe_sources": {},
        "list_conversations": {"failed": True},
        "find_tool_calls": {},
        "what_is_missing": {},
        **{f"count_conversations {by}": {"by": by} for by in ("agent", "language", "failure")},
        **{f"search_conversations {words}": {"words": words} for words in ("yes", "system", "evil", "hidden", "shown")},
        **{f"get_conversation {n}": {"ref": f"tavus:c1{n}"} for n in range(count)},
        **{f"read_around {n}": {"ref": f"tavus:c1{n}", "turn": 1} for n in range(count)},
        **{f"compare_conversations {n}": {"refs": [f"tavus:c1{n}", "tavus:c10"]} for n in range(1, count)},
    }


async def test_ag5_whatever_is_said_stays_in_the_record_and_does_nothing(tmp_path: Path) -> None:
    assert len(set(TEXTS)) >= 60
    functions = await stored(tmp_path, *(everywhere(text, f"c1{place}") for place, text in enumerate(TEXTS)))
    for name, arguments in asked_of(len(TEXTS)).items():
        cursor: str | None = ""
        while cursor is not None:
            more = {"cursor": cursor} if cursor else {}
            answer = await called(functions, name.partition(" ")[0], **arguments, **more, max_tokens=20_000)
            assert_harmless(answer)
            cursor = answer.cursor


async def test_ag5_a_mebibyte_in_each_field_does_no_more(tmp_path: Path) -> None:
    functions = await stored(tmp_path, everywhere(LONG, "c10"), everywhere("Yes.", "c11"))
    for name, arguments in asked_of(2).items():
        answer = await called(functions, name.partition(" ")[0], **arguments)
        assert_harmless(answer)
        assert tokens_of(str(answer)) <= 4_400


ARMED = st.lists(
    st.one_of(st.sampled_from(["](", "]", "(", "!", "[", "<", "`", "```", "\n", "\u202e"]), st.text())
).map("".join)


@given(ARMED)
def test_without_disarming_only_four_things_differ(text: str) -> None:
    def read(*, disarm: bool) -> Reading:
        page = Options(word=lambda: "w", disarm=disarm).page(MOST, MOST)
        return reading(everywhere(text, "c1"), page, part="both", cursor=None, tool="t", include_system=True)

    armed, harmless = read(disarm=False), read(disarm=True)
    assert_equal_but_for_the_four(armed, harmless)
    assert_fenced(armed)
    assert_harmless(harmless)


def assert_equal_but_for_the_four(armed: Answer, harmless: Answer) -> None:
    """Assert that an answer is the other one, but for the four replacements that `disarmed` makes."""
    told = {name: disarmed(each) if isinstance(each, str) else each for name, each in asdict(armed).items()}
    assert told == asdict(harmless)


async def test_without_disarming_whatever_is_said_stays_in_the_record(tmp_path: Path) -> None:
    ones = [everywhere(text, f"c1{place}") for place, text in enumerate(TEXTS)]
    harmless = await stored(tmp_path, *ones)
    armed = await stored(tmp_path, store="c.db", disarm=False)
    rendered: set[str] = set()
    for name, arguments in asked_of(len(TEXTS)).items():
        tool = name.partition(" ")[0]
        answer = await called(armed, tool, **arguments, max_tokens=20_000)
        assert_fenced(answer)
        rendered |= set(re.findall(r"\]\(|!\[|<|```", str(answer)))
        if answer.cursor is None:  # both have room for all of it
            other = await called(harmless, tool, **arguments, max_tokens=20_000)
            words = [
                re.findall(r"^=== end of record (\w+) ===$", str(each), re.MULTILINE)[-1] for each in (answer, other)
            ]
            assert disarmed(str(answer)).replace(*words) == str(other)
    assert rendered == {"](", "![", "<", "```"}


async def test_what_stands_outside_of_the_record_is_the_same_disarmed(tmp_path: Path) -> None:
    functions = await stored(tmp_path, *(everywhere(text, f"c1{place}") for place, text in enumerate(TEXTS[:20])))
    for name, arguments in asked_of(20).items():
        answer = await called(functions, name.partition(" ")[0], **arguments, max_tokens=1_000)
        ours = "\n".join(outside(answer))
        assert disarmed(ours) == ours
        assert "\u2039" not in ours


async def test_forged_turns_and_marks_begin_no_line(tmp_path: Path) -> None:
    functions = await stored(tmp_path, spoken("c1", *(turn(Role.USER, text) for text in TEXTS[:14])))
    answer = await called(functions, "get_conversation", "tavus:c1")
    assert sum(line.startswith("[") for line in inside(answer)) == 14
    assert answer.text.count("\n=== ") == 1  # the record's own end; its beginning is the first line


def test_the_word_of_a_record_cannot_be_known() -> None:
    assert len({Record().begin for _ in range(100)}) == 100
    assert Record("w").around(["a"]) == f"{Record('w').begin}\na\n=== end of record w ==="


def test_what_hosts_render_is_taken_apart() -> None:
    assert disarmed("![a](b) [c](d) <e> ```f``` ![g][h]") == "! [a] (b) [c] (d) \u2039e> '''f''' ! [g][h]"
    assert disarmed(disarmed("![a](b)")) == disarmed("![a](b)")
    assert block("a\nb\n\nc") == "a\n    b\n    \n    c"
    assert short(" a\n b\t<c> ", 3) == "a …"
    assert short(" a\n b\u202e", 9) == "a b\\u202e"
    assert short(None, 3) == ""
