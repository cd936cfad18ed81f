//! What a test needs of the machine, and what happens without it.

use std::io::Write as _;
use std::path::PathBuf;

/// Where Debian keeps servers and their tools, in few people's `PATH`.
const ELSEWHERE: [&str; 2] = ["/usr/sbin", "/usr/local/sbin"];
const VERSIONED: &str = "/usr/lib/postgresql";

/// Where the program is, or `None` if this test has to be left out: that is said loudly, and with `CI=true` or
/// `SESSION_TESTS_REQUIRE_ALL=1` it is a failure.
///
/// ```ignore
/// let Some(chromedriver) = program("chromedriver", "chromium-driver") else { return };
/// ```
#[must_use]
#[track_caller]
pub fn program(name: &str, debian_package: &str) -> Option<PathBuf> {
    let found = folders().into_iter().map(|folder| folder.join(name)).find(|file| file.is_file());
    if found.is_none() {
        leave_out(&format!("{name} is missing (Debian package {debian_package}); ./tests/run installs it"));
    }
    found
}

/// Says loudly that this test is left out; fails where nothing may be.
#[track_caller]
pub fn leave_out(why: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    assert!(!everything_is_required(), "{test} cannot run: {why}");
    // Not `eprintln!`: the test runner keeps that to itself when a test passes.
    _ = writeln!(std::io::stderr(), "\n*** SKIPPED {test}: {why} ***");
}

fn everything_is_required() -> bool {
    let is = |name, value| std::env::var(name).is_ok_and(|is| is == value);
    is("CI", "true") || is("SESSION_TESTS_REQUIRE_ALL", "1")
}

/// The path, then where Debian puts what is not in it; of PostgreSQL the newest version first.
fn folders() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.extend(ELSEWHERE.map(PathBuf::from));
    let versions = std::fs::read_dir(VERSIONED).into_iter().flatten().flatten();
    let mut versions: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    versions.sort();
    folders.extend(versions.into_iter().rev());
    folders
}
