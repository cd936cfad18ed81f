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
    PRIMARY KEY (realm, id)
);
CREATE INDEX IF NOT EXISTS "{table}_account" ON "{table}" (realm, subject) WHERE subject IS NOT NULL;
CREATE INDEX IF NOT EXISTS "{table}_end" ON "{table}" (ends_at);

CREATE TABLE IF NOT EXISTS "{table}_schema" (version INTEGER PRIMARY KEY);
INSERT OR IGNORE INTO "{table}_schema" (version) VALUES (1);
