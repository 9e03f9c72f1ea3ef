"""Fingerprints of conversations: sixteen bytes that stay the same as long as the provider says the same."""

from __future__ import annotations

import re
from hashlib import blake2b, sha256
from typing import Final

import msgspec

from ..schema import Conversation, Recording, RecordingAccess

__all__ = ["FIRST_LAYOUT", "content_of", "fingerprint", "is_of_first_layout", "is_print_of"]

_SIZE: Final = 16  # bytes
FIRST_LAYOUT: Final = b"1:"
"""Prefix of fingerprints from stores of the first layout, which used another digest."""

_packed = msgspec.msgpack.Encoder()
_encoder = msgspec.json.Encoder()

# How the large object stores spell the signature in a URL, which is new in each answer.
_SIGNED: Final = re.compile(rb"[?&](X-Amz-|X-Goog-)?(signature|sig)=", re.IGNORECASE)
_QUERY: Final = re.compile(rb'\?[^"\s]*')


def fingerprint(conversation: Conversation) -> bytes:
    """Return the fingerprint of a conversation's content.

    Signed URLs count without their queries, wherever they are, and whether or not the query is there. `raw` does not
    count at all.
    """
    return sha256(content_of(conversation)).digest()[:_SIZE]


def is_print_of(before: bytes, conversation: Conversation) -> bool:
    """Whether a conversation has the content of this fingerprint, of any layout."""
    now = fingerprint(conversation)
    if is_of_first_layout(before):
        now = FIRST_LAYOUT + blake2b(content_of(conversation), digest_size=_SIZE).digest()
    return before == now


def is_of_first_layout(fingerprint: bytes) -> bool:
    """Whether a fingerprint is from a store of the first layout."""
    return len(fingerprint) > _SIZE


def content_of(conversation: Conversation) -> bytes:
    """Return the bytes that a fingerprint is a digest of."""
    recordings = conversation.recordings
    if any(recording.access is RecordingAccess.SIGNED_URL for recording in recordings):
        recordings = tuple(map(_without_signature, recordings))
    if conversation.raw is not None or recordings is not conversation.recordings:
        conversation = msgspec.structs.replace(conversation, raw=None, recordings=recordings)
    try:
        content = _packed.encode(conversation)
    except OverflowError:  # a number in the metadata that only JSON can hold
        content = _encoder.encode(conversation)
    if b"?***" in content or ((b"ignature=" in content or b"sig=" in content) and _SIGNED.search(content)):
        content = _QUERY.sub(_strip_if_signed, _encoder.encode(conversation))
    return content


def _without_signature(recording: Recording) -> Recording:
    if recording.access is not RecordingAccess.SIGNED_URL:
        return recording
    return msgspec.structs.replace(recording, location=recording.location.partition("?")[0], expires_at=None)


def _strip_if_signed(query: re.Match[bytes]) -> bytes:
    return b"" if query[0] == b"?***" or _SIGNED.search(query[0]) else query[0]
