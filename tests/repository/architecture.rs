//! Arrows point one way: adapters -> core <- stores; examples and tests -> everything; nothing -> tests.

use std::collections::BTreeSet;

use super::{
    rust_source,
    workspace::{self, Kinds, Workspace},
};

/// What a member of the workspace is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Role {
    Core,
    /// With the crates that are its framework.
    Adapter,
    Store,
    Demo,
    Tests,
}

/// Every member. A new one is added here, and so gets the rules of its role.
const MEMBERS: [(&str, Role); 6] = [
    ("session-core", Role::Core),
    ("session-axum", Role::Adapter),
    ("session-actix", Role::Adapter),
    ("session-rocket", Role::Adapter),
    ("session-demo", Role::Demo),
    ("session-tests", Role::Tests),
];

/// Lines of code that an adapter may have: it translates and decides nothing.
const ADAPTER_LINES: usize = 250;

/// The crates that are a framework, and the adapter that may use them.
const FRAMEWORKS: [(&str, &str); 8] = [
    ("axum", "session-axum"),
    ("axum-core", "session-axum"),
    ("tower", "session-axum"),
    ("tower-layer", "session-axum"),
    ("tower-service", "session-axum"),
    ("actix-web", "session-actix"),
    ("actix-http", "session-actix"),
    ("rocket", "session-rocket"),
];

const RUNTIMES: [&str; 9] = [
    "tokio",
    "tokio-util",
    "async-std",
    "smol",
    "async-io",
    "async-executor",
    "glommio",
    "actix-rt",
    "futures-executor",
];

const HTTP: [&str; 5] = ["http", "http-body", "hyper", "cookie", "headers"];

const DATABASES: [&str; 9] = [
    "sqlx",
    "sqlx-core",
    "redis",
    "fred",
    "rusqlite",
    "diesel",
    "tokio-postgres",
    "mysql_async",
    "libsqlite3-sys",
];

/// What makes and reads tokens: core's business alone.
const TOKENS: [&str; 12] = [
    "jsonwebtoken",
    "jwt-simple",
    "josekit",
    "jwt",
    "biscuit",
    "hmac",
    "sha2",
    "ring",
    "rsa",
    "p256",
    "ed25519-dalek",
    "openssl",
];

const CLOCKS: [&str; 2] = ["time", "chrono"];

/// Crates that need more than a Rust compiler and cc, or bring a second TLS or crypto library.
const NOWHERE: [&str; 4] = ["openssl-sys", "aws-lc-sys", "native-tls", "aws-lc-rs"];

#[test]
fn every_member_is_known_and_there() {
    let expected: BTreeSet<_> = MEMBERS.iter().map(|(name, _)| *name).collect();
    let found: BTreeSet<_> = Workspace::get().members().into_keys().collect();
    let missing: Vec<_> = expected.difference(&found).collect();
    let unknown: Vec<_> = found.difference(&expected).collect();
    assert!(missing.is_empty(), "expected in the workspace, but not there: {missing:?}");
    assert!(unknown.is_empty(), "say in MEMBERS what these are: {unknown:?}");
}

#[test]
fn core_stands_alone() {
    check(Role::Core, |workspace, package| {
        let all = workspace.all(package, Kinds::Used).into_iter().map(|package| package.name.as_str());
        let frameworks = FRAMEWORKS.map(|(name, _)| name);
        let forbidden = [&frameworks[..], &RUNTIMES, &HTTP, &DATABASES, &members()].concat();
        all.filter(|name| forbidden.contains(name)).map(str::to_owned).collect()
    });
}

#[test]
fn an_adapter_knows_core_and_its_own_framework() {
    check(Role::Adapter, |workspace, package| {
        let others =
            FRAMEWORKS.iter().filter(|(_, adapter)| *adapter != package.name.as_str()).map(|(name, _)| *name);
        let forbidden: Vec<_> =
            others.chain(TOKENS).chain(CLOCKS).chain(DATABASES).chain(members()).collect();
        let direct = workspace.direct(package, Kinds::Used).into_iter();
        direct.filter(|name| *name != "session-core" && forbidden.contains(name)).map(str::to_owned).collect()
    });
}

#[test]
fn an_adapter_never_knows_another_adapter_not_even_in_its_examples() {
    check(Role::Adapter, |workspace, package| {
        let direct = workspace.direct(package, Kinds::UsedAndDevelopment).into_iter();
        direct
            .filter(|name| with_role(Role::Adapter).any(|adapter| adapter == *name))
            .map(str::to_owned)
            .collect()
    });
}

#[test]
fn a_store_knows_core_and_no_framework() {
    check(Role::Store, |workspace, package| {
        let forbidden: Vec<_> = FRAMEWORKS.into_iter().map(|(name, _)| name).chain(members()).collect();
        let direct = workspace.direct(package, Kinds::Used).into_iter();
        direct.filter(|name| *name != "session-core" && forbidden.contains(name)).map(str::to_owned).collect()
    });
}

#[test]
fn nothing_depends_on_the_tests_and_only_they_on_the_demo() {
    for (name, package) in Workspace::get().members() {
        let direct = Workspace::get().direct(package, Kinds::UsedAndDevelopment);
        assert!(!direct.contains("session-tests"), "{name} depends on the tests");
        assert!(name == "session-tests" || !direct.contains("session-demo"), "{name} depends on the demo");
    }
}

#[test]
fn an_adapter_is_thin() {
    check(Role::Adapter, |_, package| {
        let sources = workspace::files(&workspace::folder(package).join("src"), ".rs");
        assert!(!sources.is_empty(), "{} has no source", package.name);
        let is_product = |path: &&std::path::PathBuf| !path.ends_with("tests.rs");
        let lines = |path| rust_source::code_lines(&std::fs::read_to_string(path).expect("a readable file"));
        let lines: usize = sources.iter().filter(is_product).map(lines).sum();
        (lines > ADAPTER_LINES)
            .then(|| format!("{lines} lines of code, {ADAPTER_LINES} are allowed"))
            .into_iter()
            .collect()
    });
}

#[test]
fn a_member_asks_for_the_compiler_that_its_dependencies_need() {
    for (name, package) in Workspace::get().members() {
        // What is never published is only ever built with its development dependencies.
        let private = package.publish.as_ref().is_some_and(Vec::is_empty);
        let kinds = if private { Kinds::UsedAndDevelopment } else { Kinds::Used };
        let stated = package.rust_version.as_ref().unwrap_or_else(|| panic!("{name} states no rust-version"));
        for dependency in Workspace::get().all(package, kinds) {
            let Some(needed) = &dependency.rust_version else { continue };
            let (dependency, version) = (&dependency.name, &dependency.version);
            assert!(
                stated >= needed,
                "{name} states Rust {stated}, but {dependency} {version} needs {needed}"
            );
        }
    }
}

#[test]
fn no_second_crypto_library_for_any_platform_or_feature() {
    let lock = workspace::read("Cargo.lock");
    let locked = |name: &&&str| lock.contains(&format!("name = \"{name}\"\n"));
    let found: Vec<_> = NOWHERE.iter().filter(locked).collect();
    assert!(found.is_empty(), "in Cargo.lock: {found:?}");
}

/// Fails with the names of the packages of this role that have something to complain about.
#[track_caller]
fn check(role: Role, complaints: impl Fn(&Workspace, &cargo_metadata::Package) -> Vec<String>) {
    let workspace = Workspace::get();
    let members = workspace.members();
    let present = with_role(role).filter_map(|name| members.get(name));
    let wrong: Vec<_> =
        present.map(|package| (package.name.as_str(), complaints(workspace, package))).collect();
    assert!(wrong.iter().all(|(_, complaints)| complaints.is_empty()), "{role:?}: {wrong:?}");
}

fn with_role(role: Role) -> impl Iterator<Item = &'static str> {
    MEMBERS.into_iter().filter(move |member| member.1 == role).map(|member| member.0)
}

fn members() -> [&'static str; MEMBERS.len()] {
    MEMBERS.map(|(name, _)| name)
}
