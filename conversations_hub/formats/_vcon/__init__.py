"""vCon, the container for conversations of the IETF: written as 0.4.0, read from 0.0.1 on.

https://datatracker.ietf.org/doc/draft-ietf-vcon-vcon-core/. What has no place in a vCon stands in two analyses of our
own, which repeat nothing that stands elsewhere: redacting the visible parts redacts everything. Signatures are
neither written nor checked, so a signed or encrypted vCon is refused.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

from .._format import Format, NoOptions
from .._losses import FIELDS, TURN_FIELDS
from ._read import load
from ._write import dump

__all__ = ["FORMAT", "VconOptions"]


_SHA512 = Annotated[str, msgspec.Meta(pattern="^[0-9a-fA-F]{128}$")]


class VconOptions(NoOptions, frozen=True, kw_only=True):
    """How a vCon is written."""

    version: Literal["0.4.0"] = "0.4.0"
    """Of the syntax."""
    domain: str = "conversations-hub.invalid"
    """Your own DNS name, as the maker of the vCon: a part of its uuid."""
    raw: bool = False
    """Whether to attach what the provider sent, if the conversation holds it."""
    recordings: dict[str, _SHA512] = {}
    """By location: the SHA-512 of recordings, in hexadecimal. Only these may be named as parts of the conversation."""
    wtf: bool = False
    """Whether to write the transcript once more in WTF, the World Transcription Format, where every turn that was said
    has a start, a duration and a confidence."""
    assume_confidence: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    """The confidence, from 0 to 1, that the WTF transcript gives turns and words without one; it then says so."""


def _writes(options: VconOptions) -> frozenset[str]:
    return _ALL if options.raw else _ALL - {"raw"}


_ALL: Final = FIELDS | TURN_FIELDS

FORMAT: Final = Format(
    name="vcon",
    media_type="application/vcon",
    suffix=".vcon",
    framing="document",
    dump=dump,
    load=load,
    options=VconOptions,
    writes=_writes,
    # Of URLs in the others, the part that grants access is not written.
    keeps=_ALL - {"raw", "recordings", "links", "metadata", "analysis"},
)
