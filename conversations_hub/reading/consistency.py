"""What no conversation can be, whatever its provider says: changed before it was created, decades long, paid back."""

from __future__ import annotations

from typing import Final

import msgspec

from ..schema import Conversation, Issue
from .values import LONGEST_SPAN

__all__ = ["consistent"]

_IN_ORDER: Final = (("created_at", "updated_at"), ("started_at", "ended_at"))
_SECOND: Final = 1.0  # instants in whole seconds may be before others that are finer


def consistent(conversation: Conversation) -> Conversation:
    """Return a conversation without the values that cannot be, each with an issue that says which field it was."""
    wrong: dict[str, str] = {}
    for earlier, later in _IN_ORDER:
        begin, end = getattr(conversation, earlier), getattr(conversation, later)
        if begin is not None and end is not None and end < begin and (begin - end).total_seconds() >= _SECOND:
            wrong[later] = f"before {earlier}"
    duration, cost = conversation.duration, conversation.cost
    if duration is not None and not 0 <= duration < LONGEST_SPAN:
        wrong["duration"] = "not a number of seconds"
    if cost is not None and cost.amount.is_signed() and not cost.amount.is_zero():
        wrong["cost"] = "negative"
    if not wrong:
        return conversation
    told = {issue.place for issue in conversation.issues}
    issues = (*conversation.issues, *(Issue(name, reason) for name, reason in wrong.items() if name not in told))
    estimated = tuple(name for name in conversation.estimated if name not in wrong)
    return msgspec.structs.replace(conversation, issues=issues, estimated=estimated, **dict.fromkeys(wrong))
