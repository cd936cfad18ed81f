-- A table of version 3 or older needs this first, once:
-- ALTER TABLE "{table}" ADD COLUMN terms BLOB;
-- ALTER TABLE "{table}" ADD COLUMN uncounted INTEGER;

CREATE TABLE IF NOT EXISTS "{table}" (
    realm            BLOB NOT NULL,
    id               BLOB NOT NULL,
    subject          BLOB,
    version          INTEGER NOT NULL,
    payload          BLOB NOT NULL,
    authenticated_at INTEGER NOT NULL,
    last_seen        INTEGER NOT NULL,
    generation       INTEGER NOT NULL,
    issued_at        INTEGER NOT NULL,
    expires_at       INTEGER NOT NULL,
    first_used_at    INTEGER,
    ends_at          INTEGER NOT NULL,
    user_agent       BLOB,
    ip_address       BLOB,
    terms            BLOB,
    uncounted        INTEGER,
    PRIMARY KEY (realm, id)
);
-- Of a table of version 4 or older: no token leads to them.
DELETE FROM "{table}" WHERE length(id) < 18;
CREATE INDEX IF NOT EXISTS "{table}_account" ON "{table}" (realm, subject) WHERE subject IS NOT NULL;
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

CREATE TABLE IF NOT EXISTS "{table}_schema" (version INTEGER PRIMARY KEY);
INSERT OR IGNORE INTO "{table}_schema" (version) VALUES ({version});
