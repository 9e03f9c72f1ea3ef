"""Downloads a recording to a file: checked at every redirect, resumed after an interruption, all or nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import AsyncExitStack, ExitStack, closing, nullcontext
from pathlib import Path
from typing import Final
from urllib.parse import urljoin

import aiohttp
import msgspec
from yarl import URL

from .._bugs import bug_of
from .._files.partial import PartialFile
from .._frames import bare
from ..errors import AuthError, HubError, PayloadError, RejectedError, TransportError, UnsafeURLError, for_status
from ..policy import retry_after
from ..wire import Request, Response, field, target
from . import Lane, OperationRun
from .body import read
from .failures import LibraryError
from .guard import Guard, Refused, public_socket
from .pool import url_of
from .threads import Threads

__all__ = ["Download", "download_to"]


class Download(msgspec.Struct, frozen=True):
    """A recording that was written to a file."""

    path: Path
    size: int
    """Bytes."""
    sha256: str
    """In hexadecimal digits, of the bytes on the disk."""
    media_type: str
    """As the server sends it: `audio/mpeg`."""


_MOST_REDIRECTS: Final = 3
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_PIECE: Final = 1024 * 1024
_MEDIA: Final = re.compile(
    r"""((?:audio|video)/[^\s;,"]+|application/(?:octet-stream|ogg|mp4)|binary/octet-stream)\s*(?:;(?:[^",]|"[^"]*")*)?""",
    re.IGNORECASE,
)
_RANGE: Final = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)")
_STRONG: Final = re.compile(r'"[^"]*"')  # a weak one does not promise equal bytes
# No compression: sizes and ranges must be those of the stored bytes.
_HEADERS: Final = {"Accept": "audio/*, video/*, application/octet-stream;q=0.9", "Accept-Encoding": "identity"}


async def download_to(
    lane: Lane,
    url: str,
    path: Path,
    *,
    identity: str,
    guard: Guard,
    signs: bool,
    largest: int,
    until: float,
    overwrite: bool,
) -> Download:
    """Write the content of a URL to a file and describe it.

    `signs` says whether the provider requires the key; `until` is an instant in monotonic seconds, `largest` is in
    bytes, and `identity` distinguishes this recording from every other, whatever its URL is today.
    """
    profile = lane.profile.but(deadline=until - lane.clock.monotonic())
    disk = Threads(1, among=lane.disk)
    held = ExitStack()  # so that it is closed even if it opens after this was cancelled
    try:
        part = await disk.run(lambda: held.enter_context(closing(PartialFile(path, identity, overwrite=overwrite))))
        transfer = _Transfer(lane, guard, part, disk, url, signs=signs, largest=largest)
        media_type = await lane.repeat("download", transfer.attempt, profile)
        sha256 = await disk.run(part.finish)
        return Download(path, part.size, sha256, media_type)
    finally:
        await disk.run(held.close)


class _Transfer:
    """The transfer of one recording, in as many attempts as it takes."""

    def __init__(
        self, lane: Lane, guard: Guard, part: PartialFile, disk: Threads, url: str, *, signs: bool, largest: int
    ) -> None:
        self._lane = lane
        self._guard = guard
        self._part = part
        self._disk = disk
        self._url = url
        self._signs = signs
        self._largest = largest

    async def attempt(self, exchange: OperationRun) -> str:
        """Fetch the missing part of the recording, and return its media type."""
        exchange.attempts += 1
        exchange.retries += exchange.attempts > 1
        media_type = await self._follow(exchange)
        if media_type is None:  # the partial file does not belong to the current recording
            await self._disk.run(self._part.begin, None)
            media_type = await self._follow(exchange)
        if media_type is None:
            raise PayloadError("the server sent a part of the recording that was not requested")
        return media_type

    async def _follow(self, exchange: OperationRun) -> str | None:
        url, signs = self._guard.checked(self._url), self._signs
        for _hop in range(_MOST_REDIRECTS + 1):
            is_own = self._guard.is_own(url)
            signs = signs and self._guard.may_see_key(url)
            # A proxy makes the connections itself, may have a private address, and may read everything.
            is_stranger = not is_own and self._lane.proxy_to(url) is None
            visit = self._lane.visit(_HEADERS, public_socket if is_stranger else None, is_stranger=is_stranger)
            async with visit as session, AsyncExitStack() as held:
                async with self._lane.admitted(exchange) if is_own else nullcontext():
                    await held.enter_async_context(self._lane.connection(exchange))
                    answer = await self._request(session, url, exchange, signs=signs)
                with closing(answer):
                    if answer.status not in _REDIRECTS:
                        return await self._take(answer, url, exchange)
                    where = field(answer.headers, "location")
            if not where:
                raise PayloadError("the recording is redirected without a Location")
            url = self._guard.checked(urljoin(str(url), where), after=url)
        raise PayloadError(f"the recording is redirected more than {_MOST_REDIRECTS} times")

    async def _request(
        self, session: aiohttp.ClientSession, url: URL, exchange: OperationRun, *, signs: bool
    ) -> aiohttp.ClientResponse:
        """Return a response that is a recording or leads to one; raise any other outcome."""
        started = self._lane.clock.monotonic()
        outcome: aiohttp.ClientResponse | HubError = await self._send(session, url, exchange, signs=signs)
        reported: Response | HubError
        if isinstance(outcome, aiohttp.ClientResponse):
            reported = Response(outcome.status, outcome.headers, b"")
            if outcome.status >= 400 and outcome.status != 416:
                with closing(outcome):
                    outcome = await self._refusal(outcome, url, exchange)
        else:
            reported = outcome
        self._lane.ended("GET", "(recording)", exchange, started, reported)
        if isinstance(outcome, HubError):
            raise outcome
        return outcome

    async def _send(
        self, session: aiohttp.ClientSession, url: URL, exchange: OperationRun, *, signs: bool
    ) -> aiohttp.ClientResponse | HubError:
        """Send the request and return the outcome; it never raises, because the key is a variable here only."""
        request = Request("GET", str(url), headers=self._range_headers())
        profile = exchange.profile
        left = max(exchange.deadline - self._lane.clock.monotonic(), 0.001)
        timeout = aiohttp.ClientTimeout(
            total=left,
            sock_connect=min(left, profile.connect_timeout),
            sock_read=profile.attempt_timeout,
            ceil_threshold=float("inf"),
        )
        exchange.begin(timeout)
        try:
            if signs:
                request = self._lane.adapter.sign(request, self._lane.account, self._lane.clock.now())
                url = URL(target(request, self._lane.base_url), encoded=True)
            exchange.requests += 1
            return await session.get(
                url,
                headers=request.headers,
                timeout=timeout,
                allow_redirects=False,
                proxy=url_of(self._lane.proxy_to(url)),
            )
        except (aiohttp.ClientError, OSError) as error:
            return self._failure(error, exchange, url)
        except HubError as error:
            return bare(error)
        except Exception as bug:  # noqa: BLE001  (one adapter's bug must not affect the others)
            return bug_of(bug)

    def _range_headers(self) -> Mapping[str, str]:
        part = self._part
        if not part.size or part.validator is None:
            return {}
        return {"Range": f"bytes={part.size}-", "If-Range": part.validator}

    async def _refusal(self, answer: aiohttp.ClientResponse, url: URL, exchange: OperationRun) -> HubError:
        status, headers = answer.status, answer.headers
        if self._guard.is_own(url):
            try:
                return self._lane.refusal(Response(status, headers, await read(answer, exchange.profile.largest_body)))
            except (aiohttp.ClientError, OSError) as error:
                return self._failure(error, exchange, url)
        # An object store's message may repeat the signature, and its 403 says nothing about the account's key.
        kind = for_status(status)
        return (RejectedError if issubclass(kind, AuthError) else kind)(
            f"{url.host} did not return the recording",
            status=status,
            retry_after=retry_after(headers, self._lane.clock.now()),
        )

    def _failure(self, error: LibraryError, exchange: OperationRun, url: URL) -> HubError:
        match error:
            case aiohttp.ClientConnectorError(os_error=Refused()):
                return UnsafeURLError(f"{url.host} has an address that is not public; not connected")
            case aiohttp.SocketTimeoutError():
                patience = exchange.profile.attempt_timeout
                return TransportError(f"nothing came for {patience:g} s: still {exchange.stage}")
            case _:
                return self._lane.failure(error, exchange, url.host or "", self._lane.proxy_to(url))

    async def _take(self, answer: aiohttp.ClientResponse, url: URL, exchange: OperationRun) -> str | None:
        """Write the body to the partial file and return its media type; None if it does not continue that file."""
        part, headers = self._part, answer.headers
        if answer.status == 416:
            return None
        media_type = _media_type(headers)
        if answer.status == 200:
            await self._disk.run(part.begin, _validator(headers), _length(answer))
        elif answer.status == 206 and (whole := _size_if_continued(part, answer)):
            part.whole = whole
        else:
            return None
        if part.whole is not None and part.whole > self._largest:
            raise self._too_large()
        failure = None
        exchange.stage = "reading the recording"
        try:
            await self._stream(answer)
        except (aiohttp.ClientError, OSError) as error:
            failure = self._failure(error, exchange, url)
        if failure is not None:
            raise failure
        if part.whole is not None and part.size != part.whole:
            raise TransportError("the recording was cut off")
        if not part.size:
            raise PayloadError("the recording is empty")
        return media_type

    async def _stream(self, answer: aiohttp.ClientResponse) -> None:
        waiting = bytearray()
        try:
            async for chunk in answer.content.iter_any():
                waiting += chunk
                if self._part.size + len(waiting) > self._largest:
                    raise self._too_large()
                if len(waiting) >= _PIECE:
                    piece, waiting = waiting, bytearray()
                    await self._disk.run(self._part.write, piece)
        finally:
            if waiting:
                await self._disk.run(self._part.write, waiting)

    def _too_large(self) -> PayloadError:
        return PayloadError(f"the recording is larger than {self._largest} bytes")


def _length(answer: aiohttp.ClientResponse) -> int | None:
    """Return the size of a whole recording; None if it is chunked, and so marks its own end."""
    whole = answer.content_length
    if whole is None and field(answer.headers, "transfer-encoding").lower() != "chunked":
        # It would end wherever the connection does.
        raise PayloadError("the response has no length and is not chunked, so a cut recording would look complete")
    return whole


def _size_if_continued(part: PartialFile, answer: aiohttp.ClientResponse) -> int | None:
    """Return the size of the whole if a response continues the partial file; None if nothing proves that it does."""
    headers = answer.headers
    found = _RANGE.fullmatch(field(headers, "content-range"))
    if found is None or part.validator is None or _field_of(headers, part.validator) != part.validator:
        return None
    first, last = int(found[1]), int(found[2])
    whole = part.whole if found[3] == "*" else int(found[3])
    if whole is None or part.whole not in {None, whole}:
        return None
    is_next = first == part.size and last < whole and answer.content_length == last - first + 1
    return whole if is_next else None


def _validator(headers: Mapping[str, str]) -> str | None:
    etag = field(headers, "etag")
    return etag if _STRONG.fullmatch(etag) else field(headers, "last-modified") or None


def _field_of(headers: Mapping[str, str], validator: str) -> str:
    return field(headers, "etag" if validator.startswith('"') else "last-modified")


def _media_type(headers: Mapping[str, str]) -> str:
    found = _MEDIA.fullmatch(field(headers, "content-type"))
    if found is None:
        raise PayloadError("the response is not a recording: it is neither audio, nor video, nor plain bytes")
    if field(headers, "content-encoding").lower() not in {"", "identity"}:
        raise PayloadError("the recording is compressed, which was not requested")
    return found[1].lower()
