"""Conversations in formats that other programs read."""

from __future__ import annotations

__all__: list[str] = []
