//! A record in little room: all that varies in length shares one allocation.

use std::net::IpAddr;
use std::sync::Arc;

use crate::id::SessionId;
use crate::store::{SessionRecord, StoreError, Terms};
use crate::time::Timestamp;

pub(super) struct Packed {
    fixed: Fixed,
    subject_len: Option<u16>,
    user_agent_len: Option<u16>,
    /// Subject, user agent, payload.
    bytes: Box<[u8]>,
}

/// What takes the same room in every record.
struct Fixed {
    version: u64,
    authenticated_at: Timestamp,
    last_seen: Timestamp,
    generation: u64,
    issued_at: Timestamp,
    expires_at: Timestamp,
    first_used_at: Option<Timestamp>,
    ends_at: Timestamp,
    ip_address: Option<IpAddr>,
    uncounted: bool,
    terms: Option<Arc<Terms>>,
}

impl Packed {
    pub(super) fn new(record: &SessionRecord) -> Result<Self, StoreError> {
        let (subject, user_agent) = (record.subject.as_deref(), record.user_agent.as_deref());
        Ok(Self {
            fixed: Fixed::new(record),
            subject_len: text_len(subject)?,
            user_agent_len: text_len(user_agent)?,
            bytes: [bytes_of(subject), bytes_of(user_agent), &record.payload].concat().into_boxed_slice(),
        })
    }

    pub(super) fn unpack(&self, id: SessionId) -> SessionRecord {
        let fixed = &self.fixed;
        let (subject, rest) = split(&self.bytes, self.subject_len);
        let (user_agent, payload) = split(rest, self.user_agent_len);
        SessionRecord {
            id,
            subject: subject.map(to_string),
            version: fixed.version,
            payload: payload.to_vec(),
            authenticated_at: fixed.authenticated_at,
            last_seen: fixed.last_seen,
            generation: fixed.generation,
            issued_at: fixed.issued_at,
            expires_at: fixed.expires_at,
            first_used_at: fixed.first_used_at,
            ends_at: fixed.ends_at,
            user_agent: user_agent.map(to_string),
            ip_address: fixed.ip_address,
            terms: fixed.terms.clone(),
            uncounted: fixed.uncounted,
        }
    }

    /// Takes over all of `record` but its texts and payload.
    pub(super) fn set_fixed(&mut self, record: &SessionRecord) {
        self.fixed = Fixed::new(record);
    }

    pub(super) fn subject(&self) -> Option<&[u8]> {
        split(&self.bytes, self.subject_len).0
    }

    pub(super) fn version(&self) -> u64 {
        self.fixed.version
    }

    pub(super) fn ends_at(&self) -> Timestamp {
        self.fixed.ends_at
    }

    pub(super) fn is_live(&self, now: Timestamp) -> bool {
        now < self.fixed.ends_at
    }

    /// Whether it is one of those of its account that the limit is about.
    pub(super) fn counts(&self, now: Timestamp) -> bool {
        self.is_live(now) && !self.fixed.uncounted
    }

    /// Whether this was made from `older`.
    pub(super) fn follows(&self, older: &Self) -> bool {
        older.fixed.version.checked_add(1) == Some(self.fixed.version)
    }

    /// Sorts first who has to leave first.
    pub(super) fn seniority(&self) -> (Timestamp, Timestamp) {
        (self.fixed.last_seen, self.fixed.authenticated_at)
    }
}

impl Fixed {
    fn new(record: &SessionRecord) -> Self {
        Self {
            version: record.version,
            authenticated_at: record.authenticated_at,
            last_seen: record.last_seen,
            generation: record.generation,
            issued_at: record.issued_at,
            expires_at: record.expires_at,
            first_used_at: record.first_used_at,
            ends_at: record.ends_at,
            ip_address: record.ip_address,
            uncounted: record.uncounted,
            terms: record.terms.clone(),
        }
    }
}

fn bytes_of(text: Option<&str>) -> &[u8] {
    text.unwrap_or_default().as_bytes()
}

fn text_len(text: Option<&str>) -> Result<Option<u16>, StoreError> {
    let too_long = |_| StoreError::permanent("the subject or the user agent is longer than 65,535 bytes");
    text.map(|text| u16::try_from(text.len())).transpose().map_err(too_long)
}

/// Splits a text off the front; the length is always there.
fn split(bytes: &[u8], len: Option<u16>) -> (Option<&[u8]>, &[u8]) {
    match len.and_then(|len| bytes.split_at_checked(usize::from(len))) {
        Some((text, rest)) => (Some(text), rest),
        None => (None, bytes),
    }
}

/// These bytes came out of a string, so nothing is lost. To look for what could be costs ten times what a check does.
fn to_string(text: &[u8]) -> String {
    let text = String::from_utf8(text.to_vec());
    text.unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(subject: Option<String>, user_agent: Option<String>, payload: Vec<u8>) -> SessionRecord {
        SessionRecord {
            id: SessionId::from_bytes([1; 18]),
            subject,
            version: 2,
            payload,
            authenticated_at: Timestamp::from_unix_seconds(3),
            last_seen: Timestamp::from_unix_seconds(4),
            generation: 5,
            issued_at: Timestamp::from_unix_seconds(6),
            expires_at: Timestamp::from_unix_seconds(7),
            first_used_at: Some(Timestamp::from_unix_seconds(8)),
            ends_at: Timestamp::from_unix_seconds(9),
            user_agent,
            ip_address: Some(IpAddr::from([10; 16])),
            terms: Some(Arc::new(Terms::from_bytes(br#"{"v":1,"acr":2}"#))),
            uncounted: true,
        }
    }

    proptest! {
        #[test]
        fn unpacking_gives_back_what_was_packed(
            subject in prop::option::of(".{0,20}"),
            user_agent in prop::option::of(".{0,20}"),
            payload in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let record = record(subject, user_agent, payload);
            let packed = Packed::new(&record).unwrap();
            prop_assert_eq!(packed.subject(), record.subject.as_deref().map(str::as_bytes));
            prop_assert_eq!(packed.unpack(record.id), record);
        }
    }

    #[test]
    fn a_text_beyond_all_bounds_is_refused() {
        let record = record(Some("x".repeat(65_536)), None, Vec::new());
        assert!(Packed::new(&record).is_err_and(|error| !error.is_retryable()));
    }

    #[test]
    fn the_part_of_fixed_length_is_small() {
        assert!(size_of::<Packed>() <= 128, "{}", size_of::<Packed>());
    }
}
