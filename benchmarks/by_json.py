"""The same turns once more, with nothing but the standard library: `json.loads`, and one loop for each provider.

It is what an application holds that asks one provider, and the yardstick of `normalize.py`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from conversations_hub.schema import Role, ToolCall, ToolResult, TranscriptTurn, Visibility, Word

__all__ = ["TURNS"]

Turns = list[TranscriptTurn]
Sent = dict[str, Any]

_ROLES = {
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
    "agent": Role.ASSISTANT,
    "bot": Role.ASSISTANT,
    "system": Role.SYSTEM,
    "tool": Role.TOOL,
    "agent-action": Role.SYSTEM,
    "tool_calls": Role.ASSISTANT,
    "tool_call_invocation": Role.ASSISTANT,
    "tool_call_result": Role.TOOL,
    "node_transition": Role.SYSTEM,
    "MESSAGE_ROLE_USER": Role.USER,
    "MESSAGE_ROLE_AGENT": Role.ASSISTANT,
    "MESSAGE_ROLE_TOOL_CALL": Role.ASSISTANT,
    "MESSAGE_ROLE_TOOL_RESULT": Role.TOOL,
}


def _calls(sent: list[Sent] | None) -> tuple[ToolCall, ...]:
    if not sent:
        return ()
    functions = [(one["id"], one.get("function", one)) for one in sent]
    return tuple([ToolCall(id=id, name=told["name"], arguments=told["arguments"]) for id, told in functions])


def _unix(instant: str) -> float:
    return datetime.fromisoformat(instant).timestamp()


def _tavus(answers: Sequence[Any]) -> Turns:
    turns: Turns = []
    ready = (one for one in answers[0]["events"] if one["event_type"] == "application.transcription_ready")
    for one in next(ready)["properties"]["transcript"]:
        calls, answers_to = _calls(one.get("tool_calls")), one.get("tool_call_id")
        if calls and (calls[0].id or "").endswith("_result"):
            continue  # an asynchronous tool's call is sent again with its answer
        turns.append(
            TranscriptTurn(
                index=len(turns),
                role=_ROLES[one["role"]],
                text="" if answers_to else one["content"],
                start=one.get("seconds_from_start"),
                duration=one.get("duration"),
                timestamp=one.get("timestamp"),
                provider_id=one.get("inference_id"),
                tool_calls=calls,
                tool_result=ToolResult(call_id=answers_to.removesuffix("_result"), content=one["content"])
                if answers_to
                else None,
            )
        )
    return turns


def _anyreach(answers: Sequence[Any]) -> Turns:
    turns: Turns = []
    held = answers[0]["conversation"]
    for one in held.get("messages") or held["items"]:
        content, at, kind = one.get("content", ""), one.get("created_at"), one.get("type")
        calls: tuple[ToolCall, ...] = ()
        role, result = None, None
        if kind == "function_call":
            role, calls = Role.ASSISTANT, (ToolCall(id=one["call_id"], name=one["name"], arguments=one["arguments"]),)
        elif kind == "function_call_output":
            role = Role.TOOL
            result = ToolResult(call_id=one["call_id"], content=one["output"], is_error=one["is_error"])
        turns.append(
            TranscriptTurn(
                index=len(turns),
                role=role or _ROLES[one["role"]],
                text=content if isinstance(content, str) else "\n".join(content),
                timestamp=_unix(at) if isinstance(at, str) else at,
                interrupted=one.get("interrupted"),
                provider_id=one["id"],
                tool_calls=calls,
                tool_result=result,
                metrics=one.get("metrics"),
            )
        )
    return turns


def _voiceable(answers: Sequence[Any]) -> Turns:
    sent = answers[0]["data"]
    began = _unix(sent["created_at"]) if "created_at" in sent else None
    turns: Turns = []
    for one in sent["transcript"]:
        start, at = one.get("time_in_call_secs"), None
        if "timestamp" in one:
            at = _unix(one["timestamp"])
            start = at - began if began else None
        text = one.get("content") or one.get("message") or ""
        turns.append(TranscriptTurn(index=len(turns), role=_ROLES[one["role"]], text=text, start=start, timestamp=at))
    return turns


def _vapi(answers: Sequence[Any]) -> Turns:
    turns: Turns = []
    sent = answers[0]
    for one in (sent.get("artifact") or sent)["messages"]:
        time, start = one["time"], one["secondsFromStart"]
        attached: Sent = one.get("metadata") or {}
        heard = attached.get("wordLevelConfidence")
        result = None
        if one["role"] == "tool_call_result":
            result = ToolResult(call_id=one["toolCallId"], content=one["result"])
        turns.append(
            TranscriptTurn(
                index=len(turns),
                role=_ROLES[one["role"]],
                text=one.get("message", ""),
                start=start,
                duration=(one["endTime"] - time) / 1000 if "endTime" in one else None,
                timestamp=time / 1000,
                tool_calls=_calls(one.get("toolCalls")),
                tool_result=result,
                words=_vapi_words(heard, time, start) if heard else (),
            )
        )
    return turns


def _vapi_words(heard: list[Sent], time: float, start: float) -> tuple[Word, ...]:
    # Some are in Unix milliseconds, some in milliseconds from the start of the call, some in seconds.
    last = heard[-1]["end"]
    unit, zero = 1000 if last > 30 * (start + 120) else 1, round(time - start * 1000) if last > 1e11 else 0
    return tuple(
        [
            Word(
                text=one["word"],
                start=(one["start"] - zero) / unit,
                duration=round((one["end"] - one["start"]) / unit, 6),
                confidence=one["confidence"],
            )
            for one in heard
        ]
    )


def _bland(answers: Sequence[Any]) -> Turns:
    turns: Turns = []
    began = datetime.fromisoformat(answers[0]["started_at"])
    for one in sorted(answers[0]["transcripts"], key=lambda row: (row["created_at"], row["id"])):
        at = datetime.fromisoformat(one["created_at"])
        is_note = one["user"] == "agent-action"
        turns.append(
            TranscriptTurn(
                index=len(turns),
                role=_ROLES[one["user"]],
                text=one["text"],
                start=(at - began).total_seconds() if at >= began else None,
                timestamp=at.timestamp(),
                visibility=Visibility.INTERNAL if is_note else Visibility.PUBLIC,
                provider_id=str(one["id"]),
            )
        )
    return turns


def _elevenlabs(answers: Sequence[Any]) -> Turns:
    turns: Turns = []
    for one in answers[0]["transcript"]:
        start, results, measured = one["time_in_call_secs"], one["tool_results"], one["conversation_turn_metrics"]
        calls = [
            ToolCall(id=call["request_id"], name=call["tool_name"], arguments=call["params_as_json"])
            for call in one["tool_calls"]
        ]
        if not results:
            named = measured.get("metrics", measured) if measured else None
            turns.append(
                TranscriptTurn(
                    index=len(turns),
                    role=_ROLES[one["role"]],
                    text=one["message"] or "",
                    start=start,
                    interrupted=one["interrupted"],
                    tool_calls=tuple(calls),
                    metrics={name: metric["elapsed_time"] for name, metric in named.items()} if named else None,
                )
            )
        for result in results:
            told = ToolResult(call_id=result["request_id"], content=result["result_value"], is_error=result["is_error"])
            metrics = {"tool_latency_secs": result["tool_latency_secs"]}
            turns.append(
                TranscriptTurn(index=len(turns), role=Role.TOOL, start=start, tool_result=told, metrics=metrics)
            )
    return turns


_RETELL_STEP = ("former_node_id", "former_node_name", "new_node_id", "new_node_name", "transition_type")


def _retell(answers: Sequence[Any]) -> Turns:
    turns: Turns = []
    sent = answers[0]
    for one in sent.get("transcript_with_tool_calls") or sent.get("scrubbed_transcript_with_tool_calls") or ():
        role, heard, text = one["role"], one.get("words"), one.get("content", "")
        start = duration = result = None
        words: tuple[Word, ...] = ()
        calls: tuple[ToolCall, ...] = ()
        if heard:
            words = tuple([Word(text=w["word"], start=w["start"], duration=w["end"] - w["start"]) for w in heard])
            start = heard[0]["start"]
            duration = heard[-1]["end"] - start
        elif role == "tool_call_invocation":
            calls = (ToolCall(id=one["tool_call_id"], name=one["name"], arguments=one["arguments"]),)
        elif role == "tool_call_result":
            ended_well = one.get("successful")
            is_error = None if ended_well is None else not ended_well
            text, result = "", ToolResult(call_id=one["tool_call_id"], content=text, is_error=is_error)
        elif role == "node_transition":
            step = {name: one[name] for name in _RETELL_STEP}
            text = json.dumps(step, ensure_ascii=False, separators=(",", ":"))
        turns.append(
            TranscriptTurn(
                index=len(turns),
                role=_ROLES[role],
                text=text,
                start=start,
                duration=duration,
                words=words,
                tool_calls=calls,
                tool_result=result,
                visibility=Visibility.INTERNAL if role == "node_transition" else Visibility.PUBLIC,
            )
        )
    return turns


def _telnyx(answers: Sequence[Any]) -> Turns:
    began = _unix(answers[0]["data"]["created_at"])
    messages = [one for page in answers[1:-1] for one in page["data"]]
    if messages[0]["created_at"] > messages[-1]["created_at"]:
        messages.reverse()
    turns: Turns = []
    unanswered: list[str | None] = []
    for one in messages:
        at = _unix(one["sent_at"] or one["created_at"])
        text, result, attached = one["text"] or "", None, one.get("metadata")
        calls = _calls(one.get("tool_calls"))
        unanswered += [call.id for call in calls]
        if one["role"] == "tool":
            call_id = one.get("tool_call_id") or (unanswered[0] if unanswered else None)
            if call_id in unanswered:
                unanswered.remove(call_id)
            text, result = "", ToolResult(call_id=call_id, content=text)
        turns.append(
            TranscriptTurn(
                index=len(turns),
                role=_ROLES[one["role"]],
                text=text,
                start=round((at - began) * 1e6) / 1e6 if at >= began else None,
                timestamp=at,
                tool_calls=calls,
                tool_result=result,
                metrics={name[:-3]: span / 1000 for name, span in attached.items()} if attached else None,
            )
        )
    return turns


def _ultravox(answers: Sequence[Any]) -> Turns:
    prompt = answers[0]["systemPrompt"]
    messages = [one for page in answers[1:] for one in page["results"]]
    last = messages[-1]["callStageId"]
    turns: Turns = []
    for one in messages:
        stage, role, text, heard = one["callStageId"], one["role"], one["text"], one.get("timespan")
        if prompt and stage == last:
            turns.append(TranscriptTurn(index=len(turns), role=Role.SYSTEM, text=prompt))
            prompt = None
        start = end = metrics = result = None
        calls: tuple[ToolCall, ...] = ()
        if heard:
            start, end = _seconds(heard)
            metrics = {"timespan.start": start, "timespan.end": end}
            if passed := one.get("wallClockTimespan"):
                start, end = _seconds(passed)
        if role == "MESSAGE_ROLE_TOOL_CALL":
            text, calls = "", (ToolCall(id=one["invocationId"], name=one["toolName"], arguments=text),)
        elif role == "MESSAGE_ROLE_TOOL_RESULT":
            is_error = True if one.get("errorDetails") else None
            text, result = "", ToolResult(call_id=one["invocationId"], content=text, is_error=is_error)
        turns.append(
            TranscriptTurn(
                index=len(turns),
                role=_ROLES[role],
                text=text,
                start=start,
                duration=None if start is None or end is None else end - start,
                tool_calls=calls,
                tool_result=result,
                metrics=metrics,
                provider_id=f"{stage}/{one.get('callStageMessageIndex', 0)}",
            )
        )
    return turns


def _seconds(span: Sent) -> tuple[float, float]:
    return float(span.get("start", "0s")[:-1]), float(span["end"][:-1])


TURNS: Mapping[str, Callable[[Sequence[Any]], Turns]] = {
    "tavus": _tavus,
    "anyreach": _anyreach,
    "voiceable": _voiceable,
    "vapi": _vapi,
    "bland": _bland,
    "elevenlabs": _elevenlabs,
    "retell": _retell,
    "telnyx": _telnyx,
    "ultravox": _ultravox,
}
"""By provider: the turns, from the answers to `get` as `json.loads` reads them."""
