//! PgBouncer before a PostgreSQL, on a socket in a folder of its own, as its package sets it up but for what a test
//! asks.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::kept::{Kept, succeed};
use crate::requirements::program;
use crate::sql::{Sql, SqlServer, words_as};
use crate::wait_for;

const PORT: u16 = 6432;

/// A pooler, gone when it is dropped.
pub struct PgBouncer {
    program: PathBuf,
    client: PathBuf,
    /// The folder with the socket of the server.
    to: String,
    kept: Kept,
}

impl PgBouncer {
    /// The one that all tests of this process share, before the PostgreSQL that they share: in transaction mode, with
    /// fewer server connections than one store has. `None`: it is not installed, and that was said to each test.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<PgBouncer> = OnceLock::new();
        let server = SqlServer::shared(Sql::Postgres)?;
        let _ = program("pgbouncer", "pgbouncer")?;
        Some(SHARED.get_or_init(|| {
            let settings = ["pool_mode = transaction", "default_pool_size = 4"];
            Self::start(server, &settings).expect("it is installed")
        }))
    }

    /// One with settings of its own, lines of its section `[pgbouncer]`, before this server, as whose administrator
    /// everybody is let in.
    pub fn start(server: &SqlServer, settings: &[&str]) -> Option<Self> {
        let (program, client) = (program("pgbouncer", "pgbouncer")?, program("psql", "postgresql")?);
        let to = server.socket().with_file_name("").display().to_string();
        let mut pooler = Self { program, client, to, kept: Kept::new() };
        pooler.run(settings);
        Some(pooler)
    }

    /// Ends it and starts it with other settings.
    pub fn restart(&mut self, settings: &[&str]) {
        self.kept.end("KILL");
        self.run(settings);
    }

    fn run(&mut self, settings: &[&str]) {
        let (folder, user) = (self.kept.folder().to_owned(), Sql::Postgres.system_user());
        let (at, to) = (folder.display(), &self.to);
        let file = folder.join("pgbouncer.ini");
        let lines = format!(
            "[databases]\n* = host={to} port=5432 user=postgres\n[pgbouncer]\nlisten_addr =\nlisten_port = {PORT}\n\
             unix_socket_dir = {at}\nauth_type = any\n{}\n",
            settings.join("\n"),
        );
        fs::write(&file, lines).unwrap();
        if let Some(user) = user {
            succeed(Command::new("chown").arg("-R").arg(user).arg(&folder));
        }
        let mut command = words_as(user);
        command.extend([&self.program, &file].map(|word| word.display().to_string()));
        self.kept.start(&command, "KILL");
        let started = || {
            let mut client = Command::new(&self.client);
            client.args(["-qAtX", "-U", "postgres", "-d", "sessions", "-c", "SELECT 1", "-p"]);
            client.arg(PORT.to_string()).arg("-h").arg(&folder);
            client.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
        };
        wait_for("PgBouncer", || self.kept.log(), started);
    }

    /// The way through it to the database of the tests.
    pub fn url(&self) -> String {
        let folder = self.kept.folder().display();
        format!("postgres://postgres@localhost:{PORT}/sessions?host={folder}")
    }
}
