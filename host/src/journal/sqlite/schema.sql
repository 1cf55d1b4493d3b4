-- The journal's file. Times are microseconds since 1970, ids grow and never return.
-- Ingest writes at the end of every table and index that it touches: a random key would cost a page of its own per event.

CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;

CREATE TABLE origins (
    id INTEGER PRIMARY KEY, source TEXT NOT NULL, provider TEXT NOT NULL, version TEXT NOT NULL,
    UNIQUE (source, provider, version)
);

CREATE TABLE destinations (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);

CREATE TABLE requests (
    id INTEGER PRIMARY KEY, received INTEGER NOT NULL, origin INTEGER NOT NULL,
    first_event INTEGER NOT NULL, events INTEGER NOT NULL,
    method TEXT NOT NULL, target TEXT NOT NULL, peer TEXT,
    nonce BLOB, nonce_until INTEGER,
    headers BLOB NOT NULL, body BLOB NOT NULL
);

-- An event's data is the first `head` bytes of its request's body, then `data`, then the last `tail` bytes of the body:
-- most data is the body itself, or the body without its signature, and is not written twice.
-- `form`: 0 no data, 1 JSON, 2 bytes of the type `content`. `state`: 0 routed, 1 unrouted, 2 undecoded.
CREATE TABLE events (
    id INTEGER PRIMARY KEY, uuid BLOB NOT NULL, request INTEGER NOT NULL, origin INTEGER NOT NULL,
    received INTEGER NOT NULL, state INTEGER NOT NULL, key BLOB NOT NULL, key_until INTEGER,
    first_delivery INTEGER NOT NULL, deliveries INTEGER NOT NULL,
    kind TEXT NOT NULL, subject TEXT, provider_id TEXT, time INTEGER, warnings TEXT,
    form INTEGER NOT NULL, content TEXT, head INTEGER NOT NULL, tail INTEGER NOT NULL, data BLOB
);

-- `state`: 0 pending, 1 retrying, 2 delivered, 3 exhausted, 4 cancelled. What is in flight is known in memory only,
-- so that it is due again after a crash. `base`: attempts before the last retry by hand.
CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY, event INTEGER NOT NULL, destination INTEGER NOT NULL, state INTEGER NOT NULL,
    attempts INTEGER NOT NULL, base INTEGER NOT NULL, next INTEGER, reason TEXT
);
CREATE INDEX deliveries_open ON deliveries (destination, next) WHERE state < 2;
CREATE INDEX deliveries_failed ON deliveries (state) WHERE state > 2;

CREATE TABLE attempts (
    delivery INTEGER NOT NULL, number INTEGER NOT NULL, at INTEGER NOT NULL, took_ms INTEGER NOT NULL,
    status INTEGER, error TEXT, answer TEXT,
    PRIMARY KEY (delivery, number)
) WITHOUT ROWID;

-- Dedup keys, written behind in sorted runs; younger ones are read from events and requests when the journal opens.
-- Run 0 holds keys that outlive their events.
CREATE TABLE keys (
    run INTEGER NOT NULL, hash BLOB NOT NULL, received INTEGER NOT NULL, until INTEGER,
    PRIMARY KEY (run, hash)
) WITHOUT ROWID;
CREATE TABLE runs (
    id INTEGER PRIMARY KEY, last_event INTEGER NOT NULL, last_request INTEGER NOT NULL,
    received INTEGER NOT NULL, until INTEGER NOT NULL, filter BLOB NOT NULL
);

CREATE TABLE rejections (
    id INTEGER PRIMARY KEY, source TEXT, reason TEXT NOT NULL, detail TEXT NOT NULL, received INTEGER NOT NULL,
    method TEXT NOT NULL, target TEXT NOT NULL, peer TEXT, length INTEGER NOT NULL, size INTEGER NOT NULL,
    headers BLOB NOT NULL, body BLOB NOT NULL
);

CREATE TABLE polls (name TEXT PRIMARY KEY, state BLOB NOT NULL) WITHOUT ROWID;

-- For people who open the file.
CREATE VIEW readable AS
SELECT e.id, lower(hex(e.uuid)) AS uuid, o.source, e.kind AS type, e.subject, e.provider_id,
    strftime('%Y-%m-%dT%H:%M:%fZ', e.received / 1e6, 'unixepoch') AS received,
    CAST(substr(r.body, 1, e.head) || coalesce(e.data, '') || CASE e.tail WHEN 0 THEN '' ELSE substr(r.body, -e.tail) END AS TEXT) AS data
FROM events e JOIN requests r ON r.id = e.request JOIN origins o ON o.id = e.origin;
