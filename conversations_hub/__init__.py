"""One async client for the past conversations of every AI voice and video agent platform.

    from conversations_hub import Hub

    async with Hub.from_env() as hub:
        async for conversation in hub.list(transcripts=True):
            print(conversation)

Every name is resolved on first use, so that importing the package stays cheap.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from . import errors
    from .account import Account
    from .hub import Hub
    from .policy import PROFILES, Profile
    from .schema import Conversation, TranscriptTurn
    from .version import __version__
else:
    _HOMES = {
        "Account": "account",
        "Conversation": "schema",
        "Hub": "hub",
        "PROFILES": "policy",
        "Profile": "policy",
        "TranscriptTurn": "schema",
        "__version__": "version",
    }

    def __getattr__(name: str) -> object:
        from importlib import import_module  # noqa: PLC0415

        if name == "errors":
            return import_module(".errors", __name__)
        if name in _HOMES:
            return getattr(import_module(f".{_HOMES[name]}", __name__), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})


__all__ = ["PROFILES", "Account", "Conversation", "Hub", "Profile", "TranscriptTurn", "__version__", "errors"]
