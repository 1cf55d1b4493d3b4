-- What layout 7 adds: which requests are copies, in files whose copies do not say so, because an older layout made them.
-- What is blank of them is left to `copies`. A copy has one event, which was added later and so has no deliveries beside it.

CREATE TEMP TABLE alike (id INTEGER PRIMARY KEY, received INTEGER NOT NULL);
INSERT INTO alike SELECT id, received FROM requests
    WHERE received IN (SELECT received FROM requests GROUP BY received HAVING count(*) > 1);
CREATE INDEX temp.alike_received ON alike (received);
CREATE TEMP TABLE late (id INTEGER PRIMARY KEY, much INTEGER NOT NULL);
INSERT INTO late SELECT r.id, hex(substr(e.uuid, 1, 6)) > printf('%012X', r.received / 1000 + 10000)
    FROM alike a CROSS JOIN requests r ON r.id = a.id CROSS JOIN events e ON e.id = r.first_event
    WHERE r.copy_of IS NULL AND r.nonce IS NULL AND r.events = 1 AND e.deliveries = 0;

-- By the same bytes; of what is sealed the key is the same.
UPDATE requests SET copy_of = (
    SELECT min(o.id) FROM alike a CROSS JOIN requests o ON o.id = a.id
    WHERE a.received = requests.received AND a.id < requests.id AND o.erased = 0 AND o.method = requests.method
        AND o.seal IS requests.seal AND o.target = requests.target AND o.headers = requests.headers AND o.body = requests.body
) WHERE id IN (SELECT id FROM late) AND erased = 0;

-- Where one of two was erased, there are no bytes to compare: it came from the same sender in the same microsecond, and its
-- event was recorded long after that.
UPDATE requests SET copy_of = (
    SELECT min(o.id) FROM alike a CROSS JOIN requests o ON o.id = a.id
    WHERE a.received = requests.received AND a.id < requests.id AND o.erased + requests.erased > 0
        AND o.method = requests.method AND o.peer IS requests.peer
        AND (SELECT source FROM origins WHERE id = o.origin) = (SELECT source FROM origins WHERE id = requests.origin)
) WHERE id IN (SELECT id FROM late WHERE much) AND copy_of IS NULL;

-- A copy of a copy is one of the first.
UPDATE requests SET copy_of = (SELECT o.copy_of FROM requests o WHERE o.id = requests.copy_of)
    WHERE copy_of IN (SELECT id FROM requests WHERE copy_of IS NOT NULL);

DROP TABLE temp.late;
DROP TABLE temp.alike;
