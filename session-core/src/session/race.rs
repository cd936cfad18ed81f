//! What an operation does when somebody else changed its session first.

use std::time::Duration;

use super::Session;
use crate::store::{SessionStore, Turn, give_way};
use crate::{ErrorKind, EventKind, SessionError, SessionId, SessionPayload};

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

impl<U: SessionPayload> Session<U> {
    /// Joins those of this process who are in line for the session, if anybody is.
    pub(super) async fn race(&self, id: SessionId) -> Result<Race<'_>, SessionError> {
        let mut race = Race::default();
        if self.0.manager.turns.has_line(id) {
            Box::pin(self.wait_in_line(&mut race, id)).await?;
        }
        Ok(race)
    }

    /// To be called after each attempt that came too late: returns when it is time to read again and try once more.
    /// Rivals in this process wait for each other, those in others are avoided by a pause of random length. A store
    /// that is ready at once needs neither.
    pub(super) async fn lost_race<'a>(
        &'a self,
        race: &mut Race<'a>,
        id: SessionId,
    ) -> Result<(), SessionError> {
        race.losses += 1;
        if race.losses >= ROUNDS {
            return Err(self.kept_changing());
        }
        if !self.0.patience.has_waited() {
            give_way().await;
            return Ok(());
        }
        if race.turn.is_none() {
            self.wait_in_line(race, id).await?;
            if race.turn.is_some() {
                return Ok(());
            }
        }
        let pause = self.pause(race.losses);
        let paused = |store: &'a dyn SessionStore| async move {
            store.sleep(pause).await;
            Ok(())
        };
        self.call(paused).await
    }

    async fn wait_in_line<'a>(&'a self, race: &mut Race<'a>, id: SessionId) -> Result<(), SessionError> {
        let Some(place) = self.0.manager.turns.join(id) else { return Ok(()) };
        let Some(store) = self.0.manager.store.as_deref() else { return Ok(()) };
        let turn = async move { Ok(place.turn().await) };
        let waited = self.0.patience.within(store, &*self.0.manager.clock, turn).await;
        race.turn = Some(waited.map_err(|_| self.kept_changing())?);
        Ok(())
    }

    /// Of random length, so that two processes do not meet again and again.
    fn pause(&self, losses: u32) -> Duration {
        let mut bytes = [0; 4];
        // Without randomness it is the longest one: only speed depends on it.
        if self.0.manager.random.fill(&mut bytes).is_err() {
            bytes = [u8::MAX; 4];
        }
        let most = PAUSE * (1 << losses.min(DOUBLINGS));
        most.mul_f64(f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX))
    }

    /// Nothing was changed, and a later attempt may find less of a crowd. No failure of the store: whoever has a session
    /// can cause it.
    pub(super) fn kept_changing(&self) -> SessionError {
        let kind = ErrorKind::StoreUnavailable;
        let detail = "the session kept changing; try again";
        self.emit(EventKind::Rejected, super::Who::default(), Some(kind), Some(detail.to_owned()));
        self.error(kind).detail(detail)
    }
}
