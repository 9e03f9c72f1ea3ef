"""Every built-in provider's API on loopback: realistic conversations, paging, keys, limits, and faults on request."""

from __future__ import annotations

from ._faults import Fault, Faults
from ._server import Simulator
from ._webhooks import Deliveries

__all__ = ["Deliveries", "Fault", "Faults", "Simulator"]
