//! Points in time as other systems write them.

use session_core::Timestamp;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Seconds since the epoch, with or without a fraction (RFC 7519 section 2). What is too large is as large as can be.
pub(crate) fn numeric_date(seconds: f64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds as i64)
}

/// Milliseconds since the epoch, as JavaScript counts.
pub(crate) fn milliseconds(milliseconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(milliseconds.div_euclid(1000))
}

/// RFC 3339, as JavaScript's `toISOString` and Rails write it.
pub(crate) fn rfc3339(text: &str) -> Option<Timestamp> {
    OffsetDateTime::parse(text, &Rfc3339).ok().map(Timestamp::from)
}
