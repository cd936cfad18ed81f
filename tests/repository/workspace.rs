//! The workspace as cargo sees it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use cargo_metadata::{
    CargoOpt, DependencyKind, Metadata, MetadataCommand, Package, PackageId, semver::Version,
};

/// The folder of the workspace's `Cargo.toml`.
pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the workspace")
}

/// The text of a file, named from the root.
pub(super) fn read(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Packages, and what each depends on with all features on this platform.
pub(super) struct Workspace(Metadata);

/// Which dependencies of a package to look at.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Kinds {
    /// Normal and build dependencies: what a user of the package gets.
    Used,
    /// Those, and the development dependencies of the package itself.
    UsedAndDevelopment,
}

impl Workspace {
    pub(super) fn get() -> &'static Self {
        static WORKSPACE: LazyLock<Workspace> = LazyLock::new(|| {
            let mut command = MetadataCommand::new();
            command.manifest_path(root().join("Cargo.toml")).features(CargoOpt::AllFeatures);
            // Without a platform cargo would want the sources of Windows' crates, too.
            command.other_options(["--locked".into(), "--filter-platform".into(), host()]);
            Workspace(command.exec().unwrap_or_else(|error| panic!("cargo metadata: {error}")))
        });
        &WORKSPACE
    }

    /// The members by name.
    pub(super) fn members(&self) -> BTreeMap<&str, &Package> {
        self.0.workspace_packages().into_iter().map(|package| (package.name.as_str(), package)).collect()
    }

    /// The names of what the member itself depends on.
    pub(super) fn direct(&self, package: &Package, kinds: Kinds) -> BTreeSet<&str> {
        self.edges(&package.id, kinds).into_iter().map(|id| self.0[id].name.as_str()).collect()
    }

    /// Everything the package depends on, in the end; itself left out.
    pub(super) fn all(&self, package: &Package, kinds: Kinds) -> Vec<&Package> {
        let mut found = self.edges(&package.id, kinds);
        let mut at = 0;
        while at < found.len() {
            for id in self.edges(found[at], Kinds::Used) {
                if !found.contains(&id) {
                    found.push(id);
                }
            }
            at += 1;
        }
        found.into_iter().map(|id| &self.0[id]).collect()
    }

    /// The version in `[workspace.package]`, which every member has.
    pub(super) fn version(&self) -> &Version {
        &self.members()["session-core"].version
    }

    fn edges(&self, package: &PackageId, kinds: Kinds) -> Vec<&PackageId> {
        let resolve = self.0.resolve.as_ref().expect("a resolved graph");
        let node = resolve.nodes.iter().find(|node| node.id == *package).expect("the package in the graph");
        let counts = |kind| match kind {
            DependencyKind::Normal | DependencyKind::Build => true,
            _ => kinds == Kinds::UsedAndDevelopment,
        };
        let counts =
            |dependency: &&cargo_metadata::NodeDep| dependency.dep_kinds.iter().any(|info| counts(info.kind));
        node.deps.iter().filter(counts).map(|dependency| &dependency.pkg).collect()
    }
}

/// The folder of a member's `Cargo.toml`.
pub(super) fn folder(package: &Package) -> PathBuf {
    package.manifest_path.parent().expect("a manifest is in a folder").into()
}

/// Every file below a folder whose name ends like this, build output left out.
pub(super) fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else { return found };
    for path in entries.map(|entry| entry.expect("a readable folder").path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            found.extend(files(&path, ending));
        } else if name.ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// How a file is called in a message.
pub(super) fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

fn host() -> String {
    let output = Command::new(env!("CARGO")).arg("-vV").output().expect("cargo");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines().find_map(|line| line.strip_prefix("host: ")).expect("a host").to_owned()
}
