"""Whose conversations: the accounts of a file, or those that the environment names."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from ..adapters import BUILTIN
from ..hub import Hub, ProfileName
from ..signals import Signal

__all__ = ["hub_of"]


def hub_of(
    config: Path | None,
    names: Iterable[str],
    *,
    profile: ProfileName = "interactive",
    keep_raw: bool = False,
    on_signal: Callable[[Signal], object] | None = None,
) -> Hub:
    """Return a hub of the file's accounts, or of the environment's.

    Of providers from other packages the environment is asked only for those that a target or ref names.
    """
    if config is not None:
        return Hub.from_file(config, profile=profile, keep_raw=keep_raw, on_signal=on_signal)
    named = (name.partition(":")[0].partition("/")[0] for name in names)
    return Hub.from_env(dict.fromkeys((*BUILTIN, *named)), profile=profile, keep_raw=keep_raw, on_signal=on_signal)
