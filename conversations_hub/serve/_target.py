"""Where changes of a store are sent, and how a delivery is signed."""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final, Literal

import msgspec
from yarl import URL

from .._frames import bared
from ..errors import ConfigurationError
from ..schema import Conversation
from ..secret import Secret
from ..signing.webhooks import standard_key

__all__ = ["ChangeKind", "ForwardTarget", "sign"]

ChangeKind = Literal["created", "updated", "erased"]
"""What happened to a conversation in the store."""

_SHORTEST, _LONGEST = 24, 64  # bytes
_NAME: Final = re.compile(r"[\w.-]{1,64}", re.ASCII)


class ForwardTarget(msgspec.Struct, frozen=True, kw_only=True):
    """A place that gets every change of a store.

    Raises:
        ConfigurationError: the URL, the secret or the name cannot be used.
    """

    url: str
    """`https`; plain `http` and addresses that are not public need `allow_private`."""
    secret: Secret
    """What deliveries are signed with: `whsec_` and 24 to 64 bytes in Base64."""
    name: str = ""
    """What its deliveries are kept under: a new URL continues where the old one stopped. By default the URL's host."""
    providers: Sequence[str] = ()
    """Only conversations of these providers; empty: all."""
    accounts: Sequence[str] = ()
    """Only conversations of accounts of these names; empty: all."""
    kinds: Sequence[ChangeKind] = ()
    """Only these changes; empty: all."""
    allow_private: bool = False
    """Whether it may be a machine of your own network. Anyone who can answer there gets everything that was said."""

    @bared
    def __post_init__(self) -> None:
        wrong = _wrong_with_url(self.url, allow_private=self.allow_private)
        if wrong:
            raise ConfigurationError(f"the URL of a target {wrong}")
        if not self.name:
            msgspec.structs.force_setattr(self, "name", str(URL(self.url).host))
        if not _NAME.fullmatch(self.name):
            raise ConfigurationError(
                "the name of a target must be 1 to 64 letters, digits, dots, hyphens or underscores"
            )
        if not _is_key(self.secret):
            raise ConfigurationError(
                "the secret of a target must be whsec_ and 24 to 64 random bytes in Base64;"
                " `openssl rand -base64 32` makes such bytes"
            )

    def wants(self, conversation: Conversation) -> bool:
        """Whether it gets the changes of a conversation."""
        return (not self.providers or conversation.provider in self.providers) and (
            not self.accounts or conversation.account in self.accounts
        )


def _is_key(secret: Secret) -> bool:
    with suppress(ValueError):
        return _SHORTEST <= len(standard_key(secret.reveal())) <= _LONGEST
    return False


def _wrong_with_url(text: str, *, allow_private: bool) -> str | None:
    try:
        url = URL(text)
        port = url.port
    except ValueError:
        return "is malformed"
    if not url.host or port is None:
        return "is malformed"
    if url.user is not None or url.password is not None:
        return "must not hold a user name or a password: deliveries are signed"
    if url.scheme == "https" or (url.scheme == "http" and allow_private):
        return None
    return "must begin with https:// (http:// is for your own network, with allow_private)"


def sign(secret: Secret, id: str, moment: datetime, body: bytes) -> dict[str, str]:
    """Return the headers that sign a delivery.

    https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    """
    stamp = str(int(moment.timestamp()))
    signed = hmac.digest(standard_key(secret.reveal()), f"{id}.{stamp}.".encode() + body, "sha256")
    return {
        "webhook-id": id,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
    }
