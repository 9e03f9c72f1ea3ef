"""Vapi's refusals: one sentence or a list of them, and some under a status that means another thing."""

# how to ask

from __future__ import annotations

import re

import msgspec

from ...errors import HubError, NotFoundError, RateLimitError
from ...reading.json import try_decode
from ...reading.refusals import provider_error
from ...reading.values import AnyJson
from ...wire import Response

__all__ = ["refusal", "words"]


class _Refusal(msgspec.Struct):
    message: AnyJson = None
    error: AnyJson = None


_refusal = msgspec.json.Decoder(_Refusal, strict=False)

# `id`, but not `assistantId`.
_NO_UUID = re.compile(r"\bid must be a uuid|uuid is expected", re.IGNORECASE)


def refusal(response: Response) -> HubError:
    """Read a refusal; too many calls at once and ids of another make come as 400."""
    said = words(response)
    if response.status == 400 and said:
        # https://github.com/VapiAI/docs/pull/110
        if "concurrency limit" in said.lower():
            return provider_error(response, said, RateLimitError)
        if _NO_UUID.search(said):
            return provider_error(response, said, NotFoundError)
    return provider_error(response, said)


def words(response: Response) -> str | None:
    """Return what a refusal says: one sentence or a list of them, with the status's own name in `error`."""
    sent = try_decode(response.body, _refusal) or _Refusal()
    said = sent.message if isinstance(sent.message, list) else [sent.message]
    joined = "; ".join(word for word in said if isinstance(word, str) and word)
    return joined or (sent.error if isinstance(sent.error, str) and sent.error else None)
