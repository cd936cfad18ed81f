//! `oidc-provider` from npm: one process for all tests, which ends with them.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use session_test_servers::requirements::{leave_out, program};

const SCRIPT: &str = include_str!("provider.mjs");
const PACKAGE: &str = include_str!("package.json");
/// Versions and hashes of everything that runs here.
const LOCK: &str = include_str!("package-lock.json");

/// A provider that listens. It ends when its input ends, however this process does.
struct Provider {
    address: SocketAddr,
    _process: Child,
}

/// Where the provider of the tests listens. `None` says that the test is left out.
pub(crate) fn provider() -> Option<SocketAddr> {
    static PROVIDER: OnceLock<Result<Provider, String>> = OnceLock::new();
    let node = program("node", "nodejs")?;
    let npm = program("npm", "npm")?;
    match PROVIDER.get_or_init(|| Ok(Provider::start(&node, &install(&npm)?))) {
        Ok(provider) => Some(provider.address),
        Err(why) => {
            leave_out(why);
            None
        }
    }
}

impl Provider {
    fn start(node: &Path, folder: &Path) -> Self {
        let mut process = Command::new(node)
            .args(["--input-type=module", "--eval", SCRIPT])
            // What the script imports is looked for here.
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node to start");
        let mut issuer = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut issuer).unwrap();
        let address = issuer.trim().strip_prefix("http://").and_then(|address| address.parse().ok());
        Self { address: address.expect("the provider to listen"), _process: process }
    }
}

/// A folder in the build directory with what the lock file says, installed now unless it is there. Runs in parallel do not
/// meet: each installs into a folder of its own and moves the whole into place, and the first one wins.
fn install(npm: &Path) -> Result<PathBuf, String> {
    let build = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let place = build.join("oidc-provider");
    if is_current(&place) {
        return Ok(place);
    }
    std::fs::create_dir_all(build).unwrap();
    let aside = tempfile::tempdir_in(build).unwrap();
    let folder = aside.path().join("oidc-provider");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("package.json"), PACKAGE).unwrap();
    std::fs::write(folder.join("package-lock.json"), LOCK).unwrap();
    let output = Command::new(npm)
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"])
        .current_dir(&folder)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("npm does not start: {error}"))?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        return Err(format!("npm could not install oidc-provider: {}", why.trim()));
    }
    // One of an older lock file gives way.
    let _ = std::fs::rename(&place, aside.path().join("before"));
    let moved = std::fs::rename(&folder, &place);
    assert!(is_current(&place), "{moved:?}");
    Ok(place)
}

fn is_current(place: &Path) -> bool {
    std::fs::read_to_string(place.join("package-lock.json")).is_ok_and(|lock| lock == LOCK)
}
