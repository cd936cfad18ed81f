//! Runs one subject and nothing else, for a profiler: `one axum "ours, read" 20000`.

use session_benches::measure::Subject;
use session_benches::{requests, token};

const BATCH: usize = 64;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [framework, name, times] = &arguments[..] else {
        eprintln!("usage: one none|axum|actix|rocket SUBJECT TIMES");
        std::process::exit(2);
    };
    let mut subjects = of(framework);
    let Some(subject) = subjects.iter_mut().find(|subject| subject.name == name) else {
        let names: Vec<_> = subjects.iter().map(|subject| subject.name).collect();
        eprintln!("the subjects are: {}", names.join("; "));
        std::process::exit(2);
    };
    let times: usize = times.parse().expect("a number");
    for _ in 0..times / BATCH {
        subject.run(BATCH);
    }
}

fn of(framework: &str) -> Vec<Subject> {
    match framework {
        "axum" => requests::axum::subjects(),
        "actix" => requests::actix::subjects(),
        "rocket" => requests::rocket::subjects(),
        _ => token::subjects(),
    }
}
