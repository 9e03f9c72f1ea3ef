"""Conversations of a person to be erased."""

from __future__ import annotations

from pathlib import Path

import msgspec

from conversations_hub.schema import Conversation, Participant, ParticipantKind

from .entries import said

__all__ = ["SECRET", "bytes_in", "called"]

SECRET = "Zwetschgenkuchen"


def called(
    phone: str | None = None, *, id: str = "c1", name: str | None = None, who: str | None = None
) -> Conversation:
    customer = Participant(kind=ParticipantKind.CUSTOMER, id=who, name=name, phone=phone)
    return msgspec.structs.replace(said(f"I like {SECRET} 退款.", id=id), participants=(customer,))


def bytes_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())
