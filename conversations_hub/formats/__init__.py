"""Conversations as other programs read them."""

from __future__ import annotations

__all__: list[str] = []
