//! What CI runs.

use crate::{Plan, run, search};

#[test]
fn ten_thousand_seeds() {
    let totals =
        search(0..std::env::var("SIM_SEEDS").map_or(1000, |n| n.parse().unwrap()), Plan::default(), 2);
    match totals {
        Ok(totals) => eprintln!("{totals:?}"),
        Err(failure) => {
            let again = run(failure.seed, Plan { traces: true, ..Plan::default() });
            panic!("{}", again.err().map_or("not repeated".to_owned(), |f| f.to_string()));
        }
    }
}
