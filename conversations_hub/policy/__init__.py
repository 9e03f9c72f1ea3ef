"""Decisions about retries, rates and outages, as arithmetic on the time and a random number.

Only the transport acts on them.
"""

from __future__ import annotations

from ._backoff import Backoff
from ._headers import Quota, quota, retry_after, sent_at, tells_quota
from ._profile import PROFILES, Profile

__all__ = ["PROFILES", "Backoff", "Profile", "Quota", "quota", "retry_after", "sent_at", "tells_quota"]
