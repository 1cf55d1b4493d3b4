-- The way in: one statement for a group of requests. No key and no nonce comes twice in a group.
--
-- `r_` are requests that are not stale, `e_` their events, `d_` the deliveries of these, `n_` their nonces, `p_` what polls
-- remember; numbers among them begin with 1. `stale` are keys of stale requests. Gives the events that are new, the requests
-- whose nonce was known although an event of theirs was new, and the stale keys that are known.
CREATE OR REPLACE FUNCTION record(
    moment bigint, today date,
    r_received bigint[], r_origin int[], r_build int[], r_method text[], r_target bytea[], r_peer text[],
    r_nonce uuid[], r_nonce_until bigint[], r_headers bytea[], r_body bytea[], r_seal bytea[], r_sum bigint[], r_since bigint[],
    e_request int[], e_id uuid[], e_state smallint[], e_key uuid[], e_key_until bigint[], e_kind text[], e_subject text[],
    e_provider_id text[], e_time bigint[], e_warnings text[], e_form smallint[], e_content text[], e_head int[], e_tail int[],
    e_data bytea[], e_seal bytea[], e_sum bigint[],
    d_event int[], d_destination int[], d_key uuid[], d_once boolean[],
    p_request int[], p_name text[], p_state bytea[], stale uuid[],
    OUT fresh int[], OUT replayed int[], OUT known uuid[]
) LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    taken uuid[];
    wanted uuid[];
BEGIN
    SELECT coalesce(array_agg(hash), '{}') INTO known FROM keys
        WHERE hash = ANY (stale) AND (until IS NULL OR until > moment);

    -- In the order of the keys, so that two groups never wait for each other.
    WITH put AS (
        INSERT INTO keys AS k (hash, until, received)
        SELECT e.key, e.until, r.received FROM unnest(e_request, e_key, e_key_until) AS e (request, key, until)
            JOIN unnest(r_received) WITH ORDINALITY AS r (received, n) ON r.n = e.request ORDER BY e.key
        ON CONFLICT (hash) DO UPDATE SET until = excluded.until, received = excluded.received WHERE k.until <= moment
        RETURNING hash
    ) SELECT coalesce(array_agg(hash), '{}') INTO taken FROM put;
    SELECT coalesce(array_agg(e.n), '{}') INTO fresh FROM unnest(e_key) WITH ORDINALITY AS e (key, n)
        JOIN unnest(taken) AS t (key) ON t.key = e.key;

    -- All nonces come after all keys. One that is known refuses its request, where that has something new.
    replayed := '{}';
    SELECT array_agg(nonce ORDER BY nonce) INTO wanted FROM unnest(r_nonce) WITH ORDINALITY AS r (nonce, n)
        WHERE nonce IS NOT NULL AND n IN (SELECT e.request FROM unnest(e_request) WITH ORDINALITY AS e (request, n)
            JOIN unnest(fresh) AS f (n) ON f.n = e.n);
    IF wanted IS NOT NULL THEN
        WITH put AS (
            INSERT INTO keys AS k (hash, until, received)
            SELECT r.nonce, r.until, r.received FROM unnest(r_nonce, r_nonce_until, r_received) AS r (nonce, until, received)
                WHERE r.nonce = ANY (wanted) ORDER BY r.nonce
            ON CONFLICT (hash) DO UPDATE SET until = excluded.until, received = excluded.received WHERE k.until <= moment
            RETURNING hash
        ) SELECT coalesce(array_agg(r.n), '{}') INTO replayed FROM unnest(r_nonce) WITH ORDINALITY AS r (nonce, n)
            WHERE nonce = ANY (wanted) AND nonce NOT IN (SELECT hash FROM put);
        IF cardinality(replayed) > 0 THEN
            DELETE FROM keys WHERE hash IN (
                SELECT e_key[n] FROM unnest(fresh) AS f (n) WHERE e_request[n] = ANY (replayed));
            SELECT coalesce(array_agg(n), '{}') INTO fresh FROM unnest(fresh) AS f (n) WHERE NOT e_request[n] = ANY (replayed);
        END IF;
    END IF;

    INSERT INTO polls (name, state) SELECT p.name, p.state FROM unnest(p_request, p_name, p_state) AS p (request, name, state)
        WHERE NOT p.request = ANY (replayed)
        ON CONFLICT (name) DO UPDATE SET state = excluded.state;
    IF cardinality(fresh) = 0 THEN
        RETURN;
    END IF;

    -- Before numbers are drawn: of one key they grow in the order of commits.
    PERFORM pg_advisory_xact_lock(k.lock) FROM (
        SELECT DISTINCT uuid_hash_extended(d.key, d.destination) AS lock
            FROM unnest(d_event, d_destination, d_key) AS d (event, destination, key)
            JOIN unnest(fresh) AS f (n) ON f.n = d.event WHERE d.key IS NOT NULL ORDER BY 1) k;

    WITH e AS MATERIALIZED (
        SELECT e.*, row_number() OVER (PARTITION BY e.request ORDER BY e.n) - 1 AS place
        FROM unnest(e_request, e_id, e_state, e_key, e_key_until, e_kind, e_subject, e_provider_id, e_time, e_warnings, e_form,
                e_content, e_head, e_tail, e_data, e_seal, e_sum) WITH ORDINALITY
            AS e (request, id, state, key, key_until, kind, subject, provider_id, time, warnings, form,
                content, head, tail, data, seal, sum, n)
        WHERE e.n IN (SELECT f.n FROM unnest(fresh) AS f (n))
    ), r AS MATERIALIZED (
        SELECT nextval('request_numbers') AS id, r.* FROM (
            SELECT r.* FROM unnest(r_received, r_origin, r_build, r_method, r_target, r_peer, r_nonce, r_nonce_until, r_headers,
                    r_body, r_seal, r_sum, r_since) WITH ORDINALITY
                AS r (received, origin, build, method, target, peer, nonce, nonce_until, headers, body, seal, sum, since, n)
            WHERE r.n IN (SELECT request FROM e) ORDER BY r.n) r
    ), requests_put AS (
        INSERT INTO requests (id, day, received, origin, build, method, target, peer, nonce, nonce_until, headers, body, seal, sum)
        SELECT id, today, received, origin, build, method, target, peer, nonce, nonce_until, headers, body, seal, sum FROM r
    ), events_put AS (
        INSERT INTO events (request, place, day, id, origin, received, state, key, key_until, kind, subject, provider_id, time,
            warnings, form, content, head, tail, data, seal, sum)
        SELECT r.id, e.place, today, e.id, r.origin, r.received, e.state, e.key, e.key_until, e.kind, e.subject, e.provider_id,
            e.time, e.warnings, e.form, e.content, e.head, e.tail, e.data, e.seal, e.sum FROM e JOIN r ON r.n = e.request
    ), d AS (
        SELECT d.destination, d.key, d.n, e.request, e.place,
            row_number() OVER (PARTITION BY d.destination, e.request ORDER BY d.n) AS of_request, d.once
        FROM unnest(d_event, d_destination, d_key, d_once) WITH ORDINALITY AS d (event, destination, key, once, n)
            JOIN e ON e.n = d.event
    ), w AS (
        SELECT d.*, row_number() OVER (PARTITION BY d.destination, d.key ORDER BY d.n) AS of_key
        FROM d WHERE NOT d.once OR d.of_request = 1
    )
    INSERT INTO queue (id, day, request, place, destination, state, due, attempts, base, since, order_key)
    SELECT nextval('delivery_numbers'), today, o.request, o.place, o.destination,
        CASE WHEN o.key IS NOT NULL AND (o.of_key > 1 OR EXISTS (
            SELECT FROM queue q WHERE q.destination = o.destination AND q.order_key = o.key)) THEN 5 ELSE 0 END,
        0, 0, 0, o.since, o.key
    FROM (SELECT w.destination, w.key, w.of_key, r.id AS request, w.place, r.since
        FROM w JOIN r ON r.n = w.request ORDER BY w.n) o;
END $$;
