"""The ids that a walk has met: as exact as a set of them, in less memory."""

from __future__ import annotations

import tracemalloc
from random import Random

import pytest

from conversations_hub.hub._cursor import Place
from conversations_hub.hub._loop_guard import LoopGuard
from conversations_hub.hub._seen_ids import SeenIds
from conversations_hub.schema import Conversation

MOST = 40  # bytes for each id: 8 MB for 200,000


def test_it_says_of_each_id_what_a_set_says() -> None:
    chance = Random(7)  # noqa: S311
    ids, seen, known = [f"c{chance.randrange(8_000)}" for _ in range(20_000)], SeenIds(), set[str]()
    for id in ids:
        assert (id in seen) == (id in known)
        assert seen.add(id) == (id not in known)
        known.add(id)
    assert all(id in seen for id in known)
    assert not any(f"d{number}" in seen for number in range(8_000))


def test_ids_that_differ_in_one_character_are_told_apart_and_any_text_is_an_id() -> None:
    seen, ids = SeenIds(), ["", "c", "C", "c ", "\ud800", "\u00e7", "c\u0327", "0", "00", "c" * 512, "c" * 513]
    assert all(seen.add(id) for id in ids)
    assert not any(seen.add(id) for id in ids)


@pytest.mark.no_cover
@pytest.mark.parametrize("pages", [100, 220])  # before the table grows, and after
def test_a_walk_remembers_ids_in_little_memory(pages: int) -> None:
    guard = LoopGuard(Place(where="tavus/default", page_size=None, filters=b""), counted=False)
    tracemalloc.start()
    try:
        for page in range(pages):
            ids = (f"5f2b8a00-0000-4000-{page}-{number:08}" for number in range(200))
            assert len(guard.new_among([Conversation(provider="tavus", id=id) for id in ids])) == 200
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < MOST * 200 * pages


@pytest.mark.no_cover
def test_it_needs_little_more_while_it_grows() -> None:
    seen, ids = SeenIds(), [f"c{number}" for number in range(50_000)]
    tracemalloc.start()
    try:
        for number, id in enumerate(ids, start=1):
            seen.add(id)
            _, most = tracemalloc.get_traced_memory()
            assert most < MOST * max(number, 1024)
    finally:
        tracemalloc.stop()
