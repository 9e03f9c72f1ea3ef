-- A store as its first layout was.
PRAGMA application_id = 1131376246;
PRAGMA user_version = 1;
CREATE TABLE conversations (
    key INTEGER PRIMARY KEY,
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
    row_print BLOB NOT NULL, content_print BLOB NOT NULL, settles_at TEXT, listed BLOB,
    UNIQUE (provider, account, id)
);
CREATE INDEX conversations_by_start ON conversations (coalesce(created_at, started_at));
CREATE INDEX conversations_unsettled ON conversations (provider, account) WHERE settles_at IS NOT NULL;
CREATE TABLE turns (
    key INTEGER PRIMARY KEY,
    conversation INTEGER NOT NULL REFERENCES conversations (key) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    role TEXT NOT NULL, text TEXT NOT NULL, start REAL, duration REAL, timestamp REAL,
    participant INTEGER, language TEXT, interrupted INTEGER, confidence REAL,
    tool_calls TEXT, tool_result TEXT, words TEXT, metrics TEXT,
    visibility TEXT NOT NULL DEFAULT 'public', provider_id TEXT
);
CREATE INDEX turns_by_conversation ON turns (conversation);
CREATE TABLE participants (
    conversation INTEGER NOT NULL REFERENCES conversations (key) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    kind TEXT NOT NULL, participant_id TEXT, name TEXT, phone TEXT,
    PRIMARY KEY (conversation, position)
) WITHOUT ROWID;
CREATE TABLE recordings (
    conversation INTEGER NOT NULL REFERENCES conversations (key) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    location TEXT NOT NULL, access TEXT NOT NULL, media_type TEXT, duration REAL, expires_at TEXT,
    PRIMARY KEY (conversation, position)
) WITHOUT ROWID;
CREATE TABLE accounts (
    account TEXT PRIMARY KEY,
    progress TEXT NOT NULL
) WITHOUT ROWID;
CREATE VIRTUAL TABLE turns_text USING fts5 (
    text, content="turns", content_rowid="key", tokenize="unicode61 remove_diacritics 2"
);
CREATE TRIGGER turns_removed AFTER DELETE ON turns BEGIN
    INSERT INTO turns_text (turns_text, rowid, text) VALUES ('delete', old.key, old.text);
END;
CREATE TRIGGER turns_changed AFTER UPDATE OF text ON turns BEGIN
    INSERT INTO turns_text (turns_text, rowid, text) VALUES ('delete', old.key, old.text);
    INSERT INTO turns_text (rowid, text) VALUES (new.key, new.text);
END;
