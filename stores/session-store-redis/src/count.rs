//! How many sessions of a realm are open.

use std::collections::HashSet;

use redis::RedisResult;
use session_core::Timestamp;

use crate::argument::seconds;
use crate::keys::{Realm, rest_of};
use crate::link::{Link, Repeat};
use crate::scan::Scan;
use crate::script;

pub(crate) async fn count(link: &Link, realm: &Realm, now: Timestamp) -> RedisResult<u64> {
    let mut scan = Scan::new(link, realm).await?;
    let (now, mut met, mut open) = (seconds(now), HashSet::new(), 0);
    while let Some((base, mut ids)) = scan.next().await? {
        ids.retain(|id| met.insert(*id));
        if !ids.is_empty() {
            let arguments: Vec<&[u8]> = [&now[..]].into_iter().chain(ids.iter().map(rest_of)).collect();
            let answer = link.run(&script::COUNT, &base, &arguments, Repeat::Once).await?;
            open += redis::from_redis_value::<u64>(answer)?;
        }
    }
    Ok(open)
}
