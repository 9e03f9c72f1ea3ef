"""Tickets for recordings: what plays sound in a page sends no header, so the address itself opens one file."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from datetime import datetime
from typing import Final

__all__ = ["Tickets"]

_HOUR: Final = 3600
_SIGNED: Final = 16  # bytes of a signature
_LONGEST: Final = 256  # characters of a ticket


class Tickets:
    """Writes tickets and reads them. A ticket is good for one path, until the end of the next full hour."""

    def __init__(self, key: bytes | None = None) -> None:
        self._key = secrets.token_bytes(32) if key is None else key

    def written(self, path: str, holder: str, now: datetime) -> str:
        """Return a ticket for a path, on behalf of a token's name."""
        ends = (int(now.timestamp()) // _HOUR + 2) * _HOUR
        name = base64.urlsafe_b64encode(holder.encode()).rstrip(b"=").decode()
        return f"{ends}.{name}.{self._signature(path, ends, name)}"

    def holder(self, path: str, ticket: str, now: datetime) -> str | None:
        """Return the name of the token that a ticket for a path was written for; None if it is not valid."""
        ends, _, rest = ticket.partition(".")
        name, _, signature = rest.partition(".")
        if len(ticket) > _LONGEST or not (ticket.isascii() and ends.isdigit()):
            return None
        if not hmac.compare_digest(self._signature(path, int(ends), name), signature) or now.timestamp() >= int(ends):
            return None
        return base64.urlsafe_b64decode(name + "=" * (-len(name) % 4)).decode()

    def _signature(self, path: str, ends: int, name: str) -> str:
        said = f"{ends}\n{name}\n{path}".encode(errors="surrogatepass")
        return hmac.new(self._key, said, hashlib.sha256).digest()[:_SIGNED].hex()
