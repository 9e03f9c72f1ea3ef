"""What webhooks told of a conversation, as the text of a column: only the fields that they filled."""

from __future__ import annotations

from typing import Any

import msgspec

from ...schema import Conversation
from .._reconcile import UNSAID
from .._untrusted import json_value

__all__ = ["told_of", "told_text"]

_encoder = msgspec.json.Encoder()


def told_text(told: Conversation | None) -> str:
    """Return the text; an empty object says that webhooks told of it, and no more than was fetched."""
    values = {} if told is None else {name: getattr(told, name) for name in UNSAID if name != "raw"}
    return _encoder.encode({name: value for name, value in values.items() if value != UNSAID[name]}).decode()


def told_of(text: str | None, one: Conversation) -> Conversation | None:
    """Return what webhooks told of a conversation; None if no more than was fetched.

    Raises one of `UNREADABLE` for invalid values.
    """
    found: dict[str, Any] = {} if text is None else json_value(text)
    if not found:
        return None
    names = {"provider": one.provider, "account": one.account, "id": one.id}
    return msgspec.convert(found | names, Conversation)
