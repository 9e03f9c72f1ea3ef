"""What of a conversation a token may see: nothing that was redacted, and no number of a person without its scope."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any

import msgspec

from ..redaction import Redact
from ..redaction._redactors import redacted
from ..schema import Agent, Conversation, TranscriptTurn
from ._tokens import Scope

__all__ = ["Show", "Shown"]

Show = Callable[[Conversation], Conversation]
"""Returns what is shown of a conversation; raises `StoreError` if a redactor fails."""


class Shown:
    """Makes of stored conversations what is shown of them."""

    def __init__(self, redactors: Sequence[Redact]) -> None:
        self._redactors = tuple(redactors)
        self.is_redacted = bool(self._redactors)
        """Whether anything is removed from all of them."""

    def to(self, scopes: Collection[Scope]) -> Show:
        """Return what shows conversations to a token with these scopes."""
        return partial(self._conversation, scopes)

    def _conversation(self, scopes: Collection[Scope], one: Conversation) -> Conversation:
        one = redacted(one, self._redactors)
        one = msgspec.structs.replace(one, raw=None)  # which has a route of its own
        if "raw" in scopes:
            return one
        participants = tuple(msgspec.structs.replace(each, phone=None) for each in one.participants)
        return msgspec.structs.replace(one, participants=participants, metadata={})

    def text(self, text: str) -> str:
        """Return a text that was said, redacted."""
        if not self._redactors:
            return text
        turns = self._alone(transcript=(TranscriptTurn(index=0, text=text),)).transcript
        return turns[0].text if turns else ""

    def agent(self, id: str) -> str | None:
        """Return the id of an agent as it stands in conversations; None if it does not."""
        agent = self._alone(agent=Agent(id=id)).agent
        return None if agent is None else agent.id

    def tag(self, tag: str) -> str | None:
        """Return a tag as it stands in conversations; None if it does not."""
        return next(iter(self._alone(tags=(tag,)).tags), None)

    def _alone(self, **fields: Any) -> Conversation:
        return redacted(Conversation(provider="text", id="text", **fields), self._redactors)

    def raw(self, one: Conversation) -> bytes | None:
        """Return the provider's JSON, redacted; None if it was not kept."""
        return redacted(one, self._redactors).raw
