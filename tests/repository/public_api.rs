//! Core's public API names no type of a crate whose versions its users could disagree on: of other crates it names only
//! what is on a list.

use std::sync::LazyLock;

use cargo_metadata::MetadataCommand;
use quote::ToTokens;
use syn::visit::{self, Visit};
use syn::{Fields, ImplItem, Item, ItemImpl, ItemUse, TraitItem, Type, UseTree, Visibility};

use super::root;
use super::source::{product, product_files, read};

/// What core's public API may name of other crates: the traits of serde that a payload implements, a JSON value, and the
/// points in time that the application's own code has.
const ALLOWED: [&str; 4] = ["serde", "serde_json", "async_trait", "time"];
/// Not among core's dependencies, and none of them may get into its API with one.
const FRAMEWORKS: [&str; 11] = [
    "cookie",
    "tokio",
    "axum",
    "actix_web",
    "rocket",
    "hyper",
    "tower_layer",
    "tower_service",
    "sqlx",
    "redis",
    "futures",
];

/// What one file's public items name of foreign crates. An item is public if it says `pub` and no restriction, if it is
/// in a public trait or enum, or if it is the head of an implementation, but for one of a type that the file keeps to
/// the crate.
#[derive(Default)]
struct PublicApi {
    /// Names that `use` brings in from foreign crates, with their paths.
    imported: Vec<(String, String)>,
    /// Modules of the file's own, which may be called as a crate is.
    modules: Vec<String>,
    /// Types and traits of the file's own that are not public.
    private: Vec<String>,
    items: usize,
    leaks: Vec<String>,
}

impl PublicApi {
    fn of(source: &str) -> Self {
        let file = product(source);
        let mut api = Self::default();
        for item in &file.items {
            match item {
                Item::Use(item) => api.import(&item.tree, &mut Vec::new()),
                Item::Mod(item) => api.modules.push(item.ident.to_string()),
                Item::Struct(item) if !is_public(&item.vis) => api.private.push(item.ident.to_string()),
                Item::Enum(item) if !is_public(&item.vis) => api.private.push(item.ident.to_string()),
                Item::Trait(item) if !is_public(&item.vis) => api.private.push(item.ident.to_string()),
                _ => {}
            }
        }
        file.items.iter().for_each(|item| api.item(item));
        api
    }

    fn import(&mut self, tree: &UseTree, path: &mut Vec<String>) {
        match tree {
            UseTree::Path(part) => {
                path.push(part.ident.to_string());
                self.import(&part.tree, path);
                path.pop();
            }
            UseTree::Name(name) => self.imported_as(&name.ident.to_string(), path),
            UseTree::Rename(rename) => self.imported_as(&rename.rename.to_string(), path),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.import(tree, path)),
            _ => {}
        }
    }

    fn imported_as(&mut self, name: &str, path: &[String]) {
        if path.first().is_some_and(|first| is_foreign(first)) {
            self.imported.push((name.to_owned(), path.join("::")));
        }
    }

    fn item(&mut self, item: &Item) {
        match item {
            Item::Use(item) if is_public(&item.vis) => self.export(item),
            Item::Fn(item) if is_public(&item.vis) => self.part(|api| api.visit_signature(&item.sig)),
            Item::Const(item) if is_public(&item.vis) => self.part(|api| api.visit_type(&item.ty)),
            Item::Static(item) if is_public(&item.vis) => self.part(|api| api.visit_type(&item.ty)),
            Item::Type(item) if is_public(&item.vis) => self.part(|api| api.visit_item_type(item)),
            Item::Enum(item) if is_public(&item.vis) => self.part(|api| api.visit_item_enum(item)),
            Item::Struct(item) if is_public(&item.vis) => {
                self.part(|api| api.visit_generics(&item.generics));
                self.fields(&item.fields);
            }
            Item::Trait(item) if is_public(&item.vis) => {
                self.part(|api| {
                    api.visit_generics(&item.generics);
                    item.supertraits.iter().for_each(|bound| api.visit_type_param_bound(bound));
                });
                item.items.iter().for_each(|item| self.trait_item(item));
            }
            Item::Impl(item) => self.implementation(item),
            Item::Mod(item) => {
                item.content.iter().flat_map(|(_, items)| items).for_each(|item| self.item(item))
            }
            _ => {}
        }
    }

    /// Looks through one public item.
    fn part(&mut self, look: impl FnOnce(&mut Self)) {
        self.items += 1;
        look(self);
    }

    fn export(&mut self, item: &ItemUse) {
        self.items += 1;
        if let UseTree::Path(path) = &item.tree
            && is_foreign(&path.ident.to_string())
            && !self.modules.contains(&path.ident.to_string())
        {
            self.leaks.push(item.to_token_stream().to_string());
        }
    }

    fn fields(&mut self, fields: &Fields) {
        for field in fields.iter().filter(|field| is_public(&field.vis)) {
            self.part(|api| api.visit_type(&field.ty));
        }
    }

    /// Without bodies.
    fn trait_item(&mut self, item: &TraitItem) {
        match item {
            TraitItem::Fn(item) => self.part(|api| api.visit_signature(&item.sig)),
            TraitItem::Type(item) => self.part(|api| api.visit_trait_item_type(item)),
            TraitItem::Const(item) => self.part(|api| api.visit_type(&item.ty)),
            _ => {}
        }
    }

    fn implementation(&mut self, item: &ItemImpl) {
        let of_trait = item.trait_.as_ref().and_then(|(_, path, _)| path.get_ident());
        if self.is_private(&item.self_ty)
            || of_trait.is_some_and(|name| self.private.contains(&name.to_string()))
        {
            return;
        }
        self.part(|api| {
            api.visit_generics(&item.generics);
            if let Some((_, path, _)) = &item.trait_ {
                api.visit_path(path);
            }
            api.visit_type(&item.self_ty);
        });
        for member in &item.items {
            match member {
                ImplItem::Fn(member) if item.trait_.is_some() || is_public(&member.vis) => {
                    self.part(|api| api.visit_signature(&member.sig));
                }
                ImplItem::Type(member) => self.part(|api| api.visit_type(&member.ty)),
                ImplItem::Const(member) if is_public(&member.vis) => {
                    self.part(|api| api.visit_type(&member.ty))
                }
                _ => {}
            }
        }
    }

    fn is_private(&self, of: &Type) -> bool {
        let Type::Path(of) = of else { return false };
        of.path.segments.first().is_some_and(|name| self.private.contains(&name.ident.to_string()))
    }
}

impl<'ast> Visit<'ast> for PublicApi {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        if let Some(first) = path.segments.first().map(|segment| segment.ident.to_string()) {
            let imported =
                self.imported.iter().find(|(name, _)| *name == first).map(|(_, path)| path.clone());
            if is_foreign(&first) && path.segments.len() > 1 {
                self.leaks.push(path.to_token_stream().to_string());
            }
            self.leaks.extend(imported);
        }
        visit::visit_path(self, path);
    }
}

/// Whether this is a crate that the API must not name: everything that core depends on, but for the allowlist.
fn is_foreign(name: &str) -> bool {
    static DEPENDENCIES: LazyLock<Vec<String>> = LazyLock::new(|| {
        let manifest = root().join("session-core").join("Cargo.toml");
        let metadata =
            MetadataCommand::new().manifest_path(manifest).no_deps().exec().expect("cargo metadata");
        let core = metadata.packages.iter().find(|package| package.name.as_str() == "session-core");
        let dependencies = core.expect("core").dependencies.iter();
        dependencies.map(|dependency| dependency.name.replace('-', "_")).collect()
    });
    !ALLOWED.contains(&name)
        && (FRAMEWORKS.contains(&name) || DEPENDENCIES.iter().any(|dependency| dependency == name))
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

#[test]
fn core_names_no_foreign_type() {
    let mut items = 0;
    let source = root().join("session-core").join("src");
    // The one room for the types of the crate http, behind a feature of its own.
    let http = source.join("adapter").join("http.rs");
    for file in product_files(&source).into_iter().filter(|file| *file != http) {
        let api = PublicApi::of(&read(&file));
        items += api.items;
        assert!(api.leaks.is_empty(), "{}: {:#?}", file.display(), api.leaks);
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
        "pub struct S;\nimpl From<jsonwebtoken::Header> for S {\n}",
        "pub use redis::Client;",
        "pub type R = Result<(), sqlx::Error>;",
        "impl S {\n    pub async fn f(&self) -> axum::Router {\n    }\n}",
        "pub fn f<T: Into<http::HeaderMap>>() {}",
        "pub mod m { pub fn f(x: http::HeaderMap) {} }",
    ] {
        assert!(!PublicApi::of(source).leaks.is_empty(), "{source}");
    }
}

#[test]
fn the_check_leaves_private_things_alone() {
    for source in [
        "use http::HeaderMap;\nfn f(x: HeaderMap) {}",
        "pub(crate) fn f(x: http::HeaderMap) {}",
        "pub fn f() -> u8 {\n    let x: http::HeaderMap = y;\n    1\n}",
        "/// Unlike http::HeaderMap.\npub fn f() {}",
        "pub fn f() -> &'static str { \"http::HeaderMap\" }",
        "pub fn http() -> u8 { 1 }",
        "#[cfg(test)]\nmod tests {\n    pub fn f(x: http::HeaderMap) {}\n}",
        "pub struct S(pub(crate) u8);\nstruct T { key: jsonwebtoken::EncodingKey }",
        "impl S { fn f(&self, x: http::HeaderMap) {} }",
        "trait T {}\nimpl<M: http::Map> T for M {}",
        "pub(super) struct S<M>(M);\nimpl<M> jsonwebtoken::crypto::JwtSigner for S<M> {}",
    ] {
        assert_eq!(PublicApi::of(source).leaks, [""; 0], "{source}");
    }
}
