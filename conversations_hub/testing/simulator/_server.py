"""The simulated providers on loopback: one web server, one path prefix for each."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
import zlib
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from http.client import responses
from importlib import import_module
from math import ceil
from threading import Lock
from types import TracebackType
from typing import Self

from aiohttp import web

from ..._background import Background
from ...adapters import BUILTIN
from ...schema import Channel
from ...wire import Response
from ._corpus import fraction
from ._faults import Bucket, Fault, Faults
from ._listening import stop_listening
from ._own import RINGS, SETTLED, Said, lasts, owned, spoken
from ._webhooks import Deliveries, Sent, sent_now
from ._world import Call, Simulated, World, reply

__all__ = ["Simulator"]

_PIECES = 10
_GRACE = 1.0
_NO_FAULTS = Faults()


class Simulator:
    """Every built-in provider's API on loopback, for tests, demos and dry runs.

    `async with` serves in the running event loop, `with` in a thread of its own. Any key is accepted, one that starts
    with `bad` is refused as that provider refuses. What calls change lasts as long as this object.

    Args:
        conversations: How many each provider has; they are made as asked for, never held.
        chats: How many chats, texts or transcripts Vapi, Bland and Twilio have besides, who keep them apart.
        seed: Another seed, other conversations and other faults.
        faults: How the providers misbehave; `simulator.faults` may be replaced at any time.
        host: The address to listen on.
        port: The port to listen on; 0: a free one.
        webhooks_to: Where the providers deliver their events, each below a path of its own name; None: nowhere.
        providers: Which are served.
        now: The aware instant at which time begins; None: the current minute.
        clock: Seconds that only go up; they move the simulated present.
    """

    def __init__(
        self,
        *,
        conversations: int = 300,
        chats: int = 0,
        seed: int = 0,
        faults: Faults = _NO_FAULTS,
        host: str = "127.0.0.1",
        port: int = 0,
        webhooks_to: str | None = None,
        providers: Iterable[str] = BUILTIN,
        now: datetime | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if conversations < 0 or chats < 0:
            raise ValueError("the numbers of conversations and chats are not negative")
        begin = datetime.now(UTC).replace(second=0, microsecond=0) if now is None else now
        if begin.tzinfo is None:
            raise ValueError("now must be an aware datetime")
        self.requests: Counter[str] = Counter()
        """Requests received, by provider."""
        self.worlds: dict[str, World] = {}
        """What each provider answers from."""
        self._providers: dict[str, Simulated] = {}
        for name in providers:
            simulated: Simulated = import_module(f"._{name}", __package__).SIMULATED
            self._providers[name] = simulated
            self.worlds[name] = simulated.world(
                name, conversations=conversations, chats=chats, seed=seed, now=begin.timestamp(), clock=clock
            )
        self.faults = faults
        self._seed = seed
        self._host = host
        self._port = port
        self._clock = clock
        self._scripts: defaultdict[str, deque[int | Fault | Response]] = defaultdict(deque)
        self._buckets: dict[tuple[str, str], Bucket] = {}
        self._serving: set[asyncio.Task[object]] = set()
        self._listening: asyncio.Server | None = None
        self._web: web.Server | None = None
        self._delivering: asyncio.Task[None] | None = None
        self._background: Background | None = None
        self._changing = Lock()  # what is asked for, and what a test adds meanwhile from its own thread
        self.deliveries: Deliveries | None = None
        """What the providers deliver, where they deliver anywhere."""
        if webhooks_to is not None:
            self.deliveries = Deliveries(webhooks_to, self._providers, self.worlds, lambda: self.faults, self._rolls)

    @property
    def faults(self) -> Faults:
        """How the providers misbehave."""
        return self._faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        kinds = [f"{name}:{kind}" for name, provider in self._providers.items() for kind in provider.others]
        for kind in faults.withheld:
            if kind not in kinds:
                raise ValueError(
                    f"nothing here called {kind!a} can be withheld; there is {', '.join(kinds) or 'nothing'}"
                )
        self._faults = faults

    async def __aenter__(self) -> Self:
        self._web = web.Server(self._serve, access_log=None)
        self._listening = await asyncio.get_running_loop().create_server(self._web, self._host, self._port)
        if self.deliveries is not None:
            self._delivering = asyncio.create_task(self.deliveries.run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._close()

    def __enter__(self) -> Self:
        self._background = Background("conversations_hub simulator")
        try:
            return self._background.run(self.__aenter__())
        except BaseException:
            self._background.close()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._background is not None:
            self._background.run(self._close())
            self._background.close()

    async def _close(self) -> None:
        listening, self._listening = self._listening, None
        if listening is not None:
            await stop_listening(listening)
        running = [*self._serving, *([self._delivering] if self._delivering else [])]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        if self._web is not None:
            self._web.pre_shutdown()
            await self._web.shutdown(_GRACE)

    @property
    def url(self) -> str:
        """Where it listens."""
        if self._listening is None:
            raise RuntimeError("the simulator is not running: open it with `async with`, or `with`")
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._listening.sockets[0].getsockname()[1]}"

    def base_url(self, provider: str) -> str:
        """Return what a provider's base URL is here."""
        return f"{self.url}/{self._known(provider)}"

    def environment(self) -> dict[str, str]:
        """Return the environment in which `Hub.from_env()` finds every provider here, and the secrets of webhooks."""
        found: dict[str, str] = {}
        for name, simulated in self._providers.items():
            found[f"{name.upper()}_BASE_URL"] = self.base_url(name)
            found[f"{name.upper()}_API_KEY"] = simulated.api_key
            found |= {f"{name}_{setting}".upper(): value for setting, value in simulated.settings.items()}
            if simulated.webhook_secret:
                found[f"{name.upper()}_WEBHOOK_SECRET"] = simulated.webhook_secret
        return found

    def secret(self, provider: str) -> str:
        """Return what verifies a provider's deliveries here; empty where it does not sign."""
        return self._providers[self._known(provider)].webhook_secret

    def delivered(self, provider: str, id: str) -> list[Sent]:
        """Return what a provider's webhook has delivered about a conversation so far, as it would be sent now."""
        simulated, world = self._providers[self._known(provider)], self.worlds[provider]
        truth = world.find(id)
        if truth is None or simulated.deliveries is None:
            return []
        present = world.present
        return [
            sent_now(simulated, delivery, present)
            for delivery in simulated.deliveries(world, truth)
            if delivery.moment <= present
        ]

    def add(
        self,
        provider: str,
        said: Iterable[Said],
        *,
        started: datetime | None = None,
        channel: Channel = Channel.PHONE,
        title: str = "A conversation of your own",
        summary: str = "What was said was written for a test.",
    ) -> str:
        """Add a conversation in which just that is said, and return its ref, `tavus:c0123456789`.

        Args:
            provider: Who has it.
            said: Its turns, one after the other: `("user", "Hello.")`, or `TranscriptTurn`s, whose times, tool calls
                and tool results are told as well.
            started: The aware instant at which it was answered; None: so long ago that all of it is written down.
            channel: How they talked.
            title: What one would call it.
            summary: What it was about.

        Raises:
            ValueError: somebody speaks who is neither user nor assistant, or it starts in the future.
        """
        world = self.worlds[self._known(provider)]
        turns = spoken(said)
        began = world.present - SETTLED - lasts(turns) if started is None else started.timestamp()
        with self._changing:
            truth = world.insert(began - RINGS, lambda truth: owned(truth, turns, channel, title, summary))
        return f"{provider}:{world.id(truth)}"

    def script(self, provider: str, answers: Iterable[int | str | Response]) -> None:
        """Decide a provider's next answers, before any other fault.

        Each is a status (429 comes with `Retry-After`, below 400 is the true answer), the name of a `Fault`
        ("outage"), or a whole `Response`.
        """
        script = [_fault(answer) if isinstance(answer, str) else answer for answer in answers]
        self._scripts[self._known(provider)].extend(script)

    def _known(self, provider: str) -> str:
        if provider not in self._providers:
            raise ValueError(f"no provider {provider!r} here; there are {', '.join(self._providers)}")
        return provider

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        task = asyncio.current_task()
        if task is not None:
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)
        name, _, below = request.raw_path.partition("?")[0].removeprefix("/").partition("/")
        if name not in self._providers:
            there = ", ".join(f"/{provider}" for provider in self._providers)
            return _whole(reply(404, {"error": f"no provider at this path; there are {there}"}))
        query = request.raw_path.partition("?")[2]
        headers = {header.lower(): value for header, value in request.headers.items()}
        call = Call(request.method, f"/{below}?{query}", headers, await request.read())
        return await self._answer(name, call, request)

    async def _answer(self, name: str, call: Call, request: web.BaseRequest) -> web.StreamResponse:
        self.requests[name] += 1
        roll = self._rolls(name, self.requests[name])
        faults = self.faults if name in (self.faults.providers or self._providers) else _NO_FAULTS
        if faults.latency or faults.jitter:
            await asyncio.sleep(faults.latency + faults.jitter * roll(0))
        fault, extra = self._decide(name, call, faults, roll)
        provider = self._providers[name]
        match fault:
            case Response():
                answer = fault
            case int():
                answer = _refusal(provider, fault)
            case Fault.THROTTLE:
                answer, extra = _refusal(provider, 429), {"Retry-After": str(faults.retry_after), **extra}
            case Fault.THROTTLE_BARE:
                answer = _refusal(provider, 429)
            case Fault.OUTAGE:
                answer = _refusal(provider, faults.status(roll(2)))
            case _:
                with self._changing:
                    answer = self._carried_out(name, call, faults)
        answer = Response(answer.status, {**answer.headers, **extra}, answer.body)
        if fault == Fault.RESET:
            return _reset(request)
        if fault == Fault.TRUNCATE and answer.body:
            return await _in_pieces(request, answer, len(answer.body) // 2, seconds=0.0)
        if fault == Fault.SLOW:
            return await _in_pieces(request, answer, len(answer.body), seconds=faults.slow_seconds)
        return _whole(answer)

    def _carried_out(self, name: str, call: Call, faults: Faults) -> Response:
        provider = self._providers[name]
        if f"{name}:{provider.kind(call)}" in faults.withheld:
            return _refusal(provider, 403)
        return provider.answer(call, self.worlds[name])

    def _decide(
        self, name: str, call: Call, faults: Faults, roll: Callable[[int], float]
    ) -> tuple[int | Fault | Response | None, dict[str, str]]:
        """Return what goes wrong, and headers that come with the answer."""
        if self._scripts[name]:
            scripted = self._scripts[name].popleft()
            if scripted == 429:
                return Fault.THROTTLE, {}
            return None if isinstance(scripted, int) and scripted < 400 else scripted, {}
        headers: dict[str, str] = {}
        if faults.requests_per_second is not None:
            now, key = self._clock(), (name, self._providers[name].key(call))
            wait, left, full_in = self._buckets.setdefault(key, Bucket(now)).take(faults, now)
            provider = self._providers[name]
            resets = self.worlds[name].present + full_in if provider.limit_resets_at else full_in
            told = (round(faults.requests_per_second), left, ceil(resets))
            names = provider.limit_headers or ()
            headers = {header: str(number) for header, number in zip(names, told, strict=False)}
            if wait:
                return 429, {"Retry-After": str(ceil(wait)), **headers}
        return faults.choose(roll(1)), headers

    def _rolls(self, name: str, count: int) -> Callable[[int], float]:
        return lambda place: fraction(self._seed, zlib.crc32(name.encode()), count, place)


def _fault(name: str) -> Fault:
    try:
        return Fault(name)
    except ValueError:
        raise ValueError(f"{name!r} is not a valid Fault; there are {', '.join(Fault)}") from None


def _refusal(provider: Simulated, status: int) -> Response:
    return provider.refusal(status, responses.get(status, "Refused"))


def _whole(answer: Response) -> web.Response:
    return web.Response(status=answer.status, headers=answer.headers, body=answer.body)


def _reset(request: web.BaseRequest) -> web.Response:
    if request.transport is not None:
        # Closed with a linger of zero, a socket sends a reset.
        request.transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        request.transport.abort()
    return web.Response()


async def _in_pieces(request: web.BaseRequest, answer: Response, sent: int, *, seconds: float) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    response.content_length = len(answer.body)
    response.force_close()
    step = max(1, ceil(sent / _PIECES))
    try:
        await response.prepare(request)
        for start in range(0, sent, step):
            await asyncio.sleep(seconds / _PIECES)
            await response.write(answer.body[start : min(start + step, sent)])
    except ConnectionError:
        pass  # the client did not wait
    return response
