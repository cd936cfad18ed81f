//! The absolute lifetime, which no extension passes.

use proptest::prelude::*;

use super::{GRACE, Intent, MAX_AGE, Rule, at, claims, duration, lifetimes, record, seconds, serve};

/// One request: so long after the last one, by this holder of a token, who may lose the answer.
fn request() -> impl Strategy<Value = (i64, usize, bool, bool)> {
    (0..2 * GRACE, 0..3_usize, any::<bool>(), any::<bool>())
}

proptest! {
    #[test]
    fn no_extension_passes_the_absolute_lifetime(
        left in MAX_AGE..10 * MAX_AGE,
        generation in 0..2_u64,
        requests in prop::collection::vec(request(), 0..200),
    ) {
        let lifetimes = lifetimes().absolute_lifetime(duration(1000 + left));
        let mut held = [claims(generation, MAX_AGE); 3];
        let mut record = record(generation, 0, MAX_AGE, (generation == 0).then_some(0));
        let mut now = 0;
        for (passed, holder, refreshes, arrives) in requests {
            now += passed;
            let intent = if refreshes { Intent::Refresh } else { Intent::UseAsIs };
            match serve(Rule::Built, &lifetimes, &held[holder], record.clone(), at(now), intent) {
                Ok(served) => {
                    prop_assert!(now < left, "served {now} s after the start of a session with {left} s");
                    record = served.record;
                    if let Some(cookie) = served.cookie {
                        // At the absolute end a new generation may have nothing more to give.
                        let before = held[holder];
                        prop_assert!(cookie.expires_at >= before.expires_at);
                        prop_assert!((cookie.generation, cookie.expires_at) > (before.generation, before.expires_at));
                        held[holder] = if arrives { cookie } else { held[holder] };
                    }
                }
                Err(_) => continue,
            }
            prop_assert!(seconds(record.expires_at) <= left);
            prop_assert!(seconds(record.ends_at) <= left);
        }
    }
}
