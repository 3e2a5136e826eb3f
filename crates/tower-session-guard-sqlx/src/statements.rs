//! The statements, in the words that both engines understand, and those of each.
//!
//! Expiry is compared with a parameter, never with the server's clock. No statement upserts a record.

use sqlx::SqlStr;

use crate::table::Table;

macro_rules! statements {
    ($(#[$meta:meta])* $set:ident { $($name:ident: $text:expr;)+ }) => {
        $(#[$meta])*
        #[derive(Debug)]
        pub(super) struct $set {
            $(pub(super) $name: SqlStr),+
        }

        impl $set {
            pub(super) fn of(table: &Table) -> Self {
                Self { $($name: table.in_statement($text)),+ }
            }
        }
    };
}

/// How many entries of one owner are counted at most, so that a login costs a bounded time.
pub(super) const MOST_COUNTED: i64 = 1_000;

statements!(Statements {
    load: "SELECT head, rest, revision, owner, others FROM session_guard \
        WHERE id = $1 AND expires_at > $2";

    count: "SELECT count(*) FILTER (WHERE counted), count(*) FROM \
        (SELECT counted FROM session_guard_index WHERE key = $1 LIMIT $2) AS entries";

    // Asked after a `replace` that changed nothing, for the reason.
    present: "SELECT revision, owner IS NOT DISTINCT FROM $3 AND others IS NOT DISTINCT FROM $4 \
        FROM session_guard WHERE id = $1 AND expires_at > $2";

    remove: "DELETE FROM session_guard WHERE id = $1";

    remove_listed: "DELETE FROM session_guard WHERE id = $1 \
        AND EXISTS (SELECT 1 FROM session_guard_index WHERE key = $2 AND id = $1)";

    // One row for each entry, so that the last one tells where the next page begins.
    heads: "SELECT page.id, page.counted, CASE WHEN s.expires_at > $4 THEN s.head END FROM \
        (SELECT id, counted FROM session_guard_index WHERE key = $1 AND id > $2 ORDER BY id LIMIT $3) \
        AS page LEFT JOIN session_guard AS s ON s.id = page.id";

    // The later of each time, and the mark of the later cut-off.
    raise_cutoff: "INSERT INTO session_guard_cutoffs AS held (key, ended_at, kept_until, mark) \
        VALUES ($1, $2, $3, $4) ON CONFLICT (key) DO UPDATE SET \
        mark = CASE WHEN excluded.ended_at >= held.ended_at THEN excluded.mark ELSE held.mark END, \
        ended_at = CASE WHEN excluded.ended_at > held.ended_at \
            THEN excluded.ended_at ELSE held.ended_at END, \
        kept_until = CASE WHEN excluded.kept_until > held.kept_until \
            THEN excluded.kept_until ELSE held.kept_until END";

    cutoff: "SELECT ended_at, kept_until, mark FROM session_guard_cutoffs WHERE key = $1";

    live_records: "SELECT count(*) FROM session_guard WHERE expires_at > $1";

    create_schema: "CREATE TABLE IF NOT EXISTS session_guard_schema \
        (version bigint NOT NULL PRIMARY KEY)";
    schema_version: "SELECT coalesce(max(version), 0) FROM session_guard_schema";
    schema_reached: "INSERT INTO session_guard_schema (version) VALUES ($1)";
});

#[cfg(feature = "postgres")]
statements!(PostgresStatements {
    // The record and its entries in one statement, which is atomic.
    create: "WITH made AS (\
            INSERT INTO session_guard (id, owner, others, expires_at, revision, head, rest, content, content_of) \
            VALUES ($1, $2, $3, $4, 1, $5, $6, $9, 1) ON CONFLICT (id) DO NOTHING RETURNING id\
        ), listed AS (\
            INSERT INTO session_guard_index (key, id, counted) \
            SELECT key, made.id, $7::boolean FROM made, unnest($8::bytea[]) AS key\
        ) SELECT count(*) FROM made";

    replace: "UPDATE session_guard \
        SET expires_at = $4, revision = revision + 1, head = $5, rest = $6, content = $9, content_of = revision + 1 \
        WHERE id = $1 AND revision = $2 AND expires_at > $3 \
        AND owner IS NOT DISTINCT FROM $7 AND others IS NOT DISTINCT FROM $8";

    // What comes after this lock sees the lease that is held under it.
    lock_leases: "SELECT pg_advisory_xact_lock(hashtextextended('session_guard_leases', 0))";

    hold_lease: "INSERT INTO session_guard_leases AS held (exact, millis, counts_until) \
        VALUES ($1, $2, clock_timestamp() + $3 * interval '1 second') \
        ON CONFLICT (exact, millis) DO UPDATE \
        SET counts_until = greatest(held.counts_until, excluded.counts_until)";

    // One command for each fence. Where a lease has lapsed it is not held again: changes may have gone untold.
    fence: "WITH renewed AS (\
            UPDATE session_guard_leases SET counts_until = clock_timestamp() + $3 * interval '1 second' \
            WHERE exact = $1 AND millis = $2 AND counts_until > clock_timestamp() \
            AND counts_until < clock_timestamp() + $4 * interval '1 second'\
        ) SELECT pg_backend_pid(), pg_is_in_recovery(), EXISTS (\
            SELECT FROM session_guard_leases \
            WHERE exact = $1 AND millis = $2 AND counts_until > clock_timestamp()\
        )";

    held_leases: "SELECT exact, millis FROM session_guard_leases WHERE counts_until > clock_timestamp()";

    forget_leases: "DELETE FROM session_guard_leases WHERE counts_until < clock_timestamp() - interval '1 hour'";

    listen_probe: "SELECT pg_notify('session_guard_changed', $1)";

    // Rows are locked in the order of their ids, so that two endings never wait for each other in a circle.
    end_listed: "WITH page AS MATERIALIZED (\
            SELECT id FROM session_guard_index WHERE key = $1 AND id > $2 ORDER BY id LIMIT $3\
        ), locked AS MATERIALIZED (\
            SELECT id FROM session_guard \
            WHERE id = ANY (ARRAY (SELECT id FROM page)) AND id IS DISTINCT FROM $4::bytea \
            ORDER BY id FOR UPDATE\
        ), gone AS (\
            DELETE FROM session_guard WHERE id = ANY (ARRAY (SELECT id FROM locked)) RETURNING id\
        ) SELECT (SELECT count(*) FROM gone), (SELECT count(*) FROM page), \
            (SELECT id FROM page ORDER BY id DESC LIMIT 1)";

    // Passes over rows that another transaction is writing: they are in use or will be there the next time.
    sweep: "DELETE FROM session_guard WHERE id IN \
        (SELECT id FROM session_guard WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 \
        FOR UPDATE SKIP LOCKED)";

    sweep_cutoffs: "DELETE FROM session_guard_cutoffs WHERE key IN \
        (SELECT key FROM session_guard_cutoffs WHERE kept_until <= $1 ORDER BY kept_until LIMIT $2 \
        FOR UPDATE SKIP LOCKED)";
});

#[cfg(feature = "sqlite")]
statements!(SqliteStatements {
    create: "INSERT INTO session_guard (id, owner, others, expires_at, revision, head, rest) \
        VALUES ($1, $2, $3, $4, 1, $5, $6) ON CONFLICT (id) DO NOTHING";

    enlist: "INSERT INTO session_guard_index (key, id, counted) VALUES ($1, $2, $3)";

    replace: "UPDATE session_guard \
        SET expires_at = $4, revision = revision + 1, head = $5, rest = $6 \
        WHERE id = $1 AND revision = $2 AND expires_at > $3 \
        AND owner IS NOT DISTINCT FROM $7 AND others IS NOT DISTINCT FROM $8";

    page: "SELECT id FROM session_guard_index WHERE key = $1 AND id > $2 ORDER BY id LIMIT $3";

    end_page: "DELETE FROM session_guard WHERE id IS NOT $4 AND id IN \
        (SELECT id FROM session_guard_index WHERE key = $1 AND id > $2 AND id <= $3)";

    sweep: "DELETE FROM session_guard WHERE id IN \
        (SELECT id FROM session_guard WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)";

    sweep_cutoffs: "DELETE FROM session_guard_cutoffs WHERE key IN \
        (SELECT key FROM session_guard_cutoffs WHERE kept_until <= $1 ORDER BY kept_until LIMIT $2)";
});
