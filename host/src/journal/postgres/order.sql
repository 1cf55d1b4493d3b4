-- Order per key, and what an operator does to deliveries. Who calls these holds the keys' locks:
-- pg_advisory_xact_lock(uuid_hash_extended(order_key, destination)), taken in the order of these numbers.
-- Of a destination's deliveries with the same key one is open, and the others wait. The first of a key is the lowest number
-- of it in the queue.

-- A delivery has ended.
CREATE OR REPLACE FUNCTION ended(number bigint, ends smallint, tries int, why text) RETURNS void LANGUAGE sql AS $$
    WITH gone AS (DELETE FROM queue WHERE id = number RETURNING *)
    INSERT INTO deliveries (id, day, request, place, destination, state, attempts, base, since, reason, order_key, replay)
    SELECT id, day, request, place, destination, ends, tries, base, since, why, order_key, replay FROM gone
$$;

-- The locks of the keys of these deliveries.
CREATE OR REPLACE FUNCTION lock_keys(numbers bigint[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(k.lock) FROM (
        SELECT DISTINCT uuid_hash_extended(order_key, destination) AS lock FROM every_delivery
        WHERE id = ANY (numbers) AND order_key IS NOT NULL ORDER BY 1
    ) k;
END $$;

-- Nobody of the key is open any more: makes the first that waits due, unless one before it holds the key. A deadline counts
-- from now where it was not tried before: it could not be.
CREATE OR REPLACE FUNCTION hand_over(to_destination int, of_key uuid, at bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE first queue;
BEGIN
    SELECT * INTO first FROM queue WHERE destination = to_destination AND order_key = of_key ORDER BY id LIMIT 1;
    IF first.state IS DISTINCT FROM 5 THEN
        RETURN false;
    END IF;
    UPDATE queue SET state = CASE WHEN attempts > base THEN 1 ELSE 0 END, since = CASE WHEN attempts > base THEN since ELSE at END
        WHERE id = first.id;
    RETURN true;
END $$;

-- One that was cancelled in flight, when its flight is over.
CREATE OR REPLACE FUNCTION leave(number bigint, at bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE gone queue;
BEGIN
    SELECT * INTO gone FROM queue WHERE id = number AND state = 7;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM ended(number, 4::smallint, gone.attempts, gone.reason);
    RETURN gone.order_key IS NOT NULL AND hand_over(gone.destination, gone.order_key, at);
END $$;

-- One is to be tried again later: lets an earlier one that waits pass, which was tried again by hand meanwhile. False: it is
-- the first, and stays open.
CREATE OR REPLACE FUNCTION let_pass(number bigint, at bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE mine queue; earlier queue;
BEGIN
    SELECT * INTO mine FROM queue WHERE id = number;
    SELECT * INTO earlier FROM queue
        WHERE destination = mine.destination AND order_key = mine.order_key AND id <> number ORDER BY id LIMIT 1;
    IF earlier.state = 5 AND earlier.id < number THEN
        UPDATE queue SET state = 5, host = NULL WHERE id = number;
        PERFORM hand_over(mine.destination, mine.order_key, at);
        RETURN true;
    END IF;
    RETURN false;
END $$;

-- Whether one that had ended in a state, and is in the queue again, has to wait. A later one that is open waits instead, unless
-- it is in flight.
CREATE OR REPLACE FUNCTION waits_again(number bigint, was smallint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE mine queue; other queue; rival queue;
BEGIN
    SELECT * INTO mine FROM queue WHERE id = number;
    SELECT * INTO other FROM queue
        WHERE destination = mine.destination AND order_key = mine.order_key AND id <> number ORDER BY id LIMIT 1;
    IF NOT FOUND THEN
        RETURN false;
    ELSIF other.id < number THEN
        RETURN true;
    -- Somebody behind it is open, unless it held the key itself.
    ELSIF other.state = 6 OR (other.state = 5 AND was IN (6, 7)) THEN
        RETURN false;
    END IF;
    SELECT * INTO rival FROM queue
        WHERE destination = mine.destination AND order_key = mine.order_key AND id <> number AND state < 2
        ORDER BY id LIMIT 1 FOR UPDATE;
    IF FOUND AND rival.host IS NULL AND other.state <> 7 THEN
        UPDATE queue SET state = 5 WHERE id = rival.id;
        RETURN false;
    END IF;
    RETURN true;
END $$;

-- Makes deliveries due again that had ended, each in turn; gives those that are, with whose flight one is that was cancelled
-- in flight and is taken back.
CREATE OR REPLACE FUNCTION try_again(numbers bigint[], at bigint)
RETURNS TABLE (number bigint, flight uuid) LANGUAGE plpgsql AS $$
DECLARE mine queue; was smallint; waits boolean;
BEGIN
    PERFORM lock_keys(numbers);
    FOR number IN SELECT n FROM unnest(numbers) n ORDER BY n LOOP
        SELECT * INTO mine FROM queue q WHERE q.id = number AND q.state IN (6, 7) FOR UPDATE;
        was := mine.state;
        IF NOT FOUND THEN
            -- Who erases its event has this lock, too; nothing is left to send of what is erased.
            PERFORM FROM deliveries d WHERE d.id = number FOR UPDATE;
            CONTINUE WHEN EXISTS (
                SELECT FROM deliveries d JOIN events e ON e.request = d.request AND e.place = d.place AND e.day = d.day
                WHERE d.id = number AND e.state = 3
            );
            WITH back AS (DELETE FROM deliveries d WHERE d.id = number AND d.state IN (3, 4) RETURNING *), put AS (
                INSERT INTO queue (id, day, request, place, destination, state, due, attempts, base, order_key, replay)
                SELECT id, day, request, place, destination, 5, 0, attempts, attempts, order_key, replay FROM back
            ) SELECT state INTO was FROM back;
            CONTINUE WHEN was IS NULL;
            SELECT * INTO mine FROM queue q WHERE q.id = number;
        END IF;
        flight := mine.host;
        -- Cancelled in flight: that try is the first.
        waits := mine.order_key IS NOT NULL AND flight IS NULL AND waits_again(number, was);
        UPDATE queue q SET state = CASE WHEN waits THEN 5 ELSE 0 END, due = 0, base = attempts, since = at, reason = NULL
            WHERE q.id = number;
        RETURN NEXT;
    END LOOP;
END $$;

-- Gives deliveries up that have not ended, and those that hold their key; gives those that are, with whose flight one is.
CREATE OR REPLACE FUNCTION give_up(numbers bigint[], why text, at bigint)
RETURNS TABLE (number bigint, flight uuid) LANGUAGE plpgsql AS $$
DECLARE mine queue; free queue[] := '{}';
BEGIN
    PERFORM lock_keys(numbers);
    FOR number IN SELECT n FROM unnest(numbers) n ORDER BY n LOOP
        SELECT * INTO mine FROM queue q WHERE q.id = number AND q.state IN (0, 1, 5, 6) FOR UPDATE;
        CONTINUE WHEN NOT FOUND;
        flight := CASE WHEN mine.state < 2 THEN mine.host END;
        IF flight IS NULL THEN
            PERFORM ended(number, 4::smallint, mine.attempts, why);
        ELSE
            UPDATE queue q SET state = 7, reason = why WHERE q.id = number;
        END IF;
        IF flight IS NULL AND mine.state <> 5 AND mine.order_key IS NOT NULL THEN
            free := free || mine;
        END IF;
        RETURN NEXT;
    END LOOP;
    -- After all of them, so that nothing that is to go is handed a key.
    FOREACH mine IN ARRAY free LOOP
        PERFORM hand_over(mine.destination, mine.order_key, at);
    END LOOP;
END $$;
