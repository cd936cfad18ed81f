//! What is left of the sessions of earlier epochs, and how it is removed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::RedisResult;
use tokio::time::timeout;

use crate::keys::Base;
use crate::link::{Link, Repeat};
use crate::scan::Scan;
use crate::script;

/// How long is counted before there is an answer.
const COUNTED: Duration = Duration::from_secs(1);

/// Removes in the background, and answers how many are gone after at most a second.
pub(crate) async fn sweep(link: Link, base: Base) -> u64 {
    let swept = Arc::new(AtomicU64::new(0));
    // A task of its own: a caller that gives up does not stop it. What it cannot remove Redis removes in time.
    let all = tokio::spawn(sweep_all(link, base, swept.clone()));
    let _ = timeout(COUNTED, all).await;
    swept.load(Ordering::Relaxed)
}

async fn sweep_all(link: Link, base: Base, swept: Arc<AtomicU64>) -> RedisResult<()> {
    let mut scan = Scan::new(link.clone(), base.clone());
    while let Some(ids) = scan.next().await? {
        if !ids.is_empty() {
            let ids: Vec<&[u8]> = ids.iter().map(|id| &id[..]).collect();
            let answer = link.run(&script::SWEEP, &base, &ids, Repeat::Once).await?;
            swept.fetch_add(redis::from_redis_value(answer)?, Ordering::Relaxed);
        }
    }
    Ok(())
}
