//! The repository itself: who may depend on whom, how long adapters are, what core's API names, what README.md and
//! SECURITY.md say.

mod architecture;
mod features;
mod fuzz;
mod guide;
mod imports;
mod package;
mod public_api;
mod readme;
mod security;
mod source;

use std::path::PathBuf;

/// The folder with the workspace's Cargo.toml.
fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}
