//! SECURITY.md names tests that exist; what it calls true by construction.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::root;
use super::source::{code, has_function, product, product_files, read, rust_files};

/// Beginnings of the names in SECURITY.md, and where their modules are.
const PLACES: [(&str, &str); 17] = [
    ("cases::", "tests/cases"),
    ("fleet::", "tests/fleet"),
    ("fuzz::", "fuzz/src"),
    ("interop::", "tests/interop"),
    ("moving::", "tests/moving"),
    ("repository::", "tests/repository"),
    ("browser::", "tests/browser"),
    ("core::", "session-core/tests/core"),
    ("session_core::", "session-core/src"),
    ("session_axum::", "session-axum/tests"),
    ("session_actix::", "session-actix/tests"),
    ("session_rocket::", "session-rocket/tests"),
    ("session_import::", "session-import/tests/import"),
    ("session_simulator::", "tests/simulator/src"),
    ("session_demo::", "examples/demo/src"),
    ("session_store_sqlx::", "stores/session-store-sqlx/tests/sqlx"),
    ("session_store_redis::", "stores/session-store-redis/tests/redis"),
];

fn document() -> String {
    std::fs::read_to_string(root().join("SECURITY.md")).expect("SECURITY.md")
}

/// The rows of its tables.
fn rows(markdown: &str) -> impl Iterator<Item = &str> {
    markdown.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| requirement"))
}

/// The names of tests: what stands in backticks and has a path.
fn names(markdown: &str) -> BTreeSet<&str> {
    let code = markdown.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    let is_name = |text: &&str| {
        text.contains("::")
            && text
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_:".contains(&byte))
    };
    code.filter(is_name).collect()
}

/// The files in which the test of that name may be.
fn files(name: &str) -> Vec<PathBuf> {
    let Some((start, place)) = PLACES.iter().find(|(start, _)| name.starts_with(start)) else {
        return Vec::new();
    };
    let mut modules: Vec<&str> = name[start.len()..].split("::").collect();
    modules.pop();
    // The contract of stores is a list of tests that a macro stamps.
    if modules.contains(&"conformance") || (*start, modules.as_slice()) == ("core::", &["memory"]) {
        return rust_files(&root().join("stores/session-store-conformance/src"));
    }
    let mut files = Vec::new();
    while !modules.is_empty() {
        let path = modules.iter().fold(root().join(place), |path, module| path.join(module));
        files.extend([path.with_extension("rs"), path.join("mod.rs")]);
        // A module can be in the file of the one around it.
        modules.pop();
    }
    files
}

fn exists(name: &str) -> bool {
    let function = name.rsplit("::").next().unwrap_or_default();
    let mut sources = files(name).into_iter().filter_map(|file| std::fs::read_to_string(file).ok());
    sources.any(|source| has_function(source.parse().unwrap(), function))
}

#[test]
fn every_test_that_it_names_exists() {
    let document = document();
    let names: BTreeSet<&str> = rows(&document).flat_map(names).collect();
    assert!(names.len() > 100, "{names:?}");
    let missing: Vec<_> = names.into_iter().filter(|name| !exists(name)).collect();
    assert!(missing.is_empty(), "SECURITY.md names tests that are not there: {missing:#?}");
}

#[test]
fn every_requirement_has_a_test_or_says_why_not() {
    let document = document();
    let mut count = 0;
    for row in rows(&document) {
        count += 1;
        let proof = row.trim_end_matches(" |").rsplit(" | ").next().unwrap_or_default();
        let says_why = ["not yet: ", "by construction: "].iter().any(|start| proof.contains(start));
        assert!(says_why || !names(proof).is_empty(), "no test and no reason in\n{row}");
    }
    assert!(count > 60, "{count} rows");
}

/// `jsonwebtoken`'s process-wide provider panics where both or neither of its crypto features are on, and that is for
/// the application's dependencies to say. So signatures go through a provider by name, or through none.
#[test]
fn signatures_never_go_through_the_process_wide_provider() {
    for file in product_files(&root().join("session-core/src")) {
        let code = code(&product(&read(&file)));
        for wrong in ["CryptoProvider", "get_default", "jsonwebtoken::encode", "jsonwebtoken::decode"] {
            assert!(!code.contains(wrong), "{wrong} in {}", file.display());
        }
    }
}

/// A record that was written beside these two would be kept in the clear whatever the setting says.
#[test]
fn records_are_written_where_they_are_sealed_and_nowhere_else() {
    let mode = root().join("session-core/src/mode");
    let writes = |file: &PathBuf| {
        let code = code(&product(&read(file))).replace(' ', "");
        [".create(realm", ".create(&", ".replace(&", ".adopt(&"]
            .iter()
            .any(|call| code.contains(&format!("store{call}")))
    };
    let files: Vec<_> = product_files(&mode).into_iter().filter(writes).collect();
    assert_eq!(files, [mode.join("tracked/sealed.rs")]);
}

#[test]
fn the_check_knows_a_test_from_none() {
    let text = "`cases::a::b` and `Key::new`, `x`, `core::c::d`";
    assert_eq!(names(text).into_iter().collect::<Vec<_>>(), ["cases::a::b", "core::c::d"]);
    assert!(exists("repository::security::the_check_knows_a_test_from_none"));
    assert!(exists("session_core::token::tests::forged::another_audience_is_refused"));
    assert!(exists("session_core::mode::stateless::ended::tests::ending_twice_keeps_the_later_time"));
    assert!(!exists("repository::security::the_check_knows"));
    assert!(!exists("elsewhere::the_check_knows_a_test_from_none"));
}
