"""Moved to `conversations_hub.stores.sqlite`; this alias is removed in 0.3."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..._moved import moved

__all__: list[str] = []

__getattr__: Callable[[str], Any] = moved(__name__, "conversations_hub.stores.sqlite")
