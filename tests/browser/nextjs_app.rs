//! The application of `examples/nextjs`: installed and built once, in the build directory, and started for each test.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;

use session_test_servers::requirements::{leave_out, program};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::harness::SECRET;

/// What it is made of.
const SOURCES: [&str; 7] =
    ["app", "lib", "next.config.ts", "package.json", "package-lock.json", "proxy.ts", "tsconfig.json"];
/// `next start`, until its input ends: however this process ends, that one does.
const START: &str = "process.stdin.on('end', () => process.exit()).resume();
    process.argv.splice(1, process.argv.length, 'next', 'start', '--port', '0', '--hostname', '127.0.0.1');
    require('next/dist/bin/next');";

/// The application, listening.
pub(super) struct NextApp {
    pub(super) port: u16,
    _process: Child,
}

impl NextApp {
    /// Beside the Rust service that listens there. `None` says that the test is left out.
    pub(super) async fn start(rust: SocketAddr) -> Option<Self> {
        let node = program("node", "nodejs")?;
        let folder = built()?;
        let mut process = Command::new(node)
            .args(["--eval", START])
            .current_dir(folder)
            .env("JWT_SECRET", SECRET)
            .env("RUST_ORIGIN", format!("http://{rust}"))
            .env("NEXT_TELEMETRY_DISABLED", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("node to start");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut port = None;
        while let Some(line) = lines.next_line().await.unwrap() {
            port = port.or_else(|| line.split_once("http://127.0.0.1:")?.1.trim().parse().ok());
            if line.contains("Ready") {
                break;
            }
        }
        // It goes on writing: nobody may close its output.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Some(Self { port: port.expect("Next.js to listen"), _process: process })
    }
}

/// The folder with the application, built now unless it is there. No other run builds while this process uses it.
pub(super) fn built() -> Option<&'static Path> {
    static BUILT: OnceLock<Result<(PathBuf, File), String>> = OnceLock::new();
    let npm = program("npm", "npm")?;
    match BUILT.get_or_init(|| build(&npm)) {
        Ok((folder, _)) => Some(folder),
        Err(why) => {
            leave_out(why);
            None
        }
    }
}

fn build(npm: &Path) -> Result<(PathBuf, File), String> {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("nextjs");
    fs::create_dir_all(&place).unwrap();
    let lock = File::create(place.join("lock")).unwrap();
    loop {
        lock.lock_shared().unwrap();
        if is_current(&place) {
            return Ok((place, lock));
        }
        // Whoever comes first builds; the others look again.
        lock.unlock().unwrap();
        lock.lock().unwrap();
        if !is_current(&place) {
            build_in(&place, npm)?;
        }
        lock.unlock().unwrap();
    }
}

fn build_in(place: &Path, npm: &Path) -> Result<(), String> {
    let installed = place.join("installed");
    for name in SOURCES {
        let _ = fs::remove_dir_all(place.join(name));
        files_below(&example().join(name), &mut |file| {
            let to = place.join(file.strip_prefix(example()).unwrap());
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(file, to).unwrap();
        });
    }
    let wanted = fs::read_to_string(place.join("package-lock.json")).unwrap();
    if !fs::read_to_string(&installed).is_ok_and(|there| there == wanted) {
        run(npm, place, &["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"])?;
        fs::write(&installed, wanted).unwrap();
    }
    run(npm, place, &["run", "build"])?;
    fs::write(place.join("built"), all_sources()).unwrap();
    Ok(())
}

fn run(npm: &Path, place: &Path, arguments: &[&str]) -> Result<(), String> {
    let output = std::process::Command::new(npm)
        .args(arguments)
        .current_dir(place)
        .env("NEXT_TELEMETRY_DISABLED", "1")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("npm does not start: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let what = arguments.join(" ");
    let said = String::from_utf8_lossy(&said).into_owned();
    // Without a network nothing is installed; what does not build is a fault of the example.
    assert_eq!(arguments.first(), Some(&"ci"), "npm {what}: {said}");
    Err(format!("npm {what} for examples/nextjs: {}", said.trim()))
}

fn is_current(place: &Path) -> bool {
    fs::read_to_string(place.join("built")).is_ok_and(|built| built == all_sources())
}

/// Every file with its name.
fn all_sources() -> String {
    let mut sources = String::new();
    for name in SOURCES {
        files_below(&example().join(name), &mut |file| {
            let name = file.strip_prefix(example()).unwrap().display().to_string();
            sources.extend([name, "\n".to_owned(), fs::read_to_string(file).unwrap()]);
        });
    }
    sources
}

fn files_below(path: &Path, see: &mut impl FnMut(&Path)) {
    if path.is_file() {
        return see(path);
    }
    let mut entries: Vec<_> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries.iter().for_each(|entry| files_below(entry, see));
}

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("examples/nextjs")
}
