//! The guide "Writing an adapter" builds one for poem: its own text is compiled, and the adapter asked.

use std::process::Command;

use super::root;

/// A build of its own, since nothing else here wants poem.
#[test]
fn the_adapter_of_the_guide_does_what_an_adapter_must() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["test", "--locked", "--manifest-path"])
        .arg(root().join("tests/guide-adapter/Cargo.toml"))
        .arg("--target-dir")
        .arg(root().join("target/guide-adapter"))
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success(), "{}{}", said[0], said[1]);
    assert!(said[0].contains("3 passed"), "{}", said[0]);
}
