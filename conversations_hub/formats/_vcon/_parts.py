"""The parts of a vCon as they are read, in every spelling from 0.0.1 on."""

from __future__ import annotations

import binascii
from base64 import b64decode
from typing import Any

import msgspec

from ...errors import FormatError

__all__ = ["Analysis", "Attachment", "Dialog", "Party", "Vcon", "json_of", "party_of", "text_body"]


class Party(msgspec.Struct, frozen=True, kw_only=True):
    """A party."""

    type: str | None = None
    role: str | None = None
    name: str | None = None
    tel: str | None = None
    uuid: str | None = None
    mailto: str | None = None
    meta: dict[str, Any] | None = None


class _Content(msgspec.Struct, frozen=True, kw_only=True):
    body: msgspec.Raw = msgspec.Raw()
    encoding: str | None = None
    mediatype: str | None = None
    mimetype: str | None = None
    """In 0.0.1."""
    url: str | None = None


class Dialog(_Content, frozen=True, kw_only=True):
    """A dialog."""

    type: str | None = None
    start: str | float | None = None
    duration: float | None = None
    parties: int | list[int | list[int] | None] | None = None
    originator: int | None = None
    disposition: str | None = None


class Analysis(_Content, frozen=True, kw_only=True):
    """An analysis."""

    type: str | None = None
    vendor: str | None = None
    schema: str | None = None


class Attachment(_Content, frozen=True, kw_only=True):
    """An attachment."""

    purpose: str | None = None
    type: str | None = None
    """In 0.0.1."""


class Vcon(msgspec.Struct, frozen=True, kw_only=True):
    """A vCon; signed and encrypted ones have other members."""

    uuid: str | None = None
    created_at: str | float | None = None
    updated_at: str | float | None = None
    subject: str | None = None
    parties: list[Party] = []
    dialog: list[Dialog] = []
    analysis: list[Analysis] = []
    attachments: list[Attachment] = []
    critical: list[str] = []
    must_support: list[str] = []
    """`critical`, in 0.3.0."""
    redacted: dict[str, Any] | None = None
    payload: msgspec.Raw = msgspec.Raw()
    signatures: msgspec.Raw = msgspec.Raw()
    ciphertext: msgspec.Raw = msgspec.Raw()


def party_of(dialog: Dialog) -> int | None:
    """Return who speaks: the originator, else the first of the parties, however they are nested."""
    if dialog.originator is not None:
        return dialog.originator
    if not isinstance(dialog.parties, list):
        return dialog.parties
    first = next((one for one in dialog.parties if one is not None), None)
    return next(iter(first), None) if isinstance(first, list) else first


def text_body(part: _Content) -> str | None:
    """Return the text that is in a part; None if there is none."""
    body = bytes(part.body)
    if not body.startswith(b'"'):
        return None
    text = msgspec.json.decode(body, type=str)
    return _unpacked(text).decode() if part.encoding == "base64url" else text


def json_of(part: _Content) -> bytes:
    """Return the JSON that is in a part; older ones have it as a text."""
    body = bytes(part.body)
    if not body.startswith(b'"'):
        return body
    text = msgspec.json.decode(body, type=str)
    return _unpacked(text) if part.encoding == "base64url" else text.encode()


def _unpacked(text: str) -> bytes:
    try:
        bare = text.rstrip("=")
        return b64decode(bare + "=" * (-len(bare) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise FormatError("a body is not base64url") from None
