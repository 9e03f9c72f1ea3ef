"""A sync written by hand for one provider, into the tables that a store has: the yardstick of `store.py`.

It is fixed: where the store finds better tables, or `get_many` becomes quicker, this stays. It fetches as many details
at a time as a sync does and writes the same columns and search index, but compares, remembers, resumes and verifies
nothing: a second run would write everything twice.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
from by_hand import READERS

__all__ = ["pull"]

_WIDTH = 16
_PAGE = 100
_TABLES = """
CREATE TABLE conversations (
    key INTEGER PRIMARY KEY,
    ref TEXT GENERATED ALWAYS AS (provider || ':' || id) VIRTUAL,
    at TEXT GENERATED ALWAYS AS (coalesce(created_at, started_at, '')) VIRTUAL,
    day TEXT GENERATED ALWAYS AS (substr(coalesce(created_at, started_at, ''), 1, 10)) VIRTUAL,
    provider TEXT NOT NULL, account TEXT NOT NULL, id TEXT NOT NULL,
    status TEXT NOT NULL, title TEXT, agent_id TEXT, created_at TEXT, started_at TEXT, ended_at TEXT, updated_at TEXT,
    duration REAL, end_reason TEXT, transcript_state TEXT NOT NULL, turns INTEGER, metadata TEXT, links TEXT,
    issues TEXT, vanished_at TEXT, revision INTEGER NOT NULL DEFAULT 0,
    UNIQUE (provider, account, id)
);
CREATE TABLE turns (
    key INTEGER PRIMARY KEY,
    conversation INTEGER NOT NULL,
    position INTEGER NOT NULL,
    role TEXT NOT NULL, text TEXT NOT NULL, start REAL, duration REAL, timestamp TEXT, participant INTEGER,
    visibility TEXT NOT NULL DEFAULT 'public', provider_id TEXT
);
CREATE TABLE participants (
    conversation INTEGER NOT NULL, position INTEGER NOT NULL, kind TEXT NOT NULL, participant_id TEXT,
    PRIMARY KEY (conversation, position)
) WITHOUT ROWID;
CREATE INDEX turns_by_conversation ON turns (conversation);
CREATE INDEX conversations_by_time ON conversations (at, key);
CREATE INDEX conversations_by_provider ON conversations (provider, at, key);
CREATE INDEX conversations_by_account ON conversations (provider, account, at, key);
CREATE INDEX conversations_by_id ON conversations (provider, id);
CREATE INDEX conversations_by_status ON conversations (status, at, key);
CREATE INDEX conversations_by_agent ON conversations (agent_id, at, key);
CREATE INDEX conversations_by_day ON conversations (
    day, provider, account, status, transcript_state, end_reason, agent_id, duration
);
CREATE INDEX conversations_with_issues ON conversations (at, key) WHERE issues IS NOT NULL;
CREATE INDEX conversations_without_transcript ON conversations (provider, account, at)
    WHERE transcript_state IN ('pending', 'not_loaded');
CREATE INDEX conversations_vanished ON conversations (provider, account) WHERE vanished_at IS NOT NULL;
CREATE INDEX conversations_by_revision ON conversations (revision);
CREATE VIRTUAL TABLE turns_text USING fts5 (
    text, content="turns", content_rowid="key", tokenize="unicode61 remove_diacritics 2 categories 'L* N* Co Mn Mc'"
);
"""
_ADD_CONVERSATION = """
INSERT INTO conversations (provider, account, id, status, title, agent_id, created_at, started_at, ended_at, updated_at,
    duration, transcript_state, turns, metadata, links, revision)
VALUES ('tavus', 'default', ?, ?, ?, ?, ?, ?, ?, ?, ?, 'available', ?, ?, ?, 1)
"""
_ADD_TURN = """
INSERT INTO turns (conversation, position, role, text, start, duration, timestamp, participant, provider_id)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_ADD_PARTICIPANT = "INSERT INTO participants VALUES (?, ?, ?, ?)"
_INDEX_TURNS = "INSERT INTO turns_text (rowid, text) SELECT key, text FROM turns WHERE key > ?"


async def pull(url: str, path: Path) -> None:
    """Fetch all conversations of a Tavus account, and write them page by page."""
    reader = READERS["tavus"]
    database = sqlite3.connect(path, isolation_level=None)
    database.executescript(f"PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; {_TABLES}")
    headers = {"x-api-key": "key"}
    async with aiohttp.ClientSession(headers=headers, connector=aiohttp.TCPConnector(limit=0)) as session:

        async def ask(target: str) -> bytes:
            async with session.get(f"{url}/v2/conversations{target}") as answer:
                return await answer.read()

        async def work(ids: Iterator[str], found: dict[str, Any]) -> None:
            for id in ids:
                found[id] = reader.decode([await ask(f"/{id}?verbose=true")])

        page = 1
        while rows := reader.rows(await ask(f"?limit={_PAGE}&page={page}")):
            found: dict[str, Any] = {}
            ids = iter([row.id for row in rows])
            async with asyncio.TaskGroup() as group:
                for _ in range(_WIDTH):
                    group.create_task(work(ids, found))
            _write(database, [found[row.id] for row in rows])
            page += 1
    database.close()


def _write(database: sqlite3.Connection, page: Sequence[Any]) -> None:
    execute = database.execute
    execute("BEGIN")
    (last,) = execute("SELECT coalesce(max(key), 0) FROM turns").fetchone()
    for sent in page:
        turns = READERS["tavus"].turns(sent)
        began, ended = turns[0], turns[-1]
        added = execute(
            _ADD_CONVERSATION,
            (
                sent.conversation_id,
                sent.status,
                sent.conversation_name,
                sent.persona_id,
                _instant(datetime.fromisoformat(sent.created_at)),
                _instant(datetime.fromtimestamp(began.timestamp or 0.0, UTC)),
                _instant(datetime.fromtimestamp(ended.timestamp or 0.0, UTC)),
                _instant(datetime.fromisoformat(sent.updated_at)),
                (ended.start or 0.0) + (ended.duration or 0.0),
                len(turns),
                '{"face_id":"r1"}',
                f'{{"conversation":"{sent.conversation_url}"}}',
            ),
        )
        key = added.lastrowid
        database.executemany(
            _ADD_TURN,
            [
                (
                    key,
                    turn.index,
                    turn.role.value,
                    turn.text,
                    turn.start,
                    turn.duration,
                    _instant(datetime.fromtimestamp(turn.timestamp or 0.0, UTC)),
                    int(turn.role == "user"),
                    turn.provider_id,
                )
                for turn in turns
            ],
        )
        database.executemany(_ADD_PARTICIPANT, [(key, 0, "ai_agent", sent.persona_id), (key, 1, "customer", None)])
    execute(_INDEX_TURNS, (last,))
    execute("COMMIT")


def _instant(moment: datetime) -> str:
    return f"{moment.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"
