"""The body of an answer, whole or not at all."""

from __future__ import annotations

from typing import Final

import aiohttp

from ..errors import HubError, PayloadError
from ..wire import field
from .compression import decompress

__all__ = ["read"]

_LARGEST_REFUSAL: Final = 64 * 1024  # it is read for its words only


async def read(answer: aiohttp.ClientResponse, largest: int) -> bytes:
    """Read a body whole, bounded to `largest` bytes on the wire and decompress; of a refusal only the beginning.

    Raises `PayloadError` for what is larger, and `TransportError` for a compressed body that was cut.
    """
    is_refusal = answer.status >= 300
    limit = _LARGEST_REFUSAL if is_refusal else largest
    declared = answer.content_length
    if declared is not None and declared <= limit:
        body = await answer.read()
    else:
        body = await _read_up_to(limit, answer, declared, is_refusal=is_refusal)
    encoding = field(answer.headers, "content-encoding")
    if not encoding or not body:  # what has no content needs no decoder, and may still be labelled
        return body
    try:
        return decompress(body, encoding.lower(), limit)
    except HubError:
        if not is_refusal:
            raise
    return b""  # its status says enough


async def _read_up_to(limit: int, answer: aiohttp.ClientResponse, declared: int | None, *, is_refusal: bool) -> bytes:
    parts: list[bytes] = []
    size = 0
    if declared is None or is_refusal:
        async for part in answer.content.iter_any():
            parts.append(part)
            size += len(part)
            if size > limit:
                break
        else:
            return b"".join(parts)
    answer.close()
    if is_refusal:
        return b"".join(parts)[:limit]
    raise PayloadError(f"the answer is larger than {limit} bytes")
