"""The body of a response, complete or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from io import BytesIO
from itertools import chain
from typing import Final

import aiohttp

from ..errors import HubError, PayloadError
from ..reading.json import LARGE
from ..wire import field
from .compression import decompress

__all__ = ["read"]

_LARGEST_REFUSAL: Final = 64 * 1024  # it is read only for its message


async def read(response: aiohttp.ClientResponse, largest: int) -> bytes:
    """Read a whole body of at most `largest` bytes, on the wire and decompressed; of an error response only the start.

    Raises `PayloadError` for a larger body, and `TransportError` for a compressed body that is truncated.
    """
    is_refusal = response.status >= 300
    limit = _LARGEST_REFUSAL if is_refusal else largest
    declared = response.content_length
    if declared is not None and declared <= min(limit, LARGE):
        body = await response.read()
    else:
        body = await _read_up_to(limit, response, declared, is_refusal=is_refusal)
    encoding = field(response.headers, "content-encoding")
    if not encoding or not body:  # an empty body needs no decoder, and may have the header all the same
        return body
    try:
        return await _joined(decompress(body, encoding.lower(), limit))
    except HubError:
        if not is_refusal:
            raise
    return b""  # its status says enough


async def _read_up_to(limit: int, response: aiohttp.ClientResponse, declared: int | None, *, is_refusal: bool) -> bytes:
    parts: list[bytes] = []
    size = 0
    if declared is None or declared <= limit or is_refusal:
        async for part in response.content.iter_any():
            parts.append(part)
            size += len(part)
            if size > limit:
                break
        else:
            return await _joined(iter(parts))
    response.close()
    if is_refusal:
        return b"".join(parts)[:limit]
    raise PayloadError(f"the response is larger than {limit} bytes")


async def _joined(parts: Iterator[bytes]) -> bytes:
    """Join parts; once there are many bytes of them, the others are made in a thread, and all are joined there."""
    some: list[bytes] = []
    size = 0
    for part in parts:
        some.append(part)
        size += len(part)
        if size > LARGE:
            return await asyncio.to_thread(_joined_one_by_one, chain(some, parts))
    return b"".join(some)


def _joined_one_by_one(parts: Iterable[bytes]) -> bytes:
    """Join parts so that other threads get their turn in between."""
    made = [*parts]
    if len(made) == 1:
        return made[0]
    whole = BytesIO(bytes(sum(map(len, made))))  # growing could copy all of it
    for part in made:
        whole.write(part)
    return whole.getvalue()
