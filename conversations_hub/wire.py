"""HTTP as values: a flow yields a `Request`, receives a `Response`, and returns what it found.

What talks to a provider is a generator of this kind, so the same code runs on a socket, on canned bytes, and anywhere
else. A failed exchange is thrown into the flow at its `yield`.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import TypeVar
from urllib.parse import quote, unquote, urlsplit

import msgspec

from .errors import InvalidRefError, PaginationError

__all__ = ["Flow", "Request", "Response", "check_id", "field", "is_below", "target", "wrong_with_id"]

T = TypeVar("T")

QueryValue = str | float | Sequence[str | float] | None


class Request(msgspec.Struct, frozen=True):
    """One HTTP request, as an adapter means it; the transport adds the base URL, the key and the time-outs."""

    method: str
    path: str
    """A template, `/v2/conversations/{id}`; logs show it so. Or a whole URL below the account's base URL."""
    query: Mapping[str, QueryValue] = {}
    """None is left out, a truth is written `true` or `false`, and a list repeats its name."""
    ids: Mapping[str, str] = {}
    """Fills the template; each becomes exactly one quoted segment."""
    headers: Mapping[str, str] = {}
    body: bytes | None = None
    """JSON bytes."""
    safe: bool | None = None
    """Whether it may be sent twice; None: GET and HEAD may."""
    json: bool = True
    """Whether a 2xx body must be JSON; False where it may be empty."""

    @property
    def is_safe(self) -> bool:
        """Whether it may be sent twice."""
        return self.method in {"GET", "HEAD"} if self.safe is None else self.safe

    def __repr__(self) -> str:
        # The query of a whole URL may hold what its provider signed.
        return f"Request({self.method} {self.path.partition('?')[0]})"


class Response(msgspec.Struct, frozen=True):
    """One HTTP answer, whole and decompressed."""

    status: int
    headers: Mapping[str, str]
    """As they came; `field` reads one."""
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether the provider did what was asked (2xx)."""
        return 200 <= self.status < 300

    def __repr__(self) -> str:
        return f"Response({self.status}, {len(self.body)} bytes)"


Flow = Generator[Request, Response, T]
"""A conversation with a provider that ends in a `T`."""


def field(headers: Mapping[str, str], name: str) -> str:
    """Return a header, its name given in lower case, as one line with all its repetitions; empty where it is absent.

    What came twice is a list, and no reader may take the one that happens to stand first.
    """
    # https://www.rfc-editor.org/rfc/rfc9110#section-5.3
    if name not in headers:
        return ""
    size = len(name)
    return ", ".join([value for key, value in headers.items() if len(key) == size and key.lower() == name]).strip()


_PLAIN = re.compile(r"[A-Za-z0-9_.~-]*")  # what is the same in a URL
_PLAIN_ID = re.compile(r"[A-Za-z0-9_-]{1,512}")
_LONGEST_ID = 512
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_NOT_IN_URLS = re.compile(r"[\x00-\x20\x7f]")


def check_id(id: str) -> str:
    """Return the id if it can stand in a URL as one segment and as nothing else; raise `InvalidRefError` if not."""
    wrong = wrong_with_id(id)
    if wrong:
        raise InvalidRefError(f"the id {wrong}")
    return id


def wrong_with_id(id: str) -> str | None:
    """Say why an id cannot stand in a URL as one segment and as nothing else, as in "is empty"; None: it can."""
    if _PLAIN_ID.fullmatch(id):
        return None
    if not id:
        return "is empty"
    if any("\ud800" <= character <= "\udfff" for character in id):
        return "holds a lone surrogate, which is no text"
    size = len(id.encode())
    if size > _LONGEST_ID:
        return f"is {size} bytes long; {_LONGEST_ID} are the most"
    # A server may decode a segment more than once, so it must be harmless in every decoding.
    decoded = ""
    while decoded != id:
        decoded, id = id, unquote(id)
        if decoded in {".", ".."}:
            return "is a relative path"
        if "/" in decoded or "\\" in decoded:
            return "holds a slash"
        if _CONTROL.search(decoded):
            return "holds a control character"
    return None


def target(request: Request, base_url: str) -> str:
    """Return the URL to send a request to, quoted for the wire.

    Raises `InvalidRefError` for an id that is not one segment and for a query that is no text, and `PaginationError`
    for a whole URL that is malformed, of another origin than the base URL's or not below its path: it came from an
    answer, and would take the key elsewhere.
    """
    if not request.path.startswith("/"):
        if _NOT_IN_URLS.search(request.path):
            raise PaginationError("the next page's URL holds a blank or a control character; not followed")
        if _origin(request.path) != _origin(base_url):
            raise PaginationError("the next page lies at another origin than the account's base URL; not followed")
        if not is_below(request.path, base_url):
            raise PaginationError("the next page does not lie below the path of the account's base URL; not followed")
        return request.path
    path = request.path
    if request.ids:
        path = path.format_map({name: _quoted(check_id(id)) for name, id in request.ids.items()})
    try:
        query = "&".join(_pairs(request.query))
    except UnicodeEncodeError:
        query = None  # raised below, without what could not be encoded
    if query is None:
        raise InvalidRefError("the query holds a lone surrogate, which is no text")
    return f"{base_url}{path}?{query}" if query else base_url + path


def is_below(url: str, base_url: str) -> bool:
    """Whether a URL is one of the base URL's origin and below its path, so that it may be shown the key.

    A gateway may have other services beside it, which are not to see that key.
    """
    if _origin(url) != _origin(base_url):
        return False
    path, base = urlsplit(url).path, urlsplit(base_url).path.rstrip("/")
    if not base:
        return True
    if not f"{path}/".startswith(f"{base}/"):
        return False
    # A server may decode a path more than once, and drop what follows a semicolon.
    decoded = ""
    while decoded != path:
        decoded, path = path, unquote(path)
    steps = decoded.replace("\\", "/").split("/")
    return not any(step.partition(";")[0] in {".", ".."} for step in steps)


def _pairs(query: Mapping[str, QueryValue]) -> Iterator[str]:
    for name, value in query.items():
        if isinstance(value, str):
            yield f"{_quoted(name)}={_quoted(value)}"
        elif value is not None:
            for one in (value,) if isinstance(value, int | float) else value:
                text = str(one).lower() if isinstance(one, bool) else str(one)
                yield f"{_quoted(name)}={_quoted(text)}"


def _quoted(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else quote(text, safe="")


def _origin(url: str) -> tuple[str, str | None, int | None, bool] | None:
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError:
        return None
    return parts.scheme, parts.hostname, port, "@" in parts.netloc
