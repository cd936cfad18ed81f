//! Clause 17: a foreign session is adopted once, and not after a bar. A store that says it cannot adopt passes.

use std::sync::Arc;
use std::time::Duration;

use session_core::Timestamp;
use session_core::store::{
    Adopted, Adoption, Bar, Create, Replaces, SessionLimit, SessionRecord, SessionStore,
};

use crate::bench::{Bench, done, evict};
use crate::races::{ROUNDS, at_once, both};

/// So long marks and bars are kept here.
const KEPT: u64 = 1000;

/// The bench, and the record of a foreign session of `ann`; `None` for a store that adopts nothing.
fn foreign(store: Arc<dyn SessionStore>) -> Option<(Bench, SessionRecord)> {
    let bench = store.can_adopt().then(|| Bench::new(store))?;
    let record = bench.login("ann");
    Some((bench, record))
}

fn adopted() -> Adopted {
    Adopted::Done { evicted: Vec::new() }
}

impl Bench {
    fn adoption(&self) -> Adoption {
        self.proven(self.now)
    }

    fn proven(&self, at: Timestamp) -> Adoption {
        Adoption::new(at).once_until(Some(self.at(KEPT)))
    }

    async fn adopt(&self, record: &SessionRecord, adoption: Adoption) -> Adopted {
        self.store.adopt(&self.realm, record, adoption, self.now).await.unwrap()
    }

    async fn bar(&self, subject: Option<&str>, bar: Bar) {
        self.store.bar(&self.realm, subject, bar, self.now).await.unwrap();
    }

    /// What was proven up to now.
    fn bar_now(&self) -> Bar {
        Bar { at: self.now, until: self.at(KEPT) }
    }
}

pub async fn an_adopted_session_is_a_session(store: Arc<dyn SessionStore>) {
    let Some((bench, record)) = foreign(store) else { return };
    assert_eq!(bench.adopt(&record, bench.adoption()).await, adopted());
    assert_eq!(bench.read(record.id).await.as_ref(), Some(&record));
    assert_eq!(bench.list("ann").await, [record]);
}

pub async fn a_foreign_session_is_adopted_once_while_its_session_lives(store: Arc<dyn SessionStore>) {
    let Some((bench, record)) = foreign(store) else { return };
    bench.adopt(&record, bench.adoption()).await;
    let other = record.clone().with(|record| record.payload = b"{}".to_vec());
    assert_eq!(bench.adopt(&other, bench.adoption()).await, Adopted::IdTaken);
    assert_eq!(bench.read(record.id).await, Some(record));
}

pub async fn a_mark_outlives_whatever_ended_the_session(store: Arc<dyn SessionStore>) {
    let Some((bench, _)) = foreign(store) else { return };
    for end in ["logout", "account", "others", "everybody", "login", "rotation", "eviction", "cleanup"] {
        let record = bench.login("ann");
        assert_eq!(bench.adopt(&record, bench.adoption()).await, adopted(), "{end}");
        let next = bench.login("ann");
        match end {
            "logout" => drop(bench.delete(record.id).await),
            "account" => drop(bench.delete_account("ann", None).await),
            "others" => drop(bench.delete_account("ann", Some(next.id)).await),
            "everybody" => drop(bench.delete_realm().await),
            "login" => {
                let options = Create::new(Some(Replaces::IfPresent(record.id)), None);
                assert_eq!(bench.create_with(&next, options).await, done());
            }
            "rotation" => {
                let replaces = Replaces::MustExist { id: record.id, version: record.version };
                assert_eq!(bench.create_with(&next, Create::new(Some(replaces), None)).await, done());
            }
            "eviction" => drop(bench.create_with(&next, Create::new(None, Some(evict(1)))).await),
            _ => {
                let gone = record.clone().with(|record| {
                    record.version += 1;
                    record.ends_at = bench.at(1);
                });
                bench.replace(&gone).await;
                bench.later(2).delete_expired(1000).await;
            }
        }
        let then = bench.later(3);
        assert_eq!(then.read(record.id).await, None, "{end}");
        assert_eq!(then.adopt(&record, bench.adoption()).await, Adopted::Barred, "{end}");
        assert_eq!(then.read(record.id).await, None, "{end}");
        bench.delete_account("ann", None).await;
    }
}

pub async fn a_mark_is_kept_until_its_time_and_not_for_ever(store: Arc<dyn SessionStore>) {
    let Some((bench, record)) = foreign(store) else { return };
    bench.adopt(&record, bench.adoption()).await;
    bench.delete(record.id).await;
    let (last, after) = (bench.later(KEPT - 1), bench.later(KEPT));
    assert_eq!(last.adopt(&record, after.adoption()).await, Adopted::Barred);
    assert_eq!(after.adopt(&record, after.adoption()).await, adopted());
}

pub async fn a_foreign_session_without_an_id_leaves_no_mark(store: Arc<dyn SessionStore>) {
    let Some((bench, record)) = foreign(store) else { return };
    let adoption = Adoption::new(bench.now);
    assert_eq!(bench.adopt(&record, adoption).await, adopted());
    bench.delete(record.id).await;
    assert_eq!(bench.adopt(&record, adoption).await, adopted());
}

pub async fn a_bar_stops_what_was_proven_at_or_before_it(store: Arc<dyn SessionStore>) {
    for whose in [Some("ann"), None] {
        let Some((bench, record)) = foreign(store.clone()) else { return };
        bench.bar(whose, bench.bar_now()).await;
        for proven in [bench.now, bench.now.minus(Duration::from_secs(9))] {
            let before = bench.proven(proven);
            assert_eq!(bench.adopt(&record, before).await, Adopted::Barred);
        }
        let after = bench.proven(bench.at(1));
        let newer = bench.login("ann");
        assert_eq!(bench.adopt(&newer, after).await, adopted());
    }
}

pub async fn a_bar_stops_nobody_else_and_no_login(store: Arc<dyn SessionStore>) {
    let Some((bench, record)) = foreign(store.clone()) else { return };
    bench.bar(Some("ann"), bench.bar_now()).await;
    assert_eq!(bench.adopt(&bench.login("bob"), bench.adoption()).await, adopted());
    assert_eq!(bench.adopt(&bench.login("Ann"), bench.adoption()).await, adopted());
    bench.bar(None, bench.bar_now()).await;
    let there = Bench::new(store);
    assert_eq!(there.adopt(&record, there.adoption()).await, adopted());
    assert_eq!(bench.create(&bench.login("ann")).await, done());
}

pub async fn the_later_bar_counts_and_ends_at_its_time(store: Arc<dyn SessionStore>) {
    for whose in [Some("ann"), None] {
        let Some((bench, record)) = foreign(store.clone()) else { return };
        bench.bar(whose, Bar { at: bench.at(10), until: bench.at(KEPT) }).await;
        bench.bar(whose, Bar { at: bench.at(5), until: bench.at(KEPT / 2) }).await;
        let last = bench.later(KEPT - 1);
        let adoption = bench.proven(bench.at(10));
        assert_eq!(last.adopt(&record, adoption).await, Adopted::Barred);
        assert_eq!(bench.later(KEPT).adopt(&record, adoption).await, adopted());
    }
}

pub async fn bars_outlive_the_end_of_accounts_and_of_everybody(store: Arc<dyn SessionStore>) {
    let Some((bench, record)) = foreign(store) else { return };
    bench.bar(Some("ann"), bench.bar_now()).await;
    bench.delete_account("ann", None).await;
    bench.delete_realm().await;
    bench.delete_expired(1000).await;
    assert_eq!(bench.adopt(&record, bench.adoption()).await, Adopted::Barred);
}

pub async fn an_adoption_keeps_the_limit(store: Arc<dyn SessionStore>) {
    let Some((bench, record)) = foreign(store) else { return };
    let first = bench.stored("ann").await;
    let refused = bench.adoption().limit(Some(SessionLimit::Refuse(1)));
    assert_eq!(bench.adopt(&record, refused).await, Adopted::LimitReached);
    let evicting = bench.adoption().limit(Some(evict(1)));
    let done = Adopted::Done { evicted: vec![first.id] };
    assert_eq!(bench.adopt(&record, evicting).await, done, "what was refused left no mark");
    bench.delete(record.id).await;
    assert_eq!(bench.adopt(&record, refused).await, Adopted::Barred, "the mark comes before the limit");
}

pub async fn one_of_parallel_adoptions_is_done(store: Arc<dyn SessionStore>) {
    let Some((bench, _)) = foreign(store) else { return };
    for _ in 0..ROUNDS {
        let record = bench.login("ann");
        let calls = (0..8).map(|_| {
            let (bench, record) = (bench.clone(), record.clone());
            async move { bench.adopt(&record, bench.adoption()).await }
        });
        let answers = at_once(calls).await;
        let is_done = |answer: &&Adopted| **answer == adopted();
        assert_eq!(answers.iter().filter(is_done).count(), 1, "{answers:?}");
        assert_eq!(answers.iter().filter(|answer| **answer == Adopted::IdTaken).count(), 7, "{answers:?}");
    }
}

pub async fn an_adoption_racing_with_a_logout_is_over_for_good(store: Arc<dyn SessionStore>) {
    let Some((bench, _)) = foreign(store) else { return };
    for _ in 0..ROUNDS {
        let record = bench.login("ann");
        bench.adopt(&record, bench.adoption()).await;
        let (again, id) = ((bench.clone(), record.clone()), record.id);
        let there = bench.clone();
        let (answer, deleted) =
            both(async move { again.0.adopt(&again.1, again.0.adoption()).await }, async move {
                there.delete(id).await
            })
            .await;
        assert!(deleted && answer != adopted(), "{answer:?}");
        assert_eq!(bench.read(id).await, None);
    }
}

pub async fn an_adoption_racing_with_a_bar_and_the_end_of_its_account_is_ended(store: Arc<dyn SessionStore>) {
    let Some((bench, _)) = foreign(store) else { return };
    for round in 0..ROUNDS {
        let subject = format!("ann-{round}");
        let (here, there) = (bench.clone(), bench.clone());
        let (record, account) = (bench.login(&subject), subject.clone());
        both(async move { here.adopt(&record, here.adoption()).await }, async move {
            there.bar(Some(&account), there.bar_now()).await;
            there.delete_account(&account, None).await
        })
        .await;
        assert_eq!(bench.list(&subject).await, []);
    }
}
