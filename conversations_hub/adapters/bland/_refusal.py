"""Bland's refusals, some of which have status 200."""

# how to ask

from __future__ import annotations

from ...errors import HubError, NotFoundError, RateLimitError, RejectedError
from ...reading.json import try_decode_any
from ...reading.refusals import provider_error, words_of
from ...reading.values import text_at
from ...wire import Response


def refusal(response: Response) -> HubError:
    """Read a refusal; some have status 200, and one 429 is permanent."""
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
    """Return the words of a refusal; None if the answer is not a refusal, or has none."""
    return None if _status_in(response) == "success" else words_of(response)


def is_refused(response: Response) -> bool:
    """Whether an answer says that it is a refusal, whatever its status."""
    return _status_in(response) == "error"


def _status_in(response: Response) -> str | None:
    return text_at(try_decode_any(response.body), "status")
