//! An application of another system: installed once, in the build directory, and started for a test.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use session_test_servers::requirements::leave_out;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// What `alice` was promised.
pub(super) const SECRET: &str = "the secret of the other system, of thirty-two bytes and more";

/// An application that listens. It ends when its input ends, however this process does.
pub(super) struct Application {
    pub(super) port: u16,
    process: Child,
}

impl Application {
    /// Starts it, and waits until it says its port in a line that is `before` and the number.
    pub(super) async fn start(command: &mut Command, before: &str) -> Self {
        let mut process = command
            .env("SECRET", SECRET)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the application to start");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let port = loop {
            let line = lines.next_line().await.unwrap().expect("the application to listen");
            let Some((_, port)) = line.split_once(before) else { continue };
            if let Ok(port) = port.trim().parse() {
                break port;
            }
        };
        // It goes on writing: nobody may close its output.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { port, process }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.port)
    }

    /// The day has come.
    pub(super) async fn stop(mut self) {
        self.process.kill().await.expect("the application to end");
    }
}

/// A folder in the build directory with the sources of `name` and what `install` adds to them, made now unless it is there.
/// No other run changes it while this process lives.
pub(super) fn installed(name: &str, install: impl Fn(&Path) -> Result<(), String>) -> Option<PathBuf> {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&place).unwrap();
    let lock = File::create(place.join("lock")).unwrap();
    lock.lock().unwrap();
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("moving/systems").join(name);
    let mut all = String::new();
    files_below(&sources, &mut |file| {
        let name = file.strip_prefix(&sources).unwrap();
        let text = fs::read_to_string(file).unwrap();
        all.extend([name.to_str().unwrap(), "\n", &text]);
    });
    if fs::read_to_string(place.join("installed")).is_ok_and(|installed| installed == all) {
        return Some(place);
    }
    files_below(&sources, &mut |file| {
        let to = place.join(file.strip_prefix(&sources).unwrap());
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(file, to).unwrap();
    });
    if let Err(why) = install(&place) {
        leave_out(&format!("{name} could not be installed: {why}"));
        return None;
    }
    fs::write(place.join("installed"), all).unwrap();
    Some(place)
}

/// Runs a program in that folder.
pub(super) fn run(program: &Path, place: &Path, arguments: &[&str]) -> Result<(), String> {
    let output = std::process::Command::new(program)
        .args(arguments)
        .current_dir(place)
        .env("NEXT_TELEMETRY_DISABLED", "1")
        .env("SECRET", SECRET)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    let said = [output.stdout, output.stderr].concat();
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&said).into_owned()) }
}

pub(super) const NPM_CI: [&str; 5] =
    ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"];

fn files_below(path: &Path, see: &mut impl FnMut(&Path)) {
    if path.is_file() {
        return see(path);
    }
    let mut entries: Vec<_> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries.iter().for_each(|entry| files_below(entry, see));
}
