//! What a table was made with.

use std::fs;

const LOCK: &str = include_str!("../Cargo.lock");
const NAMED: [&str; 14] = [
    "session-core",
    "axum",
    "actix-web",
    "rocket",
    "tower-sessions",
    "actix-session",
    "jsonwebtoken",
    "hmac",
    "sha2",
    "base64-simd",
    "serde",
    "serde_json",
    "tokio",
    "hyper",
];

/// Compiler, crates and machine, as two lines of Markdown.
#[must_use]
pub fn versions() -> String {
    let versions: Vec<String> =
        NAMED.iter().filter_map(|name| Some(format!("{name} {}", locked(name)?))).collect();
    format!("{}; {}.\n{}.", env!("BENCHES_RUSTC"), versions.join(", "), machine())
}

/// The newest locked version of a crate.
fn locked(name: &str) -> Option<&'static str> {
    let entry = format!("name = \"{name}\"\nversion = \"");
    let at = LOCK.rfind(&entry)? + entry.len();
    LOCK.get(at..)?.split('"').next()
}

fn machine() -> String {
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    let told = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line =
        |key: &str| told.lines().find(|line| line.starts_with(key)).and_then(|line| line.split(": ").nth(1));
    let flags = line("flags").unwrap_or_default();
    let has = |flag: &str| if flags.split(' ').any(|known| known == flag) { "with" } else { "without" };
    format!(
        "{}, {cpus} CPUs, {} AVX2, {} SHA extensions",
        line("model name").unwrap_or(std::env::consts::ARCH),
        has("avx2"),
        has("sha_ni")
    )
}
