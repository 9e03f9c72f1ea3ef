"""What must survive when a conversation is written in a format and read back."""

from __future__ import annotations

import msgspec

from conversations_hub import formats
from conversations_hub._scrub.signatures import without_signatures
from conversations_hub.errors import FormatError
from conversations_hub.schema import Conversation

__all__ = ["READ", "check_round_trips"]

READ = [name for name in formats.NAMES if formats.find(name).load is not None]


def check_round_trips(one: Conversation) -> None:
    """Assert it of every format that can hold a conversation: what it keeps is the same, and makes the same bytes."""
    for name in formats.NAMES:
        try:
            written = formats.dump(one, name)
        except FormatError:
            continue
        assert written.decode().endswith("\n"), name
        if name not in READ:
            continue
        found = formats.load(written, name)
        for field in sorted(formats.find(name).keeps):
            assert _values(found, field) == _values(one, field), f"{name}: {field}"
        assert formats.dump(found, name) == written, name
        if name == "vcon":
            assert found == msgspec.structs.replace(without_signatures(one), raw=None)


def _values(one: Conversation, field: str) -> object:
    _, dot, of_turn = field.partition(".")
    return [getattr(turn, of_turn) for turn in one.transcript or ()] if dot else getattr(one, field)
