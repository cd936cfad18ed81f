//! The fuzz targets: a build of its own, run by `fuzz/run`.

use std::collections::BTreeSet;
use std::fs;

use super::root;
use super::source::{has_function, read};

/// As the manifest lists them, which is what `fuzz/run` runs.
fn targets() -> BTreeSet<String> {
    let manifest = read(&root().join("fuzz/Cargo.toml"));
    let programs = manifest.split("[[bin]]").skip(1);
    programs.map(|program| program.split('"').nth(1).expect("a name").to_owned()).collect()
}

#[test]
fn every_target_has_a_function_a_program_a_small_corpus_and_a_row_for_people() {
    let contributing = read(&root().join("CONTRIBUTING.md"));
    let targets = targets();
    assert!(targets.len() >= 7, "{targets:?}");
    for target in targets {
        let folder = root().join("fuzz");
        let files = [folder.join(format!("src/{target}.rs")), folder.join(format!("src/{target}/mod.rs"))];
        let source = files.iter().find_map(|file| fs::read_to_string(file).ok()).expect("a file of its own");
        assert!(has_function(source.parse().unwrap(), &target), "{target} has no function");
        let program = read(&folder.join(format!("fuzz_targets/{target}.rs")));
        assert!(program.contains(&format!("session_fuzz::{target}(")), "{target}: {program}");
        let inputs = fs::read_dir(folder.join("corpus").join(&target)).expect("a corpus");
        let sizes: Vec<_> = inputs.map(|input| input.unwrap().metadata().unwrap().len()).collect();
        let total: u64 = sizes.iter().sum();
        assert!(sizes.len() >= 10 && total < 64 * 1024, "{target}: {} inputs, {total} bytes", sizes.len());
        assert!(
            contributing.contains(&format!("| `{target}` |")),
            "CONTRIBUTING.md knows no target {target}"
        );
    }
}
