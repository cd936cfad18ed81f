//! Rust source as the other tests read it: parsed, without documentation and without what is under `#[cfg(test)]`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::visit_mut::{self, VisitMut};
use syn::{Attribute, Item, Meta};

/// Every `.rs` file below `folder`, build output left out.
pub(super) fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in
            std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                folders.push(path);
            } else if name.ends_with(".rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// The files below `folder` that are in the product: without those of modules under `#[cfg(test)]`.
pub(super) fn product_files(folder: &Path) -> Vec<PathBuf> {
    let files = rust_files(folder);
    let test_modules: Vec<PathBuf> = files.iter().flat_map(|file| test_modules(file)).collect();
    let in_tests = |file: &Path| test_modules.iter().any(|module| file.starts_with(module));
    files.into_iter().filter(|file| !in_tests(file) && !in_tests(&file.with_extension(""))).collect()
}

/// Where the modules are that this file declares under `#[cfg(test)]`, without `.rs`.
fn test_modules(file: &Path) -> Vec<PathBuf> {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let parent = file.parent().unwrap();
    let folder = match stem.as_str() {
        "lib" | "main" | "mod" => parent.to_path_buf(),
        stem => parent.join(stem),
    };
    let items = syn::parse_file(&read(file)).unwrap().items.into_iter();
    let modules = items.filter_map(|item| match item {
        Item::Mod(module) if module.content.is_none() && is_for_tests(&module.attrs) => Some(module.ident),
        _ => None,
    });
    modules.map(|name| folder.join(name.to_string())).collect()
}

pub(super) fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The source as the product has it.
pub(super) fn product(source: &str) -> syn::File {
    let mut file = syn::parse_file(source).unwrap_or_else(|error| panic!("{error} in {source}"));
    Product.visit_file_mut(&mut file);
    file
}

/// Takes out tests and documentation.
struct Product;

impl VisitMut for Product {
    fn visit_file_mut(&mut self, file: &mut syn::File) {
        file.items.retain(|item| !is_for_tests(attributes(item)));
        visit_mut::visit_file_mut(self, file);
    }

    fn visit_item_mod_mut(&mut self, module: &mut syn::ItemMod) {
        if let Some((_, items)) = &mut module.content {
            items.retain(|item| !is_for_tests(attributes(item)));
        }
        visit_mut::visit_item_mod_mut(self, module);
    }

    fn visit_attributes_mut(&mut self, attributes: &mut Vec<Attribute>) {
        attributes.retain(|attribute| !attribute.path().is_ident("doc"));
    }
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) => {
            let condition = list.tokens.to_string();
            list.path.is_ident("cfg") && (condition == "test" || condition.contains("doctest"))
        }
        _ => false,
    })
}

/// How many lines have code on them.
pub(super) fn count_code_lines(file: &syn::File) -> usize {
    let mut lines = BTreeSet::new();
    note_lines(file.to_token_stream(), &mut lines);
    lines.len()
}

fn note_lines(tokens: TokenStream, lines: &mut BTreeSet<usize>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                lines.extend([group.span_open().start().line, group.span_close().end().line]);
                note_lines(group.stream(), lines);
            }
            other => lines.extend([other.span().start().line, other.span().end().line]),
        }
    }
}

/// The code as text, in which a path is written as usual.
pub(super) fn code(file: &syn::File) -> String {
    file.to_token_stream().to_string().replace(" :: ", "::")
}

/// Whether there is a function of that name, also in what a macro gets.
pub(super) fn has_function(tokens: TokenStream, name: &str) -> bool {
    let mut is_named_next = false;
    tokens.into_iter().any(|token| {
        let is_named = std::mem::replace(&mut is_named_next, false);
        match token {
            TokenTree::Ident(word) => {
                is_named_next = word == "fn";
                is_named && word == name
            }
            TokenTree::Group(group) => has_function(group.stream(), name),
            _ => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_found_wherever_it_is_but_in_words() {
        let found = |source: &str| has_function(source.parse().unwrap(), "f");
        for source in ["fn f() {}", "mod m { pub async fn f<T>() {} }", "tests! { #[test] fn f() {} }"] {
            assert!(found(source), "{source}");
        }
        for source in ["// fn f()", "/// fn f()\nfn g() {}", "fn g() { f(); \"fn f()\"; }", "fn ff() {}"] {
            assert!(!found(source), "{source}");
        }
    }

    #[test]
    fn only_code_counts() {
        let source = r##"
//! Docs.
use a::b; // why

/* a /* nested */ comment
   of two lines */
fn f<'a>(x: &'a str) -> char {
    /* first */ '"'
}
#[cfg(test)]
mod tests {
    fn g() { "}" }
}
#[cfg(test)]
mod elsewhere;
/// More docs.
fn h() {}
"##;
        let file = product(source);
        assert_eq!(count_code_lines(&file), 5);
        assert!(code(&file).starts_with("use a::b ;"));
        assert!(!code(&file).contains("tests"));
    }
}
