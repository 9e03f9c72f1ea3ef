"""Makes an adapter's conversation the caller's: checked, named for its account, and without secrets."""

from __future__ import annotations

import msgspec

from ._nesting import is_too_deep
from ._scrub import without_secrets
from .adapter import Adapter
from .errors import PayloadError
from .reading.consistency import consistent
from .reading.values import is_believable
from .schema import Conversation
from .wire import wrong_with_id

__all__ = ["stamp"]


def stamp(
    conversation: Conversation, adapter: Adapter, resource: str, *, account: str | None = None, keep_raw: bool = True
) -> Conversation:
    """Return a conversation of an adapter's resource with its provider, its account, its id and refs, and no secret.

    What cannot be, such as a negative cost, becomes an issue.

    `account` is the name of the hub's account; None if it is not known, and then `conversation.account` stays.

    Raises:
        PayloadError: an invalid id, by which the conversation could not be requested, an instant that has no time zone
            or is out of range, or JSON that is kept and has more than 100 levels.
    """
    wrong = wrong_with_id(conversation.id)
    if wrong:
        raise PayloadError(f"the conversation's id {wrong}")
    if not _has_good_instants(conversation):
        raise PayloadError("the adapter has a bug: an instant without a time zone, or not from 1970 to 8999")
    # `bytes`, because a decoded body would keep its records, too.
    raw = bytes(conversation.raw) if keep_raw and conversation.raw is not None else None
    if raw is not None and _is_too_deep(raw):
        raise PayloadError("it is nested too deeply")
    stamped = msgspec.structs.replace(
        consistent(conversation),
        provider=adapter.name,
        id=adapter.id_for_all(resource, conversation.id),
        account=conversation.account if account is None else account,
        raw=raw,
    )
    stamped = without_secrets(stamped, adapter.secret_fields, is_bounded=True)
    if not stamped.recordings:
        return stamped
    recordings = tuple(msgspec.structs.replace(recording, ref=stamped.ref) for recording in stamped.recordings)
    return msgspec.structs.replace(stamped, recordings=recordings)


def _has_good_instants(one: Conversation) -> bool:
    checked = None
    for instant in (one.created_at, one.started_at, one.ended_at, one.updated_at):
        if instant is None or instant is checked:  # where a provider tells only one, it often stands for another
            continue
        if instant.tzinfo is None or not is_believable(instant):
            return False
        checked = instant
    return True


def _is_too_deep(raw: bytes) -> bool:
    try:
        return is_too_deep(raw)
    except RecursionError:
        return True
