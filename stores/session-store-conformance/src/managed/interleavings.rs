//! A logout wins: every operation with every ending, one stopped at each of its steps while the other runs.
//!
//! `destroy_during_update` stops an update before and after each call that it makes to the store, ends the session,
//! and lets the update go on. `update_during_destroy` is the mirror: the logout is stopped at each step, the update
//! runs, and the logout goes on. Nobody sleeps and nothing is left to chance: a store fails these each time or never.
//! What happens inside one call of the store is the matter of the races among the clauses.
//!
//! In both, afterwards, neither the old cookie nor one that the operation's answer sets opens a session, the account's
//! list is empty, and the store holds nothing under the old id. The operation has either happened before the ending,
//! or it says that there is no session; and what it asked of the store after the ending found nothing.
//!
//! **A rotation and a logout** differ in one point, by clauses 4 and 9. A logout ends the one session that its cookie
//! names. If a rotation was stored before, that session is over already, and its successor is a login of its own, by
//! somebody who has just proven who they are: it stays. If the logout was first, the rotation is refused.
//! Revocation of an account reaches the successor, too.

use std::pin::pin;
use std::sync::Arc;

use session_core::store::SessionStore;
use session_core::{ErrorKind, SessionId};

use super::ending::Ending;
use super::operation::{Answer, Operation};
use super::paused::{Paused, TouchBy};
use super::service::Service;

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
    for &operation in operations {
        let mut steps = 0;
        while end_during(store.clone(), operation, steps, ending).await {
            steps += 1;
        }
        assert!(steps >= 2, "{operation:?} asks nothing of the store");
    }
}

/// Ends the session while the operation is at this step. `false` when it has no such step.
async fn end_during(store: Arc<dyn SessionStore>, operation: Operation, step: usize, ending: Ending) -> bool {
    let attempt = Attempt::prepare(store.clone(), operation, ending).await;
    let paused = Paused::at(store, step, operation.touches_by());
    let node = attempt.service.node_on(paused.clone());
    let mut running = pin!(operation.run(&node, &attempt.cookie));
    tokio::select! {
        biased;
        _ = &mut running => return false,
        () = paused.stopped() => {}
    }
    let rotated = paused.calls().iter().any(|call| call.name == "create" && call.found);
    ending.run(&attempt.service.node(), &attempt.cookie).await.unwrap();
    paused.release();
    let answer = running.await;

    let place = format!("{ending:?} while {operation:?} was stopped {}", paused.place());
    let late: Vec<_> = paused.calls().into_iter().filter(|call| call.is_late).collect();
    assert!(late.iter().all(|call| !call.found), "{place}: it found something afterwards: {late:?}");
    let was_before = late.is_empty();
    attempt.check(&answer, was_before, rotated, &place).await;
    true
}

async fn use_during_each(store: Arc<dyn SessionStore>, operations: &[Operation], ending: Ending) {
    for &operation in operations {
        let mut steps = 0;
        while use_during(store.clone(), operation, steps, ending).await {
            steps += 1;
        }
        assert!(steps >= 2, "{ending:?} asks nothing of the store");
    }
}

/// Runs the operation while the ending is at this step. `false` when it has no such step.
async fn use_during(store: Arc<dyn SessionStore>, operation: Operation, step: usize, ending: Ending) -> bool {
    let attempt = Attempt::prepare(store.clone(), operation, ending).await;
    let paused = Paused::at(store.clone(), step, TouchBy::Store);
    let node = attempt.service.node_on(paused.clone());
    let mut running = pin!(ending.run(&node, &attempt.cookie));
    tokio::select! {
        biased;
        ended = &mut running => {
            ended.unwrap();
            return false;
        }
        () = paused.stopped() => {}
    }
    let has_ended = paused.calls().iter().any(|call| call.name == ending.call() && call.found);
    let user = Paused::at(store, usize::MAX, operation.touches_by());
    let answer = operation.run(&attempt.service.node_on(user.clone()), &attempt.cookie).await;
    let rotated = user.calls().iter().any(|call| call.name == "create" && call.found);
    paused.release();
    running.await.unwrap();

    let place = format!("{operation:?} while {ending:?} was stopped {}", paused.place());
    attempt.check(&answer, !has_ended, rotated, &place).await;
    true
}

/// A login, and what is about to happen to it.
struct Attempt {
    service: Service,
    ending: Ending,
    cookie: String,
    id: SessionId,
}

impl Attempt {
    async fn prepare(store: Arc<dyn SessionStore>, operation: Operation, ending: Ending) -> Self {
        let service = Service::new(store);
        let cookie = operation.prepare(&service).await;
        let id = service.only_record().await.id;
        Self { service, ending, cookie, id }
    }

    /// `was_before`: the operation was over before the session ended. `rotated`: it had stored a successor by then.
    async fn check(&self, answer: &Answer, was_before: bool, rotated: bool, place: &str) {
        let expected = if was_before { Ok(()) } else { Err(ErrorKind::NotFound) };
        assert_eq!(answer.result, expected, "{place}");
        assert!(answer.result.is_ok() || answer.cookie.is_none(), "{place}: a cookie without a session");

        assert!(!self.service.is_logged_in(&self.cookie).await, "{place}: the old cookie is good");
        let survives = rotated && self.ending == Ending::Destroy;
        if let Some(cookie) = &answer.cookie {
            let is_good = self.service.is_logged_in(cookie).await;
            assert_eq!(is_good, survives, "{place}: whether the new cookie is good");
        }
        let left = self.service.records().await;
        assert_eq!(left.len(), usize::from(survives), "{place}: what the account has");
        assert!(!self.service.holds(self.id).await, "{place}: the store still has the session");
    }
}
