"""40-turn conversations, shaped as four providers document what `get` brings, and what is said in them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Generator, Mapping
from typing import Any

__all__ = ["PROVIDERS", "TURNS", "bodies", "conversation_id", "transcript"]

TURNS = 40

_CHANCE = random.Random(7)  # noqa: S311  (the same words in every run)
_WORDS = ["the", "order", "has", "not", "arrived", "yet", "could", "you", "please", "check", "where", "it", "is", "and"]
_BEGAN = 1_793_700_000


def conversation_id(number: int) -> str:
    """Return the id of one of the conversations."""
    return f"c{number:06}"


def _words(count: int) -> str:
    return " ".join(_CHANCE.choices(_WORDS, k=count))


_FIRST = conversation_id(0)
_SAID = [f"This is {_FIRST}: {_words(11)}", *(_words(14) for _ in range(TURNS - 1))]


def transcript(number: int) -> str:
    """Return what is said in a conversation, a turn to a line; each begins with its own id."""
    return "\n".join(_SAID).replace(_FIRST, conversation_id(number))


def _tavus() -> Mapping[str, Any]:
    turns = [
        {
            "role": "user" if turn % 2 else "assistant",
            "content": said,
            "timestamp": _BEGAN + turn * 5 + 0.84,
            "seconds_from_start": turn * 5.0,
            "duration": 4.15,
            "inference_id": f"inference-{turn}",
        }
        for turn, said in enumerate(_SAID)
    ]
    events = [
        ("system.replica_joined", "2026-11-03T10:00:00Z", None),
        ("application.transcription_ready", "2026-11-03T10:04:30Z", {"transcript": turns}),
        ("system.shutdown", "2026-11-03T10:03:20Z", {"shutdown_reason": "participant_left_timeout"}),
    ]
    return {
        "conversation_id": _FIRST,
        "conversation_name": "A call",
        "conversation_url": f"https://example.com/{_FIRST}",
        "callback_url": "https://example.org/callback",
        "status": "ended",
        "replica_id": "r1",
        "persona_id": "p1",
        "created_at": "2026-11-03T10:00:00Z",
        "updated_at": "2026-11-03T10:04:30Z",
        "events": [
            {"event_type": kind, "timestamp": moment} | ({"properties": told} if told else {})
            for kind, moment, told in events
        ],
    }


def _elevenlabs() -> Mapping[str, Any]:
    turns: list[dict[str, Any]] = [
        {
            "role": "user" if turn % 2 else "agent",
            "message": said,
            "tool_calls": [],
            "tool_results": [],
            "feedback": None,
            "time_in_call_secs": turn * 5,
            "interrupted": False,
            "llm_override": None,
            "source_medium": "audio",
            "conversation_turn_metrics": {"metrics": {"convai_llm_service_ttfb": {"elapsed_time": 0.31}}},
        }
        for turn, said in enumerate(_SAID)
    ]
    return {
        "conversation_id": _FIRST,
        "agent_id": "agent-1",
        "agent_name": "Support",
        "user_id": "user-1",
        "status": "done",
        "has_audio": True,
        "has_user_audio": True,
        "has_response_audio": True,
        "metadata": {
            "start_time_unix_secs": _BEGAN,
            "call_duration_secs": TURNS * 5,
            "cost": 240,
            "termination_reason": "end_call tool was called",
            "main_language": "en",
        },
        "analysis": {
            "call_successful": "success",
            "transcript_summary": _words(40),
            "evaluation_criteria_results": {},
            "data_collection_results": {},
        },
        "transcript": turns,
    }


def _retell() -> Mapping[str, Any]:
    turns = [
        {
            "role": "user" if turn % 2 else "agent",
            "content": said,
            "words": [
                {"word": word, "start": start, "end": round(start + 0.25, 2)}
                for place, word in enumerate(said.split())
                for start in [round(turn * 5 + place * 0.3, 2)]
            ],
        }
        for turn, said in enumerate(_SAID)
    ]
    return {
        "call_id": _FIRST,
        "call_type": "phone_call",
        "call_status": "ended",
        "direction": "inbound",
        "from_number": "+15550100001",
        "to_number": "+15550100002",
        "agent_id": "agent-1",
        "agent_name": "Support",
        "agent_version": 1,
        "start_timestamp": _BEGAN * 1000,
        "end_timestamp": (_BEGAN + TURNS * 5) * 1000,
        "duration_ms": TURNS * 5000,
        "disconnection_reason": "user_hangup",
        "recording_url": "https://example.com/recording.wav",
        "transcript": "".join(f"{'User' if turn % 2 else 'Agent'}: {said}\n" for turn, said in enumerate(_SAID)),
        "transcript_object": turns,
        "transcript_with_tool_calls": turns,
        "call_analysis": {
            "call_summary": _words(40),
            "in_voicemail": False,
            "user_sentiment": "Positive",
            "call_successful": True,
        },
    }


def _vapi() -> Mapping[str, Any]:
    turns = [
        {
            "role": "user" if turn % 2 else "bot",
            "message": said,
            "time": (_BEGAN + turn * 5) * 1000,
            "endTime": (_BEGAN + turn * 5) * 1000 + 4000,
            "secondsFromStart": turn * 5.0,
            "duration": 4000,
        }
        for turn, said in enumerate(_SAID)
    ]
    return {
        "id": _FIRST,
        "orgId": "organization-1",
        "type": "inboundPhoneCall",
        "status": "ended",
        "endedReason": "customer-ended-call",
        "createdAt": "2026-11-03T10:00:00.000Z",
        "updatedAt": "2026-11-03T10:04:30.000Z",
        "startedAt": "2026-11-03T10:00:01.000Z",
        "endedAt": "2026-11-03T10:03:20.000Z",
        "assistantId": "assistant-1",
        "cost": 0.12,
        "analysis": {"summary": _words(40), "successEvaluation": "true"},
        "artifact": {
            "messages": turns,
            "transcript": "".join(f"{'User' if turn % 2 else 'AI'}: {said}\n" for turn, said in enumerate(_SAID)),
        },
    }


_SHAPES: Mapping[str, Callable[[], Mapping[str, Any]]] = {
    "tavus": _tavus,
    "elevenlabs": _elevenlabs,
    "retell": _retell,
    "vapi": _vapi,
}
PROVIDERS = tuple(_SHAPES)


def bodies(provider: str, count: int) -> Generator[tuple[str, str]]:
    """Yield so many conversations of a provider, each as its id and its JSON; they differ in the id alone."""
    body = json.dumps(_SHAPES[provider](), separators=(",", ":"))
    for id in map(conversation_id, range(count)):
        yield id, body.replace(_FIRST, id)
