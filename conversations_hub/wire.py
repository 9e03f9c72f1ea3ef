"""HTTP as values: a flow yields a `Request`, receives a `Response`, and returns its result.

All code that talks to a provider is such a generator, so the same code runs on a socket, on canned bytes, and anywhere
else. A failed exchange is thrown into the flow at its `yield`.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote, unquote, urlsplit

import msgspec

from .errors import InvalidRefError, PaginationError

__all__ = ["Flow", "QueryValue", "Request", "Response", "check_id", "field", "is_below", "target", "wrong_with_id"]

_T = TypeVar("_T")

QueryValue = str | float | Sequence[str | float] | None


class Request(msgspec.Struct, frozen=True):
    """One HTTP request, as an adapter writes it; the transport adds the base URL, the key and the timeouts."""

    method: str
    path: str
    """A template, `/v2/conversations/{id}`, which logs show as it is; or a whole URL below the account's base URL."""
    query: Mapping[str, QueryValue] = {}
    """None is left out, booleans are written `true` or `false`, and a list repeats its name."""
    ids: Mapping[str, str] = {}
    """Values for the template; each becomes exactly one quoted segment."""
    headers: Mapping[str, str] = {}
    body: bytes | None = None
    """JSON bytes, unless the headers name another `Content-Type`."""
    safe: bool | None = None
    """Whether it may be sent twice; None: GET and HEAD may."""
    json: bool = True
    """Whether a 2xx body must be JSON; False if it may be empty."""
    elsewhere: bool = False
    """Whether `path` is a whole URL at one of the adapter's `artifact_hosts`, where the key is not sent."""
    base_url: str | None = None
    """One of the adapter's `base_urls`, to go there instead; an account's own base URL replaces all of them."""
    reads: msgspec.json.Decoder[Any] | None = None
    """The decoder that the flow uses on the whole of a 2xx body: the transport then checks and decodes it in one."""

    @property
    def is_safe(self) -> bool:
        """Whether it may be sent twice."""
        return self.method in {"GET", "HEAD"} if self.safe is None else self.safe

    def __repr__(self) -> str:
        # The query of a whole URL may hold a signature.
        return f"Request({self.method} {self.path.partition('?')[0]})"


class Response(msgspec.Struct, frozen=True):
    """One HTTP response, complete and decompressed."""

    status: int
    headers: Mapping[str, str]
    """As received; `field` reads one."""
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether the provider did what was requested (2xx)."""
        return 200 <= self.status < 300

    def __repr__(self) -> str:
        return f"Response({self.status}, {len(self.body)} bytes)"


Flow = Generator[Request, Response, _T]
"""A generator that talks to a provider and returns a value."""


def field(headers: Mapping[str, str], name: str) -> str:
    """Return a header as one line with all its repetitions; empty if it is absent. `name` is in lower case.

    A repeated header is a list, and a reader must not simply take the first value.
    """
    # https://www.rfc-editor.org/rfc/rfc9110#section-5.3
    if name not in headers:
        return ""
    size = len(name)
    return ", ".join([value for key, value in headers.items() if len(key) == size and key.lower() == name]).strip()


_PLAIN = re.compile(r"[A-Za-z0-9_.~-]*")  # needs no quoting in a URL
_PLAIN_ID = re.compile(r"[A-Za-z0-9_-]{1,512}")
_LONGEST_ID = 512
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_NOT_IN_URLS = re.compile(r"[\x00-\x20\x7f]")


def check_id(id: str) -> str:
    """Return the id if it can be exactly one segment of a URL; raise `InvalidRefError` if not."""
    wrong = wrong_with_id(id)
    if wrong:
        raise InvalidRefError(f"the id {wrong}")
    return id


def wrong_with_id(id: str) -> str | None:
    """Return why an id cannot be exactly one segment of a URL, as in "is empty"; None if it can."""
    if _PLAIN_ID.fullmatch(id):
        return None
    if not id:
        return "is empty"
    if any("\ud800" <= character <= "\udfff" for character in id):
        return "holds a lone surrogate, which is not text"
    size = len(id.encode())
    if size > _LONGEST_ID:
        return f"is {size} bytes long; the maximum is {_LONGEST_ID}"
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

    Raises `InvalidRefError` for an id that is not one segment and for a query that is not text. Raises
    `PaginationError` for a whole URL that is malformed, has another origin than the base URL or is not below its path:
    it comes from a response, and would take the key elsewhere.
    """
    if not request.path.startswith("/"):
        if _NOT_IN_URLS.search(request.path):
            raise PaginationError("the next page's URL holds a space or a control character; not followed")
        if _origin(request.path) != _origin(base_url):
            raise PaginationError("the next page has another origin than the account's base URL; not followed")
        if not is_below(request.path, base_url):
            raise PaginationError("the next page is not below the path of the account's base URL; not followed")
        return request.path
    path = request.path
    if request.ids:
        ids = request.ids.items()
        path = path.format_map({name: id if _PLAIN_ID.fullmatch(id) else _quote(check_id(id)) for name, id in ids})
    try:
        query = "&".join(filter(None, map(_pair, request.query, request.query.values())))
    except UnicodeEncodeError:
        query = None  # raised below, so that the error does not hold the text
    if query is None:
        raise InvalidRefError("the query holds a lone surrogate, which is not text")
    return f"{base_url}{path}?{query}" if query else base_url + path


def is_below(url: str, base_url: str) -> bool:
    """Whether a URL has the base URL's origin and is below its path, so that it may receive the key.

    A gateway may have other services beside it, which must not see that key.
    """
    if _origin(url) != _origin(base_url):
        return False
    path, base = urlsplit(url).path, urlsplit(base_url).path.rstrip("/")
    if not base:
        return True
    if not f"{path}/".startswith(f"{base}/"):
        return False
    # A server may decode a path more than once, and drop everything after a semicolon.
    decoded = ""
    while decoded != path:
        decoded, path = path, unquote(path)
    steps = decoded.replace("\\", "/").split("/")
    return not any(step.partition(";")[0] in {".", ".."} for step in steps)


def _pair(name: str, value: QueryValue) -> str:
    """Return a name with its value, or with each of a list; nothing for None and an empty list."""
    if isinstance(value, str):
        return f"{_quote(name)}={_quote(value)}"
    if isinstance(value, bool):
        return f"{_quote(name)}={str(value).lower()}"
    if isinstance(value, int | float):
        return f"{_quote(name)}={_quote(str(value))}"
    return "&".join([_pair(name, one) for one in value or ()])


def _quote(text: str) -> str:
    is_plain = (text.isascii() and text.isalnum()) or _PLAIN.fullmatch(text)
    return text if is_plain else quote(text, safe="")


def _origin(url: str) -> tuple[str, str | None, int | None, bool] | None:
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError:
        return None
    return parts.scheme, parts.hostname, port, "@" in parts.netloc
