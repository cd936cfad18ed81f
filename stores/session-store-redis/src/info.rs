//! What a server says about itself (`INFO`), and whether such a server can be used.

use session_core::store::StoreError;

/// With `SET .. PX`, `HRANDFIELD`, and scripts that may call them.
const OLDEST: (u32, u32) = (6, 2);

/// What a server says that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Primary,
    Replica { hears_its_primary: bool },
}

impl Role {
    /// From the answer to `INFO replication`.
    pub(crate) fn of(info: &str) -> Option<Self> {
        match field(info, "role")? {
            "slave" | "replica" => {
                Some(Self::Replica { hears_its_primary: field(info, "master_link_status") == Some("up") })
            }
            _ => Some(Self::Primary),
        }
    }
}

/// Refuses a server that is too old, warns of one that may evict or is a replica, and answers whether it is of a cluster,
/// where it says so.
pub(crate) fn check(info: &str) -> Result<Option<bool>, StoreError> {
    refuse_old(info)?;
    warn_of_eviction(info);
    warn_of_replica(info);
    Ok(field(info, "cluster_enabled").map(|enabled| enabled == "1"))
}

fn refuse_old(info: &str) -> Result<(), StoreError> {
    let Some(version) = field(info, "redis_version").filter(|version| is_too_old(version)) else {
        return Ok(());
    };
    let (major, minor) = OLDEST;
    Err(StoreError::permanent(format!("this Redis is version {version}: {major}.{minor} or later is needed")))
}

fn warn_of_eviction(info: &str) {
    let is_limited = field(info, "maxmemory").is_some_and(|maxmemory| maxmemory != "0");
    let policy = field(info, "maxmemory_policy").filter(|policy| *policy != "noeviction");
    if let Some(policy) = policy
        && is_limited
    {
        tracing::warn!(
            policy,
            "Redis may evict sessions and account indexes when memory is short: set maxmemory-policy to noeviction"
        );
    }
}

fn warn_of_replica(info: &str) {
    if matches!(Role::of(info), Some(Role::Replica { .. })) {
        tracing::warn!(
            "this Redis is a replica: nobody can log in or out through it; use the address of the primary"
        );
    }
}

pub(crate) fn field<'i>(info: &'i str, name: &str) -> Option<&'i str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

fn is_too_old(version: &str) -> bool {
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().ok());
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(major), Some(minor)) => (major, minor) < OLDEST,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_read_from_what_a_server_says() {
        let info = |lines: &str| Role::of(&format!("# Replication\r\n{lines}\r\nconnected_slaves:0\r\n"));
        assert_eq!(info("role:master"), Some(Role::Primary));
        assert_eq!(info("role:active-replica\r\nmaster_link_status:down"), Some(Role::Primary), "of KeyDB");
        assert_eq!(
            info("role:slave\r\nmaster_link_status:up"),
            Some(Role::Replica { hears_its_primary: true })
        );
        assert_eq!(
            info("role:slave\r\nmaster_link_status:down"),
            Some(Role::Replica { hears_its_primary: false })
        );
        assert_eq!(info("something:else"), None);
    }

    #[test]
    fn old_servers_are_told() {
        for (version, too_old) in [
            ("6.0.16", true),
            ("5.0", true),
            ("6.2.0", false),
            ("7.0.15", false),
            ("8.2", false),
            ("x", false),
        ] {
            assert_eq!(is_too_old(version), too_old, "{version}");
        }
        assert!(check("# Server\r\nredis_version:6.0.16\r\n").is_err_and(|error| !error.is_retryable()));
        assert_eq!(check("").unwrap(), None);
        assert_eq!(check("cluster_enabled:1\r\n").unwrap(), Some(true));
    }
}
