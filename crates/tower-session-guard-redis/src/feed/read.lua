-- Reads a record such that the server tells the connection of its next change.
-- KEYS: the record.
-- GETEX counts as a write, so a replica refuses. Of the two only GET makes the server remember who read.
redis.call('GETEX', KEYS[1])
return redis.call('GET', KEYS[1])
