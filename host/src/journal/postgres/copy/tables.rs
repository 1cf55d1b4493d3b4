//! What is copied: the columns of each table, and how they are read from either engine.

use tokio_postgres::types::Type;

/// A table of the server, and where its rows come from.
pub(super) struct Table {
    pub(super) name: &'static str,
    /// Their names and types.
    pub(super) columns: &'static str,
    /// From the file, in the order of the columns; of what is of requests those with `?1 < id <= ?2`.
    pub(super) file: &'static str,
    /// The same from the server.
    pub(super) server: &'static str,
}

impl Table {
    pub(super) fn columns(&self) -> Vec<(&'static str, Type)> {
        let kind = |word| match word {
            "int2" => Type::INT2,
            "int4" => Type::INT4,
            "int8" => Type::INT8,
            "text" => Type::TEXT,
            "uuid" => Type::UUID,
            "date" => Type::DATE,
            "bool" => Type::BOOL,
            _ => Type::BYTEA,
        };
        let columns = self.columns.split(", ").filter_map(|column| column.split_once(' '));
        columns.map(|(name, word)| (name, kind(word))).collect()
    }

    /// Where a column is in a row; behind its end where there is none of that name.
    pub(super) fn at(&self, name: &str) -> usize {
        self.columns().iter().position(|(column, _)| *column == name).unwrap_or(usize::MAX)
    }
}

/// The id of a request's first event, whose day is that of all.
macro_rules! first {
    () => {
        "(SELECT f.uuid FROM events f WHERE f.id >= r.first_event AND f.id < r.first_event + r.events ORDER BY f.id LIMIT 1)"
    };
}
/// The events of the requests that are meant.
macro_rules! of_requests {
    () => {
        "FROM requests r CROSS JOIN events e ON e.id >= r.first_event AND e.id < r.first_event + r.events "
    };
}
/// Their deliveries: those that were planned lie side by side, and an index has those added since.
macro_rules! deliveries {
    ($columns:expr, $more:expr) => {
        concat!(
            "SELECT ",
            $columns,
            " ",
            of_requests!(),
            "CROSS JOIN deliveries d ON d.id >= e.first_delivery AND d.id < e.first_delivery + e.deliveries ",
            $more,
            " WHERE r.id > ?1 AND r.id <= ?2 UNION ALL SELECT ",
            $columns,
            " ",
            of_requests!(),
            "CROSS JOIN deliveries d INDEXED BY deliveries_replayed ON d.event = e.id AND d.replay IS NOT NULL ",
            $more,
            " WHERE r.id > ?1 AND r.id <= ?2"
        )
    };
}

pub(super) const REQUESTS: Table = Table {
    name: "requests",
    columns: "id int8, day date, received int8, origin int4, build int4, method text, target bytea, \
        peer text, nonce uuid, nonce_until int8, headers bytea, body bytea, seal bytea, sum int8, \
        copy_of int8, erased bool",
    file: concat!(
        "SELECT r.id, ",
        first!(),
        ", r.received, r.origin, r.plugin, r.method, r.target, r.peer, r.nonce, r.nonce_until, \
         r.headers, r.body, r.seal, r.sum, r.copy_of, r.erased FROM requests r WHERE r.id > ?1 AND r.id <= ?2 AND ",
        first!(),
        " IS NOT NULL"
    ),
    server: "SELECT id, day, received, origin, build, method, target, peer, nonce, nonce_until, headers, body, seal, sum, \
        copy_of, erased FROM requests WHERE id > $1 AND id <= $2",
};

pub(super) const EVENTS: Table = Table {
    name: "events",
    columns: "request int8, place int4, day date, id uuid, origin int4, received int8, state int2, key uuid, \
        key_until int8, kind text, subject text, provider_id text, time int8, warnings text, \
        form int2, content text, head int4, tail int4, data bytea, seal bytea, sum int8",
    // A sum over a text that the server does not take would not fit what it keeps of it.
    file: concat!(
        "SELECT e.request, e.id - r.first_event, ",
        first!(),
        ", e.uuid, e.origin, e.received, e.state, e.key, e.key_until, \
         e.kind, e.subject, e.provider_id, e.time, e.warnings, e.form, e.content, e.head, e.tail, e.data, e.seal, \
         CASE WHEN instr(CAST(e.kind || coalesce(e.subject, '') || coalesce(e.provider_id, '') || coalesce(e.content, '') AS BLOB), \
         x'00') > 0 THEN NULL ELSE e.sum END ",
        of_requests!(),
        "WHERE r.id > ?1 AND r.id <= ?2"
    ),
    server: "SELECT request, place, day, id, origin, received, state, key, key_until, kind, subject, provider_id, time, \
        warnings, form, content, head, tail, data, seal, sum FROM events WHERE request > $1 AND request <= $2",
};

/// What was cancelled in flight has ended: nobody flies.
pub(super) const DELIVERIES: Table = Table {
    name: "every_delivery",
    columns: "id int8, day date, request int8, place int4, destination int4, state int2, due int8, \
        attempts int4, base int4, since int8, reason text, order_key uuid, replay int8",
    file: deliveries!(
        concat!(
            "d.id, ",
            first!(),
            ", e.request, e.id - r.first_event, d.destination, CASE d.state WHEN 7 THEN 4 ELSE d.state END, \
             CASE WHEN d.state IN (2, 3, 4, 7) THEN NULL ELSE coalesce(d.next, 0) END, d.attempts, d.base, d.since, d.reason, \
             d.order_key, d.replay"
        ),
        ""
    ),
    server: "SELECT id, day, request, place, destination, state, due, attempts, base, since, reason, order_key, replay \
        FROM every_delivery WHERE request > $1 AND request <= $2",
};

pub(super) const ATTEMPTS: Table = Table {
    name: "attempts",
    columns: "delivery int8, number int4, day date, at int8, took_ms int8, status int4, error text, \
        answer bytea, sealed bool",
    file: deliveries!(
        concat!(
            "a.delivery, a.number, ",
            first!(),
            ", a.at, a.took_ms, a.status, a.error, a.answer, typeof(a.answer) = 'blob'"
        ),
        "CROSS JOIN attempts a ON a.delivery = d.id"
    ),
    server: "SELECT a.delivery, a.number, a.day, a.at, a.took_ms, a.status, a.error, a.answer, a.sealed FROM attempts a \
        JOIN every_delivery d ON d.id = a.delivery AND d.day = a.day WHERE d.request > $1 AND d.request <= $2",
};

/// What is of requests, in the order in which it is written.
pub(super) const DAILY: [&Table; 4] = [&REQUESTS, &EVENTS, &DELIVERIES, &ATTEMPTS];

/// What is small, and copied whole; before requests name it.
pub(super) const NAMES: [Table; 4] = [
    Table {
        name: "origins",
        columns: "id int4, source text, provider text, version text",
        file: "SELECT id, source, provider, version FROM origins",
        server: "",
    },
    Table {
        name: "builds",
        columns: "id int4, provider text, version text, sha256 text, generation int4",
        file: "SELECT id, provider, version, sha256, generation FROM plugins",
        server: "",
    },
    Table {
        name: "destinations",
        columns: "id int4, name text, resumed int8",
        file: "SELECT d.id, d.name, m.value FROM destinations d LEFT JOIN meta m ON m.name = 'resumed ' || d.name",
        server: "",
    },
    Table {
        name: "vault",
        columns: "id int8, since int8, proof bytea",
        file: "SELECT id, since, proof FROM vault",
        server: "",
    },
];

/// The same, at the end.
pub(super) const REST: [Table; 4] = [
    Table {
        name: "rejections",
        columns: "id int8, source text, reason text, detail text, received int8, method text, target bytea, \
        peer text, length int8, size int8, headers bytea, body bytea, seal bytea, authentic bool",
        file: "SELECT id, source, reason, detail, received, method, target, peer, length, size, headers, body, seal, authentic \
            FROM rejections",
        server: "",
    },
    Table { name: "polls", columns: "name text, state bytea", file: "SELECT name, state FROM polls", server: "" },
    Table {
        name: "captures",
        columns: "id int8, source text, secret text, value bytea, sealed bool, fingerprint text, received int8, \
        peer text, confirmed int8",
        file: "SELECT id, source, secret, value, typeof(value) = 'blob', fingerprint, received, peer, confirmed FROM captures",
        server: "",
    },
    Table {
        name: "paused",
        columns: "kind text, name text, since int8",
        file: "SELECT kind, name, since FROM paused",
        server: "",
    },
];
