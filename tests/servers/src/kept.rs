//! A server process that cannot outlive its test.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use tempfile::TempDir;

use crate::PATIENCE;

/// Stands between test and server. Runs the server and prints its process id, then waits for a word: the name of a
/// signal that ends the server, whose data stays. When standard input ends instead, which it does with the test
/// however that ends, the server gets the signal of the first argument, and the folder is removed.
const KEEPER: &str = r#"
last=$1; folder=$2; shift 2
exec 3<&0
"$@" </dev/null >>"$folder/log" 2>&1 &
server=$!
echo "$server"
read -r word <&3
if [ "$word" = KILL ]; then
    # With the processes that it made, and before it can react.
    kill -STOP "$server"
    pkill -KILL -P "$server"
fi
kill "-${word:-$last}" "$server" 2>/dev/null
# One that stands still would never see its end.
kill -CONT "$server" 2>/dev/null
wait "$server" 2>/dev/null
[ -n "$word" ] || rm -rf "$folder"
"#;

/// An empty folder of the test's own, which is removed even if nobody drops it.
pub struct Folder(Kept);

impl Folder {
    /// Makes one.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it makes something")]
    pub fn new() -> Self {
        let mut kept = Kept::new();
        kept.start(&["true".to_owned()], "TERM");
        Self(kept)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.folder()
    }
}

/// A folder, and a server that runs on it or does not.
pub(crate) struct Kept {
    folder: TempDir,
    running: Option<Running>,
}

struct Running {
    keeper: Child,
    server: String,
}

impl Kept {
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("session-test-").tempdir().unwrap();
        Self { folder, running: None }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder().join("log")).unwrap_or_default()
    }

    /// Runs the server; `last` is the signal that ends it with the test.
    pub(crate) fn start(&mut self, command: &[String], last: &str) {
        let mut keeper = Command::new("sh");
        keeper.args(["-c", KEEPER, "keeper", last]).arg(self.folder()).args(command);
        let mut keeper = keeper.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut server = String::new();
        BufReader::new(keeper.stdout.as_mut().unwrap()).read_line(&mut server).unwrap();
        self.running = Some(Running { keeper, server: server.trim().to_owned() });
    }

    /// Ends the server with this signal and waits until it is gone. Its data stays.
    pub(crate) fn end(&mut self, signal: &str) {
        let mut running = self.running.take().expect("a running server");
        writeln!(running.keeper.stdin.take().unwrap(), "{signal}").unwrap();
        running.keeper.wait().unwrap();
    }

    /// Sends a signal that does not end it, to the server and to the processes that it made: `STOP` or `CONT`.
    /// Returns when it stands still, or was told to go on.
    pub(crate) fn signal(&self, name: &str) {
        let server = &self.running.as_ref().expect("a running server").server;
        let signal = format!("-{name}");
        // There may be none.
        let tell_children = || Command::new("pkill").args([&signal, "-P", server]).status().unwrap();
        // First the one that could make more of them.
        succeed(Command::new("kill").args([&signal, server]));
        tell_children();
        let start = Instant::now();
        while name == "STOP" && !stands_still(server) {
            tell_children();
            assert!(start.elapsed() < PATIENCE, "it does not stop");
            std::thread::yield_now();
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(Running { mut keeper, .. }) = self.running.take() {
            drop(keeper.stdin.take());
            let _ = keeper.wait();
        }
    }
}

pub(crate) fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let (said, complained) = (said(&output.stdout), said(&output.stderr));
    assert!(output.status.success(), "{command:?}: {said}{complained}");
    said
}

/// Whether the process and those that it made are all stopped, or have ended and wait for it to see that.
fn stands_still(server: &str) -> bool {
    let output =
        Command::new("ps").args(["-o", "stat=", "--pid", server, "--ppid", server]).output().unwrap();
    String::from_utf8_lossy(&output.stdout).lines().all(|state| state.starts_with(['T', 'Z']))
}
