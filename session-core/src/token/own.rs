//! Claims as we write them: behind the payload, in one order and one spelling, so that they are found without a parser.
//!
//! Only for what is signed as a token of ours. Anything else about it, another order, one claim more, is for
//! [`split`](super::split()), which reads every spelling; what is read here, that reads alike.

use crate::id::SessionId;
use crate::time::Timestamp;

/// More than any time or generation of ours.
const MOST: u64 = 1_000_000_000_000_000;

/// Claims that stand at the end of a token's JSON.
pub(super) struct Own {
    pub(super) sid: SessionId,
    pub(super) generation: Option<u64>,
    pub(super) issued_at: Timestamp,
    pub(super) expires_at: Timestamp,
    pub(super) authenticated_at: Timestamp,
    /// Where the payload's object has to be closed: its last entry ends there.
    end: usize,
}

impl Own {
    /// `tail` is what every token of ours ends with.
    pub(super) fn at_the_end_of(json: &[u8], tail: &[u8]) -> Option<Self> {
        let (rest, last) = number_behind(json.strip_suffix(tail)?)?;
        let (rest, generation, authenticated_at) = match rest.strip_suffix(br#","gen":"#) {
            Some(rest) => {
                let (rest, authenticated_at) = number_behind(rest)?;
                (rest, Some(last), authenticated_at)
            }
            None => (rest, None, last),
        };
        let (rest, expires_at) = number_behind(rest.strip_suffix(br#","auth_time":"#)?)?;
        let (rest, issued_at) = number_behind(rest.strip_suffix(br#","exp":"#)?)?;
        let (rest, sid) = rest.strip_suffix(br#"","iat":"#)?.split_last_chunk::<{ SessionId::TEXT_LEN }>()?;
        let rest = rest.strip_suffix(br#""sid":""#)?;
        Some(Self {
            sid: SessionId::from_text(std::str::from_utf8(sid).ok()?)?,
            generation,
            issued_at: time(issued_at)?,
            expires_at: time(expires_at)?,
            authenticated_at: time(authenticated_at)?,
            end: end_of_payload(rest)?,
        })
    }

    /// Shows the payload's object to `read`, for which it is closed in its place, and opened again when it was not read.
    pub(super) fn payload<T>(&self, json: &mut [u8], read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let behind = std::mem::replace(json.get_mut(self.end)?, b'}');
        let payload = json.get(..=self.end).and_then(|payload| std::str::from_utf8(payload).ok());
        let payload = payload.and_then(read);
        if payload.is_none() {
            *json.get_mut(self.end)? = behind;
        }
        payload
    }
}

/// Behind the opening brace, or the last comma.
fn end_of_payload(before: &[u8]) -> Option<usize> {
    match before {
        b"{" => Some(1),
        [.., b','] => before.len().checked_sub(1),
        _ => None,
    }
}

/// The number at the end, as JSON writes it: without a zero in front. One of more digits than any of ours has is for the
/// parser.
fn number_behind(mut text: &[u8]) -> Option<(&[u8], u64)> {
    let (mut number, mut unit, mut last) = (0, 1, 0);
    while let [rest @ .., digit @ b'0'..=b'9'] = text {
        if unit > MOST {
            return None;
        }
        last = u64::from(digit - b'0');
        number += last * unit;
        unit *= 10;
        text = rest;
    }
    (unit == 10 || last > 0).then_some((text, number))
}

fn time(seconds: u64) -> Option<Timestamp> {
    let seconds = i64::try_from(seconds).ok().filter(|seconds| *seconds <= Timestamp::MAX.unix_seconds())?;
    Some(Timestamp::from_unix_seconds(seconds))
}
