"""Spans as OpenTelemetry's protocol has them in JSON: a request to export a trace, a line for each conversation.

https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding. Ids are hexadecimal and made of the conversation's
ref, so that sending it again does not double it. No text is written unless `content` asks for it.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterator
from hashlib import sha256
from typing import Any, Final

import msgspec

from ..errors import FormatError
from ..schema import Conversation, Status, ToolResult, TranscriptTurn
from ..version import __version__
from ._format import Format
from ._instants import after, microseconds
from ._otel import OTelOptions, attributes

__all__ = ["FORMAT"]


class OTLPOptions(OTelOptions, frozen=True, kw_only=True):
    """Those of the messages, and one more."""

    content: bool = False
    """Whether to write what was said, and arguments and results of tools."""


_CLIENT: Final = 3
_INTERNAL: Final = 1
_ERROR: Final = {"code": 2}


def _dump(conversation: Conversation, options: OTLPOptions, lost: Counter[str]) -> bytes:
    begin = None if conversation.started_at is None else microseconds(conversation.started_at)
    if begin is None or begin < 0:
        raise FormatError("it has no start, which a span needs")
    spans = [_root(conversation, begin, options, lost), *_tools(conversation, begin, options)]
    scope = {"scope": {"name": "conversations-hub", "version": __version__}, "spans": spans}
    resource = {"attributes": _attributes({"service.name": conversation.provider})}
    return msgspec.json.encode({"resourceSpans": [{"resource": resource, "scopeSpans": [scope]}]})


def _id(text: str, digits: int) -> str:
    return sha256(text.encode()).hexdigest()[:digits]


def _span(one: Conversation, number: int | None, name: str, begin: int, end: int) -> dict[str, Any]:
    """Return a span; those with a number are parts of the one without."""
    span: dict[str, Any] = {
        "traceId": _id(one.ref, 32),
        "spanId": _id(one.ref if number is None else f"{one.ref}#{number}", 16),
    }
    if number is not None:
        span["parentSpanId"] = _id(one.ref, 16)
    kind = _CLIENT if number is None else _INTERNAL
    return {**span, "name": name, "kind": kind, "startTimeUnixNano": _nano(begin), "endTimeUnixNano": _nano(end)}


def _nano(since: int) -> str:
    return str(since * 1000)


def _attributes(known: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": {_kind(value): value}} for key, value in known.items() if value is not None]


def _kind(value: object) -> str:
    return "doubleValue" if isinstance(value, float) else "stringValue"


def _root(one: Conversation, begin: int, options: OTLPOptions, lost: Counter[str]) -> dict[str, Any]:
    end = after(begin, one.duration or 0) if one.ended_at is None else microseconds(one.ended_at)
    end = max(begin, end or begin)
    agent = one.agent
    known: dict[str, Any] = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.provider.name": one.provider,
        "gen_ai.conversation.id": one.id,
        "gen_ai.agent.id": agent and agent.id,
        "gen_ai.agent.name": agent and agent.name,
        "gen_ai.agent.version": agent and agent.version,
        "conversations_hub.account": one.account,
        "conversations_hub.status": one.status.value,
        "conversations_hub.end_reason": one.end_reason and one.end_reason.value,
        "conversations_hub.channel": one.channel.value,
        "conversations_hub.direction": one.direction.value,
    }
    if options.content:
        told = attributes(one, options, lost)
        known |= {name: msgspec.json.encode(messages).decode() for name, messages in told.items()}
    name = f"invoke_agent {agent.name}" if agent and agent.name else "invoke_agent"
    span = _span(one, None, name, begin, end)
    span["attributes"] = _attributes(known)
    scores = (one.analysis and one.analysis.scores) or {}
    if events := [_score(name, float(score), end) for name, score in scores.items() if math.isfinite(score)]:
        span["events"] = events
    if one.status is Status.FAILED:
        span["status"] = _ERROR
    return span


def _score(name: str, score: float, end: int) -> dict[str, Any]:
    known = {"gen_ai.evaluation.name": name, "gen_ai.evaluation.score.value": score}
    return {"timeUnixNano": _nano(end), "name": "gen_ai.evaluation.result", "attributes": _attributes(known)}


def _tools(one: Conversation, begin: int, options: OTLPOptions) -> Iterator[dict[str, Any]]:
    """Yield a span for each call, until its result is there."""
    results: dict[str, tuple[int | None, ToolResult]] = {}
    unnamed: deque[tuple[int | None, ToolResult]] = deque()
    for turn in one.transcript or ():
        if (result := turn.tool_result) is not None:
            found = (_instant(turn, begin), result)
            if result.call_id is None:
                unnamed.append(found)
            else:
                results[result.call_id] = found
    number = 0
    for turn in one.transcript or ():
        start = max(_instant(turn, begin) or begin, begin)
        for call in turn.tool_calls:
            name = call.name or "unknown"
            nothing: tuple[int | None, ToolResult | None] = (None, None)
            if call.id is None:
                end, result = unnamed.popleft() if unnamed else nothing
            else:
                end, result = results.get(call.id, nothing)
            span = _span(one, number, f"execute_tool {name}", start, max(start, end or start))
            known: dict[str, Any] = {
                "gen_ai.operation.name": "execute_tool",
                "gen_ai.conversation.id": one.id,
                "gen_ai.tool.name": name,
                "gen_ai.tool.call.id": call.id,
            }
            if options.content:
                known["gen_ai.tool.call.arguments"] = call.arguments
                known["gen_ai.tool.call.result"] = result and result.content
            span["attributes"] = _attributes(known)
            if result is not None and result.is_error:
                span["status"] = _ERROR
            yield span
            number += 1


def _instant(turn: TranscriptTurn, begin: int) -> int | None:
    if turn.start is not None:
        return after(begin, turn.start)
    return None if turn.timestamp is None else after(0, turn.timestamp)


_WRITTEN: Final = frozenset(
    {
        *("provider", "account", "id", "status", "channel", "direction", "agent", "started_at", "ended_at", "duration"),
        *("end_reason", "analysis", "transcript", "transcript.index", "transcript.tool_calls"),
    }
)
_WITH_CONTENT: Final = (
    _WRITTEN | {"participants"} | {f"transcript.{name}" for name in ("role", "text", "participant", "tool_result")}
)


def _writes(options: OTLPOptions) -> frozenset[str]:
    return _WITH_CONTENT if options.content else _WRITTEN


FORMAT: Final = Format(
    name="otlp",
    media_type="application/jsonl",
    suffix=".jsonl",
    framing="line",
    dump=_dump,
    options=OTLPOptions,
    writes=_writes,
)
