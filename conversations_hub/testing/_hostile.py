"""Values that are chosen to harm a program that reads, shows or stores them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

import msgspec

from ..reading.json import Json

__all__ = ["HOSTILE"]


def _nested(depth: int) -> Json:
    value: Json = "deep"
    for level in range(depth):
        value = [value] if level % 2 else {"in": value}
    return value


_ENDS_OF_NUMBERS: Final = (
    *(-1, 0, 0.1, 5e-324, 1.7e308, -1.7e308),
    *(2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), 2**64 - 1),
)
_ENDS_OF_TIME: Final = (
    *(-62_135_596_801, 946_684_799, 10**12, 253_402_300_799, 253_402_300_800, 253_402_300_799_999),
    *("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59-23:59"),
    *("2026-02-30", "2026-11-20T24:00:00Z", "99:99:99"),
)
_NO_NUMBERS: Final = ("1e999", "-1", "NaN", "Infinity", "٣", "1_000", "1" * 500)
_STEERING: Final = ("\0", "\r\n", "\x1b]0;title\x07", "\u202e\u2066", "\x1c\x1d\x1e", "\u2028\u2029", "\x85")
_UNSEEN: Final = (" ", "\u3000", "\u200b\U000e0041", "\ufeff", "\u0301" * 300)
_MARKUP: Final = (
    *("=1+1", "@SUM(A1)", "'", '"', "`", "[/bold]", "{0}", "%s", "*", "--", "\\"),
    *('{"token": {', '[[[["', "user: hello\nagent: bye", '{"in": ' * 600 + "1" + "}" * 600),
)
_PLACES: Final = (
    "..",
    "../..",
    "a/b",
    "?a=1#b",
    "http://127.0.0.1/",
    "file:///etc/passwd",
    "https://[::1",
    "https://a:b@c:d/",
)
_LONG: Final = ("a" * 20_000, "😀" * 500, "ﷺ" * 50, "jane@example.com +1 555 010 0123 " * 20)
# Raw, since encoders do not write them.
_SPELLED: Final = (b"1e999", b"-0", b"-0.0", b"1E-999", b'"\\ud800"', b"[" * 600 + b"]" * 600)
_EMPTY: Final[list[Json]] = [True, False, None, [], {}, [None], [[]], {"": ""}]
_SHAPES: Final[list[Json]] = [
    {"\0": "\x1b"},
    {"id": {"id": []}},
    [1, "a", None, {}, [], 0.5],
    _nested(30),
    _nested(120),
    list("a" * 300),
    {str(number): number for number in range(300)},
]

HOSTILE: Final[Sequence[Json]] = (
    *_ENDS_OF_NUMBERS,
    *_ENDS_OF_TIME,
    *_NO_NUMBERS,
    *_STEERING,
    *_UNSEEN,
    *_MARKUP,
    *_PLACES,
    *_LONG,
    *(cast("Json", msgspec.Raw(spelled)) for spelled in _SPELLED),
    *_EMPTY,
    *_SHAPES,
)
