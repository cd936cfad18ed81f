//! The name of a flow as it travels.

use std::fmt;
use std::ops::Deref;

use crate::clock::RandomSource;
use crate::id::SessionId;

/// The state of a flow: 144 random bits as 24 characters of base64url, to go to whoever sends the browser back (OAuth's
/// `state`, RFC 6749 section 10.12). `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct FlowState(String);

impl FlowState {
    pub(super) fn random(random: &dyn RandomSource) -> std::io::Result<Self> {
        let mut bytes = [0; SessionId::LEN];
        random.fill(&mut bytes)?;
        Ok(Self(SessionId::from_bytes(bytes).to_text()))
    }

    /// The 24 characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a client's text can be one.
pub(super) fn is_state(text: &str) -> bool {
    SessionId::from_text(text).is_some()
}

impl Deref for FlowState {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FlowState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for FlowState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FlowState([redacted])")
    }
}
