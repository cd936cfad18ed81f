//! A pass over the keys of every node, in steps, for the sessions of one realm, handed out by shard.

use std::collections::BTreeMap;

use redis::RedisResult;
use session_core::SessionId;

use crate::keys::{Base, Realm, shard_of};
use crate::link::{Link, Repeat};

/// How many keys one step looks at: well below a millisecond of the server's time.
const STEP: u32 = 500;
/// So many sessions of a shard are handed out together: one script for them.
const TOGETHER: usize = 64;

pub(crate) struct Scan<'a> {
    link: &'a Link,
    realm: &'a Realm,
    pattern: String,
    /// A shard of each node that is still to be looked at, and where the next step begins.
    nodes: Vec<(Base, Vec<u8>)>,
    found: BTreeMap<u8, Vec<SessionId>>,
}

impl<'a> Scan<'a> {
    pub(crate) async fn new(link: &'a Link, realm: &'a Realm) -> RedisResult<Self> {
        let nodes = link.nodes(realm).await?;
        let nodes = nodes.into_iter().map(|base| (base, b"0".to_vec())).collect();
        Ok(Self { link, realm, pattern: realm.pattern(), nodes, found: BTreeMap::new() })
    }

    /// Some sessions of one shard: those of ended ones, too, and some twice while a server's table changes its size.
    /// `None` at the end.
    pub(crate) async fn next(&mut self) -> RedisResult<Option<(Base, Vec<SessionId>)>> {
        loop {
            let is_over = self.nodes.is_empty();
            let full = self.found.iter().find(|(_, ids)| is_over || ids.len() >= TOGETHER);
            if let Some(shard) = full.map(|(shard, _)| *shard) {
                let ids = self.found.remove(&shard).unwrap_or_default();
                return Ok(Some((self.realm.shard(shard), ids)));
            }
            if is_over {
                return Ok(None);
            }
            self.step().await?;
        }
    }

    async fn step(&mut self) -> RedisResult<()> {
        let Some((base, cursor)) = self.nodes.pop() else { return Ok(()) };
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(&self.pattern).arg("COUNT").arg(STEP);
        let found = self.link.send(scan, &base, Repeat::Once).await?;
        let (next, keys): (Vec<u8>, Vec<Vec<u8>>) = redis::from_redis_value(found)?;
        if next != b"0" {
            self.nodes.push((base, next));
        }
        for id in keys.iter().filter_map(|key| self.realm.id_in(key)) {
            self.found.entry(shard_of(id)).or_default().push(id);
        }
        Ok(())
    }
}
