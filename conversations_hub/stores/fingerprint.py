"""What a conversation says, in sixteen bytes: the same as long as the provider says the same."""

from __future__ import annotations

import re
from hashlib import blake2b, sha256
from typing import Final

import msgspec

from ..schema import Conversation, Recording, RecordingAccess

__all__ = ["FIRST_LAYOUT", "content_of", "fingerprint", "is_of_first_layout", "is_print_of"]

_SIZE: Final = 16  # bytes
FIRST_LAYOUT: Final = b"1:"
"""Stands before the fingerprints that stores of the first layout hold, which were digested in another way."""

_packed = msgspec.msgpack.Encoder()
_encoder = msgspec.json.Encoder()

# How the large object stores write the signature of a URL; a new one is made for each answer.
_SIGNED: Final = re.compile(rb"[?&](X-Amz-|X-Goog-)?(signature|sig)=", re.IGNORECASE)
_QUERY: Final = re.compile(rb'\?[^"\s]*')


def fingerprint(conversation: Conversation) -> bytes:
    """Return what tells this content from any other.

    Signed URLs count without their queries, wherever they stand, be they there or left out; `raw` does not count at
    all.
    """
    return sha256(content_of(conversation)).digest()[:_SIZE]


def is_print_of(before: bytes, conversation: Conversation) -> bool:
    """Whether a conversation says what the one said whose fingerprint this is."""
    now = fingerprint(conversation)
    if is_of_first_layout(before):
        now = FIRST_LAYOUT + blake2b(content_of(conversation), digest_size=_SIZE).digest()
    return before == now


def is_of_first_layout(fingerprint: bytes) -> bool:
    """Whether it was digested in the other way."""
    return len(fingerprint) > _SIZE


def content_of(conversation: Conversation) -> bytes:
    """Return what a fingerprint is made of."""
    recordings = conversation.recordings
    if any(recording.access is RecordingAccess.SIGNED_URL for recording in recordings):
        recordings = tuple(map(_lasting, recordings))
    if conversation.raw is not None or recordings is not conversation.recordings:
        conversation = msgspec.structs.replace(conversation, raw=None, recordings=recordings)
    try:
        told = _packed.encode(conversation)
    except OverflowError:  # a number in the metadata that only JSON can hold
        told = _encoder.encode(conversation)
    if b"?***" in told or ((b"ignature=" in told or b"sig=" in told) and _SIGNED.search(told)):
        told = _QUERY.sub(_unsigned, _encoder.encode(conversation))
    return told


def _lasting(recording: Recording) -> Recording:
    if recording.access is not RecordingAccess.SIGNED_URL:
        return recording
    return msgspec.structs.replace(recording, location=recording.location.partition("?")[0], expires_at=None)


def _unsigned(query: re.Match[bytes]) -> bytes:
    return b"" if query[0] == b"?***" or _SIGNED.search(query[0]) else query[0]
