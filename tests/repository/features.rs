//! What other crates of a program may switch on: features of our dependencies hold for the whole build.

use std::process::Command;

use super::root;

/// A build of its own, since nothing else in this workspace wants these features.
#[test]
fn a_payload_is_read_back_or_refused_whatever_features_serde_json_has() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["test", "--manifest-path"])
        .arg(root().join("tests/serde-json-features/Cargo.toml"))
        .arg("--target-dir")
        .arg(root().join("target/serde-json-features"))
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success(), "{}{}", said[0], said[1]);
    assert!(said[0].contains("4 passed"), "{}", said[0]);
}
