"""Compressed answers, undone to a bound."""

from __future__ import annotations

import zlib

from ..errors import PayloadError, TransportError

__all__ = ["decompress"]


_MOST_MEMBERS = 64


def decompress(body: bytes, encoding: str, limit: int) -> bytes:
    """Undo a `Content-Encoding`, to at most `limit` bytes.

    Raises `TransportError` where the stream is cut or corrupt, `PayloadError` for another coding, too many members
    and too much.
    """
    if encoding in {"", "identity"}:
        return body
    if encoding not in {"gzip", "x-gzip"}:
        raise PayloadError("the answer is compressed in a way nobody asked for")
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
            raise PayloadError(f"the answer is larger than {limit} bytes")
        if not member.eof:
            break
        body = member.unused_data
        if not body:
            return b"".join(parts)
    else:
        raise PayloadError(f"the answer is compressed in more than {_MOST_MEMBERS} pieces")
    raise TransportError("the compressed answer is cut or corrupt")
