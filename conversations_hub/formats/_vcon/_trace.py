"""What an agent did besides talking: prompts, notes, and tools, as entries of a trace.

The shape is that of https://datatracker.ietf.org/doc/draft-birkholz-verifiable-agent-conversations/, which still
changes; nothing outside of this module knows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from ...schema import Conversation, Role, ToolCall, ToolResult, TranscriptTurn
from ...version import __version__
from .._instants import text_of
from .._json_text import as_json, as_text

__all__ = ["SCHEMA", "Entry", "entries_of", "read_entries", "record", "with_entries"]

SCHEMA: Final = "https://datatracker.ietf.org/doc/draft-birkholz-verifiable-agent-conversations/"


class _Data(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    content: str = ""


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="kebab"):
    """One entry."""

    type: str
    id: str | None = None
    timestamp: str | None = None
    event_type: str | None = None
    content: str | None = None
    data: _Data | None = None
    name: str | None = None
    call_id: str | None = None
    input: msgspec.Raw = msgspec.Raw()
    output: msgspec.Raw = msgspec.Raw()
    status: str | None = None
    is_error: bool | None = None


def entries_of(turn: TranscriptTurn, timestamp: str | None, *, with_text: bool) -> list[dict[str, Any]]:
    """Return the entries of a turn: its text, unless a dialog holds it, its tool calls, and its tool result."""
    known = {"id": str(turn.index)} if timestamp is None else {"id": str(turn.index), "timestamp": timestamp}
    entries: list[dict[str, Any]] = []
    if with_text and turn.text:
        entries.append(known | _told(turn))
    for call in turn.tool_calls:
        told = {"type": "tool-call", "name": call.name, "call-id": call.id, "input": as_json(call.arguments)}
        entries.append(known | _known(told))
    if (result := turn.tool_result) is not None:
        status = None if result.is_error is None else "error" if result.is_error else "success"
        told = {"type": "tool-result", "call-id": result.call_id, "output": as_json(result.content)}
        entries.append(known | _known({**told, "status": status, "is-error": result.is_error}))
    return entries


def _told(turn: TranscriptTurn) -> dict[str, Any]:
    if turn.role is Role.USER or turn.role is Role.ASSISTANT:
        return {"type": turn.role.value, "content": turn.text}
    kind = "system_prompt" if turn.role is Role.SYSTEM else "note"
    return {"type": "system-event", "event-type": kind, "data": {"content": turn.text}}


def _known(told: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if value is not None}


def record(conversation: Conversation, entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the record that holds the entries."""
    session: dict[str, Any] = {"session-id": conversation.id}
    if conversation.started_at is not None:
        session["session-start"] = text_of(conversation.started_at)
    if conversation.ended_at is not None:
        session["session-end"] = text_of(conversation.ended_at)
    return {
        "version": "1.0",
        "id": conversation.id,
        "session": {**session, "entries": entries},
        "recording-agent": {"name": "conversations-hub", "version": __version__},
    }


class _Session(msgspec.Struct, frozen=True):
    entries: list[Entry] = []


class _Record(msgspec.Struct, frozen=True):
    session: _Session = _Session()


def read_entries(body: bytes) -> list[Entry]:
    """Return the entries of a record."""
    return msgspec.json.decode(body, type=_Record).session.entries


def with_entries(turn: TranscriptTurn, entries: Sequence[Entry]) -> TranscriptTurn:
    """Return a turn with what its entries hold."""
    calls: list[ToolCall] = []
    changed: dict[str, Any] = {}
    for entry in entries:
        if entry.type == "tool-call":
            calls.append(ToolCall(id=entry.call_id, name=entry.name, arguments=as_text(entry.input)))
        elif entry.type == "tool-result":
            content = as_text(entry.output)
            changed["tool_result"] = ToolResult(call_id=entry.call_id, content=content, is_error=entry.is_error)
        else:
            changed["text"] = (entry.data.content if entry.data else entry.content) or ""
    return msgspec.structs.replace(turn, tool_calls=tuple(calls), **changed) if entries else turn
