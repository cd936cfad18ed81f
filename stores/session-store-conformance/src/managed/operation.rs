//! What a request does to a session while somebody ends it.

use session_core::{ErrorKind, SessionManager};

use super::paused::TouchBy;
use super::service::{Service, User, cookie_in, request};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// Reads.
    Open,
    /// Reads with a token that nobody has shown yet, which is written down.
    OpenForTheFirstTime,
    /// Reads, and moves last-seen on.
    Touch,
    /// The same for a store that leaves it to the default of the trait.
    TouchInTwoCalls,
    Update,
    Refresh,
    /// Reads shortly before the token expires.
    RefreshUnasked,
    /// Proves once more who the user is: the session goes on under another id.
    Rotate,
}

/// What the request was told.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) result: Result<(), ErrorKind>,
    /// The `Cookie` header that the browser sends from now on, if the answer changed it.
    pub(crate) cookie: Option<String>,
}

impl Operation {
    /// Logs in, and lets the time pass after which the operation has something to do.
    pub(crate) async fn prepare(self, service: &Service) -> String {
        let cookie = service.login().await;
        match self {
            Self::Open | Self::Update | Self::Rotate => cookie,
            Self::Touch | Self::TouchInTwoCalls | Self::Refresh => {
                service.pass(100);
                cookie
            }
            Self::RefreshUnasked => {
                service.pass(NEAR_EXPIRY);
                cookie
            }
            Self::OpenForTheFirstTime => {
                service.pass(NEAR_EXPIRY);
                let refreshed = service.node().get_session(&request(&cookie)).await.unwrap().unwrap();
                cookie_in(&refreshed.changes).unwrap()
            }
        }
    }

    pub(crate) async fn run(self, node: &SessionManager<User>, cookie: &str) -> Answer {
        let slot = node.slot();
        let incoming = slot.receive(&request(cookie));
        let session = incoming.session();
        let result = match self {
            Self::Open
            | Self::OpenForTheFirstTime
            | Self::Touch
            | Self::TouchInTwoCalls
            | Self::RefreshUnasked => incoming.open().await,
            Self::Update => session.update(|user| user.visits += 1).await.map(drop),
            Self::Refresh => session.refresh().await.map(drop),
            Self::Rotate => session.reauthenticate().await.map(drop),
        };
        Answer { result: result.map_err(|error| error.kind()), cookie: cookie_in(&slot.close(&())) }
    }

    pub(crate) fn touches_by(self) -> TouchBy {
        if self == Self::TouchInTwoCalls { TouchBy::TwoCalls } else { TouchBy::Store }
    }
}

/// In the last half hour of the first token.
const NEAR_EXPIRY: u64 = 86_400 - 600;
