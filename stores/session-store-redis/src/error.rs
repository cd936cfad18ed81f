//! What an error of Redis means for the caller, and what somebody can do about it.

use redis::{ErrorKind, RedisError, ServerErrorKind};
use session_core::store::StoreError;

/// Says whether trying again can help, and keeps the source.
pub(crate) fn store_error(error: RedisError) -> StoreError {
    let (retryable, advice) = judge(&error);
    let message = format!("{advice} ({error})");
    let told = if retryable { StoreError::unavailable(message) } else { StoreError::permanent(message) };
    told.with_source(error)
}

/// The same for the first words on a connection. A client that speaks TLS to a server that does not, or the other way
/// round, sees nothing but silence or a closed connection.
pub(crate) fn connect_error(error: RedisError) -> StoreError {
    let advice = if error.is_timeout() {
        "Redis did not answer in time: check that it is reachable and, if the address begins with rediss, that it \
         speaks TLS"
    } else if error.is_connection_dropped() && !error.is_connection_refusal() {
        "Redis closed the connection at once: if it expects TLS, use an address that begins with rediss"
    } else {
        return store_error(error);
    };
    StoreError::unavailable(format!("{advice} ({error})")).with_source(error)
}

/// An answer that no script of ours gives.
pub(crate) fn unexpected(what: &str) -> StoreError {
    StoreError::permanent(format!(
        "Redis gave an unexpected answer ({what}): is there a proxy in between, or another program with the same \
         key prefix?"
    ))
}

/// Whether the server turned the command away before doing anything, so that sending it again is safe.
pub(crate) fn is_not_done(error: &RedisError) -> bool {
    use ServerErrorKind::{Moved, TryAgain};
    match error.kind() {
        ErrorKind::Server(Moved | TryAgain) | ErrorKind::ClusterConnectionNotFound => true,
        _ => is_of_replica(error) || error.is_connection_refusal(),
    }
}

/// Whether the keys of one command are at two nodes just now.
pub(crate) fn slot_is_moving(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::TryAgain)
}

/// Whether the server is a replica, which cannot be written or has lost its primary. What stopped a script is in the
/// words of the answer: before Redis 7 always, and later when the replica refuses old data.
fn is_of_replica(error: &RedisError) -> bool {
    use ServerErrorKind::{MasterDown, ReadOnly};
    let words = error.detail().unwrap_or_default();
    matches!(error.kind(), ErrorKind::Server(ReadOnly | MasterDown))
        || ["READONLY", "stale replica"].iter().any(|said| words.contains(said))
}

/// Whether the connection is of no more use: it leads to a server that was replaced, or was never let in.
pub(crate) fn needs_new_connection(error: &RedisError) -> bool {
    is_of_replica(error)
        || error.kind() == ErrorKind::AuthenticationFailed
        || matches!(error.code(), Some("NOAUTH" | "WRONGPASS"))
}

/// What Redis itself says when it is configured not to serve old data.
pub(crate) fn stale_replica() -> RedisError {
    let kind = ErrorKind::Server(ServerErrorKind::MasterDown);
    (kind, "a replica that has not heard of its primary for half a minute is not read").into()
}

pub(crate) fn is_no_script(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}

fn judge(error: &RedisError) -> (bool, &'static str) {
    match error.kind() {
        ErrorKind::Server(kind) => judge_server(kind, error.detail().unwrap_or_default()),
        ErrorKind::Extension => judge_code(error.code().unwrap_or_default()),
        ErrorKind::AuthenticationFailed => (false, CREDENTIALS),
        ErrorKind::InvalidClientConfig => (false, "the address of Redis cannot be used: correct the URL"),
        ErrorKind::Client => (false, "the connection to Redis is set up wrongly: see the source"),
        ErrorKind::Io if is_certificate(error) => (
            false,
            "the certificate of Redis was refused: give it one that a known authority signed for its name",
        ),
        ErrorKind::Io | ErrorKind::ClusterConnectionNotFound => (
            true,
            "Redis does not answer: check that it is running and reachable; sessions work again when it is",
        ),
        ErrorKind::UnexpectedReturnType => (false, FOREIGN),
        _ => (true, "Redis gave an answer that cannot be read: see the source"),
    }
}

const CREDENTIALS: &str = "Redis refused the user name or the password: correct them in the URL";
const FOREIGN: &str =
    "a key with our prefix is not ours: give the store a key prefix that no other program uses";

fn judge_server(kind: ServerErrorKind, detail: &str) -> (bool, &'static str) {
    match kind {
        ServerErrorKind::BusyLoading => {
            (true, "Redis is starting and still loads its data: it will answer soon")
        }
        ServerErrorKind::ReadOnly => (true, REPLICA),
        ServerErrorKind::MasterDown => (
            true,
            "this Redis is a replica that has lost its primary: it will answer when one of them is primary",
        ),
        ServerErrorKind::ClusterDown
        | ServerErrorKind::Moved
        | ServerErrorKind::Ask
        | ServerErrorKind::TryAgain => (true, CLUSTER),
        ServerErrorKind::NoPerm => (false, PERMISSION),
        // During a move of the slot, keys of one script can be on two nodes.
        _ if detail.contains("non local key") => {
            (true, "the Redis cluster is moving the slot of these sessions: it will answer when that is done")
        }
        _ if detail.contains("while the cluster is down") => (true, CLUSTER),
        // What a script may not do has no code of its own.
        _ if detail.contains("user executing the script") => (false, PERMISSION),
        _ if detail.contains("READONLY") => (true, REPLICA),
        _ if detail.contains("stale replica") => (true, ORPHAN),
        _ if detail.contains("OOM") => (true, MEMORY),
        _ if detail.contains("MISCONF") => (true, DISK),
        _ if detail.contains("NOREPLICAS") => (true, REPLICAS),
        _ if detail.contains("WRONGTYPE") => (false, FOREIGN),
        _ => (
            false,
            "Redis refused a command: it must be Redis 6.2, Valkey 7.2 or later, with scripts allowed",
        ),
    }
}

const CLUSTER: &str = "the Redis cluster is moving slots or failing over: it will answer when that is done";
const PERMISSION: &str = "the Redis user lacks a permission: see the crate's documentation for the list";
const MEMORY: &str = "Redis is out of memory: raise maxmemory, or end sessions";
const DISK: &str = "Redis cannot write to its disk and refuses changes: see its log";
const REPLICAS: &str = "Redis has too few replicas to accept changes: see min-replicas-to-write";
const ORPHAN: &str = "this Redis is a replica that has lost its primary: it answers when it has one, or when the URL leads to one";
const REPLICA: &str =
    "this Redis is a replica: a failover is going on, or the URL names a replica instead of the primary";

fn judge_code(code: &str) -> (bool, &'static str) {
    match code {
        "NOAUTH" | "WRONGPASS" => (false, CREDENTIALS),
        "WRONGTYPE" => (false, FOREIGN),
        "OOM" => (true, MEMORY),
        "MISCONF" => (true, DISK),
        "NOREPLICAS" => (true, REPLICAS),
        "BUSY" => (true, "Redis is busy with somebody's long script"),
        _ => (false, "Redis refused a command: see the source"),
    }
}

fn is_certificate(error: &RedisError) -> bool {
    error.to_string().contains("invalid peer certificate")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(line: &str) -> StoreError {
        let value = redis::parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap();
        store_error(value.extract_error().unwrap_err())
    }

    #[test]
    fn what_passes_by_itself_can_be_tried_again() {
        for line in [
            "LOADING Redis is loading the dataset in memory",
            "READONLY You can't write against a read only replica.",
            "CLUSTERDOWN The cluster is down",
            "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
            "TRYAGAIN Multiple keys request during rehashing of slot",
            "MOVED 3999 127.0.0.1:6381",
            "OOM command not allowed when used memory > 'maxmemory'.",
            "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
            "NOREPLICAS Not enough good replicas to write.",
            "BUSY Redis is busy running a script.",
            "ERR Script attempted to access a non local key in a cluster node script: abc",
            "ERR OOM command not allowed when used memory > 'maxmemory'. script: abc, on @user_script:1.",
            "ERR Error running script (call to f_abc): @user_script:1: -MISCONF Redis is configured to save RDB ..",
            "ERR Error running script (call to f_abc): @user_script:1: -NOREPLICAS Not enough good replicas to write.",
            "ERR Can not execute the command on a stale replica script: abc, on @user_script:1.",
            "ERR Script attempted to execute a write command while the cluster is down and readonly script: abc",
        ] {
            let error = told(line);
            assert!(error.is_retryable(), "{line}: {error}");
            assert!(std::error::Error::source(&error).is_some());
        }
    }

    #[test]
    fn what_somebody_must_change_cannot() {
        for line in [
            "WRONGPASS invalid username-password pair or user is disabled.",
            "NOAUTH Authentication required.",
            "NOPERM this user has no permissions to run the 'evalsha' command",
            "WRONGTYPE Operation against a key holding the wrong kind of value",
            "ERR Error running script (call to f_abc): @user_script:1: -WRONGTYPE Operation against a key ..",
            "ERR The user executing the script can't run this command or subcommand script: abc",
            "ERR unknown command 'EVALSHA'",
            "SOMETHING else",
        ] {
            let error = told(line);
            assert!(!error.is_retryable(), "{line}: {error}");
        }
    }

    #[test]
    fn a_replica_is_known_by_its_words_too() {
        for line in [
            "READONLY You can't write against a read only replica.",
            "ERR Error running script (call to f_abc): @user_script:1: -READONLY You can't write against a replica",
            "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
            "ERR Can not execute the command on a stale replica script: abc, on @user_script:1.",
        ] {
            let value = redis::parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap();
            let error = value.extract_error().unwrap_err();
            assert!(is_not_done(&error) && needs_new_connection(&error), "{line}");
            assert!(store_error(error).to_string().contains("replica"));
        }
    }

    #[test]
    fn a_connection_is_made_anew_for_a_replica_or_other_credentials_and_for_nothing_else() {
        for (line, anew) in [
            ("WRONGPASS invalid username-password pair or user is disabled.", true),
            ("NOAUTH Authentication required.", true),
            ("READONLY You can't write against a read only replica.", true),
            ("OOM command not allowed when used memory > 'maxmemory'.", false),
            ("ERR unknown command 'EVALSHA'", false),
            ("CLUSTERDOWN The cluster is down", false),
        ] {
            let value = redis::parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap();
            assert_eq!(needs_new_connection(&value.extract_error().unwrap_err()), anew, "{line}");
        }
        let login = RedisError::from((ErrorKind::AuthenticationFailed, "refused"));
        let reset = RedisError::from(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
        assert!(needs_new_connection(&login) && !needs_new_connection(&reset));
    }

    #[test]
    fn a_value_of_another_type_is_somebody_else_s_key() {
        let other = RedisError::from((ErrorKind::UnexpectedReturnType, "not a list"));
        let error = store_error(other);
        assert!(!error.is_retryable() && error.to_string().contains("prefix"), "{error}");
    }

    #[test]
    fn a_refused_connection_was_never_used() {
        let refused = RedisError::from(std::io::Error::from(std::io::ErrorKind::ConnectionRefused));
        let reset = RedisError::from(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
        assert!(is_not_done(&refused) && !is_not_done(&reset));
        assert!(store_error(refused).is_retryable() && store_error(reset).is_retryable());
    }
}
