"""Tools over stores in tests: made of given conversations, with marks and a time that are known."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from conversations_hub.agents import Answer, Tool, tools
from conversations_hub.schema import Conversation, Role, Status, ToolCall, ToolResult, TranscriptState, TranscriptTurn
from conversations_hub.stores import open_store, put

from .clock import at

__all__ = ["NOON", "by_name", "called", "inside", "outside", "spoken", "stored", "tool_call", "turn"]

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
_BEGIN = re.compile(r"^=== record (?P<word>\w+): ", re.MULTILINE)


def turn(role: Role, text: str, **more: Any) -> TranscriptTurn:
    """Return a turn; its index is set by `spoken`."""
    return TranscriptTurn(index=0, role=role, text=text, **more)


def tool_call(name: str, content: str | None, *, id: str = "t1", is_error: bool | None = None) -> list[TranscriptTurn]:
    """Return a call of a tool and, unless it has no content, its result."""
    call = turn(Role.ASSISTANT, "", tool_calls=(ToolCall(id=id, name=name, arguments='{"a": 1}'),))
    result = turn(Role.TOOL, "", tool_result=ToolResult(call_id=id, content=content, is_error=is_error))
    return [call] if content is None else [call, result]


def spoken(id: str, *turns: TranscriptTurn, provider: str = "tavus", **more: Any) -> Conversation:
    """Return a finished conversation with these turns."""
    made = Conversation(
        provider=provider,
        id=id,
        status=Status.ENDED,
        created_at=NOON,
        transcript=tuple(msgspec.structs.replace(each, index=place) for place, each in enumerate(turns)),
        transcript_state=TranscriptState.AVAILABLE,
    )
    return msgspec.structs.replace(made, **more)


async def stored(folder: Path, *conversations: Conversation, store: str = "c.db", **options: Any) -> Mapping[str, Tool]:
    """Store conversations, and return the tools over them, by name."""
    kind, colon, name = store.rpartition(":")
    opened = open_store(f"{kind}{colon}{folder / name}")
    if conversations:
        await put(opened, *conversations)
    options.setdefault("clock", at(NOON))
    return by_name(tools(store=opened, **options))


def by_name(functions: list[Tool]) -> Mapping[str, Tool]:
    """Return tools by name."""
    return {each.__name__: each for each in functions}


async def called(functions: Mapping[str, Tool], name: str, *positional: Any, **named: Any) -> Any:
    """Return the answer of a tool."""
    return await functions[name](*positional, **named)


def inside(answer: Answer) -> list[str]:
    """Return the lines of the record of an answer."""
    return _parts(answer.text)[1]


def outside(answer: Answer) -> list[str]:
    """Return the lines that are not in the record, those of a cursor and of notes among them."""
    return _parts(str(answer))[0]


def _parts(text: str) -> tuple[list[str], list[str]]:
    ours: list[str] = []
    theirs: list[str] = []
    end = None
    for line in text.split("\n"):
        if end is not None and line == end:
            end = None
        elif end is not None:
            theirs.append(line)
        elif begun := _BEGIN.match(line):
            end = f"=== end of record {begun['word']} ==="
        else:
            ours.append(line)
    assert end is None
    return ours, theirs
