"""Which format a request wants a conversation in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from ._answers import JSON
from ._refusal import Refusal

__all__ = ["FORMATS", "Choice", "chosen"]


class Choice(NamedTuple):
    """A format, and the media type that it is sent as."""

    format: str | None
    """None: JSON."""
    media_type: str


FORMATS: Final = {
    "json": Choice(None, JSON),
    "text": Choice("text", "text/plain"),
    "vtt": Choice("vtt", "text/vtt"),
    "srt": Choice("srt", "application/x-subrip"),
    "md": Choice("md", "text/markdown"),
    "vcon": Choice("vcon", "application/vcon+json"),
}
"""The formats by their names, in the order of preference."""


def chosen(accept: Sequence[str]) -> Choice:
    """Return what the Accept headers want most; raise `Refusal` (406) if that is nothing we have."""
    wanted = _wanted(",".join(accept))
    best = max(FORMATS.values(), key=lambda choice: _quality(choice.media_type, wanted)) if wanted else FORMATS["json"]
    if wanted and _quality(best.media_type, wanted) <= 0:
        types = ", ".join(choice.media_type for choice in FORMATS.values())
        raise Refusal(406, "not_acceptable", f"there is {types}")
    return best


def _wanted(accept: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for part in accept.split(","):
        media_type, *parameters = (piece.strip().lower() for piece in part.split(";"))
        if media_type:
            found[media_type] = next((_number(text[2:]) for text in parameters if text.startswith("q=")), 1.0)
    return found


def _number(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        return 0.0


def _quality(media_type: str, wanted: dict[str, float]) -> float:
    """Return how much it is wanted: the most specific range counts."""
    ranges = (media_type, f"{media_type.partition('/')[0]}/*", "*/*")
    return next((wanted[each] for each in ranges if each in wanted), 0.0)
