//! Prints how many requests a second axum serves with sessions, beside the same without. The process has to be on the
//! first core alone: `taskset -c 0 wire`.

use session_benches::report;
use session_benches::requests::axum::served;
use session_benches_scale::wire::measure;

fn main() {
    println!("| axum, `wrk` with 64 connections | requests a second | of bare |\n|---|--:|--:|");
    for (name, rate, part) in measure(served()) {
        println!("| {name} | {:.1}k | {part:.2} |", rate / 1000.0);
    }
    println!("\n{}", report::versions());
    // The services' threads do not end by themselves.
    std::process::exit(0);
}
