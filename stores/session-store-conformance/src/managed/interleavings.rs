//! A logout wins: every operation with every ending, one stopped at each of its steps while the other runs.
//!
//! `destroy_during_update` stops an update before and after each call that it makes to the store, ends the session,
//! and lets the update go on. `update_during_destroy` is the mirror: the logout is stopped at each step, the update
//! runs, and the logout goes on. Nobody sleeps and nothing is left to chance: a store fails these each time or never.
//! What happens inside one call of the store is the matter of the races among the clauses. Each runs twice: with the two
//! in different processes, and in one process in hybrid mode, which remembers what it has read.
//!
//! In both, afterwards, neither the old cookie nor one that the operation's answer sets opens a session, the account's
//! list is empty, and the store holds nothing under the old id. The operation has either happened before the ending,
//! or it says that there is no session; and what it asked of the store after the ending found nothing.
//!
//! **A rotation and a logout** differ in one point, by clauses 4 and 9. A logout ends the one session that its cookie
//! names. If a rotation was stored before, that session is over already, and its successor is a login of its own, by
//! somebody who has just proven who they are: it stays. If the logout was first, the rotation is refused.
//! Revocation of an account reaches the successor, too.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use session_core::store::SessionStore;
use session_core::{ErrorKind, SessionId, SessionManager};

use super::ending::Ending;
use super::operation::{Answer, Operation};
use super::paused::Paused;
use super::service::{Service, User, is_logged_in};

/// A step that no call reaches.
const NEVER: usize = usize::MAX;
/// Of hybrid mode.
const STALENESS_BOUND: Duration = Duration::from_secs(30);

const OPEN: &[Operation] = &[Operation::Open, Operation::OpenForTheFirstTime];
const UPDATE: &[Operation] = &[Operation::Update];
const TOUCH: &[Operation] = &[Operation::Touch, Operation::TouchInTwoCalls];
const REFRESH: &[Operation] = &[Operation::Refresh, Operation::RefreshUnasked];
const ROTATE: &[Operation] = &[Operation::Rotate];

pub async fn destroy_during_open(store: Arc<dyn SessionStore>) {
    end_during_each(store, OPEN, Ending::Destroy).await;
}

pub async fn destroy_during_update(store: Arc<dyn SessionStore>) {
    end_during_each(store, UPDATE, Ending::Destroy).await;
}

pub async fn destroy_during_touch(store: Arc<dyn SessionStore>) {
    end_during_each(store, TOUCH, Ending::Destroy).await;
}

pub async fn destroy_during_refresh(store: Arc<dyn SessionStore>) {
    end_during_each(store, REFRESH, Ending::Destroy).await;
}

pub async fn destroy_during_rotate(store: Arc<dyn SessionStore>) {
    end_during_each(store, ROTATE, Ending::Destroy).await;
}

pub async fn revoke_account_during_open(store: Arc<dyn SessionStore>) {
    end_during_each(store, OPEN, Ending::RevokeAccount).await;
}

pub async fn revoke_account_during_update(store: Arc<dyn SessionStore>) {
    end_during_each(store, UPDATE, Ending::RevokeAccount).await;
}

pub async fn revoke_account_during_touch(store: Arc<dyn SessionStore>) {
    end_during_each(store, TOUCH, Ending::RevokeAccount).await;
}

pub async fn revoke_account_during_refresh(store: Arc<dyn SessionStore>) {
    end_during_each(store, REFRESH, Ending::RevokeAccount).await;
}

pub async fn revoke_account_during_rotate(store: Arc<dyn SessionStore>) {
    end_during_each(store, ROTATE, Ending::RevokeAccount).await;
}

pub async fn revoke_everyone_during_rotate(store: Arc<dyn SessionStore>) {
    end_during_each(store, ROTATE, Ending::RevokeEveryone).await;
}

pub async fn open_during_destroy(store: Arc<dyn SessionStore>) {
    use_during_each(store, OPEN, Ending::Destroy).await;
}

pub async fn update_during_destroy(store: Arc<dyn SessionStore>) {
    use_during_each(store, UPDATE, Ending::Destroy).await;
}

pub async fn touch_during_destroy(store: Arc<dyn SessionStore>) {
    use_during_each(store, TOUCH, Ending::Destroy).await;
}

pub async fn refresh_during_destroy(store: Arc<dyn SessionStore>) {
    use_during_each(store, REFRESH, Ending::Destroy).await;
}

pub async fn rotate_during_destroy(store: Arc<dyn SessionStore>) {
    use_during_each(store, ROTATE, Ending::Destroy).await;
}

pub async fn open_during_revoke_account(store: Arc<dyn SessionStore>) {
    use_during_each(store, OPEN, Ending::RevokeAccount).await;
}

pub async fn update_during_revoke_account(store: Arc<dyn SessionStore>) {
    use_during_each(store, UPDATE, Ending::RevokeAccount).await;
}

pub async fn touch_during_revoke_account(store: Arc<dyn SessionStore>) {
    use_during_each(store, TOUCH, Ending::RevokeAccount).await;
}

pub async fn refresh_during_revoke_account(store: Arc<dyn SessionStore>) {
    use_during_each(store, REFRESH, Ending::RevokeAccount).await;
}

pub async fn rotate_during_revoke_account(store: Arc<dyn SessionStore>) {
    use_during_each(store, ROTATE, Ending::RevokeAccount).await;
}

pub async fn rotate_during_revoke_everyone(store: Arc<dyn SessionStore>) {
    use_during_each(store, ROTATE, Ending::RevokeEveryone).await;
}

async fn end_during_each(store: Arc<dyn SessionStore>, operations: &[Operation], ending: Ending) {
    for attempt in attempts(&store, operations, ending) {
        let mut steps = 0;
        while attempt.end_during(steps).await {
            steps += 1;
        }
        assert!(steps >= 2, "{attempt:?} asks nothing of the store");
    }
}

async fn use_during_each(store: Arc<dyn SessionStore>, operations: &[Operation], ending: Ending) {
    for attempt in attempts(&store, operations, ending) {
        let mut steps = 0;
        while attempt.use_during(steps).await {
            steps += 1;
        }
        assert!(steps >= 2, "{attempt:?} asks nothing of the store");
    }
}

fn attempts(
    store: &Arc<dyn SessionStore>,
    operations: &[Operation],
    ending: Ending,
) -> impl Iterator<Item = Attempt> {
    let of = move |store, &operation| {
        [Processes::Two, Processes::OneHybrid].map(|processes| Attempt {
            store: Arc::clone(store),
            operation,
            ending,
            processes,
        })
    };
    operations.iter().flat_map(move |operation| of(store, operation))
}

/// What is tried, at one step after the other.
struct Attempt {
    store: Arc<dyn SessionStore>,
    operation: Operation,
    ending: Ending,
    processes: Processes,
}

/// Where the operation and the ending take place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Processes {
    Two,
    OneHybrid,
}

impl Attempt {
    /// Ends the session while the operation is at this step. `false` when it has no such step.
    async fn end_during(&self, step: usize) -> bool {
        let login = Login::prepare(self).await;
        let paused = Paused::at(self.store.clone(), step, self.operation.touches_by());
        let (user, ender) = self.nodes(&login.service, &paused);
        let mut running = pin!(self.operation.run(&user, &login.cookie));
        tokio::select! {
            biased;
            _ = &mut running => return false,
            () = paused.stopped() => {}
        }
        let has_rotated = paused.has("create");
        self.ending.run(&ender, &login.cookie).await.unwrap();
        paused.release();
        let answer = running.await;

        let late: Vec<_> = paused.calls().into_iter().filter(|call| call.is_late).collect();
        let place = format!("{:?} while {:?} was stopped {}", self.ending, self.operation, paused.place());
        assert!(late.iter().all(|call| !call.found), "{place}: it found something afterwards: {late:?}");
        let seen = Seen { answer, was_before: late.is_empty(), has_rotated, place };
        self.check(&login, [&user, &ender], &seen).await;
        true
    }

    /// Runs the operation while the ending is at this step. `false` when it has no such step.
    async fn use_during(&self, step: usize) -> bool {
        let login = Login::prepare(self).await;
        let paused = Paused::at(self.store.clone(), step, self.operation.touches_by());
        let (ender, user) = self.nodes(&login.service, &paused);
        let mut running = pin!(self.ending.run(&ender, &login.cookie));
        tokio::select! {
            biased;
            ended = &mut running => {
                ended.unwrap();
                return false;
            }
            () = paused.stopped() => {}
        }
        let was_before = !paused.has(self.ending.call());
        let answer = self.operation.run(&user, &login.cookie).await;
        paused.release();
        running.await.unwrap();

        let place = format!("{:?} while {:?} was stopped {}", self.operation, self.ending, paused.place());
        let has_rotated = self.operation == Operation::Rotate && was_before;
        let seen = Seen { answer, was_before, has_rotated, place };
        self.check(&login, [&user, &ender], &seen).await;
        true
    }

    /// The one that is stopped, and the other one.
    fn nodes(&self, service: &Service, paused: &Paused) -> (SessionManager<User>, SessionManager<User>) {
        match self.processes {
            Processes::Two => {
                let other = Paused::at(self.store.clone(), NEVER, self.operation.touches_by());
                (service.node_on(paused.clone()), service.node_on(other))
            }
            Processes::OneHybrid => {
                let node = service.settings().store(paused.clone()).hybrid(STALENESS_BOUND).build().unwrap();
                (node.clone(), node)
            }
        }
    }

    async fn check(&self, login: &Login, nodes: [&SessionManager<User>; 2], seen: &Seen) {
        let Seen { answer, place, .. } = seen;
        let place = format!("{:?}: {place}", self.processes);
        let expected = if seen.was_before { Ok(()) } else { Err(ErrorKind::NotFound) };
        assert_eq!(answer.result, expected, "{place}");
        assert!(answer.result.is_ok() || answer.cookie.is_none(), "{place}: a cookie without a session");

        let survives = seen.has_rotated && self.ending == Ending::Destroy;
        for node in nodes {
            assert!(!is_logged_in(node, &login.cookie).await, "{place}: the old cookie is good");
            if let Some(cookie) = &answer.cookie {
                let is_good = is_logged_in(node, cookie).await;
                assert_eq!(is_good, survives, "{place}: whether the new cookie is good");
            }
        }
        let left = login.service.records().await;
        assert_eq!(left.len(), usize::from(survives), "{place}: what the account has");
        assert!(!login.service.holds(login.id).await, "{place}: the store still has the session");
    }
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} and {:?} in {:?}", self.operation, self.ending, self.processes)
    }
}

/// How an attempt went.
struct Seen {
    answer: Answer,
    /// The operation was over before the session ended.
    was_before: bool,
    /// It had stored a successor by then.
    has_rotated: bool,
    /// Where the stop was, in words.
    place: String,
}

/// A session, before anything happens to it.
struct Login {
    service: Service,
    cookie: String,
    id: SessionId,
}

impl Login {
    async fn prepare(attempt: &Attempt) -> Self {
        let service = Service::new(attempt.store.clone());
        let cookie = attempt.operation.prepare(&service).await;
        let id = service.only_record().await.id;
        Self { service, cookie, id }
    }
}
