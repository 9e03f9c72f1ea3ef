"""What may take as long as it likes keeps its own account waiting, and no other."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncGenerator, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from conversations_hub import Account, Hub
from conversations_hub._files.partial import PartialFile
from conversations_hub._transport.threads import Threads
from conversations_hub.errors import LocalLimitError
from conversations_hub.schema import Recording, RecordingAccess

from ..support.public_hosts import media
from ..support.server import Scripted, answer, serving


class Stalled:
    """Work that hangs until it is let go."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._go_on = threading.Event()
        self._news = asyncio.Event()
        self.threads: list[threading.Thread] = []

    def __call__(self, *_arguments: object) -> None:
        self.threads.append(threading.current_thread())
        self._loop.call_soon_threadsafe(self._news.set)
        self._go_on.wait()

    async def has_begun(self, times: int) -> None:
        while len(self.threads) < times:
            self._news.clear()
            await self._news.wait()

    def end(self) -> None:
        self._go_on.set()
        for thread in self.threads:
            thread.join()


@pytest.fixture
async def stalled() -> AsyncGenerator[Stalled]:
    stalled = Stalled()
    yield stalled
    stalled.end()


async def _turns() -> None:
    for _turn in range(10):
        await asyncio.sleep(0)


async def test_no_more_threads_are_begun_than_there_are_places(stalled: Stalled) -> None:
    threads = Threads(2)
    tasks = [asyncio.create_task(threads.run(stalled)) for _ in range(5)]
    await stalled.has_begun(2)
    await _turns()
    assert len(stalled.threads) == 2
    stalled.end()
    await asyncio.gather(*tasks)
    assert len(stalled.threads) == 5
    assert all(thread.daemon for thread in stalled.threads)


async def test_a_place_is_taken_until_the_thread_has_ended_whoever_stops_waiting(stalled: Stalled) -> None:
    threads = Threads(1)
    first = asyncio.create_task(threads.run(stalled))
    await stalled.has_begun(1)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    second = asyncio.create_task(threads.run(lambda: "done"))
    await _turns()
    assert not second.done()
    third = asyncio.create_task(threads.run(lambda: "not begun"))
    await _turns()
    third.cancel()
    stalled.end()
    assert await second == "done"
    assert await threads.run(max, 1, 2, key=lambda one: -one) == 1


async def test_what_fails_fails_for_who_waits_and_gives_its_place_back() -> None:
    threads = Threads(1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            await threads.run(lambda: 1 / 0)


async def test_where_no_thread_can_be_begun_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    threads = Threads(1)
    async with serving(answer({"conversation_id": "c1"})) as server:
        url = server.url.replace("127.0.0.1", "localhost")
        async with Hub([Account("tavus", key="k", base_url=url)]) as hub:
            with monkeypatch.context() as patched:
                patched.setattr(threading.Thread, "start", start)
                for ask in (lambda: threads.run(print), lambda: hub.get("tavus:c1")):
                    with pytest.raises(LocalLimitError, match="no more threads can be started"):
                        await ask()
            assert await threads.run(lambda: "done") == "done"
            assert (await hub.get("tavus:c1")).id == "c1"


# accounts


class _Nobodys(ThreadPoolExecutor):
    def submit(self, *_arguments: Any, **_named: Any) -> Any:
        raise AssertionError("the event loop's own threads are everybody's")


@pytest.fixture
async def without_threads_of_the_loop() -> AsyncGenerator[None]:
    loop = asyncio.get_running_loop()
    loop.set_default_executor(_Nobodys(1))
    yield
    loop.set_default_executor(ThreadPoolExecutor(1))


@asynccontextmanager
async def _hub_of(names: list[str], server: Scripted) -> AsyncGenerator[Hub]:
    """Make a hub of an account per name, at that host, and of one that is well."""
    accounts = [Account("tavus", key="k", name=name, base_url=f"https://{name}.example.com") for name in names]
    well = Account("tavus", key="k", name="well", base_url=server.url.replace("127.0.0.1", "localhost"))
    async with Hub([*accounts, well], profile="bulk") as hub:
        yield hub


@pytest.fixture
def resolving(stalled: Stalled) -> Generator[Stalled]:
    """Let no name below example.com resolve."""
    resolve = socket.getaddrinfo

    def getaddrinfo(host: str, *more: Any, **named: Any) -> Any:
        if host.endswith("example.com"):
            stalled()
            raise socket.gaierror(socket.EAI_AGAIN, "later")
        return resolve(host, *more, **named)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(socket, "getaddrinfo", getaddrinfo)
        yield stalled


@pytest.mark.usefixtures("without_threads_of_the_loop")
async def test_names_that_do_not_resolve_keep_no_other_account_waiting(resolving: Stalled) -> None:
    names = [f"stalled-{number}" for number in range(24)]
    async with serving(answer({"conversation_id": "c1"})) as server, _hub_of(names, server) as hub:
        tasks = [asyncio.create_task(hub.get(f"tavus/{name}:c1")) for name in names]
        await resolving.has_begun(24)
        assert (await hub.get("tavus/well:c1")).id == "c1"
        assert not any(task.done() for task in tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.usefixtures("without_threads_of_the_loop")
async def test_an_account_has_few_names_resolved_at_a_time(resolving: Stalled, tmp_path: Path) -> None:
    async with serving(answer({"conversation_id": "c1"})) as server, _hub_of([], server) as hub:
        for _round in range(3):  # those who stopped waiting count, as long as their threads hang
            tasks = [
                asyncio.create_task(
                    hub.download(
                        Recording(
                            location=f"https://host-{number}.example.com/a.wav",
                            access=RecordingAccess.SIGNED_URL,
                            ref="tavus:c1",
                        ),
                        tmp_path / f"{number}",
                        allow_any_public_host=True,
                    )
                )
                for number in range(6)
            ]
            await resolving.has_begun(2)
            await _turns()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        assert len(resolving.threads) == 2


@pytest.mark.usefixtures("without_threads_of_the_loop")
async def test_a_disk_that_hangs_keeps_no_other_account_waiting(
    stalled: Stalled, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write = PartialFile.write

    def hanging(part: PartialFile, piece: bytes | bytearray) -> None:
        if part._target.name.startswith("hangs"):  # pyright: ignore[reportPrivateUsage]
            stalled()
        write(part, piece)

    monkeypatch.setattr(PartialFile, "write", hanging)
    recording = Recording(location="/audio", access=RecordingAccess.PROVIDER_KEY, ref="tavus/hanging:c1")
    well = Recording(location="/audio", access=RecordingAccess.PROVIDER_KEY, ref="tavus/well:c1")
    async with serving(media()) as server:
        accounts = [Account("tavus", key="k", name=name, base_url=server.url) for name in ("hanging", "well")]
        async with Hub(accounts, profile="bulk") as hub:
            tasks = [asyncio.create_task(hub.download(recording, tmp_path / f"hangs-{n}")) for n in range(12)]
            await stalled.has_begun(8)
            assert (await hub.download(well, tmp_path / "well")).size == 5
            assert len(stalled.threads) == 8
            stalled.end()
            assert [(await task).size for task in tasks] == [5] * 12
