//! What a published crate holds.

use std::path::PathBuf;
use std::process::Command;

use cargo_metadata::MetadataCommand;

use super::root;
use super::source::product_files;

/// A crate that goes to crates.io.
pub(super) struct Published {
    name: String,
    pub(super) folder: PathBuf,
    metadata: cargo_metadata::Package,
}

pub(super) fn published() -> Vec<Published> {
    let metadata = MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .exec()
        .expect("cargo metadata");
    let packages =
        metadata.packages.into_iter().filter(|package| package.publish.as_deref() != Some(&[] as &[String]));
    let published = packages.map(|package| Published {
        name: package.name.to_string(),
        folder: package.manifest_path.parent().expect("a folder").into(),
        metadata: package,
    });
    published.collect()
}

impl Published {
    /// The files of the package, as cargo lists them.
    fn files(&self) -> Vec<String> {
        let output = Command::new(env!("CARGO"))
            .args(["package", "--list", "--allow-dirty", "--offline", "-p", &self.name])
            .current_dir(root())
            .output()
            .expect("cargo runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("paths").lines().map(str::to_owned).collect()
    }
}

#[test]
fn a_package_has_its_licences_and_a_readme() {
    for package in published() {
        let files = package.files();
        for needed in ["LICENSE-MIT", "LICENSE-APACHE", "README.md", "src/lib.rs"] {
            assert!(files.iter().any(|file| file == needed), "{} lacks {needed}", package.name);
        }
    }
}

#[test]
fn a_package_has_no_tests_and_no_test_keys() {
    for package in published() {
        let product = product_files(&package.folder.join("src"));
        for file in package.files() {
            // The guides are there for documentation and its tests alone.
            let is_source = file.starts_with("src/") && file.ends_with(".rs") && file != "src/guide.rs";
            let is_product = !is_source || product.contains(&package.folder.join(&file));
            let is_of_a_test =
                !is_product || file.split('/').any(|part| part == "tests") || file.ends_with(".pem");
            assert!(!is_of_a_test, "{} would publish {file}", package.name);
        }
    }
}

#[test]
fn a_package_says_what_it_is_and_shows_all_its_features() {
    for Published { name, metadata, .. } in published() {
        assert!(metadata.description.is_some_and(|text| text.ends_with('.')), "{name}: description");
        assert!((3..=5).contains(&metadata.keywords.len()), "{name}: keywords");
        assert!(!metadata.categories.is_empty(), "{name}: categories");
        assert!(metadata.repository.is_some(), "{name}: repository");
        let all_features = &metadata.metadata["docs"]["rs"]["all-features"];
        assert_eq!(all_features.as_bool(), Some(true), "{name}: docs.rs");
    }
}
