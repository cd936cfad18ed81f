//! What a login was given beyond the usual. Almost all sessions have none of it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::SessionId;
use crate::time::Timestamp;

/// What a login was given beyond the usual: an earlier end, a cookie that goes with the browser, how the user was
/// verified, who acts for whom. For a store it is a row of bytes that it keeps as they are.
///
/// `Debug` shows nothing of it but the level.
#[derive(Clone, PartialEq, Eq)]
pub struct Terms {
    /// How long after its login the session ends at the latest.
    pub(crate) at_most: Option<Duration>,
    /// When that is, or what else about this login ends it earlier than the absolute lifetime.
    pub(crate) ends_by: Option<Timestamp>,
    /// Its cookie outlives the browser.
    pub(crate) is_remembered: bool,
    /// How sure it is who the user is: 0 waits for a second factor, 1 is a login.
    pub(crate) level: u8,
    /// How the user was verified (RFC 8176), in the order in which it happened.
    pub(crate) methods: Vec<String>,
    /// Who acts as the user.
    pub(crate) actor: Option<Actor>,
    /// When the application was last asked whether the account may go on.
    pub(crate) revalidated_at: Option<Timestamp>,
    /// Another system began it, and nobody has proven who they are here.
    pub(crate) origin: Option<Origin>,
    /// What a later version of this program wrote: it is kept as it is, and the session cannot be used here.
    pub(crate) later: Option<Vec<u8>>,
    /// What a plain token of somebody else's said beside the payload, as a JSON object, for the next token. Never in a
    /// store: plain tokens have none.
    pub(crate) left_out: Option<Box<str>>,
}

/// Whoever acts as the user of a session: by a session of their own, without which this one is over.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Actor {
    pub(crate) sid: SessionId,
    pub(crate) subject: String,
}

/// How a session is kept from coming back that another system began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It has an id there: it was marked when it was adopted.
    Marked,
    /// It has none: its end bars what was proven of its account until then.
    Unmarked,
}

/// A login by one factor.
pub(crate) const USUAL_LEVEL: u8 = 1;

/// So many methods can a login name ...
pub(crate) const MOST_METHODS: usize = 8;
/// ... each with so many bytes.
pub(crate) const LONGEST_METHOD: usize = 32;

const VERSION: u8 = 1;

impl Default for Terms {
    fn default() -> Self {
        Self {
            at_most: None,
            ends_by: None,
            is_remembered: true,
            level: USUAL_LEVEL,
            methods: Vec::new(),
            actor: None,
            revalidated_at: None,
            origin: None,
            later: None,
            left_out: None,
        }
    }
}

impl Terms {
    /// The bytes that a store keeps.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        match &self.later {
            Some(bytes) => bytes.clone(),
            // A struct of plain fields always serializes.
            None => serde_json::to_vec(&Written::from(self)).unwrap_or_default(),
        }
    }

    /// From the bytes that a store kept. What a later version wrote comes back from [`to_bytes`](Self::to_bytes) as it
    /// was.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let written = serde_json::from_slice::<Written>(bytes).ok().filter(|written| written.v == VERSION);
        let known = written.and_then(Written::terms);
        known.unwrap_or_else(|| Self { later: Some(bytes.to_vec()), ..Self::default() })
    }

    /// Whether this program knows what they mean.
    pub(crate) fn are_known(&self) -> bool {
        self.later.is_none()
    }

    /// As a record or a token keeps them: not at all if they are the usual ones.
    pub(crate) fn unless_usual(self) -> Option<Arc<Self>> {
        (self != Self::default()).then(|| Arc::new(self))
    }
}

impl fmt::Debug for Terms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Terms").field("level", &self.level).finish_non_exhaustive()
    }
}

/// The JSON of a record. What is usual is left out.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    v: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at_most: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    end: Option<i64>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    unremembered: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    acr: Option<u8>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    amr: Vec<String>,
    /// The id of the actor's session and its subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    act: Option<(String, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asked: Option<i64>,
    /// Whether a session of another system was marked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    marked: Option<bool>,
}

impl From<&Terms> for Written {
    fn from(terms: &Terms) -> Self {
        Self {
            v: VERSION,
            at_most: terms.at_most.map(|most| most.as_secs()),
            end: terms.ends_by.map(Timestamp::unix_seconds),
            unremembered: !terms.is_remembered,
            acr: (terms.level != USUAL_LEVEL).then_some(terms.level),
            amr: terms.methods.clone(),
            act: terms.actor.as_ref().map(|actor| (actor.sid.to_text(), actor.subject.clone())),
            asked: terms.revalidated_at.map(Timestamp::unix_seconds),
            marked: terms.origin.map(|origin| origin == Origin::Marked),
        }
    }
}

impl Written {
    /// `None` where an actor cannot be read: without one the session would be the user's own.
    fn terms(self) -> Option<Terms> {
        let actor = match self.act {
            Some((sid, subject)) => Some(Actor { sid: SessionId::from_text(&sid)?, subject }),
            None => None,
        };
        Some(Terms {
            at_most: self.at_most.map(Duration::from_secs),
            ends_by: self.end.map(Timestamp::from_unix_seconds),
            is_remembered: !self.unremembered,
            level: self.acr.unwrap_or(USUAL_LEVEL),
            methods: self.amr,
            actor,
            revalidated_at: self.asked.map(Timestamp::from_unix_seconds),
            origin: self.marked.map(|marked| if marked { Origin::Marked } else { Origin::Unmarked }),
            later: None,
            left_out: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Terms {
        Terms {
            at_most: Some(Duration::from_secs(900)),
            ends_by: Some(Timestamp::from_unix_seconds(1_700_000_000)),
            is_remembered: false,
            level: 2,
            methods: vec!["pwd".to_owned(), "otp".to_owned()],
            actor: Some(Actor { sid: SessionId::from_bytes([7; 18]), subject: "alice".to_owned() }),
            revalidated_at: Some(Timestamp::from_unix_seconds(1_600_000_000)),
            origin: Some(Origin::Unmarked),
            later: None,
            left_out: None,
        }
    }

    #[test]
    fn what_was_written_is_read() {
        for terms in [Terms::default(), all()] {
            assert_eq!(Terms::from_bytes(&terms.to_bytes()), terms);
        }
    }

    #[test]
    fn the_usual_ones_are_not_kept() {
        assert_eq!(Terms::default().unless_usual(), None);
        assert!(all().unless_usual().is_some());
    }

    #[test]
    fn what_a_later_version_wrote_is_kept_as_it_is_and_not_understood() {
        for bytes in [
            &br#"{"v":2,"acr":3}"#[..],
            br#"{"v":1,"new":true}"#,
            br#"{"v":1,"act":["x","admin"]}"#,
            b"\xff",
            b"",
        ] {
            let terms = Terms::from_bytes(bytes);
            assert!(!terms.are_known());
            assert_eq!(terms.to_bytes(), bytes);
        }
    }

    #[test]
    fn debug_does_not_show_who_acts() {
        assert!(!format!("{:?}", all()).contains("alice"));
    }
}
