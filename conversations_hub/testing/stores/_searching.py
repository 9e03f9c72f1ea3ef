# ruff: noqa: RUF001  (these are the letters of many scripts)
"""Checks of a store's search, if it has one: the turns that contain the words, and no others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any, Final

from ...errors import InvalidRefError, UnsupportedError
from ...schema import Agent, Role, Status, TranscriptTurn
from ...stores import Filters, Found, ReadableStore, StoreReader, put
from ._conversations import MANY, NOON, said
from ._refused import refused

__all__ = ["CHECKS"]

Open = Callable[[], ReadableStore]


def _has_search(reader: StoreReader) -> bool:
    """Whether the store has a search; if not, both ways to search must say so."""
    try:
        reader.search("words")
    except UnsupportedError:
        with refused(UnsupportedError):
            reader.find("words")
        return False
    return True


def _places(found: Found) -> set[str]:
    """Return what was found, as in `c1.0`."""
    assert found.total >= len(found.hits)
    assert len({(hit.ref, hit.position) for hit in found.hits}) == len(found.hits)
    return {f"{hit.ref.partition(':')[2]}.{hit.position}" for hit in found.hits}


def _expect(reader: StoreReader, expected: Mapping[str, str], **filters: Any) -> None:
    for words, places in expected.items():
        found = reader.search(words, **filters)
        assert _places(found) == set(places.split()), words
        assert found.total == len(places.split()), words
        assert (found.hint is None) is bool(places), words


async def words_of_any_script_are_found(open_store: Open) -> None:
    await put(
        open_store(),
        said(
            "我要申请退款，iPhone15坏了",
            "返金してください。",
            "환불을 받고 싶어요",
            "ฉันต้องการคืนเงิน",
            "Die Straße ist zu",
        ),
        said("कल नहीं", "कुल नहीं", "שָׁלוֹם", "אני רוצה שלום", "أُرِيدُ المـــال", id="c2"),
        said("The café was closed.", "Great 👍🏽!", "nul\0bytes", "Łódź", id="c3"),
    )
    with open_store().reader() as reader:
        if not _has_search(reader):
            return
        _expect(
            reader,
            {
                "退款": "c1.0",
                "款退": "",
                "申请退款": "c1.0",
                "iphone15": "c1.0",
                "返金": "c1.1",
                "환불": "c1.2",
                "คืนเงิน": "c1.3",
                "strasse": "c1.4",
                "कल": "c2.0",
                "कुल": "c2.1",
                "שלום": "c2.2 c2.3",
                "اريد المال": "c2.4",
                "CAFE": "c3.0",
                "👍": "c3.1",
                "bytes": "c3.2",
                "lodz": "c3.3",
            },
        )
        [hit] = reader.search("退款").hits
    assert hit.snippet == "我要申请[退款]，iPhone15坏了"


async def a_search_says_either_both_not_and_in_a_row(open_store: Open) -> None:
    await put(
        open_store(),
        said("I want a refund, please.", "No refund.", "Please cancel it."),
        said("退款 please", "A 100 % refund is a refund.", id="c2"),
        said("My card is lost.", "Shall I cancel it?", "Yes.", id="c3"),
        said("My card is here.", "Fine.", id="c4"),
        said("Cancel the card.", "Done.", "Yes.", id="c5"),
    )
    with open_store().reader() as reader:
        if not _has_search(reader):
            return
        _expect(
            reader,
            {
                "refund": "c1.0 c1.1 c2.1",
                "REFUND want": "c1.0",
                "refund OR done": "c1.0 c1.1 c2.1 c5.1",
                "please refund OR 退款": "c1.0 c2.0",
                "refund -please": "c1.1 c2.1",
                "please NOT refund": "c1.2 c2.0",
                '"a refund" want': "c1.0",
                '"refund a"': "",
                '"refund is a"': "c2.1",
                '"100 %"': "c2.1",
                '-"a refund" refund': "c1.1",
                "canc* OR wan*": "c1.0 c1.2 c3.1 c5.0",
                '"want a ref"*': "c1.0",
                "card cancel": "c5.0",
                "re": "",
                "_": "",
            },
        )
        _expect(
            reader,
            {
                "card cancel": "c3.0 c3.1 c5.0",
                "card cancel -done": "c3.0 c3.1",
                "card cancel OR fine": "c3.0 c3.1 c4.0 c4.1 c5.0",
                "card refund": "",
            },
            anywhere=True,
        )
        _expect(reader, {"card cancel": "c5.0", "card lost": "c3.0"}, anywhere=True, role="user")
        for nothing in (
            "",
            " ",
            '"',
            '""',
            "*",
            "refund AND",
            "NOT",
            "NEAR(",
            "text:x",
            "-x",
            "(",
            "'",
            "\0",
            "^x",
            "é*",
        ):
            assert reader.search(nothing).total in {0, 3}, nothing
        with refused(InvalidRefError, "at most 200"):
            reader.search("x " * 300)


async def a_search_is_filtered_and_comes_in_pages(open_store: Open) -> None:
    day = timedelta(days=1)
    await put(
        open_store(),
        said("A refund.", "A refund?", "A refund!", agent=Agent(id="a1"), title="Complaint"),
        said("A refund.", id="c2", status=Status.FAILED, created_at=NOON - 3 * day),
        said("A refund.", id="c3", provider="beta", created_at=None),
    )
    with open_store().reader() as reader:
        if not _has_search(reader):
            return
        for filters, places in _FILTERED:
            _expect(reader, {"refund": places}, **filters)
        assert _places(reader.search("refund", "acme", "nobody")) == {"c1.0", "c1.1", "c1.2", "c2.0"}
        pages = [reader.search("refund", limit=2, offset=offset) for offset in (0, 2, 4, 6)]
        assert ([len(page.hits) for page in pages], {page.total for page in pages}) == ([2, 2, 1, 0], {5})
        assert len({(hit.ref, hit.position) for page in pages for hit in page.hits}) == 5
        assert reader.search("refund", limit=0).total == 5
        assert reader.search("refund", agent="a1", limit=1).total == 3
        with refused(InvalidRefError, "unknown role 'nobody'; choose from"):
            reader.search("refund", role="nobody")
        [hit, *_] = reader.search("refund", role=Role.ASSISTANT).hits
    assert (hit.ref, hit.position, hit.role, hit.title) == ("acme:c1", 1, Role.ASSISTANT, "Complaint")
    assert (hit.created_at, hit.start, hit.snippet) == (NOON, None, "A [refund]?")


_FILTERED: Final[tuple[tuple[dict[str, Any], str], ...]] = (
    ({"status": "failed"}, "c2.0"),
    ({"status": Status.ENDED, "role": Role.ASSISTANT}, "c1.1"),
    ({"agent": "a1"}, "c1.0 c1.1 c1.2"),
    ({"since": NOON - timedelta(days=1)}, "c1.0 c1.1 c1.2 c3.0"),
    ({"until": NOON}, "c2.0 c3.0"),
)


async def a_search_that_finds_nothing_says_why(open_store: Open) -> None:
    await put(open_store(), said("I want a refund.", "A refund?"), said("退款", id="c2"))
    with open_store().reader() as reader:
        if not _has_search(reader):
            return
        for words, hint in _HINTS.items():
            found = reader.search(words)
            assert (found.hits, found.total, found.hint) == ([], 0, hint)


_HINTS: Final = {
    "": "the query has no words",
    "...": "the query has no words",
    "-refund": "the query only leaves words out: add one to find",
    "xylophone": "no matches for xylophone",
    "refund xylophone": "no turn matches all of that. Separately: refund in 2 turns, xylophone in no turns",
    "want 退款": (
        "no turn matches all of that. Separately: want in 1 turn, 退款 in 1 turn;"
        " they may be in different turns of a conversation"
    ),
}


async def the_end_of_a_long_conversation_is_found(open_store: Open) -> None:
    distinct = " ".join(f"w{number}" for number in range(200_000))
    await put(open_store(), said(distinct, "A xylophone.", id="long"), said("Nothing.", id="c2"))
    with open_store().reader() as reader:
        if _has_search(reader):
            assert _places(reader.search("xylophone")) == {"long.1"}
            assert _places(reader.search("w199999 w7")) == {"long.0"}


async def what_is_found_comes_in_pages(open_store: Open) -> None:
    await put(open_store(), *MANY)
    wanted = Filters.of(["tavus/default"], role="user", fields={"status": ["ended"]})
    expected = [f"{each.ref}.0" for each in MANY if each.ref.startswith("tavus:") and each.status == "ended"]
    with open_store().reader() as reader:
        if not _has_search(reader):
            return
        assert [*_found_by_pages(reader, wanted, 4)] == expected[::-1], "what was stored last comes first"
        both = [*_found_by_pages(reader, Filters.of(fields={"tag": ["even"]}), 7, "number OR thank")]
        assert sorted(both) == sorted(f"{each.ref}.{at}" for each in MANY if each.tags for at in range(_turns(each)))
        best = reader.find('"number 7"', order="best", limit=5)
        assert [hit.ref for hit in best.hits] == ["tavus:c007"]
        assert best.cursor is None
        assert not reader.find("number", Filters.of(role="assistant")).hits
        assert not reader.find("nothing like it", order="best").hits
        assert not reader.find("-number").hits
        assert reader.find("num*").hits
        for words in ("nu*", '"am nu"*', "number -n*", "a OR b*"):
            with refused(InvalidRefError, "3 letters"):
                reader.find(words)
        cursor = reader.find("number", limit=2).cursor
        assert cursor is not None
        for wrong in ("", "x", cursor[:-1]):
            with refused(InvalidRefError, "cursor"):
                reader.find("number", cursor=wrong)


def _turns(one: Any) -> int:
    return len(one.transcript or ())


def _found_by_pages(reader: StoreReader, wanted: Filters, limit: int, words: str = "number") -> Iterator[str]:
    cursor: str | None = None
    while True:
        page = reader.find(words, wanted, limit=limit, cursor=cursor, marks=("<", ">"))
        for hit in page.hits:
            assert "<" in hit.snippet
            yield f"{hit.ref}.{hit.position}"
        cursor = page.cursor
        if cursor is None:
            return
        assert len(page.hits) == limit


async def a_list_of_words_is_what_a_search_finds(open_store: Open) -> None:
    await put(open_store(), *MANY, said("I said it.", "I said it, too.", id="c95"))
    choices: list[tuple[list[str], dict[str, Any]]] = [
        ([], {}),
        (["tavus/eu", "vapi"], {"since": NOON + timedelta(hours=3), "has_issues": False}),
        ([], {"role": "assistant"}),
    ]
    with open_store().reader() as reader:
        if not _has_search(reader):
            _expect_no_lists_of_words(reader)
            return
        for targets, more in choices:
            for words in ("I am number", "number 7", "num* OR nothing", '"of many" NOT 3', "-number", "nothing", "i"):
                found = {hit.ref for hit in reader.find(words, Filters.of(targets, **more), limit=1000).hits}
                wanted = Filters.of(targets, words=words, **more)
                pages = [*_pages(reader, wanted)]
                listed = [ref for page in pages for ref in page]
                assert set(listed) == found, words
                assert len(listed) == len(found)
                assert all(len(page) == 3 for page in pages[:-1])
                walked = [*reader.walk(wanted)]
                assert [each.ref for each in walked] == listed
                assert reader.counts("account", wanted).keys() == {f"{each.provider}/{each.account}" for each in walked}
        with refused(InvalidRefError, "3 letters"):
            reader.page(Filters.of(words="nu*"))


def _pages(reader: StoreReader, wanted: Filters) -> Iterator[list[str]]:
    cursor: str | None = None
    while True:
        page = reader.page(wanted, limit=3, cursor=cursor)
        yield [row.conversation.ref for row in page.rows]
        cursor = page.cursor
        if cursor is None:
            return


def _expect_no_lists_of_words(reader: StoreReader) -> None:
    wanted = Filters.of(words="number")
    with refused(UnsupportedError):
        reader.page(wanted)
    with refused(UnsupportedError):
        reader.counts("status", wanted)
    with refused(UnsupportedError):
        next(reader.walk(wanted))


async def a_mark_in_a_text_is_no_mark(open_store: Open) -> None:
    turn = TranscriptTurn(index=0, role=Role.USER, text="\x02a refund\x03 and <b>more</b>")
    await put(open_store(), said(transcript=(turn,)))
    with open_store().reader() as reader:
        if not _has_search(reader):
            return
        [hit] = reader.find("refund", marks=("\x02", "\x03")).hits
        [altered] = reader.find("refund", alter=str.upper).hits
    assert hit.snippet == " a \x02refund\x03  and <b>more</b>"
    assert "A [REFUND]" in altered.snippet


CHECKS = (
    words_of_any_script_are_found,
    a_search_says_either_both_not_and_in_a_row,
    a_search_is_filtered_and_comes_in_pages,
    a_search_that_finds_nothing_says_why,
    the_end_of_a_long_conversation_is_found,
    what_is_found_comes_in_pages,
    a_list_of_words_is_what_a_search_finds,
    a_mark_in_a_text_is_no_mark,
)
