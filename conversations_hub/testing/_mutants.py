"""Mutants: a JSON body with a change, such as vendors make without notice or attackers on purpose."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import cast

import msgspec

from ..reading.json import Json
from ._hostile import HOSTILE

__all__ = ["Mutant", "hostile_mutant", "mutants"]


class Mutant(msgspec.Struct, frozen=True):
    """A body with one or several changed values."""

    place: str
    """The place of the change, such as `data.transcript[0].role`; with several changes, all places."""
    change: str
    body: bytes

    def __str__(self) -> str:
        return f"{self.place} {self.change}"


def mutants(body: bytes) -> Iterator[Mutant]:
    """Yield a JSON body once for each value and change.

    A value is dropped, made null, and replaced by one of the same kind (a number as text, with a fraction or with too
    many digits, an unknown word, an unknown member) and by one of another kind.
    """
    document: Json = json.loads(body)
    for path, value in _places(document):
        for change, changed in _changes(value):
            yield Mutant(_spelled(path), change, msgspec.json.encode(_with(document, path, changed)))


def hostile_mutant(body: bytes, random: Random, changes: int) -> Mutant:
    """Return a JSON body with a number of changes at random places.

    A value is replaced by one that `mutants` yields, by another value of the body, or by a hostile one: a number or
    date at its limits, control characters, deceptive text, paths, formulas, markup, or nested lists.
    """
    document: Json = json.loads(body)
    done: list[tuple[str, str]] = []
    for _ in range(changes):
        places = list(_places(document))
        if not places:
            break
        path, value = random.choice(places)
        kind = random.randrange(3)
        if kind == 0:
            change, changed = random.choice(list(_changes(value)))
        elif kind == 1:
            other, changed = random.choice(places)
            change = f"as {_spelled(other)}"
        else:
            number = random.randrange(len(HOSTILE))
            change, changed = f"as hostile value {number}", HOSTILE[number]
        document = _with(document, path, changed)
        done.append((_spelled(path), change))
    where, how = (", ".join(told) for told in zip(*done, strict=True)) if done else ("", "unchanged")
    return Mutant(where, how, msgspec.json.encode(document))


_Path = tuple[str | int, ...]

# Raw: the interpreter reads numbers of at most 4300 digits.
_ENDLESS = cast("Json", msgspec.Raw(b"7" * 4301))


def _places(value: Json, path: _Path = ()) -> Iterator[tuple[_Path, Json]]:
    if path:
        yield path, value
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _places(inner, (*path, name))
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            yield from _places(inner, (*path, position))


def _spelled(path: _Path) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def _changes(value: Json) -> Iterator[tuple[str, Json | msgspec.UnsetType]]:
    yield "dropped", msgspec.UNSET
    yield "null", None
    match value:
        case bool():
            yield "as text", str(value)
        case int() | float():
            yield "as text", str(value)
            yield "as a fraction", value + 0.5
            yield "without end", _ENDLESS
            yield "as a list", []
        case str():
            yield "as an unknown word", "zz_unheard_of"
            yield "as empty text", ""
            yield "as a number", 7
            yield "as an object", {}
        case dict():
            yield "with an unknown member", {**value, "zz_unheard_of": [{"deep": 1}]}
            yield "as text", "zz_unheard_of"
        case _:
            yield "as text", "zz_unheard_of"
            yield "emptied", []


def _with(document: Json, path: _Path, value: Json | msgspec.UnsetType) -> Json:
    """Return a copy of the document with the value at one place, or without that place."""
    step, rest = path[0], path[1:]
    if isinstance(document, dict) and isinstance(step, str):
        changed = _with(document[step], rest, value) if rest else value
        others = {name: inner for name, inner in document.items() if name != step}
        return others if changed is msgspec.UNSET else {**document, step: changed}
    if isinstance(document, list) and isinstance(step, int):
        changed = _with(document[step], rest, value) if rest else value
        kept = [] if changed is msgspec.UNSET else [changed]
        return [*document[:step], *kept, *document[step + 1 :]]
    raise TypeError("no such place")
