"""Untrusted text made harmless: characters that could control a terminal, or are invisible, become escapes."""

from __future__ import annotations

import re

__all__ = ["STEERING", "escaped", "escaped_lines"]

STEERING = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e007f]"
)
"""C0 and C1 controls, line and paragraph separators, surrogates, and Unicode's format characters (Cf): those that set
the direction, those that join without a width, and tags, which can hide a whole message."""


def escaped(text: str) -> str:
    r"""Return text as one line with these characters escaped: an escape character becomes `\x1b`."""
    return STEERING.sub(lambda found: ascii(found.group())[1:-1], text)


def escaped_lines(text: str) -> str:
    """Return text with these characters escaped and its line breaks kept, for a column of its own."""
    return "\n".join(map(escaped, text.replace("\r\n", "\n").split("\n")))
