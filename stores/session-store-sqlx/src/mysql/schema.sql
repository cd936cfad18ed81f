-- A table of version 6 or older, which nobody released: no token leads to its sessions, or it has no column that the index
-- of the ends needs. MySQL has no condition for a DROP TABLE but whether it is there.
SET @session_store = (
    SELECT IF(sum(column_name IN ('generation', 'first_used_at')) = 2
            OR sum(column_name IN ('lookup', 'account', 'details')) = 3 AND sum(column_name = 'end_piece') = 0,
            'DROP TABLE `{table}`', 'DO 0') FROM information_schema.columns
        WHERE table_schema = DATABASE() AND table_name = '{table}');
PREPARE session_store FROM @session_store;
EXECUTE session_store;
DEALLOCATE PREPARE session_store;

-- Realms are numbers: 64 bits of a hash of their name, which is in the table of marks. So is what finds a session (lookup)
-- or an account; realm and id, or realm and subject, are compared as well. Details: see src/details.rs.
-- The end is indexed by pieces of 64 seconds: four bytes instead of eight, and a touch seldom moves an entry.
-- Rows are in the order of the logins, so that their pages are full: random ones would leave them a third empty.
CREATE TABLE IF NOT EXISTS `{table}` (
    number           BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    lookup           BIGINT NOT NULL,
    realm            BIGINT NOT NULL,
    account          INT,
    version          BIGINT NOT NULL,
    last_seen        BIGINT NOT NULL,
    ends_at          BIGINT NOT NULL,
    id               BINARY(18) NOT NULL,
    subject          VARBINARY(255),
    details          MEDIUMBLOB NOT NULL,
    ip_address       VARBINARY(16),
    payload          MEDIUMBLOB NOT NULL,
    user_agent       VARBINARY(1024),
    end_piece        INT AS (LEAST(GREATEST(ends_at, 0) >> 6, 2147483647)) STORED,
    UNIQUE KEY by_id (lookup),
    KEY by_account (account),
    KEY by_end (end_piece)
) ENGINE = InnoDB;

-- Where an account (or with an empty subject the realm) stands: a login that began before the mark changed is refused.
CREATE TABLE IF NOT EXISTS `{table}_marks` (
    realm            VARBINARY(255) NOT NULL,
    subject          VARBINARY(255) NOT NULL,
    mark             BINARY(16) NOT NULL,
    kept_until       BIGINT NOT NULL,
    PRIMARY KEY (realm, subject),
    KEY by_kept (kept_until)
) ENGINE = InnoDB;

-- What keeps a session of another system from being adopted, if it was proven up to some time: bars, and marks of those that
-- were adopted. Names: see src/adoption.rs.
CREATE TABLE IF NOT EXISTS `{table}_adoptions` (
    realm            BIGINT NOT NULL,
    name             VARBINARY(256) NOT NULL,
    proven_until     BIGINT NOT NULL,
    kept_until       BIGINT NOT NULL,
    PRIMARY KEY (realm, name),
    KEY by_kept (kept_until)
) ENGINE = InnoDB;

-- An account's logins take turns at one of the first 256 of these rows, found by a hash, and share one of the last 16 with
-- those of the realm, which whoever ends everybody's sessions takes alone; there is nothing to clean up.
CREATE TABLE IF NOT EXISTS `{table}_locks` (slot SMALLINT NOT NULL PRIMARY KEY) ENGINE = InnoDB;
INSERT IGNORE INTO `{table}_locks` (slot)
    SELECT high.n * 16 + low.n
    FROM (SELECT 0 AS n UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5
          UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9 UNION ALL SELECT 10
          UNION ALL SELECT 11 UNION ALL SELECT 12 UNION ALL SELECT 13 UNION ALL SELECT 14 UNION ALL SELECT 15
          UNION ALL SELECT 16) AS high
    CROSS JOIN
         (SELECT 0 AS n UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5
          UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9 UNION ALL SELECT 10
          UNION ALL SELECT 11 UNION ALL SELECT 12 UNION ALL SELECT 13 UNION ALL SELECT 14 UNION ALL SELECT 15) AS low;

CREATE TABLE IF NOT EXISTS `{table}_schema` (version BIGINT NOT NULL PRIMARY KEY) ENGINE = InnoDB;
INSERT IGNORE INTO `{table}_schema` (version) VALUES ({version});
