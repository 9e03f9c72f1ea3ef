"""A delivery as it came in: all that a signing scheme can look at."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

__all__ = ["Received"]


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery as it came in."""

    headers: Mapping[str, str]
    """By name in lower case."""
    body: bytes

    def __repr__(self) -> str:
        return f"Received({len(self.headers)} headers, {len(self.body)} bytes)"
