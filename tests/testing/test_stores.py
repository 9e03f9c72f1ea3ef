"""A store that does not do what a store does fails the checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from conversations_hub.stores import Checkpoint, Written
from conversations_hub.stores._erasure import Person
from conversations_hub.stores._store import Entry
from conversations_hub.stores.sqlite import SQLiteReader, SQLiteStore
from conversations_hub.stores.sqlite._writer import Writer
from conversations_hub.testing.stores import CHECKS

Method = Callable[..., Any]


def nothing(*_: Any, **__: Any) -> Iterator[Any]:
    return iter(())


def reversed_(method: Method) -> Method:
    return lambda *arguments, **named: iter([*method(*arguments, **named)][::-1])


def without(name: str) -> Callable[[Method], Method]:
    """Return what makes a method forget one of its arguments."""

    def made(method: Method) -> Method:
        return lambda *arguments, **named: method(*arguments, **{key: named[key] for key in named if key != name})

    return made


def always(value: Any) -> Callable[[Method], Method]:
    return lambda _: lambda *_, **__: value


def without_not(search: Method) -> Method:
    def searched(reader: SQLiteReader, words: str, *arguments: Any, **named: Any) -> Any:
        return search(reader, words.replace("NOT", "").replace("-", ""), *arguments, **named)

    return searched


def as_vanished(commit: Method) -> Method:
    def committed(writer: Writer, account: str, entries: Sequence[Entry], progress: Checkpoint | None) -> Any:
        replace = msgspec.structs.replace
        left = [replace(entry, kept=replace(entry.kept, is_vanished=True)) for entry in entries]
        return commit(writer, account, left, progress)

    return committed


async def no_ids(*_: Any) -> list[str]:
    return []


Broken = tuple[str, type, str, Callable[[Method], Method]]
"""A check, and what is spoilt: a method of a class."""

BROKEN: list[Broken] = [
    ("a_conversation_comes_out_as_it_went_in", SQLiteReader, "conversations", lambda _: nothing),
    ("only_what_is_new_or_changed_is_written", Writer, "commit", always(Written())),
    ("what_is_remembered_survives_the_process", Writer, "unsettled", always({})),
    ("a_store_keeps_its_options", Writer, "check_made", always(None)),
    ("what_a_list_does_not_show_has_vanished", SQLiteStore, "vanished", lambda _: no_ids),
    ("what_is_there_again_has_not_vanished", Writer, "commit", as_vanished),
    ("the_status_says_what_is_there_and_what_is_missing", SQLiteReader, "accounts", always([])),
    ("filters_choose_conversations_newest_first", SQLiteReader, "conversations", reversed_),
    ("filters_choose_conversations_newest_first", SQLiteReader, "conversations", without("until")),
    ("pages_and_walks_bring_each_once_newest_first", SQLiteReader, "walk", reversed_),
    ("pages_and_walks_bring_each_once_newest_first", SQLiteReader, "page", without("limit")),
    ("pages_bring_each_once_while_others_are_stored", SQLiteReader, "page", without("cursor")),
    ("values_are_counted_most_frequent_first", SQLiteReader, "counts", always({})),
    ("recordings_come_newest_first_with_their_place", SQLiteReader, "recordings", reversed_),
    ("summaries_are_those_of_the_conversations", SQLiteReader, "stats", without("by")),
    ("every_change_has_another_revision", SQLiteReader, "revision", always(1)),
    ("what_a_reader_does_can_be_interrupted", SQLiteReader, "interrupt", always(None)),
    ("a_search_says_either_both_not_and_in_a_row", SQLiteReader, "search", without_not),
    ("a_search_says_either_both_not_and_in_a_row", SQLiteReader, "search", without("anywhere")),
    ("a_search_is_filtered_and_comes_in_pages", SQLiteReader, "search", without("role")),
    ("what_is_found_comes_in_pages", SQLiteReader, "find", without("marks")),
    ("a_mark_in_a_text_is_no_mark", SQLiteReader, "find", without("alter")),
    ("each_change_comes_once_in_the_order_of_commits", SQLiteReader, "changes", reversed_),
    ("a_copy_is_the_store_wherever_it_was_interrupted", SQLiteReader, "_erasures", lambda _: nothing),
    ("what_was_erased_is_gone_and_does_not_come_back", Writer, "_erased", always([])),
    ("a_person_is_found_wherever_the_data_says_so", Person, "is_participant", always(None)),
    ("recordings_on_disk_go_with_it", SQLiteReader, "erase", without("recordings")),
    ("what_is_older_is_pruned", SQLiteReader, "prune", without("dry_run")),
]


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: f"{broken[0]}-{broken[2]}")
async def test_what_a_store_does_wrong_is_found(
    broken: Broken, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check, part, name, spoil = broken
    monkeypatch.setattr(part, name, spoil(getattr(part, name)))
    with pytest.raises((AssertionError, ValueError)):
        await CHECKS[check](lambda: SQLiteStore(tmp_path / "c.db"))
