//! Writing payloads: a JSON object with no name that belongs to the token.

use std::cell::Cell;
use std::io;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::ser::{Formatter, Serializer};
use serde_path_to_error::{Segment, Track};

use super::claim::Claim;
use crate::few::{Few, repeated};
use crate::payload::SessionPayload;

/// What JSON readers follow without complaint; ours stops at 127.
const MAX_DEPTH: usize = 100;
/// Room for most payloads with their claims, in one allocation.
const USUAL_LEN: usize = 1024;

/// Why a payload cannot be in a token or a record.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IssueError {
    /// A string, a number, a list or null: there is no place for the token's own claims.
    #[error("the payload must serialize to a JSON object: use a struct with named fields or a map")]
    NotAnObject,
    /// The payload writes a claim of the token's.
    #[error("the payload must not have a top-level field `{0}`: the token has its own, so rename it")]
    Reserved(String),
    /// Readers differ in which of the two they take (RFC 8725 leaves it open), so ours takes none.
    #[error("the payload writes the top-level field `{0}` twice: look for a flattened field of that name")]
    Repeated(String),
    /// Nested deeper than 100 levels.
    #[error("the payload is nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// The payload's `Serialize` failed.
    #[error("the payload does not serialize: {0}")]
    Serialize(#[source] serde_json::Error),
    /// Its `Deserialize` would refuse what its `Serialize` wrote. Says where, never what.
    #[error("the payload cannot be read back, so that its session would be none: {0}")]
    Unreadable(String),
    /// It reads back as somebody else.
    #[error(
        "the payload reads back with another subject, so that its session would be another account's: look for what \
         its Serialize leaves out or its Deserialize changes"
    )]
    OtherSubject,
    /// The field that is the claim `sub` is not there, or no string.
    #[error(
        "the payload must write the field `{0}` as a string, since sub_field says that it is the claim `sub`: name the \
         field as it is in the JSON"
    )]
    NoSub(String),
    /// The finished token, in bytes, is longer than any reader of ours takes. `PayloadTooLarge`, not a misuse.
    #[error(
        "the token would be {0} bytes long and 4096 is the limit: keep less in the session, or use a store"
    )]
    TooLong(usize),
    /// The key could not sign.
    #[error("the signing key does not sign")]
    Signing,
    /// Nothing was sealed.
    #[error("the random source has no bytes")]
    Randomness(#[source] io::Error),
}

impl IssueError {
    pub(super) fn serialize(error: impl std::fmt::Display) -> Self {
        Self::Serialize(serde::ser::Error::custom(error))
    }
}

/// The payload of a tracked session as its record keeps it, once it was read back.
///
/// Whether a type can be read back depends on the value, and on the whole program: JSON has `null` for a float that is
/// not finite, a field that is skipped needs a default, and where any crate switches on `arbitrary_precision` of
/// serde_json, a float in a flattened, untagged or internally tagged part of a type is refused.
pub(crate) fn record_json<U: SessionPayload>(user: &U) -> Result<Vec<u8>, IssueError> {
    let json = payload_json(user)?;
    match serde_json::from_slice::<U>(&json) {
        Ok(read) => same_subject(user, &read).map(|()| json),
        Err(_) => {
            let mut parser = serde_json::Deserializer::from_slice(&json);
            Err(IssueError::Unreadable(place_of_fault::<U, _>(&mut parser)))
        }
    }
}

pub(super) fn same_subject<U: SessionPayload>(written: &U, read: &U) -> Result<(), IssueError> {
    if written.subject() == read.subject() { Ok(()) } else { Err(IssueError::OtherSubject) }
}

/// Where a payload does not read back, in words. The parser's own message may quote a value, so it is left out.
pub(super) fn place_of_fault<'de, U: Deserialize<'de>, D: Deserializer<'de>>(parser: D) -> String {
    let mut track = Track::new();
    let message = match U::deserialize(serde_path_to_error::Deserializer::new(parser, &mut track)) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    };
    let path: Vec<_> = track.path().iter().map(name_of).collect();
    let missing = message.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
    match missing {
        Some(field) => {
            let field = path.iter().map(String::as_str).chain([field]).collect::<Vec<_>>().join(".");
            format!("the field `{field}` is left out where it is written: give it #[serde(default)]")
        }
        None if path.is_empty() => {
            "a flattened, untagged or internally tagged part of it writes what it does not read, \
                                    such as a float while the feature arbitrary_precision of serde_json is on"
                .to_owned()
        }
        None => format!(
            "the field `{}` writes what it does not read, such as a float that is not finite, or a float in an untagged \
             or internally tagged type while the feature arbitrary_precision of serde_json is on",
            path.join(".")
        ),
    }
}

/// A name of a field is shown; a key of a map, which it cannot be told from, could be anything.
fn name_of(segment: &Segment) -> String {
    let is_name =
        |name: &str| name.len() <= 40 && name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    match segment {
        Segment::Map { key: name } | Segment::Enum { variant: name } if is_name(name) => name.clone(),
        Segment::Seq { index } => index.to_string(),
        _ => "..".to_owned(),
    }
}

/// `payload` as a JSON object without reserved names at its top level.
pub(super) fn payload_json<U: Serialize>(payload: &U) -> Result<Vec<u8>, IssueError> {
    let written = Cell::new(0);
    let mut sink = Sink { bytes: Vec::with_capacity(USUAL_LEN), written: &written };
    let mut watch = Watch::new(&written);
    let result = payload.serialize(&mut Serializer::with_formatter(&mut sink, &mut watch));
    watch.check(result, &sink.bytes)?;
    Ok(sink.bytes)
}

/// Collects the JSON and tells the formatter how far it is.
struct Sink<'a> {
    bytes: Vec<u8>,
    written: &'a Cell<usize>,
}

impl io::Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes.extend_from_slice(bytes);
        self.written.set(self.bytes.len());
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Watches the writing: depth, whether the whole is an object, and where its top-level names are.
struct Watch<'a> {
    written: &'a Cell<usize>,
    depth: usize,
    object: bool,
    too_deep: bool,
    name_from: usize,
    names: Few<(usize, usize), 16>,
}

impl<'a> Watch<'a> {
    fn new(written: &'a Cell<usize>) -> Self {
        Self { written, depth: 0, object: false, too_deep: false, name_from: 0, names: Few::new() }
    }

    fn check(&self, result: serde_json::Result<()>, json: &[u8]) -> Result<(), IssueError> {
        if self.too_deep {
            return Err(IssueError::TooDeep);
        }
        result.map_err(IssueError::Serialize)?;
        if !self.object {
            return Err(IssueError::NotAnObject);
        }
        let place = |(from, to): &(usize, usize)| json.get(*from..*to).unwrap_or_default();
        let names: Few<&[u8], 16> = self.names.iter().map(place).collect();
        let text = |name| String::from_utf8_lossy(name).into_owned();
        if let Some(reserved) = names.iter().find(|name| Claim::named(name).is_some()) {
            return Err(IssueError::Reserved(text(reserved)));
        }
        repeated(&names).map_or(Ok(()), |name| Err(IssueError::Repeated(text(name))))
    }

    fn enter(&mut self) -> io::Result<()> {
        self.depth += 1;
        self.too_deep |= self.depth > MAX_DEPTH;
        if self.too_deep { Err(io::Error::other("nested too deep")) } else { Ok(()) }
    }
}

impl Formatter for &mut Watch<'_> {
    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.enter()?;
        writer.write_all(b"[")
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth = self.depth.saturating_sub(1);
        writer.write_all(b"]")
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.object |= self.depth == 0;
        self.enter()?;
        writer.write_all(b"{")
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth = self.depth.saturating_sub(1);
        writer.write_all(b"}")
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if !first {
            writer.write_all(b",")?;
        }
        self.name_from = self.written.get() + 1;
        Ok(())
    }

    fn end_object_key<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        if self.depth == 1 {
            self.names.push((self.name_from, self.written.get().saturating_sub(1)));
        }
        Ok(())
    }
}
