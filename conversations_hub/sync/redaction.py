"""Moved to `conversations_hub.redaction`; this alias is removed in 0.3."""

from __future__ import annotations

from .._moved import moved

__all__: list[str] = []

__getattr__ = moved(__name__, "conversations_hub.redaction")
