//! What a manager shares with the sessions of every request.

use std::time::Duration;

use crate::cookie::{CompanionWriter, CookieWriter};
use crate::data::Data;
use crate::foreign::Sources;
use crate::mode::Mode;
use crate::request::Rules;
use crate::service::Service;
use crate::token::KeyRing;

pub(crate) struct Engine<U> {
    pub(crate) service: Service<U>,
    pub(crate) mode: Mode,
    /// What is taken from a request, and who may send one.
    pub(crate) rules: Rules,
    pub(crate) keys: KeyRing,
    /// The cookies beside the session's.
    pub(crate) companions: CompanionWriter,
    /// The cookie of a token that waits while its user acts as another one.
    pub(crate) parked: CookieWriter,
    pub(crate) fresh_for_revocation: Option<Duration>,
    /// No login without an attempt.
    pub(crate) requires_attempts: bool,
    /// Sessions of other systems.
    pub(crate) sources: Option<Sources<U>>,
    /// The application's own, for its guards.
    pub(crate) data: Data,
}
