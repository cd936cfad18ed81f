CREATE TABLE IF NOT EXISTS `{table}` (
    realm            VARBINARY(255) NOT NULL,
    id               BINARY(18) NOT NULL,
    subject          VARBINARY(255),
    version          BIGINT NOT NULL,
    payload          MEDIUMBLOB NOT NULL,
    authenticated_at BIGINT NOT NULL,
    last_seen        BIGINT NOT NULL,
    generation       BIGINT NOT NULL,
    issued_at        BIGINT NOT NULL,
    expires_at       BIGINT NOT NULL,
    first_used_at    BIGINT,
    ends_at          BIGINT NOT NULL,
    user_agent       VARBINARY(1024),
    ip_address       VARBINARY(16),
    terms            BLOB,
    uncounted        BIGINT,
    PRIMARY KEY (realm, id),
    KEY by_account (realm, subject),
    KEY by_end (ends_at)
) ENGINE = InnoDB;

-- A table of version 4 or older: no token leads to its sessions. MySQL has no ADD COLUMN IF NOT EXISTS.
SET @session_store = (
    SELECT IF(sum(column_name = 'ends_at') = 1 AND sum(column_name = 'terms') = 0,
        'ALTER TABLE `{table}` ADD COLUMN terms BLOB, ADD COLUMN uncounted BIGINT', 'DO 0')
    FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = '{table}');
PREPARE session_store FROM @session_store;
EXECUTE session_store;
DEALLOCATE PREPARE session_store;
DELETE FROM `{table}` WHERE length(id) < 18;
ALTER TABLE `{table}` MODIFY id BINARY(18) NOT NULL;

-- Where an account (or with an empty subject the realm) stands: a login that began before the mark changed is refused.
CREATE TABLE IF NOT EXISTS `{table}_marks` (
    realm            VARBINARY(255) NOT NULL,
    subject          VARBINARY(255) NOT NULL,
    mark             BINARY(16) NOT NULL,
    kept_until       BIGINT NOT NULL,
    PRIMARY KEY (realm, subject),
    KEY by_kept (kept_until)
) ENGINE = InnoDB;

-- An account's logins take turns at one of these rows, found by a hash; there is nothing to clean up.
CREATE TABLE IF NOT EXISTS `{table}_locks` (slot SMALLINT NOT NULL PRIMARY KEY) ENGINE = InnoDB;
INSERT IGNORE INTO `{table}_locks` (slot)
    SELECT high.n * 16 + low.n
    FROM (SELECT 0 AS n UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5
          UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9 UNION ALL SELECT 10
          UNION ALL SELECT 11 UNION ALL SELECT 12 UNION ALL SELECT 13 UNION ALL SELECT 14 UNION ALL SELECT 15) AS high
    CROSS JOIN
         (SELECT 0 AS n UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5
          UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9 UNION ALL SELECT 10
          UNION ALL SELECT 11 UNION ALL SELECT 12 UNION ALL SELECT 13 UNION ALL SELECT 14 UNION ALL SELECT 15) AS low;

CREATE TABLE IF NOT EXISTS `{table}_schema` (version BIGINT NOT NULL PRIMARY KEY) ENGINE = InnoDB;
INSERT IGNORE INTO `{table}_schema` (version) VALUES ({version});
