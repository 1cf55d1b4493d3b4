-- What layout 6 adds: by which build of a plugin a request became events; NULL where none did, or where it was not written down.
CREATE TABLE plugins (
    id INTEGER PRIMARY KEY, provider TEXT NOT NULL, version TEXT NOT NULL, sha256 TEXT NOT NULL, generation INTEGER NOT NULL,
    UNIQUE (provider, version, sha256, generation)
);
ALTER TABLE requests ADD COLUMN plugin INTEGER;
