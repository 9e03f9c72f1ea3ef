"""Providers in a process of their own, quick enough that it is the client which is measured.

    python benchmarks/answering.py tavus CONVERSATIONS TURNS [LANGUAGE]
    python benchmarks/answering.py simulator CONVERSATIONS PROVIDER …
    python benchmarks/answering.py calls CONVERSATIONS TURNS PROVIDER …

The first makes every conversation of one mould, and counts what it is asked. The others answer as the simulator does,
the last with conversations of one length, and remember: what is asked again costs them nothing. All print their URL.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from conversations_hub.testing.simulator._world import Simulated, World

__all__ = ["CHANGED", "COUNTED", "REMEMBERED", "SENTENCES", "answering", "conversation_id", "mould"]

CHANGED = "/changed"
"""Below this the first has every hundredth conversation by another name."""
COUNTED = "/counted"
"""Where the first tells how many pages and details it was asked for, and how many connections were open at most."""

REMEMBERED = "/remembered"
"""Where the others tell what they were asked, as a list of method, target and body, in order."""

SENTENCES = {
    "English": "The order has not arrived yet; could you please check where it is, and tell me when to expect it?",
    "Chinese": "订单还没有到；请您查一下它现在在哪里，并告诉我什么时候能收到，谢谢。",  # noqa: RUF001  (as it is written)
}

_Answer = Callable[[bytes, bytes], bytes]
"""Takes head and body of a request, and returns the whole answer."""


@contextmanager
def answering(*arguments: object) -> Generator[str]:
    """Run one of them, and hand out its URL."""
    command = [sys.executable, __file__, *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:  # noqa: S603
        try:
            assert running.stdout is not None
            yield running.stdout.readline().strip()
        finally:
            running.kill()


class _Connection(asyncio.Protocol):
    open: ClassVar[int] = 0
    most: ClassVar[int] = 0

    def __init__(self, answer: _Answer) -> None:
        self._answer = answer
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        _Connection.open += 1
        _Connection.most = max(_Connection.most, _Connection.open)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        _Connection.open -= 1

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, rest = self._received.partition(b"\r\n\r\n")
        if not end:
            return
        told = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        if len(rest) >= (int(told[1]) if told else 0):
            self._received = b""
            self._transport.write(self._answer(head, rest))


def _whole(body: bytes, head: bytes = b"HTTP/1.1 200 OK\r\nContent-Type: application/json") -> bytes:
    return b"%b\r\nContent-Length: %d\r\n\r\n%b" % (head, len(body), body)


# one mould


def conversation_id(number: int) -> str:
    """Return the id of one of the mould's conversations."""
    return f"c{number:06}"


def mould(turns: int | None, language: str = "English", name: str = "A call") -> tuple[bytes, bytes]:
    """Return what stands before and behind the id of a Tavus conversation; `turns` None: as a list shows it."""
    said = [
        {
            "role": "user" if turn % 2 else "assistant",
            "content": SENTENCES[language],
            "timestamp": 1793700000.84 + 5 * turn,
            "seconds_from_start": 5.0 * turn,
            "duration": 4.15,
            "inference_id": f"inference-{turn}",
        }
        for turn in range(turns or 0)
    ]
    conversation: dict[str, Any] = {
        "conversation_id": "%",
        "conversation_name": name,
        "conversation_url": "https://example.com/room",
        "status": "ended",
        "replica_id": "r1",
        "persona_id": "p1",
        "created_at": "2026-11-03T10:00:00Z",
        "updated_at": "2026-11-03T10:04:30Z",
    }
    if turns is not None:
        joined = {"event_type": "system.replica_joined", "timestamp": "2026-11-03T10:00:02Z"}
        ready = {"event_type": "application.transcription_ready", "timestamp": "2026-11-03T10:04:30Z"}
        conversation["events"] = [joined, {**ready, "properties": {"transcript": said}}]
    before, _, behind = json.dumps(conversation, separators=(",", ":"), ensure_ascii=False).encode().partition(b"%")
    return before, behind


def _moulded(conversations: int, turns: int, language: str = "English") -> _Answer:
    moulds = [(mould(None, name=name), mould(turns, language, name)) for name in ("A call", "Another call")]
    asked = {"pages": 0, "details": 0}

    def answer(head: bytes, _body: bytes) -> bytes:
        target = urlsplit(head.split(maxsplit=2)[1].decode())
        if target.path == COUNTED:
            return _whole(json.dumps({**asked, "connections": _Connection.most}).encode())
        is_changed, is_whole = target.path.startswith(CHANGED), "verbose=true" in target.query

        def one(number: int) -> bytes:
            before, behind = moulds[is_changed and number % 100 == 0][is_whole]
            return before + conversation_id(number).encode() + behind

        if not target.path.endswith("/conversations"):
            asked["details"] += 1
            return _whole(one(int(target.path.rpartition("/c")[2])))
        asked["pages"] += 1
        told = parse_qs(target.query)
        page, size = int(told["page"][0]), int(told["limit"][0])
        rows = b",".join(map(one, range((page - 1) * size, min(page * size, conversations))))
        return _whole(b'{"data":[%b],"total_count":%d}' % (rows, conversations))

    return answer


# the simulator


def _simulated(conversations: int, *providers: str) -> _Answer:
    # The first kind needs none of this, and is begun ten times in a run.
    from calls import simulated  # noqa: PLC0415

    now = time.time()
    known = {name: simulated(name) for name in providers}
    return _remembering(
        {
            name: (one, one.world(name, conversations=conversations, now=now, clock=time.monotonic))
            for name, one in known.items()
        },
        now,
    )


def _calls(conversations: int, turns: int, *providers: str) -> _Answer:
    from calls import NOW, simulated, world_of  # noqa: PLC0415

    return _remembering({name: (simulated(name), world_of(name, conversations, turns)) for name in providers}, NOW)


def _remembering(simulated: Mapping[str, tuple[Simulated, World]], now: float) -> _Answer:
    from conversations_hub.testing.simulator._world import Call  # noqa: PLC0415

    remembered: dict[bytes, bytes] = {}
    asked: list[tuple[str, str, str]] = []

    def answer(head: bytes, body: bytes) -> bytes:
        key = head.partition(b"\r\n")[0] + body
        if key not in remembered:
            first, *lines = head.decode().split("\r\n")
            method, target, _ = first.split()
            if target == REMEMBERED:
                return _whole(json.dumps(asked).encode())
            _, name, below = target.split("/", 2)
            provider, world = simulated[name]
            headers = {header.lower(): value for header, _, value in (line.partition(": ") for line in lines)}
            said = provider.answer(Call(method, f"/{below}", headers, body), world)
            told = {**said.headers, "date": formatdate(now, usegmt=True)}
            written = [f"HTTP/1.1 {said.status} Said", *(f"{header}: {value}" for header, value in told.items())]
            remembered[key] = _whole(said.body, "\r\n".join(written).encode())
            asked.append((method, target, body.decode()))
        return remembered[key]

    return answer


async def _serve(answer: _Answer) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(answer), "127.0.0.1", 0, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


def main(kind: str, conversations: str, *more: str) -> None:
    """Serve one of the three."""
    count = int(conversations)
    if kind == "simulator":
        answer = _simulated(count, *more)
    else:
        turns, *rest = more
        answer = (_calls if kind == "calls" else _moulded)(count, int(turns), *rest)
    asyncio.run(_serve(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
