"""Error responses of a provider, as errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from ..errors import (
    HubError,
    PayloadError,
    ProviderError,
    RejectedError,
    for_status,
)
from ..wire import Response
from .json import try_decode

__all__ = ["by_status", "one_line", "provider_error", "read_or_raise"]

T = TypeVar("T")


def one_line(words: str, most: int = 200) -> str:
    """Return a provider's words as one line of at most `most` characters that is safe to log and to print."""
    start = words[: most + 1]
    shown = "".join(character if character.isprintable() else ascii(character)[1:-1] for character in start)
    return shown if len(shown) <= most else shown[: most - 1] + "…"


def provider_error(
    response: Response, words: str | None, kind: type[ProviderError] | None = None, *, retryable: bool | None = None
) -> ProviderError:
    """Return the error for an error response: its class by status unless given, and the provider's words if any.

    The words are complete: the transport removes credentials from them before it shortens them.
    """
    said = words or "the provider gave no reason"
    return (kind or for_status(response.status))(said, status=response.status, retryable=retryable)


_reason = msgspec.json.Decoder(dict[str, Any])


def by_status(response: Response) -> HubError:
    """Return the error for an error response by its status, with the text of its `message`, `error` or `detail`."""
    body = try_decode(response.body, _reason) or {}
    words = (body.get(name) for name in ("message", "error", "detail"))
    return provider_error(response, next((word for word in words if isinstance(word, str) and word), None))


def read_or_raise(response: Response, read: Callable[[bytes], T], words: Callable[[Response], str | None]) -> T:
    """Read a 2xx response; raise `RejectedError` for an error under HTTP 200, else the `PayloadError` of `read`."""
    try:
        return read(response.body)
    except PayloadError as error:
        failure = error
    said = words(response)
    raise provider_error(response, said, RejectedError) if said else failure
