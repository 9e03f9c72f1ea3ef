"""Vapi's sessions: GET /session, complete lists. A session holds all messages of its chats, on the web or by SMS."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import compress
from typing import Any

import msgspec

from ...account import Account
from ...adapter import Query, RawPage, Resource
from ...errors import InvalidRefError
from ...reading.json import decode
from ...reading.lifecycle import concluded
from ...reading.money import cost
from ...reading.offsets import rebased
from ...reading.refusals import read_or_raise
from ...reading.values import AnyJson, Id, Instant, Issues, Seconds, ids_of, instant, noted, text, unless_empty
from ...schema import (
    Agent,
    Analysis,
    Channel,
    Conversation,
    Status,
    TranscriptState,
    TranscriptTurn,
)
from ...wire import Flow, Request
from ._conversation import collected_in, outputs_of, parties, summary_in
from ._messages import LEFT_TO_RAW, Message, turns
from ._pages import PAGE_SIZE, RESULTS, by_creation, page_of
from ._payload import Assistant, Customer, Overrides, PhoneNumber

# what Vapi sends


class _Artifact(msgspec.Struct, rename="camel"):
    structured_outputs: AnyJson = None
    skipped_structured_outputs: AnyJson = None
    structured_outputs_last_updated_at: str | None = None


class _Session(msgspec.Struct, rename="camel"):
    id: Id
    org_id: Id | None = None
    name: str | None = None
    status: str | None = None
    created_at: Instant = None
    updated_at: Instant = None
    expiration_seconds: Seconds | None = None
    assistant_id: Id | None = None
    assistant: Assistant | None = None
    assistant_overrides: Overrides | None = None
    squad_id: Id | None = None
    customer_id: Id | None = None
    customer: Customer | None = None
    phone_number_id: Id | None = None
    phone_number: PhoneNumber | None = None
    messages: list[Message | None] | None = None
    artifact: _Artifact | None = None
    cost: msgspec.Raw = msgspec.Raw()
    metadata: AnyJson = None


_session = msgspec.json.Decoder(_Session, strict=False)

_SET_UP = "the configuration of the session"
_LEFT_TO_RAW = {
    "assistant.*": _SET_UP,
    "assistantOverrides.*": _SET_UP,
    "customer.*": _SET_UP,
    "phoneNumber.*": _SET_UP,
    "squad*": _SET_UP,
    "costs*": "the cost by component, each with its configuration",
    "artifact.*": "for calls; a session only has structured outputs",
    **{f"messages[].{member}": why for member, why in LEFT_TO_RAW.items()},
}

# what it means

# https://docs.vapi.ai/api-reference/sessions/get
_STATUSES = {"active": Status.IN_PROGRESS, "completed": Status.ENDED}


def normalize(body: bytes | msgspec.Raw) -> Conversation:
    """Read a session as Vapi sends it, in a list or alone."""
    issues = Issues()
    sent = decode(body, _session, issues)
    status = concluded(_STATUSES.get(sent.status or "", Status.UNKNOWN), sent.status)
    # https://docs.vapi.ai/chat/sms-chat
    is_texted = sent.phone_number_id is not None or sent.phone_number is not None
    agent = Agent(id=text(sent.assistant_id), name=text(sent.assistant.name) if sent.assistant else None)
    participants = parties(agent, sent.phone_number, sent.customer_id, sent.customer)
    written = tuple(turns(sent.messages or (), "messages", participants, issues))
    moved = rebased(written)  # if each chat counts from its own start
    written = moved or written
    artifact = sent.artifact or _Artifact()
    outputs = outputs_of(artifact.structured_outputs)
    derived = {
        "status": status is not Status.UNKNOWN and sent.status not in _STATUSES,
        "channel": is_texted,
        "transcript.start": moved is not None,
    }
    return Conversation(
        provider="vapi",
        id=str(sent.id),
        status=status,
        provider_status=sent.status,
        title=text(sent.name),
        channel=Channel.SMS if is_texted else Channel.CHAT,
        agent=unless_empty(agent),
        participants=tuple(participants),
        created_at=instant(sent.created_at, "createdAt", issues),
        updated_at=instant(sent.updated_at, "updatedAt", issues),
        transcript=written or None,
        transcript_state=_transcript_state(written, status),
        summary=summary_in(outputs),
        analysis=Analysis(collected=collected_in(outputs, {})) if outputs else None,
        cost=cost(sent.cost, "cost", issues),
        metadata=_metadata(sent, artifact),
        related_ids=ids_of({"squadId": sent.squad_id}),
        estimated=tuple(compress(derived, derived.values())),
        issues=noted(issues),
        raw=bytes(body),
    )


def _transcript_state(written: tuple[TranscriptTurn, ...], status: Status) -> TranscriptState:
    if status is not Status.ENDED:
        return TranscriptState.PENDING  # more messages may come
    # There were no messages, or the organization keeps no data; nothing says which.
    return TranscriptState.AVAILABLE if written else TranscriptState.UNAVAILABLE


def _metadata(sent: _Session, artifact: _Artifact) -> dict[str, Any]:
    overrides = msgspec.to_builtins(sent.assistant_overrides)
    told = {
        "orgId": sent.org_id,
        "phoneNumberId": sent.phone_number_id,
        "customer": msgspec.to_builtins(sent.customer),
        "expirationSeconds": sent.expiration_seconds,
        "assistantOverrides": overrides,
        "metadata": sent.metadata,
        "skippedStructuredOutputs": artifact.skipped_structured_outputs,
        "structuredOutputsLastUpdatedAt": artifact.structured_outputs_last_updated_at,
    }
    return {name: value for name, value in told.items() if value}


# how to ask


def list_page(_account: Account, query: Query, cursor: str | None) -> Flow[RawPage]:
    """List a page of sessions."""
    # https://docs.vapi.ai/api-reference/sessions/list
    return (yield from page_of("/session", RESULTS, normalize, by_creation(query), cursor))


def get(_account: Account, id: str) -> Flow[Conversation]:
    """Get a session."""
    # https://docs.vapi.ai/api-reference/sessions/get
    reply = yield Request("GET", "/session/{id}", ids={"id": id}, reads=_session)
    return read_or_raise(reply, normalize)


def delete(_account: Account, id: str, options: Mapping[str, Any]) -> Flow[None]:
    """Delete a session; what happens to its chats is not documented."""
    if options:
        raise InvalidRefError("deleting a session takes no options")
    # https://docs.vapi.ai/api-reference/sessions/delete
    yield Request("DELETE", "/session/{id}", ids={"id": id}, json=False)


SESSIONS = Resource(
    list_page=list_page,
    normalize=normalize,
    page_size=PAGE_SIZE,
    newest_first=True,
    get=get,
    delete=delete,
    filters=("since", "until", "agent"),
    payloads=(_Session,),
    left_to_raw=_LEFT_TO_RAW,
)
