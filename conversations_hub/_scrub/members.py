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
    return _Secrets(frozenset(whole), prefixes, prefix, re.compile(marks), re.compile(marks.encode()), begins)


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
            clean, has_secrets = _opened(body, secrets)
            return clean if has_secrets else body
    document = untyped(body)
    return msgspec.json.encode(_starred(document, secrets, is_ours=True)) if _holds(document, secrets) else body


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
    JSON, has such a member and cannot be read is replaced as a whole. If nothing is replaced, the same document is
    returned.
    """
    secrets = _secrets(frozenset(names))
    return _starred(document, secrets) if _holds(document, secrets) else document


# Every conversation passes here, and few hold a secret, so no function is called for plain values.
_NESTED: Final = frozenset({dict, list, tuple})
_MAY_BE_JSON: Final = frozenset("{[ \n\r\t")


def _holds(document: object, secrets: _Secrets) -> bool:
    names, prefix = secrets.names, secrets.prefix
    left: list[Any] = [[document]]
    while left:
        value = left.pop()
        if value.__class__ is dict:
            if (prefix is not None or not names.isdisjoint(value)) and secrets.among(value):
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
    """Return a document with its secret members replaced; `is_ours` changes it in place instead of copying it."""
    names, prefix = secrets.names, secrets.prefix
    found: list[Any] = [document]
    left: list[Any] = [found]  # ours, whose values may still belong to the document
    while left:
        holder = left.pop()
        if holder.__class__ is dict:
            if prefix is not None or not names.isdisjoint(holder):
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
