"""What must be refused."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from ...errors import HubError

__all__ = ["refused"]


@contextmanager
def refused(kind: type[HubError], words: str = "") -> Generator[None]:
    """Expect an error of this kind, with these words in its message."""
    told: str | None = None
    try:
        yield
    except kind as error:
        told = str(error)
    assert told is not None, f"nothing raised {kind.__name__}"
    assert words in told
