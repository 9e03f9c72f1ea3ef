"""Bland AI: GET /v1/calls, by index; only `get` returns the transcript.

The oldest come first, so new calls do not move the others. Durations are in minutes or in seconds as text, and three
members describe the status. Only a transcript made from the recording has timings; an account with the setting
`transcript` = `corrected` gets that one if possible.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import msgspec

from ...account import Account
from ...adapter import Adapter, Query, RawPage, Start, Started
from ...errors import InvalidRefError, NotFoundError, PayloadError, RejectedError
from ...events import Event, EventKind, Webhook
from ...reading.json import decode
from ...reading.paging import read_numbers
from ...reading.participants import Participants
from ...reading.refusals import read_or_raise
from ...reading.values import ids_of, instant, unless_empty, without_empty
from ...schema import Agent, Channel, Conversation, Direction, Status
from ...signing import header
from ...signing.webhooks import hmac_signed
from ...wire import Flow, Request
from ._conversation import normalize
from ._payload import (
    CALL,
    CREATED,
    DELIVERY,
    LEFT_TO_RAW,
    PAGE,
    SECRET_FIELDS,
    Call,
    CallAndCorrection,
    Created,
    Delivery,
)
from ._refusal import is_refused, refusal, words
from ._texts import TEXTS

__all__ = ["ADAPTER", "delete", "end", "events", "get", "list_page", "normalize", "refusal", "start"]

# what it means

# Deliveries after the end of a call; None is the call itself.
# https://docs.bland.ai/tutorials/post-call-webhooks
_LATER = {
    None: EventKind.ENDED,
    "citations": EventKind.ANALYSIS_READY,
    "evals": EventKind.ANALYSIS_READY,
    "multiple": EventKind.ANALYSIS_READY,
    "post_transfer_transcript": EventKind.TRANSCRIPT_READY,
}
# https://docs.bland.ai/api-v1/post/calls
_MEANWHILE = {"queue": EventKind.UPDATED, "call": EventKind.UPDATED}


def events(body: bytes) -> Sequence[Event]:
    """Read a delivery: about a call that is over, a later result of it, a running call, or a text message.

    Text messages belong to a text conversation, a resource of its own. Chats in a web widget cannot be fetched.
    """
    sent = decode(body, DELIVERY, [])
    if sent.call_id is None and sent.conversation_id is not None:
        return (_texted(sent),)
    if sent.call_id is None and sent.thread_id is not None:
        return (_chatted(sent),)
    if sent.call_id is not None and sent.category:
        kind = _MEANWHILE.get(sent.category, EventKind.OTHER)
        id = str(sent.call_id)
        return (Event(provider="bland", kind=kind, provider_kind=sent.category, conversation_id=id),)
    is_of_call = not sent.event_type
    conversation = normalize(body, is_whole=is_of_call, is_delivered=is_of_call)
    has_turns = conversation.transcript is not None
    made = "+".join(filter(None, sent.contents or ())) or sent.event_type or "call"
    return (
        Event(
            provider="bland",
            kind=EventKind.TRANSCRIPT_READY if has_turns else _LATER.get(sent.event_type, EventKind.OTHER),
            provider_kind=sent.event_type,
            id=f"{conversation.id}:{made}",  # the same if it is sent again, which users can request
            conversation_id=conversation.id,
            conversation=conversation,
            occurred_at=instant(sent.timestamp, "timestamp", []),
        ),
    )


def _texted(sent: Delivery) -> Event:
    is_over = sent.status in {"ended", "timeout", "blacklisted", "inactive"}
    kind = EventKind.ENDED if is_over else EventKind.OTHER if sent.status else EventKind.UPDATED
    id = str(sent.conversation_id)
    return Event(
        provider="bland",
        kind=kind,
        provider_kind=sent.status or "message",
        id=f"{id}:{sent.status}" if is_over else None,
        resource="texts",
        conversation_id=id,
    )


def _chatted(sent: Delivery) -> Event:
    # https://docs.bland.ai/tutorials/chat-widget
    ended_at = instant(sent.thread_ended_at, "thread_ended_at", [])
    ids = {"thread_id": sent.thread_id, "widget_id": sent.widget_id, "visitor_id": sent.visitor_id}
    return Event(
        provider="bland",
        kind=EventKind.OTHER if ended_at is None else EventKind.ENDED,
        provider_kind="thread",
        id=None if ended_at is None else f"{sent.thread_id}:ended",
        related_ids=ids_of(ids),
        occurred_at=ended_at,
    )


# how to ask

_LARGEST_PAGE = 1000
_CURSOR = re.compile(r"([0-9]{1,12})(?::[1-9][0-9]{0,3})?")  # until 0.3 with a page size after it
_COMPLETED = {Status.ENDED: True, Status.QUEUED: False, Status.RINGING: False, Status.IN_PROGRESS: False}


def list_page(_account: Account, query: Query, cursor: str | None) -> Flow[RawPage]:
    """List a page; a cursor is an index. `options` may reverse the order: `ascending=False`."""
    (index,) = read_numbers(cursor, _CURSOR, "Bland", "an index") if cursor else (0,)
    size = min(query.page_size or _LARGEST_PAGE, _LARGEST_PAGE)
    told: dict[str, str | int | None] = {
        # Both bounds are inclusive; the hub drops rows at the later one.
        "start_date": query.since.isoformat() if query.since else None,
        "end_date": query.until.isoformat() if query.until else None,
        "completed": _COMPLETED.get(query.status) if query.status else None,
        # An index; the filter by phone number is `from_number`.
        "from": index,
        "limit": size,
    }
    # With the oldest first, new rows do not move the others.
    ordered = {"ascending": not query.newest_first, "sort_by": "created_at"}
    asked = {**ordered, **query.options, **without_empty(told)}
    # https://docs.bland.ai/api-v1/get/calls
    reply = yield Request("GET", "/v1/calls", asked, reads=PAGE)
    rows, total = read_or_raise(reply, _rows, words)
    seen = index + len(rows)
    # Older answers have no total: then a page that is not full is the last.
    is_last = len(rows) < size if total is None else not rows or seen >= total
    warning = None
    if is_last and total is not None and seen < total:
        warning = f"possibly truncated: the list ended after {seen} of {total:.0f} calls"
    elif query.status is not None and query.status not in _COMPLETED:
        warning = f"Bland's lists seldom distinguish {query.status} from ended"
    return RawPage(rows=rows, normalize=normalize, cursor=None if is_last else str(seen), warning=warning)


def _rows(body: bytes) -> tuple[list[msgspec.Raw], float | None]:
    page = decode(body, PAGE, [])
    if page.calls is None:
        raise PayloadError("the answer has no list of calls")
    return page.calls, page.total_count


def get(account: Account, id: str) -> Flow[Conversation]:
    """Get a call with its transcript; a corrected one takes a while, so only the account's setting requests it."""
    # https://docs.bland.ai/api-v1/get/calls-id
    reply = yield Request("GET", "/v1/calls/{id}", ids={"id": id}, reads=CALL)
    conversation = read_or_raise(reply, partial(normalize, is_whole=True), words)
    wanted = account.settings.get("transcript")
    if wanted is None or wanted.reveal() != "corrected" or not conversation.recordings:
        return conversation
    try:
        # https://docs.bland.ai/api-v1/get/calls-corrected-transcript
        correction = yield Request("GET", "/v1/calls/{id}/correct", ids={"id": id})
    except (NotFoundError, RejectedError):
        return conversation  # a call may be too short to be transcribed again
    return normalize(reply.body, is_whole=True, correction=correction.body)


def start(_account: Account, wanted: Start) -> Flow[Started]:
    """Call a phone number; `agent` is a pathway. `options` may hold a `task` or a `persona_id` instead."""
    body = dict(wanted.options)
    if wanted.to is not None:
        body["phone_number"] = wanted.to
    if wanted.agent is not None:
        body["pathway_id"] = wanted.agent
    if not body.get("phone_number"):
        raise InvalidRefError("`to` is required, in E.164 form")
    # https://docs.bland.ai/api-v1/post/calls
    reply = yield Request("POST", "/v1/calls", body=msgspec.json.encode(body))
    created = read_or_raise(reply, _queued, words)
    agent = Agent(id=wanted.agent or None)
    conversation = Conversation(
        provider="bland",
        id=str(created.call_id),
        status=Status.QUEUED,
        channel=Channel.PHONE,
        direction=Direction.OUTBOUND,
        agent=unless_empty(agent),
        participants=tuple(Participants.of(agent, customer_phone=wanted.to)),
        metadata=without_empty({"batch_id": created.batch_id}),
        estimated=("status",),
        raw=reply.body,
    )
    return Started(conversation=conversation)


def _queued(body: bytes) -> Created:
    created = decode(body, CREATED, [])
    if created.status == "error":
        raise PayloadError("Bland did not queue the call")
    return created


def end(_account: Account, id: str) -> Flow[None]:
    """End a running call or cancel a scheduled one; one that has ended is not found."""
    # https://docs.bland.ai/api-v1/post/calls-id-stop
    reply = yield Request("POST", "/v1/calls/{id}/stop", ids={"id": id}, json=False)
    if is_refused(reply):
        raise refusal(reply)


def delete(_account: Account, id: str, options: Mapping[str, Any]) -> Flow[None]:
    """Delete a call, if the organization may; `delete_recording=True` deletes its recording too."""
    body = msgspec.json.encode({"delete_recording": bool(options.get("delete_recording"))})
    # https://docs.bland.ai/api-v1/delete/calls-id
    yield Request("DELETE", "/v1/calls/{id}", ids={"id": id}, body=body, json=False)


def _sign(request: Request, account: Account, now: datetime) -> Request:
    # The key is sent without a scheme; the other key is that of the customer's own Twilio account.
    # https://docs.bland.ai/api-v1/get/calls
    signed = header("authorization")(request, account, now)
    encrypted_key = account.settings.get("encrypted_key")
    if encrypted_key is None:
        return signed
    return msgspec.structs.replace(signed, headers={**signed.headers, "encrypted_key": encrypted_key.reveal()})


ADAPTER = Adapter(
    name="bland",
    base_url="https://api.bland.ai",
    docs="https://docs.bland.ai/api-v1/get/calls",
    sign=_sign,
    refusal=refusal,
    main="calls",
    list_page=list_page,
    normalize=normalize,
    page_size=_LARGEST_PAGE,
    newest_first=True,
    counted=True,
    get=get,
    start=start,
    end=end,
    delete=delete,
    complete_lists=False,
    only_in_get=("transcripts", "concatenated_transcript", "call_ended_by"),
    resources={"texts": TEXTS},
    # https://docs.bland.ai/api-v1/get/widget-id-threads
    unlisted=(
        "chats in its web widgets, which it lists for one widget at a time",
        "chats with its web agents and pathways, which it does not list",
    ),
    settings=("encrypted_key", "transcript"),
    secret_settings=("encrypted_key",),
    secret_fields=SECRET_FIELDS,
    # https://docs.bland.ai/tutorials/webhook-signing
    webhook=Webhook(events=events, scheme=hmac_signed("x-webhook-signature", message="{body}")),
    filters=("since", "until", "status"),
    shows=("recording",),
    tells_transfers=True,
    support="documentation",
    payloads=(Call, CallAndCorrection, Created),
    left_to_raw=LEFT_TO_RAW,
    notes=(
        (
            "The transcript that is made during a call has no times. With `transcript` set to `corrected`, `get` "
            "asks for one that is made from the recording and has them; it is ready a while after the call."
        ),
        "`encrypted_key` is the key of your own Twilio account at Bland, for calls that go through it.",
    ),
)
