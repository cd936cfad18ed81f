//! Takes the code out of the guide: the last block is a service, those before it are the adapter.

use std::path::Path;

const GUIDE: &str = "../../session-core/guides/adapter.md";

fn main() {
    println!("cargo:rerun-if-changed={GUIDE}");
    let guide = std::fs::read_to_string(GUIDE).expect("the guide");
    let mut blocks: Vec<&str> = guide
        .split("```rust,ignore\n")
        .skip(1)
        .map(|rest| rest.split("```").next().expect("a block"))
        .collect();
    assert!(blocks.len() >= 3, "the guide's code is no longer marked as this expects");
    let service = blocks.pop().expect("a service");
    let out = std::env::var("OUT_DIR").expect("OUT_DIR");
    std::fs::write(Path::new(&out).join("lib.rs"), blocks.concat()).expect("lib.rs");
    std::fs::write(Path::new(&out).join("main.rs"), service).expect("main.rs");
}
