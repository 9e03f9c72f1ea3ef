"""The providers: one module each, listed in one table; other packages may publish more."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from ..errors import ConfigurationError, UnknownAccountError

if TYPE_CHECKING:
    from ..adapter import Adapter

__all__ = ["BUILTIN", "available", "load", "usable"]

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
    "anam",
    "liveavatar",
    "beyond_presence",
    "fish_audio",
    "cartesia",
    "claude",
    "openai",
    "synthflow",
    "intercom",
    "chatwoot",
    "assemblyai",
    "twilio",
    "bolna",
)
"""The providers that come with the package; each is a module of that name here."""


def available() -> tuple[str, ...]:
    """Return the names of all providers: the built-in ones first, then those that other packages publish."""
    from .._published import entries  # noqa: PLC0415  (21 ms, and the table alone needs none of it)

    return (*BUILTIN, *sorted(entries().keys() - set(BUILTIN)))


def load(name: str) -> Adapter:
    """Return the adapter of a provider: a built-in one, or one that another package publishes.

    A published adapter is an entry point of the group `conversations_hub.adapters`, named for its provider, that holds
    an `Adapter`. Raises `UnknownAccountError` for an unknown name, `ConfigurationError` for a published adapter that is
    broken.
    """
    if name in BUILTIN:
        adapter: Adapter = import_module(f".{name}", __name__).ADAPTER
        return adapter
    from .._published import entries, loaded  # noqa: PLC0415  (only for names of other packages)

    published = entries().get(name)
    if not published:
        raise UnknownAccountError(f"unknown provider {name!r}; built in: {', '.join(BUILTIN)}")
    return loaded(published)


def usable(name: str) -> Adapter:
    """Return the adapter of a provider as `load` does; for a broken one, an adapter whose calls fail and say why.

    It behaves like a provider that is down, and fails for its own accounts only.
    """
    try:
        return load(name)
    except UnknownAccountError:
        raise
    except ConfigurationError as error:
        reason = error.reason
    from .._published import broken  # noqa: PLC0415

    return broken(name, reason)
