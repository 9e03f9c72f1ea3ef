"""Messages that are HTML, as the plain text that a reader sees."""

from __future__ import annotations

import re
from html import unescape

__all__ = ["plain_text"]

_MARKUP = re.compile(r"\s*<[a-z!]", re.IGNORECASE)
_UNSEEN = re.compile(r"<(script|style|title)\b[^<>]*>[^<]*</\1\s*>", re.IGNORECASE)
_SPACES = re.compile(r"\s+")
_BREAK = re.compile(
    r"\s?<(?:br|hr|li|tr|/?(?:p|div|ul|ol|table|blockquote|pre|h[1-6]|section|article|figure))(?:[\s/][^<>]*)?>\s?",
    re.IGNORECASE,
)
_TAG = re.compile(r"</?[a-z!][^<>]*>", re.IGNORECASE)
_BREAKS = re.compile(r"\s*\n\s*")


def plain_text(sent: str) -> str:
    """Return a message as plain text: its paragraphs and list items as lines, without tags.

    A text that does not begin with a tag is no markup, and stays as it is.
    """
    if not _MARKUP.match(sent):
        return sent
    first, *commented = sent.split("<!--")
    shown = first + "".join(part.partition("-->")[2] for part in commented)
    spaced = _SPACES.sub(" ", _UNSEEN.sub("", shown))
    lines = _TAG.sub("", _BREAK.sub("\n", spaced))
    return unescape(_BREAKS.sub("\n", lines)).replace("\N{NO-BREAK SPACE}", " ").strip()
