//! What happens second by second. Each trace once fooled a rule that looked right, and is told here under that rule and
//! under the one that is built.

use super::{GRACE, Intent, MAX_AGE, Rule, at, claims, lifetimes, record, seconds, serve};
use crate::store::SessionRecord;
use crate::token::Claims;

/// The server's side of a trace. Its client is the trace itself.
struct Server {
    rule: Rule,
    record: SessionRecord,
}

/// Generation 1, issued at 0, which the client holds and has not used.
fn issued(rule: Rule) -> (Server, Claims) {
    (Server { rule, record: record(1, 0, MAX_AGE, None) }, claims(1, MAX_AGE))
}

impl Server {
    /// The token that goes with the answer, if one does, or `Err` for a refusal.
    fn ask(&mut self, now: i64, token: &Claims, intent: Intent) -> Result<Option<Claims>, &'static str> {
        let served = serve(self.rule, &lifetimes(), token, self.record.clone(), at(now), intent);
        let served = served.map_err(|_| "refused")?;
        self.record = served.record;
        Ok(served.cookie)
    }

    fn refresh(&mut self, now: i64, token: &Claims) -> Result<Option<Claims>, &'static str> {
        self.ask(now, token, Intent::Refresh)
    }

    fn use_it(&mut self, now: i64, token: &Claims) -> Result<Option<Claims>, &'static str> {
        self.ask(now, token, Intent::UseAsIs)
    }
}

/// Tabs A and B show the same token; `first` and `second` are when their refreshes are served. Both answers are slow,
/// B's slowest of all: it arrives after A has refreshed once more.
fn an_answer_overtakes_the_next_generation(rule: Rule, first: i64, second: i64) -> Result<(), &'static str> {
    let (mut server, shown) = issued(rule);
    let a = server.refresh(first, &shown)?;
    let b = server.refresh(second, &shown)?;
    // A's answer has arrived, and a grace after the first use A asks again, and uses what it gets.
    let mut jar = a.unwrap_or(shown);
    jar = server.refresh(first + GRACE, &jar)?.unwrap_or(jar);
    server.use_it(first + GRACE, &jar)?;
    // Ten seconds later B's answer arrives, twenty after it was made.
    jar = b.unwrap_or(jar);
    server.use_it(first + 2 * GRACE, &jar)?;
    Ok(())
}

#[test]
fn a_late_cookie_near_the_end_is_no_replay() {
    let trace = |rule| an_answer_overtakes_the_next_generation(rule, 100, 120);
    assert_eq!(trace(Rule::ForgetsWhatItSent), Err("refused"));
    assert_eq!(trace(Rule::Built), Ok(()));
}

#[test]
fn a_late_cookie_of_a_healthy_session_is_no_replay() {
    let trace = |rule| an_answer_overtakes_the_next_generation(rule, 10, 30);
    assert_eq!(trace(Rule::ExtendsAtEachRefresh), Err("refused"));
    assert_eq!(trace(Rule::Built), Ok(()));
}

#[test]
fn a_plain_use_before_does_not_take_the_refresh_away() {
    let trace = |rule| {
        let (mut server, shown) = issued(rule);
        server.use_it(MAX_AGE - 40, &shown)?;
        server.refresh(MAX_AGE - 20, &shown)
    };
    assert_eq!(trace(Rule::WaitsForTheHold), Ok(None));
    let longer = trace(Rule::Built).unwrap().expect("a longer token");
    assert_eq!((longer.generation, seconds(longer.expires_at)), (Some(1), 2 * MAX_AGE - 20));
}

#[test]
fn a_lost_answer_is_sent_again_in_the_same_second_and_later() {
    let trace = |rule| {
        let (mut server, shown) = issued(rule);
        let lost = server.refresh(MAX_AGE - 20, &shown)?;
        Ok::<_, &str>((lost, server.refresh(MAX_AGE - 20, &shown)?, server.refresh(MAX_AGE - 15, &shown)?))
    };
    assert!(matches!(trace(Rule::NeverSendsAgain), Ok((Some(_), None, _))));
    let (lost, at_once, later) = trace(Rule::Built).unwrap();
    assert_eq!(lost, at_once);
    assert!(later.unwrap().expires_at > lost.unwrap().expires_at);
}

#[test]
fn a_lost_answer_is_sent_again_at_the_absolute_end() {
    let trace = |rule| {
        let lifetimes = lifetimes().absolute_lifetime(super::duration(1000 + MAX_AGE + 5));
        let (Server { mut record, .. }, shown) = issued(rule);
        let mut cookies = Vec::new();
        for now in [MAX_AGE - 20, MAX_AGE - 10] {
            let served = serve(rule, &lifetimes, &shown, record, at(now), Intent::Refresh).unwrap();
            record = served.record;
            cookies.push(served.cookie.map(|token| seconds(token.expires_at)));
        }
        cookies
    };
    assert_eq!(trace(Rule::NeverSendsAgain), [Some(MAX_AGE + 5), None]);
    assert_eq!(trace(Rule::Built), [Some(MAX_AGE + 5); 2]);
}

/// Asks for nothing but the status, which changes nothing, and refreshes in the last `lead` seconds, for ten times
/// `max_age`. Answers when its session was over, if it was.
fn refreshes_in_the_last(lead: i64, rule: Rule, generation: u64) -> Result<(), i64> {
    let used = (generation == 0).then_some(0);
    let mut server = Server { rule, record: record(generation, 0, MAX_AGE, used) };
    let mut token = claims(generation, MAX_AGE);
    for now in 0..10 * MAX_AGE {
        if now >= seconds(token.expires_at) {
            return Err(now);
        }
        if seconds(token.expires_at) - now <= lead {
            token = server.refresh(now, &token).map_err(|_| now)?.unwrap_or(token);
        }
    }
    Ok(())
}

#[test]
fn a_front_end_that_only_refreshes_in_the_last_seconds_stays_logged_in() {
    for lead in 1..=2 * GRACE {
        for generation in [0, 1] {
            assert_eq!(
                refreshes_in_the_last(lead, Rule::Built, generation),
                Ok(()),
                "{lead} s, {generation}"
            );
        }
        if lead <= GRACE {
            assert!(refreshes_in_the_last(lead, Rule::NeverExtends, 1).is_err(), "{lead} s");
        }
    }
}

#[test]
fn the_store_catches_up_with_a_token_that_was_extended() {
    // A fail-over lost the extension; our signature on the token is the proof that there was one.
    for used in [None, Some(150)] {
        let lost = record(1, 0, MAX_AGE, used);
        let token = Claims { issued_at: at(160), ..claims(1, MAX_AGE + 160) };
        let served = serve(Rule::Built, &lifetimes(), &token, lost, at(170), Intent::UseAsIs).unwrap();
        let record = served.record;
        assert_eq!((record.claims(), served.cookie), (token, None));
        assert_eq!(record.first_used_at, Some(at(used.unwrap_or(170))), "the first use is kept, or is now");
    }
}
