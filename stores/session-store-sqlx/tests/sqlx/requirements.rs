//! What happens where a test needs something that is not there.

use std::io::Write as _;

/// Says loudly that this test is left out; fails where nothing may be.
#[track_caller]
pub(crate) fn leave_out(why: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let is = |name, value| std::env::var(name).is_ok_and(|is| is == value);
    let required = is("CI", "true") || is("SESSION_TESTS_REQUIRE_ALL", "1");
    assert!(!required, "{test} cannot run: {why}");
    // Past the capture of output.
    let _ = writeln!(std::io::stderr(), "SKIPPED: {test}: {why}");
}
