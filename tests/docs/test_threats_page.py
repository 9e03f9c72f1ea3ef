"""The page on threats: each row names what holds it and a test, and both are there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from ..support.named_tests import found_tests
from ..support.paths import DOCS, PACKAGE

PAGE = (DOCS / "explanation" / "threats.md").read_text()

_NAMED = re.compile(r"`([^`]+)`")
_DEFINED = re.compile(r"^ *(?:async def |def |class |(?=\w+(?:: | = )))(\w+)", re.MULTILINE)
_LETTER = re.compile(r"[A-Z]")
_FACTS_OF_ADVERSARY = 4
_ID = re.compile(r"(?P<asset>[KCLIAT])\d+")


class _Row(NamedTuple):
    id: str
    by: str
    happens: str
    promised: str
    held_by: str
    tests: str


def _rows(page: str) -> Iterator[_Row]:
    """Yield the rows of the tables of threats; those of the other tables have fewer columns."""
    for cells in _cells(page):
        if len(cells) == len(_Row._fields) and _ID.fullmatch(cells[0]):
            yield _Row(*cells)


def _adversaries(page: str) -> set[str]:
    return {cells[0] for cells in _cells(page) if len(cells) == _FACTS_OF_ADVERSARY and _LETTER.fullmatch(cells[0])}


def _cells(page: str) -> Iterator[list[str]]:
    for line in page.splitlines():
        if line.startswith("|"):
            yield [cell.strip() for cell in line.removeprefix("|").removesuffix("|").split("|")]


def _wrong_with(row: _Row, tests: set[str], adversaries: set[str]) -> Iterator[str]:
    if not row.promised or not row.happens:
        yield f"{row.id} promises nothing"
    if not set(row.by.split(", ")) <= adversaries:
        yield f"{row.id} is done by nobody that the page knows: {row.by}"
    held_by, named = _NAMED.findall(row.held_by), _NAMED.findall(row.tests)
    if not held_by:
        yield f"{row.id} is held by nothing"
    yield from (f"{row.id} is held by {place}, which is not there" for place in held_by if not _is_there(place))
    if not named:
        yield f"{row.id} names no test"
    yield from (f"{row.id} names {test}, which is not there" for test in named if test not in tests)


def _is_there(place: str) -> bool:
    """Whether a file of the package defines a name: `wire.py:target`."""
    path, _, name = place.partition(":")
    file = PACKAGE / path
    return file.is_file() and bool(name) and name in _DEFINED.findall(file.read_text())


ROWS = list(_rows(PAGE))


def test_every_row_names_what_holds_it_and_a_test_that_is_there() -> None:
    tests, adversaries = found_tests(), _adversaries(PAGE)
    assert [wrong for row in ROWS for wrong in _wrong_with(row, tests, adversaries)] == []


def test_every_row_is_read_and_has_a_name_of_its_own() -> None:
    ids = [row.id for row in ROWS]
    assert len(set(ids)) == len(ids) > 60
    assert len(ids) == len(re.findall(r"^\| ?\w\d+ ?\|", PAGE, re.MULTILINE))
    for asset in "KCLIAT":
        numbers = [int(id[1:]) for id in ids if id.startswith(asset)]
        assert numbers == list(range(1, len(numbers) + 1))
        assert re.search(rf"^\| {asset} \|", PAGE, re.MULTILINE)


def test_a_row_that_holds_nothing_is_found() -> None:
    page = (
        "| P | a provider | all | none |\n"
        "| K1 | P | it happens | it does not | `wire.py:target` | `test_that_is_there` |\n"
        "| K2 | P | it happens | it does not | in some way | some day |\n"
        "| K3 | X | it happens | | `wire.py:no_such_thing`, `nowhere.py:target`, `wire.py` | `test_that_is_not` |\n"
    )
    found = [wrong for row in _rows(page) for wrong in _wrong_with(row, {"test_that_is_there"}, _adversaries(page))]
    assert found == [
        "K2 is held by nothing",
        "K2 names no test",
        "K3 promises nothing",
        "K3 is done by nobody that the page knows: X",
        "K3 is held by wire.py:no_such_thing, which is not there",
        "K3 is held by nowhere.py:target, which is not there",
        "K3 is held by wire.py, which is not there",
        "K3 names test_that_is_not, which is not there",
    ]
