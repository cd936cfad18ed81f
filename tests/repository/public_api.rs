//! Core's public API names types of the standard library, of core itself, and of the crates in [`ALLOWED`].
//!
//! Read from the source: what `pub` items, public fields, enum variants, trait methods, and `impl`s for public
//! types say before their bodies begin. A name counts as another crate's if it is a path that starts with a
//! dependency, or was imported from one.

use std::collections::BTreeSet;

use super::{
    rust_source::{self, is_word},
    workspace::{self, Kinds, Workspace, shown},
};

/// Crates that core's public API may name: serde's traits are what a payload is, `async_trait` makes the store
/// trait, and a `Timestamp` converts from and to `time`'s type.
const ALLOWED: [&str; 3] = ["serde", "async_trait", "time"];

#[test]
fn core_names_no_type_of_another_crate() {
    let members = Workspace::get().members();
    let core = members["session-core"];
    let dependencies =
        Workspace::get().direct(core, Kinds::Used).into_iter().map(|name| name.replace('-', "_"));
    let foreign: BTreeSet<_> = dependencies.filter(|name| !ALLOWED.contains(&name.as_str())).collect();

    let files = workspace::files(&workspace::folder(core).join("src"), ".rs");
    let is_product = |path: &std::path::PathBuf| !path.components().any(|part| part.as_os_str() == "tests");
    let sources: Vec<_> = files
        .into_iter()
        .filter(is_product)
        .map(|path| (shown(&path), Source::new(&std::fs::read_to_string(&path).expect("a readable file"))))
        .collect();
    let private: BTreeSet<_> = sources.iter().flat_map(|(_, source)| source.private_names()).collect();
    let signatures: usize = sources.iter().map(|(_, source)| source.signatures(&private).len()).sum();
    assert!(
        signatures > 50,
        "only {signatures} public signatures in session-core/src: is it still where it was?"
    );

    let found: Vec<_> = sources
        .iter()
        .flat_map(|(file, source)| {
            source.foreign(&foreign, &private).into_iter().map(move |what| format!("{file}: {what}"))
        })
        .collect();
    assert!(found.is_empty(), "types of other crates in core's public API:\n{}", found.join("\n"));
}

/// One file of core.
struct Source(String);

impl Source {
    fn new(source: &str) -> Self {
        Self(rust_source::without_tests(&rust_source::code(source)))
    }

    /// Types and traits declared here that are not public.
    fn private_names(&self) -> Vec<String> {
        let declares = |word: &Word<'_>| matches!(word.text, "struct" | "enum" | "trait" | "type" | "union");
        let words: Vec<_> = words(&self.0).collect();
        let declared = words.windows(2).enumerate().filter(|(_, pair)| declares(&pair[0]));
        let is_public = |at: usize| at > 0 && words[at - 1].text == "pub";
        declared.filter(|(at, _)| !is_public(*at)).map(|(_, pair)| pair[1].text.to_owned()).collect()
    }

    /// What is said in public.
    fn signatures(&self, private: &BTreeSet<String>) -> Vec<String> {
        let mut found = Vec::new();
        for word in words(&self.0) {
            let rest = &self.0[word.at..];
            match word.text {
                "pub" if !rest[3..].starts_with('(') => found.push(public_item(rest)),
                "impl" if starts_item(&self.0[..word.at]) => found.extend(implementation(rest, private)),
                _ => {}
            }
        }
        found
    }

    fn foreign(&self, foreign: &BTreeSet<String>, private: &BTreeSet<String>) -> Vec<String> {
        let modules: BTreeSet<_> = self.modules().collect();
        let foreign: BTreeSet<_> =
            foreign.iter().map(String::as_str).filter(|name| !modules.contains(name)).collect();
        let imported = self.imported(&foreign);
        let mut found = Vec::new();
        for signature in self.signatures(private) {
            for word in words(&signature) {
                let (before, after) = (&signature[..word.at], &signature[word.at + word.text.len()..]);
                let is_root =
                    !before.ends_with("::") || before.trim_end_matches("::").ends_with([' ', '<', '(', '&']);
                let is_path = after.trim_start().starts_with("::");
                if is_root && ((is_path && foreign.contains(word.text)) || imported.contains(word.text)) {
                    let signature: Vec<_> = signature.split_whitespace().collect();
                    found.push(format!("`{}` in `{}`", word.text, signature.join(" ")));
                }
            }
        }
        found
    }

    /// Modules declared here, which hide a crate of the same name.
    fn modules(&self) -> impl Iterator<Item = &str> {
        let words: Vec<_> = words(&self.0).collect();
        let modules: Vec<_> =
            words.windows(2).filter(|pair| pair[0].text == "mod").map(|pair| pair[1].text).collect();
        modules.into_iter()
    }

    /// The names that `use` brings in from these crates: for `a::{b, c::D as E}` they are b, D and E (one too
    /// many, which does no harm).
    fn imported(&self, crates: &BTreeSet<&str>) -> BTreeSet<&str> {
        let mut names = BTreeSet::new();
        for word in words(&self.0).filter(|word| word.text == "use" && starts_use(&self.0[..word.at])) {
            let rest = &self.0[word.at + 3..];
            let statement = &rest[..rest.find(';').unwrap_or(rest.len())];
            let mut parts = words(statement);
            if parts.next().is_some_and(|root| crates.contains(root.text)) {
                let is_last =
                    |word: &Word<'_>| !statement[word.at + word.text.len()..].trim_start().starts_with("::");
                names.extend(
                    parts
                        .filter(is_last)
                        .map(|word| word.text)
                        .filter(|name| !matches!(*name, "as" | "self")),
                );
            }
        }
        names
    }
}

/// The part of a public item, or of a public field, that others can see.
fn public_item(item: &str) -> String {
    let mut kind = words(item).map(|word| word.text).skip(1);
    match kind.find(|word| !matches!(*word, "const" | "unsafe" | "async" | "extern")) {
        Some("enum") => item[..body(item).map_or(item.len(), |body| body.end)].to_owned(),
        Some("trait") => trait_signatures(item),
        Some("struct") => public_struct(item),
        Some("fn" | "use" | "mod" | "type" | "static" | "union" | "macro") => {
            header(item, "{;").replace("pub use", "use")
        }
        // A constant, or a field.
        _ => header(item, ",;{}").to_owned(),
    }
}

/// A tuple struct's private fields are left out; other fields are found by their own `pub`.
fn public_struct(item: &str) -> String {
    let header = header(item, "{;");
    let Some(open) = header.find('(') else { return header.to_owned() };
    let close = open + matching(&header[open..], '(', ')');
    let fields = split_top_level(&header[open + 1..close]);
    let public: Vec<_> = fields.into_iter().filter(|field| field.trim_start().starts_with("pub ")).collect();
    format!("{} {} {}", &header[..open], public.join(","), &header[close..])
}

/// A trait without the bodies of its provided methods.
fn trait_signatures(item: &str) -> String {
    let Some(body) = body(item) else { return header(item, ";").to_owned() };
    let mut rest = &item[body.start + 1..body.end - 1];
    let mut text = item[..body.start].to_owned();
    while let Some(open) = rest.find('{') {
        text.push_str(&rest[..open]);
        text.push(';');
        rest = &rest[open + matching(&rest[open..], '{', '}') + 1..];
    }
    text + rest
}

/// The header of an `impl` and its associated types, unless the type or the trait is known to be private.
fn implementation(item: &str, private: &BTreeSet<String>) -> Vec<String> {
    let header = header(item, "{");
    let (of, implementer) = header.split_once(" for ").unwrap_or(("", header.trim_start_matches("impl")));
    let without_generics = |text: &str| match text.trim_start().strip_prefix('<') {
        Some(_) => text.trim_start()[matching(text.trim_start(), '<', '>') + 1..].to_owned(),
        None => text.to_owned(),
    };
    let is_name =
        |word: &Word<'_>, text: &str| !matches!(word.text, "mut" | "dyn") && !text[..word.at].ends_with('\'');
    let named = |text: &str| {
        words(text).find(|word| is_name(word, text)).is_some_and(|word| private.contains(word.text))
    };
    if named(&without_generics(implementer)) || named(&without_generics(of.trim_start_matches("impl"))) {
        return Vec::new();
    }
    let body = body(item).map_or("", |body| &item[body]);
    let types = words(body)
        .filter(|word| word.text == "type")
        .map(|word| self::header(&body[word.at..], ";").to_owned());
    std::iter::once(header.to_owned()).chain(types).collect()
}

/// The text up to the first of these characters.
fn header<'a>(item: &'a str, ends: &str) -> &'a str {
    &item[..item.find(|c| ends.contains(c)).unwrap_or(item.len())]
}

/// Where the first block is, its braces included.
fn body(item: &str) -> Option<std::ops::Range<usize>> {
    let open = item.find('{')?;
    Some(open..open + matching(&item[open..], '{', '}') + 1)
}

/// Where the bracket that opens the text is closed. The arrow of a function type closes nothing.
fn matching(text: &str, open: char, close: char) -> usize {
    let mut depth = 0usize;
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        match c {
            c if c == open => depth += 1,
            c if c == close && !(close == '>' && before == '-') => {
                depth -= 1;
                if depth == 0 {
                    return at;
                }
            }
            _ => {}
        }
        before = c;
    }
    text.len().saturating_sub(1)
}

fn split_top_level(text: &str) -> Vec<&str> {
    let mut depth = 0i32;
    let parts = text.split(|c| {
        depth += match c {
            '<' | '(' | '[' => 1,
            '>' | ')' | ']' => -1,
            _ => 0,
        };
        c == ',' && depth == 0
    });
    parts.collect()
}

/// Whether an item can begin after this text, as `impl Trait` in an argument cannot.
fn starts_item(before: &str) -> bool {
    let before = before.trim_end();
    before.is_empty() || before.ends_with(['}', ';', '{', ']']) || before.ends_with("unsafe")
}

fn starts_use(before: &str) -> bool {
    starts_item(before) || before.trim_end().ends_with("pub") || before.trim_end().ends_with(')')
}

struct Word<'a> {
    at: usize,
    text: &'a str,
}

fn words(text: &str) -> impl Iterator<Item = Word<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + text[at..].find(is_word)?;
        let length = text[start..].find(|c| !is_word(c)).unwrap_or(text.len() - start);
        at = start + length;
        Some(Word { at: start, text: &text[start..at] })
    })
}

#[test]
fn what_is_public_is_seen() {
    for public in [
        "pub fn f(a: jwt::Key) {}",
        "pub fn f() -> Result<(), ::jwt::Error> {}",
        "use jwt::{Key, errors::Error as E}; pub async fn f<T>(a: &T) -> E where T: Copy, {}",
        "pub struct A(pub jwt::Key);",
        "pub struct A<T: jwt::Signer> { a: T }",
        "pub struct A { a: u8, pub b: Option<jwt::Key> }",
        "pub enum A { B, C { d: jwt::Key } }",
        "pub trait A { fn a(&self) -> u8 { 1 } fn b(&self) -> jwt::Key; }",
        "pub struct A; impl From<jwt::Key> for A {}",
        "pub struct A; impl<F: Fn() -> u8> Iterator for A<F> { type Item = jwt::Key; }",
        "pub use jwt::Key;",
        "mod a { pub use jwt as b; }",
        "pub type A = jwt::Key;",
        "pub const A: jwt::Key = 1;",
        "impl crate::A for jwt::Key {}",
    ] {
        assert!(!foreign(public).is_empty(), "missed in {public}");
    }
}

#[test]
fn what_is_private_may_name_anything() {
    for private in [
        "fn f(a: jwt::Key) {}",
        "pub(crate) fn f(a: jwt::Key) {}",
        "pub fn f() { jwt::sign() }",
        "use jwt::Key; pub fn f() { Key::new() }",
        "pub struct A(jwt::Key);",
        "pub struct A { a: jwt::Key, pub b: u8 }",
        "pub trait A { fn a(&self) -> u8 { jwt::sign() } }",
        "struct A; impl From<jwt::Key> for A {}",
        "struct A<T>(T); impl<T> From<jwt::Key> for A<T> {}",
        "struct A; impl jwt::Sign for &mut A {}",
        "struct A; impl<'a> jwt::Sign for &'a A {}",
        "trait A {} impl A for jwt::Key {}",
        "pub struct A; impl A { fn f(&self, a: jwt::Key) {} }",
        "pub struct Key; pub fn f(a: Key) {}",
        "mod jwt; pub use jwt::Key;",
        "pub fn f(a: crate::jwt::Key) {}",
        "/// [`jwt::Key`]\npub fn f(a: u8) {}",
        "#[cfg(test)] mod tests { pub fn f(a: jwt::Key) {} }",
    ] {
        assert_eq!(foreign(private), [""; 0], "in {private}");
    }
}

fn foreign(source: &str) -> Vec<String> {
    let source = Source::new(source);
    let private = source.private_names().into_iter().collect();
    source.foreign(&BTreeSet::from(["jwt".into()]), &private)
}
