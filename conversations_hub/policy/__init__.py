"""Decisions about retries, rates and outages, as arithmetic on the time and a random number.

Only the transport acts on them.
"""

from __future__ import annotations

from . import polling
from .backoff import Backoff
from .breaker import Breaker, Ticket, is_impatience
from .budget import RetryBudget
from .headers import Quota, quota, retry_after, sent_at
from .profile import PROFILES, Profile, profile_named
from .rate import RateLimit

__all__ = [
    "PROFILES",
    "Backoff",
    "Breaker",
    "Profile",
    "Quota",
    "RateLimit",
    "RetryBudget",
    "Ticket",
    "is_impatience",
    "polling",
    "profile_named",
    "quota",
    "retry_after",
    "sent_at",
]
