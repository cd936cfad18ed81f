//! The arrows between the crates, and what must not be in the graph.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, PackageId};
use proc_macro2::{TokenStream, TokenTree};
use syn::Meta;

use super::root;
use super::source::{count_code_lines, product, product_files, read, rust_files};

const CORE: &str = "session-core";
const IMPORT: &str = "session-import";
const TESTS: &str = "session-tests";
/// What tests of several packages share, and nothing else may use.
const SERVERS: &str = "session-test-servers";
const ADAPTERS: [&str; 3] = ["session-axum", "session-actix", "session-rocket"];
/// Lines of code that an adapter may have: it translates and decides nothing.
const ADAPTER_LINES: usize = 250;

/// What core must do without: frameworks, runtimes, drivers.
const NOT_IN_CORE: [&str; 16] = [
    "axum",
    "actix-web",
    "rocket",
    "http",
    "hyper",
    "cookie",
    "tower-layer",
    "tower-service",
    "tokio",
    "async-std",
    "smol",
    "sqlx",
    "rusqlite",
    "redis",
    "reqwest",
    "actix-rt",
];
/// What adapters must leave to core.
const NOT_IN_ADAPTERS: [&str; 6] = ["jsonwebtoken", "time", "hmac", "sha2", "cookie", "chrono"];
/// C libraries that the machine would have to bring.
const NOT_ANYWHERE: [&str; 4] = ["openssl-sys", "native-tls", "aws-lc-sys", "aws-lc-rs"];

fn metadata() -> Metadata {
    MetadataCommand::new().manifest_path(root().join("Cargo.toml")).exec().expect("cargo metadata")
}

fn members(metadata: &Metadata) -> Vec<&Package> {
    metadata.workspace_packages()
}

fn member<'a>(metadata: &'a Metadata, name: &str) -> &'a Package {
    let found = members(metadata).into_iter().find(|package| package.name.as_str() == name);
    found.unwrap_or_else(|| panic!("{name} is no member of the workspace"))
}

/// The names that a member's manifest depends on, those for its own tests left out.
fn normal(package: &Package) -> BTreeSet<&str> {
    let normal =
        package.dependencies.iter().filter(|dependency| dependency.kind != DependencyKind::Development);
    normal.map(|dependency| dependency.name.as_str()).collect()
}

fn is_store(name: &str) -> bool {
    name.starts_with("session-store-")
}

/// Everything that a package needs to be built, itself included, in the graph with the features that are used.
fn closure<'a>(metadata: &'a Metadata, from: &PackageId) -> BTreeSet<&'a PackageId> {
    let resolve = metadata.resolve.as_ref().expect("a resolved graph");
    let nodes: BTreeMap<_, _> = resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    let mut found = BTreeSet::new();
    let mut open = vec![nodes[from]];
    while let Some(node) = open.pop() {
        if found.insert(&node.id) {
            let needed = node.deps.iter().filter(|dep| {
                dep.dep_kinds
                    .iter()
                    .any(|kind| matches!(kind.kind, DependencyKind::Normal | DependencyKind::Build))
            });
            open.extend(needed.map(|dep| nodes[&dep.pkg]));
        }
    }
    found
}

fn names(metadata: &Metadata, package: &str) -> BTreeSet<String> {
    let found = closure(metadata, &member(metadata, package).id);
    found.into_iter().map(|id| metadata[id].name.to_string()).collect()
}

#[test]
fn core_knows_no_framework_no_runtime_and_no_database() {
    let metadata = metadata();
    let optional = |name: &str| {
        let dependencies = &member(&metadata, CORE).dependencies;
        dependencies.iter().any(|dependency| dependency.name == name && dependency.optional)
    };
    assert!(optional("http") && optional("bytes"), "only for those who ask for the feature http");
    let mut needed = names(&metadata, CORE);
    needed.retain(|name| name != "http");
    let wrong: Vec<_> = NOT_IN_CORE.into_iter().filter(|name| needed.contains(*name)).collect();
    assert!(wrong.is_empty(), "{CORE} must not need {wrong:?}");
    let ours: Vec<_> = needed.iter().filter(|name| name.starts_with("session-") && *name != CORE).collect();
    assert!(ours.is_empty(), "{CORE} must not need {ours:?}");
}

#[test]
fn adapters_depend_on_core_and_their_framework_only() {
    let metadata = metadata();
    for adapter in ADAPTERS {
        let direct = normal(member(&metadata, adapter));
        assert!(direct.contains(CORE), "{adapter} does not depend on {CORE}");
        for name in direct {
            let wrong = is_store(name)
                || NOT_IN_ADAPTERS.contains(&name)
                || (name.starts_with("session-") && name != CORE);
            assert!(!wrong, "{adapter} must not depend on {name}");
        }
        let framework = adapter.trim_start_matches("session-");
        for other in ["axum", "actix-web", "rocket"].into_iter().filter(|other| !other.starts_with(framework))
        {
            assert!(!names(&metadata, adapter).contains(other), "{adapter} must not need {other}");
        }
    }
}

#[test]
fn stores_depend_on_core_only() {
    let metadata = metadata();
    for store in members(&metadata).into_iter().filter(|package| is_store(&package.name)) {
        for name in normal(store) {
            assert!(
                !name.starts_with("session-") || name == CORE,
                "{} must not depend on {name}",
                store.name
            );
        }
        let needed = names(&metadata, &store.name);
        let frameworks: Vec<_> =
            ["axum", "actix-web", "rocket"].into_iter().filter(|name| needed.contains(*name)).collect();
        assert!(frameworks.is_empty(), "{} must not need {frameworks:?}", store.name);
    }
}

/// What a library needs that reads cookies of others for every framework: neither framework nor runtime nor driver.
#[test]
fn the_readers_of_foreign_cookies_depend_on_core_only_and_nothing_on_them() {
    let metadata = metadata();
    let direct = normal(member(&metadata, IMPORT));
    let ours: Vec<_> = direct.iter().filter(|name| name.starts_with("session-")).collect();
    assert_eq!(ours, [&CORE]);
    let needed = names(&metadata, IMPORT);
    let wrong: Vec<_> =
        NOT_IN_CORE.into_iter().filter(|name| needed.contains(*name) && *name != "http").collect();
    assert!(wrong.is_empty(), "{IMPORT} must not need {wrong:?}");
    for package in members(&metadata) {
        let is_library =
            package.name.starts_with("session-") && !package.publish.as_deref().is_some_and(<[_]>::is_empty);
        assert!(!is_library || !normal(package).contains(IMPORT), "{} depends on {IMPORT}", package.name);
    }
}

/// Whoever comes from one system pays for none of the others.
#[test]
fn each_system_that_can_be_read_is_a_feature_and_none_is_on_by_default() {
    let metadata = metadata();
    let features = &member(&metadata, IMPORT).features;
    assert!(features["default"].is_empty());
    let readme = read(&root().join("session-import/README.md"));
    for name in features.keys().filter(|name| *name != "default") {
        assert!(readme.contains(&format!("| `{name}` |")), "{name} is not in the README of {IMPORT}");
    }
    assert_eq!(features.len(), 10);
}

#[test]
fn nothing_depends_on_the_tests() {
    let metadata = metadata();
    for package in members(&metadata) {
        let wrong = package.dependencies.iter().any(|dependency| dependency.name == TESTS);
        assert!(!wrong, "{} depends on {TESTS}", package.name);
        assert!(
            !normal(package).contains(SERVERS),
            "{} depends on {SERVERS}, not for its tests",
            package.name
        );
    }
    for tests in [TESTS, SERVERS] {
        let publish = member(&metadata, tests).publish.as_deref();
        assert_eq!(publish, Some(&[] as &[String]), "{tests} must not be published");
    }
}

#[test]
fn adapters_stay_small() {
    let lines = ADAPTERS.map(|adapter| {
        let files = product_files(&root().join(adapter).join("src"));
        let lines = files.iter().map(|file| count_code_lines(&product(&read(file))));
        (adapter, lines.sum::<usize>())
    });
    eprintln!("lines of code: {lines:?}");
    for (adapter, lines) in lines {
        assert!(lines > 50, "{adapter} has {lines} lines: is this still the place where they are?");
        assert!(lines <= ADAPTER_LINES, "{adapter} has {lines} lines of code, {ADAPTER_LINES} are allowed");
    }
}

#[test]
fn rust_version_is_at_least_that_of_every_dependency() {
    let metadata = metadata();
    for package in members(&metadata) {
        let own =
            package.rust_version.as_ref().unwrap_or_else(|| panic!("{} has no rust-version", package.name));
        for id in closure(&metadata, &package.id) {
            let dependency = &metadata[id];
            let needs = dependency.rust_version.as_ref();
            assert!(
                needs.is_none_or(|needs| needs <= own),
                "{} says rust-version {own}, but {} {} needs {}",
                package.name,
                dependency.name,
                dependency.version,
                needs.unwrap(),
            );
        }
    }
}

#[test]
fn no_c_library_for_tls_is_in_the_graph() {
    let metadata = metadata();
    let used = metadata.resolve.as_ref().unwrap().nodes.iter().map(|node| metadata[&node.id].name.as_str());
    let wrong: Vec<_> = used.filter(|name| NOT_ANYWHERE.contains(name)).collect();
    assert!(wrong.is_empty(), "in the graph: {wrong:?}");
}

#[test]
fn every_member_has_the_lints_of_the_workspace() {
    for package in members(&metadata()) {
        let manifest = std::fs::read_to_string(&package.manifest_path).unwrap();
        let lints = manifest.split("\n[lints]\n").nth(1).unwrap_or_default();
        assert!(
            lints.trim_start().starts_with("workspace = true"),
            "{} lacks [lints] workspace = true",
            package.name
        );
    }
}

#[test]
fn no_test_is_ignored() {
    for file in rust_files(&root()) {
        assert!(!ignores(read(&file).parse().unwrap()), "{} has a test that is ignored", file.display());
    }
}

/// Whether there is `#[ignore]` or `#[cfg_attr(.., ignore)]`, also in what a macro gets.
fn ignores(tokens: TokenStream) -> bool {
    let mut follows_hash = false;
    tokens.into_iter().any(|token| {
        let is_hash = matches!(&token, TokenTree::Punct(sign) if sign.as_char() == '#');
        let is_attribute = std::mem::replace(&mut follows_hash, is_hash);
        match token {
            TokenTree::Group(group) if is_attribute && names_ignore(group.stream()) => true,
            TokenTree::Group(group) => ignores(group.stream()),
            _ => false,
        }
    })
}

fn names_ignore(attribute: TokenStream) -> bool {
    match syn::parse2::<Meta>(attribute) {
        Ok(Meta::List(list)) if list.path.is_ident("cfg_attr") => {
            list.tokens.into_iter().any(|token| matches!(token, TokenTree::Ident(word) if word == "ignore"))
        }
        Ok(meta) => meta.path().is_ident("ignore"),
        Err(_) => false,
    }
}

#[test]
fn the_check_finds_what_is_ignored() {
    let found = |source: &str| ignores(source.parse().unwrap());
    for source in [
        "#[test] #[ignore] fn f() {}",
        "mod m { #[ignore = \"why\"] #[test] fn f() {} }",
        "#[cfg_attr(windows, ignore)] #[test] fn f() {}",
        "tests! { #[test] #[ignore] fn f() {} }",
    ] {
        assert!(found(source), "{source}");
    }
    for source in
        ["// #[ignore]", "#[cfg_attr(x, doc = \"ignore\")] fn ignore() {}", "#[test] fn f() { [ignore] }"]
    {
        assert!(!found(source), "{source}");
    }
}
