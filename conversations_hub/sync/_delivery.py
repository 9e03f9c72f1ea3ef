"""A webhook delivery that was accepted: what it said, and its bytes, to be kept."""

from __future__ import annotations

from datetime import datetime

import msgspec

from ..events import Event

__all__ = ["Delivery"]


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook delivery that was accepted."""

    endpoint: str
    """The name of the endpoint that received it."""
    provider: str
    account: str
    """The name of the hub's account that the endpoint belongs to."""
    events: tuple[Event, ...]
    body: bytes
    """As sent."""
    content_type: str | None = None
    """As sent; a form is read by it."""
    digest: bytes
    """The SHA-256 of the body."""
    received_at: datetime
    """UTC."""
    verified: bool
    """Whether its signature was checked; anyone who knows the address can send an unverified delivery."""
    signed_members: tuple[str, ...] | None = None
    """The only signed members of the body; None: the whole body, if anything."""
    unreadable: str | None = None
    """Why it could not be read; it has no events then. Its sender knew the secret, so its provider may send something
    new: keep it, and read it with a later release."""

    def __repr__(self) -> str:
        return f"<Delivery to {self.endpoint}: {len(self.events)} events, {len(self.body)} bytes>"
