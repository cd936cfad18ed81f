//! What the databases did for a call, in their own words. The statements are those that the store sent: nothing here
//! repeats them.

use std::fs;
use std::time::Duration;

use crate::db::Db;
use crate::operation::{Operation, Place};
use crate::servers::Server;
use crate::statements;
use crate::timing::TIMED;

/// A statement and its plan.
#[derive(Clone)]
pub struct Plan {
    pub statement: String,
    pub lines: Vec<String>,
    /// PostgreSQL: pages touched. MariaDB: rows examined.
    pub work: u64,
}

impl Plan {
    /// What kind of statement it is.
    #[must_use]
    pub fn verb(&self) -> &str {
        self.statement.split(' ').next().unwrap_or_default()
    }

    /// The plan without its numbers and values.
    #[must_use]
    pub fn shape(&self) -> String {
        let kept = |line: &&String| {
            !line.contains("Buffers:") && !line.contains("Planning") && !line.contains("Sort Method")
        };
        self.lines
            .iter()
            .filter(kept)
            .filter_map(|line| line.split("'\\x").next())
            .map(|line| line.replace(|letter: char| letter.is_ascii_digit(), ""))
            .collect()
    }
}

/// Where plans come from.
pub enum Source<'a> {
    /// Its log, by auto_explain, statements within functions included.
    Postgres(&'a Server),
    /// Its slow log.
    MariaDb(&'a Server),
    /// The statements that sqlx logs, explained.
    Sqlite,
}

impl Source<'_> {
    /// From now on, for new connections.
    pub async fn switch_on(&self, db: &mut Db) {
        match self {
            Self::Postgres(_) => {
                for setting in [
                    "log_min_duration = 0",
                    "log_analyze = on",
                    "log_timing = off",
                    "log_buffers = on",
                    "log_nested_statements = on",
                ] {
                    db.run(format!("ALTER DATABASE postgres SET auto_explain.{setting}")).await;
                }
            }
            Self::MariaDb(_) => {
                for setting in
                    ["slow_query_log = 1", "long_query_time = 0", "log_slow_verbosity = 'query_plan,explain'"]
                {
                    db.run(format!("SET GLOBAL {setting}")).await;
                }
            }
            Self::Sqlite => {}
        }
    }

    pub async fn switch_off(&self, db: &mut Db) {
        match self {
            Self::Postgres(_) => db.run("ALTER DATABASE postgres RESET ALL").await,
            Self::MariaDb(_) => db.run("SET GLOBAL slow_query_log = 0").await,
            Self::Sqlite => {}
        }
    }

    /// Plans of an operation, once the connection has run it often enough for plans that are kept.
    pub async fn of(&self, db: &mut Db, place: &Place, operation: Operation, phase: u64) -> Vec<Plan> {
        for nth in TIMED..TIMED + 8 {
            place.run(operation, phase, nth).await;
        }
        self.during(db, place.run(operation, phase, TIMED + 8)).await
    }

    pub async fn of_cleanup(&self, db: &mut Db, place: &Place) -> Vec<Plan> {
        self.during(db, async {
            let deleted = place.store.delete_expired(place.sample.now, 1000).await.expect("an answer");
            assert!(deleted > 0);
        })
        .await
    }

    async fn during<F: Future>(&self, db: &mut Db, work: F) -> Vec<Plan> {
        let before = self.logged().len();
        let caught = statements::during(work).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        let logged = self.logged();
        let fresh = logged.get(before..).unwrap_or_default();
        match self {
            Self::Postgres(_) => postgres(fresh),
            Self::MariaDb(_) => mariadb(fresh),
            Self::Sqlite => sqlite(db, caught).await,
        }
    }

    fn logged(&self) -> String {
        match self {
            Self::Postgres(server) => server.log(),
            Self::MariaDb(server) => {
                String::from_utf8_lossy(&fs::read(server.file("slow")).unwrap_or_default()).into_owned()
            }
            Self::Sqlite => String::new(),
        }
    }
}

/// An entry begins with its time and goes on in lines that begin with a tab.
fn postgres(log: &str) -> Vec<Plan> {
    let mut plans = Vec::new();
    let mut lines = log.lines().peekable();
    while let Some(line) = lines.next() {
        if !line.contains("plan:") {
            continue;
        }
        let mut rest = Vec::new();
        while let Some(line) = lines.next_if(|line| line.starts_with('\t')) {
            rest.push(line.trim_start_matches('\t').to_owned());
        }
        let plan_at = rest.iter().position(|line| line.contains("(cost=")).unwrap_or(rest.len());
        let lines = rest.split_off(plan_at);
        let statement = rest.join(" ").replace("Query Text: ", "");
        let pages = lines.iter().find(|line| line.contains("Buffers:")).map_or(0, |line| pages(line));
        plans.push(Plan { statement: one_line(&statement), lines, work: pages });
    }
    plans
}

/// Of "Buffers: shared hit=7 read=1 dirtied=2".
fn pages(line: &str) -> u64 {
    let words = line.split_whitespace().filter_map(|word| word.split_once('='));
    words
        .filter(|(name, _)| matches!(*name, "hit" | "read"))
        .filter_map(|(_, count)| count.parse::<u64>().ok())
        .sum()
}

fn mariadb(log: &str) -> Vec<Plan> {
    let mut plans = Vec::new();
    for entry in log.split("# User@Host").skip(1) {
        let (comments, statement): (Vec<&str>, Vec<&str>) =
            entry.lines().skip(1).partition(|line| line.starts_with('#'));
        let statement = one_line(&statement.join(" "));
        let statement = statement
            .split_once("; ")
            .filter(|(set, _)| set.starts_with("SET timestamp"))
            .map_or(statement.clone(), |(_, rest)| rest.to_owned());
        let explained = comments.iter().filter_map(|line| line.strip_prefix("# explain: "));
        let lines = explained.skip(1).map(|line| line.replace('\t', " | ")).collect();
        let words: Vec<&str> = comments.iter().flat_map(|line| line.split_whitespace()).collect();
        let examined = words
            .iter()
            .position(|word| *word == "Rows_examined:")
            .and_then(|at| words.get(at + 1)?.parse().ok());
        plans.push(Plan { statement, lines, work: examined.unwrap_or(0) });
    }
    plans
}

async fn sqlite(db: &mut Db, caught: Vec<String>) -> Vec<Plan> {
    let mut plans = Vec::new();
    for statement in caught {
        let explainable =
            ["SELECT", "INSERT", "UPDATE", "DELETE"].iter().any(|verb| statement.starts_with(verb));
        let lines = if explainable {
            db.column(format!("EXPLAIN QUERY PLAN {statement}"), 3).await
        } else {
            Vec::new()
        };
        plans.push(Plan { statement: one_line(&statement), lines, work: 0 });
    }
    plans
}

fn one_line(statement: &str) -> String {
    statement.split_whitespace().collect::<Vec<_>>().join(" ")
}
