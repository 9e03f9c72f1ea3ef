"""What to do about failure, as arithmetic: told the time and a roll of the dice, it returns a decision.

Only the transport acts on it.
"""

from __future__ import annotations

from .backoff import Backoff
from .headers import retry_after
from .profile import PROFILES, Profile, profile_named

__all__ = ["PROFILES", "Backoff", "Profile", "profile_named", "retry_after"]
