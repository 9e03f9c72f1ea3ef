"""JSON Lines: our own form, in which nothing is lost."""

from __future__ import annotations

from collections import Counter
from typing import Final

import msgspec

from ..schema import Conversation
from ..schema._document import document
from ._format import Format, NoOptions
from ._losses import FIELDS, TURN_FIELDS

__all__ = ["FORMAT"]

_decoder: Final = msgspec.json.Decoder(Conversation)


def _dump(conversation: Conversation, _options: NoOptions, _lost: Counter[str]) -> bytes:
    return document(conversation)


def _load(data: bytes, _options: NoOptions) -> Conversation:
    return _decoder.decode(data)


FORMAT: Final = Format(
    name="jsonl",
    media_type="application/jsonl",
    suffix=".jsonl",
    framing="line",
    dump=_dump,
    load=_load,
    writes=FIELDS | TURN_FIELDS,
    keeps=FIELDS | TURN_FIELDS,
)
