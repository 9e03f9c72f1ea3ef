"""The same turns as ours, built by hand: what somebody would write who knows what these very conversations hold.

Structs of the members that are needed, with exact types and no others, and one loop for each provider. Nothing is
forgiven, noted, estimated or checked. Participants and what the hub reads besides turns are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any

import msgspec

from conversations_hub.schema import Role, ToolCall, ToolResult, TranscriptTurn, Visibility, Word

__all__ = ["READERS", "Read", "Reader", "told"]

Turns = list[TranscriptTurn]


def told(turns: Sequence[TranscriptTurn]) -> list[tuple[Any, ...]]:
    """Return what must be the same: roles, words, times and tools."""
    return list(map(_TOLD, turns))


_TOLD = attrgetter(
    "index", "role", "text", "start", "duration", "timestamp", "tool_calls", "tool_result", "words", "provider_id"
)

_ROLES = {
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
    "agent": Role.ASSISTANT,
    "bot": Role.ASSISTANT,
    "system": Role.SYSTEM,
    "tool": Role.TOOL,
    "human_agent": Role.HUMAN_AGENT,
}


class Read(msgspec.Struct, frozen=True):
    """A row of a list: its id, and its turns where the list has them."""

    id: str
    turns: Turns | None = None


class Reader(msgspec.Struct, frozen=True):
    """How to read a provider."""

    decode: Callable[[Sequence[bytes]], Any]
    """What was answered to `get`, in the provider's own structure."""
    turns: Callable[[Any], Turns]
    """The turns in that."""
    rows: Callable[[bytes], list[Read]]
    """The rows of a page."""


class _Function(msgspec.Struct, gc=False):
    name: str | None = None
    arguments: str | None = None


class _Call(msgspec.Struct, gc=False):
    id: str | None = None
    function: _Function | None = None
    name: str | None = None
    arguments: str | None = None


def _calls(sent: list[_Call]) -> tuple[ToolCall, ...]:
    return tuple(
        [
            ToolCall(id=one.id, name=(one.function or one).name, arguments=(one.function or one).arguments)
            for one in sent
        ]
    )


# tavus


class _TavusTurn(msgspec.Struct, gc=False):
    role: str
    content: str | None = None
    timestamp: float | None = None
    seconds_from_start: float | None = None
    duration: float | None = None
    inference_id: str | None = None
    tool_calls: list[_Call] | None = None
    tool_call_id: str | None = None


class _TavusProperties(msgspec.Struct):
    transcript: list[_TavusTurn] | None = None


class _TavusEvent(msgspec.Struct):
    event_type: str
    properties: _TavusProperties | None = None


class _Tavus(msgspec.Struct):
    conversation_id: str
    status: str
    created_at: str
    updated_at: str
    conversation_name: str | None = None
    conversation_url: str | None = None
    persona_id: str | None = None
    pal_id: str | None = None
    events: list[_TavusEvent] | None = None


class _TavusPage(msgspec.Struct):
    data: list[_Tavus]


_tavus, _tavus_page = msgspec.json.Decoder(_Tavus), msgspec.json.Decoder(_TavusPage)


def _tavus_turns(sent: _Tavus) -> Turns:
    turns: Turns = []
    for event in sent.events or ():
        if event.event_type != "application.transcription_ready" or not event.properties:
            continue
        turns = []
        for one in event.properties.transcript or ():
            calls = _calls(one.tool_calls) if one.tool_calls else ()
            if calls and (calls[0].id or "").endswith("_result"):
                continue  # an asynchronous tool's call is sent again with its answer
            answers_to = one.tool_call_id and one.tool_call_id.removesuffix("_result")
            turns.append(
                TranscriptTurn(
                    index=len(turns),
                    role=_ROLES[one.role],
                    text="" if answers_to else one.content or "",
                    start=one.seconds_from_start,
                    duration=one.duration,
                    timestamp=one.timestamp,
                    provider_id=one.inference_id,
                    tool_calls=calls,
                    tool_result=ToolResult(call_id=answers_to, content=one.content) if answers_to else None,
                )
            )
    return turns


# anyreach


class _AnyReachItem(msgspec.Struct, gc=False):
    id: str
    type: str | None = None
    role: str | None = None
    content: list[str] | str | None = None
    created_at: datetime | float | None = None
    interrupted: bool | None = None
    metrics: dict[str, float] | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    output: str | None = None
    is_error: bool | None = None


class _AnyReachItems(msgspec.Struct):
    messages: list[_AnyReachItem] | None = None
    items: list[_AnyReachItem] | None = None


class _AnyReach(msgspec.Struct):
    id: str
    status: str
    created_at: str
    conversation: _AnyReachItems | None = None
    agent_id: str | None = None
    summary: str | None = None
    duration: float | None = None


_anyreach, _anyreach_page = msgspec.json.Decoder(_AnyReach), msgspec.json.Decoder(list[_AnyReach])


def _anyreach_turns(sent: _AnyReach) -> Turns:
    turns: Turns = []
    if sent.conversation is None:
        return turns
    for one in sent.conversation.messages or sent.conversation.items or ():
        content, at = one.content, one.created_at
        is_call, is_answer = one.type == "function_call", one.output is not None
        turns.append(
            TranscriptTurn(
                index=len(turns),
                role=Role.ASSISTANT if is_call else Role.TOOL if is_answer else _ROLES[one.role or ""],
                text=content if isinstance(content, str) else "\n".join(content) if content else "",
                timestamp=at.timestamp() if isinstance(at, datetime) else at,
                interrupted=one.interrupted,
                provider_id=one.id,
                tool_calls=(ToolCall(id=one.call_id, name=one.name, arguments=one.arguments),) if is_call else (),
                tool_result=ToolResult(call_id=one.call_id, content=one.output, is_error=one.is_error)
                if is_answer
                else None,
                metrics=one.metrics,
            )
        )
    return turns


# voiceable


class _VoiceableTurn(msgspec.Struct, gc=False):
    role: str
    content: str | None = None
    message: str | None = None
    timestamp: datetime | None = None
    time_in_call_secs: float | None = None


class _Voiceable(msgspec.Struct):
    status: str
    conversation_id: str | None = None
    id: str | None = None
    created_at: datetime | None = None
    date: str | None = None
    agent_id: str | None = None
    agent_name: str | None = None
    transcript: list[_VoiceableTurn] | None = None


class _VoiceableOne(msgspec.Struct):
    data: _Voiceable


class _VoiceableRows(msgspec.Struct):
    conversations: list[_Voiceable]


class _VoiceablePage(msgspec.Struct):
    data: list[_Voiceable] | _VoiceableRows


def _voiceable_rows(body: bytes) -> list[Read]:
    data = _voiceable_page.decode(body).data
    rows = data if isinstance(data, list) else data.conversations
    return [Read(row.conversation_id or row.id or "") for row in rows]


_voiceable, _voiceable_page = msgspec.json.Decoder(_VoiceableOne), msgspec.json.Decoder(_VoiceablePage)


def _voiceable_turns(answer: _VoiceableOne) -> Turns:
    sent = answer.data
    began = sent.created_at.timestamp() if sent.created_at else None
    turns: Turns = []
    for one in sent.transcript or ():
        start, at = one.time_in_call_secs, None
        if one.timestamp is not None:
            at = one.timestamp.timestamp()
            if start is None and began is not None:
                start = at - began
        turns.append(
            TranscriptTurn(
                index=len(turns),
                role=_ROLES[one.role],
                text=one.content or one.message or "",
                start=start,
                timestamp=at,
            )
        )
    return turns


# vapi


class _VapiWord(msgspec.Struct, gc=False):
    word: str
    start: float
    end: float
    confidence: float | None = None


class _VapiHeard(msgspec.Struct, rename="camel", gc=False):
    word_level_confidence: list[_VapiWord] | None = None


class _VapiMessage(msgspec.Struct, rename="camel", gc=False):
    role: str
    message: str | None = None
    time: float | None = None
    end_time: float | None = None
    seconds_from_start: float | None = None
    metadata: _VapiHeard | None = None
    tool_calls: list[_Call] | None = None
    tool_call_id: str | None = None
    result: str | None = None


class _VapiArtifact(msgspec.Struct):
    messages: list[_VapiMessage] | None = None


class _Vapi(msgspec.Struct, rename="camel"):
    id: str
    status: str
    created_at: str
    ended_reason: str | None = None
    started_at: str | None = None
    ended_at: str | None = None
    assistant_id: str | None = None
    artifact: _VapiArtifact | None = None
    messages: list[_VapiMessage] | None = None


_vapi, _vapi_page = msgspec.json.Decoder(_Vapi), msgspec.json.Decoder(list[_Vapi])
_VAPI_ROLES = {**_ROLES, "tool_calls": Role.ASSISTANT, "tool_call_result": Role.TOOL}


def _vapi_turns(sent: _Vapi) -> Turns:
    turns: Turns = []
    for one in (sent.artifact.messages if sent.artifact else None) or sent.messages or ():
        time, until, start = one.time, one.end_time, one.seconds_from_start
        is_answer = one.role == "tool_call_result"
        heard = one.metadata.word_level_confidence if one.metadata else None
        turns.append(
            TranscriptTurn(
                index=len(turns),
                role=_VAPI_ROLES[one.role],
                text=one.message or "",
                start=start,
                duration=(until - time) / 1000 if time and until else None,
                timestamp=time / 1000 if time else None,
                tool_calls=_calls(one.tool_calls) if one.tool_calls else (),
                tool_result=ToolResult(call_id=one.tool_call_id, content=one.result) if is_answer else None,
                words=_vapi_words(heard, time or 0, start or 0) if heard else (),
            )
        )
    return turns


def _vapi_words(heard: list[_VapiWord], time: float, start: float) -> tuple[Word, ...]:
    # Some are in Unix milliseconds, some in milliseconds from the start of the call, some in seconds.
    last = heard[-1].end
    unit, zero = 1000 if last > 30 * (start + 120) else 1, round(time - start * 1000) if last > 1e11 else 0
    return tuple(
        [
            Word(
                text=one.word,
                start=(one.start - zero) / unit,
                duration=round((one.end - one.start) / unit, 6),
                confidence=one.confidence,
            )
            for one in heard
        ]
    )


# bland


class _BlandRow(msgspec.Struct, gc=False):
    id: int
    user: str
    created_at: datetime
    text: str | None = None


class _Bland(msgspec.Struct):
    call_id: str
    created_at: str
    status: str | None = None
    queue_status: str | None = None
    started_at: datetime | None = None
    transcripts: list[_BlandRow] | str | None = None


class _BlandPage(msgspec.Struct):
    calls: list[_Bland] = []


_bland, _bland_page = msgspec.json.Decoder(_Bland), msgspec.json.Decoder(_BlandPage)
_BLAND_ROLES = {**_ROLES, "agent-action": Role.SYSTEM, "robot": Role.ASSISTANT}


def _bland_turns(sent: _Bland) -> Turns:
    turns: Turns = []
    if not isinstance(sent.transcripts, list):
        return turns
    for one in sorted(sent.transcripts, key=attrgetter("created_at", "id")):
        began, at = sent.started_at, one.created_at
        turns.append(
            TranscriptTurn(
                index=len(turns),
                role=_BLAND_ROLES[one.user],
                text=one.text or "",
                start=(at - began).total_seconds() if began and at >= began else None,
                timestamp=at.timestamp(),
                visibility=Visibility.INTERNAL if one.user == "agent-action" else Visibility.PUBLIC,
                provider_id=str(one.id),
            )
        )
    return turns


# elevenlabs


class _ElevenLabsMetric(msgspec.Struct, gc=False):
    elapsed_time: float


class _ElevenLabsMetrics(msgspec.Struct, gc=False):
    metrics: dict[str, _ElevenLabsMetric] = {}


class _ElevenLabsCall(msgspec.Struct, gc=False):
    request_id: str
    tool_name: str
    params_as_json: str


class _ElevenLabsResult(msgspec.Struct, gc=False):
    request_id: str
    result_value: str
    is_error: bool
    tool_latency_secs: float | None = None


class _ElevenLabsTurn(msgspec.Struct, gc=False):
    role: str
    message: str | None
    time_in_call_secs: float
    tool_calls: list[_ElevenLabsCall]
    tool_results: list[_ElevenLabsResult]
    interrupted: bool | None = None
    conversation_turn_metrics: _ElevenLabsMetrics | None = None


class _ElevenLabs(msgspec.Struct):
    conversation_id: str
    agent_id: str
    agent_name: str
    status: str
    start_time_unix_secs: int | None = None
    transcript: list[_ElevenLabsTurn] = []


class _ElevenLabsPage(msgspec.Struct):
    conversations: list[_ElevenLabs]


_elevenlabs, _elevenlabs_page = msgspec.json.Decoder(_ElevenLabs), msgspec.json.Decoder(_ElevenLabsPage)


def _elevenlabs_turns(sent: _ElevenLabs) -> Turns:
    turns: Turns = []
    for one in sent.transcript:
        measured, start = one.conversation_turn_metrics, one.time_in_call_secs
        if not one.tool_results:
            turns.append(
                TranscriptTurn(
                    index=len(turns),
                    role=_ROLES[one.role],
                    text=one.message or "",
                    start=start,
                    interrupted=one.interrupted,
                    tool_calls=tuple(
                        [
                            ToolCall(id=c.request_id, name=c.tool_name, arguments=c.params_as_json)
                            for c in one.tool_calls
                        ]
                    )
                    if one.tool_calls
                    else (),
                    metrics={name: metric.elapsed_time for name, metric in measured.metrics.items()}
                    if measured
                    else None,
                )
            )
        for result in one.tool_results:
            latency = result.tool_latency_secs
            turns.append(
                TranscriptTurn(
                    index=len(turns),
                    role=Role.TOOL,
                    start=start,
                    tool_result=ToolResult(
                        call_id=result.request_id, content=result.result_value, is_error=result.is_error
                    ),
                    metrics=None if latency is None else {"tool_latency_secs": latency},
                )
            )
    return turns


# retell


class _RetellWord(msgspec.Struct, gc=False):
    word: str
    start: float
    end: float


class _RetellItem(msgspec.Struct, gc=False):
    role: str
    content: str | None = None
    words: list[_RetellWord] | None = None
    tool_call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    successful: bool | None = None
    former_node_id: str | None = None
    former_node_name: str | None = None
    new_node_id: str | None = None
    new_node_name: str | None = None
    transition_type: str | None = None


class _Retell(msgspec.Struct):
    call_id: str
    call_status: str
    agent_id: str | None = None
    start_timestamp: int | None = None
    end_timestamp: int | None = None
    transcript_with_tool_calls: list[_RetellItem] | None = None
    scrubbed_transcript_with_tool_calls: list[_RetellItem] | None = None


class _RetellPage(msgspec.Struct):
    items: list[_Retell]


_retell, _retell_page = msgspec.json.Decoder(_Retell), msgspec.json.Decoder(_RetellPage)
_RETELL_ROLES = {
    **_ROLES,
    "transfer_target": Role.HUMAN_AGENT,
    "tool_call_invocation": Role.ASSISTANT,
    "tool_call_result": Role.TOOL,
    "node_transition": Role.SYSTEM,
}


def _retell_turns(sent: _Retell) -> Turns:
    turns: Turns = []
    for one in sent.transcript_with_tool_calls or sent.scrubbed_transcript_with_tool_calls or ():
        role = one.role
        text: str | None = one.content
        start = duration = result = None
        words: tuple[Word, ...] = ()
        calls: tuple[ToolCall, ...] = ()
        if one.words:
            words = tuple([Word(text=w.word, start=w.start, duration=w.end - w.start) for w in one.words])
            start = one.words[0].start
            duration = one.words[-1].end - start
        elif role == "tool_call_invocation":
            calls = (ToolCall(id=one.tool_call_id, name=one.name, arguments=one.arguments),)
        elif role == "tool_call_result":
            text = None
            result = ToolResult(
                call_id=one.tool_call_id,
                content=one.content,
                is_error=None if one.successful is None else not one.successful,
            )
        elif role == "node_transition":
            step = {name: getattr(one, name) for name in _RETELL_STEP}
            text = msgspec.json.encode(step).decode()
        turns.append(
            TranscriptTurn(
                index=len(turns),
                role=_RETELL_ROLES[role],
                text=text or "",
                start=start,
                duration=duration,
                words=words,
                tool_calls=calls,
                tool_result=result,
                visibility=Visibility.INTERNAL if role == "node_transition" else Visibility.PUBLIC,
            )
        )
    return turns


_RETELL_STEP = ("former_node_id", "former_node_name", "new_node_id", "new_node_name", "transition_type")


# telnyx


class _TelnyxMessage(msgspec.Struct, gc=False):
    role: str
    created_at: datetime
    text: str | None = None
    sent_at: datetime | None = None
    tool_calls: list[_Call] | None = None
    tool_call_id: str | None = None
    metadata: dict[str, float] | None = None


class _TelnyxRow(msgspec.Struct):
    id: str
    created_at: datetime
    metadata: dict[str, str]
    last_message_at: str | None = None
    name: str | None = None


class _TelnyxOne(msgspec.Struct):
    data: _TelnyxRow


class _TelnyxPage(msgspec.Struct):
    data: list[_TelnyxRow]


class _TelnyxMessages(msgspec.Struct):
    data: list[_TelnyxMessage]


class _TelnyxInsights(msgspec.Struct):
    data: list[Any]


_telnyx, _telnyx_page = msgspec.json.Decoder(_TelnyxOne), msgspec.json.Decoder(_TelnyxPage)
_telnyx_messages, _telnyx_insights = msgspec.json.Decoder(_TelnyxMessages), msgspec.json.Decoder(_TelnyxInsights)


def _telnyx_decoded(answers: Sequence[bytes]) -> tuple[_TelnyxRow, list[_TelnyxMessage], list[Any]]:
    messages = [one for page in answers[1:-1] for one in _telnyx_messages.decode(page).data]
    return _telnyx.decode(answers[0]).data, messages, _telnyx_insights.decode(answers[-1]).data


def _telnyx_turns(sent: tuple[_TelnyxRow, list[_TelnyxMessage], list[Any]]) -> Turns:
    began, messages = sent[0].created_at.timestamp(), sent[1]
    turns: Turns = []
    unanswered: list[str | None] = []
    if messages and messages[0].created_at > messages[-1].created_at:
        messages.reverse()
    for one in messages:
        at = (one.sent_at or one.created_at).timestamp()
        result = None
        calls = _calls(one.tool_calls) if one.tool_calls else ()
        unanswered += [call.id for call in calls]
        if one.role == "tool":
            call_id = one.tool_call_id or (unanswered[0] if unanswered else None)
            if call_id in unanswered:
                unanswered.remove(call_id)
            result = ToolResult(call_id=call_id, content=one.text)
        turns.append(
            TranscriptTurn(
                index=len(turns),
                role=_ROLES[one.role],
                text=one.text or "" if result is None else "",
                start=round((at - began) * 1e6) / 1e6 if at >= began else None,
                timestamp=at,
                tool_calls=calls,
                tool_result=result,
                metrics={name[:-3]: span / 1000 for name, span in one.metadata.items()} if one.metadata else None,
            )
        )
    return turns


# ultravox


class _UltravoxSpan(msgspec.Struct, gc=False):
    start: str | None = None
    end: str | None = None


class _UltravoxMessage(msgspec.Struct, rename="camel", gc=False):
    role: str
    text: str | None = None
    timespan: _UltravoxSpan | None = None
    wall_clock_timespan: _UltravoxSpan | None = None
    call_stage_id: str | None = None
    call_stage_message_index: int | None = None
    invocation_id: str | None = None
    tool_name: str | None = None
    error_details: str | None = None


class _Ultravox(msgspec.Struct, rename="camel"):
    call_id: str
    created: str
    joined: str | None = None
    ended: str | None = None
    end_reason: str | None = None
    system_prompt: str | None = None
    agent_id: str | None = None


class _UltravoxPage(msgspec.Struct):
    results: list[_Ultravox]


class _UltravoxMessages(msgspec.Struct):
    results: list[_UltravoxMessage]


_ultravox, _ultravox_page = msgspec.json.Decoder(_Ultravox), msgspec.json.Decoder(_UltravoxPage)
_ultravox_messages = msgspec.json.Decoder(_UltravoxMessages)
_ULTRAVOX_ROLES = {
    "MESSAGE_ROLE_USER": Role.USER,
    "MESSAGE_ROLE_AGENT": Role.ASSISTANT,
    "MESSAGE_ROLE_TOOL_CALL": Role.ASSISTANT,
    "MESSAGE_ROLE_TOOL_RESULT": Role.TOOL,
}


def _ultravox_decoded(answers: Sequence[bytes]) -> tuple[_Ultravox, list[_UltravoxMessage]]:
    messages = [one for page in answers[1:] for one in _ultravox_messages.decode(page).results]
    return _ultravox.decode(answers[0]), messages


def _ultravox_turns(sent: tuple[_Ultravox, list[_UltravoxMessage]]) -> Turns:
    prompt, messages = sent[0].system_prompt, sent[1]
    last = messages[-1].call_stage_id if messages else None
    turns: Turns = []
    for one in messages:
        stage, role, text = one.call_stage_id, one.role, one.text or ""
        if prompt and stage == last:
            turns.append(TranscriptTurn(index=len(turns), role=Role.SYSTEM, text=prompt))
            prompt = None
        start = end = metrics = result = None
        calls: tuple[ToolCall, ...] = ()
        if one.timespan is not None:
            start, end = _seconds(one.timespan)
            metrics = {"timespan.start": start, "timespan.end": end}
            if one.wall_clock_timespan is not None:
                start, end = _seconds(one.wall_clock_timespan)
        if role == "MESSAGE_ROLE_TOOL_CALL":
            text, calls = "", (ToolCall(id=one.invocation_id, name=one.tool_name, arguments=one.text),)
        elif role == "MESSAGE_ROLE_TOOL_RESULT":
            is_error = True if one.error_details else None
            text, result = "", ToolResult(call_id=one.invocation_id, content=text, is_error=is_error)
        turns.append(
            TranscriptTurn(
                index=len(turns),
                role=_ULTRAVOX_ROLES[role],
                text=text,
                start=start,
                duration=None if start is None or end is None else end - start,
                tool_calls=calls,
                tool_result=result,
                metrics=metrics,
                provider_id=f"{stage}/{one.call_stage_message_index or 0}",
            )
        )
    return turns


def _seconds(span: _UltravoxSpan) -> tuple[float, float]:
    return float(span.start[:-1]) if span.start else 0.0, float((span.end or "0s")[:-1])


def _first(decoder: msgspec.json.Decoder[Any]) -> Callable[[Sequence[bytes]], Any]:
    return lambda answers: decoder.decode(answers[0])


READERS: Mapping[str, Reader] = {
    "tavus": Reader(
        _first(_tavus), _tavus_turns, lambda page: [Read(row.conversation_id) for row in _tavus_page.decode(page).data]
    ),
    "anyreach": Reader(
        _first(_anyreach),
        _anyreach_turns,
        lambda page: [Read(row.id, _anyreach_turns(row)) for row in _anyreach_page.decode(page)],
    ),
    "voiceable": Reader(
        _first(_voiceable),
        _voiceable_turns,
        _voiceable_rows,
    ),
    "vapi": Reader(
        _first(_vapi), _vapi_turns, lambda page: [Read(row.id, _vapi_turns(row)) for row in _vapi_page.decode(page)]
    ),
    "bland": Reader(
        _first(_bland), _bland_turns, lambda page: [Read(row.call_id) for row in _bland_page.decode(page).calls]
    ),
    "elevenlabs": Reader(
        _first(_elevenlabs),
        _elevenlabs_turns,
        lambda page: [Read(row.conversation_id) for row in _elevenlabs_page.decode(page).conversations],
    ),
    "retell": Reader(
        _first(_retell), _retell_turns, lambda page: [Read(row.call_id) for row in _retell_page.decode(page).items]
    ),
    "telnyx": Reader(
        _telnyx_decoded, _telnyx_turns, lambda page: [Read(row.id) for row in _telnyx_page.decode(page).data]
    ),
    "ultravox": Reader(
        _ultravox_decoded,
        _ultravox_turns,
        lambda page: [Read(row.call_id) for row in _ultravox_page.decode(page).results],
    ),
}
"""By provider."""
