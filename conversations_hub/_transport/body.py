"""The body of a response, complete or not at all."""

from __future__ import annotations

from typing import Final

import aiohttp

from ..errors import HubError, PayloadError
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
    if declared is not None and declared <= limit:
        body = await response.read()
    else:
        body = await _read_up_to(limit, response, declared, is_refusal=is_refusal)
    encoding = field(response.headers, "content-encoding")
    if not encoding or not body:  # an empty body needs no decoder, and may have the header all the same
        return body
    try:
        return decompress(body, encoding.lower(), limit)
    except HubError:
        if not is_refusal:
            raise
    return b""  # its status says enough


async def _read_up_to(limit: int, response: aiohttp.ClientResponse, declared: int | None, *, is_refusal: bool) -> bytes:
    parts: list[bytes] = []
    size = 0
    if declared is None or is_refusal:
        async for part in response.content.iter_any():
            parts.append(part)
            size += len(part)
            if size > limit:
                break
        else:
            return b"".join(parts)
    response.close()
    if is_refusal:
        return b"".join(parts)[:limit]
    raise PayloadError(f"the response is larger than {limit} bytes")
