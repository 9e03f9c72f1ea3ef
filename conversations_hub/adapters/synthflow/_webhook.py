"""Synthflow's webhooks: sent after a call; the signature covers the call's id alone, and no time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import msgspec

from ...events import Event, EventKind
from ...reading.json import decode, try_decode
from ...reading.values import Id, Issues, text
from ...schema import Conversation, Issue
from ...signing.webhooks import Claim, Received, Scheme, hmac_signed
from ._conversation import read
from ._payload import Call, Delivery, Lead

__all__ = ["SCHEME", "events"]

_delivery = msgspec.json.Decoder(Delivery, strict=False)
_call = msgspec.json.Decoder(Call, strict=False)


class _Named(msgspec.Struct):
    call_id: Id


class _Signed(msgspec.Struct):
    call: _Named


_signed = msgspec.json.Decoder(_Signed)


def _call_id(received: Received) -> bytes:
    found = try_decode(received.body, _signed)
    if found is None:
        raise ValueError
    return str(found.call.call_id).encode()


def _scheme() -> Scheme:
    """Return the scheme; the header may have the name that Python's servers give it, or be there under both.

    https://docs.synthflow.ai/webhooks-security
    """
    named = [
        hmac_signed(header, message=_call_id, encoding="base64", signed_members=("call.call_id",))
        for header in ("synthflow-signature", "http_synthflow_signature")
    ]

    def claim(received: Received) -> Claim:
        claims = [one.claim(received) for one in named if one.headers[0] in received.headers]
        if len({claim.signatures for claim in claims}) != 1:
            raise ValueError
        return claims[0]

    return msgspec.structs.replace(named[0], headers=(), claim=claim)


SCHEME = _scheme()
"""How deliveries are signed: the sender knew the secret, or changed a delivery of someone who did."""


def events(body: bytes) -> Sequence[Event]:
    """Read a webhook: one event. One that asks how to answer a call is about no call yet."""
    issues = Issues()
    sent = decode(body, _delivery, issues)
    misfits: list[Issue] = []
    call = decode(sent.call, _call, misfits) if _names_a_call(sent) else Call(call_id="")
    issues.extend([Issue(f"call.{misfit.place}", misfit.reason) for misfit in misfits])
    id = text(call.call_id)
    conversation = _told_by(body, sent, call, issues) if id else None
    kind = EventKind.OTHER
    if conversation is not None:
        has_transcript = conversation.transcript is not None
        is_over = conversation.is_finished
        kind = EventKind.TRANSCRIPT_READY if has_transcript else EventKind.ENDED if is_over else EventKind.UPDATED
    return (
        Event(
            provider="synthflow",
            kind=kind,
            # Sent once for each call.
            id=f"{id}:{call.status or sent.status or ''}" if id else None,
            conversation_id=id,
            conversation=conversation,
        ),
    )


class _MayBeNamed(msgspec.Struct):
    call_id: Id | None = None


_may_be_named = msgspec.json.Decoder(_MayBeNamed)


def _names_a_call(sent: Delivery) -> bool:
    found = try_decode(sent.call or b"null", _may_be_named)
    return found is not None and text(found.call_id) is not None


def _told_by(body: bytes, sent: Delivery, call: Call, issues: Issues) -> Conversation:
    """Return what a delivery says about its call; some of it is beside the call."""
    lead = sent.lead or Lead()
    whole = msgspec.structs.replace(
        call,
        status=call.status or sent.status,
        lead_name=call.lead_name or lead.name,
        lead_phone_number=call.lead_phone_number or lead.phone_number,
        error_message=call.error_message or sent.error_message,
        executed_actions=call.executed_actions or sent.executed_actions,
    )
    found = Issues()
    told = read(whole, body, found, place="call.", analysis=sent.analysis)
    return msgspec.structs.replace(told, issues=tuple(chain(issues, told.issues)))
