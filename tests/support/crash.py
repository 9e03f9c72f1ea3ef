"""A sync that is killed with SIGKILL at random instants and begun again, until it ends; and one that is not."""

from __future__ import annotations

import os
import random
import selectors
import signal
import sqlite3
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from multiprocessing import Pipe
from pathlib import Path
from typing import Protocol

import msgspec

from conversations_hub import Conversation
from conversations_hub.stores._fingerprint import fingerprint

from .warm import Warm, command_line

__all__ = ["PROVIDERS", "Steps", "killed_after", "killed_often", "rows_in", "served"]

PROVIDERS = ("tavus", "elevenlabs", "vapi")
"""Three whose answers do not hold the present, as freshly signed URLs do."""

_COLUMNS = "provider, account, id, status, turns, started_at, duration, metadata, row_print, content_print"
_PARTS = {
    "turns": "role, text, start, timestamp, tool_calls, tool_result, metrics",
    "participants": "kind, participant_id, name, phone",
    "recordings": "substr(location, 1, instr(location || '?', '?')), access",  # a signature is new each time
}


@contextmanager
def served(conversations: int, latency: float = 0.0) -> Generator[dict[str, str]]:
    """Serve simulated providers in a process of their own; yield the environment to find them by."""
    sizes = ["--conversations", f"{conversations}", "--chats", "0", "--latency", f"{latency}"]
    with Warm(command_line, "simulate", "--json", *sizes) as serving:
        told = msgspec.json.decode(serving.stdout.readline(), type=dict[str, str])
        yield os.environ | {name: value for name, value in told.items() if name.lower().startswith(PROVIDERS)}


class Writable(Protocol):
    """The end of a pipe."""

    def fileno(self) -> int: ...


class Steps:
    """The steps of a process that counts them, and is killed at the last one."""

    def __init__(self, counting: Writable, last: int) -> None:
        self._counting = counting
        self._left = last

    def take(self) -> None:
        """Count a step."""
        os.write(self._counting.fileno(), b".")
        self._left -= 1
        if not self._left:
            os.kill(os.getpid(), signal.SIGKILL)


def _sync(store: str, steps: Steps) -> None:
    """Sync; a step is an iteration of the event loop."""

    class Counting(selectors.DefaultSelector):
        def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            steps.take()
            return super().select(timeout)

    selectors.DefaultSelector = Counting  # type: ignore[misc]
    until = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
    command_line("sync", *PROVIDERS, "--store", store, "--until", until.isoformat())


def synced(store: str, environ: Mapping[str, str], *, kill_after: int = sys.maxsize) -> int | None:
    """Sync, and kill it after so many turns of its event loop; return how many it took, or None if it was killed."""
    return killed_after(kill_after, _sync, store, environ=environ)


def killed_after(
    steps: int, work: Callable[..., None], *arguments: object, environ: Mapping[str, str] | None = None
) -> int | None:
    """Let a process work that counts its steps, and is killed at one; return how many it took, or None.

    Its other threads are anywhere in what they do when it is killed.
    """
    counted, counting = Pipe(duplex=False)
    with counted, Warm(work, *arguments, Steps(counting, steps), environ=environ) as running:
        counting.close()
        taken = 0
        while some := os.read(counted.fileno(), 4096):
            taken += len(some)
        code = running.wait()
        assert code in (0, -signal.SIGKILL), running.stdout.read() + running.stderr.read()
        return None if code else taken


def synced_with_kills(store: str, environ: Mapping[str, str], kills: int, turns: int, seed: int) -> int:
    """Sync, and kill it that often, or until it ends; return how often it was killed.

    `turns` is how many it takes undisturbed; the instants are spread so that all the kills may happen before the end.
    """
    chance = random.Random(seed)  # noqa: S311  (no secret)
    for killed in range(kills):
        if synced(store, environ, kill_after=1 + chance.randrange(2 * turns // kills)) is not None:
            return killed
    synced(store, environ)
    return kills


def killed_often(folder: Path, environ: Mapping[str, str], kills: int, kind: str = "") -> Generator[tuple[Path, Path]]:
    """Yield stores that were synced with so many kills in all, each with the one that was synced without.

    `kind` is what stands before the path of a store: nothing for SQLite, "jsonl:" for JSON lines.
    """
    undisturbed = folder / "undisturbed"
    turns = synced(f"{kind}{undisturbed}", environ)
    assert turns is not None
    done = number = 0
    while done < kills:
        number += 1
        path = folder / f"killed-{number}"
        done += synced_with_kills(f"{kind}{path}", environ, kills - done, turns, seed=number)
        yield path, undisturbed


def rows_in(path: Path) -> list[tuple[object, ...]]:
    """Return all that a store holds of what is settled, in an order that is always the same."""
    is_database = path.read_bytes()[:6] == b"SQLite"
    return sorted(_rows(path) if is_database else _lines(path), key=repr)


def _rows(path: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as database:
        found: list[tuple[object, ...]] = list(
            database.execute(
                f"SELECT {_COLUMNS} FROM conversations JOIN remembered ON conversation = key"  # noqa: S608
                " WHERE settles_at IS NULL"
            )
        )
        for table, columns in _PARTS.items():
            found += database.execute(
                f"SELECT provider, account, id, position, {columns} FROM {table}"  # noqa: S608
                f" JOIN conversations ON conversations.key = {table}.conversation"
                " JOIN remembered ON remembered.conversation = conversations.key WHERE settles_at IS NULL"
            )
    return found


def _lines(path: Path) -> list[tuple[object, ...]]:
    found = [msgspec.json.decode(line, type=Conversation) for line in path.read_bytes().splitlines()]
    # Of a call that goes on one run knows more than another.
    dated = [one for one in found if (one.created_at or one.started_at) and one.is_finished]
    return [(one.ref, one.text, fingerprint(one)) for one in dated]
