"""The providers: one file each, found by name through one table."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from ..errors import ConfigurationError, UnknownAccountError

if TYPE_CHECKING:
    from ..adapter import Adapter

__all__ = ["BUILTIN", "load"]

BUILTIN = (
    "tavus",
    "anyreach",
    "voiceable",
    "vapi",
    "bland",
    "elevenlabs",
    "retell",
    "telnyx",
    "ultravox",
)
"""The providers that come with the package; each is the module of that name here."""


def load(name: str) -> Adapter:
    """Return a provider's adapter: a built-in one, or one another package publishes.

    Others are entry points of the group `conversations_hub.adapters`, named for their provider, that hold an `Adapter`.
    Raises `UnknownAccountError` for a name nobody knows.
    """
    if name in BUILTIN:
        adapter: Adapter = import_module(f".{name}", __name__).ADAPTER
        return adapter
    return _published(name)


def _published(name: str) -> Adapter:
    from importlib.metadata import entry_points  # noqa: PLC0415  (21 ms, and only third-party names need it)

    from ..adapter import Adapter  # noqa: PLC0415  (the table alone needs no msgspec)

    found = tuple(entry_points(group="conversations_hub.adapters", name=name))
    if not found:
        raise UnknownAccountError(f"unknown provider {name!r}; built in: {', '.join(BUILTIN)}")
    adapter = found[0].load()
    if not isinstance(adapter, Adapter) or adapter.name != name:
        raise ConfigurationError(f"the entry point {found[0].value} holds no adapter named {name!r}", provider=name)
    return adapter
