//! How a record is written: a header of fixed places, which the scripts read too, then what only this crate reads.
//!
//! | bytes | what |
//! |---|---|
//! | 0 | version of this layout, 1 |
//! | 1 to 4 | the realm's epoch; written by the scripts |
//! | 5 to 12 | version of the record |
//! | 13 to 32 | authenticated at, last seen, expires at, ends at: seconds, 5 bytes each |
//! | 33 and 34 | the account's bucket |
//! | 35 | length of the subject, 0 for a guest |
//! | 36 and 37 | where the subject begins, counted from the end; 0 when it follows this header |
//!
//! The subject, if the payload does not contain it as most do; generation, issued at and first use (as numbers of variable length, the times as differences to
//! authenticated at); user agent, address, payload. Every number is big endian. The epoch keeps its place in every
//! layout to come.

use std::net::IpAddr;

use session_core::store::{SessionRecord, StoreError};
use session_core::{SessionId, Timestamp};

use crate::keys::{Epoch, bucket_of};

const LAYOUT: u8 = 1;
const NO_ADDRESS: u8 = 0;
const IP_V4: u8 = 4;
const IP_V6: u8 = 6;

/// The bytes of a record; the place of the epoch is left to the script that stores them.
pub(crate) fn encode(record: &SessionRecord) -> Result<Vec<u8>, StoreError> {
    let subject = record.subject.as_deref();
    let text_len = subject.map_or(0, str::len) + record.user_agent.as_deref().map_or(0, str::len);
    let mut to = Vec::with_capacity(80 + text_len + record.payload.len());
    to.push(LAYOUT);
    to.extend_from_slice(&[0; 4]);
    to.extend_from_slice(&record.version.to_be_bytes());
    for time in [record.authenticated_at, record.last_seen, record.expires_at, record.ends_at] {
        let [_, _, _, seconds @ ..] = time.unix_seconds().to_be_bytes();
        to.extend_from_slice(&seconds);
    }
    to.extend_from_slice(&subject.map_or([0; 2], bucket_of));
    to.push(subject_len(subject)?);
    let place = subject.map_or(0, |subject| place_in(&record.payload, subject));
    to.extend_from_slice(&place.to_be_bytes());
    if place == 0 {
        to.extend_from_slice(subject.unwrap_or_default().as_bytes());
    }
    put_number(&mut to, record.generation);
    put_number(&mut to, difference(record.authenticated_at, record.issued_at));
    put_number(&mut to, record.first_used_at.map_or(0, |at| difference(record.authenticated_at, at) + 1));
    put_number(&mut to, record.user_agent.as_deref().map_or(0, |text| text.len() as u64 + 1));
    to.extend_from_slice(record.user_agent.as_deref().unwrap_or_default().as_bytes());
    match record.ip_address {
        None => to.push(NO_ADDRESS),
        Some(IpAddr::V4(ip)) => {
            to.push(IP_V4);
            to.extend_from_slice(&ip.octets());
        }
        Some(IpAddr::V6(ip)) => {
            to.push(IP_V6);
            to.extend_from_slice(&ip.octets());
        }
    }
    to.extend_from_slice(&record.payload);
    Ok(to)
}

/// Whether `bytes` are of this `epoch`: otherwise they are no session.
pub(crate) fn is_of(epoch: &[u8], bytes: &[u8]) -> bool {
    bytes.get(1..5) == Some(epoch)
}

/// The record in `bytes`, of whatever epoch.
pub(crate) fn decode(id: SessionId, bytes: &[u8]) -> Result<SessionRecord, StoreError> {
    let mut rest = Reader(bytes);
    match rest.byte() {
        Some(LAYOUT) => rest.record(id).ok_or_else(|| {
            StoreError::permanent(
                "a session in Redis cannot be read: its record is damaged; revoking it, or its account's sessions, \
                 removes it",
            )
        }),
        layout => Err(StoreError::permanent(format!(
            "a session in Redis cannot be read: its record has layout {} and this program knows layout {LAYOUT}; \
             deploy the newer version of session-store-redis everywhere, or revoke the session",
            layout.unwrap_or_default()
        ))),
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn record(&mut self, id: SessionId) -> Option<SessionRecord> {
        self.take(size_of::<Epoch>())?;
        let version = u64::from_be_bytes(self.take(8)?.try_into().ok()?);
        let authenticated_at = self.time()?;
        let last_seen = self.time()?;
        let expires_at = self.time()?;
        let ends_at = self.time()?;
        self.take(2)?;
        let subject_len = usize::from(self.byte()?);
        let subject = match usize::from(u16::from_be_bytes(self.take(2)?.try_into().ok()?)) {
            0 => self.text(subject_len)?,
            place => Reader(self.0.get(self.0.len().checked_sub(place)?..)?).text(subject_len)?,
        };
        let generation = self.number()?;
        let issued_at = later(authenticated_at, self.number()?);
        let first_used_at = self.number()?.checked_sub(1).map(|by| later(authenticated_at, by));
        let user_agent = match self.number()?.checked_sub(1) {
            Some(len) => Some(self.text(usize::try_from(len).ok()?)?),
            None => None,
        };
        let ip_address = match self.byte()? {
            NO_ADDRESS => None,
            IP_V4 => Some(IpAddr::from(<[u8; 4]>::try_from(self.take(4)?).ok()?)),
            IP_V6 => Some(IpAddr::from(<[u8; 16]>::try_from(self.take(16)?).ok()?)),
            _ => return None,
        };
        Some(SessionRecord::new(id, self.0.to_vec(), authenticated_at, expires_at).with(|record| {
            record.subject = (subject_len > 0).then_some(subject);
            record.version = version;
            record.last_seen = last_seen;
            record.generation = generation;
            record.issued_at = issued_at;
            record.first_used_at = first_used_at;
            record.ends_at = ends_at;
            record.user_agent = user_agent;
            record.ip_address = ip_address;
        }))
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn time(&mut self) -> Option<Timestamp> {
        let seconds = self.take(5)?.iter().fold(0, |high, &low| high << 8 | i64::from(low));
        Some(Timestamp::from_unix_seconds(seconds))
    }

    fn text(&mut self, len: usize) -> Option<String> {
        String::from_utf8(self.take(len)?.to_vec()).ok()
    }

    /// Seven bits a byte, the lowest first; the high bit says that more follow.
    fn number(&mut self) -> Option<u64> {
        let mut number: u64 = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            number |= bits.checked_shl(shift).filter(|shifted| shifted >> shift == bits)?;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }
}

fn put_number(to: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        to.push(number as u8 | 0x80);
        number >>= 7;
    }
    to.push(number as u8);
}

/// The seconds from one time to another, of either sign, small numbers for small distances.
fn difference(from: Timestamp, to: Timestamp) -> u64 {
    let by = to.unix_seconds() - from.unix_seconds();
    (by << 1 ^ by >> 63) as u64
}

fn later(from: Timestamp, difference: u64) -> Timestamp {
    let by = (difference >> 1) as i64 ^ -((difference & 1) as i64);
    Timestamp::from_unix_seconds(from.unix_seconds().saturating_add(by))
}

/// Where the subject is in the payload, counted from the end; 0 when it is not there, or too far.
fn place_in(payload: &[u8], subject: &str) -> u16 {
    let found = memchr::memmem::find(payload, subject.as_bytes());
    found.and_then(|at| u16::try_from(payload.len() - at).ok()).unwrap_or(0)
}

fn subject_len(subject: Option<&str>) -> Result<u8, StoreError> {
    let Some(subject) = subject else { return Ok(0) };
    match u8::try_from(subject.len()) {
        Ok(len @ 1..) => Ok(len),
        _ => Err(StoreError::permanent("the subject of a session must be 1 to 255 bytes long")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn times() -> impl Strategy<Value = Timestamp> {
        (0..=Timestamp::MAX.unix_seconds()).prop_map(Timestamp::from_unix_seconds)
    }

    prop_compose! {
        fn records()(
            (subject, user_agent) in (prop::option::of(".{1,60}"), prop::option::of(".{0,80}")),
            payload in prop::collection::vec(any::<u8>(), 0..200),
            (version, generation) in (any::<u64>(), any::<u64>()),
            (authenticated_at, last_seen, issued_at) in (times(), times(), times()),
            (expires_at, ends_at, first_used_at) in (times(), times(), prop::option::of(times())),
            ip_address in prop::option::of(any::<IpAddr>()),
        ) -> SessionRecord {
            SessionRecord::new(SessionId::from_bytes([7; 16]), payload, authenticated_at, expires_at).with(|record| { record.subject = subject; record.version = version; record.last_seen = last_seen; record.generation = generation; record.issued_at = issued_at; record.first_used_at = first_used_at; record.ends_at = ends_at; record.user_agent = user_agent; record.ip_address = ip_address; })
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(record in records()) {
            let bytes = encode(&record).unwrap();
            prop_assert_eq!(decode(record.id, &bytes).unwrap(), record.clone());
            prop_assert!(is_of(&[0; 4], &bytes) && !is_of(&[1; 4], &bytes));
        }

        #[test]
        fn garbage_is_an_error_or_a_record(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
            let id = SessionId::from_bytes([7; 16]);
            let _ = decode(id, &bytes);
            let _ = decode(id, &[&[LAYOUT], bytes.as_slice()].concat());
        }

        #[test]
        fn a_cut_record_is_an_error(record in records(), cut in any::<prop::sample::Index>()) {
            let bytes = encode(&record).unwrap();
            let header = bytes.len() - record.payload.len();
            prop_assert!(decode(record.id, &bytes[..cut.index(header)]).is_err());
        }
    }

    proptest! {
        #[test]
        fn a_subject_within_the_payload_is_written_once(
            record in records(),
            subject in ".{1,60}",
            (before, after) in (prop::collection::vec(any::<u8>(), 0..40), prop::collection::vec(any::<u8>(), 0..40)),
        ) {
            let payload = [&before[..], subject.as_bytes(), &after].concat();
            let once = record.clone().with(|record| { record.subject = Some(subject.clone()); record.payload = payload.clone(); });
            let guest = record.with(|record| { record.subject = None; record.payload = payload; });
            let bytes = encode(&once).unwrap();
            prop_assert_eq!(bytes.len(), encode(&guest).unwrap().len());
            prop_assert_eq!(decode(once.id, &bytes).unwrap(), once);
        }
    }

    #[test]
    fn a_subject_far_from_the_end_is_written_apart() {
        let far = [b"ann".as_slice(), &[b' '; 70_000]].concat();
        assert_eq!(place_in(&far, "ann"), 0);
        assert_eq!(place_in(&far[..60_000], "ann"), 60_000);
        assert_eq!(place_in(b"ann", "bob"), 0);
        assert_eq!(place_in(b"", "bob"), 0);
    }

    #[test]
    fn a_later_layout_is_told_apart_from_damage() {
        let error = decode(SessionId::from_bytes([7; 16]), &[9; 60]).unwrap_err();
        assert!(!error.is_retryable());
        assert!(error.to_string().contains("layout 9"), "{error}");
    }

    #[test]
    fn a_subject_has_a_length() {
        for length in [0, 256] {
            assert!(subject_len(Some(&"x".repeat(length))).is_err_and(|error| !error.is_retryable()));
        }
        assert!(subject_len(Some(&"x".repeat(255))).is_ok());
    }
}
