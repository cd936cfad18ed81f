//! Operations of this process that change one session wait in line, once the first of them has lost a race: of many at
//! once, each would else lose against every other one, and each loss costs the store two calls.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_lock::MutexGuardArc;

use crate::id::SessionId;

/// So many sessions have a line at the same time. What finds no room races, which is slower and as right.
const ROOM: usize = 10_000;

/// A line for each session that is fought over, and for no other.
#[derive(Default)]
pub(crate) struct Turns {
    /// Lets the usual case, no line at all, pass without the lock.
    len: AtomicUsize,
    lines: Mutex<HashMap<SessionId, Line>>,
}

#[derive(Default)]
struct Line {
    turn: Arc<async_lock::Mutex<()>>,
    people: usize,
}

/// A place in a line. The line goes with the last one who leaves it.
pub(crate) struct Place<'a> {
    turns: &'a Turns,
    id: SessionId,
    turn: Arc<async_lock::Mutex<()>>,
}

/// The right to try next. Fields are dropped in this order: the line must not go while somebody has the turn.
pub(crate) struct Turn<'a> {
    _turn: MutexGuardArc<()>,
    _place: Place<'a>,
}

impl Turns {
    /// Whether somebody is in line for this session.
    pub(crate) fn has_line(&self, id: SessionId) -> bool {
        self.len.load(Ordering::Acquire) > 0 && self.lines().contains_key(&id)
    }

    /// A place at the end of the line, unless too many sessions have one.
    pub(crate) fn join(&self, id: SessionId) -> Option<Place<'_>> {
        let mut lines = self.lines();
        if lines.len() >= ROOM && !lines.contains_key(&id) {
            return None;
        }
        let line = lines.entry(id).or_default();
        line.people += 1;
        let turn = Arc::clone(&line.turn);
        self.len.store(lines.len(), Ordering::Release);
        Some(Place { turns: self, id, turn })
    }

    fn leave(&self, id: SessionId) {
        let mut lines = self.lines();
        if let Some(line) = lines.get_mut(&id) {
            line.people -= 1;
            if line.people == 0 {
                lines.remove(&id);
            }
        }
        self.len.store(lines.len(), Ordering::Release);
    }

    fn lines(&self) -> MutexGuard<'_, HashMap<SessionId, Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> Place<'a> {
    /// Waits for everybody who came before.
    pub(crate) async fn turn(self) -> Turn<'a> {
        Turn { _turn: self.turn.lock_arc().await, _place: self }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.turns.leave(self.id);
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn id(n: u64) -> SessionId {
        let [a, b, c, d, e, f, g, h] = n.to_be_bytes();
        SessionId::from_bytes([a, b, c, d, e, f, g, h, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    }

    fn poll<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> Poll<T> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn those_of_one_session_wait_for_each_other_and_strangers_for_nobody() {
        let turns = Turns::default();
        let Poll::Ready(first) = poll(pin!(turns.join(id(1)).unwrap().turn())) else { panic!("nobody else") };
        let mut second = Box::pin(turns.join(id(1)).unwrap().turn());
        assert!(poll(second.as_mut()).is_pending());
        assert!(poll(pin!(turns.join(id(2)).unwrap().turn())).is_ready());
        drop(first);
        assert!(poll(second.as_mut()).is_ready());
    }

    #[test]
    fn a_line_goes_with_the_last_one_who_leaves_even_one_who_gave_up() {
        let turns = Turns::default();
        let Poll::Ready(first) = poll(pin!(turns.join(id(1)).unwrap().turn())) else { panic!("nobody else") };
        let mut gives_up = Box::pin(turns.join(id(1)).unwrap().turn());
        assert!(poll(gives_up.as_mut()).is_pending());
        drop(first);
        assert!(turns.has_line(id(1)));
        drop(gives_up);
        assert!(!turns.has_line(id(1)) && turns.lines().is_empty());
    }

    #[test]
    fn there_is_room_for_so_many_lines_and_no_more() {
        let turns = Turns::default();
        let places: Vec<_> = (0..ROOM as u64).map(|n| turns.join(id(n)).unwrap()).collect();
        assert!(turns.join(id(ROOM as u64)).is_none());
        assert!(turns.join(id(0)).is_some(), "a line that is there takes everybody");
        drop(places);
        assert!(turns.join(id(ROOM as u64)).is_some());
    }
}
