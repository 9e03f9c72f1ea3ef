"""Bounds how deeply JSON is nested, because code that reads or writes it recursively has a limit."""

from __future__ import annotations

import re
from itertools import accumulate
from typing import Any

import msgspec

__all__ = [
    "MOST_LEVELS",
    "TOKENS",
    "TOO_DEEP",
    "holds_too_deep",
    "is_too_deep",
    "marks_of",
    "may_be_deep",
    "without_deep_rows",
]

TOO_DEEP = b'"a row that was nested too deeply"'
"""Replaces such a row in a list, as JSON; no adapter accepts it as a row."""

MOST_LEVELS = 100
"""Of a response, and of a row with the levels around it; no provider comes near."""

_PIECE = 16 * 1024  # bytes; a larger piece is memory-mapped each time, which takes longer than reading it

_SMALL = 64 * 1024  # bytes; of a larger one, copies are memory-mapped as well
_MOST_LAID_OUT = 64 * 1024 * 1024  # bytes, if all lines were as deep as there are opening brackets; most are not

_any = msgspec.json.Decoder(msgspec.Raw)
_INDENTED = b"\n" + b" " * MOST_LEVELS
_NESTED: frozenset[type[object]] = frozenset({dict, list, tuple})

# Braces become brackets, and everything else except quotes is removed.
_AS_BRACKETS = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(set(range(256)) - set(b'{}[]"'))
_USUAL_LEVELS = 8
_REST_OF_ESCAPE = re.compile(rb"(?:(?<=\\)\\*[^\\])?", re.DOTALL)


def holds_too_deep(kept: dict[str, Any]) -> bool:
    """Whether decoded JSON is nested too deeply."""
    level: list[Any] = [one for one in kept.values() if one.__class__ in _NESTED]
    levels = 1
    while level and levels < MOST_LEVELS:
        inner = [held.values() if held.__class__ is dict else held for held in level]
        level = [one for values in inner for one in values if one.__class__ in _NESTED]
        levels += 1
    return bool(level)


def may_be_deep(body: bytes) -> bool:
    """Whether JSON has so many opening brackets that it may be nested too deeply, also below one more level."""
    return len(body) >= 2 * MOST_LEVELS and _opening(body) >= MOST_LEVELS


def _opening(body: bytes) -> int:
    # Those in strings included; a replacement finds single bytes much faster than `count`.
    return len(body) - len(body.replace(b"[", b"").replace(b"{", b""))


def is_too_deep(body: bytes) -> bool:
    """Whether JSON is nested too deeply; raises `MsgspecError` if it is not JSON, and `RecursionError`."""
    may_be_deep = True
    if len(body) <= _SMALL:
        opened = _opening(body)
        if MOST_LEVELS < opened <= _MOST_LAID_OUT // len(body):
            # This reads as a decoder does, and writes each value on a line of its own, indented by its level.
            return _INDENTED in msgspec.json.format(body, indent=1) and _counts_too_many(body)
        may_be_deep = opened > MOST_LEVELS
    _any.decode(body)
    return may_be_deep and _counts_too_many(body)


def _counts_too_many(body: bytes) -> bool:
    """Count the levels of well-formed JSON, without recursion and in less memory than the body."""
    left, passed = _brackets(body), 0
    while left and passed < _USUAL_LEVELS:  # each pass removes the innermost level, much faster than counting
        if passed + len(left) // 2 <= MOST_LEVELS:
            return False
        left, passed = left.replace(b"[]", b""), passed + 1
    steps = map(ord("\\").__sub__, left)  # its code point is between the two: "[" gives 1, and "]" gives -1
    return passed + max(accumulate(steps), default=0) > MOST_LEVELS


def _brackets(body: bytes) -> bytes:
    parts: list[bytes] = []
    end = 0
    while end < len(body):
        end, marks = marks_of(body, end)
        parts.append(marks)
    return b"".join(b"".join(parts).translate(_AS_BRACKETS).split(b'"')[::2])


def marks_of(body: bytes, begin: int) -> tuple[int, bytes]:
    """Return where a piece of JSON ends, and its brackets and quotes, except escaped quotes and pairs of quotes."""
    end = begin + _PIECE
    rest = _REST_OF_ESCAPE.match(body, end)
    end = rest.end() if rest else end
    piece = body[begin:end]
    if b"\\" in piece:
        piece = piece.replace(b"\\\\", b"").replace(b'\\"', b"")
    return end, piece.translate(None, _NO_BRACKETS).replace(b'""', b"")


# An unterminated string extends to the end of the body; a search from each of its quotes would take quadratic time.
TOKENS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[\[{]+|[\]}]+', re.DOTALL)


def without_deep_rows(body: bytes) -> bytes | None:
    """Return a list with `TOO_DEEP` for every row that is nested too deeply; None if no row is at fault.

    The rows are the items of the outermost lists; nothing else has to be JSON.
    """
    parts: list[bytes] = []
    depth = listed = begin = end = 0  # `listed`: levels around the rows of the open list; 0: no list is open
    is_deep = False
    for token in TOKENS.finditer(body):
        start, before = token.start(), depth
        if body[start] in b"[{":
            depth += token.end() - start
            first = -1 if listed else body.find(b"[", start, token.end())
            if first >= 0:
                listed = before + first - start + 1
            if listed and before <= listed < depth:
                begin = start + listed - before
            is_deep |= depth > MOST_LEVELS
            if is_deep and not listed:
                return None
        elif body[start] in b"]}":
            depth -= token.end() - start
            if is_deep and depth <= listed:
                parts += [body[end:begin], TOO_DEEP]
                end = start + before - listed
                is_deep = False
            if depth < listed:
                listed = 0
    return b"".join([*parts, body[end:]]) if parts and not is_deep else None
