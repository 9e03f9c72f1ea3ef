"""Members of JSON that hold secrets: known by their names, and starred at any depth."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from typing import Any, Final, NamedTuple, TypeVar, cast

import msgspec

from ..errors import PayloadError
from ..reading.json import untyped

__all__ = ["scrubbed", "starred"]

T = TypeVar("T")

_STARS: Final = "***"


class _Secrets(NamedTuple):
    """Names of members that are secret."""

    names: frozenset[str]
    beginnings: tuple[str, ...]
    begun: re.Pattern[str] | None
    """What stands in a name that begins with one of them; None: there are none."""
    in_text: re.Pattern[str]
    """What stands in every text in which one of them is; the quotation mark behind it is escaped in JSON in JSON."""
    in_body: re.Pattern[bytes]

    def among(self, members: Mapping[str, object]) -> Collection[str]:
        """Return the names of those that are not starred yet."""
        found = self.names.intersection(members)
        if self.begun is not None and self.begun.search(" ".join(members)):
            found |= {name for name in members if name.startswith(self.beginnings)}
        return found and [name for name in found if members[name] is not None and members[name] != _STARS]


@cache
def _secrets(names: frozenset[str]) -> _Secrets:
    beginnings = tuple(name.removesuffix("*") for name in names if name.endswith("*"))
    whole = [name for name in names if not name.endswith("*")]
    marks = '"(?:{})'.format("|".join([*(f'{re.escape(name)}["\\\\]' for name in whole), *map(re.escape, beginnings)]))
    begun = re.compile("|".join(map(re.escape, beginnings))) if beginnings else None
    return _Secrets(frozenset(whole), beginnings, begun, re.compile(marks), re.compile(marks.encode()))


def scrubbed(body: bytes, names: Collection[str]) -> bytes:
    """Return a JSON body with the members of these names starred as in `starred`; untouched where none is there."""
    if not names or not _secrets(frozenset(names)).in_body.search(body):
        return body
    document, secrets = untyped(body), _secrets(frozenset(names))
    return msgspec.json.encode(_starred(document, secrets, is_ours=True)) if _holds(document, secrets) else body


def starred(document: T, names: Collection[str]) -> T:
    """Return a document with what its members of these names hold replaced by `"***"`, at any depth.

    A star at the end of a name stands for any more of it. Texts that are JSON themselves are searched too; one that
    looks like it, has such a member and cannot be read is replaced whole. Where nothing is replaced, it is the same
    document.
    """
    secrets = _secrets(frozenset(names))
    return _starred(document, secrets) if _holds(document, secrets) else document


# Every conversation passes here, and few hold one: so nothing is called for what is plain.
_NESTED: Final = frozenset({dict, list, tuple})
_MAY_BE_JSON: Final = frozenset("{[ \n\r\t")


def _holds(document: object, secrets: _Secrets) -> bool:
    names, begun = secrets.names, secrets.begun
    left: list[Any] = [[document]]
    while left:
        value = left.pop()
        if value.__class__ is dict:
            if (begun is not None or not names.isdisjoint(value)) and secrets.among(value):
                return True
            value = value.values()
        for one in value:
            if one.__class__ is str:
                if one[:1] in _MAY_BE_JSON and _starred_text(one, secrets) is not one:
                    return True
            elif one.__class__ in _NESTED:
                left.append(one)
    return False


def _starred(document: T, secrets: _Secrets, *, is_ours: bool = False) -> T:
    """Return a document starred; one that is ours alone is changed, any other copied."""
    names, begun = secrets.names, secrets.begun
    found: list[Any] = [document]
    left: list[Any] = [found]  # ours, whose values may still be those of the document
    while left:
        holder = left.pop()
        if holder.__class__ is dict:
            if begun is not None or not names.isdisjoint(holder):
                holder |= dict.fromkeys(secrets.among(holder), _STARS)
            places: Iterable[Any] = holder
        else:
            places = range(len(holder))
        for place in places:
            one = holder[place]
            if one.__class__ is str:
                if one[:1] in _MAY_BE_JSON:
                    holder[place] = _starred_text(one, secrets)
            elif one.__class__ in _NESTED:
                if not is_ours:
                    holder[place] = one = one.copy() if one.__class__ is dict else [*one]
                left.append(one)
    return cast("T", found[0])


def _starred_text(text: str, secrets: _Secrets) -> str:
    if text.lstrip()[:1] not in {"{", "["}:
        return text
    if not secrets.in_text.search(text):
        return text
    try:
        document = untyped(text.encode(errors="replace"))
    except PayloadError:
        return _STARS
    if not _holds(document, secrets):
        return text
    return msgspec.json.encode(_starred(document, secrets, is_ours=True)).decode()
