//! Private servers on free ports, with data that is thrown away. What a server must not lose it syncs to disk, as its
//! defaults say; the folder is that of `TMPDIR`.
//!
//! A shell stands between the program and each server: when its standard input ends, by intention or because the
//! program died, it stops the server and removes the folder.

use std::fs;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);
const KEEPER: &str = r#"
folder=$1; signal=$2; shift 2
exec 3<&0
"$@" </dev/null >>"$folder/log" 2>&1 &
server=$!
read -r word <&3
kill "-$signal" "$server"
wait "$server" 2>/dev/null
rm -rf "$folder"
"#;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Postgres,
    MariaDb,
    Redis,
}

/// A running server.
pub struct Server {
    kind: Kind,
    folder: PathBuf,
    pub port: u16,
    keeper: Option<(Child, ChildStdin)>,
}

impl Server {
    #[must_use]
    pub fn start(kind: Kind) -> Self {
        let folder = tempfile::Builder::new().prefix("session-scale-").tempdir().expect("a folder").keep();
        let mut server = Self { kind, folder, port: free_port(), keeper: None };
        server.initialise();
        let mut command = Command::new("sh");
        command.args(["-c", KEEPER, "keeper"]).arg(&server.folder);
        command.arg(if kind == Kind::Postgres { "QUIT" } else { "KILL" }).args(server.command());
        let mut child = command.stdin(Stdio::piped()).spawn().expect("a shell");
        let stdin = child.stdin.take().expect("its input");
        server.keeper = Some((child, stdin));
        server.wait_until_it_answers();
        server
    }

    #[must_use]
    pub fn url(&self) -> String {
        self.url_at(self.port)
    }

    /// As reached through another port.
    #[must_use]
    pub fn url_at(&self, port: u16) -> String {
        match self.kind {
            Kind::Postgres => format!("postgres://postgres@127.0.0.1:{port}/postgres?sslmode=disable"),
            Kind::MariaDb => format!("mysql://root@127.0.0.1:{port}/sessions?ssl-mode=DISABLED"),
            Kind::Redis => format!("redis://127.0.0.1:{port}"),
        }
    }

    /// What it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.folder.join("log")).unwrap_or_default()).into_owned()
    }

    /// A file of the server.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join("data").join(name)
    }

    fn initialise(&self) {
        let (folder, data) = (&self.folder, self.folder.join("data"));
        let user = self.system_user();
        if let Some(user) = user {
            succeed(Command::new("chown").arg(user).arg(folder));
        }
        match self.kind {
            Kind::Postgres => {
                let mut command = as_user(user, &program("initdb"));
                command.arg("-D").arg(&data).args([
                    "-U",
                    "postgres",
                    "-A",
                    "trust",
                    "-E",
                    "UTF8",
                    "--no-sync",
                ]);
                succeed(&mut command);
            }
            Kind::MariaDb => {
                let mut command = Command::new(program("mariadb-install-db"));
                command.arg("--no-defaults").arg(format!("--datadir={}", data.display()));
                command.args(["--auth-root-authentication-method=normal", "--skip-test-db"]);
                command.args(user.map(|user| format!("--user={user}")));
                succeed(&mut command);
            }
            Kind::Redis => {}
        }
    }

    fn command(&self) -> Vec<String> {
        let (folder, port) = (self.folder.display(), self.port);
        let user = self.system_user();
        let line = match self.kind {
            // `setpriv` becomes the server.
            Kind::Postgres => {
                let user = user.map(|user| format!("setpriv --reuid {user} --regid {user} --init-groups "));
                format!(
                    "{}{} -D {folder}/data -k {folder} -p {port} -c listen_addresses=127.0.0.1 -c max_connections=200 \
                     -c shared_buffers=1GB -c max_wal_size=8GB -c autovacuum=off \
                     -c shared_preload_libraries=auto_explain,pg_stat_statements",
                    user.unwrap_or_default(),
                    program("postgres").display()
                )
            }
            Kind::MariaDb => format!(
                "{} --no-defaults --datadir={folder}/data --socket={folder}/socket --pid-file={folder}/pid \
                 --bind-address=127.0.0.1 --port={port} --max-connections=200 --innodb-buffer-pool-size=2G \
                 --innodb-log-file-size=1G --innodb-stats-auto-recalc=OFF --slow-query-log-file=slow{}",
                program("mariadbd").display(),
                user.map(|user| format!(" --user={user}")).unwrap_or_default()
            ),
            Kind::Redis => format!(
                "{} --bind 127.0.0.1 --port {port} --save NONE --dir {folder} --loglevel warning",
                program("redis-server").display()
            ),
        };
        line.split_whitespace().map(|word| if word == "NONE" { "" } else { word }.to_owned()).collect()
    }

    /// PostgreSQL and MariaDB do not run as root.
    fn system_user(&self) -> Option<&'static str> {
        let output = Command::new("id").arg("-u").output().expect("id");
        match self.kind {
            _ if !output.stdout.starts_with(b"0\n") => None,
            Kind::Postgres => Some("postgres"),
            Kind::MariaDb => Some("nobody"),
            Kind::Redis => None,
        }
    }

    fn wait_until_it_answers(&self) {
        let began = Instant::now();
        while !self.answers() {
            assert!(began.elapsed() < PATIENCE, "{:?} does not answer: {}", self.kind, self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn answers(&self) -> bool {
        let mut client = match self.kind {
            Kind::Redis => return TcpStream::connect(("127.0.0.1", self.port)).is_ok(),
            Kind::Postgres => {
                let mut client = Command::new("psql");
                client.args(["-qAtX", "-h", "127.0.0.1", "-U", "postgres", "-c"]);
                client.arg("CREATE EXTENSION IF NOT EXISTS pg_stat_statements");
                client
            }
            Kind::MariaDb => {
                let mut client = Command::new("mariadb");
                client.args(["--no-defaults", "-h127.0.0.1", "-uroot", "-e", "CREATE DATABASE sessions"]);
                client
            }
        };
        let port = if self.kind == Kind::Postgres { "-p" } else { "-P" };
        client.args([port, &self.port.to_string()]);
        client.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("a client").success()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some((mut child, mut stdin)) = self.keeper.take() {
            let _ = stdin.write_all(b"end\n");
            drop(stdin);
            let _ = child.wait();
        }
    }
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr()).expect("a port").port()
}

/// On the path, or where Debian puts it.
fn program(name: &str) -> PathBuf {
    let mut folders: Vec<PathBuf> =
        std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect();
    folders.push("/usr/sbin".into());
    let mut versions: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    versions.sort();
    folders.extend(versions.into_iter().rev().map(|version| version.join("bin")));
    let found = folders.into_iter().map(|folder| folder.join(name)).find(|path| path.is_file());
    found.unwrap_or_else(|| {
        panic!("{name} is not installed: the benches need redis-server, postgresql and mariadb")
    })
}

fn as_user(user: Option<&str>, program: &Path) -> Command {
    let Some(user) = user else { return Command::new(program) };
    let mut command = Command::new("runuser");
    command.args(["-u", user, "--"]).arg(program);
    command
}

fn succeed(command: &mut Command) {
    let output = command.output().expect("a program");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
