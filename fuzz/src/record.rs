//! Records of each store: damaged bytes are an error, and what can be read is written and read alike. Whatever a record
//! says, its session opens without a panic, and not after its end.

use std::net::IpAddr;

use session_core::store::{Create, Created, MemoryStore, RecordKey, SessionRecord, SessionStore as _, Terms};
use session_core::testing::{ManualClock, TestRequest};
use session_core::{SessionId, Timestamp};

use crate::world::{NOW, User, manager, ready, signed, within};
use crate::{details, redis_record};

const ID: SessionId = SessionId::from_bytes([7; SessionId::LEN]);
const REALM: &str = "__Host-session";

/// The first byte says which store.
pub fn record(input: &[u8]) {
    let Some((&which, bytes)) = input.split_first() else { return };
    let most = 4 * 1024 + 8 * bytes.len();
    match which % 3 {
        0 => {
            let Ok(record) = within(most, || redis_record::decode(ID, bytes)) else { return };
            let Ok(written) = redis_record::encode(&record) else { return };
            assert_eq!(redis_record::decode(ID, &written).unwrap(), record, "Redis");
            kept_in_memory(&record);
            opened(&record);
        }
        1 => {
            let mut record = blank(bytes);
            if within(most, || details::decode(bytes, &mut record)).is_err() {
                return;
            }
            let mut again = blank(bytes);
            details::decode(&details::encode(&record), &mut again).unwrap();
            assert_eq!(again, record, "SQL");
            kept_in_memory(&record);
            opened(&record);
        }
        _ => {
            let terms = within(most, || Terms::from_bytes(bytes));
            let again = Terms::from_bytes(&terms.to_bytes());
            assert!(again == terms, "terms");
        }
    }
}

/// What SQL keeps in columns of its own.
fn blank(bytes: &[u8]) -> SessionRecord {
    let at = Timestamp::from_unix_seconds;
    SessionRecord::new(ID, br#"{"userId":"alice"}"#.to_vec(), Timestamp::MAX, Timestamp::MAX).with(|record| {
        record.subject = Some("alice".to_owned());
        record.last_seen = at(NOW - 60);
        record.ends_at = at(NOW + 3600);
        record.ip_address = bytes.first().map(|byte| IpAddr::from([*byte; 16]));
    })
}

fn kept_in_memory(record: &SessionRecord) {
    let store = MemoryStore::new();
    let long_ago = Timestamp::EPOCH;
    if let Ok(Created::Done { .. }) = ready(store.create(REALM, record, Create::default(), long_ago)) {
        let key = RecordKey { realm: REALM, id: ID };
        let read = ready(store.read(key, long_ago)).unwrap();
        assert!(read.is_none_or(|read| read == *record), "memory");
    }
}

/// As a request finds it.
fn opened(record: &SessionRecord) {
    let store = MemoryStore::new();
    let Ok(Created::Done { .. }) = ready(store.create(REALM, record, Create::default(), Timestamp::EPOCH))
    else {
        return;
    };
    let now = Timestamp::from_unix_seconds(NOW);
    let clock = ManualClock::at(now);
    let sessions = manager().clock(clock).store(store).build().unwrap();
    let kid = sessions.keys().signing_kid();
    let header = format!(r#"{{"alg":"HS256","typ":"session+jwt","kid":"{kid}"}}"#);
    let claims = format!(
        r#"{{"sid":"{}","iat":{},"exp":{},"auth_time":{},"gen":{},"aud":"{REALM}"}}"#,
        ID.to_text(),
        NOW - 60,
        NOW + 60,
        NOW - 60,
        record.generation,
    );
    let cookie = format!("{REALM}={}", signed(header.as_bytes(), claims.as_bytes()));
    let request = TestRequest::new("POST", "/me").cookie(&cookie);
    let status = ready(sessions.check_session_status(&request));
    let opened = ready(sessions.get_session(&request));
    if let Ok(Some(outcome)) = opened {
        assert!(now < record.ends_at && now < record.expires_at, "opened after its end: {record:?}");
        let read: User = serde_json::from_slice(&record.payload).expect("a payload that was served");
        assert_eq!(*outcome.user().unwrap(), read);
        assert!(status.unwrap().is_valid);
        let _ = ready(outcome.session.update(|user: &mut User| user.note.push('.')));
        let _ = ready(outcome.session.list());
        let _ = ready(outcome.session.reauthenticate());
    }
    let _ = ready(sessions.refresh_session(&request));
    let _ = ready(sessions.destroy_session(&request));
    assert!(
        ready(sessions.get_session(&request)).is_ok_and(|found| found.is_none()),
        "opened after its logout"
    );
}
