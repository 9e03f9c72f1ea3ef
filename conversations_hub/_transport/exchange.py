"""One operation under way, and the cost of operations."""

from __future__ import annotations

from typing import Literal

import aiohttp

from ..account import Account
from ..adapter import Operation
from ..policy import Profile
from .pool import RequestPhase, under_way

__all__ = ["Counts", "OperationName", "OperationRun"]


class Counts:
    """The cost of operations, added up."""

    def __init__(self) -> None:
        self.requests = 0
        """Requests sent, retries included."""
        self.retries = 0
        """Requests that were sent again."""
        self.mended = 0
        """Responses whose JSON had to be mended before it could be read."""


OperationName = Operation | Literal["authorize", "download"]


class OperationRun(RequestPhase):
    """One operation under way."""

    __slots__ = (
        "account",
        "attempts",
        "deadline",
        "has_renewed",
        "is_impatient",
        "is_stale",
        "mended",
        "operation",
        "profile",
        "requests",
        "retries",
        "started",
        "timeout",
    )

    def __init__(self, operation: OperationName, profile: Profile, started: float) -> None:
        super().__init__()
        self.operation: OperationName = operation
        self.profile = profile
        self.started = started
        self.deadline = (
            started + profile.deadline
        )  # a monotonic instant, set once: every attempt, wait and sleep ends before it
        self.attempts = 0  # of the current request
        self.requests = 0
        self.retries = 0
        self.mended = 0
        self.is_stale = False  # the last attempt was the first, on a kept connection that the server was just closing
        self.is_impatient = False  # the last attempt had too little time to say anything about the provider
        self.timeout: aiohttp.ClientTimeout | None = None  # of the last attempt
        self.account: Account | None = None  # with a token as its key, if the provider issues some
        self.has_renewed = False  # after a token was refused that should be valid

    def begin(self, timeout: aiohttp.ClientTimeout) -> None:
        """Start another attempt."""
        self.timeout = timeout
        self.is_stale = self.is_impatient = False
        self.stage = "connecting"
        under_way.set(self)
