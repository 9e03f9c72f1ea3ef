"""A sync that is killed with SIGKILL at random instants and begun again, until it ends; and one that is not."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from conversations_hub import Conversation
from conversations_hub.sync.fingerprint import fingerprint

__all__ = ["PROVIDERS", "killed_often", "rows_in", "served"]

PROVIDERS = ("tavus", "elevenlabs", "vapi")
"""Three whose answers do not hold the present, as freshly signed URLs do."""

_STARTING = 0.25  # seconds that a process takes before it does anything
_COLUMNS = "provider, account, id, status, turns, started_at, duration, metadata, row_print, content_print"
_PARTS = {
    "turns": "role, text, start, timestamp, tool_calls, tool_result, metrics",
    "participants": "kind, participant_id, name, phone",
    "recordings": "substr(location, 1, instr(location || '?', '?')), access",  # a signature is new each time
}


@contextmanager
def served(conversations: int, latency: float = 0.0) -> Generator[dict[str, str]]:
    """Serve simulated providers in a process of their own; yield the environment to find them by."""
    command = [sys.executable, "-m", "conversations_hub", "simulate", "--json"]
    sizes = ["--conversations", f"{conversations}", "--latency", f"{latency}"]
    with subprocess.Popen([*command, *sizes], stdout=subprocess.PIPE) as serving:  # noqa: S603  (our own command)
        try:
            assert serving.stdout is not None
            told = msgspec.json.decode(serving.stdout.readline(), type=dict[str, str])
            yield os.environ | {name: value for name, value in told.items() if name.lower().startswith(PROVIDERS)}
        finally:
            serving.terminate()


def _command(store: str) -> list[str]:
    until = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
    command = [sys.executable, "-m", "conversations_hub", "sync", *PROVIDERS, "--store", store]
    return [*command, "--until", until.isoformat()]


def synced(store: str, environ: Mapping[str, str]) -> float:
    """Sync without a disturbance; return the seconds it took."""
    began = time.monotonic()
    command = _command(store)
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)  # noqa: S603  (our own)
    assert done.returncode == 0, done.stdout + done.stderr
    return time.monotonic() - began


def synced_with_kills(store: str, environ: Mapping[str, str], kills: int, seconds: float, seed: int) -> int:
    """Sync, and kill it that often, or until it ends; return how often it was killed.

    `seconds` is how long it takes undisturbed; the instants are spread so that all the kills may happen before the end.
    """
    chance = random.Random(seed)  # noqa: S311  (no secret)
    span = 2.0 * max(seconds - _STARTING, 0.1) / kills
    for killed in range(kills):
        command = _command(store)
        with subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, stdout=subprocess.PIPE) as running:  # noqa: S603  (our own)
            try:
                running.wait(_STARTING + chance.uniform(0.0, span))
            except subprocess.TimeoutExpired:
                running.send_signal(signal.SIGKILL)
            else:
                assert running.returncode == 0, running.communicate()
                return killed
    synced(store, environ)
    return kills


def killed_often(folder: Path, environ: Mapping[str, str], kills: int, kind: str = "") -> Generator[tuple[Path, Path]]:
    """Yield stores that were synced with so many kills in all, each with the one that was synced without.

    `kind` is what stands before the path of a store: nothing for SQLite, "jsonl:" for JSON lines.
    """
    undisturbed = folder / "undisturbed"
    seconds = synced(f"{kind}{undisturbed}", environ)
    done = number = 0
    while done < kills:
        number += 1
        path = folder / f"killed-{number}"
        done += synced_with_kills(f"{kind}{path}", environ, kills - done, seconds, seed=number)
        yield path, undisturbed


def rows_in(path: Path) -> list[tuple[object, ...]]:
    """Return all that a store holds of what is settled, in an order that is always the same."""
    is_database = path.read_bytes()[:6] == b"SQLite"
    return sorted(_rows(path) if is_database else _lines(path), key=repr)


def _rows(path: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as database:
        found: list[tuple[object, ...]] = list(
            database.execute(f"SELECT {_COLUMNS} FROM conversations WHERE settles_at IS NULL")  # noqa: S608
        )
        for table, columns in _PARTS.items():
            found += database.execute(
                f"SELECT provider, account, id, position, {columns} FROM {table}"  # noqa: S608
                f" JOIN conversations ON conversations.key = {table}.conversation WHERE settles_at IS NULL"
            )
    return found


def _lines(path: Path) -> list[tuple[object, ...]]:
    found = [msgspec.json.decode(line, type=Conversation) for line in path.read_bytes().splitlines()]
    # Of a call that goes on one run knows more than another.
    dated = [one for one in found if (one.created_at or one.started_at) and one.is_finished]
    return [(one.ref, one.text, fingerprint(one)) for one in dated]
