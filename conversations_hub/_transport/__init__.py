"""The only outgoing sockets: one lane per account, which signs, sends, bounds and retries the requests of a flow."""

from __future__ import annotations

from .clock import Clock
from .connections import Connections
from .exchange import Counts, OperationRun
from .fairness import ReadBudget
from .gate import Limiter, ThrottledLimiter
from .lane import Lane

__all__ = ["Clock", "Connections", "Counts", "Lane", "Limiter", "OperationRun", "ReadBudget", "ThrottledLimiter"]
