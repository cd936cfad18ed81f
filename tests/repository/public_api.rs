//! Core's public API names no type of a crate whose versions its users could disagree on.

use super::root;
use super::source::{code_lines, product_files};

/// Two versions of each of these live in the frameworks and drivers that core serves.
const FOREIGN: [&str; 14] = [
    "http",
    "cookie",
    "jsonwebtoken",
    "tokio",
    "axum",
    "actix_web",
    "rocket",
    "hyper",
    "tower_layer",
    "tower_service",
    "sqlx",
    "redis",
    "async_std",
    "futures",
];

/// A public item that names something of a foreign crate.
#[derive(Debug, PartialEq)]
struct Leak {
    item: String,
    foreign: String,
}

/// Looks through one file. An item is public if it starts with `pub` and no restriction, if it is in a public trait, or
/// if it is an implementation: whose, a text does not tell.
fn leaks(source: &str) -> Vec<Leak> {
    let lines = code_lines(source);
    let imported = imports(&lines);
    let mut leaks = Vec::new();
    for item in public_items(&lines) {
        for word in words(&item) {
            let foreign = FOREIGN.iter().find(|name| word.starts_with(&format!("{name}::")));
            let foreign = foreign.map(|_| word.clone()).or_else(|| {
                let first = word.split("::").next().unwrap_or_default();
                imported.iter().find(|(name, _)| name == first).map(|(_, path)| path.clone())
            });
            if let Some(foreign) = foreign {
                leaks.push(Leak { item: item.clone(), foreign });
            }
        }
    }
    leaks
}

/// The names that `use` brings in from foreign crates, with their paths.
fn imports(lines: &[String]) -> Vec<(String, String)> {
    let text = lines.join(" ");
    let mut found = Vec::new();
    for statement in text.split(';') {
        let Some(at) = statement.rfind("use ") else { continue };
        let path = statement[at + 4..].trim().trim_start_matches("::");
        if FOREIGN.iter().any(|name| path == *name || path.starts_with(&format!("{name}::"))) {
            for leaf in path
                .split(['{', '}', ','])
                .map(str::trim)
                .filter(|leaf| !leaf.is_empty() && !leaf.ends_with("::"))
            {
                let name = leaf.rsplit(" as ").next().unwrap_or(leaf).rsplit("::").next().unwrap_or(leaf);
                if name != "_" {
                    found.push((name.trim().to_owned(), path.to_owned()));
                }
            }
        }
    }
    found
}

/// The heads of public items: what is before a body.
fn public_items(lines: &[String]) -> Vec<String> {
    let mut items = Vec::new();
    let mut depth = 0_i64;
    // The depth inside of a public type, trait or implementation, whose members are public, too.
    let mut open_inside: Vec<i64> = Vec::new();
    let mut head: Option<(String, i64)> = None;
    for line in lines {
        let inside = open_inside.last() == Some(&depth);
        if head.is_none() && (is_public(line) || (inside && !is_private_member(line))) {
            head = Some((String::new(), depth));
        }
        for (at, character) in line.char_indices() {
            let ends = match character {
                '{' => {
                    depth += 1;
                    head.is_some()
                }
                '}' => {
                    depth -= 1;
                    open_inside.retain(|open| *open <= depth);
                    head.is_some() && at > 0
                }
                ';' => head.is_some(),
                ',' => {
                    inside && head.as_ref().is_some_and(|(_, start)| *start == depth && balanced(&line[..at]))
                }
                _ => false,
            };
            if let Some((text, _)) = &mut head {
                text.push(character);
            }
            if ends {
                let (text, _) = head.take().unwrap_or_default();
                if character == '{' && opens_members(&text) {
                    open_inside.push(depth);
                }
                items.push(text);
            }
        }
        if let Some((text, _)) = &mut head {
            text.push(' ');
        }
    }
    items.into_iter().chain(head.map(|(text, _)| text)).collect()
}

fn is_public(line: &str) -> bool {
    line.starts_with("pub ") || line.starts_with("impl") || line.starts_with("unsafe impl")
}

/// Inside of a public item: a field or function that says nothing of `pub` in a struct or an inherent implementation
/// is private; in a trait or an enum it is public. A text cannot tell, so `self`-less private helpers count as public,
/// which errs on the strict side; what is `pub(..)` does not.
fn is_private_member(line: &str) -> bool {
    line.starts_with("pub(") || line.starts_with('}') || line.starts_with("#[")
}

fn opens_members(head: &str) -> bool {
    ["pub trait ", "pub enum ", "pub unsafe trait "].iter().any(|start| head.starts_with(start))
}

fn balanced(text: &str) -> bool {
    let count = |character| text.matches(character).count();
    count('(') == count(')') && count('<') == count('>') && count('[') == count(']')
}

/// Paths as they are written: `a::b::C`.
fn words(item: &str) -> Vec<String> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let words = item.split(|c| !is_part(c)).map(|word| word.trim_matches(':'));
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

#[test]
fn core_names_no_foreign_type() {
    let files = product_files(&root().join("session-core").join("src"));
    let mut items = 0;
    for file in files {
        let source = std::fs::read_to_string(&file).unwrap();
        items += public_items(&code_lines(&source)).len();
        let leaks = leaks(&source);
        assert!(leaks.is_empty(), "{}: {leaks:#?}", file.display());
    }
    assert!(items > 200, "only {items} public items found: does the check still see them?");
}

#[test]
fn the_check_finds_what_it_looks_for() {
    for source in [
        "pub fn f(x: http::HeaderMap) {}",
        "pub fn f(\n    x: &mut http::HeaderMap,\n) -> u8 {\n    1\n}",
        "use http::HeaderMap;\npub fn f() -> HeaderMap { x }",
        "use cookie::{Cookie, SameSite as Same};\npub struct S {\n    x: u8,\n    pub same: Same,\n}",
        "use tokio::time;\npub trait T {\n    /// Docs.\n    fn f(&self) -> time::Sleep;\n}",
        "pub enum E {\n    A,\n    B(jsonwebtoken::Header),\n}",
        "impl From<jsonwebtoken::errors::Error> for E {\n}",
        "pub use redis::Client;",
        "pub type R = Result<(), sqlx::Error>;",
        "impl S {\n    pub async fn f(&self) -> axum::Router {\n    }\n}",
    ] {
        assert!(!leaks(source).is_empty(), "{source}");
    }
}

#[test]
fn the_check_leaves_private_things_alone() {
    for source in [
        "use http::HeaderMap;\nfn f(x: HeaderMap) {}",
        "pub(crate) fn f(x: http::HeaderMap) {}",
        "pub fn f() -> u8 {\n    let x: http::HeaderMap = y;\n    1\n}",
        "/// Unlike http::HeaderMap.\npub fn f() {}",
        "pub fn f() -> &str { \"http::HeaderMap\" }",
        "pub fn http() -> u8 { 1 }",
        "#[cfg(test)]\nmod tests {\n    pub fn f(x: http::HeaderMap) {}\n}",
        "pub struct S(pub(crate) u8);\nstruct T { key: jsonwebtoken::EncodingKey }",
    ] {
        assert_eq!(leaks(source), [], "{source}");
    }
}
