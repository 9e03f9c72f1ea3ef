"""Members of JSON that hold secrets: known by their names, and replaced by `***` at any depth."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Any, Final, NamedTuple, TypeVar, cast

import msgspec

from .._nesting import holds_too_deep, may_be_deep
from ..errors import PayloadError
from ..reading.json import untyped

__all__ = ["scrubbed", "stars_among", "stars_in"]

K = TypeVar("K")
T = TypeVar("T")

_STARS: Final = "***"
_LONG: Final = 128  # bytes for each name; in a shorter body, a look for all names at once takes less


class _Secrets(NamedTuple):
    """Names of members that are secret."""

    names: frozenset[str]
    prefixes: tuple[str, ...]
    in_text: re.Pattern[str]
    """Matches in every text that has one of them; in JSON inside JSON, the quotation mark after it is escaped."""
    in_body: re.Pattern[bytes]
    marks: tuple[bytes, ...]
    """One of them is in every body in which `in_body` matches, and each is found many times faster."""
    told: re.Pattern[str]
    """Matches in JSON where a secret member has a value. Whoever decodes it finds none if the member comes again."""
    told_in_body: re.Pattern[bytes]

    def may_be_in(self, body: bytes) -> bool:
        """Whether a body has the name of a secret member, if none is escaped."""
        if len(body) > _LONG * len(self.marks) and not any(mark in body for mark in self.marks):
            return False
        return self.in_body.search(body) is not None

    def among(self, members: Mapping[str, object]) -> Collection[str]:
        """Return the names of the secret members that are not replaced yet."""
        found = self.names.intersection(members)
        if self.prefixes:
            told = " ".join(members)
            if any(prefix in told for prefix in self.prefixes):
                found |= {name for name in members if name.startswith(self.prefixes)}
        return found and [name for name in found if members[name] is not None and members[name] != _STARS]


@cache
def _secrets(names: frozenset[str]) -> _Secrets:
    prefixes = tuple(name.removesuffix("*") for name in names if name.endswith("*"))
    whole = [name for name in names if not name.endswith("*")]
    # By their first letters, because all alternatives are tried after each quotation mark.
    ends: defaultdict[str, list[str]] = defaultdict(list)
    for name, end in (*((name, r'["\\]') for name in whole), *((prefix, "") for prefix in prefixes)):
        ends[re.escape(name[:1])].append(re.escape(name[1:]) + end)
    marks = '"(?:{})'.format("|".join(f"{first}(?:{'|'.join(rest)})" for first, rest in ends.items()))
    begins = tuple(f'"{name}'.encode() for name in (*whole, *prefixes))
    every = "|".join([*map(re.escape, whole), *(rf'{re.escape(name)}[^"\\]*' for name in prefixes)])
    told = rf'"(?:{every})"\s*:\s*(?!null\b|"\*\*\*")\S'
    patterns = (re.compile(marks), re.compile(marks.encode()), begins, re.compile(told), re.compile(told.encode()))
    return _Secrets(frozenset(whole), prefixes, *patterns)


_members: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_items: Final = msgspec.json.Decoder(list[msgspec.Raw])
_text: Final = msgspec.json.Decoder(str)
_STARRED: Final = msgspec.Raw(f'"{_STARS}"'.encode())
_NOTHING: Final = (msgspec.Raw(b"null"), _STARRED)
# A letter, digit, hyphen or underscore that is escaped, as it need not be: it may be part of a name.
_ESCAPED: Final = re.compile(rb"\\u00(?:2d|3[0-9]|[46][1-9a-f]|[57][0-9a]|5f)", re.IGNORECASE)


def scrubbed(body: bytes, names: Collection[str]) -> bytes:
    """Return a JSON body with secret members replaced as in `starred`; the same object if it has none."""
    if not names:
        return body
    secrets = _secrets(frozenset(names))
    has_escapes = b"\\u" in body
    if not secrets.may_be_in(body) and not (has_escapes and _ESCAPED.search(body)):
        return body
    if not has_escapes:
        with suppress(RecursionError):  # then the next line says what is wrong
            opened, has_secrets = _opened(body, secrets)
            return opened if has_secrets or secrets.told_in_body.search(body) else body
    document = untyped(body)
    clean = _starred(document, secrets)
    return body if clean is document and not secrets.told_in_body.search(body) else msgspec.json.encode(clean)


def _opened(body: bytes, secrets: _Secrets) -> tuple[bytes, bool]:
    """Return JSON with its secret members replaced, and whether it has any; only parts that have a name are decoded."""
    first = body.lstrip()[:1]
    if first == b'"':
        said = _text.decode(body)
        starred_text = _starred_text(said, secrets)
        return msgspec.json.encode(starred_text), starred_text is not said
    held: Any = _members.decode(body) if first == b"{" else _items.decode(body)
    secret = [name for name in secrets.among(held) if held[name] not in _NOTHING] if first == b"{" else []
    has_secrets = bool(secret)
    for name in secret:
        held[name] = _STARRED
    for place, part in [*held.items()] if first == b"{" else enumerate(held):
        if secrets.may_be_in(one := bytes(part)):
            clean, is_changed = _opened(one, secrets)
            held[place] = msgspec.Raw(clean)
            has_secrets |= is_changed
    return msgspec.json.encode(held), has_secrets


def stars_in(held: Mapping[str, Any], names: Collection[str], *, is_bounded: bool = False) -> dict[str, Any]:
    """Return what replaces members of a dictionary so that all with these names have the value `"***"`, at any depth.

    A trailing star in a name matches any suffix. Strings that are JSON themselves are searched too; one that looks like
    JSON, has such a member and cannot be read is replaced as a whole. What is held stays as it is.

    With `is_bounded`, raises `PayloadError` for a dictionary that is nested too deeply.
    """
    secrets = _secrets(frozenset(names))
    found = _replaced(held.items(), secrets, is_bounded=is_bounded)
    return found | dict.fromkeys(secret, _STARS) if (secret := secrets.among(held)) else found


def stars_among(values: Sequence[Any], names: Collection[str]) -> dict[int, Any]:
    """Return what replaces values, by their position, as `stars_in` does for the values of members."""
    return _replaced(enumerate(values), _secrets(frozenset(names)))


def _replaced(places: Iterable[tuple[K, Any]], secrets: _Secrets, *, is_bounded: bool = False) -> dict[K, Any]:
    # Every conversation passes here, and few values are secret, so no function is called for plain ones.
    found: dict[K, Any] = {}
    for place, one in places:
        clean = one
        if one.__class__ is str:
            if '"' in one and one[0] in _MAY_BE_JSON:
                clean = _starred_text(one, secrets)
        elif one.__class__ in _NESTED and one:
            clean = _clean(one, secrets, is_bounded=is_bounded)
        if clean is not one:
            found[place] = clean
    return found


def _clean(held: Any, secrets: _Secrets, *, is_bounded: bool) -> Any:
    """Return a dictionary or list as `_starred` does, but look at its JSON first, which takes less than a walk."""
    body = _encoded(held)
    is_deep = body is None or may_be_deep(body)
    if is_deep and is_bounded and holds_too_deep({"": held}):
        raise PayloadError("it is nested too deeply")
    if body is not None and not secrets.may_be_in(body):
        return held
    if is_deep:
        return _starred(held, secrets)
    if held.__class__ is dict:
        stars = _replaced(held.items(), secrets) | dict.fromkeys(secrets.among(held), _STARS)
        return held | stars if stars else held
    values: Sequence[Any] = held
    others = _replaced(enumerate(values), secrets)
    return [others.get(place, one) for place, one in enumerate(values)] if others else held


def _encoded(held: object) -> bytes | None:
    """Return JSON; None for what cannot be written, such as deep nesting."""
    try:
        return msgspec.json.encode(held)
    except (msgspec.MsgspecError, OverflowError, RecursionError, TypeError, ValueError):
        return None


_NESTED: Final = frozenset({dict, list, tuple})
_MAY_BE_JSON: Final = frozenset("{[ \n\r\t")


def _starred(document: T, secrets: _Secrets) -> T:
    # Nothing is called recursively, because nesting may be deep.
    walk: list[Any] = [[document]]
    parents = [0]
    changes: set[int] = set()
    others: dict[int, Any] = {}
    """What replaces a string, dictionary or list, by its identity."""
    for at, held in enumerate(walk):
        values = held
        if held.__class__ is dict:
            if secrets.among(held):
                changes.add(at)
            values = held.values()
        for one in values:
            if one.__class__ is str:
                if '"' in one and one[0] in _MAY_BE_JSON and (text := _starred_text(one, secrets)) is not one:
                    others[id(one)] = text
                    changes.add(at)
            elif one.__class__ in _NESTED:
                walk.append(one)
                parents.append(at)
    if changes:
        _copy(walk, parents, changes, others, secrets)
    return cast("T", others.get(id(document), document))


def _copy(
    walk: Sequence[Any], parents: Sequence[int], changes: set[int], others: dict[int, Any], secrets: _Secrets
) -> None:
    """Copy what is to be changed, and all that holds it; add the copies to `others`."""
    for at in [*changes]:
        above = parents[at]
        while above not in changes:
            changes.add(above)
            above = parents[above]
    for at in sorted(changes, reverse=True):  # what is held before what holds it
        others[id(walk[at])] = _copied(walk[at], secrets, others)


def _copied(held: Any, secrets: _Secrets, others: Mapping[int, Any]) -> Any:
    """Return a copy of a dictionary or list, with its secret members and what it holds replaced."""
    if held.__class__ is not dict:
        return [others.get(id(one), one) for one in held]
    copy = {name: others.get(id(one), one) for name, one in held.items()}
    return copy | dict.fromkeys(secrets.among(held), _STARS)


def _starred_text(text: str, secrets: _Secrets) -> str:
    if not secrets.in_text.search(text) or text.lstrip()[:1] not in {"{", "["}:
        return text
    try:
        document = untyped(text.encode(errors="replace"))
    except PayloadError:
        return _STARS
    clean = _starred(document, secrets)
    return text if clean is document and not secrets.told.search(text) else msgspec.json.encode(clean).decode()
