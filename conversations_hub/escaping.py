"""Text of others made harmless: what could steer a terminal, or turn the line around, is written as an escape."""

from __future__ import annotations

import re

__all__ = ["STEERING", "escaped", "escaped_lines"]

STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""C0 and C1 controls, line and paragraph separators, everything that sets the direction, halves of surrogate pairs."""


def escaped(text: str) -> str:
    r"""Return text as one line that only shows itself: an escape character becomes `\x1b`."""
    return STEERING.sub(lambda found: ascii(found.group())[1:-1], text)


def escaped_lines(text: str) -> str:
    """Return text that only shows itself and keeps its line breaks, for a column of its own."""
    return "\n".join(map(escaped, text.replace("\r\n", "\n").split("\n")))
