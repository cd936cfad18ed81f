//! The stores of this workspace.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use session_core::store::{Create, Created, RecordKey, SessionLimit, SessionRecord, SessionStore, Touch};
use session_core::{SessionId, Timestamp};

use super::{READ, Subject, user};
use crate::sample::{self, REALM, USER_AGENT};

const TOUCH: Touch = Touch::new(Duration::from_secs(60), None, 0, Duration::ZERO);

/// Every record of it is seen just now.
pub async fn subject(name: &'static str, store: impl SessionStore, with_client: bool) -> Subject {
    let store: Arc<dyn SessionStore> = Arc::new(store);
    let now = Timestamp::from(std::time::SystemTime::now());
    let next = Arc::new(AtomicU64::new(0));
    let login = {
        let store = Arc::clone(&store);
        move || {
            let (store, number) = (Arc::clone(&store), next.fetch_add(1, Ordering::Relaxed));
            async move {
                let record = record(number, now, with_client);
                let options = Create::new(None, Some(SessionLimit::EvictLeastRecentlySeen(100)));
                let created = store.create(REALM, &record, options, now).await.expect("an answer");
                assert_eq!(created, Created::Done { evicted: Vec::new() });
            }
        }
    };
    // Made beforehand, as the peers' are: in memory, to make one takes a third as long as to read its session.
    let ids: Arc<[SessionId]> = (0..READ).map(id_of).collect();
    let load = move |nth: u64| {
        let (store, id) = (Arc::clone(&store), ids[nth as usize]);
        async move {
            let key = RecordKey { realm: REALM, id };
            let found = store.read_and_touch(key, TOUCH, now).await.expect("an answer");
            assert!(found.is_some());
        }
    };
    Subject::new(name, load, login)
}

/// As [`subject`], with sessions to be read.
pub async fn filled(name: &'static str, store: impl SessionStore) -> Subject {
    let subject = subject(name, store, true).await;
    subject.fill(READ).await;
    subject
}

#[must_use]
pub fn id_of(nth: u64) -> SessionId {
    sample::id_of(&user(nth).user_id, nth)
}

fn record(number: u64, now: Timestamp, with_client: bool) -> SessionRecord {
    let user = user(number);
    let ends = now.plus(Duration::from_secs(86_400));
    SessionRecord::new(id_of(number), serde_json::to_vec(&user).expect("plain data"), now, ends).with(
        |record| {
            record.subject = Some(user.user_id);
            record.last_seen = now;
            record.issued_at = now;
            record.first_used_at = Some(now);
            record.ends_at = ends;
            record.user_agent = with_client.then(|| USER_AGENT.to_owned());
            record.ip_address = with_client.then_some(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7)));
        },
    )
}
