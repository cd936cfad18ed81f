//! The contract, written down as simply as it can be: all records in one list.

use crate::id::SessionId;
use crate::store::{
    Account, Create, Created, RecordKey, Replaced, Replaces, SessionLimit, SessionRecord, Touch,
};
use crate::time::Timestamp;

#[derive(Default)]
pub(super) struct Model {
    records: Vec<(String, SessionRecord)>,
}

impl Model {
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// Expired or not.
    pub(super) fn find(&self, key: RecordKey<'_>) -> Option<&SessionRecord> {
        let found = self.records.iter().find(|(realm, record)| realm == key.realm && record.id == key.id);
        found.map(|(_, record)| record)
    }

    pub(super) fn read(&self, key: RecordKey<'_>, now: Timestamp) -> Option<SessionRecord> {
        self.find(key).filter(|record| now < record.ends_at).cloned()
    }

    pub(super) fn read_and_touch(
        &mut self,
        key: RecordKey<'_>,
        touch: Touch,
        now: Timestamp,
    ) -> Option<SessionRecord> {
        let record = self.read(key, now)?;
        let Some(seen) = touch.apply(&record, now) else { return Some(record) };
        self.put(key.realm, &seen);
        Some(seen)
    }

    pub(super) fn create(
        &mut self,
        realm: &str,
        record: &SessionRecord,
        options: Create,
        now: Timestamp,
    ) -> Created {
        if self.find(RecordKey { realm, id: record.id }).is_some() {
            return Created::IdTaken;
        }
        if let Some(Replaces::MustExist { id, version }) = options.replaces {
            match self.read(RecordKey { realm, id }, now) {
                None => return Created::PredecessorGone,
                Some(known) if known.version != version => return Created::PredecessorChanged,
                Some(_) => {}
            }
        }
        let replaced = options.replaces.map(Replaces::id);
        let mut evicted = Vec::new();
        if let (Some(subject), Some(limit)) = (record.subject.as_deref(), options.limit) {
            let mut others = self.list(Account { realm, subject }, now);
            others.retain(|other| Some(other.id) != replaced);
            others.sort_by_key(|other| (other.last_seen, other.authenticated_at, other.id));
            match limit {
                SessionLimit::Refuse(limit) if others.len() as u32 >= limit => return Created::LimitReached,
                SessionLimit::Refuse(_) => {}
                SessionLimit::EvictLeastRecentlySeen(limit) => {
                    while !others.is_empty() && others.len() as u32 >= limit {
                        evicted.push(others.remove(0).id);
                    }
                }
            }
        }
        for id in evicted.iter().copied().chain(replaced) {
            self.delete(RecordKey { realm, id });
        }
        self.records.push((realm.to_owned(), record.clone()));
        Created::Done { evicted }
    }

    pub(super) fn replace(&mut self, realm: &str, record: &SessionRecord, now: Timestamp) -> Replaced {
        match self.read(RecordKey { realm, id: record.id }, now) {
            None => Replaced::Gone,
            Some(current) if current.version + 1 != record.version => Replaced::Conflict,
            Some(_) => {
                self.put(realm, record);
                Replaced::Done
            }
        }
    }

    pub(super) fn delete(&mut self, key: RecordKey<'_>) -> bool {
        self.delete_where(|realm, record| realm == key.realm && record.id == key.id) > 0
    }

    /// By id.
    pub(super) fn list(&self, account: Account<'_>, now: Timestamp) -> Vec<SessionRecord> {
        let is_listed = |(realm, record): &&(String, SessionRecord)| {
            realm == account.realm
                && record.subject.as_deref() == Some(account.subject)
                && now < record.ends_at
        };
        let mut records: Vec<_> =
            self.records.iter().filter(is_listed).map(|(_, record)| record.clone()).collect();
        records.sort_by_key(|record| record.id);
        records
    }

    /// By id.
    pub(super) fn delete_account(
        &mut self,
        account: Account<'_>,
        keep: Option<SessionId>,
        now: Timestamp,
    ) -> Vec<SessionId> {
        let listed = self.list(account, now).into_iter().map(|record| record.id);
        let deleted = listed.filter(|id| Some(*id) != keep).collect();
        self.delete_where(|realm, record| {
            realm == account.realm
                && record.subject.as_deref() == Some(account.subject)
                && Some(record.id) != keep
        });
        deleted
    }

    pub(super) fn delete_realm(&mut self, realm: &str) -> u64 {
        self.delete_where(|of, _| of == realm) as u64
    }

    /// All of them.
    pub(super) fn delete_expired(&mut self, now: Timestamp) -> usize {
        self.delete_where(|_, record| record.ends_at <= now)
    }

    pub(super) fn delete_expired_of(&mut self, key: RecordKey<'_>, now: Timestamp) {
        self.delete_where(|realm, record| realm == key.realm && record.id == key.id && record.ends_at <= now);
    }

    fn put(&mut self, realm: &str, record: &SessionRecord) {
        self.delete(RecordKey { realm, id: record.id });
        self.records.push((realm.to_owned(), record.clone()));
    }

    fn delete_where(&mut self, leaves: impl Fn(&str, &SessionRecord) -> bool) -> usize {
        let before = self.records.len();
        self.records.retain(|(realm, record)| !leaves(realm, record));
        before - self.records.len()
    }
}
