-- A table of version 5 or older needs this first, once. No token leads to what is in it:
-- DROP TABLE "{table}";

-- Realms are numbers: 64 bits of a hash of their name, which is in the table of marks. So is what finds a session (lookup)
-- or an account; realm and id, or realm and subject, are compared as well. Details: see src/details.rs.
-- Rows are in the order of the logins, so that pages are full.
CREATE TABLE IF NOT EXISTS "{table}" (
    lookup           INTEGER NOT NULL,
    realm            INTEGER NOT NULL,
    account          INTEGER,
    version          INTEGER NOT NULL,
    last_seen        INTEGER NOT NULL,
    ends_at          INTEGER NOT NULL,
    id               BLOB NOT NULL,
    subject          BLOB,
    details          BLOB NOT NULL,
    ip_address       BLOB,
    payload          BLOB NOT NULL,
    user_agent       BLOB
);
CREATE UNIQUE INDEX IF NOT EXISTS "{table}_lookup" ON "{table}" (lookup);
CREATE INDEX IF NOT EXISTS "{table}_account" ON "{table}" (account) WHERE account IS NOT NULL;
CREATE INDEX IF NOT EXISTS "{table}_end" ON "{table}" (ends_at);

-- Where an account (or with an empty subject the realm) stands: a login that began before the mark changed is refused.
CREATE TABLE IF NOT EXISTS "{table}_marks" (
    realm            BLOB NOT NULL,
    subject          BLOB NOT NULL,
    mark             BLOB NOT NULL,
    kept_until       INTEGER NOT NULL,
    PRIMARY KEY (realm, subject)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS "{table}_kept" ON "{table}_marks" (kept_until);

-- What keeps a session of another system from being adopted, if it was proven up to some time: bars, and marks of those that
-- were adopted. Names: see src/adoption.rs.
CREATE TABLE IF NOT EXISTS "{table}_adoptions" (
    realm            INTEGER NOT NULL,
    name             BLOB NOT NULL,
    proven_until     INTEGER NOT NULL,
    kept_until       INTEGER NOT NULL,
    PRIMARY KEY (realm, name)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS "{table}_adoptions_kept" ON "{table}_adoptions" (kept_until);

CREATE TABLE IF NOT EXISTS "{table}_schema" (version INTEGER PRIMARY KEY);
INSERT OR IGNORE INTO "{table}_schema" (version) VALUES ({version});
