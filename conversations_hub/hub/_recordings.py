"""Finds the current URL of a recording: handles expire, and the conversation then has new ones."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from .._merging import place_of, same_recording
from .._scrub.signatures import is_unsigned
from .._transport import Lane
from .._transport.download import Download, download_to
from .._transport.guard import Guard
from ..errors import HubError, NotFoundError, RejectedError, UnsupportedError
from ..schema import Recording, RecordingAccess
from ._reader import ResourceReader

__all__ = ["Download", "download"]

_GONE = frozenset({403, 404, 410})  # how an object store answers an expired URL


async def download(
    reader: ResourceReader,
    id: str,
    recording: Recording,
    path: Path,
    *,
    allow_any_public_host: bool,
    largest: int,
    deadline: float,
    overwrite: bool,
) -> Download:
    """Download a recording of the conversation with an id.

    A handle that has expired, or was stored without its signature, is replaced by a new one, once.
    """
    lane = reader.lane
    guard = Guard(lane.base_url, lane.adapter.recording_hosts, any_public_host=allow_any_public_host)
    identity = f"{recording.ref}\n{recording.access.value}\n{place_of(recording)}"
    until = lane.clock.monotonic() + deadline
    expires = recording.access is RecordingAccess.SIGNED_URL

    async def fetch(one: Recording) -> Download:
        signs = not expires and lane.adapter.recording is None
        return await download_to(
            lane,
            await _url(lane, one),
            path,
            identity=identity,
            guard=guard,
            signs=signs,
            largest=largest,
            until=until,
            overwrite=overwrite,
        )

    try:
        if recording.access is RecordingAccess.CUSTOMER_BUCKET:
            raise UnsupportedError(
                "the recording is in the customer's own bucket: read it there, with a key for that bucket"
            )
        if not expires:
            return await fetch(recording)
        if not is_unsigned(recording) and not _has_expired(recording, lane.clock.now()):
            try:
                return await fetch(recording)
            except (NotFoundError, RejectedError) as error:
                if error.status not in _GONE:
                    raise
        return await fetch(same_recording((await reader.get(id)).recordings, recording))
    except HubError as error:
        if error.provider is None:
            error.provider, error.account, error.operation = lane.account.provider, lane.account.name, "download"
        raise


async def _url(lane: Lane, recording: Recording) -> str:
    if recording.access is not RecordingAccess.PROVIDER_KEY:
        return recording.location
    if lane.adapter.recording is not None:
        return await lane.run("download", lane.adapter.recording(lane.account, recording))
    return lane.base_url + recording.location if recording.location.startswith("/") else recording.location


def _has_expired(recording: Recording, now: datetime) -> bool:
    return recording.expires_at is not None and recording.expires_at <= now
