//! Load from many clients.

use std::sync::Arc;
use std::time::{Duration, Instant};

use session_benches::measure::median;

use super::{READ, Subject};

const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_millis(300);

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Work {
    Load,
    Login,
}

/// Calls a second of each subject, in turn; medians of the rounds. The first round is not counted.
pub async fn rates(subjects: &[Subject], work: Work, clients: u64) -> Vec<Option<f64>> {
    let mut rates = vec![Vec::new(); subjects.len()];
    for round in 0..=ROUNDS {
        for (subject, rates) in subjects.iter().zip(&mut rates) {
            if work == Work::Login && subject.login.is_none() {
                continue;
            }
            let rate = one_round(subject, work, clients).await;
            if round > 0 {
                rates.push(rate);
            }
        }
    }
    rates.into_iter().map(|rates| (!rates.is_empty()).then(|| median(rates))).collect()
}

async fn one_round(subject: &Subject, work: Work, clients: u64) -> f64 {
    let began = Instant::now();
    let clients: Vec<_> = (0..clients)
        .map(|client| {
            let subject = subject.clone();
            tokio::spawn(async move {
                let mut done = 0_u64;
                while began.elapsed() < ROUND {
                    match (work, &subject.login) {
                        (Work::Login, Some(login)) => login().await,
                        _ => (subject.load)((client * 997 + done * 7919) % READ).await,
                    }
                    done += 1;
                }
                done
            })
        })
        .collect();
    let mut done = 0;
    for client in clients {
        done += client.await.expect("a client");
    }
    done as f64 / began.elapsed().as_secs_f64()
}

/// Runs it `times` times, one after another.
pub async fn repeat(subject: &Subject, work: Work, times: u64) {
    for nth in 0..times {
        match (work, &subject.login) {
            (Work::Login, Some(login)) => Arc::clone(login)().await,
            (Work::Login, None) => {}
            (Work::Load, _) => (subject.load)(nth).await,
        }
    }
}
