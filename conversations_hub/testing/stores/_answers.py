"""What a reader answers to many questions about its conversations, to compare two stores that hold the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Final

import msgspec

from ...errors import HubError
from ...metrics._groups import KEYS
from ...schema import Conversation
from ...stores import Filters, StoreReader
from ...stores._filters import COUNTED
from ._summaries import figures

__all__ = ["answers"]

_ALL: Final = 100_000  # more than there are
_MOST: Final = 5  # values of a field that are asked about


def answers(reader: StoreReader, *words: str) -> dict[str, object]:
    """Return the answers to questions that follow from what is in the store, and to searches for `words`.

    They do not depend on what a store may choose: the order of conversations of the same instant, and of matches. An
    answer that is a refusal is the kind of error.
    """
    return {question: _answer(ask) for question, ask in _questions(reader, words)}


def _answer(ask: Callable[[], object]) -> object:
    try:
        return ask()
    except HubError as error:
        return error.kind


def _questions(reader: StoreReader, words: Sequence[str]) -> Iterator[tuple[str, Callable[[], object]]]:
    yield "accounts", reader.accounts
    yield "recordings", lambda: sorted(map(repr, reader.recordings()))
    for key in KEYS:
        yield f"stats by {key}", partial(_stats, reader, key)
    for name, wanted in _filters(reader):
        yield f"page of {name}", partial(_page, reader, wanted)
        yield f"walk of {name}", partial(_walk, reader, wanted)
        for field in COUNTED:
            yield f"counts by {field} of {name}", partial(reader.counts, field, wanted, most=_ALL)
    for text in words:
        yield f"search {text!a}", partial(_search, reader, text, anywhere=False)
        yield f"search {text!a} anywhere", partial(_search, reader, text, anywhere=True)
        yield f"find {text!a}", partial(_find, reader, text)


def _filters(reader: StoreReader) -> Iterator[tuple[str, Filters]]:
    yield "everything", Filters()
    yield "issues", Filters.of(has_issues=True)
    for where in islice(reader.accounts(), _MOST):
        yield where, Filters.of([where])
    for field in COUNTED:
        if field != "account":
            for value in islice(sorted(reader.counts(field)), _MOST):
                yield f"{field} {value!a}", Filters.of(fields={field: [value]})
    found = (one.created_at or one.started_at for one in reader.conversations())
    instants = [at for at in found if at is not None]
    for at in instants[:: len(instants) // 4 + 1]:
        yield f"since {at}", Filters.of(since=at)
        yield f"until {at}", Filters.of(until=at)


def _stats(reader: StoreReader, key: str) -> object:
    return [figures(summary) for summary in reader.stats(by=(key,))]


def _page(reader: StoreReader, wanted: Filters) -> object:
    rows = reader.page(wanted, limit=_ALL).rows
    return _in_order(row.conversation for row in rows), {row.conversation.ref: row.turns for row in rows}


def _walk(reader: StoreReader, wanted: Filters) -> object:
    return _in_order(reader.walk(wanted))


def _in_order(found: Iterable[Conversation]) -> object:
    """Return the instants in their order, and the conversations by ref."""
    each = list(found)
    return [one.created_at or one.started_at for one in each], {one.ref: one for one in each}


def _search(reader: StoreReader, words: str, *, anywhere: bool) -> object:
    found = reader.search(words, anywhere=anywhere, limit=_ALL)
    return found.total, found.hint, sorted(map(msgspec.to_builtins, found.hits), key=repr)


def _find(reader: StoreReader, words: str) -> object:
    page = reader.find(words, limit=_ALL)
    return page.cursor, sorted(map(msgspec.to_builtins, page.hits), key=repr)
