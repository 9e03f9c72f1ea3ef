"""How providers sign what they deliver, as data: where the signature stands, what it covers, and with which key.

A scheme reads a delivery and says whether its signature is good for a key. It knows no clock.
"""

from __future__ import annotations

import base64
import re
from binascii import hexlify
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Literal

import msgspec

from ..errors import ConfigurationError
from .delivery import Received

__all__ = [
    "STANDARD_WEBHOOKS",
    "TOLERANCE",
    "Claim",
    "Received",
    "Scheme",
    "ed25519_signed",
    "hmac_signed",
    "shared_secret",
    "standard_key",
]


# https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
TOLERANCE = 300.0
"""Seconds, where a provider names no others."""


class Claim(msgspec.Struct, frozen=True):
    """What a delivery's headers claim."""

    signatures: tuple[bytes, ...]
    """As they are written; any one of them is enough."""
    message: bytes
    """What they cover."""
    sent_at: float | None = None
    """Unix seconds; None: the scheme has no time, so an old delivery can be sent again."""

    def __repr__(self) -> str:
        return f"Claim({len(self.signatures)} signatures over {len(self.message)} bytes)"


class Scheme(msgspec.Struct, frozen=True, kw_only=True):
    """One way to sign a delivery."""

    name: str
    """As in `HMAC-SHA256`."""
    headers: tuple[str, ...]
    """Those it needs, in lower case; each must come exactly once."""
    claim: Callable[[Received], Claim]
    """Reads what a delivery claims; raises `ValueError` for what nobody can read."""
    matches: Callable[[Claim, bytes], bool]
    """Whether one of a claim's signatures is good for a key; compares in constant time, and hashes once."""
    key: Callable[[str], bytes] = str.encode
    """Reads the key from what the provider's console shows; raises `ValueError` for what cannot be one."""
    tolerance: float = TOLERANCE
    """Seconds that a delivery's own time may differ from the present, either way."""
    signed_members: tuple[str, ...] | None = None
    """The members of the body that alone are signed, such as `call.call_id`; None: all of it is."""


_MOST_SIGNATURES = 16

Digest = Literal["sha1", "sha256", "sha512"]
Encoding = Literal["hex", "base64"]
TimeForm = Literal["seconds", "milliseconds", "iso"]


def hmac_signed(
    signature: str,
    *,
    timestamp: str | None = None,
    id: str | None = None,
    message: str | Callable[[Received], bytes] = "{timestamp}.{body}",
    times: TimeForm = "seconds",
    digest: Digest = "sha256",
    encoding: Encoding = "hex",
    prefix: str = "",
    separator: str = ",",
    key: Callable[[str], bytes] = str.encode,
    tolerance: float = TOLERANCE,
    signed_members: tuple[str, ...] | None = None,
) -> Scheme:
    """Return a scheme that signs with an HMAC.

    Args:
        signature: the header with the signatures; `header/name` for the parts `name=…` of a header.
        timestamp: the header with the time, in the same form.
        id: the header with the delivery's id.
        message: what is signed, of `{timestamp}`, `{id}` and `{body}`; or what makes it of a delivery, where the URL, a
            form or a part of the body is signed, and raises `ValueError` where it cannot.
        times: how the time is written.
        digest: which hash the HMAC is made with.
        encoding: how the signature is written.
        prefix: what stands before each signature: `v1,` or `sha256=`. Others are of an unknown version and skipped.
        separator: what stands between several signatures, a blank more or less.
        key: reads the key from the secret's text.
        tolerance: seconds that the time may differ from the present, either way.
        signed_members: the members of the body that alone are signed, where not all of it is.
    """
    headers = tuple(dict.fromkeys(name.partition("/")[0] for name in (signature, timestamp, id) if name))
    if not callable(message) and "{body}" not in message:
        signed_members = signed_members or ()
    written = hexlify if encoding == "hex" else base64.b64encode
    between = re.compile(f"{re.escape(separator)} ?")

    def claim(received: Received) -> Claim:
        sent = received.headers
        stamp = _only(_values(sent, timestamp)) if timestamp else ""
        said = [one for value in _values(sent, signature) for one in between.split(value, _MOST_SIGNATURES)]
        signatures = tuple(
            one.removeprefix(prefix).encode(errors="replace")  # what cannot be written is one that does not match
            for one in said[:_MOST_SIGNATURES]
            if one.startswith(prefix)
        )
        facts = {"timestamp": stamp, "id": _only(_values(sent, id)) if id else ""}
        signed = message(received) if callable(message) else _filled(message, facts, received.body)
        return Claim(signatures, signed, _instant(stamp, times) if timestamp else None)

    def matches(claim: Claim, secret: bytes) -> bool:
        import hmac  # noqa: PLC0415  (4 ms, and only receivers need it)

        # Compared as it is written: what decodes to the same bytes is not what was sent.
        due = written(hmac.digest(secret, claim.message, digest))
        return any(hmac.compare_digest(one, due) for one in claim.signatures)

    return Scheme(
        name=f"HMAC-{digest.upper()}",
        headers=headers,
        claim=claim,
        matches=matches,
        key=key,
        tolerance=tolerance,
        signed_members=signed_members,
    )


def shared_secret(header: str, *, prefix: str = "") -> Scheme:
    """Return a scheme that sends the secret itself: weak, since whoever sees one delivery can make others."""

    def claim(received: Received) -> Claim:
        value = received.headers[header]
        return Claim((value.removeprefix(prefix).encode(),) if value.startswith(prefix) else (), b"")

    def matches(claim: Claim, secret: bytes) -> bool:
        import hmac  # noqa: PLC0415

        return any(hmac.compare_digest(one, secret) for one in claim.signatures)

    return Scheme(name="shared secret", headers=(header,), claim=claim, matches=matches, signed_members=())


def ed25519_signed(signature: str, *, timestamp: str, message: str) -> Scheme:
    """Return a scheme that signs with an Ed25519 key pair; the secret is the public key, in Base64.

    It needs the extra `ed25519`.
    """

    def claim(received: Received) -> Claim:
        stamp = received.headers[timestamp]
        signed = _filled(message, {"timestamp": stamp}, received.body)
        return Claim((received.headers[signature].encode(errors="replace"),), signed, _instant(stamp, "seconds"))

    return Scheme(
        name="Ed25519", headers=(signature, timestamp), claim=claim, matches=_is_signed_with_ed25519, key=_public_key
    )


_PUBLIC_KEY_SIZE = 32


def _public_key(text: str) -> bytes:
    key = _from_base64(text)
    if len(key) != _PUBLIC_KEY_SIZE:
        raise ValueError
    return key


def _is_signed_with_ed25519(claim: Claim, key: bytes) -> bool:
    try:
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415
    except ModuleNotFoundError:
        is_missing = True
    else:
        is_missing = False
        for one in claim.signatures:
            with suppress(InvalidSignature, ValueError):
                Ed25519PublicKey.from_public_bytes(key).verify(_written_in_base64(one), claim.message)
                return True
    if is_missing:
        raise ConfigurationError("Ed25519 signatures need an extra: pip install 'conversations-hub[ed25519]'")
    return False


def _filled(message: str, facts: Mapping[str, str], body: bytes) -> bytes:
    return body.join(part.format_map(facts).encode() for part in message.split("{body}"))


def standard_key(text: str) -> bytes:
    """Read a Standard Webhooks secret, `whsec_` and Base64."""
    return _from_base64(text.removeprefix("whsec_"))


_BETWEEN_PARTS = re.compile(", ?")


def _values(sent: Mapping[str, str], where: str) -> list[str]:
    """Return what stands in a header, or in the parts of that name in it."""
    header, _, part = where.partition("/")
    if not part:
        return [sent[header]]
    found = (one.partition("=") for one in _BETWEEN_PARTS.split(sent[header]))
    return [value for name, _, value in found if name == part]


def _only(values: list[str]) -> str:
    if len(values) != 1 or not values[0]:
        raise ValueError
    return values[0]


def _from_base64(text: str | bytes) -> bytes:
    return base64.b64decode(text, validate=True)  # its error is a ValueError


def _written_in_base64(text: bytes) -> bytes:
    """Read Base64 that is written in the one way in which it is encoded."""
    found = _from_base64(text)
    if base64.b64encode(found) != text:
        raise ValueError
    return found


_DIGITS = re.compile(r"[0-9]{1,16}")


def _instant(stamp: str, form: TimeForm) -> float:
    if form == "iso":
        moment = datetime.fromisoformat(stamp)
        if moment.tzinfo is None:
            raise ValueError
        return moment.timestamp()
    if not _DIGITS.fullmatch(stamp):
        raise ValueError
    return int(stamp) / (1000 if form == "milliseconds" else 1)


# https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
STANDARD_WEBHOOKS = hmac_signed(
    "webhook-signature",
    timestamp="webhook-timestamp",
    id="webhook-id",
    message="{id}.{timestamp}.{body}",
    encoding="base64",
    prefix="v1,",
    separator=" ",
    key=standard_key,
)
