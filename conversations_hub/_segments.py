"""Cuts large JSON between rows, and works on one segment after another.

During a single call on all of it no other thread would get its turn.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, TypeVar

import msgspec

from ._nesting import MOST_LEVELS, TOKENS, is_too_deep, marks_of

__all__ = ["decoded_rows", "holds_deep_segment", "is_large"]

_T = TypeVar("_T")

_SEGMENT = 2 * 1024 * 1024  # bytes


def is_large(body: bytes) -> bool:
    """Whether a body is so large that it should be worked on in segments."""
    return len(body) > 4 * _SEGMENT


def holds_deep_segment(body: bytes) -> bool:
    """Whether JSON is nested too deeply; raises the same errors as `is_too_deep`."""
    return max([is_too_deep(segment) for segment in _segments(body)])  # all of them have to be JSON


def _segments(body: bytes) -> Iterator[bytes]:
    """Yield the segments of a body as documents: all are JSON if and only if the body is, and one is as deep.

    Where a row ends, all that is open is closed. The next document opens it again, with an empty text in place of the
    rows before: what follows is read in the same state as in the body, so even a wrong cut makes no bad body good.
    """
    view = memoryview(body)
    begin, opening = 0, b""
    for end, levels in _cuts(body):
        yield b"".join((opening, view[begin:end], b"]", b"}" * (levels - 1)))
        begin, opening = end, b'{"":' * (levels - 1) + b'[""'
    yield b"".join((opening, view[begin:]))


def _cuts(body: bytes) -> Iterator[tuple[int, int]]:
    """Yield where segments end, and how many levels are open there: an outermost list, and the objects around it.

    Behind what is not JSON or nested too deeply, nothing is cut.
    """
    end, open_ = 0, b""
    while end < len(body):
        begin, marks, quotes = end, [open_], 0
        while end < len(body) and (end < begin + _SEGMENT or quotes % 2):
            end, more = marks_of(body, end)
            marks.append(more)
            quotes += more.count(b'"')
        open_ = _without_pairs(b"".join(b"".join(marks).split(b'"')[::2]))
        if open_.translate(None, b"[{"):
            return
        levels = open_.find(b"[") + 1
        cut = _end_of_row(body, end, len(open_), levels) if levels else None
        if cut is not None:
            yield cut, levels
            end, open_ = cut, open_[:levels]


def _without_pairs(brackets: bytes) -> bytes:
    """Return the brackets that are left open; more, if they are nested too deeply."""
    for _level in range(MOST_LEVELS):
        left = brackets.replace(b"[]", b"").replace(b"{}", b"")
        if len(left) == len(brackets):
            break
        brackets = left
    return brackets


def _end_of_row(body: bytes, begin: int, depth: int, levels: int) -> int | None:
    """Return where the next row ends, or the list without one; None if that is not near."""
    for token in TOKENS.finditer(body, begin, begin + _SEGMENT):
        start, before = token.start(), depth
        if body[start] in b"[{":
            depth += token.end() - start
        elif body[start] in b"]}":
            depth -= token.end() - start
            if depth <= levels:
                return start + before - levels
    return None


_MARK = msgspec.Raw(b'"the other rows"')
_rows = msgspec.json.Decoder(list[msgspec.Raw])


def decoded_rows(body: bytes, decoder: msgspec.json.Decoder[_T]) -> _T | None:
    """Decode a well-formed page whose rows stay JSON; None if they do not, or if something does not fit.

    The decoder reads a page with a mark in place of most of the rows.
    """
    cuts = [cut for cut, _ in _cuts(body)]
    if len(cuts) < 2:
        return None
    view = memoryview(body)
    found: list[msgspec.Raw] = []
    try:
        decoded = decoder.decode(b"".join((view[: cuts[0]], b",", _MARK, view[cuts[-1] :])))
        for begin, end in pairwise(cuts):
            found += _rows.decode(b"".join((b'[""', view[begin:end], b"]")))[1:]
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    rows = _marked(decoded)
    if rows is None:
        return None
    at = rows.index(_MARK)
    rows[at : at + 1] = found
    return decoded


def _marked(decoded: Any) -> list[Any] | None:
    """Return the list that holds the mark as JSON."""
    if isinstance(decoded, msgspec.Struct):
        members = [getattr(decoded, name) for name in decoded.__struct_fields__]
        return next(filter(None, map(_marked, members)), None)
    return decoded if decoded.__class__ is list and _MARK in decoded else None
