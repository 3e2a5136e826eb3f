-- Sessions of tower-session-guard. Times are milliseconds since the Unix epoch.
CREATE TABLE session_guard (
    id         BLOB    NOT NULL PRIMARY KEY,
    subject    BLOB,
    expires_at INTEGER NOT NULL,
    revision   INTEGER NOT NULL,
    record     BLOB    NOT NULL
) STRICT;
CREATE INDEX session_guard_subject ON session_guard (subject) WHERE subject IS NOT NULL;
CREATE INDEX session_guard_expires_at ON session_guard (expires_at);
