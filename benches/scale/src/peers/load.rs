//! Load from many clients.

use std::sync::Arc;
use std::time::{Duration, Instant};

use session_benches::measure::median;

use super::{READ, Subject};

pub const WARM_UP: usize = 3;
pub const ROUNDS: usize = 25;
pub const ROUND: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Work {
    Load,
    Login,
}

/// Calls a second of each subject, in turn, by rounds. The first rounds are not counted.
pub async fn rates(subjects: &[Subject], work: Work, clients: u64) -> Rates {
    let mut rates = Rates::new(subjects.len());
    for round in 0..WARM_UP + ROUNDS {
        for (at, subject) in subjects.iter().enumerate() {
            if work == Work::Login && subject.login.is_none() {
                continue;
            }
            let rate = one_round(subject, work, clients).await;
            if round >= WARM_UP {
                rates.push(at, rate);
            }
        }
    }
    rates
}

/// What the rounds gave, by subject.
pub struct Rates(Vec<Vec<f64>>);

impl Rates {
    #[must_use]
    pub fn new(subjects: usize) -> Self {
        Self(vec![Vec::new(); subjects])
    }

    pub fn push(&mut self, subject: usize, rate: f64) {
        self.0[subject].push(rate);
    }

    /// Median of a subject, and the median of how many times that of another it is, round by round: the machine is
    /// never the same for long.
    #[must_use]
    pub fn of(&self, subject: usize, other: usize) -> Option<(f64, f64)> {
        let ratios = self.0[subject].iter().zip(&self.0[other]).map(|(it, other)| it / other).collect();
        let rates = self.0[subject].clone();
        (!rates.is_empty()).then(|| (median(rates), median(ratios)))
    }
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
