"""Recordings from the folder that a sync filled, in any part."""

from __future__ import annotations

import asyncio
from functools import partial
from mimetypes import guess_type
from pathlib import Path

import msgspec
from aiohttp import web

from .._files.recordings import names_of
from ..schema import Recording
from ..stores import StoreReader
from ._query import Arguments
from ._refusal import Refusal
from ._service import SERVICE

__all__ = ["recording"]


async def recording(request: web.Request) -> web.StreamResponse:
    """Answer with the file of a recording."""
    service = request.config_dict[SERVICE]
    Arguments(request.query, ("ticket",))
    if service.recordings is None:
        raise Refusal(404, "not_served", "start the gateway with --recordings, the folder of `sync --recordings`")
    if service.shown.is_redacted:
        raise Refusal(403, "not_served", "sound cannot be redacted, so no recording is served")
    position = int(request.match_info["position"])
    found = await service.pool.ask(partial(_recording, request.match_info["ref"], position))
    path = await asyncio.to_thread(_file, service.recordings, found, position)
    if path is None:
        raise Refusal(404, "not_found", "the recording was not downloaded: `sync --recordings` does it")
    answer = web.FileResponse(path)
    answer.content_type = _media_type(path)
    return answer


def _recording(ref: str, position: int, reader: StoreReader) -> Recording:
    one = reader.get(ref)
    if position >= len(one.recordings):
        raise Refusal(404, "not_found", "the conversation has no such recording")
    return msgspec.structs.replace(one.recordings[position], ref=one.ref)


def _file(folder: Path, recording: Recording, position: int) -> Path | None:
    paths = (folder / name for name in names_of(recording, position))
    return next((path for path in paths if path.is_file() and not path.is_symlink()), None)


def _media_type(path: Path) -> str:
    """Return the type of sound or video; a provider may call a recording anything, also a page."""
    found = guess_type(path.name)[0] or ""
    return found if found.startswith(("audio/", "video/")) else "application/octet-stream"
