-- Sessions of tower-session-guard. Times are milliseconds since the Unix epoch.
CREATE TABLE session_guard (
    id         bytea  NOT NULL PRIMARY KEY,
    subject    bytea,
    expires_at bigint NOT NULL,
    revision   bigint NOT NULL,
    record     bytea  NOT NULL
);
CREATE INDEX session_guard_subject ON session_guard (subject) WHERE subject IS NOT NULL;
CREATE INDEX session_guard_expires_at ON session_guard (expires_at);
