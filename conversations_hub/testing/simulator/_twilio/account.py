"""The simulated account at Twilio: its ids, and how it shows its key."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime

from .._world import Call

__all__ = ["ACCOUNT", "address", "key_of", "sid", "vendor", "written"]

ACCOUNT = "AC00000000000000000000000000000001"


def key_of(call: Call) -> str:
    """Return the password of Basic authentication: an auth token, or the secret of an API key."""
    scheme, _, shown = call.headers.get("authorization", "").partition(" ")
    try:
        _, _, password = base64.b64decode(shown).decode().partition(":")
    except ValueError:
        return ""
    return password if scheme.lower() == "basic" else ""


def sid(kind: str, *parts: object) -> str:
    """Return an id of a kind, two letters, the same for the same parts."""
    digest = hashlib.sha256(":".join(map(str, parts)).encode()).hexdigest()
    return f"{kind}{digest[:32]}"


def written(moment: float) -> str:
    """Return a moment as Twilio writes it, in whole seconds."""
    return f"{datetime.fromtimestamp(int(moment), UTC):%Y-%m-%dT%H:%M:%SZ}"


def vendor(product: str) -> str:
    """Return a product's own host, as the addresses of what there is name it."""
    return f"https://{product}.twilio.com"


def address(call: Call, product: str) -> str:
    """Return where a product is: at the address that was asked, or at its own host where that is unknown."""
    host = call.headers.get("host")
    return f"http://{host}/twilio" if host else vendor(product)
