"""What went wrong, in a sentence for people."""

from __future__ import annotations

from ..errors import HubError, PartialError
from .terminal import escaped

__all__ = ["sentence"]


def sentence(error: Exception) -> str:
    """Return what an error says, without what steers a terminal; of a defect no more than its name."""
    if isinstance(error, PartialError):
        return "\nError: ".join(escaped(str(one)) for one in error.errors.values())
    if isinstance(error, HubError):
        return escaped(str(error))
    if isinstance(error, OSError):
        reason = error.strerror or type(error).__name__
        return f"{escaped(str(error.filename))}: {reason}" if error.filename else reason
    return (
        f"a defect of conversations-hub, {type(error).__name__}:"
        " `python -X dev -m conversations_hub …` shows where, please report it"
    )
