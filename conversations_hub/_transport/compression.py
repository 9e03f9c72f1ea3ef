"""Decompresses responses, up to a bound."""

from __future__ import annotations

import zlib

from ..errors import PayloadError, TransportError

__all__ = ["decompress"]


_MOST_MEMBERS = 64


def decompress(body: bytes, encoding: str, limit: int) -> bytes:
    """Undo a `Content-Encoding`, to at most `limit` bytes.

    Raises `TransportError` if the stream is truncated or corrupt, and `PayloadError` for another encoding, too many
    members, or too many bytes.
    """
    if encoding in {"", "identity"}:
        return body
    if encoding not in {"gzip", "x-gzip"}:
        raise PayloadError("the response has an unsupported Content-Encoding")
    parts: list[bytes] = []
    size = 0
    for _ in range(_MOST_MEMBERS):
        member = zlib.decompressobj(wbits=31)
        try:
            parts.append(member.decompress(body, limit - size + 1))
        except zlib.error:
            break
        size += len(parts[-1])
        if size > limit:
            raise PayloadError(f"the response is larger than {limit} bytes")
        if not member.eof:
            break
        body = member.unused_data
        if not body:
            return b"".join(parts)
    else:
        raise PayloadError(f"the response has more than {_MOST_MEMBERS} gzip members")
    raise TransportError("the compressed response is truncated or corrupt")
