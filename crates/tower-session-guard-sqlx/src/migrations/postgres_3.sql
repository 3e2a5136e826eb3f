-- Version 3: what nodes that answer from copies need. Sessions are kept.
-- A digest of the record without its last use, and the revision that it is of: a touch leaves the digest as it is, so
-- nobody has to be told. A process that does not know the columns leaves them behind.
ALTER TABLE session_guard ADD COLUMN content bytea, ADD COLUMN content_of bigint;

-- For how long which nodes trust their copies, and until when that counts by the server's clock.
CREATE TABLE session_guard_leases (
    exact        boolean     NOT NULL,
    millis       bigint      NOT NULL,
    counts_until timestamptz NOT NULL,
    PRIMARY KEY (exact, millis)
);

-- Tells the nodes that hold copies of a change, in its transaction. Where none does, it tells nothing: commits that
-- notify run one after another.
CREATE FUNCTION session_guard_tell(what text) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT AS $$
BEGIN
    -- A node that begins to hold copies waits for all that came here before it. What comes after it sees its lease, if
    -- each query of the transaction sees what was committed before it.
    PERFORM pg_advisory_xact_lock_shared(hashtextextended('session_guard_leases', 0));
    IF current_setting('transaction_isolation') NOT LIKE 'read %'
        OR EXISTS (SELECT FROM session_guard_leases WHERE counts_until > clock_timestamp())
    THEN
        PERFORM pg_notify('session_guard_changed', what);
    END IF;
END $$;

CREATE FUNCTION session_guard_changed() RETURNS trigger
    LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM session_guard_tell(encode(OLD.id, 'hex'));
    RETURN NULL;
END $$;
CREATE TRIGGER session_guard_replaced AFTER UPDATE ON session_guard FOR EACH ROW
    WHEN (NEW.content_of IS DISTINCT FROM NEW.revision OR OLD.content IS DISTINCT FROM NEW.content)
    EXECUTE FUNCTION session_guard_changed();
-- What a sweep deletes has expired, and copies know by themselves when they do.
CREATE TRIGGER session_guard_removed AFTER DELETE ON session_guard FOR EACH ROW
    WHEN (OLD.expires_at > extract(epoch FROM now()) * 1000 - 3600000)
    EXECUTE FUNCTION session_guard_changed();

CREATE FUNCTION session_guard_emptied() RETURNS trigger
    LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM session_guard_tell('');
    RETURN NULL;
END $$;
CREATE TRIGGER session_guard_truncated AFTER TRUNCATE ON session_guard FOR EACH STATEMENT
    EXECUTE FUNCTION session_guard_emptied();
