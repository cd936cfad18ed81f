//! What an operation does when somebody else changed its session first.

use std::time::Duration;

use super::Tracked;
use crate::error::{ErrorKind, SessionError};
use crate::event::{EventKind, Who};
use crate::id::SessionId;
use crate::payload::SessionPayload;
use crate::service::Operation;
use crate::store::{SessionStore, Turn, give_way};

/// So many races an operation may lose before it gives up. Each is one that somebody else won.
const ROUNDS: u32 = 100;
/// Whoever loses a race in its turn has lost it to another process, and pauses: at most so long ...
const PAUSE: Duration = Duration::from_millis(4);
/// ... doubled so often.
const DOUBLINGS: u32 = 3;

/// One operation among those that change a session. The first attempt waits for nobody: without a rival it costs
/// nothing to have been ready for one.
#[derive(Default)]
pub(super) struct Race<'a> {
    losses: u32,
    turn: Option<Turn<'a>>,
}

impl Race<'_> {
    /// Whether it had to wait, so that what was read before is out of date.
    pub(super) fn has_turn(&self) -> bool {
        self.turn.is_some()
    }
}

impl Tracked {
    /// Joins those of this process who are in line for the session, if anybody is.
    pub(super) async fn race<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        id: SessionId,
    ) -> Result<Race<'_>, SessionError> {
        let mut race = Race::default();
        if self.turns.has_line(id) {
            Box::pin(self.wait_in_line(op, &mut race, id)).await?;
        }
        Ok(race)
    }

    /// To be called after each attempt that came too late: returns when it is time to read again and try once more.
    /// Rivals in this process wait for each other, those in others are avoided by a pause of random length. A store
    /// that is ready at once needs neither.
    pub(super) async fn lost_race<'a, U: SessionPayload>(
        &'a self,
        op: &Operation<'_, U>,
        race: &mut Race<'a>,
        id: SessionId,
    ) -> Result<(), SessionError> {
        race.losses += 1;
        if race.losses >= ROUNDS {
            return Err(self.kept_changing(op));
        }
        if !op.patience.has_waited() {
            give_way().await;
            return Ok(());
        }
        if race.turn.is_none() {
            self.wait_in_line(op, race, id).await?;
            if race.has_turn() {
                return Ok(());
            }
        }
        let pause = pause(op, race.losses);
        let paused = |store: &'a dyn SessionStore| async move {
            store.sleep(pause).await;
            Ok(())
        };
        self.call(op, paused).await
    }

    async fn wait_in_line<'a, U: SessionPayload>(
        &'a self,
        op: &Operation<'_, U>,
        race: &mut Race<'a>,
        id: SessionId,
    ) -> Result<(), SessionError> {
        let Some(place) = self.turns.join(id) else { return Ok(()) };
        let turn = async move { Ok(place.turn().await) };
        let waited = op.patience.within(&*self.store, &*op.clock, turn).await;
        race.turn = Some(waited.map_err(|_| self.kept_changing(op))?);
        Ok(())
    }

    /// Nothing was changed, and a later attempt may find less of a crowd. No failure of the store: whoever has a session
    /// can cause it.
    pub(super) fn kept_changing<U: SessionPayload>(&self, op: &Operation<'_, U>) -> SessionError {
        let kind = ErrorKind::StoreUnavailable;
        let detail = "the session kept changing; try again";
        op.emit_failure(EventKind::Rejected, Who::NOBODY, kind, detail);
        op.error(kind).detail(detail)
    }
}

/// Of random length, so that two processes do not meet again and again.
fn pause<U: SessionPayload>(op: &Operation<'_, U>, losses: u32) -> Duration {
    let mut bytes = [0; 4];
    // Without randomness it is the longest one: only speed depends on it.
    if op.random.fill(&mut bytes).is_err() {
        bytes = [u8::MAX; 4];
    }
    let most = PAUSE * (1 << losses.min(DOUBLINGS));
    most.mul_f64(f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX))
}
