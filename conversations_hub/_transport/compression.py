"""Decompresses responses, up to a bound."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from ..errors import PayloadError, TransportError

__all__ = ["decompress"]


_MOST_MEMBERS = 64
_PIECE = 256 * 1024  # bytes of the body; what is left of a piece is copied for each part
_PART = 1024 * 1024


def decompress(body: bytes, encoding: str, limit: int) -> Iterator[bytes]:
    """Undo a `Content-Encoding`, part by part, to at most `limit` bytes.

    Raises `TransportError` if the stream is truncated or corrupt, and `PayloadError` for another encoding, too many
    members, or too many bytes.
    """
    if encoding in {"", "identity"}:
        yield body
        return
    if encoding not in {"gzip", "x-gzip"}:
        raise PayloadError("the response has an unsupported Content-Encoding")
    end = size = 0
    for _ in range(_MOST_MEMBERS):
        member = zlib.decompressobj(wbits=31)
        while not member.eof:
            piece = member.unconsumed_tail
            if not piece:
                piece = body[end : end + _PIECE]
                end += len(piece)
            try:
                part = member.decompress(piece, min(_PART, limit - size + 1))
            except zlib.error:
                part = piece = b""
            if not part and not piece:
                raise TransportError("the compressed response is truncated or corrupt")
            size += len(part)
            if size > limit:
                raise PayloadError(f"the response is larger than {limit} bytes")
            yield part
        end -= len(member.unused_data)
        if end == len(body):
            return
    raise PayloadError(f"the response has more than {_MOST_MEMBERS} gzip members")
