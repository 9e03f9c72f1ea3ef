"""Recordings from the folder that a sync filled, in any part; with a hub, what it lacks is downloaded into it."""

from __future__ import annotations

import asyncio
from mimetypes import guess_type
from pathlib import Path
from typing import Final

import msgspec
from aiohttp import web

from .._files.opening import make_folder
from .._files.recordings import names_of
from ..errors import StoreError
from ..hub import Hub
from ..schema import Conversation, Recording
from ._query import Arguments
from ._refusal import Refusal
from ._service import SERVICE, Service

__all__ = ["recording"]

_LARGEST: Final = 512 * 1024 * 1024  # bytes of a download
_LONGEST: Final = 60.0  # seconds that a download may take


async def recording(request: web.Request) -> web.StreamResponse:
    """Answer with the file of a recording."""
    service = request.config_dict[SERVICE]
    Arguments(request.query, ("ticket",))
    folder = service.recordings
    if folder is None:
        raise Refusal(404, "not_served", "start the gateway with --recordings, the folder of `sync --recordings`")
    if service.shown.is_redacted:
        raise Refusal(403, "not_served", "sound cannot be redacted, so no recording is served")
    position = int(request.match_info["position"])
    found = await _recording(service, request.match_info["ref"], position)
    path = await asyncio.to_thread(_file, folder, found, position)
    if path is None and service.hub is not None:
        wanted = folder / names_of(found, position)[0]
        async with service.downloads.setdefault(wanted, asyncio.Lock()):
            path = await asyncio.to_thread(_file, folder, found, position)
            path = path or await _downloaded(service.hub, found, wanted)
    if path is None:
        raise Refusal(404, "not_found", "the recording was not downloaded: `sync --recordings` does it")
    answer = web.FileResponse(path)
    answer.content_type = _media_type(path)
    return answer


async def _recording(service: Service, ref: str, position: int) -> Recording:
    if not service.has_store and service.hub is not None:
        return _of(position, await service.hub.get(ref, timeout=_LONGEST))
    return await service.pool.ask(lambda reader: _of(position, reader.get(ref)))


def _of(position: int, one: Conversation) -> Recording:
    if position >= len(one.recordings):
        raise Refusal(404, "not_found", "the conversation has no such recording")
    return msgspec.structs.replace(one.recordings[position], ref=one.ref)


def _file(folder: Path, recording: Recording, position: int) -> Path | None:
    paths = (folder / name for name in names_of(recording, position))
    return next((path for path in paths if path.is_file() and not path.is_symlink()), None)


async def _downloaded(hub: Hub, recording: Recording, path: Path) -> Path:
    try:
        await asyncio.to_thread(make_folder, path.parent)
    except OSError as error:
        raise StoreError(f"{path.parent}: {error.strerror}") from None
    await hub.download(recording, path, largest=_LARGEST, deadline=_LONGEST)
    return path


def _media_type(path: Path) -> str:
    """Return the type of sound or video; a provider may call a recording anything, also a page."""
    found = guess_type(path.name)[0] or ""
    return found if found.startswith(("audio/", "video/")) else "application/octet-stream"
