"""The tables of a Postgres store, and how conversations map to their columns.

A row is a conversation: `document` holds all of it, the other columns are what queries choose by.
"""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import repeat
from typing import Any, Final
from zlib import compress

import msgspec

from ...schema import Agent, Analysis, Conversation
from .._store import StoredVersion
from .._untrusted import decompress
from ._said import said

__all__ = [
    "CONVERSATION",
    "LAYOUT",
    "NO_INSTANT",
    "REMEMBERED",
    "STAGED",
    "conversation_of",
    "conversation_row",
    "remembered_only",
    "remembered_row",
    "tables",
]

LAYOUT: Final = 1

NO_INSTANT: Final = datetime.min.replace(tzinfo=UTC)
"""What `at` holds of a conversation without an instant: `-infinity` for Postgres, before every instant."""

CONVERSATION: Final = {
    "account": 'text COLLATE "C" NOT NULL',  # "provider/account"
    "id": 'text COLLATE "C" NOT NULL',
    "at": "timestamptz NOT NULL",  # when it was created, else when it started, else -infinity
    "status": "text NOT NULL",
    "channel": "text NOT NULL",
    "direction": "text NOT NULL",
    "agent_id": "text",
    "agent_name": "text",
    "title": "text",
    "ended_at": "timestamptz",
    "updated_at": "timestamptz",
    "duration": "double precision",  # seconds
    "end_reason": "text",
    "transcript_state": "text NOT NULL",
    "turns": "integer",  # null: there is no transcript
    "recordings": "integer NOT NULL",
    "success": "boolean",
    "sentiment": "text",
    "cost": "numeric",
    "cost_unit": "text",
    "language": "text",
    "tags": "text[] NOT NULL",
    "has_issues": "boolean NOT NULL",
    "document": "bytea NOT NULL",  # the conversation without `raw`: JSON, packed by zlib
    "raw": "bytea",  # what the provider sent, packed by zlib
    "said": "tsvector",  # the words of each turn: see `_said`; null: too many
}
"""The columns that a conversation fills, and their types, in the order of `conversation_row`."""

REMEMBERED: Final = {
    "row_print": "bytea NOT NULL",
    "content_print": "bytea NOT NULL",
    "settles_at": "timestamptz",
    "failing_since": "timestamptz",
    "listed": "bytea",
}
"""What a sync remembers of a conversation: the members of `StoredVersion`, in the order of `remembered_row`."""

_OTHER: Final = {
    "key": "bigint NOT NULL DEFAULT nextval('keys')",  # a short name for the row, which sorts those of one instant
    "told": "text",  # what webhooks said beyond what was fetched, as JSON; null: no webhook brought it
    "vanished_at": "timestamptz",  # when a completely walked list no longer showed it
    "batch": "bigint NOT NULL",  # the commit that wrote it last
}
"""What else a row holds."""


def tables(partitions: int) -> str:
    """Return the statements that make the tables in the first schema of the search path."""
    columns = ", ".join(f"{name} {kind}" for name, kind in (CONVERSATION | REMEMBERED | _OTHER).items())
    parts = "\n".join(
        f"CREATE TABLE conversations_{part} PARTITION OF conversations"
        f" FOR VALUES WITH (MODULUS {partitions}, REMAINDER {part});"
        for part in range(partitions)
    )
    return f"""
-- One row: the layout; what the store was made with; the salt of `erased`; how many commits there were.
CREATE TABLE store (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    layout integer NOT NULL,
    salt bytea NOT NULL,
    made jsonb,
    revision bigint NOT NULL DEFAULT 0
);
INSERT INTO store (layout, salt) VALUES ({LAYOUT}, uuid_send(gen_random_uuid()));
-- How far the sync of each account is, and which worker has it until when. `token` grows with every change of hands.
CREATE TABLE accounts (
    account text COLLATE "C" PRIMARY KEY,
    progress jsonb,
    due timestamptz NOT NULL DEFAULT now(),
    owner text,
    token bigint NOT NULL DEFAULT 0,
    until timestamptz,
    freed_at timestamptz
);
CREATE INDEX ON accounts (due);
CREATE SEQUENCE keys CACHE 100;
CREATE TABLE conversations ({columns}, PRIMARY KEY (account, id)) PARTITION BY HASH (account, id);
-- Both are packed already.
ALTER TABLE conversations ALTER document SET STORAGE EXTERNAL, ALTER raw SET STORAGE EXTERNAL;
{parts}
CREATE INDEX ON conversations (at, key);
CREATE INDEX ON conversations (account, at, key);
CREATE INDEX ON conversations (batch, key);
CREATE INDEX ON conversations (account, settles_at) WHERE settles_at IS NOT NULL;
CREATE INDEX ON conversations (account, failing_since) WHERE failing_since IS NOT NULL;
CREATE INDEX ON conversations (account) WHERE vanished_at IS NOT NULL;
CREATE INDEX ON conversations USING gin (said);
CREATE INDEX ON conversations (key) WHERE said IS NULL;
-- Commits in their order. A row knows its batch, which is a number of no order; only at the end of the transaction does
-- the batch get the next revision, so that none ever appears before a lower one. From there on transactions take turns,
-- and as no client is asked for anything meanwhile, none can hold up the others.
CREATE TABLE commits (batch bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, revision bigint UNIQUE);
CREATE FUNCTION give_revision() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE store SET revision = revision + 1;
    UPDATE commits SET revision = store.revision FROM store WHERE batch = NEW.batch;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER give_revision AFTER INSERT ON commits DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION give_revision();
-- Erased conversations, so that no sync brings them back: a digest of each account and id with the store's salt.
CREATE TABLE erased (digest bytea PRIMARY KEY, erased_at timestamptz NOT NULL, batch bigint NOT NULL);
CREATE INDEX ON erased (batch);
"""


_STAGED: Final = {
    name: "text" if kind.startswith(("text C", "tsvector")) else kind.removesuffix(" NOT NULL")
    for name, kind in (CONVERSATION | REMEMBERED).items()
}
STAGED: Final = (
    f"CREATE TEMPORARY TABLE staged ({', '.join(f'{name} {kind}' for name, kind in _STAGED.items())})"
    " ON COMMIT DELETE ROWS"
)
"""Makes the table, of one connection, that rows are copied to before they are written."""


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Conversation)


def conversation_row(one: Conversation) -> tuple[Any, ...]:
    """Return the columns of a conversation, in the order of `CONVERSATION`."""
    agent = one.agent or Agent()
    analysis = one.analysis or Analysis()
    turns = one.transcript or ()
    return (
        f"{one.provider}/{one.account}",
        one.id,
        one.created_at or one.started_at or NO_INSTANT,
        one.status.value,
        one.channel.value,
        one.direction.value,
        _text(agent.id),
        _text(agent.name),
        _text(one.title),
        one.ended_at,
        one.updated_at,
        one.duration,
        one.end_reason and one.end_reason.value,
        one.transcript_state.value,
        None if one.transcript is None else len(turns),
        len(one.recordings),
        analysis.success,
        _text(analysis.sentiment),
        one.cost and one.cost.amount,
        one.cost and _text(one.cost.unit),
        _text(one.language),
        [tag.replace("\0", "") for tag in one.tags],
        bool(one.issues),
        compress(_encoder.encode(msgspec.structs.replace(one, raw=None))),
        None if one.raw is None else compress(one.raw),
        said(turns),
    )


def remembered_only(one: Conversation) -> tuple[Any, ...]:
    """Return the columns of a conversation that is stored as it is: only those that name it."""
    return f"{one.provider}/{one.account}", one.id, *repeat(None, len(CONVERSATION) - 2)


def remembered_row(kept: StoredVersion) -> tuple[Any, ...]:
    """Return the columns of what is remembered, in the order of `REMEMBERED`."""
    return kept.row_hash, kept.content_hash, kept.recheck_until, kept.failing_since, kept.list_row


def conversation_of(document: bytes, raw: bytes | None = None) -> Conversation:
    """Return the conversation in these columns; raise one of `UNREADABLE` for invalid values."""
    one = _decoder.decode(decompress(document))
    return one if raw is None else msgspec.structs.replace(one, raw=decompress(raw))


def _text(text: str | None) -> str | None:
    """Return a text without NUL, which no text of Postgres can hold; the document keeps it."""
    return text and text.replace("\0", "")
