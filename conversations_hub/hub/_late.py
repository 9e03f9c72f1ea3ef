"""A conversation whose transcript comes late: polled ever less often, until it is there or time is up."""

from __future__ import annotations

import math

from ..errors import HubError
from ..policy import Profile
from ..policy._polling import pause
from ..schema import Conversation, TranscriptState
from ..signals import Waited
from ._reader import ResourceReader
from ._sealed import sealed

__all__ = ["get_when_ready"]


@sealed
async def get_when_ready(
    reader: ResourceReader,
    id: str,
    profile: Profile,
    *,
    wait: float,
    timeout: float | None,  # noqa: ASYNC109  (its waits must fit)
) -> Conversation:
    """Get a conversation, and get it again while its transcript is pending; return the last result.

    Args:
        reader: the reader of its account.
        id: the provider's id.
        profile: the profile for each request.
        wait: seconds after which it is requested one last time.
        timeout: seconds for the whole call; replaces the profile's deadline for each request.
    """
    lane, clock = reader.lane, reader.lane.clock
    began = clock.monotonic()
    deadline = math.inf if timeout is None else timeout
    numbers = profile if timeout is None else profile.but(deadline=timeout)
    found = await reader.get(id, numbers)
    asked, least = 1, 0.0
    while found.transcript_state is TranscriptState.PENDING:
        passed = clock.monotonic() - began
        delay = min(max(pause(asked, clock.roll()), least), wait - passed)
        if delay <= 0 or delay < least or passed + delay >= deadline:
            break
        await lane.sleep(delay)
        lane.tell(Waited, "get", seconds=delay, reason="transcript")
        left = deadline - (clock.monotonic() - began)
        asked, least = asked + 1, 0.0
        try:
            found = await reader.get(id, numbers.but(deadline=min(numbers.deadline, left)))
        except HubError as error:
            if not error.retryable:
                raise
            least = error.retry_after or 0.0
    return found
