//! PostgreSQL and MariaDB, each on a socket in a folder of its own, with nothing listening on a port.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::kept::{Kept, succeed};
use crate::requirements::program;
use crate::wait_for;

/// The database of the tests.
const DATABASE: &str = "sessions";

/// Who may come in: the administrator, and with a password everybody else.
const RULES: &str = "local all postgres trust\nlocal all all scram-sha-256\n";

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sql {
    /// PostgreSQL.
    Postgres,
    /// MariaDB.
    MariaDb,
}

/// A server with an empty database, durable as its defaults are. Stopped, and its data removed, when it is dropped.
pub struct SqlServer {
    kind: Sql,
    programs: Programs,
    kept: Kept,
}

struct Programs {
    make: PathBuf,
    server: PathBuf,
    client: PathBuf,
}

impl SqlServer {
    /// The one that all tests of this process share. `None`: it is not installed, and that was said to each test.
    pub fn shared(kind: Sql) -> Option<&'static Self> {
        static POSTGRES: OnceLock<SqlServer> = OnceLock::new();
        static MARIADB: OnceLock<SqlServer> = OnceLock::new();
        let place = match kind {
            Sql::Postgres => &POSTGRES,
            Sql::MariaDb => &MARIADB,
        };
        let programs = kind.programs()?;
        Some(place.get_or_init(|| Self::run_on_new_data(kind, programs)))
    }

    /// One for a test that does harm to it.
    pub fn start(kind: Sql) -> Option<Self> {
        Some(Self::run_on_new_data(kind, kind.programs()?))
    }

    fn run_on_new_data(kind: Sql, programs: Programs) -> Self {
        let mut server = Self { kind, programs, kept: Kept::new() };
        server.make_data();
        server.restart();
        server.make_database();
        server
    }

    /// As administrator, to the database of the tests, `sessions`.
    pub fn url(&self) -> String {
        self.url_of(self.kind.administrator(), DATABASE)
    }

    /// As somebody else, `user` or `user:password`, or to another database. PostgreSQL wants a password of everybody
    /// but the administrator.
    pub fn url_of(&self, login: &str, database: &str) -> String {
        let folder = self.kept.folder().display();
        match self.kind {
            Sql::Postgres => format!("postgres://{login}@localhost/{database}?host={folder}"),
            Sql::MariaDb => format!("mysql://{login}@localhost/{database}?socket={folder}/socket"),
        }
    }

    /// [`Self::url`] through a port that leads to [`Self::socket`].
    pub fn url_through(&self, port: u16) -> String {
        match self.kind {
            Sql::Postgres => format!("postgres://postgres@127.0.0.1:{port}/{DATABASE}"),
            Sql::MariaDb => format!("mysql://root@127.0.0.1:{port}/{DATABASE}"),
        }
    }

    /// Where it listens.
    pub fn socket(&self) -> PathBuf {
        self.kept.folder().join(match self.kind {
            Sql::Postgres => ".s.PGSQL.5432",
            Sql::MariaDb => "socket",
        })
    }

    /// Starts it on the data that it has; returns when it answers.
    pub fn restart(&mut self) {
        self.kept.start(&self.command(), self.kind.last_signal());
        wait_for(
            self.kind.name(),
            || self.kept.log(),
            || {
                let mut client = self.client(self.kind.own_database(), "SELECT 1");
                client.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
            },
        );
    }

    /// Ends it and all its processes at once, as a crash would.
    pub fn kill(&mut self) {
        self.kept.end("KILL");
    }

    /// Ends it in good order, as an upgrade would.
    pub fn stop(&mut self) {
        self.kept.end(match self.kind {
            // "Fast": it does not wait for its clients to leave.
            Sql::Postgres => "INT",
            Sql::MariaDb => "TERM",
        });
    }

    /// Makes all its processes stand still.
    pub fn pause(&self) {
        self.kept.signal("STOP");
    }

    /// Lets them go on.
    pub fn resume(&self) {
        self.kept.signal("CONT");
    }

    /// Runs a statement as administrator and answers what it prints.
    pub fn run(&self, sql: &str) -> String {
        succeed(&mut self.client(DATABASE, sql))
    }

    /// [`Self::run`], where it may be too late for that: whether it worked.
    pub fn tries(&self, sql: &str) -> bool {
        self.client(DATABASE, sql).output().unwrap().status.success()
    }

    fn make_data(&self) {
        let folder = self.kept.folder();
        let user = self.kind.system_user();
        let own = |folder: &Path| {
            if let Some(user) = user {
                succeed(Command::new("chown").arg(user).arg(folder));
            }
        };
        own(folder);
        match self.kind {
            Sql::Postgres => {
                let mut make = as_user(user, &self.programs.make);
                make.arg("-D").arg(folder.join("data"));
                succeed(make.args(["-U", "postgres", "-E", "UTF8", "--no-sync"]));
                fs::write(folder.join("data/pg_hba.conf"), RULES).unwrap();
            }
            Sql::MariaDb => {
                // In a shared folder two servers take away each other's temporary tables.
                let temporary = folder.join("tmp");
                fs::create_dir(&temporary).unwrap();
                own(&temporary);
                let mut make = Command::new(&self.programs.make);
                make.arg("--no-defaults").arg(format!("--datadir={}", folder.join("data").display()));
                make.args(["--auth-root-authentication-method=normal", "--skip-test-db"]);
                make.arg(format!("--tmpdir={}", temporary.display()));
                succeed(make.args(user.map(|user| format!("--user={user}"))));
            }
        }
    }

    fn make_database(&self) {
        succeed(&mut self.client(self.kind.own_database(), &format!("CREATE DATABASE {DATABASE}")));
    }

    fn command(&self) -> Vec<String> {
        let folder = self.kept.folder().display().to_string();
        let server = self.programs.server.display().to_string();
        let user = self.kind.system_user();
        match self.kind {
            Sql::Postgres => {
                let mut words = words_as(user);
                words.extend([server, "-D".to_owned(), format!("{folder}/data"), "-k".to_owned(), folder]);
                for setting in ["listen_addresses=", "max_connections=300", "shared_buffers=64MB"] {
                    words.extend(strings(&["-c", setting]));
                }
                words
            }
            Sql::MariaDb => {
                let mut words = vec![server, "--no-defaults".to_owned()];
                words.push(format!("--datadir={folder}/data"));
                words.push(format!("--socket={folder}/socket"));
                words.push(format!("--pid-file={folder}/mariadb.pid"));
                words.push(format!("--tmpdir={folder}/tmp"));
                words.extend(strings(&["--skip-networking", "--max-connections=300"]));
                words.push("--innodb-buffer-pool-size=64M".to_owned());
                words.extend(user.map(|user| format!("--user={user}")));
                words
            }
        }
    }

    fn client(&self, database: &str, sql: &str) -> Command {
        let mut client = Command::new(&self.programs.client);
        match self.kind {
            Sql::Postgres => {
                client.args(["-qAtX", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-h"]);
                client.arg(self.kept.folder()).args(["-d", database, "-c", sql]);
            }
            Sql::MariaDb => {
                client.args(["--no-defaults", "-uroot", "-BN"]);
                client.arg(format!("--socket={}", self.socket().display()));
                client.arg(format!("--database={database}")).args(["-e", sql]);
            }
        }
        client
    }
}

impl Sql {
    fn name(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::MariaDb => "MariaDB",
        }
    }

    fn programs(self) -> Option<Programs> {
        Some(match self {
            Self::Postgres => Programs {
                make: program("initdb", "postgresql")?,
                server: program("postgres", "postgresql")?,
                client: program("psql", "postgresql")?,
            },
            Self::MariaDb => Programs {
                make: program("mariadb-install-db", "mariadb-server-core")?,
                server: program("mariadbd", "mariadb-server-core")?,
                client: {
                    // The script that makes the data calls it, and Debian has it in another package.
                    let _ = program("my_print_defaults", "mariadb-client-core")?;
                    program("mariadb", "mariadb-client-core")?
                },
            },
        })
    }

    fn administrator(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::MariaDb => "root",
        }
    }

    /// The one that is there from the beginning.
    fn own_database(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::MariaDb => "mysql",
        }
    }

    /// Ends it at once, and makes it take its shared memory along.
    fn last_signal(self) -> &'static str {
        match self {
            Self::Postgres => "QUIT",
            Self::MariaDb => "KILL",
        }
    }

    /// Neither server runs as root.
    pub(crate) fn system_user(self) -> Option<&'static str> {
        let is_root = succeed(Command::new("id").arg("-u")).trim() == "0";
        is_root.then_some(match self {
            Self::Postgres => "postgres",
            Self::MariaDb => "nobody",
        })
    }
}

/// What a command begins with that runs as somebody else. `setpriv` becomes the server; `runuser` would stand before
/// it and keep signals to itself.
pub(crate) fn words_as(user: Option<&str>) -> Vec<String> {
    match user {
        Some(user) => strings(&["setpriv", "--reuid", user, "--regid", user, "--init-groups"]),
        None => Vec::new(),
    }
}

fn as_user(user: Option<&str>, program: &Path) -> Command {
    let Some(user) = user else { return Command::new(program) };
    let mut command = Command::new("runuser");
    command.args(["-u", user, "--"]).arg(program);
    command
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}
