-- The journal's tables, in a schema of their own. Times are microseconds since 1970 by the gateways' clocks; numbers come
-- from sequences without a cache, so that who goes on after one can wait for those that were drawn and not committed yet.
-- What is of a day lies in partitions: `day` is the day (UTC) in the ids of a request's events, one for all of them.

CREATE SEQUENCE request_numbers;
CREATE SEQUENCE delivery_numbers;
CREATE SEQUENCE rejection_numbers;

CREATE TABLE origins (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, source text NOT NULL, provider text NOT NULL, version text NOT NULL,
    UNIQUE (source, provider, version)
);
CREATE TABLE builds (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, provider text NOT NULL, version text NOT NULL, sha256 text NOT NULL,
    generation int NOT NULL, UNIQUE (provider, version, sha256, generation)
);
-- `resumed`: when its last pause ended.
CREATE TABLE destinations (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE, resumed bigint);

-- `copy_of`: the request that this one is a copy of, made for an event that a replay added. `erased`: its bytes are gone.
CREATE TABLE requests (
    id bigint NOT NULL, day date NOT NULL, received bigint NOT NULL, origin int NOT NULL, build int,
    method text NOT NULL, target bytea NOT NULL, peer text, nonce uuid, nonce_until bigint,
    headers bytea NOT NULL, body bytea NOT NULL, seal bytea, sum bigint, copy_of bigint, erased boolean NOT NULL DEFAULT false,
    PRIMARY KEY (id, day)
) PARTITION BY RANGE (day);
ALTER TABLE requests ALTER body SET STORAGE EXTERNAL, ALTER headers SET STORAGE EXTERNAL;
CREATE INDEX requests_copies ON requests (copy_of) WHERE copy_of IS NOT NULL;

-- An event is known by its request and its place in it, which is also the order in which all are listed. `state`: 0 routed,
-- 1 unrouted, 2 undecoded, 3 erased. `form`: 0 no data, 1 JSON, 2 bytes of the type `content`. Its data is the first `head`
-- bytes of the request's body, then `data`, then the last `tail` bytes of the body.
CREATE TABLE events (
    request bigint NOT NULL, place int NOT NULL, day date NOT NULL, id uuid NOT NULL, origin int NOT NULL,
    received bigint NOT NULL, state smallint NOT NULL, key uuid NOT NULL, key_until bigint,
    kind text NOT NULL, subject text, provider_id text, time bigint, warnings text,
    form smallint NOT NULL, content text, head int NOT NULL, tail int NOT NULL, data bytea, seal bytea, sum bigint,
    PRIMARY KEY (request, place, day)
) PARTITION BY RANGE (day);
ALTER TABLE events ALTER data SET STORAGE EXTERNAL;
CREATE INDEX events_id ON events (id);
-- What people look for: one of very many. Each costs some 2 us per event, and a list by one of them without it a second per
-- million.
CREATE INDEX events_subject ON events (left(subject, 256)) WHERE subject IS NOT NULL;
CREATE INDEX events_provider_id ON events (left(provider_id, 256)) WHERE provider_id IS NOT NULL;

-- Deliveries that have not ended. `state`: 0 pending, 1 retrying, 5 waits behind an earlier one of its key, 6 exhausted and
-- holding its key, 7 cancelled while it is in flight. `host`: whose flight it is. `base`: attempts before the last retry by
-- hand. `since`: from when a deadline counts, where that is not the event's arrival. `replay`: which one made it.
CREATE TABLE queue (
    id bigint PRIMARY KEY, day date NOT NULL, request bigint NOT NULL, place int NOT NULL, destination int NOT NULL,
    state smallint NOT NULL, due bigint NOT NULL, attempts int NOT NULL, base int NOT NULL, since bigint, reason text,
    order_key uuid, replay bigint, host uuid
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX queue_due ON queue (destination, due, id) WHERE host IS NULL AND state < 2;
CREATE INDEX queue_ordered ON queue (destination, order_key, id) WHERE order_key IS NOT NULL;
CREATE INDEX queue_request ON queue (request);
CREATE INDEX queue_host ON queue (host) WHERE host IS NOT NULL;
CREATE INDEX queue_day ON queue (day);

-- Deliveries that have ended. `state`: 2 delivered, 3 exhausted, 4 cancelled.
CREATE TABLE deliveries (
    id bigint NOT NULL, day date NOT NULL, request bigint NOT NULL, place int NOT NULL, destination int NOT NULL,
    state smallint NOT NULL, attempts int NOT NULL, base int NOT NULL, since bigint, reason text, order_key uuid, replay bigint,
    PRIMARY KEY (id, day)
) PARTITION BY RANGE (day);
CREATE INDEX deliveries_request ON deliveries (request);
CREATE INDEX deliveries_failed ON deliveries (id) INCLUDE (state, destination) WHERE state > 2;

CREATE VIEW every_delivery AS
SELECT id, day, request, place, destination, state, due, attempts, base, since, reason, order_key, replay, host FROM queue
UNION ALL
SELECT id, day, request, place, destination, state, NULL::bigint, attempts, base, since, reason, order_key, replay, NULL::uuid
FROM deliveries;

-- `sealed`: the answer is wrapped by the configured key.
CREATE TABLE attempts (
    delivery bigint NOT NULL, number int NOT NULL, day date NOT NULL, at bigint NOT NULL, took_ms bigint NOT NULL,
    status int, error text, answer bytea, sealed boolean NOT NULL DEFAULT false, PRIMARY KEY (delivery, number, day)
) PARTITION BY RANGE (day);

-- Dedup keys and nonces. `until` NULL: as long as retention.
CREATE TABLE keys (hash uuid PRIMARY KEY, until bigint, received bigint NOT NULL);
CREATE INDEX keys_received ON keys (received) WHERE until IS NULL;
CREATE INDEX keys_until ON keys (until) WHERE until IS NOT NULL;

-- Events that were deleted of a day that is still there.
CREATE TABLE days (day date PRIMARY KEY, deleted bigint NOT NULL);

-- `authentic`: the signature was right, and only time or nonce was not. They have a shelf of their own.
CREATE TABLE shelves (authentic boolean PRIMARY KEY, kept bigint NOT NULL, bytes bigint NOT NULL);
INSERT INTO shelves VALUES (false, 0, 0), (true, 0, 0);
CREATE TABLE rejections (
    id bigint PRIMARY KEY DEFAULT nextval('rejection_numbers'), source text, reason text NOT NULL, detail text NOT NULL,
    received bigint NOT NULL, method text NOT NULL, target bytea NOT NULL, peer text, length bigint NOT NULL,
    size bigint NOT NULL, headers bytea NOT NULL, body bytea NOT NULL, seal bytea, authentic boolean NOT NULL
);
CREATE INDEX rejections_shelf ON rejections (authentic, id);

-- `ran`: when its last run began; `host`: who is at it.
CREATE TABLE polls (name text PRIMARY KEY, state bytea, ran bigint, host uuid);
CREATE TABLE captures (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, source text NOT NULL, secret text NOT NULL, value bytea NOT NULL,
    sealed boolean NOT NULL, fingerprint text NOT NULL, received bigint NOT NULL, peer text, confirmed bigint
);
CREATE TABLE paused (kind text NOT NULL, name text NOT NULL, since bigint NOT NULL, PRIMARY KEY (kind, name));
CREATE TABLE vault (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, since bigint NOT NULL, proof bytea NOT NULL);
