"""Whose conversations: the accounts of a file, or those that the environment names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..hub import Hub, ProfileName
from ..signals import Signal

__all__ = ["hub_of"]


def hub_of(
    config: Path | None,
    *,
    profile: ProfileName = "interactive",
    keep_raw: bool = False,
    on_signal: Callable[[Signal], object] | None = None,
) -> Hub:
    """Return a hub of the file's accounts, or of the environment's."""
    if config is not None:
        return Hub.from_file(config, profile=profile, keep_raw=keep_raw, on_signal=on_signal)
    return Hub.from_env(profile=profile, keep_raw=keep_raw, on_signal=on_signal)
