//! The subjects with a framework. Each framework has the same ones, and its own peers.

pub mod actix;
pub mod axum;
pub mod rocket;

pub const BARE: &str = "bare";
pub const LIMIT_UNUSED: &str = "limit, unused";
pub const UNUSED: &str = "ours, unused";
pub const LIMIT_READ: &str = "limit, read";
pub const READ: &str = "ours, read";
pub const TRACKED: &str = "ours, read, tracked in memory";
pub const LIMIT_WRITE: &str = "limit, read and write";
pub const WRITE: &str = "ours, read and write";
pub const TOWER_UNUSED: &str = "tower-sessions in memory, unused";
pub const TOWER_READ: &str = "tower-sessions in memory, read";
pub const TOWER_WRITE: &str = "tower-sessions in memory, read and write";
pub const JWT_READ: &str = "jsonwebtoken by hand, read";
pub const ACTIX_UNUSED: &str = "actix-session in the cookie, unused";
pub const ACTIX_READ: &str = "actix-session in the cookie, read";
pub const ACTIX_WRITE: &str = "actix-session in the cookie, read and write";

/// For the picture.
pub const READS: &[&str] = &[LIMIT_READ, READ, TRACKED, JWT_READ, TOWER_READ, ACTIX_READ];

/// The subject, what it is compared with, and how often of that it may take (goal 3), if there is such a goal.
pub const COMPARED: &[(&str, &str, Option<f64>)] = &[
    (LIMIT_UNUSED, LIMIT_UNUSED, None),
    (UNUSED, LIMIT_UNUSED, Some(1.25)),
    (LIMIT_READ, LIMIT_READ, None),
    (READ, LIMIT_READ, Some(1.25)),
    (TRACKED, LIMIT_READ, None),
    (LIMIT_WRITE, LIMIT_WRITE, None),
    (WRITE, LIMIT_WRITE, Some(1.35)),
    (JWT_READ, LIMIT_READ, None),
    (TOWER_UNUSED, LIMIT_UNUSED, None),
    (TOWER_READ, LIMIT_READ, None),
    (TOWER_WRITE, LIMIT_WRITE, None),
    (ACTIX_UNUSED, LIMIT_UNUSED, None),
    (ACTIX_READ, LIMIT_READ, None),
    (ACTIX_WRITE, LIMIT_WRITE, None),
];

/// The subjects that write send one cookie, the others none.
fn cookies_of(name: &str) -> usize {
    usize::from(name.ends_with("write"))
}
