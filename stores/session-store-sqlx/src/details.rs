//! What SQL has no need to read, in one small column: numbers of their own would take three times the room.
//!
//! | bytes | what |
//! |---|---|
//! | 0 | 128 if the session is uncounted, 64 if there are terms, and how many bytes a number has: 1 to 8. 32 and 16 are for layouts to come |
//! | 1 to 5 | authenticated at: seconds, by which SQL sorts |
//! | then | four numbers: expires at, issued at (both as seconds since authenticated at), first use (0 if there was none, otherwise one more than that), generation |
//! | the rest | terms |
//!
//! Numbers are big endian, and as long as the largest of them needs. A time before the login, which nobody writes, is a
//! negative number, and takes all eight.

use std::sync::Arc;

use session_core::Timestamp;
use session_core::store::{SessionRecord, Terms};
use sqlx::Error;

use crate::error::garbage;

const UNCOUNTED: u8 = 128;
const TERMS: u8 = 64;

pub(crate) fn encode(record: &SessionRecord) -> Vec<u8> {
    let numbers = numbers(record);
    let width = numbers.iter().map(|number| width(*number)).max().unwrap_or(8);
    let terms = record.terms.as_ref().map(|terms| terms.to_bytes());
    let flags = u8::from(record.uncounted) * UNCOUNTED + u8::from(terms.is_some()) * TERMS;
    let mut to = vec![flags + width];
    to.extend_from_slice(last(&record.authenticated_at.unix_seconds().to_be_bytes(), 5));
    for number in numbers {
        to.extend_from_slice(last(&number.to_be_bytes(), width.into()));
    }
    to.extend(terms.unwrap_or_default());
    to
}

fn numbers(record: &SessionRecord) -> [u64; 4] {
    let since = |at: Timestamp| at.unix_seconds() - record.authenticated_at.unix_seconds();
    let first_use = record.first_used_at.map_or(0, |at| since(at) + i64::from(since(at) >= 0));
    let [expires, issued] = [record.expires_at, record.issued_at].map(since);
    [expires.cast_unsigned(), issued.cast_unsigned(), first_use.cast_unsigned(), record.generation]
}

/// How many bytes it needs, at least one.
fn width(number: u64) -> u8 {
    (1..8).find(|width| number >> (8 * width) == 0).unwrap_or(8)
}

fn last(bytes: &[u8], count: usize) -> &[u8] {
    bytes.get(bytes.len().saturating_sub(count)..).unwrap_or_default()
}

/// Puts what is in `bytes` into the record.
pub(crate) fn decode(bytes: &[u8], record: &mut SessionRecord) -> Result<(), Error> {
    let damaged = || garbage("the details of a session are damaged, or written by a later version");
    let (&flags, rest) = bytes.split_first().ok_or_else(damaged)?;
    let mut rest = Reader(rest);
    let width = flags & !(UNCOUNTED | TERMS);
    if !(1..=8).contains(&width) {
        return Err(damaged());
    }
    rest.times(width.into(), record).ok_or_else(damaged)?;
    record.uncounted = flags & UNCOUNTED != 0;
    record.terms = (flags & TERMS != 0).then(|| Arc::new(Terms::from_bytes(rest.0)));
    Ok(())
}

/// What is not read yet.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn times(&mut self, width: usize, record: &mut SessionRecord) -> Option<()> {
        let began = self.number(5)?.cast_signed();
        let since = |number: i64| Timestamp::from_unix_seconds(began.saturating_add(number));
        record.authenticated_at = since(0);
        record.expires_at = since(self.number(width)?.cast_signed());
        record.issued_at = since(self.number(width)?.cast_signed());
        let first_use = self.number(width)?.cast_signed();
        record.first_used_at = (first_use != 0).then(|| since(first_use - i64::from(first_use > 0)));
        record.generation = self.number(width)?;
        Some(())
    }

    fn number(&mut self, width: usize) -> Option<u64> {
        let (number, rest) = self.0.split_at_checked(width)?;
        self.0 = rest;
        Some(number.iter().fold(0, |high, low| high << 8 | u64::from(*low)))
    }
}

#[cfg(test)]
mod tests {
    use session_core::SessionId;

    use super::*;

    fn record(began: i64, expires: i64, issued: i64, used: Option<i64>, generation: u64) -> SessionRecord {
        let at = Timestamp::from_unix_seconds;
        let id = SessionId::from_bytes([7; SessionId::LEN]);
        SessionRecord::new(id, Vec::new(), at(began), at(expires)).with(|record| {
            record.issued_at = at(issued);
            record.first_used_at = used.map(at);
            record.generation = generation;
        })
    }

    fn read(bytes: &[u8], record: &SessionRecord) -> Result<SessionRecord, Error> {
        let blank = SessionRecord::new(record.id, Vec::new(), Timestamp::MAX, Timestamp::MAX);
        let mut read = blank.with(|read| {
            read.last_seen = record.last_seen;
            read.ends_at = record.ends_at;
        });
        decode(bytes, &mut read).map(|()| read)
    }

    #[test]
    fn whatever_a_record_can_have_is_read_as_it_was_written() {
        let max = Timestamp::MAX.unix_seconds();
        let times = [0, 1, 255, 256, 65_536, 1_800_000_000, i64::from(u32::MAX) + 1, max - 1, max];
        for began in times {
            for other in times {
                for used in
                    [None, Some(other), Some(other - 1), Some(began), Some(began - 1), Some(began + 1)]
                {
                    for generation in [0, 1, 1 << 24, SessionRecord::LAST, u64::MAX] {
                        let written = record(began, other, other, used, generation);
                        assert_eq!(read(&encode(&written), &written).unwrap(), written);
                    }
                }
            }
        }
    }

    #[test]
    fn terms_and_what_is_uncounted_are_kept() {
        for (terms, uncounted) in [(None, true), (Some(&b""[..]), false), (Some(br#"{"v":9}"#), true)] {
            let written = record(1_800_000_000, 1_800_086_400, 1_800_000_000, None, 0).with(|record| {
                record.terms = terms.map(|terms| Arc::new(Terms::from_bytes(terms)));
                record.uncounted = uncounted;
            });
            assert_eq!(read(&encode(&written), &written).unwrap(), written);
        }
    }

    #[test]
    fn a_session_of_a_month_takes_18_bytes_that_sort_by_its_beginning() {
        let [one, later] = [1_800_000_000, 1_800_000_001].map(|began| {
            encode(&record(began, began + 30 * 86_400, began + 86_400, Some(began + 86_400), 12))
        });
        assert_eq!((one.len(), later.len()), (18, 18));
        assert!(one[1..6] < later[1..6]);
    }

    #[test]
    fn what_is_cut_or_of_a_later_layout_is_an_error() {
        let written = record(1_800_000_000, 1_800_086_400, 1_800_000_000, None, 0);
        let bytes = encode(&written);
        assert!((0..bytes.len()).all(|end| read(&bytes[..end], &written).is_err()));
        for first in [0, 9, 16 + 3, 32 + 3] {
            let other = [&[first], &bytes[1..]].concat();
            assert!(read(&other, &written).is_err(), "{first}");
        }
    }
}
