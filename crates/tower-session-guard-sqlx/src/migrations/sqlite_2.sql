-- Version 2: heads apart from what follows them, an index of several keys, and cut-offs. Sessions are kept.
DROP INDEX session_guard_subject;
ALTER TABLE session_guard RENAME COLUMN subject TO owner;
ALTER TABLE session_guard RENAME COLUMN record TO head;
ALTER TABLE session_guard ADD COLUMN others BLOB;
-- After the head, so that a list does not read it.
ALTER TABLE session_guard ADD COLUMN rest BLOB;
UPDATE session_guard
    SET rest = substr(head, 2049), head = substr(head, 1, 2048)
    WHERE length(head) > 2048;

CREATE TABLE session_guard_index (
    key     BLOB    NOT NULL,
    id      BLOB    NOT NULL,
    counted INTEGER NOT NULL,
    PRIMARY KEY (key, id)
) STRICT, WITHOUT ROWID;
INSERT INTO session_guard_index (key, id, counted)
    SELECT owner, id, 1 FROM session_guard WHERE owner IS NOT NULL;
CREATE INDEX session_guard_index_id ON session_guard_index (id);
-- A trigger, since a connection may have foreign keys switched off.
CREATE TRIGGER session_guard_unlist AFTER DELETE ON session_guard
BEGIN
    DELETE FROM session_guard_index WHERE id = OLD.id;
END;

CREATE TABLE session_guard_cutoffs (
    key        BLOB    NOT NULL PRIMARY KEY,
    ended_at   INTEGER NOT NULL,
    kept_until INTEGER NOT NULL,
    mark       BLOB    NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX session_guard_cutoffs_kept_until ON session_guard_cutoffs (kept_until);
