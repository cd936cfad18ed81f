//! Login sessions in Redis or Valkey, on one server or a cluster: a store for [`session_core`].
//!
//! ```no_run
//! use std::borrow::Cow;
//!
//! use serde::{Deserialize, Serialize};
//! use session_core::{KeyRing, SessionManager, SessionPayload};
//! use session_store_redis::RedisStore;
//!
//! #[derive(Clone, Serialize, Deserialize)]
//! struct User { user_id: String }
//!
//! impl SessionPayload for User {
//!     fn subject(&self) -> Option<Cow<'_, str>> { Some((&self.user_id).into()) }
//! }
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let store = RedisStore::connect("redis://127.0.0.1").await?;
//! let sessions = SessionManager::<User>::builder().keys(KeyRing::from_env()?).store(store).build()?;
//! # Ok(())
//! # }
//! ```
//!
//! * [`RedisStore::connect`] has the addresses; for a connection of your own (your certificates, proxy, credentials)
//!   there is `RedisStore::from`.
//! * Feature `cluster` is for Redis Cluster, feature `tls` for TLS with rustls. Neither is on by default.
//! * Redis 6.2, Valkey 7.2 or later. Scripts must be allowed to make key names (as they are everywhere but where
//!   every key must be declared: Dragonfly needs `--default_lua_flags=allow-undeclared-keys`).
//!
//! # What it costs
//!
//! | operation | commands | work of the server |
//! |---|---|---|
//! | read, also one that moves last-seen | 1, or less | two keys; once per interval a script, and the index |
//! | login, with account index, limit, eviction and replacement | 1 | 5 commands in a script, 6 with an attempt; one login in eight tidies the index; at the limit the account's sessions |
//! | [adoption](core::store::SessionStore::adopt) of another system's session | 1 | 9 commands in a script, otherwise as a login |
//! | update, refresh, logout | 1 | a few keys |
//! | list, revoke an account | 1 | the account's sessions |
//! | [bar](core::store::SessionStore::bar) an account's other sessions from adoption; those of everybody | 1; 256 | 7 commands in a script |
//! | end everybody | 256, then a sweep in the background | constant; the sweep takes 500 keys at a time |
//!
//! Each but those of everybody is one round trip and one atomic step: a logout or a revocation that has returned is seen by every read that
//! starts later, and no update, refresh or login can undo it. A script that Redis forgot (`SCRIPT FLUSH`, a restart,
//! a failover) is sent again with the call that misses it.
//!
//! Reads of a realm (in a cluster: of a shard) that arrive together go together: at most four commands are under way, and who comes then goes with
//! the next, up to 64 sessions in one. One that is alone goes at once. With 64 clients that is 0.8 times the reads a second of
//! a plain `GET` of each record on the same two cores, with one client 0.8 times.
//!
//! So that most reads need no script, a store remembers in 1 MB which sessions were seen within the interval: about a
//! hundred thousand. Those beyond that cost a script each time they are read, and nothing else.
//!
//! A session takes 210 to 225 bytes of Redis and its payload and user agent, account index included (measured with 110,000
//! sessions: four an account, and one). Redis' own share of that is about 100 for a key and its time to live, and 16 for
//! the value; our record has 24, the key 33 to 44 (a short realm and [prefix](RedisStore::key_prefix) can save a step of
//! the allocator), the index 26 to 44.
//!
//! A session that was adopted leaves a mark of about 150 bytes until its time, as a key of its own with the time in it. A realm
//! that adopts nothing has neither marks nor bars, and none of its operations looks for one.
//!
//! # A realm as large as the cluster
//!
//! A session's id begins with the [place](session_core::Place) of its account, so its token names one of 256 shards. All
//! keys of a shard share a hash tag and so a slot of the cluster, and the shards of a realm are spread over all slots: on
//! three or six nodes each has its part of one realm's sessions within 4 %, whatever the realm is called. An account's
//! sessions, its index, limit and revocations are in one shard. A login changes the index, the session that it replaces
//! and those that it evicts, a revocation ends every session of the index: only in one slot can that be one step, and only
//! one step keeps the promises above without a second lookup on every read.
//!
//! - **A node that fails** takes its part of the sessions with it until its replica serves (503), and nobody else's.
//! - **A login over the session of another account** (or of a guest) is two steps: the new one first. Where the second
//!   fails, the login stands, an event says so, and the old session lives until it ends.
//! - **A slot that is being moved** is read all the while. Logins, changes and logouts of the accounts in it may fail
//!   until it has arrived (503); nothing that was acknowledged is lost.
//! - **Who chooses subjects** can choose them in one shard. Let a program choose them: numbers, UUIDs.
//! - A single server has the same keys, so that it can become a cluster; reads of all its shards go together.
//!
//! | key, for instance of the shard 0x7F | what |
//! |---|---|
//! | `session:{realm/GO}` | the epoch: which records are good |
//! | `session:{realm/GO}` and the id without its first byte | a session |
//! | `session:{realm/GO}#` and a byte | the sessions of the accounts in one of 64 buckets, by subject |
//! | `session:{realm/GO}!` | who was revoked within the last day: a mark of 16 bytes by subject, for logins that began before |
//! | `session:{realm/GO}~` and the id without its first byte | until when no session is adopted under this id: seconds since 1970 |
//! | `session:{realm/GO}^` | bars: 10 bytes by subject, and the realm's without one: nothing that was proven by then is adopted, and until when that holds |
//!
//! `session` is the [prefix](RedisStore::key_prefix); characters of the realm that Redis gives a meaning are
//! percent-encoded. Every key has a time to live, that of the longest session it is needed for: Redis removes what has
//! ended, `delete_expired` has nothing to do, and no cleanup task is needed. It samples, and hurries only once a tenth
//! of the keys is over: some percent of its memory may hold sessions that have ended. Whether a session has ended is
//! decided by the clock of the manager, not by that of Redis: times to live are counted from it and have a minute to
//! spare. So it is with marks and bars of adoption.
//!
//! **Ending everybody** ([`revoke_everyone`](session_core::SessionManager::revoke_everyone)) changes the epoch of every
//! shard. Every record carries the epoch it was made in, and every read and every script compares. So all sessions of a
//! shard end in one step, however many there are, those included that are just being rotated; logins from then on are
//! newer. Where a shard cannot be reached the others end all the same, and the error says to repeat it. What is left of
//! the old sessions is removed by a task in the background, in steps of well below a millisecond. The answer says how many
//! that task removed within a second; it goes on after that, and what it does not reach ends in its own time.
//!
//! # When Redis evicts
//!
//! **Set `maxmemory-policy noeviction`** (Redis' default; managed services often have another). Then a Redis that is
//! full refuses logins, and lets everybody out. With any other policy it removes whole keys when memory is short, and
//! [`connect`](RedisStore::connect) logs a warning:
//!
//! - a session: its user is logged out.
//! - an account's index: until they are used again, its sessions are missing from lists, limits **and revocations**. A
//!   session takes its place in the index again when last-seen is written, so at most an interval (a minute) after its
//!   next use; that also keeps the index of sessions in use among the last keys that `lru` and `lfu` choose. Whoever
//!   asks is always in their own list.
//! - a shard's epoch: one in 256 is logged out. It is in use with every read and lives longest, so only `random`
//!   policies choose it early.
//! - a shard's marks: every [login that has begun](session_core::SessionManager::attempt) is refused, and can be begun
//!   anew.
//! - the mark of a session that was adopted: while the other system's session is good, it can be adopted again after its
//!   session here has ended, **a logout included**. Nobody reads a mark but who tries that, so `lru` and `lfu` policies
//!   choose marks early, and `volatile-ttl` first those that matter least.
//! - a shard's bars: what they stopped can be adopted again, in one of 256 parts of the realm. Each adoption reads them.
//!
//! So a Redis that evicts cannot promise that a revocation reaches every session of an account, nor that a session of
//! another system that was adopted and ended stays out. If you must share one with
//! a cache, choose an `lru` or `lfu` policy, and give it more memory than the sessions need.
//!
//! # Invalidation of what ended elsewhere
//!
//! A logout, a revocation, an eviction and a replacement tell the realm's channel `session:{realm}` within
//! the script that ends the session: no further round trip. That everybody was ended is told once, by a command of its own.
//! [`listen`](core::store::SessionStore::listen) hears it on a connection of its own. That is how managers with a cache
//! of records drop what another process ended at once; when news are lost, the cache's bound is what holds.
//!
//! * `PUBLISH` costs a logout about 4 % of the server's time (8.9 to 9.3 microseconds), and each listener adds about
//!   half a microsecond. Reads and updates tell nothing.
//! * On a cluster any node passes on what every node is told; after a loss the next node of the address is listened to.
//!   (`SPUBLISH` would spare the other nodes, but needs Redis 7.)
//! * A listener stays with a server that became a replica until that closes the connection. Only how fast news arrive
//!   depends on it.
//! * A server that is silent for five seconds is asked whether it is still there, and counts as lost if it is not.
//! * A store made from a connection of your own tells, and hears if it is given a client to make connections with:
//!   [`listening_through`](RedisStore::listening_through).
//! * Channels know no databases: two of one server with the same prefix and realm hear each other, which does no harm.
//!
//! # What Redis must be told
//!
//! * **`maxmemory-policy noeviction`.** A server that evicts keys can evict an account's index: then a revocation
//!   misses sessions. `connect` warns. (Without it a full Redis refuses logins and nothing else: 503.)
//! * **`appendonly yes`**, if a restart shall log nobody out. With `appendfsync everysec` a crash can undo the last
//!   second, a logout included. Where sessions of another system are adopted it is needed: a Redis that restarts without its
//!   data has forgotten which were.
//! * Replication is asynchronous: a failover can undo what the old primary acknowledged last. `min-replicas-to-write`
//!   narrows that, and nothing closes it; who cannot accept it uses a SQL store. Reads go to the primary.
//! * With ACLs: `~session:* &session:* +mget +eval +evalsha +scan +info +get +set +del +unlink +pttl +pexpire +hget
//!   +hmget +hset +hdel +hrandfield +publish +subscribe`, on a cluster also `+cluster`. Without `+publish` or the channels
//!   `&session:*` sessions still end, and nobody else hears of it; without `+subscribe`
//!   [`listen`](core::store::SessionStore::listen) is a permanent error.
//!
//! # When Redis fails
//!
//! Errors say whether trying again can help. While Redis is down, calls fail within half a second; while it hangs,
//! the manager's deadline ends them. The connection comes back by itself, and the name in the address is looked up
//! again. A read is sent a second time when its connection broke; a write is sent again only when it certainly did not
//! reach Redis, or Redis turned it away.
//!
//! **Where nothing can be written, sessions are read**: without memory or disk, with too few replicas, on a replica,
//! without a permission, in a cluster that is down for changes. A read that finds last-seen due then costs a second
//! command; where Redis holds changes back rather than refuse them (as failovers and shutdowns do), half a second.
//! Nobody can log in meanwhile, and with an idle timeout those who were not seen for that long are logged out, since it
//! could not be written down. While a cluster moves the slot, a session is read as long as it and the epoch are where
//! they were, and is unavailable (503) once one of them has gone ahead. Logouts and revocations work without memory:
//! each deletes before it writes anything.
//!
//! **After a switch-over** the old primary, now a replica, is read for a second at most: once a second a read takes
//! `INFO replication` along, and when that names a replica the connection is made anew, so that an address that has
//! moved is followed, and the read is sent again. A write that a replica refuses does the same at once, and is not
//! lost; connections are made anew at most once a second. A replica also refuses what would come to nothing (the limit is
//! reached, the record was changed): it may not know. Where the address still leads to a replica, that is read: as it
//! lags behind its primary, so do logouts elsewhere. One that has lost its primary is read for 30 seconds, and then calls fail until there is a primary, or
//! that one is back (with `replica-serve-stale-data no` they fail at once). A primary that was cut off and does not
//! know that it was replaced looks like any other: see `min-replicas-to-write`. In a cluster a replica sends readers on
//! to its primary.
//!
//! A cluster replaces a primary by its replica without a restart here. Sentinel is not spoken: use an address that
//! follows the primary, as managed services and proxies have, or a cluster.
//!
//! Records have a version. One from a later version of this crate, or a damaged one, is a permanent error for that
//! session alone and is never overwritten by an update; a logout, a login that replaces it and a revocation of its
//! account end it.

mod address;
mod adoption;
mod answer;
mod argument;
#[cfg(feature = "cluster")]
mod cluster;
mod connect;
mod count;
mod error;
mod everywhere;
mod info;
mod keys;
mod link;
mod patience;
mod reads;
mod record;
mod renewal;
mod scan;
mod script;
#[cfg(feature = "cluster")]
mod slots;
mod store;
mod subscriber;
mod sweep;
mod watch;

pub use redis;
pub use session_core as core;

pub use store::RedisStore;
