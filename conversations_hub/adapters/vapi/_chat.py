"""Vapi's chats: GET /chat, complete lists. A chat is a customer's message and the reply; a session may hold several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ...account import Account
from ...adapter import Query, RawPage, Resource
from ...errors import InvalidRefError
from ...reading.json import decode
from ...reading.money import cost
from ...reading.participants import Participants
from ...reading.refusals import read_or_raise
from ...reading.values import AnyJson, Id, Instant, Issues, ids_of, instant, noted, text, unless_empty
from ...schema import (
    Agent,
    Channel,
    Conversation,
    Issue,
    Status,
    TranscriptState,
    TranscriptTurn,
)
from ...wire import Flow, Request
from ._messages import LEFT_TO_RAW, Message, turns
from ._pages import PAGE_SIZE, RESULTS, by_creation, page_of
from ._payload import Assistant, Overrides

# what Vapi sends


class _Chat(msgspec.Struct, rename="camel"):
    id: Id
    org_id: Id | None = None
    name: str | None = None
    created_at: Instant = None
    updated_at: Instant = None
    assistant_id: Id | None = None
    assistant: Assistant | None = None
    assistant_overrides: Overrides | None = None
    squad_id: Id | None = None
    session_id: Id | None = None
    previous_chat_id: Id | None = None
    input: list[Message | None] | Message | str | float | bool | None = None
    messages: list[Message | None] | None = None
    output: list[Message | None] | None = None
    cost: msgspec.Raw = msgspec.Raw()
    metadata: AnyJson = None


_chat = msgspec.json.Decoder(_Chat, strict=False)

_SET_UP = "the configuration of the chat"
_LEFT_TO_RAW = {
    "assistant.*": _SET_UP,
    "assistantOverrides.*": _SET_UP,
    "squad*": _SET_UP,
    "stream": "how the reply was sent",
    "costs*": "the cost by component, each with its configuration",
    "messages[].*": "messages of earlier chats, and those of input again",
    **{f"{place}[].{member}": why for place in ("input", "output") for member, why in LEFT_TO_RAW.items()},
}

# what it means


def normalize(body: bytes | msgspec.Raw) -> Conversation:
    """Read a chat as Vapi sends it, in a list or alone."""
    issues = Issues()
    sent = decode(body, _chat, issues)
    agent = Agent(id=text(sent.assistant_id), name=text(sent.assistant.name) if sent.assistant else None)
    participants = Participants.of(agent)
    asked = _asked(sent, participants, issues)
    reply = turns(sent.output or (), "output", participants, issues, first=len(asked))
    derived = {"status": bool(reply), "transcript": sent.input is None and _has_history(sent)}
    return Conversation(
        provider="vapi",
        id=str(sent.id),
        # There is no status. A chat without a reply is still being answered, or failed.
        status=Status.ENDED if reply else Status.UNKNOWN,
        title=text(sent.name),
        channel=Channel.CHAT,
        agent=unless_empty(agent),
        participants=tuple(participants),
        created_at=instant(sent.created_at, "createdAt", issues),
        updated_at=instant(sent.updated_at, "updatedAt", issues),
        transcript=(*asked, *reply) or None,
        transcript_state=_transcript_state(asked, reply),
        cost=cost(sent.cost, "cost", issues),
        metadata=_metadata(sent),
        related_ids=_related_ids(sent),
        estimated=tuple(name for name, is_derived in derived.items() if is_derived),
        issues=noted(issues),
        raw=bytes(body),
    )


def _asked(sent: _Chat, participants: Participants, issues: list[Issue]) -> list[TranscriptTurn]:
    """Return what the customer wrote for this reply, without the messages of earlier chats."""
    # https://docs.vapi.ai/chat/non-streaming
    # The specification has it in `input`; without that, it is at the end of the messages that the reply is based on.
    if sent.input is not None:
        asked = sent.input if isinstance(sent.input, list | Message) else Message(role="user", content=sent.input)
        return turns(asked if isinstance(asked, list) else [asked], "input", participants, issues)
    messages, reply = sent.messages or [], sent.output or []
    if reply and messages[-len(reply) :] == reply:
        messages = messages[: -len(reply)]
    begin = _end_of_replies(messages) if _has_history(sent) else 0
    return turns(messages, "messages", participants, issues, begin=begin)


def _has_history(sent: _Chat) -> bool:
    return bool(text(sent.session_id) or text(sent.previous_chat_id))


def _end_of_replies(messages: Sequence[Message | None]) -> int:
    """Return the position after the last message that is not the customer's."""
    others = (place for place, one in enumerate(messages, start=1) if one is not None and one.role != "user")
    return max(others, default=0)


def _transcript_state(asked: Sequence[TranscriptTurn], reply: Sequence[TranscriptTurn]) -> TranscriptState:
    if reply:
        return TranscriptState.AVAILABLE
    # If the organization keeps no data, the input is missing too.
    return TranscriptState.PENDING if asked else TranscriptState.UNAVAILABLE


def _metadata(sent: _Chat) -> dict[str, Any]:
    overrides = msgspec.to_builtins(sent.assistant_overrides)
    told = {"orgId": sent.org_id, "assistantOverrides": overrides, "metadata": sent.metadata}
    return {name: value for name, value in told.items() if value}


def _related_ids(sent: _Chat) -> dict[str, str]:
    return ids_of({"sessionId": sent.session_id, "previousChatId": sent.previous_chat_id, "squadId": sent.squad_id})


# how to ask


def list_page(_account: Account, query: Query, cursor: str | None) -> Flow[RawPage]:
    """List a page of chats."""
    # https://docs.vapi.ai/api-reference/chats/list
    return (yield from page_of("/chat", RESULTS, normalize, by_creation(query), cursor))


def get(_account: Account, id: str) -> Flow[Conversation]:
    """Get a chat."""
    # https://docs.vapi.ai/api-reference/chats/get
    reply = yield Request("GET", "/chat/{id}", ids={"id": id}, reads=_chat)
    return read_or_raise(reply, normalize)


def delete(_account: Account, id: str, options: Mapping[str, Any]) -> Flow[None]:
    """Delete a chat; the session it belongs to stays."""
    if options:
        raise InvalidRefError("deleting a chat takes no options")
    # https://docs.vapi.ai/api-reference/chats/delete
    yield Request("DELETE", "/chat/{id}", ids={"id": id}, json=False)


CHATS = Resource(
    list_page=list_page,
    normalize=normalize,
    page_size=PAGE_SIZE,
    newest_first=True,
    get=get,
    delete=delete,
    filters=("since", "until", "agent"),
    payloads=(_Chat,),
    left_to_raw=_LEFT_TO_RAW,
)
