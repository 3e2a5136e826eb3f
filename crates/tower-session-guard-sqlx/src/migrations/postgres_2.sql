-- Version 2: heads apart from what follows them, an index of several keys, and cut-offs. Sessions are kept.
DROP INDEX session_guard_subject;
ALTER TABLE session_guard RENAME COLUMN subject TO owner;
ALTER TABLE session_guard RENAME COLUMN record TO head;
ALTER TABLE session_guard ADD COLUMN others bytea, ADD COLUMN rest bytea;
-- What lists read stays in the row.
ALTER TABLE session_guard ALTER COLUMN head SET STORAGE MAIN;
UPDATE session_guard
    SET rest = substring(head FROM 2049), head = substring(head FROM 1 FOR 2048)
    WHERE length(head) > 2048;

CREATE TABLE session_guard_index (
    key     bytea   NOT NULL,
    id      bytea   NOT NULL REFERENCES session_guard (id) ON DELETE CASCADE,
    counted boolean NOT NULL,
    PRIMARY KEY (key, id) INCLUDE (counted)
);
INSERT INTO session_guard_index (key, id, counted)
    SELECT owner, id, true FROM session_guard WHERE owner IS NOT NULL;
CREATE INDEX session_guard_index_id ON session_guard_index (id);

CREATE TABLE session_guard_cutoffs (
    key        bytea  NOT NULL PRIMARY KEY,
    ended_at   bigint NOT NULL,
    kept_until bigint NOT NULL,
    mark       bytea  NOT NULL
);
CREATE INDEX session_guard_cutoffs_kept_until ON session_guard_cutoffs (kept_until);
