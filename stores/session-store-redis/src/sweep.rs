//! What is left of the sessions of earlier epochs, and how it is removed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::RedisResult;
use tokio::time::timeout;

use crate::keys::Base;
use crate::link::{Link, Repeat};
use crate::script;

/// How many keys one step looks at: well below a millisecond of the server's time.
const STEP: u32 = 500;
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
    let pattern = base.pattern();
    let mut cursor = b"0".to_vec();
    loop {
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(STEP);
        let found = link.send(scan, &base, Repeat::Once).await?;
        let (next, keys): (Vec<u8>, Vec<Vec<u8>>) = redis::from_redis_value(found)?;
        let ids: Vec<&[u8]> = keys.iter().filter_map(|key| base.id_in(key)).collect();
        if !ids.is_empty() {
            let answer = link.run(&script::SWEEP, &base, &ids, Repeat::Once).await?;
            swept.fetch_add(redis::from_redis_value(answer)?, Ordering::Relaxed);
        }
        if next == b"0" {
            return Ok(());
        }
        cursor = next;
    }
}
