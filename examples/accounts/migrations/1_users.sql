CREATE TABLE users (
    -- AUTOINCREMENT: the id is the subject of sessions, so a later user never has that of a deleted one.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    -- Argon2id, with its parameters and its salt.
    password TEXT NOT NULL,
    -- How often the password was set. A session counts for as long as this is what it was at its login.
    password_version INTEGER NOT NULL DEFAULT 1,
    -- The second factor. A real site keeps a secret for an authenticator app, or public keys of passkeys.
    code TEXT NOT NULL,
    role TEXT NOT NULL DEFAULT 'member' CHECK (role IN ('member', 'administrator')),
    disabled INTEGER NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1))
) STRICT;
