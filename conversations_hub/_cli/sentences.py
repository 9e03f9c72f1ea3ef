"""Turn errors into sentences."""

from __future__ import annotations

from ..errors import HubError, PartialError
from .terminal import escaped

__all__ = ["sentence"]


def sentence(error: Exception) -> str:
    """Return the message of an error, escaped for a terminal; of an internal error only the name."""
    if isinstance(error, PartialError):
        return "\nError: ".join(escaped(str(one)) for one in error.errors.values())
    if isinstance(error, HubError):
        return escaped(str(error))
    if isinstance(error, OSError):
        reason = error.strerror or type(error).__name__
        return f"{escaped(str(error.filename))}: {reason}" if error.filename else reason
    return (
        f"internal error ({type(error).__name__}). Run `python -X dev -m conversations_hub …` for a traceback, and"
        " please report it"
    )
