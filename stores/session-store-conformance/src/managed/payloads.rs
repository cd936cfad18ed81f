//! Records whose payload was written by another version of the program.

use std::borrow::Cow;
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};
use session_core::store::{SessionRecord, SessionStore};
use session_core::testing::logged_in_cookie;
use session_core::{
    Device, ErrorKind, EventKind, SessionError, SessionEvent, SessionManager, SessionPayload, SessionStatus,
};

use super::service::{ANN, Service, cookie_in, request};

/// The user type of this version of the program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Present {
    id: String,
    level: u32,
    #[serde(default = "english")]
    language: String,
}

/// Before there was a language.
#[derive(Clone, Serialize, Deserialize)]
struct Older {
    id: String,
    level: u32,
}

/// With a field that the present does not know.
#[derive(Clone, Serialize, Deserialize)]
struct Newer {
    id: String,
    level: u32,
    language: String,
    theme: Vec<String>,
}

/// With a field of another type.
#[derive(Clone, Serialize, Deserialize)]
struct Changed {
    id: String,
    level: String,
    language: String,
}

macro_rules! payloads {
    ($($payload:ty)*) => {
        $(impl SessionPayload for $payload {
            fn subject(&self) -> Option<Cow<'_, str>> {
                Some((&self.id).into())
            }
        })*
    };
}

payloads! { Present Older Newer Changed }

pub async fn a_record_of_an_older_program_is_read_with_defaults(store: Arc<dyn SessionStore>) {
    let program = Program::new(store);
    let cookie = program.login_of(Older { id: ANN.into(), level: 3 }).await;
    assert_eq!(program.user(&cookie).await, Present { id: ANN.into(), level: 3, language: english() });
}

/// Reading and refreshing leave what this program does not know; only an update writes its own view.
pub async fn a_record_of_a_newer_program_is_read_and_kept_whole(store: Arc<dyn SessionStore>) {
    let program = Program::new(store);
    let theme = vec!["dark".to_owned()];
    let newer = Newer { id: ANN.into(), level: 3, language: "de".into(), theme };
    let cookie = program.login_of(newer).await;
    let written = program.service.only_record().await.payload;
    assert_eq!(program.user(&cookie).await, Present { id: ANN.into(), level: 3, language: "de".into() });

    program.service.pass(100);
    let refreshed = program.node.refresh_session(&request(&cookie)).await.unwrap();
    let cookie = cookie_in(&refreshed.changes).unwrap();
    assert_eq!(program.user(&cookie).await.language, "de");
    let record = program.service.only_record().await;
    assert_eq!((record.generation, record.payload), (1, written));
}

pub async fn a_record_that_does_not_decode_is_no_session(store: Arc<dyn SessionStore>) {
    let program = Program::new(store);
    let cookie = program.login_of(changed()).await;
    let head = request(&cookie);
    assert!(program.node.get_session(&head).await.unwrap().is_none());
    assert_eq!(program.refusals().len(), 1, "an event says so");

    let status: SessionStatus = program.node.check_session_status(&head).await.unwrap();
    assert_eq!((status.is_valid, status.reason), (false, Some(ErrorKind::Invalid)));
    for error in program.try_everything(&cookie).await {
        assert_eq!(
            (error.kind(), error.code(), error.status()),
            (ErrorKind::Invalid, "SESSION_INVALID", 401)
        );
    }
}

/// The program that wrote it may still be running beside this one.
pub async fn a_record_that_does_not_decode_stays_as_it_is(store: Arc<dyn SessionStore>) {
    let program = Program::new(store);
    let cookie = program.login_of(changed()).await;
    let written = program.service.only_record().await;
    assert!(program.node.get_session(&request(&cookie)).await.unwrap().is_none());
    program.try_everything(&cookie).await;
    assert_eq!(program.service.only_record().await, written);

    // A refresh is due, and a touch.
    program.service.pass(86_400 - 600);
    assert!(program.node.get_session(&request(&cookie)).await.unwrap().is_none());
    program.try_everything(&cookie).await;
    let kept = program.service.only_record().await;
    let touched = written.with(|record| {
        record.version = kept.version;
        record.last_seen = kept.last_seen;
        record.ends_at = kept.ends_at;
    });
    assert_eq!(kept, touched);
    let other = program.service.settings::<Changed>().build().unwrap();
    let user = other.get_session(&request(&cookie)).await.unwrap().unwrap().user().unwrap();
    assert_eq!(user.level, "expert", "it is still a session of the program that wrote it");
}

pub async fn a_record_that_does_not_decode_can_be_listed_and_ended(store: Arc<dyn SessionStore>) {
    let program = Program::new(store);
    program.login_of(changed()).await;
    let cookie = program.login_of(Present { id: ANN.into(), level: 1, language: english() }).await;
    let session = program.node.slot().receive(&request(&cookie)).session();
    let devices = session.list().await.unwrap();
    let other = devices.iter().find(|device| !device.current).unwrap();
    assert!(session.revoke(&other.id).await.unwrap());
    assert_eq!(program.service.records().await.len(), 1);

    let unreadable = program.login_of(changed()).await;
    assert_eq!(program.devices().await.len(), 2);
    let _ = program.node.destroy_session(&request(&unreadable)).await.unwrap();
    assert_eq!(program.devices().await.len(), 1);
    program.login_of(changed()).await;
    assert_eq!(program.node.revoke_account(ANN).await.unwrap(), 2);
    assert_eq!(program.devices().await, []);
}

/// Nobody counts so far: somebody wrote it. There is no number for the next version, so nothing can be written.
pub async fn a_record_whose_counters_are_full_is_no_session_and_stays(store: Arc<dyn SessionStore>) {
    for counter in [SessionRecord::LAST, SessionRecord::LAST + 1, u64::MAX] {
        for (version, generation) in [(counter, 0), (0, counter), (counter, counter)] {
            let program = Program::new(store.clone());
            let cookie = program.login_of(Present { id: ANN.into(), level: 1, language: english() }).await;
            let record = program.service.only_record().await;
            let record = record.with(|record| {
                record.version = version;
                record.generation = generation;
            });
            program.service.put(&record).await;

            // A touch is due.
            program.service.pass(3_600);
            assert!(program.node.get_session(&request(&cookie)).await.unwrap().is_none());
            for error in program.try_everything(&cookie).await {
                assert_eq!(error.status(), 401, "{error}");
            }
            assert_eq!(program.service.only_record().await, record);
            let _ = program.node.destroy_session(&request(&cookie)).await.unwrap();
            assert_eq!(program.service.records().await, []);
        }
    }
}

/// The present version of a program, and what it told its observer.
struct Program {
    service: Service,
    node: SessionManager<Present>,
    events: Arc<Mutex<Vec<SessionEvent>>>,
}

impl Program {
    fn new(store: Arc<dyn SessionStore>) -> Self {
        let service = Service::new(store);
        let events = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&events);
        let observer = move |event: &SessionEvent| seen.lock().unwrap().push(event.clone());
        let node = service.settings().observer(observer).build().unwrap();
        Self { service, node, events }
    }

    /// The cookie of a login at another version of this program.
    async fn login_of<U: SessionPayload>(&self, user: U) -> String {
        let other = self.service.settings::<U>().build().unwrap();
        logged_in_cookie(&other, user).await.unwrap()
    }

    async fn user(&self, cookie: &str) -> Present {
        let session = self.node.get_session(&request(cookie)).await.unwrap().unwrap();
        Present::clone(&session.user().unwrap())
    }

    /// What an administrator of this program sees.
    async fn devices(&self) -> Vec<Device> {
        self.node.list_account(ANN).await.unwrap()
    }

    /// What each operation on this session fails with.
    async fn try_everything(&self, cookie: &str) -> Vec<SessionError> {
        let incoming = || self.node.slot().receive(&request(cookie));
        let session = || incoming().session();
        vec![
            incoming().open().await.unwrap_err(),
            incoming().peek().await.unwrap_err(),
            session().refresh().await.unwrap_err(),
            session().update(|user: &mut Present| user.level += 1).await.unwrap_err(),
            session().reauthenticate().await.unwrap_err(),
            session().list().await.unwrap_err(),
        ]
    }

    fn refusals(&self) -> Vec<SessionEvent> {
        let is_refusal = |event: &&SessionEvent| {
            event.kind == EventKind::Rejected && event.reason == Some(ErrorKind::Invalid)
        };
        self.events.lock().unwrap().iter().filter(is_refusal).cloned().collect()
    }
}

fn changed() -> Changed {
    Changed { id: ANN.into(), level: "expert".into(), language: english() }
}

fn english() -> String {
    "en".to_owned()
}
