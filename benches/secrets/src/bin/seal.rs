//! What sealing costs beside signing: sizes and times of both in one run, or one of the four alone, for callgrind:
//! `seal typed-read 1000`.

use std::hint::black_box;
use std::time::Instant;

use session_benches_secrets::{cookie, done, opens, request, sessions};
use session_core::TokenForm;

const ROUNDS: usize = 101;
const TIMES: u32 = 2_000;
const NAMES: [&str; 4] = ["typed-read", "sealed-read", "typed-update", "sealed-update"];

fn subject(name: &str) -> Box<dyn Fn()> {
    let form = if name.starts_with("typed") { TokenForm::Typed } else { TokenForm::Sealed };
    let sessions = sessions(form, 1);
    let request = request(&cookie(&sessions));
    assert!(opens(&sessions, &request));
    if name.ends_with("read") {
        return Box::new(move || assert!(black_box(opens(&sessions, black_box(&request)))));
    }
    Box::new(move || {
        let slot = sessions.slot();
        let session = slot.receive(black_box(&request)).session();
        drop(done(session.update(|user| user.role.push('.'))).expect("an update"));
        assert!(black_box(slot.close(&())).set_cookie().is_some());
    })
}

fn nanoseconds(subject: &dyn Fn()) -> f64 {
    let start = Instant::now();
    (0..TIMES).for_each(|_| subject());
    start.elapsed().as_secs_f64() * 1e9 / f64::from(TIMES)
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    if let Some(name) = arguments.next() {
        let times: usize = arguments.next().and_then(|times| times.parse().ok()).unwrap_or(1);
        let subject = subject(&name);
        return (0..times).for_each(|_| subject());
    }
    for form in [TokenForm::Typed, TokenForm::Sealed] {
        println!(
            "{form:?}: name and value of the cookie have {} bytes",
            cookie(&sessions(form, 1)).len() - 1
        );
    }
    let subjects = NAMES.map(subject);
    let mut rounds = vec![Vec::new(); NAMES.len()];
    for _ in 0..ROUNDS {
        for (subject, times) in subjects.iter().zip(&mut rounds) {
            times.push(nanoseconds(&**subject));
        }
    }
    for [typed, sealed] in [[0, 1], [2, 3]] {
        let ratios =
            rounds[typed].iter().zip(&rounds[sealed]).map(|(typed, sealed)| sealed / typed).collect();
        let [a, b] = [typed, sealed].map(|at| median(rounds[at].clone()));
        println!("{}: {a:.0} ns, {}: {b:.0} ns, ratio {:.2}", NAMES[typed], NAMES[sealed], median(ratios));
    }
}
