"""What changed in a store, as targets hear of it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from hashlib import sha256
from itertools import islice
from typing import Final

import msgspec

from ..errors import NotFoundError
from ..redaction._redactors import Redact, redacted
from ..schema import Conversation
from ..stores import ChangeReader
from ..stores._asking import Asking
from ._outbox import News
from ._target import ForwardTarget

__all__ = ["Source"]

_BATCH: Final = 200  # changes


class Source:
    """An open store."""

    def __init__(self, ask: Asking, redact: Sequence[Redact]) -> None:
        self._ask = ask
        self._redact = redact

    async def news(self, target: ForwardTarget, cursor: str | None) -> tuple[list[News], str | None]:
        """Return what a target is to hear of after a cursor, some of it, and where that ends; None: nothing changed."""
        return await self._ask(partial(_news, target, cursor))

    async def end(self) -> str:
        """Return the cursor after everything that is there."""
        return await self._ask(lambda reader: reader.end_of_changes())

    async def get(self, ref: str) -> Conversation | None:
        """Return a conversation as targets may see it; None: it is not there any more."""
        return await self._ask(partial(self._get, ref))

    def _get(self, ref: str, reader: ChangeReader) -> Conversation | None:
        try:
            found = reader.get(ref)
        except NotFoundError:
            return None
        return msgspec.structs.replace(redacted(found, self._redact), raw=None)


def _news(target: ForwardTarget, cursor: str | None, reader: ChangeReader) -> tuple[list[News], str | None]:
    found: list[News] = []
    end = None
    for change in islice(reader.changes(cursor), _BATCH):
        end = change.cursor
        event = f"evt_{sha256(f'{target.name} {end}'.encode()).hexdigest()[:32]}"
        if change.conversation is None:
            found.append(News(event=event, digest=change.erased or "", ref=None))
        elif target.wants(change.conversation):
            ref = change.conversation.ref
            found.append(News(event=event, digest=reader.digest(ref), ref=ref))
    return found, end
