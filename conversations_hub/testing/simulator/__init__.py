"""Every built-in provider's API on loopback: realistic conversations, paging, keys, limits, and faults on request."""

from __future__ import annotations

from .faults import Fault, Faults
from .server import Simulator

__all__ = ["Fault", "Faults", "Simulator"]
