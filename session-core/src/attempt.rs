//! A login that has begun: what it must not be overtaken by.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::ErrorKind;
use crate::store::Fence;
use crate::time::Timestamp;

/// So long a login may take.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// A login that has begun, by [`SessionManager::attempt`](crate::SessionManager::attempt): good for 15 minutes. It can be
/// kept between two requests, where the user cannot change it. `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    realm: String,
    subject: String,
    fence: Fence,
    at: i64,
}

impl Attempt {
    pub(crate) fn new(realm: &str, subject: &str, fence: Fence, at: Timestamp) -> Self {
        Self { realm: realm.to_owned(), subject: subject.to_owned(), fence, at: at.unix_seconds() }
    }

    /// What a login of `subject` has to stay behind, or why there can be none.
    pub(crate) fn fence(
        &self,
        realm: &str,
        subject: Option<&str>,
        now: Timestamp,
        leeway: Duration,
    ) -> Result<Fence, (ErrorKind, &'static str)> {
        if self.realm != realm || Some(&*self.subject) != subject {
            return Err((
                ErrorKind::Misuse,
                "the attempt is one of another account: begin it with the subject of the user that logs in",
            ));
        }
        let at = Timestamp::from_unix_seconds(self.at);
        if now >= at.plus(PATIENCE) || at > now.plus(leeway) {
            return Err((
                ErrorKind::LoginOvertaken,
                "the attempt is older than 15 minutes, or from a clock that is ahead",
            ));
        }
        Ok(self.fence)
    }
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Attempt")
    }
}
