"""Make one conversation of two versions, such as a stored one and what a webhook says, so that nothing gets thinner."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final, cast

import msgspec

from .._merging import merge
from ..schema import Conversation, Issue, Status, TranscriptState

__all__ = ["UNSAID", "beyond", "is_thinner", "reconciled"]

_PHASES: Final = {
    Status.UNKNOWN: 0,
    Status.QUEUED: 1,
    Status.RINGING: 1,
    Status.IN_PROGRESS: 2,
    Status.PROCESSING: 3,
}
_FINISHED: Final = 4
_STATES: Final = (
    TranscriptState.NOT_LOADED,
    TranscriptState.PENDING,
    TranscriptState.TRUNCATED,
    TranscriptState.AVAILABLE,
)
_NOTHING: Final = -2  # less than any state of a transcript that is there
_GONE: Final = frozenset({TranscriptState.RESTRICTED, TranscriptState.UNAVAILABLE})
_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)

UNSAID: Final = {
    name: getattr(Conversation(provider="", id=""), name)
    for name in Conversation.__struct_fields__
    if name not in {"provider", "account", "id"}
}
"""The values of fields that a conversation says nothing in, by name."""

_NO_LONGER: Final = Issue("get", "no longer at the provider")


def reconciled(stored: Conversation, told: Conversation, *, fetched: bool = False) -> Conversation:
    """Return one conversation of a stored version and another that came later, or in no known order.

    The version that is further on is kept, else the stored one, and what only the other one has is added. The fuller
    transcript stays, with its state and its participants. `fetched` says that `told` is what the provider returns now:
    once the conversation has finished, or was changed since the stored version, its transcript then replaces the stored
    one even if it is shorter, because providers correct transcripts; but a transcript that is restricted or gone at the
    provider stays, with an issue that says so.
    """
    is_final = fetched and (told.is_finished or _is_newer(told, stored.updated_at))
    base, other = (told, stored) if is_final or _rank(told) > _rank(stored) else (stored, told)
    # Both kept their provider's JSON; only that of the version that is kept describes it.
    without_raw = msgspec.structs.replace(other, raw=None)
    merged = merge(without_raw, base)
    speaks = _speaking(stored, told, is_final=is_final)
    changed: dict[str, Any] = {
        "transcript": speaks.transcript,
        "transcript_state": speaks.transcript_state,
        "participants": speaks.participants,
    }
    if is_final and speaks is stored and told.transcript_state in _GONE and _NO_LONGER not in merged.issues:
        changed["issues"] = (*merged.issues, _NO_LONGER)
    return msgspec.structs.replace(merged, **changed)


def beyond(told: Conversation, fetched: Conversation) -> Conversation:
    """Return of what webhooks told only what a fetch does not say, or says differently."""
    changed: dict[str, Any] = {"raw": None, "issues": ()}
    for name, nothing in UNSAID.items():
        ours, theirs = getattr(told, name), getattr(fetched, name)
        if ours == theirs:
            changed[name] = nothing
        elif isinstance(ours, dict):
            members = cast("dict[str, Any]", ours).items()
            changed[name] = {member: value for member, value in members if theirs.get(member) != value}
    if fetched.transcript:
        changed |= {"transcript": None, "transcript_state": TranscriptState.NOT_LOADED, "participants": ()}
    return msgspec.structs.replace(told, **changed)


def is_thinner(told: Conversation, *, status: str, turns: int | None, updated_at: datetime | None) -> bool:
    """Whether a version says less than a stored one of this status, with so many turns: it is from an earlier fetch."""
    has_ended = Status(status).is_finished
    return bool(turns and not told.transcript) or (
        has_ended and not told.is_finished and not _is_newer(told, updated_at)
    )


def _is_newer(told: Conversation, than: datetime | None) -> bool:
    return told.updated_at is not None and than is not None and told.updated_at > than


def _speaking(stored: Conversation, told: Conversation, *, is_final: bool) -> Conversation:
    """Return the version whose transcript is kept."""
    if not stored.transcript or not told.transcript:
        if stored.transcript or told.transcript:
            return stored if stored.transcript else told
        return told if is_final else max(stored, told, key=lambda one: (_is_loaded(one), _rank(one)))
    if is_final and _state(told) >= _state(stored):
        return told
    return max(stored, told, key=lambda one: (_fullness(one), _rank(one)))


def _is_loaded(one: Conversation) -> bool:
    """Whether it says anything about its transcript, be it that nothing was said."""
    return one.transcript_state is not TranscriptState.NOT_LOADED


def _rank(one: Conversation) -> tuple[Any, ...]:
    """Return by what versions are compared: how far on they are, and then how much they hold."""
    return (
        _PHASES.get(one.status, _FINISHED),
        one.updated_at or _LONG_AGO,
        _fullness(one),
        one.analysis is not None,
        one.summary is not None,
        len(one.recordings),
        one.ended_at or _LONG_AGO,
    )


def _fullness(one: Conversation) -> tuple[int, int, int]:
    turns = one.transcript or ()
    return _state(one) if turns else _NOTHING, len(turns), sum(len(turn.text) for turn in turns)


def _state(one: Conversation) -> int:
    return _STATES.index(one.transcript_state) if one.transcript_state in _STATES else -1
