"""Untrusted text made harmless: characters that could control a terminal, or are invisible, become escapes."""

from __future__ import annotations

import re

__all__ = ["STEERING", "escaped", "escaped_joiners", "escaped_lines", "indented"]

_PICTURES = "\u2190-\u21ff\u2600-\u27bf\u2b00-\u2bff\U0001f300-\U0001faff"  # with the skin tones
_SCRIPTS = "\u0620-\u065f\u066e-\u06d3\u0750-\u077f\u0900-\u0dff"  # Arabic, and from Devanagari to Sinhala
_NOT_IN_EMOJI = f"(?!(?:(?<=[{_PICTURES}]\u200d)|(?<=[{_PICTURES}]\ufe0f\u200d))[{_PICTURES}])"
_NOT_IN_WORD = f"(?!(?<=[{_SCRIPTS}][\u200c\u200d])[{_SCRIPTS}])"

STEERING = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufe00-\ufe0e\ufeff\uffa0\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff\ufe0f]"
    f"(?<!(?<!\ufe0f)\ufe0f){_NOT_IN_EMOJI}{_NOT_IN_WORD}"
)
"""C0 and C1 controls, line and paragraph separators, surrogates, Unicode's format characters (Cf): those that set the
direction, those that join without a width, and tags; fillers, which are blank letters; and variation selectors but for
the one of emoji. Tags and selectors can hide a whole message.

A joiner is left alone where it belongs to what is written: between two pictures of an emoji, and between two letters of
a script that is spelt with it, such as in Persian or Hindi."""

_JOINERS = re.compile(f"[\u200c\u200d]{_NOT_IN_EMOJI}")

# Every line break that `str.splitlines` knows, so that no text within a turn looks like another turn.
_BREAK = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")


def escaped(text: str) -> str:
    r"""Return text as one line with these characters escaped: an escape character becomes `\x1b`."""
    return STEERING.sub(_escape, text)


def escaped_joiners(text: str) -> str:
    """Return escaped text for a language model: with the joiners escaped that are within words."""
    return _JOINERS.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    return ascii(found.group())[1:-1]


def escaped_lines(text: str) -> str:
    """Return text with these characters escaped and its line breaks kept, for a column of its own."""
    return "\n".join(map(escaped, text.replace("\r\n", "\n").split("\n")))


def indented(text: str) -> str:
    """Return text whose further lines are indented by four spaces, whatever ends a line in it."""
    return _BREAK.sub("\n    ", text)
