"""The least that reading a conversation takes: msgspec Structs of the members that the hub reads, and nothing more.

They are written as somebody would who knows what these very conversations hold: no forgiving types, no other members.
Instants stay text, and what the hub reads into one `Conversation` stays as the provider shaped it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

__all__ = ["READERS"]


class _TavusTurn(msgspec.Struct, gc=False):
    role: str
    content: str
    timestamp: float
    seconds_from_start: float
    duration: float
    inference_id: str


class _TavusProperties(msgspec.Struct):
    transcript: list[_TavusTurn] = []
    shutdown_reason: str | None = None


class _TavusEvent(msgspec.Struct):
    event_type: str
    timestamp: str
    properties: _TavusProperties | None = None


class _Tavus(msgspec.Struct):
    conversation_id: str
    conversation_name: str
    conversation_url: str
    callback_url: str
    status: str
    replica_id: str
    persona_id: str
    created_at: str
    updated_at: str
    events: list[_TavusEvent]


class _ElevenLabsMetric(msgspec.Struct, gc=False):
    elapsed_time: float


class _ElevenLabsMetrics(msgspec.Struct, gc=False):
    metrics: dict[str, _ElevenLabsMetric]


class _ElevenLabsTurn(msgspec.Struct, gc=False):
    role: str
    message: str
    tool_calls: list[Any]
    tool_results: list[Any]
    time_in_call_secs: float
    interrupted: bool
    conversation_turn_metrics: _ElevenLabsMetrics


class _ElevenLabsMetadata(msgspec.Struct):
    start_time_unix_secs: int
    call_duration_secs: float
    cost: float
    termination_reason: str
    main_language: str


class _ElevenLabsAnalysis(msgspec.Struct):
    call_successful: str
    transcript_summary: str
    evaluation_criteria_results: dict[str, Any]
    data_collection_results: dict[str, Any]


class _ElevenLabs(msgspec.Struct):
    conversation_id: str
    agent_id: str
    agent_name: str
    user_id: str
    status: str
    has_audio: bool
    metadata: _ElevenLabsMetadata
    analysis: _ElevenLabsAnalysis
    transcript: list[_ElevenLabsTurn]


class _RetellWord(msgspec.Struct, gc=False):
    word: str
    start: float
    end: float


class _RetellTurn(msgspec.Struct, gc=False):
    role: str
    content: str
    words: list[_RetellWord]


class _RetellAnalysis(msgspec.Struct):
    call_summary: str
    in_voicemail: bool
    user_sentiment: str
    call_successful: bool


class _Retell(msgspec.Struct):
    call_id: str
    call_type: str
    call_status: str
    direction: str
    from_number: str
    to_number: str
    agent_id: str
    agent_name: str
    agent_version: int
    start_timestamp: int
    end_timestamp: int
    duration_ms: int
    disconnection_reason: str
    recording_url: str
    transcript: str
    transcript_with_tool_calls: list[_RetellTurn]
    call_analysis: _RetellAnalysis


class _VapiMessage(msgspec.Struct, rename="camel", gc=False):
    role: str
    message: str
    time: float
    end_time: float
    seconds_from_start: float
    duration: float


class _VapiArtifact(msgspec.Struct):
    messages: list[_VapiMessage]
    transcript: str


class _VapiAnalysis(msgspec.Struct, rename="camel"):
    summary: str
    success_evaluation: str


class _Vapi(msgspec.Struct, rename="camel"):
    id: str
    org_id: str
    type: str
    status: str
    ended_reason: str
    created_at: str
    updated_at: str
    started_at: str
    ended_at: str
    assistant_id: str
    cost: float
    analysis: _VapiAnalysis
    artifact: _VapiArtifact


_tavus = msgspec.json.Decoder(_Tavus)
_elevenlabs = msgspec.json.Decoder(_ElevenLabs)
_retell = msgspec.json.Decoder(_Retell)
_vapi = msgspec.json.Decoder(_Vapi)


def _tavus_turns(body: bytes) -> Sequence[_TavusTurn]:
    for event in _tavus.decode(body).events:
        if event.event_type == "application.transcription_ready" and event.properties:
            return event.properties.transcript
    return []


READERS: Mapping[str, Callable[[bytes], Sequence[Any]]] = {
    "tavus": _tavus_turns,
    "elevenlabs": lambda body: _elevenlabs.decode(body).transcript,
    "retell": lambda body: _retell.decode(body).transcript_with_tool_calls,
    "vapi": lambda body: _vapi.decode(body).artifact.messages,
}
"""By provider: decode a conversation, and return its turns."""
