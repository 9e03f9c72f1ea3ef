"""Merges a list row with the details that `get` returns for the same conversation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from .errors import HubError, NotFoundError
from .schema import Agent, Analysis, Conversation, Issue, Recording, TranscriptState

__all__ = ["merge", "place_of", "same_recording", "without_details"]


_FIELDS: dict[type[msgspec.Struct], list[tuple[str, Any]]] = {
    kind: [(field.name, field.default) for field in msgspec.structs.fields(kind)]
    for kind in (Conversation, Agent, Analysis)
}


_PARTS = ("agent", "analysis")


def merge(row: Conversation, details: Conversation) -> Conversation:
    """Return the details, with everything that only the row has."""
    only_row = _only_in(row, details)
    for name in _PARTS:
        part, whole = getattr(row, name), getattr(details, name)
        if part is not None and whole is not None and (more := _only_in(part, whole)):
            only_row[name] = msgspec.structs.replace(whole, **more)
    if row.raw is not None and details.raw is not None:
        only_row["raw"] = msgspec.json.encode({"list": msgspec.Raw(row.raw), "get": msgspec.Raw(details.raw)})
    only_row["estimated"] = (*details.estimated, *(name for name in row.estimated if name in only_row))
    return msgspec.structs.replace(details, **only_row)


def without_details(row: Conversation, error: HubError) -> Conversation:
    """Return a row whose details could not be fetched, with an issue that says so."""
    issue = Issue("get", f"details could not be loaded: {type(error).__name__}")
    return msgspec.structs.replace(row, transcript_state=TranscriptState.NOT_LOADED, issues=(*row.issues, issue))


def _only_in(row: msgspec.Struct, details: msgspec.Struct) -> dict[str, Any]:
    found: dict[str, Any] = {}
    values = zip(_FIELDS[type(row)], msgspec.structs.astuple(row), msgspec.structs.astuple(details), strict=True)
    for (name, absent), ours, theirs in values:
        if ours is theirs:
            continue
        if theirs == absent and ours != absent:
            found[name] = ours
        elif isinstance(ours, dict) and ours.keys() - theirs.keys():
            found[name] = {**ours, **theirs}
    return found


def same_recording(recordings: Sequence[Recording], wanted: Recording) -> Recording:
    """Return the current handle of a recording.

    It is the one with the same location except for the query, otherwise the only one with the same access and media
    type. Raises `NotFoundError` unless exactly one matches.
    """
    alike = [one for one in recordings if (one.access, one.media_type) == (wanted.access, wanted.media_type)]
    there = [one for one in alike if place_of(one) == place_of(wanted)] or alike
    if len(there) != 1:
        raise NotFoundError("the recording's URL has expired, and the conversation no longer has that recording")
    return there[0]


def place_of(recording: Recording) -> str:
    """Return a recording's location without its query, which a provider may sign differently in each response."""
    return recording.location.partition("?")[0]
