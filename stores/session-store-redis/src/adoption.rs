//! Adopting sessions of other systems: marks of those that were, and bars against others.

use redis::{RedisResult, Value};
use session_core::Timestamp;
use session_core::store::{Adopted, Adoption, Bar, SessionRecord, StoreError};

use crate::answer;
use crate::argument::{self, KEPT_BEYOND_END, seconds, time_to_live};
use crate::error::store_error;
use crate::everywhere::at_every_shard;
use crate::keys::{Base, Realm, rest_of};
use crate::link::{Link, Repeat};
use crate::record::{check_subject, encode};
use crate::script;

pub(crate) async fn adopt(
    link: &Link,
    base: &Base,
    record: &SessionRecord,
    adoption: Adoption,
    now: Timestamp,
) -> Result<Adopted, StoreError> {
    let (limit, evicts) = argument::limit(adoption.limit);
    let (marked_until, mark_lives) = match adoption.once_until {
        Some(until) => (seconds(until), time_to_live(until, now)),
        None => Default::default(),
    };
    let arguments: [&[u8]; 9] = [
        rest_of(&record.id),
        &encode(record)?,
        &time_to_live(record.ends_at, now),
        &seconds(now),
        &limit,
        evicts,
        &seconds(adoption.proven_at),
        &marked_until,
        &mark_lives,
    ];
    let answer = link.run(&script::ADOPT, base, &arguments, Repeat::Never).await.map_err(store_error)?;
    answer::adopted(&answer, base.shard)
}

pub(crate) async fn bar_account(
    link: &Link,
    base: &Base,
    subject: &str,
    bar: Bar,
    now: Timestamp,
) -> Result<(), StoreError> {
    check_subject(subject)?;
    set(link, base, subject, bar, now).await.map(drop).map_err(store_error)
}

/// At every shard, so that each adoption finds it in its own step. An error of one keeps no other from it.
pub(crate) async fn bar_realm(
    link: &Link,
    realm: &Realm,
    bar: Bar,
    now: Timestamp,
) -> Result<(), StoreError> {
    let set = |base: Base| async move { set(link, &base, "", bar, now).await };
    let answers = at_every_shard(realm, set).await;
    answers.into_iter().find_map(Result::err).map_or(Ok(()), |error| Err(store_error(error)))
}

/// Of an account, or of the realm with an empty subject. To set it again changes nothing.
async fn set(link: &Link, base: &Base, subject: &str, bar: Bar, now: Timestamp) -> RedisResult<Value> {
    let arguments: [&[u8]; 5] = [
        subject.as_bytes(),
        &seconds(bar.at),
        &seconds(bar.until),
        &time_to_live(bar.until, now),
        &seconds(now.minus(KEPT_BEYOND_END)),
    ];
    link.run(&script::BAR, base, &arguments, Repeat::Once).await
}
