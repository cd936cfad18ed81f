//! Servers that the tests start for themselves: on sockets in a folder of their own, with data that is thrown away.
//!
//! A shell stands between test and server. When the test lets go of its standard input, by intention or by dying, the
//! shell stops the server and removes the folder, so that nothing is left behind.

use std::cell::RefCell;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::requirements::leave_out;

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs the server named by the arguments until standard input ends or says `kill`.
const KEEPER: &str = r#"
folder=$1; signal=$2; shift 2
exec 3<&0
"$@" </dev/null >>"$folder/log" 2>&1 &
server=$!
echo "$server" >"$folder/pid"
read -r word <&3
if [ "$word" = kill ]; then
    # With the processes that it made, and before it can react.
    signal=KILL
    kill -STOP "$server"
    pkill -KILL -P "$server"
fi
kill "-$signal" "$server"
wait "$server" 2>/dev/null
[ "$word" = kill ] || rm -rf "$folder"
"#;

/// A running server.
pub(crate) struct Server {
    kind: Kind,
    folder: PathBuf,
    keeper: Mutex<Option<(Child, ChildStdin)>>,
    names: AtomicU32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Postgres,
    MariaDb,
}

thread_local! {
    static KEPT: RefCell<Vec<Arc<Server>>> = const { RefCell::new(Vec::new()) };
}

/// Keeps the server running until the thread of this test ends.
pub(crate) fn keep(server: Arc<Server>) {
    KEPT.with_borrow_mut(|kept| kept.push(server));
}

static POSTGRES: Mutex<Weak<Server>> = Mutex::new(Weak::new());
static MARIADB: Mutex<Weak<Server>> = Mutex::new(Weak::new());

impl Server {
    /// The one that all tests share, which lives as long as one of them uses it. `None`: it is not installed, and this
    /// run does not insist.
    pub(crate) fn shared(kind: Kind) -> Option<Arc<Self>> {
        let place = match kind {
            Kind::Postgres => &POSTGRES,
            Kind::MariaDb => &MARIADB,
        };
        let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = place.upgrade() {
            return Some(server);
        }
        let server = Arc::new(Self::own(kind)?);
        *place = Arc::downgrade(&server);
        Some(server)
    }

    /// One for a test that does harm to it.
    pub(crate) fn own(kind: Kind) -> Option<Self> {
        let Some(programs) = kind.programs() else {
            leave_out(&format!("{kind:?} is not installed: {}", kind.package()));
            return None;
        };
        let folder = tempfile::Builder::new().prefix("session-sql-").tempdir().unwrap().keep();
        let server = Self { kind, folder, keeper: Mutex::new(None), names: AtomicU32::new(0) };
        server.initialise(&programs);
        server.start();
        Some(server)
    }

    /// A name that nobody else has on this server.
    pub(crate) fn fresh_name(&self, prefix: &str) -> String {
        format!("{prefix}{}", self.names.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn url(&self) -> String {
        self.url_of(self.kind.admin(), None, "sessions")
    }

    pub(crate) fn url_of(&self, user: &str, password: Option<&str>, database: &str) -> String {
        let folder = self.folder.display();
        let login = password.map_or_else(|| user.to_owned(), |password| format!("{user}:{password}"));
        match self.kind {
            Kind::Postgres => format!("postgres://{login}@localhost/{database}?host={folder}"),
            Kind::MariaDb => format!("mysql://{login}@localhost/{database}?socket={folder}/socket"),
        }
    }

    /// Where it listens.
    #[cfg(feature = "postgres")]
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.join(".s.PGSQL.5432")
    }

    /// Starts it, again perhaps, on the data that it has.
    pub(crate) fn start(&self) {
        let programs = self.kind.programs().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", KEEPER, "keeper"]).arg(&self.folder).arg(self.kind.stop_signal());
        command.args(self.server_command(&programs));
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let stdin = child.stdin.take().unwrap();
        *self.keeper.lock().unwrap() = Some((child, stdin));
        self.wait_until_it_answers();
    }

    /// Ends it at once, as a power failure would.
    pub(crate) fn kill(&self) {
        let (mut child, mut stdin) = self.keeper.lock().unwrap().take().unwrap();
        stdin.write_all(b"kill\n").unwrap();
        child.wait().unwrap();
    }

    /// Sends it a signal: `STOP`, `CONT`.
    pub(crate) fn signal(&self, name: &str) {
        let pid = fs::read_to_string(self.folder.join("pid")).unwrap();
        let signal = format!("-{name}");
        // The server and the processes that it made, of which there may be none.
        Command::new("pkill").args([&signal, "-P", pid.trim()]).status().unwrap();
        succeed(Command::new("kill").args([&signal, pid.trim()]), true);
        let began = Instant::now();
        while name == "STOP" && !all_stopped(pid.trim()) {
            assert!(began.elapsed() < PATIENCE, "it does not stop");
            std::thread::yield_now();
        }
    }

    /// Runs a statement as administrator and answers what it prints.
    pub(crate) fn run(&self, sql: &str) -> String {
        let output = self.client("sessions").arg(sql).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn initialise(&self, programs: &Programs) {
        let folder = &self.folder;
        let data = folder.join("data");
        let user = self.kind.system_user();
        succeed(Command::new("chown").arg(user.unwrap_or_default()).arg(folder), user.is_some());
        match self.kind {
            Kind::Postgres => {
                let mut command = as_user(user, &programs.make);
                command.arg("-D").arg(&data).args([
                    "-U",
                    "postgres",
                    "-A",
                    "trust",
                    "-E",
                    "UTF8",
                    "--no-sync",
                ]);
                succeed(&mut command, true);
                let rules = "local all locked scram-sha-256\nlocal all all trust\n";
                fs::write(data.join("pg_hba.conf"), rules).unwrap();
            }
            Kind::MariaDb => {
                let mut command = Command::new(&programs.make);
                command.arg("--no-defaults").arg(format!("--datadir={}", data.display()));
                command.args(["--auth-root-authentication-method=normal", "--skip-test-db"]);
                // In a shared folder two servers take away each other's temporary tables.
                let temporary = folder.join("tmp");
                fs::create_dir(&temporary).unwrap();
                succeed(Command::new("chown").arg(user.unwrap_or_default()).arg(&temporary), user.is_some());
                command.arg(format!("--tmpdir={}", temporary.display()));
                if let Some(user) = user {
                    command.arg(format!("--user={user}"));
                }
                succeed(&mut command, true);
            }
        }
    }

    fn server_command(&self, programs: &Programs) -> Vec<String> {
        let folder = self.folder.display().to_string();
        let server = programs.server.display().to_string();
        let user = self.kind.system_user();
        let mut words: Vec<String> = Vec::new();
        match self.kind {
            Kind::Postgres => {
                // `setpriv` becomes the server; `runuser` would stand before it and keep signals to itself.
                if let Some(user) = user {
                    let words_of = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
                    words.extend(words_of(&["setpriv", "--reuid", user, "--regid", user, "--init-groups"]));
                }
                words.extend([server, "-D".into(), format!("{folder}/data"), "-k".into(), folder]);
                for setting in ["listen_addresses=", "max_connections=300", "shared_buffers=64MB"] {
                    words.extend(["-c".into(), setting.into()]);
                }
            }
            Kind::MariaDb => {
                words.extend([server, "--no-defaults".into(), format!("--datadir={folder}/data")]);
                words.extend([
                    format!("--socket={folder}/socket"),
                    format!("--pid-file={folder}/mariadb.pid"),
                ]);
                words.push(format!("--tmpdir={folder}/tmp"));
                words.extend(["--skip-networking".into(), "--max-connections=300".into()]);
                words.push("--innodb-buffer-pool-size=64M".into());
                words.extend(user.map(|user| format!("--user={user}")));
            }
        }
        words
    }

    fn wait_until_it_answers(&self) {
        let began = Instant::now();
        let make = match self.kind {
            Kind::Postgres => {
                "SELECT 'CREATE DATABASE sessions' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'sessions') \\gexec"
            }
            Kind::MariaDb => "CREATE DATABASE IF NOT EXISTS sessions",
        };
        loop {
            let mut client = match self.kind {
                // Only its standard input knows \gexec.
                Kind::Postgres => {
                    let mut client = Command::new("sh");
                    client.args([
                        "-c",
                        r#"echo "$1" | psql -qAtX -v ON_ERROR_STOP=1 -h "$2" -U postgres postgres"#,
                    ]);
                    client.args(["make", make]).arg(&self.folder);
                    client
                }
                Kind::MariaDb => {
                    let mut client = self.client("");
                    client.arg(make);
                    client
                }
            };
            if client.stderr(Stdio::null()).status().unwrap().success() {
                return;
            }
            let log = || fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            assert!(began.elapsed() < PATIENCE, "{:?} does not answer: {}", self.kind, log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn client(&self, database: &str) -> Command {
        match self.kind {
            Kind::Postgres => {
                let mut client = Command::new("psql");
                client.args(["-qAtX", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-h"]).arg(&self.folder);
                client.args(["-d", database, "-c"]);
                client
            }
            Kind::MariaDb => {
                let mut client = Command::new("mariadb");
                client.args(["--no-defaults", "-uroot", "-BN"]);
                client.arg(format!("--socket={}/socket", self.folder.display()));
                client.arg(format!("--database={database}")).arg("-e");
                client
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        match self.keeper.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some((mut child, stdin)) => {
                drop(stdin);
                let _ = child.wait();
            }
            None => drop(fs::remove_dir_all(&self.folder)),
        }
    }
}

struct Programs {
    make: PathBuf,
    server: PathBuf,
}

impl Kind {
    fn package(self) -> &'static str {
        match self {
            Self::Postgres => "apt-get install postgresql",
            Self::MariaDb => "apt-get install mariadb-server-core mariadb-client-core",
        }
    }

    fn admin(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::MariaDb => "root",
        }
    }

    /// Ends the server at once and makes it take its shared memory along.
    fn stop_signal(self) -> &'static str {
        match self {
            Self::Postgres => "QUIT",
            Self::MariaDb => "KILL",
        }
    }

    /// Neither server runs as root.
    fn system_user(self) -> Option<&'static str> {
        let output = Command::new("id").arg("-u").output().unwrap();
        let is_root = output.stdout.starts_with(b"0\n");
        is_root.then_some(match self {
            Self::Postgres => "postgres",
            Self::MariaDb => "nobody",
        })
    }

    fn programs(self) -> Option<Programs> {
        let found = |name: &str| find(name, self);
        Some(match self {
            Self::Postgres => Programs { make: found("initdb")?, server: found("postgres")? },
            Self::MariaDb => {
                // The first is a script that calls the second; Debian has them in two packages.
                found("my_print_defaults")?;
                Programs { make: found("mariadb-install-db")?, server: found("mariadbd")? }
            }
        })
    }
}

/// On the path, or where Debian puts it.
fn find(name: &str, kind: Kind) -> Option<PathBuf> {
    let mut folders: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH")?).collect();
    folders.push(PathBuf::from("/usr/sbin"));
    if kind == Kind::Postgres
        && let Ok(versions) = fs::read_dir("/usr/lib/postgresql")
    {
        let mut versions: Vec<PathBuf> = versions.flatten().map(|entry| entry.path().join("bin")).collect();
        versions.sort();
        folders.extend(versions.into_iter().rev());
    }
    folders.into_iter().map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// Whether the process and those that it made stand still.
fn all_stopped(pid: &str) -> bool {
    let output = Command::new("ps").args(["-o", "stat=", "--pid", pid, "--ppid", pid]).output().unwrap();
    String::from_utf8_lossy(&output.stdout).lines().all(|state| state.starts_with('T'))
}

fn as_user(user: Option<&str>, program: &Path) -> Command {
    let Some(user) = user else { return Command::new(program) };
    let mut command = Command::new("runuser");
    command.args(["-u", user, "--"]).arg(program);
    command
}

fn succeed(command: &mut Command, wanted: bool) {
    if wanted {
        let output = command.output().unwrap();
        let said = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let said = said(&output.stdout) + &said(&output.stderr);
        assert!(output.status.success(), "{command:?}: {said}");
    }
}
