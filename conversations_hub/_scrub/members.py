"""Members of JSON that hold secrets: known by their names, and replaced by `***` at any depth."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from functools import cache
from typing import Any, Final, NamedTuple, TypeVar, cast

import msgspec

from ..errors import PayloadError
from ..reading.json import untyped

__all__ = ["scrubbed", "starred"]

T = TypeVar("T")

_STARS: Final = "***"
_LONG: Final = 128  # bytes for each name; in a shorter body, a look for all names at once takes less


class _Secrets(NamedTuple):
    """Names of members that are secret."""

    names: frozenset[str]
    prefixes: tuple[str, ...]
    prefix: re.Pattern[str] | None
    """Matches in every name that begins with one of the prefixes; None: there are none."""
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
        if self.prefix is not None and self.prefix.search(" ".join(members)):
            found |= {name for name in members if name.startswith(self.prefixes)}
        return found and [name for name in found if members[name] is not None and members[name] != _STARS]


@cache
def _secrets(names: frozenset[str]) -> _Secrets:
    prefixes = tuple(name.removesuffix("*") for name in names if name.endswith("*"))
    whole = [name for name in names if not name.endswith("*")]
    marks = '"(?:{})'.format("|".join([*(f'{re.escape(name)}["\\\\]' for name in whole), *map(re.escape, prefixes)]))
    prefix = re.compile("|".join(map(re.escape, prefixes))) if prefixes else None
    begins = tuple(f'"{name}'.encode() for name in (*whole, *prefixes))
    every = "|".join([*map(re.escape, whole), *(rf'{re.escape(name)}[^"\\]*' for name in prefixes)])
    told = rf'"(?:{every})"\s*:\s*(?!null\b|"\*\*\*")\S'
    patterns = (re.compile(marks), re.compile(marks.encode()), begins, re.compile(told), re.compile(told.encode()))
    return _Secrets(frozenset(whole), prefixes, prefix, *patterns)


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


def starred(document: T, names: Collection[str]) -> T:
    """Return a document in which members with these names have the value `"***"`, at any depth.

    A trailing star in a name matches any suffix. Strings that are JSON themselves are searched too; one that looks like
    JSON, has such a member and cannot be read is replaced as a whole. The document itself stays as it is, and is
    returned if nothing is replaced.
    """
    return _starred(document, _secrets(frozenset(names)))


# Every conversation passes here, and few values are secret, so no function is called for plain ones.
_NESTED: Final = frozenset({dict, list, tuple})
_MAY_BE_JSON: Final = frozenset("{[ \n\r\t")


def _starred(document: T, secrets: _Secrets) -> T:
    walk: list[Any] = [[document]]
    parents = [0]
    changes = _to_change(walk, parents, secrets)
    if not changes:
        return document
    for at in [*changes]:
        above = parents[at]
        while above not in changes:
            changes.add(above)
            above = parents[above]
    copies: dict[int, Any] = {}
    for at in sorted(changes, reverse=True):  # what is held before what holds it
        copies[id(walk[at])] = _copied(walk[at], secrets, copies)
    return cast("T", copies[id(walk[0])][0])


def _to_change(walk: list[Any], parents: list[int], secrets: _Secrets) -> set[int]:
    """Return where a walk meets dictionaries and lists with secrets; add to it what they hold, and where each is held.

    It calls nothing recursively, because nesting may be deep.
    """
    names, prefix = secrets.names, secrets.prefix
    changes: set[int] = set()
    for at, held in enumerate(walk):
        values = held
        if held.__class__ is dict:
            may_have = not names.isdisjoint(held) or (prefix is not None and prefix.search(" ".join(held)))
            if may_have and secrets.among(held):
                changes.add(at)
            values = held.values()
        for one in values:
            if one.__class__ is str:
                if '"' in one and one[0] in _MAY_BE_JSON and _starred_text(one, secrets) is not one:
                    changes.add(at)
            elif one.__class__ in _NESTED:
                walk.append(one)
                parents.append(at)
    return changes


def _copied(held: Any, secrets: _Secrets, copies: Mapping[int, Any]) -> Any:
    """Return a copy of a dictionary or list, with its secret members replaced and what it holds by copies of those."""
    is_dict = held.__class__ is dict
    copy: Any = {**held, **dict.fromkeys(secrets.among(held), _STARS)} if is_dict else [*held]
    places: Iterable[Any] = copy if is_dict else range(len(copy))
    for place in places:
        one = copy[place]
        if id(one) in copies:
            copy[place] = copies[id(one)]
        elif one.__class__ is str and one[:1] in _MAY_BE_JSON:
            copy[place] = _starred_text(one, secrets)
    return copy


def _starred_text(text: str, secrets: _Secrets) -> str:
    if not secrets.in_text.search(text) or text.lstrip()[:1] not in {"{", "["}:
        return text
    try:
        document = untyped(text.encode(errors="replace"))
    except PayloadError:
        return _STARS
    clean = _starred(document, secrets)
    return text if clean is document and not secrets.told.search(text) else msgspec.json.encode(clean).decode()
