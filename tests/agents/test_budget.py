"""Answers within their budgets, and cursors that pass each turn exactly once."""

from __future__ import annotations

import dataclasses
import re

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversations_hub.agents import Reading
from conversations_hub.agents._budget import LEAST, MOST, Budget, tokens_of
from conversations_hub.agents._page import Page
from conversations_hub.agents._parts import Place, Span, backward, forward
from conversations_hub.agents._reading import Options, reading
from conversations_hub.schema import Role

from ..support.agents import inside, spoken, turn

_TEXTS = st.lists(
    st.one_of(
        st.text('ab \n"\\', max_size=40),
        st.integers(0, 500).map("word ".__mul__),
        st.integers(0, 120).map("予約を変更 ".__mul__),
        st.integers(0, 90).map("🙂👍 ".__mul__),
    ),
    max_size=12,
)
_LEFT_OUT = re.compile(r" … [\d,]+ characters of this turn left out$")
_GOES_ON = re.compile(r"^\[\d+\] \(goes on\) ")


def size_of(answer: Reading) -> int:
    return tokens_of(msgspec.json.encode(dataclasses.asdict(answer)).decode())


def read(texts: list[str], part: str, cursor: str | None, tokens: int) -> Reading:
    one = spoken("c1", *(turn(Role.USER, text) for text in texts))
    page = Options().page(tokens, 4000)
    return reading(one, page, part=part, cursor=cursor, tool="t", include_system=False)  # type: ignore[arg-type]


@settings(max_examples=40)
@given(_TEXTS, st.sampled_from(["start", "end", "both"]), st.integers(0, 1500))
def test_ag4_every_answer_keeps_its_budget_and_cursors_pass_each_turn_once(
    texts: list[str], part: str, tokens: int
) -> None:
    whole = _joined([read(texts, "start", None, MOST)])
    first = read(texts, part, None, tokens)
    answers = [first]
    while answers[-1].cursor is not None:
        answers.append(read(texts, part, answers[-1].cursor, tokens))
        assert len(answers) < 3000
    assert all(size_of(answer) <= max(tokens, LEAST) * 1.1 for answer in answers)
    if len(whole) == len(texts):
        assert sorted(_joined([*answers])) == sorted(whole)


def test_ag4_five_thousand_turns_are_each_shown_once() -> None:
    texts = ["予約を変更 🙂" if place % 7 else f'Turn {place} of "many".' for place in range(5_000)]
    answers = [read(texts, "both", None, MOST)]
    while answers[-1].cursor is not None:
        answers.append(read(texts, "both", answers[-1].cursor, MOST))
    shown = [int(found) for each in answers for found in re.findall(r"^\[(\d+)\]", each.text, re.MULTILINE)]
    assert sorted(shown) == [*range(5_000)]
    assert all(size_of(each) <= MOST * 1.1 for each in answers)


def _joined(answers: list[Reading]) -> list[str]:
    """Return the turns of answers, those that were cut put together again."""
    pieces: dict[int, list[str]] = {}
    for answer in answers:
        shown = (line for line in inside(answer) if not line.startswith("… turn"))
        for text in "\n".join(shown).split("\n["):
            line = text if text.startswith("[") else f"[{text}"
            if found := re.match(r"\[(\d+)", line):
                pieces.setdefault(int(found[1]), []).append(line)
    return [_whole(each) for _, each in sorted(pieces.items())]


def _whole(pieces: list[str]) -> str:
    begun = [piece for piece in pieces if not _GOES_ON.match(piece)]
    rest = [_GOES_ON.sub("", piece) for piece in pieces if _GOES_ON.match(piece)]
    texts = [_LEFT_OUT.sub("", piece) for piece in [*begun, *rest]]
    return "".join(sorted("".join(texts)))  # the end may come first


@pytest.mark.parametrize("text", ["word " * 200_000, "予約" * 150_000, '"\\' * 200_000])
def test_ag4_a_turn_that_is_too_long_for_any_answer_is_cut_and_read_on(text: str) -> None:
    first = read(["Hello.", text, "Bye."], "both", None, 4000)
    assert [line for line in inside(first) if line[0] in "[…"] == [
        "[0] user: Hello.",
        "… turn 1 left out",
        "[2] user: Bye.",
    ]
    second = read(["Hello.", text, "Bye."], "both", first.cursor, 4000)
    third = read(["Hello.", text, "Bye."], "both", second.cursor, 4000)
    assert "characters of this turn left out" in second.text
    assert "[1] (goes on) " in third.text
    assert all(size_of(answer) <= 4400 for answer in (first, second, third))


def test_both_keeps_the_start_and_most_of_the_end() -> None:
    answer = read([f"This is turn number {n}." for n in range(200)], "both", None, 1000)
    shown = [int(found) for found in re.findall(r"^\[(\d+)\]", answer.text, re.MULTILINE)]
    gap = next(place for place, number in enumerate(shown) if place != number)
    assert shown[-1] == 199
    assert 0.2 < gap / len(shown) < 0.45
    assert f"… turns {gap} to {shown[gap] - 1} left out" in answer.text
    assert answer.notes[-1] == f"Not shown yet: turns {gap} to {shown[gap] - 1}."


def test_only_whole_turns_are_shown() -> None:
    budget = Budget(LEAST, 1000)
    budget.left = 20
    texts = ["a" * 40, "b" * 40, "c" * 40]
    whole = Span(Place(0), Place(3))
    assert forward(texts, whole, budget) == (["a" * 40], Place(1))
    budget.left = 20
    assert backward(texts, whole, budget) == (["c" * 40], Place(1, 40))


def test_limits_are_told() -> None:
    assert Budget(None, 4000).notes == []
    assert Budget(50_000, 4000).tokens == MOST
    assert Page(Budget(50_000, 4000)).answer().notes == ("max_tokens is 20,000, the most there is.",)
    assert Page(Budget(1, 4000)).answer().notes == ("max_tokens is 250, the least there is.",)


def test_a_token_is_four_bytes_in_any_script() -> None:
    assert tokens_of("予約センターでございます。") == 10
    assert tokens_of("abcd") == 1
    assert tokens_of("abcde") == 2
    assert Budget(None, 4000, count=len).cost("ab") == len('"ab\\n"')
