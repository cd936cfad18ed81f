//! What goes wrong between browsers, nodes and the store, and how often.

use crate::random::Random;
use crate::stage::Millis;

/// How long an operation waits for the store.
pub(crate) const DEADLINE: Millis = 2_000;

/// Chances are of a thousand.
#[derive(Clone, Debug)]
pub(crate) struct Weather {
    /// Within what the documentation asks for: a request's flight, the difference of two clocks and the store's deadline
    /// together stay below the grace.
    pub(crate) is_calm: bool,
    /// The longest way from a browser to a node, or back.
    pub(crate) flight: Millis,
    /// How far a clock is off at most, either way.
    pub(crate) skew: Millis,
    pub(crate) jumps: bool,
    /// The usual time that the store needs, either way.
    pub(crate) latency: Millis,
    pub(crate) call_fails: u64,
    pub(crate) answer_is_lost: u64,
    pub(crate) call_is_slow: u64,
    pub(crate) call_hangs: u64,
    /// A call arrives when its caller has given up.
    pub(crate) call_is_late: u64,
    pub(crate) response_is_lost: u64,
    pub(crate) request_is_cut: u64,
    pub(crate) news_is_lost: u64,
    pub(crate) news_delay: Millis,
}

impl Weather {
    /// Nothing goes wrong.
    pub(crate) fn clear() -> Self {
        Self {
            is_calm: true,
            flight: 20,
            skew: 0,
            jumps: false,
            latency: 5,
            call_fails: 0,
            answer_is_lost: 0,
            call_is_slow: 0,
            call_hangs: 0,
            call_is_late: 0,
            response_is_lost: 0,
            request_is_cut: 0,
            news_is_lost: 0,
            news_delay: 50,
        }
    }

    pub(crate) fn draw(random: &mut Random, grace: u64) -> Self {
        let mut weather = Self::clear();
        weather.is_calm = !random.chance(200);
        // Of the grace: one part for each way, one for the difference of clocks; a use waits for its store up to two
        // seconds, and for a revalidation not at all.
        let part = (grace * 1000 - DEADLINE - 2_000) / 4;
        weather.latency = random.pick(&[0, 0, 3, 50, 400]);
        weather.flight = random.pick(&[5, 200, part]);
        weather.skew = random.pick(&[0, 1_000, part]);
        weather.jumps = random.chance(300);
        if !weather.is_calm {
            weather.flight = random.pick(&[1_000, 40_000]);
            weather.skew = random.pick(&[30_000, 120_000]);
        }
        let troubles = if random.chance(500) { random.pick(&[5, 20, 80]) } else { 0 };
        for chance in [
            &mut weather.call_fails,
            &mut weather.answer_is_lost,
            &mut weather.call_is_slow,
            &mut weather.call_hangs,
            &mut weather.call_is_late,
        ] {
            *chance = if random.chance(500) { troubles } else { 0 };
        }
        weather.response_is_lost = random.pick(&[0, 20, 150]);
        weather.request_is_cut = random.pick(&[0, 20, 100]);
        weather.news_is_lost = random.pick(&[0, 300, 1000]);
        weather.news_delay = random.pick(&[10, 2_000, 60_000]);
        weather
    }

    /// The store answers everything in time.
    pub(crate) fn store_is_well(&self) -> bool {
        self.call_fails + self.answer_is_lost + self.call_is_slow + self.call_hangs + self.call_is_late == 0
    }

    /// The same, and an operation may ask it several times before its deadline.
    pub(crate) fn store_is_quick(&self) -> bool {
        self.store_is_well() && self.latency <= 50
    }
}
