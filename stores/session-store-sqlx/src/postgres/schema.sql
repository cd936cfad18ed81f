-- A table of version 5 or older: no token leads to its sessions. One of this version is not locked.
DO $$
BEGIN
    IF (SELECT count(*) = 2 FROM pg_attribute
            WHERE attrelid = to_regclass('"{table}"') AND attname IN ('generation', 'first_used_at')
                AND NOT attisdropped)
    THEN
        DROP TABLE "{table}";
    END IF;
END
$$;

-- Realms are numbers: 64 bits of a hash of their name, which is in the table of marks. Details: see src/details.rs.
CREATE TABLE IF NOT EXISTS "{table}" (
    realm            bigint NOT NULL,
    version          bigint NOT NULL,
    last_seen        bigint NOT NULL,
    ends_at          bigint NOT NULL,
    id               bytea NOT NULL,
    subject          bytea,
    details          bytea NOT NULL,
    ip_address       bytea,
    payload          bytea NOT NULL,
    user_agent       bytea
);
-- Sessions and accounts are found by 64 bits, which no row carries; realm and id, or realm and subject, are compared as
-- well. Of two sessions with the same 64 bits the second is refused as one whose id is taken.
CREATE UNIQUE INDEX IF NOT EXISTS "{table}_id" ON "{table}" (hashtextextended(encode(id, 'hex'), realm));
CREATE INDEX IF NOT EXISTS "{table}_account" ON "{table}" (hashtextextended(encode(subject, 'hex'), realm))
    WHERE subject IS NOT NULL;
-- By pieces of 64 seconds: those that end in the same one share an entry, which holds six bytes of each.
CREATE INDEX IF NOT EXISTS "{table}_end" ON "{table}" ((ends_at >> 6));

-- Where an account (or with an empty subject the realm) stands: a login that began before the mark changed is refused.
CREATE TABLE IF NOT EXISTS "{table}_marks" (
    kept_until       bigint NOT NULL,
    realm            bytea NOT NULL,
    subject          bytea NOT NULL,
    mark             bytea NOT NULL,
    PRIMARY KEY (realm, subject)
);
CREATE INDEX IF NOT EXISTS "{table}_kept" ON "{table}_marks" (kept_until);

-- What keeps a session of another system from being adopted, if it was proven up to some time: bars, and marks of those that
-- were adopted. Names: see src/adoption.rs.
CREATE TABLE IF NOT EXISTS "{table}_adoptions" (
    realm            bigint NOT NULL,
    proven_until     bigint NOT NULL,
    kept_until       bigint NOT NULL,
    name             bytea NOT NULL,
    PRIMARY KEY (realm, name)
);
CREATE INDEX IF NOT EXISTS "{table}_adoptions_kept" ON "{table}_adoptions" (kept_until);

-- What functions have in common: they find the table where it was when they were made, whatever the caller's search_path
-- says (see the end). Those that need each of their statements to see what was committed before it refuse to run in another isolation
-- level (25004), and are called again in a transaction that has this one. And what they changed is on the disk when they
-- are done, even where synchronous_commit is off.

CREATE OR REPLACE FUNCTION "{table}_begin_v{version}"() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    -- A server that was demoted must not answer from what it knows: a refusal would write nothing, and be believed.
    IF current_setting('transaction_read_only') = 'on' THEN
        RAISE EXCEPTION 'the session store needs a server that takes writes' USING ERRCODE = '25006';
    END IF;
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'the session store needs the isolation level read committed' USING ERRCODE = '25004';
    END IF;
    IF current_setting('synchronous_commit') = 'off' THEN
        PERFORM set_config('synchronous_commit', 'on', true);
    END IF;
    RETURN true;
END
$$;

-- A login in one round trip. Every statement of a function sees what was committed before that statement, so what is
-- counted after the account's lock is taken is what there is.
-- Its statements are planned once for each connection, by index whatever the planner then believes about the table:
-- the ids to end would otherwise be planned for anew with each login, which takes longer than the login.
-- What it costs is the starting of its statements, so the usual login has few: what needs no table is no statement (hence
-- the locks in an IF, which is never true), and whether the id is taken is looked up only if there is another reason to refuse it, since the
-- INSERT finds out as well. And its answer is one value, not columns, whose names would be looked up with each call.
-- (E strings mean the same whatever standard_conforming_strings is.)
-- Outcomes: 0 done, 1 id taken, 2 limit reached, 3 predecessor gone, 4 predecessor changed, 5 overtaken. Answers the
-- outcome and whether it has ended the predecessor, in a byte each, and the ids of the evicted.
CREATE OR REPLACE FUNCTION "{table}_create_v{version}"(
    p_realm_lock bigint, p_account_lock bigint, p_now bigint,
    p_replaces bytea, p_must_exist boolean, p_replaces_version bigint, p_limit bigint, p_refuse boolean,
    p_fence_realm bytea, p_fence_account bytea,
    p_name bytea, p_realm bigint,
    p_id bytea, p_subject bytea, p_version bigint, p_payload bytea, p_last_seen bigint, p_ends_at bigint,
    p_user_agent bytea, p_ip_address bytea, p_details bytea
) RETURNS bytea LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    found_version bigint;
    refused bytea;
    excess bytea[];
    evicted bytea;
    replaced boolean := false;
BEGIN
    IF "{table}_begin_v{version}"() IS NULL THEN
        RETURN NULL;
    END IF;
    IF pg_advisory_xact_lock_shared(p_realm_lock) IS NULL THEN
        RETURN NULL;
    END IF;
    IF p_subject IS NOT NULL THEN
        IF pg_advisory_xact_lock(p_account_lock) IS NULL THEN
            RETURN NULL;
        END IF;
    END IF;
    -- Whoever revokes holds one of the two locks.
    IF p_fence_realm IS NOT NULL THEN
        IF (SELECT m.mark FROM "{table}_marks" m WHERE m.realm = p_name AND m.subject = '')
                IS DISTINCT FROM p_fence_realm
            OR (SELECT m.mark FROM "{table}_marks" m WHERE m.realm = p_name AND m.subject = p_subject)
                IS DISTINCT FROM p_fence_account
        THEN
            refused := E'\\x0500';
        END IF;
    END IF;
    IF refused IS NULL AND p_must_exist THEN
        SELECT t.version INTO found_version FROM "{table}" t
            WHERE hashtextextended(encode(t.id, 'hex'), t.realm) = hashtextextended(encode(p_replaces, 'hex'), p_realm)
                AND t.realm = p_realm AND t.id = p_replaces AND t.ends_at > p_now FOR UPDATE;
        IF NOT FOUND THEN
            refused := E'\\x0300';
        ELSIF found_version <> p_replaces_version THEN
            refused := E'\\x0400';
        END IF;
    END IF;
    IF refused IS NULL AND p_subject IS NOT NULL AND p_limit IS NOT NULL AND get_byte(p_details, 0) < 128 THEN
        excess := ARRAY(
            SELECT t.id FROM "{table}" t
                WHERE hashtextextended(encode(t.subject, 'hex'), t.realm) = hashtextextended(encode(p_subject, 'hex'), p_realm)
                    AND t.realm = p_realm AND t.subject = p_subject AND t.ends_at > p_now
                    AND get_byte(t.details, 0) < 128 AND t.id IS DISTINCT FROM p_replaces
                ORDER BY t.last_seen DESC, substr(t.details, 2, 5) DESC, t.id DESC
                OFFSET greatest(p_limit - 1, 0)
        );
        IF p_refuse AND (cardinality(excess) > 0 OR p_limit = 0) THEN
            refused := E'\\x0200';
        END IF;
    END IF;
    IF refused IS NOT NULL THEN
        IF EXISTS (
            SELECT FROM "{table}" t
                WHERE hashtextextended(encode(t.id, 'hex'), t.realm) = hashtextextended(encode(p_id, 'hex'), p_realm)
                    AND t.realm = p_realm AND t.id = p_id
        ) THEN
            refused := E'\\x0100';
        END IF;
        RETURN refused;
    END IF;
    INSERT INTO "{table}" (realm, {columns})
        VALUES (p_realm, p_id, p_subject, p_version, p_payload, p_last_seen, p_ends_at, p_user_agent, p_ip_address,
            p_details)
        ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN E'\\x0100';
    END IF;
    IF p_replaces IS NOT NULL AND p_replaces <> p_id THEN
        DELETE FROM "{table}" t
            WHERE hashtextextended(encode(t.id, 'hex'), t.realm) = hashtextextended(encode(p_replaces, 'hex'), p_realm)
                AND t.realm = p_realm AND t.id = p_replaces;
        replaced := FOUND;
    END IF;
    IF cardinality(excess) > 0 THEN
        WITH gone AS (
            DELETE FROM "{table}" t
                WHERE hashtextextended(encode(t.id, 'hex'), t.realm)
                        = ANY (ARRAY(SELECT hashtextextended(encode(one, 'hex'), p_realm) FROM unnest(excess) AS one))
                    AND t.realm = p_realm AND t.id = ANY (excess)
                RETURNING t.id
        ) SELECT string_agg(gone.id, '') INTO evicted FROM gone;
    END IF;
    RETURN CASE WHEN replaced THEN E'\\x0001'::bytea ELSE E'\\x0000'::bytea END || coalesce(evicted, '');
END
$$;

-- Bars the way of an account, or of everybody: whose adoption is under way is waited for. Of two times the later one counts.
CREATE OR REPLACE FUNCTION "{table}_bar_v{version}"(
    p_lock bigint, p_realm bigint, p_name bytea, p_proven_until bigint, p_kept_until bigint
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM "{table}_begin_v{version}"();
    PERFORM pg_advisory_xact_lock(p_lock);
    INSERT INTO "{table}_adoptions" AS a (realm, name, proven_until, kept_until)
        VALUES (p_realm, p_name, p_proven_until, p_kept_until)
        ON CONFLICT (realm, name) DO UPDATE SET
            proven_until = greatest(a.proven_until, excluded.proven_until),
            kept_until = greatest(a.kept_until, excluded.kept_until);
END
$$;

-- A login that happens once, and only where nothing bars its way. Its mark bars the way of the next one.
-- Outcomes are those of a login, and 6 barred. Answers as a login does.
CREATE OR REPLACE FUNCTION "{table}_adopt_v{version}"(
    p_realm_lock bigint, p_lock bigint, p_now bigint, p_limit bigint, p_refuse boolean,
    p_proven_at bigint, p_once_until bigint, p_realm_bar bytea, p_account_bar bytea, p_mark bytea, p_realm bigint,
    p_id bytea, p_subject bytea, p_version bigint, p_payload bytea, p_last_seen bigint, p_ends_at bigint,
    p_user_agent bytea, p_ip_address bytea, p_details bytea
) RETURNS bytea LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    answer bytea;
BEGIN
    PERFORM "{table}_begin_v{version}"();
    PERFORM pg_advisory_xact_lock_shared(p_realm_lock);
    PERFORM pg_advisory_xact_lock(p_lock);
    IF EXISTS (
        SELECT FROM "{table}_adoptions" a
            WHERE a.realm = p_realm AND a.name = ANY (ARRAY[p_realm_bar, p_account_bar, p_mark])
                AND a.proven_until >= p_proven_at AND a.kept_until > p_now
    ) THEN
        RETURN CASE WHEN EXISTS (
            SELECT FROM "{table}" t
                WHERE hashtextextended(encode(t.id, 'hex'), t.realm) = hashtextextended(encode(p_id, 'hex'), p_realm)
                    AND t.realm = p_realm AND t.id = p_id
        ) THEN E'\\x0100'::bytea ELSE E'\\x0600'::bytea END;
    END IF;
    answer := "{table}_create_v{version}"(
        p_realm_lock, p_lock, p_now, NULL, false, NULL, p_limit, p_refuse, NULL, NULL, NULL, p_realm,
        p_id, p_subject, p_version, p_payload, p_last_seen, p_ends_at, p_user_agent, p_ip_address, p_details);
    IF get_byte(answer, 0) = 0 AND p_once_until IS NOT NULL THEN
        PERFORM "{table}_bar_v{version}"(p_lock, p_realm, p_mark, 9223372036854775807, p_once_until);
    END IF;
    RETURN answer;
END
$$;

-- A number of the details.
CREATE OR REPLACE FUNCTION "{table}_number_v{version}"(p_details bytea, p_first integer, p_length integer)
RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT ('x' || lpad(encode(substr(p_details, p_first, p_length), 'hex'), 16, '0'))::bit(64)::bigint
$$;

-- Moves last-seen on, if the session is as it was read, and the token of p_generation opens it: see Touch::apply.
-- Somebody else who is at it is not waited for: a lost touch costs nothing but a later one. For the same reason nobody
-- waits for a lock on the table, for the disk or for a standby.
CREATE OR REPLACE FUNCTION "{table}_touch_v{version}"(
    p_realm bigint, p_id bytea, p_version bigint, p_details bytea, p_now bigint, p_idle_end bigint,
    p_generation bigint, p_before_grace bigint
) RETURNS boolean LANGUAGE plpgsql SET lock_timeout = '300ms' AS $$
DECLARE
    length integer := get_byte(p_details, 0) & 15;
    began bigint := "{table}_number_v{version}"(p_details, 2, 5);
    expires bigint := began + "{table}_number_v{version}"(p_details, 7, length);
    first_use bigint := "{table}_number_v{version}"(p_details, 7 + 2 * length, length);
    generation bigint := "{table}_number_v{version}"(p_details, 7 + 3 * length, length);
BEGIN
    IF first_use > 0 THEN
        first_use := first_use - 1;
    ELSIF first_use = 0 THEN
        first_use := NULL;
    END IF;
    IF NOT (generation BETWEEN 0 AND p_generation
        OR generation - 1 = p_generation AND coalesce(began + first_use > p_before_grace, true))
    THEN
        RETURN false;
    END IF;
    PERFORM set_config('synchronous_commit', 'off', true);
    UPDATE "{table}" SET last_seen = p_now, ends_at = least(expires, p_idle_end), version = p_version + 1
        WHERE ctid = (
            SELECT t.ctid FROM "{table}" t
                WHERE hashtextextended(encode(t.id, 'hex'), t.realm) = hashtextextended(encode(p_id, 'hex'), p_realm)
                    AND t.realm = p_realm AND t.id = p_id AND t.version = p_version
                FOR NO KEY UPDATE SKIP LOCKED
        );
    RETURN FOUND;
END
$$;

-- The same for many at once, as the caller found them and reckoned: to each session its next version. Answers those that
-- it has touched. Rows are found one by one, by their index, whatever the planner believes about the table.
CREATE OR REPLACE FUNCTION "{table}_touch_many_v{version}"(
    p_realm bigint, p_ids bytea[], p_versions bigint[], p_last_seen bigint[], p_ends_at bigint[]
) RETURNS SETOF bytea LANGUAGE plpgsql
SET lock_timeout = '300ms' SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    RETURN QUERY
        WITH due AS MATERIALIZED (
            SELECT asked.*, found.place
                FROM unnest(p_ids, p_versions, p_last_seen, p_ends_at) AS asked (id, version, last_seen, ends_at),
                LATERAL (
                    SELECT t.ctid AS place FROM "{table}" t
                        WHERE hashtextextended(encode(t.id, 'hex'), t.realm)
                                = hashtextextended(encode(asked.id, 'hex'), p_realm)
                            AND t.realm = p_realm AND t.id = asked.id AND t.version = asked.version - 1
                        FOR NO KEY UPDATE SKIP LOCKED
                ) AS found
        )
        UPDATE "{table}" t SET last_seen = due.last_seen, ends_at = due.ends_at, version = due.version
            FROM due WHERE t.ctid = due.place
            RETURNING due.id;
END
$$;

-- Ends the sessions of an account. A login or rotation under way is either over, and its session ended with the
-- others, or it starts afterwards.
CREATE OR REPLACE FUNCTION "{table}_delete_account_v{version}"(
    p_account_lock bigint, p_now bigint, p_name bytea, p_realm bigint, p_subject bytea, p_keep bytea,
    p_mark bytea, p_kept_until bigint
) RETURNS SETOF bytea LANGUAGE plpgsql AS $$
BEGIN
    PERFORM "{table}_begin_v{version}"();
    PERFORM pg_advisory_xact_lock(p_account_lock);
    INSERT INTO "{table}_marks" (realm, subject, mark, kept_until) VALUES (p_name, p_subject, p_mark, p_kept_until)
        ON CONFLICT (realm, subject) DO UPDATE SET mark = excluded.mark, kept_until = excluded.kept_until;
    RETURN QUERY
        WITH gone AS (
            DELETE FROM "{table}" t
                WHERE hashtextextended(encode(t.subject, 'hex'), t.realm) = hashtextextended(encode(p_subject, 'hex'), p_realm)
                    AND t.realm = p_realm AND t.subject = p_subject AND t.id IS DISTINCT FROM p_keep
                RETURNING t.id, t.ends_at
        ) SELECT gone.id FROM gone WHERE gone.ends_at > p_now;
END
$$;

-- Ends everybody's, with the same care. It reads the whole table: there is no index by realm, which every session would
-- pay for.
CREATE OR REPLACE FUNCTION "{table}_delete_realm_v{version}"(
    p_realm_lock bigint, p_name bytea, p_realm bigint, p_mark bytea
)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    deleted bigint;
BEGIN
    PERFORM "{table}_begin_v{version}"();
    PERFORM pg_advisory_xact_lock(p_realm_lock);
    INSERT INTO "{table}_marks" (realm, subject, mark, kept_until)
        VALUES (p_name, '', p_mark, 9223372036854775807)
        ON CONFLICT (realm, subject) DO UPDATE SET mark = excluded.mark;
    DELETE FROM "{table}" t WHERE t.realm = p_realm;
    GET DIAGNOSTICS deleted = ROW_COUNT;
    RETURN deleted;
END
$$;

-- Deletes a batch of expired sessions: the oldest ones, and those alone are read. What the planner believes about the
-- table may be hours old, and a plan for a few expired sessions (read all, sort, take some) is ruinous for many. So it
-- is left no choice but the index of the ends. That tells pieces of 64 seconds apart: at most those of the last one are
-- read in vain.
-- The outer DELETE finds rows by their place alone; a second condition would tempt it to find them by the end of the
-- sessions. The place holds still: FOR UPDATE looked at the newest version of each row and keeps it locked. A session
-- that lives again was skipped, or is no longer expired by the inner condition; one that would come to life in between
-- has to wait, and is gone then.
CREATE OR REPLACE FUNCTION "{table}_delete_expired_v{version}"(p_now bigint, p_limit bigint)
RETURNS bigint LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
    deleted bigint;
BEGIN
    DELETE FROM "{table}_marks" WHERE ctid = ANY (ARRAY(
        SELECT m.ctid FROM "{table}_marks" m WHERE m.kept_until <= p_now ORDER BY m.kept_until LIMIT p_limit
            FOR UPDATE SKIP LOCKED
    ));
    DELETE FROM "{table}_adoptions" WHERE ctid = ANY (ARRAY(
        SELECT a.ctid FROM "{table}_adoptions" a WHERE a.kept_until <= p_now ORDER BY a.kept_until LIMIT p_limit
            FOR UPDATE SKIP LOCKED
    ));
    DELETE FROM "{table}" WHERE ctid = ANY (ARRAY(
        SELECT t.ctid FROM "{table}" t
            WHERE t.ends_at >> 6 <= p_now >> 6 AND t.ends_at <= p_now ORDER BY t.ends_at >> 6 LIMIT p_limit
            FOR UPDATE SKIP LOCKED
    ));
    GET DIAGNOSTICS deleted = ROW_COUNT;
    RETURN deleted;
END
$$;

-- The functions look into the schema in which all of this was made, by its name: "$user" would be somebody else when
-- they are called. A temporary table is looked for last, which is first where it is not named. (SET search_path FROM
-- CURRENT could say neither.)
DO $$
DECLARE
    target regprocedure;
BEGIN
    FOR target IN
        SELECT p.oid FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
            WHERE n.nspname = current_schema() AND p.proname IN (
                '{table}_bar_v{version}', '{table}_adopt_v{version}',
                '{table}_create_v{version}', '{table}_touch_v{version}', '{table}_touch_many_v{version}',
                '{table}_delete_account_v{version}', '{table}_delete_realm_v{version}', '{table}_delete_expired_v{version}')
    LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', target, current_schema());
    END LOOP;
END
$$;

CREATE TABLE IF NOT EXISTS "{table}_schema" (version bigint PRIMARY KEY);
INSERT INTO "{table}_schema" (version) VALUES ({version}) ON CONFLICT DO NOTHING;
