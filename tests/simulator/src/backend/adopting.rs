//! The calls about sessions of another system.

use session_core::Timestamp;
use session_core::store::{Adopted, Adoption, Bar, SessionRecord, SessionStore as _};

use super::{Backend, Outcome, Why, at_once};
use crate::node::REALM;
use crate::planted::Planted;
use crate::stage::lock;

impl Backend {
    pub(crate) fn adopt(
        &self,
        realm: &str,
        record: &SessionRecord,
        mut adoption: Adoption,
        now: Timestamp,
    ) -> Outcome<Adopted> {
        let mut record = record.clone();
        match self.planted {
            Some(Planted::AdoptWritesNothing) => return Ok(Adopted::Done { evicted: Vec::new() }),
            Some(Planted::AdoptForgetsTheMark) => adoption.once_until = None,
            Some(Planted::AdoptForgetsTheOrigin) => record.terms = None,
            _ => {}
        }
        let adopted = at_once(self.inner.adopt(realm, &record, adoption, now))?;
        self.stage.note(|| format!("store: {:?} is adopted: {adopted:?}", record.id));
        if let (Adopted::Done { evicted }, REALM) = (&adopted, realm) {
            self.written(&record);
            lock(&self.truth).living.insert(record.id);
            evicted.iter().for_each(|&id| self.ended(realm, id, Why::Evicted));
        }
        Ok(adopted)
    }

    pub(crate) fn bar(&self, realm: &str, subject: Option<&str>, bar: Bar, now: Timestamp) -> Outcome<()> {
        if self.has(Planted::BarBarsNothing) {
            return Ok(());
        }
        at_once(self.inner.bar(realm, subject, bar, now))
    }
}
