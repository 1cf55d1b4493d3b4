-- What layout 2 adds: secrets that senders told. One that nobody has confirmed opens nothing.
CREATE TABLE captures (
    id INTEGER PRIMARY KEY, source TEXT NOT NULL, secret TEXT NOT NULL, value TEXT NOT NULL, fingerprint TEXT NOT NULL,
    received INTEGER NOT NULL, peer TEXT, confirmed INTEGER
);
