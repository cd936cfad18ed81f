//! What the scripts answer: a letter and what belongs to it, a number, or ids without the byte of their shard.

use redis::Value;
use session_core::SessionId;
use session_core::store::{Adopted, Created, Fence, Mark, Replaced, SessionRecord, StoreError};

use crate::error::unexpected;
use crate::keys::{REST, id_at};
use crate::record::decode;

pub(crate) fn created(answer: &Value, shard: u8) -> Result<Created, StoreError> {
    match verdict(answer) {
        Some((b'D', evicted)) => Ok(Created::Done { evicted: ids_in(shard, evicted) }),
        Some((b'T', _)) => Ok(Created::IdTaken),
        Some((b'L', _)) => Ok(Created::LimitReached),
        Some((b'G', _)) => Ok(Created::PredecessorGone),
        Some((b'C', _)) => Ok(Created::PredecessorChanged),
        Some((b'O', _)) => Ok(Created::Overtaken),
        _ => Err(unexpected("create")),
    }
}

pub(crate) fn adopted(answer: &Value, shard: u8) -> Result<Adopted, StoreError> {
    match verdict(answer) {
        Some((b'D', evicted)) => Ok(Adopted::Done { evicted: ids_in(shard, evicted) }),
        Some((b'T', _)) => Ok(Adopted::IdTaken),
        Some((b'B', _)) => Ok(Adopted::Barred),
        Some((b'L', _)) => Ok(Adopted::LimitReached),
        _ => Err(unexpected("adopt")),
    }
}

pub(crate) fn replaced(answer: &Value) -> Result<Replaced, StoreError> {
    match verdict(answer) {
        Some((b'D', _)) => Ok(Replaced::Done),
        Some((b'C', _)) => Ok(Replaced::Conflict),
        Some((b'G', _)) => Ok(Replaced::Gone),
        Some((b'S', _)) => Err(StoreError::permanent(
            "a session cannot move to another account: log in as the other account instead",
        )),
        Some((b'U', _)) => Err(StoreError::permanent(
            "a session in Redis is in a layout that this program does not know and does not overwrite: deploy the \
             newer version of session-store-redis everywhere, or revoke the session",
        )),
        _ => Err(unexpected("replace")),
    }
}

/// The sessions of an account: id and record in turn.
pub(crate) fn listed(answer: Value, shard: u8) -> Result<Vec<SessionRecord>, StoreError> {
    let Value::Array(found) = answer else { return Err(unexpected("list")) };
    let record = |pair: &[Value]| match pair {
        [Value::BulkString(id), Value::BulkString(bytes)] => {
            let id = id_at(shard, id).ok_or_else(|| unexpected("list"))?;
            decode(id, bytes)
        }
        _ => Err(unexpected("list")),
    };
    found.chunks(2).map(record).collect()
}

/// The sessions of an account that were ended.
pub(crate) fn ended(answer: &Value, shard: u8) -> Result<Vec<SessionId>, StoreError> {
    match answer {
        Value::BulkString(ids) => Ok(ids_in(shard, ids)),
        _ => Err(unexpected("delete_account")),
    }
}

/// The realm's mark, and the account's if it has one.
pub(crate) fn fence(answer: &Value) -> Result<Fence, StoreError> {
    let Value::BulkString(bytes) = answer else { return Err(unexpected("fence")) };
    let mark = |bytes: &[u8]| bytes.try_into().map(Mark::from_bytes).map_err(|_| unexpected("fence"));
    let (realm, account) = bytes.split_at_checked(16).ok_or_else(|| unexpected("fence"))?;
    let account = if account.is_empty() { None } else { Some(mark(account)?) };
    Ok(Fence::new(mark(realm)?, account))
}

pub(crate) fn count(answer: &Value, script: &str) -> Result<i64, StoreError> {
    match answer {
        Value::Int(count) => Ok(*count),
        _ => Err(unexpected(script)),
    }
}

pub(crate) fn ids_in(shard: u8, bytes: &[u8]) -> Vec<SessionId> {
    bytes.chunks_exact(REST).filter_map(|rest| id_at(shard, rest)).collect()
}

/// The letter, and what follows it.
fn verdict(answer: &Value) -> Option<(u8, &[u8])> {
    match answer {
        Value::BulkString(bytes) => bytes.split_first().map(|(letter, rest)| (*letter, rest)),
        _ => None,
    }
}
