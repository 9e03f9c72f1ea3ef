"""The provider of the page on adding one."""

from __future__ import annotations

from conversations_hub.reading.json import Json

from .paths import DOCS

__all__ = ["CALL", "PAGE"]

PAGE = DOCS / "guides" / "adding-a-provider.md"
CALL: dict[str, Json] = {
    "id": 7,
    "state": "done",
    "created": 1763630000,
    "turns": [{"speaker": "bot", "text": "Hello.", "at": 0.5}],
}
