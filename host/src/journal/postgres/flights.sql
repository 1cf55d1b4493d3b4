-- The way out. Who claims holds no lock afterwards: a row says whose flight it is.

-- What is in the queue changes by thousands in a second, and what the planner last knew of it may be long ago: these functions
-- go by its indexes, always.

-- Due deliveries of one destination become flights of a host. Retries and what was not tried yet in turns (`late` of them are
-- retries, if there are so many), so that a flood of new ones does not hold up the others for ever. Who is not among the hosts
-- any more gets nothing, and a destination that is paused gives nothing. No retry waits for longer than `longest`: one that
-- would was planned under a clock that was ahead, and is due.
CREATE OR REPLACE FUNCTION claim(me uuid, lane int, moment bigint, many bigint, late bigint, longest bigint)
RETURNS TABLE (number bigint, of_day date, of_request bigint, of_place int, tries int, tries_before int, asked bigint)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    taken bigint[];
    more bigint[];
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    PERFORM FROM hosts WHERE id = me FOR KEY SHARE;
    IF NOT FOUND OR EXISTS (SELECT FROM paused p JOIN destinations n ON n.name = p.name
            WHERE p.kind = 'destination' AND n.id = lane) THEN
        RETURN;
    END IF;
    taken := ARRAY(SELECT id FROM queue WHERE destination = lane AND host IS NULL AND state < 2 AND due > 0
        AND (due <= moment OR due > moment + longest) ORDER BY due, id LIMIT late FOR UPDATE SKIP LOCKED);
    taken := taken || ARRAY(SELECT id FROM queue WHERE destination = lane AND host IS NULL AND state < 2 AND due <= 0
        ORDER BY due, id LIMIT many - cardinality(taken) FOR UPDATE SKIP LOCKED);
    IF cardinality(taken) < many THEN
        more := ARRAY(SELECT id FROM queue WHERE destination = lane AND host IS NULL AND state < 2 AND due > 0
            AND (due <= moment OR due > moment + longest) AND NOT id = ANY (taken)
            ORDER BY due, id LIMIT many - cardinality(taken) FOR UPDATE SKIP LOCKED);
        taken := taken || more;
    END IF;
    RETURN QUERY WITH flying AS (UPDATE queue q SET host = me WHERE q.id = ANY (taken) RETURNING q.*)
        SELECT f.id, f.day, f.request, f.place, f.attempts, f.base, f.since FROM flying f ORDER BY f.due, f.id;
END $$;

-- How attempts ended, for the flights of one host. `ends`: 2 delivered, 1 again, 3 exhausted, 6 held, 0 given back untried.
-- Gives who became due by it, of the same key, and what is due again.
CREATE OR REPLACE FUNCTION settle(
    me uuid, moment bigint, numbers bigint[], ends smallint[], dues bigint[], reasons text[],
    ats bigint[], tooks bigint[], statuses int[], errors text[], answers bytea[], sealed boolean
) RETURNS TABLE (lane int, again bigint) LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    ordered bigint[] := '{}';
    places int[] := '{}';
    keys uuid[] := '{}';
    passes boolean[] := '{}';
    one record;
BEGIN
    -- At least once: losing this repeats a delivery, which is allowed.
    PERFORM set_config('synchronous_commit', 'off', true);
    PERFORM pg_advisory_xact_lock(k.lock) FROM (
        SELECT DISTINCT uuid_hash_extended(order_key, destination) AS lock FROM queue
        WHERE id = ANY (numbers) AND order_key IS NOT NULL ORDER BY 1) k;
    FOR one IN
        WITH given AS (
            SELECT * FROM unnest(numbers, ends, dues, reasons, ats, tooks, statuses, errors, answers)
                AS g (id, ends, due, reason, at, took, status, error, answer)
        ), judged AS MATERIALIZED (
            SELECT q.id, q.day, q.destination, q.order_key, q.due AS was_due, g.due, g.at, g.took, g.status, g.error, g.answer,
                g.ends, q.attempts + (g.ends > 0)::int AS tries,
                -- What was cancelled meanwhile stays so, unless the destination has it.
                CASE WHEN g.ends = 2 THEN 2 WHEN q.state = 7 THEN 4 WHEN g.ends = 0 THEN q.state
                    WHEN g.ends = 6 AND q.order_key IS NULL THEN 3 ELSE g.ends END AS state,
                CASE WHEN g.ends = 2 THEN NULL WHEN q.state = 7 OR g.ends = 0 THEN q.reason
                    WHEN g.ends = 6 AND q.order_key IS NOT NULL THEN g.reason
                        || '; it holds its key: what is behind it waits until it is retried or cancelled'
                    ELSE g.reason END AS reason
            FROM given g JOIN queue q ON q.id = g.id
                -- A claim is not synced, and a server that died may not know of it: what nobody has is still what was tried.
                WHERE q.host = me OR q.host IS NULL AND q.state IN (0, 1) AND g.ends > 0 FOR UPDATE OF q
        ), gone AS (
            DELETE FROM queue q USING judged j WHERE q.id = j.id AND j.state IN (2, 3, 4)
            RETURNING q.id, q.day, q.request, q.place, q.destination, j.state, j.tries, q.base, q.since, j.reason, q.order_key,
                q.replay
        ), kept AS (
            UPDATE queue q SET host = NULL, state = j.state, attempts = j.tries, reason = j.reason,
                due = CASE WHEN j.ends = 1 THEN j.due ELSE q.due END
            FROM judged j WHERE q.id = j.id AND j.state NOT IN (2, 3, 4)
        ), history AS (
            INSERT INTO deliveries (id, day, request, place, destination, state, attempts, base, since, reason, order_key, replay)
            SELECT g.id, g.day, g.request, g.place, g.destination, g.state, g.tries, g.base, g.since, g.reason, g.order_key,
                g.replay FROM gone g
        ), tried AS (
            INSERT INTO attempts (delivery, number, day, at, took_ms, status, error, answer, sealed)
            SELECT j.id, j.tries, j.day, j.at, j.took, j.status, j.error, j.answer, settle.sealed FROM judged j WHERE j.ends > 0
        )
        SELECT j.* FROM judged j
    LOOP
        IF one.state IN (0, 1) THEN
            lane := one.destination;
            again := CASE WHEN one.ends = 1 THEN one.due ELSE one.was_due END;
            RETURN NEXT;
        END IF;
        IF one.order_key IS NOT NULL AND (one.ends = 1 OR one.state NOT IN (0, 1)) THEN
            ordered := ordered || one.id;
            places := places || one.destination;
            keys := keys || one.order_key;
            passes := passes || (one.state = 1);
        END IF;
    END LOOP;
    -- What follows for others of their keys: the rows above are as they are now.
    FOR one IN
        SELECT * FROM unnest(ordered, places, keys, passes) AS o (id, destination, order_key, passes) ORDER BY o.id
    LOOP
        IF one.passes AND let_pass(one.id, moment)
            OR NOT one.passes AND hand_over(one.destination, one.order_key, moment) THEN
            lane := one.destination;
            again := 0;
            RETURN NEXT;
        END IF;
    END LOOP;
END $$;

-- Ends the lease of hosts that do not say any more that they live, and of one that says that it goes: what was in flight
-- there is due again. Gives how many that were.
CREATE OR REPLACE FUNCTION free_flights(lease interval, moment bigint, going uuid) RETURNS bigint LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    dead uuid[];
    freed bigint;
    first bigint[];
    one bigint;
BEGIN
    SELECT array_agg(id) INTO dead FROM (
        SELECT id FROM hosts WHERE beat < now() - lease OR id = going FOR UPDATE SKIP LOCKED) h;
    IF dead IS NULL THEN
        RETURN 0;
    END IF;
    PERFORM pg_advisory_xact_lock(k.lock) FROM (
        SELECT DISTINCT uuid_hash_extended(order_key, destination) AS lock FROM queue
        WHERE host = ANY (dead) AND order_key IS NOT NULL ORDER BY 1) k;
    FOR one IN SELECT id FROM queue WHERE host = ANY (dead) AND state = 7 ORDER BY id LOOP
        PERFORM leave(one, moment);
    END LOOP;
    SELECT coalesce(array_agg(id ORDER BY id), '{}') INTO first FROM queue WHERE host = ANY (dead) AND order_key IS NOT NULL;
    UPDATE queue SET host = NULL WHERE host = ANY (dead);
    GET DIAGNOSTICS freed = ROW_COUNT;
    -- What was tried again by hand meanwhile goes first.
    FOREACH one IN ARRAY first LOOP
        PERFORM let_pass(one, moment);
    END LOOP;
    DELETE FROM hosts WHERE id = ANY (dead);
    RETURN freed;
END $$;

-- Flights of this host that it does not know of: a claim whose answer was lost on the way.
CREATE OR REPLACE FUNCTION free_unknown(me uuid, flying bigint[], moment bigint) RETURNS bigint LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    lost bigint[];
BEGIN
    SELECT array_agg(id) INTO lost FROM queue WHERE host = me AND NOT id = ANY (flying);
    IF lost IS NULL THEN
        RETURN 0;
    END IF;
    PERFORM settle(me, moment, lost, array_fill(0::smallint, ARRAY[cardinality(lost)]), '{}', '{}', '{}', '{}', '{}', '{}', '{}',
        false);
    RETURN cardinality(lost);
END $$;
