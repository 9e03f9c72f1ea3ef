"""All errors of the library, as one tree.

HubError
├─ ConfigurationError     no key, two accounts with one name, unsafe base URL
│  └─ UnknownAccountError the hub has no such provider or account
├─ InvalidRefError        invalid ref, id, cursor or argument
├─ UnsupportedError       the provider does not support the operation
├─ HubClosedError         used after close, or in another event loop
├─ TransportError         no complete response: connection, reset, timeout, truncated body
│  ├─ DeadlineError       the operation's own deadline passed
│  └─ LocalLimitError     this process or machine is out of files, connections or threads
├─ ProviderError          the provider refused the request, in its words
│  ├─ AuthError           401
│  │  └─ ForbiddenError   403
│  ├─ NotFoundError       404, 410
│  ├─ RateLimitError      429
│  ├─ RejectedError       other 4xx
│  └─ OutageError         5xx
│     └─ CircuitOpenError not sent: the provider was down a moment ago
├─ PayloadError           a response that cannot be trusted
├─ PaginationError        a walk that loops or cannot continue
│  └─ WindowedOutError    a time filter leaves conversations out
├─ PartialError           some of several walks failed
├─ WebhookError           a webhook delivery that is refused
├─ UnsafeURLError         a URL in a response that is not followed
├─ FormatError            a conversation that a format cannot hold, or a file that is not in its format
└─ StoreError             a store that cannot be read or written: disk, file or another sync
   └─ LeaseLostError      another process writes this account now
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "AuthError",
    "CircuitOpenError",
    "ConfigurationError",
    "DeadlineError",
    "ForbiddenError",
    "FormatError",
    "HubClosedError",
    "HubError",
    "InvalidRefError",
    "LeaseLostError",
    "LocalLimitError",
    "NotFoundError",
    "OutageError",
    "PaginationError",
    "PartialError",
    "PayloadError",
    "ProviderError",
    "RateLimitError",
    "RejectedError",
    "StoreError",
    "TransportError",
    "UnknownAccountError",
    "UnsafeURLError",
    "UnsupportedError",
    "WebhookError",
    "WindowedOutError",
    "ends_account",
    "for_status",
    "problem",
]

# The statuses worth a retry; any other 5xx would fail the same way again.
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529})


class HubError(Exception):
    """Base class of every error that this library raises on purpose.

    It survives `pickle` and `copy`, and holds no secret, header, query or body.
    """

    kind: ClassVar[str] = "error"
    """Name for programs, the same in every release."""

    http_status: int = 500
    """HTTP status for a service to answer its own caller with; `status` is the provider's."""

    title: ClassVar[str] = "The operation failed"
    """Summary for the callers of such a service."""

    retryable: bool = False
    """Whether the same call may succeed a little later."""

    advice: ClassVar[str] = ""
    """What the reader can do about it; `{provider}` and `{PROVIDER}` are filled in."""

    def __init__(
        self,
        reason: str,
        *,
        provider: str | None = None,
        account: str | None = None,
        operation: str | None = None,
        attempts: int = 0,
        elapsed: float = 0.0,
        status: int | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        retryable: bool | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        """What went wrong, in one sentence."""
        self.provider = provider
        self.account = account
        self.operation = operation
        """`get`, `list`, `start`, `end`, `delete`, `send` or `download`."""
        self.attempts = attempts
        """How often the failed request was sent; an operation may make several requests."""
        self.elapsed = elapsed
        """Seconds from the call to this error."""
        self.status = status
        """The provider's HTTP status; None if there was no response."""
        self.request_id = request_id
        """The provider's id of the request, for its support desk."""
        self.retry_after = retry_after
        """Seconds that the provider asks to wait."""
        if retryable is not None:
            self.retryable = retryable
        elif status in _PASSING:
            self.retryable = True
        elif status is not None and status >= 500:
            self.retryable = False

    def __str__(self) -> str:
        said = _describe(self, self.reason)
        if self.advice and self.provider:
            said += f". {self.advice.format(provider=self.provider, PROVIDER=self.provider.upper())}"
        return said

    def __reduce__(self) -> tuple[object, ...]:
        return _revive, (type(self), self.reason, self.__dict__)


def _describe(error: HubError, reason: str) -> str:
    where = "/".join(part for part in (error.provider, error.account) if part)
    where = " ".join(part for part in (where, error.operation) if part)
    facts = [f"HTTP {error.status}"] if error.status is not None else []
    if error.attempts > 1:
        facts.append(f"{error.attempts} attempts in {error.elapsed:.1f} s")
    if error.retry_after is not None:
        facts.append(f"retry after {error.retry_after:g} s")
    if error.request_id is not None:
        facts.append(f"request {error.request_id}")
    said = f"{where}: {reason}" if where else reason
    return f"{said} ({', '.join(facts)})" if facts else said


def _revive(kind: type[HubError], reason: str, state: dict[str, Any]) -> HubError:
    error = kind.__new__(kind, reason)
    error.__dict__.update(state)
    return error


class ConfigurationError(HubError):
    """The caller's configuration is incomplete or unsafe; nothing was sent."""

    kind = "configuration"
    title = "The service is not configured for this"


class UnknownAccountError(ConfigurationError):
    """The hub has no such provider or account; nothing was sent."""

    kind = "unknown_account"
    http_status = 404
    title = "No such provider or account"


class InvalidRefError(HubError, ValueError):
    """A ref, id, cursor or argument is invalid; nothing was sent for it."""

    kind = "invalid_ref"
    http_status = 400
    title = "Invalid ref, id, cursor or argument"


class UnsupportedError(HubError):
    """The provider does not support the operation."""

    kind = "unsupported"
    http_status = 501
    title = "The provider does not support the operation"


class HubClosedError(HubError):
    """The hub was used after it was closed, or in another event loop."""

    kind = "hub_closed"
    http_status = 503
    title = "The service is closing"


class TransportError(HubError):
    """No complete response came: connection, reset, timeout, truncated body."""

    kind = "transport"
    http_status = 502
    title = "No complete response came from the provider"
    retryable = True


class DeadlineError(TransportError):
    """The operation's own deadline passed."""

    kind = "deadline"
    http_status = 504
    title = "The deadline of the operation passed"


class LocalLimitError(TransportError):
    """This process or machine is out of files, connections or threads.

    Nothing was sent, and the provider is not at fault.
    """

    kind = "local_limit"
    http_status = 503
    title = "The service is out of resources at the moment"
    retryable = False


class ProviderError(HubError):
    """The provider refused the request; `reason` is in its own words."""

    kind = "provider"
    http_status = 502
    title = "The provider refused"


class AuthError(ProviderError):
    """The provider does not accept the key (401)."""

    kind = "auth"
    title = "The provider does not accept the key of this account"
    advice = "Check the key of this account ({PROVIDER}_API_KEY if it comes from the environment)"


class ForbiddenError(AuthError):
    """The key is valid but lacks a permission (403)."""

    kind = "forbidden"
    title = "The key of this account lacks a permission"
    advice = "The key is valid but lacks a permission: grant it at {provider}, or use another key"


class NotFoundError(ProviderError):
    """The conversation does not exist, or no longer does (404, 410)."""

    kind = "not_found"
    http_status = 404
    title = "The conversation does not exist, or no longer does"


class RateLimitError(ProviderError):
    """Too many requests (429, or the provider's own way to say so)."""

    kind = "rate_limit"
    http_status = 503
    title = "Too many requests to the provider"
    retryable = True


class RejectedError(ProviderError):
    """The provider rejected the request (other 4xx)."""

    kind = "rejected"
    title = "The provider rejected the request"


class OutageError(ProviderError):
    """The provider has a failure of its own (5xx)."""

    kind = "outage"
    title = "The provider has a failure of its own"
    retryable = True


class CircuitOpenError(OutageError):
    """The request was not sent, because the provider was down a moment ago."""

    kind = "circuit_open"
    http_status = 503
    title = "The provider was down a moment ago, so requests are paused"


class PayloadError(HubError):
    """A response that cannot be trusted.

    Broken framing, not JSON, no id, another id, a redirect, too large. It says where, never the content.
    """

    kind = "payload"
    http_status = 502
    title = "The response of the provider cannot be trusted"


class PaginationError(HubError):
    """A walk that loops or cannot continue. Conversations delivered before it are valid."""

    kind = "pagination"
    http_status = 502
    title = "The list of the provider cannot be read to its end"


class WindowedOutError(PaginationError):
    """The provider's time filter leaves conversations out, so a walk of a window is not whole."""

    kind = "windowed_out"
    title = "The time filter of the provider leaves conversations out"


class WebhookError(HubError):
    """A webhook delivery that is refused; `status` is the HTTP status to answer it with."""

    kind = "webhook"
    http_status: int = 400
    title = "The delivery is refused"

    def __init__(self, reason: str, *, status: int | None = None, **facts: Any) -> None:
        super().__init__(reason, status=status, **facts)
        if status is not None:
            self.http_status = status


class UnsafeURLError(HubError):
    """A URL in a response that is not followed, because nothing should be there. It names at most the host."""

    kind = "unsafe_url"
    http_status = 502
    title = "A URL in the response is not safe to follow"


class FormatError(HubError):
    """A conversation that a format cannot hold, or a document that is not in its format. It never holds the content."""

    kind = "format"
    http_status = 422
    title = "The document cannot be read or written in this format"


class StoreError(HubError):
    """A store that cannot be read or written. Data committed before is kept."""

    kind = "store"
    http_status = 503
    title = "The store cannot be read or written"


class LeaseLostError(StoreError):
    """Another process writes this account of a store that several share; what this one did not commit is dropped."""

    kind = "lease_lost"
    title = "Another process writes this account of the store"


class PartialError(HubError):
    """Some of several walks failed; the others were delivered completely."""

    kind = "partial"
    http_status = 502
    title = "Some accounts failed"

    def __init__(self, errors: Mapping[str, HubError], *, operation: str = "list") -> None:
        failures = "; ".join(f"{where}: {type(error).__name__}: {error.reason}" for where, error in errors.items())
        super().__init__(f"{len(errors)} failed: {failures}", operation=operation)
        self.errors: dict[str, HubError] = dict(errors)
        """The errors, by "provider/account"."""
        self.retryable: bool = all(error.retryable for error in errors.values())


def problem(error: HubError) -> dict[str, Any]:
    """Return an error as a problem document (RFC 9457, `application/problem+json`) for the callers of your service.

    Send it with the status `error.http_status`. Besides the standard members it has `kind`, `retryable` and, if known,
    `provider`, `account`, `operation`, `retry_after` (seconds), `request_id`, and `errors` by account. It repeats
    nothing that was sent or received: neither the provider's words nor the caller's.
    """
    # Not the reason: it may hold the provider's words, or the caller's.
    members = {
        "type": f"/problems/{error.kind}",
        "title": error.title,
        "status": error.http_status,
        "detail": _describe(error, error.title),
        "kind": error.kind,
        "retryable": error.retryable,
        "provider": error.provider,
        "account": error.account,
        "operation": error.operation,
        "retry_after": error.retry_after,
        "request_id": error.request_id,
        "errors": {where: problem(one) for where, one in error.errors.items()}
        if isinstance(error, PartialError)
        else None,
    }
    return {name: value for name, value in members.items() if value is not None}


def for_status(status: int) -> type[ProviderError]:
    """Return the error class for an HTTP status of 400 or more."""
    return _BY_STATUS.get(status, OutageError if status >= 500 else RejectedError)


_BY_STATUS: dict[int, type[ProviderError]] = {
    401: AuthError,
    403: ForbiddenError,
    404: NotFoundError,
    410: NotFoundError,
    429: RateLimitError,
}


def ends_account(error: HubError) -> bool:
    """Whether an error ends all work on its account: the key was refused.

    A missing permission does not: it may concern one conversation only.
    """
    return isinstance(error, AuthError) and not isinstance(error, ForbiddenError)
