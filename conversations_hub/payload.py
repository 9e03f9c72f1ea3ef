"""Moved to `conversations_hub.reading.json`; this module will be removed in 0.3."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ._moved import moved

__all__: list[str] = []

__getattr__: Callable[[str], Any] = moved(
    __name__, "conversations_hub.reading.json", {"decoded_or_none": "conversations_hub.reading.json:try_decode"}
)
