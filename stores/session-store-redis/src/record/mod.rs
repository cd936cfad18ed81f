//! How a record is written: a header of fixed places, which the scripts read too, then what only this crate reads.
//!
//! | bytes | what |
//! |---|---|
//! | 0 | version of this layout: 1, or 2 with terms or uncounted |
//! | 1 to 4 | the shard's epoch; written by the scripts |
//! | 5 to 12 | version of the record |
//! | 13 to 32 | authenticated at, last seen, expires at, ends at: seconds, 5 bytes each |
//! | 33 | length of the subject, 0 for a guest |
//! | 34 and 35 | where the subject begins, counted from the end; 0 when it follows this header |
//! | 36 | layout 2 only: 1 when the session is uncounted, otherwise 0 |
//!
//! The subject, if the payload does not contain it as most do; generation, issued at and first use (as numbers of
//! variable length, the times as differences to authenticated at); user agent, address; in layout 2 the terms; payload.
//! Every number is big endian. The epoch keeps its place in every layout to come.
//!
//! Almost every session is written in layout 1, which costs no byte for what it has not, and which earlier versions of
//! this crate know.

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
    let mut to = Vec::with_capacity(80 + text_len + record.payload.len());
    put_header(&mut to, layout, record);
    let place = put_place(&mut to, subject, &record.payload)?;
    if layout == MARKED {
        to.push(record.uncounted.into());
    }
    if place == 0 {
        to.extend_from_slice(subject.unwrap_or_default().as_bytes());
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

fn put_header(to: &mut Vec<u8>, layout: u8, record: &SessionRecord) {
    to.push(layout);
    to.extend_from_slice(&Epoch::default());
    to.extend_from_slice(&record.version.to_be_bytes());
    for time in [record.authenticated_at, record.last_seen, record.expires_at, record.ends_at] {
        let [_, _, _, seconds @ ..] = time.unix_seconds().to_be_bytes();
        to.extend_from_slice(&seconds);
    }
}

/// Where the subject is: its length, and its place in the payload, which is also the answer.
fn put_place(to: &mut Vec<u8>, subject: Option<&str>, payload: &[u8]) -> Result<u16, StoreError> {
    let place = subject.map_or(0, |subject| place_in(payload, subject));
    to.push(subject_len(subject)?);
    to.extend_from_slice(&place.to_be_bytes());
    Ok(place)
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
        let mut record = self.header(id)?;
        let [length, high, low] = self.array()?;
        record.uncounted = layout == MARKED && self.flag()?;
        record.subject = self.subject(length, u16::from_be_bytes([high, low]))?;
        self.generation(&mut record)?;
        record.user_agent = self.user_agent()?;
        record.ip_address = self.ip_address()?;
        if layout == MARKED {
            record.terms = self.optional()?.map(|bytes| Arc::new(Terms::from_bytes(bytes)));
        }
        record.payload = self.0.to_vec();
        Some(record)
    }

    /// The version and the times; everything else of the record is still to come.
    fn header(&mut self, id: SessionId) -> Option<SessionRecord> {
        self.take(size_of::<Epoch>())?;
        let version = u64::from_be_bytes(self.array()?);
        let [authenticated_at, last_seen] = [self.time()?, self.time()?];
        let [expires_at, ends_at] = [self.time()?, self.time()?];
        let mut record = SessionRecord::new(id, Vec::new(), authenticated_at, expires_at);
        record.version = version;
        record.last_seen = last_seen;
        record.ends_at = ends_at;
        Some(record)
    }

    /// The account, from behind the header or from within the payload.
    fn subject(&mut self, length: u8, place: u16) -> Option<Option<String>> {
        let subject = match place {
            0 => self.text(length.into())?,
            place => self.last(place.into())?.text(length.into())?,
        };
        Some((length > 0).then_some(subject))
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
