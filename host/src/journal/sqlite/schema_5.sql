-- What layout 5 adds: whose bytes lie where, for those who erase them.

-- The request that this one is a copy of, made for an event that a replay added: the same bytes, erased together.
ALTER TABLE requests ADD COLUMN copy_of INTEGER;
CREATE INDEX requests_copies ON requests (copy_of) WHERE copy_of IS NOT NULL;

-- 1: its bytes were erased with one of its events; the others have their data, and nobody can get the request any more.
ALTER TABLE requests ADD COLUMN erased INTEGER NOT NULL DEFAULT 0;
UPDATE requests SET erased = 1 WHERE target = '';
