//! What is done at every shard of a realm.

use futures_util::{StreamExt, stream};
use redis::{RedisResult, Value};

use crate::keys::{Base, Realm};

/// So many shards are asked at once.
const AT_ONCE: usize = 64;

/// What each shard answers, in any order.
pub(crate) async fn at_every_shard<F>(realm: &Realm, ask: impl Fn(Base) -> F) -> Vec<RedisResult<Value>>
where
    F: Future<Output = RedisResult<Value>>,
{
    stream::iter(realm.shards().map(ask)).buffer_unordered(AT_ONCE).collect().await
}
