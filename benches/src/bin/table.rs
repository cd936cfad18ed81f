//! Prints times, ratios and allocations, as two tables in Markdown. With a path it draws there what a read costs (SVG).

use session_benches::chart::{self, Bar};
use session_benches::measure::{Rounds, Subject};
use session_benches::token::{
    JSONWEBTOKEN, JSONWEBTOKEN_ISSUE, LIMIT_ISSUE, LIMIT_READ, LIMIT_TOKEN, LIMIT_WRITE, READ, READ_NINE,
    WRITE,
};
use session_benches::{report, requests, token, workload};

const ROUNDS: usize = 600;
const BATCH: usize = 64;

fn main() {
    println!("Token of {} bytes.\n", workload::token(&workload::stateless()).len());
    print_tokens(&Rounds::of(token::subjects(), ROUNDS, BATCH));
    println!(
        "\n| framework | subject | ns | over bare | ratio to limit | goal | allocations over bare | over limit |"
    );
    println!("|---|---|--:|--:|--:|--:|--:|--:|");
    let frameworks = [
        ("axum", requests::axum::subjects()),
        ("actix-web", requests::actix::subjects()),
        ("Rocket", requests::rocket::subjects()),
    ];
    let reads = frameworks.map(|(framework, subjects)| print_requests(framework, subjects));
    println!("\n{}", report::versions());
    if let Some(path) = std::env::args().nth(1) {
        let bars: Vec<Bar> = reads.into_iter().flatten().collect();
        chart::draw(path.as_ref(), "What a read adds to a request, in nanoseconds", &bars);
    }
}

fn print_tokens(rounds: &Rounds) {
    println!("| without a framework | ns | ratio to limit | goal | allocations |");
    println!("|---|--:|--:|--:|--:|");
    let row = |name: &str, (ns, count): (f64, f64), limit: f64, goal: &str| {
        println!("| {name} | {ns:.0} | {:.2} | {goal} | {count:.0} |", ns / limit);
    };
    let whole = |name| rounds.whole(name);
    let (verify, issue) = (whole(LIMIT_TOKEN).0, whole(LIMIT_ISSUE).0);
    let more = rounds.over(READ_NINE, READ);
    row(LIMIT_TOKEN, whole(LIMIT_TOKEN), verify, "");
    row("ours: one more token in the request", (more.0 / 8.0, more.1 / 8.0), verify, "1.15");
    row(JSONWEBTOKEN, whole(JSONWEBTOKEN), verify, "");
    for name in [LIMIT_READ, READ] {
        row(name, whole(name), whole(LIMIT_READ).0, "");
    }
    row(LIMIT_ISSUE, whole(LIMIT_ISSUE), issue, "");
    row("limit: what writing adds to reading", rounds.over(LIMIT_WRITE, LIMIT_READ), issue, "");
    row("ours: what writing adds to reading", rounds.over(WRITE, READ), issue, "1.20");
    row(JSONWEBTOKEN_ISSUE, whole(JSONWEBTOKEN_ISSUE), issue, "");
    for name in [LIMIT_WRITE, WRITE] {
        row(name, whole(name), whole(LIMIT_WRITE).0, "");
    }
}

/// The answer is what reads cost.
fn print_requests(framework: &str, subjects: Vec<Subject>) -> Vec<Bar> {
    let mut bars = Vec::new();
    let rounds = Rounds::of(subjects, ROUNDS, BATCH);
    let (bare, count) = rounds.whole(requests::BARE);
    println!("| {framework} | bare: {count:.0} allocations | {bare:.0} | | | | | |");
    for &(name, limit, goal) in requests::COMPARED.iter().filter(|compared| rounds.has(compared.0)) {
        let (over, allocations) = rounds.over(name, requests::BARE);
        let limit = rounds.has(limit).then(|| rounds.over(limit, requests::BARE));
        let ratio = limit.map_or("-".to_owned(), |limit| format!("{:.2}", over / limit.0));
        let more = limit.map_or("-".to_owned(), |limit| format!("{:+.0}", allocations - limit.1));
        let goal = goal.filter(|_| limit.is_some()).map_or(String::new(), |goal| format!("{goal:.2}"));
        let whole = rounds.whole(name).0;
        if requests::READS.contains(&name) {
            bars.push(Bar {
                name: format!("{framework}: {name}"),
                value: over,
                is_ours: name.starts_with("ours"),
            });
        }
        println!(
            "| {framework} | {name} | {whole:.0} | {over:+.0} | {ratio} | {goal} | {allocations:+.0} | {more} |"
        );
    }
    bars
}
