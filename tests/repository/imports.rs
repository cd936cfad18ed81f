//! One direction among the files of a crate: no two import each other, by whatever way around.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};
use syn::{ItemUse, UseTree, Visibility};

use super::root;
use super::source::{product, product_files, read};

/// The crates whose files are looked at.
const CRATES: [&str; 8] = [
    "session-core",
    "session-axum",
    "session-actix",
    "session-rocket",
    "session-import",
    "stores/session-store-redis",
    "stores/session-store-sqlx",
    "stores/session-store-conformance",
];

/// A module's path within its crate: `["mode", "tracked", "open"]`.
type Module = Vec<String>;

/// What each file of a crate imports from others. A re-export ties nothing: who imports by it is tied to where the name
/// is passed on.
struct Imports {
    files: BTreeMap<Module, PathBuf>,
    tied: BTreeMap<Module, BTreeSet<Module>>,
    /// Names that are imported from the crate's root, where none is defined.
    through_root: Vec<String>,
}

impl Imports {
    fn of(source: &Path) -> Self {
        let files: BTreeMap<Module, PathBuf> =
            product_files(source).into_iter().map(|file| (module_of(source, &file), file)).collect();
        let mut imports = Self { files, tied: BTreeMap::new(), through_root: Vec::new() };
        for (module, file) in imports.files.clone() {
            let mut uses = Uses { here: module.clone(), found: Vec::new() };
            uses.visit_file(&product(&read(&file)));
            for path in uses.found {
                imports.tie(&module, path);
            }
        }
        imports
    }

    fn tie(&mut self, from: &Module, mut path: Module) {
        if !from.is_empty() && path.len() == 1 {
            self.through_root.push(format!("{}: {}", from.join("::"), path[0]));
        }
        while !self.files.contains_key(&path) {
            path.pop();
        }
        if path != *from && !path.is_empty() {
            self.tied.entry(from.clone()).or_default().insert(path);
        }
    }

    /// Every module that leads back to itself.
    fn circles(&self) -> Vec<String> {
        let leads_back = |start: &Module| {
            let (mut seen, mut open) = (BTreeSet::new(), vec![start]);
            while let Some(module) = open.pop() {
                for next in self.tied.get(module).into_iter().flatten() {
                    if next == start {
                        return true;
                    }
                    if seen.insert(next) {
                        open.push(next);
                    }
                }
            }
            false
        };
        self.files.keys().filter(|module| leads_back(module)).map(|module| module.join("::")).collect()
    }
}

/// The paths of a file's `use` items that lie within the crate, re-exports left out.
struct Uses {
    here: Module,
    found: Vec<Module>,
}

impl Uses {
    fn walk(&mut self, tree: &UseTree, mut path: Module) {
        match tree {
            UseTree::Path(part) => {
                path.push(part.ident.to_string());
                self.walk(&part.tree, path);
            }
            UseTree::Name(name) => self.take(path, &name.ident.to_string()),
            UseTree::Rename(rename) => self.take(path, &rename.ident.to_string()),
            UseTree::Glob(_) => self.take(path, "*"),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.walk(tree, path.clone())),
        }
    }

    fn take(&mut self, mut path: Module, name: &str) {
        path.push(name.to_owned());
        let supers = path.iter().take_while(|part| *part == "super").count();
        let inside = match path[0].as_str() {
            "crate" => path.split_off(1),
            "self" => [self.here.clone(), path.split_off(1)].concat(),
            "super" => {
                let above = &self.here[..self.here.len().saturating_sub(supers)];
                [above.to_vec(), path.split_off(supers)].concat()
            }
            _ => return,
        };
        self.found.push(inside);
    }
}

impl<'ast> Visit<'ast> for Uses {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        self.here.push(module.ident.to_string());
        visit::visit_item_mod(self, module);
        self.here.pop();
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if matches!(item.vis, Visibility::Inherited) {
            self.walk(&item.tree, Vec::new());
        }
        visit::visit_item_use(self, item);
    }
}

fn module_of(source: &Path, file: &Path) -> Module {
    let inside = file.strip_prefix(source).unwrap().with_extension("");
    let mut module: Module =
        inside.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
    if module.last().is_some_and(|last| last == "mod" || last == "lib") {
        module.pop();
    }
    module
}

#[test]
fn no_two_files_import_each_other() {
    for name in CRATES {
        let imports = Imports::of(&root().join(name).join("src"));
        assert!(imports.files.len() > 3, "{name}: are its files still found?");
        assert_eq!(imports.circles(), [""; 0], "{name}");
    }
}

#[test]
fn nothing_is_imported_through_the_root_of_core() {
    let imports = Imports::of(&root().join("session-core").join("src"));
    assert_eq!(imports.through_root, [""; 0]);
}
