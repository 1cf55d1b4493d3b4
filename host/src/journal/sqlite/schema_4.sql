-- What layout 4 adds: content that is encrypted. Every request, every event of a batch and every rejection has a data key
-- of its own; `seal` is that key, wrapped by the configured one. Without it the content is gone. NULL: in plain text.
ALTER TABLE requests ADD COLUMN seal BLOB;
ALTER TABLE events ADD COLUMN seal BLOB;
ALTER TABLE rejections ADD COLUMN seal BLOB;

-- With which configured keys the file was written, and since when: a known text under each.
CREATE TABLE vault (id INTEGER PRIMARY KEY, since INTEGER NOT NULL, proof BLOB NOT NULL);
