"""Profiles: the limits and timings of a hub."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ..errors import ConfigurationError
from ._backoff import Backoff

__all__ = ["PROFILES", "Profile", "profile_named"]


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """The limits and timings of a hub; spans in seconds, sizes in bytes."""

    attempts: int
    """Attempts per request, the first included."""
    deadline: float
    """Of an operation, including all its attempts and waits."""
    attempt_timeout: float
    """Of one attempt, from the connection to the body's last byte."""
    connect_timeout: float
    in_flight: int = 64
    """Concurrent requests per account."""
    largest_body: int
    """Of a response, decompressed."""
    backoff: Backoff
    parks: bool = False
    """Whether a request waits if the provider was down a moment ago; otherwise it fails at once."""
    breaks: bool = True
    """Whether no requests are sent for a while to a provider that is down."""

    def but(self, **numbers: Any) -> Profile:
        """Return the profile with some of its numbers replaced: `PROFILES["bulk"].but(attempts=10)`."""
        return msgspec.structs.replace(self, **numbers)


PROFILES: Mapping[str, Profile] = {
    "interactive": Profile(
        attempts=3,
        deadline=30.0,
        attempt_timeout=10.0,
        connect_timeout=3.0,
        largest_body=32 * 1024 * 1024,
        backoff=Backoff(transient_base=0.25, cap=5.0, longest_retry_after=10.0),
    ),
    "bulk": Profile(
        attempts=6,
        deadline=300.0,
        attempt_timeout=60.0,
        connect_timeout=5.0,
        largest_body=64 * 1024 * 1024,
        backoff=Backoff(transient_base=0.5, cap=20.0, longest_retry_after=900.0),
        parks=True,
    ),
}
"""`interactive` for web back ends and agents, `bulk` for batch jobs."""


def profile_named(profile: str | Profile) -> Profile:
    """Return a profile by name, or as it is; raise `ConfigurationError` for an unknown name."""
    if isinstance(profile, Profile):
        return profile
    if profile not in PROFILES:
        raise ConfigurationError(f"unknown profile {profile!r}: choose from {', '.join(PROFILES)}")
    return PROFILES[profile]
