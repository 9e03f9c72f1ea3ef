"""The HTTP library's exceptions, told in our own errors.

Ours keep nothing of theirs, which hold headers and whole URLs. None of theirs is the provider's refusal: what its
parser cannot read the library calls a response of status 400, which the provider never said.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import Final

import aiohttp

from ..errors import HubError, LocalLimitError, PayloadError, TransportError
from ..policy import Profile
from ..proxy import Proxy

__all__ = ["LibraryError", "failure_of", "is_lost", "refused_by"]

LibraryError = aiohttp.ClientError | OSError
"""Whatever an exchange may raise; a time-out is an `OSError` too."""


def is_lost(error: LibraryError) -> bool:
    """Whether a connection that was made ended before the answer was whole."""
    is_unmade = isinstance(error, aiohttp.ClientConnectorError)
    return isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError) and not is_unmade


def failure_of(error: LibraryError, host: str, profile: Profile, stage: str, proxy: Proxy | None = None) -> HubError:
    """Return ours for one of the library's; `stage` says how far the request had come, `proxy` by way of whom."""
    limit = own_limit(error)
    if limit is not None:
        return LocalLimitError(limit)
    peer = host if proxy is None else f"the proxy {proxy.name}"
    match error:
        case aiohttp.ConnectionTimeoutError():
            return TransportError(f"no connection to {peer} within {profile.connect_timeout:g} s")
        case TimeoutError():
            return TransportError(f"no whole answer within {profile.attempt_timeout:g} s: it was still {stage}")
        case aiohttp.ClientConnectorError():
            return _unconnected(error, peer)
        case aiohttp.ClientHttpProxyError() if proxy is not None:
            return refused_by(proxy, host, error.status)
        case aiohttp.ClientPayloadError() if "Not enough data" in str(error.__cause__):
            return TransportError("the answer broke off")
        case aiohttp.ClientPayloadError() | aiohttp.ClientResponseError():
            return PayloadError("the answer is no HTTP that can be trusted")
        case _:
            return TransportError("the connection broke off before an answer came")


def _unconnected(error: aiohttp.ClientConnectorError, peer: str) -> TransportError:
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return TransportError(
                f"no trusted connection to {error.host}: its certificate was refused", retryable=False
            )
        case aiohttp.ClientSSLError():
            return TransportError(
                f"no secure connection to {error.host}: it does not speak TLS as due", retryable=False
            )
        case aiohttp.ClientConnectorDNSError():
            is_unknown = error.os_error.errno == socket.EAI_NONAME
            return TransportError(f"the name {error.host} could not be resolved", retryable=not is_unknown)
        case _:
            return TransportError(f"no connection to {peer}{_why(error.os_error)}")


def _why(error: OSError) -> str:
    """Return why a connection was not made, ": connection refused"; empty where the system does not say one reason."""
    return f": {os.strerror(error.errno).lower()}" if error.errno else ""


def refused_by(proxy: Proxy, host: str, status: int) -> TransportError:
    """Return the error of a proxy that made no connection to a host, and answered with a status."""
    if status == 407:
        said = "wants a name and a password, or others: write them as http://name:password@host:port"
    else:
        said = f"makes no connection to {host}"
    return TransportError(f"the proxy {proxy.name} {said} (HTTP {status})", retryable=status >= 500)


# In this order, for the words of the first hold those of the second.
_OWN_LIMITS: Final = {
    errno.ENFILE: "too many open files on this machine: close what holds them, or lower connections=",
    errno.EMFILE: "too many open files in this process: raise `ulimit -n`, or lower connections=",
}


def own_limit(error: LibraryError) -> str | None:
    """Say which limit of our own kept a connection from being made; None where it was none."""
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, OSError):
        for number, limit in _OWN_LIMITS.items():
            # Where several addresses were tried in vain, their errors are one text.
            if cause.errno == number or os.strerror(number) in str(cause):
                return limit
    # The resolver does not say why it could not look.
    return _limit_now() if isinstance(error, aiohttp.ClientConnectorDNSError) else None


def _limit_now() -> str | None:
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return _OWN_LIMITS.get(error.errno or 0)
    return None
