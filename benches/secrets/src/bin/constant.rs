//! Does the time of a refusal tell how near a guess came? Each pair below are cookies that differ in what they have wrong,
//! and are refused (Reparaz, Balasch, Verbauwhede, "Dude, is my code constant time?", DATE 2017). A `max t` that stays
//! below 5 however many samples there are tells of no leak; `control` leaks on purpose, and must be far above.

use std::cell::Cell;
use std::hint::black_box;

use dudect_bencher::rand::RngExt as _;
use dudect_bencher::{BenchRng, Class, CtRunner, ctbench_main};
use session_benches_secrets::{User, cookie, opens, request, sessions};
use session_core::{SessionManager, TokenForm};

const SAMPLES: usize = 200_000;
/// So many good cookies are in turn. Each sample has a copy in a place of its own: where a class has places that are always
/// the same, what is measured is the caches.
const POOL: usize = 64;

/// A copy of the cookie, with the character `back` from its end changed to another one that leaves base64url canonical, or
/// to the same one: so that whatever is compared was made by the same steps.
fn copied(cookie: &str, back: usize, changes: bool) -> String {
    let mut bytes = cookie.as_bytes().to_vec();
    let at = bytes.len() - back;
    let other = if bytes[at] == b'Q' { b'g' } else { b'Q' };
    bytes[at] = if black_box(changes) { other } else { bytes[at] };
    String::from_utf8(bytes).expect("text")
}

fn pool(of: &SessionManager<User>) -> Vec<String> {
    (0..POOL).map(|_| cookie(of)).collect()
}

/// What makes a cookie of a class: the pool that it is copied from, and the character that is wrong in it.
type Made<'a> = (&'a [String], usize, bool);

fn measure(runner: &mut CtRunner, rng: &mut BenchRng, reads: &SessionManager<User>, classes: [Made<'_>; 2]) {
    for _ in 0..SAMPLES {
        let is_left = rng.random::<bool>();
        let (pool, back, changes) = classes[usize::from(!is_left)];
        let request = request(&copied(&pool[rng.random_range(0..POOL)], back, changes));
        let opened = Cell::new(true);
        let class = if is_left { Class::Left } else { Class::Right };
        runner.run_one(class, || opened.set(opens(reads, &request)));
        assert!(!opened.get());
    }
}

/// The first byte of the signature, or its last.
fn signature(runner: &mut CtRunner, rng: &mut BenchRng) {
    let reads = sessions(TokenForm::Typed, 1);
    let ours = pool(&reads);
    measure(runner, rng, &reads, [(&ours, 43, true), (&ours, 2, true)]);
}

/// The first byte of the tag, or its last.
fn tag(runner: &mut CtRunner, rng: &mut BenchRng) {
    let reads = sessions(TokenForm::Sealed, 1);
    let ours = pool(&reads);
    measure(runner, rng, &reads, [(&ours, 22, true), (&ours, 2, true)]);
}

/// Damaged, or whole and sealed by somebody else under the name of our key.
fn damaged_or_not_ours(runner: &mut CtRunner, rng: &mut BenchRng) {
    let reads = sessions(TokenForm::Sealed, 1);
    let (ours, theirs) = (pool(&reads), pool(&sessions(TokenForm::Sealed, 2)));
    measure(runner, rng, &reads, [(&ours, 100, true), (&theirs, 100, false)]);
}

/// Two things that must be told apart: bytes that are compared with `==` and differ at the beginning, or at the end.
fn control(runner: &mut CtRunner, rng: &mut BenchRng) {
    let secret = [1_u8; 256];
    let (mut left, mut right) = (secret, secret);
    left[0] = 2;
    right[255] = 2;
    for _ in 0..SAMPLES {
        let (class, guess) = if rng.random::<bool>() { (Class::Left, left) } else { (Class::Right, right) };
        runner.run_one(class, || guess.iter().zip(&secret).all(|(a, b)| black_box(a) == b));
    }
}

ctbench_main!(signature, tag, damaged_or_not_ours, control);
