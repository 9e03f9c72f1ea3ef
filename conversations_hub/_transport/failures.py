"""Translates the HTTP library's exceptions into our own errors.

Ours keep nothing of theirs, which hold headers and whole URLs. None of theirs is an error response of the provider: for
a response that it cannot parse, the library reports status 400, which the provider never sent.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import Final

import aiohttp

from .._proxy import Proxy
from ..errors import HubError, LocalLimitError, PayloadError, TransportError
from ..policy import Profile

__all__ = ["LibraryError", "failure_of", "is_lost", "refused_by"]

LibraryError = aiohttp.ClientError | OSError
"""The exceptions that an exchange may raise; a timeout is an `OSError` too."""


def is_lost(error: LibraryError) -> bool:
    """Whether an open connection ended before the response was complete."""
    is_unmade = isinstance(error, aiohttp.ClientConnectorError)
    return isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError) and not is_unmade


def failure_of(error: LibraryError, host: str, profile: Profile, stage: str, proxy: Proxy | None = None) -> HubError:
    """Return our error for one of the library's; `stage` says how far the request got, `proxy` through which proxy."""
    limit = own_limit(error)
    if limit is not None:
        return LocalLimitError(limit)
    peer = host if proxy is None else f"the proxy {proxy.name}"
    match error:
        case aiohttp.ConnectionTimeoutError():
            return TransportError(f"no connection to {peer} within {profile.connect_timeout:g} s")
        case TimeoutError():
            return TransportError(f"no complete response within {profile.attempt_timeout:g} s: still {stage}")
        case aiohttp.ClientConnectorError():
            return _unconnected(error, peer)
        case aiohttp.ClientHttpProxyError() if proxy is not None:
            return refused_by(proxy, host, error.status)
        case aiohttp.ClientPayloadError() if "Not enough data" in str(error.__cause__):
            return TransportError("the response was cut off")
        case aiohttp.ClientPayloadError() | aiohttp.ClientResponseError():
            return PayloadError("the response is malformed HTTP")
        case _:
            return TransportError("the connection was lost before a response came")


def _unconnected(error: aiohttp.ClientConnectorError, peer: str) -> TransportError:
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return TransportError(
                f"no trusted connection to {error.host}: its certificate was refused", retryable=False
            )
        case aiohttp.ClientSSLError():
            return TransportError(f"no secure connection to {error.host}: the TLS handshake failed", retryable=False)
        case aiohttp.ClientConnectorDNSError():
            is_unknown = error.os_error.errno == socket.EAI_NONAME
            return TransportError(f"the name {error.host} could not be resolved", retryable=not is_unknown)
        case _:
            return TransportError(f"no connection to {peer}{_why(error.os_error)}")


def _why(error: OSError) -> str:
    """Return why a connection failed, as in ": connection refused"; empty if the system does not give one reason."""
    return f": {os.strerror(error.errno).lower()}" if error.errno else ""


def refused_by(proxy: Proxy, host: str, status: int) -> TransportError:
    """Return the error of a proxy that did not connect to a host and answered with a status."""
    if status == 407:
        problem = "requires a user name and password, or others: write them as http://name:password@host:port"
    else:
        problem = f"did not connect to {host}"
    return TransportError(f"the proxy {proxy.name} {problem} (HTTP {status})", retryable=status >= 500)


# In this order, because the message of the first contains that of the second.
_OWN_LIMITS: Final = {
    errno.ENFILE: "too many open files on this machine: close some, or lower connections=",
    errno.EMFILE: "too many open files in this process: raise `ulimit -n`, or lower connections=",
}


def own_limit(error: LibraryError) -> str | None:
    """Return which limit of our own prevented a connection; None if none did."""
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, OSError):
        for number, limit in _OWN_LIMITS.items():
            # If several addresses failed, their errors are one text.
            if cause.errno == number or os.strerror(number) in str(cause):
                return limit
    # The resolver does not say why it failed.
    return _limit_now() if isinstance(error, aiohttp.ClientConnectorDNSError) else None


def _limit_now() -> str | None:
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return _OWN_LIMITS.get(error.errno or 0)
    return None
