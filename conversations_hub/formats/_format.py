"""What a format is: a value that holds functions, as an adapter is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from ..errors import FormatError
from ..schema import Conversation

__all__ = ["Dumped", "Format", "Loaded", "NoOptions"]


class NoOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options of a format; this one has none."""


class Format(msgspec.Struct, frozen=True, kw_only=True):
    """One way to write conversations for other programs, and perhaps to read them. All functions are pure.

    Fields are named as in the schema, those of turns as in `transcript.words`.
    """

    name: str
    media_type: str
    suffix: str
    """The ending of a file's name, with its dot."""
    framing: Literal["line", "document", "table"]
    """Lines and rows join in one file; a document is a file of its own."""
    dump: Callable[[Conversation, Any, Counter[str]], bytes]
    """Takes the conversation, the options, and a counter of what is lost; a line without its line break, or rows.

    Raises `FormatError` for a conversation that this format cannot hold."""
    load: Callable[[bytes, Any], Conversation] | None = None
    """Takes a line or a document, and the options; None: this format is only written.

    Raises `FormatError` for what is not in this format."""
    head: bytes | Callable[[Any], bytes] = b""
    """What stands before the first row of a table; it may depend on the options."""
    options: type[NoOptions] = NoOptions
    """What the options are converted to."""
    writes: frozenset[str] | Callable[[Any], frozenset[str]] = frozenset[str]()
    """The fields that a dump holds, at least in part; values of all others are counted as lost. They may depend on the
    options."""
    keeps: frozenset[str] = frozenset[str]()
    """The fields that are exactly the same after a dump and a load."""


class Dumped(msgspec.Struct):
    """What became of conversations that were written in a format."""

    written: int = 0
    """Conversations."""
    skipped: Counter[str] = msgspec.field(default_factory=Counter[str])
    """Conversations that the format cannot hold, by reason."""
    lost: Counter[str] = msgspec.field(default_factory=Counter[str])
    """What of the written conversations is not in the output, by kind: a field, or what its name says."""


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """One record of a file: its conversation, or why there is none."""

    place: str
    """Where it is: `line 12`, `document 3`."""
    conversation: Conversation | None = None
    error: FormatError | None = None
