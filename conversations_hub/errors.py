"""Everything that can go wrong, as one tree.

HubError
├─ ConfigurationError     no key, two accounts of one name, unsafe base URL
│  └─ UnknownAccountError a provider or account that is not there
├─ InvalidRefError        malformed ref, id, cursor or argument
├─ UnsupportedError       this provider cannot do that
├─ HubClosedError         used after close, or in another loop
├─ TransportError         no whole answer: connection, reset, time-out, truncated body
│  ├─ DeadlineError       the operation's own deadline passed
│  └─ LocalLimitError     this process or machine can open nothing more
├─ ProviderError          the provider refused, in its words
│  ├─ AuthError           401
│  │  └─ ForbiddenError   403
│  ├─ NotFoundError       404, 410
│  ├─ RateLimitError      429
│  ├─ RejectedError       other 4xx
│  └─ OutageError         5xx
│     └─ CircuitOpenError not asked: it was down a moment ago
├─ PayloadError           an answer nobody can trust
├─ PaginationError        a walk that loops or cannot go on
├─ PartialError           some of several walks failed
├─ WebhookError           a delivery that is not to be believed
├─ UnsafeURLError         a URL out of an answer that is not followed
└─ StoreError             it cannot be kept: disk, file or another sync
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
    "HubClosedError",
    "HubError",
    "InvalidRefError",
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
    "ends_account",
    "for_status",
    "problem",
]

# The statuses worth another try; other 5xx say that it would end the same way.
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529})


class HubError(Exception):
    """The root: whatever this library raises on purpose is one of these.

    It survives `pickle` and `copy`, and holds no secret, header, query or body.
    """

    kind: ClassVar[str] = "error"
    """Its name for programs, the same in every release."""

    http_status: int = 500
    """The HTTP status that a service answers its own caller with; `status` is what the provider answered."""

    title: ClassVar[str] = "It failed"
    """What it is, in words for whoever calls such a service."""

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
        """How often the request that failed was sent; an operation may make several."""
        self.elapsed = elapsed
        """Seconds from the call to this error."""
        self.status = status
        """The HTTP status, where the provider answered."""
        self.request_id = request_id
        """The provider's name for the exchange, for its support desk."""
        self.retry_after = retry_after
        """Seconds the provider asked to wait."""
        if retryable is not None:
            self.retryable = retryable
        elif status in _PASSING:
            self.retryable = True
        elif status is not None and status >= 500:
            self.retryable = False

    def __str__(self) -> str:
        said = _told(self, self.reason)
        if self.advice and self.provider:
            said += f". {self.advice.format(provider=self.provider, PROVIDER=self.provider.upper())}"
        return said

    def __reduce__(self) -> tuple[object, ...]:
        return _revive, (type(self), self.reason, self.__dict__)


def _told(error: HubError, reason: str) -> str:
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
    """The caller's set-up is incomplete or unsafe; nothing was sent."""

    kind = "configuration"
    title = "The service is not set up for this"


class UnknownAccountError(ConfigurationError):
    """A provider or account that is not there; nothing was sent."""

    kind = "unknown_account"
    http_status = 404
    title = "No such provider or account here"


class InvalidRefError(HubError, ValueError):
    """A ref, id, cursor or argument that cannot be right; nothing was sent for it."""

    kind = "invalid_ref"
    http_status = 400
    title = "A ref, id, cursor or argument cannot be right"


class UnsupportedError(HubError):
    """This provider cannot do that."""

    kind = "unsupported"
    http_status = 501
    title = "The provider cannot do that"


class HubClosedError(HubError):
    """The hub was used after it was closed, or in another event loop."""

    kind = "hub_closed"
    http_status = 503
    title = "The service is closing"


class TransportError(HubError):
    """No whole answer came: connection, reset, time-out, truncated body."""

    kind = "transport"
    http_status = 502
    title = "No whole answer came from the provider"
    retryable = True


class DeadlineError(TransportError):
    """The operation's own deadline passed."""

    kind = "deadline"
    http_status = 504
    title = "The time for it passed"


class LocalLimitError(TransportError):
    """This process or machine can open nothing more: nothing was sent, and the provider has no part in it."""

    kind = "local_limit"
    http_status = 503
    title = "The service can open nothing more at the moment"
    retryable = False


class ProviderError(HubError):
    """The provider refused, in its own words."""

    kind = "provider"
    http_status = 502
    title = "The provider refused"


class AuthError(ProviderError):
    """The provider does not accept the key (401)."""

    kind = "auth"
    title = "The provider does not accept the key of this account"
    advice = "Check the key of this account ({PROVIDER}_API_KEY, where it came from the environment)"


class ForbiddenError(AuthError):
    """The key is good, but may not do this (403)."""

    kind = "forbidden"
    title = "The key of this account lacks the right"
    advice = "The key is valid but lacks the right: grant it at {provider}, or use another key"


class NotFoundError(ProviderError):
    """No such conversation, or not any more (404, 410)."""

    kind = "not_found"
    http_status = 404
    title = "No such conversation, or not any more"


class RateLimitError(ProviderError):
    """Too much at once (429, or the provider's own words for it)."""

    kind = "rate_limit"
    http_status = 503
    title = "The provider was asked too much at once"
    retryable = True


class RejectedError(ProviderError):
    """The provider took the request for wrong (other 4xx)."""

    kind = "rejected"
    title = "The provider took the request for wrong"


class OutageError(ProviderError):
    """The provider is in trouble (5xx)."""

    kind = "outage"
    title = "The provider is in trouble"
    retryable = True


class CircuitOpenError(OutageError):
    """Not asked: the provider was down a moment ago."""

    kind = "circuit_open"
    http_status = 503
    title = "The provider was down a moment ago, and is left alone for a while"


class PayloadError(HubError):
    """An answer nobody can trust.

    Broken framing, not JSON, no id, another id, a redirect, too large. It says where, never the content.
    """

    kind = "payload"
    http_status = 502
    title = "The answer of the provider cannot be trusted"


class PaginationError(HubError):
    """A walk that loops or cannot go on. What was delivered before it stands."""

    kind = "pagination"
    http_status = 502
    title = "The list of the provider cannot be walked to its end"


class WebhookError(HubError):
    """A delivery that is not to be believed; `status` is the HTTP status to answer it with."""

    kind = "webhook"
    http_status = 400
    title = "The delivery is not to be believed"

    def __init__(self, reason: str, *, status: int | None = None, **facts: Any) -> None:
        super().__init__(reason, status=status, **facts)
        if status is not None:
            self.http_status = status


class UnsafeURLError(HubError):
    """A URL out of an answer that is not followed: it leads where no recording should be. It says the host at most."""

    kind = "unsafe_url"
    http_status = 502
    title = "The recording lies where none should be"


class StoreError(HubError):
    """A store that cannot be read or written. What was committed before stands."""

    kind = "store"
    http_status = 503
    title = "The store cannot be read or written"


class PartialError(HubError):
    """Some of several walks failed; the others were delivered whole."""

    kind = "partial"
    http_status = 502
    title = "Some accounts failed"

    def __init__(self, errors: Mapping[str, HubError], *, operation: str = "list") -> None:
        told = "; ".join(f"{where}: {type(error).__name__}: {error.reason}" for where, error in errors.items())
        super().__init__(f"{len(errors)} failed: {told}", operation=operation)
        self.errors = dict(errors)
        """Who failed, by "provider/account"."""
        self.retryable = all(error.retryable for error in errors.values())


def problem(error: HubError) -> dict[str, Any]:
    """Return an error as a problem document (RFC 9457, `application/problem+json`), for whoever calls your service.

    Answer it with the status `error.http_status`. Beside the standard members it says `kind`, `retryable`, and where
    they are known `provider`, `account`, `operation`, `retry_after` (seconds), `request_id`, and `errors` by account.
    It repeats nothing that was sent or received: neither what the provider said nor what the caller gave.
    """
    # Not the reason: it may hold the provider's words, or the caller's.
    members = {
        "type": f"/problems/{error.kind}",
        "title": error.title,
        "status": error.http_status,
        "detail": _told(error, error.title),
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
    """Return the class of error that a status stands for."""
    return _BY_STATUS.get(status, OutageError if status >= 500 else RejectedError)


_BY_STATUS: dict[int, type[ProviderError]] = {
    401: AuthError,
    403: ForbiddenError,
    404: NotFoundError,
    410: NotFoundError,
    429: RateLimitError,
}


def ends_account(error: HubError | None) -> bool:
    """Whether an error ends all work on its account: the key was refused.

    A missing right does not, for it may concern one conversation alone.
    """
    return isinstance(error, AuthError) and not isinstance(error, ForbiddenError)
