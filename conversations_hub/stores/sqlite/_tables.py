"""The tables of a store, and how conversations map to their columns.

Instants are ISO 8601 texts in UTC that sort in order of time; nested values are JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from math import isfinite
from typing import Any, Final
from zlib import compress

import msgspec

from ..._sortable import instant_text
from ...schema import Agent, Analysis, Conversation, Participant, Recording, TranscriptTurn, Visibility
from .._untrusted import check_values, decompress, instant_of, json_value
from ._fts5 import TOKENIZER, indexed

__all__ = [
    "ADD_FOLDED",
    "APPLICATION",
    "BLOCK",
    "BOOKKEEPING",
    "CONVERSATION",
    "CONVERSATIONS",
    "INDEXES",
    "INDEX_TURNS",
    "NAMES",
    "PARTICIPANT",
    "RECORDING",
    "ROLLUPS",
    "TABLES",
    "TEXT_SEARCH",
    "TURN",
    "TURNS",
    "VERSION",
    "VIEWS",
    "conversation_of",
    "conversation_row",
    "folded_rows",
    "participant_rows",
    "recording_of",
    "recording_rows",
    "timestamp_text",
    "turn_columns",
]

APPLICATION: Final = 0x436F6E76  # "Conv": https://www.sqlite.org/fileformat2.html#application_id
VERSION: Final = 2

CONVERSATION: Final = (
    "provider",
    "account",
    "id",
    "status",
    "provider_status",
    "title",
    "channel",
    "direction",
    "agent_id",
    "agent_name",
    "agent_version",
    "created_at",
    "started_at",
    "ended_at",
    "updated_at",
    "duration",
    "end_reason",
    "provider_end_reason",
    "transcript_state",
    "turns",
    "summary",
    "success",
    "sentiment",
    "scores",
    "collected",
    "cost",
    "cost_unit",
    "language",
    "tags",
    "metadata",
    "links",
    "related_ids",
    "estimated",
    "issues",
    "raw",
)
PARTICIPANT: Final = ("kind", "participant_id", "name", "phone")
RECORDING: Final = ("location", "access", "media_type", "duration", "expires_at")
TURN: Final = (
    "role",
    "text",
    "start",
    "duration",
    "timestamp",
    "participant",
    "language",
    "interrupted",
    "confidence",
    "tool_calls",
    "tool_result",
    "words",
    "metrics",
    "visibility",
    "provider_id",
)

MEASURES: Final = (
    "duration",
    "user_turns",
    "agent_turns",
    "exchanges",
    "user_words",
    "agent_words",
    "user_talk",
    "agent_talk",
    "talk_ratio",
    "overlap",
    "silence",
    "longest_silence",
    "dead_air",
    "user_monologue",
    "agent_monologue",
    "user_wpm",
    "agent_wpm",
    "response_latency_p50",
    "response_latency_p95",
    "user_latency_p50",
    "user_latency_p95",
    "reported_latency_p50",
    "reported_latency_p95",
    "agent_interrupted",
    "user_interrupted",
    "time_to_first_agent_word",
    "time_to_first_user_word",
    "tool_calls",
    "tool_failures",
    "tool_latency_p50",
    "transferred",
    "contained",
    "cost_per_minute",
)

CONVERSATIONS: Final = """
CREATE TABLE conversations (
    key INTEGER PRIMARY KEY AUTOINCREMENT, -- never reused, even if other tools delete rows
    ref TEXT GENERATED ALWAYS AS (
        provider || CASE account WHEN 'default' THEN '' ELSE '/' || account END || ':' || id
    ) VIRTUAL,
    at TEXT GENERATED ALWAYS AS (coalesce(created_at, started_at, '')) VIRTUAL,
    day TEXT GENERATED ALWAYS AS (substr(coalesce(created_at, started_at, ''), 1, 10)) VIRTUAL,
    provider TEXT NOT NULL, account TEXT NOT NULL, id TEXT NOT NULL,
    status TEXT NOT NULL, provider_status TEXT, title TEXT, channel TEXT NOT NULL, direction TEXT NOT NULL,
    agent_id TEXT, agent_name TEXT, agent_version TEXT,
    created_at TEXT, started_at TEXT, ended_at TEXT, updated_at TEXT, duration REAL,
    end_reason TEXT, provider_end_reason TEXT,
    transcript_state TEXT NOT NULL, turns INTEGER,
    summary TEXT, success INTEGER, sentiment TEXT, scores TEXT, collected TEXT,
    cost TEXT, cost_unit TEXT, language TEXT,
    tags TEXT, metadata TEXT, links TEXT, related_ids TEXT, estimated TEXT, issues TEXT,
    raw BLOB,
    vanished_at TEXT, -- when a completely walked list no longer showed it
    told TEXT, -- what webhooks said about it beyond what was fetched, as JSON; null: no webhook brought it
    revision INTEGER NOT NULL DEFAULT 0, -- revision of the store when this row was last written
    UNIQUE (provider, account, id)
);
"""

TURNS: Final = """
CREATE TABLE turns (
    key INTEGER PRIMARY KEY,
    conversation INTEGER NOT NULL REFERENCES conversations (key),
    position INTEGER NOT NULL,
    role TEXT NOT NULL, text TEXT NOT NULL, start REAL, duration REAL, timestamp TEXT,
    participant INTEGER, language TEXT, interrupted INTEGER, confidence REAL,
    tool_calls TEXT, tool_result TEXT, words TEXT, metrics TEXT,
    visibility TEXT NOT NULL DEFAULT 'public', provider_id TEXT
);
"""

PARTS: Final = """
CREATE TABLE participants (
    conversation INTEGER NOT NULL REFERENCES conversations (key),
    position INTEGER NOT NULL,
    kind TEXT NOT NULL, participant_id TEXT, name TEXT, phone TEXT,
    PRIMARY KEY (conversation, position)
) WITHOUT ROWID;
CREATE TABLE recordings (
    conversation INTEGER NOT NULL REFERENCES conversations (key),
    position INTEGER NOT NULL,
    location TEXT NOT NULL, access TEXT NOT NULL, media_type TEXT, duration REAL, expires_at TEXT,
    PRIMARY KEY (conversation, position)
) WITHOUT ROWID;
CREATE TABLE accounts (
    account TEXT PRIMARY KEY,
    progress TEXT NOT NULL
) WITHOUT ROWID;
"""

BOOKKEEPING: Final = f"""
-- What a sync remembers of each conversation, to decide whether to fetch or write it again.
CREATE TABLE remembered (
    conversation INTEGER PRIMARY KEY REFERENCES conversations (key),
    row_print BLOB NOT NULL, content_print BLOB NOT NULL, settles_at TEXT, failing_since TEXT, listed BLOB
);
CREATE INDEX remembered_unsettled ON remembered (conversation) WHERE settles_at IS NOT NULL;
CREATE INDEX remembered_failing ON remembered (conversation) WHERE failing_since IS NOT NULL;
-- Erased conversations, so that no sync brings them back: a digest of each ref with the store's salt.
CREATE TABLE erased (
    digest BLOB PRIMARY KEY,
    erased_at TEXT NOT NULL,
    revision INTEGER NOT NULL
) WITHOUT ROWID;
-- Values by name: `made`, the options of the store; `salt`; `revision`, which grows with every write.
CREATE TABLE store (
    name TEXT PRIMARY KEY,
    value NOT NULL
) WITHOUT ROWID;
INSERT INTO store VALUES ('revision', 0), ('salt', randomblob(16));
-- Metrics of each conversation, for one content and one version of the definitions; filled when they are asked for.
CREATE TABLE measures (
    conversation INTEGER PRIMARY KEY REFERENCES conversations (key),
    version INTEGER NOT NULL, content_print BLOB NOT NULL,
    {", ".join(f"{name} REAL" for name in MEASURES)},
    basis TEXT, reasons TEXT, latencies BLOB
);
"""

INDEXES: Final = """
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
-- Deleting a conversation, with any tool, deletes all its parts.
CREATE TRIGGER conversations_removed AFTER DELETE ON conversations BEGIN
    DELETE FROM turns WHERE conversation = old.key;
    DELETE FROM participants WHERE conversation = old.key;
    DELETE FROM recordings WHERE conversation = old.key;
    DELETE FROM remembered WHERE conversation = old.key;
    DELETE FROM measures WHERE conversation = old.key;
    UPDATE store SET value = value + 1 WHERE name = 'revision';
END;
"""

VIEWS: Final = """
CREATE VIEW conversation_list AS
    SELECT ref, at, title, status, channel, coalesce(agent_name, agent_id) AS agent, duration, turns, transcript_state,
        end_reason, vanished_at FROM conversations ORDER BY at DESC, key DESC;
CREATE VIEW calls_per_day AS
    SELECT day, provider, account, count(*) AS conversations, round(sum(duration) / 60, 1) AS minutes
    FROM conversations GROUP BY day, provider, account ORDER BY day DESC, provider, account;
CREATE VIEW pending AS
    SELECT ref, at, status, transcript_state, settles_at, failing_since
    FROM remembered JOIN conversations ON key = conversation WHERE settles_at IS NOT NULL ORDER BY at DESC;
"""

TABLES: Final = CONVERSATIONS + TURNS + PARTS + BOOKKEEPING + INDEXES + VIEWS
"""Everything in a new store except its search index."""

# The index keeps no text. A commit indexes all its new turns at once, because a trigger takes three times as long;
# triggers in plain SQL index what is removed or changed, so that any tool may do that.
# https://www.sqlite.org/fts5.html#external_content_tables
# If SQLite finds other words in a text than people do, it indexes the text in `folded` instead (see `words`).
# Datasette finds the index of a table by the comment in its definition.
TEXT_SEARCH: Final = f"""
CREATE TABLE folded (
    turn INTEGER PRIMARY KEY,
    text TEXT NOT NULL
);
CREATE VIEW turns_words AS
    SELECT turns.key AS key, coalesce(folded.text, turns.text) AS text
    FROM turns LEFT JOIN folded ON folded.turn = turns.key;
CREATE VIRTUAL TABLE turns_text USING fts5 /* content="turns" */ (
    text, content="turns_words", content_rowid="key", tokenize="{TOKENIZER}"
);
CREATE TRIGGER turns_removed AFTER DELETE ON turns BEGIN
    INSERT INTO turns_text (turns_text, rowid, text)
        VALUES ('delete', old.key, coalesce((SELECT text FROM folded WHERE turn = old.key), old.text));
    DELETE FROM folded WHERE turn = old.key;
END;
CREATE TRIGGER turns_changed AFTER UPDATE OF text ON turns BEGIN
    INSERT INTO turns_text (turns_text, rowid, text)
        VALUES ('delete', old.key, coalesce((SELECT text FROM folded WHERE turn = old.key), old.text));
    DELETE FROM folded WHERE turn = old.key;
    INSERT INTO turns_text (rowid, text) VALUES (new.key, new.text);
END;
"""

BLOCK: Final = 14
"""So many bits of the key of a conversation say its place in a block."""
ROLLUPS: Final = (
    f"""
CREATE TABLE IF NOT EXISTS rollups (
    key INTEGER PRIMARY KEY,
    block INTEGER NOT NULL, -- key of a conversation >> {BLOCK}
    last INTEGER NOT NULL, -- the largest key in the block
    grouped_by TEXT NOT NULL, in_common TEXT NOT NULL, -- names and values of the keys of groups, as JSON
    versions TEXT NOT NULL, columns BLOB NOT NULL, numbers BLOB NOT NULL
);
""",
    "CREATE INDEX IF NOT EXISTS rollups_by_block ON rollups (block, grouped_by);",
    *(
        f"""
CREATE TRIGGER IF NOT EXISTS {table}_{change}_rollups AFTER {change} ON {table} BEGIN
    DELETE FROM rollups WHERE block IN (old.{key} >> {BLOCK}, {other}.{key} >> {BLOCK});
END;
"""
        for table, key in (("conversations", "key"), ("measures", "conversation"))
        for change, other in (("update", "new"), ("delete", "old"))
    ),
)
"""Partial summaries of blocks of conversations; made when they are asked for.

Whatever changes or deletes a conversation deletes those of its block. A new one has a larger key than all before, which
is looked for instead: a trigger would take a fifth of the time of adding it.
"""

NAMES: Final = {
    name: "CREATE VIRTUAL TABLE turns_text USING fts5" if name == "turns_text" else "CREATE TABLE"
    for name in re.findall(
        r"^CREATE (?:VIRTUAL )?TABLE (?:IF NOT EXISTS )?(\w+)", "".join((TABLES, TEXT_SEARCH, *ROLLUPS)), re.MULTILINE
    )
}
"""The tables of a store, each with the start of the statement that defines it."""

ADD_FOLDED: Final = "INSERT INTO folded (turn, text) VALUES (?, ?)"
"""Execute this before indexing the turns."""

INDEX_TURNS: Final = "INSERT INTO turns_text (rowid, text) SELECT key, text FROM turns_words WHERE key > ?"
"""Indexes all turns with a key above one."""


def folded_rows(texts: Iterable[str], first: int) -> Iterator[tuple[int, str]]:
    """Yield the rows of `folded` for the texts of consecutive turns, of which `first` is the first key."""
    for key, text in enumerate(map(indexed, texts), first):
        if text is not None:
            yield key, text


_encoder = msgspec.json.Encoder()
_MICROSECONDS: Final = 6  # digits
_BEYOND: Final = datetime(9000, 1, 1, tzinfo=UTC).timestamp()


@lru_cache
def _minute_text(minute: int) -> str:
    return datetime.fromtimestamp(minute * 60, UTC).isoformat(timespec="minutes").removesuffix("+00:00")


def timestamp_text(seconds: float | None) -> str | None:
    """Return a Unix time as text in UTC, with more than six decimals if it needs them to be read back exactly.

    A number that is too early or too late to be one of our instants is returned as a number in text.
    """
    if seconds is None:
        return None
    if not 0 <= seconds < _BEYOND:
        return repr(seconds)
    microseconds = round(seconds * 1_000_000)
    if microseconds / 1_000_000 == seconds:
        # Each turn has one. Those of a conversation share few minutes, and formats that pad take four times as long.
        minute, rest = divmod(microseconds, 60_000_000)
        digits = str(rest + 100_000_000)
        return f"{_minute_text(minute)}:{digits[1:3]}.{digits[3:]}Z"
    whole = datetime.fromtimestamp(int(seconds), UTC).replace(tzinfo=None).isoformat()
    digits = f"{Decimal(repr(seconds)):f}".partition(".")[2]  # never 1e-07
    return f"{whole}.{digits}Z"


def _timestamp_of(text: str) -> float:
    if "T" not in text:
        seconds = float(text)
        if not isfinite(seconds):
            raise ValueError
        return seconds
    digits = text[20:-1]
    if len(digits) <= _MICROSECONDS:
        return instant_of(text).timestamp()
    return float(f"{int(instant_of(f'{text[:19]}Z').timestamp())}.{digits}")


def _json(value: Any) -> str | None:
    return None if value is None else _encoder.encode(value).decode()


def conversation_row(conversation: Conversation) -> tuple[Any, ...]:
    """Return the columns of a conversation, in the order of `CONVERSATION`."""
    agent = conversation.agent or Agent()
    analysis = conversation.analysis or Analysis()
    cost = conversation.cost
    return (
        conversation.provider,
        conversation.account,
        conversation.id,
        conversation.status.value,
        conversation.provider_status,
        conversation.title,
        conversation.channel.value,
        conversation.direction.value,
        agent.id,
        agent.name,
        agent.version,
        instant_text(conversation.created_at),
        instant_text(conversation.started_at),
        instant_text(conversation.ended_at),
        instant_text(conversation.updated_at),
        conversation.duration,
        conversation.end_reason and conversation.end_reason.value,
        conversation.provider_end_reason,
        conversation.transcript_state.value,
        None if conversation.transcript is None else len(conversation.transcript),
        conversation.summary,
        analysis.success,
        analysis.sentiment,
        _json(analysis.scores),
        _json(analysis.collected),
        cost and str(cost.amount),
        cost and cost.unit,
        conversation.language,
        _json(conversation.tags or None),
        _json(conversation.metadata or None),
        _json(conversation.links or None),
        _json(conversation.related_ids or None),
        _json(conversation.estimated or None),
        _json(conversation.issues or None),
        None if conversation.raw is None else compress(conversation.raw),
    )


def turn_columns(turns: Sequence[TranscriptTurn]) -> dict[str, list[Any]]:
    """Return the columns of turns by their names in `TURN`, without empty ones."""
    visibilities = [turn.visibility for turn in turns]
    are_public = visibilities.count(Visibility.PUBLIC) == len(turns)
    columns: dict[str, list[Any]] = {
        # It takes a tenth of what `value` of each takes.
        "role": msgspec.to_builtins([turn.role for turn in turns]),
        "text": [turn.text for turn in turns],
        "start": [turn.start for turn in turns],
        "duration": [turn.duration for turn in turns],
        "timestamp": [timestamp_text(turn.timestamp) for turn in turns],
        "participant": [turn.participant for turn in turns],
        "language": [turn.language for turn in turns],
        "interrupted": [turn.interrupted for turn in turns],
        "confidence": [turn.confidence for turn in turns],
        "tool_calls": [_json(turn.tool_calls) if turn.tool_calls else None for turn in turns],
        "tool_result": [_json(turn.tool_result) if turn.tool_result else None for turn in turns],
        "words": [_json(turn.words) if turn.words else None for turn in turns],
        "metrics": [_json(turn.metrics) if turn.metrics is not None else None for turn in turns],
        "visibility": [] if are_public else msgspec.to_builtins(visibilities),
        "provider_id": [turn.provider_id for turn in turns],
    }
    # Passing a None to SQLite takes longer than passing a text.
    return {name: values for name, values in columns.items() if values.count(None) < len(values)}


def participant_rows(key: int, conversation: Conversation) -> Iterator[tuple[Any, ...]]:
    """Yield the participants: the conversation's key, the position, and the columns in the order of `PARTICIPANT`."""
    for position, one in enumerate(conversation.participants):
        yield key, position, one.kind.value, one.id, one.name, one.phone


def recording_rows(key: int, conversation: Conversation) -> Iterator[tuple[Any, ...]]:
    """Yield the recordings: the conversation's key, the position, and the columns in the order of `RECORDING`."""
    for position, one in enumerate(conversation.recordings):
        expires_at = instant_text(one.expires_at)
        yield key, position, one.location, one.access.value, one.media_type, one.duration, expires_at


def conversation_of(
    row: Sequence[Any],
    turns: Sequence[Sequence[Any]],
    participants: Sequence[Sequence[Any]],
    recordings: Sequence[Sequence[Any]],
) -> Conversation:
    """Return the conversation in these columns, which are in the order of the names above.

    Raises one of `UNREADABLE` for values that are not those of a conversation.
    """
    found = {name: value for name, value in zip(CONVERSATION, row, strict=True) if value is not None}
    count, raw = found.pop("turns", None), found.pop("raw", None)
    for name in _JSON & found.keys():
        found[name] = _parsed(found[name])
    if "success" in found:
        found["success"] = bool(found["success"])
    agent = {name: found.pop(f"agent_{name}", None) for name in ("id", "name", "version")}
    if any(agent.values()):
        found["agent"] = agent
    analysis = {name: found.pop(name) for name in ("success", "sentiment", "scores", "collected") if name in found}
    if analysis:
        found["analysis"] = analysis
    unit = found.pop("cost_unit", None)
    if "cost" in found:
        found["cost"] = {"amount": found["cost"], "unit": unit}
    one = msgspec.convert(found, Conversation)
    check_values(one)
    if count is raw is None and not participants and not recordings:
        return one
    return msgspec.structs.replace(
        one,
        transcript=None if count is None else tuple(_turn(place, turn) for place, turn in enumerate(turns)),
        participants=tuple(map(_participant, participants)),
        recordings=tuple(recording_of(one.ref, recording) for recording in recordings),
        raw=None if raw is None else decompress(raw),
    )


_JSON: Final = frozenset(
    {"scores", "collected", "tags", "metadata", "links", "related_ids", "estimated", "issues"}
    | {"tool_calls", "tool_result", "words", "metrics"}
)


def _parsed(text: str | None) -> Any:
    return None if text is None else json_value(text)


def _turn(position: int, row: Sequence[Any]) -> TranscriptTurn:
    members = {name: value for name, value in zip(TURN, row, strict=True) if value is not None}
    for name in _JSON & members.keys():
        members[name] = _parsed(members[name])
    if "interrupted" in members:
        members["interrupted"] = bool(members["interrupted"])
    if "timestamp" in members:
        members["timestamp"] = _timestamp_of(members["timestamp"])
    return msgspec.convert(members | {"index": position}, TranscriptTurn)


def _participant(row: Sequence[Any]) -> Participant:
    kind, id, name, phone = row
    return msgspec.convert({"kind": kind, "id": id, "name": name, "phone": phone}, Participant)


def recording_of(ref: str, row: Sequence[Any]) -> Recording:
    """Return the recording in these columns, which are in the order of `RECORDING`."""
    members = {name: value for name, value in zip(RECORDING, row, strict=True) if value is not None}
    if "expires_at" in members:
        members["expires_at"] = instant_of(members["expires_at"])
    return msgspec.convert(members | {"ref": ref}, Recording)
