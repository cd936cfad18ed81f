//! Ending everybody, and what is left of the sessions of earlier epochs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::{RedisResult, Value};
use session_core::SessionId;
use tokio::time::timeout;

use crate::everywhere::at_every_shard;
use crate::keys::{Base, Realm, rest_of};
use crate::link::{Link, Repeat};
use crate::scan::Scan;
use crate::script;
use crate::subscriber::EVERYONE;

/// How long is counted before there is an answer.
const COUNTED: Duration = Duration::from_secs(1);

/// Ends every shard, and tells those who listen. Whether there was anything to end. An error of one shard keeps no other
/// from ending.
pub(crate) async fn end_epochs(link: &Link, realm: &Realm) -> RedisResult<bool> {
    let end = |base: Base| async move { link.run(&script::END_EPOCH, &base, &[], Repeat::Once).await };
    let answers = at_every_shard(realm, end).await;
    let ended = answers.iter().any(|answer| matches!(answer, Ok(Value::Int(1))));
    if ended {
        tell_everyone(link, realm).await;
    }
    answers.into_iter().find_map(Result::err).map_or(Ok(ended), Err)
}

/// Whether that is allowed or works must not decide whether sessions end.
async fn tell_everyone(link: &Link, realm: &Realm) {
    let mut publish = redis::cmd("PUBLISH");
    publish.arg(realm.channel()).arg(EVERYONE);
    if let Err(error) = link.send(publish, &realm.shard(0), Repeat::Spared).await {
        tracing::debug!(%error, "it was not told that everybody was ended");
    }
}

/// Removes in the background, and answers how many are gone after at most a second.
pub(crate) async fn sweep(link: Link, realm: Realm) -> u64 {
    let swept = Arc::new(AtomicU64::new(0));
    // A task of its own: a caller that gives up does not stop it. What it cannot remove Redis removes in time.
    let all = tokio::spawn(sweep_all(link, realm, swept.clone()));
    let _ = timeout(COUNTED, all).await;
    swept.load(Ordering::Relaxed)
}

async fn sweep_all(link: Link, realm: Realm, swept: Arc<AtomicU64>) -> RedisResult<()> {
    let mut scan = Scan::new(&link, &realm).await?;
    while let Some((base, ids)) = scan.next().await? {
        let ids: Vec<&[u8]> = ids.iter().map(|id: &SessionId| rest_of(id)).collect();
        let answer = link.run(&script::SWEEP, &base, &ids, Repeat::Once).await?;
        swept.fetch_add(redis::from_redis_value(answer)?, Ordering::Relaxed);
    }
    Ok(())
}
