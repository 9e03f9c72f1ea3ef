"""The hub: every account behind one object, called concurrently, within its limits, and by name."""

from __future__ import annotations

from .._transport import Clock, Limiter, ThrottledLimiter
from ._from_env import proxies_in
from ._hub import Hub, Outcome, ProfileName
from ._page import Page
from ._recordings import Download
from ._redis_limiter import RedisLimiter
from ._report import AccountReport, Report
from ._walk import Walk

__all__ = [
    "AccountReport",
    "Clock",
    "Download",
    "Hub",
    "Limiter",
    "Outcome",
    "Page",
    "ProfileName",
    "RedisLimiter",
    "Report",
    "ThrottledLimiter",
    "Walk",
    "proxies_in",
]
