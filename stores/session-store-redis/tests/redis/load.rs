//! Many clients at once, who remember what was acknowledged to them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use session_core::SessionId;
use session_core::store::{Create, Created, Replaced, SessionRecord, SessionStore, StoreError};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::support::{Bench, next};

const CLIENTS: usize = 32;
/// What a manager gives its store by default.
const DEADLINE: Duration = Duration::from_secs(2);
/// Far longer than any recovery, on a machine with other work to do.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between a failure and the next attempt.
const PAUSE: Duration = Duration::from_millis(5);

/// Clients that log in, read, change and log out until they are told to stop.
pub(crate) struct Load {
    clients: Vec<(Arc<AtomicU64>, JoinHandle<Log>)>,
    stop: Arc<AtomicBool>,
    failed: Arc<AtomicU64>,
}

/// What a load did, and what the store holds of it.
#[derive(Debug, Default)]
pub(crate) struct Log {
    calls: u64,
    pub(crate) failed: u64,
    pub(crate) failed_reads: u64,
    pub(crate) longest: Duration,
    /// Acknowledged, and not so.
    pub(crate) lost: u64,
    /// What each session may be now: one state, or two where a call failed.
    sessions: HashMap<SessionId, Vec<Option<SessionRecord>>>,
}

impl Load {
    pub(crate) fn on(bench: &Bench) -> Self {
        let subjects: Vec<_> = (0..CLIENTS).map(|place| format!("user-{place}")).collect();
        Self::of_subjects(bench, &subjects.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Clients that log in as these, in turn.
    pub(crate) fn of_subjects(bench: &Bench, subjects: &[&str]) -> Self {
        let (stop, failed) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let start = |place: usize| {
            let succeeded = Arc::<AtomicU64>::default();
            let log = Log::default();
            let mut client =
                Client { bench: bench.clone(), log, succeeded: succeeded.clone(), failed: failed.clone() };
            let (stop, subject) = (stop.clone(), subjects[place % subjects.len()].to_owned());
            let run = async move {
                while !stop.load(Ordering::Relaxed) {
                    if client.live(&subject).await.is_none() {
                        tokio::time::sleep(PAUSE).await;
                    }
                }
                client.log
            };
            (succeeded, tokio::spawn(run))
        };
        Self { clients: (0..CLIENTS).map(start).collect(), stop, failed }
    }

    /// Waits until every client has had `calls` more answers, and says how long that took.
    pub(crate) async fn succeeds(&self, calls: u64) -> Duration {
        let start = Instant::now();
        let count = |(succeeded, _): &(Arc<AtomicU64>, _)| succeeded.load(Ordering::Relaxed);
        let before: Vec<u64> = self.clients.iter().map(count).collect();
        for (client, before) in self.clients.iter().zip(before) {
            while count(client) < before + calls {
                assert!(!client.1.is_finished() && start.elapsed() < PATIENCE, "the store did not recover");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        start.elapsed()
    }

    /// Waits until so many calls have failed since the start.
    pub(crate) async fn fails(&self, calls: u64) {
        let start = Instant::now();
        while self.failed() < calls {
            assert!(start.elapsed() < PATIENCE, "no call failed");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// How many calls have failed so far.
    pub(crate) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Stops, and compares what was acknowledged with what is there.
    pub(crate) async fn stop(self, what: &str, bench: &Bench) -> Log {
        self.stop.store(true, Ordering::Relaxed);
        let mut total = Log::default();
        for (_, client) in self.clients {
            let log = client.await.unwrap();
            total.calls += log.calls;
            total.failed += log.failed;
            total.failed_reads += log.failed_reads;
            total.longest = total.longest.max(log.longest);
            total.lost += log.lost;
            total.sessions.extend(log.sessions);
        }
        for (id, allowed) in &total.sessions {
            let found = bench.store.read(bench.key(*id), bench.now).await.unwrap();
            total.lost += u64::from(!allowed.contains(&found));
        }
        println!(
            "{what}: {} calls, {} failed ({} of them reads), the longest took {:?}; {} sessions, {} lost",
            total.calls,
            total.failed,
            total.failed_reads,
            total.longest,
            total.sessions.len(),
            total.lost
        );
        assert!(total.longest < DEADLINE + Duration::from_secs(3), "{:?}", total.longest);
        total
    }
}

struct Client {
    bench: Bench,
    log: Log,
    succeeded: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
}

impl Client {
    /// The life of a session; `None` if a call failed. Every other session is left as it is then.
    async fn live(&mut self, subject: &str) -> Option<()> {
        let Bench { store, realm, now } = self.bench.clone();
        let first = self.bench.login(subject);
        let created = self.call(store.create(&realm, &first, Create::default(), now)).await;
        self.note(&first, created.as_ref(), &[None], Some(&first));
        assert!(matches!(created?, Created::Done { .. }));
        self.sees(&first).await?;

        let second = next(&first);
        let replaced = self.call(store.replace(&realm, &second, now)).await;
        self.note(&first, replaced.as_ref(), &[Some(first.clone())], Some(&second));
        if replaced? != Replaced::Done {
            self.lose(first.id);
            return None;
        }
        self.sees(&second).await?;
        if self.log.sessions.len().is_multiple_of(2) {
            let deleted = self.call(store.delete(self.bench.clone().key(first.id))).await;
            self.note(&first, deleted.as_ref(), &[Some(second)], None);
            if !deleted? {
                self.lose(first.id);
            }
        }
        Some(())
    }

    /// Reads what must be there.
    async fn sees(&mut self, record: &SessionRecord) -> Option<()> {
        let bench = self.bench.clone();
        let found = self.call(bench.store.read(bench.key(record.id), bench.now)).await;
        self.log.failed_reads += u64::from(found.is_none());
        if found?.as_ref() != Some(record) {
            self.lose(record.id);
            return None;
        }
        Some(())
    }

    /// After a success the session is `after`; after a failure it may be any of `before`, too.
    fn note<T>(
        &mut self,
        record: &SessionRecord,
        answer: Option<&T>,
        before: &[Option<SessionRecord>],
        after: Option<&SessionRecord>,
    ) {
        let mut states = vec![after.cloned()];
        if answer.is_none() {
            states.extend_from_slice(before);
        }
        self.log.sessions.insert(record.id, states);
    }

    /// Counted once: it is not looked at again.
    fn lose(&mut self, id: SessionId) {
        self.log.lost += 1;
        self.log.sessions.remove(&id);
    }

    /// One call as a manager makes it: within the deadline. A failure must be one that passes.
    async fn call<T>(&mut self, call: impl Future<Output = Result<T, StoreError>>) -> Option<T> {
        let start = Instant::now();
        let answer = timeout(DEADLINE, call).await;
        self.log.longest = self.log.longest.max(start.elapsed());
        self.log.calls += 1;
        match answer {
            Ok(Ok(answer)) => {
                self.succeeded.fetch_add(1, Ordering::Relaxed);
                return Some(answer);
            }
            Ok(Err(error)) => assert!(error.is_retryable(), "{error}"),
            Err(_) => {}
        }
        self.log.failed += 1;
        self.failed.fetch_add(1, Ordering::Relaxed);
        None
    }
}
