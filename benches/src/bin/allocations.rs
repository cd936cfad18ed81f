//! Prints how many allocations a request makes, as a table in Markdown.

use session_benches::measure::{Subject, median};
use session_benches::{report, requests, token, workload};

const WARM_UP: usize = 100;
const REQUESTS: usize = 21;

fn main() {
    println!("Token of {} bytes.\n", workload::token(&workload::stateless()).len());
    println!("| framework | subject | minimum | median | over bare |");
    println!("|---|---|--:|--:|--:|");
    print("none", token::subjects());
    print("axum", requests::axum::subjects());
    print("actix-web", requests::actix::subjects());
    print("Rocket", requests::rocket::subjects());
    println!("\n{}", report::versions());
}

fn print(framework: &str, subjects: Vec<Subject>) {
    let mut bare = None;
    for mut subject in subjects {
        for _ in 0..WARM_UP {
            subject.run(1);
        }
        let counts: Vec<f64> = (0..REQUESTS).map(|_| subject.run(1).allocations as f64).collect();
        let least = counts.iter().copied().fold(f64::INFINITY, f64::min);
        let usual = median(counts);
        if subject.name == requests::BARE {
            bare = Some(usual);
        }
        let over = bare.map_or("-".to_owned(), |bare| format!("{:+}", usual - bare));
        println!("| {framework} | {} | {least} | {usual} | {over} |", subject.name);
    }
}
