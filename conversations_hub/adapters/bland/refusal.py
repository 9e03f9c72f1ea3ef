"""Bland's refusals: words in several shapes, some of them under HTTP 200."""

# how to ask

from __future__ import annotations

from ...errors import HubError, NotFoundError, RateLimitError, RejectedError
from ...reading.json import try_decode
from ...reading.refusals import provider_error
from ...reading.values import AnyJson
from ...wire import Response
from .payload import REFUSAL, Refusal

__all__ = ["is_refused", "refusal", "words"]


def refusal(response: Response) -> HubError:
    """Read a refusal; some come under HTTP 200, and one 429 will never pass."""
    told = words(response)
    said = (told or "").lower()
    # https://docs.bland.ai/api-v1/post/calls
    if response.status == 429 and "blacklisted" in said:
        return provider_error(response, told, RejectedError, retryable=False)
    if response.ok or response.status == 400:
        # https://docs.bland.ai/api-v1/post/calls-id-stop
        if "not found" in said:
            return provider_error(response, told, NotFoundError)
        if "rate limit" in said:
            return provider_error(response, told, RateLimitError)
    return provider_error(response, told)


def words(response: Response) -> str | None:
    """Return what a refusal says; None where an answer is none, or says nothing."""
    sent = _refusal_in(response)
    if sent.status == "success":
        return None
    errors = sent.errors if isinstance(sent.errors, list) else ()
    said = [sent.message, *map(_complaint, errors), sent.error]
    return "; ".join(words for words in said if isinstance(words, str) and words) or None


def is_refused(response: Response) -> bool:
    """Whether an answer says of itself that it is a refusal, whatever its status."""
    return _refusal_in(response).status == "error"


def _refusal_in(response: Response) -> Refusal:
    return try_decode(response.body, REFUSAL) or Refusal()


def _complaint(sent: AnyJson) -> str | None:
    if not isinstance(sent, dict):
        return sent if isinstance(sent, str) else None
    told = (sent.get("error"), sent.get("message"))
    return ": ".join(words for words in told if isinstance(words, str))
