"""The only outgoing sockets: one lane per account, which signs, sends, bounds and retries the requests of a flow.

Lanes share nothing that could carry data from one account to another: no connection, no cookie, and no limit except the
number of connections that all lanes of a hub have open.
"""

from __future__ import annotations

import asyncio
import logging
import math
import weakref
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from ssl import SSLContext
from typing import Any, Final, Generic, TypeVar, cast

import aiohttp
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception
from yarl import URL

from .._bugs import bug_of, name_of
from .._frames import bare
from .._proxy import Proxy, Route, route
from ..account import Account
from ..adapter import Adapter, Authorization, Token
from ..errors import (
    AuthError,
    CircuitOpenError,
    ConfigurationError,
    DeadlineError,
    ForbiddenError,
    HubClosedError,
    HubError,
    PayloadError,
    ProviderError,
    RateLimitError,
    RejectedError,
    TransportError,
    UnsafeURLError,
    for_status,
)
from ..policy import Profile, retry_after, tells_quota
from ..policy._breaker import Ticket, is_impatience
from ..policy._budget import RetryBudget
from ..reading.json import LARGE, decoded_body, well_formed
from ..reading.refusals import one_line
from ..secret import Secret
from ..signals import AttemptEnded, RetryScheduled, Signal, Waited, in_words
from ..wire import Flow, Request, Response, field, target
from .authorization import Tokens
from .body import read
from .clock import Clock
from .connections import Connections
from .exchange import Counts, OperationName, OperationRun
from .failures import LibraryError, failure_of, is_lost, refused_by
from .fairness import ReadBudget
from .gate import Gate, Limiter
from .guard import Guard, public_socket
from .pool import KEEP_ALIVE, WAITING, SocketFactory, drop, session, url_of
from .threads import Threads

__all__ = ["Clock", "Connections", "Lane", "Limiter"]

E = TypeVar("E", bound=BaseException)
T = TypeVar("T")

log = logging.getLogger("conversations_hub")
log.addHandler(logging.NullHandler())


class _Result(Generic[T]):
    """The result of a flow."""

    def __init__(self, value: T) -> None:
        self.value = value


def _resume(flow: Flow[T], answer: Response | HubError | None) -> Request | _Result[T]:
    """Resume a flow until its next request, or its end."""
    try:
        return flow.throw(answer) if isinstance(answer, HubError) else flow.send(answer)  # type: ignore[arg-type]
    except StopIteration as stop:
        return _Result(stop.value)


_DIRECTLY: Final = route(None)
_LOOKUPS: Final = 2  # names resolved at a time, per account
_DISK: Final = 8
_CLOSING: Final = 2.0
_TICK: Final = 0.02  # seconds by which a timer may be early, if the clock is coarse
_LONGEST_WORDS: Final = 200  # characters of a provider's message
_LONGEST_ID: Final = 128
_TOKENS: Final = 4  # the last ones are hidden in a provider's messages, as keys are
_LONGEST: Final = 1000  # characters of our own message, in which an adapter may have put text of a response
_ACCEPT: Final = {"Accept": "application/json", "Accept-Encoding": "gzip"}
_REQUEST_IDS: Final = ("x-request-id", "request-id", "x-amzn-requestid", "cf-ray")


class Lane:
    """One account's path to its provider: a pool of connections, and the rules for using it."""

    def __init__(
        self,
        account: Account,
        adapter: Adapter,
        profile: Profile,
        *,
        clock: Clock,
        read_budget: ReadBudget | None = None,
        connections: Connections | None = None,
        through: Route = _DIRECTLY,
        ssl: SSLContext | None = None,
        recordings_ssl: SSLContext | None = None,
        limiter: Limiter | None = None,
        on_signal: Callable[[Signal], object] | None = None,
    ) -> None:
        self.account = account
        self.adapter = adapter
        self.profile = profile
        self.clock = clock
        self.read_budget = read_budget or ReadBudget()
        self._connections = connections or Connections()
        self._where = f"{account.provider}/{account.name}"
        settings = (account.settings.get(name) for name in adapter.secret_settings)
        self._secrets = [account.key, *filter(None, settings)]
        self._ssl, self._recordings_ssl = _context(ssl), _context(recordings_ssl)
        self.base_url = account.base_url or adapter.base_url
        self._through = account.route or through
        self._proxy = self._through(self.base_url)
        base = URL(self.base_url, encoded=True)
        self._host = base.host or self.base_url
        self._origin = (base.scheme, base.raw_authority)
        self._root = f"{base.scheme}://{base.raw_authority}/"
        self._timeout = _time_out(profile, profile.attempt_timeout)
        self._session: aiohttp.ClientSession | None = None
        self._visits: set[aiohttp.ClientSession] = set()
        self._dropped: weakref.finalize[..., Lane] | None = None
        self._lookups = Threads(_LOOKUPS)
        self.disk = Threads(_DISK)
        """For work that waits for the disk."""
        self._answered_at = -math.inf
        self._on_signal = on_signal
        self._budget = RetryBudget()
        self._gate = Gate(
            self._where,
            profile,
            clock,
            sleep=self.sleep,
            documented_rate=adapter.requests_per_second,
            limiter=limiter,
            tell=self.tell,
        )
        self._issued: deque[Secret] = deque(maxlen=_TOKENS)
        authorization = adapter.authorization
        self._tokens = Tokens(account, clock, partial(self._authorize, authorization)) if authorization else None
        self._closing: asyncio.Future[None] | None = None
        self._is_closed = False

    async def run(
        self, operation: OperationName, flow: Flow[T], counts: Counts | None = None, profile: Profile | None = None
    ) -> T:
        """Run a flow to its end and return its result; raise a bare `HubError` with account, operation and attempts.

        `profile` replaces the lane's own for this operation, except for the number of concurrent requests.
        """
        exchange = OperationRun(operation, profile or self.profile, self.clock.monotonic())
        try:
            return await self._drive(flow, exchange)
        except (HubError, asyncio.CancelledError) as error:
            failure = bare(error)
        finally:
            if counts is not None:
                counts.requests += exchange.requests
                counts.retries += exchange.retries
                counts.mended += exchange.mended
        raise self._complete(failure, exchange)

    async def repeat(
        self, operation: OperationName, attempt: Callable[[OperationRun], Awaitable[T]], profile: Profile
    ) -> T:
        """Attempt what a flow cannot do, as often as a flow's request; raise the same errors as `run`."""
        exchange = OperationRun(operation, profile, self.clock.monotonic())
        try:
            return await self._try(partial(attempt, exchange), exchange, is_safe=True)
        except (HubError, asyncio.CancelledError) as error:
            failure = bare(error)
        raise self._complete(failure, exchange)

    async def _drive(self, flow: Flow[T], exchange: OperationRun) -> T:
        answer: Response | HubError | None = None
        while True:
            bug: Exception
            try:
                if isinstance(answer, Response) and len(answer.body) > LARGE:
                    # Reading it takes long enough to keep all other tasks waiting.
                    request = await asyncio.to_thread(_resume, flow, answer)
                else:
                    request = _resume(flow, answer)
            except HubError:
                raise
            except Exception as error:  # noqa: BLE001  (one adapter's bug must not affect the others)
                bug = error
            else:
                if isinstance(request, _Result):
                    return request.value
                try:
                    attempt = partial(self._attempt, request, exchange)
                    if self._tokens is not None and exchange.operation != "authorize":
                        attempt = partial(self._attempt_authorized, self._tokens, request, exchange)
                    answer = await self._try(attempt, exchange, is_safe=request.is_safe)
                except HubError as error:
                    answer = error
                continue
            raise PayloadError(f"the adapter could not read the response: {name_of(bug)}")

    async def _authorize(self, authorization: Authorization) -> Token:
        token = await self.run("authorize", authorization.flow(self.account))
        self._issued.append(token.secret)
        return token

    async def _try(self, attempt: Callable[[], Awaitable[T]], exchange: OperationRun, *, is_safe: bool) -> T:
        exchange.attempts = 0
        try:
            found = await attempt()
        except HubError as error:
            failure = error
        else:
            self._budget.give_back(None)
            return found
        if not (failure.retryable and is_safe) or isinstance(failure, CircuitOpenError):
            raise failure
        return await self._retry(attempt, exchange, failure)

    async def _retry(self, attempt: Callable[[], Awaitable[T]], exchange: OperationRun, failure: HubError) -> T:
        """Retry after a first failure as the policy says; it costs more than an attempt."""
        failures = [failure]
        last_cost: int | None = None

        async def again() -> T:
            if failures:
                raise failures.pop()
            return await attempt()

        def wait(state: RetryCallState) -> float:
            nonlocal last_cost
            error = state.outcome.exception() if state.outcome else None
            delay = self._delay(error, state.attempt_number, exchange)
            if not isinstance(error, HubError) or delay is None:
                return math.inf
            # Paid before the wait: otherwise all retries that wait at once would find the same tokens.
            last_cost = self._budget.take(error)
            if last_cost is None:
                return math.inf
            self.tell(
                RetryScheduled,
                exchange.operation,
                number=state.attempt_number,
                delay=delay,
                cause=type(error).__name__,
                budget=self._budget.level,
            )
            return delay

        # A new one each time: one that is shared between tasks mixes up their attempts.
        retrying = AsyncRetrying(
            retry=retry_if_exception(lambda error: isinstance(error, HubError) and error.retryable),
            wait=wait,
            stop=lambda state: state.upcoming_sleep == math.inf,
            sleep=self.sleep,
            reraise=True,
        )
        found: T = await retrying(again)
        self._budget.give_back(last_cost)
        return found

    def _delay(self, error: BaseException | None, attempt: int, exchange: OperationRun) -> float | None:
        """Return the seconds to wait before the next attempt; None: there should be none."""
        if not isinstance(error, HubError) or attempt >= exchange.profile.attempts:
            return None
        if self._gate.is_broken and not exchange.profile.parks:
            return None
        if exchange.is_stale:
            return 0.0  # the failure says nothing about the provider
        delay = exchange.profile.backoff.delay(error, attempt - 1, self.clock.roll())
        if delay is None or self.clock.monotonic() + delay >= exchange.deadline:
            return None
        return delay

    async def sleep(self, delay: float) -> None:
        """Sleep; raise `HubClosedError` as soon as the lane is closed."""
        closing = self._open()[1]
        sleeping = asyncio.ensure_future(self.clock.sleep(delay))
        try:
            await asyncio.wait((sleeping, closing), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            await asyncio.gather(sleeping, return_exceptions=True)
        self._open()

    async def _attempt(self, request: Request, exchange: OperationRun) -> Response:
        """Send a request once, when its turn has come, and accept the response only if it is complete."""
        if request.elsewhere:
            return await self._attempt_elsewhere(request, exchange)
        session, _ = self._open()
        url = target(request, self._base_of(request))
        gate, connections = self._gate, self._connections
        ticket = gate.enter_at_once() or await gate.stand_in_line(exchange.deadline, parks=exchange.profile.parks)
        failure: HubError
        try:
            if not connections.take_at_once():
                await self._wait_for_connection(exchange)
            try:
                response = await self._send(session, url, request, exchange)
            finally:
                connections.give_back()
            size = len(response.body)
            if not self.read_budget.spend_at_once(size):
                await self.read_budget.spend(size)
            response = await self._checked(response, request, exchange)
            if tells_quota(response.headers):
                await self._gate.observe(response.headers)
        except HubError as error:
            failure = error
        except BaseException:
            self._gate.abandoned(ticket)
            raise
        else:
            self._gate.succeeded(ticket)
            return response
        finally:
            self._gate.leave()
        await self._learn(ticket, failure, exchange)
        raise failure

    async def _attempt_authorized(self, tokens: Tokens, request: Request, exchange: OperationRun) -> Response:
        """Attempt a request with a valid token, and if that is refused, once more with a new one."""
        exchange.account = await tokens.account(exchange.deadline)
        try:
            return await self._attempt(request, exchange)
        except AuthError as error:
            if isinstance(error, ForbiddenError) or exchange.has_renewed:
                raise
            tokens.forget(exchange.account)
        exchange.has_renewed = True
        exchange.account = await tokens.account(exchange.deadline)
        return await self._attempt(request, exchange)

    async def _attempt_elsewhere(self, request: Request, exchange: OperationRun) -> Response:
        """Send a request once to another host than the provider's API: without the key, and outside its rate limit."""
        guard = Guard(self.base_url, self.adapter.artifact_hosts, what="artifact")
        url = guard.checked(request.path)
        # A proxy makes the connections itself, and may have a private address.
        is_stranger = not guard.is_own(url) and self.proxy_to(url) is None
        visit = self.visit(_ACCEPT, public_socket if is_stranger else None, is_stranger=is_stranger)
        async with self.connection(exchange), visit as session:
            response = await self._send(session, str(url), request, exchange)
        if not self.read_budget.spend_at_once(len(response.body)):
            await self.read_budget.spend(len(response.body))
        if response.ok:
            return await self._checked(response, request, exchange)
        if response.status < 400:
            raise PayloadError("the artifact is redirected; not followed", status=response.status)
        kind = for_status(response.status)
        # It says nothing about the account's key.
        kind = RejectedError if issubclass(kind, AuthError) else kind
        raise kind("the artifact's host refused the request", status=response.status)

    async def _learn(self, ticket: Ticket, failure: HubError, exchange: OperationRun) -> None:
        if exchange.is_stale or exchange.is_impatient:
            self._gate.abandoned(ticket)
        else:
            await self._gate.failed(ticket, failure)

    @asynccontextmanager
    async def admitted(self, exchange: OperationRun) -> AsyncGenerator[None]:
        """Wait for a turn at the provider, for a request outside flows, and learn from its outcome."""
        ticket = await self._gate.enter(exchange.deadline, parks=exchange.profile.parks)
        try:
            yield
        except HubError as error:
            failure = error
        except BaseException:
            self._gate.abandoned(ticket)
            raise
        else:
            self._gate.succeeded(ticket)
            return
        finally:
            self._gate.leave()
        await self._learn(ticket, failure, exchange)
        raise failure

    @asynccontextmanager
    async def connection(self, exchange: OperationRun) -> AsyncGenerator[None]:
        """Hold one of the hub's connections, for a request outside flows, when the account's turn has come."""
        if not self._connections.take_at_once():
            await self._wait_for_connection(exchange)
        try:
            yield
        finally:
            self._connections.give_back()

    async def _wait_for_connection(self, exchange: OperationRun) -> None:
        began = self.clock.monotonic()
        await self._connections.take(self._where, exchange.deadline - began)
        self.tell(Waited, seconds=self.clock.monotonic() - began, reason="connection")

    async def _checked(self, response: Response, request: Request, exchange: OperationRun) -> Response:
        if len(response.body) > LARGE:
            return await asyncio.to_thread(self._check, response, request, exchange)
        return self._check(response, request, exchange)

    def _check(self, response: Response, request: Request, exchange: OperationRun) -> Response:
        if not response.ok:
            raise self.refusal(response)
        if not request.json:
            return response
        if request.reads is not None and len(response.body) <= LARGE:
            decoded = decoded_body(response.body, request.reads)
            if decoded is not None:
                return Response(response.status, response.headers, decoded)
        body, was_mended = well_formed(response.body, is_list=exchange.operation == "list")
        if not was_mended:
            return response
        exchange.mended += 1
        return Response(response.status, response.headers, body)

    async def _send(
        self, session: aiohttp.ClientSession, url: str, request: Request, exchange: OperationRun
    ) -> Response:
        started = self.clock.monotonic()
        left = exchange.deadline - started
        if left <= 0:
            raise DeadlineError("the operation's deadline passed before the request was sent")
        is_usual = exchange.profile is self.profile and left >= exchange.profile.attempt_timeout
        exchange.begin(self._timeout if is_usual else _time_out(exchange.profile, left))
        sent = exchange.requests
        outcome = await self._trade(session, url, request, exchange)
        if exchange.requests > sent:
            path = request.path if request.path.startswith("/") else "(next page)"
            path = "(elsewhere)" if request.elsewhere else path
            self.ended(request.method, path, exchange, started, outcome)
        if isinstance(outcome, HubError):
            raise outcome
        self._answered_at = self.clock.monotonic()
        return outcome

    async def _trade(
        self,
        session: aiohttp.ClientSession,
        url: str,
        request: Request,
        exchange: OperationRun,
    ) -> Response | HubError:
        """Send a request and return the outcome; it never raises, because the key is a variable here only."""
        is_usual = not request.elsewhere and request.base_url is None
        try:
            signed = self._sign(request, exchange)
            if signed.query is not request.query or signed.path is not request.path:
                url = target(signed, self._base_of(signed))
            headers = signed.headers if signed.body is None else {"Content-Type": "application/json", **signed.headers}
            exchange.attempts += 1
            exchange.requests += 1
            exchange.retries += exchange.attempts > 1
            answer = await session.request(
                request.method,
                self._parsed(url),
                headers=headers,
                data=signed.body,
                timeout=exchange.timeout,
                allow_redirects=False,
                proxy=url_of(self._proxy if is_usual else self.proxy_to(URL(url, encoded=True))),
            )
            try:
                exchange.stage = "reading the response"
                return Response(answer.status, answer.headers, await read(answer, exchange.profile.largest_body))
            finally:
                answer.release()
                if signed.body is not None:
                    await answer.wait_for_close()
        except HubError as error:
            return bare(error)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            was_kept = self.clock.monotonic() - self._answered_at < KEEP_ALIVE
            exchange.is_stale = was_kept and exchange.attempts == 1 and is_lost(error) and exchange.stage == WAITING
            if not is_usual:
                whole = URL(url, encoded=True)
                return self.failure(error, exchange, whole.host or "", self.proxy_to(whole))
            return self.failure(error, exchange, self._host, self._proxy)
        except Exception as bug:  # noqa: BLE001  (one adapter's bug must not affect the others)
            return bug_of(bug)

    def _parsed(self, url: str) -> URL:
        """Return a URL; its origin, which most share, is not parsed again."""
        if not url.startswith(self._root) or "#" in url:
            return URL(url, encoded=True)
        scheme, authority = self._origin
        path, _, query = url[len(self._root) - 1 :].partition("?")
        return URL.build(scheme=scheme, authority=authority, path=path, query_string=query, encoded=True)

    def _base_of(self, request: Request) -> str:
        """Return the address that a request goes to; it gets the key."""
        if request.base_url is None or self.account.base_url is not None:
            return self.base_url
        if request.base_url not in self.adapter.base_urls:
            raise UnsafeURLError("the adapter does not name this address of its provider; not asked")
        return request.base_url

    def _sign(self, request: Request, exchange: OperationRun) -> Request:
        authorization, now = self.adapter.authorization, self.clock.now()
        if authorization is not None and exchange.operation == "authorize":
            return authorization.sign(request, self.account, now)
        return request if request.elsewhere else self.adapter.sign(request, exchange.account or self.account, now)

    def refusal(self, response: Response) -> HubError:
        """Return the error for a response outside 2xx, in the provider's words."""
        if response.status < 400:
            return PayloadError("the provider redirects elsewhere; not followed", status=response.status)
        if response.status == 407 and self._proxy is not None:
            return refused_by(self._proxy, self._host, response.status)
        said = response.body.decode(errors="replace").encode()
        error = self._refusal(Response(response.status, response.headers, said))
        if error.retry_after is None:
            error.retry_after = retry_after(response.headers, self.clock.now())
        if error.retry_after is None and isinstance(error, RateLimitError):
            error.retry_after = self._gate.quota_wait(response.headers)
        error.request_id = next(filter(None, (field(response.headers, name) for name in _REQUEST_IDS)), None)
        return error

    def _refusal(self, response: Response) -> HubError:
        try:
            error = cast("object", self.adapter.refusal(response))
            return error if isinstance(error, HubError) else bug_of(TypeError())
        except HubError as failure:
            return bare(failure)
        except Exception as bug:  # noqa: BLE001  (one adapter's bug must not affect the others)
            return bug_of(bug)

    def proxy_to(self, url: URL) -> Proxy | None:
        """Return the proxy for a URL outside the provider's API; None: connect directly."""
        return self._through(str(url.origin()))

    def failure(self, error: LibraryError, exchange: OperationRun, host: str, proxy: Proxy | None) -> HubError:
        """Return our error for one of the library's."""
        if self._is_closed:
            return HubClosedError("the hub was closed while the request was under way")
        exchange.is_impatient = self._is_impatience(error, exchange.timeout)
        if isinstance(error, TimeoutError) and self.clock.monotonic() >= exchange.deadline - _TICK:
            reason = f"no complete response within {exchange.profile.deadline:g} s: still {exchange.stage}"
            return DeadlineError(reason, attempts=exchange.attempts)
        return failure_of(error, host, exchange.profile, exchange.stage, proxy)

    def _is_impatience(self, error: LibraryError, timeout: aiohttp.ClientTimeout | None) -> bool:
        if timeout is None or not isinstance(error, TimeoutError):
            return False
        if isinstance(error, aiohttp.ConnectionTimeoutError):
            return is_impatience(timeout.sock_connect or 0.0, self.profile.connect_timeout)
        return is_impatience(timeout.total or 0.0, self.profile.attempt_timeout)

    def _complete(self, error: E, exchange: OperationRun) -> E:
        if isinstance(error, HubError):
            error.reason = self._shown(error.reason, _LONGEST_WORDS if isinstance(error, ProviderError) else _LONGEST)
            if error.request_id is not None:
                error.request_id = self._shown(error.request_id, _LONGEST_ID)
            error.provider = self.account.provider
            error.account = self.account.name
            error.operation = exchange.operation
            error.attempts = exchange.attempts
            error.elapsed = self.clock.monotonic() - exchange.started
        return error

    def _shown(self, text: str, most: int) -> str:
        """Return a text that may come from a response as an error may show it: without credentials, and shortened.

        Some providers repeat the key that they refuse; if the text were shortened first, a part of the key could stay.
        """
        for secret in (*self._secrets, *self._issued):
            text = secret.hidden_in(text)
        return one_line(text, most)

    def ended(
        self, method: str, path: str, exchange: OperationRun, started: float, outcome: Response | HubError
    ) -> None:
        """Signal that an attempt ended: with templates, sizes and times, never ids or content."""
        if not self._is_heard:
            return
        answered = outcome if isinstance(outcome, Response) else None
        self.tell(
            AttemptEnded,
            exchange.operation,
            method=method,
            path=path,
            number=exchange.requests,
            status=answered.status if answered else None,
            size=len(answered.body) if answered else 0,
            seconds=self.clock.monotonic() - started,
            error=None if answered else type(outcome).__name__,
            reason=outcome.reason if isinstance(outcome, TransportError) else None,
        )

    def tell(self, kind: type[Signal], operation: OperationName | None = None, **facts: Any) -> None:
        """Log a signal, and pass it to `on_signal`."""
        if not self._is_heard:
            return
        signal = kind(provider=self.account.provider, account=self.account.name, operation=operation, **facts)
        if log.isEnabledFor(logging.DEBUG):
            log.debug("%s", in_words(signal))
        if self._on_signal is not None:
            self._on_signal(signal)

    @property
    def _is_heard(self) -> bool:
        return self._on_signal is not None or log.isEnabledFor(logging.DEBUG)

    def _open(self) -> tuple[aiohttp.ClientSession, asyncio.Future[None]]:
        if self._is_closed:
            raise HubClosedError("the hub is closed: make a new one, or use it inside its `async with`")
        loop = self._connections.own_loop()
        if self._session is None or self._closing is None:
            self._closing = loop.create_future()
            self._session = session(self.profile.in_flight, self._connections, self._ssl, _ACCEPT, self._lookups)
            self._dropped = weakref.finalize(self, drop, self._session, self._where)
        return self._session, self._closing

    @asynccontextmanager
    async def visit(
        self, headers: Mapping[str, str], socket_factory: SocketFactory | None, *, is_stranger: bool
    ) -> AsyncGenerator[aiohttp.ClientSession]:
        """Open a session for one visit; it is closed with the lane at the latest.

        `is_stranger` says that it connects neither to the account's own origin nor to a proxy.
        """
        self._open()
        ssl = self._recordings_ssl if is_stranger else self._ssl
        async with session(1, self._connections, ssl, headers, self._lookups, socket_factory=socket_factory) as visit:
            self._visits.add(visit)
            try:
                yield visit
            finally:
                self._visits.discard(visit)

    async def close(self) -> None:
        """Close all connections; operations under way fail with `HubClosedError`. Closing again does nothing.

        Raises `HubClosedError`, and closes nothing, in another event loop than the one that first used them.
        """
        if self._is_closed:
            return
        self._connections.own_loop()
        self._is_closed = True
        if self._closing is not None and not self._closing.done():
            self._closing.set_result(None)
        if self._dropped is not None:
            self._dropped.detach()
        if self._session is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(_CLOSING):
                    for each in (*self._visits, self._session):
                        await each.close()
                    if self._tokens is not None:
                        await self._tokens.settled()


def _context(ssl: object) -> SSLContext | None:
    # The library also takes `False`, and then checks no certificate.
    if not isinstance(ssl, SSLContext | None):
        raise ConfigurationError("ssl must be an ssl.SSLContext, such as ssl.create_default_context(cafile=…), or None")
    return ssl


def _time_out(profile: Profile, left: float) -> aiohttp.ClientTimeout:
    # `total` is the only bound a dripping server cannot stretch; rounding it up would overrun the deadline.
    total = min(left, profile.attempt_timeout)
    return aiohttp.ClientTimeout(total=total, sock_connect=min(total, profile.connect_timeout), ceil_threshold=math.inf)
