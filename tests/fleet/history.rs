//! What was answered to those who use one session at the same time, and whether any order explains it: of each session one
//! after the other, as if there were one process, one store and no fault. So no request that begins after a logout or a
//! revocation was acknowledged is served, no acknowledged update is missing or counted twice, and nothing comes back.
//!
//! The judge is not ours: `todc-utils` has the algorithm of Wing, Gong and Lowe, which `porcupine` has for Go.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::time::Instant;

use todc_utils::linearizability::WGLChecker;
use todc_utils::linearizability::history::{Action, History as Actions};
use todc_utils::specifications::Specification;

/// A session: the account, and which of its logins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id {
    pub(super) account: usize,
    pub(super) login: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    LogIn,
    Read,
    Count,
    LogOut,
    /// To end every other session of the account.
    EndOthers,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Done,
    /// So many visits.
    Visits(u64),
    /// That nobody is logged in.
    Nobody,
    /// That it is not known: 503. What was asked for is done once or never, and nobody can say when.
    Unknown,
}

/// One request and its answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) id: Id,
    pub(super) asked: Asked,
    pub(super) told: Told,
    pub(super) began: Instant,
    pub(super) ended: Instant,
}

/// What everybody asked and was told, in any order.
#[derive(Default)]
pub(super) struct History(Mutex<Vec<Entry>>);

/// How much was judged.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Judged {
    pub(super) sessions: usize,
    pub(super) answers: usize,
    pub(super) unknown: usize,
}

/// What an entry means for one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Begins,
    Shows(u64),
    Counts(u64),
    /// The number of those before it.
    MayCount(usize),
    Serves,
    Refuses,
    Ends,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Session {
    is: Is,
    /// How many of the counts that nobody knows of are behind it.
    may_have_counted: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Is {
    Unborn,
    Open(u64),
    Over,
}

impl Specification for Session {
    type State = Self;
    type Operation = Step;

    fn init() -> Self {
        Self { is: Is::Unborn, may_have_counted: 0 }
    }

    /// Whether it can be so, and what is so afterwards.
    fn apply(step: &Step, state: &Self) -> (bool, Self) {
        let Self { is, may_have_counted } = *state;
        let stays = |can_be| (can_be, *state);
        let becomes = |can_be, is| (can_be, Self { is, may_have_counted });
        match (*step, is) {
            (Step::Begins, Is::Unborn) => becomes(true, Is::Open(0)),
            (Step::Shows(visits), Is::Open(now)) => stays(visits == now),
            (Step::Counts(visits), Is::Open(now)) => becomes(visits == now + 1, Is::Open(visits)),
            (Step::Serves, Is::Open(_)) | (Step::Refuses, Is::Over) => stays(true),
            (Step::Ends, Is::Open(_)) => becomes(true, Is::Over),
            // A login that comes later is another session, or one that this did not reach.
            (Step::Ends, _) => stays(true),
            (Step::MayCount(number), _) => {
                let is = if let Is::Open(now) = is { Is::Open(now + 1) } else { is };
                (number == may_have_counted, Self { is, may_have_counted: number + 1 })
            }
            _ => stays(false),
        }
    }
}

impl Entry {
    fn step(&self, id: Id) -> Option<Step> {
        let is_own = id == self.id;
        Some(match (self.asked, self.told) {
            (Asked::EndOthers, Told::Done | Told::Unknown) if !is_own && id.account == self.id.account => {
                Step::Ends
            }
            _ if !is_own => return None,
            (Asked::LogIn, Told::Done) => Step::Begins,
            (Asked::Read, Told::Visits(visits)) => Step::Shows(visits),
            (Asked::Count, Told::Visits(visits)) => Step::Counts(visits),
            (Asked::Count, Told::Unknown) => Step::MayCount(0),
            (Asked::LogOut, Told::Done | Told::Unknown) => Step::Ends,
            (Asked::EndOthers, Told::Done) => Step::Serves,
            (Asked::Read | Asked::Count | Asked::EndOthers, Told::Nobody) => Step::Refuses,
            (Asked::LogIn | Asked::Read | Asked::EndOthers, Told::Unknown) => return None,
            (asked, told) => panic!("{told:?} is no answer to {asked:?}"),
        })
    }
}

impl History {
    pub(super) fn add(&self, entry: Entry) {
        self.0.lock().unwrap().push(entry);
    }

    /// Of each session that anybody was given. The error is a session for which there is no order, and all of its answers.
    pub(super) fn judge(&self) -> Result<Judged, String> {
        let entries = self.0.lock().unwrap();
        let given = entries.iter().filter(|entry| (entry.asked, entry.told) == (Asked::LogIn, Told::Done));
        let mut judged = Judged::default();
        for id in given.map(|entry| entry.id).collect::<BTreeSet<_>>() {
            let mut steps: Vec<_> =
                entries.iter().filter_map(|entry| Some((*entry, entry.step(id)?))).collect();
            judged.sessions += 1;
            judged.answers += steps.len();
            judged.unknown += steps.iter().filter(|(entry, _)| entry.told == Told::Unknown).count();
            without_needless_choices(&mut steps);
            if !WGLChecker::<Session>::is_linearizable(Actions::from_actions(actions(&steps))) {
                return Err(story(id, &steps));
            }
        }
        Ok(judged)
    }
}

/// Sorts the steps. Those of which nobody knows when they were done are not to be tried in each choice and order: of the
/// ends the first can do what any other could, and if `n` counts were done, it may as well have been the first `n`.
fn without_needless_choices(steps: &mut Vec<(Entry, Step)>) {
    steps.sort_by_key(|(entry, _)| entry.began);
    let (mut may_have_ended, mut may_have_counted) = (false, 0);
    steps.retain_mut(|(entry, step)| match step {
        Step::Ends if entry.told == Told::Unknown => !std::mem::replace(&mut may_have_ended, true),
        Step::MayCount(number) => {
            *number = may_have_counted;
            may_have_counted += 1;
            true
        }
        _ => true,
    });
}

/// Calls and answers in the order in which they were seen; of two at the same time the call is first, so that both may
/// have been first.
fn actions(steps: &[(Entry, Step)]) -> Vec<(usize, Action<Step>)> {
    let mut actions = Vec::new();
    for (number, &(entry, step)) in steps.iter().enumerate() {
        let never = entry.told == Told::Unknown;
        actions.push(((false, entry.began, false), (number, Action::Call(step))));
        actions.push(((never, entry.ended, true), (number, Action::Response(step))));
    }
    actions.sort_by_key(|(at, _)| *at);
    actions.into_iter().map(|(_, action)| action).collect()
}

fn story(id: Id, steps: &[(Entry, Step)]) -> String {
    let start = steps[0].0.began;
    let mut story = format!("no order explains what was told of {id:?}:\n");
    for (entry, step) in steps {
        let [began, ended] = [entry.began, entry.ended].map(|at| (at - start).as_micros());
        writeln!(story, "{began:>9} to {ended:>9} us: {step:?}, {:?}", entry.told).unwrap();
    }
    story
}

mod the_judge_knows {
    use std::time::Duration;

    use super::Asked::{Count, EndOthers, LogIn, LogOut, Read};
    use super::Told::{Done, Nobody, Unknown, Visits};
    use super::*;

    const OWN: usize = 0;
    const OTHER: usize = 1;

    /// Each: which login of the account, what was asked and told, from when to when.
    fn judge(entries: &[(usize, Asked, Told, u64, u64)]) -> Result<Judged, String> {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let history = History::default();
        for &(login, asked, told, began, ended) in entries {
            let id = Id { account: 0, login };
            history.add(Entry { id, asked, told, began: at(began), ended: at(ended) });
        }
        history.judge()
    }

    fn refutes(entries: &[(usize, Asked, Told, u64, u64)]) {
        let story = judge(entries).unwrap_err();
        assert!(
            story.starts_with("no order explains what was told of Id { account: 0, login: 0 }:\n"),
            "{story}"
        );
    }

    #[test]
    fn a_day_without_trouble() {
        let day = [
            (OWN, LogIn, Done, 0, 1),
            (OWN, Count, Visits(1), 2, 3),
            (OWN, Read, Visits(1), 4, 5),
            (OWN, EndOthers, Done, 6, 7),
            (OWN, LogOut, Done, 8, 9),
            (OWN, Read, Nobody, 10, 11),
        ];
        assert_eq!(judge(&day), Ok(Judged { sessions: 1, answers: 6, unknown: 0 }));
    }

    #[test]
    fn requests_at_the_same_time_come_in_any_order() {
        judge(&[
            (OWN, LogIn, Done, 0, 1),
            (OWN, Count, Visits(2), 2, 9),
            (OWN, Count, Visits(1), 3, 8),
            (OWN, LogOut, Done, 4, 7),
            (OWN, Read, Visits(2), 5, 6),
        ])
        .unwrap();
    }

    #[test]
    fn who_is_served_after_a_logout() {
        let story = [(OWN, LogIn, Done, 0, 1), (OWN, LogOut, Done, 2, 3), (OWN, Read, Visits(0), 4, 5)];
        refutes(&story);
        refutes(&[story[0], story[1], (OWN, EndOthers, Done, 4, 5)]);
    }

    #[test]
    fn who_is_served_after_a_revocation() {
        let story = [(OWN, LogIn, Done, 0, 1), (OTHER, LogIn, Done, 2, 3), (OTHER, EndOthers, Done, 4, 5)];
        refutes(&[story[0], story[1], story[2], (OWN, Read, Visits(0), 6, 7)]);
        judge(&[story[0], story[1], story[2], (OWN, Read, Nobody, 6, 7), (OTHER, Read, Visits(0), 6, 7)])
            .unwrap();
    }

    #[test]
    fn who_comes_back() {
        let story = [(OWN, LogIn, Done, 0, 1), (OWN, LogOut, Unknown, 2, 3), (OWN, Read, Nobody, 4, 5)];
        judge(&story).unwrap();
        refutes(&[story[0], story[1], story[2], (OWN, Read, Visits(0), 6, 7)]);
    }

    #[test]
    fn who_is_logged_out_and_nobody_did_it() {
        refutes(&[(OWN, LogIn, Done, 0, 1), (OWN, Read, Nobody, 2, 3)]);
    }

    #[test]
    fn an_update_that_is_lost() {
        refutes(&[(OWN, LogIn, Done, 0, 1), (OWN, Count, Visits(1), 2, 3), (OWN, Read, Visits(0), 4, 5)]);
        refutes(&[(OWN, LogIn, Done, 0, 1), (OWN, Count, Visits(1), 2, 5), (OWN, Count, Visits(1), 3, 4)]);
    }

    /// As many as a slow machine's outage has: who tries every subset of them does not come to an end.
    #[test]
    fn a_long_outage() {
        let mut story = vec![(OWN, LogIn, Done, 0, 1)];
        for at in 0..60 {
            story.push((OWN, Count, Unknown, 2 + at, 3 + at));
            story.push((OWN, LogOut, Unknown, 2 + at, 3 + at));
        }
        let then = |after: &[_]| judge(&[&story[..], after].concat());
        then(&[
            (OWN, Read, Visits(30), 70, 71),
            (OWN, Count, Visits(61), 72, 73),
            (OWN, Read, Nobody, 74, 75),
        ])
        .unwrap();
        then(&[(OWN, Read, Nobody, 70, 71), (OWN, Count, Nobody, 72, 73)]).unwrap();
        then(&[(OWN, Count, Visits(62), 70, 71)]).unwrap_err();
        then(&[(OWN, Read, Visits(30), 70, 71), (OWN, Read, Visits(29), 72, 73)]).unwrap_err();
        then(&[(OWN, Read, Nobody, 70, 71), (OWN, Read, Visits(30), 72, 73)]).unwrap_err();
    }

    #[test]
    fn an_update_that_is_made_twice() {
        let story = [(OWN, LogIn, Done, 0, 1), (OWN, Count, Unknown, 2, 3)];
        judge(&[story[0], story[1], (OWN, Read, Visits(0), 4, 5), (OWN, Read, Visits(1), 6, 7)]).unwrap();
        refutes(&[story[0], story[1], (OWN, Read, Visits(2), 4, 5)]);
        refutes(&[story[0], story[1], (OWN, Read, Visits(1), 4, 5), (OWN, Read, Visits(0), 6, 7)]);
    }
}
