"""The hub: every account behind one object, called concurrently, within its limits, and by name."""

from __future__ import annotations

from ..transport import Limiter
from .from_env import proxies_in
from .hub import Hub, Outcome, ProfileName
from .page import Page
from .recordings import Download
from .report import AccountReport, Report
from .walk import Walk

__all__ = [
    "AccountReport",
    "Download",
    "Hub",
    "Limiter",
    "Outcome",
    "Page",
    "ProfileName",
    "Report",
    "Walk",
    "proxies_in",
]
