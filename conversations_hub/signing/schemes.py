"""Moved to `conversations_hub.signing.webhooks`; this module will be removed in 0.3."""

from __future__ import annotations

from .._moved import moved

__all__: list[str] = []

__getattr__ = moved(__name__, "conversations_hub.signing.webhooks")
