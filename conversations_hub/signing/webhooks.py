"""Signature schemes of webhooks, as data: where the signature is, what it covers, and which key it takes.

A scheme reads a delivery and checks its signature with a key. It uses no clock.
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
from ._delivery import Received

__all__ = [
    "STANDARD_WEBHOOKS",
    "TOLERANCE",
    "Claim",
    "Digest",
    "Encoding",
    "Received",
    "Scheme",
    "TimeForm",
    "ed25519_signed",
    "hmac_signed",
    "shared_secret",
    "standard_key",
]


# https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
TOLERANCE = 300.0
"""Seconds, for providers that name no tolerance."""


class Claim(msgspec.Struct, frozen=True):
    """What a delivery's headers claim."""

    signatures: tuple[bytes, ...]
    """As written; one that matches is enough."""
    message: bytes
    """The bytes that they cover."""
    sent_at: float | None = None
    """Unix seconds; None: the scheme has no time, so an old delivery can be replayed."""

    def __repr__(self) -> str:
        return f"Claim({len(self.signatures)} signatures over {len(self.message)} bytes)"


class Scheme(msgspec.Struct, frozen=True, kw_only=True):
    """One way to sign a delivery."""

    name: str
    """As in `HMAC-SHA256`."""
    headers: tuple[str, ...]
    """Required headers, in lower case; each must come exactly once."""
    claim: Callable[[Received], Claim]
    """Reads what a delivery claims; raises `ValueError` if it cannot be read."""
    matches: Callable[[Claim, bytes], bool]
    """Whether one of a claim's signatures matches a key; compares in constant time, and hashes once."""
    key: Callable[[str], bytes] = str.encode
    """Reads the key from the secret that the provider's console shows; raises `ValueError` if it is invalid."""
    tolerance: float = TOLERANCE
    """Seconds that a delivery's own time may differ from the present, either way."""
    signed_members: tuple[str, ...] | None = None
    """The only signed members of the body, such as `call.call_id`; None: the whole body is signed."""


_MOST_SIGNATURES = 16

Digest = Literal["sha1", "sha256", "sha512"]
Encoding = Literal["hex", "base64"]
TimeForm = Literal["seconds", "milliseconds", "unix", "iso"]


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
        message: the template of the signed bytes, from `{timestamp}`, `{id}` and `{body}`; or a function that makes
            them from a delivery, if the URL, a form or a part of the body is signed. It raises `ValueError` if it
            cannot.
        times: how the time is written; "unix" is in seconds or milliseconds, as its size says.
        digest: the hash of the HMAC.
        encoding: how the signature is written.
        prefix: text before each signature: `v1,` or `sha256=`. Those without it are of an unknown version and skipped.
        separator: text between signatures, with or without a space after it.
        key: reads the key from the secret's text.
        tolerance: seconds that the time may differ from the present, either way.
        signed_members: the only signed members of the body, if not all of it is signed.
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
            one.removeprefix(prefix).encode(errors="replace")  # one that cannot be encoded matches nothing
            for one in said[:_MOST_SIGNATURES]
            if one.startswith(prefix)
        )
        facts = {"timestamp": stamp, "id": _only(_values(sent, id)) if id else ""}
        signed = message(received) if callable(message) else _fill(message, facts, received.body)
        return Claim(signatures, signed, _instant(stamp, times) if timestamp else None)

    def matches(claim: Claim, secret: bytes) -> bool:
        import hmac  # noqa: PLC0415  (4 ms, and only receivers need it)

        # Compared as written: another text that decodes to the same bytes is not the signature that was sent.
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
    """Return a scheme that sends the secret itself: weak, because anyone who sees one delivery can forge others."""

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
        signed = _fill(message, {"timestamp": stamp}, received.body)
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
                Ed25519PublicKey.from_public_bytes(key).verify(_from_canonical_base64(one), claim.message)
                return True
    if is_missing:
        raise ConfigurationError("Ed25519 signatures need an extra: pip install 'conversations-hub[ed25519]'")
    return False


def _fill(message: str, facts: Mapping[str, str], body: bytes) -> bytes:
    return body.join(part.format_map(facts).encode() for part in message.split("{body}"))


def standard_key(text: str) -> bytes:
    """Read the key of a Standard Webhooks secret, `whsec_` and Base64; raise `ValueError` if it is invalid."""
    return _from_base64(text.removeprefix("whsec_"))


_BETWEEN_PARTS = re.compile(", ?")


def _values(sent: Mapping[str, str], where: str) -> list[str]:
    """Return the value of a header, or of the parts in it that have a name."""
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


def _from_canonical_base64(text: bytes) -> bytes:
    """Decode Base64 in its canonical form; raise `ValueError` for any other form."""
    found = _from_base64(text)
    if base64.b64encode(found) != text:
        raise ValueError
    return found


_DIGITS = re.compile(r"[0-9]{1,16}")
_LEAST_MILLISECONDS = 10**11  # in 1973; in seconds it would be the year 5138


def _instant(stamp: str, form: TimeForm) -> float:
    if form == "iso":
        moment = datetime.fromisoformat(stamp)
        if moment.tzinfo is None:
            raise ValueError
        return moment.timestamp()
    if not _DIGITS.fullmatch(stamp):
        raise ValueError
    is_in_milliseconds = form == "milliseconds" or (form == "unix" and int(stamp) >= _LEAST_MILLISECONDS)
    return int(stamp) / (1000 if is_in_milliseconds else 1)


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
