"""What the gateway itself refuses, and the problem document (RFC 9457) that says why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["Refusal"]

_TITLES: Final = {
    "bad_request": "The request is not one that can be answered",
    "invalid_argument": "An argument is invalid",
    "no_token": "A token is needed",
    "wrong_token": "The token is not valid here",
    "scope": "The token does not reach this far",
    "cross_site": "Another site's page may not ask",
    "not_found": "There is nothing here",
    "method": "Only GET and HEAD are answered",
    "not_acceptable": "There is no answer of this media type",
    "wrong_host": "The request is for another host",
    "too_many": "Too many requests",
    "time_limit": "The question took too long",
    "unsupported": "This is not available here",
    "not_served": "This is not served",
    "format": "The conversation cannot be written in this format",
    "too_large": "The head of the request is too large",
    "stopping": "The service is stopping",
    "unexpected": "Something unexpected happened",
}


class Refusal(Exception):  # noqa: N818  (it is an answer)
    """An answer that refuses a request. `detail` never repeats what was asked."""

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(kind)
        self.status = status
        self.kind = kind
        self.detail = detail or _TITLES[kind]
        self.retry_after = retry_after
        self.headers = dict(headers or {})

    def document(self) -> dict[str, Any]:
        """Return the problem document, in the form of `errors.problem`."""
        members = {
            "type": f"/problems/{self.kind}",
            "title": _TITLES[self.kind],
            "status": self.status,
            "detail": self.detail,
            "kind": self.kind,
            "retryable": self.retry_after is not None,
            "retry_after": self.retry_after,
        }
        return {name: value for name, value in members.items() if value is not None}
