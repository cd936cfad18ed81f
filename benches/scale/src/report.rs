//! Markdown.

use std::fs;

use session_core::store::SessionRecord;

use crate::operation::Operation;
use crate::plan::Plan;
use crate::timing::Cleanup;

/// Microseconds, readable.
#[must_use]
pub fn time(micros: f64) -> String {
    match micros {
        ..10.0 => format!("{micros:.2} us"),
        10.0..1000.0 => format!("{micros:.0} us"),
        1000.0..1_000_000.0 => format!("{:.2} ms", micros / 1000.0),
        _ => format!("{:.2} s", micros / 1e6),
    }
}

pub fn print_cleanup(what: &str, cleanup: &Cleanup) {
    let mut batches: Vec<f64> = cleanup.batches.iter().map(|time| time.as_secs_f64() * 1e6).collect();
    batches.sort_by(f64::total_cmp);
    let at = |part: usize| batches.get((batches.len().max(1) - 1) * part / 100).copied().unwrap_or(0.0);
    let empty = cleanup.empty.as_secs_f64() * 1e6;
    println!(
        "| {what} | {} | {} | {} | {} | {} | {} |",
        cleanup.deleted,
        batches.len(),
        time(at(50)),
        time(at(100)),
        time(cleanup.total.as_secs_f64() * 1e6),
        if empty > 0.0 { time(empty) } else { "-".to_owned() },
    );
}

pub const CLEANUP_HEAD: &str = "| cleanup in batches of 1,000 | rows deleted | batches | median batch | slowest | total | empty sweep |\n\
                                |---|--:|--:|--:|--:|--:|--:|";

/// All of them, or those whose shape is another one than in `known`.
pub fn print_plans(title: &str, plans: &Plans, known: Option<&Plans>) {
    println!("\n{title}\n\n```text");
    for (operation, plans) in plans {
        let shapes = |plans: &[Plan]| plans.iter().map(Plan::shape).collect::<String>();
        let same = known
            .into_iter()
            .flatten()
            .any(|(other, known)| other == operation && shapes(known) == shapes(plans));
        if same {
            continue;
        }
        println!("-- {}", operation.map_or("cleanup, one batch of 1,000", Operation::name));
        // A batch is many statements that differ in their values alone.
        for alike in plans.chunk_by(|one, next| one.shape() == next.shape() && one.verb() == next.verb()) {
            print_plan(&alike[0]);
            if alike.len() > 1 {
                println!("    and {} more like it", alike.len() - 1);
            }
        }
    }
    println!("```");
}

fn print_plan(plan: &Plan) {
    println!("{}", shortened(&plan.statement, 160));
    for line in &plan.lines {
        println!("    {}", shortened(line, 180));
    }
    if plan.work > 0 && !plan.lines.iter().any(|line| line.contains("Buffers")) {
        println!("    rows examined: {}", plan.work);
    }
}

fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        text.to_owned()
    } else {
        text.chars().take(most - 2).collect::<String>() + ".."
    }
}

/// Bytes of payload, user agent and subject in a record, which are the application's and not the store's.
#[must_use]
pub fn own_bytes(record: &SessionRecord) -> String {
    format!(
        "payload {} bytes, user agent {}, subject {}, realm {}",
        record.payload.len(),
        record.user_agent.as_deref().map_or(0, str::len),
        record.subject.as_deref().map_or(0, str::len),
        crate::sample::REALM.len()
    )
}

/// Memory of this process that is really there.
#[must_use]
pub fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok())
        .map_or(0, |kilobytes| kilobytes * 1024)
}

pub type Plans = Vec<(Option<Operation>, Vec<Plan>)>;
type Times = [(Operation, [f64; 2])];

/// Small and large side by side.
pub fn print_times(large: u64, times: &Times, stale: Option<&Times>) {
    let (head, line) = match stale {
        Some(_) => (" the same, statistics from before | ratio |", "--:|--:|"),
        None => ("", ""),
    };
    println!("| median time | 10,000 | {large} | ratio |{head}\n|---|--:|--:|--:|{line}");
    for (operation, [few, many]) in times {
        print!("| {} | {} | {} | {:.2} |", operation.name(), time(*few), time(*many), many / few);
        let before = stale.into_iter().flatten().find(|(other, _)| other == operation);
        println!(
            "{}",
            before.map_or(String::new(), |(_, [few, many])| format!(
                " {} | {:.2} |",
                time(*many),
                many / few
            ))
        );
    }
}

/// Pages (PostgreSQL) or rows (MariaDB) that the statements of a call looked at: a measure without noise.
pub fn print_work(stale: &[Plans; 2], fresh: &[Plans; 2], cleanup: (&[Plan], &[Plan])) {
    if fresh.iter().flatten().flat_map(|(_, plans)| plans).all(|plan| plan.work == 0) {
        return;
    }
    println!(
        "\n| pages touched (PostgreSQL) or rows examined (MariaDB) by a call | 10,000 | large | large, statistics from before |"
    );
    println!("|---|--:|--:|--:|");
    let [few, many] = fresh;
    for (((operation, few), (_, many)), (_, before)) in few.iter().zip(many).zip(&stale[1]) {
        let name = operation.map_or("cleanup", Operation::name);
        println!("| {name} | {} | {} | {} |", work(few), work(many), work(before));
    }
    println!("| cleanup, one batch of 1,000 | - | {} | {} |", work(cleanup.1), work(cleanup.0));
}

/// A function's own plan counts what its statements did, and news may follow it.
fn work(plans: &[Plan]) -> u64 {
    if plans.iter().any(|plan| plan.lines.iter().any(|line| line.contains("Buffers"))) {
        return plans.iter().map(|plan| plan.work).max().unwrap_or(0);
    }
    plans.iter().map(|plan| plan.work).sum()
}

/// Calls a second, and how many times those of another.
#[must_use]
pub fn rate(it: Option<(f64, f64)>) -> String {
    it.map_or("-".to_owned(), |(rate, ratio)| format!("{} ({ratio:.2})", thousands(rate)))
}

#[must_use]
pub fn thousands(rate: f64) -> String {
    if rate < 10_000.0 { format!("{rate:.0}") } else { format!("{:.1}k", rate / 1000.0) }
}

/// What the tables were made with.
#[must_use]
pub fn versions() -> String {
    const LOCK: &str = include_str!("../../Cargo.lock");
    const STORES: [&str; 9] = [
        "redis",
        "sqlx",
        "fred",
        "libsqlite3-sys",
        "tower-sessions",
        "tower-sessions-redis-store",
        "tower-sessions-sqlx-store",
        "actix-session",
        "axum",
    ];
    let mut all = Vec::new();
    for name in STORES {
        let entry = format!("name = \"{name}\"\nversion = \"");
        let versions: Vec<&str> =
            LOCK.split(&entry).skip(1).filter_map(|rest| rest.split('"').next()).collect();
        all.push(format!("{name} {}", versions.join(" and ")));
    }
    let servers =
        [["redis-server", "--version"], ["mariadbd", "--version"], ["psql", "--version"]].map(|words| {
            let output = std::process::Command::new(words[0]).arg(words[1]).output();
            output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
        });
    format!("{}\n{}.\n{}.", session_benches::report::versions(), all.join(", "), servers.join("; "))
}
