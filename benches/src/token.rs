//! Subjects without a framework: a request's head in plain data, or the token alone.

use std::hint::black_box;
use std::sync::Arc;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};

use crate::limit::now;
use crate::measure::{Subject, wait};
use crate::workload::{COOKIE, Head, LIMIT, SECRET, User, among_others, cookie, stateless, token};

pub const LIMIT_TOKEN: &str = "limit, the token alone";
pub const JSONWEBTOKEN: &str = "jsonwebtoken `decode`, the token alone";
pub const LIMIT_READ: &str = "limit, from the head";
pub const READ: &str = "ours: `get_session`";
pub const READ_NINE: &str = "ours: `get_session`, the token nine times";
pub const LIMIT_ISSUE: &str = "limit, the token alone, issue";
pub const JSONWEBTOKEN_ISSUE: &str = "jsonwebtoken `encode`";
pub const LIMIT_WRITE: &str = "limit, read and write";
pub const WRITE: &str = "ours: receive, update, close";

/// A token as a careful user of jsonwebtoken has it: one plain struct, without `flatten`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlainClaims {
    user_id: String,
    pub username: String,
    email: String,
    role: String,
    last_login: String,
    sid: String,
    iat: u64,
    exp: u64,
    #[serde(rename = "auth_time")]
    auth_time: u64,
    aud: String,
}

/// jsonwebtoken, by hand.
pub struct Jwt {
    decoding: DecodingKey,
    encoding: EncodingKey,
    validation: Validation,
    header: Header,
}

impl Default for Jwt {
    fn default() -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_audience(&[COOKIE]);
        validation.leeway = 0;
        validation.validate_nbf = true;
        Self {
            decoding: DecodingKey::from_secret(SECRET.as_bytes()),
            encoding: EncodingKey::from_secret(SECRET.as_bytes()),
            validation,
            header: Header::new(Algorithm::HS256),
        }
    }
}

impl Jwt {
    #[must_use]
    pub fn read(&self, token: &[u8]) -> Option<PlainClaims> {
        decode(token, &self.decoding, &self.validation).ok().map(|data| data.claims)
    }

    fn write(&self, claims: &PlainClaims) -> String {
        encode(&self.header, claims, &self.encoding).expect("a token")
    }
}

#[must_use]
pub fn subjects() -> Vec<Subject> {
    let mut subjects = reading();
    subjects.extend(writing());
    subjects
}

fn reading() -> Vec<Subject> {
    let sessions = stateless();
    let token = token(&sessions);
    let head = Arc::new(Head::new(&among_others(&format!("{COOKIE}={token}"))));
    let nine = Head::new(&among_others(&vec![format!("{COOKIE}={token}"); 9].join("; ")));
    let jwt = Jwt::default();
    let get = |head: &Head| {
        let outcome = wait(sessions.get_session(head)).expect("an answer").expect("a session");
        assert_eq!(outcome.user().as_deref(), Some(&User::alice()));
    };
    get(&head);
    get(&nine);
    assert_eq!(LIMIT.open(&*head).expect("a session").user, User::alice());
    assert_eq!(jwt.read(token.as_bytes()).expect("a token").username, "alice");

    let (bytes, again) = (token.clone().into_bytes(), token.into_bytes());
    let (limit_head, nine_sessions) = (Arc::clone(&head), sessions.clone());
    vec![
        Subject::simple(LIMIT_TOKEN, move || {
            drop(black_box(LIMIT.verify(black_box(&bytes), now())));
        }),
        Subject::simple(JSONWEBTOKEN, move || drop(black_box(jwt.read(black_box(&again))))),
        Subject::simple(LIMIT_READ, move || {
            drop(black_box(LIMIT.open(black_box(&*limit_head)).map(Arc::new)));
        }),
        Subject::simple(READ, move || drop(black_box(now_or_never(sessions.get_session(black_box(&*head)))))),
        Subject::simple(READ_NINE, move || {
            drop(black_box(now_or_never(nine_sessions.get_session(black_box(&nine)))));
        }),
    ]
}

fn writing() -> Vec<Subject> {
    let sessions = stateless();
    let head = Arc::new(Head::new(&cookie(&sessions)));
    let limit_head = Arc::clone(&head);
    let opened = LIMIT.open(&*head).expect("a session");
    let jwt = Jwt::default();
    let claims = jwt.read(token(&sessions).as_bytes()).expect("a token");
    vec![
        Subject::simple(LIMIT_ISSUE, move || drop(black_box(LIMIT.issue(black_box(&opened))))),
        Subject::simple(JSONWEBTOKEN_ISSUE, move || drop(black_box(jwt.write(black_box(&claims))))),
        Subject::simple(LIMIT_WRITE, move || {
            let mut opened = LIMIT.open(black_box(&*limit_head)).expect("a session");
            opened.user.change();
            drop(black_box(LIMIT.set_cookie(&Arc::new(opened))));
        }),
        Subject::simple(WRITE, move || {
            let slot = sessions.slot();
            let session = slot.receive(black_box(&*head)).session();
            drop(now_or_never(session.update(User::change)).expect("an update"));
            assert!(black_box(slot.close(&())).set_cookie().is_some());
        }),
    ]
}

/// Without a store nothing waits, so that no runtime takes part.
fn now_or_never<F: Future>(future: F) -> F::Output {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(output) => output,
        std::task::Poll::Pending => unreachable!("stateless sessions do not wait"),
    }
}
