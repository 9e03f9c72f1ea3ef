"""Where every member of a provider's conversation schema lands: read, left to `raw` with a reason, or unknown.

`python -m tests.outside.coverage [PROVIDER…]` tells it member by member.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

from conversations_hub.adapter import Adapter, Coverage, Resource
from conversations_hub.adapters import load
from conversations_hub.reading.json import Json
from conversations_hub.testing._members import landings

from .documents import FOLDER, Specification

__all__ = ["SPECIFIED", "covered", "landed"]

_Payloads = Callable[[Specification], Mapping[str, list[Json]]]
"""Makes the payloads of each kind of conversation."""


def _elevenlabs(specification: Specification) -> Mapping[str, list[Json]]:
    page = specification.answer("get", "/v1/convai/conversations")
    rows = page["conversations"] if isinstance(page, dict) else None
    assert isinstance(rows, list)
    whole = specification.answer("get", "/v1/convai/conversations/{conversation_id}")
    return {"conversations": [rows[0], whole]}


def _ultravox(specification: Specification) -> Mapping[str, list[Json]]:
    call = specification.answer("get", "/api/calls/{call_id}")
    messages = specification.answer("get", "/api/calls/{call_id}/messages")
    return {"calls": [call, {"call": call, "messages": [messages]}]}


def _anam(specification: Specification) -> Mapping[str, list[Json]]:
    session = specification.answer("get", "/v1/sessions/{id}")
    transcript = specification.answer("get", "/v1/sessions/{id}/transcript")
    return {"sessions": [session, {"session": session, "transcript": transcript}]}


def _liveavatar(specification: Specification) -> Mapping[str, list[Json]]:
    session = specification.answer("get", "/v1/sessions/{session_id}")
    row = session["data"] if isinstance(session, dict) else None
    window = specification.answer("get", "/v1/sessions/{session_id}/transcript")
    return {"sessions": [row, session, {"session": session, "transcript": [window]}]}


def _beyond_presence(specification: Specification) -> Mapping[str, list[Json]]:
    call = specification.answer("get", "/v1/calls/{id}")
    messages = specification.answer("get", "/v1/calls/{id}/messages")
    return {"conversations": [call, {"call": call, "messages": messages}]}


def _fish_audio(specification: Specification) -> Mapping[str, list[Json]]:
    page = specification.answer("get", "/v1/agent/sessions")
    rows = page["sessions"] if isinstance(page, dict) else None
    assert isinstance(rows, list)
    return {"conversations": [rows[0], specification.answer("get", "/v1/agent/sessions/{session_id}")]}


def _cartesia(specification: Specification) -> Mapping[str, list[Json]]:
    return {"calls": [specification.answer("get", "/agents/calls/{call_id}")]}


def _claude(specification: Specification) -> Mapping[str, list[Json]]:
    session = specification.answer("get", "/v1/sessions/{session_id}")
    events = specification.answer("get", "/v1/sessions/{session_id}/events")
    return {"sessions": [session, {"session": session, "events": [events]}]}


def _openai(specification: Specification) -> Mapping[str, list[Json]]:
    thread = specification.answer("get", "/chatkit/threads/{thread_id}")
    said = specification.answer("get", "/chatkit/threads/{thread_id}/items")
    session = specification.answer("get", "/agents/sessions/{session_id}")
    items = specification.answer("get", "/agents/sessions/{session_id}/items")
    turns = specification.answer("get", "/agents/sessions/{session_id}/turns")
    return {
        "threads": [thread, {"thread": thread, "items": [said]}],
        "sessions": [session, {"session": session, "items": [items], "turns": [turns]}],
    }


def _synthflow(specification: Specification) -> Mapping[str, list[Json]]:
    page = specification.answer("get", "/calls")
    rows = page["response"]["calls"] if isinstance(page, dict) and isinstance(page["response"], dict) else None
    assert isinstance(rows, list)
    return {
        "calls": [rows[0], specification.answer("get", "/calls/{call_id}")],
        "chats": [specification.answer("get", "/chat/{chat_id}")],
    }


def _intercom(specification: Specification) -> Mapping[str, list[Json]]:
    conversation = specification.answer("get", "/conversations/{conversation_id}")
    calls = specification.answer("post", "/calls/search")
    fin_calls = specification.answer("get", "/fin_voice/conversation/{conversation_id}")
    return {"conversations": [conversation, {"conversation": conversation, "calls": calls, "fin_calls": fin_calls}]}


def _chatwoot(specification: Specification) -> Mapping[str, list[Json]]:
    conversations = "/api/v1/accounts/{account_id}/conversations"
    conversation = specification.answer("get", f"{conversations}/{{conversation_id}}")
    messages = specification.answer("get", f"{conversations}/{{conversation_id}}/messages")
    created = specification.answer("post", conversations)
    return {"conversations": [conversation, {"conversation": conversation, "messages": [messages]}, created]}


def _assemblyai(specification: Specification) -> Mapping[str, list[Json]]:
    session = specification.answer("get", "/v1/sessions/{session_id}")
    return {"conversations": [session, {"session": session, "timeline": specification.named("Timeline")}]}


def _twilio(specification: Specification) -> Mapping[str, list[Json]]:
    one = "/v1/Conversations/{Sid}"
    below = "/v1/Conversations/{ConversationSid}"
    thread = specification.answer("get", one)
    whole: dict[str, Json] = {
        "conversation": thread,
        "participants": [specification.answer("get", f"{below}/Participants")],
        "messages": [specification.answer("get", f"{below}/Messages")],
    }
    calls = Specification(FOLDER / "twilio-intelligence-v2.json")
    heard = calls.answer("get", "/v2/Transcripts/{Sid}")
    below = "/v2/Transcripts/{TranscriptSid}"
    transcript: dict[str, Json] = {
        "transcript": heard,
        "sentences": [calls.answer("get", f"{below}/Sentences")],
        "operator_results": [calls.answer("get", f"{below}/OperatorResults")],
    }
    return {"conversations": [thread, whole], "transcripts": [heard, transcript]}


SPECIFIED: Mapping[str, tuple[str, _Payloads]] = {
    "elevenlabs": ("elevenlabs.json", _elevenlabs),
    "vapi": (
        "vapi.json",
        lambda specification: {
            "calls": [specification.answer("get", "/call/{id}")],
            "chats": [specification.answer("get", "/chat/{id}")],
            "sessions": [specification.answer("get", "/session/{id}")],
        },
    ),
    "retell": (
        "retell.yaml",
        lambda specification: {
            "calls": [specification.answer("get", "/v2/get-call/{call_id}")],
            "chats": [specification.answer("get", "/get-chat/{chat_id}")],
        },
    ),
    "ultravox": ("ultravox.yaml", _ultravox),
    "anam": ("anam.yaml", _anam),
    "liveavatar": ("liveavatar-sessions.json", _liveavatar),
    "beyond_presence": ("beyond-presence.json", _beyond_presence),
    "fish_audio": ("fish-audio-agent-sessions.json", _fish_audio),
    "cartesia": ("cartesia.yaml", _cartesia),
    "claude": ("claude-managed-agents-sessions.json", _claude),
    "openai": ("openai-agents-chatkit.json", _openai),
    "synthflow": ("synthflow-calls-chat.json", _synthflow),
    "intercom": ("intercom.yaml", _intercom),
    "chatwoot": ("chatwoot.yaml", _chatwoot),
    "assemblyai": ("assemblyai-agent-sessions.json", _assemblyai),
    "twilio": ("twilio-conversations-v1.json", _twilio),
}
"""By provider: the file of its specification, and its payloads of a conversation."""


def landed(adapter: Adapter) -> dict[str, str]:
    """Return where each member lands: "read", the reason why it is left to `raw`, or "unknown".

    What several kinds of conversations have is unknown where one of them does not know it, and read where one reads it.
    """
    file, payloads = SPECIFIED[adapter.name]
    found: dict[str, str] = {}
    for name, sent in payloads(Specification(FOLDER / file)).items():
        resource: Resource = adapter if name == adapter.main else adapter.resources[name]
        of_kind: dict[str, str] = {}
        for payload in sent:
            of_kind |= landings(resource, payload)
        for member, where in of_kind.items():
            found[member] = max(found.get(member, where), where, key=_weight)
    return found


def _weight(where: str) -> int:
    return {"read": 1, "unknown": 2}.get(where, 0)


def covered(adapter: Adapter) -> Coverage:
    """Return how much of its specification an adapter reads."""
    found = landed(adapter)
    return Coverage(sum(where == "read" for where in found.values()), len(found))


def _main(names: list[str]) -> None:
    for name in names or SPECIFIED:
        found = landed(load(name))
        read = sum(where == "read" for where in found.values())
        unknown = [member for member, where in found.items() if where == "unknown"]
        print(f"{name}: {len(found)} members, {read} read, {len(found) - read - len(unknown)} left to raw,", end=" ")  # noqa: T201
        print(f"{len(unknown)} unknown")  # noqa: T201
        for member, where in found.items():
            print(f"  {where if where in {'read', 'unknown'} else 'raw':<8} {member}", end="")  # noqa: T201
            print("" if where in {"read", "unknown"} else f"  ({where})")  # noqa: T201


if __name__ == "__main__":
    _main(sys.argv[1:])
