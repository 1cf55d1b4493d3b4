-- What layout 3 adds: order, replays, pauses, and what is known of a rejection.

-- Deliveries of one destination with the same key go one after the other. More of `state`: 5 waits behind an earlier one
-- of its key, 6 exhausted and holding its key, 7 cancelled and holding it until the try that is under way is over.
ALTER TABLE deliveries ADD COLUMN order_key BLOB;
CREATE INDEX deliveries_ordered ON deliveries (destination, order_key, id)
    WHERE order_key IS NOT NULL AND state IN (0, 1, 5, 6, 7);

-- Deliveries that were added later do not lie beside their event's others.
ALTER TABLE deliveries ADD COLUMN replay INTEGER;
CREATE INDEX deliveries_replayed ON deliveries (event) WHERE replay IS NOT NULL;

-- From when a deadline counts, where somebody asked for it after its event had arrived.
ALTER TABLE deliveries ADD COLUMN since INTEGER;

-- What an operator stopped for a while: `kind` is 'source' or 'destination'.
CREATE TABLE paused (kind TEXT NOT NULL, name TEXT NOT NULL, since INTEGER NOT NULL, PRIMARY KEY (kind, name)) WITHOUT ROWID;

-- 1: the signature was right, and only its time or nonce was not. They have a shelf of their own.
ALTER TABLE rejections ADD COLUMN authentic INTEGER NOT NULL DEFAULT 0;
CREATE INDEX rejections_shelf ON rejections (authentic);

-- Checksums of what was recorded (`sum.rs`); NULL where a row is older than they are.
ALTER TABLE requests ADD COLUMN sum INTEGER;
ALTER TABLE events ADD COLUMN sum INTEGER;
