//! How a record is written: first what the scripts read too, then what only this crate reads.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | version of this layout: 1, or 2 with terms or uncounted |
//! | 4 | the shard's epoch; written by the scripts |
//! | 1 | length of the subject, 0 for a guest |
//! | 1, or 2 from 128 on | where the subject begins, counted from the end; 0 when it follows, as it seldom does: most payloads contain it |
//! | 1 or more | version of the record |
//! | 5 | authenticated at |
//! | 1 or more each | last seen and expires at, as distances to that, and ends at, as that to expires at |
//! | 1 | layout 2 only: 1 when the session is uncounted, otherwise 0 |
//! | 1 or more each | generation, and issued at and first use as distances to authenticated at |
//!
//! Then user agent, address; in layout 2 the terms; payload. Numbers have seven bits a byte, the lowest first; times are
//! seconds. That a session of a day has 24 bytes and its payload, and not 41, is one or two steps of Redis' allocator.
//! The epoch keeps its place in every layout to come.
//!
//! Almost every session is written in layout 1, which costs no byte for what it has not.

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;

use session_core::store::{SessionRecord, StoreError, Terms};
use session_core::{SessionId, Timestamp};

use crate::keys::Epoch;

const PLAIN: u8 = 1;
/// With terms, or uncounted.
const MARKED: u8 = 2;
const NO_ADDRESS: u8 = 0;
const IP_V4: u8 = 4;
const IP_V6: u8 = 6;

/// The bytes of a record; the place of the epoch is left to the script that stores them.
pub(crate) fn encode(record: &SessionRecord) -> Result<Vec<u8>, StoreError> {
    let layout = if record.terms.is_some() || record.uncounted { MARKED } else { PLAIN };
    let subject = record.subject.as_deref();
    let text_len = subject.map_or(0, str::len) + record.user_agent.as_deref().map_or(0, str::len);
    let mut to = Vec::with_capacity(64 + text_len + record.payload.len());
    to.push(layout);
    to.extend_from_slice(&Epoch::default());
    put_subject(&mut to, subject, &record.payload)?;
    put_times(&mut to, record);
    if layout == MARKED {
        to.push(record.uncounted.into());
    }
    put_generation(&mut to, record);
    put_optional(&mut to, record.user_agent.as_deref().map(str::as_bytes));
    put_ip_address(&mut to, record.ip_address);
    if layout == MARKED {
        put_optional(&mut to, record.terms.as_ref().map(|terms| terms.to_bytes()).as_deref());
    }
    to.extend_from_slice(&record.payload);
    Ok(to)
}

/// Its length, and its place in the payload or itself.
fn put_subject(to: &mut Vec<u8>, subject: Option<&str>, payload: &[u8]) -> Result<(), StoreError> {
    let place = subject.map_or(0, |subject| place_in(payload, subject));
    to.push(subject_len(subject)?);
    match place.to_be_bytes() {
        [0, low @ ..0x80] => to.push(low),
        [high, low] => to.extend_from_slice(&[high | 0x80, low]),
    }
    if place == 0 {
        to.extend_from_slice(subject.unwrap_or_default().as_bytes());
    }
    Ok(())
}

/// The version, and what moves when a session is used.
fn put_times(to: &mut Vec<u8>, record: &SessionRecord) {
    put_number(to, record.version);
    put_number(to, record.authenticated_at.unix_seconds().unsigned_abs());
    put_number(to, difference(record.authenticated_at, record.last_seen));
    put_number(to, difference(record.authenticated_at, record.expires_at));
    put_number(to, difference(record.expires_at, record.ends_at));
}

/// As it is in a record: the scripts compare the bytes.
pub(crate) fn version_bytes(version: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1);
    put_number(&mut bytes, version);
    bytes
}

fn put_generation(to: &mut Vec<u8>, record: &SessionRecord) {
    let since_login = |at| difference(record.authenticated_at, at);
    put_number(to, record.generation);
    put_number(to, since_login(record.issued_at));
    put_number(to, record.first_used_at.map_or(0, |at| since_login(at) + 1));
}

/// 0 for nothing, or one more than the length, and the bytes.
fn put_optional(to: &mut Vec<u8>, bytes: Option<&[u8]>) {
    put_number(to, bytes.map_or(0, |bytes| bytes.len() as u64 + 1));
    to.extend_from_slice(bytes.unwrap_or_default());
}

fn put_ip_address(to: &mut Vec<u8>, ip_address: Option<IpAddr>) {
    match ip_address {
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
}

/// Whether `bytes` are of this `epoch`: otherwise they are no session.
pub(crate) fn is_of(epoch: &[u8], bytes: &[u8]) -> bool {
    bytes.get(1..5) == Some(epoch)
}

/// The record in `bytes`, of whatever epoch.
pub(crate) fn decode(id: SessionId, bytes: &[u8]) -> Result<SessionRecord, StoreError> {
    let mut rest = Reader(bytes);
    match rest.byte() {
        Some(layout @ (PLAIN | MARKED)) => rest.record(id, layout).ok_or_else(|| {
            StoreError::permanent(
                "a session in Redis cannot be read: its record is damaged; revoking it, or its account's sessions, \
                 removes it",
            )
        }),
        layout => Err(StoreError::permanent(format!(
            "a session in Redis cannot be read: its record has layout {} and this program knows those up to \
             {MARKED}; deploy the newer version of session-store-redis everywhere, or revoke the session",
            layout.unwrap_or_default()
        ))),
    }
}

/// What is not read yet. Each step is `None` where the bytes end too early or make no sense.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn record(&mut self, id: SessionId, layout: u8) -> Option<SessionRecord> {
        self.take(size_of::<Epoch>())?;
        let subject = self.subject()?;
        let mut record = self.times(id)?;
        record.subject = subject;
        record.uncounted = layout == MARKED && self.flag()?;
        self.generation(&mut record)?;
        record.user_agent = self.user_agent()?;
        record.ip_address = self.ip_address()?;
        if layout == MARKED {
            record.terms = self.optional()?.map(|bytes| Arc::new(Terms::from_bytes(bytes)));
        }
        record.payload = self.0.to_vec();
        Some(record)
    }

    /// The account, from here or from within the payload.
    fn subject(&mut self) -> Option<Option<String>> {
        let length = self.byte()?;
        let subject = match self.place()? {
            0 => self.text(length.into())?,
            place => self.last(place.into())?.text(length.into())?,
        };
        Some((length > 0).then_some(subject))
    }

    fn place(&mut self) -> Option<u16> {
        match self.byte()? {
            low @ ..0x80 => Some(low.into()),
            high => Some(u16::from_be_bytes([high & 0x7f, self.byte()?])),
        }
    }

    /// The version and the times; everything else of the record is still to come.
    fn times(&mut self, id: SessionId) -> Option<SessionRecord> {
        let version = self.number()?;
        let authenticated_at = seconds(self.number()?);
        let last_seen = later(authenticated_at, self.number()?);
        let expires_at = later(authenticated_at, self.number()?);
        let mut record = SessionRecord::new(id, Vec::new(), authenticated_at, expires_at);
        record.version = version;
        record.last_seen = last_seen;
        record.ends_at = later(expires_at, self.number()?);
        Some(record)
    }

    fn generation(&mut self, record: &mut SessionRecord) -> Option<()> {
        let since_login = |by| later(record.authenticated_at, by);
        record.generation = self.number()?;
        record.issued_at = since_login(self.number()?);
        record.first_used_at = self.number()?.checked_sub(1).map(since_login);
        Some(())
    }

    fn user_agent(&mut self) -> Option<Option<String>> {
        match self.optional()? {
            Some(text) => String::from_utf8(text.to_vec()).ok().map(Some),
            None => Some(None),
        }
    }

    fn ip_address(&mut self) -> Option<Option<IpAddr>> {
        match self.byte()? {
            NO_ADDRESS => Some(None),
            IP_V4 => Some(Some(IpAddr::from(self.array::<4>()?))),
            IP_V6 => Some(Some(IpAddr::from(self.array::<16>()?))),
            _ => None,
        }
    }

    /// The last bytes, so many.
    fn last(&self, count: usize) -> Option<Self> {
        self.0.len().checked_sub(count).and_then(|at| self.0.get(at..)).map(Self)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn optional(&mut self) -> Option<Option<&'a [u8]>> {
        match self.number()?.checked_sub(1) {
            Some(length) => self.take(usize::try_from(length).ok()?).map(Some),
            None => Some(None),
        }
    }

    fn flag(&mut self) -> Option<bool> {
        match self.byte()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
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

fn seconds(number: u64) -> Timestamp {
    Timestamp::from_unix_seconds(number.try_into().unwrap_or(i64::MAX))
}

fn later(from: Timestamp, difference: u64) -> Timestamp {
    let by = (difference >> 1) as i64 ^ -((difference & 1) as i64);
    Timestamp::from_unix_seconds(from.unix_seconds().saturating_add(by))
}

/// Where the subject is in the payload, counted from the end; 0 when it is not there, or too far for 15 bits.
fn place_in(payload: &[u8], subject: &str) -> u16 {
    let found = memchr::memmem::find(payload, subject.as_bytes());
    let place = found.and_then(|at| u16::try_from(payload.len() - at).ok());
    place.filter(|place| *place < 1 << 15).unwrap_or(0)
}

/// Whether an account can have this name.
pub(crate) fn check_subject(subject: &str) -> Result<(), StoreError> {
    subject_len(Some(subject)).map(drop)
}

fn subject_len(subject: Option<&str>) -> Result<u8, StoreError> {
    let Some(subject) = subject else { return Ok(0) };
    match u8::try_from(subject.len()) {
        Ok(len @ 1..) => Ok(len),
        _ => Err(StoreError::permanent("the subject of a session must be 1 to 255 bytes long")),
    }
}
