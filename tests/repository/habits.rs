//! What every package of the workspace does.

use super::{
    rust_source,
    workspace::{self, Workspace, shown},
};

#[test]
fn every_member_has_the_lints_of_the_workspace() {
    for (name, package) in Workspace::get().members() {
        let manifest = std::fs::read_to_string(&package.manifest_path).expect("a readable manifest");
        let mut lines = manifest.lines().skip_while(|line| line.trim() != "[lints]").skip(1);
        assert_eq!(lines.next().map(str::trim), Some("workspace = true"), "[lints] of {name}");
    }
}

#[test]
fn every_member_has_the_version_and_licence_of_the_workspace() {
    for (name, package) in Workspace::get().members() {
        assert_eq!(package.version, *Workspace::get().version(), "version of {name}");
        assert_eq!(package.license.as_deref(), Some("MIT OR Apache-2.0"), "licence of {name}");
        assert_eq!(package.edition.as_str(), "2024", "edition of {name}");
    }
}

#[test]
fn no_test_is_ignored() {
    for file in workspace::files(workspace::root(), ".rs") {
        let code = rust_source::code(&std::fs::read_to_string(&file).expect("a readable file"));
        let code: String = code.split_whitespace().collect();
        assert!(!code.contains("#[ignore"), "{} has an ignored test", shown(&file));
    }
}

#[test]
fn unsafe_code_is_forbidden() {
    let manifest = workspace::read("Cargo.toml");
    assert!(
        manifest.lines().any(|line| line.trim() == "unsafe_code = \"forbid\""),
        "unsafe code is not forbidden"
    );
}

#[test]
fn both_licences_are_there() {
    assert!(workspace::read("LICENSE-MIT").contains("Permission is hereby granted, free of charge"));
    assert!(workspace::read("LICENSE-APACHE").contains("Version 2.0, January 2004"));
}
