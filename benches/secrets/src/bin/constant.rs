//! Does the time of a refusal tell how near a guess came? Each pair below are cookies that differ in what they have wrong,
//! and are refused (Reparaz, Balasch, Verbauwhede, "Dude, is my code constant time?", DATE 2017). A `max t` that stays
//! below 5 however many samples there are tells of no leak; `control` leaks on purpose, and must be far above.

use dudect_bencher::rand::RngExt as _;
use dudect_bencher::{BenchRng, Class, CtRunner, ctbench_main};
use session_benches_secrets::{cookie, opens, request, sessions};
use session_core::TokenForm;

const SAMPLES: usize = 200_000;
/// So many good cookies are in turn. Each sample has a copy in a place of its own: where a class has places that are always
/// the same, what is measured is the caches.
const POOL: usize = 64;

/// The cookie with its `at`th character (from the end, if negative) changed to another one that leaves base64url canonical.
fn wrong_at(cookie: &str, at: isize) -> String {
    let mut bytes = cookie.as_bytes().to_vec();
    let at = if at < 0 { bytes.len().checked_add_signed(at).expect("a place") } else { at.unsigned_abs() };
    bytes[at] = if bytes[at] == b'Q' { b'g' } else { b'Q' };
    String::from_utf8(bytes).expect("text")
}

fn measure(
    runner: &mut CtRunner,
    rng: &mut BenchRng,
    form: TokenForm,
    left: impl Fn(&str) -> String,
    right: impl Fn(&str) -> String,
) {
    let reads = sessions(form, 1);
    let pool: Vec<_> = (0..POOL).map(|_| cookie(&reads)).collect();
    for _ in 0..SAMPLES {
        let good = &pool[rng.random_range(0..POOL)];
        let (class, bad) =
            if rng.random::<bool>() { (Class::Left, left(good)) } else { (Class::Right, right(good)) };
        let request = request(&bad);
        let opened = std::cell::Cell::new(true);
        runner.run_one(class, || opened.set(opens(&reads, &request)));
        assert!(!opened.get());
    }
}

/// The first byte of the signature, or its last.
fn signature(runner: &mut CtRunner, rng: &mut BenchRng) {
    measure(runner, rng, TokenForm::Typed, |good| wrong_at(good, -43), |good| wrong_at(good, -2));
}

/// The first byte of the tag, or its last.
fn tag(runner: &mut CtRunner, rng: &mut BenchRng) {
    measure(runner, rng, TokenForm::Sealed, |good| wrong_at(good, -22), |good| wrong_at(good, -2));
}

/// Damaged, or whole and sealed by somebody else under the name of our key.
fn damaged_or_not_ours(runner: &mut CtRunner, rng: &mut BenchRng) {
    let theirs = sessions(TokenForm::Sealed, 2);
    let pool: Vec<_> = (0..POOL).map(|_| cookie(&theirs)).collect();
    let next = std::cell::Cell::new(0);
    let not_ours = |_: &str| {
        next.set((next.get() + 1) % POOL);
        pool[next.get()].clone()
    };
    measure(runner, rng, TokenForm::Sealed, |good| wrong_at(good, -100), not_ours);
}

/// Two things that must be told apart: bytes that are compared with `==` and differ at the beginning, or at the end.
fn control(runner: &mut CtRunner, rng: &mut BenchRng) {
    let secret = [1_u8; 256];
    let (mut left, mut right) = (secret, secret);
    left[0] = 2;
    right[255] = 2;
    for _ in 0..SAMPLES {
        let (class, guess) = if rng.random::<bool>() { (Class::Left, left) } else { (Class::Right, right) };
        runner.run_one(class, || guess.iter().zip(&secret).all(|(a, b)| std::hint::black_box(a) == b));
    }
}

ctbench_main!(signature, tag, damaged_or_not_ours, control);
